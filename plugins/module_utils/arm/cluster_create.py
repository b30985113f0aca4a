# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be asked before a cluster or pool can be created: is the version offered, which size fits."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, Reading
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_pools import new_pools
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import ClusterSpec, PoolSpec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_version import (
    offered_problem,
    version_step,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.service_errors import (
    concerns_registration,
    parse_error,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku_preflight import find_size, unviable
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku_select import Requirements, Selection
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem, ServiceError

# answers that leave the decision to the service: no right to ask, or no provider registered yet
_UNDECIDED = (401, 403, 409)


def with_choices(arm: Arm, spec: ClusterSpec, reading: Reading) -> ClusterSpec:
    """`spec` with a size for every new pool; nothing is asked for a cluster that only stays as it is."""
    standing = ((reading.body or {}).get("properties") or {}).get("agentPoolProfiles") or []
    location = str((reading.body or {}).get("location") or spec.declared.get("location") or "")
    problems: list[Problem] = []
    step = version_step(reading.body or {}, spec.kubernetes_version)
    if not step.settled and not step.refused:
        problems += _version_problems(arm, spec.kubernetes_version, location)
    fresh = {pool.name for pool in new_pools(standing, spec)}
    pools: list[PoolSpec] = []
    for pool in spec.pools:
        if pool.name in fresh and pool.candidates and not pool.declared.get("vmSize"):
            selection = _selection(arm, pool, location)
            if selection is None:
                pass
            elif selection.chosen is None:
                problems += unviable(f"node_pools[{pool.name}].vm_size_candidates", selection)
            else:
                pool = replace(pool, declared={**pool.declared, "vmSize": selection.chosen.name})
        pools.append(pool)
    if problems:
        raise InvalidInput(spec.subject, problems)
    return replace(spec, pools=tuple(pools))


def _selection(arm: Arm, pool: PoolSpec, location: str) -> Selection | None:
    """None in check mode when the sizes cannot be asked for yet."""
    try:
        return find_size(arm, pool.candidates, _requirements(pool, location))
    except ServiceError as failure:
        if arm.check_mode and concerns_registration(failure):
            return None
        raise


def _requirements(pool: PoolSpec, location: str) -> Requirements:
    declared = pool.declared
    most = declared.get("minCount") if declared.get("enableAutoScaling") else None
    return Requirements(
        location=location,
        node_count=int(declared.get("count") or most or 1),
        # whoever lists a burstable candidate for this very pool wants it
        allow_burstable=True,
        zones=tuple(str(zone) for zone in declared.get("availabilityZones") or ()),
        system_pool=str(declared.get("mode") or "System").lower() == "system",
        ephemeral_os_disk=str(declared.get("osDiskType")).lower() == "ephemeral",
    )


def _version_problems(arm: Arm, version: str, location: str) -> list[Problem]:
    place = location.replace(" ", "").lower()
    base = f"/subscriptions/{arm.subscription_id}/providers/Microsoft.ContainerService/locations/{place}"
    version_list = names.api_version_of("Microsoft.ContainerService/locations/kubernetesVersions")
    url = arm.url(f"{base}/kubernetesVersions", version_list)
    response = arm.call("GET", url, f"Listing the Kubernetes versions of {place}")
    if response.status != 200:
        if response.status in _UNDECIDED:
            return []
        error = parse_error(response.json())
        return [Problem("location", f"{error.message or place} ({error.code or response.status})")]
    found = offered_problem(version, place, (response.json() or {}).get("values") or [])
    return [Problem("kubernetes_version", found)] if found else []
