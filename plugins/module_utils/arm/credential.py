# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure libraries, clouds and tokens.

The endpoints of a cloud, and one token request per identity, audience and run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidInput, Problem, ServiceError
from ..run_cache import RunCache
from . import sdk
from .options import Identity

METADATA_API_VERSION = "2022-09-01"
_GOOD_FOR_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Cloud:
    """Where to ask for tokens, for what audience, and where ARM answers (no trailing slash)."""

    resource_manager: str
    authority: str
    audience: str
    well_known: bool

    @property
    def scope(self) -> str:
        return f"{self.audience.rstrip('/')}/.default"


def _known(resource_manager: str, authority: str) -> Cloud:
    return Cloud(resource_manager, authority, resource_manager, True)


# the endpoints azure.core and azure.identity hold for the same names
_CLOUDS = {
    "azurecloud": _known("https://management.azure.com", "https://login.microsoftonline.com"),
    "azurechinacloud": _known("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    "azureusgovernment": _known("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
}
_ALIASES = {
    "azure_public_cloud": "azurecloud",
    "azurepubliccloud": "azurecloud",
    "azure_china_cloud": "azurechinacloud",
    "azure_us_government": "azureusgovernment",
    "azureusgovernmentcloud": "azureusgovernment",
}


def _well_known(name: str) -> Cloud | None:
    return _CLOUDS.get(_ALIASES.get(name.lower(), name.lower()))


def cloud_problems(name: Any) -> list[Problem]:
    """What is wrong with the name of a cloud; none is the one of everybody."""
    if not name or _well_known(str(name)) or (urlsplit(str(name)).scheme == "https" and urlsplit(str(name)).netloc):
        return []
    names = "AzureCloud, AzureChinaCloud, AzureUSGovernment"
    return [Problem("cloud_environment", f"{name!r} is neither a cloud ({names}) nor the https URL of an ARM endpoint")]


def find_cloud(name: str, authority_host: str, cache: RunCache, get_json: Callable[[str], Any]) -> Cloud:
    """The cloud called `name`, or the one whose ARM endpoint is the URL `name`; `get_json` reads one URL."""
    wrong = cloud_problems(name)
    if wrong:
        raise InvalidInput("Azure cloud", wrong)
    known = _well_known(name)
    if known is not None:
        cloud = known
    else:
        # a person may paste the document's own address as well as the endpoint
        endpoint = name.split("/metadata/endpoints", 1)[0].rstrip("/")
        cloud = Cloud(
            **cache.get_or_make(("arm-cloud", endpoint), lambda: (_discover(endpoint, get_json), _GOOD_FOR_SECONDS))
        )
    if not authority_host:
        return cloud
    host = authority_host if "://" in authority_host else f"https://{authority_host}"
    return Cloud(cloud.resource_manager, host.rstrip("/"), cloud.audience, cloud.well_known)


def _discover(endpoint: str, get_json: Callable[[str], Any]) -> dict[str, Any]:
    url = f"{endpoint}/metadata/endpoints?api-version={METADATA_API_VERSION}"
    document = get_json(url)
    try:
        authentication = document["authentication"]
        found = Cloud(
            resource_manager=str(document.get("resourceManager") or endpoint).rstrip("/"),
            authority=str(authentication["loginEndpoint"]).rstrip("/"),
            audience=str(authentication["audiences"][0]),
            well_known=False,
        )
    except (KeyError, IndexError, TypeError, AttributeError) as exc:
        raise ServiceError(
            f"Reading the cloud's endpoints at {url}",
            "the answer has no authentication.loginEndpoint and authentication.audiences",
            hint="Set cloud_environment to the URL of an Azure Resource Manager endpoint.",
        ) from exc
    return asdict(found)


ACTION = "Getting an Azure access token"
# a token that is about to expire is not handed to an operation that may take longer than it lives
_MARGIN_SECONDS = 300.0

# Entra's error numbers and what to do about each
_ENTRA_HINTS = {
    "7000215": "The secret is wrong, or is its id: set secret (AZURE_SECRET or AZURE_CLIENT_SECRET) to its value.",
    "7000222": "The client secret has expired: create a new one and set secret (AZURE_SECRET or AZURE_CLIENT_SECRET).",
    "700016": "The tenant knows no such application: check client_id (AZURE_CLIENT_ID) and tenant (AZURE_TENANT).",
    "90002": "There is no such tenant: check tenant (AZURE_TENANT or AZURE_TENANT_ID) and cloud_environment.",
    "900023": "The tenant is neither an id nor a domain name: check tenant (AZURE_TENANT or AZURE_TENANT_ID).",
    "700027": "The certificate is not one of the application's: check x509_certificate_path and thumbprint.",
    "700213": "No federated credential of the application matches the token: check its issuer, subject and audience.",
    "70021": "No federated credential of the application matches the token: check its issuer, subject and audience.",
    "50034": "There is no such user: check client_id and tenant.",
    "53003": "Conditional access forbids this login: use an identity that the policy allows.",
    "500011": "The tenant does not know this audience: check cloud_environment.",
}
_FALLBACK_HINT = (
    "Check client_id, secret, tenant (AZURE_CLIENT_ID, AZURE_SECRET, AZURE_TENANT), auth_source and cloud_environment."
)


class CachedCredential:
    """A TokenCredential for azure-core's authentication policy that asks Entra at most once a run."""

    def __init__(
        self,
        identity: Identity,
        cloud: Cloud,
        cache: RunCache,
        secret: Callable[[str], None],
        make: Callable[[], Any] | None = None,
    ) -> None:
        self._identity = identity
        self._cache = cache
        self._secret = secret
        self._make = make or (lambda: sdk_credential(identity, cloud))

    def get_token(self, *scopes: str, **options: Any) -> Any:
        # a claims challenge means that the cached token was good yesterday's way
        if options.get("claims"):
            self.forget(*scopes)
        token, expires_on = self._cache.get_or_make(self._key(scopes), lambda: self._request(scopes, options))
        self._secret(token)
        return sdk.AccessToken(token, int(expires_on))

    def forget(self, *scopes: str) -> None:
        self._cache.forget(self._key(scopes))

    def _key(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        return ("arm-token", self._identity.fingerprint(), *scopes)

    def _request(self, scopes: tuple[str, ...], options: dict[str, Any]) -> tuple[tuple[str, int], float]:
        try:
            token = self._make().get_token(*scopes, **options)
        except sdk.CredentialUnavailableError as exc:
            raise ServiceError(ACTION, _first_line(exc), hint=_unavailable_hint(self._identity.kind)) from exc
        except sdk.ClientAuthenticationError as exc:
            raise _refused(exc) from exc
        except sdk.AzureError as exc:
            hint = "Check the network, the proxy, the CA bundle (REQUESTS_CA_BUNDLE) and cloud_environment."
            raise ServiceError(ACTION, _first_line(exc), hint=hint) from exc
        except ValueError as exc:
            # azure-identity checks tenant and certificate before it asks
            raise InvalidInput("Azure credentials", [Problem("", _first_line(exc))]) from exc
        lifetime = token.expires_on - time.time()
        return (token.token, token.expires_on), max(lifetime - _MARGIN_SECONDS, lifetime / 2)


def sdk_credential(identity: Identity, cloud: Cloud) -> Any:
    """The azure-identity credential of this kind. A cloud found by URL is unknown to Microsoft's instance list."""
    discovery = identity.disable_instance_discovery
    reach = {
        "authority": cloud.authority,
        "disable_instance_discovery": (not cloud.well_known) if discovery is None else discovery,
        "connection_verify": identity.verify,
    }
    if identity.kind == "secret":
        return sdk.ClientSecretCredential(identity.tenant, identity.client_id, identity.secret, **reach)
    if identity.kind == "certificate":
        return sdk.CertificateCredential(
            identity.tenant, identity.client_id, certificate_path=identity.certificate_path, **reach
        )
    if identity.kind == "workload_identity":
        return sdk.WorkloadIdentityCredential(
            tenant_id=identity.tenant, client_id=identity.client_id, token_file_path=identity.token_file, **reach
        )
    if identity.kind == "msi":
        return sdk.ManagedIdentityCredential(client_id=identity.client_id or None)
    return sdk.AzureCliCredential(tenant_id=identity.tenant, process_timeout=30)


def _refused(exc: Exception) -> ServiceError:
    text = getattr(exc, "message", "") or str(exc)
    match = re.search(r"AADSTS(\d+)", text)
    number = match.group(1) if match else ""
    reason = text[match.start() :] if match else text
    reason = re.sub(rf"^AADSTS{number}:\s*", "", reason.splitlines()[0] if reason else "no reason given")
    # Entra appends ids and a time on the same line; they belong into a support request, not into a message
    reason = re.split(r"\s(?:Trace ID|Correlation ID|Timestamp):", reason)[0]
    return ServiceError(
        ACTION,
        reason,
        code=f"AADSTS{number}" if number else "",
        status=getattr(exc, "status_code", None),
        hint=_ENTRA_HINTS.get(number, _FALLBACK_HINT),
    )


def _unavailable_hint(kind: str) -> str:
    return {
        "cli": "Run `az login`, or set client_id, secret and tenant.",
        "msi": "This machine has no managed identity that answers: check auth_source and client_id.",
    }.get(kind, _FALLBACK_HINT)


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]
