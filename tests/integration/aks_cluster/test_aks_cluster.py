# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of its own through real playbooks: checked, made, changed by somebody, shown, repaired, gone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.portal import Portal

TaskRunner = Callable[..., dict[str, Any]]
GROUPS = "Microsoft.Resources/resourceGroups"
OWNER = {"host": "test", "environment": "it"}
GROUP_VERSION = "2025-04-01"


@pytest.fixture
def portal(cloud: Any) -> Portal:
    return Portal(cloud.environment, cloud.secret)


@pytest.fixture
def group(portal: Portal) -> Iterator[str]:
    name = f"rg-it-{uuid.uuid4().hex[:8]}"
    yield name
    portal.request("DELETE", f"resourceGroups/{name}", version=GROUP_VERSION)


def test_from_nothing_to_nothing(run_task: TaskRunner, portal: Portal, group: str) -> None:
    place = f"resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/own"
    declared = {
        "name": "own",
        "resource_group": group,
        "location": "eastus2",
        "oidc_issuer": True,
        "workload_identity": True,
        "network": {"plugin": "azure", "plugin_mode": "overlay"},
        "node_pools": [
            {"name": "system", "mode": "System", "count": 1, "vm_size_candidates": ["Standard_Nope", "Standard_D2s_v5"]}
        ],
        "properties": {"autoUpgradeProfile": {"upgradeChannel": "patch"}},
        "tags": {"team": "agents"},
        "owner": OWNER,
    }
    nothing = run_task("aks_cluster", declared, check=True)
    assert nothing["changed"]
    assert any(group in note for note in nothing["notes"])
    run_task("azure_resource", {"type": GROUPS, "name": group, "location": "eastus2", "owner": OWNER})
    made = run_task("aks_cluster", declared)
    assert made["diff"] == nothing["diff"]
    assert made["cluster"]["provisioning_state"] == "Succeeded"
    assert made["cluster"]["node_pools"][0]["vm_size"] == "Standard_D2s_v5"
    assert not run_task("aks_cluster", declared)["changed"]

    body = portal.get(place)
    body["properties"]["agentPoolProfiles"][0]["count"] = 3
    body["properties"]["agentPoolProfiles"][0]["nodeLabels"] = {"by": "hand"}
    body["properties"]["autoUpgradeProfile"]["upgradeChannel"] = "rapid"
    portal.put(place, body)
    shown = run_task("aks_cluster", declared, check=True)
    assert shown["diff"][0]["before"].splitlines() == [
        "properties.agentPoolProfiles[system].count: 3",
        'properties.autoUpgradeProfile.upgradeChannel: "rapid"',
    ]
    assert run_task("aks_cluster", declared)["diff"] == shown["diff"]
    repaired = portal.get(place)["properties"]
    assert repaired["agentPoolProfiles"][0]["count"] == 1
    # nobody declared labels: what somebody else put there stays
    assert repaired["agentPoolProfiles"][0]["nodeLabels"] == {"by": "hand"}

    # a pool beside it, made by a request of its own, and labels that YAML reads as something else
    work = {"name": "work", "count": 1, "vm_size": "Standard_D2s_v5", "labels": {"tier": 1, "gpu": True}}
    two = {**declared, "node_pools": [*declared["node_pools"], work]}
    planned = run_task("aks_cluster", two, check=True)
    assert run_task("aks_cluster", two)["diff"] == planned["diff"]
    assert portal.get(f"{place}/agentPools/work")["properties"]["nodeLabels"] == {"tier": "1", "gpu": "true"}
    assert not run_task("aks_cluster", two)["changed"]

    misspelt = run_task("aks_cluster", {**declared, "properties": {"autoUpgradProfile": {}}}, fails=True)
    assert "did you mean autoUpgradeProfile?" in misspelt["msg"]
    refused = run_task("aks_cluster", {**declared, "dns_prefix": "other", "location": "westus2"}, fails=True)
    assert refused["error"]["paths"] == ["location", "properties.dnsPrefix"]

    absent = {"name": "own", "resource_group": group, "owner": OWNER, "state": "absent"}
    other = run_task("aks_cluster", {**absent, "owner": {"host": "other"}}, fails=True)
    assert "inventory host test" in other["msg"]
    assert run_task("aks_cluster", absent)["changed"]
    assert not run_task("aks_cluster", absent)["changed"]
    assert portal.request("GET", place).status_code == 404


@pytest.mark.parametrize(
    ("auth", "parts"),
    [
        pytest.param({}, ["client_id", "AZURE_SECRET", "az login", "AZURE_SUBSCRIPTION_ID"], id="none"),
        pytest.param({"secret": "not-the-secret"}, ["AADSTS7000215", "AZURE_SECRET"], id="wrong"),
        pytest.param({"subscription_id": "00000000-0000-0000-0000-00000000dead"}, ["SubscriptionNotFound"], id="other"),
    ],
)
def test_credentials(run_task: TaskRunner, cloud: Any, tmp_path: Any, auth: dict[str, str], parts: list[str]) -> None:
    given = {**cloud.auth(), **auth} if auth else {"auth_source": "auto"}
    nobody = {"AZURE_CONFIG_DIR": str(tmp_path)}
    failed = run_task("aks_cluster_info", {}, auth=given, env=nobody, fails=True)
    for part in parts:
        assert part in failed["msg"]
    assert "not-the-secret" not in str(failed)
