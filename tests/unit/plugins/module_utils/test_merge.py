# SPDX-License-Identifier: GPL-3.0-or-later
"""One mapping laid over another."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.compare import overlay


def test_mappings_merge_and_all_else_replaces() -> None:
    below = {"a": {"x": 1, "y": 2}, "list": [1, 2], "gone": {"x": 1}}
    assert overlay(below, {"a": {"y": 3}, "list": [3], "gone": None}) == {
        "a": {"x": 1, "y": 3},
        "list": [3],
        "gone": None,
    }
    assert below["a"] == {"x": 1, "y": 2}


def mapping(rng: random.Random, depth: int = 3) -> dict[str, Any]:
    leaves: list[Any] = [None, 0, "", "x", [], [1, {"a": 1}], {}]
    return {
        key: mapping(rng, depth - 1) if depth and rng.random() < 0.5 else copy.deepcopy(rng.choice(leaves))
        for key in rng.sample("abcd", rng.randint(0, 4))
    }


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_it_is_what_applying_one_after_the_other_means(first: int) -> None:
    for seed in range(first, first + 25):
        applied(seed)


def applied(seed: int) -> None:
    rng = random.Random(seed)
    one, two, three = (mapping(rng) for _ in range(3))
    before = copy.deepcopy((one, two))
    both = overlay(one, two)
    assert (one, two) == before, "neither is changed"
    assert overlay(both, two) == both, "twice is once"
    assert overlay(one, {}) == one and overlay({}, two) == two
    assert set(both) == {*one, *two}
    if all(not isinstance(value, dict) for value in (*one.values(), *two.values(), *three.values())):
        assert overlay(both, three) == {**one, **two, **three}
