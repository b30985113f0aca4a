# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy Gateway: a gateway that is closed until a route opens it, its drift, its repair and its removal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import gateway_calls as calls
from support.gateway_calls import settled

from localcloud.images.gateway import ENVOY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

GATEWAY: dict[str, Any] = {
    "namespace": calls.NAMESPACE,
    "listeners": [{"hostname": "*.mcp.test", "tls": {"issuer": {"name": "authority"}}}],
    "route_namespaces": [calls.SERVERS],
    "callers": [{"name": "tests"}],
    "backends": [{"namespace": calls.SERVERS, "port": 3000}],
    # the controller's own is another version, by its digest
    "envoy": {"image": f"docker.io/{ENVOY}"},
    "wait_timeout": 180,
}
AUTH: dict[str, Any] = {
    "name": "tests",
    "issuer": calls.ISSUER,
    "audiences": [calls.AUDIENCE],
    "jwks_config_map": calls.KEYS,
    "access": [{"roles": ["user"], "tools": ["echo", "add"]}, {"roles": ["admin"]}],
}
ROUTES: dict[str, Any] = {
    "namespace": calls.SERVERS,
    "gateway": {"namespace": calls.NAMESPACE},
    "routes": [{"name": "guarded", "host": calls.HOST, "pod_labels": calls.LABELS}],
    "auth": [AUTH],
    "prune": True,
}


@pytest.fixture(scope="module")
def _address() -> dict[str, str]:
    return {}


@pytest.fixture
def client(installed: Any, cluster: Any, run_task: Any, tmp_path: Path, _address: dict[str, str]) -> calls.Client:
    """The gateway stands with its route, whatever a test before has made of it."""
    made = run_task("gateway", GATEWAY)
    run_task("gateway_route", ROUTES)
    return calls.Client(made["gateway"]["addresses"][0], calls.authority(cluster, tmp_path))


@pytest.fixture
def user(installed: Any) -> str:
    return installed.token("user")


def test_without_routes_nobody_is_answered(installed: Any, cluster: Any, run_task: Any, tmp_path: Path) -> None:
    run_task("gateway_route", {**ROUTES, "state": "absent", "prune": False, "routes": None})
    made = run_task("gateway", GATEWAY)
    assert run_task("gateway", GATEWAY)["changed"] is False
    client = calls.Client(made["gateway"]["addresses"][0], calls.authority(cluster, tmp_path))
    assert client.send(calls.call("echo"), installed.token("admin")).status == 404


def test_a_second_run_changes_nothing(client: calls.Client, run_task: Any) -> None:
    for module, args in (("gateway", GATEWAY), ("gateway_route", ROUTES)):
        assert run_task(module, args)["changed"] is False
        assert run_task(module, args, check=True)["changed"] is False


def test_who_may_call_what_in_both_eras(client: calls.Client, installed: Any, user: str) -> None:
    settled(lambda: client.modern(user, "echo").status, 200)
    assert client.legacy(user, "echo").status == 200
    for conversation in (client.modern, client.legacy):
        assert conversation(user, "drop", {"what": "x"}).status == 403
        assert conversation(installed.token("admin"), "drop", {"what": "x"}).status == 200
        assert conversation("", "echo").status == 401
        assert conversation(installed.token("other"), "echo").status == 403
        assert conversation(installed.token("user", aud="api://other"), "echo").status in (401, 403)
        assert conversation(installed.token("user", iss="https://other.test/"), "echo").status == 401
        assert conversation(installed.token("user", exp=int(time.time()) - 600), "echo").status == 401


def test_ways_around_the_rules_are_closed(client: calls.Client, user: str) -> None:
    drop = calls.call("drop", {"what": "x"})
    modern = calls.call("drop", {"what": "x"}, modern=True)
    raw = b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"dr\\u006fp","arguments":{"what":"x"}}}'
    settled(lambda: client.modern(user, "echo").status, 200)
    answers = {
        "no headers": client.send(drop, user),
        "old headers": client.send(drop, user, MCP_Protocol_Version=calls.LEGACY),
        "lying headers": client.send(modern, user, MCP_Protocol_Version=calls.MODERN, Mcp_Name="echo"),
        "lying method": client.send(modern, user, Mcp_Method="tools/list"),
        "batch": client.send([drop], user),
        "batch with a list": client.send([{**drop, "method": "tools/list"}, drop], user),
        "escaped": client.send(raw, user),
        "plain text": client.send(drop, user, Content_Type="text/plain"),
        "padded": client.send(b" " * 20_000 + raw, user),
        "token in the address": client.send(calls.call("echo"), path=f"/mcp?access_token={user}"),
        "other path": client.send(drop, user, path="/mcp/"),
        "events": client.send(None, user, method="GET", path="/sse"),
        "health": client.send(None, user, method="GET", path="/healthz"),
        "escaped slash": client.send(drop, user, path="/x%2f..%2fmcp"),
    }
    opened = {name: answer.status for name, answer in answers.items() if answer.status < 400}
    assert opened == {}


