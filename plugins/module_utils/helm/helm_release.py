# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of helm_release: one release, present with this chart.

Version and values and with every object as its manifest says, or absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..domain import Domain, ReleaseStep, judges_of
from ..errors import Failure, Refused, ServiceError, refuse
from ..kube.apply.options import BundleOptions, BundleOutcome
from ..kube.client import Kube
from ..kube.manifests import Object
from ..kube.readiness.judge import JUDGES, has_verdict, readiness_reasons
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task
from . import content, drift, release_record, secret_values
from .drift import Inspection, has_started, roll_back
from .plan import effective_values, plan_release, plan_removal
from .release_record import CRD_KIND, History, Release
from .spec import UPGRADE_CRDS, ReleaseSpec, problems, release_spec, rounding_warnings

if TYPE_CHECKING:
    from .cli import Helm


def restore_release(task: Task, kube: Kube, release: Release, spec: ReleaseSpec, found: Inspection) -> Inspection:
    """Repair what drifted: the inspection with what was done; without drift nothing is sent.

    An object that is refused hides and blocks no other.
    """
    if not found.drifted and not found.unserved:
        return found
    task.progress(f"restoring objects of release {release.namespace}/{release.name}")
    options = drift.options_for(
        release, release_record.parse_manifest(release), spec.ignored, spec.wait_timeout, spec.writers
    )
    definitions = [target for target in found.drifted if target.ref.kind == CRD_KIND]
    done = {one.ref: one for one in drift.converge_objects(kube, task, options, definitions, found.live)}
    if definitions:
        drift.await_crds(task, kube, [target.declared for target in definitions], spec.wait_timeout)
        kube.forget_structures()
        # what depends on them can be compared now
        again = drift.inspect_objects(kube, task, release, spec.ignored, spec.crds == UPGRADE_CRDS, spec.writers)
        found = replace(again, unserved=found.unserved)
    others = [target for target in found.drifted if target.ref.kind != CRD_KIND]
    done |= {one.ref: one for one in drift.converge_objects(kube, task, options, others, found.live)}
    _create_unserved(kube, task, release, options, found.unserved)
    after = drift.inspect_objects(kube, task, release, spec.ignored, spec.crds == UPGRADE_CRDS, spec.writers)
    outcomes = tuple(done.get(target.ref, one) for target, one in zip(after.targets, after.outcomes))
    for target, one in zip(after.targets, after.outcomes):
        if one.plan.changed and one.failure is None and done.get(target.ref, one).failure is None:
            paths = ", ".join(change.path or "the whole object" for change in one.plan.changes)
            task.warn(
                f"release {release.namespace}/{release.name}: {target.ref} was restored and differs again at once "
                f"({paths}). Something keeps setting it: stop that, or name it in ignore_differences."
            )
    return replace(after, outcomes=outcomes, unserved=found.unserved)


def await_ready(task: Task, kube: Kube, spec: ReleaseSpec, found: Inspection) -> None:
    """Wait for the workloads of the manifest; what was just read and is ready costs no request."""
    drift.await_crds(task, kube, found.live.values(), spec.wait_timeout)
    judges = {**JUDGES, **judges_of(spec.domains)}
    waited_for = [item for item in found.live.values() if has_verdict(item, judges) and item["kind"] != CRD_KIND]
    if any(readiness_reasons(item, judges) for item in waited_for):
        # of a release that stands everything is ready
        from ..kube.readiness.wait import wait_ready

        wait_ready(kube, task, waited_for, spec.wait_timeout, judges=judges)


def _create_unserved(kube: Kube, task: Task, release: Release, options: BundleOptions, items: Sequence[Object]) -> None:
    """Objects whose definition has just come back."""
    placed = release_record.place_objects(list(items), kube, release)
    done = drift.converge_objects(kube, task, options, placed.targets, {})
    BundleOutcome((*done, *placed.unreached)).raise_failures("restore objects")
    if placed.unserved:
        names = ", ".join(sorted({f"{item['apiVersion']} {item['kind']}" for item in placed.unserved}))
        raise ServiceError(
            f"Restoring release {release.namespace}/{release.name}",
            f"the cluster does not serve {names}",
            code="KindNotServed",
            hint="Install the CustomResourceDefinitions this chart needs.",
        )


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
        return _absent(task, domains)
    spec = replace(release_spec(task.params), domains=tuple(domains))
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return result_of(pending_outcome(task, spec, pending.reason))
    return result_of(ensure_release(task, kube, spec))


def pending_outcome(task: Task, spec: ReleaseSpec, reason: str) -> Outcome:
    """The plan for a cluster that an earlier task of the real run creates."""
    secret_values.protect_values(task, spec)
    _warn_of_rounding(task, spec)
    plan = plan_release(spec, None, namespace_missing=True)
    return Outcome((plan.with_notes(f"{plan.subject} depends on the cluster: {reason}."),), None)


