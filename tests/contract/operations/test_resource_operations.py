# SPDX-License-Identifier: GPL-3.0-or-later
"""azure_resource on what is no resource group: role assignments, pools, clusters, names that a service drops."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils.arm import client, names, reconcile, sdk
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.arm.errors import Unreachable
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_plan import plan_resource, resource_spec
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Backoff
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, azure_provider, azure_resource

OWNER = {"host": "h1"}
GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2", "owner": OWNER}
CLUSTER = {
    "name": "c1",
    "resource_group": "rg",
    "location": "eastus2",
    "owner": OWNER,
    "node_pools": [{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}],
}
ACR_PULL, READER = "7f951dda-4ed3-4680-a7ca-43fe172d538d", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
PRINCIPAL = "11111111-2222-3333-4444-555555555555"
ROLE = "/providers/Microsoft.Authorization/roleDefinitions/"
NAME = str(uuid.uuid4())


@pytest.fixture
def group(azure: Azure) -> Azure:
    assert azure.run(azure_resource, GROUP)["changed"]
    return azure


def grant(azure: Azure, scope: str = "/resourceGroups/rg", name: str = NAME, **properties: Any) -> dict[str, Any]:
    subscription = f"/subscriptions/{azure.config.subscription_id}"
    return {
        "id": f"{subscription}{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "properties": {
            "roleDefinitionId": f"{ROLE}{READER}",
            "principalId": PRINCIPAL,
            "principalType": "ServicePrincipal",
            **properties,
        },
    }


@pytest.mark.parametrize("scope", ["", "/resourceGroups/rg", "/resourceGroups/rg/providers/Microsoft.X/things/a"])
def test_a_role_assignment_from_nothing_to_nothing(group: Azure, scope: str) -> None:
    declared = grant(group, scope, description="reads")
    checked = group.run(azure_resource, declared, check=True)
    assert checked["changed"]
    made = group.run(azure_resource, {**declared, "owner": OWNER})
    assert made["diff"] == checked["diff"]
    before = len(group.requests())
    for prefix in ("", f"/subscriptions/{group.config.subscription_id}"):
        same = {**declared["properties"], "roleDefinitionId": f"{prefix}{ROLE}{READER.upper()}"}
        assert not group.run(azure_resource, {**declared, "properties": same})["changed"]
    assert len(group.requests()) == before + 2

    other = grant(group, scope, description="reads everything")
    shown = group.run(azure_resource, other, check=True)
    assert shown["diff"][0]["before"] == 'properties.description: "reads"\n'
    assert group.run(azure_resource, other)["changed"]
    refused = group.run(azure_resource, grant(group, scope, roleDefinitionId=f"{ROLE}{ACR_PULL}"))
    assert refused["error"]["paths"] == ["properties.roleDefinitionId"]

    absent = {"id": declared["id"], "state": "absent", "owner": OWNER}
    assert group.run(azure_resource, absent, check=True)["changed"]
    assert group.run(azure_resource, absent)["changed"]
    assert not group.run(azure_resource, absent)["changed"]


@pytest.mark.parametrize("hidden", [False, True], ids=["seen", "may not be listed"])
def test_the_same_grant_under_another_name_is_as_declared(group: Azure, hidden: bool) -> None:
    group.run(azure_resource, grant(group))
    duplicate = grant(group, name=str(uuid.uuid4()))
    if hidden:
        group.faults.add("forbidden", action="Microsoft.Authorization/roleAssignments/read", path="roleAssignments$")
    found = group.run(azure_resource, duplicate)
    assert not found["changed"], found
    assert "has this role there already" in found["notes"][0]
    if not hidden:
        assert not group.run(azure_resource, duplicate, check=True)["changed"]
        assert found["id"].endswith(NAME)
    # it is not ours to delete
    assert not group.run(azure_resource, {**duplicate, "state": "absent"})["changed"]
    assert not group.run(azure_resource, grant(group))["changed"]


def test_an_identity_that_the_directory_does_not_know_yet_is_waited_for(
    group: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_OTHERS_WORK", Backoff(0.01, 0.01))
    group.faults.add("principal-unknown", principal=PRINCIPAL, count=3)
    assert group.run(azure_resource, grant(group))["changed"]
    group.faults.add("principal-unknown", count=1000)
    failed = group.run(azure_resource, {**grant(group, name=str(uuid.uuid4()), principalId=NAME), "wait_timeout": 1})
    assert failed["error"]["code"] == "PrincipalNotFound"
    assert "object id" in failed["error"]["hint"]


def test_an_assignment_has_no_tags(azure: Azure) -> None:
    failed = azure.run(azure_resource, {**grant(azure), "tags": {"a": "b"}})
    assert "has no tags of its own" in failed["msg"]


def test_a_misspelt_property_that_the_service_drops_is_told_each_time(group: Azure) -> None:
    declared = grant(group, descripton="why")
    for _run in range(2):
        task = group.task(azure_resource, declared)
        assert azure_resource.OPERATION(task).changed
        (warning,) = task.warnings
        assert "properties.descripton is not answered; did you mean description?" in warning
        assert "changed again on every run" in warning


def test_a_value_that_the_service_makes_another_one_is_told(group: Azure) -> None:
    """A state is the service's: what is declared of it is sent (to a type whose model nobody here has) and not kept."""
    place = f"/subscriptions/{group.config.subscription_id}/resourceGroups/rg"
    task = group.task(azure_resource, {"id": place, "location": "eastus2", "properties": {"provisioningState": "Odd"}})
    azure_resource.OPERATION(task)
    assert any('sent "Odd", answered "Succeeded"' in warning for warning in task.warnings)


