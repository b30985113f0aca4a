# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the conformance suite: its list of scenarios, its results, and how its clients ended."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conformance import report, suite
from conformance.judging import Outcome, Run, Verdict
from conformance.suite import Suite, SuiteError
from gate.report import Tally, tally
from gate.stages import Counting

PRINTED = """\
Required for 2026-07-28 (3 scenarios, frozen; run at the 2026-07-28 wire):

Server scenarios (test against a server):
  - tools-list

Client scenarios (test against a client):
  - tools_call
  - auth/iss-supported

Run and reported, but never scored:
  extension (2):
    - auth/dpop [client]
    - tasks-lifecycle [server]
  pending (1):
    - a-new-one [client]
"""
CHECKS = [{"id": "tool-called", "name": "ToolCalled", "status": "SUCCESS", "description": "It was called"}]


def result(output: Path, scenario: str, *, stdout: str = f"{suite.END}2 calls\n", stderr: str = "") -> Path:
    place = output / f"{scenario}-2026-11-30T01-02-03-456Z"
    place.mkdir(parents=True)
    (place / "checks.json").write_text(json.dumps(CHECKS), encoding="utf-8")
    (place / "stdout.txt").write_text(stdout, encoding="utf-8")
    (place / "stderr.txt").write_text(stderr, encoding="utf-8")
    return place


def read(output: Path, scenario: str) -> Run:
    (output / suite.LOG).write_text("Results saved\n", encoding="utf-8")
    (found,) = suite.results("2026-07-28", [scenario], output)
    return found


@pytest.fixture
def played(tmp_path: Path) -> Callable[[str], Suite]:
    """A suite whose program is a few lines of Python."""

    def suite_of(program: str) -> Suite:
        path = tmp_path / "modules" / suite.PROGRAM
        path.parent.mkdir(parents=True)
        path.write_text(program, encoding="utf-8")
        return Suite(Path(sys.executable), tmp_path / "modules")

    return suite_of


def test_every_scenario_is_found_scored_or_not() -> None:
    assert suite.listed_scenarios(PRINTED, "client") == ["tools_call", "auth/iss-supported", "auth/dpop", "a-new-one"]
    assert suite.listed_scenarios(PRINTED, "server") == ["tools-list", "tasks-lifecycle"]


@pytest.mark.parametrize("scenario", ["tools_call", "auth/iss-supported"])
def test_the_checks_of_a_scenario_are_found(scenario: str, tmp_path: Path) -> None:
    result(tmp_path, scenario)
    found = read(tmp_path, scenario)
    assert [str(check) for check in found.checks] == ["tool-called (ToolCalled): SUCCESS: It was called"]
    assert not found.broken_off


def test_a_scenario_is_not_taken_for_another_that_starts_alike(tmp_path: Path) -> None:
    result(tmp_path, "auth/dpop-nonce")
    assert "no checks of it" in read(tmp_path, "auth/dpop").broken_off


@pytest.mark.parametrize(
    ("stdout", "stderr", "stated"),
    [
        ("", "", "its time was up"),
        ("half way\n", "", "it had said that it was done"),
        ("", "Traceback\nValueError: it broke\n", "ValueError: it broke"),
        (f"{suite.END}all\nand then more\n", "Killed\n", "Killed"),
    ],
    ids=["silent", "half", "crashed", "after-its-end"],
)
def test_a_client_that_did_not_come_to_its_end_is_seen(stdout: str, stderr: str, stated: str, tmp_path: Path) -> None:
    result(tmp_path, "tools_call", stdout=stdout, stderr=stderr)
    assert stated in read(tmp_path, "tools_call").broken_off


def test_what_the_suite_left_half_written_proves_nothing(tmp_path: Path) -> None:
    (result(tmp_path, "tools_call") / "checks.json").write_text(json.dumps(CHECKS)[:-9], encoding="utf-8")
    assert "the suite left no checks of it" in read(tmp_path, "tools_call").broken_off


def test_why_the_suite_ran_no_scenario_is_said(played: Callable[[str], Suite], tmp_path: Path) -> None:
    installed = played("print('Starting'); raise ValueError('no such option')")
    installed.run("2026-07-28", "true", tmp_path / "output", prefix=(), environment=os.environ)
    with pytest.raises(SuiteError, match="ran no scenario of 2026-07-28: ValueError: no such option"):
        suite.results("2026-07-28", ["tools_call", "auth/dpop"], tmp_path / "output")


@pytest.mark.parametrize(
    "program", ["print('Unknown requirements')", f"print({PRINTED!r}); raise SystemExit(1)"], ids=["empty", "failed"]
)
def test_a_suite_that_lists_nothing_is_an_error(program: str, played: Callable[[str], Suite]) -> None:
    with pytest.raises(SuiteError, match="lists no client scenario of 2026-07-28"):
        played(program).scenarios("2026-07-28")


def test_the_scores_name_every_scenario_and_count_those_that_apply(tmp_path: Path) -> None:
    verdicts = [
        Verdict("2025-11-25", "initialize", Outcome.GREEN, passed=2),
        Verdict("2026-07-28", "tools_call", Outcome.FAILED, passed=1, failed=1, reasons=("id: FAILURE",)),
        Verdict("2026-07-28", "auth/dpop", Outcome.NOT_APPLICABLE, failed=3, reasons=("an extension",)),
    ]
    lines = report.table(verdicts, "the client").splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["2025-11-25", "initialize", "2", "0", "ok"],
        ["2026-07-28", "tools_call", "1", "1", "FAILED"],
        ["2026-07-28", "auth/dpop", "0", "3", "not", "applicable:", "an", "extension"],
    ]
    assert "FAILED 2026-07-28 tools_call: id: FAILURE" in lines
    assert lines[-2:] == [
        "conformance of the client to MCP 2025-11-25: 1 of 1 scenarios green (2 checks)",
        "conformance of the client to MCP 2026-07-28: 0 of 1 scenarios green (0 checks), 1 not applicable",
    ]
    report.write_junit(verdicts, tmp_path / "junit.xml")
    assert tally(Counting.JUNIT, 1, "", tmp_path / "junit.xml") == (Tally(passed=1, failed=1), "")
