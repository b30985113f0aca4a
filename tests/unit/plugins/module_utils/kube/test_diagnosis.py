# SPDX-License-Identifier: GPL-3.0-or-later
"""From a snapshot to findings: whom they blame, what they leave out, how long they wait; and what it all costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.diagnosis import Facts
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.domain import NAME
from ansible_collections.mcpops.platform.plugins.module_utils.kube import k8s_diagnosis_info
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import (
    Finding,
    Snapshot,
    in_order,
    read_snapshot,
)

from .conftest import Answer, FakeTask, Server, status_object

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=timezone.utc)
KINDS = (
    "Pod",
    "Event",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "Service",
    "EndpointSlice",
    "MCPServer",
    "Node",
)
GROUPS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}
Item = dict[str, Any]


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def item(kind: str, name: str, age: float = 3600, **more: Any) -> Item:
    metadata = {"name": name, "namespace": "tools", "creationTimestamp": ago(age), **more.pop("metadata", {})}
    if kind in ("Node", "Namespace", "APIService"):
        del metadata["namespace"]
    return {"apiVersion": GROUPS.get(kind, "v1"), "kind": kind, "metadata": metadata, **more}


def pod(name: str, state: Item, age: float = 3600, owner: str = "web-77", **more: Any) -> Item:
    reference = {"kind": "ReplicaSet", "name": owner, "controller": True, "apiVersion": "apps/v1"}
    labels = {"app": owner.partition("-")[0], "pod-template-hash": owner.partition("-")[2]}
    ready = [{"type": "Ready", "status": str(bool(state.get("ready")))}]
    status = {
        "phase": "Running",
        "conditions": ready,
        "containerStatuses": [{"name": "main", "restartCount": 0, **state}],
    }
    spec = {"containers": [{"name": "main", "image": "registry.example.com/web:1", **more}]}
    metadata = {"ownerReferences": [reference], "labels": labels}
    return item("Pod", name, age, metadata=metadata, status=status, spec=spec)


def deployment(name: str = "web", **status: Any) -> Item:
    template = {"metadata": {"labels": {"app": name}}}
    counts = dict.fromkeys(("replicas", "updatedReplicas"), 1)
    return item("Deployment", name, spec={"replicas": 1, "template": template}, status={**counts, **status})


def event(about: Item, reason: str, message: str) -> Item:
    involved = {"kind": about["kind"], "name": about["metadata"]["name"], "namespace": "tools"}
    return item("Event", f"e-{message}", involvedObject=involved, reason=reason, message=message, lastTimestamp=ago(1))


def snapshot(*items: Item, **more: Any) -> Snapshot:
    objects: dict[str, list[Item]] = {kind: [] for kind in KINDS}
    for one in items:
        objects.setdefault(one["kind"], []).append(one)
    return Snapshot(objects, NOW, **more)


def findings(*items: Item, **more: Any) -> dict[str, Item]:
    """What is found, by id; the DNS, which these clusters lack, left out."""
    rows = [one.to_dict() for one in k8s_diagnosis_info.classify(snapshot(*items, **more), DOMAINS)]
    return {row["id"]: row for row in rows if row["code"] != "DnsDown"}


NO_IMAGE = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
CRASHED = {"exitCode": 3, "finishedAt": ago(60)}
LOOP = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 5, "lastState": {"terminated": CRASHED}}
RUNS = {"state": {"running": {"startedAt": ago(30)}}, "ready": True, "started": True}
UNREADY = {"state": {"running": {"startedAt": ago(30)}}, "ready": False, "started": True}


def test_ten_pods_with_one_fault_are_one_finding_about_their_workload() -> None:
    pods = [pod(f"web-77-{number}", NO_IMAGE) for number in range(10)]
    found = findings(deployment(), *pods)
    assert list(found) == ["ImagePull/tools/Deployment/web/main"]
    one = found["ImagePull/tools/Deployment/web/main"]
    assert len(one["pods"]) == 10
    assert one["severity"] == "error"
    assert "Check the image" in one["advice"]


def test_two_faults_of_one_workload_are_two_findings() -> None:
    both = [pod("web-77-1", NO_IMAGE), pod("web-77-2", LOOP)]
    assert list(findings(deployment(), *both)) == [
        "CrashLoop/tools/Deployment/web/main",
        "ImagePull/tools/Deployment/web/main",
    ]


# state of a container, seconds since the pod was made → code, or None while it is normal
PATIENCE: dict[str, tuple[Item, float, str | None]] = {
    "starts": ({"state": {"waiting": {"reason": "ContainerCreating"}}}, 119, None),
    "starts for long": ({"state": {"waiting": {"reason": "ContainerCreating"}}}, 120, "Starting"),
    "probe that is young": (UNREADY, 3600, None),
    "probe that is old": ({**UNREADY, "state": {"running": {"startedAt": ago(60)}}}, 3600, "NotPassingProbes"),
    "runs": (RUNS, 3600, None),
    "runs after one crash": ({**RUNS, "restartCount": 1, "lastState": {"terminated": CRASHED}}, 3600, None),
    "runs after three crashes": ({**RUNS, "restartCount": 3, "lastState": {"terminated": CRASHED}}, 3600, "CrashLoop"),
    "crashed long ago": (
        {**RUNS, "restartCount": 3, "lastState": {"terminated": {"exitCode": 3, "finishedAt": ago(601)}}},
        3600,
        None,
    ),
    "runs after it was out of memory": (
        {**RUNS, "restartCount": 1, "lastState": {"terminated": {**CRASHED, "reason": "OOMKilled"}}},
        3600,
        "OutOfMemory",
    ),
    "ended well and started anew": (
        {**RUNS, "restartCount": 9, "lastState": {"terminated": {"exitCode": 0, "finishedAt": ago(5)}}},
        3600,
        None,
    ),
}


@pytest.mark.parametrize(("state", "age", "code"), PATIENCE.values(), ids=PATIENCE.keys())
def test_what_is_normal_for_a_while_is_no_finding(state: Item, age: float, code: str | None) -> None:
    one = pod("web-77-1", state, age)
    if "waiting" in state.get("state", {}):
        one["status"]["phase"] = "Pending"
    found = findings(deployment(availableReplicas=1, readyReplicas=1), one)
    assert [row["code"] for row in found.values()] == ([code] if code else [])


def test_a_probe_that_an_event_speaks_of_is_told_at_once() -> None:
    one = pod("web-77-1", UNREADY)
    found = findings(deployment(), one, event(one, "Unhealthy", "Readiness probe failed: HTTP 500"))
    row = found["NotPassingProbes/tools/Deployment/web/main"]
    assert row["evidence"] == [{"source": "event", "text": "Readiness probe failed: HTTP 500"}]


def test_evidence_hides_what_the_pods_own_variables_hold() -> None:
    one = pod("web-77-1", LOOP, env=[{"name": "LEDGER", "value": "ledger.example.com"}])
    reported = event(one, "BackOff", "cannot reach ledger.example.com with password=hunter2")
    row = findings(deployment(), one, reported)["CrashLoop/tools/Deployment/web/main"]
    assert row["evidence"][-1]["text"] == "cannot reach $(LEDGER) with password=********"


def test_pods_of_a_job_that_is_complete_are_no_fault_and_one_that_failed_is_one() -> None:
    ended = {"state": {"terminated": {"exitCode": 3}}}
    one = pod("work-1", ended)
    one["metadata"]["ownerReferences"][0].update(kind="Job", name="work")
    done = item("Job", "work", status={"conditions": [{"type": "Complete", "status": "True"}]})
    assert findings(done, one) == {}
    failed = item("Job", "work", status={"conditions": [{"type": "Failed", "status": "True", "message": "limit"}]})
    assert list(findings(failed, one)) == ["JobFailed/tools/Job/work"]


def test_a_workload_speaks_when_its_pods_do_not() -> None:
    late = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
    assert list(findings(deployment(**late))) == ["ProgressDeadlineExceeded/tools/Deployment/web"]
    assert "ProgressDeadlineExceeded/tools/Deployment/web" not in findings(deployment(**late), pod("web-77-1", LOOP))


def test_a_stateful_set_whose_pods_are_refused_says_so_by_its_event() -> None:
    db = item("StatefulSet", "db", 5, spec={"replicas": 1}, status={"observedGeneration": 1})
    refused = event(db, "FailedCreate", 'pods "db-0" is forbidden: exceeded quota: small')
    assert list(findings(db, refused)) == ["QuotaExceeded/tools/StatefulSet/db"]
    assert findings(db) == {}, "its pods are only seconds late"


def test_a_service_names_the_finding_it_follows_from() -> None:
    service = item("Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    found = findings(deployment(), pod("web-77-1", NO_IMAGE), service)
    assert found["NoEndpoints/tools/Service/web"]["caused_by"] == ["ImagePull/tools/Deployment/web/main"]
    assert found["NoEndpoints/tools/Service/web"]["advice"] == "Deal with what it follows from."
    young = {**service, "metadata": {**service["metadata"], "creationTimestamp": ago(5)}}
    assert "NoEndpoints/tools/Service/web" not in findings(deployment(), pod("web-77-1", RUNS), young)


def test_only_the_namespaces_that_were_asked_about() -> None:
    other = pod("web-77-1", NO_IMAGE)
    other["metadata"]["namespace"] = "other"
    assert findings(other, namespaces=frozenset({"tools"})) == {}
    assert list(findings(other)) == ["ImagePull/other/ReplicaSet/web-77/main"]


def dns(*endpoints: Item) -> list[Item]:
    labels = {"k8s-app": "kube-dns"}
    service = item("Service", "kube-dns", metadata={"namespace": "kube-system", "labels": labels}, spec={})
    of = {"kubernetes.io/service-name": "kube-dns"}
    slices = item("EndpointSlice", "kube-dns-1", metadata={"namespace": "kube-system", "labels": of})
    return [service, {**slices, "ports": [{"port": 53}], "endpoints": list(endpoints)}]


@pytest.mark.parametrize(
    ("items", "more", "stated"),
    [
        (dns({"conditions": {"ready": True}}), {}, None),
        (dns({"conditions": {"ready": False}}), {}, "no DNS server is ready"),
        ([], {}, "has no Service labelled"),
        ([], {"unread": {"Service": "may not be listed in other namespaces"}}, None),
    ],
)
def test_dns(items: list[Item], more: Item, stated: str | None) -> None:
    found = [one for one in k8s_diagnosis_info.classify(snapshot(*items, **more), DOMAINS) if one.code == "DnsDown"]
    assert len(found) == (1 if stated else 0)
    assert stated is None or stated in found[0].summary


def server(generation: int, seen: int | None, age: float = 60, **condition: str) -> Item:
    conditions = [condition] if condition else []
    status = {"conditions": conditions, **({} if seen is None else {"observedGeneration": seen})}
    return item("MCPServer", "echo", age, metadata={"generation": generation}, status=status)


def controller(available: int, replicas: int = 1) -> Item:
    labels = {"app.kubernetes.io/name": "kmcp", "control-plane": "controller-manager"}
    place = {"namespace": "kmcp-system", "labels": labels}
    counts = dict.fromkeys(("availableReplicas", "readyReplicas", "updatedReplicas", "replicas"), available)
    return item("Deployment", "kmcp-controller-manager", metadata=place, spec={"replicas": replicas}, status=counts)


def renamed(available: int, replicas: int = 1) -> Item:
    """A controller whose release, chart and image say nothing of KMCP."""
    found = controller(available)
    labels = {"app.kubernetes.io/name": "tool-servers", "control-plane": "controller-manager"}
    found["metadata"] = {**found["metadata"], "name": "tool-servers", "namespace": "ops", "labels": labels}
    found["spec"] = {"replicas": replicas, "template": {"spec": {"serviceAccountName": "keeper", "containers": []}}}
    return found


KMCP: dict[str, tuple[list[Item], list[str]]] = {
    "all is well": ([controller(1), server(2, 2)], []),
    "behind": ([controller(1), server(2, 1)], ["ControllerBehind/tools/MCPServer/echo"]),
    "never seen": ([controller(1), server(1, None)], ["ControllerBehind/tools/MCPServer/echo"]),
    "just changed": ([controller(1), server(2, 1, 14)], []),
    "scaled to none": (
        [controller(0, 0), server(2, 1)],
        ["ControllerDown/kmcp-system/Deployment/kmcp-controller-manager"],
    ),
    "under other names, by the rights of its account": (
        [renamed(1), server(2, 1)],
        ["ControllerBehind/tools/MCPServer/echo"],
    ),
    "down under other names": ([renamed(0, 0), server(2, 1)], ["ControllerDown/ops/Deployment/tool-servers"]),
    "not there": ([server(2, 1)], ["ControllerDown/Deployment/kmcp-controller-manager"]),
    "refused": (
        [controller(1), server(1, 1, type="Accepted", status="False", message="unsupported")],
        ["NotAccepted/tools/MCPServer/echo"],
    ),
    "cannot be made": (
        [controller(1), server(1, 1, type="Programmed", status="False", message="denied")],
        ["NotProgrammed/tools/MCPServer/echo"],
    ),
}


@pytest.mark.parametrize(("items", "ids"), KMCP.values(), ids=KMCP.keys())
def test_kmcp(items: list[Item], ids: list[str]) -> None:
    facts = {NAME: Facts(keepers={("ops", "keeper"): True})}
    assert list(findings(*items, facts=facts)) == ids


def test_a_controller_that_nobody_can_tell_is_not_called_missing() -> None:
    assert list(findings(renamed(1), server(2, 1, 14))) == []


def test_a_webhook_that_fails_open_is_a_warning() -> None:
    def webhook(policy: str) -> Item:
        hook = {
            "name": "a.example.com",
            "failurePolicy": policy,
            "clientConfig": {"service": {"namespace": "x", "name": "y"}},
        }
        return item("MutatingWebhookConfiguration", "a", webhooks=[hook])

    (failing,) = findings(webhook("Fail")).values()
    (open_one,) = findings(webhook("Ignore")).values()
    assert (failing["code"], failing["severity"], open_one["severity"]) == ("WebhookDown", "error", "warning")
    assert "Service x/y does not exist" in failing["summary"]


def test_the_worst_comes_first_and_nothing_twice() -> None:
    rows = [Finding(code, item("Node", "n"), "x") for code in ("NodeCordoned", "NodePressure", "NodeNotReady")]
    assert [one.code for one in in_order([*rows, *rows])] == ["NodeNotReady", "NodePressure", "NodeCordoned"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"namespaces": ["Tools"]}, "namespaces[0]"),
        ({"namespaces": ["tools", "a_b"]}, "namespaces[1]"),
        ({"log_lines": 101}, "log_lines: 101 is outside 0 to 100"),
        ({"log_lines": -1}, "log_lines: -1 is outside 0 to 100"),
    ],
    ids=["upper-case", "underscore", "too-many-lines", "negative-lines"],
)
def test_bad_options(params: Item, words: str) -> None:
    task = FakeTask({"namespaces": [], "log_lines": 8, "cluster_scope": True, **params})
    with pytest.raises(InvalidInput) as caught:
        k8s_diagnosis_info.diagnose(task)
    assert words in caught.value.message()


PLURALS = {
    "v1": {"Pod": "pods", "Event": "events", "Service": "services", "Namespace": "namespaces", "Node": "nodes"},
    "apps/v1": {"Deployment": "deployments"},
}


def serve(server: Server, pods: list[Item]) -> None:
    for root, groups in (("/api", [""]), ("/apis", ["apps"])):
        items = []
        for group in groups:
            api_version = f"{group}/v1" if group else "v1"
            resources = [
                {
                    "resource": plural,
                    "responseKind": {"group": group, "version": "v1", "kind": kind},
                    "scope": "Cluster" if kind in ("Namespace", "Node") else "Namespaced",
                    "verbs": ["list"],
                }
                for kind, plural in PLURALS[api_version].items()
            ]
            items.append({"metadata": {"name": group}, "versions": [{"version": "v1", "resources": resources}]})
        server.on(root, Answer(body={"kind": "APIGroupDiscoveryList", "items": items}))
    for path in ("services", "nodes"):
        server.on(f"/api/v1/{path}?limit=1000", Answer(body={"items": []}))
    server.on("/api/v1/namespaces?limit=1000", Answer(body={"items": [{"metadata": {"name": "tools"}}]}))
    server.on("/api/v1/pods?limit=1000", Answer(body={"items": pods}))
    server.on("/api/v1/events?limit=1000&fieldSelector=type%3DWarning", Answer(body={"items": []}))
    server.on("/apis/apps/v1/deployments?limit=1000", Answer(body={"items": []}))


def test_the_number_of_requests_does_not_grow_with_the_objects(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    serve(server, [pod(f"web-77-{number}", NO_IMAGE) for number in range(500)])
    seen = read_snapshot(connect(task), [], True)
    assert len(seen.of("Pod")) == 500
    kinds = sum(len(kinds) for kinds in PLURALS.values())
    assert len(server.requests) == kinds + 2, "one list a kind, and two requests to learn the kinds"
    assert {request.method for request in server.requests} == {"GET"}


def test_what_may_not_be_read_is_named(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    serve(server, [])
    forbidden = Answer(403, status_object(403, "Forbidden", "cannot list"))
    for path in ("/api/v1/nodes?limit=1000", "/apis/apps/v1/deployments?limit=1000"):
        server.on(path, forbidden)
    place = "/apis/apps/v1/namespaces/tools/deployments?limit=1000"
    server.on(place, Answer(body={"items": [{"metadata": {"name": "web", "namespace": "tools"}}]}))
    for path in ("pods", "events"):
        query = "limit=1000&fieldSelector=type%3DWarning" if path == "events" else "limit=1000"
        server.on(f"/api/v1/namespaces/tools/{path}?{query}", Answer(body={"items": []}))
    seen = read_snapshot(connect(task), ["tools"], True)
    assert seen.unread == {"Node": "may not be listed", "Deployment": "may not be listed in other namespaces"}
    assert len(seen.of("Deployment")) == 1
    assert not seen.complete("Deployment")
