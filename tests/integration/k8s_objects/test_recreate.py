# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes the API accepts only at creation, and how dependents fare when an object goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.workloads import box_definition

Apply = Callable[..., dict[str, Any]]


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "immutable": True,
        "data": data or {"a": "1"},
    }


def deployment(label: str = "web") -> dict[str, Any]:
    container = {"name": "main", "image": "example.invalid/none:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": label}},
            "template": {"metadata": {"labels": {"app": label}}, "spec": {"containers": [container]}},
        },
    }


def claim(size: str) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "managed-csi",
        "resources": {"requests": {"storage": size}},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"}, "spec": spec}


@pytest.fixture
def uid(cluster: Any, namespace: str) -> Callable[[str, str], str]:
    return lambda kind, name: str(cluster.get(kind, name, "-n", namespace)["metadata"]["uid"])


def test_only_on_request(apply: Apply, uid: Callable[[str, str], str]) -> None:
    apply(definitions=[config_map("a"), config_map("b")])
    first = uid("configmap", "a")
    changed = [config_map("a", a="2"), config_map("b")]
    for check in (True, False):
        refused = apply(definitions=changed, check=check, fails=True)
        assert "field is immutable" in refused["msg"]
        assert "recreate: on_immutable" in refused["msg"]
        assert [row["changed"] for row in refused["objects"]] == [False, False]
    assert uid("configmap", "a") == first

    asked = [{"kind": "ConfigMap", "name": "a", "recreate": "on_immutable"}]
    would = apply(definitions=changed, check=True, object_options=asked)
    assert "would be deleted and recreated" in would["notes"][0]
    assert [row["changed"] for row in would["objects"]] == [True, False]
    assert uid("configmap", "a") == first
    done = apply(definitions=changed, object_options=asked)
    assert "deleted and recreated" in done["notes"][0]
    assert uid("configmap", "a") != first
    assert not apply(definitions=changed, recreate="on_immutable")["changed"]


@pytest.mark.slow
def test_a_selector_and_an_exclusive_owner(apply: Apply, uid: Callable[[str, str], str]) -> None:
    apply(definitions=[deployment()])
    first = uid("deployment", "web")
    assert apply(definitions=[deployment("other")], recreate="on_immutable", exclusive=True)["changed"]
    assert uid("deployment", "web") != first


