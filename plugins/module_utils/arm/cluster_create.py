# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be asked before a cluster or pool can be created: is the version offered, which size fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, Reading
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_pools import new_pools, standing_pools
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import ClusterSpec, PoolSpec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_version import (
    offered_problem,
    version_step,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.pool_size import asked_of
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
    location = str((reading.body or {}).get("location") or spec.declared.get("location") or "")
    problems: list[Problem] = []
    step = version_step(reading.body or {}, spec.kubernetes_version)
    if not step.settled and not step.refused:
        problems += _version_problems(arm, spec.kubernetes_version, location)
    fresh = {pool.name for pool in new_pools(standing_pools(reading.body), spec)}
    pools: list[PoolSpec] = []
    for pool in spec.pools:
        asked = asked_of(reading.body, spec.pools, pool, location, spec.sizes)
        # a size that the pool names is the service's to judge, with the creation
        if pool.name in fresh and asked.candidates and not asked.named:
            selection = _selection(arm, asked.candidates, asked.wanted)
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


def _version_problems(arm: Arm, version: str, location: str) -> list[Problem]:
    place = location.replace(" ", "").lower()
    base = f"/subscriptions/{arm.subscription_id}/providers/Microsoft.ContainerService/locations/{place}"
    version_list = names.api_version_of("Microsoft.ContainerService/locations/kubernetesVersions")
    url = arm.url(f"{base}/kubernetesVersions", version_list)
    response = arm.call("GET", url, f"Listing the Kubernetes versions of {place}")
    if response.status != 200:
        if response.status in _UNDECIDED:
            return []
        error = parse_error(response.json_or_none())
        return [Problem("location", f"{error.message or place} ({error.code or response.status})")]
    found = offered_problem(version, place, (response.json_or_none() or {}).get("values") or [])
    return [Problem("kubernetes_version", found)] if found else []
