# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Model Context Protocol over streamable HTTP, as far as a client needs it to ask and to judge an answer.

No input or output here: requests are bytes, answers are a status, headers and an iterable of chunks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered, refusal, shortened

# newest first: the first one is asked for, any of them is understood (modelcontextprotocol.io/specification)
KNOWN_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
# the first version whose clients name the version in every later request
VERSION_HEADER_SINCE = "2025-06-18"
MAX_ANSWER_BYTES = 1024 * 1024
MAX_TOOL_PAGES = 50
CLIENT_INFO = {"name": "mcpops.platform", "version": "0.1.0"}


@dataclass(frozen=True)
class Reply:
    """An HTTP answer whose body has not been read yet; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterable[bytes] = field(default=(), repr=False)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


def request(number: int, method: str, params: Mapping[str, Any] | None = None) -> bytes:
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": number, "method": method}
    if params is not None:
        message["params"] = params
    return json.dumps(message).encode()


def notification(method: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method}).encode()


def initialize(number: int) -> bytes:
    return request(
        number,
        "initialize",
        {"protocolVersion": KNOWN_VERSIONS[0], "capabilities": {}, "clientInfo": CLIENT_INFO},
    )


def request_headers(session_id: str | None, version: str | None) -> dict[str, str]:
    """Both answer types must be accepted, or servers of the SDKs answer 406."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if session_id:
        headers["Mcp-Session-Id"] = session_id
    if version and version >= VERSION_HEADER_SINCE:
        headers["MCP-Protocol-Version"] = version
    return headers


def read_answer(reply: Reply, number: int) -> dict[str, Any]:
    """The `result` that answers request `number`; everything else is an Unanswered that says what came instead."""
    chunks = limited(reply.chunks)
    if not 200 <= reply.status < 300:
        raise refusal(reply.status, reply.headers, b"".join(chunks))
    if reply.content_type == "text/event-stream":
        messages: Iterable[Any] = (message for text in events(chunks) for message in _messages(text.encode()))
    elif reply.content_type == "application/json":
        messages = _messages(b"".join(chunks))
    else:
        raise _no_mcp(reply, chunks)
    for message in messages:
        if isinstance(message, dict) and message.get("id") == number and "method" not in message:
            return _result(message)
    raise Unanswered(
        "no_answer",
        f"the answer ended without a reply to the request ({reply.content_type})",
        "A proxy may have cut the stream, or the server ended while it answered.",
    )


def read_acknowledgement(reply: Reply) -> None:
    """A notification is answered by any success without a body that matters."""
    if not 200 <= reply.status < 300:
        raise refusal(reply.status, reply.headers, b"".join(limited(reply.chunks)))


def negotiated(result: Mapping[str, Any]) -> str:
    """The protocol version of an `initialize` result."""
    version = result.get("protocolVersion")
    if not isinstance(version, str):
        raise Unanswered(
            "not_mcp",
            "it answered initialize without a protocolVersion",
            "It speaks JSON-RPC but not MCP: check the path and the image.",
            terminal=True,
        )
    if version not in KNOWN_VERSIONS:
        raise Unanswered(
            "protocol_version",
            f"it speaks MCP {shortened(version)}, and this client knows {', '.join(KNOWN_VERSIONS)}",
            "Use a server or a release of this collection that shares a version.",
            terminal=True,
        )
    return version


def tools_of(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Name and description of each tool of a page."""
    tools = result.get("tools")
    if not isinstance(tools, list):
        raise Unanswered("not_mcp", "it answered tools/list without a list of tools", terminal=True)
    named = [tool for tool in tools if isinstance(tool, dict) and "name" in tool]
    return [{"name": str(tool["name"]), "description": str(tool.get("description") or "")} for tool in named]


def answer_text(result: Mapping[str, Any]) -> str:
    """The text of a tool's answer; its parts are joined by line ends."""
    content = result.get("content")
    parts = content if isinstance(content, list) else []
    return "\n".join(
        str(part.get("text", "")) for part in parts if isinstance(part, dict) and part.get("type") == "text"
    )


def limited(chunks: Iterable[bytes], limit: int = MAX_ANSWER_BYTES) -> Iterator[bytes]:
    """The chunks, until they are more than any honest answer: a probe must not be filled by what it probes."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Unanswered(
                "oversize",
                f"the answer is larger than {limit // 1024} KiB",
                "A handshake is a few hundred bytes: the port or path is likely not the MCP endpoint, "
                "or the tool returns too much for a check.",
                terminal=True,
            )
        yield chunk


def events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event as soon as it is complete."""
    pending = b""
    data: list[str] = []
    for chunk in chunks:
        pending += chunk
        # a lone CR at the end may be the first half of CRLF: keep it for the next chunk
        *lines, pending = _split_lines(pending)
        for line in lines:
            if not line:
                if data:
                    yield "\n".join(data)
                data = []
            elif line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
    if data:
        yield "\n".join(data)


def _split_lines(text: bytes) -> list[bytes]:
    held = b""
    if text.endswith(b"\r"):
        text, held = text[:-1], b"\r"
    lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return [*lines[:-1], lines[-1] + held]


def _messages(body: bytes) -> list[Any]:
    try:
        parsed = json.loads(body)
    except ValueError as exc:
        raise Unanswered(
            "not_mcp",
            f"the answer is no JSON: {shortened(body)}",
            "Check that port and path lead to the MCP endpoint.",
            terminal=True,
        ) from exc
    messages = parsed if isinstance(parsed, list) else [parsed]
    if any(not isinstance(message, dict) or message.get("jsonrpc") != "2.0" for message in messages):
        raise Unanswered(
            "not_mcp",
            f"the answer is no JSON-RPC 2.0: {shortened(body)}",
            "Check that port and path lead to the MCP endpoint.",
            terminal=True,
        )
    return messages


def _result(message: Mapping[str, Any]) -> dict[str, Any]:
    error = message.get("error")
    if isinstance(error, dict):
        raise Unanswered(
            "rpc_error",
            f"it answered with an error: {shortened(error.get('message', ''))} ({error.get('code', 'no code')})",
            terminal=True,
        )
    result = message.get("result")
    if not isinstance(result, dict):
        raise Unanswered("not_mcp", "its JSON-RPC answer holds neither a result nor an error", terminal=True)
    return result


def _no_mcp(reply: Reply, chunks: Iterable[bytes]) -> Unanswered:
    excerpt = shortened(b"".join(chunks))
    if reply.status in (202, 204):
        return Unanswered(
            "not_mcp", f"it accepted the request and answered nothing (HTTP {reply.status})", terminal=True
        )
    kind = reply.content_type or "no content type"
    hint = "Check port, path and image: this is not an MCP endpoint."
    if kind == "text/html":
        hint = "That is a web page: the path leads to a site, a login or an ingress, not to the MCP endpoint."
    return Unanswered("not_mcp", f"it answered {kind}, not MCP: {excerpt}", hint, terminal=True)
