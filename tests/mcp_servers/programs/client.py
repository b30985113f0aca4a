# SPDX-License-Identifier: GPL-3.0-or-later
"""What the newest Python SDK's client, left to find out the era, makes of servers.

client.py URL...    one line of JSON: URL → the version it speaks and what it was told, or how it failed
"""

import asyncio
import json
import sys
from typing import Any

from mcp import Client


async def verdict(url: str) -> dict[str, Any]:
    try:
        async with Client(url, read_timeout_seconds=20) as client:
            tools = await client.list_tools()
            return {"version": client.protocol_version, "tools": sorted(tool.name for tool in tools.tools)}
    except Exception as exc:
        # errors of tasks come in groups
        cause: BaseException = exc
        while inner := getattr(cause, "exceptions", ()):
            cause = inner[0]
        return {"error": f"{type(cause).__name__}: {cause}"}


async def main() -> None:
    urls = sys.argv[1:]
    found = await asyncio.gather(*(verdict(url) for url in urls))
    print(json.dumps(dict(zip(urls, found, strict=True))))


asyncio.run(main())
