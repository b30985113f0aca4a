# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions that can be had, and the tier and the plan that go together."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.validate import creation_problems
from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.versions import offered_problem, plan_problems

LTS = "AKSLongTermSupport"


def row(version: str, *plans: str) -> dict[str, Any]:
    patches: dict[str, Any] = {f"{version}.{patch}": {} for patch in (2, 11)}
    return {"version": version, "capabilities": {"supportPlan": list(plans)}, "patchVersions": patches}


LISTED = [row("1.35", "KubernetesOfficial"), row("1.33", "KubernetesOfficial", LTS), row("1.31", LTS)]
OFFERED: dict[str, tuple[str, str, str]] = {
    "a minor": ("1.35", "", ""),
    "a patch": ("1.35.11", "kubernetesofficial", ""),
    "for both plans": ("1.33.2", LTS, ""),
    "without long-term support": ("1.35", LTS, "1.35 is offered in x without long-term support"),
    "for long-term support only": ("1.31", "", "1.31 is offered in x for long-term support only: set sku_tier"),
    "a patch for long-term support only": ("1.31.2", "KubernetesOfficial", "offered are 1.33.11, 1.35.11"),
    "with the plan": ("1.31.11", LTS, ""),
    "for nobody": ("1.30", LTS, "1.30 is not offered in x; offered are 1.31.11, 1.33.11"),
}


@pytest.mark.parametrize(("version", "plan", "told"), OFFERED.values(), ids=OFFERED.keys())
def test_offered(version: str, plan: str, told: str) -> None:
    found = offered_problem(version, "x", LISTED, plan)
    assert told in found
    assert bool(told) == bool(found)


def test_a_list_without_plans_or_entries_decides_nothing() -> None:
    assert not offered_problem("1.31", "x", [])
    assert not offered_problem("1.31", "x", [{"version": "1.31", "patchVersions": {}}])


def body(tier: str = "", plan: str = "") -> dict[str, Any]:
    return {"sku": {"tier": tier} if tier else None, "properties": {"supportPlan": plan} if plan else {}}


TOGETHER: dict[str, tuple[list[dict[str, Any] | None], list[str]]] = {
    "nothing": ([None, body()], []),
    "both": ([None, body("premium", LTS.lower())], []),
    "both, one of them standing": ([body("Premium", "KubernetesOfficial"), body(plan=LTS)], []),
    "Premium alone": ([None, body("Premium")], ["sku_tier"]),
    "Premium of a cluster with the usual plan": ([body("Free", "KubernetesOfficial"), body("Premium")], ["sku_tier"]),
    "the plan alone": ([None, body("Standard", LTS)], ["properties.supportPlan"]),
    "the plan of a free cluster": ([body("Free"), body(plan=LTS)], ["properties.supportPlan"]),
}


@pytest.mark.parametrize(("bodies", "paths"), TOGETHER.values(), ids=TOGETHER.keys())
def test_the_tier_and_the_plan(bodies: list[dict[str, Any] | None], paths: list[str]) -> None:
    assert [problem.path for problem in plan_problems(*bodies)] == paths


def test_a_new_cluster_is_told_before_anything_is_asked() -> None:
    new = {"name": "a", "location": "x", "node_pools": [{"name": "a"}], "sku_tier": "Premium"}
    assert [problem.path for problem in creation_problems(new)] == ["sku_tier"]
    assert creation_problems({**new, "properties": {"supportPlan": LTS}}) == []
