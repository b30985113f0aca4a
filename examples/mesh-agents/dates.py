# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent of an MCP Mesh that knows the date. Others depend on its capability `date_service`."""

from __future__ import annotations

import os
from datetime import datetime, timezone

import mesh
from fastmcp import FastMCP

app = FastMCP("dates")


@app.tool()
@mesh.tool(capability="date_service", version=os.environ.get("DATE_SERVICE_VERSION", "1.0.0"), tags=["utc"])
def today(style: str = "iso") -> str:
    """Return the date in UTC."""
    now = datetime.now(timezone.utc)
    return now.strftime("%Y-%m-%d" if style == "iso" else "%d %B %Y")


@mesh.agent(name="dates", version="1.0.0", http_port=8080, enable_http=True, auto_run=True)
class Dates:
    """Address, port and registry come from the environment (MCP_MESH_HTTP_HOST, MCP_MESH_REGISTRY_URL)."""
