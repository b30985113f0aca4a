# SPDX-License-Identifier: GPL-3.0-or-later
"""Entra: discovery documents, tokens signed with RS256, and the check of bearer tokens.

Claims: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference. The issuer of tokens of
version 2.0 is the one address that clusters and this host have in common, wherever they are asked for.
"""

from __future__ import annotations

import base64
import os
import time
import uuid
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.clusters import AKS_SERVER

from .config import AzureConfig
from .principals import Principal
from .wire import ArmError, Body, Call, Reply

VAULTS, STORAGE = "https://vault.azure.net", "https://storage.azure.com"
GRAPH = "https://graph.microsoft.com"
# The token service answers for these besides Resource Manager itself: application ids and URIs of Microsoft's APIs.
KNOWN_AUDIENCES = (
    "https://management.azure.com",
    "https://management.core.windows.net",
    GRAPH,
    "https://containerregistry.azure.net",
    VAULTS,
    STORAGE,
    AKS_SERVER,
)
SECRET, ASSERTION = "1", "2"  # how a client proved who it is, as the claims appidacr and azpacr have it
KEY_FILE = "token-signing.key"
NAMESPACE = uuid.UUID("5d0a3c67-5f0d-4a7e-8f6e-1d4b5b7c9e02")  # makes object ids from client ids, the same every time
# The one user of the directory, who signs in by being asked for.
USER = Principal("", str(uuid.uuid5(NAMESPACE, "user")), "user@localcloud.onmicrosoft.com")


