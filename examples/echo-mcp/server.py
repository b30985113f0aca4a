# SPDX-License-Identifier: GPL-3.0-or-later
"""A small MCP server over streamable HTTP: `echo` gives a text back, `add` adds two numbers."""

from __future__ import annotations

import os

from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse

server = FastMCP(
    "echo-mcp",
    instructions="Tools to find out whether calls arrive: echo and add.",
    host="0.0.0.0",
    port=int(os.environ.get("PORT", "3000")),
    streamable_http_path="/mcp",
    # No session is kept, so any replica may answer any request.
    stateless_http=True,
    # Behind a Service or the API server's proxy the Host header is never the one the server was started with; the
    # SDK's protection against DNS rebinding would answer 421. It is made for servers on a developer's own machine.
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)


@server.tool()
def echo(text: str) -> str:
    """Return the text unchanged."""
    return text


@server.tool()
def add(a: int | float, b: int | float) -> int | float:
    """Add two numbers."""
    return a + b


@server.custom_route("/healthz", methods=["GET"])
async def healthz(_: Request) -> PlainTextResponse:
    """For the kubelet's probes: answers as long as the event loop does."""
    return PlainTextResponse("ok\n")


if __name__ == "__main__":
    server.run(transport="streamable-http")
