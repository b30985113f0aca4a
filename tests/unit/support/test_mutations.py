# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign edits come from the schema: every kind of place is tried, and the same ones every time."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any

import pytest
from support.mutations import (
    EXTRA,
    TWIN,
    Mutation,
    belongs,
    changed,
    changed_places,
    mutations,
    sample,
    shown_places,
)
from support.openapi import Schema, kind_schema

PREFIX = "#/components/schemas/"
STRING = {"type": "string"}
DOCUMENT: dict[str, Any] = {
    "components": {
        "schemas": {
            "Service": {
                "type": "object",
                "properties": {"metadata": {"type": "object"}, "spec": {"$ref": f"{PREFIX}Spec"}},
                "x-kubernetes-group-version-kind": [{"group": "", "kind": "Service", "version": "v1"}],
            },
            "Spec": {
                "type": "object",
                "properties": {
                    "clusterIP": STRING,
                    "ipFamilyPolicy": STRING,
                    "paused": {"type": "boolean", "default": True},
                    "type": {**STRING, "enum": ["ClusterIP", "NodePort"]},
                    "affinity": STRING,
                    "selector": {
                        "type": "object",
                        "additionalProperties": {**STRING, "default": ""},
                        "x-kubernetes-map-type": "atomic",
                    },
                    "labels": {"type": "object", "additionalProperties": STRING},
                    "size": {"allOf": [{"$ref": f"{PREFIX}io.k8s.apimachinery.pkg.api.resource.Quantity"}]},
                    "args": {"type": "array", "items": STRING},
                    "rules": {"type": "array", "items": {"$ref": f"{PREFIX}Rule"}, "x-kubernetes-list-type": "atomic"},
                    "ports": {
                        "type": "array",
                        "items": {"allOf": [{"$ref": f"{PREFIX}Port"}], "default": {}},
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "protocol"],
                    },
                },
            },
            "Port": {
                "type": "object",
                "required": ["port"],
                "properties": {
                    "name": STRING,
                    "nodePort": {"type": "integer"},
                    "port": {"type": "integer"},
                    "protocol": {**STRING, "default": "TCP", "enum": ["SCTP", "TCP", "UDP"]},
                },
            },
            "Rule": {
                "type": "object",
                "properties": {
                    "verbs": {"type": "array", "items": STRING},
                    "names": {"type": "array", "items": STRING},
                },
            },
            "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [STRING, {"type": "number"}]},
        }
    }
}
DECLARED: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"example.org/a.b": "c"}},
    "spec": {
        "selector": {"app": "web"},
        "labels": {"tier": "front"},
        "size": "500m",
        "args": ["--one", "--two"],
        "rules": [{"verbs": ["get"]}],
        "ports": [{"port": 53, "name": "dns"}],
    },
}
LIVE: dict[str, Any] = copy.deepcopy(DECLARED)
LIVE["metadata"]["labels"]["theirs"] = "x"
LIVE["spec"] |= {"type": "ClusterIP", "clusterIP": "10.0.0.1", "ipFamilyPolicy": "SingleStack"}
LIVE["spec"]["ports"][0] |= {"protocol": "TCP", "nodePort": 30000}


def schema() -> Schema:
    found = kind_schema(DOCUMENT, "v1", "Service")
    assert found is not None
    return found


def edits(declared: Mapping[str, Any] = DECLARED, live: Mapping[str, Any] = LIVE, seed: str = "a") -> list[Mutation]:
    return mutations(declared, live, schema(), random.Random(seed))


def patch_of(what: str, *steps: str | int) -> Mapping[str, Any]:
    found = [edit.patch for edit in edits() if edit.what == what and edit.steps == steps]
    assert found, [str(edit) for edit in edits()]
    ((operation,), *_) = found
    return operation


