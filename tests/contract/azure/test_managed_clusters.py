# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed clusters: what a PUT becomes, what is refused and in which words, and how operations run."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
import yaml

from localcloud.azure.fields import ABSENT, get

from .conftest import SUB, Azure, cluster_body, cluster_path

BALANCER = "properties.networkProfile.loadBalancerProfile"
PLACE = "/providers/Microsoft.ContainerService/locations/eastus"


def pool(**changes: Any) -> dict[str, Any]:
    return {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v5", **changes}


def pools(*given: dict[str, Any]) -> dict[str, Any]:
    return {"agentPoolProfiles": list(given)}


# --- creating


@pytest.mark.parametrize(("profile", "enforces"), [({}, False), ({"networkPolicy": "azure"}, True)])
def test_the_kubernetes_behind_enforces_policies_where_the_cluster_has_an_engine(
    azure: Azure, profile: dict[str, str], enforces: bool
) -> None:
    azure.group("rg")
    azure.finish(azure.request("PUT", cluster_path(), cluster_body(networkProfile=profile)))
    assert list(azure.backend.enforces.values()) == [enforces]


def test_creating_answers_as_aks_does(azure: Azure) -> None:
    azure.group("Rg")
    azure.backend.gate.clear()
    answer = azure.request("PUT", cluster_path(group="Rg"), cluster_body())
    body = answer.json()
    assert answer.status_code == 201
    assert body["id"] == f"{SUB}/resourcegroups/Rg/providers/Microsoft.ContainerService/managedClusters/c1"
    assert body["type"] == "Microsoft.ContainerService/ManagedClusters"
    assert body["properties"]["provisioningState"] == "Creating"
    for later in (
        "eTag",
        "properties.identityProfile",
        "properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs",
    ):
        assert get(body, later) is ABSENT
    assert body["properties"]["agentPoolProfiles"][0]["nodeLabels"] == {}
    assert (
        "/providers/Microsoft.ContainerService/locations/eastus/operations/" in answer.headers["azure-asyncoperation"]
    )
    assert not {"location", "etag", "retry-after"} & set(answer.headers)
    status = azure.http.get(
        answer.headers["azure-asyncoperation"], headers={"Authorization": f"Bearer {azure.token}"}
    ).json()
    assert status["status"] == "InProgress" and "endTime" not in status

    azure.backend.gate.set()
    assert azure.finish(answer)["endTime"]
    settled = azure.request("GET", cluster_path(group="rg")).json()
    assert get(settled, f"{BALANCER}.effectiveOutboundIPs") is not ABSENT
    assert settled["eTag"] and settled["properties"]["agentPoolProfiles"][0]["eTag"]
    assert settled["properties"]["identityProfile"]["kubeletidentity"]["objectId"]
    assert "nodeLabels" not in settled["properties"]["agentPoolProfiles"][0]


DEFAULTS = {
    "kind": "Base",
    "sku": {"name": "Base", "tier": "Free"},
    "properties.kubernetesVersion": "1.34",
    "properties.currentKubernetesVersion": "1.34.4",
    "properties.powerState": {"code": "Running"},
    "properties.maxAgentPools": 100,
    "properties.nodeResourceGroup": "MC_rg_c1_eastus",
    "properties.enableRBAC": True,
    "properties.supportPlan": "KubernetesOfficial",
    "properties.networkProfile.networkPlugin": "azure",
    "properties.networkProfile.networkPluginMode": "overlay",
    "properties.networkProfile.networkPolicy": "none",
    "properties.networkProfile.networkDataplane": "azure",
    "properties.networkProfile.podCidrs": ["10.244.0.0/16"],
    "properties.networkProfile.serviceCidr": "10.0.0.0/16",
    "properties.networkProfile.dnsServiceIP": "10.0.0.10",
    "properties.networkProfile.outboundType": "loadBalancer",
    "properties.oidcIssuerProfile.enabled": True,
    "properties.servicePrincipalProfile": {"clientId": "msi"},
    "properties.autoUpgradeProfile": {"nodeOSUpgradeChannel": "NodeImage"},
    "properties.storageProfile.diskCSIDriver": {"enabled": True},
    "properties.securityProfile": {},
    "properties.nodeProvisioningProfile": {"mode": "Manual", "defaultNodePools": "Auto"},
    "tags": ABSENT,
    "properties.addonProfiles": ABSENT,
    "properties.autoScalerProfile": ABSENT,
}
POOL_DEFAULTS = {
    "osDiskSizeGB": 128,
    "osDiskType": "Managed",
    "maxPods": 250,
    "type": "VirtualMachineScaleSets",
    "osType": "Linux",
    "osSKU": "Ubuntu",
    "orchestratorVersion": "1.34",
    "currentOrchestratorVersion": "1.34.4",
    "upgradeSettings": {"maxSurge": "10%", "maxUnavailable": "0"},
    "scaleDownMode": "Delete",
    "powerState": {"code": "Running"},
    "provisioningState": "Succeeded",
    "scaleSetPriority": ABSENT,
    "scaleSetEvictionPolicy": ABSENT,
    "nodeTaints": ABSENT,
}


def test_defaults(azure: Azure) -> None:
    azure.group()
    empties = {"kubernetesVersion": "", "addonProfiles": {}, "storageProfile": {}, "autoScalerProfile": None}
    sent = pool(nodeTaints=[], scaleSetPriority="Regular", scaleSetEvictionPolicy="Delete", orchestratorVersion="")
    body = azure.cluster(**empties, **pools(sent))
    assert {path: get(body, path) for path in DEFAULTS} == DEFAULTS
    profile = body["properties"]["agentPoolProfiles"][0]
    assert {path: get(profile, path) for path in POOL_DEFAULTS} == POOL_DEFAULTS
    assert body["properties"]["fqdn"].endswith(".hcp.eastus.azmk8s.io")
    issuer = body["properties"]["oidcIssuerProfile"]["issuerURL"]
    assert (issuer.startswith(f"{azure.config.endpoint}/oidc/eastus/"), issuer.endswith("/")) == (True, True)


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "exact version": ({"kubernetesVersion": "1.35.3"}, {"properties.currentKubernetesVersion": "1.35.3"}),
    "newest patch of a minor": ({"kubernetesVersion": "1.35"}, {"properties.currentKubernetesVersion": "1.35.4"}),
    "flat azure": (
        {"networkProfile": {"networkPlugin": "azure"}},
        {"properties.networkProfile.networkPluginMode": ABSENT, "properties.networkProfile.podCidr": ABSENT},
    ),
    "cilium": (
        {"networkProfile": {"networkPlugin": "azure", "networkPolicy": "cilium"}},
        {"properties.networkProfile.networkDataplane": "cilium"},
    ),
    "unknown members are dropped": ({"kubernetesVersoin": "1.35"}, {"properties.kubernetesVersoin": ABSENT}),
    "read-only members are ignored": ({"maxAgentPools": 7, "fqdn": "x"}, {"properties.maxAgentPools": 100}),
    "no issuer when it is off": (
        {"oidcIssuerProfile": {"enabled": False}},
        {"properties.oidcIssuerProfile": {"enabled": False}},
    ),
}


