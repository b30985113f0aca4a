# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.schema_loss import (
    objects_with,
    schema_losses,
    schema_refusal,
    version_losses,
)

TEXT: dict[str, Any] = {"type": "string"}
INT_OR_STRING: dict[str, Any] = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, TEXT]}
OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(spec: dict[str, Any], *versions: str, stored: tuple[str, ...] = ("v1",)) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", **spec}}}
    entries = [{"name": name, "served": True, "schema": {"openAPIV3Schema": schema}} for name in versions or ("v1",)]
    return {
        "metadata": {"name": "things.example.org"},
        "spec": {"versions": entries},
        "status": {"storedVersions": list(stored)},
    }


def thing(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "a", "name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("now", "then", "field", "hurt", "unhurt"),
    [
        pytest.param({"properties": {"x": TEXT}}, {}, "spec.x", {"x": "1"}, {"y": "1"}, id="a field is gone"),
        pytest.param(
            {"properties": {"list": {"type": "array", "items": {"properties": {"x": TEXT}}}}},
            {"properties": {"list": {"type": "array", "items": {"properties": {}}}}},
            "spec.list[].x",
            {"list": [{}, {"x": "1"}]},
            {"list": [{"y": "1"}]},
            id="a field of list items",
        ),
        pytest.param(
            {"properties": {"map": {"additionalProperties": {"properties": {"x": TEXT}}}}},
            {"properties": {"map": {"additionalProperties": {"properties": {}}}}},
            "spec.map.*.x",
            {"map": {"one": {"x": "1"}}},
            {"map": {"one": {}}},
            id="a field under any key",
        ),
        pytest.param(
            {"properties": {"x": TEXT}},
            {"properties": {"x": {"type": "integer"}}},
            "spec.x",
            {"x": "1"},
            {},
            id="another type",
        ),
        pytest.param(
            {"properties": {"x": INT_OR_STRING}},
            {"properties": {"x": TEXT}},
            "spec.x",
            {"x": 8080},
            {"x": "http"},
            id="text alone",
        ),
        pytest.param(
            {"properties": {"x": {"type": "number"}}},
            {"properties": {"x": {"type": "integer"}}},
            "spec.x",
            {"x": 0.5},
            {"x": 2},
            id="whole numbers alone",
        ),
        pytest.param(
            {"properties": {"x": OPEN}},
            {"properties": {"x": {"type": "object", "properties": {"y": TEXT}}}},
            "spec.x",
            {"x": {"y": "1", "z": "1"}},
            {"x": {"y": "1"}},
            id="what was open is closed",
        ),
        pytest.param(
            {"properties": {"x": {"type": "object", "additionalProperties": TEXT}}},
            {"properties": {"x": {"type": "object"}}},
            "spec.x",
            {"x": {"any": "1"}},
            {"x": {}},
            id="a map without keys",
        ),
        pytest.param(
            {"properties": {"x": {"type": "object", "properties": {"y": {"type": "integer"}}}}},
            {"properties": {"x": {"type": "object", "additionalProperties": TEXT}}},
            "spec.x.y",
            {"x": {"y": 1}},
            {"x": {}},
            id="a field becomes any key, of another type",
        ),
        pytest.param(
            {"properties": {"x": {"type": "string", "enum": ["a", "b"]}}},
            {"properties": {"x": {"type": "string", "enum": ["a"]}}},
            "spec.x",
            {"x": "b"},
            {"x": "a"},
            id="a value is gone",
        ),
        pytest.param(
            {"properties": {"x": TEXT}},
            {"properties": {"x": {"type": "string", "enum": ["a"]}}},
            "spec.x",
            {"x": "b"},
            {"x": "a"},
            id="values are limited",
        ),
        pytest.param(
            {"properties": {"x": TEXT}},
            {"properties": {"x": TEXT}, "required": ["x"]},
            "spec.x",
            {"y": "1"},
            {"x": "1"},
            id="a field must be set",
        ),
    ],
)
def test_what_is_lost_and_who_has_it(
    now: dict[str, Any], then: dict[str, Any], field: str, hurt: dict[str, Any], unhurt: dict[str, Any]
) -> None:
    (loss,) = schema_losses(definition(now), definition(then))
    assert loss.field == field
    names = objects_with(loss, [thing("hurt", **hurt), thing("unhurt", **unhurt)])
    assert names == ["a/hurt"]
    message = Refused("kmcp", [schema_refusal("MCPServer", loss, names)]).message()
    assert f"MCPServer {field}" in message
    assert "a/hurt" in message
    assert "accept_field_loss: true" in message


@pytest.mark.parametrize(
    ("now", "then"),
    [
        pytest.param({"properties": {}}, {"properties": {"x": TEXT}}, id="more fields"),
        pytest.param(
            {"properties": {"x": TEXT}}, {"x-kubernetes-preserve-unknown-fields": True}, id="everything is kept"
        ),
        pytest.param(
            {"properties": {"x": TEXT, "y": TEXT}},
            {"properties": {"y": TEXT}, "x-kubernetes-preserve-unknown-fields": True},
            id="everything else is kept",
        ),
        pytest.param(
            {"properties": {"x": TEXT}},
            {"properties": {"x": {**TEXT, "default": "a"}}, "required": ["x"]},
            id="required with a default",
        ),
        pytest.param(
            {"properties": {"x": {"type": "integer"}}}, {"properties": {"x": {"type": "number"}}}, id="any number"
        ),
        pytest.param({"properties": {"x": TEXT}}, {"properties": {"x": INT_OR_STRING}}, id="numbers as well"),
        pytest.param(
            {"properties": {"x": {"type": "object", "properties": {"y": TEXT}}}},
            {"properties": {"x": {"type": "object", "additionalProperties": TEXT}}},
            id="a field becomes any key",
        ),
        pytest.param({"properties": {"x": OPEN}}, {"properties": {"x": OPEN}}, id="it stays open"),
        pytest.param(
            {"properties": {"x": {"type": "object", "additionalProperties": TEXT}}},
            {"properties": {"x": {"type": "object", "additionalProperties": {}}}},
            id="a map of anything",
        ),
        pytest.param(
            {"properties": {"x": {"enum": ["a"]}}}, {"properties": {"x": {"enum": ["a", "b"]}}}, id="more values"
        ),
    ],
)
def test_nothing_is_lost(now: dict[str, Any], then: dict[str, Any]) -> None:
    assert schema_losses(definition(now), definition(then)) == []


def test_versions_in_which_objects_are_stored_or_served() -> None:
    existing = definition({}, "v1", "v1beta1", stored=("v1", "v1beta1"))
    assert version_losses(existing, definition({}, "v1", "v1beta1")) == []
    (stored,) = version_losses(existing, definition({}, "v1"))
    assert stored.sentence == "objects are stored in version v1beta1, which goes"
    assert "status.storedVersions" in stored.remedy
    (served,) = version_losses(definition({}, "v1", "v1beta1"), definition({}, "v1"))
    assert served.sentence == "version v1beta1 would no longer be served"


def test_many_objects_are_counted() -> None:
    (loss,) = schema_losses(definition({"properties": {"x": TEXT}}), definition({}))
    assert "and 2 more" in schema_refusal("MCPServer", loss, [f"a/{number}" for number in range(7)]).sentence
