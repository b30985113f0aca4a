# SPDX-License-Identifier: GPL-3.0-or-later
"""Declarations that the service takes and answers in other words: nothing changes in a second run, nothing is refused.
And what a preflight has to count before anything is created."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, aks_sku_preflight, azure_resource

OWNER = {"host": "h1", "environment": "dev"}
GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2", "owner": OWNER}
SYSTEM = {"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}
CLUSTER = {"name": "c1", "resource_group": "rg", "location": "eastus2", "node_pools": [SYSTEM]}
SPOT_TAINT = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"


def refused(result: dict[str, Any]) -> str:
    """The message of a run that failed before anything was changed."""
    assert result["failed"]
    return str(result["msg"])


def with_pool(**pool: Any) -> dict[str, Any]:
    work = {"name": "work", "mode": "User", "count": 1, "vm_size": "Standard_D2s_v5", **pool}
    return {**CLUSTER, "node_pools": [SYSTEM, work]}


def raw(**properties: Any) -> dict[str, Any]:
    return {**CLUSTER, "properties": properties}


WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/w"
DECLARED: dict[str, dict[str, Any]] = {
    "addresses and ranges": raw(
        apiServerAccessProfile={"authorizedIPRanges": ["203.0.113.9", "198.51.100.77/24", "203.0.113.9/32"]}
    ),
    "the mode of a zone": raw(apiServerAccessProfile={"enablePrivateCluster": "true", "privateDNSZone": "System"}),
    "the key of an add-on": raw(
        addonProfiles={"OMSAgent": {"enabled": True, "config": {"logAnalyticsWorkspaceResourceId": WORKSPACE}}}
    ),
    "known sets in other cases": raw(
        networkProfile={"outboundType": "LOADBALANCER", "ipFamilies": ["ipv4"]},
        autoUpgradeProfile={"upgradeChannel": "NONE"},
    ),
    "a key with its newline": raw(
        linuxProfile={"adminUsername": "azureuser", "ssh": {"publicKeys": [{"keyData": "ssh-rsa AAAA me\n"}]}}
    ),
    "a version in full": raw(kubernetesVersion="1.34.4"),
    "flags that are off": raw(disableLocalAccounts=False, azureMonitorProfile={"metrics": {"enabled": False}}),
    "priority spelled out": with_pool(
        properties={"scaleSetPriority": "Regular", "scaleSetEvictionPolicy": "Delete", "spotMaxPrice": -1}
    ),
    "a Spot pool without taints": with_pool(taints=[], properties={"scaleSetPriority": "spot"}),
    "a Spot pool with taints": with_pool(taints=["a=b:NoSchedule"], properties={"scaleSetPriority": "Spot"}),
    "a Spot pool with its own taint": with_pool(taints=[SPOT_TAINT], properties={"scaleSetPriority": "Spot"}),
    "zones as numbers": with_pool(zones=[3, 2]),
    "a pool's version in full": with_pool(properties={"orchestratorVersion": "1.34.4"}),
    "ports in another order": with_pool(
        properties={
            "networkProfile": {
                "allowedHostPorts": [
                    {"portStart": "443", "portEnd": 443, "protocol": "tcp"},
                    {"portStart": 80, "portEnd": "90", "protocol": "TCP"},
                ]
            }
        }
    ),
    "settings of the kubelet": with_pool(
        properties={"kubeletConfig": {"cpuManagerPolicy": "Static", "imageGcHighThreshold": "85"}}
    ),
    "a flag that is off in a pool": with_pool(properties={"enableUltraSSD": "false", "enableFIPS": False}),
}


@pytest.fixture
def group(azure: Azure) -> Azure:
    assert azure.run(azure_resource, GROUP)["changed"]
    return azure


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED.keys())
def test_a_second_run_changes_nothing(group: Azure, declared: dict[str, Any]) -> None:
    assert group.run(aks_cluster, declared)["changed"]
    before = len(group.requests())
    assert not group.run(aks_cluster, declared)["changed"]
    assert len(group.requests()) == before + 1
    # and what is declared stays when something else is changed
    assert group.run(aks_cluster, {**declared, "tags": {"a": "b"}})["changed"]
    assert not group.run(aks_cluster, declared)["changed"]


@pytest.mark.parametrize("declared", list(DECLARED.values())[:7], ids=list(DECLARED)[:7])
@pytest.mark.parametrize("version", ["", "2026-02-01"])
def test_nor_does_one_as_a_resource(group: Azure, declared: dict[str, Any], version: str) -> None:
    group.run(aks_cluster, declared)
    resource = {
        "type": names.MANAGED_CLUSTERS,
        "name": "c1",
        "resource_group": "rg",
        "location": "East US 2",
        "properties": declared["properties"],
        **({"api_version": version} if version else {}),
    }
    assert not group.run(azure_resource, resource)["changed"]


MOVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "flat to overlay": (
        {**CLUSTER, "network": {"plugin": "azure"}},
        {**CLUSTER, "network": {"plugin": "azure", "plugin_mode": "overlay", "pod_cidr": "192.168.0.0/16"}},
    ),
    "kubenet to overlay": (
        {**CLUSTER, "network": {"plugin": "kubenet"}},
        {**CLUSTER, "network": {"plugin": "azure", "plugin_mode": "overlay", "pod_cidr": "10.99.0.0/16"}},
    ),
    "basic to standard": (
        raw(networkProfile={"loadBalancerSku": "Basic"}),
        raw(networkProfile={"loadBalancerSku": "Standard"}),
    ),
    "another Linux": (with_pool(os_sku="CBLMariner"), with_pool(os_sku="AzureLinux3")),
    "FIPS": (with_pool(), with_pool(properties={"enableFIPS": True})),
    "the API server into its network": (
        CLUSTER,
        raw(apiServerAccessProfile={"enableVnetIntegration": True, "enablePrivateCluster": True}),
    ),
}


@pytest.mark.parametrize(("before", "after"), MOVES.values(), ids=MOVES.keys())
def test_what_the_service_takes(group: Azure, before: dict[str, Any], after: dict[str, Any]) -> None:
    group.run(aks_cluster, before)
    assert group.run(aks_cluster, after)["changed"]
    assert not group.run(aks_cluster, after)["changed"]


def test_an_assigned_identity_becomes_the_systems(group: Azure) -> None:
    one = f"/subscriptions/{group.config.subscription_id}/resourceGroups/rg/providers/"
    one += "Microsoft.ManagedIdentity/userAssignedIdentities/one"
    group.run(aks_cluster, {**CLUSTER, "identity": {"type": "UserAssigned", "user_assigned_identities": [one]}})
    declared = {**CLUSTER, "identity": {"type": "SystemAssigned"}}
    assert group.run(aks_cluster, declared)["changed"]
    assert not group.run(aks_cluster, declared)["changed"]


def test_a_cluster_for_long_term_support(group: Azure) -> None:
    lts = {"supportPlan": "AKSLongTermSupport"}
    assert re.search("AKSLongTermSupport", refused(group.run(aks_cluster, {**CLUSTER, "sku_tier": "Premium"})))
    made = {**CLUSTER, "sku_tier": "Premium", "properties": lts}
    assert group.run(aks_cluster, made)["changed"]
    assert not group.run(aks_cluster, made)["changed"]
    assert re.search("sku_tier Premium", refused(group.run(aks_cluster, {**CLUSTER, "sku_tier": "Standard"})))


def test_a_version_for_long_term_support_only(group: Azure) -> None:
    told = refused(group.run(aks_cluster, {**CLUSTER, "kubernetes_version": "1.33"}))
    assert re.search("for long-term support only.*offered are 1.34.4, 1.35.4", told)


# --- counting


def chosen(*pools: dict[str, Any]) -> dict[str, Any]:
    sizes = {"candidates": ["Standard_D8s_v5", "Standard_D2s_v5"], "surge_nodes": 1}
    return {**CLUSTER, "node_pools": list(pools), "vm_size_selection": sizes}


def preflight(azure: Azure, declared: dict[str, Any], pool: str) -> str:
    options = {key: declared[key] for key in ("location", "node_pools")}
    choice = declared["vm_size_selection"]
    asked = {**options, **choice, "node_pool": pool, "allow_burstable": True}
    result = azure.run(aks_sku_preflight, asked)
    return str(result["msg"] if result.get("failed") else result["vm_size"])


def test_pools_share_the_quota(group: Azure) -> None:
    """Each would fit alone: 24 and 8 for a surge of the 40 that are left."""
    group.faults.add("quota", name="cores", limit=40)
    first = {"name": "first", "mode": "System", "count": 3}
    second = {"name": "second", "mode": "User", "count": 3}
    declared = chosen(first, second)
    assert preflight(group, declared, "first") == "Standard_D8s_v5"
    assert preflight(group, declared, "second") == "Standard_D2s_v5"
    made = group.run(aks_cluster, declared)["cluster"]
    assert [pool["vm_size"] for pool in made["node_pools"]] == ["Standard_D8s_v5", "Standard_D2s_v5"]


def test_a_size_that_a_pool_names_counts_as_well(group: Azure) -> None:
    group.faults.add("quota", name="cores", limit=40)
    declared = chosen(
        {"name": "first", "mode": "System", "count": 3, "vm_size": "Standard_D8s_v5"},
        {"name": "second", "mode": "User", "count": 3},
    )
    assert preflight(group, declared, "second") == "Standard_D2s_v5"


def test_what_fits_in_no_way_is_told_with_what_others_take(group: Azure) -> None:
    group.faults.add("quota", name="cores", limit=26)
    declared = chosen({"name": "a", "mode": "System", "count": 9}, {"name": "b", "mode": "User", "count": 9})
    assert re.search("beside 18 of other new pools", refused(group.run(aks_cluster, declared)))


def test_spot_pools_count_against_their_own_quota(group: Azure) -> None:
    group.faults.add("quota", name="cores", limit=12)
    group.faults.add("quota", name="lowPriorityCores", limit=40)
    spot = {"name": "spot", "mode": "User", "count": 2, "properties": {"scaleSetPriority": "Spot"}}
    system = {"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}
    assert preflight(group, chosen(system, spot), "spot") == "Standard_D8s_v5"
    assert group.run(aks_cluster, chosen(system, spot))["changed"]
    assert "low-priority vCPUs" in preflight(group, chosen(system, {**spot, "count": 30}), "spot")


def test_an_ephemeral_disk_has_to_fit(group: Azure) -> None:
    asked = {"location": "eastus2", "candidates": ["Standard_D2ds_v5", "Standard_D16ds_v5"], "ephemeral_os_disk": True}
    assert group.run(aks_sku_preflight, {**asked, "os_disk_size_gb": 60})["vm_size"] == "Standard_D2ds_v5"
    assert group.run(aks_sku_preflight, {**asked, "os_disk_size_gb": 500})["vm_size"] == "Standard_D16ds_v5"


def test_a_size_that_is_listed_twice_has_all_its_zones(group: Azure) -> None:
    asked = {"location": "eastus2", "candidates": ["Standard_E8as_v5"], "zones": ["1", "2", "3"]}
    assert group.run(aks_sku_preflight, asked)["vm_size"] == "Standard_E8as_v5"


def test_the_answer_holds_for_what_is_created(group: Azure) -> None:
    """What the service says of the cluster is what was chosen for it."""
    group.faults.add("quota", name="cores", limit=40)
    declared = chosen({"name": "a", "mode": "System", "count": 2}, {"name": "b", "mode": "User", "count": 4})
    answers = [preflight(group, declared, name) for name in ("a", "b")]
    group.run(aks_cluster, declared)
    arm = Arm.connect(group.task(aks_cluster, CLUSTER))
    place = names.cluster_id(group.config.subscription_id, "rg", "c1")
    body = arm.read(place, "Reading", names.api_version_of(names.MANAGED_CLUSTERS)).body or {}
    assert [pool["vmSize"] for pool in body["properties"]["agentPoolProfiles"]] == answers
