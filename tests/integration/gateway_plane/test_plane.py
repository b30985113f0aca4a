# SPDX-License-Identifier: GPL-3.0-or-later
"""An MCP call through HTTPS with a token of the local Entra, in both eras, and what the way in refuses."""

from __future__ import annotations

import json
import ssl
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support import gateway

from .conftest import Plane, status_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CALLS = [("add", {"a": 2, "b": 3}), ("whoami", {}), ("drop", {"what": "all"})]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(scope="session")
def caller(plane: Plane) -> gateway.Caller:
    return plane.directory.caller("agent", plane.api)


@pytest.fixture
def token(plane: Plane, caller: gateway.Caller) -> str:
    return plane.directory.token_for(plane.api, caller)


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """A call of the newer era, complete by itself."""
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def headers(tool: str, token: str = "") -> dict[str, str]:
    own = {"Authorization": f"Bearer {token}"} if token else {}
    era = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
    return {"Accept": "application/json, text/event-stream", **era, **own}


def post(plane: Plane, token: str, tool: str = "add") -> int:
    return status_of(plane, json=call(tool, a=1, b=1), headers=headers(tool, token))


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_a_conversation_of_either_era(plane: Plane, token: str, mode: str, version: str) -> None:
    told = plane.converse(token=token, mode=mode, calls=CALLS)
    assert told.get("version") == version, told
    assert told["tools"] == ["add", "drop", "echo", "whoami"]
    added, who, dropped = told["results"]
    assert added["text"] == "5"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert who["structured"]["caller"] == claims["oid"]
    # by the gateway, not by the server; the SDK does not tell the status
    assert "error" in dropped, dropped
    assert post(plane, token, "drop") == 403
    assert '"tool": "drop"' not in plane.cluster.kubectl("logs", "-n", gateway.SERVERS, "deploy/guarded")


def test_the_official_client_signs_in_by_itself(plane: Plane) -> None:
    client = plane.directory.public_client("desk")
    scope = f"{gateway.RESOURCE}/mcp.call"
    told = plane.converse(client_id=client, scope=scope, calls=CALLS[:1])
    assert told.get("results") == [{"text": "5", "structured": {"result": 5}}], told


def test_who_has_no_good_token_is_told_where_to_get_one(plane: Plane, token: str) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(claims, own, "RS256", {"kid": kid})
    unsigned = jwt.encode(claims, None, "none")
    for bad in ("", forged, unsigned, "abc.def.ghi"):
        assert post(plane, bad) == 401, bad
    assert post(plane, token) == 200
    in_the_query = f"/mcp?access_token={token}"
    assert status_of(plane, in_the_query, json=call("add", a=1, b=1), headers=headers("add")) == 401
    with httpx.Client(verify=str(plane.ca), proxy=plane.proxy, trust_env=False) as http:
        refused = http.post(gateway.RESOURCE, json=call("add"))
        challenge = refused.headers["www-authenticate"]
        document = http.get(f"https://{gateway.HOST}{gateway.METADATA}").json()
    assert f'resource_metadata="https://{gateway.HOST}{gateway.METADATA}"' in challenge
    assert document["resource"] == gateway.RESOURCE
    assert document["authorization_servers"] == [gateway.issuer(plane.cloud)]


def test_another_audience_and_another_role_are_refused(plane: Plane, caller: gateway.Caller) -> None:
    other = plane.directory.api("https://other.localcloud.onmicrosoft.com/mcp")
    without_role = plane.directory.caller("stranger")
    assert post(plane, plane.directory.token_for(other, caller)) in (401, 403)
    assert post(plane, plane.directory.token_for(plane.api, without_role)) == 403


def test_neither_lying_headers_nor_other_forms_get_a_call_through(plane: Plane, token: str) -> None:
    plain = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    lies = ({}, headers("add"), headers("drop"), {**headers("add"), "Mcp-Method": "tools/list"})
    text = json.dumps(call("drop", what="x"))
    escaped = text.replace('"drop"', '"\\u0064rop"')
    bodies = (text, escaped, f"[{text}]", text.encode("utf-16"), "\ufeff" + text, text + " " * (2 << 20))
    for more in lies:
        for body in bodies:
            kind = {"Content-Type": "application/json"}
            status = status_of(plane, content=body, headers={**more, **plain, **kind})
            assert status >= 400 or status == 0, (more, body[:80])
    assert '"tool": "drop"' not in plane.cluster.kubectl("logs", "-n", gateway.SERVERS, "deploy/guarded")


def test_the_log_names_caller_and_tool(plane: Plane, token: str) -> None:
    oid = jwt.decode(token, options={"verify_signature": False})["oid"]
    name = f"no-such-tool-{time.time_ns()}"
    assert post(plane, token, name) == 403
    deadline = time.monotonic() + 30
    while True:
        selector = "gateway.envoyproxy.io/owning-gateway-name=way-in"
        logs = plane.cluster.kubectl("logs", "-n", gateway.CONTROLLER, "-l", selector, "-c", "envoy", "--tail=-1")
        lines = [json.loads(line) for line in logs.splitlines() if name in line]
        if lines:
            break
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert (lines[0]["caller"], lines[0]["tool"], lines[0]["status"]) == (oid, name, 403)


def test_the_certificate_is_of_the_authority_and_for_the_name(plane: Plane) -> None:
    # the address by itself names nobody
    with pytest.raises(httpx.TransportError):
        httpx.get(f"https://{plane.address}/mcp", verify=ssl.create_default_context(cafile=plane.ca), trust_env=False)


def test_the_same_tasks_again_change_nothing(plane: Plane) -> None:
    assert plane.again().changed == []
