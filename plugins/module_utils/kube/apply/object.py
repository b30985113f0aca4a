# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converging one object of a bundle: create, update or recreate it, or find out by dry runs what that would change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import Failure, ServiceError
from ...plan import Change, Plan
from ...task import Task
from ...waiting import Deadline
from .. import diff
from ..client import Kube
from ..diff import creation_changes, removal_changes
from ..discovery import ResourceType
from ..fields import Route, foreign_fields, route_path, value_at
from ..manifests import Object, ObjectRef, holds_secrets, protect_live_secrets
from .comparison import ApplyNeeded
from .correction import (
    OWNERSHIP,
    Comparison,
    WholeObjectWriter,
    apply_declared,
    fresh_values,
    remove_foreign_fields,
    set_fresh,
    writers_at,
)
from .options import ON_IMMUTABLE, BundleOptions, ObjectOutcome
from .replacement import dropped_leaves, other_spellings
from .requests import INVALID, Target, map_concurrently, try_creation

SETTLING_SECONDS = 10.0
SETTLING_POLL_SECONDS = 0.25


@dataclass
class BundleState:
    """What the objects of a bundle have to know of each other."""

    pending_kinds: dict[tuple[str, str], ResourceType] = field(default_factory=dict)
    """Kinds that definitions of this bundle bring."""
    new_namespaces: set[str] = field(default_factory=set)
    failed_namespaces: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Made:
    """What applying has made, or would make, of an object."""

    changes: list[Change]
    live: Object
    notes: tuple[str, ...] = ()


