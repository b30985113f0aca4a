# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait itself, against a server that answers from a list: what ends it, and what it then says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support.clock import FakeClock

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import wait

from .conftest import Answer, FakeTask, Server, status_object

SPACE = "/api/v1/namespaces/tools"
APPS = "/apis/apps/v1/namespaces/tools"


def resource(name: str, kind: str, group: str = "") -> dict[str, Any]:
    kinds = {"resource": name, "responseKind": {"group": group, "version": "v1", "kind": kind}, "scope": "Namespaced"}
    return {**kinds, "verbs": ["get", "list"]}


def discovery(group: str, *resources: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": group} if group else {}, "versions": [{"version": "v1", "resources": list(resources)}]}


@pytest.fixture
def kube(server: Server, connect: Callable[..., Kube], task: FakeTask, monkeypatch: pytest.MonkeyPatch) -> Kube:
    core = discovery("", resource("services", "Service"), resource("pods", "Pod"), resource("configmaps", "ConfigMap"))
    kinds = {"deployments": "Deployment", "statefulsets": "StatefulSet"}
    apps = discovery("apps", *(resource(plural, kind, "apps") for plural, kind in kinds.items()))
    for root, items in (("/api", [core]), ("/apis", [apps])):
        server.on(root, Answer(body={"kind": "APIGroupDiscoveryList", "items": items}))
    FakeClock().install(monkeypatch)
    return connect(task)


def service(name: str = "web") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "tools"},
        "spec": {"selector": {"app": name}},
    }


def refusing(kube: Kube, task: FakeTask, *items: dict[str, Any], seconds: float = 30.0) -> NotReady:
    with pytest.raises(NotReady) as caught:
        wait.wait_ready(kube, task, list(items), seconds)
    return caught.value


def test_what_was_there_and_vanished_is_missed(server: Server, kube: Kube, task: FakeTask) -> None:
    """Seen once without endpoints, and then deleted: the earlier sight is no excuse."""
    gone = Answer(404, status_object(404, "NotFound", 'services "web" not found'))
    server.on(f"{SPACE}/services/web", Answer(body=service()), gone)
    for path in (
        "/apis/discovery.k8s.io/v1/namespaces/tools/endpointslices",
        f"{APPS}/deployments",
        f"{APPS}/statefulsets",
        f"{SPACE}/pods",
    ):
        server.on(f"{path}?limit=1000", Answer(body={"items": []}))
    failure = refusing(kube, task, service())
    assert [reason.code for reason in failure.reasons] == ["Missing"]
    assert failure.waited is not None and failure.waited < 10, "it does not come back by itself"


def test_what_may_not_be_listed_is_not_judged(server: Server, kube: Kube, task: FakeTask) -> None:
    server.on(f"{SPACE}/services/web", Answer(body=service()))
    slices = "/apis/discovery.k8s.io/v1/namespaces/tools/endpointslices?limit=1000"
    server.on(slices, Answer(403, status_object(403, "Forbidden", "cannot list resource")))
    assert wait.wait_ready(kube, task, [service()], 5.0)[0]["metadata"]["name"] == "web"


def workload(name: str) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "tools"}}


def test_many_that_are_not_ready_are_named_counted_and_cut_short(server: Server, kube: Kube, task: FakeTask) -> None:
    going = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/keep"]}
    items = []
    for number in range(wait.REPORTED + 5):
        item = workload(f"web-{number}")
        items.append({**item, "metadata": {**item["metadata"], **going}})
    server.on(f"{APPS}/deployments?limit=1000", Answer(body={"items": items}))
    failure = refusing(kube, task, *items, seconds=0.1)
    assert "Deployment tools/web-0, Deployment tools/web-1, Deployment tools/web-2 and 32 more" in failure.message()
    assert "(35 of 35 objects)" in failure.message()
    assert "held by example.com/keep" in failure.message()
    assert "and 5 more reasons of other objects" in failure.message()
    assert len(failure.reasons) == wait.REPORTED + 1


def test_a_paused_rollout_ends_the_wait_at_once(server: Server, kube: Kube, task: FakeTask) -> None:
    item = workload("web")
    item["spec"] = {"paused": True, "replicas": 1, "selector": {"matchLabels": {"app": "web"}}}
    item["metadata"]["generation"] = 1
    item["status"] = {"observedGeneration": 1}
    server.on(f"{APPS}/deployments/web", Answer(body=item))
    server.on(f"{SPACE}/pods?limit=1000&labelSelector=app%3Dweb", Answer(body={"items": []}))
    failure = refusing(kube, task, item)
    assert [reason.code for reason in failure.reasons] == ["Paused"]
    assert "will not become ready by waiting" in failure.message()
    assert len([one for one in server.requests if one.target.endswith("/deployments/web")]) == 1


def ready_deployment() -> dict[str, Any]:
    item = workload("web")
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    return {**item, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}}, "status": counts}


