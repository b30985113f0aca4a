# SPDX-License-Identifier: GPL-3.0-or-later
"""A small MCP server of protocol 2026-07-28 over streamable HTTP: what day it was, and how many days lie between."""

from __future__ import annotations

import os
from datetime import date

from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import PlainTextResponse

server = MCPServer(
    "calendar-mcp",
    version="1.0.0",
    instructions="Tools that calculate with days. Dates are written as 2026-07-28.",
)


@server.tool()
def weekday(day: str) -> str:
    """Return the name of the day of the week."""
    return date.fromisoformat(day).strftime("%A")


@server.tool()
def days_between(first: str, last: str) -> int:
    """Return how many days after the first the last one is."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


@server.custom_route("/healthz", methods=["GET"])
async def healthz(_: Request) -> PlainTextResponse:
    """For the kubelet's probes: answers as long as the event loop does."""
    return PlainTextResponse("ok\n")


if __name__ == "__main__":
    # stateless_http concerns clients of the older protocol only; the new one has no sessions. On 0.0.0.0 the SDK takes
    # every Host header, which behind a Service is never the one that the server was started with.
    server.run(
        transport="streamable-http", host="0.0.0.0", port=int(os.environ.get("PORT", "3000")), stateless_http=True
    )
