# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods follow the Secrets and ConfigMaps that they use: reading those, and the record whose change rolls the pods."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...run_cache import RunCache
from ...task import Task
from .. import config_digest
from ..client import Kube
from ..config_digest import CONFIG_MAP, SECRET, Content, Record, Reference, ReferenceState, as_mapping
from ..discovery import ResourceType
from ..manifests import Object, ObjectRef
from ..writers import ignored_paths, tolerated
from .options import BundleOptions, BundleOutcome, ObjectOutcome
from .requests import Target

# kinds whose controllers replace the pods when the template changes; a Job cannot change, a CronJob's next run
# starts with what stands then
ROLLED = frozenset({("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")})
HELD: Mapping[str, ResourceType] = {
    SECRET: ResourceType("v1", SECRET, "secrets", True),
    CONFIG_MAP: ResourceType("v1", CONFIG_MAP, "configmaps", True),
}
RECORD_PATH = f'spec.template.metadata.annotations."{config_digest.DIGEST_ANNOTATION}"'
BESIDE_PATH = f'metadata.annotations."{config_digest.DIGEST_ANNOTATION}"'
REMEMBERED_SECONDS = 24 * 3600.0
"""Longer than a run lasts; the memory goes with the run."""

LiveObjects = Mapping[ObjectRef, "Content | None"]


@dataclass(frozen=True)
class UsedObjects:
    """What there is of the objects that pods use, now and before this run. What is in neither could not be read."""

    now: LiveObjects
    before: LiveObjects = field(default_factory=dict)


def has_template(ref: ObjectRef) -> bool:
    """Whether an object of this kind has pods that a new template replaces."""
    return (ref.group, ref.kind) in ROLLED


def references_of(declared: Object) -> tuple[Reference, ...]:
    """What the pods of a declared workload use."""
    template = as_mapping(as_mapping(declared.get("spec")).get("template"))
    return config_digest.pod_references(as_mapping(template.get("spec")))


def held_in(namespace: str | None, used: Iterable[Reference]) -> list[Target]:
    """The objects behind references, to be read."""
    return [
        Target(ref, HELD[one.kind], {"apiVersion": ref.api_version, "kind": ref.kind})
        for one in used
        for ref in [ref_of(namespace, one)]
    ]


def ref_of(namespace: str | None, one: Reference) -> ObjectRef:
    return ObjectRef("v1", one.kind, one.name, namespace)