def ensure_release(task: Task, kube: Kube, spec: ReleaseSpec, known: History | None = None) -> Outcome:
    """Install, upgrade, repair, wait: whatever is needed, and nothing when the release is as declared.

    `known` is the release's history where the caller has just read it.
    """
    secret_values.protect_values(task, spec)
    _warn_of_rounding(task, spec)
    found = known or release_record.read_history(kube, spec.namespace, spec.name)
    secrets = secret_values.protect_values(task, spec, found)
    if not task.check_mode:
        found = release_record.await_unfinished(
            task, lambda: release_record.read_history(kube, spec.namespace, spec.name), found, spec.stale_after
        )
    spec = drift.with_own_name(task, kube, spec, found.newest)
    spec, resolved = drift.with_exact_version(task, kube, spec, found.newest)
    where = spec.chart.on_disk
    spec = replace(spec, content=content.read_content(where)) if where is not None else spec
    plan, missing = _planned(kube, spec, found, resolved, secrets)
    if not plan.changes:
        return _unchanged_release(task, kube, spec, plan, found)
    refuse_upgrade(kube, spec, found.newest)
    helm = drift.find_helm(task, spec.helm_binary)
    helm.check(spec)
    if task.check_mode:
        return _check_mode_outcome(spec, _without_namespace(plan, spec, missing), found)
    if missing and not spec.create_namespace:
        raise ServiceError(
            f"Installing release {spec.namespace}/{spec.name}",
            f"there is no namespace {spec.namespace}",
            code="NamespaceNotFound",
            hint="Create the namespace first, or set create_namespace: true.",
        )
    ran = False
    try:
        release = _run_helm(task, kube, helm, spec, found)
        ran = True
        secret_values.protect_values(task, spec, History(release, release))
        return replace(_unchanged_release(task, kube, spec, plan, History(release, release)), previous=found.newest)
    except Failure as failure:
        begun = has_started(kube, spec, found, failure)
        if begun:
            secret_values.mark_failed_revision(task, kube, spec, found)
        if begun and not ran:
            task.wrote(f"A new revision of release {spec.namespace}/{spec.name}")
        elif missing and not ran and _namespace_is_there(kube, spec):
            task.wrote(f"Creating namespace {spec.namespace}")
        if not spec.atomic or not begun:
            raise
        raise roll_back(task, kube, spec, found, failure) from failure


def _planned(
    kube: Kube, spec: ReleaseSpec, found: History, resolved: str | None, known: Sequence[str]
) -> tuple[Plan, bool]:
    """What helm is needed for, and whether the namespace is missing."""
    release = found.newest
    missing = release is None and kube.get(f"/api/v1/namespaces/{spec.namespace}") is None
    plan = plan_release(spec, release, missing, known)
    notes = [note for note in (release_record.recovery_note(found), resolved) if note]
    return (plan.with_notes(*notes) if notes else plan), missing


def _check_mode_outcome(spec: ReleaseSpec, plan: Plan, found: History) -> Outcome:
    """Check mode, where helm would run: nobody knows the new manifest, so live objects are held against none."""
    release = found.newest
    if spec.crds == UPGRADE_CRDS:
        plan = plan.with_notes(f"What chart {spec.chart.name} {spec.chart.version} has in crds/ is applied first.")
    return Outcome((plan,), release, previous=release)


def _unchanged_release(task: Task, kube: Kube, spec: ReleaseSpec, plan: Plan, found: History) -> Outcome:
    """The objects of a release that is as declared, compared, restored and waited for."""
    release = found.newest
    if release is None:
        raise AssertionError("a release that is not there has changes to its plan")
    plan = secret_values.mark_kept_secret(task, kube, spec, plan, release)
    inspection = drift.inspect_objects(kube, task, release, spec.ignored, spec.crds == UPGRADE_CRDS, spec.writers)
    if not task.check_mode:
        inspection = restore_release(task, kube, release, spec, inspection)
    outcome = Outcome((plan, *inspection.plans), release, inspection, previous=release)
    try:
        inspection.as_bundle.raise_failures(f"keep the objects of release {release.namespace}/{release.name}")
    except Failure as failure:
        failure.values["changed"] = outcome.changed
        raise
    if spec.wait and not task.check_mode:
        await_ready(task, kube, spec, inspection)
    return outcome


def remove_release(
    task: Task, kube: Kube, name: str, namespace: str, options: Mapping[str, Any], domains: Sequence[Domain] = ()
) -> Outcome:
    """Uninstall the release if it is there. `options` are helm_binary, wait_timeout and stale_after."""
    found = release_record.read_history(kube, namespace, name)
    secret_values.protect_current(task, found)
    if not task.check_mode:
        found = release_record.await_unfinished(
            task, lambda: release_record.read_history(kube, namespace, name), found, options["stale_after"]
        )
    release = found.newest
    if release is None:
        return Outcome((Plan(f"release {namespace}/{name}"),), None)
    refuse_removal(kube, domains, release)
    plan = plan_removal(name, namespace, release, release_record.parse_manifest(release))
    helm = drift.find_helm(task, options.get("helm_binary"))
    if not task.check_mode:
        try:
            with helm.files(kube.access) as files:
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
    newest = release_record.newest_after_failure(kube, release.namespace, release.name, release)
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
        values={"release": describe_release(outcome.release), "previous": describe_release(outcome.previous)},
    )


