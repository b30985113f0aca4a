# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about pods and their workloads, and about containers that run with an outdated Secret or ConfigMap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ...errors import Reason
from ...secrets import redact, variable_values
from .. import config_digest, fields
from ..config_digest import Reference
from ..readiness import cluster
from ..readiness.containers import CRASHES_THAT_ARE_A_LOOP, container_end, pod_reasons
from ..readiness.judge import readiness_reasons
from ..readiness.reasons import (
    Object,
    condition_of,
    controller_of,
    is_condition_true,
    is_status_outdated,
    make_reason,
    subject_of,
    time_of,
)
from .snapshot import STATUS, Evidence, Finding, LogOf, Snapshot, of_reason, with_events

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


def pod_findings(snapshot: Snapshot) -> list[Finding]:
    """What is wrong with pods and workloads; ten pods with one fault are one finding about their workload."""
    makers = snapshot_workloads(snapshot)
    seen: dict[tuple[Key, str, str], list[_Seen]] = {}
    objects: dict[Key, Object] = {}
    for pod in snapshot.of("Pod"):
        maker = maker_of({**pod, "kind": "Pod"}, makers)
        objects[object_key(maker)] = maker
        for one in _faults(snapshot, pod, maker):
            seen.setdefault((object_key(maker), one.reason.code, one.container), []).append(one)
    of_pods = [_grouped(snapshot, objects[made_by], group) for (made_by, _code, _part), group in seen.items()]
    reported = {object_key(found.item) for found in of_pods}
    own = [found for one in makers.values() for found in _workload(snapshot, one, object_key(one) in reported)]
    failed = {object_key(found.item) for found in own if found.code == "JobFailed"}
    logs = {object_key(found.item): found.log_of for found in of_pods if found.log_of}
    own = [
        replace(found, log_of=logs.get(object_key(found.item))) if found.code == "JobFailed" else found for found in own
    ]
    # a failed Job says it all, with the log of its pod
    return [*own, *(found for found in of_pods if object_key(found.item) not in failed)]


def snapshot_workloads(snapshot: Snapshot) -> dict[Key, Object]:
    """What may have made the pods that are asked about."""
    return {object_key(one): one for kind in WORKLOADS for one in snapshot.of(kind)}


def object_key(item: Object) -> Key:
    """What tells an object from all others of a snapshot."""
    metadata = item["metadata"]
    return str(item.get("kind")), str(metadata.get("namespace")), str(metadata["name"])


def maker_of(pod: Object, known: dict[Key, Object]) -> Object:
    """The workload whose pod this is: a Deployment behind its ReplicaSet, or the pod itself."""
    made_by = controller_of(pod)
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
        for one in readiness_reasons(pod):
            if snapshot.lasting(one.code, pod):
                yield _Seen(one, pod, "")
        return
    if maker["kind"] == "Job" and is_condition_true(maker, "Complete"):
        return
    for one in pod_reasons(pod):
        known = _confirmed(snapshot, pod, one)
        if known is not None:
            yield _Seen(known, pod, one.subject.partition(" container ")[2])
    yield from _past(snapshot, pod)


def _confirmed(snapshot: Snapshot, pod: Object, one: Reason) -> Reason | None:
    """The reason, or a better one that events tell, or None while it is normal."""
    if one.code == "Starting":
        blockers = cluster.pod_start_blockers(pod, snapshot.events(pod))
        if blockers:
            return blockers[0]
        return one if snapshot.lasting("Starting", pod, pod["metadata"].get("creationTimestamp")) else None
    if one.code == "NotPassingProbes":
        reported = any(event.get("reason") == "Unhealthy" for event in snapshot.events(pod))
        return one if reported or _runs_for(snapshot, pod, one) >= UNHEALTHY_SECONDS else None
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
        where = f"{subject_of(pod)} container {container['name']}"
        reported = f"runs now, and has ended {crashes} times before, last with {container_end(ended)}"
        if ended.get("reason") == "OOMKilled" and ago <= RECENT_MEMORY:
            yield _Seen(make_reason(where, "OutOfMemory", reported), pod, container["name"])
        elif crashes >= CRASHES_THAT_ARE_A_LOOP and ended.get("exitCode") != 0 and ago <= RECENT_CRASHES:
            yield _Seen(make_reason(where, "CrashLoop", reported), pod, container["name"])


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


