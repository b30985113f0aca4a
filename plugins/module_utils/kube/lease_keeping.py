# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this run knows about the leases it holds, shared by its tasks. `lease_renewal` keeps them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils import private_files
from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.options import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput, Task

SKEW_SECONDS = 2.0
"""Clocks that differ by less are not worth a correction."""


@dataclass
class Record:
    """One lease of this run: the object as last written, how to reach its cluster, and what became of it."""

    server: str
    lease: dict[str, Any]
    connection: dict[str, Any]
    heard: float
    """When it was written, by this machine's clock."""
    skew: float = 0.0
    """Seconds by which the API server's clock is ahead of this machine's."""
    lost: str = ""

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(seconds=self.skew)


def record_of(task: Task, server: str, current: Mapping[str, Any], skew: float) -> Record:
    """What is to be remembered of a lease just written through this task's options."""
    connection = {name: task.params.get(name) for name in kubernetes_argument_spec()}
    return Record(server, dict(current), connection, time.time(), skew)


def skew_of(response: Any) -> float:
    """How far the clock of the server is ahead: what others read is told by its clock, the one all runs share."""
    date = response.headers.get("Date", "")
    return parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0


def place(run_directory: Path, server: str) -> Path:
    return run_directory / "mcpops" / f"lease-{hashlib.sha256(server.encode()).hexdigest()[:24]}.json"


def load(file: Path) -> Record | None:
    try:
        return Record(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save(file: Path, record: Record) -> None:
    private_files.write_private(file, json.dumps(record.__dict__))


def locked(file: Path) -> contextlib.AbstractContextManager[None]:
    """One process at a time: a renewal must not cross the return."""
    return private_files.locked(file.with_suffix(".lock"))


def refuse_lost(task: Task, server: str) -> None:
    """Fails where this run has lost the lease of this cluster. Without a lease this is one look for a file."""
    if task.check_mode or task.run_directory is None:
        return
    own = load(place(task.run_directory, server))
    if own is not None and own.lost:
        raise ServiceError(
            f"Working on {server}",
            own.lost,
            code="LeaseLost",
            hint="This run stops here, because two at once would undo each other's work; run it again afterwards.",
        )


def files(directory: Path) -> Sequence[Path]:
    return sorted((directory / "mcpops").glob("lease-*.json"))


class Quiet:
    """A Task with the means of another and nothing to say, for what concerns the leases themselves."""

    check_mode = False
    diff_mode = False

    def __init__(self, task: Task, params: dict[str, Any]) -> None:
        self.params = params
        self.run_directory = task.run_directory
        self._task = task

    def run_command(
        self, argv: Sequence[str], stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> CommandOutput:
        return self._task.run_command(argv, stdin, env)

    def warn(self, message: str) -> None:
        """Nobody waits for what it does."""

    def progress(self, message: str) -> None:
        """Nobody waits for what it does."""

    def secret(self, value: str) -> None:
        self._task.secret(value)

    def wrote(self, what: str) -> None:
        """A lease is bookkeeping of the run; site_lock says itself what it did with one."""
