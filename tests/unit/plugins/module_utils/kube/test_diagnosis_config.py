# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that run with an older Secret or ConfigMap: when it is a finding, and when it is none."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube import config_digest
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import Reference
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis import pods
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import in_order

from .test_diagnosis import Item, ago, deployment, item, pod, snapshot

ENVIRONMENT = {"envFrom": [{"secretRef": {"name": "keys"}}]}
ONE_KEY = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}]}


def running(started: float = 1800, **more: Any) -> Item:
    """A pod that has been there for an hour, and its container for less."""
    return pod("web-77-1", {"state": {"running": {"startedAt": ago(started)}}, "ready": True, "started": True}, **more)


def wrote(manager: str, age: float, **fields: Any) -> Item:
    return {"manager": manager, "operation": "Update", "time": ago(age), "fieldsV1": fields}


def data(*keys: str) -> Item:
    return {"f:data": {".": {}, **{f"f:{key}": {} for key in keys}}}


def held(*entries: Item, kind: str = "Secret", age: float = 7200) -> Item:
    return item(kind, "keys", age, metadata={"managedFields": list(entries)})


def findings(*items: Item, **more: Any) -> dict[str, Item]:
    """What is found, by id."""
    return {one.identifier: one.to_dict() for one in in_order(pods.stale_config_findings(snapshot(*items, **more)))}