def test_a_client_learns_where_tokens_come_from(client: calls.Client) -> None:
    refused = client.send(calls.call("echo"))
    address = f"https://{calls.HOST}/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{address}"' in refused.headers["WWW-Authenticate"]
    document = client.send(None, method="GET", path="/.well-known/oauth-protected-resource/mcp").json()
    assert document["resource"] == f"https://{calls.HOST}/mcp"
    assert document["authorization_servers"] == [calls.ISSUER]


def test_caller_and_tool_are_in_the_access_log(client: calls.Client, cluster: Any, user: str) -> None:
    settled(lambda: client.modern(user, "echo").status, 200)
    client.legacy(user, "drop", {"what": "x"})

    def seen() -> set[tuple[Any, ...]]:
        rows = calls.proxy_log(cluster)
        return {(row.get("caller"), row.get("tool"), row["status"]) for row in rows} & {
            ("agent-7", "echo", 200),
            ("agent-7", "drop", 403),
        }

    settled(seen, {("agent-7", "echo", 200), ("agent-7", "drop", 403)})


def test_a_server_sees_its_caller_whatever_a_client_claims(client: calls.Client, installed: Any) -> None:
    admin = installed.token("admin")
    settled(lambda: client.modern(admin, "whoami", {}).status, 200)
    answer = client.modern(admin, "whoami", {}, x_mcp_caller="somebody-else")
    assert "agent-7" in answer.data.decode()
    assert "somebody-else" not in answer.data.decode()


def test_what_somebody_changed_is_shown_and_repaired(
    client: calls.Client, cluster: Any, run_task: Any, user: str
) -> None:
    settled(lambda: client.modern(user, "echo").status, 200)
    opened = '{"spec":{"authorization":{"defaultAction":"Allow","rules":null},"jwt":null}}'
    cluster.kubectl("patch", "securitypolicy", "-n", calls.SERVERS, "guarded", "--type=merge", "-p", opened)
    settled(lambda: client.modern("", "drop", {"what": "x"}).status, 200)
    shown = run_task("gateway_route", ROUTES, check=True)
    assert shown["changed"]
    assert run_task("gateway_route", ROUTES)["changed"]
    settled(lambda: client.modern("", "drop", {"what": "x"}).status, 401)
    assert not run_task("gateway_route", ROUTES)["changed"]


def test_a_route_whose_policy_is_gone_is_closed(client: calls.Client, cluster: Any, run_task: Any, user: str) -> None:
    settled(lambda: client.modern(user, "echo").status, 200)
    cluster.kubectl("delete", "securitypolicy", "-n", calls.SERVERS, "guarded")
    settled(lambda: client.modern(user, "echo").status, 403)
    assert client.send(calls.call("echo")).status == 403
    run_task("gateway_route", ROUTES)
    settled(lambda: client.modern(user, "echo").status, 200)


def test_routes_are_refused_behind_a_gateway_that_does_not_deny(
    client: calls.Client, cluster: Any, run_task: Any
) -> None:
    cluster.kubectl("delete", "securitypolicy", "-n", calls.NAMESPACE, "mcp-default-deny")
    failed = run_task("gateway_route", ROUTES, fails=True)
    assert failed["error"]["kind"] == "refused"
    assert "mcp-default-deny" in failed["msg"]
    assert run_task("gateway", GATEWAY)["changed"]
    assert not run_task("gateway_route", ROUTES)["changed"]


@pytest.fixture
def gone(run_task: Any) -> Iterator[None]:
    yield
    run_task("gateway_route", {**ROUTES, "state": "absent", "prune": False, "routes": None})
    run_task("gateway", {**GATEWAY, "state": "absent"})


def test_nothing_is_left(client: calls.Client, cluster: Any, run_task: Any, gone: None) -> None:
    assert run_task("gateway_route", {**ROUTES, "routes": [], "auth": []})["changed"]
    kinds = "httproutes,httproutefilters,securitypolicies,backendtrafficpolicies,networkpolicies"
    assert cluster.kubectl("get", kinds, "-n", calls.SERVERS, "-o", "name").split() == []
    assert run_task("gateway", {**GATEWAY, "state": "absent"})["changed"]
    kinds = (
        "gateways,securitypolicies,clienttrafficpolicies,envoyproxies,envoypatchpolicies,certificates.cert-manager.io"
    )
    assert cluster.kubectl("get", kinds, "-n", calls.NAMESPACE, "-o", "name").split() == []
    assert not run_task("gateway", {**GATEWAY, "state": "absent"})["changed"]
