# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts that need more than the object itself: endpoints, storage classes, events, ages."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import cluster

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "tools"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
}
READY = {"conditions": {"ready": True}}
LABELS = {"kubernetes.io/service-name": "web"}


def slices(*endpoints: dict[str, Any], ports: Any = ({"port": 8080},)) -> list[dict[str, Any]]:
    return [{"metadata": {"labels": LABELS}, "endpoints": list(endpoints), "ports": list(ports)}]


def pod(ready: bool, port: str = "http") -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "ports": [{"name": port}]}]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def workload(replicas: int, app: str = "web") -> dict[str, Any]:
    return {"spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": app}}}}}


# slices, pods, workloads → what is said, or None when the Service is ready
ENDPOINTS: dict[str, tuple[list[Any], list[Any], list[Any], str | None]] = {
    "ready": (slices(READY), [], [], None),
    "no word on ready counts as ready": (slices({}), [], [], None),
    "not ready": (slices({"conditions": {"ready": False}}), [pod(False)], [], "its only pod is not ready"),
    "no slice yet": ([], [pod(True)], [], "selects none of its 1 ready pods yet"),
    "slice without ports": (slices(READY, ports=()), [pod(True, "web")], [], "its pods name no port http"),
    "no pod": ([], [], [workload(1)], "no pod has its selector's labels app=web"),
    "scaled to none": ([], [], [workload(0)], None),
    "another is scaled to none": ([], [], [workload(0, "db")], "no pod has its selector's labels app=web"),
}


@pytest.mark.parametrize(("own", "pods", "workloads", "stated"), ENDPOINTS.values(), ids=ENDPOINTS.keys())
def test_endpoints(own: list[Any], pods: list[Any], workloads: list[Any], stated: str | None) -> None:
    found = cluster.judge_endpoints(SERVICE, own, pods, workloads)
    assert [(one.code, one.message) for one in found] == ([("NoEndpoints", stated)] if stated else [])


@pytest.mark.parametrize("spec", [{"type": "ExternalName", "selector": {"a": "b"}}, {"ports": []}, {"selector": {}}])
def test_a_service_that_others_fill_is_not_judged(spec: dict[str, Any]) -> None:
    assert cluster.judge_endpoints({**SERVICE, "spec": spec}, [], [], []) == []


def claim(class_name: str | None, **annotations: str) -> dict[str, Any]:
    spec = {} if class_name is None else {"storageClassName": class_name}
    metadata = {"name": "disk", "namespace": "tools", "annotations": annotations}
    return {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}


def classes(mode: str = "Immediate", default: bool = False) -> dict[str, Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"disk": {"metadata": {"name": "disk", "annotations": annotations}, "volumeBindingMode": mode}}


CLAIMS: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "class that binds at once": (claim("disk"), classes(), "no volume of disk is bound yet"),
    "class that waits for a pod": (claim("disk"), classes("WaitForFirstConsumer"), None),
    "pod is there": (
        claim("disk", **{"volume.kubernetes.io/selected-node": "node-1"}),
        classes("WaitForFirstConsumer"),
        "no volume of disk is bound yet",
    ),
    "class that is not there": (claim("fast"), classes(), "there is no storage class fast (there is disk)"),
    "no class and no default": (claim(None), classes(), "the cluster has no default one"),
    "no class and a default": (claim(None), classes(default=True), "no volume of the default class is bound yet"),
    "no class on purpose": (claim(""), classes(), "no volume of the default class is bound yet"),
}


@pytest.mark.parametrize(("item", "there", "stated"), CLAIMS.values(), ids=CLAIMS.keys())
def test_claims(item: dict[str, Any], there: dict[str, Any], stated: str | None) -> None:
    found = cluster.judge_claim_with_class(item, there)
    assert [one.code for one in found] == (["Unbound"] if stated else [])
    assert stated is None or stated in found[0].message


def event(reason: str, message: str, uid: str = "", when: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    involved = {"kind": "StatefulSet", "name": "db", "namespace": "tools", **({"uid": uid} if uid else {})}
    return {"involvedObject": involved, "reason": reason, "message": message, "lastTimestamp": when, **more}


DB = {"kind": "StatefulSet", "metadata": {"name": "db", "namespace": "tools", "uid": "2"}}


def test_events_of_an_earlier_object_of_that_name_do_not_count() -> None:
    assert cluster.events_about(DB, [event("x", "old", uid="1"), event("x", "new", uid="2")])[0]["message"] == "new"
    assert cluster.creation_refused(DB, [event("FailedCreate", "exceeded quota: small", uid="1")]) == []


def test_the_last_event_tells() -> None:
    reported = [
        event("FailedCreate", "exceeded quota: small", when="2026-01-01T00:00:02Z"),
        event("FailedCreate", "violates PodSecurity", when="2026-01-01T00:00:01Z"),
        event("Other", "nothing", when="2026-01-01T00:00:03Z"),
    ]
    assert [one.code for one in cluster.creation_refused(DB, reported)] == ["QuotaExceeded"]
    assert cluster.latest_warning(DB, reported) == "nothing"


@pytest.mark.parametrize(
    "times",
    [
        {"lastTimestamp": "2026-01-01T00:00:05Z"},
        {"lastTimestamp": None, "series": {"lastObservedTime": "2026-01-01T00:00:05.123456Z"}},
        {"lastTimestamp": None, "eventTime": "2026-01-01T00:00:05.000001Z"},
        {"lastTimestamp": None, "metadata": {"creationTimestamp": "2026-01-01T00:00:05Z"}},
    ],
)
def test_an_event_has_its_time_in_one_of_several_places(times: dict[str, Any]) -> None:
    assert cluster.event_time({**event("x", "y"), **times}) == datetime(2026, 1, 1, 0, 0, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("reason", "message", "code", "terminal"),
    [
        ("FailedMount", 'MountVolume.SetUp failed for volume "a" : configmap "b" not found', "MissingObject", True),
        ("FailedMount", 'volume "a" : references non-existent config key: c', "MissingKey", True),
        ("FailedMount", "timed out waiting for the condition", "VolumeNotMounted", False),
        ("FailedAttachVolume", "Multi-Attach error", "VolumeNotMounted", False),
        ("FailedCreatePodSandBox", "no addresses left", "SandboxFailed", False),
        ("Unhealthy", "probe failed", None, False),
    ],
)
def test_what_keeps_a_pod_from_starting(reason: str, message: str, code: str | None, terminal: bool) -> None:
    pod_event = {**event(reason, message), "involvedObject": {"kind": "Pod", "name": "a", "namespace": "b"}}
    found = cluster.pod_start_blockers({"metadata": {"name": "a", "namespace": "b"}}, [pod_event])
    assert [(one.code, one.terminal) for one in found] == ([(code, terminal)] if code else [])
