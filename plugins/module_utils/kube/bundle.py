# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many objects as one task: ordered by phase, concurrent inside, each compared with its declaration.

Namespaces come first, then CustomResourceDefinitions until they are established and served, then the rest, then
custom resources. An object whose declaration stands costs no request of its own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, InvalidInput, Problem, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import objects as declared_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    Route,
    Target,
    server_side_apply,
    undeclared_foreign,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.definitions import served_types, wait_until_served
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import wait_until_gone
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import creation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType, similar_kinds
from ansible_collections.mcpops.platform.plugins.module_utils.kube.exclusive import (
    INVALID,
    attributed_changes,
    give_up,
    remove_foreign,
    replace_whole,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    FIELD_MANAGER,
    Verdict,
    foreign_fields,
    verdict,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once, read_objects
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

SETTLING_SECONDS = 10.0
SETTLING_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class BundleOptions:
    """How a bundle is applied.

    `exclusive`: leaves of substance that other managers wrote are drift; declared ones are taken back, others
    removed. `our_managers` are those whose leaves are not foreign.
    """

    subject: str = "objects"
    namespace: str | None = None
    force_conflicts: bool = False
    exclusive: bool = False
    manager: str = FIELD_MANAGER
    our_managers: frozenset[str] = field(default_factory=lambda: frozenset({FIELD_MANAGER, "helm"}))
    wait_timeout: float = 120.0


def apply_bundle(kube: Kube, task: Task, items: Iterable[Object], options: BundleOptions) -> BundleOutcome:
    """Make the cluster hold these objects; in check mode, find out by dry runs what that would change.

    Objects that fail do not keep the others from being applied: see `BundleOutcome.raise_failures`.
    """
    return _Bundle(kube, task, options, dry_run=task.check_mode).run(list(items))


def plan_bundle(kube: Kube, task: Task, items: Iterable[Object], options: BundleOptions) -> BundleOutcome:
    """What `apply_bundle` would change, in any mode; nothing is written."""
    return _Bundle(kube, task, options, dry_run=True).run(list(items))


def plan_without_cluster(items: Iterable[Object], reason: str) -> BundleOutcome:
    """The plan for a cluster that does not exist yet: everything is created."""
    outcomes = []
    for item in map(declared_objects.normalise, items):
        who = identity(item)
        outcomes.append(ObjectOutcome(who, Plan(str(who), creation(item), notes=(f"{who}: depends on {reason}",))))
    return BundleOutcome(tuple(outcomes))


class _Bundle:
    """The run of one bundle: what all its objects share."""

    def __init__(self, kube: Kube, task: Task, options: BundleOptions, dry_run: bool) -> None:
        self._kube = kube
        self._task = task
        self._options = options
        self._dry_run = dry_run
        self._coming: dict[tuple[str, str], ResourceType] = {}
        self._new_namespaces: set[str] = set()
        self._failed_namespaces: set[str] = set()

    def run(self, items: list[Object]) -> BundleOutcome:
        declared = [declared_objects.normalise(item) for item in items]
        self._coming = {
            (resource.api_version, resource.kind): resource
            for item in declared
            if item["kind"] == "CustomResourceDefinition"
            for resource in served_types(item)
        }
        targets = self._targets(declared)
        live = read_objects(self._kube, [target for target in targets if self._is_served(target)])
        done: dict[Identity, ObjectOutcome] = {}
        ordered = sorted(targets, key=lambda target: declared_objects.phase(target.who))
        for phase, group in itertools.groupby(ordered, key=lambda target: declared_objects.phase(target.who)):
            batch = self._converge_all(list(group), live)
            done.update({outcome.who: outcome for outcome in batch})
            if phase == declared_objects.NAMESPACES:
                self._remember_namespaces(batch)
            elif phase == declared_objects.DEFINITIONS and not self._dry_run:
                self._wait_for_definitions(batch, done)
        return BundleOutcome(tuple(done[target.who] for target in targets))

    def _targets(self, declared: list[Object]) -> list[Target]:
        """Every object with its resource type and namespace; all problems found on the way at once."""
        found: list[Target] = []
        wrong: list[Problem] = []
        for number, item in enumerate(declared):
            place = f"definitions[{number}]"
            resource = self._resource(item)
            if resource is None:
                wrong.append(Problem(place, self._unknown_kind(item)))
                continue
            metadata = dict(item["metadata"])
            if resource.namespaced:
                namespace = metadata.get("namespace") or self._options.namespace
                if not namespace:
                    wrong.append(Problem(place, f"{item['kind']} {metadata['name']} lives in a namespace: name one"))
                    continue
                metadata["namespace"] = namespace
            else:
                metadata.pop("namespace", None)
            complete = {**item, "metadata": metadata}
            found.append(Target(identity(complete), resource, complete))
        if wrong:
            raise InvalidInput(self._options.subject, wrong)
        return found

    def _resource(self, item: Object) -> ResourceType | None:
        api_version, kind = str(item["apiVersion"]), str(item["kind"])
        coming = self._coming.get((api_version, kind))
        known = self._kube.resource_type(api_version, kind, refresh=coming is None)
        if known or coming:
            return known or coming
        group = api_version.rpartition("/")[0]
        if self._dry_run and not declared_objects.is_built_in(group):
            # its CustomResourceDefinition comes with an earlier task; where it lives is told by the declaration
            return ResourceType(api_version, kind, "", "namespace" in item["metadata"] or bool(self._options.namespace))
        return None

    def _unknown_kind(self, item: Object) -> str:
        similar = ", ".join(similar_kinds(self._kube.kinds(), str(item["kind"])))
        told = f"; the cluster serves {similar}" if similar else "; install its CustomResourceDefinition first"
        return f"the cluster serves no {item['kind']} of {item['apiVersion']}{told}"

    def _is_served(self, target: Target) -> bool:
        who = target.who
        return bool(target.resource.plural) and (
            (who.api_version, who.kind) not in self._coming
            or self._kube.resource_type(who.api_version, who.kind, refresh=False) is not None
        )

    def _converge_all(self, group: list[Target], live: Mapping[Identity, Object]) -> list[ObjectOutcome]:
        outcomes: dict[Identity, ObjectOutcome] = {}
        open_ones: list[tuple[Target, Object | None, Verdict]] = []
        for target in group:
            standing = live.get(target.who)
            going = standing is not None and "deletionTimestamp" in (standing.get("metadata") or {})
            judged = verdict(standing, target.declared, self._options.manager) if standing else Verdict.DIFFERS
            if standing is not None and not going and judged is Verdict.STANDS and not self._foreign(target, standing):
                outcomes[target.who] = ObjectOutcome(target.who, Plan(str(target.who)), standing)
            else:
                open_ones.append((target, standing, judged))
        for outcome in at_once(lambda one: self._converge(*one), open_ones):
            outcomes[outcome.who] = outcome
        return [outcomes[target.who] for target in group]

    def _converge(self, target: Target, live: Object | None, judged: Verdict) -> ObjectOutcome:
        who = target.who
        try:
            if live is not None and (live.get("metadata") or {}).get("deletionTimestamp"):
                if self._dry_run:
                    return self._planned(target, f"{who}: is being deleted, and would be made anew when it is gone")
                wait_until_gone(self._kube, self._task, [(target.path, who, None)], self._options.wait_timeout)
                live = None
            if live is not None:
                return self._update(target, live, judged)
            return self._create(target)
        except Failure as failure:
            return ObjectOutcome(who, Plan(str(who)), live, failure)

    def _create(self, target: Target) -> ObjectOutcome:
        who = target.who
        if self._dry_run and not self._is_served(target):
            return self._planned(target, f"{who}: depends on the CustomResourceDefinition of {who.kind}, not there yet")
        if who.namespace in self._failed_namespaces:
            raise ServiceError(f"apply {who}", f"its namespace {who.namespace} could not be applied")
        if self._dry_run and who.namespace in self._new_namespaces:
            return self._planned(target)
        try:
            after = self._apply_new(target)
        except ServiceError as refused:
            if self._dry_run and refused.status == 404:
                needed = (
                    f"namespace {who.namespace}" if "namespaces " in refused.reason else f"definition of {who.kind}"
                )
                return self._planned(target, f"{who}: depends on the {needed}, not there yet")
            raise
        return ObjectOutcome(who, Plan(str(who), creation(target.declared), body=target.declared), after)

    def _update(self, target: Target, live: Object, judged: Verdict) -> ObjectOutcome:
        managers = dict(foreign_fields(live, self._options.our_managers))
        changes: list[Change] = []
        notes: tuple[str, ...] = ()
        standing = live
        if self._options.exclusive:
            changes, notes, standing = remove_foreign(
                self._kube, target, live, self._options.our_managers, dry_run=self._dry_run
            )
        if judged is not Verdict.STANDS:
            try:
                after = self._apply(target, self._dry_run or judged is Verdict.UNSURE)
            except ServiceError as refused:
                if refused.status != INVALID or not self._foreign(target, standing):
                    raise
                after, notes = self._replace(target, standing)
                # a dry run of the replacement shows the removals as well
                changes = [] if self._dry_run else changes
                judged = Verdict.DIFFERS
            wanted = attributed_changes(standing, after, self._options.manager, managers)
            if wanted and not self._dry_run and judged is Verdict.UNSURE:
                after = self._apply(target, False)
            changes += wanted
            standing = after
        return ObjectOutcome(
            target.who, Plan(str(target.who), tuple(changes), body=target.declared, notes=notes), standing
        )

    def _replace(self, target: Target, standing: Object) -> tuple[Object, tuple[str, ...]]:
        """A changed port number of a Service, for one: the declared port cannot come while the other is there."""
        after, notes = replace_whole(self._kube, target, standing, self._options.our_managers, dry_run=self._dry_run)
        # applied once more, the declaration owns what was written
        return (after if self._dry_run else give_up(self._kube, target, self._apply(target, False))), notes

    def _foreign(self, target: Target, live: Object) -> dict[Route, str]:
        if not self._options.exclusive:
            return {}
        return undeclared_foreign(live, target.declared, self._options.our_managers)

    def _apply_new(self, target: Target) -> Object:
        """The first apply of an object, with patience where what it needs was made a moment ago."""
        deadline = time.monotonic() + SETTLING_SECONDS
        while True:
            try:
                return self._apply(target, self._dry_run)
            except ServiceError as refused:
                new = (target.who.api_version, target.who.kind) in self._coming or bool(self._new_namespaces)
                if self._dry_run or not new or not _is_a_moment_behind(refused) or time.monotonic() >= deadline:
                    raise
            time.sleep(SETTLING_POLL_SECONDS)

    def _apply(self, target: Target, dry_run: bool) -> Object:
        force = self._options.force_conflicts or self._options.exclusive
        manager = self._options.manager
        return server_side_apply(self._kube, target, force=force, dry_run=dry_run, manager=manager)

    def _planned(self, target: Target, *notes: str) -> ObjectOutcome:
        return ObjectOutcome(target.who, Plan(str(target.who), creation(target.declared), notes=notes))

    def _remember_namespaces(self, batch: list[ObjectOutcome]) -> None:
        self._failed_namespaces = {outcome.who.name for outcome in batch if outcome.failure is not None}
        self._new_namespaces = {
            outcome.who.name for outcome in batch if any(change.path == "" for change in outcome.plan.changes)
        }

    def _is_news(self, definition: ObjectOutcome) -> bool:
        """Whether the API server may not serve yet what this definition says."""
        return definition.plan.changed or any(
            self._kube.resource_type(kind.api_version, kind.kind, refresh=False) is None
            for kind in served_types(definition.live or {})
        )

    def _wait_for_definitions(self, batch: list[ObjectOutcome], done: dict[Identity, ObjectOutcome]) -> None:
        # one that stands as declared was served before
        applied = [one for one in batch if one.failure is None and one.live is not None and self._is_news(one)]
        failed = wait_until_served(
            self._kube, self._task, [outcome.live for outcome in applied if outcome.live], self._options.wait_timeout
        )
        for outcome in applied:
            if outcome.who.name in failed:
                done[outcome.who] = ObjectOutcome(outcome.who, outcome.plan, outcome.live, failed[outcome.who.name])


def _is_a_moment_behind(refused: ServiceError) -> bool:
    """Not there for every API server or controller yet: a new kind, or the service account of a new namespace."""
    return (refused.status == 404 and "could not find the requested resource" in refused.reason) or (
        refused.status == 403 and "error looking up service account" in refused.reason
    )
