# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of site_lock: one run at a time on a cluster; the lease is taken, renewed and given back."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ..errors import Failure, Problem, Rule, ServiceError, check, refuse
from ..names import namespace_problems
from ..plan import Plan
from ..task import Result, SilentTask, Task
from ..waiting import Deadline, sleep, wait_timeout_problems
from . import lease
from .client import Kube
from .kubeconfig import CONNECTION, kubernetes_argument_spec
from .lease import Holder, LeaseRecord, LeaseState, load_record, locked_record, save_record

_PROC = Path("/proc")
# core names the directory of a run after the process that made it, and mkdtemp adds eight letters, digits or _
_RUN = re.compile(r"ansible-local-((\d+)\w{8})")


def this_run(run_directory: Path, playbook: str) -> Holder:
    """The run whose private directory this is; all tasks of a run say the same."""
    found = _RUN.fullmatch(run_directory.name)
    run, pid = (found[1], int(found[2])) if found else (run_directory.name, 0)
    started = _started(pid) or ""
    machine = _machine() if started else ""
    return Holder(_user(), socket.gethostname(), run, playbook, pid if started else 0, started, machine)


def run_has_ended(run_directory: Path) -> bool:
    """Whether the process that made this directory is gone: a killed run's worker may live a little longer."""
    found = _RUN.fullmatch(run_directory.name)
    if found is None:
        return False
    started = _started(int(found[2]))
    return started == "" or (started is None and _hidden(int(found[2])) is False)


def process_runs(holder: Holder) -> bool | None:
    """Whether the holder's process lives; None when it is of another machine, container or boot, or unknown."""
    if not holder.pid or not holder.machine or holder.host != socket.gethostname() or holder.machine != _machine():
        return None
    started = _started(holder.pid)
    return _hidden(holder.pid) if started is None else started == holder.started


def _hidden(pid: int) -> bool | None:
    """What a signal tells of a process that /proc does not show, as with hidepid: that there is none, or nothing."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return None
    return None


def _started(pid: int) -> str | None:
    """When a process started, in ticks since boot; empty when only its remains are there, None when /proc is silent."""
    try:
        # the name, in brackets, may hold anything
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return "" if fields[0] in ("Z", "X") else fields[19]


def _machine() -> str:
    """The boot and the process namespace: what makes equal process numbers mean the same process."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # a container's arbitrary user has no name
        return f"uid {os.geteuid()}"


RENEW_SECONDS = lease.DURATION_SECONDS / 3
LOOK_SECONDS = 2.0
"""How often the thread looks whether a lease is due."""
THREAD = "mcpops lease renewal"

_keepers: dict[Path, threading.Thread] = {}


def start_renewal(task: Task, directory: Path) -> None:
    """Keep the leases of the run that this directory belongs to, until this process ends."""
    keeper = _keepers.get(directory)
    if keeper is None or not keeper.is_alive():
        keeper = threading.Thread(target=_keep, args=(task, directory), daemon=True, name=THREAD)
        _keepers[directory] = keeper
        keeper.start()


def _keep(task: Task, directory: Path) -> None:
    while held := lease.record_files(directory):
        for file in held:
            record = load_record(file)
            if record is not None and not record.lost and time.time() - record.heard >= RENEW_SECONDS:
                # an API server that does not answer now is asked again at the next look
                with contextlib.suppress(Failure, OSError):
                    renew_lease(task, file)
        sleep(LOOK_SECONDS)


def renew_lease(task: Task, file: Path) -> None:
    """Write the lease again if it is still due and still ours; otherwise note by whom it was lost."""
    with locked_record(file):
        record = load_record(file)
        if record is None or record.lost or time.time() - record.heard < RENEW_SECONDS:
            return
        kube = Kube.connect(SilentTask(task, record.connection), guarded=False)
        try:
            save_record(file, _written(kube, record))
        finally:
            kube.close()


def _written(kube: Kube, record: LeaseRecord) -> LeaseRecord:
    where = lease.path_of(record.lease)
    for _attempt in range(2):
        wanted = lease.renewed_lease(record.lease, record.now())
        answer = kube.request(
            "PUT",
            where,
            query=QUERY,
            body=wanted,
            accept_status=(404, 409),
            retry=False,
            timeout=10.0,
            action="renew the lease",
        )
        if answer.status < 400:
            return replace(record, lease=answer.json(), heard=time.time())
        existing = kube.get(where, action="read the lease")
        if existing is None:
            return replace(record, lost="the lease of this run was deleted")
        found = lease.read_lease(existing)
        if found.identity != lease.read_lease(record.lease).identity:
            reported = lease.holder_and_age(found, record.now())
            return replace(record, lost=f"the lease of this run was taken over: {reported}")
        # an earlier renewal arrived, and its answer did not
        record = replace(record, lease=existing)
    return record


POLL_SECONDS = 1.0
QUERY = {"fieldManager": "mcpops"}


