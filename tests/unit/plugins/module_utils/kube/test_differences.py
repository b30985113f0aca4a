# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.diff import (
    creation_changes,
    differences,
    removal_changes,
)
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Plan

from .conftest import described

POD, SERVICE = described("v1", "Pod"), described("v1", "Service")

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, Any, Any]]]] = {
    "nothing": ({"spec": {"a": 1}}, {"spec": {"a": 1}}, []),
    "a leaf": ({"spec": {"a": 1}}, {"spec": {"a": 2}}, [("spec.a", 1, 2)]),
    "a key goes": ({"data": {"a": "1", "b": "2"}}, {"data": {"a": "1"}}, [("data.b", "2", ABSENT)]),
    "what the server keeps": (
        {"metadata": {"resourceVersion": "1", "generation": 1, "managedFields": [1]}, "status": {"x": 1}},
        {"metadata": {"resourceVersion": "2", "generation": 2, "managedFields": [2]}, "status": {"x": 2}},
        [],
    ),
    "what a controller notes": (
        {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1", "a": "1"}}},
        {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2", "a": "2"}}},
        [("metadata.annotations.a", "1", "2")],
    ),
    "items by name": (
        {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}},
        {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}},
        [("spec.containers[b].image", "1", "2")],
    ),
    "an item comes": (
        {"spec": {"ports": [{"port": 80, "protocol": "TCP"}]}},
        {"spec": {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]}},
        [("spec.ports[81,TCP]", ABSENT, {"port": 81, "protocol": "TCP"})],
    ),
    "another order": (
        {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}},
        {"spec": {"containers": [{"name": "b"}, {"name": "a"}]}},
        [("spec.containers (order)", ["a", "b"], ["b", "a"])],
    ),
    "a list without keys is one, whatever its items are called": (
        {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}},
        {"spec": {"tolerations": [{"key": "b", "operator": "Exists"}]}},
        [("spec.tolerations", [{"key": "a", "operator": "Exists"}], [{"key": "b", "operator": "Exists"}])],
    ),
    "amounts are compared as amounts": (
        {"spec": {"overhead": {"memory": "1Gi", "cpu": "1"}}},
        {"spec": {"overhead": {"memory": "1024Mi", "cpu": "1500m"}}},
        [("spec.overhead.cpu", "1", "1500m")],
    ),
    "plain lists are one": ({"spec": {"args": ["a"]}}, {"spec": {"args": ["b"]}}, [("spec.args", ["a"], ["b"])]),
}


@pytest.mark.parametrize("case", CASES)
def test_differences(case: str) -> None:
    before, after, expected = CASES[case]
    structure = SERVICE if "ports" in before.get("spec", {}) else POD
    found = differences(before, after, structure)
    assert [(change.path, change.before, change.after) for change in found] == expected


ALPHA = "autoscaling.alpha.kubernetes.io"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"p": "b25l"}}


NOTED = {
    "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"p":"b25l"},"stringData":{"p":"dHdv"}}',
    "team": "them",
}


def noted(**annotations: str) -> dict[str, Any]:
    return {**SECRET, "metadata": {"name": "s", "annotations": annotations}}


@pytest.mark.parametrize(
    "changes",
    [
        differences(SECRET, noted(**NOTED)),
        differences(noted(**NOTED), SECRET),
        differences(noted(team="us"), noted(**NOTED)),
        creation_changes(noted(**NOTED)),
        creation_changes({**SECRET, "stringData": {"p": "dHdv"}}),
        differences(SECRET, {**SECRET, "data": {"p": "dHdv", "q": "b25l"}}),
        differences({**SECRET, "data": {}}, SECRET),
        differences({key: value for key, value in SECRET.items() if key != "data"}, SECRET),
        creation_changes(SECRET),
        removal_changes(SECRET),
    ],
    ids=[
        "noted",
        "noted no more",
        "noted beside",
        "created with notes",
        "created in words",
        "changed",
        "filled",
        "added",
        "created",
        "removed",
    ],
)
def test_secret_values_are_never_shown(changes: Any) -> None:
    shown = str(Plan("Secret s", tuple(changes)).diff())
    assert "b25l" not in shown
    assert "dHdv" not in shown
    assert changes


def test_what_is_not_secret_of_a_secret_is_shown() -> None:
    shown = Plan("Secret s", differences(SECRET, noted(**NOTED))).diff()["after"]
    assert 'metadata.annotations.team: "them"' in shown
    assert 'type: "Opaque"' in Plan("Secret s", creation_changes({**SECRET, "type": "Opaque"})).diff()["after"]


def test_schemas_of_a_definition_are_shown_short() -> None:
    version = {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}
    definition = {"kind": "CustomResourceDefinition", "spec": {"versions": [version, {"name": "v2"}]}}
    shown = Plan("x", creation_changes(definition)).diff()["after"]
    assert "openAPIV3Schema" not in shown
    assert "sha256:" in shown


@pytest.mark.parametrize(
    "name",
    [
        "deprecated.daemonset.template.generation",
        "deployment.kubernetes.io/revision",
        "volume.kubernetes.io/selected-node",
        "control-plane.alpha.kubernetes.io/leader",
        f"{ALPHA}/conditions",
        f"{ALPHA}/current-metrics",
    ],
)
def test_what_controllers_note_down_is_no_difference(name: str) -> None:
    before = {"kind": "DaemonSet", "metadata": {"annotations": {name: "1", "team": "us"}}}
    after = {"kind": "DaemonSet", "metadata": {"annotations": {name: "2", "team": "them"}}}
    assert [change.path for change in differences(before, after)] == ["metadata.annotations.team"]


@pytest.mark.parametrize("name", ["volume.beta.kubernetes.io/storage-class", f"{ALPHA}/behavior", f"{ALPHA}/metrics"])
def test_what_users_set_beside_it_is_one(name: str) -> None:
    before, after = ({"metadata": {"annotations": {name: value}}} for value in ("a", "b"))
    assert len(differences(before, after)) == 1
