# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After helm, or instead of it: bring the live objects back to the manifest and wait until they are ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.mcpops.platform.plugins.module_utils.domain import judges_of
from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift, manifest
from ansible_collections.mcpops.platform.plugins.module_utils.helm.drift import DEFINITION, Inspection
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import UPGRADE_CRDS, ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.definitions import wait_until_served
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import JUDGES, has_verdict, reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.wait import wait_ready
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task


def restore(task: Task, kube: Kube, release: Release, spec: ReleaseSpec, found: Inspection) -> Inspection:
    """Repair what drifted: the inspection with what was done; without drift nothing is sent.

    An object that is refused hides and blocks no other.
    """
    if not found.drifted and not found.unserved:
        return found
    task.progress(f"restoring objects of release {release.namespace}/{release.name}")
    options = drift.options_for(release, manifest.parse(release), spec.ignored, spec.wait_timeout, spec.writers)
    definitions = [target for target in found.drifted if target.who.kind == DEFINITION]
    done = {one.who: one for one in drift.repair(kube, task, options, definitions, found.live)}
    if definitions:
        _await_definitions(task, kube, [target.declared for target in definitions], spec.wait_timeout)
        kube.forget_structures()
        # what depends on them can be compared now
        again = drift.inspect(kube, task, release, spec.ignored, spec.crds == UPGRADE_CRDS, spec.writers)
        found = replace(again, unserved=found.unserved)
    others = [target for target in found.drifted if target.who.kind != DEFINITION]
    done |= {one.who: one for one in drift.repair(kube, task, options, others, found.live)}
    _create_unserved(kube, task, release, options, found.unserved)
    after = drift.inspect(kube, task, release, spec.ignored, spec.crds == UPGRADE_CRDS, spec.writers)
    outcomes = tuple(done.get(target.who, one) for target, one in zip(after.targets, after.outcomes))
    for target, one in zip(after.targets, after.outcomes):
        if one.plan.changed and one.failure is None and done.get(target.who, one).failure is None:
            paths = ", ".join(change.path or "the whole object" for change in one.plan.changes)
            task.warn(
                f"release {release.namespace}/{release.name}: {target.who} was restored and differs again at once "
                f"({paths}). Something keeps setting it: stop that, or name it in ignore_differences."
            )
    return replace(after, outcomes=outcomes, unserved=found.unserved)


def await_ready(task: Task, kube: Kube, spec: ReleaseSpec, found: Inspection) -> None:
    """Wait for the workloads of the manifest; what was just read and is ready costs no request."""
    _await_definitions(task, kube, list(found.live.values()), spec.wait_timeout)
    judges = {**JUDGES, **judges_of(spec.domains)}
    waited_for = [item for item in found.live.values() if has_verdict(item, judges) and item["kind"] != DEFINITION]
    if any(reasons(item, judges) for item in waited_for):
        wait_ready(kube, task, waited_for, spec.wait_timeout, judges=judges)


def _await_definitions(task: Task, kube: Kube, objects: Sequence[Object], timeout: float) -> None:
    definitions = [item for item in objects if item["kind"] == DEFINITION]
    for failure in wait_until_served(kube, task, definitions, timeout).values():
        raise failure


def _create_unserved(kube: Kube, task: Task, release: Release, options: BundleOptions, items: Sequence[Object]) -> None:
    """Objects whose definition has just come back."""
    placed = manifest.place(list(items), kube, release)
    done = drift.repair(kube, task, options, placed.targets, {})
    BundleOutcome((*done, *placed.unreached)).raise_failures("restore objects")
    if placed.unserved:
        names = ", ".join(sorted({f"{item['apiVersion']} {item['kind']}" for item in placed.unserved}))
        raise ServiceError(
            f"Restoring release {release.namespace}/{release.name}",
            f"the cluster does not serve {names}",
            code="KindNotServed",
            hint="Install the CustomResourceDefinitions this chart needs.",
        )