class Converger:
    """Converges single objects; safe to use from several threads."""

    def __init__(self, kube: Kube, task: Task, options: BundleOptions, bundle_state: BundleState, dry: bool) -> None:
        self._kube = kube
        self._task = task
        self._options = options
        self._bundle = bundle_state
        self._dry = dry
        self._whole = WholeObjectWriter(kube, options, dry)

    def converge_all(
        self, targets: Sequence[Target], live: Mapping[ObjectRef, Object], known: Iterable[ObjectRef]
    ) -> list[ObjectOutcome]:
        """The outcome of each, all at once; one that stands costs no request. `known` are all objects of the task."""
        open_ones = [target for target in targets if self.judge(target, live.get(target.ref)) is not ApplyNeeded.STANDS]
        protect_live_secrets(self._task, [live.get(target.ref) for target in open_ones], known)
        done = {one.ref: one for one in map_concurrently(lambda one: self.converge(one, live.get(one.ref)), open_ones)}
        return [
            done.get(target.ref) or ObjectOutcome(target.ref, Plan(str(target.ref)), live[target.ref])
            for target in targets
        ]

    def judge(self, target: Target, live: Object | None) -> ApplyNeeded:
        """Whether anything is to be done, as far as it can be told without asking."""
        if live is None or "deletionTimestamp" in (live.get("metadata") or {}):
            return ApplyNeeded.DIFFERS
        found = Comparison(self._options, target, live)
        if found.verdict is ApplyNeeded.UNSURE and found.digest in self._kube.confirmed:
            return ApplyNeeded.STANDS
        return found.verdict

    def estimate(self, target: Target, live: Object) -> tuple[Change, ...]:
        """What converging would change as far as reading tells: for who may not ask for a dry run."""
        return Comparison(self._options, target, live).estimate()

    def is_served(self, target: Target) -> bool:
        """Whether the API server knows the kind by now."""
        ref = target.ref
        return bool(target.resource.plural) and (
            (ref.api_version, ref.kind) not in self._bundle.pending_kinds
            or self._kube.resource_type(ref.api_version, ref.kind, refresh=False) is not None
        )

    def converge(self, target: Target, live: Object | None) -> ObjectOutcome:
        """The outcome for one object; a failure is part of it."""
        ref = target.ref
        try:
            if live is not None and (live.get("metadata") or {}).get("deletionTimestamp"):
                if self._dry:
                    return self._planned(target, f"{ref}: is being deleted, and would be recreated when it is gone")
                # most objects are neither on their way out nor deleted
                from .delete import wait_until_gone

                wait_until_gone(self._kube, self._task, [(target.path, ref, None)], self._options.wait_timeout)
                live = None
            if live is None:
                return self._create(target)
            found = Comparison(self._options, target, live)
            try:
                return self._update(found)
            except ServiceError as refused:
                reported = diff.explain_refusal(
                    refused, found.applied, lambda: foreign_fields(found.live, self._options.our_managers)
                )
                if not diff.is_immutable(reported):
                    raise reported from refused
                return self._recreate(target, live, reported)
        except Failure as failure:
            return ObjectOutcome(ref, Plan(str(ref)), live, failure)

    def _create(self, target: Target, *notes: str) -> ObjectOutcome:
        ref = target.ref
        if self._dry and not self.is_served(target):
            return self._planned(target, f"{ref}: depends on the CustomResourceDefinition of {ref.kind}, not there yet")
        if ref.namespace in self._bundle.failed_namespaces:
            raise ServiceError(f"apply {ref}", f"its namespace {ref.namespace} could not be applied")
        if self._dry and ref.namespace in self._bundle.new_namespaces:
            return self._planned(target)
        try:
            after = self._apply_new(target)
        except ServiceError as refused:
            webhook = diff.refusing_webhook(refused)
            if self._dry and webhook is not None:
                return self._planned(
                    target, f"{ref}: would be applied; the admission webhook {webhook} refuses dry runs"
                )
            if self._dry and refused.status == 404:
                needed = (
                    f"namespace {ref.namespace}" if "namespaces " in refused.reason else f"definition of {ref.kind}"
                )
                return self._planned(target, f"{ref}: depends on the {needed}, not there yet")
            raise
        plan = Plan(str(ref), creation_changes(target.declared), body=target.declared, notes=notes, is_new=True)
        if not self._dry:
            self._confirm(Comparison(self._options, target, after))
        return ObjectOutcome(ref, plan, after)

    def _confirm(self, found: Comparison) -> None:
        """What the server has just made of the declaration need not be asked of a dry run in the next run."""
        # unless somebody wrote between our reading and our writing
        if not (found.foreign or found.is_contested) and not dropped_leaves(
            found.target.declared, found.live, found.target.structure
        ):
            self._kube.confirmed.add(found.digest)

    def _update(self, found: Comparison) -> ObjectOutcome:
        ref = found.target.ref
        if found.is_headless:
            raise diff.headless_refusal(ref)
        asked, judged = found.digest, found.values
        changes: list[Change] = []
        notes: tuple[str, ...] = ()
        returned: tuple[Route, ...] = ()
        now = found
        if found.settings.exclusive:
            taken = remove_foreign_fields(self._kube, found, dry_run=self._dry)
            changes, now, returned = list(taken.changes), found.of(taken.live), taken.returned
            if returned:
                reset = self._reset(now, returned)
                changes, now = changes + reset.changes, found.of(reset.live)
            if taken.kept:
                whole = self._taken_back(now, taken.kept)
                if whole is not None:
                    return ObjectOutcome(ref, self._plan(found, found.changes(whole)), whole)
                notes = tuple(taken.kept)
        if judged is not ApplyNeeded.STANDS or returned:
            made = self._apply_over(now, ApplyNeeded.UNSURE if judged is ApplyNeeded.STANDS else judged, returned)
            changes, notes, now = _without_ownership(changes + made.changes), notes + made.notes, found.of(made.live)
        if not changes and not notes:
            self._kube.confirmed.add(asked)
        elif not notes and not self._dry:
            self._confirm(now)
        return ObjectOutcome(ref, self._plan(found, changes, notes), now.live)

    def _plan(self, found: Comparison, changes: Sequence[Change], notes: tuple[str, ...] = ()) -> Plan:
        # each path once: what is removed beforehand may show again in the dry run of the whole
        once = tuple({change.path: change for change in changes}.values())
        return Plan(str(found.target.ref), once, body=found.target.declared, notes=notes)

    def _reset(self, found: Comparison, returned: Sequence[Route]) -> _Made:
        """Values of others that an update without them does not take away are set to those of a new object."""
        target, live, manager = found.target, found.live, self._options.manager
        values = fresh_values(self._kube, target, live, returned, manager)
        if not values:
            return _Made([], live)
        secret = holds_secrets(live)
        changes = [
            Change(
                path,
                value_at(live, route, target.structure),
                value,
                secret,
                changed_by=writers_at(path, found.managers),
            )
            for route, value in values.items()
            for path in [route_path(route)]
        ]
        return _Made(changes, live if self._dry else set_fresh(self._kube, target, live, values, manager))

    def _taken_back(self, found: Comparison, kept: Mapping[str, ServiceError]) -> Object | None:
        """The object in one piece, where what others added can go only together with what is declared instead.

        None where that is refused, too; a refusal because a field is immutable is raised: only recreation helps.
        """
        first = next(iter(kept.values()))
        try:
            return self._whole.in_one_piece(found, first)
        except ServiceError as refused:
            if refused is not first:
                raise
        for one in kept.values():
            if diff.is_immutable(one):
                raise one
        return None

    def _apply_over(self, found: Comparison, judged: ApplyNeeded, returned: Sequence[Route] = ()) -> _Made:
        target, existing = found.target, found.live
        try:
            after, judged, notes = self._applied(target, judged)
        except ServiceError as refused:
            twins = diff.is_inexpressible(refused) and not self._options.adopt
            if not twins and (refused.status != INVALID or diff.is_immutable(refused)):
                raise
            # in check mode, what the dry run of the whole shows has the removals in it
            after = self._whole.in_one_piece(found, refused)
            return _Made(found.changes(after), after)
        if after is None:
            # in check mode, behind a webhook that refuses dry runs
            return _Made(list(found.applied()), existing, notes)
        again = other_spellings(existing, target.declared, returned, target.structure)
        to_remove = [*found.to_remove, *again]
        # what was applied has another version by now
        base = existing if self._dry or judged is ApplyNeeded.UNSURE else after
        beside = self._whole.beside(found, after)
        whole = self._whole.without_leftover(target, base, after, to_remove, beside) if beside or again else None
        final = after if whole is None else whole
        changes = found.changes(final)
        if changes and not self._dry:
            if whole is not None:
                final = self._whole.write(target, base, to_remove, beside)
            elif judged is ApplyNeeded.UNSURE:
                final = self._apply(target, False)
        return _Made(changes, final, notes + found.notes(final))

    def _applied(self, target: Target, judged: ApplyNeeded) -> tuple[Object | None, ApplyNeeded, tuple[str, ...]]:
        """(the object afterwards, what is known now, notes): by a dry run where nothing may or need be written."""
        try:
            return self._apply(target, self._dry or judged is ApplyNeeded.UNSURE), judged, ()
        except ServiceError as refused:
            webhook = diff.refusing_webhook(refused)
            if webhook is None:
                raise
        if self._dry:
            reported = f"the admission webhook {webhook} refuses dry runs, so only declared fields are compared"
            return None, judged, (f"{target.ref}: {reported}",)
        # an apply that changes nothing leaves the object's version as it is
        return self._apply(target, False), ApplyNeeded.DIFFERS, ()

    def _recreate(self, target: Target, live: Object, refused: ServiceError) -> ObjectOutcome:
        """Delete the object and create it anew, where that was asked for and loses nothing else."""
        ref = target.ref
        asked = self._options.settings(ref).recreate == ON_IMMUTABLE
        if not asked or diff.is_protected_kind(ref):
            raise diff.with_remedy(ref, refused, asked, self._options.remedy)
        self._try_creation(target)
        note = f"{ref}: {'would be ' if self._dry else ''}deleted and recreated: {refused.reason}"
        if self._dry:
            return ObjectOutcome(
                ref, Plan(str(ref), removal_changes(live) + creation_changes(target.declared), notes=(note,)), live
            )
        from .delete import request_deletion, wait_until_gone

        request_deletion(self._kube, target, live, self._options.propagation, dry=False)
        wait_until_gone(
            self._kube, self._task, [(target.path, ref, str(live["metadata"]["uid"]))], self._options.wait_timeout
        )
        try:
            made = self._create(target, note)
        except ServiceError as failure:
            failure.reason = f"it was deleted to be recreated, and is missing now: {failure.reason}"
            failure.values["changed"] = True
            raise
        return ObjectOutcome(
            ref, Plan(str(ref), removal_changes(live) + made.plan.changes, notes=made.plan.notes), made.live
        )

    def _try_creation(self, target: Target) -> None:
        """Refuse by a dry run under another name what could not be created once the object is deleted."""
        try:
            try_creation(self._kube, target, self._options.manager)
        except ServiceError as refused:
            if diff.refusing_webhook(refused) is None and not diff.only_name_conflict(refused):
                raise diff.not_deleted_refusal(target.ref, refused) from refused

    def _apply_new(self, target: Target) -> Object:
        """The first apply of an object, with patience where what it needs was made a moment ago."""
        deadline = Deadline(SETTLING_SECONDS)
        while True:
            try:
                return self._apply(target, self._dry)
            except ServiceError as refused:
                new = (target.ref.api_version, target.ref.kind) in self._bundle.pending_kinds or bool(
                    self._bundle.new_namespaces
                )
                if self._dry or not new or not _is_a_moment_behind(refused) or deadline.passed:
                    raise
            deadline.sleep(SETTLING_POLL_SECONDS)

    def _apply(self, target: Target, dry: bool) -> Object:
        return apply_declared(self._kube, self._options, target, dry=dry)

    def _planned(self, target: Target, *notes: str) -> ObjectOutcome:
        return ObjectOutcome(
            target.ref, Plan(str(target.ref), creation_changes(target.declared), notes=notes, is_new=True)
        )


def _without_ownership(changes: list[Change]) -> list[Change]:
    """Whose the values are is a change of its own only where nothing else changes."""
    others = [change for change in changes if change.path != OWNERSHIP]
    return others or changes


def _is_a_moment_behind(refused: ServiceError) -> bool:
    """Not there for every API server or controller yet: a new kind, or the service account of a new namespace."""
    return (refused.status == 404 and "could not find the requested resource" in refused.reason) or (
        refused.status == 403 and "error looking up service account" in refused.reason
    )
