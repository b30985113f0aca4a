# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP servers in memory that answer as real ones were measured to (SDKs, frameworks, gateways), and their faults."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
TOOLS = [{"name": "echo", "inputSchema": {"type": "object"}}]
INFO = {"name": "played", "version": "1"}


@dataclass(frozen=True)
class Asked:
    """One request as it left."""

    http: str
    headers: Mapping[str, str]
    message: dict[str, Any]

    @property
    def method(self) -> str:
        return str(self.message.get("method", self.http))

    @property
    def params(self) -> dict[str, Any]:
        return self.message.get("params") or {}

    @property
    def modern(self) -> bool:
        return self.headers.get("MCP-Protocol-Version") == MODERN


Answer = Callable[[Asked], Reply]


@dataclass
class Played:
    """An Exchange that asks a function instead of a server, and remembers what was asked."""

    answer: Answer
    asked: list[Asked] = field(default_factory=list)

    @contextmanager
    def __call__(self, method: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Reply]:
        asked = Asked(method, dict(headers), json.loads(body) if body else {})
        self.asked.append(asked)
        yield self.answer(asked)

    @property
    def methods(self) -> list[str]:
        return [asked.method for asked in self.asked]


def as_json(content: Any, status: int = 200, **headers: str) -> Reply:
    named = {"content-type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
    return Reply(status, named, [json.dumps(content).encode()])


def as_events(*contents: Any, before: str = "", **headers: str) -> Reply:
    text = before + "".join(f"event: message\ndata: {json.dumps(content)}\n\n" for content in contents)
    named = {"content-type": "text/event-stream", **{key.replace("_", "-"): value for key, value in headers.items()}}
    return Reply(200, named, [text.encode()])


def result(asked: Asked, **content: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": asked.message.get("id"), "result": content}


def error(number: Any, code: int, message: str, **data: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"code": code, "message": message, **({"data": data} if data else {})}
    return {"jsonrpc": "2.0", "id": number, "error": found}


def text(status: int, content: str, **headers: str) -> Reply:
    return Reply(status, {"content-type": "text/plain", **headers}, [content.encode()])


def silent(_asked: Asked) -> Reply:
    raise Unanswered("Timeout", "it accepted the request and did not answer within 10 s")


def speaks_modern(asked: Asked, versions: tuple[str, ...] = (MODERN,), **more: Any) -> Reply:
    """A correct server of 2026-07-28 on whatever it is asked."""
    meta = {"_meta": {"io.modelcontextprotocol/serverInfo": INFO}}
    caching = {"ttlMs": 0, "cacheScope": "public"}
    content: dict[str, Any] = {
        "server/discover": {"supportedVersions": list(versions), "capabilities": {"tools": {}}, **caching, **more},
        "tools/list": {"tools": TOOLS, **caching},
        "tools/call": {"content": [{"type": "text", "text": "ok"}]},
    }.get(asked.method, {})
    return as_json(result(asked, resultType="complete", **meta, **content))


def speaks_legacy(asked: Asked, session: str = "s1", stream: bool = True, version: str = LEGACY[0]) -> Reply:
    """A correct server of the legacy era; with a session where one is named."""
    if asked.http == "DELETE":
        return text(200 if session else 405, "")
    if "id" not in asked.message:
        return Reply(202, {})
    if asked.method == "initialize":
        found = result(asked, protocolVersion=version, capabilities={"tools": {}}, serverInfo=INFO)
        headers = {"mcp_session_id": session} if session else {}
    else:
        if session and asked.headers.get("Mcp-Session-Id") != session:
            return as_json(error("server-error", -32600, "Session not found"), 404)
        found = result(asked, **({"tools": TOOLS} if asked.method == "tools/list" else {"content": []}))
        headers = {}
    return as_events(found, **headers) if stream else as_json(found, **headers)


@contextmanager
def over_http(answer: Answer, asked: list[Asked] | None = None) -> Iterator[str]:
    """The same function behind a socket; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Asked(self.command, dict(self.headers), json.loads(self.rfile.read(length) or b"{}"))
            if asked is not None:
                asked.append(request)
            reply = answer(request)
            body = b"".join(reply.chunks)
            self.send_response(reply.status)
            for name, value in {**reply.headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = handle_one

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/mcp"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def accepting(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of raw connections, each handed to `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
