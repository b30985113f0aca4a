# SPDX-License-Identifier: GPL-3.0-or-later
"""Each real chart, installed once for the tests of it; a table of what they cost at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import upstream_charts
from support.kube_http import Api

from .releases import Audit, Release, installed

CHARTS = upstream_charts.load()
COSTS: list[str] = []


@pytest.fixture(scope="session")
def charts(cloud: Any) -> dict[str, Path]:
    return upstream_charts.fetch(cloud.settings, CHARTS.values())


@pytest.fixture(scope="session")
def audit(cloud: Any, cluster: Any) -> Audit:
    return Audit(cloud.settings.state, cluster.kubeconfig)


@pytest.fixture(scope="module")
def api(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Api:
    return Api(cluster.kubeconfig, tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module", params=CHARTS)
def release(
    request: pytest.FixtureRequest, cloud: Any, cluster: Any, charts: dict[str, Path], audit: Audit, api: Api
) -> Iterator[Release]:
    """One chart after the other; what belongs to it goes before the next one comes."""

    def of(name: str, namespace: str) -> Release:
        return Release(CHARTS[name], charts[name], cloud, cluster, audit, namespace)

    chart = CHARTS[request.param]
    # a namespace takes a while to go: what was installed for its own sake a moment ago may still have its own
    needs = [of(name, f"{CHARTS[name].release_namespace}-for-{chart.name}") for name in chart.needs]
    yield from installed(of(chart.name, chart.release_namespace), api, needs)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if COSTS:
        terminalreporter.section("real charts")
        for line in COSTS:
            terminalreporter.write_line(line)
