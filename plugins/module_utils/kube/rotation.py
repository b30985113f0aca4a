# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods follow the Secrets and ConfigMaps that they use: reading those, and the record that rolls the pods.

What will stand after the run decides: objects of the same bundle as they were applied, all others as they are in the
cluster. In check mode, what earlier tasks of the run would have applied is remembered for later ones, as fingerprints.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube import config_digest, references
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import Content, Record, Seen, Standing
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import (
    CONFIG_MAP,
    SECRET,
    Reference,
    mapping,
)
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

# kinds whose controllers replace the pods when the template changes; a Job cannot change, a CronJob's next run
# starts with what stands then
ROLLED = frozenset({("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")})
HELD: Mapping[str, ResourceType] = {
    SECRET: ResourceType("v1", SECRET, "secrets", True),
    CONFIG_MAP: ResourceType("v1", CONFIG_MAP, "configmaps", True),
}
RECORD_PATH = f'spec.template.metadata.annotations."{config_digest.ANNOTATION}"'
BESIDE_PATH = f'metadata.annotations."{config_digest.ANNOTATION}"'
REMEMBERED_SECONDS = 24 * 3600.0
"""Longer than a run lasts; the memory goes with the run."""

Found = Mapping[Identity, "Content | None"]


@dataclass(frozen=True)
class Surroundings:
    """What there is of the objects that pods use, now and before this run. What is in neither could not be read."""

    now: Found
    before: Found = field(default_factory=dict)


def has_template(who: Identity) -> bool:
    """Whether an object of this kind has pods that a new template replaces."""
    return (who.group, who.kind) in ROLLED


def used_by(declared: Object) -> tuple[Reference, ...]:
    """What the pods of a declared workload use."""
    template = mapping(mapping(declared.get("spec")).get("template"))
    return references.of_pod(mapping(template.get("spec")))


def held_in(namespace: str | None, used: Iterable[Reference]) -> list[Target]:
    """The objects behind references, to be read."""
    return [
        Target(who, HELD[one.kind], {"apiVersion": who.api_version, "kind": who.kind})
        for one in used
        for who in [identity_of(namespace, one)]
    ]


def identity_of(namespace: str | None, one: Reference) -> Identity:
    return Identity("v1", one.kind, one.name, namespace)


