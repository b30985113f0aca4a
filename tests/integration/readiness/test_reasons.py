# SPDX-License-Identifier: GPL-3.0-or-later
"""Every verdict, caused for real: all objects stand at once in one namespace, then each is waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.workloads import CRASH, SLEEP, Object, claim, deployment, job, named, pod_spec, service, task

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.wait import wait_ready
from ansible_collections.mcpops.platform.plugins.modules import k8s_objects

pytestmark = [pytest.mark.integration]

Wait = Callable[..., NotReady | None]


@pytest.fixture(scope="module")
def wait(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wait]:
    """`wait(namespace, items, seconds)` → the failure, or None when all became ready."""
    doing = task(k8s_objects, cluster.kubeconfig, tmp_path_factory.mktemp("run"), definitions=[])
    kube = Kube.connect(doing)

    def run(namespace: str, items: list[Object], seconds: float) -> NotReady | None:
        placed = [{**item, "metadata": {**item["metadata"], "namespace": namespace}} for item in items]
        try:
            wait_ready(kube, doing, placed, seconds)
        except NotReady as failure:
            return failure
        return None

    yield run
    kube.close()


def apply(cluster: Any, namespace: str, items: list[Object]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)


@dataclass(frozen=True)
class Case:
    """Objects, which of them is waited for (the first), the code, words, and whether it ends the wait early."""

    objects: Callable[[str], list[Object]]
    code: str
    words: tuple[str, ...] = ()
    early: bool = False


def _spec(item: Object, **more: Any) -> Object:
    return {**item, "spec": {**item["spec"], **more}}


def _restricted(registry: str, kind: str) -> list[Object]:
    refused = pod_spec(registry, SLEEP, securityContext={"privileged": True})
    return [deployment(refused, name=f"refused-{kind.lower()}", kind=kind)]


def _late_secret(registry: str) -> list[Object]:
    spec = pod_spec(registry, SLEEP, volumeMounts=[{"name": "files", "mountPath": "/files"}])
    return [deployment({**spec, "volumes": [{"name": "files", "secret": {"secretName": "absent"}}]}, name="mountless")]


def _no_key(registry: str) -> list[Object]:
    variable = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "wanted"}}}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"other": "1"}}
    return [deployment(pod_spec(registry, SLEEP, env=[variable]), name="keyless"), settings]


def _job(registry: str) -> Object:
    return pod_spec(registry, "", command=CRASH)


def _ingress(_registry: str) -> list[Object]:
    body = {"ingressClassName": "public", "defaultBackend": {"service": {"name": "any", "port": {"number": 80}}}}
    return [{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "door"}, "spec": body}]


def _autoscaler(_registry: str) -> list[Object]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "absent"}
    body = {"scaleTargetRef": target, "maxReplicas": 2}
    kind = "HorizontalPodAutoscaler"
    return [{"apiVersion": "autoscaling/v2", "kind": kind, "metadata": {"name": "scaler"}, "spec": body}]


def _budget(registry: str) -> list[Object]:
    body = {"minAvailable": 2, "selector": {"matchLabels": {"app": "guarded"}}}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "guarded"}, "spec": body}
    return [budget, deployment(pod_spec(registry, SLEEP), name="guarded")]


def _pod(registry: str) -> list[Object]:
    spec = {**_job(registry), "restartPolicy": "Never"}
    return [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "single"}, "spec": spec}]


CASES: dict[str, Case] = {
    "paused": Case(
        lambda registry: [_spec(deployment(pod_spec(registry, SLEEP), name="held"), paused=True)],
        "Paused",
        ("is paused, and 0 of 1 replicas", "spec.paused"),
        early=True,
    ),
    "progress deadline": Case(
        lambda registry: [
            _spec(
                deployment(pod_spec(registry, SLEEP, readinessProbe={"tcpSocket": {"port": 9}}), name="late"),
                progressDeadlineSeconds=3,
            )
        ],
        "ProgressDeadlineExceeded",
        ("exceeded its progress deadline", "does not pass its probes", "connection refused"),
        early=True,
    ),
    "missing Secret in a volume": Case(
        _late_secret, "MissingObject", ('secret "absent" not found', "Create what it refers to"), early=True
    ),
    "missing key": Case(_no_key, "MissingKey", ("wanted", "Add the key"), early=True),
    "command not in the image": Case(
        lambda registry: [deployment(pod_spec(registry, "", command=["/no/such"]), name="wordless")],
        "CannotStart",
        ("/no/such",),
        early=True,
    ),
    "pods of a StatefulSet refused": Case(
        lambda registry: _restricted(registry, "StatefulSet"), "PodsRefused", ("violates PodSecurity",), early=True
    ),
    "pods of a DaemonSet refused": Case(
        lambda registry: _restricted(registry, "DaemonSet"), "PodsRefused", ("violates PodSecurity",), early=True
    ),
    "job that failed": Case(
        lambda registry: [job(_job(registry), name="failed")],
        "JobFailed",
        ("backoff limit", "cannot open the ledger"),
        early=True,
    ),
    "job suspended": Case(
        lambda registry: [job(pod_spec(registry, SLEEP), name="resting", suspend=True)], "Suspended", early=True
    ),
    "pod that failed": Case(_pod, "Crashed", ("exit code 3", "cannot open the ledger"), early=True),
    "claim of no class": Case(
        lambda _registry: [claim("classless", "no-such-class")], "Unbound", ("there is no storage class no-such-class",)
    ),
    "service without pods": Case(
        lambda _registry: [service("lonely", {"app": "nobody"})], "NoEndpoints", ("no pod has its selector's labels",)
    ),
    "ingress without a controller": Case(_ingress, "NoAddress", ("no controller of class public",)),
    "load balancer without an address": Case(
        lambda registry: [
            service("balanced", {"app": "guarded"}, type="LoadBalancer", loadBalancerIP="192.0.2.1"),
            deployment(pod_spec(registry, SLEEP), name="guarded"),
        ],
        "NoAddress",
        ("its load balancer has no address",),
    ),
    "autoscaler of nothing": Case(_autoscaler, "CannotScale", ("not found",)),
    "budget that demands more": Case(_budget, "TooFewHealthy", ("it demands 2",)),
}


@pytest.fixture(scope="module")
def existing(cluster: Any, cloud: Any) -> Iterator[str]:
    """A namespace in which all cases stand, enforcing the restricted level."""
    name = f"it-reasons-{uuid.uuid4().hex[:6]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    apply(cluster, name, [item for case in CASES.values() for item in case.objects(cloud.registry)])
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
def test_what_is_not_ready_says_why(wait: Wait, cloud: Any, existing: str, name: str) -> None:
    case = CASES[name]
    # what ends early says so, however long that takes on a busy machine
    failure = wait(existing, case.objects(cloud.registry)[:1], 300 if case.early else 12)
    assert failure is not None
    assert case.code in [reason.code for reason in failure.reasons], failure.message()
    assert [word for word in case.words if word not in failure.message()] == [], failure.message()
    if case.early:
        assert "will not become ready by waiting" in failure.message()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_what_its_strategy_keeps_back_is_not_waited_for(
    wait: Wait, cluster: Any, cloud: Any, namespace: str, kind: str
) -> None:
    """A StatefulSet with OnDelete and one with a partition stand as declared; a Deployment that ended is ready."""
    spec = pod_spec(cloud.registry, SLEEP)
    items = [deployment(spec, 2, "plain", kind)]
    if kind == "StatefulSet":
        by_hand = _spec(deployment(spec, 1, "byhand", kind), updateStrategy={"type": "OnDelete"})
        parted = _spec(
            deployment(spec, 2, "parted", kind),
            updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
        )
        items += [by_hand, parted]
    apply(cluster, namespace, items)
    assert wait(namespace, items, 90) is None
    changed = json.loads(json.dumps(items).replace("3600", "3601"))
    apply(cluster, namespace, changed)
    assert wait(namespace, changed, 120) is None


@pytest.mark.slow
def test_a_container_that_crashes_after_a_moment_is_not_ready_for_that_moment(
    wait: Wait, cluster: Any, cloud: Any, namespace: str
) -> None:
    """Without probes Kubernetes calls it ready as soon as it runs."""
    code = "import time; time.sleep(1.2); raise SystemExit('lost the ledger')"
    item = deployment(pod_spec(cloud.registry, code), name="brief")
    apply(cluster, namespace, [item])
    failure = wait(namespace, [item], 120)
    assert failure is not None
    assert "lost the ledger" in failure.message()


@pytest.fixture
def busy() -> Iterator[None]:
    """Every core of this machine has more to do than it can, the node's agent included."""
    spinning = [sys.executable, "-c", "while True: pass"]
    crowd = [subprocess.Popen(spinning) for _ in range(3 * (os.cpu_count() or 1))]
    yield
    for one in crowd:
        one.kill()
        one.wait()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", ["0.3", "2.5"])
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_on_a_busy_machine_what_ends_soon_is_not_ready_either(
    wait: Wait, busy: None, cluster: Any, cloud: Any, namespace: str, kind: str, seconds: str
) -> None:
    """A shell, because an interpreter's own start takes longer than the moment."""
    command = ["sh", "-c", f"echo about to fail; sleep {seconds}; exit 7"]
    item = deployment(pod_spec(cloud.registry, "", command=command), name="brief", kind=kind)
    apply(cluster, namespace, [item])
    failure = wait(namespace, [item], 180)
    assert failure is not None
    assert "exit code 7" in failure.message()


