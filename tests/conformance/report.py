# SPDX-License-Identifier: GPL-3.0-or-later
"""The scores: a table to read, and a JUnit report whose cases the gate counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from conformance.judging import Outcome, Verdict

HEAD = ("revision", "scenario", "passed", "failed", "result")


def table(verdicts: Sequence[Verdict], judged: str) -> str:
    """A row per scenario, then why each of the failed ones failed, and at the end a line per revision."""
    rows = [HEAD, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]) for row in rows]
    failed = [verdict for verdict in verdicts if verdict.outcome is Outcome.FAILED]
    why = [
        f"FAILED {verdict.revision} {verdict.scenario}: {reason}" for verdict in failed for reason in verdict.reasons
    ]
    return "\n".join([*lines, "", *([*why, ""] if why else []), *totals(verdicts, judged)])


def totals(verdicts: Sequence[Verdict], judged: str) -> list[str]:
    """The score of each revision in a line."""
    found = []
    for revision in dict.fromkeys(verdict.revision for verdict in verdicts):
        of_it = [verdict for verdict in verdicts if verdict.revision == revision]
        green, failed, listed = (
            [verdict for verdict in of_it if verdict.outcome is outcome]
            for outcome in (Outcome.GREEN, Outcome.FAILED, Outcome.NOT_APPLICABLE)
        )
        checks = sum(verdict.passed for verdict in green)
        found.append(
            f"conformance of {judged} to MCP {revision}: {len(green)} of {len(green) + len(failed)} scenarios green "
            f"({checks} checks)" + (f", {len(listed)} not applicable" if listed else "")
        )
    return found


def _row(verdict: Verdict) -> tuple[str, ...]:
    listed = f": {verdict.reasons[0]}" if verdict.outcome is Outcome.NOT_APPLICABLE else ""
    counts = (str(verdict.passed), str(verdict.failed))
    return (verdict.revision, verdict.scenario, *counts, verdict.outcome.value + listed)


def write_junit(verdicts: Sequence[Verdict], path: Path) -> None:
    """What is not applicable is not a case: it has not passed, and it was not left out of this run either."""
    counted = [verdict for verdict in verdicts if verdict.outcome is not Outcome.NOT_APPLICABLE]
    failures = sum(verdict.outcome is Outcome.FAILED for verdict in counted)
    suite = ElementTree.Element(
        "testsuite", name="conformance", tests=str(len(counted)), failures=str(failures), errors="0", skipped="0"
    )
    for verdict in counted:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"conformance.{verdict.revision}", name=verdict.scenario
        )
        if verdict.outcome is Outcome.FAILED:
            ElementTree.SubElement(case, "failure", message="; ".join(verdict.reasons))
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
