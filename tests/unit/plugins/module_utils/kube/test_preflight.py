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
from ansible_collections.mcpops.platform.plugins.module_utils.kube.capacity import Amount, pod_amount, tolerates
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_preflight import Observed, Permission, judge

from .conftest import Answer, FakeTask, Server, status_object

NONE: dict[str, Any] = dict.fromkeys(
    ("checks", "workloads", "definitions", "namespaces", "permissions", "require", "autoscaled")
)


def scaler_of(name: str, kind: str, fewest: int) -> dict[str, Any]:
    spec = {"scaleTargetRef": {"kind": kind, "name": name}, "minReplicas": fewest}
    return {**SCALER, "metadata": {"name": "scaler", "namespace": "ops"}, "spec": spec}


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


def pod(namespace: str, name: str, on: str, cpu: str, phase: str = "Running", of: str = "") -> dict[str, Any]:
    """A pod; `of` is the kind and the name of its controller."""
    containers = [{"resources": {"requests": {"cpu": cpu}}}]
    kind, _blank, maker = of.partition(" ")
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": {"pod-template-hash": maker.rpartition("-")[2]},
            "ownerReferences": [{"kind": kind, "name": maker, "controller": True}] if of else None,
        },
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


def object_of(kind: str, name: str, cpu: str, **spec: Any) -> dict[str, Any]:
    """An object that makes pods, of a Deployment's shape."""
    pods = {"spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}}
    metadata = {"name": name, "namespace": "team"}
    return {"apiVersion": "x/v1", "kind": kind, "metadata": metadata, "spec": {"template": pods, **spec}}


def volumes_of(kind: str, *volumes: Any) -> dict[str, Any]:
    spec = {"volumes": [*volumes]}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "a"},
        "spec": spec if kind == "Pod" else {"template": {"spec": spec}},
    }


