# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told before anything is asked: every rule, and that all of them speak together."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.validate import creation_problems, problems_of
from ansible_collections.mcpops.platform.plugins.module_utils.arm.names import MANAGED_CLUSTERS, RESOURCE_GROUPS
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_plan import problems as resource_problems
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster
from localcloud.azure.sdk_schema import CONTAINER_SERVICE, model_schema

UAMI = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"


def options(**declared: Any) -> dict[str, Any]:
    return {"name": "agents", "resource_group": "rg", "wait_timeout": 60, **declared}


def pool(**declared: Any) -> dict[str, Any]:
    return options(node_pools=[{"name": "system", **declared}])


PROBLEMS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "cluster name": (options(name="-agents"), ["name"]),
    "cluster name too long": (options(name="a" * 64), ["name"]),
    "group name": (options(resource_group="rg."), ["resource_group"]),
    "node group name": (options(node_resource_group="a" * 81), ["node_resource_group"]),
    "prefix": (options(dns_prefix="a.b"), ["dns_prefix"]),
    "version": (options(kubernetes_version="v1.34"), ["kubernetes_version"]),
    "version that YAML made a number of": (options(kubernetes_version="1"), ["kubernetes_version"]),
    "tag that is a map": (options(tags={"a": {"b": 1}}), ["tags.a"]),
    "tag name": (options(tags={"a/b": "c"}), ["tags.a/b"]),
    "too many tags": (options(tags={str(n): "x" for n in range(51)}), ["tags"]),
    "workload identity without an issuer": (options(workload_identity=True), ["workload_identity"]),
    "workload identity with the issuer off": (
        options(workload_identity=True, oidc_issuer=False),
        ["workload_identity"],
    ),
    "user-assigned without an id": (options(identity={"type": "UserAssigned"}), ["identity.user_assigned_identities"]),
    "system-assigned with an id": (
        options(identity={"type": "SystemAssigned", "user_assigned_identities": [UAMI]}),
        ["identity.user_assigned_identities"],
    ),
    "an id of something else": (
        options(identity={"type": "UserAssigned", "user_assigned_identities": ["/subscriptions/s"]}),
        ["identity.user_assigned_identities"],
    ),
    "no network": (options(network={"service_cidr": "10.0.0.0/33"}), ["network.service_cidr"]),
    "DNS elsewhere": (
        options(network={"service_cidr": "10.0.0.0/16", "dns_service_ip": "10.1.0.10"}),
        ["network.dns_service_ip"],
    ),
    "DNS at the API server's address": (
        options(network={"service_cidr": "10.0.0.0/16", "dns_service_ip": "10.0.0.1"}),
        ["network.dns_service_ip"],
    ),
    "overlap": (options(network={"service_cidr": "10.0.0.0/16", "pod_cidr": "10.0.8.0/24"}), ["network.pod_cidr"]),
    "overlay without azure": (
        options(network={"plugin": "kubenet", "plugin_mode": "overlay"}),
        ["network.plugin_mode"],
    ),
    "azure policy without azure": (options(network={"plugin": "kubenet", "policy": "azure"}), ["network.policy"]),
    "pool name": (options(node_pools=[{"name": "System-1"}]), ["node_pools[System-1].name"]),
    "pool twice": (options(node_pools=[{"name": "a"}, {"name": "a"}]), ["node_pools[a].name"]),
    "no pools": (options(node_pools=[]), ["node_pools"]),
    "too many nodes": (pool(count=1001), ["node_pools[system].count"]),
    "no nodes in a system pool": (pool(mode="System", count=0), ["node_pools[system].count"]),
    "bounds crossed": (
        pool(enable_auto_scaling=True, min_count=3, max_count=2),
        ["node_pools[system].min_count"],
    ),
    "count outside bounds": (
        pool(enable_auto_scaling=True, min_count=1, max_count=3, count=4),
        ["node_pools[system].count"],
    ),
    "autoscaler without bounds": (pool(enable_auto_scaling=True), ["node_pools[system].enable_auto_scaling"]),
    "bounds without autoscaler": (pool(min_count=1, max_count=2), ["node_pools[system].min_count"]),
    "size and candidates": (pool(vm_size="a", vm_size_candidates=["b"]), ["node_pools[system].vm_size_candidates"]),
    "raw size and candidates": (
        pool(properties={"vmSize": "a"}, vm_size_candidates=["b"]),
        ["node_pools[system].vm_size_candidates"],
    ),
    "size and a GPU": (pool(vm_size="a", gpu=True), ["node_pools[system].gpu"]),
    "raw size and memory": (
        pool(properties={"vmSize": "a"}, min_memory_gb=8),
        ["node_pools[system].min_memory_gb"],
    ),
    "less than no memory": (pool(min_memory_gb=-1), ["node_pools[system].min_memory_gb"]),
    "surge": (options(vm_size_selection={"surge_nodes": -1}), ["vm_size_selection.surge_nodes"]),
    "too few pods": (pool(mode="System", max_pods=20), ["node_pools[system].max_pods"]),
    "small disk": (pool(os_disk_size_gb=10), ["node_pools[system].os_disk_size_gb"]),
    "taint": (pool(taints=["a=b:Never"]), ["node_pools[system].taints"]),
    "raw taint": (pool(properties={"nodeTaints": [True]}), ["node_pools[system].properties.nodeTaints"]),
    "label": (pool(labels={"a": "b c"}), ["node_pools[system].labels.a"]),
    "label with nothing before its slash": (pool(labels={"/a": "b"}), ["node_pools[system].labels./a"]),
    "zone": (pool(zones=["eastus2-1"]), ["node_pools[system].zones"]),
    "purge without a list": (options(purge_node_pools=True, owner={"host": "h"}), ["purge_node_pools"]),
    "purge without an owner": (pool(mode="System") | {"purge_node_pools": True}, ["purge_node_pools"]),
    "purge that would leave no system pool": (
        pool(mode="User") | {"purge_node_pools": True, "owner": {"host": "h"}},
        ["node_pools"],
    ),
    "raw pools": (options(properties={"agentPoolProfiles": []}), ["properties.agentPoolProfiles"]),
    "declared twice": (
        options(
            dns_prefix="a",
            network={"plugin": "azure"},
            properties={"dnsPrefix": "b", "networkProfile": {"networkPlugin": "x"}},
        ),
        ["properties.dnsPrefix", "properties.networkProfile.networkPlugin"],
    ),
    "declared twice in a pool": (
        pool(vm_size="a", properties={"vmSize": "b"}),
        ["node_pools[system].properties.vmSize"],
    ),
    "location without text": (options(location=""), ["location"]),
    "location of blanks": (options(location=" \n"), ["location"]),
    "timeout": (options(wait_timeout=0), ["wait_timeout"]),
    "two problems at once": (options(name="-a", workload_identity=True), ["name", "workload_identity"]),
}


