# SPDX-License-Identifier: GPL-3.0-or-later
"""One process of a stage: started in a group of its own, logged to a file, ended when its time is up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gate.checkout import CHECKOUT
from gate.stages import Step

# How long a process may take to clean up after itself once it was told to stop.
GRACE_SECONDS = 20


@dataclass(frozen=True)
class Finished:
    """A process that ended, or was ended because the deadline passed."""

    returncode: int
    output: str
    seconds: float
    overran: bool


class Running:
    """A started step."""

    def __init__(self, step: Step, log: Path, base: Mapping[str, str]) -> None:
        self.step = step
        self.log = log
        self.started = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            # A session of its own, so that stopping it also stops what it started (xdist workers, playbooks).
            self._process = subprocess.Popen(
                step.argv,
                cwd=CHECKOUT,
                env={**base, **step.environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, deadline: float) -> Finished:
        overran = False
        try:
            self._process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            overran = True
            self.stop()
        seconds = time.monotonic() - self.started
        output = self.log.read_text(encoding="utf-8", errors="replace")
        return Finished(self._process.returncode, output, seconds, overran)

    def last_line(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:120] if lines else ""

    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the whole group: politely, then not."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Processes:
    """Every process the gate has running, so that none is left behind however the gate ends."""

    def __init__(self, base: Mapping[str, str]) -> None:
        self.environment = base
        self._running: list[Running] = []
        self._lock = threading.Lock()
        self._closed = False

    def start(self, step: Step, log: Path) -> Running:
        with self._lock:
            if self._closed:
                raise RuntimeError("the gate is stopping")
            running = Running(step, log, self.environment)
            self._running.append(running)
            return running

    def alive(self) -> list[Running]:
        return [running for running in self._running if running.running()]

    def stop_all(self) -> None:
        with self._lock:
            self._closed = True
        for running in self.alive():
            running.stop()