LABEL = {"f:metadata": {"f:labels": {"f:team": {}}}}
# what stands → the pod, whether it is a finding
CASES: dict[str, tuple[Item, Item, bool]] = {
    "written after the start": (held(wrote("kubectl-edit", 60, **data("a"))), running(**ENVIRONMENT), True),
    "written before the start": (held(wrote("mcpops", 3000, **data("a"))), running(**ENVIRONMENT), False),
    "another manager wrote a label": (
        held(wrote("mcpops", 3000, **data("a")), wrote("kubectl-label", 60, **LABEL)),
        running(**ENVIRONMENT),
        False,
    ),
    "another key": (
        held(wrote("mcpops", 3000, **data("a")), wrote("kubectl-edit", 60, **data("b"))),
        running(**ONE_KEY),
        False,
    ),
    "the key that is used": (
        held(wrote("mcpops", 3000, **data("b")), wrote("kubectl-edit", 60, **data("a"))),
        running(**ONE_KEY),
        True,
    ),
    "made again": (held(age=60), running(**ENVIRONMENT), True),
    "the container has crashed and started since": (
        held(wrote("kubectl-edit", 60, **data("a"))),
        running(30, **ENVIRONMENT),
        False,
    ),
    "a pod that is younger, on a node whose clock is behind": (
        held(wrote("mcpops", 60, **data("a"))),
        running(90, age=50, **ENVIRONMENT),
        False,
    ),
    "a volume renews itself": (
        held(wrote("kubectl-edit", 60, **data("a"))),
        {**running(), "spec": {"containers": [{"name": "main"}], "volumes": [{"secret": {"secretName": "keys"}}]}},
        False,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_pod_that_is_older_than_what_it_uses(case: str) -> None:
    existing, one, expected = CASES[case]
    found = findings(deployment(), one, existing)
    assert list(found) == (["StaleConfig/tools/Deployment/web/secret/keys"] if expected else [])


def test_the_finding_says_who_and_when_and_what_to_do() -> None:
    reported = findings(deployment(), running(**ENVIRONMENT), held(wrote("kubectl-edit", 60, **data("a"))))
    [one] = reported.values()
    assert one["severity"] == "warning"
    assert one["pods"] == ["web-77-1"]
    assert one["evidence"] == [
        {"source": "status", "text": "Secret keys was written by kubectl-edit at 2026-01-01T11:59:00Z"},
        {"source": "status", "text": "Pod web-77-1 container main runs since 2026-01-01T11:30:00Z"},
    ]
    assert "kubectl rollout restart deployment/web -n tools" in one["advice"]


def test_a_file_by_subpath_and_a_sidecar_are_looked_at() -> None:
    """A ConfigMap, whose file a container beside the first one has mounted alone."""
    one = running()
    mount = {"name": "conf", "mountPath": "/etc/app.conf", "subPath": "app.conf"}
    one["spec"] = {
        "containers": [{"name": "main"}],
        "initContainers": [{"name": "proxy", "restartPolicy": "Always", "volumeMounts": [mount]}],
        "volumes": [{"name": "conf", "configMap": {"name": "keys"}}],
    }
    one["status"]["initContainerStatuses"] = [{"name": "proxy", "state": {"running": {"startedAt": ago(1800)}}}]
    changed = held(wrote("kubectl-edit", 60, **data("app.conf")), kind="ConfigMap")
    assert list(findings(deployment(), one, changed)) == ["StaleConfig/tools/Deployment/web/configmap/keys"]


def test_pods_of_a_rollout_that_is_on_its_way_and_of_jobs_are_left_out() -> None:
    changed = held(wrote("mcpops", 60, **data("a")))
    assert findings(deployment(updatedReplicas=0), running(**ENVIRONMENT), changed) == {}
    leaving = running(**ENVIRONMENT)
    leaving["metadata"]["deletionTimestamp"] = ago(5)
    assert findings(deployment(), leaving, changed) == {}
    of_job = running(**ENVIRONMENT)
    of_job["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "work", "controller": True}]
    assert findings(item("Job", "work", status={"active": 1}, spec={}), of_job, changed) == {}


# a workload's kind, its specification and status → whether its pods will be replaced anyway
ROLLOUTS: dict[str, tuple[str, Item, Item, bool]] = {
    "a set that stands": ("StatefulSet", {}, {"currentRevision": "a", "updateRevision": "a"}, True),
    "a set that rolls": ("StatefulSet", {}, {"currentRevision": "a", "updateRevision": "b"}, False),
    "a set that replaces nothing itself": (
        "StatefulSet",
        {"updateStrategy": {"type": "OnDelete"}},
        {"currentRevision": "a", "updateRevision": "b"},
        True,
    ),
    "a daemon that stands": ("DaemonSet", {}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}, True),
    "a daemon that rolls": ("DaemonSet", {}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1}, False),
}


@pytest.mark.parametrize("case", ROLLOUTS)
def test_other_workloads_alike(case: str) -> None:
    kind, spec, status, expected = ROLLOUTS[case]
    one = running(**ENVIRONMENT)
    one["metadata"]["ownerReferences"] = [{"kind": kind, "name": "web", "controller": True, "apiVersion": "apps/v1"}]
    found = findings(item(kind, "web", spec=spec, status=status), one, held(wrote("kubectl-edit", 60, **data("a"))))
    assert list(found) == ([f"StaleConfig/tools/{kind}/web/secret/keys"] if expected else [])


def test_a_label_of_the_manager_of_the_values_is_told_from_a_value_where_the_pod_carries_the_digest() -> None:
    content = config_digest.Content({"a": "fingerprint"})
    record = {"secret/keys": str(config_digest.reference_digest(Reference("Secret", "keys"), content))}
    one = running(**ENVIRONMENT)
    one["metadata"]["annotations"] = {config_digest.DIGEST_ANNOTATION: config_digest.record_text(record)}
    changed = held(wrote("mcpops", 60, **data("a"), **LABEL))
    key = ("Secret", "tools", "keys")
    assert pods.possibly_stale(snapshot(deployment(), one, changed)) == [key]
    assert findings(deployment(), one, changed, contents={key: content}) == {}
    other = config_digest.Content({"a": "another"})
    assert len(findings(deployment(), one, changed, contents={key: other})) == 1
    # one that may not be read clears nothing
    assert len(findings(deployment(), one, changed)) == 1
    assert pods.possibly_stale(snapshot(deployment(), running(**ENVIRONMENT), changed)) == []


def test_a_bare_pod_is_its_own_workload() -> None:
    one = running(**ENVIRONMENT)
    del one["metadata"]["ownerReferences"]
    [found] = findings(one, held(wrote("kubectl-edit", 60, **data("a")))).values()
    assert (found["object"]["kind"], found["pods"]) == ("Pod", [])
    assert "only when it starts" in found["advice"]
