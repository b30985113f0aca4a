# SPDX-License-Identifier: GPL-3.0-or-later
"""When pods are believed: by what the cluster's own clocks say, on slow machines as well."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.containers import (
    LONGEST_SECONDS,
    of_workload,
    settling_reasons,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=timezone.utc)


def ago(seconds: float, clock: float = 0) -> str:
    """As the API writes it, in whole seconds; `clock` is how far that clock is ahead."""
    return (NOW + timedelta(seconds=clock - seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    started: float,
    *,
    ready: float | None = None,
    reported: float | None = None,
    clock: float = 0,
    restarts: int = 0,
    lived: float = 0,
    probed: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """A pod that runs: all times in seconds ago; `clock` is how far the node's is ahead of the API server's."""
    container = {"name": "main", **({"readinessProbe": {"periodSeconds": 1}} if probed else {})}
    state: dict[str, Any] = {"name": "main", "restartCount": restarts}
    state["state"] = {"running": {"startedAt": ago(started, clock)}}
    if restarts:
        ended = started + 10
        times = {"startedAt": ago(ended + lived, clock), "finishedAt": ago(ended, clock)}
        state["lastState"] = {"terminated": {"exitCode": 3, **times}}
    since = started if ready is None else ready
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": ago(since, clock)}
    metadata: dict[str, Any] = {"name": "web-1", "namespace": "tools"}
    if reported is not None:
        fields = {"f:status": {"f:containerStatuses": {}}}
        entry = {"manager": "any", "subresource": "status", "time": ago(reported), "fieldsV1": fields}
        elder = {"manager": "kube-scheduler", "time": ago(1), "fieldsV1": {"f:status": {"f:conditions": {}}}}
        metadata["managedFields"] = [entry, elder]
    status = {"phase": "Running", "conditions": [condition], "containerStatuses": [state]}
    return {
        "metadata": metadata | more.pop("metadata", {}),
        "spec": {"containers": [container]},
        "status": status | more,
    }


CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "just started": (pod(5, reported=5), "Starting"),
    "started": (pod(6, reported=6), None),
    "reported late": (pod(9, ready=8, reported=4), "Starting"),
    "reported late, a while ago": (pod(9, ready=8, reported=6), None),
    "noticed late": (pod(14, ready=10, reported=9), "Starting"),
    "noticed late, a while ago": (pod(17, ready=13, reported=12), None),
    "noticed very late": (pod(200, ready=100, reported=59), "Starting"),
    "noticed very late, long ago": (pod(300, ready=100, reported=LONGEST_SECONDS), None),
    "node's clock behind": (pod(3, reported=3, clock=-3600), "Starting"),
    "node's clock ahead": (pod(7, reported=7, clock=3600), None),
    "node's clock ahead, just started": (pod(2, reported=2, clock=3600), "Starting"),
    "no report, node's clock ahead": (pod(2, clock=30), "Starting"),
    "just ready by its probe": (pod(30, ready=1, reported=1, probed=True), "Starting"),
    "ready by its probe": (pod(30, ready=2, reported=2, probed=True), None),
    "a probe that passed late says nothing about the kubelet": (pod(90, ready=3, reported=3, probed=True), None),
    "just restarted": (pod(9, reported=9, restarts=1), "Crashing"),
    "just restarted and probed": (pod(9, reported=9, restarts=1, probed=True), "Crashing"),
    "restarted for longer than it lived": (pod(31, reported=31, restarts=2, lived=25), None),
    "restarted for as long as it lived": (pod(26, reported=26, restarts=2, lived=25), "Crashing"),
    "restarted and probed for as long as it lived": (
        pod(26, reported=26, restarts=2, lived=25, probed=True),
        "Crashing",
    ),
    "long since restarted": (pod(60, reported=60, restarts=1, lived=86400), None),
    "going": (pod(0, metadata={"deletionTimestamp": "x"}), None),
    "evicted": (pod(0, phase="Failed"), None),
    "done": (pod(0, phase="Succeeded"), None),
}


@pytest.mark.parametrize(("item", "code"), CASES.values(), ids=CASES)
def test_a_pod_is_believed_after_it_has_stayed_ready_for_a_while(item: dict[str, Any], code: str | None) -> None:
    assert [one.code for one in settling_reasons([item], NOW)] == ([code] if code else [])


NOT_READY = {"conditions": [{"type": "Ready", "status": "False", "message": "containers with unready status: [main]"}]}
UNREADY: dict[str, tuple[dict[str, Any], str]] = {
    "ended": ({"name": "main", "restartCount": 0, "state": {"terminated": {"exitCode": 3}}}, "Crashed"),
    "waits": ({"name": "main", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, "CrashLoop"),
    "done, and to be started again": (
        {"name": "main", "restartCount": 0, "state": {"terminated": {"exitCode": 0}}},
        "Starting",
    ),
}


@pytest.mark.parametrize(("state", "code"), UNREADY.values(), ids=UNREADY)
def test_a_workload_that_counts_a_pod_which_has_ended_is_not_believed(state: dict[str, Any], code: str) -> None:
    """Its controller is behind: the workload was read as ready, the pod is not."""
    item = pod(30, **NOT_READY, containerStatuses=[state])
    assert [one.code for one in settling_reasons([item], NOW)] == [code]


def test_a_sidecar_is_no_better_than_a_container() -> None:
    item = pod(30, reported=30)
    item["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}, {"name": "once"}]
    running = {"running": {"startedAt": ago(30)}}
    item["status"]["initContainerStatuses"] = [
        {"name": "proxy", "restartCount": 4, "state": running, "lastState": {"terminated": {"exitCode": 1}}},
        {"name": "once", "restartCount": 4, "state": {"terminated": {"exitCode": 0}}},
    ]
    assert settling_reasons([item], NOW) == []
    item["metadata"]["managedFields"][0]["time"] = ago(8)
    (reason,) = settling_reasons([item], NOW)
    assert reason.code == "Crashing" and "container proxy" in reason.subject


def test_of_selected_pods_those_of_others_do_not_matter() -> None:
    def made(kind: str, name: str) -> dict[str, Any]:
        return {"metadata": {"name": "p", "ownerReferences": [{"kind": kind, "name": name, "controller": True}]}}

    own, others = made("ReplicaSet", "web-6f7"), made("Job", "web-migrate")
    web = {"kind": "Deployment", "metadata": {"name": "web"}}
    assert of_workload(web, [own, others, made("ReplicaSet", "web-api-6f7")]) == [own]
    assert of_workload({**web, "kind": "StatefulSet"}, [own, made("StatefulSet", "web")]) == [
        made("StatefulSet", "web")
    ]
    assert of_workload(web, [{"metadata": {"name": "bare"}}]) == [{"metadata": {"name": "bare"}}]


LIVES = (0.4, 1.2, 2.5, 3.0)
DELAYS = (0.0, 0.7, 1.5, 4.0)
OFFSETS = (0.0, 0.35, 0.99)


SKEWS = (-3600.0, -2.0, 0.0, 2.0, 3600.0)


@pytest.mark.parametrize(("lived", "delay"), list(itertools.product(LIVES, DELAYS)))
def test_what_ends_within_three_seconds_is_never_believed(lived: float, delay: float) -> None:
    for offset, skew in itertools.product(OFFSETS, SKEWS):
        not_believed(lived, delay, offset, skew)


def not_believed(lived: float, delay: float, offset: float, skew: float) -> None:
    """The promise of the documentation, for a kubelet that reports an end 2 s later than it reported the start.

    Whenever one looks: from the report of the start to that of the end, ten times a second.
    """
    start = NOW + timedelta(seconds=offset)
    known = start + timedelta(seconds=delay)
    ended = start + timedelta(seconds=lived + delay + 2)
    written = known.strftime("%Y-%m-%dT%H:%M:%SZ")
    node = timedelta(seconds=skew)
    state = {"running": {"startedAt": (start + node).strftime("%Y-%m-%dT%H:%M:%SZ")}}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": (known + node).strftime("%Y-%m-%dT%H:%M:%SZ")}
    fields = {"f:status": {"f:containerStatuses": {}}}
    item = {
        "metadata": {"name": "a", "managedFields": [{"manager": "kubelet", "time": written, "fieldsV1": fields}]},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"conditions": [ready], "containerStatuses": [{"name": "main", "restartCount": 0, "state": state}]},
    }
    look = known
    while look < ended:
        assert settling_reasons([item], look.replace(microsecond=0)), (
            f"believed {(look - start).total_seconds()} s after"
        )
        look += timedelta(seconds=0.1)