SCRATCH = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}}
WEB = object_of("Deployment", "web", "500m")
NIGHTLY = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "nightly", "namespace": "team"},
    "spec": {"jobTemplate": {"spec": object_of("Job", "nightly", "500m")["spec"]}},
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
        [("Unschedulable", "workload echo")],
    ),
    "each fits, and the nodes have no room for as many": (
        {"workloads": [server_of(cpu="1", replicas=3)]},
        Observed("1", [node("a", cpu="1500m"), node("b", cpu="1500m")], []),
        [("Unschedulable", "workload echo")],
    ),
    "room on nodes that take none of it": (
        {"workloads": [server_of("one", "1"), server_of("two", "1500m")]},
        Observed("1", [node("a", cpu="8", taints=GPU), node("b", cpu="2")], []),
        [("Unschedulable", "capacity")],
    ),
    "two that choose the same node": (
        {
            "workloads": [
                *(server_of(name, "3", node_selector={"disk": "a"}) for name in ("one", "two")),
                server_of("anywhere", "1"),
            ]
        },
        Observed("1", [node("a"), node("b", cpu="64")], []),
        [("Unschedulable", "capacity")],
    ),
    "two that could go to one of two nodes, and another to the second alone": (
        {"workloads": [server_of("one", "3"), server_of("two", "3", node_selector={"disk": "b"})]},
        Observed("1", [node("a"), node("b")], []),
        [],
    ),
    "a node that has given more than it has takes no room from another": (
        {"workloads": [server_of(cpu="4", replicas=1)]},
        Observed("1", [node("a"), node("b")], [pod("team", "other", "a", "7")]),
        [],
    ),
    "none of what is declared is to run": (
        {
            "workloads": [server_of(cpu="64", replicas=0)],
            "definitions": [object_of("StatefulSet", "a", "64", replicas=0)],
        },
        Observed("1", [node("a")], []),
        [],
    ),
    "a Job that has more places than work": (
        {"definitions": [object_of("Job", "a", "3", parallelism=5, completions=1)]},
        Observed("1", [node("a")], []),
        [],
    ),
    "what runs now and then asks, too": (
        {"definitions": [{**NIGHTLY, "spec": {"jobTemplate": {"spec": object_of("Job", "a", "5")["spec"]}}}]},
        Observed("1", [node("a")], []),
        [("Unschedulable", "CronJob team/nightly")],
    ),
    "an old controller asks, too": (
        {"definitions": [object_of("ReplicationController", "a", "3", replicas=2)]},
        Observed("1", [node("a")], []),
        [("Unschedulable", "ReplicationController team/a")],
    ),
    "others whose names begin alike": (
        {"definitions": [WEB]},
        Observed("1", [node("a")], [pod("team", "web-api-7-x", "a", "3800m", of="ReplicaSet web-api-7")]),
        [("Unschedulable", "Deployment team/web")],
    ),
    "its own pods, by what has made them": (
        {"definitions": [WEB, NIGHTLY, object_of("Pod", "alone", "1"), DAEMON]},
        Observed(
            "1",
            [node("a")],
            [
                pod("team", "web-7-x", "a", "1", of="ReplicaSet web-7"),
                pod("team", "nightly-29000000-y", "a", "1", of="Job nightly-29000000"),
                pod("team", "alone", "a", "1"),
                pod("ops", "agent-z", "a", "1", of="DaemonSet agent"),
            ],
        ),
        [],
    ),
    "a pod alone of the same name in another namespace": (
        {"definitions": [object_of("Pod", "alone", "1")], "workloads": [server_of(cpu="1")]},
        Observed("1", [node("a")], [pod("else", "alone", "a", "3500m")]),
        [("Unschedulable", "workload echo")],
    ),
    "every node is cordoned": (
        {"workloads": [server_of(cpu="1m")], "definitions": [DAEMON]},
        Observed("1", [node("a", unschedulable=True)], []),
        [("Unschedulable", "workload echo")],
    ),
    "a DaemonSet that one of its nodes has no room for": (
        {"definitions": [DAEMON]},
        Observed("1", [node("a"), node("b", cpu="900m")], []),
        [("Unschedulable", "DaemonSet ops/agent")],
    ),
    "no node is ready, and only room is asked for": (
        {"checks": ["capacity"]},
        Observed("1", [node("a", ready="False")], []),
        [("NodeNotReady", "Node a")],
    ),
    "no node, and only room is asked for": ({"checks": ["capacity"]}, Observed("1", [], []), [("NoNodes", "nodes")]),
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
    "a volume that comes and goes with its pod": (
        {"definitions": [volumes_of("StatefulSet", {"name": "x", "emptyDir": {}}, SCRATCH)]},
        Observed("1", [node("a")], [], []),
        [("NoDefaultStorageClass", "storage")],
    ),
    "the same of a pod alone": (
        {"definitions": [volumes_of("Pod", SCRATCH)]},
        Observed("1", [node("a")], [], []),
        [("NoDefaultStorageClass", "storage")],
    ),
    "what is required is looked at, whatever is chosen": (
        {"checks": ["nodes"], "require": ["metrics_api", "default_storage_class"]},
        Observed("1", [node("a")], None, [], "is not installed"),
        [("NoDefaultStorageClass", "storage"), ("NoMetrics", "the metrics API (metrics.k8s.io)")],
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
    "the fewest pods of what an autoscaler scales": (
        {"definitions": [{**DAEMON, "kind": "Deployment"}, scaler_of("agent", "Deployment", 3)]},
        Observed("1", [node("a", cpu="2")], []),
        [("Unschedulable", "Deployment ops/agent")],
    ),
    "an autoscaler of something else": (
        {"definitions": [{**DAEMON, "kind": "Deployment"}, scaler_of("other", "Deployment", 3)]},
        Observed("1", [node("a", cpu="2")], []),
        [],
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
        pytest.param(Observed("1", [node("a")], [], [], None), "metrics API may not be asked", id="metrics unseen"),
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


def asking(cpu: str, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}}, **more}


# of a pod with one container of 1: what else is in its spec, and what it asks
SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "something that runs first": ({"initContainers": [asking("3")]}, "3"),
    "something that runs beside it": ({"initContainers": [asking("2", restartPolicy="Always")]}, "3"),
    "beside it, and then something first": (
        {"initContainers": [asking("2", restartPolicy="Always"), asking("3")]},
        "5",
    ),
    "first, and then beside it": ({"initContainers": [asking("3"), asking("1", restartPolicy="Always")]}, "3"),
    "the pod as a whole": ({"resources": {"requests": {"cpu": "4"}}, "initContainers": [asking("2")]}, "4"),
    "a limit of the whole, beside requests": ({"resources": {"limits": {"cpu": "4"}}}, "1"),
    "overhead": ({"overhead": {"cpu": "250m"}}, "1.25"),
    "nothing that could be read": ({"initContainers": "x", "overhead": [], "resources": "y"}, "1"),
}


@pytest.mark.parametrize("case", SPECS)
def test_what_a_pod_asks(case: str) -> None:
    """As resourcehelper.PodRequests of k8s.io/component-helpers counts."""
    more, cpu = SPECS[case]
    assert pod_amount({"containers": [asking("1")], **more}).cpu == Decimal(cpu)


def test_a_limit_of_a_whole_pod_is_its_request() -> None:
    assert pod_amount({"containers": [{}], "resources": {"limits": {"cpu": "4"}}}).cpu == 4


