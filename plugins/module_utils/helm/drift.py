# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the live objects are still what the release's manifest says, and making them so again without helm.

A release owns its objects whole: what somebody else added is drift as well as what somebody changed. The engine is that
of k8s_objects (`kube/converge`), acting under helm's own field manager, so that helm stays the owner.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.mcpops.platform.plugins.module_utils.helm import manifest
from ansible_collections.mcpops.platform.plugins.module_utils.helm.ignored import may_be_missing, release_rows
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.converge import Company, Converger
from ansible_collections.mcpops.platform.plugins.module_utils.kube.definitions import served_types
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import creation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import IgnoredDifference
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, phase
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import (
    BundleOutcome,
    ObjectOutcome,
    not_reached,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import FIELD_MANAGER
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import read_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Writer
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

HELM_MANAGER = "helm"
OUR_MANAGERS = frozenset({HELM_MANAGER, FIELD_MANAGER})
DEFINITION = "CustomResourceDefinition"
REMEDY = (
    "Set it back to what the chart renders where it was changed by hand. Where the chart itself changed it, delete the "
    "object: the next run restores it."
)


@dataclass(frozen=True)
class Inspection:
    """The objects of a release as they are, and what making them as declared changes (or would change)."""

    targets: tuple[Target, ...]
    live: Mapping[Identity, Object]
    outcomes: tuple[ObjectOutcome, ...]
    unserved: tuple[Object, ...]
    """Objects of kinds the cluster does not serve: their CustomResourceDefinition is gone."""
    unreached: tuple[ObjectOutcome, ...] = ()
    """Those whose API does not answer, with the failure that says so: they hide no other."""

    @property
    def drifted(self) -> list[Target]:
        """What differs, or could not be compared."""
        return [
            target
            for target, outcome in zip(self.targets, self.outcomes)
            if outcome.plan.changed or outcome.failure is not None
        ]

    @property
    def plans(self) -> tuple[Plan, ...]:
        gone = tuple(
            Plan(
                f"{item['kind']} {item['metadata'].get('name')}",
                creation(item),
                notes=(f"The cluster does not serve {item['apiVersion']} {item['kind']} (any more).",),
                is_new=True,
            )
            for item in self.unserved
        )
        found = tuple(
            outcome.plan
            for outcome in self.outcomes
            if outcome.failure is None and (outcome.plan.changed or outcome.plan.notes)
        )
        return found + gone

    @property
    def as_bundle(self) -> BundleOutcome:
        return BundleOutcome((*self.outcomes, *self.unreached))


def options_for(
    release: Release,
    objects: Iterable[Object],
    asked: Sequence[IgnoredDifference],
    wait_timeout: float = 120.0,
    writers: Sequence[Writer] = (),
) -> BundleOptions:
    """How the objects of a release are compared and restored."""
    return BundleOptions(
        subject=f"objects of release {release.namespace}/{release.name}",
        force_conflicts=True,
        exclusive=True,
        manager=HELM_MANAGER,
        our_managers=OUR_MANAGERS,
        ignored=(*asked, *release_rows(objects)),
        writers=tuple(writers),
        adopt=False,
        remedy=REMEDY,
        wait_timeout=wait_timeout,
    )


def inspect(
    kube: Kube,
    task: Task,
    release: Release,
    asked: Sequence[IgnoredDifference] = (),
    definitions: bool = False,
    writers: Sequence[Writer] = (),
) -> Inspection:
    """Reads every object of the manifest; only what cannot be judged by reading is asked of the API server.

    With `definitions` what the chart has in crds/ is held to it as well. An object that cannot be compared is an
    outcome with its failure, and hides no other.
    """
    objects = manifest.parse(release)
    placed = manifest.place(objects, kube, release)
    targets = placed.targets
    if definitions:
        targets += manifest.definitions(release.definitions, kube, f"{release.chart_name} {release.chart_version}")
    read = read_live(kube, targets)
    live, unread = read.found, read.unread
    unreached = [*placed.unreached, *(not_reached(who, failure, manifest.COMPARE) for who, failure in unread.items())]
    targets = [target for target in targets if target.who not in unread]
    options = options_for(release, objects, asked, writers=writers)
    found = _converge(kube, task, options, targets, live, dry=True)
    moving = {
        (kind.api_version, kind.kind)
        for target, outcome in zip(targets, found)
        if target.who.kind == DEFINITION and outcome.plan.changed
        for kind in served_types(target.declared)
    }
    outcomes = [_after_definition(target, outcome, moving) for target, outcome in zip(targets, found)]
    return Inspection(tuple(targets), live, tuple(outcomes), tuple(placed.unserved), tuple(unreached))


def repair(
    kube: Kube, task: Task, options: BundleOptions, targets: Sequence[Target], live: Mapping[Identity, Object]
) -> tuple[ObjectOutcome, ...]:
    """Make these objects what the manifest says; namespaces and definitions first."""
    return tuple(_converge(kube, task, options, targets, live, dry=False))


def _converge(
    kube: Kube,
    task: Task,
    options: BundleOptions,
    targets: Sequence[Target],
    live: Mapping[Identity, Object],
    *,
    dry: bool,
) -> list[ObjectOutcome]:
    converger = Converger(kube, task, options, Company(), dry)
    missed = [target for target in targets if target.who in live or not may_be_missing(target.declared)]
    ordered = missed if dry else sorted(missed, key=lambda target: phase(target.who))
    done: dict[Identity, ObjectOutcome] = {}
    for _phase, group in itertools.groupby(ordered, key=lambda target: dry or phase(target.who)):
        done.update({outcome.who: outcome for outcome in converger.converge_all(list(group), live, live)})
    return [done.get(target.who) or ObjectOutcome(target.who, Plan(str(target.who))) for target in targets]


def _after_definition(target: Target, outcome: ObjectOutcome, moving: Iterable[tuple[str, str]]) -> ObjectOutcome:
    """What cannot be compared before its definition is restored is no failure of its own."""
    if (target.resource.api_version, target.who.kind) not in moving:
        return outcome
    note = f"{target.who} can be compared only when its definition is restored."
    return ObjectOutcome(target.who, Plan(str(target.who), notes=(note,)), outcome.live)
