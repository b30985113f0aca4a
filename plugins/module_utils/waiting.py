# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way to wait: a deadline, pauses that grow, and a clock that tests replace.

Nothing else in plugins/ reads the monotonic clock or sleeps.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem

T = TypeVar("T")

_SHORTEST_SLEEP = 0.05
"""The last look before a deadline is not one of many in no time."""


@dataclass(frozen=True)
class Clock:
    """Time, replaceable in tests."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


CLOCK = Clock()
"""Of everything that is not given another one."""


def now() -> float:
    """Seconds since some moment; only differences mean anything."""
    return CLOCK.now()


def sleep(seconds: float) -> None:
    CLOCK.sleep(seconds)


class Deadline:
    """Begins when it is made: where the operation begins, not where the waiting does."""

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self.seconds = seconds
        self._clock = clock or CLOCK
        self._start = self._clock.now()

    @property
    def elapsed(self) -> float:
        return self._clock.now() - self._start

    @property
    def left(self) -> float:
        return self.seconds - self.elapsed

    @property
    def passed(self) -> bool:
        return self.left <= 0

    def pause(self, seconds: float) -> bool:
        """Sleep, unless that would pass the deadline; whether it slept. For pauses that somebody asked for."""
        if seconds >= self.left:
            return False
        self._clock.sleep(seconds)
        return True

    def sleep(self, seconds: float) -> None:
        """Sleep, at most until the deadline: the last look is when the time is over, not before."""
        self._clock.sleep(min(seconds, max(_SHORTEST_SLEEP, self.left)))


@dataclass(frozen=True)
class Backoff:
    """Pauses that grow: quick for what is quick, cheap for what takes long."""

    first: float
    longest: float
    factor: float = 1.5
    spread: float = 0.0
    """How far a pause may be off, as a part of it: many that wait for one thing do not come back in step."""

    def after(self, attempt: int) -> float:
        """Seconds to stay away after this attempt, counted from 0."""
        # beyond 64 the longest is long reached, and the power of a float ends somewhere
        pause = min(self.longest, self.first * self.factor ** min(attempt, 64))
        return float(pause * random.uniform(1 - self.spread, 1 + self.spread)) if self.spread else float(pause)


POLLING = Backoff(first=0.2, longest=1.5, factor=1.3)
"""How often an API server is looked at while something is waited for."""


def poll(
    look: Callable[[], T],
    missing: Callable[[T], str | None],
    deadline: Deadline,
    progress: Callable[[str], None],
    backoff: Backoff = POLLING,
    seen: T | None = None,
) -> T:
    """Look until nothing is missing or the time is over, and return what was seen last.

    `missing` says in a few words what is waited for; nothing where waiting has come to its end, well or badly. One
    look at least, unless something was `seen` already, and one when the time is over.
    """
    for attempt in count():
        seen = look() if seen is None or attempt else seen
        words = missing(seen)
        if not words or deadline.passed:
            return seen
        progress(words)
        deadline.sleep(backoff.after(attempt))
    raise AssertionError("counting does not end")


def wait_timeout_problems(seconds: Any, *, option: str = "wait_timeout", zero: bool = False) -> list[Problem]:
    """What is wrong with a longest wait; `zero` says that it may be 0, which is one look and no wait."""
    if seconds is None or seconds > 0 or (zero and seconds == 0):
        return []
    return [Problem(option, f"must be {'0 or more' if zero else 'more than 0'} seconds, is {seconds}")]
