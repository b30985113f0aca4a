# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether live objects are still what the manifest says and how they are restored.

CRDs of a chart, and the rollback after a failure.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ..errors import Failure, ServiceError
from ..kube.apply.object import BundleState, Converger
from ..kube.apply.options import BundleOptions, BundleOutcome, ObjectOutcome, not_reached
from ..kube.apply.requests import Target, read_live, served_types, wait_for_crds
from ..kube.client import Kube
from ..kube.diff import creation_changes
from ..kube.fields import FIELD_MANAGER
from ..kube.manifests import Object, ObjectRef, apply_phase
from ..kube.writers import IgnoredDifference, Writer
from ..plan import Plan
from ..task import Task
from . import release_record, secret_values
from .chart import Chart, exact_version, yaml_documents
from .release_record import CRD_KIND, History, Release
from .spec import Registry, ReleaseSpec

if TYPE_CHECKING:
    from .cli import Helm
    from .command import HelmFiles

_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


def release_rows(objects: Iterable[Object]) -> tuple[IgnoredDifference, ...]:
    """What every release has to tolerate, beside the common table of `kube/writers`."""
    rows = []
    for item in objects:
        kind, name = str(item["kind"]), str((item.get("metadata") or {}).get("name"))
        if kind in _SCALERS:
            target = (item.get("spec") or {}).get("scaleTargetRef") or {}
            scaled = str(target.get("kind", "Deployment"))
            rows.append(IgnoredDifference(scaled, str(target.get("name")), ("spec.replicas",)))
        if kind in ("Secret", "ConfigMap") and not any(item.get(key) for key in ("data", "binaryData", "stringData")):
            # an empty one is a place for a controller to write to: a generated certificate, a lease
            rows.append(IgnoredDifference(kind, name, ("data", "binaryData")))
    return tuple(rows)


def may_be_missing(declared: Object) -> bool:
    """A finished Job that cleans itself up is not missed."""
    return declared["kind"] == "Job" and (declared.get("spec") or {}).get("ttlSecondsAfterFinished") is not None


HELM_MANAGER = "helm"
OUR_MANAGERS = frozenset({HELM_MANAGER, FIELD_MANAGER})
REMEDY = (
    "Set it back to what the chart renders where it was changed by hand. Where the chart itself changed it, delete the "
    "object: the next run restores it."
)


@dataclass(frozen=True)
class Inspection:
    """The objects of a release as they are, and what making them as declared changes (or would change)."""

    targets: tuple[Target, ...]
    live: Mapping[ObjectRef, Object]
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
                creation_changes(item),
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


