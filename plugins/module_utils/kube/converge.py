# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making one object of a bundle stand as declared, or finding out by dry runs what that would change."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import dry_run, immutable
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    Route,
    Target,
    server_side_apply,
    target_of,
    undeclared_foreign,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import request_deletion, wait_until_gone
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import creation, removal
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.exclusive import (
    INVALID,
    attributed_changes,
    give_up,
    remove_foreign,
    replace_whole,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.explained import explained
from ansible_collections.mcpops.platform.plugins.module_utils.kube.object_options import ON_IMMUTABLE, Settings
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import Verdict, foreign_fields, verdict
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

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

    def judge(self, target: Target, live: Object | None) -> Verdict:
        """Whether anything is to be done, as far as it can be told without asking."""
        if live is None or "deletionTimestamp" in (live.get("metadata") or {}):
            return Verdict.DIFFERS
        judged = verdict(live, target.declared, self._options.manager)
        return Verdict.UNSURE if judged is Verdict.STANDS and self._foreign(target, live) else judged

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
                    lambda: dry_run.estimate(live, declared, options.manager),
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
        return ObjectOutcome(who, plan, after)

    def _update(self, target: Target, live: Object) -> ObjectOutcome:
        judged = verdict(live, target.declared, self._options.manager)
        managers = dict(foreign_fields(live, self._options.our_managers))
        changes: list[Change] = []
        notes: tuple[str, ...] = ()
        standing = live
        if self._settings(target).exclusive:
            changes, notes, standing = remove_foreign(
                self._kube, target, live, self._options.our_managers, dry_run=self._dry
            )
        if judged is not Verdict.STANDS:
            try:
                after, judged, told = self._applied(target, standing, judged)
                notes += told
            except ServiceError as refused:
                if refused.status != INVALID or not self._foreign(target, standing):
                    raise
                after, notes = self._replace(target, standing)
                # a dry run of the replacement shows the removals as well
                changes = [] if self._dry else changes
                judged = Verdict.DIFFERS
            if after is None:
                # in check mode, behind a webhook that refuses dry runs
                changes += dry_run.estimate(standing, target.declared, self._options.manager)
                return ObjectOutcome(target.who, Plan(str(target.who), tuple(changes), notes=notes), standing)
            wanted = attributed_changes(standing, after, self._options.manager, managers)
            if wanted and not self._dry and judged is Verdict.UNSURE:
                after = self._apply(target, False)
            changes += wanted
            standing = after
        return ObjectOutcome(
            target.who, Plan(str(target.who), tuple(changes), body=target.declared, notes=notes), standing
        )

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
            raise immutable.with_remedy(who, refused, asked)
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

    def _replace(self, target: Target, standing: Object) -> tuple[Object, tuple[str, ...]]:
        """A changed port number of a Service, for one: the declared port cannot come while the other is there."""
        after, notes = replace_whole(self._kube, target, standing, self._options.our_managers, dry_run=self._dry)
        # applied once more, the declaration owns what was written
        return (after if self._dry else give_up(self._kube, target, self._apply(target, False))), notes

    def _foreign(self, target: Target, live: Object) -> dict[Route, str]:
        if not self._settings(target).exclusive:
            return {}
        return undeclared_foreign(live, target.declared, self._options.our_managers)

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
        settings = self._settings(target)
        force = settings.force_conflicts or settings.exclusive
        return server_side_apply(self._kube, target, force=force, dry_run=dry, manager=self._options.manager)

    def _settings(self, target: Target) -> Settings:
        return self._options.settings(target.who)

    def _planned(self, target: Target, *notes: str) -> ObjectOutcome:
        return ObjectOutcome(target.who, Plan(str(target.who), creation(target.declared), notes=notes, is_new=True))


def _is_a_moment_behind(refused: ServiceError) -> bool:
    """Not there for every API server or controller yet: a new kind, or the service account of a new namespace."""
    return (refused.status == 404 and "could not find the requested resource" in refused.reason) or (
        refused.status == 403 and "error looking up service account" in refused.reason
    )
