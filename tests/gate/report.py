# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting what ran, and saying it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from gate.stages import Counting

# Enough to hold a failing test with its traceback; the log has the rest.
SHOWN_LINES = 250

# A line of the list at the end, which is all that some readers see of a log.
CAUSE_LENGTH = 300

_ERROR_LINE = re.compile(r"^\W*(?:ERROR|FATAL|fatal|error)\b.*$", re.MULTILINE)
_SANITY_TEST = re.compile(r'^Running sanity test "', re.MULTILINE)
_SANITY_FAILED = re.compile(r"The (\d+) sanity test\(s\) listed below")


@dataclass(frozen=True)
class Tally:
    """How many checks of something passed, failed, or were left out because the caller said so."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


@dataclass(frozen=True)
class Outcome:
    """What one step or stage came to."""

    name: str
    seconds: float
    tally: Tally
    remark: str = ""
    # What failed in it and why, a line each.
    causes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.tally.failed


def combined(name: str, seconds: float, steps: Sequence[Outcome]) -> Outcome:
    total = sum((step.tally for step in steps), Tally())
    remark = "; ".join(step.remark for step in steps if step.remark)
    return Outcome(name, seconds, total, remark, tuple(cause for step in steps for cause in step.causes))


def tally(counting: Counting, returncode: int, output: str, junit: Path) -> tuple[Tally, str]:
    """The checks of one finished step, and a remark where the exit code does not speak for itself."""
    if counting is Counting.JUNIT:
        return _tally_junit(returncode, junit)
    if counting is Counting.SANITY:
        return _tally_sanity(returncode, output)
    return (Tally(passed=1) if returncode == 0 else Tally(failed=1)), ""


def _tally_junit(returncode: int, junit: Path) -> tuple[Tally, str]:
    try:
        suites = list(ElementTree.parse(junit).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return Tally(failed=1), f"it ended with {returncode} and wrote no report"
    keys = ("tests", "failures", "errors", "skipped")
    total = {key: sum(int(suite.get(key, "0")) for suite in suites) for key in keys}
    failed = total["failures"] + total["errors"]
    passed = total["tests"] - failed - total["skipped"]
    remark = ""
    if total["skipped"]:
        # A test that skips itself proves nothing and looks like one that passed.
        failed += total["skipped"]
        remark = f"{total['skipped']} tests skipped themselves, which counts as failing"
    elif not total["tests"]:
        failed, remark = 1, "no test was collected"
    elif returncode and not failed:
        failed, remark = 1, f"it ended with {returncode} although no test failed"
    return Tally(passed, failed), remark


def _tally_sanity(returncode: int, output: str) -> tuple[Tally, str]:
    ran = len(_SANITY_TEST.findall(output))
    if returncode == 0 and ran:
        return Tally(passed=ran), ""
    listed = _SANITY_FAILED.search(output)
    failed = int(listed.group(1)) if listed else 1
    return Tally(max(ran - failed, 0), failed), "" if ran else "no sanity test ran"


def causes(step: str, counting: Counting, output: str, junit: Path) -> tuple[str, ...]:
    """What failed in a step and why: a line for each test that pytest reports, otherwise the first error it printed."""
    try:
        cases = list(ElementTree.parse(junit).getroot().iter("testcase")) if counting is Counting.JUNIT else []
    except (OSError, ElementTree.ParseError):
        cases = []
    lines = [
        f"{case.get('classname')}::{case.get('name')}: {problem.get('message') or problem.tag}"
        for case in cases
        for problem in case
        if problem.tag in ("failure", "error", "skipped")
    ]
    if not lines:
        error = _ERROR_LINE.search(output)
        lines = [error.group() if error else (output.rstrip().splitlines() or ["it printed nothing"])[-1]]
    return tuple(f"{step}: {' '.join(line.split())}"[:CAUSE_LENGTH] for line in lines)


def excerpt(output: str, log: Path) -> str:
    """The output of a failed step as the terminal shows it: all of it, or its end with a pointer to the rest."""
    lines = output.rstrip().splitlines()
    if len(lines) <= SHOWN_LINES:
        return "\n".join(lines)
    return f"[{len(lines) - SHOWN_LINES} lines before this are in {log}]\n" + "\n".join(lines[-SHOWN_LINES:])


def summary(outcomes: Iterable[Outcome], seconds: float) -> str:
    """A row per stage, the wall-clock time, what failed, and the plain line with the totals at the very end."""
    outcomes = list(outcomes)
    width = max((len(outcome.name) for outcome in outcomes), default=5)
    rows = [
        f"  {outcome.name:<{width}}  {outcome.seconds:7.1f} s  {'ok' if outcome.ok else 'FAILED':<6}  {outcome.tally}"
        + (f"  ({outcome.remark})" if outcome.remark else "")
        for outcome in outcomes
    ]
    failed = [f"  {cause}" for outcome in outcomes for cause in outcome.causes]
    total = sum((outcome.tally for outcome in outcomes), Tally())
    if failed:
        failed = ["", "failed", *failed]
    return "\n".join(["", "stages", *rows, f"  {'all':<{width}}  {seconds:7.1f} s", *failed, "", f"total: {total}"])
