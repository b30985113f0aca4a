# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many objects as one task: ordered by phase, concurrent inside, each compared with its declaration.

Objects that the bundle no longer declares are pruned.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...errors import NotReady, Problem, Refused, ServiceError, refuse
from ...plan import Plan, Refusal
from ...task import Task
from ...text import counted, listed
from .. import manifests as declared_objects
from ..client import Kube
from ..diff import creation_changes, is_protected_kind
from ..discovery import METADATA_OF_LIST, ResourceType
from ..fields import owns_label
from ..manifests import Object, ObjectRef, is_built_in, object_ref, rows_without_object
from ..readiness import judge
from .finished_jobs import JobRecord
from .object import BundleState, Converger
from .options import OPTION, BundleOptions, BundleOutcome, ObjectOutcome, not_reached
from .requests import (
    Target,
    map_concurrently,
    placed,
    read_live,
    served_types,
    stray_namespaces,
    target_of,
    unknown_kind,
    unless_down,
    wait_for_crds,
)
from .rotation import BundleRotation

BUNDLE_LABEL = "mcpops.io/bundle"

# how many of those that stay or go are named
_SHOWN = 5
# what nobody declares, and a cluster has very many of
_NOT_LISTED = frozenset({("", "Event"), ("events.k8s.io", "Event")})

Settle = Callable[[BundleOutcome], Sequence[Object]]
Key = tuple[str, str, "str | None", str]


@dataclass(frozen=True)
class UndeclaredMembers:
    """What is to go, and what a reader should know about it."""

    targets: tuple[Target, ...] = ()
    """Their declarations are the objects as they were listed."""
    notes: tuple[str, ...] = ()


def labelled(item: Object, bundle: str) -> Object:
    """The declaration as a part of the bundle."""
    metadata = item["metadata"]
    return {**item, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), BUNDLE_LABEL: bundle}}}


def other_bundles(options: BundleOptions, targets: Iterable[Target], live: Mapping[ObjectRef, Object]) -> list[Refusal]:
    """Objects that are part of another bundle, which would prune them, or lose them."""
    if options.bundle is None:
        return []
    found = []
    for target in targets:
        theirs = _bundle_of(live.get(target.ref))
        if theirs in (None, options.bundle) or options.settings(target.ref).force_conflicts:
            continue
        remedy = (
            "Declare it in one bundle only. To move it here, take it out of the other declaration and set "
            "force_conflicts for it in object_options once."
        )
        found.append(Refusal(f"{target.ref}: bundle", theirs, options.bundle, remedy))
    return found


def undeclared_members(kube: Kube, options: BundleOptions, declared: Sequence[Target]) -> UndeclaredMembers:
    """The bundle's objects that are no longer declared; Refused when they are too many of them."""
    if options.bundle is None or options.pruning is None:
        return UndeclaredMembers()
    namespaces = sorted({target.ref.namespace for target in declared if target.ref.namespace})
    found: dict[str, Target] = {}
    notes: list[str] = []
    for members, reported in map_concurrently(lambda kind: _members(kube, options, kind, namespaces), _kinds(kube)):
        notes += reported
        # one object may be served by two API groups
        found.update({str(member.declared["metadata"]["uid"]): member for member in members})
    notes += _not_asked(kube)
    going, kept, held = choose_leaving(list(found.values()), {key_of(target.ref) for target in declared})
    percent = options.pruning.max_percent
    if len(going) * 100 > percent * (len(going) + len(kept)):
        raise Refused(options.subject, [_too_many(options.bundle, going, len(going) + len(kept), percent)])
    notes += [f"{target.ref}: is declared no more and kept: a {target.ref.kind} is never pruned" for target in held]
    return UndeclaredMembers(tuple(going), tuple(notes))


def choose_leaving(members: Sequence[Target], declared: set[Key]) -> tuple[list[Target], list[Target], list[Target]]:
    """(what is to go, what stays declared, what is declared no more and never deleted) of a bundle's objects. Pure."""
    ordered = sorted(members, key=lambda target: str(target.ref))
    kept = [member for member in ordered if key_of(member.ref) in declared]
    others = [member for member in ordered if key_of(member.ref) not in declared]
    held = [member for member in others if is_protected_kind(member.ref)]
    return [member for member in others if not is_protected_kind(member.ref)], kept, held


