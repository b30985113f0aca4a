# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making one object of a bundle stand as declared, or finding out by dry runs what that would change."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import dry_run, immutable
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    INVALID,
    Target,
    server_side_apply,
    target_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import request_deletion, wait_until_gone
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import creation, removal
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.exclusive import (
    OWNERSHIP,
    attributed_changes,
    remove_foreign,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.explained import explained
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import Route, route_path, value_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fresh_values import fresh_values, set_leaves
from ansible_collections.mcpops.platform.plugins.module_utils.kube.judgement import Verdict, contested, digest, verdict
from ansible_collections.mcpops.platform.plugins.module_utils.kube.object_options import ON_IMMUTABLE, Settings
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.one_piece import (
    Unkept,
    other_spellings,
    unkept,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    foreign_fields,
    own_routes,
    owners,
    undeclared_own,
    writers_by_path,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.shared_fields import to_apply
from ansible_collections.mcpops.platform.plugins.module_utils.kube.whole_object import (
    LEGACY_MANAGERS,
    WholeObjects,
    apply_declared,
    foreign_leaves,
)
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

NOTED = 3
SETTLING_SECONDS = 10.0
SETTLING_POLL_SECONDS = 0.25


@dataclass
class Company:
    """What the objects of a bundle have to know of each other."""

    coming: dict[tuple[str, str], ResourceType] = field(default_factory=dict)
    """Kinds that definitions of this bundle bring."""
    new_namespaces: set[str] = field(default_factory=set)
    failed_namespaces: set[str] = field(default_factory=set)


class Converger:
    """Converges single objects; safe to use from several threads."""

    def __init__(self, kube: Kube, task: Task, options: BundleOptions, company: Company, dry: bool) -> None:
        self._kube = kube
        self._task = task
        self._options = options
        self._company = company
        self._dry = dry
        self._whole = WholeObjects(kube, options, dry)

    def judge(self, target: Target, live: Object | None) -> Verdict:
        """Whether anything is to be done, as far as it can be told without asking."""
        if live is None or "deletionTimestamp" in (live.get("metadata") or {}):
            return Verdict.DIFFERS
        return self._judged(self._conceded(target, live), live)

    def _judged(self, target: Target, live: Object) -> Verdict:
        options = self._options
        found = verdict(live, target.declared, options.manager, target.structure, adopt=options.adopt)
        if found is not Verdict.DIFFERS and self._is_headless(target, live):
            return Verdict.DIFFERS
        if found is Verdict.STANDS and self._settings(target).exclusive:
            expected = options.expected(target.who, target.declared)
            if foreign_leaves(options, target, live) or contested(
                live, target.declared, options.our_managers, target.structure, expected
            ):
                found = Verdict.UNSURE
        if found is Verdict.UNSURE and self._digest(target, live) in self._kube.confirmed:
            return Verdict.STANDS
        return found

    def _conceded(self, target: Target, live: Object) -> Target:
        """The target without what is left to others."""
        options = self._options
        declared = to_apply(
            target.declared,
            live,
            options.our_managers,
            options.manager,
            target.structure,
            options.expected(target.who, target.declared),
        )
        return target if declared == target.declared else replace(target, declared=declared)

    def _digest(self, target: Target, live: Object) -> str:
        settings, options = self._settings(target), self._options
        ignored = [str(row) for row in options.ignored]
        how = [options.manager, options.adopt, settings.exclusive, settings.force_conflicts, *ignored]
        return digest(live, target.declared, *how, *sorted(options.our_managers))

    def _is_headless(self, target: Target, live: Object) -> bool:
        """A Service that others made headless, or that was declared so once: the API server keeps it so."""
        if not immutable.headless(target.declared, live):
            return False
        mine = ("f:spec", "f:clusterIP") in own_routes(live, self._options.manager)
        return mine or self._settings(target).exclusive

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
                    return self._planned(target, f"{who}: is being deleted, and would be made anew when it is gone")
                wait_until_gone(self._kube, self._task, [(target.path, who, None)], self._options.wait_timeout)
                live = None
            if live is None:
                return self._create(target)
            try:
                return self._update(target, live)
            except ServiceError as refused:
                declared, options = target.declared, self._options
                told = explained(
                    refused,
                    lambda: dry_run.estimate(live, declared, options.manager, target.structure),
                    lambda: foreign_fields(live, options.our_managers),
                )
                if not immutable.is_immutable(told):
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
            webhook = dry_run.refusing_webhook(refused)
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
            self._confirm(target, after)
        return ObjectOutcome(who, plan, after)

    def _confirm(self, target: Target, written: Object) -> None:
        """What the server has just made of the declaration need not be asked of a dry run in the next run."""
        conceded, options = self._conceded(target, written), self._options
        if self._settings(target).exclusive and (
            foreign_leaves(options, conceded, written)
            or contested(
                written,
                conceded.declared,
                options.our_managers,
                target.structure,
                options.expected(target.who, target.declared),
            )
        ):
            # somebody wrote between our reading and our writing
            return
        if not unkept(conceded.declared, written, target.structure):
            self._kube.confirmed.add(self._digest(conceded, written))

    def _update(self, whole_target: Target, live: Object) -> ObjectOutcome:
        target = self._conceded(whole_target, live)
        options = self._options
        if self._is_headless(target, live):
            raise immutable.headless_refusal(target.who)
        asked = self._digest(target, live)
        judged = verdict(live, target.declared, options.manager, target.structure, adopt=options.adopt)
        if judged is Verdict.STANDS and self._settings(target).exclusive:
            expected = options.expected(target.who, target.declared)
            if contested(live, target.declared, options.our_managers, target.structure, expected):
                judged = Verdict.UNSURE
        changes: list[Change] = []
        notes: tuple[str, ...] = ()
        standing = live
        returned: tuple[Route, ...] = ()
        if self._settings(target).exclusive:
            taken = remove_foreign(
                self._kube,
                target,
                live,
                options.our_managers,
                options.expected(target.who, target.declared),
                dry_run=self._dry,
            )
            changes, standing, returned = list(taken.changes), taken.live, taken.returned
            if returned:
                reset, standing = self._reset(target, standing, returned)
                changes += reset
            if taken.kept:
                whole = self._taken_back(target, standing, taken.kept)
                if whole is not None:
                    managers = writers_by_path(live, options.our_managers)
                    changes = attributed_changes(live, whole, target, options.manager, managers, options.adopt)
                    plan = Plan(str(target.who), tuple(changes), body=target.declared)
                    return ObjectOutcome(target.who, plan, whole)
                notes = tuple(taken.kept)
        if judged is not Verdict.STANDS or returned:
            judged = Verdict.UNSURE if judged is Verdict.STANDS else judged
            made, said, standing = self._apply_over(target, standing, judged, returned)
            changes, notes = _without_ownership(changes + made), notes + said
        if not changes and not notes:
            self._kube.confirmed.add(asked)
        elif not notes and not self._dry:
            self._confirm(whole_target, standing)
        plan = Plan(str(target.who), _once(changes), body=target.declared, notes=notes)
        return ObjectOutcome(target.who, plan, standing)

    def _reset(self, target: Target, live: Object, returned: Sequence[Route]) -> tuple[list[Change], Object]:
        """(changes, the object afterwards): values of others that an update without them does not take away."""
        manager = self._options.manager
        values = fresh_values(self._kube, target, live, returned, manager)
        if not values:
            return [], live
        names, secret = writers_by_path(live, self._options.our_managers), holds_secrets(live)
        changes = [
            Change(
                path,
                value_at(live, route, target.structure),
                value,
                secret,
                changed_by=names.get(path, "others"),
            )
            for route, value in values.items()
            for path in [route_path(route)]
        ]
        return changes, live if self._dry else set_leaves(self._kube, target, live, values, manager)

    def _taken_back(self, target: Target, standing: Object, kept: Mapping[str, ServiceError]) -> Object | None:
        """The object in one piece, where what others added can go only together with what is declared instead.

        None where that is refused, too; a refusal because a field is immutable is raised: only recreation helps.
        """
        first = next(iter(kept.values()))
        try:
            return self._whole.in_one_piece(target, standing, first)
        except ServiceError as refused:
            if refused is not first:
                raise
        for one in kept.values():
            if immutable.is_immutable(one):
                raise one
        return None

    def _apply_over(
        self, target: Target, standing: Object, judged: Verdict, returned: Sequence[Route] = ()
    ) -> tuple[list[Change], tuple[str, ...], Object]:
        """(changes, notes, the object afterwards)."""
        options = self._options
        managers = writers_by_path(standing, options.our_managers)
        try:
            after, judged, notes = self._applied(target, standing, judged)
        except ServiceError as refused:
            if refused.status != INVALID or immutable.is_immutable(refused):
                raise
            after = self._whole.in_one_piece(target, standing, refused)
            changes = attributed_changes(standing, after, target, options.manager, managers, options.adopt)
            # in check mode, what the dry run of the whole shows has the removals in it
            return changes, (), after
        if after is None:
            # in check mode, behind a webhook that refuses dry runs
            estimate = dry_run.estimate(standing, target.declared, options.manager, target.structure)
            return list(estimate), notes, standing
        again = other_spellings(standing, target.declared, returned, target.structure)
        doomed = [*self._whole.doomed(target, standing), *again]
        # what was applied has another version by now
        base = standing if self._dry or judged is Verdict.UNSURE else after
        beside = self._whole.beside(target, standing, after)
        whole = self._whole.without_leftover(target, base, after, doomed, beside) if beside or again else None
        final = after if whole is None else whole
        changes = attributed_changes(standing, final, target, options.manager, managers, options.adopt)
        if changes and not self._dry:
            if whole is not None:
                final = self._whole.write(target, base, doomed, beside)
            elif judged is Verdict.UNSURE:
                final = self._apply(target, False)
        return changes, notes + self._kept_notes(target, standing, final) + self._not_kept(target, final), final

    def _kept_notes(self, target: Target, standing: Object, final: Object) -> tuple[str, ...]:
        """What the declaration has dropped and stays, because others own it as well."""
        options = self._options
        if self._settings(target).exclusive:
            # removed, or spoken of where it cannot be
            return ()
        ours = {*options.our_managers, *LEGACY_MANAGERS}
        expected, managers = options.expected(target.who, target.declared), owners(final)
        found = []
        for route in undeclared_own(standing, target.declared, options.manager, target.structure):
            path = route_path(route)
            others = sorted(
                {
                    manager
                    for one, names in managers.items()
                    if one[: len(route)] == route
                    for manager in names - ours
                    if not expected.expects(manager, path)
                }
            )
            if others and value_at(final, route) is not None:
                found.append(f"{target.who}: {path} is declared no more and stays: {', '.join(others)} owns it as well")
        return tuple(found)

    def _not_kept(self, target: Target, final: Object) -> tuple[str, ...]:
        found = unkept(target.declared, final, target.structure)
        return tuple(_not_kept_note(target, one) for one in found[:NOTED])

    def _applied(
        self, target: Target, standing: Object, judged: Verdict
    ) -> tuple[Object | None, Verdict, tuple[str, ...]]:
        """(the object afterwards, what is known now, notes): by a dry run where nothing may or need be written."""
        try:
            return self._apply(target, self._dry or judged is Verdict.UNSURE), judged, ()
        except ServiceError as refused:
            webhook = dry_run.refusing_webhook(refused)
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
        asked = self._settings(target).recreate == ON_IMMUTABLE
        if not asked or immutable.holds_others(who):
            raise immutable.with_remedy(who, refused, asked, self._options.remedy)
        self._try_creation(target)
        note = f"{who}: {'would be ' if self._dry else ''}deleted and created anew: {refused.reason}"
        if self._dry:
            return ObjectOutcome(who, Plan(str(who), removal(live) + creation(target.declared), notes=(note,)), live)
        request_deletion(self._kube, target, live, self._options.propagation, dry=False)
        wait_until_gone(
            self._kube, self._task, [(target.path, who, str(live["metadata"]["uid"]))], self._options.wait_timeout
        )
        try:
            made = self._create(target, note)
        except ServiceError as failure:
            failure.reason = f"it was deleted to be created anew, and is missing now: {failure.reason}"
            failure.values["changed"] = True
            raise
        return ObjectOutcome(who, Plan(str(who), removal(live) + made.plan.changes, notes=made.plan.notes), made.live)

    def _try_creation(self, target: Target) -> None:
        """Refuse by a dry run under another name what could not be created once the object is deleted."""
        name = f"mcpops-trial-{uuid.uuid4().hex[:8]}"
        trial = {**target.declared, "metadata": {**target.declared["metadata"], "name": name}}
        try:
            server_side_apply(
                self._kube, target_of(target.resource, trial), dry_run=True, manager=self._options.manager
            )
        except ServiceError as refused:
            if dry_run.refusing_webhook(refused) is None and not immutable.stands_in_the_way(refused):
                raise immutable.not_deleted(target.who, refused, name) from refused

    def _apply_new(self, target: Target) -> Object:
        """The first apply of an object, with patience where what it needs was made a moment ago."""
        deadline = time.monotonic() + SETTLING_SECONDS
        company = self._company
        while True:
            try:
                return self._apply(target, self._dry)
            except ServiceError as refused:
                new = (target.who.api_version, target.who.kind) in company.coming or bool(company.new_namespaces)
                if self._dry or not new or not _is_a_moment_behind(refused) or time.monotonic() >= deadline:
                    raise
            time.sleep(SETTLING_POLL_SECONDS)

    def _apply(self, target: Target, dry: bool) -> Object:
        return apply_declared(self._kube, self._options, target, dry=dry)

    def _settings(self, target: Target) -> Settings:
        return self._options.settings(target.who)

    def _planned(self, target: Target, *notes: str) -> ObjectOutcome:
        return ObjectOutcome(target.who, Plan(str(target.who), creation(target.declared), notes=notes, is_new=True))


def _without_ownership(changes: list[Change]) -> list[Change]:
    """Whose the values are is a change of its own only where nothing else changes."""
    others = [change for change in changes if change.path != OWNERSHIP]
    return others or changes


def _once(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Each path once: what is removed beforehand may show again in the dry run of the whole."""
    return tuple({change.path: change for change in changes}.values())


def _not_kept_note(target: Target, one: Unkept) -> str:
    # without the values: one of them may be a secret
    told = f"{route_path(one.route)} was sent and not kept"
    return f"{target.who}: {told}: the API server or an admission webhook sets another value"


def _is_a_moment_behind(refused: ServiceError) -> bool:
    """Not there for every API server or controller yet: a new kind, or the service account of a new namespace."""
    return (refused.status == 404 and "could not find the requested resource" in refused.reason) or (
        refused.status == 403 and "error looking up service account" in refused.reason
    )
