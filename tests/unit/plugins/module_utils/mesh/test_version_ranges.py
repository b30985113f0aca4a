# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of versions; tests/contract/mesh asks the registry's own library about many more."""

from __future__ import annotations

import random

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.mesh import version_ranges
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.version_ranges import is_within, wrong_range

# range → (in it, not in it)
RANGES = {
    "": (["0.0.0", "9.9.9", "not a version"], []),
    "*": (["0.0.0", "1.2.3", "not a version"], ["1.0.0-rc.1"]),
    "1.2.3": (["1.2.3", "v1.2.3", "1.2.3+build"], ["1.2.4", "1.2.3-rc.1"]),
    "=1.2": (["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
    "1.x": (["1.0.0", "1.9.0"], ["2.0.0", "0.9.0"]),
    "1.2.*": (["1.2.0", "1.2.7"], ["1.3.0"]),
    ">=1.0.0": (["1.0.0", "7.0.0"], ["0.9.9", "1.0.0-rc.1", "2.0.0-alpha"]),
    ">=1.0.0-0": (["1.0.0-rc.1", "1.0.0"], ["0.9.9"]),
    ">1": (["2.0.0"], ["1.9.9", "1.0.0"]),
    ">1.1": (["1.2.0", "2.0.0"], ["1.1.5"]),
    ">1.2.3": (["1.2.4"], ["1.2.3"]),
    "<1": (["0.9.9"], ["1.0.0"]),
    "<=1.1": (["1.1.9", "0.1.0"], ["1.2.0"]),
    "<=1.1.0": (["1.1.0"], ["1.1.1"]),
    "!=1.2": (["1.3.0", "0.9.0"], ["1.2.0", "1.2.5"]),
    "!=1.2.3": (["1.2.4"], ["1.2.3"]),
    "^1.2.3": (["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]),
    "^1.2": (["1.2.0", "1.9.0"], ["1.1.0", "2.0.0"]),
    "^1": (["1.0.0", "1.9.9"], ["2.0.0"]),
    "^0.2.3": (["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
    "^0.2": (["0.2.0"], ["0.3.0"]),
    "^0.0.3": (["0.0.3"], ["0.0.4"]),
    "^0.0": (["0.0.9"], ["0.1.0"]),
    "^0": (["0.9.0"], ["1.0.0"]),
    "~1.2.3": (["1.2.3", "1.2.9"], ["1.3.0", "1.2.2"]),
    "~1.2": (["1.2.9"], ["1.3.0"]),
    "~1": (["1.9.0"], ["2.0.0"]),
    "~>1.2.3": (["1.2.9"], ["1.3.0"]),
    "=>1.0": (["1.0.0"], ["0.9.0"]),
    "=<1.0.0": (["1.0.0"], ["1.0.1"]),
    ">=1.0.0, <2.0.0": (["1.0.0", "1.9.9"], ["2.0.0", "0.1.0"]),
    ">=1.0.0 <2.0.0": (["1.5.0"], ["2.0.0"]),
    ">= 1.0.0 , < 2": (["1.5.0"], ["2.0.0"]),
    "1.2 - 1.4.5": (["1.2.0", "1.4.5"], ["1.4.6", "1.1.0"]),
    # what the library's documentation does not say
    "01.2": (["1.2.0", "1.2.9"], ["1.3.0"]),
    ">=1.0.0-0, <2": (["1.5.0-rc.1", "1.5.0"], ["2.0.0", "0.9.0"]),
    "^*": (["0.0.0"], ["0.0.1", "1.0.0"]),
    "<=*": (["0.0.9"], ["0.1.0", "1.0.0"]),
    ">*": (["0.0.1", "3.0.0"], ["0.0.0"]),
    "!=*": (["0.0.1"], ["0.0.0"]),
    "~0.0.0": (["0.0.0", "3.1.0"], ["0.0.0-rc.1"]),
    "!=1.2-rc.1, >=1": (["1.2.0-rc.2", "1.2.0"], ["1.2.5-rc.1", "0.9.0"]),
    "<1.0.0 || >=2.3.0": (["0.9.0", "2.3.0"], ["1.5.0"]),
    "^1.0 || ^3.0": (["1.5.0", "3.1.0"], ["2.0.0"]),
}
WRONG = [
    "latest",
    ">=",
    "1.2.3.4",
    "1.2a",
    "1.2.3-01",
    ">=1.2,",
    ", >=1.2",
    "1.2,,2",
    "1.2>1.0",
    "==1.0",
    "^",
    "1.0 || ",
    "||",
    ">=1.0 and <2",
    "=*.1.2.3",
    "~~1",
]


@pytest.mark.parametrize("wanted", RANGES)
def test_what_is_in_a_range(wanted: str) -> None:
    inside, outside = RANGES[wanted]
    assert {version: is_within(version, wanted) for version in [*inside, *outside]} == {
        **dict.fromkeys(inside, True),
        **dict.fromkeys(outside, False),
    }


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_a_range(text: str) -> None:
    assert repr(text) in wrong_range(text)


@pytest.mark.parametrize("text", [one for one in RANGES if one])
def test_what_is_a_range(text: str) -> None:
    assert wrong_range(text) == ""


def test_prereleases_are_ordered_as_semver_says() -> None:
    named = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    ordered = [*named, "1.0.0-rc.1", "1.0.0", "1.0.1"]
    shuffled = random.Random(7).sample(ordered, len(ordered))

    def key(text: str) -> object:
        version = version_ranges.parse_version(text)
        assert version is not None
        return version.key

    assert sorted(shuffled, key=key) == ordered  # type: ignore[arg-type]


def test_a_caret_never_leaves_its_leading_number_and_holds_its_own() -> None:
    """Whatever the numbers: what a range is named after is in it, and the next breaking version is not."""
    source = random.Random(11)
    for _ in range(300):
        major, minor, patch = (source.choice([0, 0, 1, 2, 10, 99]) for _ in range(3))
        own = f"{major}.{minor}.{patch}"
        breaking = f"{major + 1}.0.0" if major else f"0.{minor + 1}.0" if minor else f"0.0.{patch + 1}"
        assert is_within(own, f"^{own}"), own
        assert not is_within(breaking, f"^{own}"), own
        assert is_within(f"{major}.{minor}.{patch + 5}", f"~{own}"), own
        # from ~0.0.0 on, it is everything
        assert is_within(f"{major}.{minor + 1}.0", f"~{own}") is (own == "0.0.0"), own
