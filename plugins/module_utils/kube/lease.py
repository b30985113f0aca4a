# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Lease by which one run at a time works on a cluster: whose it is, and whether that run still lives. Pure.

It lies in kube-system: that namespace is always there, nobody can delete it, and who may write there administers the
cluster anyway, so that nobody else can keep a run away. It exists only while a run holds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

NAMESPACE = "kube-system"
NAME = "mcpops-platform"
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
        who = f"{self.user}@{self.host}" if self.host else self.user
        return f"{who} ({shown})" if shown else who


@dataclass(frozen=True)
class Held:
    """A Lease as it was read."""

    holder: Holder
    since: datetime | None
    renewed: datetime | None
    duration: int
    identity: str


class Verdict(Enum):
    FREE = "free"
    MINE = "mine"
    DEAD = "dead"
    """The holder's process ended on this machine."""
    STALE = "stale"
    """Not renewed for its duration."""
    HELD = "held"


def path(namespace: str, name: str = "") -> str:
    """Where Leases of a namespace are, or one of them."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/leases" + (f"/{name}" if name else "")


def body(namespace: str, holder: Holder, now: datetime, replacing: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The Lease of a holder who starts now; `replacing` is the one it takes the place of, if that still exists."""
    metadata: dict[str, Any] = {
        "name": NAME,
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


def renewed(lease: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The same Lease, heard of now."""
    return {**lease, "spec": {**lease["spec"], "renewTime": _text(now)}}


def held(lease: Mapping[str, Any]) -> Held:
    """What a Lease says; one that another program wrote is shown by its bare identity."""
    spec = lease.get("spec") or {}
    identity = str(spec.get("holderIdentity") or "")
    try:
        told = json.loads(((lease.get("metadata") or {}).get("annotations") or {})[HOLDER_ANNOTATION])
        holder = Holder(**{name: told[name] for name in Holder.__dataclass_fields__ if name in told})
    except (KeyError, ValueError, TypeError):
        holder = Holder(identity or "somebody", "", "")
    return Held(
        holder,
        _time(spec.get("acquireTime")),
        _time(spec.get("renewTime")),
        int(spec.get("leaseDurationSeconds") or DURATION_SECONDS),
        identity,
    )


def verdict(lease: Held, me: Holder, now: datetime, runs: Callable[[Holder], bool | None]) -> Verdict:
    """Whether `me` may have the lease; `runs` says of a holder's process whether it lives, None when it cannot tell."""
    if not lease.identity:
        return Verdict.FREE
    if lease.identity == me.identity:
        return Verdict.MINE
    alive = runs(lease.holder)
    if alive is not None:
        return Verdict.HELD if alive else Verdict.DEAD
    heard = lease.renewed or lease.since
    if heard is None or now - heard > timedelta(seconds=lease.duration):
        return Verdict.STALE
    return Verdict.HELD


def who_and_since_when(lease: Held, now: datetime) -> str:
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
