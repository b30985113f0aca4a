# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan shows as a diff is read back leaf by leaf."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, REDACTED, Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.site.drift_leaves import Leaf, leaves_of

# what differs → the leaves it is read back as
CHANGES: dict[str, tuple[Change, list[Leaf]]] = {
    "changed": (Change("spec.replicas", 1, 2), [Leaf("spec.replicas", 1, 2)]),
    "added": (Change("spec.replicas", ABSENT, 2), [Leaf("spec.replicas", ABSENT, 2)]),
    "removed": (Change("spec.replicas", 1, ABSENT), [Leaf("spec.replicas", 1, ABSENT)]),
    "null is a value": (Change("a", None, ""), [Leaf("a", None, "")]),
    "false is a value": (Change("a", False, 0), [Leaf("a", False, 0)]),
    "set by somebody": (
        Change("a", "x", ABSENT, note="set by kubectl"),
        [Leaf("a", "x", ABSENT, False, "set by kubectl")],
    ),
    "missing": (Change("a", ABSENT, "x", note="is missing"), [Leaf("a", ABSENT, "x", False, "is missing")]),
    "secret": (Change("data.key", "a", "b", secret=True), [Leaf("data.key", REDACTED, REDACTED, True)]),
    "new secret": (Change("data.key", ABSENT, "b", secret=True), [Leaf("data.key", ABSENT, REDACTED, True)]),
    "quoted path": (Change('metadata.labels."a: b/c"', "x", "y"), [Leaf('metadata.labels."a: b/c"', "x", "y")]),
    "colon in a key": (Change("data.a:b", "x", "y"), [Leaf("data.a:b", "x", "y")]),
    "text that looks like a line": (
        Change("a", 'b: "c"  # set by nobody', "d"),
        [Leaf("a", 'b: "c"  # set by nobody', "d")],
    ),
    "several lines": (Change("a", "one\ntwo", "one\u2028two"), [Leaf("a", "one\ntwo", "one\u2028two")]),
    "structure": (
        Change("a", {"b": [1, {"c": 2}]}, {"b": []}),
        [Leaf("a.b[0]", 1, ABSENT), Leaf("a.b[1].c", 2, ABSENT), Leaf("a.b", ABSENT, [])],
    ),
    "whole object": (Change("", ABSENT, {"kind": "X"}), [Leaf("kind", ABSENT, "X")]),
    "whole value": (Change("", ABSENT, "all of it"), [Leaf("", ABSENT, "all of it")]),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_round_trip(change: Change, expected: list[Leaf]) -> None:
    read = leaves_of(Plan("X", (change,)).diff())
    assert read == expected


def test_who_set_it() -> None:
    assert Leaf("a", 1, 2, note="set by kubectl-edit, helm").changed_by == "kubectl-edit, helm"
    assert Leaf("a", 1, 2, note="is missing").changed_by == ""


@pytest.mark.parametrize("text", ["no path here\n", "a: not json\n"])
def test_what_another_module_shows_stays_a_text(text: str) -> None:
    diff: dict[str, Any] = {"before": text, "after": ""}
    assert leaves_of(diff) == [Leaf("", text, ABSENT)]
