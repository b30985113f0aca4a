# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether pods have been ready for long enough to be believed. Pure.

Kubernetes calls a container without a readiness probe ready as soon as it runs, and says so until the kubelet has
noticed and reported its end. On a busy machine that takes seconds. So nothing here counts our own looks:

- the pods themselves must be ready when they are read: the counts of a workload may be older than its pods;
- time runs from the kubelet's last report about the containers, which the API server dated, to the API server's time
  before the pods were read. The clocks of nodes and of this machine do not matter;
- a kubelet that noticed the start late (Ready against startedAt, both by the node's clock) notices the end late, too:
  the delay is waited for twice;
- a container that has ended before must have outlived that life.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube import fields
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.pods import ending, pod_reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    condition,
    holds,
    owner,
    subject,
    time_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import reason

PROBED_SECONDS = 2.0
"""How long a container whose readiness probe has passed must have been ready."""
UNPROBED_SECONDS = 6.0
"""The same without such a probe: that it runs is all that is known.

Of these, one is lost because the API writes whole seconds, and two are what a kubelet takes to notice and report an
end: it looks once a second. That leaves 3 s, which the documentation promises.
"""
CRASHED_SECONDS = 10.0
"""The same once it has crashed: restarts are 10 s apart and more."""
LONGEST_SECONDS = 60.0
"""Nothing is waited for longer: a program that crashes after a minute needs a probe to be seen."""
USUAL_DELAY_SECONDS = 1.0
"""What a kubelet takes to notice a start."""


def settling(pods: Iterable[Object], now: datetime | None) -> list[Reason]:
    """Why these pods of a workload that says it is ready are not believed yet.

    `now` is the API server's time at which, or before which, the pods were read; every answer of one has it.
    """
    if now is None:
        return []
    found: list[Reason] = []
    for item in pods:
        status, metadata = item.get("status") or {}, item.get("metadata") or {}
        if metadata.get("deletionTimestamp") or status.get("phase") in ("Succeeded", "Failed"):
            continue
        if not holds(item, "Ready"):
            where = subject({**item, "kind": "Pod"})
            found += pod_reasons(item) or [reason(where, "Starting", "is not ready, whatever its workload counts")]
            continue
        since = _reported(item)
        for container, spec in _running(item):
            needed = _needed(item, container, spec)
            age = (now - (since or time_of(container["state"]["running"]["startedAt"]))).total_seconds()
            if age < needed:
                found.append(_too_short(item, container, age, needed))
    return found


def of_workload(item: Object, pods: Iterable[Object]) -> list[Object]:
    """Those of the selected pods that the workload made; a selector may choose those of a Job as well."""
    return [pod for pod in pods if _made_by(item, owner(pod))]


def _made_by(item: Object, reference: Object | None) -> bool:
    if reference is None:
        # one that is about to be adopted
        return True
    name = str(item["metadata"]["name"])
    if item["kind"] == "Deployment":
        return reference.get("kind") == "ReplicaSet" and str(reference.get("name")).rpartition("-")[0] == name
    return reference.get("kind") == item["kind"] and reference.get("name") == name


def _running(item: Object) -> list[tuple[Object, Object]]:
    """The running containers and their specifications: the main ones, and init containers that stay as sidecars."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    main = {one["name"]: one for one in spec.get("containers") or []}
    sidecars = {one["name"]: one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}
    states = [
        *((state, main.get(state["name"], {})) for state in status.get("containerStatuses") or []),
        *((s, sidecars[s["name"]]) for s in status.get("initContainerStatuses") or [] if s["name"] in sidecars),
    ]
    return [(state, own) for state, own in states if ((state.get("state") or {}).get("running") or {}).get("startedAt")]


def _reported(item: Object) -> datetime | None:
    """When the API server was last given a report about the pod's containers; None where nothing tells."""
    times = [
        time_of(entry.time)
        for entry in fields.entries(item)
        if entry.time and fields.part_of(entry.fields, "status", "containerStatuses") is not None
    ]
    return max(times, default=None)


def _needed(item: Object, container: Object, spec: Object) -> float:
    """For how many seconds the container must have been known to run."""
    probed = spec.get("readinessProbe") is not None
    if not int(container.get("restartCount", 0)):
        return PROBED_SECONDS if probed else min(LONGEST_SECONDS, UNPROBED_SECONDS + _delay(item, container))
    last = (container.get("lastState") or {}).get("terminated") or {}
    lived = _seconds(last.get("startedAt"), last.get("finishedAt"))
    return min(
        LONGEST_SECONDS, max(CRASHED_SECONDS, lived + UNPROBED_SECONDS) + (0 if probed else _delay(item, container))
    )


def _delay(item: Object, container: Object) -> float:
    """Twice what this kubelet took longer than usual to notice the start."""
    ready = (condition(item, "Ready") or {}).get("lastTransitionTime")
    return 2 * max(0.0, _seconds(container["state"]["running"]["startedAt"], ready) - USUAL_DELAY_SECONDS)


def _seconds(start: Any, end: Any) -> float:
    return max(0.0, (time_of(str(end)) - time_of(str(start))).total_seconds()) if start and end else 0.0


def _too_short(item: Object, container: Object, age: float, needed: float) -> Reason:
    crashes = int(container.get("restartCount", 0))
    told = f"runs for {max(age, 0):.0f} s only, and is believed after {needed:.0f} s"
    if crashes:
        ended = (container.get("lastState") or {}).get("terminated") or {}
        told += f"; it has ended {crashes} times before, last with {ending(ended)}"
    where = f"{subject({**item, 'kind': 'Pod'})} container {container['name']}"
    return reason(where, "Crashing" if crashes else "Starting", told)