def converge(task: Task) -> Result:
    """Take the lease or give it back. It never counts as a change: it is there for the time of a run only."""
    refuse("site_lock", problems(task.params))
    if task.check_mode:
        return _result("check mode changes nothing, so it takes no lease")
    if task.run_directory is None:
        return _result("no lease: the task runs away from the controller, where nothing would keep it")
    work = _take if task.params["state"] == "present" else _give_back
    return work(task, task.run_directory)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of site_lock."""
    return check(_RULES, params)


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    lambda params: namespace_problems("namespace", params["namespace"]),
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)


def _take(task: Task, directory: Path) -> Result:
    namespace = task.params["namespace"]
    kube = Kube.connect(SilentTask(task, task.params), guarded=False)
    file = lease.record_path(directory, kube.server)
    # what an earlier play of this run lost does not matter to this one
    file.unlink(missing_ok=True)
    if run_has_ended(directory):
        # nobody would give it back, and others would wait for it to lapse
        raise ServiceError(f"{kube.server}: take the lease", "the run that this task belongs to has ended")
    me = this_run(directory, task.params["playbook"])
    current, skew, notes = _won(task, kube, namespace, me)
    connection = {name: task.params.get(name) for name in kubernetes_argument_spec()}
    record = LeaseRecord(kube.server, current, connection, time.time(), skew)
    if abs(skew) > lease.SKEW_SECONDS and not notes:
        # written by this machine's clock before the server's was known
        record.lease = _put(kube, lease.renewed_lease(current, record.now())) or current
    lease.save_record(file, record)
    for note in notes:
        task.warn(note)
    found = lease.read_lease(record.lease)
    values = {"holder": found.identity, "since": record.lease["spec"]["acquireTime"], "taken_over": bool(notes)}
    return _result(f"{kube.server}: this run holds the lease", *notes, lease=values)


def _won(task: Task, kube: Kube, namespace: str, me: Holder) -> tuple[dict[str, Any], float, list[str]]:
    """The lease as this run wrote it, the server's clock, and what is to be said about whose it was."""
    action = f"take the lease {namespace}/{lease.LEASE_NAME}"
    deadline = Deadline(float(task.params["wait_timeout"]))
    collection, where = lease.lease_path(namespace), lease.lease_path(namespace, lease.LEASE_NAME)
    while True:
        body = lease.lease_body(namespace, me, datetime.now(timezone.utc))
        answer = kube.request("POST", collection, query=QUERY, body=body, accept_status=(409,), action=action)
        skew = lease.skew_of(answer)
        if answer.status != 409:
            return answer.json(), skew, []
        existing = kube.get(where, action=action)
        while existing is not None:
            now = datetime.now(timezone.utc) + timedelta(seconds=skew)
            found = lease.read_lease(existing)
            verdict = lease.lease_state(found, me, now, process_runs)
            if verdict is not LeaseState.HELD:
                won = _put(kube, lease.lease_body(namespace, me, now, existing))
                if won is not None:
                    return won, skew, _reported(verdict, found, now, kube.server)
            elif deadline.passed:
                raise _refused(action, kube.server, found, now)
            else:
                task.progress(f"waiting for {kube.server}: {lease.holder_and_age(found, now)}")
                deadline.sleep(POLL_SECONDS)
            existing = kube.get(where, action=action)


def _put(kube: Kube, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The lease as written, or None when somebody was faster."""
    where = lease.path_of(wanted)
    answer = kube.request("PUT", where, query=QUERY, body=wanted, accept_status=(404, 409), action="take the lease")
    written: dict[str, Any] = answer.json()
    return written if answer.status < 400 else None


def _reported(verdict: LeaseState, found: lease.HeldLease, now: datetime, server: str) -> list[str]:
    if verdict in (LeaseState.FREE, LeaseState.MINE):
        return []
    why = "whose process has ended" if verdict is LeaseState.DEAD else f"not heard of for {found.duration} s or more"
    reported = lease.holder_and_age(found, now).replace(" works on it", "", 1)
    return [f"{server}: the lease of a run that died was taken over, {why}: {reported}"]


def _refused(action: str, server: str, found: lease.HeldLease, now: datetime) -> ServiceError:
    return ServiceError(
        action,
        f"another run holds the lease of {server}: {lease.holder_and_age(found, now)}",
        code="LeaseHeld",
        hint=(
            "Run again when it has ended, or let this run wait by setting site_lock_timeout to a number of seconds. "
            f"A run that was killed lets go after {found.duration} s, on its own controller at once."
        ),
    )


def _give_back(task: Task, directory: Path) -> Result:
    if not lease.record_files(directory):
        return _result("this run holds no lease")
    try:
        kube = Kube.connect(SilentTask(task, task.params), guarded=False)
        file = lease.record_path(directory, kube.server)
        with lease.locked_record(file):
            record = lease.load_record(file)
            file.unlink(missing_ok=True)
        if record is None or record.lost:
            return _result(f"{kube.server}: this run holds no lease")
        _delete(kube, record)
    except Failure as failure:
        # the work is done; a run must not fail for a lease that lapses by itself
        task.warn(f"{failure} The lease lapses in {lease.DURATION_SECONDS} s.")
        return _result("not given back")
    return _result(f"{kube.server}: given back")


def _delete(kube: Kube, record: lease.LeaseRecord) -> None:
    """Only as this run wrote it last: by now it may be somebody else's."""
    unchanged = {name: record.lease["metadata"][name] for name in ("uid", "resourceVersion")}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": unchanged}
    where = lease.path_of(record.lease)
    kube.request("DELETE", where, body=options, accept_status=(404, 409), action="give the lease back")


def _result(msg: str, *notes: str, **values: Any) -> Result:
    return Result(changed=False, msg=msg, plans=(Plan("lease", notes=notes),), values=values)
