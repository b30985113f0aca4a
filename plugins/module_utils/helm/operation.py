# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One release: present with this chart, version and values and with every object as its manifest says, or absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.domain import Domain
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, InvalidInput, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import (
    content,
    drift,
    manifest,
    recovery,
    secrecy,
    source,
)
from ansible_collections.mcpops.platform.plugins.module_utils.helm.access import helm_files
from ansible_collections.mcpops.platform.plugins.module_utils.helm.drift import Inspection
from ansible_collections.mcpops.platform.plugins.module_utils.helm.numbers import rounding_warnings
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import plan_release, plan_removal
from ansible_collections.mcpops.platform.plugins.module_utils.helm.process import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import History, Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.restore import await_ready, restore
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import (
    UPGRADE_CRDS,
    ReleaseSpec,
    release_name_problems,
    release_spec,
    time_problems,
)
from ansible_collections.mcpops.platform.plugins.module_utils.helm.undo import has_begun, undo
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.names import namespace_problems
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task


@dataclass(frozen=True)
class Outcome:
    """What became of one release."""

    plans: tuple[Plan, ...]
    release: Release | None
    inspection: Inspection | None = None
    previous: Release | None = None
    """The release as it was before."""

    @property
    def changed(self) -> bool:
        return any(plan.changed for plan in self.plans)

    @property
    def live(self) -> list[Object]:
        return list(self.inspection.live.values()) if self.inspection else []


def converge(task: Task, domains: Sequence[Domain] = ()) -> Result:
    """The operation of helm_release."""
    if task.params["state"] == "absent":
        return _absent(task)
    spec = replace(release_spec(task.params), domains=tuple(domains))
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return result_of(pending_outcome(task, spec, pending.reason))
    return result_of(ensure(task, kube, spec))


def pending_outcome(task: Task, spec: ReleaseSpec, reason: str) -> Outcome:
    """The plan for a cluster that an earlier task of the real run creates."""
    secrecy.protect(task, spec)
    _warn_of_rounding(task, spec)
    plan = plan_release(spec, None, namespace_missing=True)
    return Outcome((plan.with_notes(f"{plan.subject} depends on the cluster: {reason}."),), None)


def ensure(task: Task, kube: Kube, spec: ReleaseSpec, known: History | None = None) -> Outcome:
    """Install, upgrade, repair, wait: whatever is needed, and nothing when the release is as declared.

    `known` is the release's history where the caller has just read it.
    """
    secrecy.protect(task, spec)
    _warn_of_rounding(task, spec)
    found = known or recovery.read(kube, spec.namespace, spec.name)
    secrets = secrecy.protect(task, spec, found)
    if not task.check_mode:
        found = recovery.settle(task, lambda: recovery.read(kube, spec.namespace, spec.name), found, spec.stale_after)
    spec = source.by_its_own_name(task, kube, spec, found.newest)
    spec, resolved = source.settled(task, kube, spec, found.newest)
    where = spec.chart.on_disk
    spec = replace(spec, content=content.read(where)) if where is not None else spec
    plan, missing = _planned(kube, spec, found, resolved, secrets)
    if not plan.changes:
        return _kept(task, kube, spec, plan, found)
    helm = Helm.find(task, spec.helm_binary)
    helm.check(spec)
    if task.check_mode:
        return _foretold(spec, _without_namespace(plan, spec, missing), found)
    if missing and not spec.create_namespace:
        raise _no_namespace(spec)
    ran = False
    try:
        release = _run_helm(task, kube, helm, spec, found)
        ran = True
        secrecy.protect(task, spec, History(release, release))
        return replace(_kept(task, kube, spec, plan, History(release, release)), previous=found.newest)
    except Failure as failure:
        begun = has_begun(kube, spec, found, failure)
        if begun:
            secrecy.remember_failed(task, kube, spec, found)
        if begun and not ran:
            task.wrote(f"A new revision of release {spec.namespace}/{spec.name}")
        elif missing and not ran and _namespace_is_there(kube, spec):
            task.wrote(f"Creating namespace {spec.namespace}")
        if not spec.atomic or not begun:
            raise
        raise undo(task, kube, spec, found, failure) from failure


def _planned(
    kube: Kube, spec: ReleaseSpec, found: History, resolved: str | None, known: Sequence[str]
) -> tuple[Plan, bool]:
    """What helm is needed for, and whether the namespace is missing."""
    release = found.newest
    missing = release is None and kube.get(f"/api/v1/namespaces/{spec.namespace}") is None
    plan = plan_release(spec, release, missing, known)
    notes = [note for note in (recovery.note(found), resolved) if note]
    return (plan.with_notes(*notes) if notes else plan), missing


def _foretold(spec: ReleaseSpec, plan: Plan, found: History) -> Outcome:
    """Check mode, where helm would run: nobody knows the new manifest, so live objects are held against none."""
    release = found.newest
    if spec.crds == UPGRADE_CRDS:
        plan = plan.with_notes(f"What chart {spec.chart.name} {spec.chart.version} has in crds/ is applied first.")
    return Outcome((plan,), release, previous=release)


def _kept(task: Task, kube: Kube, spec: ReleaseSpec, plan: Plan, found: History) -> Outcome:
    """The objects of a release that is as declared, compared, restored and waited for."""
    release = found.newest
    if release is None:
        raise AssertionError("a release that is not there has changes to its plan")
    plan = secrecy.kept_secret(task, kube, spec, plan, release)
    inspection = drift.inspect(kube, task, release, spec.ignored, spec.crds == UPGRADE_CRDS, spec.writers)
    if not task.check_mode:
        inspection = restore(task, kube, release, spec, inspection)
    outcome = Outcome((plan, *inspection.plans), release, inspection, previous=release)
    try:
        inspection.as_bundle.raise_failures(f"keep the objects of release {release.namespace}/{release.name}")
    except Failure as failure:
        failure.values["changed"] = outcome.changed
        raise
    if spec.wait and not task.check_mode:
        await_ready(task, kube, spec, inspection)
    return outcome


