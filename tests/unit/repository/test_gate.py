# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage runner: order, dependencies, counting, deadline, clean-up."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from gate import report, runner, stages
from gate.checkout import CHECKOUT
from gate.report import Outcome, Tally
from gate.runner import Gate
from gate.stages import Counting, Stage, Step


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stages, "LOGS", tmp_path / "logs")
    return tmp_path / "logs"


def stage(name: str, script: str, *needs: str, turn: int = 1, supporting: bool = False, lane: bool = False) -> Stage:
    steps = [Step(name, ("sh", "-c", script))]
    return Stage(name, "for a test", lambda: steps, turn, needs, supporting=supporting, lane=lane)


def run(*chosen: Stage, skip: tuple[str, ...] = (), seconds: float = 60, down: bool = False) -> dict[str, Outcome]:
    outcomes = Gate(os.environ, skip, seconds).run(list(chosen), down=down)
    return {outcome.name: outcome for outcome in outcomes}


def paths(steps: list[Step]) -> list[str]:
    return [argument for step in steps for argument in step.argv if argument.startswith("tests/")]


def test_the_long_run_has_every_test_that_the_gate_leaves_out() -> None:
    chosen = {stage.name: stage for stage in stages.STAGES}
    of_the_gate = [step for name in stages.GATE for step in chosen[name].steps() if step.counting is Counting.JUNIT]
    of_the_long_run = [step for name in stages.LONG for step in chosen[name].steps()]
    guests = {f"tests/integration/{path}" for lane in stages.LANES for path in (lane.paths or {}).values()}
    whole = set(paths([step for step in of_the_long_run if "integration" in step.argv]))
    assert all(any(guest.startswith(f"{path}/") for path in whole) for guest in guests)
    slow = set(paths([step for step in of_the_long_run if "slow" in step.argv]))
    assert set(paths(of_the_gate)) - guests <= slow
    ran = [f"tests/{path.name}" for path in (CHECKOUT / "tests").iterdir() if any(path.rglob("test_*.py"))]
    top = {"/".join(path.split("/")[:2]) for path in paths(of_the_gate)}
    assert sorted(top) == sorted(set(ran) - {"tests/support", "tests/bench"})


def test_every_directory_of_the_level_runs_in_one_lane() -> None:
    directories = [path.name for path in (CHECKOUT / "tests/integration").iterdir() if any(path.glob("test_*.py"))]
    assert sorted(directories) == sorted(name for lane in stages.LANES for name in lane.directories)


def test_every_scenario_runs_once_in_the_gate_or_in_the_long_run() -> None:
    of_lanes = [step for lane in stages.LANES for step in stages.long_lane(lane)]
    ran = [step for step in (*stages.molecule(), *of_lanes) if "gate.scenario" in step.argv]
    assert sorted(step.argv[-1] for step in ran) == stages.scenarios()
    # of domains that have more than a path in the gate, there
    assert not [lane.name for lane in stages.LANES if lane.scenarios and lane.paths is None]


LATER = stages.Lane(
    "later", ("later_module", "later_info"), paths={"kmcp": "later_module/test_path.py"}, scenarios=("later_role",)
)


def test_a_later_domain_gives_the_gate_one_path_and_the_long_run_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "LANES", (*stages.LANES, LATER))
    with_it = {step.name: step.argv for step in stages.integration()}
    assert "tests/integration/later_module/test_path.py" in with_it["integration-kmcp"]
    assert not [word for argv in with_it.values() for word in argv if word == "tests/integration/later_info"]
    tests, role = stages.long_lane(LATER)
    assert paths([tests]) == ["tests/integration/later_module", "tests/integration/later_info"]
    assert "slow" not in tests.argv
    assert [step.argv[3:5] for step in (tests, role)] == [("with", "later")] * 2
    assert role.argv[-2:] == ("gate.scenario", "later_role")
    assert "later_role" in role.environment["MOLECULE_EPHEMERAL_DIRECTORY"]


