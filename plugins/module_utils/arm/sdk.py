# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that needs Azure's libraries, imported by who connects and by nobody else.

Tokens (one request per identity, audience and run), and requests through azure-core's pipeline with the check-mode
guard as its last stage.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from ..errors import Failure, InvalidInput, MissingLibrary, Problem, ServiceError
from ..http_terms import Response, expect_unverified, untrusted
from ..intent import guard
from ..run_cache import RunCache
from .errors import Request, Unreachable
from .options import Cloud, Identity

LIBRARIES = ("azure-identity", "azure-mgmt-core")

try:
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        ServiceRequestError,
        ServiceResponseError,
    )
    from azure.core.pipeline.policies import HeadersPolicy, RequestIdPolicy, UserAgentPolicy
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.rest import HttpRequest
    from azure.identity import (
        AzureCliCredential,
        CertificateCredential,
        ClientSecretCredential,
        CredentialUnavailableError,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
except ImportError as _exc:
    IMPORT_ERROR: str | None = str(_exc)
    RequestsTransport = object  # the base of GuardedTransport
else:
    IMPORT_ERROR = None
    # What these log is in the failure as well. Without a handler Python prints it, amid the output of the run
    for _name in ("azure", "msal"):
        logging.getLogger(_name).addHandler(logging.NullHandler())
    # azure-core imports these at the first request: here it is paid once a playbook, there once a task
    for _late in ("requests", "azure.core.rest._requests_basic"):
        with contextlib.suppress(ImportError):
            importlib.import_module(_late)


def require_sdk() -> None:
    if IMPORT_ERROR is not None:
        raise MissingLibrary(LIBRARIES, IMPORT_ERROR)


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
        return AccessToken(token, int(expires_on))

    def claims(self, *scopes: str) -> dict[str, Any]:
        """What the token for these scopes says of who has it; nothing where it is not a JWT, as Entra's are."""
        parts = str(self.get_token(*scopes).token).split(".")
        try:
            found = json.loads(base64.urlsafe_b64decode(f"{parts[1]}==="))
        except (IndexError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def forget(self, *scopes: str) -> None:
        self._cache.forget(self._key(scopes))

    def _key(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        return ("arm-token", self._identity.fingerprint(), *scopes)

    def _request(self, scopes: tuple[str, ...], options: dict[str, Any]) -> tuple[tuple[str, int], float]:
        try:
            token = self._make().get_token(*scopes, **options)
        except CredentialUnavailableError as exc:
            raise ServiceError(ACTION, _first_line(exc), hint=_unavailable_hint(self._identity.kind)) from exc
        except ClientAuthenticationError as exc:
            raise _refused(exc) from exc
        except AzureError as exc:
            hint = "Check the network, the proxy, the CA bundle (REQUESTS_CA_BUNDLE) and cloud_environment."
            raise ServiceError(ACTION, _first_line(exc), hint=hint) from exc
        except ValueError as exc:
            # azure-identity checks tenant and certificate before it asks
            raise InvalidInput("Azure credentials", [Problem("", _first_line(exc))]) from exc
        return (token.token, token.expires_on), good_for(token.expires_on)


def good_for(expires_on: float) -> float:
    """How many seconds from now a token is handed out for."""
    lifetime = expires_on - time.time()
    return max(lifetime - _MARGIN_SECONDS, lifetime / 2)


def sdk_credential(identity: Identity, cloud: Cloud) -> Any:
    """The azure-identity credential of this kind. A cloud found by URL is unknown to Microsoft's instance list."""
    discovery = identity.disable_instance_discovery
    reach = {
        "authority": cloud.authority,
        "disable_instance_discovery": (not cloud.well_known) if discovery is None else discovery,
        "connection_verify": identity.verify,
    }
    if identity.kind == "secret":
        return ClientSecretCredential(identity.tenant, identity.client_id, identity.secret, **reach)
    if identity.kind == "certificate":
        return CertificateCredential(
            identity.tenant, identity.client_id, certificate_path=identity.certificate_path, **reach
        )
    if identity.kind == "workload_identity":
        return WorkloadIdentityCredential(
            tenant_id=identity.tenant, client_id=identity.client_id, token_file_path=identity.token_file, **reach
        )
    if identity.kind == "msi":
        return ManagedIdentityCredential(client_id=identity.client_id or None)
    return AzureCliCredential(tenant_id=identity.tenant, process_timeout=30)


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


USER_AGENT = "mcpops.platform"
FORM = "application/x-www-form-urlencoded"
_CONNECT_TIMEOUT = 30
_READ_TIMEOUT = 300


class GuardedTransport(RequestsTransport):  # type: ignore[misc]
    """The socket: behind every policy of azure-core, so nothing that a policy thinks of can pass in check mode."""

    def __init__(self, check_mode: bool, service: str = "arm", **options: Any) -> None:
        super().__init__(**options)
        self._check_mode = check_mode
        self._service = service

    def send(self, request: Any, **options: Any) -> Any:
        guard(self._check_mode, self._service, request.method, request.url)
        return super().send(request, **options)


class PipelineSender:
    """Sends through ARMPipelineClient without its retries (client.py decides those, with a deadline and a voice)
    and without its automatic provider registration, which writes in answer to a read."""

    def __init__(
        self,
        cloud: Cloud,
        identity: Identity,
        check_mode: bool,
        credential: CachedCredential | None,
        service: str = "arm",
    ) -> None:
        require_sdk()
        if identity.verify is False:
            expect_unverified()
        self._cloud = cloud
        self._credential = credential
        self._transport = GuardedTransport(
            check_mode,
            service,
            connection_verify=identity.verify,
            connection_timeout=_CONNECT_TIMEOUT,
            read_timeout=_READ_TIMEOUT,
        )
        self._client = self._make()

    def _make(self) -> Any:
        policies: list[Any] = [HeadersPolicy(), UserAgentPolicy(base_user_agent=USER_AGENT), RequestIdPolicy()]
        if self._credential is not None:
            policies.append(ARMChallengeAuthenticationPolicy(self._credential, self._cloud.scope))
        return ARMPipelineClient(self._cloud.resource_manager, policies=policies, transport=self._transport)

    def renew(self) -> None:
        if self._credential is not None:
            self._credential.forget(self._cloud.scope)
            self._client = self._make()

    def send(self, request: Request) -> Response:
        kind = request.headers.get("Content-Type", "")
        form = "content" if isinstance(request.body, bytes) else "data" if kind == FORM else "json"
        options = {} if request.body is None else {form: request.body}
        message = HttpRequest(request.method, request.url, headers=dict(request.headers), **options)
        try:
            answer = self._client.send_request(message)
            content = answer.read()
        except Failure:
            raise
        except ServiceRequestError as exc:
            raise Unreachable(_reason(exc), sent=False) from exc
        except (ServiceResponseError, AzureError) as exc:
            raise Unreachable(_reason(exc), sent=True) from exc
        return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, content)


def _reason(exc: Exception) -> str:
    """The innermost sentence of requests' and urllib3's nested errors."""
    if untrusted(exc):
        return f"it {untrusted(exc)} (CERTIFICATE_VERIFY_FAILED)"
    cause: BaseException | None = exc
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    return (str(cause).splitlines() or [type(exc).__name__])[0]
