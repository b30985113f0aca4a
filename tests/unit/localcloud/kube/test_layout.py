# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from localcloud.kube.layout import HIGHEST_INDEX, ClusterLayout, directory_name, lowest_free


@pytest.mark.parametrize("name", ["dev", "dev-eus2", "a1"])
def test_a_plain_name_is_its_own_directory(name: str) -> None:
    assert directory_name(name) == name


@pytest.mark.parametrize("name", ["MC_rg_dev", "../../etc", "Dev", "a" * 200, "", "-", "ünïcode", "a/b"])
def test_any_other_name_becomes_safe(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", directory_name(name))
    assert len(directory_name(name)) <= 47


def test_different_names_have_different_directories() -> None:
    names = ["dev", "Dev", "DEV", "dev_", "dev-", "-dev", "a" * 60, "a" * 61]
    assert len({directory_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("taken", "index"), [(set(), 1), ({1, 2}, 3), ({2}, 1), (set(range(1, HIGHEST_INDEX + 1)), None)]
)
def test_the_lowest_free_index_is_taken(taken: set[int], index: int | None) -> None:
    assert lowest_free(taken) == index


def test_a_layout_survives_its_file(layout: ClusterLayout) -> None:
    assert ClusterLayout.from_json(layout.to_json()) == layout


def test_names_the_kernel_accepts(layout: ClusterLayout) -> None:
    assert len(layout.interface) <= 15
    assert len(layout.node_name) <= 63