def current_record(live: Object | None) -> Record | None:
    """The records of a workload that is there."""
    if live is None or (live.get("metadata") or {}).get("deletionTimestamp"):
        return None
    template = ((live.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return Record(
        config_digest.read_record(template.get("annotations")),
        config_digest.read_record(live["metadata"].get("annotations")),
    )


def record_for(
    namespace: str | None, used: Sequence[Reference], related: UsedObjects, existing: Record | None
) -> Record:
    """What a workload's record is to be."""
    seen = {}
    for one in used:
        ref = ref_of(namespace, one)
        if ref in related.now:
            now = related.now[ref]
            before = related.before.get(ref)
            seen[one.label] = ReferenceState(
                config_digest.reference_digest(one, now),
                config_digest.reference_digest(one, before) if ref in related.before else None,
                config_digest.is_rewritten(one, now),
            )
    return config_digest.decide_record(used, seen, existing)


def with_record(declared: Object, record: Record) -> Object:
    """A declared workload with its record; one that the API server will refuse is left as it is."""
    spec = declared.get("spec") or {}
    template = as_mapping(spec).get("template") or {}
    metadata = as_mapping(template).get("metadata") or {}
    if not all(
        isinstance(one, Mapping) for one in (spec, template, metadata, as_mapping(metadata).get("annotations") or {})
    ):
        return declared
    marked = record.in_template(metadata)
    whole: Object = {**declared, "metadata": record.on_workload(declared["metadata"])}
    if marked != metadata:
        whole["spec"] = {**spec, "template": {**template, "metadata": marked}}
    return whole


def rotation_note(subject: Any, record: Record, *, dry: bool, kept: str = "") -> str:
    """Why pods are replaced, for the reader of a plan; `kept` says why the workload's controller does not do it."""
    names = ", ".join(map(str, record.rolled))
    has = "has" if len(record.rolled) == 1 else "have"
    if kept:
        return f"{subject}: {names} {has} changed, and {kept}"
    return f"{subject}: {names} {has} changed, so its pods {'would be' if dry else 'are'} replaced"


def rollout_blocker(workload: Object) -> str:
    """What keeps a workload's controller from replacing all pods at once when the template changes."""
    spec = as_mapping(workload.get("spec"))
    strategy = as_mapping(spec.get("updateStrategy"))
    partition = as_mapping(strategy.get("rollingUpdate")).get("partition")
    if workload.get("kind") == "Deployment":
        return "its pods keep the old value until the rollout is resumed (paused: true)" if spec.get("paused") else ""
    if strategy.get("type") == "OnDelete":
        return "its pods keep the old value until they are deleted (updateStrategy OnDelete)"
    if workload.get("kind") == "StatefulSet" and isinstance(partition, int) and partition > 0:
        return f"its pods with an ordinal below {partition} keep the old value (updateStrategy with that partition)"
    return ""


def content_digests(
    wanted: Iterable[ObjectRef], found: Mapping[ObjectRef, Object], unreadable: Collection[ObjectRef] = ()
) -> dict[ObjectRef, Content | None]:
    """Fingerprints of objects as they were read; None for those that are not there."""
    return {
        ref: config_digest.object_content(found[ref]) if ref in found else None
        for ref in wanted
        if ref not in unreadable
    }


def after_bundle(
    outcomes: Iterable[ObjectOutcome], declared: Mapping[ObjectRef, Object], *, dry: bool
) -> dict[ObjectRef, Content | None]:
    """What the bundle has made of Secrets and ConfigMaps; what failed stands as it did."""
    after: dict[ObjectRef, Content | None] = {}
    for outcome in outcomes:
        if outcome.failure is None:
            made = outcome.plan.is_new or any(change.path == "" for change in outcome.plan.changes)
            # without a dry run of it, the declaration stands for the object
            item = outcome.live if outcome.live is not None else declared[outcome.ref]
            after[outcome.ref] = config_digest.object_content(item, new=dry and made)
    return after


def unreadable_warning(unreadable: Iterable[ObjectRef], option: str) -> str:
    names = ", ".join(sorted(map(str, unreadable)))
    return (
        f"{names}: may not be read with these credentials, so pods that use it are not replaced when it changes. "
        f"Grant the verb get for it, or set {option} to false."
    )


def covered_warning(path: str, workloads: Iterable[ObjectRef], option: str) -> str:
    names = ", ".join(sorted(map(str, workloads)))
    return (
        f"ignore_differences covers {path}, so the pods of {names} do not follow their Secrets and ConfigMaps: the "
        f"annotation {config_digest.DIGEST_ANNOTATION}, by which they do, is not written there. Name single "
        "annotations in "
        f"ignore_differences instead, or set {option} to false."
    )


class ContentMemory:
    """What tasks of a check mode run would have written, for the tasks after them; nothing outside of check mode."""

    def __init__(self, kube: Kube, task: Task) -> None:
        self._cache = RunCache(task.run_directory)
        self._key = ("kubernetes-planned-content", kube.server)
        self._on = task.check_mode

    def recall(self, before: LiveObjects) -> dict[ObjectRef, Content | None]:
        """What earlier tasks would have made of objects that stand as they did when those tasks looked."""
        rows = self._cache.known(self._key) if self._on else None
        return {
            ref: content_of(row["after"])
            for row in rows or []
            for ref in [ObjectRef("v1", row["kind"], row["name"], row["namespace"])]
            if ref in before and before[ref] == content_of(row["before"])
        }

    def remember(self, before: LiveObjects, after: LiveObjects) -> None:
        """Keep what this task would change."""
        changed = [ref for ref, one in after.items() if ref in before and before[ref] != one]
        if not self._on or not changed:
            return
        rows = [
            {
                "kind": ref.kind,
                "name": ref.name,
                "namespace": ref.namespace,
                "before": row_of(before[ref]),
                "after": row_of(after[ref]),
            }
            for ref in changed
        ]
        names = {(row["kind"], row["namespace"], row["name"]) for row in rows}

        def merged(known: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
            others = [row for row in known or [] if (row["kind"], row["namespace"], row["name"]) not in names]
            return [*others, *rows]

        self._cache.change(self._key, merged, REMEMBERED_SECONDS)


def row_of(one: Content | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"keys": dict(one.keys), "rewritten": sorted(one.rewritten), "filled": one.filled, "new": one.new}


def content_of(row: Mapping[str, Any] | None) -> Content | None:
    return None if row is None else Content(row["keys"], frozenset(row["rewritten"]), row["filled"], row["new"])


OPTION = "roll_on_config_change"


class BundleRotation:
    """The records of a bundle's workloads. `beside` is to be read with the bundle's own objects."""

    def __init__(self, kube: Kube, task: Task, options: BundleOptions, targets: Sequence[Target], *, dry: bool) -> None:
        self._task = task
        self._options = options
        self._dry = dry
        self._declared = {target.ref: target.declared for target in targets}
        self._memory = ContentMemory(kube, task)
        self._used: dict[ObjectRef, tuple[Reference, ...]] = {}
        self._frozen: set[ObjectRef] = set()
        self._covered: dict[str, list[ObjectRef]] = {}
        for target in targets:
            if not has_template(target.ref):
                continue
            used_by_pods = references_of(target.declared)
            if not options.settings(target.ref).roll_on_config_change:
                self._frozen.add(target.ref)
            elif used_by_pods and (row := _covering(options, target.ref, RECORD_PATH)):
                # what nobody looks at is not written either: the record could not reach the pods
                self._frozen.add(target.ref)
                self._covered.setdefault(row, []).append(target.ref)
            else:
                self._used[target.ref] = used_by_pods
        self.beside = [
            held
            for ref, used in self._used.items()
            for held in held_in(ref.namespace, used)
            if held.ref not in self._declared
        ]
        # later tasks of a check mode run may ask for what this bundle makes of any of them
        used = {ref_of(ref.namespace, one) for ref, all_of in self._used.items() for one in all_of}
        held_ones = {ref for ref in self._declared if ref.api_version == "v1" and ref.kind in HELD}
        self._wanted = used | held_ones if task.check_mode else used
        self._before: dict[ObjectRef, Content | None] = {}
        self._planned: dict[ObjectRef, Content | None] = {}
        self._leaving: tuple[ObjectRef, ...] = ()
        self._records: dict[ObjectRef, Record] = {}

    def found(
        self, live: Mapping[ObjectRef, Object], unreadable: Collection[ObjectRef], leaving: Iterable[ObjectRef]
    ) -> None:
        """What was read before anything is changed, and what the bundle will delete."""
        self._before = content_digests(self._wanted, live, unreadable)
        self._planned = self._memory.recall(self._before)
        self._leaving = tuple(leaving)
        if unreadable:
            self._task.warn(unreadable_warning(unreadable, OPTION))
        for path, workloads in self._covered.items():
            self._task.warn(covered_warning(path, workloads, OPTION))

    def recorded(
        self, group: list[Target], live: Mapping[ObjectRef, Object], done: Mapping[ObjectRef, ObjectOutcome]
    ) -> list[Target]:
        """The workloads of a phase with their records; all that their pods use has had its turn before."""
        if not any(target.ref in self._used or target.ref in self._frozen for target in group):
            return group
        related = UsedObjects(self._now(done.values()), self._before)
        return [self._with_record(target, live.get(target.ref), related) for target in group]

    def explained(self, outcome: ObjectOutcome) -> ObjectOutcome:
        """The outcome with a note of what makes it replace pods."""
        record = self._records.get(outcome.ref)
        if record is None or not record.rolled or outcome.failure is not None or not outcome.plan.changed:
            return outcome
        stands = outcome.live if outcome.live is not None else self._declared[outcome.ref]
        note = rotation_note(outcome.ref, record, dry=self._dry, kept=rollout_blocker(stands))
        return replace(outcome, plan=outcome.plan.with_notes(note))

    def remember(self, outcome: BundleOutcome) -> None:
        """Let later tasks of a check mode run know what this one would change."""
        if self._task.check_mode:
            self._memory.remember(self._before, self._now(outcome.outcomes))

    def _now(self, outcomes: Iterable[ObjectOutcome]) -> dict[ObjectRef, Content | None]:
        wanted = [one for one in outcomes if one.ref in self._wanted]
        after = after_bundle(wanted, self._declared, dry=self._dry)
        gone = dict.fromkeys(ref for ref in self._leaving if ref in self._wanted)
        return {**self._before, **self._planned, **gone, **after}

    def _with_record(self, target: Target, live: Object | None, related: UsedObjects) -> Target:
        ref = target.ref
        existing = current_record(live)
        if ref in self._frozen and existing is not None:
            # a digest that goes would roll the pods as one that changes does
            return replace(target, declared=with_record(target.declared, existing))
        if ref not in self._used:
            return target
        record = record_for(ref.namespace, self._used[ref], related, existing)
        self._records[ref] = record
        if record.beside and (row := _covering(self._options, ref, BESIDE_PATH)):
            self._task.warn(covered_warning(row, [ref], OPTION))
        return replace(target, declared=with_record(target.declared, record))


def _covering(options: BundleOptions, ref: ObjectRef, record: str) -> str:
    """The path of ignore_differences that covers this place of the record, if there is one."""
    for path in ignored_paths(options.ignored, ref.kind, ref.name):
        if tolerated(ref.kind, paths=(path,)).is_ignored(record):
            return path
    return ""