@pytest.mark.parametrize(("sent", "expected"), VARIANTS.values(), ids=VARIANTS)
def test_variants(azure: Azure, sent: dict[str, Any], expected: dict[str, Any]) -> None:
    azure.group()
    body = azure.cluster(**sent)
    assert {path: get(body, path) for path in expected} == expected


POOL_VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "disk that fits the size": ({"vmSize": "Standard_D8ds_v5"}, {"osDiskType": "Ephemeral"}),
    "no size": ({"vmSize": ""}, {"vmSize": "standard_e2s_v3"}),
    "arm": ({"vmSize": "Standard_D2ps_v6"}, {"nodeImageVersion": "AKSUbuntu-2204gen2arm64containerd-202604.13.0"}),
    "autoscaled": (
        {"enableAutoScaling": True, "minCount": 2, "maxCount": 4, "count": None},
        {"count": 2, "minCount": 2, "maxCount": 4},
    ),
    "labels with empty values": ({"nodeLabels": {"a": ""}}, {"nodeLabels": {"a": ""}}),
}


@pytest.mark.parametrize(("sent", "expected"), POOL_VARIANTS.values(), ids=POOL_VARIANTS)
def test_pool_variants(azure: Azure, sent: dict[str, Any], expected: dict[str, Any]) -> None:
    azure.group()
    profile = azure.cluster(**pools(pool(**sent)))["properties"]["agentPoolProfiles"][0]
    assert {path: get(profile, path) for path in expected} == expected