def service(**spec: Any) -> dict[str, Any]:
    body = {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": body}


def unlike_any(selector: str) -> dict[str, Any]:
    """A Deployment with another selector, whose container has no name."""
    wrong = deployment(selector)
    wrong["spec"]["template"]["spec"]["containers"][0]["name"] = "Not A Name"
    return wrong


# what stands, what is declared then, what the API server has against that beside the immutable field, and whether only
# the trial finds it out: addresses of Services are looked at when they are created
NOT_TO_BE_HAD = {
    "told with the refusal": (deployment(), unlike_any("other"), "containers[0].name: Invalid value", False),
    "told by the trial": (service(), service(clusterIP="192.0.2.1"), "not in the valid range", True),
}


@pytest.mark.parametrize("case", NOT_TO_BE_HAD)
def test_what_cannot_be_created_anew_is_not_deleted(apply: Apply, uid: Callable[[str, str], str], case: str) -> None:
    existing, declared, reported, tried = NOT_TO_BE_HAD[case]
    apply(definitions=[existing])
    first = uid(existing["kind"], "web")
    for check in (True, False):
        refused = apply(definitions=[declared], recreate="on_immutable", check=check, fails=True)
        assert reported in refused["msg"]
        assert ("it was not deleted, because it could not be recreated" in refused["msg"]) == tried
        assert "mcpops-trial" not in refused["msg"]
        assert not refused["changed"]
    assert uid(existing["kind"], "web") == first
    assert not apply(definitions=[existing])["changed"]


def test_what_the_object_itself_holds_is_no_obstacle(
    apply: Apply, cluster: Any, namespace: str, uid: Callable[[str, str], str]
) -> None:
    """A port of the node, which a second Service beside it cannot have."""
    apply(definitions=[service(type="NodePort")])
    first = uid("service", "web")
    existing = cluster.get("service", "web", "-n", namespace)["spec"]
    network = existing["clusterIP"].rpartition(".")[0]
    taken = {item["spec"]["clusterIP"] for item in cluster.get("service", "--all-namespaces")["items"]}
    free = next(address for number in range(1, 255) if (address := f"{network}.{number}") not in taken)
    ports = [{"port": 80, "nodePort": existing["ports"][0]["nodePort"]}]
    moved = service(type="NodePort", ports=ports, clusterIP=free)
    assert apply(definitions=[moved], recreate="on_immutable")["changed"]
    assert uid("service", "web") != first
    assert cluster.get("service", "web", "-n", namespace)["spec"]["clusterIP"] == free


@pytest.mark.slow
def test_a_claim_is_never_recreated(apply: Apply, uid: Callable[[str, str], str]) -> None:
    apply(definitions=[claim("1Mi")])
    first = uid("persistentvolumeclaim", "disk")
    other = claim("1Mi")
    other["spec"]["storageClassName"] = "another"
    refused = apply(definitions=[other], recreate="on_immutable", fails=True)
    assert "A PersistentVolumeClaim is not recreated, because its contents would be lost" in refused["msg"]
    assert uid("persistentvolumeclaim", "disk") == first


@pytest.mark.slow
def test_options_that_fit_no_object(apply: Apply, cluster: Any, namespace: str) -> None:
    wrong = [{"kind": "Deployment", "name": "wbe", "recreate": "on_immutable"}]
    refused = apply(definitions=[deployment(), config_map("a")], object_options=wrong, fails=True)
    assert "object_options[0]: no declared object has kind Deployment, name wbe" in refused["msg"]
    assert not cluster.kubectl("get", "configmap", "a", "-n", namespace, "--ignore-not-found")


def test_a_conflict_is_forced_for_one_object_only(apply: Apply, cluster: Any, namespace: str) -> None:
    def plain(name: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}

    apply(definitions=[plain("a"), plain("b")])
    for name in "ab":
        cluster.kubectl("patch", "configmap", name, "-n", namespace, "--type=merge", "-p", '{"data":{"a":"9"}}')
    refused = apply(
        definitions=[plain("a"), plain("b")], object_options=[{"name": "a", "force_conflicts": True}], fails=True
    )
    assert f"ConfigMap {namespace}/b" in refused["msg"]
    assert ".data.a belongs to kubectl-patch" in refused["msg"]
    assert [row["changed"] for row in refused["objects"]] == [True, False]
    assert cluster.get("configmap", "a", "-n", namespace)["data"] == {"a": "1"}
    assert cluster.get("configmap", "b", "-n", namespace)["data"] == {"a": "9"}


@pytest.mark.slow
@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
def test_dependents(apply: Apply, cluster: Any, namespace: str, propagation: str) -> None:
    apply(definitions=[deployment()])
    replica_sets = ("replicasets", "-n", namespace)
    cluster.kubectl("wait", "deployment/web", "-n", namespace, "--for=condition=Available", "--timeout=30s")
    assert len(cluster.get(*replica_sets)["items"]) == 1
    absent = {"definitions": [deployment()], "state": "absent", "delete_propagation": propagation}
    assert apply(check=True, **absent)["changed"]
    assert apply(wait=True, wait_timeout=30, **absent)["changed"]
    assert not cluster.kubectl("get", "deployment", "web", "-n", namespace, "--ignore-not-found")
    left = cluster.get(*replica_sets)["items"]
    if propagation == "Foreground":
        assert left == []
    if propagation == "Orphan":
        assert [one["metadata"].get("ownerReferences") for one in left] == [None]
    assert not apply(**absent)["changed"]


def test_a_deletion_that_hangs_names_the_object_and_its_finalizers(apply: Apply, cluster: Any, namespace: str) -> None:
    stuck = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stuck", "finalizers": ["example.com/nobody-comes"]},
    }
    both = [stuck, {**stuck, "metadata": {"name": "free"}}]
    apply(definitions=both)
    try:
        failed = apply(definitions=both, state="absent", wait=True, wait_timeout=1, fails=True)
        assert f"ConfigMap {namespace}/stuck: is being deleted and waits for its finalizers" in failed["msg"]
        assert "example.com/nobody-comes" in failed["msg"]
        # the other one went
        assert [(row["name"], row["changed"]) for row in failed["objects"]] == [("stuck", False), ("free", True)]
        assert failed["changed"]
    finally:
        patch = '{"metadata":{"finalizers":null}}'
        cluster.kubectl("patch", "configmap", "stuck", "-n", namespace, "--type=merge", "-p", patch)


