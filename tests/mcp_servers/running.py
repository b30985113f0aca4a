# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the servers on ports of loopback that the system chooses, all at once, and ends them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mcp_servers import environments

# Python imports of an SDK take seconds on a busy machine, and ten programs start at once.
PATIENCE_SECONDS = 120.0
GRACE_SECONDS = 5.0
# Should the tests be killed, the kernel ends what they started.
WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
EVERYTHING = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"


class NotStarted(Exception):
    """A server that did not come up; its text is what the server wrote."""


@dataclass(frozen=True)
class Program:
    """A process that serves several variants, each on a port of its own."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    # Programs of others take a port, and do not say when they listen; ours choose one and say so.
    port: int | None = None
    paths: Mapping[str, str] = field(default_factory=dict)  # variant → where it is, on that port


def programs(scratch: Path) -> list[Program]:
    """Everything that has to run for the table of servers (catalog.py). `scratch` is for what they read."""
    python = environments.PROGRAMS / "server.py"
    node, packages = environments.node()
    port = free_port()
    return [
        *(Program(name, (str(environments.python(name)), str(python), name)) for name in environments.PYTHONS),
        Program("sdk", (str(node), "server.mjs", "sdk"), directory=packages),
        Program("server", (str(node), "server.mjs", "server"), directory=packages),
        Program(
            "everything",
            (str(node), EVERYTHING, "streamableHttp"),
            environment={"PORT": str(port)},
            directory=packages,
            port=port,
            paths={"stateful": ""},
        ),
        Program("go", (str(environments.go_server()),)),
        adapter(scratch),
    ]


def adapter(scratch: Path) -> Program:
    """One adapter before all of them, each below a path of its own; KMCP has an adapter for each."""
    port, commands = free_port(), stdio_commands()
    routes = [
        {
            "name": name,
            "matches": [{"path": {"pathPrefix": f"/{name}"}}],
            "backends": [{"mcp": {"targets": [{"name": name, "stdio": {"cmd": argv[0], "args": list(argv[1:])}}]}}],
        }
        for name, argv in commands.items()
    ]
    # JSON is YAML
    listener = {"name": "default", "protocol": "HTTP", "routes": routes}
    config = scratch / "adapter.yaml"
    config.write_text(json.dumps({"binds": [{"port": port, "listeners": [listener]}]}), encoding="utf-8")
    own_ports = ("READINESS_ADDR", "ADMIN_ADDR", "STATS_ADDR")
    return Program(
        "stdio",
        (str(environments.adapter()), "-f", str(config)),
        environment=dict.fromkeys(own_ports, "127.0.0.1:0"),
        port=port,
        paths={name: f"/{name}" for name in commands},
    )


def stdio_commands() -> dict[str, tuple[str, ...]]:
    """How the same servers start over standard input and output."""
    python = environments.PROGRAMS / "server.py"
    node, packages = environments.node()
    return {
        **{name: (str(environments.python(name)), str(python), name, "stdio") for name in environments.PYTHONS[1:]},
        "sdk": (str(node), str(packages / "server.mjs"), "sdk", "stdio"),
        "server": (str(node), str(packages / "server.mjs"), "server", "stdio"),
        "everything": (str(node), str(packages / EVERYTHING), "stdio"),
        "go": (str(environments.go_server()), "stdio"),
    }


class Running:
    """Programs that were started together."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # variant → where it answers, as in {"mcp2": {"stateful": "http://127.0.0.1:40001"}}
        self.addresses: dict[str, dict[str, str]] = {}

    def start(self, wanted: Sequence[Program]) -> None:
        """Back when all of them answer."""
        for program in wanted:
            self._processes[program.name] = self._spawn(program)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for program in wanted:
            if program.port is None:
                self.addresses[program.name] = self._announced(program.name, deadline)
            else:
                self._until_it_listens(program.name, program.port, deadline)
                origin = f"http://127.0.0.1:{program.port}"
                self.addresses[program.name] = {name: f"{origin}{path}" for name, path in program.paths.items()}

    def stop(self) -> None:
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def log(self, name: str) -> str:
        return (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **program.environment}
        # what is installed where the tests run must not come before the SDK's own
        environment.pop("PYTHONPATH", None)
        with (self._logs / f"{program.name}.log").open("wb") as log:
            return subprocess.Popen(
                [*WITH_US, *program.argv],
                cwd=program.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if program.port is None else log,
                stderr=log,
                start_new_session=True,
            )

    def _announced(self, name: str, deadline: float) -> dict[str, str]:
        """The addresses in the one line that our programs write when they listen."""
        stream = self._processes[name].stdout
        assert stream is not None
        line = _line(stream, deadline)
        if not line:
            raise NotStarted(f"{name} said nothing in {PATIENCE_SECONDS:g} s, or ended:\n{self.log(name)}")
        found: dict[str, str] = json.loads(line)
        return found

    def _until_it_listens(self, name: str, port: int, deadline: float) -> None:
        while time.monotonic() < deadline and self._processes[name].poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise NotStarted(f"{name} does not listen on port {port}, or ended:\n{self.log(name)}")


def sessions(address: str) -> int:
    """How many sessions a server of ours keeps."""
    with urllib.request.urlopen(f"{address}/sessions", timeout=10) as answer:
        return int(answer.read())


def settled(count: Callable[[], int], seconds: float = 10.0) -> int:
    """What is counted once it is nothing, or the last that was counted when the time is over."""
    deadline = time.monotonic() + seconds
    while (found := count()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _line(stream: IO[bytes], deadline: float) -> bytes:
    """Whatever comes until the end of a line; empty when the time is over or the stream ends first."""
    read = b""
    while not read.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            return b""
        chunk = os.read(stream.fileno(), 65536)
        if not chunk:
            return b""
        read += chunk
    return read


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole group: an adapter has children."""
    if process.poll() is None:
        os.killpg(process.pid, number)
