# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way to wait, on a clock that only sleeping moves."""

from __future__ import annotations

import math
import random

import pytest
from support.clock import FakeClock

from ansible_collections.mcpops.platform.plugins.module_utils import waiting
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Backoff, Deadline, poll


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock().install(monkeypatch)


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_a_wait_ends_when_it_is_over_and_at_its_deadline_otherwise(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(first, first + 50):
        waited(seed, monkeypatch)


def waited(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the pauses, the time that a look takes and the time it needs: never early, never late, one look at the
    end."""
    rng = random.Random(seed)
    clock = FakeClock(rng.uniform(0, 1e6)).install(monkeypatch)
    backoff = Backoff(rng.uniform(0.01, 3), rng.uniform(3, 20), rng.uniform(1, 3), rng.choice([0.0, 0.25]))
    timeout = rng.choice([0.0, rng.uniform(0, 5), rng.uniform(0, 300)])
    ready_after = rng.choice([0.0, timeout, rng.uniform(0, 400), math.inf])
    gives_up_after = rng.choice([math.inf, rng.uniform(0, 400)])
    costs = rng.choice([0.0, rng.uniform(0, 2)])
    deadline = Deadline(timeout)
    begun: list[float] = []
    reported: list[str] = []

    def look() -> str:
        begun.append(clock.elapsed)
        clock.at += costs
        return "ready" if begun[-1] >= ready_after else "broken" if begun[-1] >= gives_up_after else "starting"

    seen = poll(look, lambda state: "the rest" if state == "starting" else None, deadline, reported.append, backoff)

    shortest = 0.05 + 1e-6  # the last pause before the deadline, and what floats lose
    if seen == "starting":
        assert timeout <= clock.elapsed <= timeout + shortest + costs
    else:
        # everything before the last look said "starting", and that one was in time
        first = min(ready_after, gives_up_after)
        assert all(at < first for at in begun[:-1])
        assert begun[-1] <= timeout + shortest
    assert len(reported) == len(begun) - 1 == len(clock.slept)
    assert all(pause <= max(backoff.longest * (1 + backoff.spread), shortest) for pause in clock.slept)


def test_what_was_seen_before_spares_the_first_look(clock: FakeClock) -> None:
    looks = iter([2, 3])
    assert poll(lambda: next(looks), lambda n: None if n == 3 else "3", Deadline(9), print, seen=1) == 3
    assert poll(lambda: next(looks), lambda _n: None, Deadline(9), print, seen=7) == 7


def test_a_deadline_counts_from_where_it_is_made(clock: FakeClock) -> None:
    deadline = Deadline(10.0)
    clock.at += 9.0
    assert (deadline.elapsed, deadline.left, deadline.passed) == (9.0, 1.0, False)
    assert not deadline.pause(1.0)
    assert clock.slept == []
    deadline.sleep(5.0)
    assert clock.slept == [1.0]
    assert deadline.passed


@pytest.mark.parametrize(
    ("backoff", "last"), [(Backoff(0.5, 15.0), 15.0), (Backoff(0.2, 2.0, factor=2.0), 2.0), (Backoff(1.0, 1.0), 1.0)]
)
def test_pauses_grow_to_a_bound_and_stay_there(backoff: Backoff, last: float) -> None:
    pauses = [backoff.after(attempt) for attempt in (*range(60), 10_000)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (backoff.first, last)


def test_those_that_wait_for_one_thing_do_not_come_back_in_step() -> None:
    backoff = Backoff(0.2, 2.0, factor=2.0, spread=0.25)
    pauses = {backoff.after(9) for _ in range(50)}
    assert len(pauses) > 40
    assert all(1.5 <= pause <= 2.5 for pause in pauses)


@pytest.mark.parametrize(
    ("seconds", "zero", "wrong"),
    [
        (1, False, None),
        (0.5, False, None),
        (None, False, None),
        (0, True, None),
        (0, False, "must be more than 0 seconds, is 0"),
        (-1, True, "must be 0 or more seconds, is -1"),
    ],
)
def test_a_longest_wait_can_be_waited_for(seconds: float | None, zero: bool, wrong: str | None) -> None:
    problems = waiting.wait_timeout_problems(seconds, option="site_lock_timeout", zero=zero)
    assert [(problem.path, problem.message) for problem in problems] == (
        [("site_lock_timeout", wrong)] if wrong else []
    )
