# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long to wait, and when to look again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_LONGEST_PAUSE = 15.0


@dataclass(frozen=True)
class Clock:
    """Time, replaceable in tests."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Deadline:
    """A point in time after which nothing is waited for any more."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self._clock = clock
        self._start = clock.now()

    @property
    def elapsed(self) -> float:
        return self._clock.now() - self._start

    @property
    def left(self) -> float:
        return self.seconds - self.elapsed

    def pause(self, seconds: float) -> bool:
        """Sleep, unless that would pass the deadline; whether it slept."""
        if seconds >= self.left:
            return False
        self._clock.sleep(seconds)
        return True


def backoff(attempt: int, first: float = 0.5) -> float:
    """0.5, 0.75, 1.1 … 15 s: quick for what is quick, cheap for what takes minutes."""
    return float(min(_LONGEST_PAUSE, first * 1.5**attempt))


def pause_asked_for(headers: Mapping[str, str]) -> float | None:
    """The service's own wish, in the three spellings that azure-core honours."""
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None
