# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.readiness import ObservedServer, server_reasons

from .recorded import changes, seen


def running() -> dict[str, Any]:
    """The objects of a real server, with the status its Deployment has when it runs."""
    objects = seen("pristine")
    deployment = objects["Deployment"]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    deployment["status"] = {"observedGeneration": deployment["metadata"]["generation"], **counts}
    return objects


def observed(objects: dict[str, Any], has_endpoints: bool | None = True) -> ObservedServer:
    children = {kind: objects[kind] for kind in server_children.CHILDREN if kind in objects}
    return ObservedServer(objects.get("MCPServer"), children, has_endpoints, drift=changes(objects))


def condition(objects: dict[str, Any], kind: str, reason: str, message: str) -> None:
    for item in objects["MCPServer"]["status"]["conditions"]:
        if item["type"] == kind:
            item.update(status="False", reason=reason, message=message)


def _new_generation(objects: dict[str, Any]) -> None:
    objects["MCPServer"]["metadata"]["generation"] += 1


def _never_seen(objects: dict[str, Any]) -> None:
    del objects["MCPServer"]["status"]


def _not_accepted(objects: dict[str, Any]) -> None:
    condition(objects, "Accepted", "InvalidConfig", "unsupported transport type: ")


def _denied(objects: dict[str, Any]) -> None:
    condition(objects, "Programmed", "DeploymentFailed", "deployments.apps is forbidden: exceeded quota")


def _conflict(objects: dict[str, Any]) -> None:
    condition(objects, "Programmed", "DeploymentFailed", "the object has been modified")


def _no_service(objects: dict[str, Any]) -> None:
    del objects["Service"]


def _pod_not_ready(objects: dict[str, Any]) -> None:
    objects["Deployment"]["status"].update(readyReplicas=0, availableReplicas=0)


def _old_pods(objects: dict[str, Any]) -> None:
    """The resource's condition Ready is True here, as it is right after a change."""
    objects["Deployment"]["status"]["updatedReplicas"] = 0


STAGES: dict[str, tuple[Callable[[dict[str, Any]], None], str, bool]] = {
    "new generation": (_new_generation, "NotReconciled", False),
    "controller never looked": (_never_seen, "NotReconciled", False),
    "not accepted": (_not_accepted, "InvalidConfig", True),
    "denied": (_denied, "DeploymentFailed", True),
    "conflict": (_conflict, "DeploymentFailed", False),
    "child missing": (_no_service, "NotRepaired", False),
    "pod not ready": (_pod_not_ready, "PodsNotReady", False),
    "old pods": (_old_pods, "Progressing", False),
}


@pytest.mark.parametrize(("spoil", "code", "terminal"), STAGES.values(), ids=STAGES)
def test_the_first_stage_that_is_not_reached_is_the_reason(
    spoil: Callable[[dict[str, Any]], None], code: str, terminal: bool
) -> None:
    objects = running()
    spoil(objects)
    [reason] = server_reasons("MCPServer mcp/echo", observed(objects))
    assert (reason.code, reason.terminal) == (code, terminal)


def test_a_running_server_is_ready_whatever_its_own_condition_says() -> None:
    objects = running()
    condition(objects, "Ready", "NotAvailable", "Deployment not ready: 0/1 replicas available")
    assert server_reasons("MCPServer mcp/echo", observed(objects)) == []


def test_ready_pods_that_the_service_does_not_lead_to() -> None:
    found = observed(running(), has_endpoints=False)
    assert [reason.code for reason in server_reasons("MCPServer mcp/echo", found)] == ["NoEndpoints"]


def test_no_pods_are_wanted_and_none_are_missed() -> None:
    objects = running()
    objects["MCPServer"]["spec"]["deployment"]["replicas"] = 0
    objects["Deployment"]["spec"]["replicas"] = 0
    objects["Deployment"]["status"] = {"observedGeneration": objects["Deployment"]["metadata"]["generation"]}
    assert server_reasons("MCPServer mcp/echo", observed(objects, has_endpoints=False)) == []


def _pod(started: str, restarts: int) -> dict[str, Any]:
    running = {"name": "mcp-server", "restartCount": restarts, "state": {"running": {"startedAt": started}}}
    ended = {"lastState": {"terminated": {"exitCode": 3}}} if restarts else {}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": started}
    status = {"conditions": [ready], "containerStatuses": [running | ended]}
    return {"metadata": {"namespace": "mcp", "name": "echo-1"}, "status": status}


# (seconds the container runs, restarts) → code
AGES = {
    "just started": (5, 0, "Starting"),
    "started": (6, 0, None),
    "just restarted": (5, 2, "Crashing"),
    "long since restarted": (10, 2, None),
}


@pytest.mark.parametrize(("age", "restarts", "code"), AGES.values(), ids=AGES)
def test_a_pod_is_believed_after_it_has_run_for_a_while(age: int, restarts: int, code: str | None) -> None:
    now = datetime(2026, 1, 1, 12, 0, age, tzinfo=timezone.utc)
    seen = replace(observed(running()), pods=[_pod("2026-01-01T12:00:00Z", restarts)], now=now)
    reasons = server_reasons("MCPServer mcp/echo", seen)
    assert [reason.code for reason in reasons] == ([code] if code else [])
    if code == "Crashing":
        assert "ended 2 times before, last with exit code 3" in reasons[0].message


def test_a_server_that_is_not_there() -> None:
    assert server_reasons("MCPServer mcp/echo", replace(observed(running()), server=None))[0].code == "Missing"
