# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock for waits: time passes only while somebody sleeps, or when a test says so."""

from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils import waiting


class FakeClock:
    def __init__(self, start: float = 100.0) -> None:
        self.at = self.start = start
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    @property
    def elapsed(self) -> float:
        return self.at - self.start

    @property
    def clock(self) -> waiting.Clock:
        return waiting.Clock(now=lambda: self.at, sleep=self.sleep)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
        """For everything that is not given a clock of its own."""
        monkeypatch.setattr(waiting, "CLOCK", self.clock)
        return self
