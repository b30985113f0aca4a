# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm charts that Go modules hold, packaged once as their projects publish them, and pushed to the registry."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.binaries import KMCP, GoProgram, ensure_chart_sources
from localcloud.command import run
from localcloud.files import Progress, fresh_directory, key_of
from localcloud.registry.client import RegistryClient
from localcloud.settings import Settings


@dataclass(frozen=True)
class Chart:
    """A chart by its place in the registry. Where it comes from a module as its project does not publish it, `finish`
    does with a copy what publishing does, given the directory of all the module's charts."""

    name: str
    repository: str
    program: GoProgram  # whose module holds it
    version: str
    source: str  # its directory there
    app_version: str  # of what it installs
    finish: Callable[[Path, Path], None] | None = None
    recipe: str = ""  # changes when `finish` does something else

    @property
    def reference(self) -> str:
        return f"{self.repository}/{self.name}:{self.version}"


def _kmcp(name: str) -> Chart:
    # In its repository the chart says 1.0.0 and no application version; publishing sets both to the release.
    return Chart(name, "kagent-dev/kmcp/helm", KMCP, KMCP.version[1:], name, KMCP.version[1:])


KMCP_CHARTS = (_kmcp("kmcp-crds"), _kmcp("kmcp"))


def helm_environment(settings: Settings) -> dict[str, str]:
    """helm keeps its own files under the cache, and asks no proxy for an address of this machine."""
    return {
        **os.environ,
        "HELM_CACHE_HOME": str(settings.cache / "helm"),
        "HELM_CONFIG_HOME": str(settings.cache / "helm"),
        "HELM_DATA_HOME": str(settings.cache / "helm"),
        "NO_PROXY": settings.host_address,
        "no_proxy": settings.host_address,
    }


def package_path(settings: Settings, charts: Sequence[Chart]) -> Path:
    """Where the packages of charts of one module are."""
    program, version = charts[0].program, charts[0].version
    key = key_of(version, *(part for chart in charts for part in (chart.name, chart.recipe) if part))
    return settings.cache / "charts" / f"{program.directory}-{version}-{key}"


def ensure_charts(
    settings: Settings, progress: Progress, charts: Sequence[Chart] = KMCP_CHARTS
) -> list[tuple[Chart, Path]]:
    """The packaged charts of one module. A package is not reproducible (it holds times), so it is made once and kept.
    The caller holds the build lock."""
    target = package_path(settings, charts)
    if not target.exists():
        sources = ensure_chart_sources(settings, charts[0].program)
        progress(f"packaging {', '.join(chart.reference for chart in charts)}")
        with fresh_directory(target) as directory, tempfile.TemporaryDirectory() as work:
            for chart in charts:
                copy = Path(work) / chart.name
                shutil.copytree(sources / chart.source, copy)
                if chart.finish:
                    chart.finish(copy, sources)
                argv: list[str | Path] = [settings.helm, "package", copy, "--destination", directory]
                argv += ["--version", chart.version, "--app-version", chart.app_version]
                run(argv, why=f"package the chart {chart.name}", env=helm_environment(settings))
    return [(chart, target / f"{chart.name}-{chart.version}.tgz") for chart in charts]


def push_charts(settings: Settings, client: RegistryClient, packages: Sequence[tuple[Chart, Path]]) -> list[str]:
    """Push what the registry does not hold; the names that were pushed."""
    pushed = []
    for chart, package in packages:
        if client.has_tag(chart.reference):
            continue
        argv: list[str | Path] = [
            settings.helm,
            "push",
            package,
            f"oci://{settings.registry}/{chart.repository}",
            "--ca-file",
            settings.ca_file,
        ]
        run(argv, why=f"push the chart {chart.name}", env=helm_environment(settings))
        pushed.append(chart.reference)
    return pushed
