# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, REDACTED, Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result

PLAN = Plan(
    "cluster demo",
    (
        Change("properties.version", "1.34", "1.35"),
        Change("properties.password", "old-canary", "new-canary", secret=True),
        Change('tags."a/b"', ABSENT, "x"),
        Change("pools[0]", {"name": "a", "zones": ["1", "2"]}, ABSENT, note="not listed"),
    ),
    notes=("a note",),
)


def test_diff_is_one_sorted_line_a_leaf() -> None:
    diff = PLAN.diff()
    assert diff["before"].splitlines() == [
        'pools[0].name: "a"  # not listed',
        'pools[0].zones[0]: "1"  # not listed',
        'pools[0].zones[1]: "2"  # not listed',
        f"properties.password: {REDACTED} (before)",
        'properties.version: "1.34"',
    ]
    assert diff["after"].splitlines() == [
        f"properties.password: {REDACTED} (after)",
        'properties.version: "1.35"',
        'tags."a/b": "x"',
    ]
    assert "canary" not in str(diff)


@pytest.mark.parametrize(("is_new", "header"), [(True, "ConfigMap a/b (absent)"), (False, "ConfigMap a/b")])
def test_a_diff_tells_a_new_object_from_one_that_lacks_parts(is_new: bool, header: str) -> None:
    diff = Plan("ConfigMap a/b", (Change("data.x", ABSENT, 1),), is_new=is_new).diff()
    assert (diff["before_header"], diff["after_header"], diff["before"]) == (header, "ConfigMap a/b", "")


def test_summary_names_what_differs_and_never_a_value() -> None:
    assert PLAN.summary().startswith("cluster demo: properties.version, properties.password")
    assert "canary" not in PLAN.summary()
    assert Plan("x").summary() == "x: as declared"
    assert Plan("x", tuple(Change(f"p{n}", 1, 2) for n in range(9))).summary().endswith("p5 and 3 more")


def test_a_result_shows_its_diff_only_when_asked_for() -> None:
    result = Result.of(PLAN, {"id": "/x"})
    assert result.to_dict(diff_mode=False) == {
        "changed": True,
        "id": "/x",
        "msg": PLAN.summary(),
        "notes": ["a note"],
    }
    assert result.to_dict(diff_mode=True)["diff"] == [PLAN.diff()]
    assert Result.of(Plan("x")).to_dict(diff_mode=True) == {"changed": False, "msg": "x: as declared", "diff": []}


def test_of_a_list_only_what_differs_is_shown() -> None:
    before, after = [{"verbs": ["get", "*"]}, {"verbs": ["list"]}], [{"verbs": ["get", "watch"]}]
    diff = Plan("ClusterRole x", (Change("rules", before, after, note="set by somebody"),)).diff()
    assert diff["before"].splitlines() == [
        'rules[0].verbs[1]: "*"  # set by somebody',
        'rules[1].verbs[0]: "list"  # set by somebody',
    ]
    assert diff["after"].splitlines() == ['rules[0].verbs[1]: "watch"']
