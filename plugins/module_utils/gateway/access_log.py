# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the access log of a gateway's proxies tells of servers that refuse the name that clients use (421)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ServiceError
from ..kube.apply.requests import map_concurrently
from ..kube.client import Kube
from ..kube.diagnosis.snapshot import Snapshot
from ..kube.discovery import ResourceType
from ..kube.readiness.reasons import Object
from ..task import Task
from .gateway_spec import OWNER_LABEL, proxy_labels

PODS = ResourceType("v1", "Pod", "pods", True)
MISDIRECTED = 421
_LINES, _BYTES, _MOST_PODS = 400, 400_000, 20
_BY_SERVER = "via_upstream"


@dataclass(frozen=True)
class Facts:
    """The gateway's part of a snapshot's `facts`: hosts whose server has answered last with 421, and to what."""

    misdirected: Mapping[str, str] = field(default_factory=dict)


def observe(_task: Task, kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what proxies have logged; proxies are in the controller's namespace, asked about or not."""
    wanted = [
        proxy_labels(one["metadata"]["name"], one["metadata"]["namespace"]).items()
        for one in snapshot.of("Gateway")
        if (one["metadata"].get("labels") or {}).get(OWNER_LABEL)
    ]
    pods = [
        pod
        for pod in snapshot.all("Pod")
        if any(some <= (pod["metadata"].get("labels") or {}).items() for some in wanted)
    ][:_MOST_PODS]
    logs = map_concurrently(lambda pod: _log(kube, pod), pods)
    found = Facts(misdirected_hosts([line for lines in logs for line in lines]))
    return replace(snapshot, facts={**snapshot.facts, "gateway": found})


def _log(kube: Kube, pod: Object) -> list[str]:
    metadata = pod["metadata"]
    query = {"container": "envoy", "tailLines": _LINES, "limitBytes": _BYTES}
    path = PODS.path(metadata["namespace"], metadata["name"], "log")
    try:
        answer = kube.request("GET", path, query=query, action=f"read the log of {metadata['name']}")
    except ServiceError:
        # one that has not started, or that may not be read
        return []
    return answer.body.decode(errors="replace").splitlines()


def misdirected_hosts(lines: Iterable[str]) -> dict[str, str]:
    """Of each host whose server answered last with 421, the path and time of that. Pure."""
    last: dict[str, Mapping[str, Any]] = {}
    for row in sorted(_answers(lines), key=lambda one: str(one.get("time"))):
        last[str(row.get("host") or "").partition(":")[0]] = row
    return {
        host: f"{row.get('http_method')} {row.get('path')} at {row.get('time')}: {MISDIRECTED}"
        for host, row in last.items()
        if row.get("status") == MISDIRECTED
    }


def _answers(lines: Iterable[str]) -> Sequence[Mapping[str, Any]]:
    """The lines about calls that a server has answered itself."""
    found = []
    for line in lines:
        try:
            row = json.loads(line) if line.startswith("{") else None
        except ValueError:
            # cut off where the log was
            continue
        if isinstance(row, dict) and row.get("detail") == _BY_SERVER:
            found.append(row)
    return found