@pytest.mark.parametrize("seed", range(40))
def test_what_is_said_to_fit_is_not_more_than_there_is(seed: int) -> None:
    """Whoever puts pods on nodes one after the other, and finds a place for each, is not contradicted."""
    seeded = random.Random(seed)
    nodes = [node(name, cpu=str(seeded.randrange(1, 6))) for name in "abc"]
    workloads = [
        server_of(
            f"w{number}",
            str(seeded.randrange(1, 4)),
            replicas=seeded.randrange(3),
            node_selector={"disk": seeded.choice("abc")} if seeded.random() < 0.4 else {},
        )
        for number in range(3)
    ]
    left = {one["metadata"]["name"]: int(one["status"]["allocatable"]["cpu"]) for one in nodes}
    placed = True
    pods = [one for one in workloads for _each in range(one["replicas"])]
    for one in sorted(pods, key=lambda one: (not one["node_selector"], -int(one["resources"]["requests"]["cpu"]))):
        cpu = int(one["resources"]["requests"]["cpu"])
        name = next((n for n in left if left[n] >= cpu and one["node_selector"].get("disk", n) == n), None)
        placed = placed and name is not None
        left[name or "a"] -= cpu
    found = judge({**NONE, "checks": ["capacity"], "workloads": workloads}, Observed("1", nodes, [])).reasons
    asked = sum(int(one["resources"]["requests"]["cpu"]) for one in pods)
    assert not (placed and found)
    assert found or asked <= sum(int(one["status"]["allocatable"]["cpu"]) for one in nodes)


@pytest.mark.parametrize("seed", range(30))
def test_no_definition_ends_in_a_traceback(seed: int) -> None:
    """What is wrong with an object, the module that applies it says."""
    seeded = random.Random(seed)
    odd: list[Any] = [None, "x", 7, True, [], ["x", None], {}, {"spec": "x"}, {"requests": "x"}, "1e99", -1]

    def broken(value: Any) -> Any:
        if seeded.random() < 0.15:
            return seeded.choice(odd)
        if isinstance(value, dict):
            return {key: broken(below) for key, below in value.items()}
        return [broken(below) for below in value] if isinstance(value, list) else value

    whole = [WEB, NIGHTLY, DAEMON, CLAIM, SCALER, volumes_of("Pod", SCRATCH), object_of("Job", "a", "1", completions=2)]
    verdict = judge({**NONE, "definitions": [broken(one) for one in whole]}, Observed("1", [node("a")], [], []))
    assert isinstance(verdict.values["capacity"]["asked"]["cpu"], str)


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


RIGHT = {"group": "", "resource": "pods", "verbs": ["get"], "namespaces": None}


def forbidden(what: str) -> Answer:
    return Answer(403, status_object(403, "Forbidden", f"{what} is forbidden"))


def test_an_identity_that_may_ask_nothing_is_told_so_and_not_called_fit(server: Server, ask: Ask) -> None:
    """Clusters that have taken system:basic-user and system:discovery from everybody."""
    server.on("/version", forbidden("/version"))
    server.on("/apis/metrics.k8s.io/v1beta1", forbidden("metrics"))
    server.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", forbidden("create selfsubjectaccessreviews"))
    result = ask(checks=["permissions", "metrics"], permissions=[RIGHT])
    assert result["permissions"] == {"asked": 0, "refused": []}
    assert result["cluster"]["kubernetes_version"] is None
    assert "metrics_api" not in result


def test_what_could_not_be_asked_stands_beside_what_is_lacking(server: Server, ask: Ask) -> None:
    server.on("/apis/metrics.k8s.io/v1beta1", Answer(503, b"service unavailable"))
    server.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", forbidden("create selfsubjectaccessreviews"))
    with pytest.raises(NotReady) as failure:
        ask(checks=["permissions", "metrics"], permissions=[RIGHT], require=["metrics_api"])
    assert [reason.code for reason in failure.value.reasons] == ["NoMetrics"]
    assert any("may not be asked" in note for note in failure.value.values["notes"])


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"workloads": [{"replicas": 2}]}, "workloads[0]: has no name"),
        ({"workloads": [{"name": "a", "replicas": "many"}]}, "'many' is not a number of pods"),
        ({"workloads": [{"name": "a", "replicas": "\u00b2"}]}, "is not a number of pods"),
        ({"workloads": [server_of(cpu="lots")]}, "workloads[0].resources.requests.cpu: 'lots' is not a valid quantity"),
        ({"workloads": [server_of(sidecars=[{}, {"resources": {"limits": {"memory": -1}}}])]}, "sidecars[1].resources"),
        ({"workloads": [server_of(resources="x")]}, "workloads[0].resources: is text, not a mapping"),
        ({"workloads": [server_of(sidecars={"a": 1})]}, "workloads[0].sidecars: is a mapping, not a list of mappings"),
        ({"workloads": [server_of(node_selector=["a"])]}, "workloads[0].node_selector: is a list, not a mapping"),
        ({"workloads": [server_of(tolerations="x")]}, "workloads[0].tolerations: is text, not a list of mappings"),
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
