# SPDX-License-Identifier: GPL-3.0-or-later
"""Real MCP servers of the official SDK on loopback, and one that only claims to be one."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from mcp import types
from mcp.server.fastmcp import FastMCP
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.routing import Mount

MISBEHAVING = Path(__file__).parents[1] / "localcloud" / "images" / "misbehaving_server.py"


def echo(*, stateless: bool, json_response: bool, only_localhost: bool = False) -> Starlette:
    security = TransportSecuritySettings(enable_dns_rebinding_protection=only_localhost, allowed_hosts=["localhost:1"])
    server = FastMCP("echo", stateless_http=stateless, json_response=json_response, transport_security=security)

    @server.tool()
    def say(text: str) -> str:
        return text

    @server.tool()
    def fail() -> str:
        raise ValueError("upstream is down")

    @server.tool()
    def talk_much() -> str:
        return "x" * (2 * 1024 * 1024)

    return server.streamable_http_app()


def over_http_sse() -> Starlette:
    """The transport of 2024-11-05: a stream at /sse, and an address for requests that it names."""
    server = FastMCP("old", transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False))
    server.tool(name="say")(lambda text: text)
    return server.sse_app()


def paged(pages: int) -> Starlette:
    """Its tools come one a page; with 0 pages the list never ends."""
    server: Server[Any, Any] = Server("paged")

    async def list_tools(request: types.ListToolsRequest) -> types.ServerResult:
        at = int(request.params.cursor) if request.params and request.params.cursor else 0
        last = pages and at + 1 >= pages
        tool = types.Tool(name=f"tool{at}", inputSchema={"type": "object"})
        return types.ServerResult(types.ListToolsResult(tools=[tool], nextCursor=None if last else str(at + 1)))

    server.request_handlers[types.ListToolsRequest] = list_tools
    manager = StreamableHTTPSessionManager(server)
    return Starlette(routes=[Mount("/mcp", manager.handle_request)], lifespan=lambda _app: manager.run())


class Prompt(uvicorn.Server):
    """uvicorn's own looks ten times a second whether it is to end, which is most of what a test would take."""

    async def main_loop(self) -> None:
        await self.on_tick(0)
        while not self.should_exit:
            await asyncio.sleep(0.01)


@contextmanager
def serving(app: Starlette, port: int = 0) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", port))
    server = Prompt(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    started = threading.Event()
    startup = server.startup

    async def report_startup(*args: Any, **kwargs: Any) -> None:
        await startup(*args, **kwargs)
        started.set()

    server.startup = report_startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert started.wait(20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def misbehaving(mode: str) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-u", str(MISBEHAVING)],
        env={**os.environ, "MODE": mode, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def wanting(app: Starlette, header: str, value: str) -> Any:
    """Answers only to who knows the secret, as a server behind a login does."""

    async def gate(scope: Any, receive: Any, send: Any) -> None:
        given = {name.decode(): content.decode() for name, content in scope.get("headers", ())}
        if scope["type"] != "http" or given.get(header) == value:
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"error":"invalid_token"}'})

    return gate


def forgetful(app: Starlette) -> Any:
    """Every request after the first reaches it as if it were another pod: with a session that it never began."""

    async def gate(scope: Any, receive: Any, send: Any) -> None:
        headers = [
            (name, b"of-another-pod" if name == b"mcp-session-id" else value)
            for name, value in scope.get("headers", ())
        ]
        await app({**scope, "headers": headers}, receive, send)

    return gate


def together(app: Starlette, parties: int) -> Any:
    """Answers the first requests only when that many are there at the same time."""
    waiting: list[asyncio.Event] = []

    async def gate(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and len(waiting) < parties:
            arrived = asyncio.Event()
            waiting.append(arrived)
            if len(waiting) == parties:
                for event in waiting:
                    event.set()
            await arrived.wait()
        await app(scope, receive, send)

    return gate


def dripping() -> Any:
    """Keeps the connection busy with comments and never answers."""

    async def drip(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(receive_until_gone(receive))
        while not gone.done():
            await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})
            await asyncio.sleep(0.05)

    return drip


async def receive_until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