def wait_for_applied(settle: Settle, found: UndeclaredMembers, outcome: BundleOutcome) -> Sequence[Object]:
    """Wait for what was applied, and return how it stands then.

    NotReady tells what was done until then, and what was not pruned because of it.
    """
    try:
        return settle(outcome)
    except NotReady as failure:
        notes = [*outcome.notes, *found.notes]
        if found.targets:
            notes.append(_kept(found, "others are not ready"))
        failure.values.update(changed=outcome.changed, objects=outcome.rows(), **({"notes": notes} if notes else {}))
        raise


def prune_members(
    kube: Kube, task: Task, options: BundleOptions, found: UndeclaredMembers, outcome: BundleOutcome, *, dry: bool
) -> BundleOutcome:
    """The outcome of the bundle with that of its pruning; nothing goes while something of the bundle has failed."""
    if not found.targets:
        return BundleOutcome(outcome.outcomes, outcome.notes + found.notes)
    if outcome.failures:
        reported = _kept(found, "others failed")
        return BundleOutcome(outcome.outcomes, (*outcome.notes, *found.notes, reported))
    # most bundles delete nothing
    from .delete import DeleteOptions, delete_existing

    deletion = DeleteOptions(
        subject=options.subject,
        propagation=options.propagation,
        wait=options.pruning is not None and options.pruning.wait,
        wait_timeout=options.wait_timeout,
        quiet=True,
    )
    live = {target.ref: target.declared for target in found.targets}
    gone = delete_existing(kube, task, found.targets, live, deletion, dry=dry)
    pruned = tuple(ObjectOutcome(one.ref, one.plan, None, one.failure, pruned=True) for one in gone)
    return BundleOutcome(outcome.outcomes + pruned, outcome.notes + found.notes)


def key_of(ref: ObjectRef) -> Key:
    """What tells an object from all others whatever version it is read by."""
    return ref.group, ref.kind, ref.namespace, ref.name


def _kinds(kube: Kube) -> list[ResourceType]:
    """Every kind that can be listed and deleted, in the version the API server prefers."""
    kinds: dict[tuple[str, str], ResourceType] = {}
    for key in kube.kinds():
        api_version, _slash, kind = key.rpartition("/")
        resource = kube.resource_type(api_version, kind, refresh=False)
        if resource is None or (resource.group, kind) in _NOT_LISTED or not {"list", "delete"} <= set(resource.verbs):
            continue
        kinds.setdefault((resource.group, kind), resource)
    return list(kinds.values())


def _not_asked(kube: Kube) -> list[str]:
    """APIs that did not even say which kinds they have: what the bundle has of them is not known."""
    known = {key.rpartition("/")[0] for key in kube.kinds()}
    silent = [one for one in kube.stale() if one not in known]
    if not silent:
        return []
    return [f"{', '.join(silent)}: not looked at for pruning, because the API does not answer."]


def _members(
    kube: Kube, options: BundleOptions, resource: ResourceType, namespaces: Sequence[str]
) -> tuple[list[Target], list[str]]:
    """(the bundle's objects of one kind, notes)."""
    selector = f"{BUNDLE_LABEL}={options.bundle}"
    # an extension API server that is down must not hold up everything else
    may_wait = is_built_in(resource.group)

    def items(namespace: str | None) -> list[Object]:
        return kube.list_objects(
            resource, namespace, label_selector=selector, accept=METADATA_OF_LIST, retry=may_wait, quiet=True
        )

    try:
        try:
            found = items(None)
        except ServiceError as refused:
            if refused.status != 403 or not resource.namespaced or not namespaces:
                raise
            found = [item for namespace in namespaces for item in items(namespace)]
    except ServiceError as refused:
        # 404: the kind went since it was discovered
        why = [] if refused.status == 404 else [f"{resource.plural} were not looked at for pruning: {refused}"]
        return [], why
    ours = [item for item in found if is_ours(item, options.manager)]
    return [target_of(resource, item) for item in ours], []


def is_ours(item: Mapping[str, Any], manager: str) -> bool:
    """Whether `manager` has applied the bundle's label, and nobody has asked for the object's deletion. Pure."""
    return owns_label(item, manager, BUNDLE_LABEL) and not (item.get("metadata") or {}).get("deletionTimestamp")


def _bundle_of(live: Object | None) -> str | None:
    return (((live or {}).get("metadata") or {}).get("labels") or {}).get(BUNDLE_LABEL)


def _kept(found: UndeclaredMembers, reason: str) -> str:
    return f"Not pruned, because {reason}: {_named(found.targets)}"


