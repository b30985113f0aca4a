# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe through the API server's proxy, against real pods that answer, and others that do not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from support import kmcp as support

pytestmark = pytest.mark.integration

MODES = ("text", "hang", "huge", "port")
# keeps sessions, answers at a path of its own, and only who has the key
KEYED = """
import uvicorn
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

open_to_all = TransportSecuritySettings(enable_dns_rebinding_protection=False)
server = FastMCP("keyed", streamable_http_path="/api/mcp", transport_security=open_to_all)
server.tool(name="double")(lambda number: 2 * number)
app = server.streamable_http_app()

async def gate(scope, receive, send):
    given = dict(scope.get("headers", ()))
    if scope["type"] != "http" or given.get(b"x-api-key") == b"it-key":
        return await app(scope, receive, send)
    seen = "authorization" if b"authorization" in given else "no key"
    await PlainTextResponse(seen, 401)(scope, receive, send)

uvicorn.run(gate, host="0.0.0.0", port=8080)
"""
# speaks 2026-07-28 only, and says which of the protocol's headers have arrived
MODERN = """
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        version = self.headers.get("MCP-Protocol-Version")
        if version != "2026-07-28":
            data = {"supported": ["2026-07-28"], "requested": version}
            return self.answer(400, asked, error={"code": -32022, "message": "unsupported", "data": data})
        if self.headers.get("Mcp-Method") != asked["method"]:
            return self.answer(400, asked, error={"code": -32020, "message": "Mcp-Method"})
        given = {name: self.headers.get(name) for name in ("Mcp-Name", "Mcp-Param-Region", "traceparent")}
        schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
        content = {
            "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
            "tools/list": {"tools": [{"name": "headers", "inputSchema": schema}], "ttlMs": 0, "cacheScope": "public"},
            "tools/call": {"content": [], "structuredContent": given},
        }[asked["method"]]
        self.answer(200, asked, result={"resultType": "complete", **content})

    def answer(self, status, asked, **content):
        body = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), **content}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("0.0.0.0", 3000), Server).serve_forever()
"""
# a server of the SDK that keeps its sessions, or none
KEEPING = """
import sys, uvicorn
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings

open_to_all = TransportSecuritySettings(enable_dns_rebinding_protection=False)
server = FastMCP("keeping", stateless_http=sys.argv[1] == "stateless", transport_security=open_to_all)
server.tool(name="double")(lambda number: 2 * number)
uvicorn.run(server.streamable_http_app(), host="0.0.0.0", port=3000)
"""


@pytest.fixture(scope="module")
def servers(cloud: Any, cluster: Any, kmcp: None) -> Iterator[str]:
    """A namespace with the echo server, one without pods, and all that misbehave; whoever asks them needs them up."""
    namespace = f"it-probe-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", namespace)
    misbehaving = {"image": f"{cloud.registry}/mcp-misbehaving:1.0.0"}
    echo = {"image": f"{cloud.registry}/echo-mcp:1.0.0"}
    declared = [
        {"name": "echo", **echo},
        {"name": "asleep", **echo, "replicas": 0},
        {"name": "keyed", **echo, "port": 8080, "path": "/api/mcp", "command": "python", "args": ["-c", KEYED]},
        {"name": "modern", **echo, "replicas": 2, "command": "python", "args": ["-c", MODERN]},
        {"name": "stateless", **echo, "replicas": 3, "command": "python", "args": ["-c", KEEPING, "stateless"]},
        {"name": "keeping", **echo, "replicas": 2, "command": "python", "args": ["-c", KEEPING, "keeping"]},
        *({"name": mode, **misbehaving, "env": {"MODE": mode}} for mode in MODES),
    ]
    support.run(cloud, cluster, {"mcpops.platform.mcp_server": {"namespace": namespace, "servers": declared}})
    yield namespace
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def test_the_echo_server_answers(run_task: Any, servers: str) -> None:
    call = {"tool": "echo", "arguments": {"text": "hello there"}, "expect": "hello there"}
    result = run_task("mcp_probe", {"name": "echo", "namespace": servers, **call})
    [row] = result["servers"]
    assert not result["changed"]
    assert (row["reachable"], row["answer"]) == (True, "hello there")
    assert row["protocol_version"] >= "2025-06-18"
    assert {"echo", "add"} <= {tool["name"] for tool in row["tools"]}


