# SPDX-License-Identifier: GPL-3.0-or-later
"""Which size a refusal of Azure is about, whether another candidate is left, and what may be removed for it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.plan import Step
from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.spec import ClusterSpec, PoolSpec, SizeSelection
from ansible_collections.mcpops.platform.plugins.module_utils.arm.refused_sizes import Creation, sizes_at_fault
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


def cluster(state: str = "Failed", uid: str = "1", size: str = A, name: str = "a", etag: str = "e") -> dict[str, Any]:
    pools = [{"name": name, "vmSize": size, "provisioningState": state, "eTag": etag}]
    properties = {"provisioningState": state, "resourceUID": uid, "agentPoolProfiles": pools}
    return {"id": "i", "eTag": etag, "properties": properties}


CREATIONS = {
    "cluster": Creation(TWO, Step("PUT", (), body=cluster("", etag=""), create=True), cluster("Creating", etag="")),
    "pool": Creation(TWO, Step("PUT", (), pool="a", body={"properties": {"vmSize": A}}, create=True)),
}


@pytest.mark.parametrize("made", CREATIONS)
@pytest.mark.parametrize(
    ("stands", "doubt"),
    [
        pytest.param(cluster(), "", id="it failed"),
        pytest.param(cluster("Canceled"), "", id="it was cancelled"),
        pytest.param(cluster(size=A.upper()), "", id="in any case"),
        pytest.param(cluster("Succeeded"), "it is Succeeded now", id="it was made all the same"),
        pytest.param(cluster("Updating"), "it is Updating now", id="somebody works on it"),
        pytest.param(cluster(size=C), "not those", id="of another size"),
        pytest.param(cluster(etag=""), "eTag", id="it cannot be removed as it was read"),
    ],
)
def test_what_may_be_removed(made: str, stands: dict[str, Any], doubt: str) -> None:
    creation = CREATIONS[made]
    found = creation.found_in(stands)
    assert found is not None
    assert doubt in creation.doubt(found) and bool(doubt) == bool(creation.doubt(found))


def test_a_cluster_of_the_same_name_that_is_another_one_stays() -> None:
    assert "another one" in CREATIONS["cluster"].doubt(cluster(uid="2"))


@pytest.mark.parametrize(("made", "stands"), [("cluster", None), ("pool", None), ("pool", cluster(name="b"))])
def test_what_is_gone_is_not_found(made: str, stands: dict[str, Any] | None) -> None:
    assert CREATIONS[made].found_in(stands) is None
