# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lists of Azure allow and Azure refuses all the same: the next declared size is taken, nothing is left."""

from __future__ import annotations

from typing import Any

import pytest
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, azure_resource

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
    assert any("left behind as Failed" in warning for warning in task.warnings)
