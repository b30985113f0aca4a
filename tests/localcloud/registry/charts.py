# SPDX-License-Identifier: GPL-3.0-or-later
"""KMCP's two Helm charts, packaged once as their project publishes them, and pushed to the registry."""

from __future__ import annotations

import os
from pathlib import Path

from localcloud.binaries import ensure_chart_sources, kmcp_version
from localcloud.command import run
from localcloud.files import Progress, fresh_directory, key_of
from localcloud.registry.client import RegistryClient
from localcloud.settings import Settings

CHARTS = ("kmcp-crds", "kmcp")
REPOSITORY = "kagent-dev/kmcp/helm"


def chart_reference(chart: str) -> str:
    return f"{REPOSITORY}/{chart}:{kmcp_version()}"


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


def ensure_charts(settings: Settings, progress: Progress) -> list[Path]:
    """The packaged charts. A package is not reproducible (it holds times), so it is made once and kept."""
    version = kmcp_version()
    # In its repository the chart says 1.0.0 and no application version; publishing sets both to the release.
    target = settings.cache / "charts" / f"kmcp-{version}-{key_of(version, *CHARTS)}"
    if not target.exists():
        sources = ensure_chart_sources(settings)
        progress(f"packaging the KMCP {version} charts")
        with fresh_directory(target) as directory:
            for chart in CHARTS:
                argv: list[str | Path] = [settings.helm, "package", sources / chart, "--destination", directory]
                argv += ["--version", version, "--app-version", version]
                run(argv, why=f"package the chart {chart}", env=helm_environment(settings))
    return [target / f"{chart}-{version}.tgz" for chart in CHARTS]


def push_charts(settings: Settings, client: RegistryClient, packages: list[Path]) -> list[str]:
    """Push what the registry does not hold; the names that were pushed."""
    pushed = []
    for chart, package in zip(CHARTS, packages):
        if client.has_tag(chart_reference(chart)):
            continue
        argv: list[str | Path] = [
            settings.helm,
            "push",
            package,
            f"oci://{settings.registry}/{REPOSITORY}",
            "--ca-file",
            settings.ca_file,
        ]
        run(argv, why=f"push the chart {chart}", env=helm_environment(settings))
        pushed.append(chart_reference(chart))
    return pushed
