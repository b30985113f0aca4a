# SPDX-License-Identifier: GPL-3.0-or-later
"""When a scenario of the conformance suite counts as green, and what makes the level fail."""

from __future__ import annotations

import pytest
from conformance import judging
from conformance.judging import Check, Outcome, Run
from conformance.listed import Exceptions, Listed

REVISION = "2026-07-28"
GOOD = Check("tool-called", "ToolCalled", "SUCCESS")
BAD = Check("id-differs", "IdDiffers", "FAILURE", "the same id twice")
WARNED = Check("sends-info", "SendsInfo", "WARNING", "no client information")
SKIPPED = Check("headers", "Headers_initialize", "SKIPPED", "never sent")
WIRE = Check(judging.WIRE_CHECK, "WireSchemaValid", "SUCCESS")
TOKEN = Check("token-request", "Expected Check Missing: token-request", "FAILURE")

LIST = Exceptions(
    scenarios=(Listed("auth/flow", (REVISION,), ("token-request",), "it asks nobody for a token"),),
    unseen=(Listed("headers", (REVISION,), ("Headers_initialize",), "this revision has no such method"),),
)


def run(*checks: Check, scenario: str = "tools_call", broken_off: str = "") -> Run:
    return Run(REVISION, scenario, checks, broken_off)


@pytest.mark.parametrize(
    ("of_it", "outcome"),
    [
        (run(GOOD), Outcome.GREEN),
        (run(WIRE, GOOD, Check("request", "Request", "INFO")), Outcome.GREEN),
        (run(GOOD, SKIPPED, scenario="headers"), Outcome.GREEN),
        (run(GOOD, Check("headers", "Headers_initialize", "WARNING"), scenario="headers"), Outcome.GREEN),
        (run(TOKEN, scenario="auth/flow"), Outcome.NOT_APPLICABLE),
        (run(TOKEN, GOOD, SKIPPED, scenario="auth/flow"), Outcome.NOT_APPLICABLE),
    ],
    ids=[
        "checked",
        "with-what-only-informs",
        "skipped-as-listed",
        "untestable-as-listed",
        "fails-as-listed",
        "listed-checks-alone-count",
    ],
)
def test_what_need_not_be_mended(of_it: Run, outcome: Outcome) -> None:
    assert judging.judge(of_it, LIST).outcome is outcome


@pytest.mark.parametrize(
    ("of_it", "reason"),
    [
        (run(GOOD, BAD), "id-differs (IdDiffers): FAILURE: the same id twice"),
        (run(GOOD, WARNED), "sends-info (SendsInfo): WARNING: no client information"),
        (run(), "checked nothing"),
        (run(WIRE), "checked nothing"),
        (run(WIRE, Check("request", "Request", "INFO")), "checked nothing"),
        (run(SKIPPED), "checked nothing"),
        (run(GOOD, SKIPPED), "not listed as untestable"),
        (run(GOOD, SKIPPED, WARNED, scenario="headers"), "sends-info (SendsInfo): WARNING"),
        (run(GOOD, scenario="headers"), "listed as untestable, but the suite tested it"),
        (run(GOOD, Check("new", "New", "EXPLODED")), "new (New): EXPLODED"),
        (run(GOOD, broken_off="its time was up"), "did not come to its end: its time was up"),
        (run(GOOD, scenario="auth/flow"), "no check of it fails: take it off the list"),
        (run(scenario="auth/flow"), "no check of it fails: take it off the list"),
        (run(BAD, GOOD, scenario="auth/flow"), "token-request is listed as failing, but does not fail"),
        (run(TOKEN, BAD, scenario="auth/flow"), "id-differs (IdDiffers): FAILURE: the same id twice"),
        (run(TOKEN, WARNED, scenario="auth/flow"), "sends-info (SendsInfo): WARNING"),
        (run(TOKEN, scenario="auth/flow", broken_off="it crashed"), "did not come to its end: it crashed"),
    ],
    ids=[
        *("failure", "warning", "no-check", "wire-alone", "informs-alone", "skipped-alone", "skipped-unlisted"),
        "beside-what-is-untestable",
        *("skipped-stale", "unknown-status", "timeout", "stale", "stale-without-checks", "stale-check"),
        *("more-than-listed", "warning-beside-what-is-listed", "listed-and-crashed"),
    ],
)
def test_what_makes_the_level_fail(of_it: Run, reason: str) -> None:
    verdicts = judging.verdicts([run(GOOD, scenario="other"), of_it], LIST)
    of_this = next(verdict for verdict in verdicts if verdict.scenario == of_it.scenario)
    assert of_this.outcome is Outcome.FAILED
    assert any(reason in stated for stated in of_this.reasons), of_this.reasons
    assert not judging.succeeded(verdicts)


def test_a_reason_is_one_line_that_any_report_can_hold() -> None:
    assert str(Check("encode", "encode", "FAILURE", "got 'a\r\nb\x00\x1bc'")) == "encode: FAILURE: got 'a b c'"


def test_an_entry_of_another_revision_excuses_nothing() -> None:
    verdict = judging.judge(Run("2025-11-25", "auth/flow", (TOKEN,)), LIST)
    assert verdict.outcome is Outcome.FAILED


def test_an_entry_for_a_scenario_that_is_gone_is_stale() -> None:
    verdicts = judging.verdicts([run(GOOD), run(GOOD, SKIPPED, scenario="headers")], LIST)
    assert [(v.scenario, v.outcome) for v in verdicts][-1] == ("auth/flow", Outcome.FAILED)
    assert "the suite has no such scenario" in verdicts[-1].reasons[0]
    assert not judging.succeeded(verdicts)


@pytest.mark.parametrize("runs", [[], [run(TOKEN, scenario="auth/flow")]], ids=["nothing", "listed-only"])
def test_a_run_without_a_green_scenario_proves_nothing(runs: list[Run]) -> None:
    assert not judging.succeeded([judging.judge(found, LIST) for found in runs])


def test_a_run_succeeds_when_all_is_green_or_listed() -> None:
    runs = [run(GOOD), run(GOOD, SKIPPED, scenario="headers"), run(TOKEN, scenario="auth/flow")]
    assert judging.succeeded(judging.verdicts(runs, LIST))
