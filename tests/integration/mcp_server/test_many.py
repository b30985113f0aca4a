# SPDX-License-Identifier: GPL-3.0-or-later
"""Many servers in one task: each for itself, and those of a bundle that the list no longer has."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kmcp")]

CRD = "mcpservers.kagent.dev"


def names(cluster: Any, namespace: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in cluster.get(CRD, "-n", namespace)["items"])


def test_servers_that_fail_are_named_and_the_others_run(
    run_task: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    """One is refused (every namespace has a ServiceAccount `default`), one cannot be pulled, two are well."""
    image = f"{cloud.registry}/echo-mcp:1.0.0"
    servers = [
        {"name": "first", "image": image},
        {"name": "default", "image": image},
        {"name": "unpullable", "image": f"{cloud.registry}/no-such-image:9.9.9"},
        {"name": "last", "image": image},
    ]
    task = {"namespace": namespace, "servers": servers, "wait_timeout": 90}
    failed = run_task("mcp_server", task, fails=True)
    assert "2 of 4 MCP servers failed, the others were dealt with" in failed["msg"]
    assert f"MCPServer {namespace}/default: ServiceAccount/default" in failed["msg"]
    assert "no-such-image" in failed["msg"]
    assert failed["changed"]
    rows = {row["name"]: row for row in failed["servers"]}
    assert {name for name, row in rows.items() if "error" in row} == {"default", "unpullable"}
    assert (rows["first"]["ready_replicas"], rows["last"]["ready_replicas"]) == (1, 1)
    assert names(cluster, namespace) == ["first", "last", "unpullable"]
    account = cluster.get("serviceaccount", "default", "-n", namespace)
    assert "ownerReferences" not in account["metadata"]


def test_what_a_bundle_no_longer_lists_is_removed_on_request_and_nothing_else(
    run_task: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    bundle = f"tools-{namespace[-6:]}"
    servers = [{"name": name, "image": f"{cloud.registry}/echo-mcp:1.0.0"} for name in ("a", "b", "c", "d")]
    servers[1]["callers"] = []
    task = {"namespace": namespace, "bundle": bundle, "wait": False}
    run_task("mcp_server", {**task, "servers": servers})
    run_task("mcp_server", {**task, "bundle": f"{bundle}-x", "servers": [{**servers[0], "name": "other"}]})
    theirs = {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "theirs", "labels": {"mcpops.io/mcp-bundle": bundle}},
        "spec": {"transportType": "http", "httpTransport": {"targetPort": 3000}, "deployment": {"image": "a:1"}},
    }
    cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(theirs))

    # without the request nothing goes
    assert not run_task("mcp_server", {**task, "servers": servers[:1]})["changed"]

    kept = {**task, "servers": [servers[0], servers[2], servers[3]], "prune": True, "wait": True, "wait_timeout": 90}
    planned = run_task("mcp_server", kept, check=True)
    assert [(row["name"], row["pruned"]) for row in planned["servers"] if "pruned" in row] == [("b", True)]
    shown = "".join(part["before_header"] for part in planned["diff"])
    assert f"{namespace}/b" in shown
    assert "b" in names(cluster, namespace)

    assert run_task("mcp_server", kept)["changed"]
    assert names(cluster, namespace) == ["a", "c", "d", "other", "theirs"]
    assert cluster.get("networkpolicy", "-n", namespace)["items"] == []
    assert not run_task("mcp_server", kept)["changed"]

    for few in ([], servers[:1]):
        refused = run_task("mcp_server", {**kept, "servers": few}, fails=True)
        assert "Nothing was changed" in refused["msg"]
    assert names(cluster, namespace) == ["a", "c", "d", "other", "theirs"]

    moved = run_task("mcp_server", {**task, "bundle": f"{bundle}-x", "servers": servers[:1]}, fails=True)
    assert "Declare it in one bundle only" in moved["msg"]


def test_nothing_is_pruned_while_another_server_fails(run_task: Any, cloud: Any, cluster: Any, namespace: str) -> None:
    bundle = f"tools-{namespace[-6:]}"
    image = f"{cloud.registry}/echo-mcp:1.0.0"
    task = {"namespace": namespace, "bundle": bundle, "wait": False}
    run_task("mcp_server", {**task, "servers": [{"name": name, "image": image} for name in ("a", "b", "c")]})
    broken = [{"name": "a", "image": image}, {"name": "b", "image": image}, {"name": "default", "image": image}]
    failed = run_task("mcp_server", {**task, "servers": broken, "prune": True}, fails=True)
    assert f"Not pruned, because others failed: MCPServer {namespace}/c." in failed["notes"]
    assert names(cluster, namespace) == ["a", "b", "c"]
