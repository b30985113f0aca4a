# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a scenario is green: what the suite recorded and what is listed go in, a verdict comes out.

It is stricter than the suite. There a scenario without any check is green, and so is a client that crashes or runs out
of time when the suite is run as a whole.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.listed import Exceptions, Listed

# On every scenario whose mock server looks at messages: alone it says that something was sent, not that it was right.
WIRE_CHECK = "wire-schema-valid"
BAD = ("FAILURE", "WARNING")
SEEN = ("SUCCESS", *BAD)
# "INFO" records what happened.
KNOWN = (*SEEN, "SKIPPED", "INFO")


@dataclass(frozen=True)
class Check:
    """One line of a scenario's checks.json. Several checks may share an id; their names differ."""

    identifier: str
    name: str
    status: str
    message: str = ""

    def is_called(self, name: str) -> bool:
        return name in (self.identifier, self.name)

    def __str__(self) -> str:
        called = self.identifier if self.name in ("", self.identifier) else f"{self.identifier} ({self.name})"
        # It may quote what was sent, and ends in an XML report.
        stated = " ".join("".join(sign if sign.isprintable() else " " for sign in self.message).split())
        return f"{called}: {self.status}{f': {stated}' if stated else ''}"


@dataclass(frozen=True)
class Run:
    """What came of one scenario of one revision."""

    revision: str
    scenario: str
    checks: tuple[Check, ...] = ()
    # Why the client did not come to its end; empty: it did.
    broken_off: str = ""


class Outcome(enum.Enum):
    """How a scenario counts."""

    GREEN = "ok"
    FAILED = "FAILED"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Verdict:
    """How one scenario counts, and why where that needs saying."""

    revision: str
    scenario: str
    outcome: Outcome
    passed: int = 0
    failed: int = 0
    reasons: tuple[str, ...] = ()


def verdicts(runs: Iterable[Run], exceptions: Exceptions) -> list[Verdict]:
    """One for each scenario, and one for each entry of the list that stands for none."""
    runs = list(runs)
    return [*(judge(run, exceptions) for run in runs), *_without_scenario(runs, exceptions)]


def judge(run: Run, exceptions: Exceptions) -> Verdict:
    passed = sum(check.status == "SUCCESS" for check in run.checks)
    failed = sum(check.status in BAD for check in run.checks)
    entry = exceptions.not_applicable(run.revision, run.scenario)
    reasons = _broken_off(run) or [
        *(_of_what_is_listed(run, entry) if entry else _nothing_seen(run)),
        *_bad(run, entry.checks if entry else exceptions.untestable(run.revision, run.scenario)),
        *([] if entry else _unseen(run, exceptions.untestable(run.revision, run.scenario))),
    ]
    if reasons:
        return Verdict(run.revision, run.scenario, Outcome.FAILED, passed, failed, tuple(reasons))
    if entry:
        return Verdict(run.revision, run.scenario, Outcome.NOT_APPLICABLE, passed, failed, (entry.reason,))
    return Verdict(run.revision, run.scenario, Outcome.GREEN, passed, failed)


def succeeded(found: Sequence[Verdict]) -> bool:
    """Every scenario is green or listed; a run without scenarios proves nothing."""
    return any(verdict.outcome is Outcome.GREEN for verdict in found) and not any(
        verdict.outcome is Outcome.FAILED for verdict in found
    )


def _broken_off(run: Run) -> list[str]:
    """Whatever was checked before that is not all that the scenario asks."""
    return [f"the client did not come to its end: {run.broken_off}"] if run.broken_off else []


def _nothing_seen(run: Run) -> list[str]:
    if any(check.status in SEEN and not check.is_called(WIRE_CHECK) for check in run.checks):
        return []
    return ["the suite checked nothing: the client did not do what the scenario looks at"]


def _bad(run: Run, listed: Sequence[str]) -> list[str]:
    bad = [check for check in run.checks if check.status in BAD or check.status not in KNOWN]
    return [str(check) for check in bad if not _among(check, listed)]


def _unseen(run: Run, untestable: Sequence[str]) -> list[str]:
    """What the suite could not look at. Of a scenario that does not apply nobody expects that it looks."""
    skipped = [check for check in run.checks if check.status == "SKIPPED"]
    unlisted = [f"{check} (and not listed as untestable)" for check in skipped if not _among(check, untestable)]
    stale = [
        f"{name} is listed as untestable, but the suite tested it with success: take it off the list"
        for name in untestable
        if not any(check.is_called(name) and check.status in (*BAD, "SKIPPED") for check in run.checks)
    ]
    return unlisted + stale


def _of_what_is_listed(run: Run, entry: Listed) -> list[str]:
    """A listed check has to fail still: else the list hides what works, and then what breaks again."""
    if not any(check.status in BAD for check in run.checks):
        return ["it is listed as not applicable, but no check of it fails: take it off the list"]
    return [
        f"{name} is listed as failing, but does not fail: take it off the list"
        for name in entry.checks
        if not any(check.is_called(name) and check.status in BAD for check in run.checks)
    ]


def _without_scenario(runs: Sequence[Run], exceptions: Exceptions) -> list[Verdict]:
    known = {(run.revision, run.scenario) for run in runs}
    reason = "it is listed, but the suite has no such scenario in this revision: take it off the list"
    return [
        Verdict(revision, scenario, Outcome.FAILED, reasons=(reason,))
        for revision, scenario in exceptions.named()
        if (revision, scenario) not in known
    ]


def _among(check: Check, names: Iterable[str]) -> bool:
    return any(check.is_called(name) for name in names)
