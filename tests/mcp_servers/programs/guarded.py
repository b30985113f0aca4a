# SPDX-License-Identifier: GPL-3.0-or-later
"""An MCP server of both eras that says who called it: what stands behind a gateway that is under test.

It checks nothing itself. Its tool `drop` is the one that a gateway is to refuse; every call is a line of its log, so
that a test can tell what has passed. PORT; SESSIONS=0 for older clients without sessions.
"""

from __future__ import annotations

import json
import os

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse

server = MCPServer("guarded-mcp", version="1.0.0")


def called(tool: str, ctx: Context) -> dict[str, str]:
    headers = ctx.headers or {}
    passed = {
        "tool": tool,
        "protocol": ctx.protocol_version or "",
        "caller": headers.get("x-mcp-caller", ""),
        "authorization": headers.get("authorization", "").partition(" ")[0],
    }
    print(json.dumps(passed), flush=True)
    return passed


@server.tool()
def echo(text: str, ctx: Context) -> str:
    """Return the text."""
    called("echo", ctx)
    return text


@server.tool()
def add(a: int, b: int, ctx: Context) -> int:
    """Return the sum."""
    called("add", ctx)
    return a + b


@server.tool()
def whoami(ctx: Context) -> dict[str, str]:
    """Return what the call came with: protocol, caller and the scheme of its credentials."""
    return called("whoami", ctx)


@server.tool()
def drop(what: str, ctx: Context) -> str:
    """Pretend to remove something."""
    called("drop", ctx)
    return f"dropped {what}"


@server.custom_route("/healthz", methods=["GET"])
async def healthz(_: Request) -> PlainTextResponse:
    """For the kubelet's probes."""
    return PlainTextResponse("ok\n")


if __name__ == "__main__":
    server.run(
        transport="streamable-http",
        host="0.0.0.0",
        port=int(os.environ.get("PORT", "3000")),
        stateless_http=os.environ.get("SESSIONS", "1") == "0",
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