def _too_many(bundle: str, going: Sequence[Target], of: int, percent: int) -> Refusal:
    remedy = (
        f"Pruning {_named(going)} is more than {percent} percent of it. Check that the declaration is complete; raise "
        "prune_max_percent if it is."
    )
    sentence = f"would shrink from {counted(of, 'object')} to {of - len(going)}"
    return Refusal.because(f"bundle {bundle}", sentence, remedy)


def _named(targets: Sequence[Target]) -> str:
    return listed([target.ref for target in targets], _SHOWN)


def apply_bundle(
    kube: Kube, task: Task, items: Iterable[Object], options: BundleOptions, settle: Settle | None = None
) -> BundleOutcome:
    """Make the cluster hold these objects; in check mode, find out by dry runs what that would change.

    `settle` waits until what was applied is ready; nothing is pruned before, or when it raises NotReady.
    Objects that fail do not keep the others from being applied: see `BundleOutcome.raise_failures`.
    """
    return _Bundle(kube, task, options, dry=task.check_mode, settle=settle).run(list(items))


def plan_without_cluster(items: Iterable[Object], reason: str) -> BundleOutcome:
    """The plan for a cluster that does not exist yet: everything is created."""
    outcomes = []
    for item in map(declared_objects.normalise, items):
        ref = object_ref(item)
        plan = Plan(str(ref), creation_changes(item), notes=(f"{ref}: depends on {reason}",), is_new=True)
        outcomes.append(ObjectOutcome(ref, plan))
    return BundleOutcome(tuple(outcomes))


