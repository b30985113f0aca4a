# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of Kubernetes: what a declared one means for a cluster or a pool that stands, and which can be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...compare import floor_version
from ...errors import Problem
from ...plan import Refusal

_PATH = "properties.kubernetesVersion"
OFFICIAL, LONG_TERM = "KubernetesOfficial", "AKSLongTermSupport"
# channels that move a cluster to the next minor on their own
_MINOR_CHANNELS = ("stable", "rapid")


@dataclass(frozen=True)
class VersionStep:
    """`settled`: the version stays as it is."""

    settled: bool
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


def running_version(cluster: Mapping[str, Any]) -> str:
    """The version that runs; `kubernetesVersion` may be an alias such as 1.34."""
    properties = cluster.get("properties") or {}
    return str(properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or "")


def version_step(cluster: Mapping[str, Any], declared: str) -> VersionStep:
    have = running_version(cluster)
    if not declared or not have:
        return VersionStep(settled=not declared)
    if floor_version(have, declared):
        return _newer(cluster, have, declared, _PATH, "cluster")
    if _minor(have) - _minor(declared) < -1:
        following = f"{have.split('.', maxsplit=1)[0]}.{_minor(have) + 1}"
        remedy = f"Upgrades go one minor version at a time: declare {following} first"
        return VersionStep(settled=False, refused=(Refusal(_PATH, have, declared, remedy),))
    return VersionStep(settled=False, notes=("the control plane is upgraded, node pools keep their version",))


def pool_version_step(cluster: Mapping[str, Any], pool: Mapping[str, Any], declared: str) -> VersionStep:
    """What `declared` (orchestratorVersion) means for a pool that stands."""
    have = str(pool.get("currentOrchestratorVersion") or pool.get("orchestratorVersion") or "")
    if not have or not floor_version(have, declared):
        return VersionStep(settled=False)
    return _newer(
        cluster, have, declared, f"properties.agentPoolProfiles[{pool.get('name')}].orchestratorVersion", "node pool"
    )


def _newer(cluster: Mapping[str, Any], have: str, declared: str, path: str, what: str) -> VersionStep:
    """What runs is as declared, or newer."""
    if _numbers(have)[:2] == _numbers(declared)[:2]:
        return VersionStep(settled=True)
    channel = str(((cluster.get("properties") or {}).get("autoUpgradeProfile") or {}).get("upgradeChannel") or "")
    if channel.lower() in _MINOR_CHANNELS:
        note = f"runs {have}, newer than the declared {declared}: its upgrade channel {channel} moved it"
        return VersionStep(settled=True, notes=(note,))
    remedy = f"A {what} cannot be downgraded: declare {'.'.join(have.split('.')[:2])}"
    return VersionStep(settled=True, refused=(Refusal(path, have, declared, remedy),))


def offered_problem(declared: str, location: str, versions: Sequence[Mapping[str, Any]], plan: str = "") -> str:
    """Why `declared` cannot be had in `location` with this support plan (empty: the usual one); empty when it can.

    `versions` is the service's own list. An entry may be for long-term support only: a cluster without that plan is
    refused with K8sVersionNotSupported (recorded traffic, 2026).
    """
    offered = [row for row in versions if _is_offered(row, plan)]
    if not versions or any(_names(row, declared) for row in offered):
        return ""
    newest = [max(row.get("patchVersions") or (), key=_numbers, default=str(row.get("version"))) for row in offered]
    listed = f"offered are {', '.join(sorted(newest, key=_numbers))}"
    if any(_names(row, declared) for row in versions) and plan.lower() == LONG_TERM.lower():
        return f"{declared} is offered in {location} without long-term support; with it {listed}"
    if any(_names(row, declared) for row in versions):
        how = "set sku_tier to Premium and, in properties, supportPlan to AKSLongTermSupport, or take a newer one"
        return f"{declared} is offered in {location} for long-term support only: {how}; {listed}"
    return f"{declared} is not offered in {location}; {listed}"


def _is_offered(row: Mapping[str, Any], plan: str) -> bool:
    plans = [str(name).lower() for name in (row.get("capabilities") or {}).get("supportPlan") or ()]
    return not plans or (plan or OFFICIAL).lower() in plans


def _names(row: Mapping[str, Any], version: str) -> bool:
    return version == str(row.get("version")) or version in (row.get("patchVersions") or ())


def support_plan_of(*bodies: Mapping[str, Any] | None) -> tuple[str, str]:
    """(tier, support plan) of the last of `bodies` that says something; empty where none does."""
    tier = plan = ""
    for body in bodies:
        tier = str(((body or {}).get("sku") or {}).get("tier") or tier)
        plan = str(((body or {}).get("properties") or {}).get("supportPlan") or plan)
    return tier, plan


def plan_problems(*bodies: Mapping[str, Any] | None) -> list[Problem]:
    """The tier Premium and the plan of long-term support go together: SDK, ManagedClusterSKUTier: 'Premium enables
    selection of LongTermSupport'; the one without the other is K8sVersionNotSupported (recorded traffic, 2026)."""
    tier, plan = support_plan_of(*bodies)
    if tier.lower() == "premium" and plan.lower() != LONG_TERM.lower():
        return [Problem("sku_tier", f"Premium needs the support plan {LONG_TERM}: set supportPlan in properties")]
    if plan.lower() == LONG_TERM.lower() and tier.lower() != "premium":
        return [Problem("properties.supportPlan", f"{LONG_TERM} needs sku_tier Premium, not {tier or 'Free'}")]
    return []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _minor(version: str) -> int:
    numbers = _numbers(version)
    return numbers[1] if len(numbers) > 1 else 0
