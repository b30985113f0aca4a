# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One conversation with an MCP server: handshake, list of tools, calls, goodbye."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import (
    Unanswered,
    forgets_session,
    session_lost,
)


class Exchange(Protocol):
    """Sends one HTTP request and gives the reply while its body can be read; failures are Unanswered."""

    def __call__(
        self, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> AbstractContextManager[protocol.Reply]: ...


class Session:
    """An initialized session; `with` ends it on the server too, which may hold a process for it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._number = 0
        self._session_id: str | None = None
        self.version: str | None = None
        self.server_info: dict[str, Any] = {}

    def __enter__(self) -> Session:
        number = self._next()
        with self._exchange("POST", protocol.request_headers(None, None), protocol.initialize(number)) as reply:
            # known before the answer is judged, so that a session is ended even if its answer is of no use
            self._session_id = reply.headers.get("mcp-session-id")
            try:
                result = protocol.read_answer(reply, number)
                self.version = protocol.negotiated(result)
            except Unanswered:
                self._end()
                raise
        info = result.get("serverInfo")
        self.server_info = dict(info) if isinstance(info, Mapping) else {}
        try:
            self._notify("notifications/initialized")
        except Unanswered:
            self._end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def tools(self) -> list[dict[str, str]]:
        """All tools, over all pages."""
        tools: list[dict[str, str]] = []
        cursor: Any = None
        for _page in range(protocol.MAX_TOOL_PAGES):
            result = self._ask("tools/list", {} if cursor is None else {"cursor": cursor})
            tools += protocol.tools_of(result)
            cursor = result.get("nextCursor")
            if not cursor:
                return tools
        raise Unanswered(
            "endless_tools",
            f"its list of tools has more than {protocol.MAX_TOOL_PAGES} pages",
            "A server that repeats nextCursor for ever has a defect.",
            terminal=True,
        )

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("tools/call", {"name": tool, "arguments": dict(arguments)})

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        number = self._next()
        with self._posted(protocol.request(number, method, params)) as reply:
            return protocol.read_answer(reply, number)

    def _notify(self, method: str) -> None:
        with self._posted(protocol.notification(method)) as reply:
            protocol.read_acknowledgement(reply)

    @contextlib.contextmanager
    def _posted(self, body: bytes) -> Iterator[protocol.Reply]:
        """A message of the session; that the server does not know it is no matter of the path, which was right."""
        headers = protocol.request_headers(self._session_id, self.version)
        try:
            with self._exchange("POST", headers, body) as reply:
                yield reply
        except Unanswered as refused:
            if self._session_id is not None and forgets_session(refused):
                raise session_lost(refused) from refused
            raise

    def _end(self) -> None:
        """Servers may refuse to end a session (405); then it ends by itself."""
        if self._session_id is None:
            return
        headers = protocol.request_headers(self._session_id, self.version)
        del headers["Content-Type"]
        with contextlib.suppress(Unanswered), self._exchange("DELETE", headers, None):
            self._session_id = None

    def _next(self) -> int:
        self._number += 1
        return self._number
