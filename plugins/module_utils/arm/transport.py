# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP exchange with ARM: azure-core's pipeline, with the check-mode guard as its last stage."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import sdk
from ansible_collections.mcpops.platform.plugins.module_utils.arm.clouds import Cloud
from ansible_collections.mcpops.platform.plugins.module_utils.arm.credential import CachedCredential
from ansible_collections.mcpops.platform.plugins.module_utils.arm.exchange import Request, Unreachable
from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import Identity
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.module_utils.http import Response, untrusted
from ansible_collections.mcpops.platform.plugins.module_utils.intent import guard

USER_AGENT = "mcpops.platform"
_CONNECT_TIMEOUT = 30
_READ_TIMEOUT = 300


class GuardedTransport(sdk.RequestsTransport):  # type: ignore[misc]
    """The socket: behind every policy of azure-core, so nothing that a policy thinks of can pass in check mode."""

    def __init__(self, check_mode: bool, **options: Any) -> None:
        super().__init__(**options)
        self._check_mode = check_mode

    def send(self, request: Any, **options: Any) -> Any:
        guard(self._check_mode, "arm", request.method, request.url)
        return super().send(request, **options)


class PipelineSender:
    """Sends through ARMPipelineClient without its retries (client.py decides those, with a deadline and a voice)
    and without its automatic provider registration, which writes in answer to a read."""

    def __init__(self, cloud: Cloud, identity: Identity, check_mode: bool, credential: CachedCredential | None) -> None:
        sdk.require_sdk()
        self._cloud = cloud
        self._credential = credential
        self._transport = GuardedTransport(
            check_mode,
            connection_verify=identity.verify,
            connection_timeout=_CONNECT_TIMEOUT,
            read_timeout=_READ_TIMEOUT,
        )
        self._client = self._make()

    def _make(self) -> Any:
        policies: list[Any] = [
            sdk.HeadersPolicy(),
            sdk.UserAgentPolicy(base_user_agent=USER_AGENT),
            sdk.RequestIdPolicy(),
        ]
        if self._credential is not None:
            policies.append(sdk.ARMChallengeAuthenticationPolicy(self._credential, self._cloud.scope))
        return sdk.ARMPipelineClient(self._cloud.resource_manager, policies=policies, transport=self._transport)

    def renew(self) -> None:
        if self._credential is not None:
            self._credential.forget(self._cloud.scope)
            self._client = self._make()

    def send(self, request: Request) -> Response:
        options = {} if request.body is None else {"json": request.body}
        message = sdk.HttpRequest(request.method, request.url, headers=dict(request.headers), **options)
        try:
            answer = self._client.send_request(message)
            content = answer.read()
        except Failure:
            raise
        except sdk.ServiceRequestError as exc:
            raise Unreachable(_reason(exc), sent=False) from exc
        except (sdk.ServiceResponseError, sdk.AzureError) as exc:
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
