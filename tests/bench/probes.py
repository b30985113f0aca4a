# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred MCP servers of both eras, asked and called by one task of a playbook.

The servers are played, in processes of their own on the same machine, and each answers after a while, as one does that
is elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from support.playbook import CHECKOUT, run_tasks

from bench.measure import Row, seconds

SERVERS = 100
PROCESSES = 2
BUDGET_SECONDS = 60.0
ANSWER_SECONDS = 0.05


def rows() -> list[Row]:
    found: list[Any] = []
    with _crowd() as urls:
        entries = [{"url": url, "tool": "echo", "arguments": {}} for url in urls]
        task = {"mcpops.platform.mcp_probe": {"servers": entries}}
        took = seconds(lambda: found.append(run_tasks([task], diff=False).ok()))
    servers = found[0].results[0]["result"]["servers"]
    if len(servers) != SERVERS or not all(row["reachable"] for row in servers):
        raise SystemExit("not all of the MCP servers answered")
    eras = sum(len(row["eras"]) for row in servers)
    stated = f"{took:.1f} s ({eras} conversations, {ANSWER_SECONDS * 1000:.0f} ms an answer)"
    what = f"{SERVERS} MCP servers of both eras, asked and called by a whole playbook"
    return [Row(what, stated, f"<= {BUDGET_SECONDS:.0f} s", took <= BUDGET_SECONDS)]


@contextmanager
def _crowd() -> Iterator[list[str]]:
    command = (sys.executable, "-m", "support.mcp_crowd", str(SERVERS // PROCESSES), str(ANSWER_SECONDS))
    path = os.pathsep.join(str(CHECKOUT / name) for name in ("collections", "tests"))
    with ExitStack() as stack:
        processes = [
            subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _process in range(PROCESSES)
        ]
        for process in processes:
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield [url for process in processes if process.stdout for url in json.loads(process.stdout.readline())]
