# SPDX-License-Identifier: GPL-3.0-or-later
"""Which size a refusal of Azure is about, and whether another candidate is left to try."""

from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.spec import ClusterSpec, PoolSpec, SizeSelection
from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks_cluster import sizes_at_fault
from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError

A, B, C = "Standard_A4", "Standard_A4s", "Standard_C2"
NO_ROOM = "We do not have sufficient capacity for the requested VM size {} in zone 1"


def spec(*pools: PoolSpec, candidates: tuple[str, ...] = ()) -> ClusterSpec:
    return ClusterSpec(id="i", name="c", resource_group="g", pools=pools, sizes=SizeSelection(candidates))


TWO = spec(PoolSpec("a", {}, (A, C)), PoolSpec("b", {}, (B, C)))


@pytest.mark.parametrize(
    ("code", "reason", "declared", "sent", "refused", "found"),
    [
        pytest.param("AllocationFailed", NO_ROOM.format(A), TWO, {"a": A, "b": B}, (), {A}, id="told by its name"),
        pytest.param("SkuNotAvailable", NO_ROOM.format(B.lower()), TWO, {"a": A, "b": B}, (), {B}, id="in any case"),
        pytest.param("SkuNotAvailable", "no room", TWO, {"a": A}, (), {A}, id="the only one"),
        pytest.param("SkuNotAvailable", "no room", TWO, {"a": A, "b": B}, (), set(), id="nobody knows which"),
        pytest.param("SkuNotAvailable", NO_ROOM.format(A), TWO, {"a": A}, (C.lower(),), set(), id="none is left"),
        pytest.param("InternalServerError", NO_ROOM.format(A), TWO, {"a": A}, (), set(), id="another matter"),
        pytest.param("OperationNotAllowed", "exceeding approved Cores quota", TWO, {"a": A}, (), {A}, id="quota"),
        pytest.param(
            "OperationNotAllowed", "another one is in progress", TWO, {"a": A}, (), set(), id="work of others"
        ),
        pytest.param(
            "BadRequest",
            f"The VM size of {A} is not allowed in your subscription. The available VM sizes are 'x,y'",
            TWO,
            {"a": A},
            (),
            {A},
            id="closed to the subscription",
        ),
        pytest.param(
            "SkuNotAvailable", NO_ROOM.format(A), spec(PoolSpec("a", {"vmSize": A})), {"a": A}, (), set(), id="named"
        ),
        pytest.param(
            "SkuNotAvailable",
            NO_ROOM.format(A),
            spec(PoolSpec("a", {}), candidates=(A, B)),
            {"a": A},
            (),
            {A},
            id="candidates of the cluster",
        ),
    ],
)
def test_the_size_at_fault(
    code: str, reason: str, declared: ClusterSpec, sent: dict[str, str], refused: tuple[str, ...], found: set[str]
) -> None:
    failure = ServiceError("Creating", reason, code=code)
    assert sizes_at_fault(failure, declared, sent, refused) == {one.lower() for one in found}
