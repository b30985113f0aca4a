# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of one object: compared with its declaration, created, changed, or deleted and created again.

What reading tells is in `comparison`, the requests are in `apply`, what others have added is dealt with in `exclusive`,
and what server-side apply cannot express in `whole_object`. A dry run finds out what each of them would change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import explained
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import INVALID, Target, try_creation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import ON_IMMUTABLE, BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.comparison import OWNERSHIP, Comparison, writers_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.declared_secrets import protect_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import request_deletion, wait_until_gone
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import creation, removal
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.exclusive import (
    fresh_values,
    remove_foreign,
    set_fresh,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import Route, route_path, value_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.judgement import Verdict
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.one_piece import other_spellings, unkept
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once
from ansible_collections.mcpops.platform.plugins.module_utils.kube.whole_object import WholeObjects, apply_declared
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Deadline

SETTLING_SECONDS = 10.0
SETTLING_POLL_SECONDS = 0.25


@dataclass
class Company:
    """What the objects of a bundle have to know of each other."""

    coming: dict[tuple[str, str], ResourceType] = field(default_factory=dict)
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

    def __init__(self, kube: Kube, task: Task, options: BundleOptions, company: Company, dry: bool) -> None:
        self._kube = kube
        self._task = task
        self._options = options
        self._company = company
        self._dry = dry
        self._whole = WholeObjects(kube, options, dry)

    def converge_all(
        self, targets: Sequence[Target], live: Mapping[Identity, Object], known: Iterable[Identity]
    ) -> list[ObjectOutcome]:
        """The outcome of each, all at once; one that stands costs no request. `known` are all objects of the task."""
        open_ones = [target for target in targets if self.judge(target, live.get(target.who)) is not Verdict.STANDS]
        protect_live(self._task, [live.get(target.who) for target in open_ones], known)
        done = {one.who: one for one in at_once(lambda one: self.converge(one, live.get(one.who)), open_ones)}
        return [
            done.get(target.who) or ObjectOutcome(target.who, Plan(str(target.who)), live[target.who])
            for target in targets
        ]

    def judge(self, target: Target, live: Object | None) -> Verdict:
        """Whether anything is to be done, as far as it can be told without asking."""
        if live is None or "deletionTimestamp" in (live.get("metadata") or {}):
            return Verdict.DIFFERS
        found = Comparison(self._options, target, live)
        if found.verdict is Verdict.UNSURE and found.digest in self._kube.confirmed:
            return Verdict.STANDS
        return found.verdict

    def estimate(self, target: Target, live: Object) -> tuple[Change, ...]:
        """What converging would change as far as reading tells: for who may not ask for a dry run."""
        return Comparison(self._options, target, live).estimate()

    def is_served(self, target: Target) -> bool:
        """Whether the API server knows the kind by now."""
        who = target.who
        return bool(target.resource.plural) and (
            (who.api_version, who.kind) not in self._company.coming
            or self._kube.resource_type(who.api_version, who.kind, refresh=False) is not None
        )

    def converge(self, target: Target, live: Object | None) -> ObjectOutcome:
        """The outcome for one object; a failure is part of it."""
        who = target.who
        try:
            if live is not None and (live.get("metadata") or {}).get("deletionTimestamp"):
                if self._dry:
                    return self._planned(target, f"{who}: is being deleted, and would be recreated when it is gone")
                wait_until_gone(self._kube, self._task, [(target.path, who, None)], self._options.wait_timeout)
                live = None
            if live is None:
                return self._create(target)
            found = Comparison(self._options, target, live)
            try:
                return self._update(found)
            except ServiceError as refused:
                told = explained.explained(refused, found.applied, lambda: found.foreign_paths)
                if not explained.is_immutable(told):
                    raise told from refused
                return self._recreate(target, live, told)
        except Failure as failure:
            return ObjectOutcome(who, Plan(str(who)), live, failure)

    def _create(self, target: Target, *notes: str) -> ObjectOutcome:
        who = target.who
        if self._dry and not self.is_served(target):
            return self._planned(target, f"{who}: depends on the CustomResourceDefinition of {who.kind}, not there yet")
        if who.namespace in self._company.failed_namespaces:
            raise ServiceError(f"apply {who}", f"its namespace {who.namespace} could not be applied")
        if self._dry and who.namespace in self._company.new_namespaces:
            return self._planned(target)
        try:
            after = self._apply_new(target)
        except ServiceError as refused:
            webhook = explained.refusing_webhook(refused)
            if self._dry and webhook is not None:
                return self._planned(
                    target, f"{who}: would be applied; the admission webhook {webhook} refuses dry runs"
                )
            if self._dry and refused.status == 404:
                needed = (
                    f"namespace {who.namespace}" if "namespaces " in refused.reason else f"definition of {who.kind}"
                )
                return self._planned(target, f"{who}: depends on the {needed}, not there yet")
            raise
        plan = Plan(str(who), creation(target.declared), body=target.declared, notes=notes, is_new=True)
        if not self._dry:
            self._confirm(Comparison(self._options, target, after))
        return ObjectOutcome(who, plan, after)

    def _confirm(self, found: Comparison) -> None:
        """What the server has just made of the declaration need not be asked of a dry run in the next run."""
        # unless somebody wrote between our reading and our writing
        if not (found.foreign or found.is_contested) and not unkept(
            found.target.declared, found.live, found.target.structure
        ):
            self._kube.confirmed.add(found.digest)

    def _update(self, found: Comparison) -> ObjectOutcome:
        who = found.target.who
        if found.is_headless:
            raise explained.headless_refusal(who)
        asked, judged = found.digest, found.values
        changes: list[Change] = []
        notes: tuple[str, ...] = ()
        returned: tuple[Route, ...] = ()
        now = found
        if found.settings.exclusive:
            taken = remove_foreign(self._kube, found, dry_run=self._dry)
            changes, now, returned = list(taken.changes), found.of(taken.live), taken.returned
            if returned:
                reset = self._reset(now, returned)
                changes, now = changes + reset.changes, found.of(reset.live)
            if taken.kept:
                whole = self._taken_back(now, taken.kept)
                if whole is not None:
                    return ObjectOutcome(who, self._plan(found, found.changes(whole)), whole)
                notes = tuple(taken.kept)
        if judged is not Verdict.STANDS or returned:
            made = self._apply_over(now, Verdict.UNSURE if judged is Verdict.STANDS else judged, returned)
            changes, notes, now = _without_ownership(changes + made.changes), notes + made.notes, found.of(made.live)
        if not changes and not notes:
            self._kube.confirmed.add(asked)
        elif not notes and not self._dry:
            self._confirm(now)
        return ObjectOutcome(who, self._plan(found, changes, notes), now.live)

    def _plan(self, found: Comparison, changes: Sequence[Change], notes: tuple[str, ...] = ()) -> Plan:
        # each path once: what is removed beforehand may show again in the dry run of the whole
        once = tuple({change.path: change for change in changes}.values())
        return Plan(str(found.target.who), once, body=found.target.declared, notes=notes)

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
            if explained.is_immutable(one):
                raise one
        return None

    def _apply_over(self, found: Comparison, judged: Verdict, returned: Sequence[Route] = ()) -> _Made:
        target, standing = found.target, found.live
        try:
            after, judged, notes = self._applied(target, judged)
        except ServiceError as refused:
            twins = explained.is_inexpressible(refused) and not self._options.adopt
            if not twins and (refused.status != INVALID or explained.is_immutable(refused)):
                raise
            # in check mode, what the dry run of the whole shows has the removals in it
            after = self._whole.in_one_piece(found, refused)
            return _Made(found.changes(after), after)
        if after is None:
            # in check mode, behind a webhook that refuses dry runs
            return _Made(list(found.applied()), standing, notes)
        again = other_spellings(standing, target.declared, returned, target.structure)
        doomed = [*found.doomed, *again]
        # what was applied has another version by now
        base = standing if self._dry or judged is Verdict.UNSURE else after
        beside = self._whole.beside(found, after)
        whole = self._whole.without_leftover(target, base, after, doomed, beside) if beside or again else None
        final = after if whole is None else whole
        changes = found.changes(final)
        if changes and not self._dry:
            if whole is not None:
                final = self._whole.write(target, base, doomed, beside)
            elif judged is Verdict.UNSURE:
                final = self._apply(target, False)
        return _Made(changes, final, notes + found.notes(final))

    def _applied(self, target: Target, judged: Verdict) -> tuple[Object | None, Verdict, tuple[str, ...]]:
        """(the object afterwards, what is known now, notes): by a dry run where nothing may or need be written."""
        try:
            return self._apply(target, self._dry or judged is Verdict.UNSURE), judged, ()
        except ServiceError as refused:
            webhook = explained.refusing_webhook(refused)
            if webhook is None:
                raise
        if self._dry:
            told = f"the admission webhook {webhook} refuses dry runs, so only declared fields are compared"
            return None, judged, (f"{target.who}: {told}",)
        # an apply that changes nothing leaves the object's version as it is
        return self._apply(target, False), Verdict.DIFFERS, ()

    def _recreate(self, target: Target, live: Object, refused: ServiceError) -> ObjectOutcome:
        """Delete the object and create it anew, where that was asked for and loses nothing else."""
        who = target.who
        asked = self._options.settings(who).recreate == ON_IMMUTABLE
        if not asked or explained.holds_others(who):
            raise explained.with_remedy(who, refused, asked, self._options.remedy)
        self._try_creation(target)
        note = f"{who}: {'would be ' if self._dry else ''}deleted and recreated: {refused.reason}"
        if self._dry:
            return ObjectOutcome(who, Plan(str(who), removal(live) + creation(target.declared), notes=(note,)), live)
        request_deletion(self._kube, target, live, self._options.propagation, dry=False)
        wait_until_gone(
            self._kube, self._task, [(target.path, who, str(live["metadata"]["uid"]))], self._options.wait_timeout
        )
        try:
            made = self._create(target, note)
        except ServiceError as failure:
            failure.reason = f"it was deleted to be recreated, and is missing now: {failure.reason}"
            failure.values["changed"] = True
            raise
        return ObjectOutcome(who, Plan(str(who), removal(live) + made.plan.changes, notes=made.plan.notes), made.live)

    def _try_creation(self, target: Target) -> None:
        """Refuse by a dry run under another name what could not be created once the object is deleted."""
        try:
            try_creation(self._kube, target, self._options.manager)
        except ServiceError as refused:
            if explained.refusing_webhook(refused) is None and not explained.stands_in_the_way(refused):
                raise explained.not_deleted(target.who, refused) from refused

    def _apply_new(self, target: Target) -> Object:
        """The first apply of an object, with patience where what it needs was made a moment ago."""
        deadline = Deadline(SETTLING_SECONDS)
        company = self._company
        while True:
            try:
                return self._apply(target, self._dry)
            except ServiceError as refused:
                new = (target.who.api_version, target.who.kind) in company.coming or bool(company.new_namespaces)
                if self._dry or not new or not _is_a_moment_behind(refused) or deadline.passed:
                    raise
            deadline.sleep(SETTLING_POLL_SECONDS)

    def _apply(self, target: Target, dry: bool) -> Object:
        return apply_declared(self._kube, self._options, target, dry=dry)

    def _planned(self, target: Target, *notes: str) -> ObjectOutcome:
        return ObjectOutcome(target.who, Plan(str(target.who), creation(target.declared), notes=notes, is_new=True))


def _without_ownership(changes: list[Change]) -> list[Change]:
    """Whose the values are is a change of its own only where nothing else changes."""
    others = [change for change in changes if change.path != OWNERSHIP]
    return others or changes


def _is_a_moment_behind(refused: ServiceError) -> bool:
    """Not there for every API server or controller yet: a new kind, or the service account of a new namespace."""
    return (refused.status == 404 and "could not find the requested resource" in refused.reason) or (
        refused.status == 403 and "error looking up service account" in refused.reason
    )