def test_the_matrix_starts_at_the_oldest_supported_core() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == f">={next(iter(stages.CORES))}.0"
    steps = stages.long_matrix()
    assert {core for step in steps if (core := step.environment.get("MCPOPS_CORE"))} == set(stages.CORES)
    # the quickstart makes its own environment: with the oldest, the newest, and the next, whose failures do not count
    counted = {
        step.environment["MCPOPS_QUICKSTART_CORE"]: not step.candidate for step in steps if "quickstart" in step.name
    }
    oldest, *_between, newest = stages.CORES
    assert counted == {oldest: True, newest: True, **dict.fromkeys(stages.CANDIDATES, False)}


def test_lanes_run_a_few_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "LANES_AT_ONCE", 2)
    # each fails if it is the third: a directory cannot be made twice
    script = f"cd {tmp_path}; if mkdir 1; then s=1; elif mkdir 2; then s=2; else exit 1; fi; sleep 0.1; rmdir $s"
    outcomes = run(*(stage(f"long-{number}", script, lane=True) for number in range(5)))
    assert [outcome.tally for outcome in outcomes.values()] == [Tally(passed=1)] * 5


def test_a_failure_does_not_hide_what_comes_after_it() -> None:
    outcomes = run(stage("lint", "exit 1"), stage("unit", "exit 0", turn=2))
    assert outcomes["lint"].tally == Tally(failed=1)
    assert outcomes["unit"].tally == Tally(passed=1)


def test_the_output_of_a_failure_is_shown_and_that_of_a_success_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    run(stage("lint", "echo broken-line; exit 1"), stage("unit", "echo boring-line"))
    shown = capsys.readouterr().out
    assert "broken-line" in shown
    assert "boring-line" not in shown


def test_figures_are_shown_of_a_success_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [Step("conformance", ("sh", "-c", "echo 5 of 5 scenarios green"), shown=True)]
    run(Stage("conformance", "for a test", lambda: steps))
    assert "5 of 5 scenarios green\n" in capsys.readouterr().out


def test_what_fails_of_a_candidate_is_shown_and_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        Step("out", ("sh", "-c", "exit 0")),
        Step("to come", ("sh", "-c", "echo it-is-broken; exit 1"), candidate=True),
    ]
    outcome = run(Stage("matrix", "for a test", lambda: steps))["matrix"]
    assert outcome.tally == Tally(passed=1) and "to come fails" in outcome.remark
    shown = capsys.readouterr().out
    assert "it-is-broken" in shown and "FAILED, which does not count" in shown


def test_what_needs_a_failed_stage_fails_without_running(tmp_path: Path) -> None:
    outcomes = run(stage("cloud", "exit 1", supporting=True), stage("integration", f"touch {tmp_path}/ran", "cloud"))
    assert outcomes["integration"].tally == Tally(failed=1)
    assert "cloud failed" in outcomes["integration"].remark
    assert not (tmp_path / "ran").exists()


def test_a_background_stage_is_waited_for_by_what_needs_it(tmp_path: Path) -> None:
    gate_file = tmp_path / "go"
    build = stage(
        "build", f"while [ ! -e {gate_file} ]; do sleep 0.02; done; touch {tmp_path}/built", turn=0, supporting=True
    )
    unit = stage("unit", f"test ! -e {tmp_path}/built && touch {gate_file}")
    cloud = stage("cloud", f"test -e {tmp_path}/built", "build", turn=2)
    outcomes = run(build, unit, cloud)
    assert {name: outcome.tally for name, outcome in outcomes.items()} == {
        "unit": Tally(passed=1),
        "build": Tally(),
        "cloud": Tally(passed=1),
    }


