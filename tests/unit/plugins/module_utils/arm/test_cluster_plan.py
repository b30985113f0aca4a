# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declaration changes at a cluster that stands, and what it leaves alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jsonschema import Draft202012Validator

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.plan import (
    FIXED,
    ClusterPlan,
    default_dns_prefix,
    plan_cluster,
    plan_removal,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.spec import (
    ClusterSpec,
    cluster_spec,
    surplus_pools,
)
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster
from localcloud.azure.sdk_schema import CONTAINER_SERVICE, model_schema

STANDING: dict[str, Any] = json.loads(Path(__file__).with_name("bodies").joinpath("cluster.json").read_text())
OWNER = {"host": "h1", "environment": "dev"}
OURS = {"mcpops-collection": "mcpops.platform", "mcpops-host": "h1", "mcpops-environment": "dev"}
SYSTEM = {"name": "system"}


def spec(**options: Any) -> ClusterSpec:
    arguments = {"name": "agents", "resource_group": "rg", **options}
    validated = ArgumentSpecValidator(aks_cluster.ARGUMENT_SPEC).validate(arguments)
    assert not validated.error_messages, validated.error_messages
    return cluster_spec(validated.validated_parameters, "00000000-0000-0000-0000-000000000001")


def existing(change: Callable[[dict[str, Any]], Any] = lambda body: None) -> dict[str, Any]:
    body = copy.deepcopy(STANDING)
    change(body)
    return body


def planned(*, change: Callable[[dict[str, Any]], Any] = lambda body: None, **options: Any) -> Plan:
    return plan_cluster(existing(change), spec(**options))


def pool(body: Any, name: str = "system") -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in body["properties"]["agentPoolProfiles"] if item["name"] == name)
    return found


def sent(plan: Plan, name: str) -> dict[str, Any]:
    """The properties that a pool's own PUT carries."""
    assert isinstance(plan, ClusterPlan)
    found: dict[str, Any] = next(step.body["properties"] for step in plan.steps if step.pool == name)
    return found


def work(**options: Any) -> dict[str, Any]:
    return {"node_pools": [{"name": "work", **options}]}


UNCHANGED = {
    "nothing declared": {},
    "location spelled as people do": {"location": "East US 2"},
    "version as a minor": {"kubernetes_version": "1.34"},
    "version the service has passed": {"kubernetes_version": "1.34.1"},
    "tags in another case of the name": {"tags": {"TEAM": "agents"}},
    "a flag that is off and was never on": {"workload_identity": False},
    "an empty map": {"tags": {}, "properties": {}},
    "an enum in another case": {"network": {"plugin": "azure", "plugin_mode": "overlay"}, "sku_tier": "Free"},
    "raw properties": {"properties": {"storageProfile": {"diskCSIDriver": {"enabled": True}}}},
    "a false that reads as absent in raw properties": {"properties": {"azureMonitorProfile": {"metrics": None}}},
    "a size in another case": {"node_pools": [{"name": "system", "vm_size": "standard_d2s_V5"}]},
    "the count of an autoscaled pool": work(enable_auto_scaling=True, min_count=1, max_count=5, count=1),
    "the count alone of an autoscaled pool": work(count=1),
    "zones in another order": work(zones=["2", "3"]),
    "a label": work(labels={"workload": "agents"}),
    "no taints where there are none": {"node_pools": [{"name": "system", "taints": []}]},
    "the default OS disk": {"node_pools": [{"name": "system", "os_disk_size_gb": 0}]},
    "an enum in another case as a raw property": {"properties": {"networkProfile": {"outboundType": "LOADBALANCER"}}},
    "a number for a text": {"properties": {"autoScalerProfile": {"max-empty-bulk-delete": 10}}},
    "a boolean for a text": {"properties": {"autoScalerProfile": {"skip-nodes-with-system-pods": True}}},
    "a text for a boolean": {"properties": {"disableLocalAccounts": "False"}},
    "numbers for zones as a raw property": work(properties={"availabilityZones": [3, 2]}),
    "a name in another case": {"properties": {"OIDCissuerprofile": {"enabled": True}}},
    "candidates of a pool that stands": {"node_pools": [{"name": "system", "vm_size_candidates": ["Standard_E8s_v5"]}]},
}


