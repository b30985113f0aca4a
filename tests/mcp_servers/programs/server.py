# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python SDKs' servers with the tools, resource and prompt that all servers of these tests have.

    server.py PACKAGE        over HTTP, each variant on a port of its own; the addresses are printed as a line of JSON.
                             Beside /mcp it answers at /0/mcp, /1/mcp and so on, as if there were many of it.
    server.py PACKAGE stdio  over standard input and output

PACKAGE is that of the environment it runs in: mcp1early, mcp1, mcp2, fastmcp3 or fastmcp4.
"""

import asyncio
import contextlib
import json
import re
import socket
import sys

import pydantic

PACKAGE = sys.argv[1]
if PACKAGE in ("mcp1early", "mcp1"):
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as Server
elif PACKAGE == "mcp2":
    from mcp.server import MCPServer as Server
    from mcp.server.mcpserver import Context, Elicit, Resolve
else:
    from fastmcp import Context
    from fastmcp import FastMCP as Server


class Choice(pydantic.BaseModel):
    colour: str


async def ask_by_request(ctx: Context) -> str:
    """Ask the user."""
    if PACKAGE.startswith("mcp1"):
        answer = await ctx.elicit("Which colour?", schema=Choice)
    else:
        answer = await ctx.elicit("Which colour?", response_type=Choice)
    return answer.data.colour if answer.action == "accept" else answer.action


def asking_tool():
    """What the newest SDK asks for by the result, or of an older client by a request."""
    if PACKAGE != "mcp2":
        return ask_by_request
    from typing import Annotated

    def colour() -> Elicit[Choice]:
        return Elicit("Which colour?", Choice)

    def ask(choice: Annotated[Choice, Resolve(colour)]) -> str:
        """Ask the user."""
        return choice.colour

    return ask


def protection():
    """A server's settings that make it want a bearer token: `reader` has the scope, `guest` has not."""
    from mcp.server.auth.provider import AccessToken
    from mcp.server.auth.settings import AuthSettings

    class Verifier:
        async def verify_token(self, token: str) -> AccessToken | None:
            scopes = {"reader": ["mcp.read"], "guest": []}.get(token)
            return None if scopes is None else AccessToken(token=token, client_id="c", scopes=scopes)

    auth = AuthSettings(
        issuer_url="https://login.example.com/tenant/v2.0",
        resource_server_url="http://127.0.0.1/mcp",
        required_scopes=["mcp.read"],
    )
    return {"token_verifier": Verifier(), "auth": auth}


def make_server(**settings):
    server = Server(PACKAGE, instructions="Add first.", **settings)

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two whole numbers."""
        return a + b

    @server.tool()
    def echo(text: str) -> str:
        """Say the same."""
        return text

    @server.tool()
    def fail() -> str:
        """Report an error."""
        raise RuntimeError("the disk is full")

    server.tool(name="ask")(asking_tool())

    @server.resource("note://greeting", mime_type="text/plain")
    def greeting() -> str:
        return "Hello."

    @server.resource("note://of/{name}", mime_type="text/plain")
    def note(name: str) -> str:
        return f"A note of {name}."

    @server.prompt()
    def greet(name: str) -> str:
        return f"Greet {name}."

    return server


def variants():
    """Name → application, and what counts its sessions."""
    stateful, stateless, as_json = make_server(), make_server(), make_server()
    if PACKAGE in ("mcp1", "mcp2"):
        protected = make_server(**protection())
    if PACKAGE == "mcp1early":
        return {"stateful": (stateful.streamable_http_app(), stateful)}
    if PACKAGE == "mcp1":
        stateless.settings.stateless_http = True
        as_json.settings.json_response = True
        found = {
            "stateful": (stateful.streamable_http_app(), stateful),
            "stateless": (stateless.streamable_http_app(), stateless),
            "json": (as_json.streamable_http_app(), as_json),
            "protected": (protected.streamable_http_app(), protected),
            "sse": (make_server().sse_app(), None),
        }
    elif PACKAGE == "mcp2":
        found = {
            "stateful": (stateful.streamable_http_app(), stateful),
            "stateless": (stateless.streamable_http_app(stateless_http=True), stateless),
            "json": (as_json.streamable_http_app(json_response=True), as_json),
            "protected": (protected.streamable_http_app(), protected),
        }
    else:
        guarded = make_server()
        found = {
            "stateful": (stateful.http_app(), None),
            "stateless": (stateless.http_app(stateless_http=True), None),
            "json": (as_json.http_app(json_response=True), None),
            "guarded": (guarded.http_app(host_origin_protection=True), None),
        }
    return found


def sessions(app, server) -> int:
    """How many sessions a variant keeps; what the SDK writes down for itself, because no interface says it."""
    if server is None:
        endpoint = next(route.app for route in app.routes if route.path == "/mcp")
        manager = getattr(endpoint, "session_manager", None) or endpoint.app.session_manager
    else:
        manager = server.session_manager
    # early releases keep what has ended
    return sum(not transport._terminated for transport in manager._server_instances.values())


async def serve() -> None:
    import uvicorn

    found = variants()
    listening = {name: socket.create_server(("127.0.0.1", 0)) for name in found}
    by_port = {listener.getsockname()[1]: found[name] for name, listener in listening.items()}

    async def dispatch(scope, receive, send) -> None:
        app, server = by_port[scope["server"][1]]
        if scope["path"] != "/sessions":
            path = re.sub(r"^/\d+/", "/", scope["path"])
            await app({**scope, "path": path, "raw_path": path.encode()}, receive, send)
            return
        body = str(sessions(app, server)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": body})

    async with contextlib.AsyncExitStack() as running:
        for app, _server in found.values():
            await running.enter_async_context(app.router.lifespan_context(app))
        print(json.dumps({name: f"http://127.0.0.1:{port.getsockname()[1]}" for name, port in listening.items()}))
        sys.stdout.flush()
        # on a busy machine a client may take longer than the 5 s of the default for its next request
        may_wait = {"timeout_keep_alive": 60, "timeout_graceful_shutdown": 1}
        config = uvicorn.Config(dispatch, lifespan="off", log_level="warning", **may_wait)
        await uvicorn.Server(config).serve(sockets=list(listening.values()))


if __name__ == "__main__":
    if sys.argv[2:] == ["stdio"]:
        make_server().run("stdio")
    else:
        asyncio.run(serve())