def test_stages_of_a_turn_run_at_the_same_time_and_later_ones_afterwards(tmp_path: Path) -> None:
    def meets(own: str, other: str) -> str:
        return f"touch {tmp_path}/{own}; while [ ! -e {tmp_path}/{other} ]; do sleep 0.02; done"

    integration = stage("integration", meets("integration", "molecule"))
    molecule = stage("molecule", meets("molecule", "integration"))
    after = stage("docs", f"test -e {tmp_path}/molecule -a -e {tmp_path}/integration", turn=2)
    assert all(outcome.tally == Tally(passed=1) for outcome in run(after, integration, molecule, seconds=20).values())


def test_the_deadline_names_what_overran_and_ends_it(tmp_path: Path) -> None:
    sleeping = stage("integration", f"echo $$ > {tmp_path}/pid; sleep 600; touch {tmp_path}/slept")
    outcomes = run(sleeping, stage("docs", "true", turn=2), seconds=0.5)
    assert not (tmp_path / "slept").exists()
    assert "integration overran the gate's deadline" in outcomes["integration"].remark
    assert "no time was left" in outcomes["docs"].remark
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_what_is_skipped_on_request_is_counted_and_said() -> None:
    outcomes = run(stage("molecule", "exit 1"), skip=("molecule",))
    assert outcomes["molecule"].tally == Tally(skipped=1)
    assert "NOT RUN" in outcomes["molecule"].remark


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate(os.environ, (), 60)
    before = signal.signal(signal.SIGTERM, gate.interrupt)
    yield gate
    signal.signal(signal.SIGTERM, before)


def test_a_signal_still_takes_the_cloud_down(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another signal arrives while the cloud goes down, and does not stop that.
    script = f"kill -TERM $PPID; sleep 0.1; touch {tmp_path}/down"
    assert stages.DOWN.steps()[0].argv[1:] == ("-m", "gate.clouds", "down")
    monkeypatch.setattr(stages, "DOWN", stage("down", script, supporting=True))
    outcomes = gate.run([stage("unit", "kill -TERM $PPID; sleep 600"), stage("docs", "true", turn=2)], down=True)
    assert (tmp_path / "down").exists()
    assert [(outcome.name, outcome.remark) for outcome in outcomes] == [
        ("interrupted", "stopped by SIGTERM"),
        ("down", ""),
    ]


def test_a_cloud_that_does_not_go_down_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "DOWN", stage("down", "sleep 600", supporting=True))
    monkeypatch.setattr(runner, "CLEAN_UP_SECONDS", 0.2)
    assert not run(stage("unit", "true"), down=True)["down"].ok


JUNIT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


@pytest.mark.parametrize(
    ("counts", "returncode", "expected"),
    [
        pytest.param((5, 0, 0, 0), 0, Tally(5, 0), id="all pass"),
        pytest.param((5, 1, 1, 0), 1, Tally(3, 2), id="failures and errors"),
        pytest.param((5, 0, 0, 2), 0, Tally(3, 2), id="skipping itself is failing"),
        pytest.param((0, 0, 0, 0), 5, Tally(0, 1), id="nothing collected"),
        pytest.param((5, 0, 0, 0), 3, Tally(5, 1), id="crashed afterwards"),
    ],
)
def test_pytest_is_counted_from_its_report(
    counts: tuple[int, ...], returncode: int, expected: Tally, tmp_path: Path
) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(JUNIT.format(*counts), encoding="utf-8")
    assert report.tally(Counting.JUNIT, returncode, "", junit)[0] == expected


def test_pytest_without_a_report_is_a_failure(tmp_path: Path) -> None:
    assert report.tally(Counting.JUNIT, 0, "", tmp_path / "absent.xml")[0] == Tally(failed=1)


SANITY = """\
Running sanity test "compile" on Python 3.9
Running sanity test "compile" on Python 3.13
Running sanity test "pep8"
"""


