# SPDX-License-Identifier: GPL-3.0-or-later
"""A small MCP server of standard input and output: `convert` turns lengths and masses into other units."""

from __future__ import annotations

from mcp.server.fastmcp import FastMCP

LENGTHS = {"mm": 0.001, "cm": 0.01, "m": 1.0, "km": 1000.0, "in": 0.0254, "ft": 0.3048, "mi": 1609.344}
MASSES = {"g": 0.001, "kg": 1.0, "t": 1000.0, "oz": 0.028349523125, "lb": 0.45359237}

server = FastMCP("units-mcp", instructions="Converts lengths and masses.")


@server.tool()
def convert(value: float, source: str, target: str) -> float:
    """Return the value in the target unit, rounded to six places."""
    for units in (LENGTHS, MASSES):
        if source in units and target in units:
            return round(value * units[source] / units[target], 6)
    raise ValueError(f"cannot convert {source} to {target}; known are {', '.join([*LENGTHS, *MASSES])}")


def main() -> None:
    # Standard output belongs to the protocol: what a program prints there breaks its session.
    server.run(transport="stdio")
