# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Reason, Refused
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import bundle
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.bundle import apply_bundle
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.delete import DeleteOptions, delete_existing
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import (
    BundleOptions,
    ObjectOptions,
    Pruning,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType

from .conftest import Answer, FakeTask, Server, status_object

LABEL = bundle.BUNDLE_LABEL
SELECTED = f"?limit=1000&labelSelector={LABEL.replace('/', '%2F')}%3Dshop"


def member(name: str, manager: str = "mcpops", **metadata: Any) -> dict[str, Any]:
    owned = {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": "a",
            "uid": f"uid-{name}",
            "labels": {LABEL: "shop"},
            "managedFields": [{"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": owned}],
            **metadata,
        },
    }


OURS = {
    "applied by us": (member("a"), True),
    "applied by somebody else": (member("a", "helm"), False),
    "being deleted": (member("a", deletionTimestamp="2026-01-01T00:00:00Z"), False),
    "copied with its labels": (member("a", managedFields=[]), False),
    "applied by us, labelled by somebody else": (
        member(
            "a",
            managedFields=[
                {"manager": "mcpops", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:x": {}}}}
            ],
        ),
        False,
    ),
}


@pytest.mark.parametrize("case", OURS)
def test_only_what_we_labelled_is_ours(case: str) -> None:
    item, ours = OURS[case]
    assert bundle.is_ours(item, "mcpops") is ours


def target(kind: str, name: str, api_version: str = "v1", **metadata: Any) -> Target:
    namespaced = kind not in ("Namespace", "CustomResourceDefinition", "PersistentVolume")
    where = {"namespace": "a"} if namespaced else {}
    item = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **where, **metadata}}
    return target_of(ResourceType(api_version, kind, kind.lower() + "s", namespaced), item)


def test_namespaces_definitions_and_volumes_are_held() -> None:
    members = [
        target("ConfigMap", "stays"),
        target("ConfigMap", "goes"),
        target("Namespace", "a"),
        target("PersistentVolumeClaim", "disk"),
        target("PersistentVolume", "disk"),
        target("CustomResourceDefinition", "boxes.example.com", "apiextensions.k8s.io/v1"),
    ]
    going, kept, held = bundle.choose_leaving(members, {bundle.key_of(target("ConfigMap", "stays").ref)})
    assert [str(one.ref) for one in going] == ["ConfigMap a/goes"]
    assert [str(one.ref) for one in kept] == ["ConfigMap a/stays"]
    assert sorted(one.ref.kind for one in held) == [
        "CustomResourceDefinition",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
    ]


def test_another_version_of_a_kind_is_the_same_object() -> None:
    declared = {bundle.key_of(target("HorizontalPodAutoscaler", "web", "autoscaling/v2").ref)}
    going, kept, _held = bundle.choose_leaving([target("HorizontalPodAutoscaler", "web", "autoscaling/v1")], declared)
    assert (going, len(kept)) == ([], 1)


OTHER = {
    "nobody's": ({}, [], 0),
    "ours": ({LABEL: "shop"}, [], 0),
    "another's": ({LABEL: "till"}, [], 1),
    "another's, and taken over": ({LABEL: "till"}, [ObjectOptions(name="x", settings={"force_conflicts": True})], 0),
}


@pytest.mark.parametrize("case", OTHER)
def test_objects_of_another_bundle(case: str) -> None:
    labels, rows, refused = OTHER[case]
    one = target("ConfigMap", "x", labels=labels)
    options = BundleOptions(bundle="shop", per_object=tuple(rows))
    found = bundle.other_bundles(options, [one], {one.ref: one.declared})
    assert len(found) == refused
    assert bundle.other_bundles(BundleOptions(), [one], {one.ref: one.declared}) == []


@pytest.fixture
def kube(server: Server, connect: Callable[..., Kube], task: FakeTask) -> Kube:
    """A cluster that serves ConfigMaps, and a kind of an extension API server that is down."""

    def row(kind: str, plural: str, verbs: list[str]) -> dict[str, Any]:
        return {"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced", "verbs": verbs}

    everything = ["get", "list", "delete"]
    core = [row("ConfigMap", "configmaps", everything), row("Binding", "bindings", ["create"])]
    answer = {"kind": "APIGroupDiscoveryList"}
    server.on("/api", Answer(body={**answer, "items": [_group("", core)]}))
    down = _group("down.example.com", [row("Metric", "metrics", everything)])
    server.on("/apis", Answer(body={**answer, "items": [down]}))
    server.on(f"/apis/down.example.com/v1/metrics{SELECTED}", Answer(503, status_object(503, "", "not ready")))
    return connect(task)


def _group(name: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "versions": [{"version": "v1", "resources": resources}]}


def listed(*items: dict[str, Any]) -> Answer:
    # as the API server answers a request for metadata alone
    return Answer(body={"items": [{**item, "kind": "PartialObjectMetadata"} for item in items], "metadata": {}})


