# SPDX-License-Identifier: GPL-3.0-or-later
"""The official clients beside our probe: the same verdict of every real server, and where theirs hides a fault, ours
names it.

What each client does of itself: the SDKs' sources (mcp/client/_probe.py, client/versionNegotiation, mcp/client.go).
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from mcp_servers import environments
from mcp_servers.catalog import LEGACY_VERSIONS, SERVERS
from support.mcp_exchange import exchange_to

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

from .conftest import Endpoints

# All URLs in one process: an SDK's import is what takes the time.
Judge = Callable[[list[str]], dict[str, dict[str, Any]]]


def judged(argv: list[str], urls: list[str]) -> dict[str, dict[str, Any]]:
    done = subprocess.run([*argv, *urls], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def python(urls: list[str]) -> dict[str, dict[str, Any]]:
    return judged([str(environments.python("mcp2")), str(environments.PROGRAMS / "client.py")], urls)


def typescript(urls: list[str]) -> dict[str, dict[str, Any]]:
    node, packages = environments.node()
    return judged([str(node), str(packages / "client.mjs")], urls)


def go(urls: list[str]) -> dict[str, dict[str, Any]]:
    return judged([str(environments.go_server()), "judge"], urls)


CLIENTS = [pytest.param(judge, id=judge.__name__) for judge in (python, typescript, go)]


@pytest.mark.parametrize("judge", CLIENTS)
def test_the_official_clients_find_the_same_era_and_tools(endpoints: Endpoints, judge: Judge) -> None:
    found = judge([endpoints.url(server) for server in SERVERS])
    for server in SERVERS:
        with conversation.open_conversation(exchange_to(endpoints.url(server), timeout=20)) as talk:
            ours = {"version": talk.speaker.version, "tools": sorted(tool["name"] for tool in talk.tools())}
        theirs = found[endpoints.url(server)]
        if server.ours:
            assert theirs == ours, server.name
        else:
            # it has more tools for a client that says it can be asked
            assert theirs["version"] == ours["version"]
            assert set(ours["tools"]) <= set(theirs["tools"])


@dataclass(frozen=True)
class Answer:
    """How a server of the older era answers discovery, and what the clients make of that: a version, or no answer."""

    status: int
    body: Any
    ours: str
    python: str = LEGACY_VERSIONS[0]
    typescript: str = LEGACY_VERSIONS[0]
    go: str = LEGACY_VERSIONS[0]


def error(code: int, **data: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "so it is", **({"data": data} if data else {})}}


def discovered(*versions: str) -> dict[str, Any]:
    common = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "capabilities": {}}
    return {"result": {**common, "supportedVersions": list(versions)}}


OLDER = LEGACY_VERSIONS[0]
ANSWERS = {
    "only older versions": Answer(200, discovered("2025-06-18"), OLDER),
    "refused, only older versions": Answer(400, error(-32022, supported=["2025-11-25"], requested="x"), OLDER),
    "method unknown": Answer(404, error(-32601), OLDER),
    "nothing at this path": Answer(404, "not found", OLDER),
    "not acceptable": Answer(406, "no", OLDER),
    "expects initialize": Answer(422, "expect initialize request", OLDER),
    "no session": Answer(400, error(-32000), OLDER),
    # what follows is a fault that falling back would hide
    "refused, only foreign versions": Answer(
        400, error(-32022, supported=["2099-01-01"], requested="x"), "ProtocolVersion", python="", typescript=""
    ),
    "headers do not match": Answer(400, error(-32020), "HeaderMismatch"),
    "unauthorized": Answer(401, {"error": "invalid_token"}, "Unauthorized", typescript=""),
    "forbidden": Answer(403, "no", "Forbidden", typescript=""),
    "failed": Answer(500, "oh", "ServerError", typescript=""),
    "unavailable": Answer(503, "later", "Unavailable", typescript=""),
}


class Older(BaseHTTPRequestHandler):
    """Speaks 2025-11-25; discovery is answered as the path says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = list(ANSWERS.values())[int(self.path.split("/")[1])]
        method, number = message["method"], message.get("id")
        if method == "server/discover":
            self._send(answer.status, answer.body, number)
        elif method == "initialize":
            info = {"name": "older", "version": "0"}
            self._send(200, {"result": {"protocolVersion": OLDER, "capabilities": {}, "serverInfo": info}}, number)
        elif number is None:
            self._send(202, "", None)
        else:
            self._send(200, {"result": {"tools": []}}, number)

    def do_GET(self) -> None:
        self._send(405, "", None)

    def _send(self, status: int, body: Any, number: Any) -> None:
        whole = {"jsonrpc": "2.0", "id": number, **body} if isinstance(body, dict) and "jsonrpc" not in body else body
        data = json.dumps(whole).encode() if isinstance(body, dict) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if isinstance(body, dict) else "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: Any) -> None:
        """Not on the tests' output."""


@pytest.fixture(scope="module")
def older() -> Iterator[list[str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Older)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_address[1]}/{number}/mcp" for number in range(len(ANSWERS))]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("judge", CLIENTS)
def test_what_the_official_clients_make_of_an_answer_to_discovery(older: list[str], judge: Judge) -> None:
    """That they fall back is why a verifier cannot be made of them."""
    found = judge(older)
    actual = {name: found[url].get("version", "") for name, url in zip(ANSWERS, older, strict=True)}
    assert actual == {name: getattr(answer, judge.__name__) for name, answer in ANSWERS.items()}, found


@pytest.mark.parametrize("name", ANSWERS)
def test_what_our_probe_makes_of_an_answer_to_discovery(older: list[str], name: str) -> None:
    url, expected = older[list(ANSWERS).index(name)], ANSWERS[name].ours
    try:
        with conversation.open_conversation(exchange_to(url, timeout=10)) as talk:
            actual = talk.speaker.version
    except Unanswered as refused:
        actual = refused.code
    assert actual == expected
