# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting on real pods: ready when they are, and otherwise the reason, soon and in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.workloads import CRASH, SLEEP, claim, deployment, job, pod_spec

TaskRunner = Callable[..., dict[str, Any]]


def test_ready_and_complete(run_task: TaskRunner, cloud: Any, namespace: str) -> None:
    definitions = [deployment(pod_spec(cloud.registry, SLEEP)), job(pod_spec(cloud.registry, "print('done')"))]
    definitions.append(claim("later", "managed-csi"))
    args = {"namespace": namespace, "wait": True, "wait_timeout": 60, "definitions": definitions}
    assert run_task("k8s_objects", args)["changed"]
    assert not run_task("k8s_objects", args)["changed"]


# what to run, and what the message must say
REASONS = {
    "image that is not there": (
        lambda registry: deployment(pod_spec(registry, SLEEP, image=f"{registry}/nowhere:1.0")),
        ["/nowhere:1.0 cannot be pulled", "not found"],
    ),
    "crash loop": (
        lambda registry: deployment(pod_spec(registry, "", command=CRASH)),
        ["is in CrashLoopBackOff", "exit code 3", "cannot open the ledger"],
    ),
    "missing key": (
        lambda registry: deployment(
            pod_spec(
                registry, SLEEP, env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "a"}}}]
            )
        ),
        ['secret "absent" not found', "Create what it refers to"],
    ),
    "admission": (
        lambda registry: deployment(pod_spec(registry, SLEEP, securityContext={"privileged": True})),
        ["violates PodSecurity", "securityContext"],
    ),
    "failed job": (
        lambda registry: job(pod_spec(registry, "", command=CRASH)),
        ["Job", "cannot open the ledger"],
    ),
}


# the gate has the two that are quick; the others wait for restarts and deadlines
QUICK = ("image that is not there", "admission")


@pytest.mark.parametrize(
    "reason",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in REASONS],
    ids=lambda name: name.replace(" ", "-"),
)
def test_reasons_end_the_wait_early(run_task: TaskRunner, cloud: Any, namespace: str, reason: str) -> None:
    make, reported = REASONS[reason]
    args = {"namespace": namespace, "wait": True, "wait_timeout": 300, "definitions": [make(cloud.registry)]}
    failed = run_task("k8s_objects", args, fails=True)
    # which no wait that came to its end says
    for words in (*reported, "will not become ready by waiting"):
        assert words in failed["msg"], failed["msg"]
    assert failed["changed"]
    assert failed["error"]["kind"] == "not_ready"


PATIENCE = {
    "unschedulable": (
        lambda registry: deployment(pod_spec(registry, SLEEP, resources={"requests": {"cpu": "900"}})),
        ["cannot be scheduled", "Insufficient cpu"],
    ),
    "probe": (
        lambda registry: deployment(
            pod_spec(registry, SLEEP, readinessProbe={"tcpSocket": {"port": 9}, "periodSeconds": 1})
        ),
        ["does not pass its probes", "connection refused"],
    ),
    "quota": (
        lambda registry: deployment(pod_spec(registry, SLEEP, resources={"limits": {"memory": "64Mi", "cpu": "1"}})),
        ["exceeded quota", "ResourceQuota"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("reason", PATIENCE)
def test_the_deadline_says_what_was_missing(run_task: TaskRunner, cloud: Any, namespace: str, reason: str) -> None:
    make, reported = PATIENCE[reason]
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"limits.memory": "1Mi"}},
    }
    definitions = [make(cloud.registry)] + ([quota] if reason == "quota" else [])
    args = {"namespace": namespace, "wait": True, "wait_timeout": 20, "definitions": definitions}
    failed = run_task("k8s_objects", args, fails=True)
    # how much longer the last look took is this machine's matter
    waited = re.search(r"not ready after (\d+) s", failed["msg"])
    assert waited is not None and int(waited[1]) >= 20
    for words in reported:
        assert words in failed["msg"], failed["msg"]