def test_a_modern_server_answers_through_the_proxy_with_all_headers(run_task: Any, servers: str) -> None:
    call = {
        "tool": "headers",
        "arguments": {"region": "süd"},
        "expect_json": [
            {"path": ".Mcp-Name", "value": "headers"},
            {"path": ".Mcp-Param-Region", "value": "=?base64?c8O8ZA==?="},
            {"path": ".traceparent", "regex": "^00-"},
        ],
    }
    result = run_task("mcp_probe", {"name": "modern", "namespace": servers, "era": "modern", **call})
    [row] = result["servers"]
    assert (row["era"], row["eras"], row["protocol_version"]) == ("modern", ["modern"], "2026-07-28")
    assert (row["replicas"]["ready"], row["replicas"]["answered"]) == (2, 2)
    assert row["structured"]["traceparent"] == row["traceparent"]


def test_a_forwarded_port_leads_to_the_same_servers(run_task: Any, servers: str) -> None:
    asked: list[dict[str, Any]] = [
        {"name": "modern", "tool": "headers", "expect_json": [{"path": ".Mcp-Name", "value": "headers"}]},
        {"name": "echo", "tool": "echo", "arguments": {"text": "x" * 100_000}, "expect_regex": "^x{100000}$"},
        {"name": "stateless", "each_replica": False},
    ]
    result = run_task("mcp_probe", {"namespace": servers, "via": "port_forward", "servers": asked, "wait_timeout": 20})
    modern, echo, _stateless = result["servers"]
    assert (modern["era"], echo["era"]) == ("modern", "legacy")
    assert modern["replicas"]["answered"] == 2
    silent = [{"name": "port"}, {"name": "asleep"}, {"name": "hang"}]
    options = {"namespace": servers, "via": "port_forward", "servers": silent, "timeout": 6, "wait_timeout": 0}
    failed = run_task("mcp_probe", options, fails=True)
    codes = [row["error"]["code"] for row in failed["servers"]]
    assert codes == ["ConnectionRefused", "NoEndpoints", "Timeout"]


def test_every_replica_is_asked_and_sessions_that_they_do_not_share_are_found(run_task: Any, servers: str) -> None:
    asked = [{"name": "stateless"}, {"name": "keeping"}, {"name": "keeping", "each_replica": False}]
    failed = run_task("mcp_probe", {"namespace": servers, "servers": asked, "wait_timeout": 0}, fails=True)
    alike, apart, _by_luck = failed["servers"]
    assert alike["reachable"] and alike["replicas"]["sessions"] == "none"
    assert (alike["replicas"]["ready"], alike["replicas"]["answered"]) == (3, 3)
    # whether the Service leads all requests of one conversation to the same pod is chance: the first may say it, too
    assert apart["error"]["code"] == "SessionLost" and not apart["reachable"]
    assert "replica" in apart["error"]["hint"]


def test_sessions_of_two_pods_are_told_by_asking_the_pods_alone(run_task: Any, servers: str) -> None:
    """The conversation has one pod all along, and nothing is wrong with it: only the second pod tells."""
    asked = {"namespace": servers, "via": "port_forward", "wait_timeout": 0}
    failed = run_task("mcp_probe", {**asked, "name": "keeping"}, fails=True)
    [row] = failed["servers"]
    assert row["error"]["code"] == "SessionLost"
    assert [tool["name"] for tool in row["tools"]] == ["double"]
    assert (row["replicas"]["ready"], row["replicas"]["answered"], row["replicas"]["sessions"]) == (2, 2, "not shared")
    first, second = (pod["pod"] for pod in row["replicas"]["pods"])
    assert f"{second} does not know the session that {first} began" in row["error"]["message"]
    alone = run_task("mcp_probe", {**asked, "name": "keeping", "each_replica": False})
    assert alone["servers"][0]["reachable"]


