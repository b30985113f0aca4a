# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers that run with an older Secret or ConfigMap than stands: what they took from it when they started. Pure.

Of Secrets and ConfigMaps only the metadata is looked at: `managedFields` says who wrote which key, and when. An entry's
time also moves when its manager changes a label. A pod that carries the digest of what it was started with (see
config_digest) is cleared by that, for which the objects that `suspects` names are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.mcpops.platform.plugins.module_utils.kube import config_digest, fields, references
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_findings import (
    STATUS,
    Evidence,
    Finding,
    of_reason,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_pods import Key, key, maker_of, workloads
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import Reference
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    outdated,
    subject,
    time_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import reason

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


def stale(pod: Object, held: Mapping[Key, Object]) -> Iterator[Stale]:
    """The containers of a pod that started before the content they took then; `held` by kind, namespace and name."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    made = metadata.get("creationTimestamp")
    specified = {one["name"]: one for group in ("initContainers", "containers") for one in spec.get(group) or []}
    for name, started in _running(pod):
        for reference in references.of_start(specified.get(name, {}), spec):
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


def suspects(snapshot: Snapshot) -> list[Key]:
    """Objects whose content would clear pods: those that carry its digest, and have started before its last write."""
    found = [_held(one) for group in _groups(snapshot).values() for one in group if _started_with(one) is not None]
    return list(dict.fromkeys(found))


def findings(snapshot: Snapshot) -> list[Finding]:
    """One finding for each workload and object that its pods have an older version of."""
    makers = workloads(snapshot)
    found = []
    for group in _groups(snapshot).values():
        left = [one for one in group if not _is_cleared(one, snapshot.contents.get(_held(one)))]
        if left:
            found.append(_finding(_maker(left[0].pod, makers), left))
    return found


def _groups(snapshot: Snapshot) -> dict[tuple[Key, str], list[Stale]]:
    """What looks stale by its times, for each workload and object."""
    makers = workloads(snapshot)
    held = {key(one): one for kind in (references.SECRET, references.CONFIG_MAP) for one in snapshot.of(kind)}
    groups: dict[tuple[Key, str], list[Stale]] = {}
    for pod in snapshot.of("Pod"):
        maker = _maker(pod, makers)
        if pod["metadata"].get("deletionTimestamp") or maker["kind"] == "Job" or _is_rolling(maker):
            continue
        for one in stale(pod, held):
            groups.setdefault((key(maker), one.reference.label), []).append(one)
    return groups


def _maker(pod: Object, makers: dict[Key, Object]) -> Object:
    return maker_of({"apiVersion": "v1", **pod, "kind": "Pod"}, makers)


def _held(one: Stale) -> Key:
    return one.reference.kind, str(one.pod["metadata"].get("namespace")), one.reference.name


def _started_with(one: Stale) -> str | None:
    return config_digest.read(one.pod["metadata"].get("annotations")).get(one.reference.label)


def _is_cleared(one: Stale, found: config_digest.Content | None) -> bool:
    """Whether the content is the very same that the pod was started with."""
    used = {reference.label: reference for reference in references.of_pod(one.pod.get("spec") or {})}
    return found is not None and config_digest.digest(used[one.reference.label], found) == _started_with(one)


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
    told = f"container {first.container} still runs with what {first.reference} held before: {what}"
    return of_reason(
        maker,
        reason(subject(maker), CODE, told, hint=_advice(maker)),
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
        return outdated(maker) or int(status.get("updatedReplicas", 0)) < int(spec.get("replicas", 1))
    if maker.get("kind") == "StatefulSet":
        return outdated(maker) or status.get("currentRevision") != status.get("updateRevision")
    if maker.get("kind") == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled", 0))
        return outdated(maker) or int(status.get("updatedNumberScheduled", 0)) < wanted
    return False


def _running(pod: Object) -> Iterator[tuple[str, datetime]]:
    status = pod.get("status") or {}
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        started = ((one.get("state") or {}).get("running") or {}).get("startedAt")
        if started:
            yield str(one["name"]), time_of(str(started))


def _owns(tree: fields.Tree, reference: Reference) -> bool:
    """Whether an entry of managedFields is about values that are used."""
    written = config_digest.written_keys(tree)
    return bool(written if reference.keys is None else written & reference.keys)
