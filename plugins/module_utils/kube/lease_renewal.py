# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the leases of a run while one of its tasks works.

A task is a process of its own, and in a play over many clusters all wait for the slowest. So every task that runs in
the controller keeps the leases of the whole run while it works, not only its own cluster's: as long as any task of the
run is at work, no lease of the run lapses. Nothing runs between tasks, and nothing stays behind.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.module_utils.kube import lease, lease_keeping
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.lease_keeping import (
    Quiet,
    Record,
    load,
    locked,
    save,
)
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import sleep

RENEW_SECONDS = lease.DURATION_SECONDS / 3
LOOK_SECONDS = 2.0
"""How often the thread looks whether a lease is due."""
THREAD = "mcpops lease renewal"

_keepers: dict[Path, threading.Thread] = {}


def start(task: Task, directory: Path) -> None:
    """Keep the leases of the run that this directory belongs to, until this process ends."""
    keeper = _keepers.get(directory)
    if keeper is None or not keeper.is_alive():
        keeper = threading.Thread(target=_keep, args=(task, directory), daemon=True, name=THREAD)
        _keepers[directory] = keeper
        keeper.start()


def _keep(task: Task, directory: Path) -> None:
    while held := lease_keeping.files(directory):
        for file in held:
            record = load(file)
            if record is not None and not record.lost and time.time() - record.heard >= RENEW_SECONDS:
                # an API server that does not answer now is asked again at the next look
                with contextlib.suppress(Failure, OSError):
                    renew(task, file)
        sleep(LOOK_SECONDS)


def renew(task: Task, file: Path) -> None:
    """Write the lease again if it is still due and still ours; otherwise note by whom it was lost."""
    with locked(file):
        record = load(file)
        if record is None or record.lost or time.time() - record.heard < RENEW_SECONDS:
            return
        kube = Kube.connect(Quiet(task, record.connection), guarded=False)
        try:
            save(file, _written(kube, record))
        finally:
            kube.close()


def _written(kube: Kube, record: Record) -> Record:
    metadata = record.lease["metadata"]
    where = lease.path(metadata["namespace"], metadata["name"])
    for _attempt in range(2):
        wanted = lease.renewed(record.lease, record.now())
        answer = kube.request(
            "PUT",
            where,
            query={"fieldManager": "mcpops"},
            body=wanted,
            accept_status=(404, 409),
            retry=False,
            timeout=10.0,
            action="renew the lease",
        )
        if answer.status < 400:
            return Record(**{**record.__dict__, "lease": answer.json(), "heard": time.time()})
        standing = kube.get(where, action="read the lease")
        if standing is None:
            return Record(**{**record.__dict__, "lost": "the lease of this run was deleted"})
        found = lease.held(standing)
        if found.identity != lease.held(record.lease).identity:
            told = lease.who_and_since_when(found, record.now())
            return Record(**{**record.__dict__, "lost": f"the lease of this run was taken over: {told}"})
        # an earlier renewal arrived, and its answer did not
        record = Record(**{**record.__dict__, "lease": standing})
    return record
