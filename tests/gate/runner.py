# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs stages in order: keeps going after a failure, names what overran, always cleans up."""

from __future__ import annotations

import concurrent.futures
import signal
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from gate import report, stages
from gate.process import Finished, Processes, Running
from gate.report import Outcome, Tally
from gate.stages import Stage, Step

HEARTBEAT_SECONDS = 60.0
# `localcloud down` gets its own time: it has to run precisely when the deadline is already gone.
CLEAN_UP_SECONDS = 120.0
# How often the main thread wakes up: a signal that comes just before it begins to wait would be seen at the end only.
AWAKE_SECONDS = 1.0


@dataclass(frozen=True)
class Verdict:
    """What a finished step came to, and what failed in it."""

    tally: Tally
    remark: str = ""
    causes: list[str] = field(default_factory=list)


class Interrupted(BaseException):
    """A signal asked the gate to stop. Not an Exception: nothing between here and the clean-up may swallow it."""


class Gate:
    """One run over some stages."""

    def __init__(self, base: Mapping[str, str], skip: Collection[str], deadline_seconds: float) -> None:
        self._processes = Processes(stages.plain_environment(base))
        self._skip = skip
        self._started = time.monotonic()
        self._limit = deadline_seconds
        self._deadline = self._started + deadline_seconds
        self._background: dict[str, Running] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._over = threading.Event()
        self._stopping = False

    def run(self, chosen: list[Stage], *, down: bool) -> list[Outcome]:
        """The outcomes so far, also when it was interrupted; that they are incomplete is then one of them."""
        heartbeat = threading.Thread(target=self._tell_progress, daemon=True)
        heartbeat.start()
        try:
            for together in stages.groups(chosen):
                self._run_together(together)
        except Interrupted as exc:
            self._record(Outcome("interrupted", 0.0, Tally(failed=1), str(exc)))
        finally:
            self._stopping = True
            self._over.set()
            self._processes.stop_all()
            if down:
                self._clean_up()
        return list(self._outcomes.values())

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler. Only the first signal counts, and none during the clean-up: it must not be cut short.

        A handler and not SIG_IGN afterwards, because the processes of the clean-up would inherit that.
        """
        if not self._stopping:
            self._stopping = True
            raise Interrupted(f"stopped by {signal.Signals(number).name}")

    def _run_together(self, together: list[Stage]) -> None:
        with concurrent.futures.ThreadPoolExecutor(len(together)) as pool:
            try:
                running = [pool.submit(self._run_stage, stage) for stage in together]
                left = set(running)
                while left:
                    done, left = concurrent.futures.wait(left, AWAKE_SECONDS, concurrent.futures.FIRST_EXCEPTION)
                    for stage in done:
                        stage.result()
            except BaseException:
                # Leaving the pool waits for its threads, and those wait for processes.
                self._processes.stop_all()
                raise

    def _run_stage(self, stage: Stage) -> None:
        if stage.name in self._skip:
            self._record(Outcome(stage.name, 0.0, Tally(skipped=1), "NOT RUN: MCPOPS_SKIP names it"))
            return
        for needed in stage.needs:
            self._finish_background(needed)
        missing = [name for name in stage.needs if name in self._outcomes and not self._outcomes[name].ok]
        if missing:
            self._record(Outcome(stage.name, 0.0, Tally(failed=1), f"not run, because {', '.join(missing)} failed"))
            return
        if time.monotonic() >= self._deadline:
            self._record(Outcome(stage.name, 0.0, Tally(failed=1), "not run, because no time was left"))
            return
        try:
            steps = stage.steps()
        except stages.NothingToRun as exc:
            remark = f"{exc}. MCPOPS_SKIP={stage.name} leaves it out"
            self._record(Outcome(stage.name, 0.0, Tally(failed=1), remark))
            return
        print(f"[{self._clock()}] {stage.name}: {stage.what}", flush=True)
        if stage.background:
            (step,) = steps
            self._background[stage.name] = self._start(stage.name, step)
            return
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(stage.at_once) as pool:
            results = list(pool.map(lambda step: self._run_step(stage.name, step), steps))
        if self._stopping:
            # What was ended by us says nothing about the stage.
            return
        self._conclude(stage, time.monotonic() - started, results)

    def _finish_background(self, name: str) -> None:
        running = self._background.pop(name, None)
        if running is None:
            return
        if running.running():
            print(f"[{self._clock()}] waiting for {name}", flush=True)
        finished = running.wait(self._deadline)
        stage = next(stage for stage in stages.STAGES if stage.name == name)
        self._conclude(stage, finished.seconds, [self._judge(name, running, finished)])

    def _run_step(self, stage_name: str, step: Step) -> Verdict:
        if step.counting is stages.Counting.JUNIT:
            # The report of an earlier run must not speak for a run that crashed before it wrote one.
            stages.junit_report(step.name).unlink(missing_ok=True)
        running = self._start(stage_name, step)
        return self._judge(stage_name, running, running.wait(self._deadline))

    def _start(self, stage_name: str, step: Step) -> Running:
        name = stage_name if step.name == stage_name else f"{stage_name}-{step.name.replace(' ', '-')}"
        return self._processes.start(step, stages.LOGS / f"{name}.log")

    def _judge(self, stage_name: str, running: Running, finished: Finished) -> Verdict:
        step, junit = running.step, stages.junit_report(running.step.name)
        if finished.overran:
            minutes = self._limit / 60
            tally, remark = Tally(failed=1), f"{step.name} overran the gate's deadline of {minutes:g} minutes"
        else:
            tally, remark = report.tally(step.counting, finished.returncode, finished.output, junit)
        verdict = "FAILED" if tally.failed else "ok"
        lines = [f"[{self._clock()}] {stage_name}: {step.name}: {verdict} in {finished.seconds:.1f} s ({tally})"]
        if tally.failed:
            lines += [remark, "-" * 100, report.excerpt(finished.output, running.log), "-" * 100]
        elif step.shown:
            lines.append(finished.output.rstrip())
        # One call: steps that run at once finish side by side.
        print("\n".join(line for line in lines if line), flush=True)
        if not tally.failed:
            return Verdict(tally, remark)
        return Verdict(tally, remark, report.causes(step.name, step.counting, finished.output, junit))

    def _conclude(self, stage: Stage, seconds: float, verdicts: Sequence[Verdict]) -> None:
        tally = sum((verdict.tally for verdict in verdicts), Tally())
        if stage.supporting and not tally.failed:
            tally = Tally()
        remark = "; ".join(verdict.remark for verdict in verdicts if verdict.remark)
        causes = tuple(cause for verdict in verdicts for cause in verdict.causes)
        self._record(Outcome(stage.name, seconds, tally, remark, causes))

    def _record(self, outcome: Outcome) -> None:
        self._outcomes[outcome.stage] = outcome
        if outcome.remark:
            print(f"[{self._clock()}] {outcome.stage}: {outcome.remark}", flush=True)

    def _clean_up(self) -> None:
        processes = Processes(self._processes.environment)
        running = processes.start(
            Step("down", stages.tool("python", "-m", "gate.clouds", "down")), stages.LOGS / "down.log"
        )
        finished = running.wait(time.monotonic() + CLEAN_UP_SECONDS)
        stage = Stage("down", "the local cloud, down", list, supporting=True)
        self._conclude(stage, finished.seconds, [self._judge("down", running, finished)])

    def _tell_progress(self) -> None:
        """Says once a minute what is running, so that a log that stands still shows where."""
        while not self._over.wait(HEARTBEAT_SECONDS):
            for running in self._processes.alive():
                age = time.monotonic() - running.started
                if age >= HEARTBEAT_SECONDS:
                    print(f"[{self._clock()}] ... {running.step.name} {age:.0f} s: {running.last_line()}", flush=True)

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes:02d}:{seconds:02d}"
