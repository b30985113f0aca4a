# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON-RPC over streamable HTTP as both eras of MCP share it: messages, event streams, bounded reads."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from .verdicts import RpcError, Unanswered, not_mcp, refusal, rpc_refusal, shortened

# newest first (modelcontextprotocol.io/specification); each era's first version is the one that is asked for
MODERN_VERSIONS = ("2026-07-28",)
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
KNOWN_VERSIONS = (*MODERN_VERSIONS, *LEGACY_VERSIONS)
MAX_ANSWER_BYTES = 1024 * 1024
CLIENT_INFO = {"name": "mcpops.platform", "version": "0.1.0"}
ACCEPT = "application/json, text/event-stream"
_NO_ID = (None, "server-error")
# RFC 6838, section 4.2
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


@dataclass(frozen=True)
class Reply:
    """An HTTP answer whose body has not been read yet; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterable[bytes] = field(default=(), repr=False)
    through_api_server: bool = False
    """Whether the API server may have answered instead."""

    @property
    def content_type(self) -> str:
        """Nothing where a server writes something else there, which may be of any length."""
        named = self.headers.get("content-type", "").split(";")[0].strip().lower()
        return named if _MEDIA_TYPE.fullmatch(named) else ""

    @property
    def successful(self) -> bool:
        return 200 <= self.status < 300


class Exchange(Protocol):
    """Sends one HTTP request and gives the reply while its body can be read; failures are Unanswered."""

    def __call__(
        self, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> AbstractContextManager[Reply]: ...


class Speaker:
    """What a server says of itself, in either era, and what every request to it needs."""

    transport = "streamable_http"
    offers: Mapping[str, Any] = {}
    """What a server may ask of this client. A probe has nobody to ask."""

    def __init__(self, exchange: Exchange, traceparent: str = "") -> None:
        self._exchange = exchange
        self._traced = {"traceparent": traceparent} if traceparent else {}
        self._number = 0
        self.version = ""
        self.supported_versions: tuple[str, ...] = ()
        self.info: dict[str, Any] = {}
        self.instructions = ""
        self.capabilities: dict[str, Any] = {}

    def _introduced(self, result: Mapping[str, Any], info: Any) -> None:
        """From the first answer; what a server writes elsewise than the protocol has it is left out."""
        self.info = mapping_of(info)
        self.capabilities = mapping_of(result.get("capabilities"))
        self.instructions = str(result.get("instructions") or "")


def mapping_of(value: Any) -> dict[str, Any]:
    """The object that a server has sent, or nothing where it has sent something else."""
    return dict(value) if isinstance(value, Mapping) else {}


def encoded(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def request(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    return encoded(id=number, method=method, params=params)


def response(number: Any, result: Mapping[str, Any] | None) -> bytes:
    """The answer to a request of the server; None stands for a method that this client does not have."""
    if result is None:
        return encoded(id=number, error={"code": -32601, "message": "Method not found"})
    return encoded(id=number, result=result)


class EventStream:
    """The data of each server-sent event as soon as it is complete, and where the stream may be taken up again."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.last_id = ""
        self.retry_ms: int | None = None
        self.name = ""
        """Of the event that was given last."""
        self._named = ""

    def __iter__(self) -> Iterator[str]:
        data: list[str] = []
        for number, whole in enumerate(_lines(self._chunks)):
            # one byte order mark may come before the stream (HTML, "Server-sent events", parsing)
            line = whole if number else whole.removeprefix(codecs.BOM_UTF8)
            if line:
                self._field(line, data)
                continue
            # an event with an empty text only carries the id or the time to wait
            self.name, self._named = self._named or "message", ""
            if text := "\n".join(data):
                yield text
            data = []
        # a stream that can be taken up again sends the rest of a broken event then
        if data and not self.last_id:
            yield "\n".join(data)

    def _field(self, line: bytes, data: list[str]) -> None:
        name, _colon, content = line.partition(b":")
        value = content.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            self._named = value
        elif name == b"id" and "\0" not in value:
            self.last_id = value
        elif name == b"retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value[:9])


def messages(reply: Reply) -> Iterator[dict[str, Any]]:
    """The JSON-RPC messages of a successful answer as they come; anything else is an Unanswered."""
    if not reply.successful:
        raise refused(reply)
    chunks = limited(reply.chunks)
    if reply.content_type == "text/event-stream":
        yield from streamed(EventStream(chunks), reply.status)
    elif reply.content_type == "application/json":
        yield from parsed_messages(b"".join(chunks), reply.status)
    else:
        raise not_mcp(reply.status, reply.content_type, b"".join(chunks))


