# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lists of Azure allow and Azure refuses all the same: the next declared size is taken, nothing is left."""

from __future__ import annotations

from typing import Any

import pytest
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks_cluster import API_VERSION
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.arm.reconcile import await_operation
from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, azure_preflight, azure_resource

SIZES = ["Standard_D4s_v5", "Standard_D8s_v5", "Standard_D2s_v5"]
SYSTEM = {"name": "system", "mode": "System", "count": 1, "vm_size_candidates": SIZES}
CLUSTER: dict[str, Any] = {"name": "c1", "resource_group": "rg", "location": "eastus2", "node_pools": [SYSTEM]}
WORK = {"name": "work", "mode": "User", "count": 1, "vm_size_candidates": SIZES}
REFUSAL = (
    "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {}' is currently not "
    "available in location 'eastus2'."
)


@pytest.fixture
def group(azure: Azure) -> Azure:
    made = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2"}
    assert azure.run(azure_resource, made)["changed"]
    return azure


def refuse(azure: Azure, size: str, code: str = "SkuNotAvailable") -> None:
    creation = "(?!.*delet).*"
    azure.faults.add("operation-failed", operation=creation, code=code, message=REFUSAL.format(size))


def sizes(result: dict[str, Any]) -> dict[str, str]:
    return {pool["name"]: pool["vm_size"] for pool in result["cluster"]["node_pools"]}


def test_a_new_cluster_gets_the_next_size(group: Azure) -> None:
    refuse(group, SIZES[0])
    made = group.run(aks_cluster, CLUSTER)
    assert made["changed"] and sizes(made) == {"system": SIZES[1]}
    assert not group.run(aks_cluster, CLUSTER)["changed"]


def test_a_new_pool_gets_the_one_after_two_refusals(group: Azure) -> None:
    group.run(aks_cluster, CLUSTER)
    refuse(group, SIZES[0], "ZonalAllocationFailed")
    refuse(group, SIZES[1])
    made = group.run(aks_cluster, {**CLUSTER, "node_pools": [SYSTEM, WORK]})
    assert sizes(made) == {"system": SIZES[0], "work": SIZES[2]}
    assert not group.run(aks_cluster, {**CLUSTER, "node_pools": [SYSTEM, WORK]})["changed"]


def test_where_none_is_left_the_refusal_is_the_result_and_the_pool_stays_for_people(group: Azure) -> None:
    for size in SIZES:
        refuse(group, size)
    failed = group.run(aks_cluster, CLUSTER)
    assert failed["failed"] and SIZES[2] in failed["msg"] and failed["error"]["code"] == "SkuNotAvailable"


@pytest.mark.parametrize(
    ("pool", "code"),
    [
        pytest.param({**SYSTEM, "vm_size_candidates": None, "vm_size": SIZES[0]}, "SkuNotAvailable", id="named"),
        pytest.param(SYSTEM, "InternalServerError", id="another reason"),
    ],
)
def test_what_no_other_size_would_cure_is_not_deleted(group: Azure, pool: dict[str, Any], code: str) -> None:
    refuse(group, SIZES[0], code)
    failed = group.run(aks_cluster, {**CLUSTER, "node_pools": [pool]})
    assert failed["failed"] and failed["error"]["code"] == code
    assert {entry["method"] for entry in group.log.writes()} == {"PUT"}


@pytest.mark.parametrize("fault", ["throttle", "unavailable", "busy", "etag-race"])
def test_a_deletion_that_has_to_wait_is_made_all_the_same(group: Azure, fault: str) -> None:
    group.run(aks_cluster, CLUSTER)
    refuse(group, SIZES[0])
    group.faults.add(fault, method="DELETE")
    task = group.task(aks_cluster, {**CLUSTER, "node_pools": [SYSTEM, WORK]})
    made = aks_cluster.OPERATION(task).to_dict(True)
    assert sizes(made) == {"system": SIZES[0], "work": SIZES[1]}
    assert any("What was left of it is deleted" in warning for warning in task.warnings)


def test_who_may_not_delete_is_told_the_refusal(group: Azure) -> None:
    refuse(group, SIZES[0])
    group.faults.add("forbidden", action="Microsoft.ContainerService/managedClusters/delete")
    task = group.task(aks_cluster, CLUSTER)
    with pytest.raises(ServiceError) as refused:
        aks_cluster.OPERATION(task)
    assert refused.value.code == "SkuNotAvailable"
    (warning,) = task.warnings
    assert "AKS cluster c1 is left behind as Failed" in warning
    assert "Microsoft.ContainerService/managedClusters/delete" in warning


def fails(azure: Azure, declared: dict[str, Any]) -> str:
    """The refusal is the result, nothing is deleted, and what is said of it."""
    task = azure.task(aks_cluster, declared)
    with pytest.raises(ServiceError) as refused:
        aks_cluster.OPERATION(task)
    assert refused.value.code == "SkuNotAvailable"
    assert "DELETE" not in {entry["method"] for entry in azure.log.writes() if entry["status"] < 400}
    return " ".join(task.warnings)


