# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's MCP client with what a probe leaves out: it says what it can do, and answers what servers ask then.

How these requests arrive, and how the answers go back, is the client's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.conversation import AUTO, Conversation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.legacy import MOST_REQUESTS, Legacy
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.modern import Modern
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import EventStream, Exchange
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import without_watchdog

ASK_BACK = frozenset(("elicitation", "roots", "sampling"))
OPENING_SECONDS = 2.0


@contextmanager
def open_conversation(
    exchange: Exchange, capabilities: Mapping[str, Any], era: str = AUTO, traceparent: str = ""
) -> Iterator[Conversation]:
    """A conversation of a client that declares these capabilities."""
    legacy = type("Answering", (AnsweringLegacy,), {"offers": capabilities})
    modern = type("Declaring", (Modern,), {"offers": capabilities})
    patched = mock.patch.multiple(conversation, Legacy=legacy, Modern=modern)
    with patched, conversation.open_conversation(exchange, era, traceparent) as server:
        yield server


def answer_input(server: Conversation, call: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The same call again, with what the server wanted first."""
    wanted = result.get("inputRequests") or {}
    params: dict[str, Any] = {"name": call["name"], "arguments": call["arguments"]}
    params["inputResponses"] = {
        key: answer_request(request["method"], request.get("params") or {}, server.speaker.offers)
        for key, request in wanted.items()
    }
    if "requestState" in result:
        params["requestState"] = result["requestState"]
    return server.speaker.ask("tools/call", params, server.parameter_headers(call["name"], call["arguments"]))


class AnsweringLegacy(Legacy):
    """Listens in a session as long as it lasts, and answers by the capabilities that it declares."""

    _listening: ServerStream | None = None

    def initialize(self) -> None:
        super().initialize()
        if ASK_BACK & self.offers.keys():
            self._listening = ServerStream(self._exchange, self._headers(), self._reply_to)
            self._listening.start()

    def close(self) -> None:
        if self._listening is not None:
            self._listening.stop()
        super().close()

    def result_for(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        return answer_request(method, params, self.offers)


def answer_request(method: str, params: Mapping[str, Any], capabilities: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result for a request of the server; None for a method of a capability that was not declared."""
    if method == "ping":
        return {}
    if method == "elicitation/create" and "elicitation" in capabilities:
        return accept_elicitation(params)
    if method == "roots/list" and "roots" in capabilities:
        return {"roots": []}
    return None


def accept_elicitation(params: Mapping[str, Any]) -> dict[str, Any]:
    """An elicitation accepted with the defaults of its form, and plain values for what is required beside them."""
    schema = params.get("requestedSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping):
        return {"action": "accept", "content": {}}
    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    content = {
        name: field.get("default", _plain(field))
        for name, field in properties.items()
        if isinstance(field, Mapping) and ("default" in field or name in needed)
    }
    return {"action": "accept", "content": content}


def _plain(field: Mapping[str, Any]) -> Any:
    choices = field.get("enum") or [choice.get("const") for choice in field.get("oneOf") or [] if "const" in choice]
    if choices:
        return choices[0]
    kind = field.get("type")
    if kind in ("integer", "number"):
        return field.get("minimum", 1)
    return {"boolean": True, "array": []}.get(str(kind), "text")


class ServerStream:
    """Listens in a thread of its own until the session ends."""

    def __init__(
        self, exchange: Exchange, headers: Mapping[str, str], answer: Callable[[Mapping[str, Any]], object]
    ) -> None:
        self._exchange = exchange
        self._headers = {name: value for name, value in headers.items() if name != "Content-Type"}
        self._headers["Accept"] = "text/event-stream"
        self._answer = answer
        self._asked = 0
        self._opened = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Returns when the stream is open, or cannot be: what the server asks before would be lost."""
        threading.Thread(target=self._listen, daemon=True, name="mcp-server-stream").start()
        self._opened.wait(OPENING_SECONDS)

    def stop(self) -> None:
        """The end of the session ends the stream; the thread ends with it, or with the time of its request."""
        self._stopped.set()

    def _listen(self) -> None:
        try:
            while not self._stopped.is_set() and self._heard():
                pass
        finally:
            self._opened.set()

    def _heard(self) -> bool:
        """One stream to its end; whether another one may follow, which is so after a time without a message."""
        try:
            with self._exchange("GET", self._headers, None) as reply:
                if not reply.successful or reply.content_type != "text/event-stream":
                    return False
                self._opened.set()
                for message in protocol.streamed(EventStream(protocol.limited(reply.chunks)), reply.status):
                    if self._stopped.is_set():
                        return False
                    if "method" in message and message.get("id") is not None:
                        self._asked += 1
                        if self._asked > MOST_REQUESTS:
                            return False
                        with without_watchdog():
                            self._answer(message)
        except Unanswered as ended:
            return ended.code == "Timeout"
        return False