def test_spot_pools_are_marked(azure: Azure) -> None:
    azure.group()
    azure.faults.add("quota", name="lowPriorityCores", limit=10)
    spot = pool(name="spot", mode="User", scaleSetPriority="Spot")
    profile = azure.cluster(**pools(pool(), spot))["properties"]["agentPoolProfiles"][1]
    assert profile["nodeLabels"] == {"kubernetes.azure.com/scalesetpriority": "spot"}
    assert profile["nodeTaints"] == ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"]
    assert (profile["scaleSetEvictionPolicy"], profile["spotMaxPrice"]) == ("Delete", -1)


def test_user_assigned_identities_get_their_ids(azure: Azure) -> None:
    azure.group()
    identity = f"{SUB}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
    body = {**cluster_body(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}}
    azure.finish(azure.request("PUT", cluster_path(), body))
    answered = azure.request("GET", cluster_path()).json()["identity"]
    assert set(answered["userAssignedIdentities"][identity]) == {"clientId", "principalId"}
    assert "principalId" not in answered


# --- refusals


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown version": ({"kubernetesVersion": "9.9.9"}, "K8sVersionNotSupported", "not supported in this region"),
    "long-term support only": ({"kubernetesVersion": "1.33"}, "K8sVersionNotSupported", "Long-Term Support"),
    "no dns prefix": ({"dnsPrefix": None}, "InvalidParameter", "dnsPrefix"),
    "bad dns prefix": ({"dnsPrefix": "-x"}, "InvalidParameter", "dnsPrefix"),
    "no pools": ({"agentPoolProfiles": None}, "InvalidParameter", "agentPoolProfiles"),
    "no system pool": (pools(pool(mode="User")), "InvalidParameter", "at least one system pool"),
    "two pools of one name": (pools(pool(), pool()), "InvalidParameter", "unique"),
    "pool name": (pools(pool(name="System1")), "InvalidParameter", "agentPoolProfile.name"),
    "windows pool name": (
        pools(pool(), pool(name="windows", mode="User", osType="Windows", osSKU="Windows2022")),
        "InvalidParameter",
        "agentPoolProfile.name",
    ),
    "windows system pool": (
        pools(pool(name="win", osType="Windows", osSKU="Windows2022")),
        "InvalidParameter",
        "Linux",
    ),
    "size that does not exist": (pools(pool(vmSize="Standard_D3s_v5")), "BadRequest", "standard_d2s_v5"),
    "restricted size": (pools(pool(vmSize="Standard_DS2_v2")), "BadRequest", "not allowed in your subscription"),
    "small system pool": (pools(pool(vmSize="Standard_B1ms")), "SystemPoolSkuTooLow", "Nodepool name: system"),
    "small user pool": (
        pools(pool(), pool(name="tiny", mode="User", vmSize="Standard_B1s")),
        "VMSizeNotSupported",
        "Standard_B1s",
    ),
    "zone that is barred": (
        pools(pool(vmSize="Standard_E2ps_v5", availabilityZones=["1", "2"])),
        "AvailabilityZoneNotSupported",
        "The zone(s) '2' for resource 'system' is not supported. The supported zones for location 'eastus' are '1'",
    ),
    "no node": (pools(pool(count=0)), "InvalidParameter", "agentPoolProfile.count"),
    "too many nodes": (pools(pool(count=1001)), "InvalidParameter", "agentPoolProfile.count"),
    "count outside bounds": (
        pools(pool(enableAutoScaling=True, minCount=2, maxCount=3, count=5)),
        "InvalidParameter",
        "outside 2-3",
    ),
    "bounds the wrong way": (
        pools(pool(enableAutoScaling=True, minCount=3, maxCount=2)),
        "InvalidParameter",
        "minCount",
    ),
    "bounds without autoscaling": (pools(pool(minCount=1, maxCount=2)), "InvalidParameter", "enableAutoScaling"),
    "few pods": (pools(pool(maxPods=10)), "InvalidParameter", "maxPods"),
    "pool newer than its cluster": (
        {"kubernetesVersion": "1.34.4", **pools(pool(orchestratorVersion="1.35.4"))},
        "NodePoolMcVersionIncompatible",
        "bigger than control plane version",
    ),
    "regional quota": (pools(pool(count=51)), "ErrCode_InsufficientVCPUQuota", "left regional vcpu quota 100"),
    "family quota": (
        pools(pool(vmSize="Standard_NC4as_T4_v3")),
        "ErrCode_InsufficientVCPUQuota",
        "for family standardNCASv3_T4Family for region eastus",
    ),
    "workload identity without issuer": (
        {"oidcIssuerProfile": {"enabled": False}, "securityProfile": {"workloadIdentity": {"enabled": True}}},
        "BadRequest",
        "OIDC issuer",
    ),
    "wrong type": ({"agentPoolProfiles": [pool(count="three")]}, "UnmarshalError", "agentPoolProfiles.count"),
    "unknown value": ({"networkProfile": {"networkPlugin": "weave"}}, "InvalidParameter", "networkPlugin"),
}


