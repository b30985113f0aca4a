# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this run knows about the leases it holds, shared by its tasks, and the thread that keeps them.

A task is a process of its own, and in a play over many clusters all wait for the slowest. So every task that talks to a
cluster keeps the leases of the whole run while it works, not only its own cluster's: as long as any task of the run is
at work, no lease of the run lapses. Nothing runs between tasks, and nothing stays behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils import private_files
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import lease
from ansible_collections.mcpops.platform.plugins.module_utils.kube.options import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput, Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import sleep

RENEW_SECONDS = lease.DURATION_SECONDS / 3
LOOK_SECONDS = 2.0
"""How often the thread looks whether a lease is due."""
SKEW_SECONDS = 2.0
"""Clocks that differ by less are not worth a correction."""

Open = Callable[[Task], Any]
"""Makes the client of the cluster that a task's options name."""
_keepers: dict[Path, threading.Thread] = {}


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


def keep(task: Task, server: str, connect: Open) -> None:
    """Called by everything that talks to a cluster: fails when its lease was lost, else keeps the run's leases.

    Without a lease this is one look into a directory.
    """
    directory = task.run_directory
    if task.check_mode or directory is None or isinstance(task, Quiet) or not files(directory):
        return
    own = load(place(directory, server))
    if own is not None and own.lost:
        raise ServiceError(
            f"Working on {server}",
            own.lost,
            code="LeaseLost",
            hint="This run stops here, because two at once would undo each other's work; run it again afterwards.",
        )
    keeper = _keepers.get(directory)
    if keeper is None or not keeper.is_alive():
        keeper = threading.Thread(target=_keep, args=(task, directory, connect), daemon=True)
        _keepers[directory] = keeper
        keeper.start()


def files(directory: Path) -> Sequence[Path]:
    return sorted((directory / "mcpops").glob("lease-*.json"))


def _keep(task: Task, directory: Path, connect: Open) -> None:
    while held := files(directory):
        for file in held:
            record = load(file)
            if record is not None and not record.lost and time.time() - record.heard >= RENEW_SECONDS:
                # an API server that does not answer now is asked again at the next look
                with contextlib.suppress(Failure, OSError):
                    renew(task, file, connect)
        sleep(LOOK_SECONDS)


def renew(task: Task, file: Path, connect: Open) -> None:
    """Write the lease again if it is still due and still ours; otherwise note by whom it was lost."""
    with locked(file):
        record = load(file)
        if record is None or record.lost or time.time() - record.heard < RENEW_SECONDS:
            return
        kube = connect(Quiet(task, record.connection))
        try:
            save(file, _written(kube, record))
        finally:
            kube.close()


def _written(kube: Any, record: Record) -> Record:
    metadata = record.lease["metadata"]
    where = lease.path(metadata["namespace"], metadata["name"])
    for _attempt in range(2):
        wanted = lease.renewed(record.lease, record.now())
        sent = {"query": {"fieldManager": "mcpops"}, "body": wanted, "retry": False, "timeout": 10.0}
        answer = kube.request("PUT", where, accept_status=(404, 409), action="renew the lease", **sent)
        if answer.status < 400:
            return Record(**{**record.__dict__, "lease": answer.json(), "heard": time.time()})
        standing = kube.get(where, action="read the lease")
        if standing is None:
            return Record(**{**record.__dict__, "lost": "somebody deleted the lease of this run"})
        found = lease.held(standing)
        if found.identity != lease.held(record.lease).identity:
            told = lease.who_and_since_when(found, record.now())
            return Record(**{**record.__dict__, "lost": f"the lease of this run was taken over: {told}"})
        # an earlier renewal arrived, and its answer did not
        record = Record(**{**record.__dict__, "lease": standing})
    return record


class Quiet:
    """A Task with the means of another and nothing to say, whose connections neither need nor keep a lease."""

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