@pytest.mark.slow
def test_an_object_that_vanishes_is_missed(wait: Wait, cluster: Any, cloud: Any, namespace: str) -> None:
    item = named(service("web", {"app": "nobody"}), "short-lived")
    apply(cluster, namespace, [item])
    cluster.kubectl("delete", "service", "short-lived", "-n", namespace)
    failure = wait(namespace, [item], 60)
    assert failure is not None
    assert [reason.code for reason in failure.reasons] == ["Missing"]
    assert failure.waited is not None and failure.waited < 20


def test_a_service_of_what_is_scaled_to_none_is_ready(wait: Wait, cluster: Any, cloud: Any, namespace: str) -> None:
    items = [service("asleep", {"app": "asleep"}), deployment(pod_spec(cloud.registry, SLEEP), 0, "asleep")]
    apply(cluster, namespace, items)
    assert wait(namespace, items, 30) is None


@pytest.mark.slow
def test_a_namespace_that_goes_says_what_holds_it(wait: Wait, cluster: Any) -> None:
    going = f"it-going-{uuid.uuid4().hex[:6]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": going}}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    keeper = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "finalizers": ["example.com/keep"]}}
    apply(cluster, going, [keeper])
    cluster.kubectl("delete", "namespace", going, "--wait=false")
    try:
        failure = wait("", [manifest], 8)
        assert failure is not None
        assert "example.com/keep" in failure.message()
    finally:
        cluster.kubectl(
            "patch", "configmap", "kept", "-n", going, "--type=merge", "-p", '{"metadata":{"finalizers":null}}'
        )