class _Bundle:
    """The run of one bundle."""

    def __init__(self, kube: Kube, task: Task, options: BundleOptions, dry: bool, settle: Settle | None = None) -> None:
        self._kube = kube
        self._task = task
        self._options = options
        self._dry = dry
        self._settle = settle
        self._state = BundleState()
        self._jobs = JobRecord(kube, task, options.bundle, dry=dry)
        self._converger = Converger(kube, task, options, self._state, dry)

    def run(self, items: list[Object]) -> BundleOutcome:
        declared = [declared_objects.normalise(item) for item in items]
        self._state.pending_kinds.update(
            {
                (resource.api_version, resource.kind): resource
                for item in declared
                if item["kind"] == "CustomResourceDefinition"
                for resource in served_types(item)
            }
        )
        placed_ones = self._targets(declared)
        done = {one.ref: one for one in placed_ones if isinstance(one, ObjectOutcome)}
        targets = [one for one in placed_ones if isinstance(one, Target)]
        rotation = BundleRotation(self._kube, self._task, self._options, targets, dry=self._dry)
        served = [target for target in targets if self._converger.is_served(target)]
        read = read_live(self._kube, served, rotation.beside)
        live, unread = read.found, read.unread
        done.update({ref: not_reached(ref, failure, "apply") for ref, failure in unread.items()})
        pruned = {one.ref.namespace or "" for one in targets} - {""} if self._options.pruning else ()
        self._jobs.look([target for target in targets if target.ref not in unread], live, pruned)
        refused = other_bundles(self._options, targets, live)
        if refused:
            raise Refused(self._options.subject, refused)
        leaving = undeclared_members(self._kube, self._options, targets)
        rotation.found(live, read.refused, [target.ref for target in leaving.targets])
        reached = [target for target in targets if target.ref not in unread]
        ordered = sorted(reached, key=lambda target: declared_objects.apply_phase(target.ref))
        for phase, group in itertools.groupby(ordered, key=lambda target: declared_objects.apply_phase(target.ref)):
            batch = self._converge_all(rotation.recorded(list(group), live, done), live)
            done.update({outcome.ref: outcome for outcome in batch})
            if phase == declared_objects.NAMESPACES:
                self._remember_namespaces(batch)
            elif phase == declared_objects.DEFINITIONS and not self._dry:
                self._wait_for_definitions(batch, done)
            self._jobs.remember(batch)
        outcome = BundleOutcome(tuple(rotation.explained(done[one.ref]) for one in placed_ones))
        changed = outcome.changed or bool(leaving.targets)
        outcome = BundleOutcome(tuple(self._jobs.explained(one, changed=changed) for one in outcome.outcomes))
        rotation.remember(outcome)
        if self._settle is not None and not self._dry:
            try:
                if not outcome.failures:
                    self._jobs.saw(wait_for_applied(self._settle, leaving, outcome))
            finally:
                self._jobs.conclude()
        pruned_too = prune_members(self._kube, self._task, self._options, leaving, outcome, dry=self._dry)
        if self._options.pruning is not None and not pruned_too.failures:
            self._jobs.forget_undeclared()
        return pruned_too

    def _targets(self, declared: list[Object]) -> list[Target | ObjectOutcome]:
        """Every object with its resource type and namespace; all problems found on the way at once.

        One whose API does not answer has its outcome already.
        """
        found: list[Target | ObjectOutcome] = []
        wrong: list[Problem] = []
        resources = [unless_down(partial(self._served, item)) for item in declared]
        known = [(item, found) for item, found in zip(declared, resources) if not isinstance(found, ServiceError)]
        for warning in stray_namespaces(known):
            self._task.warn(warning)
        for item, resource in zip(declared, resources):
            if isinstance(resource, ServiceError):
                found.append(not_reached(object_ref(item), resource, "apply"))
                continue
            target: Target | Problem
            if resource is None:
                target = unknown_kind(self._kube, item)
            else:
                structure = self._kube.structure(resource.api_version, resource.kind)
                target = placed(item, resource, self._options.namespace, structure)
            if isinstance(target, Problem):
                wrong.append(target)
            else:
                found.append(target)
        wrong += _declared_twice([one for one in found if isinstance(one, Target)])
        refs = [target.ref for target in found]
        wrong = wrong or [
            *rows_without_object(OPTION, self._options.per_object, refs),
            *rows_without_object(judge.OPTION, self._options.wait_conditions, refs),
        ]
        refuse(self._options.subject, wrong)
        return found

    def _served(self, item: Object) -> ResourceType | None:
        """How the kind is served; None when it is not."""
        api_version, kind = str(item["apiVersion"]), str(item["kind"])
        pending = self._state.pending_kinds.get((api_version, kind))
        known = self._kube.resource_type(api_version, kind, refresh=pending is None)
        if known or pending:
            return known or pending
        group = api_version.rpartition("/")[0]
        if self._dry and not declared_objects.is_built_in(group):
            # its CustomResourceDefinition comes with an earlier task; the declaration says where it lives
            return ResourceType(api_version, kind, "", "namespace" in item["metadata"] or bool(self._options.namespace))
        return None

    def _converge_all(self, group: list[Target], live: Mapping[ObjectRef, Object]) -> list[ObjectOutcome]:
        finished = [self._jobs.has_run(target, live.get(target.ref)) for target in group]
        open_ones = [target for target, outcome in zip(group, finished) if outcome is None]
        made = iter(self._converger.converge_all(open_ones, live, [*live, *(one.ref for one in group)]))
        return [outcome or next(made) for outcome in finished]

    def _remember_namespaces(self, batch: list[ObjectOutcome]) -> None:
        self._state.failed_namespaces.update(one.ref.name for one in batch if one.failure is not None)
        self._state.new_namespaces.update(
            one.ref.name for one in batch if any(change.path == "" for change in one.plan.changes)
        )

    def _is_news(self, definition: ObjectOutcome) -> bool:
        """Whether the API server may not serve yet what this definition says."""
        return definition.plan.changed or any(
            self._kube.resource_type(kind.api_version, kind.kind, refresh=False) is None
            for kind in served_types(definition.live or {})
        )

    def _wait_for_definitions(self, batch: list[ObjectOutcome], done: dict[ObjectRef, ObjectOutcome]) -> None:
        # one that stands as declared was served before
        applied = [one for one in batch if one.failure is None and one.live is not None and self._is_news(one)]
        failed = wait_for_crds(
            self._kube, self._task, [outcome.live for outcome in applied if outcome.live], self._options.wait_timeout
        )
        if applied:
            self._kube.forget_structures()
        for outcome in applied:
            if outcome.ref.name in failed:
                done[outcome.ref] = ObjectOutcome(outcome.ref, outcome.plan, outcome.live, failed[outcome.ref.name])


def _declared_twice(targets: list[Target]) -> list[Problem]:
    """Objects that are one when the default namespace, or the other version of their kind, is filled in."""
    seen: dict[Key, ObjectRef] = {}
    wrong = []
    for ref in [target.ref for target in targets]:
        first = seen.setdefault(key_of(ref), ref)
        if first is not ref:
            other = "" if first == ref else f" (as {first.api_version} and {ref.api_version})"
            wrong.append(Problem(str(ref), f"is declared twice{other}"))
    return wrong
