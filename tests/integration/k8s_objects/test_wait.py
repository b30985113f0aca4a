# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting on real pods: ready when they are, and otherwise the reason, soon and in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object

TaskRunner = Callable[..., dict[str, Any]]

SECURE: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod_spec(registry: str, code: str, **more: Any) -> dict[str, Any]:
    """One Python container that runs `code`; `image` and other container fields may be given."""
    container = {
        "name": "main",
        "image": f"{registry}/echo-mcp:1.0.0",
        "command": ["python", "-c", code],
        "securityContext": SECURE,
        **more,
    }
    return {"containers": [container], "terminationGracePeriodSeconds": 0}


def deployment(spec: Mapping[str, Any], replicas: int = 1) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": dict(spec)},
        },
    }


def job(spec: Mapping[str, Any]) -> Object:
    template = {"spec": {**spec, "restartPolicy": "Never"}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work"},
        "spec": {"backoffLimit": 0, "template": template},
    }


SLEEP = "import time; time.sleep(600)"
# A shell ends before its container is called running; an interpreter that starts slowly is ready for a moment.
CRASH = ["sh", "-c", "echo cannot open the ledger; exit 3"]


def test_ready_and_complete(run_task: TaskRunner, cloud: Any, namespace: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "later"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "managed-csi",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    definitions = [deployment(pod_spec(cloud.registry, SLEEP)), job(pod_spec(cloud.registry, "print('done')")), claim]
    args = {"namespace": namespace, "wait": True, "wait_timeout": 60, "definitions": definitions}
    assert run_task("k8s_objects", args)["changed"]
    assert not run_task("k8s_objects", args)["changed"]


# what to run, how long it may take, and what the message must say
REASONS = {
    "image that is not there": (
        lambda registry: deployment(pod_spec(registry, SLEEP, image=f"{registry}/nowhere:1.0")),
        30,
        ["/nowhere:1.0 cannot be pulled", "not found", "will not become ready by waiting"],
    ),
    "crash loop": (
        lambda registry: deployment(pod_spec(registry, "", command=CRASH)),
        75,
        ["crashes again and again", "exit code 3", "cannot open the ledger", "will not become ready by waiting"],
    ),
    "missing key": (
        lambda registry: deployment(
            pod_spec(
                registry, SLEEP, env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "a"}}}]
            )
        ),
        30,
        ['secret "absent" not found', "Create what it refers to"],
    ),
    "admission": (
        lambda registry: deployment(pod_spec(registry, SLEEP, securityContext={"privileged": True})),
        30,
        ["violates PodSecurity", "securityContext"],
    ),
    "failed job": (
        lambda registry: job(pod_spec(registry, "", command=CRASH)),
        30,
        ["Job", "cannot open the ledger"],
    ),
}


@pytest.mark.parametrize("reason", REASONS, ids=lambda name: name.replace(" ", "-"))
def test_reasons_end_the_wait_early(run_task: TaskRunner, cloud: Any, namespace: str, reason: str) -> None:
    make, seconds, told = REASONS[reason]
    args = {"namespace": namespace, "wait": True, "wait_timeout": 170, "definitions": [make(cloud.registry)]}
    started = time.monotonic()
    failed = run_task("k8s_objects", args, fails=True)
    assert time.monotonic() - started < seconds
    for words in told:
        assert words in failed["msg"], failed["msg"]
    assert failed["changed"]
    assert failed["error"]["kind"] == "not_ready"


PATIENCE = {
    "unschedulable": (
        lambda registry: deployment(pod_spec(registry, SLEEP, resources={"requests": {"cpu": "900"}})),
        ["fits on no node", "Insufficient cpu"],
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


@pytest.mark.parametrize("reason", PATIENCE)
def test_the_deadline_says_what_was_missing(run_task: TaskRunner, cloud: Any, namespace: str, reason: str) -> None:
    make, told = PATIENCE[reason]
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"limits.memory": "1Mi"}},
    }
    definitions = [make(cloud.registry)] + ([quota] if reason == "quota" else [])
    args = {"namespace": namespace, "wait": True, "wait_timeout": 10, "definitions": definitions}
    failed = run_task("k8s_objects", args, fails=True)
    assert "is not ready after 1" in failed["msg"]
    for words in told:
        assert words in failed["msg"], failed["msg"]
