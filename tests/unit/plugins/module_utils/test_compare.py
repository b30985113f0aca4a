# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.compare import (
    Rule,
    Rules,
    as_set,
    at_least,
    case_insensitive,
    exact,
    floor_version,
    location,
    merge,
)
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

PLAIN = Rules({})


@pytest.mark.parametrize(
    ("current", "declared", "merged", "changes"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 2}, [], id="undeclared keys stay"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 2}, [("a", 1, 2)], id="declared scalar differs"),
        pytest.param({}, {"a": 1}, {"a": 1}, [("a", ABSENT, 1)], id="declared scalar is new"),
        pytest.param({"a": 1}, {"a": None}, {"a": None}, [("a", 1, ABSENT)], id="null clears"),
        pytest.param({}, {"a": None}, {}, [], id="null of what is absent"),
        pytest.param({"a": None}, {"a": 1}, {"a": 1}, [("a", ABSENT, 1)], id="null counts as absent before"),
        pytest.param({"m": {"x": 1}}, {"m": {"y": 2}}, {"m": {"x": 1, "y": 2}}, [("m.y", ABSENT, 2)], id="maps merge"),
        pytest.param({"l": [1, 2]}, {"l": [2]}, {"l": [2]}, [("l", [1, 2], [2])], id="a list is the whole list"),
        pytest.param({"l": [1, 2]}, {"l": []}, {"l": []}, [("l", [1, 2], [])], id="an empty list empties"),
        pytest.param({"b": False}, {"b": None}, {"b": None}, [("b", False, ABSENT)], id="null clears false"),
        pytest.param({"b": True}, {"b": False}, {"b": False}, [("b", True, False)], id="false is a value"),
        pytest.param(
            ABSENT, {"a": {"b": 1}}, {"a": {"b": 1}}, [("a.b", ABSENT, 1)], id="nothing stands yet: every leaf"
        ),
        pytest.param(
            {"t": {}}, {"t": {"a.b/c": "x"}}, {"t": {"a.b/c": "x"}}, [('t."a.b/c"', ABSENT, "x")], id="quoted key"
        ),
    ],
)
def test_only_what_is_declared_changes(
    current: Any, declared: Any, merged: Any, changes: list[tuple[Any, ...]]
) -> None:
    before = copy.deepcopy((current, declared))
    result = merge(current, declared, PLAIN)
    assert result.value == merged
    assert [(change.path, change.before, change.after) for change in result.changes] == changes
    assert (current, declared) == before, "arguments are not modified"
    assert not merge(result.value, declared, PLAIN).changes, "what was merged stands"


POOLS = Rules(
    {
        "pools": Rule(key="name", keep_others=True),
        "pools.*.size": Rule(case_insensitive),
        "pools.*.zones": Rule(as_set, empty_is_absent=True),
        "tags": Rule(purge=True),
    }
)


@pytest.mark.parametrize(
    ("current", "declared", "merged", "paths"),
    [
        pytest.param(
            {"pools": [{"name": "a", "size": "STANDARD_D2", "max": 3}, {"name": "other"}]},
            {"pools": [{"name": "A", "size": "standard_d2"}]},
            {"pools": [{"name": "a", "size": "STANDARD_D2", "max": 3}, {"name": "other"}]},
            [],
            id="items merge by key whatever its case, others stay",
        ),
        pytest.param(
            {"pools": [{"name": "a", "zones": ["3", "1"]}]},
            {"pools": [{"name": "a", "zones": ["1", "3"]}]},
            None,
            [],
            id="order of a set",
        ),
        pytest.param(
            {"pools": [{"name": "a"}]}, {"pools": [{"name": "a", "zones": []}]}, None, [], id="empty is absent"
        ),
        pytest.param(
            {"pools": []},
            {"pools": [{"name": "b", "size": "x"}]},
            {"pools": [{"name": "b", "size": "x"}]},
            ["pools[b]"],
            id="a new item",
        ),
        pytest.param(
            {"tags": {"a": "1", "b": "2"}}, {"tags": {"a": "1"}}, {"tags": {"a": "1"}}, ["tags.b"], id="purge"
        ),
    ],
)
def test_rules_decide_by_path(current: Any, declared: Any, merged: Any, paths: list[str]) -> None:
    result = merge(current, declared, POOLS)
    assert [change.path for change in result.changes] == paths
    assert result.value == (current if merged is None else merged)


def test_keyed_items_that_are_not_declared_are_removed_unless_kept() -> None:
    rules = Rules({"items": Rule(key="name")})
    result = merge({"items": [{"name": "a"}, {"name": "b"}]}, {"items": [{"name": "b"}]}, rules)
    assert result.value == {"items": [{"name": "b"}]}
    assert [(change.path, change.after) for change in result.changes] == [("items[a]", ABSENT)]


@pytest.mark.parametrize(
    ("comparator", "current", "declared", "equal"),
    [
        (exact, 1, 1, True),
        (exact, "1", 1, False),
        (case_insensitive, "/Subscriptions/A", "/subscriptions/a", True),
        (location, "East US 2", "eastus2", True),
        (location, "eastus", "eastus2", False),
        (as_set, ["a", "b"], ["b", "a"], True),
        (as_set, ["a", "a"], ["a"], False),
        (as_set, None, [], True),
        (at_least, 64, 32, True),
        (at_least, 32, 64, False),
        (at_least, None, 32, False),
        (floor_version, "1.35.4", "1.35", True),
        (floor_version, "1.35.4", "1.35.4", True),
        (floor_version, "1.35.5", "1.35.4", True),
        (floor_version, "1.35.3", "1.35.4", False),
        (floor_version, "1.36.0", "1.35.4", True),
        (floor_version, "1.34.9", "1.35", False),
        (floor_version, "1.9.1", "1.10", False),
        (floor_version, "1.35", "1.35.4", True),
        (floor_version, "v0.3.0", "0.3.0", True),
        (floor_version, "stable", "1.35", False),
    ],
)
def test_comparators(comparator: Any, current: Any, declared: Any, equal: bool) -> None:
    assert comparator(current, declared) is equal


@pytest.mark.parametrize(
    ("current", "changes"),
    [
        pytest.param({}, [], id="a flag nobody set is off"),
        pytest.param({"flag": None}, [], id="so is null"),
        pytest.param({"flag": True}, [("flag", True, False)], id="one that is on is not"),
    ],
)
def test_false_may_stand_for_absent(current: dict[str, Any], changes: list[tuple[str, Any, Any]]) -> None:
    merged = merge(current, {"flag": False}, Rules({"flag": Rule(false_is_absent=True)}))
    assert [(change.path, change.before, change.after) for change in merged.changes] == changes
    assert [change.path for change in merge({}, {"flag": False}, PLAIN).changes] == ["flag"]