@pytest.mark.parametrize(
    ("output", "returncode", "expected"),
    [
        pytest.param(SANITY, 0, Tally(3, 0), id="all pass"),
        pytest.param(
            SANITY + "FATAL: The 1 sanity test(s) listed below (out of 3) failed.\npep8", 1, Tally(2, 1), id="one"
        ),
        pytest.param("FATAL: no collection here", 1, Tally(0, 1), id="did not start"),
        pytest.param("", 0, Tally(0, 1), id="silent"),
    ],
)
def test_sanity_is_counted_from_what_it_announces(output: str, returncode: int, expected: Tally) -> None:
    assert report.tally(Counting.SANITY, returncode, output, Path())[0] == expected


def test_the_last_line_is_the_plain_total() -> None:
    outcomes = [Outcome("lint", 1.0, Tally(5)), Outcome("unit", 2.5, Tally(40, 1), "one thing")]
    lines = report.summary(outcomes, 4.0).splitlines()
    assert lines[-1] == "total: 45 passed, 1 failed"
    assert any(
        line.split() == ["unit", "2.5", "s", "FAILED", "40", "passed,", "1", "failed", "(one", "thing)"]
        for line in lines
    )


FAILING_CASE = (
    '<testsuites><testsuite><testcase classname="tests.unit.test_x" name="test_y[a]">'
    '<failure message="AssertionError: assert 1 == 2&#10;more">Traceback</failure></testcase>'
    '<testcase classname="tests.unit.test_x" name="test_z"/></testsuite></testsuites>'
)
MOLECULE = "INFO converge\n[ERROR]: Task failed: Resource group 'rg' could not be found.\nPLAY RECAP\nCRITICAL"


@pytest.mark.parametrize(
    ("counting", "output", "expected"),
    [
        pytest.param(
            Counting.JUNIT, "", "tests.unit.test_x::test_y[a]: AssertionError: assert 1 == 2 more", id="a test"
        ),
        pytest.param(
            Counting.COMMAND, MOLECULE, "[ERROR]: Task failed: Resource group 'rg' could not be found.", id="a playbook"
        ),
        pytest.param(Counting.COMMAND, "a.py:1 too long\nFound 1 issue\n", "Found 1 issue", id="a last line"),
        pytest.param(Counting.COMMAND, "", "it printed nothing", id="nothing"),
    ],
)
def test_why_a_step_failed_is_told_in_a_line(counting: Counting, output: str, expected: str, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(FAILING_CASE, encoding="utf-8")
    assert report.causes("step", counting, output, junit) == (f"step: {expected}",)


def test_the_end_says_what_failed() -> None:
    outcomes = run(stage("lint", "echo 'error: it is broken'; exit 1"), stage("unit", "exit 0", turn=2))
    assert report.summary(outcomes.values(), 1.0).splitlines()[-4:] == [
        "failed",
        "  lint: error: it is broken",
        "",
        "total: 1 passed, 1 failed",
    ]


def test_no_scenario_stands_on_what_another_checkout_prepared() -> None:
    steps = [stages.scenario(name) for name in stages.scenarios()]
    assert len({step.environment["MOLECULE_EPHEMERAL_DIRECTORY"] for step in steps}) == len(steps)
    for step in steps:
        assert Path(step.environment["MOLECULE_EPHEMERAL_DIRECTORY"]).is_relative_to(stages.LOGS.parent)
        written = yaml.safe_load((CHECKOUT / "extensions" / "molecule" / step.name / "molecule.yml").read_text())
        assert written["scenario"]["test_sequence"][0] == "destroy"


def test_a_level_brings_what_it_needs_in_order() -> None:
    names = [stage.name for stage in stages.select(("molecule",))]
    assert names == ["doctor", "build", "cloud", "molecule"]


def test_what_others_wait_for_begins_at_once_and_timed_clients_run_by_themselves() -> None:
    chosen = {stage.name: stage for stage in stages.select(stages.GATE)}
    assert [chosen[name].turn for name in ("doctor", "build", "npm", "mcp-servers")] == [0] * 4
    assert [name for name, stage in chosen.items() if stage.turn == chosen["conformance"].turn] == ["conformance"]
    assert "mcp-servers" in chosen["contract"].needs


def test_an_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="integration"):
        stages.select(("intergation",))