@pytest.mark.parametrize(("sent", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_refused(azure: Azure, sent: dict[str, Any], code: str, text: str) -> None:
    azure.group()
    answer = azure.request("PUT", cluster_path(), cluster_body(**sent))
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert text in answer.json()["message"]
    assert "error" not in answer.json()  # AKS' errors are flat
    assert azure.request("GET", cluster_path()).status_code == 404
    assert azure.backend.calls == []


ROOT_REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "name": ("-c1", {}, "InvalidParameter"),
    "long name": ("c" * 64, {}, "InvalidParameter"),
    "no location": ("c1", {"location": None}, "LocationRequired"),
    "unknown location": ("c1", {"location": "atlantis"}, "LocationNotAvailableForResourceType"),
    "no identity": ("c1", {"identity": None}, "InvalidParameter"),
}


@pytest.mark.parametrize(("name", "changes", "code"), ROOT_REFUSED.values(), ids=ROOT_REFUSED)
def test_refused_at_the_root(azure: Azure, name: str, changes: dict[str, Any], code: str) -> None:
    azure.group()
    answer = azure.request("PUT", cluster_path(name), {**cluster_body(), **changes}).json()
    assert answer.get("error", answer)["code"] == code


# --- updating


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(body)
    target: Any = body
    *parents, last = path.split("/")
    for part in parents:
        target = target[int(part)] if part.isdigit() else target.setdefault(part, {})
    target[last] = value
    return body


POOL = "properties/agentPoolProfiles/0"
IMMUTABLE = {
    "properties/dnsPrefix": ("other", "dnsPrefix"),
    "properties/nodeResourceGroup": ("other", "nodeResourceGroup"),
    "properties/enableRBAC": (False, "enableRBAC"),
    "properties/networkProfile/networkPlugin": ("kubenet", "networkProfile.networkPlugin"),
    "properties/networkProfile/serviceCidr": ("10.9.0.0/16", "networkProfile.serviceCidr"),
    "properties/networkProfile/loadBalancerSku": ("basic", "networkProfile.loadBalancerSku"),
    f"{POOL}/vmSize": ("Standard_D4s_v5", "agentPoolProfile.vmSize"),
    f"{POOL}/osDiskSizeGB": (64, "agentPoolProfile.osDiskSizeGB"),
    f"{POOL}/maxPods": (60, "agentPoolProfile.maxPods"),
    f"{POOL}/availabilityZones": (["1"], "agentPoolProfile.availabilityZones"),
    f"{POOL}/enableNodePublicIP": (True, "agentPoolProfile.enableNodePublicIP"),
}


def test_immutable_properties(azure: Azure) -> None:
    azure.group()
    existing = azure.cluster()
    for path, (value, target) in IMMUTABLE.items():
        answer = azure.request("PUT", cluster_path(), changed(existing, path, value))
        assert (answer.status_code, answer.json()["code"]) == (400, "PropertyChangeNotAllowed"), answer.text
        assert answer.json()["message"] == f"Changing property '{target}' is not allowed."
        assert answer.json()["target"] == target
    assert azure.request("GET", cluster_path()).json() == existing


MUTABLE = {
    "tags": {"a": "b"},
    "sku": {"name": "Base", "tier": "Standard"},
    "properties/autoUpgradeProfile/upgradeChannel": "patch",
    "properties/securityProfile/workloadIdentity": {"enabled": True},
    f"{POOL}/count": 2,
    f"{POOL}/nodeLabels": {"a": "b"},
    f"{POOL}/osSKU": "AzureLinux",
}


@pytest.mark.parametrize("path", MUTABLE)
def test_updates(azure: Azure, path: str) -> None:
    azure.group()
    existing = azure.cluster()
    answer = azure.request("PUT", cluster_path(), changed(existing, path, MUTABLE[path]))
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (200, "Updating")
    assert azure.finish(answer)["status"] == "Succeeded"
    after = azure.request("GET", cluster_path()).json()
    expected = changed(existing, path, MUTABLE[path])
    for body in (expected, after):
        body.pop("eTag")
        body["properties"]["agentPoolProfiles"][0].pop("eTag")
    assert after == expected


def test_reading_and_writing_back_changes_nothing(azure: Azure) -> None:
    azure.group()
    existing = azure.cluster()
    azure.finish(azure.request("PUT", cluster_path(), existing))
    after = azure.request("GET", cluster_path()).json()
    assert after["eTag"] != existing["eTag"]
    for body in (existing, after):
        body.pop("eTag")
        body["properties"]["agentPoolProfiles"][0].pop("eTag")
    assert after == existing


def test_what_an_update_leaves_out(azure: Azure) -> None:
    azure.group()
    azure.finish(azure.request("PUT", cluster_path(), {**cluster_body(kubernetesVersion="1.35"), "tags": {"a": "b"}}))
    azure.finish(azure.request("PUT", cluster_path(), cluster_body()))
    body = azure.request("GET", cluster_path()).json()
    assert body["properties"]["kubernetesVersion"] == "1.35"  # kept
    assert "tags" not in body  # a PUT replaces them


def test_an_update_names_every_pool(azure: Azure) -> None:
    azure.group()
    azure.cluster(**pools(pool(), pool(name="work", mode="User")))
    answer = azure.request("PUT", cluster_path(), cluster_body())
    assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest")
    assert "'work'" in answer.json()["message"]


def test_the_issuer_stays_on(azure: Azure) -> None:
    azure.group()
    existing = azure.cluster()
    answer = azure.request("PUT", cluster_path(), changed(existing, "properties/oidcIssuerProfile/enabled", False))
    assert answer.json()["code"] == "OIDCIssuerFeatureCannotBeDisabled"


def test_versions_go_up_only(azure: Azure) -> None:
    azure.group()
    existing = azure.cluster()
    answer = azure.request("PUT", cluster_path(), changed(existing, "properties/kubernetesVersion", "1.35"))
    assert answer.json()["properties"]["provisioningState"] == "Upgrading"
    azure.finish(answer)
    upgraded = azure.request("GET", cluster_path()).json()
    assert upgraded["properties"]["currentKubernetesVersion"] == "1.35.4"
    assert [call[0] for call in azure.backend.calls] == ["create", "stop", "create"]
    down = azure.request("PUT", cluster_path(), changed(upgraded, "properties/kubernetesVersion", "1.34.4"))
    assert (down.status_code, down.json()["code"]) == (400, "OperationNotAllowed")


# --- etags and operations in progress


def test_etags(azure: Azure) -> None:
    azure.group()
    absent = azure.request("PUT", cluster_path(), cluster_body(), headers={"If-Match": "*"})
    assert (absent.status_code, absent.json()["code"]) == (412, "PreconditionFailed")
    existing = azure.cluster()
    for headers, status in (
        ({"If-None-Match": "*"}, 412),
        ({"If-Match": "other"}, 412),
        ({"If-None-Match": "other"}, 400),
        ({"If-Match": f'"{existing["eTag"]}"'}, 200),
    ):
        answer = azure.request("PUT", cluster_path(), existing, headers=headers)
        assert answer.status_code == status, (headers, answer.text)
    azure.finish(answer)
    assert azure.request("DELETE", cluster_path(), headers={"If-Match": existing["eTag"]}).status_code == 412
    assert azure.request("DELETE", cluster_path("none"), headers={"If-Match": "x"}).status_code == 204


def test_a_busy_cluster_refuses(azure: Azure) -> None:
    azure.group()
    azure.backend.gate.clear()
    creating = azure.request("PUT", cluster_path(), cluster_body())
    for method, path, body in (
        ("PUT", cluster_path(), cluster_body()),
        ("PATCH", cluster_path(), {"tags": {}}),
        ("POST", f"{cluster_path()}/stop", None),
        ("DELETE", cluster_path(), None),
        ("PUT", f"{cluster_path()}/agentPools/work", {"properties": {"count": 1}}),
    ):
        answer = azure.request(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "OperationNotAllowed")
        assert "in progress" in answer.json()["message"]
    azure.backend.gate.set()
    assert azure.finish(creating)["status"] == "Succeeded"


def test_a_second_delete_joins_the_first(azure: Azure) -> None:
    azure.group()
    azure.cluster()
    azure.cloud.operations._minimum = 0.3
    first, second = (azure.request("DELETE", cluster_path()) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.headers["location"].split("?")[0] == second.headers["location"].split("?")[0]
    waiting = azure.http.get(first.headers["location"], headers={"Authorization": f"Bearer {azure.token}"})
    assert waiting.status_code == 202
    azure.finish(first)
    done = azure.http.get(first.headers["location"], headers={"Authorization": f"Bearer {azure.token}"})
    assert done.status_code == 204
    assert azure.request("DELETE", cluster_path()).status_code == 204


def test_a_kubernetes_that_does_not_start(azure: Azure) -> None:
    azure.group()
    azure.backend.fails = "no memory; see /somewhere/the.log"
    ended = azure.finish(azure.request("PUT", cluster_path(), cluster_body()))
    assert ended["status"] == "Failed"
    assert "no memory; see /somewhere/the.log" in ended["error"]["message"]
    assert azure.request("GET", cluster_path()).json()["properties"]["provisioningState"] == "Failed"
    azure.backend.fails = ""
    again = azure.request("PUT", cluster_path(), cluster_body())
    assert again.status_code == 200
    assert azure.finish(again)["status"] == "Succeeded"


def test_unknown_operations(azure: Azure) -> None:
    for kind in ("operations", "operationresults"):
        path = f"/providers/Microsoft.ContainerService/locations/eastus/{kind}/00000000-0000-0000-0000-000000000000"
        assert azure.request("GET", path).json()["code"] == "NotFound"


def test_two_clusters_are_two(azure: Azure) -> None:
    azure.group()
    azure.group("other")
    azure.cluster("c1")
    azure.finish(azure.request("PUT", cluster_path("c1", "other"), cluster_body()))
    assert len(azure.backend.clusters) == 2
    azure.finish(azure.request("DELETE", cluster_path("c1")))
    assert len(azure.backend.clusters) == 1
    assert azure.request("GET", cluster_path("c1", "other")).status_code == 200


# --- credentials


def test_credentials_are_named_as_in_aks(azure: Azure) -> None:
    azure.group()
    azure.cluster()
    for call, kind, context in (
        ("listClusterUserCredential", "clusterUser", "c1"),
        ("listClusterAdminCredential", "clusterAdmin", "c1-admin"),
    ):
        answer = azure.request("POST", f"{cluster_path()}/{call}").json()["kubeconfigs"][0]
        kubeconfig = yaml.safe_load(base64.b64decode(answer["value"]))
        assert answer["name"] == kind
        assert kubeconfig["current-context"] == context
        assert kubeconfig["contexts"][0]["context"] == {"cluster": "c1", "user": f"{kind}_rg_c1"}
        assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://10.213.1.2:6443"


ENTRA = {"managed": True, "adminGroupObjectIDs": ["b1f3a0f6-58a0-4a53-8c52-0fd0d6a8e2c7"]}


def test_no_static_credentials_without_local_accounts(azure: Azure) -> None:
    azure.group()
    azure.cluster(aadProfile=ENTRA, disableLocalAccounts=True)
    answer = azure.request("POST", f"{cluster_path()}/listClusterAdminCredential")
    assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest")
    assert "disable local accounts" in answer.json()["message"]


def test_local_accounts_go_where_entra_comes(azure: Azure) -> None:
    azure.group()
    answer = azure.request("PUT", cluster_path(), cluster_body(disableLocalAccounts=True))
    assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest")
    assert "aadProfile" in answer.json()["message"]


@pytest.mark.parametrize("local", [True, False], ids=["without local accounts", "with local accounts"])
def test_the_user_of_a_cluster_with_entra_logs_in_by_kubelogin(azure: Azure, local: bool) -> None:
    azure.group()
    azure.cluster(aadProfile=ENTRA, disableLocalAccounts=local)
    users = {}
    for format_ in ("", "exec", "azure"):
        query = {"format": format_} if format_ else {}
        answer = azure.request("POST", f"{cluster_path()}/listClusterUserCredential", **query).json()["kubeconfigs"][0]
        kubeconfig = yaml.safe_load(base64.b64decode(answer["value"]))
        assert kubeconfig["users"][0]["name"] == "clusterUser_rg_c1"
        users[format_] = kubeconfig["users"][0]["user"]
    assert users[""] == users["exec"]
    plugin = users["exec"]["exec"]
    assert plugin["command"] == "kubelogin"
    assert plugin["args"][-2:] == ["--login", "devicecode"]
    assert "6dae42f8-4368-4678-94ff-3960e28e3630" in plugin["args"]
    assert users["azure"]["auth-provider"]["config"]["apiserver-id"] == "6dae42f8-4368-4678-94ff-3960e28e3630"
    # whose tokens its Kubernetes is told to take
    assert azure.backend.admitted == {next(iter(azure.backend.clusters)): tuple(ENTRA["adminGroupObjectIDs"])}
