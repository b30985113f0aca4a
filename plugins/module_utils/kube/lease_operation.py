# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of site_lock: one run at a time on a cluster.

Two requests where nobody else is at work: the lease is created, and deleted at the end.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, InvalidInput, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import lease, lease_keeping, lease_process
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.lease import Holder, Verdict
from ansible_collections.mcpops.platform.plugins.module_utils.names import namespace_problems
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Deadline, wait_timeout_problems

POLL_SECONDS = 1.0
QUERY = {"fieldManager": "mcpops"}


def converge(task: Task) -> Result:
    """Take the lease or give it back. It never counts as a change: it is there for the time of a run only."""
    wrong = [
        *namespace_problems("namespace", task.params["namespace"]),
        *wait_timeout_problems(task.params["wait_timeout"], zero=True),
    ]
    if wrong:
        raise InvalidInput("site_lock", wrong)
    if task.check_mode:
        return _result("check mode changes nothing, so it takes no lease")
    if task.run_directory is None:
        return _result("no lease: the task runs away from the controller, where nothing would keep it")
    work = _take if task.params["state"] == "present" else _give_back
    return work(task, task.run_directory)


def _take(task: Task, directory: Path) -> Result:
    namespace = task.params["namespace"]
    kube = Kube.connect(lease_keeping.Quiet(task, task.params), guarded=False)
    file = lease_keeping.place(directory, kube.server)
    # what an earlier play of this run lost does not matter to this one
    file.unlink(missing_ok=True)
    if lease_process.ended(directory):
        # nobody would give it back, and others would wait for it to lapse
        raise ServiceError(f"{kube.server}: take the lease", "the run that this task belongs to has ended")
    me = lease_process.this_run(directory, task.params["playbook"])
    current, skew, notes = _won(task, kube, namespace, me)
    record = lease_keeping.record_of(task, kube.server, current, skew)
    if abs(skew) > lease_keeping.SKEW_SECONDS and not notes:
        # written by this machine's clock before the server's was known
        record.lease = _put(kube, lease.renewed(current, record.now())) or current
    lease_keeping.save(file, record)
    for note in notes:
        task.warn(note)
    found = lease.held(record.lease)
    values = {"holder": found.identity, "since": record.lease["spec"]["acquireTime"], "taken_over": bool(notes)}
    return _result(f"{kube.server}: this run holds the lease", *notes, lease=values)


def _won(task: Task, kube: Kube, namespace: str, me: Holder) -> tuple[dict[str, Any], float, list[str]]:
    """The lease as this run wrote it, the server's clock, and what is to be said about whose it was."""
    action = f"take the lease {namespace}/{lease.NAME}"
    deadline = Deadline(float(task.params["wait_timeout"]))
    collection, where = lease.path(namespace), lease.path(namespace, lease.NAME)
    while True:
        body = lease.body(namespace, me, datetime.now(timezone.utc))
        answer = kube.request("POST", collection, query=QUERY, body=body, accept_status=(409,), action=action)
        skew = lease_keeping.skew_of(answer)
        if answer.status != 409:
            return answer.json(), skew, []
        standing = kube.get(where, action=action)
        while standing is not None:
            now = datetime.now(timezone.utc) + timedelta(seconds=skew)
            found = lease.held(standing)
            verdict = lease.verdict(found, me, now, lease_process.runs)
            if verdict is not Verdict.HELD:
                won = _put(kube, lease.body(namespace, me, now, standing))
                if won is not None:
                    return won, skew, _told(verdict, found, now, kube.server)
            elif deadline.passed:
                raise _refused(action, kube.server, found, now)
            else:
                task.progress(f"waiting for {kube.server}: {lease.who_and_since_when(found, now)}")
                deadline.sleep(POLL_SECONDS)
            standing = kube.get(where, action=action)


def _put(kube: Kube, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The lease as written, or None when somebody was faster."""
    metadata = wanted["metadata"]
    where = lease.path(metadata["namespace"], metadata["name"])
    answer = kube.request("PUT", where, query=QUERY, body=wanted, accept_status=(404, 409), action="take the lease")
    written: dict[str, Any] = answer.json()
    return written if answer.status < 400 else None


def _told(verdict: Verdict, found: lease.Held, now: datetime, server: str) -> list[str]:
    if verdict in (Verdict.FREE, Verdict.MINE):
        return []
    why = "whose process has ended" if verdict is Verdict.DEAD else f"not heard of for {found.duration} s or more"
    told = lease.who_and_since_when(found, now).replace(" works on it", "", 1)
    return [f"{server}: the lease of a run that died was taken over, {why}: {told}"]


def _refused(action: str, server: str, found: lease.Held, now: datetime) -> ServiceError:
    return ServiceError(
        action,
        f"another run holds the lease of {server}: {lease.who_and_since_when(found, now)}",
        code="LeaseHeld",
        hint=(
            "Run again when it has ended, or let this run wait by setting site_lock_timeout to a number of seconds. "
            f"A run that was killed lets go after {found.duration} s, on its own controller at once."
        ),
    )


def _give_back(task: Task, directory: Path) -> Result:
    if not lease_keeping.files(directory):
        return _result("this run holds no lease")
    try:
        kube = Kube.connect(lease_keeping.Quiet(task, task.params), guarded=False)
        file = lease_keeping.place(directory, kube.server)
        with lease_keeping.locked(file):
            record = lease_keeping.load(file)
            file.unlink(missing_ok=True)
        if record is None or record.lost:
            return _result(f"{kube.server}: this run holds no lease")
        _delete(kube, record)
    except Failure as failure:
        # the work is done; a run must not fail for a lease that lapses by itself
        task.warn(f"{failure} The lease lapses in {lease.DURATION_SECONDS} s.")
        return _result("not given back")
    return _result(f"{kube.server}: given back")


def _delete(kube: Kube, record: lease_keeping.Record) -> None:
    """Only as this run wrote it last: by now it may be somebody else's."""
    metadata = record.lease["metadata"]
    where = lease.path(metadata["namespace"], metadata["name"])
    unchanged = {name: metadata[name] for name in ("uid", "resourceVersion")}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": unchanged}
    kube.request("DELETE", where, body=options, accept_status=(404, 409), action="give the lease back")


def _result(msg: str, *notes: str, **values: Any) -> Result:
    return Result(changed=False, msg=msg, plans=(Plan("lease", notes=notes),), values=values)
