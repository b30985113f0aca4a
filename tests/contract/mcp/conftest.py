# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers of both eras on loopback, started together by the first test that wants one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp_servers import running
from mcp_servers.catalog import SERVERS, Server


class Endpoints:
    """Where each server of the table answers."""

    def __init__(self, started: running.Running) -> None:
        self._started = started

    def address(self, server: Server) -> str:
        return self.variant(server.program, server.variant)

    def variant(self, program: str, name: str) -> str:
        return self._started.addresses[program][name]

    def url(self, server: Server) -> str:
        return f"{self.address(server)}/mcp"

    def many(self, count: int) -> list[tuple[Server, str]]:
        """That many addresses of the servers of the table, in turn; no more processes than for one of each."""
        ours = [server for server in SERVERS if server.ours]
        return [
            (server, f"{self.address(server)}/{number}/mcp")
            for number, server in zip(range(count), itertools.cycle(ours), strict=False)
        ]

    def stdio_url(self, program: str) -> str:
        return f"{self._started.addresses['stdio'][program]}/mcp"

    def stdio_children(self) -> list[int]:
        """The processes that the adapter started and that still run, one a session."""
        pid = self._started.pid("stdio")
        return [
            int(child)
            for tasks in Path("/proc", str(pid), "task").glob("*/children")
            for child in tasks.read_text().split()
        ]

    def sessions(self, server: Server) -> int:
        """How many the server keeps. The one that is not ours writes down when one begins and ends."""
        if server.ours:
            return running.sessions(self.address(server))
        log = self._started.log(server.program)
        return log.count("Session initialized with ID") - log.count("Transport closed for session")

    def sessions_left(self, server: Server) -> int:
        """The same when the server has had a moment to let go of those whose client has left."""
        return running.settled(lambda: self.sessions(server))


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    scratch = tmp_path_factory.mktemp("mcp-servers")
    started = running.Running(scratch)
    try:
        started.start(running.programs(scratch))
        yield Endpoints(started)
    finally:
        started.stop()
