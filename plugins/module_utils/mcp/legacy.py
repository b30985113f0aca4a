# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speaking MCP 2024-11-05 to 2025-11-25.

A handshake, often a session, a stream of the server, and servers that ask back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from .. import waiting
from ..waiting import without_watchdog
from . import http_client, protocol
from .protocol import EventStream, Exchange, Reply, Speaker, mapping_of
from .verdicts import Unanswered, forgets_session, needs_input, session_lost, shortened

# what only a person or a model can answer; without the capability, an honest answer is that there is none
ASKS_A_PERSON = frozenset(("elicitation/create", "sampling/createMessage"))


# what a server may ask before it answers
MOST_REQUESTS = 20


# the first version whose clients name the version in every later request
VERSION_HEADER_SINCE = "2025-06-18"
MOST_RESUMPTIONS = 5
HTTP_SSE = "http_sse"
DEFAULT_RETRY_MS = 500
LONGEST_RETRY_SECONDS = 10.0


class Legacy(Speaker):
    """An initialized connection; closing it ends the session on the server, which may hold a process for it."""

    era = "legacy"

    def __init__(
        self,
        exchange: Exchange,
        traceparent: str = "",
        sleep: Callable[[float], None] = waiting.sleep,
    ) -> None:
        super().__init__(exchange, traceparent)
        self._sleep = sleep
        self._asked_back = 0
        self.session = ""
        self._held = ExitStack()

    def initialize(self) -> None:
        try:
            result = self._first_over_any_transport()
            self.version = negotiated(result)
            self.supported_versions = (self.version,)
            self._introduced(result, result.get("serverInfo"))
            with self._posted(protocol.encoded(method="notifications/initialized")) as reply:
                protocol.read_acknowledgement(reply)
        except BaseException:
            self.close()
            raise

    def ask(self, method: str, params: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        self._number += 1
        self._asked_back = 0
        number = self._number
        with self._posted(protocol.request(number, method, params), headers or {}) as reply:
            stream, found = self._messages(reply)
            result = self._read(stream, found, number, reply.status)
        if result is None and stream is not None and stream.last_id:
            result = self._resumed(number, stream)
        if result is None:
            raise protocol.no_answer(reply)
        return result

    def close(self) -> None:
        """Servers may refuse to end a session (405); then it ends by itself."""
        try:
            self._end()
        finally:
            self._held.close()

    def _end(self) -> None:
        if not self.session:
            return
        headers = self._headers()
        del headers["Content-Type"]
        # also when the time of the conversation is over: the server may hold a process for the session
        with without_watchdog(), contextlib.suppress(Unanswered), self._exchange("DELETE", headers, None):
            self.session = ""

    @property
    def keeps_session(self) -> bool:
        """A stream that brings all answers is one, too, and leads to one replica."""
        return bool(self.session) or (self.transport == HTTP_SSE and bool(self.version))

    def known_at(self, exchange: Exchange) -> bool:
        """Whether who answers over another exchange knows the session of this one."""
        if self.transport == HTTP_SSE:
            return False
        other = Legacy(exchange, self._traced.get("traceparent", ""))
        other.session, other.version, other._number = self.session, self.version, self._number
        try:
            other.ask("ping", {})
        except Unanswered as refused:
            if refused.code == "SessionLost":
                return False
            if refused.rpc is None:
                raise
        return True

    def _first_over_any_transport(self) -> dict[str, Any]:
        try:
            return self._first()
        except Unanswered as refused:
            elsewhere = self._exchange if isinstance(self._exchange, http_client.HttpExchange) else None
            if refused.status not in http_client.REFUSALS or refused.rpc is not None or elsewhere is None:
                raise
            stream = http_client.connected_sse(elsewhere, self._traced)
            try:
                self._exchange = self._held.enter_context(stream)
            except Unanswered as absent:
                if absent.code in http_client.TOLD:
                    raise
                raise refused from absent
            self.transport = HTTP_SSE
        return self._first()

    def _first(self) -> dict[str, Any]:
        self._number += 1
        params = {
            "protocolVersion": protocol.LEGACY_VERSIONS[0],
            "capabilities": self.offers,
            "clientInfo": protocol.CLIENT_INFO,
        }
        body = protocol.request(self._number, "initialize", params)
        with self._exchange("POST", self._headers(), body) as reply:
            if reply.successful:
                # known before the answer is judged, so that a session is ended even if its answer is of no use;
                # errors carry the id of a session that is dead already
                self.session = reply.headers.get("mcp-session-id", "")
            return protocol.read_answer(reply, self._number)

    def _read(
        self, stream: EventStream | None, found: Iterable[dict[str, Any]], number: int, status: int
    ) -> dict[str, Any] | None:
        """The answer, or None where a stream ended before it, whether on purpose or because the connection broke."""
        try:
            return self._answer(found, number, status)
        except Unanswered as broken:
            if broken.code == "CutOff" and stream is not None and stream.last_id:
                return None
            raise

    def _answer(self, found: Iterable[Mapping[str, Any]], number: int, status: int) -> dict[str, Any] | None:
        for message in found:
            if protocol.answers(message, number):
                return protocol.result_of(message, status)
            if "method" in message and message.get("id") is not None:
                self._asked_back += 1
                if self._asked_back > MOST_REQUESTS:
                    raise Unanswered(
                        "EndlessRequests",
                        f"it asks its client more than {MOST_REQUESTS} times before it answers",
                        "A server that asks on and on has a defect.",
                        terminal=True,
                        status=status,
                    )
                answered = self._reply_to(message)
                if not answered and message["method"] in ASKS_A_PERSON:
                    # some servers wait for ever for an answer that cannot reach them
                    raise needs_input(f"it asks its client: {shortened(message['method'])}", status)
        return None

    def _reply_to(self, message: Mapping[str, Any]) -> bool:
        """The server waits for it while its stream stays open, so that it goes over a connection of its own."""
        result = self.result_for(str(message["method"]), mapping_of(message.get("params")))
        with contextlib.suppress(Unanswered), self._posted(protocol.response(message["id"], result)) as reply:
            protocol.read_acknowledgement(reply)
        return result is not None

    def result_for(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """For a request of the server; None for a method of a capability that was not declared."""
        return {} if method == "ping" else None

    def _resumed(self, number: int, stream: EventStream) -> dict[str, Any] | None:
        """The rest of an answer whose stream the server closed on purpose: asked for after the time that it named."""
        current: EventStream | None = stream
        for _attempt in range(MOST_RESUMPTIONS):
            if current is None:
                return None
            wait_ms = DEFAULT_RETRY_MS if current.retry_ms is None else current.retry_ms
            self._sleep(max(0.0, min(wait_ms / 1000, LONGEST_RETRY_SECONDS, waiting.left())))
            # UTF-8, as on the stream (HTML, "Server-sent events"): http.client writes each character as a byte
            known = current.last_id.encode().decode("latin-1")
            headers = {**self._headers(), "Accept": "text/event-stream", "Last-Event-ID": known}
            del headers["Content-Type"]
            last_id, retry_ms = current.last_id, current.retry_ms
            with self._exchange("GET", headers, None) as reply:
                current, found = self._messages(reply)
                result = self._read(current, found, number, reply.status)
            if result is not None:
                return result
            if current is not None:
                current.last_id = current.last_id or last_id
                current.retry_ms = retry_ms if current.retry_ms is None else current.retry_ms
        return None

    def _messages(self, reply: Reply) -> tuple[EventStream | None, Iterable[dict[str, Any]]]:
        if reply.successful and reply.content_type == "text/event-stream":
            stream = EventStream(protocol.limited(reply.chunks))
            return stream, protocol.streamed(stream, reply.status)
        return None, protocol.messages(reply)

    @contextlib.contextmanager
    def _posted(self, body: bytes, extra: Mapping[str, str] | None = None) -> Iterator[Reply]:
        """A message of the session; that the server does not know it has nothing to do with the path."""
        try:
            with self._exchange("POST", {**self._headers(), **(extra or {})}, body) as reply:
                yield reply
        except Unanswered as refused:
            if self.keeps_session and forgets_session(refused):
                raise session_lost(refused) from refused
            raise

    def _headers(self) -> dict[str, str]:
        """Both answer types must be accepted, or servers of the SDKs answer 406."""
        headers = {"Content-Type": "application/json", "Accept": protocol.ACCEPT, **self._traced}
        if self.session:
            headers["Mcp-Session-Id"] = self.session
        if self.version and self.version >= VERSION_HEADER_SINCE:
            headers["MCP-Protocol-Version"] = self.version
        return headers


def negotiated(result: Mapping[str, Any]) -> str:
    """The protocol version of an `initialize` result."""
    version = result.get("protocolVersion")
    if not isinstance(version, str):
        raise Unanswered(
            "NotMcp",
            "it answered initialize without a protocolVersion",
            "It speaks JSON-RPC but not MCP: check the path and the image.",
            terminal=True,
            status=200,
        )
    if version not in protocol.LEGACY_VERSIONS:
        raise Unanswered(
            "ProtocolVersion",
            f"it speaks MCP {shortened(version)} after initialize, and this client knows "
            f"{', '.join(protocol.LEGACY_VERSIONS)} there",
            "Use a server or a release of this collection that shares a version.",
            terminal=True,
            status=200,
        )
    return version
