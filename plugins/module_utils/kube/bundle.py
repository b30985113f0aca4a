# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many objects as one task: ordered by phase, concurrent inside, each compared with its declaration.

Namespaces come first, then CustomResourceDefinitions until they are established and served, then the rest, then
custom resources. An object whose declaration stands costs no request of its own. What the bundle held once and
declares no more goes last, where that was asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    InvalidInput,
    Problem,
    Refused,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube import conditions, prune
from ansible_collections.mcpops.platform.plugins.module_utils.kube import objects as declared_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.aggregation import is_down
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import (
    BundleOptions,
    object_option_problems,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.converge import Company, Converger
from ansible_collections.mcpops.platform.plugins.module_utils.kube.definitions import served_types, wait_until_served
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import creation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.job_record import JobRecord
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import (
    BundleOutcome,
    ObjectOutcome,
    not_reached,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import read_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.rotation_of_bundle import BundleRotation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.targets import placed, stray_namespaces, unknown_kind
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

__all__ = ["BundleOptions", "apply_bundle", "plan_bundle", "plan_without_cluster"]


def apply_bundle(
    kube: Kube, task: Task, items: Iterable[Object], options: BundleOptions, settle: prune.Settle | None = None
) -> BundleOutcome:
    """Make the cluster hold these objects; in check mode, find out by dry runs what that would change.

    `settle` waits until what was applied is ready; nothing is pruned before, or when it raises NotReady.
    Objects that fail do not keep the others from being applied: see `BundleOutcome.raise_failures`.
    """
    return _Bundle(kube, task, options, dry=task.check_mode, settle=settle).run(list(items))


def plan_bundle(kube: Kube, task: Task, items: Iterable[Object], options: BundleOptions) -> BundleOutcome:
    """What `apply_bundle` would change, in any mode; nothing is written."""
    return _Bundle(kube, task, options, dry=True).run(list(items))


def plan_without_cluster(items: Iterable[Object], reason: str) -> BundleOutcome:
    """The plan for a cluster that does not exist yet: everything is created."""
    outcomes = []
    for item in map(declared_objects.normalise, items):
        who = identity(item)
        plan = Plan(str(who), creation(item), notes=(f"{who}: depends on {reason}",), is_new=True)
        outcomes.append(ObjectOutcome(who, plan))
    return BundleOutcome(tuple(outcomes))


class _Bundle:
    """The run of one bundle."""

    def __init__(
        self, kube: Kube, task: Task, options: BundleOptions, dry: bool, settle: prune.Settle | None = None
    ) -> None:
        self._kube = kube
        self._task = task
        self._options = options
        self._dry = dry
        self._settle = settle
        self._company = Company()
        self._jobs = JobRecord(kube, task, options.bundle, dry=dry)
        self._converger = Converger(kube, task, options, self._company, dry)

    def run(self, items: list[Object]) -> BundleOutcome:
        declared = [declared_objects.normalise(item) for item in items]
        self._company.coming.update(
            {
                (resource.api_version, resource.kind): resource
                for item in declared
                if item["kind"] == "CustomResourceDefinition"
                for resource in served_types(item)
            }
        )
        placed_ones = self._targets(declared)
        done = {one.who: one for one in placed_ones if isinstance(one, ObjectOutcome)}
        targets = [one for one in placed_ones if isinstance(one, Target)]
        rotation = BundleRotation(self._kube, self._task, self._options, targets, dry=self._dry)
        served = [target for target in targets if self._converger.is_served(target)]
        read = read_live(self._kube, served, rotation.beside)
        live, unread = read.found, read.unread
        done.update({who: not_reached(who, failure, "apply") for who, failure in unread.items()})
        pruned = {one.who.namespace or "" for one in targets} - {""} if self._options.pruning else ()
        self._jobs.look([target for target in targets if target.who not in unread], live, pruned)
        refused = prune.other_bundles(self._options, targets, live)
        if refused:
            raise Refused(self._options.subject, refused)
        leaving = prune.leaving(self._kube, self._options, targets)
        rotation.found(live, read.refused, [target.who for target in leaving.targets])
        reached = [target for target in targets if target.who not in unread]
        ordered = sorted(reached, key=lambda target: declared_objects.phase(target.who))
        for phase, group in itertools.groupby(ordered, key=lambda target: declared_objects.phase(target.who)):
            batch = self._converge_all(rotation.recorded(list(group), live, done), live)
            done.update({outcome.who: outcome for outcome in batch})
            if phase == declared_objects.NAMESPACES:
                self._remember_namespaces(batch)
            elif phase == declared_objects.DEFINITIONS and not self._dry:
                self._wait_for_definitions(batch, done)
            self._jobs.remember(batch)
        outcome = BundleOutcome(tuple(rotation.explained(done[one.who]) for one in placed_ones))
        changed = outcome.changed or bool(leaving.targets)
        outcome = BundleOutcome(tuple(self._jobs.explained(one, changed=changed) for one in outcome.outcomes))
        rotation.remember(outcome)
        if self._settle is not None and not self._dry:
            try:
                if not outcome.failures:
                    self._jobs.saw(prune.settled(self._settle, leaving, outcome))
            finally:
                self._jobs.conclude()
        pruned_too = prune.carry_out(self._kube, self._task, self._options, leaving, outcome, dry=self._dry)
        if self._options.pruning is not None and not pruned_too.failures:
            self._jobs.forget_undeclared()
        return pruned_too

    def _targets(self, declared: list[Object]) -> list[Target | ObjectOutcome]:
        """Every object with its resource type and namespace; all problems found on the way at once.

        One whose API does not answer has its outcome already.
        """
        found: list[Target | ObjectOutcome] = []
        wrong: list[Problem] = []
        resources = [self._resource(item) for item in declared]
        known = [(item, found) for item, found in zip(declared, resources) if not isinstance(found, ServiceError)]
        for warning in stray_namespaces(known):
            self._task.warn(warning)
        for item, resource in zip(declared, resources):
            if isinstance(resource, ServiceError):
                found.append(not_reached(identity(item), resource, "apply"))
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
        wrong += (
            [
                *object_option_problems(self._options.per_object, [target.who for target in found]),
                *conditions.problems(self._options.wait_conditions, [target.who for target in found]),
            ]
            if not wrong
            else []
        )
        if wrong:
            raise InvalidInput(self._options.subject, wrong)
        return found

    def _resource(self, item: Object) -> ResourceType | ServiceError | None:
        """How the kind is served, None when it is not, and the failure of an API that does not answer."""
        try:
            return self._served(item)
        except ServiceError as failure:
            if not is_down(failure):
                raise
            return failure

    def _served(self, item: Object) -> ResourceType | None:
        api_version, kind = str(item["apiVersion"]), str(item["kind"])
        coming = self._company.coming.get((api_version, kind))
        known = self._kube.resource_type(api_version, kind, refresh=coming is None)
        if known or coming:
            return known or coming
        group = api_version.rpartition("/")[0]
        if self._dry and not declared_objects.is_built_in(group):
            # its CustomResourceDefinition comes with an earlier task; where it lives is told by the declaration
            return ResourceType(api_version, kind, "", "namespace" in item["metadata"] or bool(self._options.namespace))
        return None

    def _converge_all(self, group: list[Target], live: Mapping[Identity, Object]) -> list[ObjectOutcome]:
        outcomes: dict[Identity, ObjectOutcome] = {}
        open_ones: list[Target] = []
        for target in group:
            standing = live.get(target.who)
            finished = self._jobs.has_run(target, standing)
            if finished is not None:
                outcomes[target.who] = finished
            else:
                open_ones.append(target)
        known = [*live, *(one.who for one in group)]
        outcomes.update({one.who: one for one in self._converger.converge_all(open_ones, live, known)})
        return [outcomes[target.who] for target in group]

    def _remember_namespaces(self, batch: list[ObjectOutcome]) -> None:
        self._company.failed_namespaces.update(one.who.name for one in batch if one.failure is not None)
        self._company.new_namespaces.update(
            one.who.name for one in batch if any(change.path == "" for change in one.plan.changes)
        )

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
        if applied:
            self._kube.forget_structures()
        for outcome in applied:
            if outcome.who.name in failed:
                done[outcome.who] = ObjectOutcome(outcome.who, outcome.plan, outcome.live, failed[outcome.who.name])


def _declared_twice(targets: list[Target]) -> list[Problem]:
    """Objects that are one when the default namespace, or the other version of their kind, is filled in."""
    seen: dict[tuple[str, str, str | None, str], Identity] = {}
    wrong = []
    for target in targets:
        who = target.who
        key = (who.group, who.kind, who.namespace, who.name)
        if key in seen:
            other = "" if seen[key] == who else f" (as {seen[key].api_version} and {who.api_version})"
            wrong.append(Problem(str(who), f"is declared twice{other}"))
        seen.setdefault(key, who)
    return wrong
