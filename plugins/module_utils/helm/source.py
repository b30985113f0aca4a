# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chart itself: the version that a range means, its archive, its definitions, and what it renders to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift, manifest, repository
from ansible_collections.mcpops.platform.plugins.module_utils.helm.access import HelmFiles, helm_files
from ansible_collections.mcpops.platform.plugins.module_utils.helm.process import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.definitions import wait_until_served
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import read_objects
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
    if chart.repository:
        version = repository.newest(chart, spec.registry)
    else:
        helm = Helm.find(task, spec.helm_binary)
        with helm_files(kube.access, spec.registry, chart.registry) as files:
            version = helm.newest(spec, files)
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
    with helm_files(kube.access, spec.registry, chart.registry) as files:
        return replace(spec, chart=replace(chart, name=helm.own_name(spec, files)))


def fetched(spec: ReleaseSpec, files: HelmFiles) -> ReleaseSpec:
    """The declaration with a chart that helm can be given: one of an HTTP repository is downloaded first."""
    if not spec.chart.repository:
        return spec
    archive = repository.download(spec.chart, spec.registry, files.directory)
    return replace(spec, chart=replace(spec.chart, location=str(archive), repository=""))


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
    done = drift.repair(kube, task, options, targets, read_objects(kube, targets))
    BundleOutcome(done).raise_failures("apply the chart's definitions")
    kube.forget_structures()
    for failure in wait_until_served(kube, task, [target.declared for target in targets], spec.wait_timeout).values():
        raise failure


def rendered(task: Task, kube: Kube, spec: ReleaseSpec, values: Mapping[str, Any]) -> str:
    """The manifest of the declared chart with these values, in check mode too."""
    helm = Helm.find(task, spec.helm_binary)
    with helm_files(kube.access, spec.registry, spec.chart.registry) as files:
        return helm.rendered(fetched(spec, files), values, files)


def _at(spec: ReleaseSpec, version: str) -> ReleaseSpec:
    return replace(spec, chart=replace(spec.chart, version=version))
