# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import (
    explain_workload,
    pod_reasons,
    selector_text,
)

from .conftest import Answer, FakeTask, Server

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "fixtures" / "pods.yaml").read_text())
STATUS_KEYS = ("state", "lastState", "restartCount", "ready", "started")
PODS = "/api/v1/namespaces/tools/pods"


def pod(name: str = "web-1", case: str | None = None, **status: Any) -> dict[str, Any]:
    containers: list[dict[str, Any]] = []
    if case is not None:
        row = CASES[case]
        containers = [{"name": "main", **{key: row[key] for key in STATUS_KEYS if key in row}}]
    return {
        "metadata": {"name": name, "namespace": "tools"},
        "spec": {"containers": [{"name": "main", "image": "registry.example.com/web:1"}]},
        "status": {"phase": "Pending", "containerStatuses": containers, **status},
    }


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
def test_container_states(case: str) -> None:
    (reason,) = pod_reasons(pod(case=case))
    expected = CASES[case]
    assert (reason.code, reason.terminal) == (expected["code"], expected["terminal"])
    assert expected["says"] in reason.message
    assert reason.subject == "Pod tools/web-1 container main"


def test_pods_without_a_container_state() -> None:
    scheduled = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: Insufficient cpu"}]
    (reason,) = pod_reasons(pod(conditions=scheduled))
    assert (reason.code, reason.terminal) == ("Unschedulable", False)
    assert "Insufficient cpu" in reason.message
    (reason,) = pod_reasons(pod(phase="Failed", reason="Evicted"))
    assert (reason.code, reason.terminal) == ("PodFailed", True)
    assert pod_reasons(pod(phase="Succeeded")) == []
    assert pod_reasons(pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])) == []
    (reason,) = pod_reasons(pod())
    assert reason.code == "Starting"


def test_replicas_with_one_fault_are_one_reason(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    loop = "crash loop"
    gone = pod("web-3", loop)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    server.on(
        f"{PODS}?limit=1000&labelSelector=app%3Dweb",
        Answer(body={"items": [pod("web-1", loop), pod("web-2", loop), gone]}),
    )
    log = f"{PODS}/web-1/log?container=main&tailLines=8&previous="
    server.on(f"{log}false&limitBytes=20000", Answer(body=b"unable to retrieve container logs for x"))
    server.on(f"{log}true&limitBytes=20000", Answer(body=b"starting\n\ncannot open the ledger\n"))
    (reason,) = explain_workload(connect(task), "tools", {"app": "web"})
    assert reason.message.endswith("Its last log lines:\n    starting\n    cannot open the ledger")
    assert reason.terminal


def test_a_kubelet_that_lost_the_log_is_not_quoted(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    server.on(f"{PODS}?limit=1000&labelSelector=a", Answer(body={"items": [pod(case="crash loop")]}))
    for previous in ("true", "false"):
        target = f"{PODS}/web-1/log?container=main&tailLines=8&previous={previous}&limitBytes=20000"
        server.on(target, Answer(body=b"unable to retrieve container logs for containerd://1"))
    (reason,) = explain_workload(connect(task), "tools", "a")
    assert "unable" not in reason.message


def test_a_probe_is_explained_by_its_last_event(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(f"{PODS}?limit=1000&labelSelector=a", Answer(body={"items": [pod(case="probe does not pass")]}))
    chosen = "involvedObject.kind%3DPod%2CinvolvedObject.name%3Dweb-1%2Ctype%3DWarning"
    events = [
        {"message": "Readiness probe failed: connection refused", "lastTimestamp": "2026-01-02T00:00:00Z"},
        {"message": "older", "lastTimestamp": "2026-01-01T00:00:00Z"},
    ]
    server.on(f"/api/v1/namespaces/tools/events?limit=1000&fieldSelector={chosen}", Answer(body={"items": events}))
    (reason,) = explain_workload(connect(task), "tools", "a")
    assert reason.message.endswith("Readiness probe failed: connection refused")


def test_selectors_as_text() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "new", "operator": "Exists"},
        {"key": "env", "operator": "NotIn", "values": ["x"]},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    assert selector_text(selector) == "app=web,tier in (a,b),!old,new,env notin (x)"
    assert selector_text({"app": "web", "b": "c"}) == "app=web,b=c"
