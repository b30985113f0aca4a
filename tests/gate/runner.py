# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs stages in turns: keeps going after a failure, names what overran, always cleans up."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType

from gate import report, stages
from gate.checkout import CHECKOUT
from gate.report import Outcome, Tally
from gate.stages import Stage, Step

HEARTBEAT_SECONDS = 60.0
# How long a process may take to clean up after itself once it was asked to stop.
GRACE_SECONDS = 20
# `localcloud down` gets its own time: it has to run precisely when the deadline is already gone.
CLEAN_UP_SECONDS = 120.0
# How often the main thread wakes up: a signal that comes just before it begins to wait would be seen at the end only.
AWAKE_SECONDS = 1.0


class Interrupted(BaseException):
    """A signal asked the gate to stop. Not an Exception: nothing between here and the clean-up may swallow it."""


class Gate:
    """One run over some stages."""

    def __init__(self, base: Mapping[str, str], skip: Collection[str], deadline_seconds: float) -> None:
        self._environment = stages.environment(base)
        self._skip = skip
        self._limit = deadline_seconds
        self._started = self._said_at = time.monotonic()
        self._deadline = self._started + deadline_seconds
        self._outcomes: dict[str, Outcome] = {}
        # every process that runs, so that none is left behind however the gate ends
        self._running: dict[subprocess.Popen[bytes], tuple[Step, Path, float]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._stopping = False
        self._lanes = threading.Semaphore(stages.LANES_AT_ONCE)

    def run(self, chosen: Sequence[Stage], *, down: bool) -> list[Outcome]:
        """The outcomes so far, also when it was interrupted; that they are incomplete is then one of them."""
        try:
            self._run_in_turns(chosen)
        except Interrupted as exc:
            self._record(Outcome("interrupted", 0.0, Tally(failed=1), str(exc)))
        finally:
            self._stopping = True
            self._stop_all()
            if down:
                self._closed = False
                self._deadline = time.monotonic() + CLEAN_UP_SECONDS
                self._run_steps(stages.DOWN, stages.DOWN.steps())
        return list(self._outcomes.values())

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler. Only the first signal counts, and none during the clean-up: it must not be cut short.

        A handler and not SIG_IGN afterwards, because the processes of the clean-up would inherit that.
        """
        if not self._stopping:
            self._stopping = True
            raise Interrupted(f"stopped by {signal.Signals(number).name}")

    def _run_in_turns(self, chosen: Sequence[Stage]) -> None:
        """What has the same turn runs at once, after all with an earlier one. Nothing waits for turn 0, but by need."""
        futures: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(chosen)) as pool:
            try:
                for turn, together in itertools.groupby(sorted(chosen, key=_turn), _turn):
                    for stage in together:
                        needed = [futures[name] for name in stage.needs if name in futures]
                        futures[stage.name] = pool.submit(self._run_stage, stage, needed)
                    if turn:
                        self._wait(futures[stage.name] for stage in chosen if stage.turn == turn)
                self._wait(futures.values())
            except BaseException:
                # Leaving the pool waits for its threads, and those wait for processes.
                self._stop_all()
                raise

    def _wait(self, futures: Iterable[Future[None]]) -> None:
        left = set(futures)
        while left:
            done, left = wait(left, AWAKE_SECONDS, FIRST_EXCEPTION)
            for stage in done:
                stage.result()
            self._say_progress()

    def _run_stage(self, stage: Stage, needed: Sequence[Future[None]]) -> None:
        wait(needed)
        failed = [name for name in stage.needs if name in self._outcomes and not self._outcomes[name].ok]
        with self._lanes if stage.lane else contextlib.nullcontext():
            if stage.name in self._skip:
                self._record(Outcome(stage.name, 0.0, Tally(skipped=1), "NOT RUN: MCPOPS_SKIP names it"))
            elif failed:
                self._record(Outcome(stage.name, 0.0, Tally(failed=1), f"not run, because {', '.join(failed)} failed"))
            elif time.monotonic() >= self._deadline:
                self._record(Outcome(stage.name, 0.0, Tally(failed=1), "not run, because no time was left"))
            else:
                self._say(f"{stage.name}: {stage.what}")
                self._run_steps(stage, stage.steps())

    def _run_steps(self, stage: Stage, steps: Sequence[Step]) -> None:
        started = time.monotonic()
        with ThreadPoolExecutor(stage.at_once) as pool:
            found = list(pool.map(lambda step: self._run_step(stage, step), steps))
        if self._stopping and stage is not stages.DOWN:
            # What was ended by us says nothing about the stage.
            return
        outcome = report.combined(stage.name, time.monotonic() - started, found)
        if stage.supporting and outcome.ok:
            outcome = Outcome(stage.name, outcome.seconds, Tally())
        self._record(outcome)

    def _run_step(self, stage: Stage, step: Step) -> Outcome:
        name = step.name if step.name.startswith(stage.name) else f"{stage.name}-{step.name}"
        log = stages.LOGS / f"{name.replace(' ', '-')}.log"
        junit = stages.junit_report(step.name)
        # The report of an earlier run must not speak for a run that crashed before it wrote one.
        junit.unlink(missing_ok=True)
        started = time.monotonic()
        returncode = self._execute(step, log)
        seconds = time.monotonic() - started
        output = log.read_text(encoding="utf-8", errors="replace")
        if returncode is None:
            remark = f"{step.name} overran the gate's deadline of {self._limit / 60:g} minutes"
            tally = Tally(failed=1)
        else:
            tally, remark = report.tally(step.counting, returncode, output, junit)
        verdict = "FAILED" if tally.failed else "ok"
        if tally.failed and step.candidate:
            verdict, remark = "FAILED, which does not count", f"{step.name} fails ({tally}), and is a candidate's"
        lines = [f"{stage.name}: {step.name}: {verdict} in {seconds:.1f} s ({tally})"]
        causes: tuple[str, ...] = ()
        if tally.failed:
            lines += [remark, "-" * 100, report.excerpt(output, log), "-" * 100]
            causes = report.causes(step.name, step.counting, output, junit)
        elif step.shown:
            lines.append(output.rstrip())
        if step.candidate:
            tally, causes = Tally(tally.passed, skipped=tally.skipped), ()
        # One call: steps that run at once finish side by side.
        self._say("\n".join(line for line in lines if line))
        return Outcome(step.name, seconds, tally, remark, causes)

    def _execute(self, step: Step, log: Path) -> int | None:
        """The exit code of a finished step; None of one that was ended because the deadline passed."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, log.open("wb") as stream:
            if self._closed:
                raise RuntimeError("the gate is stopping")
            # A session of its own, so that stopping it also stops what it started (xdist workers, playbooks).
            process = subprocess.Popen(
                step.argv,
                cwd=CHECKOUT,
                env={**self._environment, **step.environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[process] = (step, log, time.monotonic())
        try:
            return process.wait(max(self._deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            _end(process)
            return None
        finally:
            del self._running[process]

    def _stop_all(self) -> None:
        with self._lock:
            self._closed = True
        for process in list(self._running):
            _end(process)

    def _record(self, outcome: Outcome) -> None:
        self._outcomes[outcome.name] = outcome
        if outcome.remark:
            self._say(f"{outcome.name}: {outcome.remark}")

    def _say_progress(self) -> None:
        """What runs, once a minute, so that a log that stands still shows where."""
        now = time.monotonic()
        if now - self._said_at < HEARTBEAT_SECONDS:
            return
        self._said_at = now
        for step, log, started in list(self._running.values()):
            last = log.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")[2]
            self._say(f"... {step.name} {now - started:.0f} s: {last[:120]}")

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        print(f"[{minutes:02d}:{seconds:02d}] {text}", flush=True)


def _turn(stage: Stage) -> int:
    return stage.turn


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole group: politely, then not."""
    for number, grace_seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
            return
