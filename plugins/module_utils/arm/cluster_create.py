# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be asked before a cluster or pool can be created: is the version offered, which size fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, Reading
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_pools import mode_of_new, new_pools
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import (
    ClusterSpec,
    PoolSpec,
    SizeSelection,
)
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
        candidates = candidates_of(pool, spec)
        if pool.name in fresh and candidates:
            wanted = requirements_of(pool, mode_of_new(standing, spec, pool), location, spec.sizes)
            selection = _selection(arm, candidates, wanted)
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


def _selection(arm: Arm, candidates: Sequence[str], wanted: Requirements) -> Selection | None:
    """None in check mode when the sizes cannot be asked for yet."""
    try:
        return find_size(arm, candidates, wanted)
    except ServiceError as failure:
        if arm.check_mode and concerns_registration(failure):
            return None
        raise


def candidates_of(pool: PoolSpec, spec: ClusterSpec) -> tuple[str, ...]:
    """None for a pool that names its size."""
    return () if pool.declared.get("vmSize") else pool.candidates or spec.sizes.candidates


def requirements_of(pool: PoolSpec, mode: str, location: str, sizes: SizeSelection) -> Requirements:
    """What the role site_preflight asks for of the same pool: two answers would be one too many."""
    declared = pool.declared
    return Requirements(
        location=location,
        node_count=max(int(declared.get("count") or 1), int(declared.get("maxCount") or 1)),
        surge_nodes=sizes.surge_nodes,
        architecture=sizes.architecture,
        allow_burstable=sizes.allow_burstable,
        zones=tuple(str(zone) for zone in declared.get("availabilityZones") or ()),
        system_pool=mode.lower() == "system",
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
