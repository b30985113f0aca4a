# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chart itself: the version that a range means, its archive, its definitions, and what it renders to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift, manifest
from ansible_collections.mcpops.platform.plugins.module_utils.helm.access import HelmFiles, helm_files
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart, documents
from ansible_collections.mcpops.platform.plugins.module_utils.helm.process import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry, ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import exact_version
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.definitions import wait_until_served
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import read_live
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task


def settled(task: Task, kube: Kube, spec: ReleaseSpec, release: Release | None) -> tuple[ReleaseSpec, str | None]:
    """The declaration with one exact version, and a note where a range had to be resolved.

    A release whose version fits the range stays at it: a range says what may stand, not that every run is an upgrade.
    """
    chart = spec.chart
    if chart.version or chart.range is None:
        return spec, None
    if release is not None and release.chart_name == chart.name and chart.range.allows(release.chart_version):
        return _at(spec, release.chart_version), None
    helm = Helm.find(task, spec.helm_binary)
    with helm_files(kube.access, spec.registry, chart) as files:
        version = _entry(helm, spec, files).version if chart.repository else helm.newest(spec, files)
    return _at(spec, version), f"chart_version {chart.range.text} is {version} now."


def by_its_own_name(task: Task, kube: Kube, spec: ReleaseSpec, release: Release | None) -> ReleaseSpec:
    """The declaration with the name in the chart's Chart.yaml, where a mirror may have given it another one.

    Copies of an OCI artifact (az acr import, oras cp) can have any name, and the release's record has the chart's own.
    The registry is asked only where the two names differ, because then either the chart or its name is another one.
    """
    chart = spec.chart
    if release is None or not chart.registry or release.chart_name == chart.name:
        return spec
    helm = Helm.find(task, spec.helm_binary)
    with helm_files(kube.access, spec.registry, chart) as files:
        return replace(spec, chart=replace(chart, name=helm.own_name(spec, files)))


def fetched(helm: Helm, spec: ReleaseSpec, files: HelmFiles) -> ReleaseSpec:
    """The declaration with a chart that helm can be given: one of an HTTP repository is downloaded first.

    Helm takes whatever the repository sends; the digest in its index is checked here.
    """
    chart = spec.chart
    if not chart.repository:
        return spec
    entry = _entry(helm, spec, files)
    archive = helm.pull(chart, entry.written, files)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if entry.digest and found != entry.digest:
        raise ServiceError(
            f"Downloading chart {chart.name} {chart.version}",
            f"{entry.address} has the SHA-256 {found}, and the index of {chart.repository} says {entry.digest}",
            code="DigestMismatch",
            hint="The archive was replaced or is damaged: publish it again, and its index with it.",
        )
    return replace(spec, chart=replace(chart, location=str(archive), repository=""))


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
    index = documents(action, helm.index(chart, files))
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


def apply_definitions(task: Task, kube: Kube, helm: Helm, spec: ReleaseSpec, files: HelmFiles) -> None:
    """What the chart has in crds/, before the rest of it; helm itself would never touch a definition that is there."""
    targets = manifest.definitions(helm.definitions(spec, files), kube, f"{spec.chart.name} {spec.chart.version}")
    options = BundleOptions(
        subject="definitions of the chart",
        force_conflicts=True,
        manager=drift.HELM_MANAGER,
        our_managers=drift.OUR_MANAGERS,
        adopt=False,
        writers=spec.writers,
        wait_timeout=spec.wait_timeout,
    )
    done = drift.repair(kube, task, options, targets, read_live(kube, targets).complete)
    BundleOutcome(done).raise_failures("apply the chart's definitions")
    kube.forget_structures()
    for failure in wait_until_served(kube, task, [target.declared for target in targets], spec.wait_timeout).values():
        raise failure


def rendered(task: Task, kube: Kube, spec: ReleaseSpec, values: Mapping[str, Any]) -> str:
    """The manifest of the declared chart with these values, in check mode too."""
    helm = Helm.find(task, spec.helm_binary)
    with helm_files(kube.access, spec.registry, spec.chart) as files:
        return helm.rendered(fetched(helm, spec, files), values, files)


def _at(spec: ReleaseSpec, version: str) -> ReleaseSpec:
    return replace(spec, chart=replace(spec.chart, version=version))
