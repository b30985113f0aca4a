# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a pod that carries every header: HTTP through a forwarded port, as `kubectl port-forward` has it.

The API server's proxy keeps Authorization for itself. A forwarded port is a plain connection to the pod. Each request
has one of its own, and nothing listens on this machine.
Source: Kubernetes, pods/portforward over WebSocket, subprotocol v4.channel.k8s.io: channel 0 is the data, channel 1 the
errors, and each begins with the number of the port (kubelet, cri/streaming/portforward/websocket.go).
"""

from __future__ import annotations

import contextlib
import http.client
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.deadlines import unwatched
from ansible_collections.mcpops.platform.plugins.module_utils.intent import guard
from ansible_collections.mcpops.platform.plugins.module_utils.kube import websocket
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import addresses
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.http_client import Opener, proxy_refusal, timed_out
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.service_proxy import Replica
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered, refusal, shortened

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PORT_BYTES = 2
# what a frame holds at most on the way to the pod
_PIECE = 32 * 1024


class Forwarded:
    """The bytes to and from a port of a pod, as a socket for http.client."""

    def __init__(self, channel: websocket.WebSocket) -> None:
        self._channel = channel
        self._pending = b""
        self._seen = {_DATA: 0, _ERROR: 0}
        self.trouble = ""

    def sendall(self, content: bytes) -> None:
        try:
            for start in range(0, len(content), _PIECE):
                self._channel.send(bytes([_DATA]) + content[start : start + _PIECE])
        except (BrokenPipeError, ConnectionResetError) as exc:
            # why the other side has closed came before it did
            with contextlib.suppress(OSError):
                while True:
                    self._take(self._channel.receive())
            raise ConnectionError(self.trouble or str(exc)) from exc

    def makefile(self, *_arguments: Any, **_options: Any) -> io.BufferedReader:
        return io.BufferedReader(_Received(self))

    def close(self) -> None:
        """http.client closes its side before the answer is read, as it may with a socket."""

    def receive_into(self, buffer: Any) -> int:
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

    def hang_up(self) -> None:
        self._channel.close()

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


class _Received(io.RawIOBase):
    """What comes back, for a buffer to read from."""

    def __init__(self, forwarded: Forwarded) -> None:
        super().__init__()
        self._forwarded = forwarded

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._forwarded.receive_into(buffer)


class Answer:
    """http.client's answer with the names of urllib3's; its connection ends with it."""

    def __init__(self, answer: http.client.HTTPResponse, forwarded: Forwarded) -> None:
        self._answer = answer
        self._forwarded = forwarded
        self.status = answer.status
        self.headers = answer.headers
        self.closed = False
        self.length_remaining = None

    def read1(self, size: int, decode_content: bool = False) -> bytes:
        """As it comes: nothing is ever decoded here."""
        return self._answer.read1(size)

    def close(self) -> None:
        self.closed = True
        self._answer.close()
        self._forwarded.hang_up()

    release_conn = close


def opener(
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
        with unwatched():
            replica = find()
        target = f"/api/v1/namespaces/{namespace}/pods/{replica.pod}/portforward?ports={replica.port}"
        forwarded: Forwarded | None = None
        try:
            forwarded = Forwarded(_forwarding(kube, check_mode, target, timeout))
            connection = http.client.HTTPConnection(host, timeout=timeout)
            connection.sock = forwarded
            sent = {"Host": host, "Connection": "close", **extra, **headers}
            connection.request(method, addresses.in_ascii(path), body=body, headers=sent)
            return Answer(connection.getresponse(), forwarded)
        except (OSError, http.client.HTTPException) as exc:
            if forwarded is not None:
                forwarded.hang_up()
            raise unreached(exc, timeout) from exc

    return opened


def first_of(pods: Callable[[], Sequence[Replica]]) -> Replica:
    """The pod to ask, where a Service has some that are ready."""
    found = pods()
    if not found:
        raise Unanswered(
            "no_endpoints",
            "its Service has no ready pods",
            "Look at its pods: kubectl describe pods shows why none is ready.",
        )
    return found[0]


def unreached(exc: Exception, timeout: float) -> Unanswered:
    """The verdict on a request that got no HTTP answer."""
    if isinstance(exc, TimeoutError):
        return timed_out(timeout)
    refused = proxy_refusal(str(exc))
    if refused is not None:
        return refused
    # the kubelet says long things of sandboxes and network namespaces before the reason
    said, reason = shortened(exc), shortened(str(exc).rpartition(": ")[2])
    if "connection refused" in str(exc).lower():
        return Unanswered(
            "connection_refused",
            f"its pod runs, but nothing listens on the port: {reason}",
            "The server must listen on the port of the MCPServer (spec.deployment.port).",
        )
    return Unanswered("not_http", f"the forwarded connection failed: {type(exc).__name__}: {said}", "")


def _forwarding(kube: Kube, check_mode: bool, target: str, timeout: float) -> websocket.WebSocket:
    try:
        return websocket.connect(kube.transport, check_mode, target, PROTOCOL, timeout)
    except websocket.NotUpgraded as refused:
        if refused.status == 401 and kube.transport.renew():
            try:
                return websocket.connect(kube.transport, check_mode, target, PROTOCOL, timeout)
            except websocket.NotUpgraded as again:
                raise not_forwarded(again) from again
        raise not_forwarded(refused) from refused


def not_forwarded(refused: websocket.NotUpgraded) -> Unanswered:
    """The verdict on an API server's refusal, which is not one of the MCP server."""
    verdict = refusal(refused.status, refused.headers, refused.body, through_api_server=True)
    if verdict.status is None:
        return verdict
    said = shortened(refused.body) or "no reason given"
    return Unanswered("proxy_error", f"the API server does not forward the port (HTTP {refused.status}): {said}")