def options(percent: int = 50) -> BundleOptions:
    return BundleOptions(bundle="shop", pruning=Pruning(percent))


def test_what_leaves_and_what_could_not_be_looked_at(server: Server, kube: Kube) -> None:
    server.on(f"/api/v1/configmaps{SELECTED}", listed(member("stays"), member("goes"), member("theirs", "kubectl")))
    found = bundle.undeclared_members(kube, options(), [target("ConfigMap", "stays")])
    assert [str(one.ref) for one in found.targets] == ["ConfigMap a/goes"]
    assert any("metrics were not looked at for pruning" in note for note in found.notes)
    lists = [request for request in server.requests if "labelSelector" in request.target]
    assert all("PartialObjectMetadataList" in request.headers["Accept"] for request in lists)
    # one that is down is asked once
    assert len([request for request in lists if "metrics" in request.target]) == 1


def test_too_much_is_refused(server: Server, kube: Kube) -> None:
    server.on(f"/api/v1/configmaps{SELECTED}", listed(member("stays"), member("b"), member("c")))
    with pytest.raises(Refused) as refused:
        bundle.undeclared_members(kube, options(), [target("ConfigMap", "stays")])
    reported = refused.value.message()
    assert "bundle shop: would shrink from 3 objects to 1" in reported
    assert "Pruning ConfigMap a/b, ConfigMap a/c is more than 50 percent of it" in reported
    assert len(bundle.undeclared_members(kube, options(67), [target("ConfigMap", "stays")]).targets) == 2
    with pytest.raises(Refused):
        bundle.undeclared_members(kube, options(99), [target("ConfigMap", "another")])
    assert len(bundle.undeclared_members(kube, options(100), [target("ConfigMap", "another")]).targets) == 3


def test_without_the_right_to_list_everywhere(server: Server, kube: Kube) -> None:
    server.on(f"/api/v1/configmaps{SELECTED}", Answer(403, status_object(403, "Forbidden", "no")))
    server.on(f"/api/v1/namespaces/a/configmaps{SELECTED}", listed(member("stays"), member("goes")))
    found = bundle.undeclared_members(kube, options(), [target("ConfigMap", "stays")])
    assert [str(one.ref) for one in found.targets] == ["ConfigMap a/goes"]


def test_nothing_is_asked_without_pruning(server: Server, kube: Kube) -> None:
    assert (
        bundle.undeclared_members(kube, BundleOptions(bundle="shop"), [target("ConfigMap", "stays")])
        == bundle.UndeclaredMembers()
    )
    assert server.requests == []


@pytest.mark.parametrize("ready", [True, False])
def test_nothing_goes_before_the_rest_is_ready(ready: bool, server: Server, kube: Kube, task: FakeTask) -> None:
    server.on(f"/api/v1/configmaps{SELECTED}", listed(member("stays"), member("goes")))
    place = "/api/v1/namespaces/a/configmaps"
    declared = target("ConfigMap", "stays").declared
    server.on(f"{place}/stays?fieldManager=mcpops&fieldValidation=Strict", Answer(body=declared))
    server.on(f"{place}/goes", Answer(body={}))

    def deletions() -> int:
        return len([request for request in server.requests if request.method == "DELETE"])

    def settle(applied: Any) -> list[dict[str, Any]]:
        assert (len(applied.objects), deletions()) == (1, 0)
        if not ready:
            raise NotReady("ConfigMap a/stays", [Reason("ConfigMap a/stays", "Pending", "not yet")])
        return list(applied.objects)

    if ready:
        apply_bundle(kube, task, [declared], options(), settle)
    else:
        with pytest.raises(NotReady) as failed:
            apply_bundle(kube, task, [declared], options(), settle)
        reported = "Not pruned, because others are not ready: ConfigMap a/goes"
        assert reported in failed.value.values["notes"]
        assert failed.value.values["changed"]
    assert deletions() == int(ready)


STUCK = {
    "refused": (Answer(403, status_object(403, "Forbidden", "no")), True),
    "still there": (Answer(body={"metadata": {"uid": "1"}}), True),
    "gone": (Answer(404, status_object(404, "NotFound", "gone")), False),
}


@pytest.mark.parametrize("case", STUCK)
def test_what_comes_after_a_stuck_deletion_stays(
    case: str, server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    answer, stays = STUCK[case]
    first, then = target("Box", "one", "example.com/v1", uid="1"), target("ConfigMap", "two", uid="2")
    server.on(first.path, answer)
    live = {one.ref: one.declared for one in (first, then)}
    how = DeleteOptions(wait_timeout=0.0)
    outcomes = delete_existing(connect(task), task, [then, first], live, how, dry=False)
    assert [outcome.failure is not None for outcome in outcomes] == [stays, stays]
    assert any(request.target == then.path for request in server.requests) is not stays
    if stays:
        assert "not deleted, because Box a/one has to go first and did not" in str(outcomes[0].failure)