def describe_release(release: Release | None) -> dict[str, Any] | None:
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


def _absent(task: Task, domains: Sequence[Domain]) -> Result:
    params = task.params
    name, namespace = params["name"], params["namespace"]
    refuse(f"release {namespace}/{name}", problems(params))
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        plan = Plan(f"release {namespace}/{name}", notes=(f"There is no cluster yet: {pending.reason}.",))
        return result_of(Outcome((plan,), None))
    outcome = remove_release(task, kube, name, namespace, params, domains)
    return result_of(Outcome(outcome.plans, None, previous=outcome.previous))


def _run_helm(task: Task, kube: Kube, helm: Helm, spec: ReleaseSpec, found: History) -> Release:
    """Recover what was left behind, then install or upgrade; returns the record helm has written."""
    with helm.files(kube.access, spec.registry, spec.chart) as files:
        release = found.newest
        if release is not None and release.unfinished:
            if found.deployed is not None:
                helm.rollback(spec, found.deployed.revision, files)
            else:
                release_record.drop_record(kube, release)
            release = secret_values.carry_mark(
                task, kube, found.deployed, release_record.read_history(kube, spec.namespace, spec.name).newest
            )
        plan = plan_release(spec, release)
        if plan.changes:
            chart = drift.with_local_chart(helm, _labelled(spec, release), files)
            if spec.crds == UPGRADE_CRDS:
                drift.apply_crds(task, kube, helm, chart, files)
            try:
                helm.upgrade(chart, plan.body, files)
            finally:
                kube.forget_kinds()
    written = release_record.read_history(kube, spec.namespace, spec.name).newest
    if written is None or written.status != "deployed":
        raise ServiceError(
            f"Installing release {spec.namespace}/{spec.name}",
            f"helm succeeded, and its record is {written.status if written else 'missing'}",
            code="RecordNotDeployed",
            hint="Another helm changed the release at the same time; run again.",
        )
    return secret_values.with_mark(task, kube, written) if secret_values.becomes_secret(spec, release) else written


def _labelled(spec: ReleaseSpec, release: Release | None) -> ReleaseSpec:
    """The declaration with the marks of the revision that helm will write for it."""
    labels = secret_values.value_labels(spec, release)
    revision = release.revision + 1 if release is not None else 1
    if spec.digest:
        labels[content.DIGEST_LABEL] = content.digest_label(spec.digest, revision)
    if spec.content is not None:
        labels[content.CONTENT_LABEL] = spec.content.label(revision)
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


_KEEP = ("helm.sh/resource-policy", "keep")


def refuse_upgrade(kube: Kube, spec: ReleaseSpec, release: Release | None) -> None:
    """Refused where a domain says so. An upgrade leaves what is marked in the cluster."""
    wanted = (spec.chart.name, str(spec.chart.version or ""))
    _refuse(
        kube, spec.domains, release, f"release {spec.namespace}/{spec.name}", wanted, effective_values(spec, release)
    )


def refuse_removal(kube: Kube, domains: Sequence[Domain], release: Release) -> None:
    """Refused where a domain says so. An uninstallation looks at the marks in the record alone."""
    _refuse(kube, domains, release, f"release {release.namespace}/{release.name}", ("", ""), release.values)


def _refuse(
    kube: Kube,
    domains: Sequence[Domain],
    release: Release | None,
    subject: str,
    wanted: tuple[str, str],
    values: Mapping[str, Any],
) -> None:
    rules = [rule for domain in domains for rule in domain.release_rules]
    if not rules:
        return
    standing = (release.chart_name, release.chart_version) if release is not None else ("", "")
    namespace = release.namespace if release is not None else subject.removeprefix("release ").partition("/")[0]
    owned = tuple(_own_namespaces(kube, release, bool(wanted[0]))) if release is not None else ()
    step = ReleaseStep(namespace, *standing, *wanted, values, owned)
    found = [refusal for rule in rules for refusal in rule(step)]
    if found:
        raise Refused(subject, found)


def _own_namespaces(kube: Kube, release: Release, by_cluster: bool) -> Iterator[str]:
    for item in release_record.parse_manifest(release):
        if (item.get("apiVersion"), item.get("kind")) != ("v1", "Namespace"):
            continue
        name = str(item["metadata"]["name"])
        kept = (
            _is_marked(kube.get(f"/api/v1/namespaces/{name}"))
            if by_cluster
            else release_record.is_kept_on_uninstall(item)
        )
        if not kept:
            yield name


def _is_marked(namespace: Object | None) -> bool:
    """What is gone cannot go."""
    annotations = ((namespace or {}).get("metadata") or {}).get("annotations") or {}
    return namespace is None or annotations.get(_KEEP[0]) == _KEEP[1]
