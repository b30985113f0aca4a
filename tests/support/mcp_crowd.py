# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m support.mcp_crowd COUNT SECONDS`: so many played MCP servers of all eras, each answer after so long.

Prints their addresses as one line of JSON and serves until its standard input ends.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack

from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from support import mcp_played as played
from support.mcp_played import Asked


def modern(asked: Asked) -> Reply:
    return played.speaks_modern(asked) if asked.modern else played.text(400, "no handshake here")


def legacy(asked: Asked) -> Reply:
    return played.text(404, "Not Found") if asked.modern else played.speaks_legacy(asked)


def dual(asked: Asked) -> Reply:
    return played.speaks_modern(asked) if asked.modern else played.speaks_legacy(asked)


KINDS = (modern, legacy, dual)


def late(answer: played.Answer, seconds: float) -> played.Answer:
    def server(asked: Asked) -> Reply:
        time.sleep(seconds)
        return answer(asked)

    return server


def main() -> None:
    count, seconds = int(sys.argv[1]), float(sys.argv[2])
    with ExitStack() as stack:
        servers = [late(KINDS[number % len(KINDS)], seconds) for number in range(count)]
        print(json.dumps([stack.enter_context(played.over_http(server)) for server in servers]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