def remove(task: Task, kube: Kube, name: str, namespace: str, options: Mapping[str, Any]) -> Outcome:
    """Uninstall the release if it is there. `options` are helm_binary, wait_timeout and stale_after."""
    found = recovery.read(kube, namespace, name)
    secrecy.protect_standing(task, found)
    if not task.check_mode:
        found = recovery.settle(task, lambda: recovery.read(kube, namespace, name), found, options["stale_after"])
    release = found.newest
    if release is None:
        return Outcome((Plan(f"release {namespace}/{name}"),), None)
    plan = plan_removal(name, namespace, release, manifest.parse(release))
    helm = Helm.find(task, options.get("helm_binary"))
    if not task.check_mode:
        try:
            with helm_files(kube.access) as files:
                helm.uninstall(name, namespace, options["wait_timeout"], files)
        except Failure:
            if _moved(kube, release):
                task.wrote(f"A part of uninstalling release {namespace}/{name}")
            raise
        finally:
            kube.forget_kinds()
    return Outcome((plan,), release, previous=release)


def _moved(kube: Kube, release: Release) -> bool:
    """Whether the release's record is another one by now; helm marks it before it deletes anything."""
    try:
        newest = recovery.read(kube, release.namespace, release.name).newest
    except Failure:
        # what is asked after a failure must not hide it
        return False
    return newest is None or (newest.revision, newest.status) != (release.revision, release.status)


def _warn_of_rounding(task: Task, spec: ReleaseSpec) -> None:
    for warning in rounding_warnings(spec.values):
        task.warn(f"release {spec.namespace}/{spec.name}: {warning}")


def result_of(outcome: Outcome) -> Result:
    shown = [plan.summary() for plan in outcome.plans if plan.changed] or [outcome.plans[0].summary()]
    return Result(
        changed=outcome.changed,
        msg="; ".join(shown),
        plans=outcome.plans,
        values={"release": describe(outcome.release), "previous": describe(outcome.previous)},
    )


def describe(release: Release | None) -> dict[str, Any] | None:
    """What a result says about a release: never its values."""
    if release is None:
        return None
    return {
        "name": release.name,
        "namespace": release.namespace,
        "revision": release.revision,
        "status": release.status,
        "chart": release.chart_name,
        "chart_version": release.chart_version,
        "app_version": release.app_version,
    }


def _absent(task: Task) -> Result:
    params = task.params
    name, namespace = params["name"], params["namespace"]
    problems = release_name_problems("name", name) + namespace_problems("namespace", namespace)
    problems += time_problems(params)
    if problems:
        raise InvalidInput(f"release {namespace}/{name}", problems)
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        plan = Plan(f"release {namespace}/{name}", notes=(f"There is no cluster yet: {pending.reason}.",))
        return result_of(Outcome((plan,), None))
    outcome = remove(task, kube, name, namespace, params)
    return result_of(Outcome(outcome.plans, None, previous=outcome.previous))


def _run_helm(task: Task, kube: Kube, helm: Helm, spec: ReleaseSpec, found: History) -> Release:
    """Recover what was left behind, then install or upgrade; returns the record helm has written."""
    with helm_files(kube.access, spec.registry, spec.chart) as files:
        release = found.newest
        if release is not None and release.unfinished:
            if found.deployed is not None:
                helm.rollback(spec, found.deployed.revision, files)
            else:
                recovery.drop_record(kube, release)
            release = secrecy.carried(task, kube, found.deployed, recovery.read(kube, spec.namespace, spec.name).newest)
        plan = plan_release(spec, release)
        if plan.changes:
            chart = source.fetched(helm, _labelled(spec, release), files)
            if spec.crds == UPGRADE_CRDS:
                source.apply_definitions(task, kube, helm, chart, files)
            try:
                helm.upgrade(chart, plan.body, files)
            finally:
                kube.forget_kinds()
    written = recovery.read(kube, spec.namespace, spec.name).newest
    if written is None or written.status != "deployed":
        raise ServiceError(
            f"Installing release {spec.namespace}/{spec.name}",
            f"helm succeeded, and its record is {written.status if written else 'missing'}",
            code="RecordNotDeployed",
            hint="Another helm changed the release at the same time; run again.",
        )
    return secrecy.remembered(task, kube, written) if secrecy.becomes_secret(spec, release) else written


def _labelled(spec: ReleaseSpec, release: Release | None) -> ReleaseSpec:
    """The declaration with the marks of the revision that helm will write for it."""
    labels = secrecy.labels(spec, release)
    if spec.content is not None:
        revision = release.revision + 1 if release is not None else 1
        labels[content.LABEL] = spec.content.label(revision)
    return replace(spec, labels=labels)


def _namespace_is_there(kube: Kube, spec: ReleaseSpec) -> bool:
    try:
        return kube.get(f"/api/v1/namespaces/{spec.namespace}") is not None
    except Failure:
        # what is asked after a failure must not hide it
        return False


def _without_namespace(plan: Plan, spec: ReleaseSpec, missing: bool) -> Plan:
    if not missing or spec.create_namespace:
        return plan
    return plan.with_notes(f"{plan.subject} depends on the namespace {spec.namespace}, which does not exist yet.")


def _no_namespace(spec: ReleaseSpec) -> ServiceError:
    return ServiceError(
        f"Installing release {spec.namespace}/{spec.name}",
        f"there is no namespace {spec.namespace}",
        code="NamespaceNotFound",
        hint="Create the namespace first, or set create_namespace: true.",
    )
