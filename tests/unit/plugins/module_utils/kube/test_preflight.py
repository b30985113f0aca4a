# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster can take what is declared: judged from what it says of itself, and asked for it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, NotReady
from ansible_collections.mcpops.platform.plugins.module_utils.kube import k8s_preflight
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_preflight import Observed, Permission, judge
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import Amount, pod_amount, tolerates

from .conftest import Answer, FakeTask, Server

NONE: dict[str, Any] = dict.fromkeys(
    ("checks", "workloads", "definitions", "namespaces", "permissions", "require", "autoscaled")
)


def node(name: str, cpu: str = "4", memory: str = "8Gi", ready: str = "True", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"disk": name}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "10"},
            "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": "no network"}],
        },
    }


def pod(namespace: str, name: str, on: str, cpu: str, phase: str = "Running") -> dict[str, Any]:
    containers = [{"resources": {"requests": {"cpu": cpu}}}]
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": on, "containers": containers},
        "status": {"phase": phase},
    }


def server_of(name: str = "echo", cpu: str = "500m", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "echo:1", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}, **more}


def storage_class(name: str, is_default: str = "false") -> dict[str, Any]:
    key = "storageclass.kubernetes.io/is-default-class"
    return {"metadata": {"name": name, "annotations": {key: is_default}}}


CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "mcp"}}
SCALER = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "echo"}, "spec": {}}
DAEMON = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "agent", "namespace": "ops"},
    "spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "1"}}}]}}},
}
GPU = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
FULL = [pod("team", "other-1", "a", "3800m")]