def _workload(snapshot: Snapshot, item: Object, reported_by_pods: bool) -> Iterator[Finding]:
    """What a workload says itself, unless its pods have said why already."""
    found = readiness_reasons(item)
    if found and not found[0].terminal and item["kind"] != "Deployment":
        found = cluster.creation_refused(item, snapshot.events(item)) or found
    if not found and item["kind"] == "Deployment" and (item.get("spec") or {}).get("paused"):
        found = [make_reason(subject_of(item), "Paused", "is paused: a change to it rolls out only when it is resumed")]
    for one in found:
        if reported_by_pods and one.code not in _OWN_WORDS:
            continue
        available = condition_of(item, "Available") or {}
        since = available.get("lastTransitionTime") if one.code == "PodsNotReady" else None
        if snapshot.lasting(one.code, item, since):
            yield with_events(of_reason(item, one), [redact(text) for text in snapshot.messages(item)])


CODE = "StaleConfig"
_RESTARTED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_SHOWN = 3


@dataclass(frozen=True)
class Written:
    """When the keys that count were last written, and by whom as far as that is known."""

    at: datetime
    by: str


@dataclass(frozen=True)
class Stale:
    """A container that has started before what it uses was written."""

    pod: Object
    container: str
    started: datetime
    reference: Reference
    written: Written


def stale_containers(pod: Object, held: Mapping[Key, Object]) -> Iterator[Stale]:
    """The containers of a pod that started before the content they took then; `held` by kind, namespace and name."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    made = metadata.get("creationTimestamp")
    specified = {one["name"]: one for group in ("initContainers", "containers") for one in spec.get(group) or []}
    for name, started in _running(pod):
        for reference in config_digest.startup_references(specified.get(name, {}), spec):
            item = held.get((reference.kind, str(metadata.get("namespace")), reference.name))
            written = last_written(item, reference) if item is not None else None
            # both clocks must agree: the node's tells the start, the API server's everything else
            if written is not None and started < written.at and (not made or time_of(str(made)) < written.at):
                yield Stale(pod, name, started, reference, written)


def last_written(item: Object, reference: Reference) -> Written | None:
    """The last change of the keys that are used; of a key that nobody owns the object's own age is known."""
    metadata = item.get("metadata") or {}
    entries = [
        Written(time_of(entry.time), entry.manager)
        for entry in fields.entries(item)
        if entry.time and _owns(entry.fields, reference)
    ]
    if entries:
        return max(entries, key=lambda one: one.at)
    made = metadata.get("creationTimestamp")
    return Written(time_of(str(made)), "") if made else None


def possibly_stale(snapshot: Snapshot) -> list[Key]:
    """Objects whose content would clear pods: those that carry its digest, and have started before its last write."""
    found = [_held(one) for group in _groups(snapshot).values() for one in group if _started_with(one) is not None]
    return list(dict.fromkeys(found))


def stale_config_findings(snapshot: Snapshot) -> list[Finding]:
    """One finding for each workload and object that its pods have an older version of."""
    makers = snapshot_workloads(snapshot)
    found = []
    for group in _groups(snapshot).values():
        left = [one for one in group if not _is_cleared(one, snapshot.contents.get(_held(one)))]
        if left:
            found.append(_finding(_maker(left[0].pod, makers), left))
    return found


