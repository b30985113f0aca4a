# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new node pool asks of a size. Pure: aks_sku_preflight finds what aks_cluster then creates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_pools import mode_of_new, standing_pools
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import PoolSpec, SizeSelection
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku_select import Requirements


@dataclass(frozen=True)
class Asked:
    """The sizes in question, what the first of them must have, and whether the pool itself names the only one."""

    candidates: tuple[str, ...]
    wanted: Requirements
    named: bool = False


def asked_of(
    body: Mapping[str, Any] | None, pools: Sequence[PoolSpec], pool: PoolSpec, location: str, sizes: SizeSelection
) -> Asked:
    """For one of `pools`, which is not there yet; `body` is the cluster as it was read, `location` the declared one."""
    declared = pool.declared
    size = declared.get("vmSize")
    wanted = Requirements(
        # a cluster does not move: its pools come where it is
        location=str((body or {}).get("location") or location),
        node_count=max(_number(declared.get("count")), _number(declared.get("maxCount"))),
        surge_nodes=sizes.surge_nodes,
        # which kind of size is wanted is a question of choice: whoever names one has chosen
        architecture="" if size else sizes.architecture,
        allow_burstable=bool(size) or sizes.allow_burstable,
        zones=_zones(declared.get("availabilityZones")),
        system_pool=mode_of_new(standing_pools(body), pools, pool).lower() == "system",
        ephemeral_os_disk=str(declared.get("osDiskType")).lower() == "ephemeral",
    )
    return Asked((str(size),) if size else pool.candidates or sizes.candidates, wanted, named=bool(size))


def _zones(declared: Any) -> tuple[str, ...]:
    """As `_number`."""
    return tuple(map(str, declared)) if isinstance(declared, (list, tuple)) else ()


def _number(declared: Any) -> int:
    """Raw properties may hold anything; what is no number is the service's to refuse."""
    try:
        return int(declared or 1)
    except (TypeError, ValueError):
        return 1
