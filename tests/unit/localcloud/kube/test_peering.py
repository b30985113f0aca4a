# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from localcloud.kube import peering
from localcloud.kube.layout import ClusterLayout


@pytest.fixture
def others(layout: ClusterLayout) -> list[ClusterLayout]:
    def other(name: str, index: int) -> ClusterLayout:
        addresses = {"host_address": f"10.213.{index}.1", "node_address": f"10.213.{index}.2"}
        directory = str(layout.path.parent / name)
        return dataclasses.replace(layout, name=name, directory=directory, index=index, **addresses)

    return [other("east", 4), other("west", 5)]


def arriving(rules: str) -> list[str]:
    return re.findall(r"^iifname .*$", rules, re.MULTILINE)


def test_what_arrives_is_looked_at_by_direction(layout: ClusterLayout, others: list[ClusterLayout]) -> None:
    to, back = ("dev", "east"), ("east", "dev")
    request = 'iifname "to-4" ct direction original ip daddr { 10.213.3.64/26, 10.213.251.0/24 } accept'
    answer, last = 'iifname "to-4" ct direction reply accept', 'iifname "to-*" drop'
    for directions, expected in (
        ({to}, [answer, last]),
        ({back}, [request, last]),
        ({to, back}, [request, answer, last]),
        (set(), [last]),
        # of others: nothing of ours
        ({("east", "west")}, [last]),
    ):
        assert arriving(peering.rules(layout, others[:1], directions)) == expected


def test_no_pods_address_leaves(layout: ClusterLayout, others: list[ClusterLayout]) -> None:
    text = peering.rules(layout, others, set())
    assert [line for line in text.splitlines() if line.startswith("oifname")] == [
        f'oifname "to-{index}" ip saddr != 10.213.3.2 snat ip to 10.213.3.2' for index in (4, 5)
    ]


def test_nobody_is_connected_until_somebody_says_so(tmp_path: Path) -> None:
    file = tmp_path / "routes.json"
    assert peering.open_directions(file) == set()
    file.write_text(json.dumps([["a", "b"], ["a", "a"]]))
    assert peering.open_directions(file) == {("a", "b")}


def test_names_of_interfaces_that_the_kernel_accepts(others: list[ClusterLayout]) -> None:
    highest = dataclasses.replace(others[0], index=250)
    assert all(len(peering.end(one)) <= 15 for one in (*others, highest))