def test_what_is_expected_in_vain_is_told(run_task: Any, servers: str) -> None:
    asked = [
        {"name": "modern", "era": "legacy"},
        {"name": "echo", "era": "modern"},
        {"name": "echo", "expect_tools": ["echo", "sing"]},
        {"name": "echo", "tool": "echo", "arguments": {"text": "a"}, "expect_equals": "b"},
        {"name": "echo", "tool": "echo", "arguments": {}, "expect_error": True},
    ]
    failed = run_task("mcp_probe", {"namespace": servers, "servers": asked, "wait_timeout": 20}, fails=True)
    *wrong, expected = failed["servers"]
    codes = [row["error"]["code"] for row in wrong]
    assert codes == ["EraMismatch", "EraMismatch", "ToolMissing", "UnexpectedAnswer"]
    assert expected["reachable"] and expected["is_error"]


def test_a_server_with_a_key_sessions_and_a_path_of_its_own(run_all: Any, servers: str) -> None:
    asked = {"name": "keyed", "namespace": servers, "port": 8080, "path": "/api/mcp", "wait_timeout": 20}
    key = {"headers": {"X-API-Key": "it-key"}}
    call = {"tool": "double", "arguments": {"number": "ab"}, "expect": "abab"}
    tasks: list[dict[str, Any]] = [
        {**asked, **key, **call},
        asked,
        {**asked, **key, "path": None},
        {**asked, **key, "port": 3000},
        {**asked, "headers": {"Authorization": "Bearer it-key"}},
    ]
    run = run_all([{"mcpops.platform.mcp_probe": task, "ignore_errors": True} for task in tasks])
    answered, keyless, lost, elsewhere, token = (entry["result"] for entry in run.ok().results)
    assert answered["servers"][0]["answer"] == "abab"
    codes = [result["error"]["reasons"][0]["code"] for result in (keyless, lost, elsewhere)]
    assert codes == ["Unauthorized", "PathNotFound", "NoSuchPort"]
    assert "option headers" in keyless["msg"] and "no key" in keyless["msg"]
    assert "It was asked at /mcp: check the option path." in lost["msg"]
    # over a forwarded port, which carries it: this server does not want it, and says that it has arrived
    assert token["error"]["reasons"][0]["code"] == "Unauthorized" and "authorization" in token["msg"]
    assert "it-key" not in token["msg"]


# who is asked → (classified reason, words of the message)
SILENT = {
    "asleep": ("NoEndpoints", "no ready pods"),
    "text": ("NotMcp", "text/plain, not MCP"),
    "hang": ("Timeout", "did not answer within 6 s"),
    "huge": ("Oversize", "larger than 1024 KiB"),
    "port": ("ConnectionRefused", "nothing listens on the port"),
    "nobody": ("NoService", "has no Service"),
}


def test_every_kind_of_silence_has_its_reason(run_task: Any, servers: str) -> None:
    asked = [{"name": name} for name in ("echo", *SILENT)]
    # long enough for the one that answers, on a machine where everything else runs as well
    options = {"namespace": servers, "servers": asked, "timeout": 6, "wait_timeout": 1}
    failed = run_task("mcp_probe", options, fails=True)
    answered, *silent = failed["servers"]
    assert answered["reachable"]
    assert {row["name"]: row["error"]["code"] for row in silent} == {name: row[0] for name, row in SILENT.items()}
    assert "6 of 7 MCP probes" in failed["msg"]
    for _code, words in SILENT.values():
        assert words in failed["msg"]


def test_check_mode_calls_nothing_and_forgives_silence(run_task: Any, servers: str) -> None:
    asked = [{"name": "echo", "tool": "echo", "arguments": {"text": "x"}}, {"name": "asleep"}]
    result = run_task("mcp_probe", {"namespace": servers, "servers": asked}, check=True)
    assert [row["reachable"] for row in result["servers"]] == [True, False]
    assert "answer" not in result["servers"][0]
    assert any("no tool was called" in note for note in result["notes"])


def test_who_may_not_use_the_proxy_is_told_which_right_is_missing(run_task: Any, servers: str, cluster: Any) -> None:
    cluster.kubectl("-n", servers, "create", "serviceaccount", "reader")
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": servers}],
    }
    cluster.kubectl("-n", servers, "create", "-f", "-", stdin=json.dumps(binding))
    options = {"name": "echo", "namespace": servers, "impersonate_user": f"system:serviceaccount:{servers}:reader"}
    failed = run_task("mcp_probe", {**options, "wait_timeout": 30}, fails=True)
    assert failed["error"]["reasons"][0]["code"] == "ProxyForbidden"
    assert "services/proxy" in failed["msg"]
