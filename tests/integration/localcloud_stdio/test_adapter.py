# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for KMCP's adapter, alone: what the sources of agentgateway 0.9.0 say it does, weaknesses included."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from localcloud.binaries import ensure_program
from localcloud.progress import say
from localcloud.settings import Settings

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).parent / "program.py"
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "0"},
}
# as KMCP 0.3.0 renders it
CONFIG = """binds:
- listeners:
  - name: default
    protocol: HTTP
    routes:
    - backends:
      - mcp:
          targets:
          - name: test
            stdio:
              args: {args}
              cmd: {cmd}
              env:
                GIVEN: by the configuration
        weight: 100
      matches:
      - path:
          pathPrefix: /sse
      - path:
          pathPrefix: /mcp
      name: mcp
  port: {port}
config: {{}}
"""


@dataclass
class Adapter:
    port: int
    readiness: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(
        self, method: str, path: str = "/mcp", body: Any = None, timeout: float = 10, **headers: str
    ) -> tuple[int, str, str]:
        """(status, body, session id)"""
        sent = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(body).encode() if body is not None else None
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data, {k: v for k, v in sent.items() if v}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, response.read().decode(), response.headers.get("Mcp-Session-Id") or ""
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers.get("Mcp-Session-Id") or ""

    def call(self, method: str, params: Any = None, session: str = "", **options: Any) -> tuple[int, str, str]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return self.ask("POST", body=message, Mcp_Session_Id=session, **options)

    def open(self) -> str:
        status, _, session = self.call("initialize", INITIALIZE)
        assert status == 200
        return session

    def children(self) -> list[int]:
        found = re.findall(r"^started (\d+)$", self.log.read_text(), re.MULTILINE)
        return [int(pid) for pid in found if Path("/proc", pid).exists()]


Start = Callable[..., Adapter]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def binary() -> Path:
    return ensure_program(Settings.load(), "stdio-adapter", say)