@pytest.mark.parametrize(("declared", "paths"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_problem(declared: dict[str, Any], paths: list[str]) -> None:
    assert [problem.path for problem in problems_of(declared)] == paths


FINE = {
    "least": options(),
    "workload identity by raw issuer": options(
        workload_identity=True, properties={"oidcIssuerProfile": {"enabled": True}}
    ),
    "a full pool": pool(
        mode="System",
        enable_auto_scaling=True,
        min_count=1,
        max_count=3,
        count=2,
        taints=["CriticalAddonsOnly=true:NoSchedule", "a:NoExecute"],
        labels={"example.org/a": "", "b": "c-1"},
        zones=["1", "3"],
        max_pods=110,
        os_disk_size_gb=128,
    ),
    "pod addresses of a cluster that may be in overlay mode": options(
        network={"plugin": "azure", "pod_cidr": "10.9.0.0/16"}
    ),
    "a pool of egress gateways": pool(mode="Gateway", count=2),
    "a full network": options(
        network={
            "plugin": "azure",
            "plugin_mode": "overlay",
            "pod_cidr": "10.244.0.0/16",
            "service_cidr": "10.0.0.0/16",
            "dns_service_ip": "10.0.0.10",
            "policy": "cilium",
        }
    ),
}


# what an environment variable that is not set comes to would be a change of the region, or a request for none
@pytest.mark.parametrize("text", ["", " ", "\t\n"], ids=repr)
@pytest.mark.parametrize("resource_type", [RESOURCE_GROUPS, MANAGED_CLUSTERS, "Microsoft.Network/publicIPAddresses"])
def test_a_location_without_text_is_told_of_any_resource(resource_type: str, text: str) -> None:
    def wrong(**declared: Any) -> list[str]:
        place = {} if resource_type == RESOURCE_GROUPS else {"resource_group": "rg"}
        version = {"api_version": "2024-01-01", "update_method": "put_merged", "wait_timeout": 60}
        found = resource_problems({"type": resource_type, "name": "one", **place, **version, **declared})
        return [problem.path for problem in found]

    assert wrong(state="present", location=text) == ["location"]
    assert wrong(state="present", location="eastus2") == wrong(state="present", location=None) == []
    # what is to go needs none
    assert wrong(state="absent", location=text) == []


@pytest.mark.parametrize("declared", FINE.values(), ids=FINE.keys())
def test_fine(declared: dict[str, Any]) -> None:
    assert problems_of(declared) == []


@pytest.mark.parametrize(
    ("declared", "paths"),
    [
        pytest.param(options(), ["location", "node_pools"], id="nothing"),
        pytest.param(
            options(location="eastus2", node_pools=[{"name": "a", "mode": "User"}]), ["node_pools"], id="no system pool"
        ),
        pytest.param(
            options(location="x", node_pools=[{"name": "a"}], network={"plugin": "azure", "pod_cidr": "10.9.0.0/16"}),
            ["network.pod_cidr"],
            id="pod addresses without overlay",
        ),
        pytest.param(
            options(
                location="x",
                node_pools=[{"name": "a"}],
                network={"plugin": "azure", "pod_cidr": "10.9.0.0/16"},
                properties={"networkProfile": {"networkPluginMode": "overlay"}},
            ),
            [],
            id="overlay as a raw property",
        ),
        pytest.param(options(location="eastus2", node_pools=[{"name": "a"}]), [], id="one pool without a mode"),
        pytest.param(
            options(
                location="eastus2",
                node_pools=[{"name": "a", "mode": "User"}, {"name": "b", "properties": {"mode": "System"}}],
            ),
            [],
            id="system pool as a raw property",
        ),
        pytest.param(
            options(location="eastus2", node_pools=[{"name": "a"}, {"name": "b", "properties": {"mode": "User"}}]),
            ["node_pools"],
            id="no system pool, as a raw property",
        ),
    ],
)
def test_what_a_creation_needs(declared: dict[str, Any], paths: list[str]) -> None:
    assert [problem.path for problem in creation_problems(declared)] == paths


CHOICES = {
    "sku_tier": ("ManagedClusterSKU", "tier"),
    "network.plugin": ("ContainerServiceNetworkProfile", "networkPlugin"),
    "network.plugin_mode": ("ContainerServiceNetworkProfile", "networkPluginMode"),
    "network.policy": ("ContainerServiceNetworkProfile", "networkPolicy"),
    "node_pools.mode": ("ManagedClusterAgentPoolProfile", "mode"),
    "node_pools.os_disk_type": ("ManagedClusterAgentPoolProfile", "osDiskType"),
}


@pytest.mark.parametrize("option", CHOICES)
def test_every_known_value_is_a_choice(option: str) -> None:
    """What the service takes is not refused: a value that the models learn is to be one of the options' as well."""
    model, name = CHOICES[option]
    spec: Any = {"options": aks_cluster.ARGUMENT_SPEC}
    for part in option.split("."):
        spec = spec["options"][part]
    schema = model_schema(CONTAINER_SERVICE, model)["$defs"][model]["properties"][name]
    known = next(found for found in (schema, *schema.get("anyOf", ())) if "x-known-values" in found)
    assert set(spec["choices"]) == set(known["x-known-values"])
