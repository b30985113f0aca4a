# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of others: installed, left alone, edited by others, repaired. `make test-long-charts` runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest
from support.drift_rounds import Findings, run_rounds, subjects
from support.foreign_edits import plainly
from support.kube_http import Api

from .conftest import COSTS
from .releases import Release, reads

pytestmark = pytest.mark.slow

# Beyond reading its objects: the release's record, the namespace, and what the server serves.
OTHER_REQUESTS = 5
FEWEST_EDITS = 5
# As many rounds as bring a chart to this many edits, but not fewer than the one nor more than the other.
EDITS = 30
FEWEST_ROUNDS = 2
MOST_ROUNDS = 6
AT_ONCE = 15
# The same edits in every run, unless somebody looks for others.
SEED = os.environ.get("MCPOPS_CHARTS_SEED", "")


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
    findings = Findings()

    def converge(*, check: bool = False) -> dict[str, Any]:
        result, asked = release.converge(check=check)
        if check and asked.writes:
            findings.faults.append(f"check mode wrote: {', '.join(asked.writes)}")
        return result

    named = [(f"{item['kind']} {item['metadata']['name']}", item) for item in _in_turn(release.objects())]
    waiting = subjects(api, named, release.namespace, f"{SEED}{release.chart.name}", structures=False)
    for number in range(MOST_ROUNDS):
        if number >= FEWEST_ROUNDS and findings.made.total() >= EDITS:
            break
        # others made again, or of other names, are tried in drift_property: a chart's definitions must stay
        if not run_rounds(converge, api, waiting, 1, findings, at_once=AT_ONCE, how=plainly):
            break
    made = ", ".join(f"{number} {what}" for what, number in sorted(findings.made.items()))
    refused = findings.refused.total()
    COSTS.append(f"{release.chart.name}: {findings.made.total()} edits ({refused} refused by the API): {made}")
    assert findings.faults == [], "\n".join(findings.faults)
    assert findings.made.total() >= FEWEST_EDITS


def _in_turn(objects: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """The objects in an order in which each kind has its turn."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for item in objects:
        by_kind.setdefault(item["kind"], []).append(item)
    rows = list(by_kind.values())
    return [row[at] for at in range(max(map(len, rows), default=0)) for row in rows if at < len(row)]


def test_what_it_costs_beside_helm(release: Release) -> None:
    asked = release.upgrade_by_helm()
    COSTS.append(f"{release.chart.name}: helm upgrade --install {asked.total} requests, {asked.seconds:.2f} s")