@pytest.fixture
def start(binary: Path, tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def run(mode: str = "serve", command: str = sys.executable, port: int = 0, readiness: int = 0) -> Adapter:
        port, readiness = port or free_port(), readiness or free_port()
        config, log = tmp_path / "local.yaml", tmp_path / "log"
        args = json.dumps([str(PROGRAM), mode])
        config.write_text(CONFIG.format(args=args, cmd=json.dumps(command), port=port))
        environment = {
            **os.environ,
            "READINESS_ADDR": f"127.0.0.1:{readiness}",
            "ADMIN_ADDR": f"127.0.0.1:{free_port()}",
            "STATS_ADDR": f"127.0.0.1:{free_port()}",
            "INHERITED": "from the container",
        }
        with log.open("wb") as output:
            process = subprocess.Popen([binary, "-f", config], stderr=output, env=environment)
        running.append(process)
        ready = Adapter(readiness, readiness, process, log)
        deadline = time.monotonic() + 60
        while True:
            try:
                assert ready.ask("GET", "/healthz/ready")[:2] == (200, "ready\n")
                break
            except urllib.error.URLError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
        while f"started bind/{port}" not in log.read_text() and "bind complete" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return Adapter(port, readiness, process, log)

    yield run
    for process in running:
        process.kill()
        process.wait()


def result(body: str) -> Any:
    """The result in a stream of one event."""
    found = re.fullmatch(r"data: (.*)\n\n", body)
    assert found, body
    message = json.loads(found[1])
    assert message["id"] == 1
    return message["result"]


def test_the_adapter_introduces_itself_and_passes_on_tools_and_calls(start: Start) -> None:
    adapter = start()
    status, body, session = adapter.call("initialize", INITIALIZE)
    assert (status, len(session)) == (200, 32)
    reported = result(body)
    assert reported["serverInfo"] == {"name": "rmcp", "version": "0.6.4"}
    assert sorted(reported["capabilities"]) == ["prompts", "resources", "tools"]
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert adapter.ask("POST", body=note, Mcp_Session_Id=session)[:2] == (202, "")
    # the page's mark is lost
    assert list(result(adapter.call("tools/list", session=session)[1])) == ["tools"]
    called = result(adapter.call("tools/call", {"name": "env", "arguments": {}}, session)[1])
    environment = json.loads(called["content"][0]["text"])
    assert environment["GIVEN"] == "by the configuration"
    assert environment["INHERITED"] == "from the container"


def test_what_it_refuses(start: Start) -> None:
    adapter = start()
    needed = "session header is required for non-initialize requests"
    assert adapter.call("tools/list")[:2] == (422, needed)
    assert adapter.call("tools/list", session="unknown")[:2] == (404, "Session not found")
    # a method it does not know, that of the new era for one, is no message to it
    status, body, session = adapter.call("server/discover")
    assert (status, session) == (400, "")
    assert body.startswith("fail to deserialize request body: ")
    assert adapter.ask("POST", body=[])[0] == 400
    assert adapter.call("initialize", {})[0] == 400
    assert adapter.call("initialize", INITIALIZE, Accept="application/json")[0] == 406
    assert adapter.call("initialize", INITIALIZE, Content_Type="text/plain")[0] == 415
    assert adapter.ask("PUT")[0] == 405
    assert adapter.ask("GET")[0] == 422
    assert adapter.ask("DELETE")[0] == 401
    assert adapter.ask("POST", "/other", {})[0] == 404
    assert adapter.children() == []


@pytest.mark.parametrize("command", ["no-such-program", ""])
def test_a_program_that_cannot_be_started(start: Start, command: str) -> None:
    adapter = start(command=command)
    reported = f"""fail to create relay: failed to run command '"{command}"'"""
    assert adapter.call("initialize", INITIALIZE)[:2] == (500, reported)


@pytest.mark.parametrize("mode", ["serve", "deaf"])
def test_every_session_has_a_program_that_ends_with_it(start: Start, mode: str) -> None:
    adapter = start(mode)
    first, second = adapter.open(), adapter.open()
    assert first != second and len(adapter.children()) == 2
    assert adapter.ask("DELETE", Mcp_Session_Id=first)[:2] == (202, "")
    assert len(adapter.children()) == 1
    assert adapter.call("tools/list", session=first)[0] == 404
    assert adapter.call("tools/list", session=second)[0] == 200
    assert adapter.ask("DELETE", Mcp_Session_Id=first)[0] == 202


def unanswered(adapter: Adapter, *call: Any) -> bool:
    try:
        adapter.call(*call, timeout=1)
    except TimeoutError:
        return True
    return False


def test_an_error_of_the_program_reaches_nobody(start: Start) -> None:
    adapter = start()
    session = adapter.open()
    assert unanswered(adapter, "tools/call", {"name": "unknown"}, session)
    assert adapter.call("tools/list", session=session)[0] == 200


def test_a_program_that_ends_at_once_is_waited_for(start: Start) -> None:
    adapter = start("quit")
    assert unanswered(adapter, "initialize", INITIALIZE)
    assert adapter.children() == []


def test_what_a_program_prints_beside_messages_stops_its_session(start: Start) -> None:
    adapter = start("chatty")
    assert unanswered(adapter, "initialize", INITIALIZE)
    assert "Error reading from stream" in adapter.log.read_text()


def test_a_port_of_its_own_is_never_the_servers(start: Start) -> None:
    port = free_port()
    adapter = start(port=port, readiness=port)
    assert adapter.process.poll() is None
    assert adapter.call("initialize", INITIALIZE)[0] == 404
    assert "address already in use" in adapter.log.read_text()


def test_it_copies_itself_as_the_init_container_asks(binary: Path, tmp_path: Path) -> None:
    copy = tmp_path / "adapterbin" / "agentgateway"
    subprocess.run([binary, "--copy-self", copy], check=True)
    assert subprocess.run([copy, "-V"], check=True, capture_output=True, text=True).stdout == "0.9.0\n"


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_the_official_client_is_served_over_both_transports(start: Start, transport: str) -> None:
    adapter = start()

    async def session() -> list[str]:
        if transport == "http":
            opened: Any = streamable_http_client(f"http://127.0.0.1:{adapter.port}/mcp")
        else:
            opened = sse_client(f"http://127.0.0.1:{adapter.port}/sse")
        async with opened as (read, write, *_), ClientSession(read, write) as client:
            await client.initialize()
            assert not (await client.call_tool("env", {})).isError
            return [tool.name for tool in (await client.list_tools()).tools]

    assert asyncio.run(session()) == ["env"]
    deadline = time.monotonic() + 60
    while adapter.children():
        assert time.monotonic() < deadline
        time.sleep(0.05)
