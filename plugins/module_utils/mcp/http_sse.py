# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transport of MCP 2024-11-05: one stream that brings all answers, and an address beside it that takes requests.

Made to look like the streamable HTTP of later versions: each request is answered by what follows on the stream.
Source: MCP 2024-11-05, basic/transports ("HTTP with SSE"); when to try it: 2026-07-28, "Backward compatibility".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import addresses, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import EventStream, Exchange, Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

# the stream brings all answers of a conversation
MOST_BYTES = 4 * protocol.MAX_ANSWER_BYTES
# how a server refuses a POST at the address of such a stream
REFUSALS = (404, 405)

# what says more than that there is no such stream
TOLD = frozenset(("foreign_address", "oversize", "unauthorized", "forbidden", "proxy_unauthorized"))


class Movable(Protocol):
    """An Exchange that can ask the same server at another path, and hold a stream longer than one request takes."""

    base: str

    def __call__(
        self, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> AbstractContextManager[Reply]: ...

    def at(self, path: str) -> Exchange: ...

    def lasting(self) -> Exchange: ...


@contextmanager
def connected(exchange: Movable, headers: Mapping[str, str]) -> Iterator[Exchange]:
    """An Exchange over an open stream; Unanswered where the server has none."""
    with exchange.lasting()("GET", {**headers, "Accept": "text/event-stream"}, None) as reply:
        if not reply.successful or reply.content_type != "text/event-stream":
            raise protocol.refused(reply)
        stream = EventStream(protocol.limited(reply.chunks, MOST_BYTES))
        texts = iter(stream)
        reference = next(texts, "")
        if stream.name != "endpoint":
            raise Unanswered("not_mcp", "its stream begins without an endpoint", terminal=True, status=reply.status)
        yield _paired(exchange.at(resolved(exchange.base, reference)), texts)


def resolved(base: str, reference: str) -> str:
    """Path and query of the address for requests. Another origin would get the headers that are meant for this one."""
    here = urlsplit(base)
    try:
        there = urlsplit(urljoin(base, reference.strip()))
    except ValueError as exc:
        raise addresses.foreign(reference) from exc
    path = addresses.in_ascii((there.path or "/") + (f"?{there.query}" if there.query else ""))
    if (there.scheme, there.netloc) != (here.scheme, here.netloc) or addresses.leads_astray(path):
        raise addresses.foreign(reference)
    return path


def _paired(post: Exchange, texts: Iterator[str]) -> Exchange:
    @contextmanager
    def exchange(method: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Reply]:
        if method != "POST" or body is None:
            # the end of the stream ends the session
            yield Reply(405, {})
            return
        with post("POST", headers, body) as reply:
            if not reply.successful:
                raise protocol.refused(reply)
        sent = json.loads(body)
        if "method" not in sent or "id" not in sent:
            yield Reply(202, {})
            return
        events = (b"".join(b"data: %s\n" % line.encode() for line in text.split("\n")) + b"\n" for text in texts)
        yield Reply(200, {"content-type": "text/event-stream"}, events)

    return exchange