def standing_of(live: Object | None) -> Standing | None:
    """The records of a workload that is there."""
    if live is None or (live.get("metadata") or {}).get("deletionTimestamp"):
        return None
    template = ((live.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return Standing(
        config_digest.read(template.get("annotations")), config_digest.read(live["metadata"].get("annotations"))
    )


def record_for(
    namespace: str | None, used: Sequence[Reference], around: Surroundings, standing: Standing | None
) -> Record:
    """What a workload's record is to be."""
    seen = {}
    for one in used:
        who = identity_of(namespace, one)
        if who in around.now:
            now = around.now[who]
            before = around.before.get(who)
            seen[one.label] = Seen(
                config_digest.digest(one, now),
                config_digest.digest(one, before) if who in around.before else None,
                config_digest.is_rewritten(one, now),
            )
    return config_digest.decide(used, seen, standing)


def with_record(declared: Object, record: Record) -> Object:
    """A declared workload with its record; one that the API server will refuse is left as it is."""
    spec = declared.get("spec") or {}
    template = mapping(spec).get("template") or {}
    metadata = mapping(template).get("metadata") or {}
    if not all(
        isinstance(one, Mapping) for one in (spec, template, metadata, mapping(metadata).get("annotations") or {})
    ):
        return declared
    marked = record.in_template(metadata)
    whole: Object = {**declared, "metadata": record.on_workload(declared["metadata"])}
    if marked != metadata:
        whole["spec"] = {**spec, "template": {**template, "metadata": marked}}
    return whole


def told(subject: Any, record: Record, *, dry: bool, kept: str = "") -> str:
    """Why pods are replaced, for the reader of a plan; `kept` says why the workload's controller does not do it."""
    names = ", ".join(map(str, record.rolled))
    has = "has" if len(record.rolled) == 1 else "have"
    if kept:
        return f"{subject}: {names} {has} changed, and {kept}"
    return f"{subject}: {names} {has} changed, so its pods {'would be' if dry else 'are'} replaced"


def kept_by(workload: Object) -> str:
    """What keeps a workload's controller from replacing all pods at once when the template changes."""
    spec = mapping(workload.get("spec"))
    strategy = mapping(spec.get("updateStrategy"))
    partition = mapping(strategy.get("rollingUpdate")).get("partition")
    if workload.get("kind") == "Deployment":
        return "its pods keep the old value until the rollout is resumed (paused: true)" if spec.get("paused") else ""
    if strategy.get("type") == "OnDelete":
        return "its pods keep the old value until they are deleted (updateStrategy OnDelete)"
    if workload.get("kind") == "StatefulSet" and isinstance(partition, int) and partition > 0:
        return f"its pods with an ordinal below {partition} keep the old value (updateStrategy with that partition)"
    return ""


def contents(
    wanted: Iterable[Identity], found: Mapping[Identity, Object], unreadable: Collection[Identity] = ()
) -> dict[Identity, Content | None]:
    """Fingerprints of objects as they were read; None for those that are not there."""
    return {who: config_digest.content(found[who]) if who in found else None for who in wanted if who not in unreadable}


def is_held(who: Identity) -> bool:
    return who.api_version == "v1" and who.kind in HELD


def after_bundle(
    outcomes: Iterable[ObjectOutcome], declared: Mapping[Identity, Object], *, dry: bool
) -> dict[Identity, Content | None]:
    """What the bundle has made of Secrets and ConfigMaps; what failed stands as it did."""
    after: dict[Identity, Content | None] = {}
    for outcome in outcomes:
        if outcome.failure is None:
            made = outcome.plan.is_new or any(change.path == "" for change in outcome.plan.changes)
            # without a dry run of it, the declaration stands for the object
            item = outcome.live if outcome.live is not None else declared[outcome.who]
            after[outcome.who] = config_digest.content(item, new=dry and made)
    return after


def unreadable_warning(unreadable: Iterable[Identity], option: str) -> str:
    names = ", ".join(sorted(map(str, unreadable)))
    return (
        f"{names}: may not be read with these credentials, so pods that use it are not replaced when it changes. "
        f"Grant the verb get for it, or set {option} to false."
    )


def covered_warning(path: str, workloads: Iterable[Identity], option: str) -> str:
    names = ", ".join(sorted(map(str, workloads)))
    return (
        f"ignore_differences covers {path}, so the pods of {names} do not follow their Secrets and ConfigMaps: the "
        f"annotation {config_digest.ANNOTATION}, by which they do, is not written there. Name single annotations in "
        f"ignore_differences instead, or set {option} to false."
    )


class Memory:
    """What tasks of a check mode run would have written, for the tasks after them; nothing outside of check mode."""

    def __init__(self, kube: Kube, task: Task) -> None:
        self._cache = RunCache(task.run_directory)
        self._key = ("kubernetes-planned-content", kube.server)
        self._on = task.check_mode

    def recall(self, before: Found) -> dict[Identity, Content | None]:
        """What earlier tasks would have made of objects that stand as they did when those tasks looked."""
        rows = self._cache.known(self._key) if self._on else None
        return {
            who: content_of(row["after"])
            for row in rows or []
            for who in [Identity("v1", row["kind"], row["name"], row["namespace"])]
            if who in before and before[who] == content_of(row["before"])
        }

    def remember(self, before: Found, after: Found) -> None:
        """Keep what this task would change."""
        changed = [who for who, one in after.items() if who in before and before[who] != one]
        if not self._on or not changed:
            return
        rows = [
            {
                "kind": who.kind,
                "name": who.name,
                "namespace": who.namespace,
                "before": row_of(before[who]),
                "after": row_of(after[who]),
            }
            for who in changed
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
