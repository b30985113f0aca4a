# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the node up, does DNS answer? Pure: objects in, a reason out; an empty reason means yes.

After a restart the objects still say what was true before it, so everything must be newer than the start.
Times are RFC 3339 in UTC to the second, which sort as text.
"""

from __future__ import annotations

from typing import Any


def node_reason(node: dict[str, Any] | None, since: str) -> str:
    if node is None:
        return "the node has not registered"
    conditions = {condition["type"]: condition for condition in node.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready")
    if ready is None or ready.get("lastHeartbeatTime", "") < since:
        return "kubelet has not reported since the start"
    if ready.get("status") != "True":
        return f"the node is not Ready: {ready.get('message') or ready.get('reason', 'no reason given')}"
    return ""


def _started_since(pod: dict[str, Any], since: str) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    started = [status.get("state", {}).get("running", {}).get("startedAt", "") for status in statuses]
    return bool(started) and all(time >= since for time in started)


def dns_reason(pods: list[dict[str, Any]], since: str) -> str:
    reasons = []
    for pod in pods:
        conditions = {condition["type"]: condition["status"] for condition in pod["status"].get("conditions", [])}
        if conditions.get("Ready") == "True" and _started_since(pod, since):
            return ""
        for status in pod.get("status", {}).get("containerStatuses", []):
            waiting = status.get("state", {}).get("waiting", {})
            if waiting.get("message"):
                reasons.append(f"{waiting['reason']}: {waiting['message']}")
    return "CoreDNS is not ready" + (f" ({'; '.join(reasons)})" if reasons else "")
