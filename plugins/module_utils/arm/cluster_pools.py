# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inline node pools of a cluster: whose fields are the user's, whose the autoscaler's, whose pools are ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import ownership
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import ClusterSpec, PoolSpec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.waiting import is_failed_state

Pool = dict[str, Any]
# labels that AKS itself puts on pools (spot priority): a purge leaves them
_AKS_LABEL_PREFIX = "kubernetes.azure.com/"


def declared_pools(standing: list[Pool], spec: ClusterSpec) -> list[Pool]:
    """What the task declares of each pool, as far as it has a say there."""
    by_name = {str(pool.get("name")).lower(): pool for pool in standing}
    result = []
    for pool in spec.pools:
        found = by_name.get(pool.name.lower())
        if found is not None:
            result.append(_of_standing(found, pool))
        else:
            result.append(_of_new(pool, mode_of_new(standing, spec.pools, pool), spec.owner))
    return result


def standing_pools(body: Mapping[str, Any] | None) -> list[Pool]:
    """The inline pools of a cluster as it was read; none of one that does not exist."""
    return ((body or {}).get("properties") or {}).get("agentPoolProfiles") or []


def mode_of_new(standing: Sequence[Mapping[str, Any]], pools: Sequence[PoolSpec], pool: PoolSpec) -> str:
    """A cluster needs a system pool: where no mode is said at all, the first pool of a new cluster is it."""
    said = bool(standing) or any(other.declared.get("mode") for other in pools)
    first = pools[0].name == pool.name
    return str(pool.declared.get("mode") or ("System" if first and not said else "User"))


def _of_new(pool: PoolSpec, mode: str, owner: ownership.Owner | None) -> Pool:
    count = pool.declared.get("minCount") if pool.declared.get("enableAutoScaling") else None
    body: Pool = {
        "mode": mode,
        "count": count or 1,
        "osType": "Linux",
        "type": "VirtualMachineScaleSets",
        **pool.declared,
    }
    if owner is not None:
        body["tags"] = {**body.get("tags", {}), **owner.tags()}
    return body


def _of_standing(found: Pool, pool: PoolSpec) -> Pool:
    body = dict(pool.declared)
    if body.get("enableAutoScaling", found.get("enableAutoScaling")):
        # the autoscaler moves it; a declared count is only where it starts
        body.pop("count", None)
    if body.get("osDiskSizeGB") == 0:
        # 0 asks for the size's default, which the service answers as a number
        del body["osDiskSizeGB"]
    if pool.purge_labels and "nodeLabels" in body:
        surplus = {
            name: None
            for name in found.get("nodeLabels") or {}
            if name not in body["nodeLabels"] and not name.startswith(_AKS_LABEL_PREFIX)
        }
        body["nodeLabels"] = {**surplus, **body["nodeLabels"]}
    return body


def with_agreeing_counts(pool: Pool) -> Pool:
    """A PUT must agree with itself: a count within the autoscaler's bounds, and bounds only with the autoscaler."""
    least, most, count = pool.get("minCount"), pool.get("maxCount"), pool.get("count")
    if not pool.get("enableAutoScaling"):
        return {key: value for key, value in pool.items() if key not in ("minCount", "maxCount")}
    if least is None or most is None or count is None:
        return pool
    return {**pool, "count": min(max(count, least), most)}


def surplus_pools(standing: list[Pool], spec: ClusterSpec) -> tuple[list[Pool], list[str]]:
    """The pools to delete, and sentences about those that stay although nobody listed them."""
    if not spec.pools:
        return [], []
    listed = {pool.name.lower() for pool in spec.pools}
    others = [pool for pool in standing if str(pool.get("name")).lower() not in listed]
    if not others:
        return [], []
    if not spec.purge_node_pools:
        return [], [f"node pools that are not listed are left alone: {_listed(others)}"]
    ours = [pool for pool in others if ownership.belongs_to(ownership.owner_of(pool), spec.owner)]
    stay = [pool for pool in others if pool not in ours]
    notes = [f"node pools without the owner's tags are not deleted: {_listed(stay)}"] if stay else []
    return ours, notes


def failed_pools(standing: list[Pool], spec: ClusterSpec) -> tuple[list[Pool], list[str]]:
    """The declared pools whose last operation failed, and sentences about failed ones that nobody declares here.

    A pool has operations of its own: it may be Failed while its cluster is Succeeded (recorded traffic).
    """
    broken = [pool for pool in standing if is_failed_state(str(pool.get("provisioningState") or ""))]
    listed = {pool.name.lower() for pool in spec.pools}
    ours = [pool for pool in broken if str(pool.get("name")).lower() in listed]
    others = [pool for pool in broken if pool not in ours]
    notes = [
        f"the last operation on node pool {pool.get('name')} ended as {pool['provisioningState']}; it is not declared "
        "here, so nothing repairs it"
        for pool in others
    ]
    return ours, notes


def _listed(pools: list[Pool]) -> str:
    return ", ".join(sorted(str(pool.get("name")) for pool in pools))


def new_pools(standing: Sequence[Mapping[str, Any]], spec: ClusterSpec) -> list[PoolSpec]:
    """The declared pools that do not exist yet."""
    names = {str(pool.get("name")).lower() for pool in standing}
    return [pool for pool in spec.pools if pool.name.lower() not in names]