@pytest.mark.parametrize("options", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_is_as_declared(options: dict[str, Any]) -> None:
    plan = planned(**options)
    assert not plan.changes
    assert not plan.refused


CHANGED: dict[str, tuple[dict[str, Any], dict[str, tuple[Any, Any]]]] = {
    "a tag": ({"tags": {"team": "other"}}, {"tags.team": ("agents", "other")}),
    "a higher patch": ({"kubernetes_version": "1.34.9"}, {"properties.kubernetesVersion": ("1.34", "1.34.9")}),
    "the next minor": ({"kubernetes_version": "1.35"}, {"properties.kubernetesVersion": ("1.34", "1.35")}),
    "the tier": ({"sku_tier": "Standard"}, {"sku.tier": ("Free", "Standard")}),
    "workload identity": (
        {"oidc_issuer": True, "workload_identity": True},
        {"properties.securityProfile.workloadIdentity.enabled": ("(absent)", True)},
    ),
    "a fixed count": (
        {"node_pools": [{"name": "system", "count": 3}]},
        {"properties.agentPoolProfiles[system].count": (2, 3)},
    ),
    "a bound": (
        work(enable_auto_scaling=True, min_count=2, max_count=5),
        {"properties.agentPoolProfiles[work].minCount": (1, 2)},
    ),
    "a label that differs in case only": (
        work(labels={"workload": "Agents"}),
        {"properties.agentPoolProfiles[work].nodeLabels.workload": ("agents", "Agents")},
    ),
    "a label set to null": (
        work(labels={"workload": None}),
        {"properties.agentPoolProfiles[work].nodeLabels.workload": ("agents", "(absent)")},
    ),
    "a number for a label": (
        work(labels={"generation": 2}),
        {"properties.agentPoolProfiles[work].nodeLabels.generation": ("(absent)", "2")},
    ),
    "a boolean for a pool's tag": (
        work(properties={"tags": {"spot": False}}),
        {"properties.agentPoolProfiles[work].tags.spot": ("(absent)", "false")},
    ),
    "a boolean for an add-on's configuration": (
        {"properties": {"addonProfiles": {"azureKeyvaultSecretsProvider": {"config": {"enableSecretRotation": True}}}}},
        {"properties.addonProfiles.azureKeyvaultSecretsProvider.config.enableSecretRotation": ("(absent)", "true")},
    ),
    "labels purged": (
        work(labels={"tier": "a"}, purge_labels=True),
        {
            "properties.agentPoolProfiles[work].nodeLabels.workload": ("agents", "(absent)"),
            "properties.agentPoolProfiles[work].nodeLabels.tier": ("(absent)", "a"),
        },
    ),
    "an empty label with a prefix": (
        work(labels={"example.org/gpu": ""}),
        {'properties.agentPoolProfiles[work].nodeLabels."example.org/gpu"': ("(absent)", "")},
    ),
    "a taint less": (
        work(taints=[]),
        {"properties.agentPoolProfiles[work].nodeTaints": (["team=agents:NoSchedule"], [])},
    ),
    "another list of the same length": (
        {"properties": {"apiServerAccessProfile": {"authorizedIPRanges": ["10.1.0.0/16"]}}},
        {"properties.apiServerAccessProfile.authorizedIPRanges": (["10.0.0.0/16"], ["10.1.0.0/16"])},
    ),
}


@pytest.mark.parametrize(("options", "changes"), CHANGED.values(), ids=CHANGED.keys())
def test_changes(options: dict[str, Any], changes: dict[str, tuple[Any, Any]]) -> None:
    def ranges(body: dict[str, Any]) -> None:
        body["properties"]["apiServerAccessProfile"] = {"authorizedIPRanges": ["10.0.0.0/16"]}

    plan = planned(change=ranges, **options)
    shown = {
        change.path: tuple(
            "(absent)" if repr(value) == "(absent)" else value for value in (change.before, change.after)
        )
        for change in plan.changes
    }
    assert shown == changes
    assert not plan.refused


def test_a_key_is_stored_with_its_newline_and_an_add_on_in_its_own_case() -> None:
    def both(body: dict[str, Any]) -> None:
        keys = [{"keyData": "ssh-rsa AAAA me\n"}]
        body["properties"]["linuxProfile"] = {"adminUsername": "azureuser", "ssh": {"publicKeys": keys}}
        body["properties"]["addonProfiles"] = {"omsagent": {"enabled": True, "config": None}}

    keys = [{"keyData": "ssh-rsa AAAA me"}]
    raw = {"linuxProfile": {"ssh": {"publicKeys": keys}}, "addonProfiles": {"omsAgent": {"enabled": True}}}
    assert not planned(change=both, properties=raw).changes


TIERS = {
    "a tier of an Automatic cluster": ({"name": "Automatic", "tier": "Standard"}, "Standard", []),
    "another tier of one": ({"name": "Automatic", "tier": "Standard"}, "Premium", ["sku.tier"]),
    "a name that a later version brings": ({"name": "Hosted", "tier": "Free"}, "Standard", ["sku.tier"]),
}


@pytest.mark.parametrize(("sku", "tier", "paths"), TIERS.values(), ids=TIERS.keys())
def test_a_tier_does_not_change_the_kind_of_a_cluster(sku: dict[str, str], tier: str, paths: list[str]) -> None:
    def other(body: dict[str, Any]) -> None:
        body["sku"] = dict(sku)

    plan = planned(change=other, sku_tier=tier)
    assert [change.path for change in plan.changes] == paths
    assert plan.body["sku"] == {"name": sku["name"], "tier": tier}
    assert plan_cluster(None, spec(location="x", sku_tier=tier, node_pools=[SYSTEM])).body["sku"]["name"] == "Base"


REFUSED = {
    "location": ({"location": "westus2"}, "location"),
    "prefix": ({"dns_prefix": "other"}, "properties.dnsPrefix"),
    "node group": ({"node_resource_group": "other"}, "properties.nodeResourceGroup"),
    "service addresses": ({"network": {"service_cidr": "10.9.0.0/16"}}, "properties.networkProfile.serviceCidr"),
    "plugin": ({"network": {"plugin": "kubenet"}}, "properties.networkProfile.networkPlugin"),
    "issuer off": ({"oidc_issuer": False}, "properties.oidcIssuerProfile.enabled"),
    "size": (work(vm_size="Standard_D8s_v5"), "properties.agentPoolProfiles[work].vmSize"),
    "disk": (work(os_disk_size_gb=256), "properties.agentPoolProfiles[work].osDiskSizeGB"),
    "zones": (work(zones=["1"]), "properties.agentPoolProfiles[work].availabilityZones"),
    "pods": (work(max_pods=30), "properties.agentPoolProfiles[work].maxPods"),
    "system": (work(os_sku="Windows2022"), "properties.agentPoolProfiles[work].osSKU"),
    "downgrade": ({"kubernetes_version": "1.33"}, "properties.kubernetesVersion"),
    "a minor skipped": ({"kubernetes_version": "1.36"}, "properties.kubernetesVersion"),
}


@pytest.mark.parametrize(("options", "path"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(options: dict[str, Any], path: str) -> None:
    refusals = planned(**options).refused
    assert [refusal.path for refusal in refusals] == [path]
    assert refusals[0].remedy


UAMI = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"


def network(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda body: body["properties"]["networkProfile"].update(values)


def of_work(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda body: pool(body, "work").update(values)


FLAT = network(networkPluginMode=None, podCidr=None, podCidrs=None)
PRIVATE = {"apiServerAccessProfile": {"enableVnetIntegration": True, "enablePrivateCluster": True}}
# what facts and documentation say that AKS takes of a cluster that stands
TAKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "kubenet to overlay": (
        network(networkPlugin="kubenet", networkPluginMode=None),
        {"network": {"plugin": "azure", "plugin_mode": "overlay", "pod_cidr": "10.99.0.0/16"}},
    ),
    "flat to overlay": (FLAT, {"network": {"plugin_mode": "overlay", "pod_cidr": "192.168.0.0/16"}}),
    "basic to standard": (
        network(loadBalancerSku="basic"),
        {"properties": {"networkProfile": {"loadBalancerSku": "standard"}}},
    ),
    "a newer Ubuntu": (of_work(), work(os_sku="Ubuntu2404")),
    "Mariner to Azure Linux": (of_work(osSKU="CBLMariner"), work(os_sku="AzureLinux")),
    "Azure Linux": (of_work(), work(os_sku="AzureLinux")),
    "FIPS": (of_work(), work(properties={"enableFIPS": True})),
    "assigned to system": (
        lambda body: body.update(identity={"type": "UserAssigned", "userAssignedIdentities": {UAMI: {}}}),
        {"identity": {"type": "SystemAssigned"}},
    ),
    "system to assigned": (
        of_work(),
        {"identity": {"type": "UserAssigned", "user_assigned_identities": [UAMI]}},
    ),
    "private with its API server in the network": (of_work(), {"properties": PRIVATE}),
    "an issuer": (lambda body: body["properties"].pop("oidcIssuerProfile"), {"oidc_issuer": True}),
}


@pytest.mark.parametrize(("change", "options"), TAKEN.values(), ids=TAKEN.keys())
def test_what_the_service_takes_is_not_refused(
    change: Callable[[dict[str, Any]], Any], options: dict[str, Any]
) -> None:
    plan = planned(change=change, **options)
    assert plan.changed
    assert not plan.refused


def test_what_moves_leaves_nothing_behind() -> None:
    flat = planned(change=TAKEN["kubenet to overlay"][0], **TAKEN["kubenet to overlay"][1])
    assert flat.body["properties"]["networkProfile"]["podCidr"] == "10.99.0.0/16"
    assert "podCidrs" not in flat.body["properties"]["networkProfile"]
    assigned = planned(change=TAKEN["assigned to system"][0], identity={"type": "SystemAssigned"})
    assert assigned.body["identity"] == {"type": "SystemAssigned"}


def test_every_refusal_names_its_source() -> None:
    assert all(len(row.source) > 20 for row in FIXED)


SPOT = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
SPOTTED = of_work(scaleSetPriority="Spot", nodeTaints=["team=agents:NoSchedule", SPOT], spotMaxPrice=-1)
STANDS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "priority, spelled out": (of_work(), work(properties={"scaleSetPriority": "Regular"})),
    "what goes with it": (
        of_work(),
        work(properties={"scaleSetPriority": "regular", "scaleSetEvictionPolicy": "delete", "spotMaxPrice": "-1"}),
    ),
    "taints of a Spot pool": (SPOTTED, work(taints=["team=agents:NoSchedule"])),
    "taints of a Spot pool with its own": (SPOTTED, work(taints=[SPOT, "team=agents:NoSchedule"])),
    "no taints of a Spot pool": (of_work(scaleSetPriority="Spot", nodeTaints=[SPOT]), work(taints=[])),
    "an address for a range": (
        lambda body: body["properties"].update(apiServerAccessProfile={"authorizedIPRanges": ["10.1.2.3/32"]}),
        {"properties": {"apiServerAccessProfile": {"authorizedIPRanges": ["10.1.2.3"]}}},
    ),
    "ports in another order": (
        of_work(
            networkProfile={
                "allowedHostPorts": [
                    {"portStart": 80, "portEnd": 90, "protocol": "TCP"},
                    {"portStart": 5, "portEnd": 6, "protocol": "UDP"},
                ]
            }
        ),
        work(
            properties={
                "networkProfile": {
                    "allowedHostPorts": [
                        {"portStart": "5", "portEnd": 6, "protocol": "udp"},
                        {"portStart": 80, "portEnd": 90, "protocol": "tcp"},
                    ]
                }
            }
        ),
    ),
    "the full version behind an alias": (of_work(), work(properties={"orchestratorVersion": "1.34.4"})),
    "a version that the pool has passed": (
        of_work(currentOrchestratorVersion="1.34.9"),
        work(properties={"orchestratorVersion": "1.34.4"}),
    ),
    "the cluster's version as a raw property": (of_work(), {"properties": {"kubernetesVersion": "1.34.4"}}),
    "a channel that is none": (of_work(), {"properties": {"autoUpgradeProfile": {"upgradeChannel": "none"}}}),
}


@pytest.mark.parametrize(("change", "options"), STANDS.values(), ids=STANDS.keys())
def test_what_reads_differently_is_as_declared(
    change: Callable[[dict[str, Any]], Any], options: dict[str, Any]
) -> None:
    plan = planned(change=change, **options)
    assert not plan.changes
    assert not plan.refused


def test_a_taint_more_of_a_spot_pool_keeps_its_own() -> None:
    plan = planned(change=SPOTTED, **work(taints=["x=y:NoExecute"]))
    assert sent(plan, "work")["nodeTaints"] == ["x=y:NoExecute", SPOT]


def test_versions_of_pools() -> None:
    older = planned(**work(properties={"orchestratorVersion": "1.33"}))
    assert [refusal.path for refusal in older.refused] == ["properties.agentPoolProfiles[work].orchestratorVersion"]
    newer = planned(**work(properties={"orchestratorVersion": "1.34.8"}))
    assert sent(newer, "work")["orchestratorVersion"] == "1.34.8"
    assert not newer.refused
    assert planned(properties={"kubernetesVersion": "1.33"}).refused


def test_a_new_cluster_is_sent_all_that_is_declared() -> None:
    """What is the default today, or reads as absent, is decided by who declares it, not by the next api-version."""
    declared = spec(
        location="x", sku_tier="Free", oidc_issuer=False, node_pools=[{**SYSTEM, "properties": {"enableFIPS": False}}]
    )
    body = plan_cluster(None, declared).body
    assert body["properties"]["oidcIssuerProfile"] == {"enabled": False}
    assert body["sku"]["tier"] == "Free"
    assert body["properties"]["agentPoolProfiles"][0]["enableFIPS"] is False


def test_refuses_everything_at_once() -> None:
    plan = planned(location="westus2", kubernetes_version="1.33", **work(vm_size="Standard_D8s_v5"))
    assert len(plan.refused) == 3


def test_an_upgrade_channel_excuses_a_newer_minor() -> None:
    def rapid(body: dict[str, Any]) -> None:
        body["properties"]["autoUpgradeProfile"]["upgradeChannel"] = "rapid"

    plan = planned(change=rapid, kubernetes_version="1.33")
    assert not plan.changes
    assert not plan.refused
    assert any("rapid" in note for note in plan.notes)


def test_a_pool_is_written_by_a_request_of_its_own() -> None:
    """A PUT replaces the pool: taints, bounds and sizes that nobody declares must be in it, and nobody else's pool."""
    plan = planned(**work(labels={"tier": "a"}))
    assert isinstance(plan, ClusterPlan)
    (step,) = plan.steps
    kept = pool(STANDING, "work")
    assert (step.method, step.pool, step.etag, step.create) == ("PUT", "work", kept["eTag"], False)
    properties = sent(plan, "work")
    for key in ("nodeTaints", "minCount", "maxCount", "maxPods", "count", "availabilityZones", "vmSize"):
        assert properties[key] == kept[key]
    assert properties["nodeLabels"] == {"workload": "agents", "tier": "a"}
    assert "name" not in properties


def test_the_clusters_put_carries_no_pools() -> None:
    plan = planned(tags={"a": "b"}, **work(labels={"tier": "a"}))
    assert isinstance(plan, ClusterPlan)
    cluster, other = plan.steps
    assert (cluster.pool, other.pool) == ("", "work")
    assert cluster.etag == STANDING["eTag"]
    assert "agentPoolProfiles" not in cluster.body["properties"]
    assert cluster.body["properties"]["networkProfile"]["podCidr"] == "10.244.0.0/16"


def test_requests_go_cluster_first_then_new_pools_changed_ones_and_those_that_go() -> None:
    def tagged(body: dict[str, Any]) -> None:
        pool(body, "work")["tags"] = OURS

    pools = [{"name": "system", "count": 3}, {"name": "fresh", "count": 2}]
    declared = spec(node_pools=pools, purge_node_pools=True, owner=OWNER, tags={"a": "b"})
    plan = plan_cluster(existing(tagged), declared)
    order = [(step.method, step.pool, step.create) for step in plan.steps]
    assert order == [("PUT", "", False), ("PUT", "fresh", True), ("PUT", "system", False), ("DELETE", "work", False)]
    assert plan.steps[-1].etag == pool(STANDING, "work")["eTag"]
    assert sorted(change.path for step in plan.steps for change in step.changes) == sorted(
        change.path for change in plan.changes
    )
    assert plan.steps[1].body["properties"]["count"] == 2


def test_an_update_leaves_out_what_the_service_only_answers() -> None:
    plan = planned(tags={"a": "b"}, node_pools=[{"name": "system", "count": 3}])
    for key in ("id", "name", "type", "eTag"):
        assert key not in plan.body
    assert "fqdn" not in plan.body["properties"]
    assert plan.body["identity"] == {"type": "SystemAssigned"}
    for key in ("eTag", "provisioningState", "currentOrchestratorVersion", "nodeImageVersion"):
        assert key not in sent(plan, "system")


def test_removed_bounds_do_not_stay_in_the_body() -> None:
    properties = sent(planned(**work(enable_auto_scaling=False, count=2)), "work")
    assert "minCount" not in properties
    assert properties["count"] == 2


def test_a_count_outside_new_bounds_is_moved_into_them() -> None:
    assert sent(planned(**work(enable_auto_scaling=True, min_count=4, max_count=6)), "work")["count"] == 4


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
def test_a_pool_that_failed_alone_is_drift(state: str) -> None:
    def failed(body: dict[str, Any]) -> None:
        pool(body, "work")["provisioningState"] = state

    path = "properties.agentPoolProfiles[work].provisioningState"
    plan = planned(change=failed, node_pools=[SYSTEM, {"name": "work"}])
    assert [(change.path, change.before) for change in plan.changes] == [(path, state)]
    assert sent(plan, "work")["count"] == 3
    # what is changed there repairs it as well
    changed = planned(change=failed, **work(labels={"tier": "a"}))
    assert [change.path for change in changed.changes] == ["properties.agentPoolProfiles[work].nodeLabels.tier"]
    # nobody here has a say in a pool that is not declared
    other = planned(change=failed, node_pools=[SYSTEM])
    assert not other.changes
    assert any(f"node pool work ended as {state}" in note for note in other.notes)


def test_a_failed_cluster_is_drift() -> None:
    def failed(body: dict[str, Any]) -> None:
        body["properties"]["provisioningState"] = "Failed"

    plan = planned(change=failed)
    assert [change.path for change in plan.changes] == ["properties.provisioningState"]
    # and real drift is seen all the same
    assert [change.path for change in planned(change=failed, tags={"a": "b"}).changes] == ["tags.a"]


def test_unlisted_pools_are_left_alone_and_named() -> None:
    plan = planned(node_pools=[SYSTEM])
    assert not plan.changes
    assert any("work" in note for note in plan.notes)


def test_purging_deletes_only_pools_with_our_tags() -> None:
    declared = spec(node_pools=[SYSTEM], purge_node_pools=True, owner=OWNER)
    assert [change.path for change in plan_cluster(existing(), declared).changes] == []

    def tagged(body: dict[str, Any]) -> None:
        pool(body, "work")["tags"] = OURS

    plan = plan_cluster(existing(tagged), declared)
    assert [change.path for change in plan.changes] == ["properties.agentPoolProfiles[work]"]
    assert [(step.method, step.pool) for step in plan.steps] == [("DELETE", "work")]
    assert [
        item["name"] for item in surplus_pools(existing(tagged)["properties"]["agentPoolProfiles"], declared)[0]
    ] == ["work"]


def test_a_cluster_keeps_a_system_pool() -> None:
    with pytest.raises(InvalidInput, match="System"):
        planned(node_pools=[{"name": "system", "mode": "User"}])


def test_purging_tags_keeps_the_mark_of_ownership() -> None:
    def tagged(body: dict[str, Any]) -> None:
        body["tags"].update(OURS)

    plan = planned(change=tagged, tags={"a": "b"}, purge_tags=True, owner=OWNER)
    assert {change.path for change in plan.changes} == {"tags.a", "tags.team"}
    assert plan.body["tags"] == {"a": "b", **OURS}


def test_two_owners_are_told() -> None:
    def tagged(body: dict[str, Any]) -> None:
        body["tags"].update({**OURS, "mcpops-host": "h2"})

    assert any("h2" in note for note in planned(change=tagged, owner=OWNER).notes)


def test_an_identity_is_found_in_any_case() -> None:
    one = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"

    def assigned(body: dict[str, Any]) -> None:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {one.lower(): {"clientId": "x"}}}

    identity = {"type": "UserAssigned", "user_assigned_identities": [one]}
    assert not planned(change=assigned, identity=identity).changes
    other = planned(change=assigned, identity={**identity, "user_assigned_identities": [one.replace("one", "two")]})
    assert set(other.body["identity"]["userAssignedIdentities"]) == {one.replace("one", "two")}


def test_ssh_to_the_nodes_is_switched_off_by_a_raw_property() -> None:
    closed = {"name": "system", "properties": {"securityProfile": {"sshAccess": "Disabled"}}}
    body = plan_cluster(None, spec(location="eastus2", node_pools=[closed])).body
    assert pool(body)["securityProfile"] == {"sshAccess": "Disabled"}
    stands = existing(lambda body: pool(body).update(securityProfile={"sshAccess": "LocalUser", "enableVTPM": False}))
    assert sent(plan_cluster(stands, spec(node_pools=[closed])), "system")["securityProfile"]["sshAccess"] == "Disabled"
    stands = existing(lambda body: pool(body).update(securityProfile={"sshAccess": "disabled"}))
    assert not plan_cluster(stands, spec(node_pools=[closed])).changes


def test_a_creation_has_safe_defaults() -> None:
    declared = spec(location="eastus2", node_pools=[{"name": "a"}, {"name": "b"}], owner=OWNER)
    body = plan_cluster(None, declared).body
    assert body["identity"] == {"type": "SystemAssigned"}
    assert body["properties"]["enableRBAC"] is True
    assert body["tags"] == OURS
    modes = {item["name"]: item["mode"] for item in body["properties"]["agentPoolProfiles"]}
    assert modes == {"a": "System", "b": "User"}
    assert all(item["tags"] == OURS for item in body["properties"]["agentPoolProfiles"])


FULL: dict[str, Any] = {
    "location": "eastus2",
    "kubernetes_version": "1.34",
    "sku_tier": "Standard",
    "identity": {"type": "SystemAssigned"},
    "oidc_issuer": True,
    "workload_identity": True,
    "dns_prefix": "agents",
    "node_resource_group": "nodes",
    "network": {
        "plugin": "azure",
        "plugin_mode": "overlay",
        "policy": "cilium",
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.0.0.0/16",
        "dns_service_ip": "10.0.0.10",
    },
    "node_pools": [
        {
            "name": "system",
            "mode": "System",
            "count": 2,
            "enable_auto_scaling": True,
            "min_count": 1,
            "max_count": 3,
            "vm_size": "Standard_D2s_v5",
            "os_disk_type": "Managed",
            "os_disk_size_gb": 128,
            "os_sku": "Ubuntu",
            "max_pods": 110,
            "labels": {"a": "b"},
            "taints": ["CriticalAddonsOnly=true:NoSchedule"],
            "zones": ["1"],
            "properties": {"upgradeSettings": {"maxSurge": "33%"}},
        }
    ],
    "properties": {"autoUpgradeProfile": {"upgradeChannel": "patch"}},
    "tags": {"team": "agents"},
    "owner": OWNER,
}


@pytest.mark.parametrize(
    "body", [plan_cluster(None, spec(**FULL)).body, planned(tags={"a": "b"}).body], ids=["PUT", "update"]
)
def test_bodies_are_what_the_sdk_would_send(body: dict[str, Any]) -> None:
    """Every key and type is one of Microsoft's models."""
    schema = model_schema(CONTAINER_SERVICE, "ManagedCluster")
    assert [error.message for error in Draft202012Validator(schema).iter_errors(body)] == []
    body["properties"]["misspelt"] = 1
    assert list(Draft202012Validator(schema).iter_errors(body))


@pytest.mark.parametrize(("name", "prefix"), [("agents", "agents"), ("a_b", "a-b"), ("x" * 63, "x" * 54), ("_", "aks")])
def test_dns_prefix(name: str, prefix: str) -> None:
    assert default_dns_prefix(name) == prefix


@pytest.mark.parametrize(
    ("tags", "options", "refused"),
    [
        pytest.param({}, {}, False, id="nobody's, no owner said"),
        pytest.param({}, {"owner": OWNER}, True, id="nobody's, owner said"),
        pytest.param({}, {"owner": OWNER, "force_delete": True}, False, id="nobody's, forced"),
        pytest.param(OURS, {"owner": OWNER}, False, id="ours"),
        pytest.param({**OURS, "mcpops-host": "h2"}, {"owner": OWNER, "force_delete": True}, True, id="another host's"),
        pytest.param({**OURS, "mcpops-environment": "prod"}, {"owner": OWNER}, True, id="another environment's"),
        pytest.param(OURS, {}, True, id="somebody's, no owner said"),
    ],
)
def test_who_may_delete(tags: dict[str, str], options: dict[str, Any], refused: bool) -> None:
    def tagged(body: dict[str, Any]) -> None:
        body["tags"] = tags

    assert bool(plan_removal(existing(tagged), spec(state="absent", **options)).refused) == refused
    assert not plan_removal(None, spec(state="absent", **options)).changes
