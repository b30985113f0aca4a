# SPDX-License-Identifier: GPL-3.0-or-later
"""How the comparison judges: pure functions on what a run printed and what stands in the cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from bench.peer import __main__ as peer
from bench.peer.contestants import Outcome
from bench.peer.drift import DRIFTS, Drift, Seen, _same, shown

EDITED = Drift("arguments edited", ("Deployment", "n", "d"), {}, r"--debug")
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"a": "b"}},
    "spec": {"replicas": 1, "template": {"metadata": {"annotations": {"restarted": "now"}}, "spec": {}}},
}


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (None, "cannot"),
        (Outcome(0, "ok: [h]\n", 0, 1.0, 1.0), "no"),
        (Outcome(0, "changed: [h]\n", 1, 1.0, 1.0), '"changed" without it'),
        (Outcome(0, "-    - --debug\nchanged: [h]\n", 1, 1.0, 1.0), "yes"),
        (Outcome(2, "-    - --debug\nfatal: [h]\n", 0, 1.0, 1.0), "fails"),
        # a task's name is no difference
        (Outcome(0, "TASK [--debug]\nchanged: [h]\n", 1, 1.0, 1.0), '"changed" without it'),
    ],
)
def test_a_change_is_shown_when_the_difference_names_it(outcome: Outcome | None, verdict: str) -> None:
    assert shown(EDITED, outcome) == verdict


def test_what_a_repair_may_leave_of_itself_is_no_difference() -> None:
    repaired = copy.deepcopy(DEPLOYMENT)
    repaired["metadata"]["labels"]["managed-by"] = "x"
    repaired["spec"]["template"]["metadata"]["annotations"]["restarted"] = "later"
    assert _same(DEPLOYMENT, repaired)
    repaired["spec"]["replicas"] = 0
    assert not _same(DEPLOYMENT, repaired)
    assert not _same(DEPLOYMENT, None)


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({one.what for one in DRIFTS}) == len(DRIFTS) >= 12


@pytest.mark.parametrize(
    ("modules", "met"), [(0.9, [True, True]), (1.1, [False, False]), (1.0, [True, True])], ids=["less", "more", "just"]
)
def test_the_factor_like_for_like_decides(modules: float, met: list[bool]) -> None:
    rows = peer.time_rows(*(peer.Cost(wall, 1.0) for wall in (2.0, modules, 5.0, 1.0)))
    assert [row.met for row in rows if row.met is not None] == met


def test_the_table_is_one_line_a_row() -> None:
    lines = peer.drift_table(["ours"], [("label gone", [Seen("yes", "yes")])]).splitlines()
    assert lines == ["| drift | ours: shown | ours: repaired |", "| --- | --- | --- |", "| label gone | yes | yes |"]
