# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnosis with a probe, from the options to the result: MCP servers behind the proxy of a played API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.modules import k8s_diagnosis_info

from .conftest import Answer, FakeTask, Server, status_object

Item = dict[str, Any]
KINDS = {
    ("", "v1", "Service"): "services",
    ("", "v1", "Pod"): "pods",
    ("", "v1", "Node"): "nodes",
    ("apps", "v1", "Deployment"): "deployments",
    ("kagent.dev", "v1alpha1", "MCPServer"): "mcpservers",
}
LONG_AGO = "2020-01-01T00:00:00Z"
SECRET = "canary-of-a-header-9c"


def mcp_server(name: str) -> Item:
    return {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name, "namespace": "mcp", "generation": 1, "creationTimestamp": LONG_AGO},
        "spec": {"transportType": "http", "httpTransport": {"targetPort": 3000}, "deployment": {"port": 3000}},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def deployment(name: str, namespace: str = "mcp", **labels: str) -> Item:
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), 1)
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "creationTimestamp": LONG_AGO},
        "spec": {"replicas": 1},
        "status": counts,
    }


def serve(server: Server, *names: str) -> None:
    for root, groups in (("/api", [""]), ("/apis", ["apps", "kagent.dev"])):
        items = []
        for group in groups:
            rows = [(key, plural) for key, plural in KINDS.items() if key[0] == group]
            resources = [
                {
                    "resource": plural,
                    "responseKind": {"group": group, "version": version, "kind": kind},
                    "scope": "Cluster" if kind == "Node" else "Namespaced",
                    "verbs": ["list"],
                }
                for (_group, version, kind), plural in rows
            ]
            versions = [{"version": rows[0][0][1], "resources": resources}]
            items.append({"metadata": {"name": group}, "versions": versions})
        server.on(root, Answer(body={"kind": "APIGroupDiscoveryList", "items": items}))
    controller = {"app.kubernetes.io/name": "kmcp", "control-plane": "controller-manager"}
    deployments = [*map(deployment, names), deployment("kmcp-controller-manager", "kmcp-system", **controller)]
    services = [{"metadata": {"name": name, "namespace": "mcp"}, "spec": {}} for name in names]
    for path, listed in (
        ("/api/v1/services", services),
        ("/api/v1/pods", []),
        ("/api/v1/nodes", []),
        ("/apis/apps/v1/deployments", deployments),
        ("/apis/kagent.dev/v1alpha1/mcpservers", list(map(mcp_server, names))),
    ):
        server.on(f"{path}?limit=1000", Answer(body={"items": listed}))


def proxy(name: str) -> str:
    return f"/api/v1/namespaces/mcp/services/{name}:3000/proxy/mcp"


def diagnosed(server: Server, directory: Path, **options: Any) -> tuple[Item, FakeTask]:
    given = {"host": server.url, "api_key": "x", "log_lines": 0, **options}
    validated = ArgumentSpecValidator(k8s_diagnosis_info.ARGUMENT_SPEC).validate(given)
    assert not validated.error_messages, validated.error_messages
    directory.mkdir(mode=0o700)
    task = FakeTask(validated.validated_parameters, run_directory=directory)
    return k8s_diagnosis_info.OPERATION(task).to_dict(diff_mode=False), task


def of_servers(result: Item) -> dict[str, Item]:
    return {one["id"]: one for one in result["findings"] if one["object"]["kind"] == "MCPServer"}


def test_only_with_a_probe_are_servers_asked(server: Server, tmp_path: Path) -> None:
    serve(server, "guarded")
    server.on(proxy("guarded"), Answer(421, b"Invalid Host header"))
    result, _task = diagnosed(server, tmp_path / "without")
    assert of_servers(result) == {}
    assert not [one for one in server.requests if "/proxy/" in one.target]

    result, task = diagnosed(server, tmp_path / "with", probe=True)
    [row] = of_servers(result).values()
    assert row["id"] == "HostRefused/mcp/MCPServer/guarded"
    assert "HTTP 421" in row["summary"]
    assert row["evidence"][0]["source"] == "call"
    assert "localhost only" in row["advice"]
    assert task.warnings == []


def test_who_may_not_use_the_proxy_learns_that_nobody_was_asked(server: Server, tmp_path: Path) -> None:
    serve(server, "echo")
    reported = 'services "echo" is forbidden: User "u" cannot create resource "services/proxy" in API group ""'
    server.on(proxy("echo"), Answer(403, status_object(403, "Forbidden", reported)))
    result, _task = diagnosed(server, tmp_path / "run", probe=True)
    assert of_servers(result) == {}
    assert "answers of MCP servers may not be asked through the API server's proxy" in result["unread"]


def test_headers_are_sent_and_never_shown(server: Server, tmp_path: Path) -> None:
    serve(server, "echo")
    server.on(proxy("echo"), Answer(500, f"no such key {SECRET}".encode()))
    hints = [{"name": "echo", "headers": {"X-Key": SECRET}}]
    result, task = diagnosed(server, tmp_path / "run", probe=True, probe_servers=hints)
    assert [one.headers["X-Key"] for one in server.requests if "/proxy/" in one.target]
    assert list(of_servers(result)) == ["NotAnswering/mcp/MCPServer/echo"]
    # whoever runs the operation masks what it says is secret
    assert SECRET in task.secrets


@pytest.mark.parametrize(
    ("hint", "words"),
    [({"name": "Echo!"}, ""), ({"name": "echo", "headers": {"Mcp-Session-Id": "x"}}, "headers.Mcp-Session-Id")],
)
def test_hints_that_cannot_be(server: Server, tmp_path: Path, hint: Item, words: str) -> None:
    serve(server, "echo")
    server.on(proxy("echo"), Answer(500, b"broken"))
    if words:
        with pytest.raises(Exception, match=words):
            diagnosed(server, tmp_path / "run", probe=True, probe_servers=[hint])
    else:
        # of a server that is not there nothing is asked
        result, _task = diagnosed(server, tmp_path / "run", probe=True, probe_servers=[hint])
        assert list(of_servers(result)) == ["NotAnswering/mcp/MCPServer/echo"]