def _groups(snapshot: Snapshot) -> dict[tuple[Key, str], list[Stale]]:
    """What looks stale by its times, for each workload and object."""
    makers = snapshot_workloads(snapshot)
    held = {
        object_key(one): one for kind in (config_digest.SECRET, config_digest.CONFIG_MAP) for one in snapshot.of(kind)
    }
    groups: dict[tuple[Key, str], list[Stale]] = {}
    for pod in snapshot.of("Pod"):
        maker = _maker(pod, makers)
        if pod["metadata"].get("deletionTimestamp") or maker["kind"] == "Job" or _is_rolling(maker):
            continue
        for one in stale_containers(pod, held):
            groups.setdefault((object_key(maker), one.reference.label), []).append(one)
    return groups


def _maker(pod: Object, makers: dict[Key, Object]) -> Object:
    return maker_of({"apiVersion": "v1", **pod, "kind": "Pod"}, makers)


def _held(one: Stale) -> Key:
    return one.reference.kind, str(one.pod["metadata"].get("namespace")), one.reference.name


def _started_with(one: Stale) -> str | None:
    return config_digest.read_record(one.pod["metadata"].get("annotations")).get(one.reference.label)


def _is_cleared(one: Stale, found: config_digest.Content | None) -> bool:
    """Whether the content is the very same that the pod was started with."""
    used = {reference.label: reference for reference in config_digest.pod_references(one.pod.get("spec") or {})}
    return found is not None and config_digest.reference_digest(used[one.reference.label], found) == _started_with(one)


def _finding(maker: Object, group: Sequence[Stale]) -> Finding:
    first = group[0]
    writer = f" by {first.written.by}" if first.written.by else ""
    at = f"{first.written.at:%Y-%m-%dT%H:%M:%SZ}"
    what = f"{first.reference} was written{writer} at {at}"
    evidence = tuple(
        Evidence(
            STATUS,
            f"Pod {one.pod['metadata']['name']} container {one.container} runs since {one.started:%Y-%m-%dT%H:%M:%SZ}",
        )
        for one in group[:_SHOWN]
    )
    pods = tuple(sorted({str(one.pod["metadata"]["name"]) for one in group}))
    reported = f"container {first.container} still runs with what {first.reference} held before: {what}"
    return of_reason(
        maker,
        make_reason(subject_of(maker), CODE, reported, hint=_advice(maker)),
        part=first.reference.label,
        evidence=(Evidence(STATUS, what), *evidence),
        pods=pods if maker.get("kind") != "Pod" else (),
    )


def _advice(maker: Object) -> str | None:
    metadata = maker["metadata"]
    if maker.get("kind") not in _RESTARTED:
        return None
    command = f"kubectl rollout restart {str(maker['kind']).lower()}/{metadata['name']} -n {metadata.get('namespace')}"
    return (
        f"{command} restarts its pods with the current content; a run of the site does it for what the site declares."
    )


def _is_rolling(maker: Object) -> bool:
    """Pods of the older template are on their way out; those of a workload that replaces none by itself are not."""
    status, spec = maker.get("status") or {}, maker.get("spec") or {}
    if not status or (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return False
    if maker.get("kind") == "Deployment":
        return is_status_outdated(maker) or int(status.get("updatedReplicas", 0)) < int(spec.get("replicas", 1))
    if maker.get("kind") == "StatefulSet":
        return is_status_outdated(maker) or status.get("currentRevision") != status.get("updateRevision")
    if maker.get("kind") == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled", 0))
        return is_status_outdated(maker) or int(status.get("updatedNumberScheduled", 0)) < wanted
    return False


def _running(pod: Object) -> Iterator[tuple[str, datetime]]:
    for one in _states(pod):
        started = ((one.get("state") or {}).get("running") or {}).get("startedAt")
        if started:
            yield str(one["name"]), time_of(str(started))


def _owns(tree: fields.Tree, reference: Reference) -> bool:
    """Whether an entry of managedFields is about values that are used."""
    written = config_digest.written_keys(tree)
    return bool(written if reference.keys is None else written & reference.keys)
