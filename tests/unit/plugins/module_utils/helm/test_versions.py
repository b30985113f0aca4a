# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import version_key, version_range


@pytest.mark.parametrize(
    ("text", "fits", "misfits"),
    [
        ("~1.2", ["1.2.0", "1.2.9", "v1.2.3"], ["1.1.9", "1.3.0", "1.2.4-rc.1"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
        ("~>1.2.3", ["1.2.4"], ["1.3.0"]),
        ("~1", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.0"]),
        ("^1.2", ["1.2.0", "1.9.0"], ["1.1.0", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        (">=1.2 <1.5", ["1.2.0", "1.4.9"], ["1.1.9", "1.5.0"]),
        (">= 1.2.0, < 2", ["1.2.0", "1.99.0"], ["2.0.0"]),
        (">1.2", ["1.3.0"], ["1.2.9"]),
        ("<=1.2", ["1.2.9", "0.1.0"], ["1.3.0"]),
        ("<=1.2.3", ["1.2.3"], ["1.2.4"]),
        (">1.2.3", ["1.2.4"], ["1.2.3"]),
        ("!=1.2.3 ~1.2", ["1.2.4"], ["1.2.3"]),
        ("!=1.2.x", ["1.3.0"], ["1.2.3"]),
        ("1.x || 3.x", ["1.4.0", "3.0.0"], ["2.0.0"]),
        ("1.2.*", ["1.2.7"], ["1.3.0"]),
        ("*", ["0.0.1", "9.9.9"], ["1.0.0-alpha"]),
        ("1.2 - 1.4", ["1.2.0", "1.4.9"], ["1.5.0", "1.1.0"]),
        (">=1.2.0-rc.1", ["1.2.0-rc.2", "1.2.0"], ["1.2.0-beta"]),
        ("=1.2.3 || =1.4.0", ["1.2.3", "1.4.0"], ["1.3.0"]),
    ],
)
def test_what_a_range_allows(text: str, fits: list[str], misfits: list[str]) -> None:
    found = version_range(text)
    assert found is not None
    assert {version: found.allows(version) for version in fits + misfits} == {
        **dict.fromkeys(fits, True),
        **dict.fromkeys(misfits, False),
    }


@pytest.mark.parametrize(
    "text", ["1.2.3", "v1.2.3", "1.2", "1", "latest", "", "~", ">=x.y", "1.2.3 || nonsense", "~1 b"]
)
def test_what_is_no_range(text: str) -> None:
    assert version_range(text) is None


def test_versions_are_ordered_as_semver_has_it() -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-rc.2", "1.0.0-rc.11", "1.0.0", "1.0.10"]
    shuffled = [ordered[place] for place in (4, 0, 6, 2, 5, 1, 3)]
    assert sorted(shuffled, key=version_key) == ordered
    assert version_key("1.0.0+build") == version_key("v1.0.0")


def test_the_newest_that_fits() -> None:
    found = version_range("^1.2")
    assert found is not None
    assert found.newest(["1.9.0", "1.10.0", "2.0.0", "nightly", "1.11.0-rc.1"]) == "1.10.0"
    assert found.newest(["2.0.0"]) is None