class Entra:
    def __init__(self, config: AzureConfig) -> None:
        self._config = config
        self._key = load_or_make_key(config.state / KEY_FILE)
        self._public = self._key.public_key()
        numbers = self._public.public_numbers()
        self._kid = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")[:15]).decode().rstrip("=")
        self.object_id = str(uuid.uuid5(NAMESPACE, config.client_id))
        addresses = ["localhost", *filter(None, [config.cluster_address])]
        ports = {config.endpoint, *(f"https://{address}:{config.port}" for address in addresses)}
        self._arm_audiences = ports | {"https://management.azure.com", "https://management.core.windows.net"}

    def keys(self) -> Body:
        numbers = self._public.public_numbers()
        return {
            "keys": [
                {"kty": "RSA", "use": "sig", "kid": self._kid, "alg": "RS256", "n": _b64(numbers.n), "e": _b64(65537)}
            ]
        }

    @property
    def issuer(self) -> str:
        """Of tokens of version 1.0, which Microsoft's own APIs ask for; the same wherever a token was asked for."""
        return f"https://sts.windows.net/{self._config.tenant_id}/"

    @property
    def issuer_v2(self) -> str:
        """Of tokens of version 2.0, for applications that ask for it."""
        address = self._config.cluster_address or self._config.address
        return f"https://{address}:{self._config.port}/{self._config.tenant_id}/v2.0"

    def knows(self, object_id: str) -> bool:
        """Whether it is the owner of the subscription, who has no entry in the directory."""
        return object_id.lower() == self.object_id

    def owner(self) -> Principal:
        return Principal(self._config.client_id, self.object_id, "local cloud", self._config.client_secret)

    def issue(self, scope: str, principal: Principal | None = None, proof: str = SECRET) -> tuple[str, int] | None:
        """A token for this scope, or None when nothing goes by that name; without a principal the owner's."""
        audience = scope.removesuffix("/.default")
        if audience.rstrip("/") not in self._arm_audiences | set(KNOWN_AUDIENCES):
            return None
        whose = principal or self.owner()
        claims: Body = {"aud": audience, "iss": self.issuer, "appid": whose.client_id, "appidacr": proof, "ver": "1.0"}
        claims["idtyp"] = "app"
        if audience == AKS_SERVER and whose.object_id == self.object_id and self._config.groups:
            # AKS asks the directory for the groups of an application, whose token does not have them: here it has
            claims["groups"] = list(self._config.groups)
        return self.sign(claims, whose)

    def sign(self, claims: Body, whose: Principal) -> tuple[str, int]:
        """A token with these claims beside those that every token of an application has."""
        issued, lifetime = int(time.time()), self._config.token_seconds
        common: Body = {
            "iat": issued,
            "nbf": issued,
            "exp": issued + lifetime,
            "oid": whose.object_id,
            "sub": whose.object_id,
            "tid": self._config.tenant_id,
            "uti": uuid.uuid4().hex[:22],
        }
        return jwt.encode({**common, **claims}, self._key, algorithm="RS256", headers={"kid": self._kid}), lifetime

    def verify(self, token: str) -> Body:
        """The claims of a token that we signed and that is still good, or jwt.InvalidTokenError."""
        claims: Body = jwt.decode(token, self._public, algorithms=["RS256"], options={"verify_aud": False})
        return claims

    def is_for(self, audience: str, service: str) -> bool:
        """Whether a token is for a service of Microsoft's that is played at this Azure's own address."""
        return audience.rstrip("/") in self._arm_audiences | {service}

    def authenticate(self, authorization: str) -> str:
        """The object id of who asks; refused is a bearer token that we did not sign for Resource Manager, or signed too
        long ago."""
        token = bearer(authorization)
        if not token:
            raise self.refusal("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        try:
            claims = self.verify(token)
        except jwt.ExpiredSignatureError as exc:
            raise self.expired() from exc
        except jwt.InvalidTokenError as exc:
            raise self.refusal("InvalidAuthenticationToken", "The access token is invalid.") from exc
        if claims.get("aud", "").rstrip("/") not in self._arm_audiences:
            raise self.refusal(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{claims.get('aud')}'. It should exactly match one of the allowed audiences "
                f"{', '.join(repr(audience) for audience in sorted(self._arm_audiences))}.",
            )
        return str(claims["oid"])

    def expired(self) -> ArmError:
        at = time.strftime("%m/%d/%Y %H:%M:%S", time.gmtime())
        return self.refusal(
            "ExpiredAuthenticationToken",
            f"The access token expiry UTC time is earlier than current UTC time '{at}'.",
        )

    def refusal(self, code: str, message: str) -> ArmError:
        challenge = (
            f'Bearer authorization_uri="{self._config.endpoint}/{self._config.tenant_id}", '
            f'error="invalid_token", error_description="{message}"'
        )
        return ArmError(401, code, message, {"WWW-Authenticate": challenge})


def bearer(authorization: str) -> str:
    """The token of an Authorization header; empty where there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _b64(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def load_or_make_key(path: Path) -> rsa.RSAPrivateKey:
    """Kept across restarts, so that a token of before is still good after one."""
    if path.exists():
        # Made here, and proving its primes again takes a tenth of a second.
        key = serialization.load_pem_private_key(path.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, rsa.RSAPrivateKey):
            return key
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    return key


# --- the routes


def refused(status: int, error: str, number: int, text: str) -> Reply:
    trace = str(uuid.uuid4())
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    return Reply(
        status,
        {
            "error": error,
            "error_description": f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {trace} Timestamp: {at}",
            "error_codes": [number],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": trace,
            "error_uri": f"https://login.microsoftonline.com/error?code={number}",
        },
    )


def unknown_tenant(call: Call) -> Reply | None:
    tenant = call["tenant"]
    if tenant.lower() in (call.cloud.config.tenant_id.lower(), "common", "organizations"):
        return None
    return refused(
        400,
        "invalid_tenant",
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
    )


def openid_configuration(call: Call) -> Reply:
    if answer := unknown_tenant(call):
        return answer
    base = f"{call.endpoint}/{call['tenant']}"
    tenant = call.cloud.config.tenant_id
    # The issuer is the address that was asked, without the path of this document (OpenID Connect Discovery 1.0, 4.3),
    # and clients hold it against their authority (MSAL for Go). There is one that tokens name, which pods reach too.
    issuer = f"{call.endpoint}/{tenant}/v2.0"
    if call["tenant"].lower() != tenant.lower():  # no tenant in particular: a template
        issuer = issuer.replace(tenant, "{tenantid}")
    return Reply(
        200,
        {
            "issuer": issuer,
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": None,
            "cloud_instance_name": "localhost",
        },
    )


def openid_configuration_v1(call: Call) -> Reply:
    """What the tokens of version 1.0 are verified by."""
    if answer := unknown_tenant(call):
        return answer
    base = f"{call.endpoint}/{call['tenant']}"
    return Reply(
        200,
        {
            "issuer": call.cloud.entra.issuer,
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{base}/discovery/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
    )


def instance_discovery(call: Call) -> Reply:
    host = call.endpoint.removeprefix("https://")
    tenant = call.cloud.config.tenant_id
    return Reply(
        200,
        {
            "tenant_discovery_endpoint": f"{call.endpoint}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        },
    )


def keys(call: Call) -> Reply:
    return unknown_tenant(call) or Reply(200, call.cloud.entra.keys())


def metadata(call: Call) -> Reply:
    """The cloud's own description: a list of clouds in the 2019 version, one object since 2022."""
    endpoint, config = call.endpoint, call.cloud.config
    host = endpoint.removeprefix("https://")
    described: Body = {
        "name": "LocalCloud",
        "portal": endpoint,
        "authentication": {
            "loginEndpoint": f"{endpoint}/",
            "audiences": [f"{endpoint}/", endpoint],
            "tenant": config.tenant_id,
            "identityProvider": "AAD",
        },
        "resourceManager": endpoint,
        "graphAudience": endpoint,
        "graph": endpoint,
        "microsoftGraphResourceId": endpoint,
        "gallery": endpoint,
        "batch": endpoint,
        "media": endpoint,
        "sqlManagement": endpoint,
        "vmImageAliasDoc": endpoint,
        "activeDirectoryDataLake": endpoint,
        "suffixes": {
            "acrLoginServer": host,
            # names below localhost, for clients that resolve them; vaultUri and primaryEndpoints are addresses
            "keyVaultDns": f"vault.localhost:{config.port}",
            "storage": f"localhost:{config.port}",
            "sqlServerHostname": f"database.{host}",
        },
    }
    if call.query.get("api-version", "") < "2022":
        return Reply(200, [described])
    return Reply(200, described)