@pytest.mark.parametrize("pools", [[SYSTEM], [{**SYSTEM, "vm_size_candidates": SIZES[:2]}, WORK]])
def test_who_does_not_want_another_size_keeps_what_was_made(group: Azure, pools: list[dict[str, Any]]) -> None:
    refuse(group, SIZES[0])
    sizes = {"try_next": False, "candidates": SIZES}
    assert fails(group, {**CLUSTER, "node_pools": pools, "vm_size_selection": sizes}) == ""


@pytest.mark.parametrize("other", ["Standard_Nope", "Standard_D64s_v5"], ids=["is not offered", "has no quota"])
def test_nothing_is_deleted_where_no_other_candidate_fits(group: Azure, other: str) -> None:
    group.run(aks_cluster, CLUSTER)
    refuse(group, SIZES[0])
    said = fails(group, {**CLUSTER, "node_pools": [SYSTEM, {**WORK, "vm_size_candidates": [SIZES[0], other]}]})
    assert "No other size is tried" in said and other in said and "node pool work of AKS cluster c1 is left" in said


@pytest.mark.parametrize("made", ["pool", "cluster"])
def test_what_somebody_else_has_changed_is_not_deleted(
    group: Azure, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are a moment faster than the removal."""
    if made == "pool":
        group.run(aks_cluster, CLUSTER)
    refuse(group, SIZES[0])
    write = Arm.write

    def after_a_change(arm: Arm, method: str, resource_id: str, *details: Any, **preconditions: Any) -> Any:
        if method == "DELETE":
            monkeypatch.setattr(Arm, "write", write)
            found = arm.read(resource_id.partition("/agentPools/")[0], "reading", API_VERSION).body or {}
            tags = {"tags": {"touched": "by hand"}}
            await_operation(arm, write(arm, "PATCH", found["id"], "tagging", API_VERSION, tags), "it", "tagging")
        return write(arm, method, resource_id, *details, **preconditions)

    monkeypatch.setattr(Arm, "write", after_a_change)
    said = fails(group, CLUSTER if made == "cluster" else {**CLUSTER, "node_pools": [SYSTEM, WORK]})
    assert "No other size is tried: " in said


# --- beside other clusters of the same run

FAMILIES = {
    "Standard_D8s_v5": "standardDSv5Family",
    "Standard_D8s_v4": "standardDSv4Family",
    "Standard_D8s_v3": "standardDSv3Family",
}


def of_host(host: str) -> dict[str, Any]:
    pool = {"name": "system", "mode": "System", "count": 3, "vm_size_candidates": list(FAMILIES)}
    return {"host": host, "cluster": {**CLUSTER, "name": host, "node_pools": [pool]}}


@pytest.mark.parametrize("others_are_kept", [True, False], ids=["beside", "alone"])
def test_the_next_size_is_not_one_that_another_cluster_was_promised(group: Azure, others_are_kept: bool) -> None:
    """Cores of each family for one of them: what is refused to the first leaves it what the second does not get."""
    for family in FAMILIES.values():
        group.faults.add("quota", name=family, limit=40)
    entries = [of_host(host) for host in ("a", "b")]
    chosen: dict[str, dict[str, str]] = {"a": {"system": "Standard_D8s_v5"}, "b": {}}
    if others_are_kept:
        for entry in entries:
            group.run(azure_preflight, {"clusters": [entry], "share": "keep"})
        for entry in entries:
            found = group.run(azure_preflight, {"clusters": [entry], "share": "look"})["node_pools"]
            chosen[entry["host"]] = {row["node_pool"]: row["vm_size"] for row in found}
        assert [chosen[host]["system"] for host in "ab"] == list(FAMILIES)[:2]
    refuse(group, "Standard_D8s_v5")
    got = {}
    for entry in entries[: 2 if others_are_kept else 1]:
        declared = {**entry["cluster"], "vm_size_selection": {"chosen": chosen[entry["host"]]}}
        got[entry["host"]] = sizes(group.run(aks_cluster, declared))["system"]
    wanted = {"a": "Standard_D8s_v3", "b": "Standard_D8s_v4"} if others_are_kept else {"a": "Standard_D8s_v4"}
    assert got == wanted


def test_where_all_others_are_promised_the_refusal_is_the_result(group: Azure) -> None:
    for family in FAMILIES.values():
        group.faults.add("quota", name=family, limit=40)
    entries = [of_host(host) for host in ("a", "b", "c")]
    for share in ("keep", "look"):
        for entry in entries:
            assert not group.run(azure_preflight, {"clusters": [entry], "share": share}).get("failed")
    refuse(group, "Standard_D8s_v5")
    declared = {**entries[0]["cluster"], "vm_size_selection": {"chosen": {"system": "Standard_D8s_v5"}}}
    assert "beside 24 of other new pools" in fails(group, declared)
    for entry, size in zip(entries[1:], list(FAMILIES)[1:]):
        selection = {"vm_size_selection": {"chosen": {"system": size}}}
        assert sizes(group.run(aks_cluster, {**entry["cluster"], **selection}))["system"] == size