# what is declared, what the cluster says, and what the reasons are (none: it can take it)
CASES: dict[str, tuple[dict[str, Any], Observed, list[tuple[str, str]]]] = {
    "all is well": ({"workloads": [server_of(replicas=3)]}, Observed("1.35.4", [node("a")], [], []), []),
    "no node is ready": (
        {},
        Observed("1", [node("a", ready="False"), node("b", ready="Unknown")], []),
        [("NodeNotReady", "Node a"), ("NodeNotReady", "Node b")],
    ),
    "one node of two is ready": ({}, Observed("1", [node("a", ready="False"), node("b")], []), []),
    "there are no nodes": ({}, Observed("1", [], []), [("NoNodes", "nodes")]),
    "nodes may not be read": ({}, Observed("1", None, []), [("AccessDenied", "nodes")]),
    "others have taken what there is": (
        {"workloads": [server_of()]},
        Observed("1", [node("a")], FULL),
        [("Unschedulable", "workload echo"), ("Unschedulable", "capacity")][:1],
    ),
    "pods that have ended take nothing": (
        {"workloads": [server_of()]},
        Observed("1", [node("a")], [pod("team", "job-1", "a", "3800m", phase="Succeeded")]),
        [],
    ),
    "its own pods are not counted against it": (
        {"workloads": [server_of()], "namespaces": ["team"]},
        Observed("1", [node("a")], FULL),
        [],
    ),
    "pods that may not be read": ({"workloads": [server_of()]}, Observed("1", [node("a")], None), []),
    "each fits and all together do not": (
        {"workloads": [server_of("one", "2"), server_of("two", "2", replicas=2)]},
        Observed("1", [node("a")], []),
        [("Unschedulable", "capacity")],
    ),
    "more pods than places": (
        {"workloads": [server_of(cpu="1m", replicas=11)]},
        Observed("1", [node("a")], []),
        [("Unschedulable", "capacity")],
    ),
    "nodes that come as needed": (
        {"workloads": [server_of(cpu="2", replicas=9)], "autoscaled": True},
        Observed("1", [node("a")], FULL),
        [],
    ),
    "one pod that no node that comes could hold": (
        {"workloads": [server_of(cpu="5")], "autoscaled": True},
        Observed("1", [node("a")], []),
        [("Unschedulable", "workload echo")],
    ),
    "a cordoned node takes nothing": (
        {"workloads": [server_of(cpu="3")]},
        Observed("1", [node("a", unschedulable=True), node("b", cpu="2")], []),
        [("Unschedulable", "workload echo")],
    ),
    "a taint that is not tolerated": (
        {"workloads": [server_of(node_selector={"disk": "a"})]},
        Observed("1", [node("a", taints=GPU), node("b")], []),
        [("Unschedulable", "workload echo")],
    ),
    "a taint that is tolerated": (
        {"workloads": [server_of(node_selector={"disk": "a"}, tolerations=[{"operator": "Exists"}])]},
        Observed("1", [node("a", taints=GPU)], []),
        [],
    ),
    "a sidecar asks, too": (
        {"workloads": [server_of(cpu="3", sidecars=[{"resources": {"limits": {"cpu": "1500m"}}}])]},
        Observed("1", [node("a")], []),
        [("Unschedulable", "workload echo")],
    ),
    "a DaemonSet asks on every node": (
        {"definitions": [DAEMON], "workloads": [server_of(cpu="3", replicas=2), server_of("third", "500m")]},
        Observed("1", [node("a"), node("b")], []),
        [("Unschedulable", "capacity")],
    ),
    "objects in a list, and numbers that are not said": (
        {
            "definitions": [
                {"apiVersion": "v1", "kind": "List", "items": [CLAIM, {**DAEMON, "kind": "Deployment"}]},
                {"apiVersion": "v1", "kind": "Nameless"},
            ],
            "workloads": [server_of(cpu="3500m", replicas=None)],
        },
        Observed("1", [node("a")], [], [storage_class("s")]),
        [("Unschedulable", "capacity"), ("NoDefaultStorageClass", "storage")],
    ),
    "a claim without a class and no default one": (
        {"definitions": [CLAIM]},
        Observed("1", [node("a")], [], [storage_class("fast")]),
        [("NoDefaultStorageClass", "storage")],
    ),
    "nothing that needs storage": ({}, Observed("1", [node("a")], [], [storage_class("fast")]), []),
    "storage that is said to be needed": (
        {"require": ["default_storage_class"]},
        Observed("1", [node("a")], [], []),
        [("NoDefaultStorageClass", "storage")],
    ),
    "a default class": ({"definitions": [CLAIM]}, Observed("1", [node("a")], [], [storage_class("x", "true")]), []),
    "an autoscaler and no metrics": (
        {"definitions": [SCALER]},
        Observed("1", [node("a")], [], [], "is not installed"),
        [("NoMetrics", "the metrics API (metrics.k8s.io)")],
    ),
    "no metrics and nobody who needs them": ({}, Observed("1", [node("a")], [], [], "is not installed"), []),
    "rights that are missing": (
        {},
        Observed("1", [node("a")], [], refused=[Permission("get", "pods", "", "mcp"), Permission("list", "nodes")]),
        [("AccessDenied", "permissions in namespace mcp"), ("AccessDenied", "permissions in the whole cluster")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_cluster_lacks(case: str) -> None:
    params, observed, wanted = CASES[case]
    verdict = judge({**NONE, **params}, observed)
    assert [(reason.code, reason.subject) for reason in verdict.reasons] == wanted


@pytest.mark.parametrize(
    ("observed", "wanted"),
    [
        pytest.param(Observed("1", [node("a", ready="False"), node("b")], []), "Node a: is not ready", id="a node"),
        pytest.param(Observed("1", [node("a")], None), "Pods of all namespaces may not be listed", id="pods"),
        pytest.param(Observed("1", [node("a")], [], None), "StorageClasses may not be listed", id="classes"),
        pytest.param(Observed("1", [node("a")], [], [storage_class("s")]), "no StorageClass is the default", id="none"),
        pytest.param(Observed("1", [node("a")], [], [], "does not answer (HTTP 503)"), "HTTP 503", id="metrics"),
    ],
)
def test_what_keeps_nothing_from_running_is_a_note(observed: Observed, wanted: str) -> None:
    verdict = judge(NONE, observed)
    assert not verdict.reasons and wanted in "\n".join(verdict.notes)


def test_only_what_is_asked_for_is_judged() -> None:
    broken = Observed("1", [node("a", ready="False")], None, None, "is not installed")
    assert judge({**NONE, "checks": ["storage"]}, broken).reasons == []
    assert judge({**NONE, "checks": []}, broken).values == {"cluster": {"kubernetes_version": "1"}}


def some_amount(seeded: random.Random) -> Amount:
    return Amount(Decimal(seeded.randrange(64000)) / 1000, Decimal(seeded.randrange(2**40)), seeded.randrange(200))


@pytest.mark.parametrize("seed", range(20))
def test_room_is_what_is_left(seed: int) -> None:
    seeded = random.Random(seed)
    whole, one, other = (some_amount(seeded) for _each in range(3))
    assert whole - one - other == whole - (one + other)
    assert not whole.holds(one) or (whole + other).holds(one)
    assert (one + other).holds(one) and one.times(2) == one + one


def some_resources(seeded: random.Random) -> dict[str, str]:
    known = {"cpu": seeded.choice(["1", "500m", "0.25"]), "memory": seeded.choice(["1Gi", "64Mi"])}
    return {key: value for key, value in known.items() if seeded.random() < 0.7}


@pytest.mark.parametrize("seed", range(20))
def test_a_pod_asks_for_all_its_containers(seed: int) -> None:
    seeded = random.Random(seed)
    containers = [
        {"resources": {key: some_resources(seeded) for key in ("requests", "limits") if seeded.random() < 0.7}}
        for _each in range(seeded.randrange(4))
    ]
    alone = sum((pod_amount({"containers": [one]}).cpu for one in containers), Decimal(0))
    whole = pod_amount({"containers": containers})
    assert whole.cpu == alone
    assert pod_amount({"containers": containers, "initContainers": containers}) == whole


@pytest.mark.parametrize(
    ("toleration", "wanted"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu"}, False),
        ({"key": "cpu", "operator": "Exists"}, False),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_who_tolerates_a_taint(toleration: Mapping[str, Any], wanted: bool) -> None:
    assert tolerates(toleration, GPU[0]) is wanted


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(server: Server, connect: Callable[..., Kube], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The operation on a played API server that has a node, and denies what a test does not answer."""
    server.on("/version", Answer(body={"gitVersion": "v1.35.4"}))
    monkeypatch.setattr(Kube, "connect", classmethod(lambda _cls, task: connect(task)))

    def asked(**params: Any) -> dict[str, Any]:
        result = k8s_preflight.converge(FakeTask({**NONE, "kubeconfig": "/k", **params}))
        assert not result.changed
        return dict(result.values)

    return asked


def test_every_right_is_asked_for_once_and_told_by_its_place(server: Server, ask: Ask) -> None:
    denied = Answer(201, {"status": {"allowed": False}})
    server.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", denied)
    server.on(
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        Answer(201, {"status": {"userInfo": {"username": "deployer"}}}),
    )
    right = {"group": "apps", "resource": "deployments", "verbs": ["get", "patch"], "namespaces": ["mcp"]}
    logs = {"group": "", "resource": "pods/log", "verbs": ["get"], "namespaces": None}
    with pytest.raises(NotReady) as failure:
        ask(checks=["permissions"], permissions=[right, logs, right])
    assert "permissions in namespace mcp: deployer may not get, patch deployments.apps" in str(failure.value)
    assert "permissions in the whole cluster: deployer may not get pods/log" in str(failure.value)
    assert failure.value.values["permissions"]["asked"] == 3
    assert len([one for one in server.requests if "accessreviews" in one.target]) == 3


def test_a_cluster_that_says_yes(server: Server, ask: Ask) -> None:
    server.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Answer(201, {"status": {"allowed": True}}))
    right = {"group": "", "resource": "pods", "verbs": ["get"], "namespaces": None}
    found = ask(checks=["permissions"], permissions=[right])
    assert found["permissions"] == {"asked": 1, "refused": []}
    assert found["cluster"]["kubernetes_version"] == "1.35.4"


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"workloads": [{"replicas": 2}]}, "workloads[0]: has no name"),
        ({"workloads": [{"name": "a", "replicas": "many"}]}, "'many' is not a number of pods"),
        ({"kubeconfig": ""}, "kubeconfig: is empty"),
    ],
)
def test_options_that_cannot_work(ask: Ask, params: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        ask(**params)
    assert wanted in str(failure.value)


def test_a_kubeconfig_that_is_not_there_is_a_fault_in_check_mode_as_well() -> None:
    task = FakeTask({**NONE, "kubeconfig": "/nowhere/at-all"}, check_mode=True)
    with pytest.raises(InvalidInput, match="the kubeconfig /nowhere/at-all does not exist"):
        k8s_preflight.converge(task)
