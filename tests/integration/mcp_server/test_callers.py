# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared callers on a cluster that enforces network policies: who is declared gets through, and nobody else."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import kmcp as kmcp_support
from support.playbook import run_tasks
from support.restricted_pods import namespace, python_pod

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# MCP's own answer does not matter: any HTTP answer says that the connection came through
CALL = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=3)
    print("answered")
except urllib.error.HTTPError:
    print("answered")
"""


class Enforcing:
    """A cluster of its own with KMCP, a server, and pods of two namespaces that call it."""

    def __init__(self, cloud: Any, kubeconfig: Path, play: dict[str, Any]) -> None:
        self.cloud = cloud
        self.kubeconfig = kubeconfig
        self.kubectl_binary = cloud.environment["kubectl"]
        self.play = play

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        argv = [self.kubectl_binary, "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def server(self, check: bool = False, **options: Any) -> dict[str, Any]:
        declared = {"name": "echo", "namespace": "mcp", "image": f"{self.cloud.registry}/echo-mcp:1.0.0"}
        task = {"mcpops.platform.mcp_server": {**declared, "wait_timeout": 90, **options}}
        run = run_tasks([task], play=self.play, check=check).ok()
        return dict(run.last)

    def probe(self) -> dict[str, Any]:
        run = run_tasks([{"mcpops.platform.mcp_probe": {"name": "echo", "namespace": "mcp"}}], play=self.play).ok()
        return dict(run.last)

    def reaches(self, place: str, pod: str, address: str = "http://echo.mcp:3000/mcp") -> bool:
        argv = ("-n", place, "exec", pod, "--", "python", "-c", CALL, address)
        return self.kubectl(*argv, check=False).strip() == "answered"

    def eventually(self, expected: bool, place: str, pod: str) -> bool:
        """A policy is in force a moment after it was accepted."""
        deadline = time.monotonic() + 90
        while self.reaches(place, pod) is not expected:
            if time.monotonic() > deadline:
                return False
        return True


@pytest.fixture(scope="module")
def enforcing(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcing]:
    kubeconfig = tmp_path_factory.mktemp("kube") / "policies"
    named = {"name": "policies", "resource_group": "rg-mcp-policies"}
    groups: dict[str, Any] = {"group/mcpops.platform.azure": cloud.auth()}
    azure = {"environment": cloud.process_environment(), "module_defaults": groups}
    pools = [{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}]
    group = {"type": "Microsoft.Resources/resourceGroups", "name": named["resource_group"], "location": "eastus2"}
    cluster = {**named, "location": "eastus2", "node_pools": pools, "network": {"plugin": "azure", "policy": "azure"}}
    run_tasks(
        [
            {"mcpops.platform.azure_resource": group},
            {"mcpops.platform.aks_cluster": cluster},
            {"mcpops.platform.aks_kubeconfig": {**named, "path": str(kubeconfig), "credential": "admin"}},
        ],
        play=azure,
    ).ok()
    play = {**azure, "module_defaults": {"group/mcpops.platform.kubernetes": {"kubeconfig": str(kubeconfig)}}}
    made = Enforcing(cloud, kubeconfig, play)
    kmcp_support.install(cloud, made)
    for place in ("mcp", "agents", "strangers"):
        made.kubectl("apply", "-f", "-", stdin=json.dumps(namespace(place)))
    for place, pod in (("agents", "triage"), ("agents", "other"), ("strangers", "triage"), ("mcp", "neighbour")):
        body = python_pod(cloud.settings, pod, "import time; time.sleep(100000)")
        made.kubectl("apply", "-n", place, "-f", "-", stdin=json.dumps(body))
    for place in ("agents", "strangers", "mcp"):
        made.kubectl("-n", place, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=120s")
    yield made
    run_tasks([{"mcpops.platform.azure_resource": {**group, "state": "absent", "force_delete": True}}], play=azure).ok()


def test_only_declared_callers_get_through_and_our_own_probe_still_does(enforcing: Enforcing) -> None:
    enforcing.server()
    assert enforcing.reaches("strangers", "triage"), "without callers everybody may"

    callers = [{"namespace": "agents", "pod_labels": {"app": "triage"}}]
    assert enforcing.server(check=True, callers=callers)["changed"]
    assert enforcing.server(callers=callers)["changed"]
    assert enforcing.eventually(False, "strangers", "triage")
    assert not enforcing.reaches("agents", "other")
    assert not enforcing.reaches("mcp", "neighbour")
    assert enforcing.reaches("agents", "triage")
    assert enforcing.probe()["servers"]
    assert not enforcing.server(callers=callers)["changed"]

    opened = json.dumps({"spec": {"ingress": [{}]}})
    enforcing.kubectl("-n", "mcp", "patch", "networkpolicy", "echo-callers", "--type=merge", "-p", opened)
    assert enforcing.eventually(True, "strangers", "triage")
    assert enforcing.server(callers=callers)["changed"]
    assert enforcing.eventually(False, "strangers", "triage")

    assert enforcing.server(callers=[{"pod_labels": {}}])["changed"]
    assert enforcing.eventually(True, "mcp", "neighbour")
    assert enforcing.eventually(False, "agents", "triage")

    assert enforcing.server()["changed"]
    assert enforcing.eventually(True, "strangers", "triage")
    assert enforcing.kubectl("-n", "mcp", "get", "networkpolicy", "-o", "name") == ""
