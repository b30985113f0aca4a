# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stream of a session on which a server of the legacy era asks its client outside of any answer.

Source: MCP 2025-11-25, basic/transports, "Listening for messages from the server". Only a client that declares a
capability by which servers ask back needs it; 405 says that the server has none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.deadlines import unwatched
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import EventStream, Exchange
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

ASK_BACK = frozenset(("elicitation", "roots", "sampling"))
OPENING_SECONDS = 2.0
# what a server may ask before it answers, and on this stream in a session
MOST_REQUESTS = 20


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
                        with unwatched():
                            self._answer(message)
        except Unanswered as ended:
            return ended.code == "timeout"
        return False
