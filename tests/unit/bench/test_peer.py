# SPDX-License-Identifier: GPL-3.0-or-later
"""How the comparison judges: pure functions on what a run printed and what stands in the cluster."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from bench.measure import Row
from bench.peer import __main__ as peer
from bench.peer import contestants
from bench.peer.contestants import Contestant, Outcome, empty
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


def costs(*seconds: float) -> list[peer.Cost]:
    return [peer.Cost(wall, wall) for wall in seconds]


def judged(site: list[peer.Cost], modules: list[peer.Cost], theirs: list[peer.Cost], start: float = 1.0) -> list[Row]:
    turns = len(site)
    begun, runbook = costs(*[start] * turns), costs(*[2.1] * turns)
    return peer.time_rows(begun, begun, site, modules, theirs, runbook)


@pytest.mark.parametrize(
    ("site", "modules", "met"),
    [
        pytest.param(4.3, 2.0, [True, True, True], id="both fast"),
        pytest.param(4.3, 2.3, [False, True, False], id="modules too slow"),
        pytest.param(4.5, 2.0, [True, False, True], id="site too slow"),
    ],
)
def test_factors_are_of_what_is_beyond_an_empty_playbook(site: float, modules: float, met: list[bool]) -> None:
    # 10 s beyond the start of one: 8 times 1.25 s, 3 times 3.33 s. With the start counted, all would miss.
    rows = judged(costs(*[site] * 5), costs(*[modules] * 5), costs(*[11.0] * 5))
    assert [row.met for row in rows if row.met is not None] == met
    assert any("beyond it: kubernetes.core" in row.what and "10.00 s" in row.found for row in rows)


def test_a_disturbed_turn_decides_nothing() -> None:
    steady = judged(costs(*[4.0] * 5), costs(*[2.0] * 5), costs(*[11.0] * 5))
    for ours, theirs in (((2.0, 2.0, 9.0, 0.5, 2.0), [11.0] * 5), ([2.0] * 5, (11.0, 3.0, 11.0, 90.0, 11.0))):
        found = judged(costs(*[4.0] * 5), costs(*ours), costs(*theirs))
        assert [(row.what, row.met) for row in found] == [(row.what, row.met) for row in steady]


def test_an_empty_playbook_runs_as_whoever_it_is_subtracted_from() -> None:
    ref = Contestant("peer", Path("/k"), "kubectl", ["/of/peer/ansible-playbook", "play.yml"], {"A": "b"}, ("--check",))
    found = empty(ref)
    assert found.run_argv[0] == ref.run_argv[0] and Path(found.run_argv[-1]).is_file()
    assert found.variables == ref.variables
    assert found.check() is None


def test_what_the_caller_has_set_for_itself_slows_down_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("ANSIBLE_FORKS", "1")
    done = Mock(returncode=0, stdout="changed: [h]\n")
    run = Mock(return_value=done)
    monkeypatch.setattr(contestants.subprocess, "run", run)
    assert Contestant("any", Path("k"), "kubectl", ["x"], {"ANSIBLE_CONFIG": "own"}).run().changed == 1
    seen = run.call_args.kwargs["env"]
    assert "PYTHONDONTWRITEBYTECODE" not in seen and "ANSIBLE_FORKS" not in seen and seen["ANSIBLE_CONFIG"] == "own"


def test_the_table_is_one_line_a_row() -> None:
    lines = peer.drift_table(["ours"], [("label gone", [Seen("yes", "yes")])]).splitlines()
    assert lines == ["| drift | ours: shown | ours: repaired |", "| --- | --- | --- |", "| label gone | yes | yes |"]
