# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that outlive the command that started them, and are recognised by more than a number.

A process id alone may belong to somebody else by the time it is read; together with the start time the kernel keeps it
is unique on a machine that has not been rebooted.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.files import write_atomically
from localcloud.settings import Settings


class ProcessError(Exception):
    """A server did not start or did not end."""


def start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat; None when there is no such process, or only its corpse."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    return None if fields[0] in ("Z", "X") else fields[19]


def wait_until_gone(pid: int, started: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while start_time(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class Server:
    """One of our background processes, known by name."""

    settings: Settings
    name: str

    @property
    def pid_file(self) -> Path:
        return self.settings.processes / f"{self.name}.json"

    @property
    def log_file(self) -> Path:
        return self.settings.logs / f"{self.name}.log"

    def pid(self) -> int | None:
        """Its process id while it runs, else None."""
        record = self.record()
        return record["pid"] if record and start_time(record["pid"]) == record["start_time"] else None

    def record(self) -> dict[str, Any]:
        """What was written down when it was started."""
        try:
            record: dict[str, Any] = json.loads(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return record

    def start(self, argv: Sequence[str], environment: Mapping[str, str] | None = None, sources: str = "") -> int:
        """`sources` says what its code was, for those who want to know whether it is outdated."""
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env=environment,
            )
        started = start_time(process.pid)
        record = {"pid": process.pid, "start_time": started, "command": list(argv), "sources": sources}
        write_atomically(self.pid_file, json.dumps(record) + "\n")
        return process.pid

    def stop(self) -> bool:
        """End it; whether there was anything to end."""
        pid = self.pid()
        if pid is not None:
            started = start_time(pid)
            for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                if started is None or wait_until_gone(pid, started, seconds):
                    break
            else:
                raise ProcessError(
                    f"{self.name} (process {pid}) does not end, not even when killed. See {self.log_file}."
                )
        self.pid_file.unlink(missing_ok=True)
        return pid is not None

    def last_words(self, lines: int = 8) -> str:
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(it wrote no log)"

    def failure(self, what: str) -> ProcessError:
        return ProcessError(f"{self.name} {what}. The end of {self.log_file}:\n{self.last_words()}")
