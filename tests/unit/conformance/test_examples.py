# SPDX-License-Identifier: GPL-3.0-or-later
"""What the example servers have to pass: every scenario of the suite is accounted for."""

from __future__ import annotations

import pytest
from conformance.examples import Plan
from conformance.judging import Outcome
from conformance.listed import Exceptions
from gate.checkout import CHECKOUT

PLAN = Plan({"echo": {"2025-11-25": ["ping"]}}, frozenset(["tools-call-image"]), Exceptions())
SUITE = {"2025-11-25": ["ping", "tools-call-image"]}


def test_a_plan_that_fits_the_suite_has_no_gaps() -> None:
    assert PLAN.gaps(SUITE) == []


@pytest.mark.parametrize(
    ("suite", "scenario", "reason"),
    [
        ({"2025-11-25": [*SUITE["2025-11-25"], "brand-new"]}, "brand-new", "examples.yml does not"),
        ({"2025-11-25": ["tools-call-image"]}, "ping", "no such scenario in this revision"),
        ({"2025-11-25": ["ping"]}, "tools-call-image", "the suite has no such scenario"),
    ],
    ids=["new", "gone", "gone-from-the-others"],
)
def test_what_the_suite_changed_is_seen(suite: dict[str, list[str]], scenario: str, reason: str) -> None:
    (gap,) = PLAN.gaps(suite)
    assert (gap.scenario, gap.outcome) == (scenario, Outcome.FAILED)
    assert reason in gap.reasons[0]


def test_every_example_is_judged_in_the_era_that_it_speaks() -> None:
    plan = Plan.load()
    # beside the servers there are agents of a mesh
    servers = {path.name.removesuffix("-mcp") for path in (CHECKOUT / "examples").glob("*-mcp")}
    assert servers == set(plan.servers)
    assert plan.revisions() == ["2025-11-25", "2026-07-28"]