def inspect_objects(
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
    objects = release_record.parse_manifest(release)
    placed = release_record.place_objects(objects, kube, release)
    targets = placed.targets
    if definitions:
        targets += release_record.chart_crds(release.definitions, kube, f"{release.chart_name} {release.chart_version}")
    read = read_live(kube, targets)
    live, unread = read.found, read.unread
    unreached = [
        *placed.unreached,
        *(not_reached(ref, failure, release_record.COMPARE) for ref, failure in unread.items()),
    ]
    targets = [target for target in targets if target.ref not in unread]
    options = options_for(release, objects, asked, writers=writers)
    found = converge_objects(kube, task, options, targets, live, dry=True)
    moving = {
        (kind.api_version, kind.kind)
        for target, outcome in zip(targets, found)
        if target.ref.kind == CRD_KIND and outcome.plan.changed
        for kind in served_types(target.declared)
    }
    outcomes = [_after_definition(target, outcome, moving) for target, outcome in zip(targets, found)]
    return Inspection(tuple(targets), live, tuple(outcomes), tuple(placed.unserved), tuple(unreached))


def converge_objects(
    kube: Kube,
    task: Task,
    options: BundleOptions,
    targets: Sequence[Target],
    live: Mapping[ObjectRef, Object],
    *,
    dry: bool = False,
) -> list[ObjectOutcome]:
    """Make these objects what the manifest says, namespaces and definitions first; `dry`: find out what changes."""
    converger = Converger(kube, task, options, BundleState(), dry)
    missed = [target for target in targets if target.ref in live or not may_be_missing(target.declared)]
    ordered = missed if dry else sorted(missed, key=lambda target: apply_phase(target.ref))
    done: dict[ObjectRef, ObjectOutcome] = {}
    for _phase, group in itertools.groupby(ordered, key=lambda target: dry or apply_phase(target.ref)):
        done.update({outcome.ref: outcome for outcome in converger.converge_all(list(group), live, live)})
    return [done.get(target.ref) or ObjectOutcome(target.ref, Plan(str(target.ref))) for target in targets]


def _after_definition(target: Target, outcome: ObjectOutcome, moving: Iterable[tuple[str, str]]) -> ObjectOutcome:
    """What cannot be compared before its definition is restored is no failure of its own."""
    if (target.resource.api_version, target.ref.kind) not in moving:
        return outcome
    note = f"{target.ref} can be compared only when its definition is restored."
    return ObjectOutcome(target.ref, Plan(str(target.ref), notes=(note,)), outcome.live)


def find_helm(task: Task, binary: str | None) -> Helm:
    """The program. What runs it and reads its failures is not needed for a release that stands."""
    from .cli import Helm

    return Helm.find(task, binary)


def with_exact_version(
    task: Task, kube: Kube, spec: ReleaseSpec, release: Release | None
) -> tuple[ReleaseSpec, str | None]:
    """The declaration with one exact version, and a note where a range had to be resolved.

    A release whose version fits the range stays at it: a range says what may stand, not that every run is an upgrade.
    """
    chart = spec.chart
    if chart.version or chart.range is None:
        return spec, None
    if release is not None and release.chart_name == chart.name and chart.range.allows(release.chart_version):
        return _at(spec, release.chart_version), None
    helm = find_helm(task, spec.helm_binary)
    with helm.files(kube.access, spec.registry, chart) as files:
        version = _entry(helm, spec, files).version if chart.repository else helm.newest(spec, files)
    return _at(spec, version), f"chart_version {chart.range.text} is {version} now."


def with_own_name(task: Task, kube: Kube, spec: ReleaseSpec, release: Release | None) -> ReleaseSpec:
    """The declaration with the name in the chart's Chart.yaml, where a mirror may have given it another one.

    Copies of an OCI artifact (az acr import, oras cp) can have any name, and the release's record has the chart's own.
    The registry is asked only where the two names differ, because then either the chart or its name is another one.
    """
    chart = spec.chart
    if release is None or not chart.registry or release.chart_name == chart.name:
        return spec
    helm = find_helm(task, spec.helm_binary)
    with helm.files(kube.access, spec.registry, chart) as files:
        return replace(spec, chart=replace(chart, name=helm.own_name(spec, files)))


def with_local_chart(helm: Helm, spec: ReleaseSpec, files: HelmFiles) -> ReleaseSpec:
    """The declaration with a chart that helm can be given.

    One of an HTTP repository, and one that must have a digest, is downloaded first: helm takes whatever it is sent.
    """
    chart = spec.chart
    if not chart.repository:
        return _with_digest(helm, spec, files) if spec.digest else spec
    entry = _entry(helm, spec, files)
    archive, _none = helm.pull(spec, entry.written, files)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    _check_digest(spec, found)
    if entry.digest and found != entry.digest:
        raise ServiceError(
            f"Downloading chart {chart.name} {chart.version}",
            f"{entry.address} has the SHA-256 {found}, and the index of {chart.repository} says {entry.digest}",
            code="DigestMismatch",
            hint="The archive was replaced or is damaged: publish it again, and its index with it.",
        )
    return replace(spec, chart=replace(chart, location=str(archive), repository=""))


def _with_digest(helm: Helm, spec: ReleaseSpec, files: HelmFiles) -> ReleaseSpec:
    """A chart of an OCI registry, or an archive on disk, that has the digest which it must have."""
    archive, of_manifest = spec.chart.on_disk, ""
    if archive is None:
        archive, of_manifest = helm.pull(spec, spec.chart.version, files)
    if archive.is_dir():
        hint = "Package it (helm package), or leave chart_digest out."
        raise ServiceError(f"Checking chart {spec.chart.name}", f"{archive} is a directory", code="NoDigest", hint=hint)
    _check_digest(spec, hashlib.sha256(archive.read_bytes()).hexdigest(), of_manifest)
    return replace(spec, chart=replace(spec.chart, location=str(archive)))


def _check_digest(spec: ReleaseSpec, of_archive: str, of_manifest: str = "") -> None:
    if spec.digest and spec.digest not in (of_archive, of_manifest):
        known = f"{of_archive}{f' (its manifest: {of_manifest})' if of_manifest else ''}"
        raise ServiceError(
            f"Checking chart {spec.chart.name} {spec.chart.version}",
            f"its SHA-256 is {known}, and chart_digest says {spec.digest}",
            code="DigestMismatch",
            hint="It is not the chart that was declared: look at what it holds before you change chart_digest.",
        )


@dataclass(frozen=True)
class Entry:
    """One version of a chart in the index of an HTTP repository."""

    version: str
    written: str
    """The version as the index has it."""
    address: str
    digest: str
    """SHA-256 of the archive, in hexadecimal; empty where the index has none."""


def entries(index: Any, name: str, repository: str) -> list[Entry]:
    """The versions an index has of a chart; what has no exact version or no address is left out."""
    listed = index.get("entries") if isinstance(index, Mapping) else None
    found = []
    for item in (listed or {}).get(name) or []:
        written, addresses = str(item.get("version", "")), item.get("urls") or []
        version = exact_version(written)
        if version and addresses:
            digest = str(item.get("digest") or "").removeprefix("sha256:")
            found.append(Entry(version, written, urljoin(f"{repository}/", str(addresses[0])), digest))
    return found


def _entry(helm: Helm, spec: ReleaseSpec, files: HelmFiles) -> Entry:
    """What the index says of the declared version, or of the newest that the range allows."""
    chart = spec.chart
    action = f"Looking for chart {chart.name} {chart.shown_version}"
    _refuse_plain(action, chart.repository, spec.registry)
    index = yaml_documents(action, helm.index(chart, files))
    listed = entries(index[0] if index else None, chart.name, chart.repository)
    version = chart.version or (chart.range.newest(entry.version for entry in listed) if chart.range else None)
    entry = next((entry for entry in listed if entry.version == version), None)
    if entry is None:
        raise _no_version(action, chart, listed)
    _refuse_plain(action, entry.address, spec.registry)
    return entry


def _refuse_plain(action: str, address: str, registry: Registry) -> None:
    if address.startswith("http://") and not registry.plain_http:
        hint = "Use https, or set plain_http: true, if that is meant."
        raise ServiceError(action, f"{address} is plain HTTP", code="PlainHttp", hint=hint)


def _no_version(action: str, chart: Chart, listed: Sequence[Entry]) -> ServiceError:
    reason = f"{chart.repository} has no chart {chart.name}"
    if listed:
        reason = f"{chart.repository} has no version {chart.shown_version} of {chart.name}; it has "
        reason += ", ".join(entry.version for entry in listed[:5])
        reason += f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    hint = "Check chart_ref and chart_version; a mirror may lack this one."
    return ServiceError(action, reason, code="ChartVersionNotFound", hint=hint)


def apply_crds(task: Task, kube: Kube, helm: Helm, spec: ReleaseSpec, files: HelmFiles) -> None:
    """What the chart has in crds/, before the rest of it; helm itself would never touch a definition that is there."""
    targets = release_record.chart_crds(helm.definitions(spec, files), kube, f"{spec.chart.name} {spec.chart.version}")
    options = BundleOptions(
        subject="definitions of the chart",
        force_conflicts=True,
        manager=HELM_MANAGER,
        our_managers=OUR_MANAGERS,
        adopt=False,
        writers=spec.writers,
        wait_timeout=spec.wait_timeout,
    )
    done = converge_objects(kube, task, options, targets, read_live(kube, targets).complete)
    BundleOutcome(tuple(done)).raise_failures("apply the chart's definitions")
    kube.forget_structures()
    await_crds(task, kube, [target.declared for target in targets], spec.wait_timeout)


def await_crds(task: Task, kube: Kube, objects: Iterable[Object], timeout: float) -> None:
    """Wait until the definitions among these objects are served."""
    definitions = [item for item in objects if item["kind"] == CRD_KIND]
    for failure in wait_for_crds(kube, task, definitions, timeout).values():
        raise failure


def render_manifest(task: Task, kube: Kube, spec: ReleaseSpec, values: Mapping[str, Any]) -> str:
    """The manifest of the declared chart with these values, in check mode too."""
    helm = find_helm(task, spec.helm_binary)
    with helm.files(kube.access, spec.registry, spec.chart) as files:
        return helm.rendered(with_local_chart(helm, spec, files), values, files)


def _at(spec: ReleaseSpec, version: str) -> ReleaseSpec:
    return replace(spec, chart=replace(spec.chart, version=version))


class RolledBack(Failure):
    """Another failure, and what became of the release after it."""

    def __init__(self, cause: Failure, reported: str, rolled_back_to: int | None) -> None:
        super().__init__({**cause.values, "changed": True, "rolled_back_to": rolled_back_to})
        self.kind = cause.kind
        self.cause = cause
        self.reported = reported

    def message(self) -> str:
        return f"{self.cause.message()}\n{self.reported}"

    def details(self) -> dict[str, Any]:
        return self.cause.details()


def has_started(kube: Kube, spec: ReleaseSpec, before: History, cause: Failure) -> bool:
    """Whether this run's helm made a revision; what failed before that, or met another helm, left none of ours."""
    if isinstance(cause, ServiceError) and cause.code == "OperationInProgress":
        return False
    newest = release_record.newest_after_failure(kube, spec.namespace, spec.name, None)
    return newest is not None and (before.newest is None or newest.revision > before.newest.revision)


def roll_back(task: Task, kube: Kube, spec: ReleaseSpec, before: History, cause: Failure) -> RolledBack:
    """`before` is the history as it was when the task began."""
    name = f"release {spec.namespace}/{spec.name}"
    if before.newest is not None and before.deployed is None:
        return RolledBack(cause, f"{name} has no deployed revision to go back to, and stays as it is.", None)
    target = before.deployed.revision if before.deployed is not None else None
    task.progress(f"{name} does not work: going back")
    try:
        helm = find_helm(task, spec.helm_binary)
        with helm.files(kube.access) as files:
            if target is None:
                helm.uninstall(spec.name, spec.namespace, spec.wait_timeout, files)
            else:
                helm.rollback(spec, target, files)
                secret_values.carry_mark(
                    task, kube, before.deployed, release_record.read_history(kube, spec.namespace, spec.name).newest
                )
    except Failure as failure:
        return RolledBack(cause, f"Going back failed, too: {failure.message()}", None)
    finally:
        kube.forget_kinds()
    reported = f"{name} was uninstalled again" if target is None else f"{name} went back to revision {target}"
    return RolledBack(cause, f"{reported} (atomic).", target)
