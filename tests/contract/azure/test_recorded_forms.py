# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters as recorded and documented: forms that the service stores, what it takes of a cluster that stands."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .conftest import Azure, cluster_body, cluster_path


def networked(**network: Any) -> dict[str, Any]:
    return {"networkProfile": network}


def changed(azure: Azure, **changes: Any) -> httpx.Response:
    """A PUT of what stands with these properties in it."""
    body = azure.request("GET", cluster_path()).json()
    for key, value in changes.items():
        existing = body["properties"].get(key)
        body["properties"][key] = {**existing, **value} if isinstance(existing, dict) else value
    return azure.request("PUT", cluster_path(), body)


NORMAL: dict[str, tuple[dict[str, Any], str, Any]] = {
    "authorised ranges": (
        {"apiServerAccessProfile": {"authorizedIPRanges": ["203.0.113.9", "198.51.100.7/24", "198.51.100.0/24"]}},
        "properties.apiServerAccessProfile.authorizedIPRanges",
        ["203.0.113.9/32", "198.51.100.0/24"],
    ),
    "the zone's mode": (
        {"apiServerAccessProfile": {"enablePrivateCluster": True, "privateDNSZone": "System"}},
        "properties.apiServerAccessProfile.privateDNSZone",
        "system",
    ),
    "an add-on": ({"addonProfiles": {"OmsAgent": {"enabled": False}}}, "properties.addonProfiles", ["omsagent"]),
}


@pytest.mark.parametrize(("properties", "path", "answered"), NORMAL.values(), ids=NORMAL.keys())
def test_what_is_stored_in_another_form(azure: Azure, properties: dict[str, Any], path: str, answered: Any) -> None:
    azure.group()
    found: Any = azure.cluster(**properties)
    for part in path.split("."):
        found = found[part]
    assert (list(found) if isinstance(found, dict) else found) == answered


def test_what_is_no_range(azure: Azure) -> None:
    azure.group()
    body = cluster_body(apiServerAccessProfile={"authorizedIPRanges": ["anywhere"]})
    assert azure.request("PUT", cluster_path(), body).json()["code"] == "InvalidParameter"


TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "flat to overlay": (
        networked(networkPlugin="azure"),
        networked(networkPluginMode="overlay", podCidr="192.168.0.0/16", podCidrs=None),
    ),
    "basic to standard": (networked(loadBalancerSku="basic"), networked(loadBalancerSku="standard")),
    "private in its network": (
        {},
        {"apiServerAccessProfile": {"enableVnetIntegration": True, "enablePrivateCluster": True}},
    ),
}


@pytest.mark.parametrize(("before", "after"), TAKEN.values(), ids=TAKEN.keys())
def test_what_a_cluster_may_become(azure: Azure, before: dict[str, Any], after: dict[str, Any]) -> None:
    azure.group()
    azure.cluster(**before)
    assert azure.finish(changed(azure, **after))["status"] == "Succeeded"


NOT_TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "standard to basic": ({}, networked(loadBalancerSku="basic"), "networkProfile.loadBalancerSku"),
    "private afterwards": (
        {},
        {"apiServerAccessProfile": {"enablePrivateCluster": True}},
        "apiServerAccessProfile.enablePrivateCluster",
    ),
    "another range of pods": ({}, networked(podCidr="10.9.0.0/16"), "networkProfile.podCidr"),
    "another range of services": ({}, networked(serviceCidr="10.9.0.0/16"), "networkProfile.serviceCidr"),
}


@pytest.mark.parametrize(("before", "after", "target"), NOT_TAKEN.values(), ids=NOT_TAKEN.keys())
def test_what_it_may_not_become(azure: Azure, before: dict[str, Any], after: dict[str, Any], target: str) -> None:
    azure.group()
    azure.cluster(**before)
    answer = changed(azure, **after)
    assert (answer.status_code, answer.json()["code"], answer.json()["target"]) == (
        400,
        "PropertyChangeNotAllowed",
        target,
    )


@pytest.mark.parametrize(
    ("tier", "plan", "code"),
    [
        ("Premium", "KubernetesOfficial", "K8sVersionNotSupported"),
        ("Standard", "AKSLongTermSupport", "K8sVersionNotSupported"),
        ("Premium", "AKSLongTermSupport", None),
    ],
)
def test_premium_and_long_term_support_go_together(azure: Azure, tier: str, plan: str, code: str | None) -> None:
    azure.group()
    body = {**cluster_body(supportPlan=plan), "sku": {"name": "Base", "tier": tier}}
    assert azure.request("PUT", cluster_path(), body).json().get("code") == code


def test_a_base_cluster_does_not_become_automatic(azure: Azure) -> None:
    azure.group()
    body = {**azure.cluster(), "sku": {"name": "Automatic", "tier": "Standard"}}
    assert azure.request("PUT", cluster_path(), body).json()["target"] == "sku.name"


POOLS: dict[str, tuple[dict[str, Any], str | None]] = {
    "an ephemeral disk that fits": (
        {"vmSize": "Standard_D8ds_v5", "osDiskType": "Ephemeral", "osDiskSizeGB": 60, "osSKU": "Ubuntu"},
        None,
    ),
    "one that does not": (
        {"vmSize": "Standard_D2ds_v5", "osDiskType": "Ephemeral", "osDiskSizeGB": 1000},
        "agentPoolProfile.osDiskType",
    ),
    "Spot of a size that cannot": (
        {"vmSize": "Standard_B2ms", "scaleSetPriority": "Spot"},
        "agentPoolProfile.scaleSetPriority",
    ),
}


@pytest.mark.parametrize(("pool", "target"), POOLS.values(), ids=POOLS.keys())
def test_what_a_size_can_carry(azure: Azure, pool: dict[str, Any], target: str | None) -> None:
    azure.group()
    azure.cluster()
    place = f"{cluster_path()}/agentPools/more"
    answer = azure.request("PUT", place, {"properties": {"mode": "User", "count": 1, **pool}})
    assert answer.json().get("target") == target, answer.text


def test_what_is_answered_only_where_it_was_sent(azure: Azure) -> None:
    azure.group()
    body = azure.cluster()
    assert "disableLocalAccounts" not in body["properties"]
    for name in ("enableEncryptionAtHost", "enableUltraSSD", "scaleSetPriority"):
        assert name not in body["properties"]["agentPoolProfiles"][0]
    assert body["properties"]["serviceMeshProfile"] == {"mode": "Disabled"}