@pytest.fixture
def held_box(cluster: Any, namespace: str) -> Iterator[list[dict[str, Any]]]:
    """A namespace, a definition, and an object of it with a finalizer that nobody removes."""
    own, group = f"{namespace}-own", f"{namespace[-6:]}.example.com"
    metadata = {"name": "one", "namespace": own, "finalizers": ["example.com/nobody-comes"]}
    yield [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}},
        box_definition(group),
        {"apiVersion": f"{group}/v1", "kind": "Box", "metadata": metadata, "spec": {"size": 1}},
    ]
    let_go(cluster, own, group)
    cluster.kubectl("delete", "namespace", own, "--ignore-not-found", "--wait=false")
    cluster.kubectl("delete", "crd", f"boxes.{group}", "--ignore-not-found", "--wait=false")


def let_go(cluster: Any, namespace: str, group: str) -> None:
    patch = '{"metadata":{"finalizers":null}}'
    cluster.kubectl("patch", f"boxes.{group}", "one", "-n", namespace, "--type=merge", "-p", patch, check=False)


@pytest.mark.slow
def test_what_a_stuck_deletion_may_need_stays(apply: Apply, cluster: Any, held_box: list[dict[str, Any]]) -> None:
    namespace, definition, box = (item["metadata"]["name"] for item in held_box)
    apply(definitions=held_box)
    absent = {"definitions": held_box, "state": "absent", "wait": True}
    failed = apply(wait_timeout=1, fails=True, **absent)
    held = f"Box {namespace}/{box}: is being deleted and waits for its finalizers example.com/nobody-comes"
    assert held in failed["msg"]
    for kept in (f"CustomResourceDefinition {definition}", f"Namespace {namespace}"):
        assert f"delete {kept}: it was not deleted, because Box {namespace}/{box} has to go first" in failed["msg"]
    for kind, name in (("crd", definition), ("namespace", namespace)):
        assert "deletionTimestamp" not in cluster.get(kind, name)["metadata"]

    let_go(cluster, namespace, definition.partition(".")[2])
    done = apply(wait_timeout=60, **absent)
    assert [row["kind"] for row in done["objects"] if row["changed"]] == ["Namespace", "CustomResourceDefinition"]
    for kind, name in (("crd", definition), ("namespace", namespace)):
        assert not cluster.kubectl("get", kind, name, "--ignore-not-found")


def test_a_refusal_does_not_print_the_object(apply: Apply) -> None:
    """The API server does: with the whole pod template, every variable of its environment in clear."""
    spec = {
        "restartPolicy": "Never",
        "containers": [
            {"name": "main", "image": "example.invalid/none:1", "env": [{"name": "MOTD", "value": "plain-but-ours"}]}
        ],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {"suspend": True, "template": {"spec": spec}},
    }
    apply(definitions=[job])
    spec["containers"][0]["image"] = "example.invalid/none:2"  # type: ignore[index]
    for check in (True, False):
        refused = apply(definitions=[job], check=check, fails=True)
        assert "spec.template: field is immutable" in refused["msg"]
        assert "plain-but-ours" not in str(refused) and "PodTemplateSpec" not in str(refused)