# --- AKS through azure_resource


@pytest.fixture
def cluster(group: Azure) -> Azure:
    assert group.run(aks_cluster, CLUSTER)["changed"]
    return group


def test_a_pool_as_a_resource(cluster: Azure) -> None:
    properties = {"count": 1, "vmSize": "Standard_D2s_v5", "mode": "user", "nodeLabels": {"tier": 1}}
    declared = {"type": names.AGENT_POOLS, "resource_group": "rg", "name": "c1/work", "properties": properties}
    assert cluster.run(azure_resource, declared)["changed"]
    before = len(cluster.requests())
    assert not cluster.run(azure_resource, declared)["changed"]
    assert len(cluster.requests()) == before + 1
    scaled = cluster.run(azure_resource, {**declared, "properties": {"count": 2}})
    assert scaled["resource"]["properties"]["count"] == 2
    assert scaled["resource"]["properties"]["nodeLabels"] == {"tier": "1"}
    wrong = cluster.run(azure_resource, {**declared, "properties": {"cuont": 2}})
    assert "properties.cuont" in wrong["msg"] and "did you mean count?" in wrong["msg"]
    assert cluster.run(azure_resource, {**declared, "state": "absent"})["changed"]
    assert not cluster.run(azure_resource, {**declared, "state": "absent"})["changed"]


def test_a_cluster_as_a_resource_leaves_its_pools_alone(cluster: Azure) -> None:
    declared = {"type": names.MANAGED_CLUSTERS, "resource_group": "rg", "name": "c1", "tags": {"a": "b"}}
    task = cluster.task(azure_resource, declared)
    cluster.faults.add("busy", count=1, method="PUT", path="managedClusters/c1$")
    arm = Arm.connect(cluster.task(aks_cluster, CLUSTER))
    place = f"{names.cluster_id(cluster.config.subscription_id, 'rg', 'c1')}/agentPools/system"
    version = names.api_version_of(names.AGENT_POOLS)

    def scaled(_message: str) -> None:
        body = arm.read(place, "Reading", version).body or {}
        if body["properties"]["count"] == 1:
            body["properties"]["count"] = 3
            reconcile.await_operation(arm, arm.write("PUT", place, "Scaling", version, body), "pool", "Scaling")

    task.progress = scaled  # type: ignore[method-assign]
    assert azure_resource.OPERATION(task).changed
    assert (arm.read(place, "Reading", version).body or {})["properties"]["count"] == 3
    pools = [{"name": "system", "count": 5}]
    refused = cluster.run(azure_resource, {**declared, "properties": {"agentPoolProfiles": pools}})
    assert "aks_cluster" in refused["msg"]


# --- types that nobody here knows

STANDING: dict[str, Any] = {
    "id": "/x",
    "name": "db",
    "type": "Microsoft.Sql/servers",
    "etag": '"1"',
    "location": "eastus2",
    "properties": {"provisioningState": "Succeeded", "administratorLogin": "sa", "version": "12.0", "ports": ["1"]},
}


def planned(method: str, **properties: Any) -> Any:
    params = {
        "type": "Microsoft.Sql/servers",
        "name": "db",
        "resource_group": "rg",
        "api_version": "2023-08-01",
        "state": "present",
        "update_method": method,
        "properties": properties,
    }
    return plan_resource(STANDING, resource_spec(params, "s"))


SAME: dict[str, dict[str, Any]] = {
    "a number for a text": {"version": "12.0", "ports": [1]},
    "a password that is never answered": {"administratorLogin": "sa", "administratorLoginPassword": "c4nary"},
}


@pytest.mark.parametrize("method", ["put_merged", "put_declared", "patch"])
@pytest.mark.parametrize("properties", SAME.values(), ids=SAME.keys())
def test_is_as_declared(properties: dict[str, Any], method: str) -> None:
    assert planned(method, **properties).changes == ()


@pytest.mark.parametrize("method", ["put_merged", "put_declared", "patch"])
def test_a_password_goes_with_another_change(method: str) -> None:
    plan = planned(method, administratorLoginPassword="c4nary", publicNetworkAccess="Disabled")
    assert [change.path for change in plan.changes] == ["properties.publicNetworkAccess"]
    assert plan.body["properties"]["administratorLoginPassword"] == "c4nary"
    assert "never answered" in plan.notes[0]
    assert "c4nary" not in str(plan.diff())
    assert "etag" not in plan.body


def test_a_registry_whose_answer_was_lost_is_not_somebody_elses(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks behind the request, and a replica does not know the registry yet: its name is taken."""
    assert azure.run(azure_provider, {"namespaces": ["Microsoft.ContainerRegistry"]})["changed"]
    assert azure.run(azure_resource, GROUP)["changed"]
    sent = sdk.PipelineSender.send
    lost: list[str] = []

    def send(self: Any, request: Any) -> Any:
        answer = sent(self, request)
        if request.method == "PUT" and "/registries/" in request.url and not lost:
            lost.append(request.url)
            azure.faults.add("missing", path="registries/acragents$", count=1)
            raise Unreachable("the connection broke", sent=True)
        return answer

    monkeypatch.setattr(sdk.PipelineSender, "send", send)
    made = azure.run(
        azure_resource,
        {
            "type": "Microsoft.ContainerRegistry/registries",
            "resource_group": "rg",
            "name": "acragents",
            "location": "eastus2",
            "sku": {"name": "Basic"},
            "owner": {"host": "h1"},
        },
    )
    assert lost and made["changed"] and made["resource"]["name"] == "acragents", made["msg"]
