# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent of an MCP Mesh that greets with the date, which it is given by whoever offers `date_service`."""

from __future__ import annotations

import os

import mesh
from fastmcp import FastMCP

app = FastMCP("greeter")


@app.tool()
@mesh.tool(
    capability="greeting",
    version="2.0.0",
    dependencies=[
        {"capability": "date_service", "version": ">=1.0.0"},
        # nobody need offer it
        {"capability": "weather_service"},
    ],
)
async def greet(
    name: str, date_service: mesh.McpMeshTool | None = None, weather_service: mesh.McpMeshTool | None = None
) -> str:
    """Greet somebody, with the date and the weather where an agent of the mesh tells them."""
    word = os.environ.get("GREETING", "Hello")
    date = await date_service() if date_service is not None else "an unknown day"
    weather = f", {await weather_service()}" if weather_service is not None else ""
    return f"{word} {name}, it is {date}{weather}"


@mesh.agent(name="greeter", version="1.0.0", http_port=8080, enable_http=True, auto_run=True)
class Greeter:
    """Address, port and registry come from the environment (MCP_MESH_HTTP_HOST, MCP_MESH_REGISTRY_URL)."""
