# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two ways to a server in a cluster: the API server's proxy, and a forwarded port, which carries every header."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import masking
from ..errors import ServiceError
from ..http_terms import untrusted
from ..intent import guard
from ..kube import errors, sdk, transport
from ..kube.client import Kube
from ..kube.readiness.cluster import SERVICE_NAME_LABEL
from ..kube.readiness.evidence import PODS, last_log_lines
from ..secrets import variable_values
from ..waiting import Deadline, time_is_over, without_watchdog
from . import http_client
from .http_client import Opener, proxy_refusal, timed_out
from .verdicts import Unanswered, api_server_refuses_login, refusal, shortened

# of the API server's refusals; theirs of a login have some 150 bytes
LARGEST_STATUS = 4096
# endpoints are written by others, and the name becomes a part of a path that is asked with our credentials
_POD_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

ASKING = "ask the MCP server"


@dataclass(frozen=True)
class Replica:
    """A ready pod behind a Service, and the port at which it listens."""

    pod: str
    port: int

    def path(self, namespace: str, path: str) -> str:
        return f"/api/v1/namespaces/{namespace}/pods/{self.pod}:{self.port}/proxy{path}"


def service_proxy_opener(kube: Kube, place: Callable[[str], str], own_path: str, extra: Mapping[str, str]) -> Opener:
    """Requests through the API server's proxy: works wherever the API server can be reached.

    `place` makes the API server's path of a path of the server. Whatever that says, no request leaves the proxy: it
    carries the credentials of the kubeconfig.
    """
    path = place(own_path)
    if not http_client.stays_under(place(""), path):
        raise http_client.foreign_address(own_path)

    def send(method: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Any:
        try:
            return kube.transport.send(
                method, path, headers={**extra, **headers}, body=body, timeout=timeout, preload=False
            )
        except sdk.urllib3.exceptions.ReadTimeoutError:
            raise  # the API server passed the request on, and the MCP server is silent
        except sdk.urllib3.exceptions.HTTPError as exc:
            failure = errors.from_exception(ASKING, exc, kube.server, kube.access.origin)
            if untrusted(exc) or time_is_over():
                raise failure from exc
            # a call is not sent twice, but the API server is waited for as with all that may be
            with without_watchdog():
                kube.request("GET", "/version", check=False, quiet=True, action=ASKING)
            raise Unanswered("CutOff", failure.reason, "The API server answers again.") from exc

    def opened(method: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Any:
        response = send(method, headers, body, timeout)
        if response.status != 401:
            return response
        # a server may want a login as well: it has the request already, and a second one might call a tool twice
        begun = StartedResponse(response, timeout)
        if not (api_server_refuses_login(begun.beginning) and kube.transport.renew()):
            return begun
        response.close()
        # the pool counts its connections, and waits for ever for one that is missing
        response.release_conn()
        return send(method, headers, body, timeout)

    return opened


class StartedResponse:
    """A urllib3 response whose beginning has been looked at, and is read again."""

    def __init__(self, response: Any, timeout: float) -> None:
        self._response = response
        self.beginning = b""
        deadline = Deadline(timeout)
        while len(self.beginning) < LARGEST_STATUS and not deadline.passed:
            chunk = response.read1(LARGEST_STATUS, decode_content=False)
            if not chunk:
                break
            self.beginning += chunk
        self._unread = self.beginning

    def read1(self, amount: int, decode_content: bool = False) -> bytes:
        if self._unread:
            given, self._unread = self._unread[:amount], self._unread[amount:]
            return given
        return bytes(self._response.read1(amount, decode_content=decode_content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)


def ready_replicas(kube: Kube, namespace: str, service: str, port: int) -> list[Replica]:
    """The ready pods of a Service at one of its ports, by name."""
    action = f"read the endpoints of Service {namespace}/{service}"
    slices = kube.get(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        query={"labelSelector": f"{SERVICE_NAME_LABEL}={service}"},
        action=action,
    )
    found = [item for item in (slices or {}).get("items") or [] if isinstance(item, Mapping)]
    name = None
    if any(len(item.get("ports") or []) > 1 for item in found):
        declared = kube.get(f"/api/v1/namespaces/{namespace}/services/{service}", action=action) or {}
        name = port_name(declared, port)
    return replicas_from_slices(found, name)


def latest_log_lines(kube: Kube, namespace: str, service: str, port: int) -> list[str]:
    """The end of the log of a ready pod behind a Service, redacted; nothing where it may not be read."""
    try:
        for replica in ready_replicas(kube, namespace, service, port)[:1]:
            pod = kube.get(PODS.path(namespace, replica.pod), action=f"read pod {namespace}/{replica.pod}")
            if pod is not None:
                container = str(pod["spec"]["containers"][0]["name"])
                sent = dict.fromkeys(masking.hidden_texts(), "SENT_BY_THE_PROBE")
                return last_log_lines(kube, namespace, replica.pod, container, {**variable_values([pod]), **sent})
    except ServiceError:
        pass  # what it says is help, and its absence no failure
    return []


def keeps_clients_apart(kube: Kube, namespace: str, service: str) -> bool:
    """Whether the Service sends each client to the same pod again."""
    declared = kube.get(f"/api/v1/namespaces/{namespace}/services/{service}", action=f"read Service {service}") or {}
    return bool((declared.get("spec") or {}).get("sessionAffinity") == "ClientIP")


def port_name(service: Mapping[str, Any], port: int) -> str:
    """How the endpoints of a Service call one of its ports."""
    ports = (service.get("spec") or {}).get("ports") or []
    return next((str(row.get("name") or "") for row in ports if row.get("port") == port), "")


def replicas_from_slices(slices: list[Mapping[str, Any]], name: str | None) -> list[Replica]:
    """The pods of EndpointSlices that take requests; `name` chooses the port where there are several. Pure."""
    found: dict[str, Replica] = {}
    for item in slices:
        ports = [
            row.get("port")
            for row in item.get("ports") or []
            if row.get("port") and (name is None or (row.get("name") or "") == name)
        ]
        for endpoint in (item.get("endpoints") or []) if ports else ():
            pod = endpoint.get("targetRef") or {}
            is_pod = pod.get("kind") == "Pod" and _POD_NAME.fullmatch(str(pod.get("name")))
            # unset means ready (discovery.k8s.io/v1 EndpointConditions); two address families name a pod twice
            if is_pod and (endpoint.get("conditions") or {}).get("ready") is not False:
                found.setdefault(pod["name"], Replica(str(pod["name"]), int(ports[0])))
    return [found[pod] for pod in sorted(found)]


PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PORT_BYTES = 2
# what a frame holds at most on the way to the pod
_PIECE = 32 * 1024


class Forwarded(io.RawIOBase):
    """What comes back from a port of a pod, to be read; the connection ends when it is closed."""

    def __init__(self, channel: transport.WebSocket) -> None:
        super().__init__()
        self._channel = channel
        self._pending = b""
        self._seen = {_DATA: 0, _ERROR: 0}
        self.trouble = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._pending:
            try:
                message = self._channel.receive()
            except ConnectionError:
                if self.trouble:
                    raise ConnectionError(self.trouble) from None
                return 0
            self._take(message)
        piece = self._pending[: len(buffer)]
        buffer[: len(piece)] = piece
        self._pending = self._pending[len(piece) :]
        return len(piece)

    def close(self) -> None:
        super().close()
        self._channel.close()

    def send(self, content: bytes) -> None:
        try:
            for start in range(0, len(content), _PIECE):
                self._channel.send(bytes([_DATA]) + content[start : start + _PIECE])
        except (BrokenPipeError, ConnectionResetError) as exc:
            # why the other side has closed came before it did
            with contextlib.suppress(OSError):
                while True:
                    self._take(self._channel.receive())
            raise ConnectionError(self.trouble or str(exc)) from exc

    def _take(self, message: bytes) -> None:
        number, content = (message[0], message[1:]) if message else (_DATA, b"")
        if number not in self._seen:
            return
        # the number of the port comes first on each channel
        skipped = min(len(content), max(0, _PORT_BYTES - self._seen[number]))
        self._seen[number] += len(content)
        if number == _ERROR:
            self.trouble += content[skipped:].decode("utf-8", "replace")
        else:
            self._pending += content[skipped:]


class ForwardedSocket:
    """The same as http.client wants it."""

    def __init__(self, forwarded: Forwarded) -> None:
        self._forwarded = forwarded
        self.sendall = forwarded.send

    def makefile(self, *_arguments: Any, **_options: Any) -> io.BufferedReader:
        return io.BufferedReader(self._forwarded)

    def close(self) -> None:
        """http.client closes its side before the answer is read, as it may with a socket."""


def port_forward_opener(
    kube: Kube,
    check_mode: bool,
    namespace: str,
    host: str,
    path: str,
    find: Callable[[], Replica],
    extra: Mapping[str, str],
) -> Opener:
    """Requests to a pod that is looked up for each; `host` is the name by which clients in the cluster know it."""

    def opened(method: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Any:
        guard(check_mode, "mcp", method, path)
        with without_watchdog():
            replica = find()
        target = f"/api/v1/namespaces/{namespace}/pods/{replica.pod}/portforward?ports={replica.port}"
        channel: transport.WebSocket | None = None
        try:
            channel = _forwarding(kube, check_mode, target, timeout)
            connection = http.client.HTTPConnection(host, timeout=timeout)
            connection.sock = ForwardedSocket(Forwarded(channel))
            sent = {"Host": host, "Connection": "close", **extra, **headers}
            connection.request(method, http_client.in_ascii(path), body=body, headers=sent)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as exc:
            if channel is not None:
                channel.close()
            raise forward_unreached(exc, timeout) from exc
        if answer.length == 0:
            # nobody reads what is empty, and the connection would not end
            answer.close()
        return sdk.urllib3.HTTPResponse(
            answer,
            # of a header that comes several times, all values count
            sdk.urllib3.HTTPHeaderDict(answer.getheaders()),
            answer.status,
            preload_content=False,
            request_method=method,
        )

    return opened


def first_of(pods: Callable[[], Sequence[Replica]]) -> Replica:
    """The pod to ask, where a Service has some that are ready."""
    found = pods()
    if not found:
        raise Unanswered(
            "NoEndpoints",
            "its Service has no ready pods",
            "Look at its pods: kubectl describe pods shows why none is ready.",
        )
    return found[0]


def forward_unreached(exc: Exception, timeout: float) -> Unanswered:
    """The verdict on a request that got no HTTP answer."""
    if isinstance(exc, TimeoutError):
        return timed_out(timeout)
    refused = proxy_refusal(str(exc))
    if refused is not None:
        return refused
    # the kubelet says long things of sandboxes and network namespaces before the reason
    stated, reason = shortened(exc), shortened(str(exc).rpartition(": ")[2])
    if "connection refused" in str(exc).lower():
        return Unanswered(
            "ConnectionRefused",
            f"its pod runs, but nothing listens on the port: {reason}",
            "The server must listen on the port of the MCPServer (spec.deployment.port).",
        )
    return Unanswered("NotHttp", f"the forwarded connection failed: {type(exc).__name__}: {stated}", "")


def _forwarding(kube: Kube, check_mode: bool, target: str, timeout: float) -> transport.WebSocket:
    try:
        return transport.connect_websocket(kube.transport, check_mode, target, PROTOCOL, timeout)
    except transport.NotUpgraded as refused:
        if refused.status == 401 and kube.transport.renew():
            try:
                return transport.connect_websocket(kube.transport, check_mode, target, PROTOCOL, timeout)
            except transport.NotUpgraded as again:
                raise not_forwarded(again) from again
        raise not_forwarded(refused) from refused


def not_forwarded(refused: transport.NotUpgraded) -> Unanswered:
    """The verdict on an API server's refusal, which is not one of the MCP server."""
    verdict = refusal(refused.status, refused.headers, refused.body, through_api_server=True)
    if verdict.status is None:
        return verdict
    stated = shortened(refused.body) or "no reason given"
    return Unanswered("ProxyError", f"the API server does not forward the port (HTTP {refused.status}): {stated}")
