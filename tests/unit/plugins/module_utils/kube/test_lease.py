# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a lease is, and whether its holder lives."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube import lease, site_lock
from ansible_collections.mcpops.platform.plugins.module_utils.kube.lease import Holder, LeaseState

NOW = datetime(2026, 1, 31, 10, 0, 0, tzinfo=timezone.utc)
ALICE = Holder("alice", "ctl", "4711ab", "site", 4711, "100", "boot pid:[1]")
BOB = Holder("bob", "ctl", "4712cd")


def written(holder: Holder = ALICE, seconds_ago: float = 0, **spec: Any) -> lease.HeldLease:
    made = lease.lease_body("kube-system", holder, NOW - timedelta(seconds=seconds_ago))
    made["spec"].update(spec)
    return lease.read_lease(made)


# lease, what is known of the holder's process → verdict for bob
VERDICTS: dict[str, tuple[lease.HeldLease, bool | None, LeaseState]] = {
    "somebody at work elsewhere": (written(), None, LeaseState.HELD),
    "just within its duration": (written(seconds_ago=60), None, LeaseState.HELD),
    "not heard of for too long": (written(seconds_ago=61), None, LeaseState.STALE),
    "a longer duration of its own": (written(seconds_ago=61, leaseDurationSeconds=90), None, LeaseState.HELD),
    "its process ended": (written(), False, LeaseState.DEAD),
    "its process lives and is busy with other things": (written(seconds_ago=600), True, LeaseState.HELD),
    "this run": (written(BOB, seconds_ago=600), None, LeaseState.MINE),
    "given up": (written(holderIdentity=""), None, LeaseState.FREE),
    "never renewed": (written(renewTime=None, acquireTime=None), None, LeaseState.STALE),
    "no times at all": (lease.read_lease({"spec": {"holderIdentity": "x"}}), None, LeaseState.STALE),
}


@pytest.mark.parametrize(("found", "alive", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(found: lease.HeldLease, alive: bool | None, expected: LeaseState) -> None:
    assert lease.lease_state(found, BOB, NOW, lambda _holder: alive) is expected


def test_what_is_written_is_read_back() -> None:
    found = written(seconds_ago=5)
    assert (found.holder, found.since, found.renewed) == (
        ALICE,
        NOW - timedelta(seconds=5),
        NOW - timedelta(seconds=5),
    )


def test_renewing_keeps_all_but_the_time() -> None:
    first = lease.lease_body("kube-system", ALICE, NOW)
    later = lease.renewed_lease(first, NOW + timedelta(seconds=20))
    assert later["spec"].pop("renewTime") == "2026-01-31T10:00:20.000000Z"
    assert later == {**first, "spec": {key: value for key, value in first["spec"].items() if key != "renewTime"}}


def test_taking_the_place_of_another_is_counted_and_guarded_by_its_version() -> None:
    existing = lease.lease_body("kube-system", ALICE, NOW)
    existing["metadata"]["resourceVersion"] = "7"
    taken = lease.lease_body("kube-system", BOB, NOW, existing)
    assert (taken["metadata"]["resourceVersion"], taken["spec"]["leaseTransitions"]) == ("7", 1)


# lease → what others are told
TOLD = {
    "all known": (
        written(seconds_ago=30),
        "alice@ctl (site, run 4711ab, process 4711) works on it since 2026-01-31 09:59:30 UTC (30 s ago), "
        "last heard of 30 s ago",
    ),
    "minutes": (
        written(BOB, seconds_ago=600),
        "bob@ctl (run 4712cd) works on it since 2026-01-31 09:50:00 UTC (10 min ago), last heard of 10 min ago",
    ),
    "another program": (lease.read_lease({"spec": {"holderIdentity": "pod-7"}}), "pod-7 works on it"),
    "broken annotation": (
        lease.read_lease(
            {"metadata": {"annotations": {lease.HOLDER_ANNOTATION: "{"}}, "spec": {"holderIdentity": "x"}}
        ),
        "x works on it",
    ),
}


@pytest.mark.parametrize(("found", "text"), TOLD.values(), ids=TOLD)
def test_who_and_since_when(found: lease.HeldLease, text: str) -> None:
    assert lease.holder_and_age(found, NOW) == text


def _run_of(pid: int, random: str = "abcdef_1") -> Holder:
    return site_lock.this_run(Path(f"/tmp/ansible-local-{pid}{random}"), "site")


@pytest.mark.parametrize("random", ["abcdef_1", "16xn3yyj", "12345678"])
def test_a_run_is_known_by_its_directory_and_its_process(random: str) -> None:
    me = _run_of(os.getpid(), random)
    assert (me.run, me.pid, me.playbook) == (f"{os.getpid()}{random}", os.getpid(), "site")
    assert site_lock.process_runs(me) is True


def test_a_dead_process_is_told_from_a_living_one_even_before_its_parent_has_noticed() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = _run_of(child.pid)
    assert site_lock.process_runs(holder) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert site_lock.process_runs(holder) is False
    child.communicate()
    assert site_lock.process_runs(holder) is False


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"machine": "another boot"}, {"machine": ""}, {"pid": 0}])
def test_of_another_machine_nothing_is_said(other: dict[str, Any]) -> None:
    assert site_lock.process_runs(Holder(**{**_run_of(os.getpid()).__dict__, **other})) is None


def test_the_same_number_later_is_another_process() -> None:
    assert site_lock.process_runs(Holder(**{**_run_of(os.getpid()).__dict__, "started": "1"})) is False


def test_a_run_in_no_directory_of_ansible_has_no_process() -> None:
    assert site_lock.this_run(Path("/tmp/elsewhere"), "").pid == 0


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [(ProcessLookupError, False), (OverflowError, False), (PermissionError, None), (None, None)],
)
def test_a_process_that_proc_hides_is_dead_only_when_there_is_none(
    answer: type[Exception] | None, verdict: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(_pid: int, _signal: int) -> None:
        if answer is not None:
            raise answer

    holder = _run_of(os.getpid())
    monkeypatch.setattr(site_lock, "_started", lambda _pid: None)
    monkeypatch.setattr(os, "kill", kill)
    assert site_lock.process_runs(holder) is verdict