def refused(reply: Reply) -> Unanswered:
    """The verdict on a reply that is not a success."""
    body = b"".join(limited(reply.chunks))
    return refusal(reply.status, reply.headers, body, through_api_server=reply.through_api_server)


def streamed(stream: EventStream, status: int) -> Iterator[dict[str, Any]]:
    for text in stream:
        yield from parsed_messages(text.encode(), status)


def answers(message: Mapping[str, Any], number: int) -> bool:
    """Whether a message answers a request of this exchange.

    An error may come without the id, where its server did not get as far as to read it (JSON-RPC 2.0, section 5: null);
    SDKs then write null, "server-error", or none. Any other id is that of somebody else's request.
    """
    if "method" in message:
        return False
    given = message.get("id")
    if given == number and not isinstance(given, bool):
        return True
    return message.get("error") is not None and given in _NO_ID


def read_answer(reply: Reply, number: int) -> dict[str, Any]:
    """The `result` that answers request `number` in this very answer; an error is an Unanswered."""
    for message in messages(reply):
        if answers(message, number):
            return result_of(message, reply.status)
    raise no_answer(reply)


def no_answer(reply: Reply) -> Unanswered:
    return Unanswered(
        "NoAnswer",
        f"the answer ended without a reply to the request ({reply.content_type})",
        "A proxy may have cut the stream, or the server ended while it answered.",
        status=reply.status,
    )


def read_acknowledgement(reply: Reply) -> None:
    """A notification is answered by any success without a body that matters."""
    if not reply.successful:
        raise refused(reply)


def result_of(message: Mapping[str, Any], status: int) -> dict[str, Any]:
    if message.get("error") is not None:
        raise rpc_refusal(status, RpcError.of(message["error"]))
    result = message.get("result")
    if not isinstance(result, dict):
        raise Unanswered(
            "NotMcp",
            "its JSON-RPC answer holds neither a result nor an error",
            "It speaks JSON-RPC but not MCP: check the path and the image.",
            terminal=True,
            status=status,
        )
    return result


def answer_text(result: Mapping[str, Any]) -> str:
    """The text of a tool's answer; its parts are joined by line ends."""
    content = result.get("content")
    parts = content if isinstance(content, list) else []
    return "\n".join(
        part["text"]
        for part in parts
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    )


def limited(chunks: Iterable[bytes], limit: int = MAX_ANSWER_BYTES) -> Iterator[bytes]:
    """The chunks, until they are more than any honest answer: a probe must not be filled by what it probes."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Unanswered(
                "Oversize",
                f"the answer is larger than {limit // 1024} KiB",
                "A handshake is a few hundred bytes: the port or path is likely not the MCP endpoint, "
                "or the tool returns too much for a check.",
                terminal=True,
            )
        yield chunk


def parsed_messages(body: bytes, status: int) -> list[dict[str, Any]]:
    where = "Check that port and path lead to the MCP endpoint."
    try:
        parsed = strict_json(body)
    except (ValueError, RecursionError) as exc:
        raise Unanswered(
            "NotMcp", f"the answer is not JSON: {shortened(body)}", where, terminal=True, status=status
        ) from exc
    found = parsed if isinstance(parsed, list) else [parsed]
    if any(not isinstance(message, dict) or message.get("jsonrpc") != "2.0" for message in found):
        raise Unanswered(
            "NotMcp", f"the answer is not JSON-RPC 2.0: {shortened(body)}", where, terminal=True, status=status
        )
    return found


def strict_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it: Python alone takes NaN and Infinity, and text that cannot be written as UTF-8."""
    parsed = json.loads(body, parse_constant=_not_a_number, parse_float=_finite)
    if b"\\ud" in body.lower():
        # halves of surrogate pairs that stand alone; nobody could print them
        parsed = json.loads(json.dumps(parsed, ensure_ascii=False).encode("utf-8", "replace"))
    return parsed


def _not_a_number(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is larger than any that can be kept")
    return number


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines that end with LF, CRLF or CR, as soon as they are complete; the rest at the end is the last one."""
    pending = b""
    for chunk in chunks:
        pending += chunk
        # a lone CR at the end may be the first half of CRLF: keep it for the next chunk
        held = b"\r" if pending.endswith(b"\r") else b""
        *lines, pending = _split(pending.removesuffix(held) if held else pending)
        pending += held
        yield from lines
    yield from _split(pending)


def _split(text: bytes) -> list[bytes]:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
