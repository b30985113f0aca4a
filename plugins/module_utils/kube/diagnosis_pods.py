# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about pods and the workloads that make them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_findings import (
    Finding,
    LogOf,
    of_reason,
    with_events,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts import events
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.pods import (
    CRASHES_THAT_ARE_A_LOOP,
    ending,
    pod_reasons,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    condition,
    holds,
    owner,
    subject,
    time_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import reason
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import redact, variable_values

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
UNHEALTHY_SECONDS = 60
"""How long a container may run without passing its probes when no event speaks of it: programs take time to start."""
RECENT_CRASHES = timedelta(minutes=10)
RECENT_MEMORY = timedelta(hours=1)
_HAS_A_LOG = frozenset({"CrashLoop", "Crashed", "OutOfMemory", "NotPassingProbes"})
# what a workload says itself, also when its pods have faults of their own
_OWN_WORDS = frozenset({"JobFailed", "Paused", "PodsRefused", "QuotaExceeded", "WebhookDown", "MissingObject"})

Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Seen:
    """One fault of one pod."""

    reason: Reason
    pod: Object
    container: str


def findings(snapshot: Snapshot) -> list[Finding]:
    """What is wrong with pods and workloads; ten pods with one fault are one finding about their workload."""
    makers = {_key(one): one for kind in WORKLOADS for one in snapshot.of(kind)}
    seen: dict[tuple[Key, str, str], list[_Seen]] = {}
    objects: dict[Key, Object] = {}
    for pod in snapshot.of("Pod"):
        maker = _maker({**pod, "kind": "Pod"}, makers)
        objects[_key(maker)] = maker
        for one in _faults(snapshot, pod, maker):
            seen.setdefault((_key(maker), one.reason.code, one.container), []).append(one)
    of_pods = [_grouped(snapshot, objects[key], group) for (key, _code, _part), group in seen.items()]
    told = {_key(found.item) for found in of_pods}
    own = [found for one in makers.values() for found in _workload(snapshot, one, _key(one) in told)]
    failed = {_key(found.item) for found in own if found.code == "JobFailed"}
    logs = {_key(found.item): found.log_of for found in of_pods if found.log_of}
    own = [replace(found, log_of=logs.get(_key(found.item))) if found.code == "JobFailed" else found for found in own]
    # a failed Job says it all, with the log of its pod
    return [*own, *(found for found in of_pods if _key(found.item) not in failed)]


def _key(item: Object) -> Key:
    metadata = item["metadata"]
    return str(item.get("kind")), str(metadata.get("namespace")), str(metadata["name"])


def _maker(pod: Object, known: dict[Key, Object]) -> Object:
    """The workload whose pod this is: a Deployment behind its ReplicaSet, or the pod itself."""
    made_by = owner(pod)
    if made_by is None:
        return pod
    metadata = pod["metadata"]
    kind, name, namespace = str(made_by["kind"]), str(made_by["name"]), str(metadata.get("namespace"))
    revision = (metadata.get("labels") or {}).get("pod-template-hash", "")
    if kind == "ReplicaSet" and revision and name.endswith(f"-{revision}"):
        deployment = known.get(("Deployment", namespace, name[: -len(revision) - 1]))
        if deployment is not None:
            return deployment
    return known.get((kind, namespace, name)) or {
        "apiVersion": made_by.get("apiVersion"),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }


def _faults(snapshot: Snapshot, pod: Object, maker: Object) -> Iterator[_Seen]:
    pod = {**pod, "kind": "Pod"}
    if pod["metadata"].get("deletionTimestamp"):
        for one in reasons(pod):
            if snapshot.lasting(one.code, pod):
                yield _Seen(one, pod, "")
        return
    if maker["kind"] == "Job" and holds(maker, "Complete"):
        return
    for one in pod_reasons(pod):
        known = _confirmed(snapshot, pod, one)
        if known is not None:
            yield _Seen(known, pod, one.subject.partition(" container ")[2])
    yield from _past(snapshot, pod)


def _confirmed(snapshot: Snapshot, pod: Object, one: Reason) -> Reason | None:
    """The reason, or a better one that events tell, or None while it is normal."""
    if one.code == "Starting":
        hindered = events.start_hindered(pod, snapshot.events(pod))
        if hindered:
            return hindered[0]
        return one if snapshot.lasting("Starting", pod, pod["metadata"].get("creationTimestamp")) else None
    if one.code == "NotPassingProbes":
        told = any(event.get("reason") == "Unhealthy" for event in snapshot.events(pod))
        return one if told or _runs_for(snapshot, pod, one) >= UNHEALTHY_SECONDS else None
    return one


def _runs_for(snapshot: Snapshot, pod: Object, one: Reason) -> float:
    name = one.subject.partition(" container ")[2]
    for container in _states(pod):
        started = ((container.get("state") or {}).get("running") or {}).get("startedAt")
        if container["name"] == name and started:
            return (snapshot.now - time_of(started)).total_seconds()
    return 0.0


def _past(snapshot: Snapshot, pod: Object) -> Iterator[_Seen]:
    """What runs at this moment, and has crashed again and again or run out of memory not long ago."""
    for container in _states(pod):
        if "running" not in (container.get("state") or {}):
            continue
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if not ended.get("finishedAt"):
            continue
        ago = snapshot.now - time_of(str(ended["finishedAt"]))
        crashes = int(container.get("restartCount", 0))
        where = f"{subject(pod)} container {container['name']}"
        told = f"runs now, and has ended {crashes} times before, last with {ending(ended)}"
        if ended.get("reason") == "OOMKilled" and ago <= RECENT_MEMORY:
            yield _Seen(reason(where, "OutOfMemory", told), pod, container["name"])
        elif crashes >= CRASHES_THAT_ARE_A_LOOP and ended.get("exitCode") != 0 and ago <= RECENT_CRASHES:
            yield _Seen(reason(where, "CrashLoop", told), pod, container["name"])


def _states(pod: Object) -> list[dict[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _grouped(snapshot: Snapshot, maker: Object, group: Sequence[_Seen]) -> Finding:
    """One finding for the same fault of several pods, with the evidence of the first."""
    first = group[0]
    hidden = variable_values([first.pod])
    pods = sorted(str(one.pod["metadata"]["name"]) for one in group)
    summary = redact(first.reason.message, hidden)
    if first.container:
        summary = f"container {first.container}: {summary}"
    log_of = None
    if first.container and first.reason.code in _HAS_A_LOG:
        metadata = first.pod["metadata"]
        log_of = LogOf(str(metadata.get("namespace")), str(metadata["name"]), first.container, hidden)
    found = Finding(
        first.reason.code,
        maker,
        summary,
        part=first.container,
        advice=first.reason.hint,
        pods=tuple(pods) if maker["kind"] != "Pod" else (),
        log_of=log_of,
    )
    return with_events(found, [redact(text, hidden) for text in snapshot.messages(first.pod)])


def _workload(snapshot: Snapshot, item: Object, told_by_pods: bool) -> Iterator[Finding]:
    """What a workload says itself, unless its pods have said why already."""
    found = reasons(item)
    if found and not found[0].terminal and item["kind"] != "Deployment":
        found = events.creation_refused(item, snapshot.events(item)) or found
    if not found and item["kind"] == "Deployment" and (item.get("spec") or {}).get("paused"):
        found = [reason(subject(item), "Paused", "is paused: a change to it rolls out only when it is resumed")]
    for one in found:
        if told_by_pods and one.code not in _OWN_WORDS:
            continue
        available = condition(item, "Available") or {}
        since = available.get("lastTransitionTime") if one.code == "PodsNotReady" else None
        if snapshot.lasting(one.code, item, since):
            yield with_events(of_reason(item, one), [redact(text) for text in snapshot.messages(item)])