@pytest.mark.parametrize(
    ("what", "steps", "operation"),
    [
        (
            "change a declared leaf",
            ("spec", "size"),
            {"op": "replace", "path": "/spec/size", "value": "501m"},
        ),
        (
            "change a declared leaf",
            ("metadata", "annotations", "example.org/a.b"),
            {"op": "replace", "path": "/metadata/annotations/example.org~1a.b", "value": "c-x"},
        ),
        (
            "remove a declared leaf",
            ("spec", "ports", 0, "name"),
            {"op": "remove", "path": "/spec/ports/0/name"},
        ),
        (
            "change a defaulted leaf",
            ("spec", "type"),
            {"op": "replace", "path": "/spec/type", "value": "NodePort"},
        ),
        (
            "add an undeclared leaf",
            ("spec", "labels", EXTRA),
            {"op": "add", "path": f"/spec/labels/{EXTRA}", "value": EXTRA},
        ),
        (
            "add an undeclared leaf",
            ("spec", "paused"),
            # the default is true: adding that would be nothing
            {"op": "add", "path": "/spec/paused", "value": False},
        ),
        (
            "add within a mapping that is owned in one piece",
            ("spec", "selector", EXTRA),
            {"op": "add", "path": f"/spec/selector/{EXTRA}", "value": EXTRA},
        ),
        (
            "add within a mapping that is owned in one piece",
            ("spec", "rules", 0, "names"),
            {"op": "add", "path": "/spec/rules/0/names", "value": [EXTRA]},
        ),
        (
            "add to a list that is owned in one piece",
            ("spec", "args"),
            {"op": "add", "path": "/spec/args/-", "value": "--two-x"},
        ),
        (
            "take from a list that is owned in one piece",
            ("spec", "args"),
            {"op": "remove", "path": "/spec/args/1"},
        ),
        (
            "add a list item with another key",
            ("spec", "ports"),
            {"op": "add", "path": "/spec/ports/-", "value": {"port": 54, "protocol": "TCP", "name": EXTRA}},
        ),
        (
            "add a twin that differs in a defaulted key",
            ("spec", "ports"),
            {"op": "add", "path": "/spec/ports/-", "value": {"port": 53, "protocol": "UDP", "name": TWIN}},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_place_is_edited(what: str, steps: tuple[str | int, ...], operation: dict[str, Any]) -> None:
    assert patch_of(what, *steps) == operation


def test_what_the_server_hands_out_and_what_others_own_is_left_alone() -> None:
    touched = {step for edit in edits() for step in edit.steps}
    assert touched.isdisjoint({"clusterIP", "nodePort", "ipFamilies", "theirs", "kind", "apiVersion"})


def test_the_same_object_gets_the_same_edits_and_its_neighbour_others() -> None:
    assert edits() == edits()
    assert edits(seed="b") != edits()


def test_each_kind_of_edit_has_its_turn() -> None:
    found = [edit.what for edit in edits()]
    kinds = len(set(found))
    assert len(set(found[:kinds])) == kinds == 9


def test_a_secrets_plain_values_are_edited_where_the_server_keeps_them() -> None:
    declared = {"kind": "Secret", "metadata": {}, "stringData": {"user": "bob"}}
    live = {"kind": "Secret", "metadata": {}, "data": {"user": "Ym9i"}}
    byte = {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}}
    secret = Schema({"properties": {"data": byte}}, {})
    (patch,) = [edit.patch[0] for edit in mutations(declared, live, secret, random.Random(1)) if "change" in edit.what]
    assert patch == {"op": "replace", "path": "/data/user", "value": "Ym9ieA=="}


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_an_empty_one_is_a_place_for_controllers(kind: str) -> None:
    item = {"kind": kind, "metadata": {"labels": {"app": "web"}}, "data": {}}
    assert {edit.steps[0] for edit in mutations(item, {**item, "data": {"a": "b"}}, None, random.Random(1))} == {
        "metadata"
    }


@pytest.mark.parametrize(
    ("value", "node", "other"),
    [
        (True, {}, False),
        (3, {}, 4),
        ("10s", {}, "11s"),
        ("25%", {}, "26%"),
        ("a: b\n", {}, f"a: b\n# {EXTRA}\n"),
        ("Always", {"enum": ["Always"]}, None),
        ("2026-01-31T00:00:00Z", {"format": "date-time"}, None),
        (None, {}, None),
    ],
)
def test_another_value_is_of_the_same_kind(value: Any, node: dict[str, Any], other: Any) -> None:
    assert changed(value, Schema(node, {})) == other


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"type": "integer", "default": 1}, 2),
        ({"x-kubernetes-int-or-string": True}, 1),
        ({"type": "string", "format": "byte"}, "bWNwb3BzLWV4dHJhLWJ5dGVz"),
        ({"type": "string", "enum": ["", "A", "B"], "default": "B"}, "A"),
        ({"type": "object", "properties": {"a": STRING}}, None),
        ({"type": "array", "items": {"type": "object"}}, None),
        ({}, None),
    ],
)
def test_a_value_is_made_up_only_where_the_schema_says_enough(node: dict[str, Any], value: Any) -> None:
    assert sample(Schema(node, {})) == value


def test_places_of_a_diff_are_read_as_they_are_written() -> None:
    lines = (
        'metadata.labels."a.b/c": "x"  # set by intruder\n'
        'spec.ports[53,TCP].name: "a: b"\n'
        "data.password: ******** (before)\n"
        'spec.containers (order): ["b", "a"]\n'
        'rules[0].resourceNames[1]: "y"\n'
        "spec.list[a[0]].x: 1\n"
    )
    assert shown_places(lines) == {
        ("metadata", "labels", "a.b/c"),
        ("spec", "ports", "name"),
        ("data", "password"),
        ("spec", "containers"),
        ("rules", "resourceNames"),
        ("spec", "list", "x"),
    }


def test_what_differs_is_named_by_its_fields() -> None:
    after = copy.deepcopy(LIVE)
    after["spec"]["ports"][0]["name"] = "other"
    after["spec"]["args"].append("--three")
    del after["metadata"]["labels"]["app"]
    assert changed_places(LIVE, after) == {("spec", "ports", "name"), ("spec", "args"), ("metadata", "labels", "app")}


@pytest.mark.parametrize(
    ("steps", "owner", "shown", "fits"),
    [
        pytest.param(("spec", "size"), ("spec", "size"), ("spec", "size"), True, id="itself"),
        pytest.param(("spec", "size"), ("spec", "size"), ("spec",), False, id="wider"),
        pytest.param(("spec", "size"), ("spec", "size"), ("spec", "type"), False, id="beside"),
        pytest.param(("rules", 0, "names"), ("rules",), ("rules",), True, id="the-piece"),
        pytest.param(("rules", 0, "names"), ("rules",), ("rules", "verbs"), True, id="within-the-piece"),
        pytest.param(("rules", 0, "names"), ("rules",), ("spec",), False, id="outside-the-piece"),
    ],
)
def test_only_the_place_and_what_is_owned_with_it_belongs_to_an_edit(
    steps: tuple[str | int, ...], owner: tuple[str | int, ...], shown: tuple[str, ...], fits: bool
) -> None:
    edit = Mutation("change", steps, (), owner)
    assert belongs(shown, edit, {edit.place}) is fits


def test_an_item_under_another_key_belongs_to_its_list() -> None:
    (renamed,) = [
        edit for edit in edits() if edit.steps == ("spec", "ports", 0, "port") and edit.what.startswith("change")
    ]
    assert renamed.owner == ("spec", "ports")