def ago(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pods(state: dict[str, Any], created: float = 60, **status: Any) -> Answer:
    container = {"name": "main", "restartCount": 0, **state}
    item = {
        "metadata": {
            "name": "web-1",
            "namespace": "tools",
            "labels": {"app": "web"},
            "creationTimestamp": ago(created),
        },
        "spec": {"containers": [{"name": "main", "image": "registry.example.com/web:1"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(bool(container.get("ready")))}],
            "containerStatuses": [container],
            **status,
        },
    }
    return Answer(body={"items": [item]})


PODS = f"{SPACE}/pods?limit=1000&labelSelector=app%3Dweb"


def test_a_deployment_is_not_believed_while_its_program_has_only_just_started(
    server: Server, kube: Kube, task: FakeTask
) -> None:
    server.on(f"{APPS}/deployments/web", Answer(body=ready_deployment()))
    young, old = ({"ready": True, "state": {"running": {"startedAt": ago(age)}}} for age in (0, 30))
    server.on(PODS, pods(young), pods(young), pods(old))
    wait.wait_ready(kube, task, [ready_deployment()], 5.0)
    assert len([one for one in server.requests if one.target == PODS]) == 3


def test_a_fault_that_does_not_heal_ends_the_wait_after_it_has_stood_for_a_while(
    server: Server, kube: Kube, task: FakeTask
) -> None:
    item = {**ready_deployment(), "status": {"replicas": 1, "updatedReplicas": 1}}
    server.on(f"{APPS}/deployments/web", Answer(body=item))
    server.on(PODS, pods({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}))
    failure = refusing(kube, task, item)
    assert [reason.code for reason in failure.reasons] == ["ImagePull"]
    assert failure.waited is not None and wait.TERMINAL_SECONDS <= failure.waited < 10


def test_advice_is_for_a_failure_and_not_for_who_still_waits(server: Server, kube: Kube, task: FakeTask) -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    item = {"apiVersion": "v1", "kind": "Pod", **pods({"state": waiting}).body["items"][0]}
    server.on(f"{SPACE}/pods/web-1", Answer(body=item))
    failure = refusing(kube, task, item)
    advice = "Check the image's name and tag"
    assert advice in failure.message()
    assert "cannot be pulled" in task.reported[0]
    assert not [line for line in task.reported if advice in line]


def test_a_fault_that_comes_and_goes_does_not_end_the_wait(server: Server, kube: Kube, task: FakeTask) -> None:
    """A Secret that is made a moment after its pod: the kubelet stops complaining."""
    item = {**ready_deployment(), "status": {"replicas": 1, "updatedReplicas": 1}}
    server.on(f"{APPS}/deployments/web", *[Answer(body=item)] * 32, Answer(body=ready_deployment()))
    says = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "a" not found'}}
    creating = pods({"state": {"waiting": {"reason": "ContainerCreating"}}}, created=0)
    # between the two complaints lies more time than a fault may stand
    complaints = [pods({"state": says}), *[creating] * 30, pods({"state": says})]
    server.on(PODS, *complaints, pods({"state": {"running": {"startedAt": ago(30)}}, "ready": True}))
    assert wait.wait_ready(kube, task, [item], 60.0)


def test_a_volume_that_is_missing_is_told_by_its_event_before_the_deadline(
    server: Server, kube: Kube, task: FakeTask
) -> None:
    item = {**ready_deployment(), "status": {"replicas": 1, "updatedReplicas": 1}}
    server.on(f"{APPS}/deployments/web", Answer(body=item))
    server.on(PODS, pods({"state": {"waiting": {"reason": "ContainerCreating"}}}, phase="Pending"))
    involved = {"kind": "Pod", "name": "web-1", "namespace": "tools"}
    event = {"involvedObject": involved, "reason": "FailedMount", "message": 'configmap "absent" not found'}
    server.on(f"{SPACE}/events?limit=1000&fieldSelector=type%3DWarning", Answer(body={"items": [event]}))
    failure = refusing(kube, task, item)
    assert [reason.code for reason in failure.reasons] == ["MissingObject"]
    assert failure.waited is not None and failure.waited < 10


def test_a_stateful_set_that_may_make_no_pods_is_told_by_its_event(server: Server, kube: Kube, task: FakeTask) -> None:
    changed = [{"manager": "x", "time": ago(20)}]
    item = {**ready_deployment(), "kind": "StatefulSet", "status": {"observedGeneration": 1}}
    item["metadata"] = {**item["metadata"], "managedFields": changed}
    server.on(f"{APPS}/statefulsets/web", Answer(body=item))
    server.on(PODS, Answer(body={"items": []}))
    involved = {"kind": "StatefulSet", "name": "web", "namespace": "tools"}
    event = {
        "involvedObject": involved,
        "reason": "FailedCreate",
        "message": 'pods "web-0" is forbidden: violates PodSecurity "restricted:latest"',
        "lastTimestamp": ago(10),
    }
    events = f"{SPACE}/events?limit=1000&fieldSelector=type%3DWarning"
    server.on(events, Answer(body={"items": [event]}))
    assert refusing(kube, task, item).reasons[0].terminal
    # tried before the last change only: the change may have healed it
    server.on(events, Answer(body={"items": [{**event, "lastTimestamp": ago(30)}]}))
    failure = refusing(kube, task, item, seconds=0.5)
    assert [(reason.code, reason.terminal) for reason in failure.reasons] == [("PodsRefused", False)]
