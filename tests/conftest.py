# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives every test the marker of the level whose directory it lies in, and writes down failures as they happen."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
LEVELS = ("contract", "integration")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for level in LEVELS:
        # thousands of tests: the texts of paths are compared ten times as fast as paths
        inside = f"{TESTS / level}{os.sep}"
        for item in items:
            if str(item.path).startswith(inside):
                item.add_marker(level)


def pytest_collection_finish() -> None:
    """The collected tests stay until the end: no collection of garbage need look at them and their modules again.

    pytest alone collects ten times as it ends; that was a quarter of what it takes to collect `tests/unit`.
    """
    gc.collect()
    gc.freeze()


class FailuresAsTheyHappen:
    """Beside the JUnit report, which pytest writes at its end: a run that is broken off keeps its reasons."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{report.nodeid} ({report.when})\n{report.longreprtext}\n\n")


def pytest_configure(config: pytest.Config) -> None:
    report = config.getoption("xmlpath", None)
    if report and not hasattr(config, "workerinput"):
        log = Path(report).with_suffix(".failures.txt")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        config.pluginmanager.register(FailuresAsTheyHappen(log))
