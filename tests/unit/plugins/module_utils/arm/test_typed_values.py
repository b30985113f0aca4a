# SPDX-License-Identifier: GPL-3.0-or-later
"""What YAML makes of a text, and what becomes of it; names that nobody knows."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.spec import CLUSTER_MODEL, POOL_MODEL
from ansible_collections.mcpops.platform.plugins.module_utils.arm.compare import (
    text_of,
    texts_of,
    typed_body,
    typed_like,
)

TEXTS = {
    "a text": ("a", "a"),
    "a number": (8, "8"),
    "a fraction": (1.5, "1.5"),
    "zero": (0, "0"),
    "true": (True, "true"),
    "false": (False, "false"),
    "a date": (date(2026, 1, 31), "2026-01-31"),
    "a moment": (datetime(2026, 1, 31, 10, 20, tzinfo=timezone.utc), "2026-01-31T10:20:00Z"),
    "not a number": (float("nan"), None),
    "a list": ([1], None),
}


@pytest.mark.parametrize(("value", "text"), TEXTS.values(), ids=TEXTS.keys())
def test_text_of_a_scalar(value: Any, text: str | None) -> None:
    assert text_of(value) == text


def test_names_are_texts_too() -> None:
    texts, problems = texts_of({8: "a", True: 2, "gone": None, "bad": {"a": 1}}, "labels")
    assert texts == {"8": "a", "true": "2", "gone": None, "bad": None}
    assert [problem.path for problem in problems] == ["labels.bad"]


READ: dict[str, tuple[str, Any, Any]] = {
    "text from a number": (POOL_MODEL, {"upgradeSettings": {"maxSurge": 2}}, {"upgradeSettings": {"maxSurge": "2"}}),
    "whole number from text": (POOL_MODEL, {"osDiskSizeGB": "128"}, {"osDiskSizeGB": 128}),
    "whole number from a fraction": (POOL_MODEL, {"maxPods": 30.0}, {"maxPods": 30}),
    "number from text": (POOL_MODEL, {"spotMaxPrice": "-1"}, {"spotMaxPrice": -1}),
    "boolean from text": (POOL_MODEL, {"enableFIPS": "True"}, {"enableFIPS": True}),
    "list of texts": (POOL_MODEL, {"availabilityZones": [1, "2"]}, {"availabilityZones": ["1", "2"]}),
    "a map's values": (POOL_MODEL, {"nodeLabels": {"gpu": False, "n": 1}}, {"nodeLabels": {"gpu": "false", "n": "1"}}),
    "null clears": (
        POOL_MODEL,
        {"nodeLabels": {"gpu": None}, "tags": None},
        {"nodeLabels": {"gpu": None}, "tags": None},
    ),
    "a name in another case": (CLUSTER_MODEL, {"addonprofiles": {}}, {"addonProfiles": {}}),
    "an add-on's configuration": (
        CLUSTER_MODEL,
        {"addonProfiles": {"omsagent": {"enabled": "true", "config": {"useAADAuth": True}}}},
        {"addonProfiles": {"omsagent": {"enabled": True, "config": {"useAADAuth": "true"}}}},
    ),
}


@pytest.mark.parametrize(("model", "declared", "expected"), READ.values(), ids=READ.keys())
def test_values_get_the_type_of_their_field(model: str, declared: Any, expected: Any) -> None:
    assert typed_body(declared, model) == (expected, [])


WRONG: dict[str, tuple[str, Any, str, str]] = {
    "misspelt": (CLUSTER_MODEL, {"addonProfile": {}}, "addonProfile", "did you mean addonProfiles?"),
    "misspelt further down": (
        CLUSTER_MODEL,
        {"autoUpgradeProfile": {"upgradeChanel": "patch"}},
        "autoUpgradeProfile.upgradeChanel",
        "did you mean upgradeChannel?",
    ),
    "misspelt with a hyphen": (
        CLUSTER_MODEL,
        {"autoScalerProfile": {"scan_interval": "10s"}},
        "autoScalerProfile.scan_interval",
        "did you mean scan-interval?",
    ),
    "like nothing": (POOL_MODEL, {"zzz": 1}, "zzz", "has no such property"),
    "answered only": (CLUSTER_MODEL, {"fqdn": "a"}, "fqdn", "only answered by the service"),
    "words for a number": (POOL_MODEL, {"count": "three"}, "count", "must be a whole number, not text: 'three'"),
    "more digits than a number has": (POOL_MODEL, {"count": "9" * 5000}, "count", "must be a whole number, not text"),
    "more than a float holds": (POOL_MODEL, {"spotMaxPrice": f"{'9' * 400}.5"}, "spotMaxPrice", "must be a number"),
    "a boolean for a number": (POOL_MODEL, {"minCount": True}, "minCount", "must be a whole number"),
    "a number for a boolean": (POOL_MODEL, {"enableFIPS": 1}, "enableFIPS", "must be true or false, not a number: 1"),
    "a list for a text": (POOL_MODEL, {"nodeLabels": {"a": [1]}}, "nodeLabels.a", "must be text, not a list"),
    "a text for a list": (POOL_MODEL, {"nodeTaints": "a=b:NoSchedule"}, "nodeTaints", "must be a list, not text"),
    "a text for a mapping": (CLUSTER_MODEL, {"networkProfile": "azure"}, "networkProfile", "must be a mapping"),
}


@pytest.mark.parametrize(("model", "declared", "path", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_meant_is_told(model: str, declared: Any, path: str, message: str) -> None:
    (problem,) = typed_body(declared, model)[1]
    assert problem.path == path
    assert message in problem.message


LIKE: dict[str, tuple[Any, Any, Any]] = {
    "text stands": ({"a": "1"}, {"a": 1}, {"a": "1"}),
    "a number stands": ({"a": 1}, {"a": 1}, {"a": 1}),
    "a number stands for a text": ({"a": 3, "b": 0.5}, {"a": "3", "b": "0.5"}, {"a": 3, "b": 0.5}),
    "a boolean stands for a text": ({"a": True}, {"a": "False"}, {"a": False}),
    "what is no number": ({"a": 3}, {"a": "three"}, {"a": "three"}),
    "null": ({"a": 3}, {"a": None}, {"a": None}),
    "nothing stands": ({}, {"a": True}, {"a": True}),
    "texts in a list": ({"a": ["1"]}, {"a": [1, True]}, {"a": ["1", "true"]}),
    "items of a list": ({"a": [{"b": "2"}]}, {"a": [{"b": 2}]}, {"a": [{"b": "2"}]}),
}


@pytest.mark.parametrize(("existing", "declared", "expected"), LIKE.values(), ids=LIKE.keys())
def test_what_stands_says_the_type_where_no_model_does(existing: Any, declared: Any, expected: Any) -> None:
    assert typed_like(existing, declared) == expected
