# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of others: installed, left alone, edited by others, repaired. `make test-long-charts` runs it."""

from __future__ import annotations

import pytest
from support.kube_http import Api

from .conftest import COSTS
from .releases import Release, reads
from .rounds import run_rounds

pytestmark = pytest.mark.slow

# Beyond reading its objects: the release's record, the namespace, and what the server serves.
OTHER_REQUESTS = 5
FEWEST_EDITS = 5


def test_a_run_without_changes_changes_nothing_and_asks_little(release: Release) -> None:
    assert not release.first.get("failed"), release.first["msg"]
    assert release.first["changed"]

    objects = release.objects()
    allowed = reads(objects, release.namespace) + OTHER_REQUESTS
    for _ in range(2):
        again, asked = release.converge()
        assert not again.get("failed"), again["msg"]
        assert not again["changed"], again["diff"]
        assert asked.writes == ()
        assert (again.get("warnings") or [], again.get("notes") or []) == ([], [])
    COSTS.append(
        f"{release.chart.name}: {len(objects)} objects; without changes {asked.total} requests (at most {allowed}),"
        f" {len(asked.dry_runs)} of them dry runs, {asked.seconds:.2f} s"
    )
    # the run before may have asked how the server completes what it was sent; the answer holds
    assert asked.dry_runs == ()
    assert asked.total <= allowed


def test_what_others_edit_is_shown_and_repaired(release: Release, api: Api) -> None:
    findings = run_rounds(release, api)
    COSTS.append(f"{release.chart.name}: {findings}")
    assert findings.faults == [], "\n".join(findings.faults)
    assert findings.made.total() >= FEWEST_EDITS


def test_what_it_costs_beside_helm(release: Release) -> None:
    asked = release.upgrade_by_helm()
    COSTS.append(f"{release.chart.name}: helm upgrade --install {asked.total} requests, {asked.seconds:.2f} s")
