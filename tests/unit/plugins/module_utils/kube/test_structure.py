# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of an API server's OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import (
    UNKNOWN,
    known_only,
    structure_of,
    trimmed_schemas,
    with_default_keys,
    without_nulls,
)

from .conftest import described

QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
GVK = {"group": "example.com", "version": "v1", "kind": "Thing"}
DOCUMENT: dict[str, Any] = {
    "paths": {"/apis": {}},
    "components": {
        "schemas": {
            QUANTITY: {"type": "string", "description": "an amount"},
            "com.example.Thing": {
                "type": "object",
                "description": "long",
                "x-kubernetes-group-version-kind": [GVK],
                "properties": {
                    "spec": {"allOf": [{"$ref": "#/components/schemas/com.example.Spec"}], "default": {}},
                    "size": {"$ref": f"#/components/schemas/{QUANTITY}"},
                },
            },
            "com.example.Spec": {
                "type": "object",
                "properties": {
                    "rules": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "family"],
                        "items": {
                            "type": "object",
                            "properties": {
                                "port": {"type": "integer"},
                                "family": {"type": "string", "default": "four"},
                                "limits": {
                                    "type": "object",
                                    "additionalProperties": {"$ref": f"#/components/schemas/{QUANTITY}"},
                                },
                            },
                        },
                    },
                    "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "steps": {"type": "array", "items": {"type": "object"}},
                    "choice": {"type": "object", "x-kubernetes-map-type": "atomic"},
                    "maybe": {"type": "string", "nullable": True},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
        }
    },
}


def thing() -> Any:
    return structure_of(lambda: trimmed_schemas(DOCUMENT), "example.com/v1", "Thing")


def test_what_a_document_says() -> None:
    spec = thing().field("spec")
    rules = spec.field("rules")
    assert rules.keys == ("family", "port")
    assert rules.key_of({"port": 1}) == (("family", "four"), ("port", 1))
    assert rules.key_of({"port": 1, "family": "six"}) == (("family", "six"), ("port", 1))
    assert rules.items.field("limits").field("any").is_quantity
    assert thing().field("size").is_quantity
    assert not spec.field("maybe").is_quantity
    assert (spec.field("tags").is_set, spec.field("tags").is_one_piece) == (True, False)
    assert spec.field("steps").is_one_piece
    assert spec.field("choice").is_one_piece
    assert not rules.is_one_piece
    assert "description" not in str(trimmed_schemas(DOCUMENT))


def test_a_kind_that_is_not_described() -> None:
    other = structure_of(lambda: trimmed_schemas(DOCUMENT), "example.com/v1", "Other")
    for structure in (other, UNKNOWN):
        assert not structure.field("spec").is_known
        assert structure.field("spec").keys == ()
        assert structure.has("anything")


def test_nothing_is_read_before_it_is_asked_for() -> None:
    def load() -> Any:
        raise AssertionError

    structure = structure_of(load, "v1", "Pod")
    assert without_nulls({"spec": {"a": 1}}, structure.field("x")) == {"spec": {"a": 1}}


def test_null_is_a_value_only_where_the_kind_says_so() -> None:
    declared = {"spec": {"maybe": None, "choice": None, "rules": [{"port": 1, "limits": None}]}, "size": None}
    assert without_nulls(declared, thing()) == {"spec": {"maybe": None, "rules": [{"port": 1}]}}


def test_fields_that_a_kind_does_not_have() -> None:
    declared = {"spec": {"rules": [{"port": 1, "colour": "x", "limits": {"any": 1}}], "free": {"any": 1}, "x": 1}}
    assert known_only(declared, thing()) == {"spec": {"rules": [{"port": 1, "limits": {"any": 1}}], "free": {"any": 1}}}


@pytest.mark.parametrize(
    ("kind", "path", "keys"),
    [
        ("Service", ("spec", "ports"), ("port", "protocol")),
        ("Pod", ("spec", "containers", "", "volumeMounts"), ("mountPath",)),
        ("Pod", ("spec", "topologySpreadConstraints"), ("topologyKey", "whenUnsatisfiable")),
        ("Pod", ("spec", "hostAliases"), ("ip",)),
        ("Pod", ("spec", "tolerations"), ()),
    ],
)
def test_keys_of_kubernetes_own_kinds(kind: str, path: tuple[str, ...], keys: tuple[str, ...]) -> None:
    structure = described("v1", kind)
    for step in path:
        structure = structure.field(step) if step else structure.items
    assert structure.keys == keys


def test_an_empty_key_that_has_a_default_is_left_out() -> None:
    declared = {"spec": {"rules": [{"port": 1, "family": ""}, {"port": 2, "family": "six"}], "maybe": ""}}
    assert with_default_keys(declared, thing()) == {
        "spec": {"rules": [{"port": 1}, {"port": 2, "family": "six"}], "maybe": ""}
    }


def test_an_empty_protocol_is_the_default_one() -> None:
    ports = [{"name": "dns", "port": 53, "protocol": ""}]
    assert with_default_keys({"spec": {"ports": ports}}, described("v1", "Service")) == {
        "spec": {"ports": [{"name": "dns", "port": 53}]}
    }


class Counted(dict[str, Any]):
    """A mapping that counts how often it is looked through."""

    looks = 0

    def values(self) -> Any:
        Counted.looks += 1
        return super().values()


@pytest.mark.parametrize(("cleaned", "left_out"), [(without_nulls, None), (with_default_keys, "")])
def test_a_deep_declaration_is_looked_through_once(cleaned: Any, left_out: str | None) -> None:
    declared: Any = Counted(rules=[Counted(port=1, family=left_out)])
    for _level in range(100):
        declared = Counted(a=declared, b={"x": [1, "y"]})
    Counted.looks = 0
    cleaned(declared, thing())
    assert Counted.looks == 102
