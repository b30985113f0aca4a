# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest agent of a mesh: it answers probes, gives signs of life, and asks whom the registry names."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from typing import Any

from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse

HOST, PORT = os.environ["MCP_MESH_HTTP_HOST"], int(os.environ["MCP_MESH_HTTP_PORT"])
NAME, OFFERS, NEEDS = HOST.partition(".")[0], os.environ["OFFERS"], os.environ.get("NEEDS")
app = FastMCP(
    NAME,
    host="0.0.0.0",
    port=PORT,
    stateless_http=True,
    # others call it by its Service's name
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)
providers: dict[str, str] = {}


@app.tool()
async def tell(text: str) -> str:
    """Say who was asked, all the way."""
    if not NEEDS:
        return f"{NAME} says {text}"
    async with (
        streamablehttp_client(f"{providers[NEEDS]}/mcp") as (reads, writes, _session_id),
        ClientSession(reads, writes) as session,
    ):
        await session.initialize()
        answer = await session.call_tool("tell", {"text": text})
    return f"{NAME} heard that {answer.content[0].text}"


@app.custom_route("/startupz", methods=["GET"])
@app.custom_route("/livez", methods=["GET"])
@app.custom_route("/ready", methods=["GET"])
async def ready(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def beat() -> None:
    tool: dict[str, Any] = {"function_name": "tell", "capability": OFFERS, "version": "1.0.0"}
    if NEEDS:
        tool["dependencies"] = [{"capability": NEEDS, "version": ">=1.0.0"}]
    own = {"agent_id": f"{NAME}-{os.getpid():08x}", "name": NAME, "agent_type": "mcp_agent", "version": "1.0.0"}
    body = json.dumps({**own, "http_host": HOST, "http_port": PORT, "tools": [tool]}).encode()
    request = urllib.request.Request(
        f"{os.environ['MCP_MESH_REGISTRY_URL']}/heartbeat", body, {"Content-Type": "application/json"}
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                resolved = json.load(answer).get("dependencies_resolved") or {}
            for needs in resolved.values():
                providers.update({need["capability"]: need["endpoint"] for need in needs if need.get("endpoint")})
        except OSError as exc:
            print(f"the registry does not answer: {exc}", flush=True)
        time.sleep(2)


threading.Thread(target=beat, daemon=True).start()
app.run(transport="streamable-http")
