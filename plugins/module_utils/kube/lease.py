# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Lease by which one run at a time works on a cluster.

Who holds it, whether that run is alive, and what this run knows of its own leases.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import Any

from .. import run_cache
from ..errors import ServiceError
from ..task import Task

LEASE_NAMESPACE = "kube-system"
LEASE_NAME = "mcpops-platform"
DURATION_SECONDS = 60
"""How long a holder that is not heard of keeps the lease."""
HOLDER_ANNOTATION = "mcpops.platform/holder"
API_VERSION, KIND = "coordination.k8s.io/v1", "Lease"


@dataclass(frozen=True)
class Holder:
    """One run of ansible-playbook: who started it, where, and the process that tells whether it lives.

    `machine` names the boot and the process namespace that `pid` and `started` are of; empty where they are unknown.
    """

    user: str
    host: str
    run: str
    playbook: str = ""
    pid: int = 0
    started: str = ""
    machine: str = ""

    @property
    def identity(self) -> str:
        return f"{self.user}@{self.host} {self.run}"

    def __str__(self) -> str:
        details = [self.playbook, f"run {self.run}" if self.run else "", f"process {self.pid}" if self.pid else ""]
        shown = ", ".join(detail for detail in details if detail)
        name = f"{self.user}@{self.host}" if self.host else self.user
        return f"{name} ({shown})" if shown else name


@dataclass(frozen=True)
class HeldLease:
    """A Lease as it was read."""

    holder: Holder
    since: datetime | None
    renewed: datetime | None
    duration: int
    identity: str


class LeaseState(Enum):
    FREE = "free"
    MINE = "mine"
    DEAD = "dead"
    """The holder's process ended on this machine."""
    STALE = "stale"
    """Not renewed for its duration."""
    HELD = "held"


def lease_path(namespace: str, name: str = "") -> str:
    """Where Leases of a namespace are, or one of them."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/leases" + (f"/{name}" if name else "")


def path_of(lease: Mapping[str, Any]) -> str:
    """Where this Lease is."""
    return lease_path(lease["metadata"]["namespace"], lease["metadata"]["name"])


def lease_body(
    namespace: str, holder: Holder, now: datetime, replacing: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The Lease of a holder who starts now; `replacing` is the one it takes the place of, if that still exists."""
    metadata: dict[str, Any] = {
        "name": LEASE_NAME,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "mcpops"},
        "annotations": {HOLDER_ANNOTATION: json.dumps(asdict(holder), sort_keys=True)},
    }
    transitions = 0
    if replacing is not None:
        metadata["resourceVersion"] = replacing["metadata"]["resourceVersion"]
        transitions = int((replacing.get("spec") or {}).get("leaseTransitions") or 0) + 1
    spec = {
        "holderIdentity": holder.identity,
        "leaseDurationSeconds": DURATION_SECONDS,
        "acquireTime": _text(now),
        "renewTime": _text(now),
        "leaseTransitions": transitions,
    }
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def renewed_lease(lease: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The same Lease, heard of now."""
    return {**lease, "spec": {**lease["spec"], "renewTime": _text(now)}}


def read_lease(lease: Mapping[str, Any]) -> HeldLease:
    """What a Lease says; one that another program wrote is shown by its bare identity."""
    spec = lease.get("spec") or {}
    identity = str(spec.get("holderIdentity") or "")
    try:
        reported = json.loads(((lease.get("metadata") or {}).get("annotations") or {})[HOLDER_ANNOTATION])
        holder = Holder(**{name: reported[name] for name in Holder.__dataclass_fields__ if name in reported})
    except (KeyError, ValueError, TypeError):
        holder = Holder(identity or "somebody", "", "")
    return HeldLease(
        holder,
        _time(spec.get("acquireTime")),
        _time(spec.get("renewTime")),
        int(spec.get("leaseDurationSeconds") or DURATION_SECONDS),
        identity,
    )


def lease_state(lease: HeldLease, me: Holder, now: datetime, runs: Callable[[Holder], bool | None]) -> LeaseState:
    """Whether `me` may have the lease; `runs` says of a holder's process whether it lives, None when it cannot tell."""
    if not lease.identity:
        return LeaseState.FREE
    if lease.identity == me.identity:
        return LeaseState.MINE
    alive = runs(lease.holder)
    if alive is not None:
        return LeaseState.HELD if alive else LeaseState.DEAD
    heard = lease.renewed or lease.since
    if heard is None or now - heard > timedelta(seconds=lease.duration):
        return LeaseState.STALE
    return LeaseState.HELD


def holder_and_age(lease: HeldLease, now: datetime) -> str:
    """`alice@ctl (site, run 1a2b, process 42) works on it since 2026-01-31 10:00:00 UTC (2 min ago), ...`."""
    since = f" since {lease.since:%Y-%m-%d %H:%M:%S} UTC ({_ago(now - lease.since)} ago)" if lease.since else ""
    heard = f", last heard of {_ago(now - lease.renewed)} ago" if lease.renewed else ""
    return f"{lease.holder} works on it{since}{heard}"


def _ago(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _text(when: datetime) -> str:
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


SKEW_SECONDS = 2.0
"""Clocks that differ by less are not worth a correction."""


@dataclass
class LeaseRecord:
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


def skew_of(response: Any) -> float:
    """How far the clock of the server is ahead: what others read is of its clock, the one all runs share."""
    date = response.headers.get("Date", "")
    return parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0


def record_path(run_directory: Path, server: str) -> Path:
    return run_directory / "mcpops" / f"lease-{hashlib.sha256(server.encode()).hexdigest()[:24]}.json"


def load_record(file: Path) -> LeaseRecord | None:
    try:
        return LeaseRecord(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_record(file: Path, record: LeaseRecord) -> None:
    run_cache.write_private(file, json.dumps(record.__dict__))


def locked_record(file: Path) -> contextlib.AbstractContextManager[None]:
    """One process at a time: a renewal must not cross the return."""
    return run_cache.locked(file.with_suffix(".lock"))


def refuse_lost(task: Task, server: str) -> None:
    """Fails where this run has lost the lease of this cluster. Without a lease this is one look for a file."""
    if task.check_mode or task.run_directory is None:
        return
    own = load_record(record_path(task.run_directory, server))
    if own is not None and own.lost:
        raise ServiceError(
            f"Working on {server}",
            own.lost,
            code="LeaseLost",
            hint="This run stops here, because two at once would undo each other's work; run it again afterwards.",
        )


def record_files(directory: Path) -> Sequence[Path]:
    return sorted((directory / "mcpops").glob("lease-*.json"))
