# SPDX-License-Identifier: GPL-3.0-or-later
"""azure_role_assignment against the local Azure: one grant, however it is called, whoever has it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils.arm import client
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Backoff
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, azure_resource, azure_role_assignment
from localcloud.azure.principals import Principals

OWNER = {"host": "h1"}
GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2", "owner": OWNER}
CLUSTER = {
    "name": "c1",
    "resource_group": "rg",
    "location": "eastus2",
    "owner": OWNER,
    "node_pools": [{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}],
}
READER, PRINCIPAL = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "11111111-2222-3333-4444-555555555555"
GRANTS = "providers/Microsoft.Authorization/roleAssignments"


@pytest.fixture
def group(azure: Azure) -> Azure:
    assert azure.run(azure_resource, GROUP)["changed"]
    return azure


def scope(azure: Azure, below: str = "") -> str:
    return f"/subscriptions/{azure.config.subscription_id}/resourceGroups/rg{below}"


def declared(azure: Azure, **changes: Any) -> dict[str, Any]:
    base = {"scope": scope(azure), "principal": PRINCIPAL, "principal_type": "Group", "role": "Reader"}
    return {**base, **changes}


def test_from_nothing_to_nothing(group: Azure) -> None:
    wanted = declared(group, description="reads")
    checked = group.run(azure_role_assignment, wanted, check=True)
    assert checked["changed"] and "would be created" in checked["msg"]
    assert not [line for line in group.requests() if line[0] == "PUT" and "roleAssignments" in line[1]]
    made = group.run(azure_role_assignment, wanted)
    assert made["diff"] == checked["diff"]
    assert made["assignment"]["properties"]["principalType"] == "Group"
    before = len(group.requests())
    for role in ("READER", READER.upper(), f"/providers/Microsoft.Authorization/roleDefinitions/{READER}"):
        same = group.run(azure_role_assignment, {**wanted, "role": role, "scope": f"{scope(group).upper()}/"})
        assert (same["changed"], same["id"]) == (False, made["id"])
    # the list; the role's name was asked for once a run
    assert len(group.requests()) == before + 3
    other = group.run(azure_role_assignment, {**wanted, "description": "reads everything"})
    assert other["changed"] and other["id"] == made["id"]
    absent = {**declared(group), "state": "absent"}
    assert group.run(azure_role_assignment, absent, check=True)["changed"]
    gone = group.run(azure_role_assignment, absent)
    assert gone["changed"] and gone["assignment"] is None
    assert not group.run(azure_role_assignment, absent)["changed"]


@pytest.mark.parametrize("hidden", [False, True], ids=["seen", "may not be listed"])
def test_a_grant_of_another_name_is_the_same(group: Azure, hidden: bool) -> None:
    name = str(uuid.uuid4())
    properties = {
        "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{READER}",
        "principalId": PRINCIPAL,
        "principalType": "Group",
    }
    group.run(azure_resource, {"id": f"{scope(group)}/{GRANTS}/{name}", "properties": properties})
    if hidden:
        group.faults.add("forbidden", action="Microsoft.Authorization/roleAssignments/read", path="roleAssignments$")
    found = group.run(azure_role_assignment, declared(group))
    assert not found["changed"], found
    if hidden:
        assert "under a name that cannot be read" in found["notes"][0]
        return
    assert found["id"].endswith(name)
    refused = group.run(azure_role_assignment, declared(group, principal_type="User"))
    assert refused["error"]["paths"] == ["properties.principalType"]
    assert group.run(azure_role_assignment, declared(group, state="absent"))["changed"]


def test_one_at_another_scope_stays(group: Azure) -> None:
    above = declared(group, scope=scope(group).rpartition("/resourceGroups/")[0])
    assert group.run(azure_role_assignment, above)["changed"]
    assert not group.run(azure_role_assignment, declared(group, state="absent"))["changed"]
    made = group.run(azure_role_assignment, declared(group))
    assert made["changed"] and "which reaches this scope" in made["notes"][0]
    assert group.run(azure_role_assignment, declared(group, state="absent"))["changed"]
    assert not group.run(azure_role_assignment, above)["changed"]


def test_a_managed_identity_by_its_id(group: Azure) -> None:
    identity = scope(group, "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tools")
    wanted = {"scope": scope(group), "principal": identity, "role": "Reader"}
    checked = group.run(azure_role_assignment, wanted, check=True)
    assert checked["changed"] and "managed identity id-tools does not exist" in checked["notes"][0]
    failed = group.run(azure_role_assignment, wanted)
    assert failed["error"]["code"] == "PrincipalNotFound" and "Create it first" in failed["msg"]
    absent = group.run(azure_role_assignment, {**wanted, "state": "absent"})
    assert not absent["changed"] and "by its object id only" in absent["notes"][0]
    made = group.run(azure_resource, {"id": identity, "location": "eastus2", "owner": OWNER})
    assert made["changed"]
    given = group.run(azure_role_assignment, wanted)
    assert given["changed"]
    assert given["principal_id"] == made["resource"]["properties"]["principalId"]
    assert not group.run(azure_role_assignment, {**wanted, "principal": identity.upper()})["changed"]
    # by the object id it is the same one
    assert not group.run(azure_role_assignment, {**wanted, "principal": given["principal_id"]})["changed"]


def test_identities_of_a_cluster_and_a_namespace(group: Azure) -> None:
    place = scope(group, "/providers/Microsoft.ContainerService/managedClusters/c1")
    wanted = {"scope": scope(group), "principal": place, "role": "Reader"}
    assert "AKS cluster c1 does not exist" in group.run(azure_role_assignment, wanted, check=True)["notes"][0]
    cluster = group.run(aks_cluster, CLUSTER)["cluster"]
    kubelet = group.run(azure_role_assignment, wanted)
    assert kubelet["principal_id"] == cluster["kubelet_object_id"]
    other = group.run(azure_role_assignment, {**wanted, "cluster_identity": "control_plane"})
    assert other["changed"] and other["principal_id"] != kubelet["principal_id"]
    role = "Azure Kubernetes Service RBAC Writer"
    namespace = declared(group, scope=f"{place}/namespaces/tools", role=role)
    made = group.run(azure_role_assignment, namespace)
    assert made["changed"] and made["msg"].startswith(f"role {role} of {PRINCIPAL} at namespace tools of c1")
    assert not group.run(azure_role_assignment, namespace)["changed"]
    assert group.run(azure_role_assignment, {**namespace, "state": "absent"})["changed"]


def test_a_new_principal_is_waited_for(group: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_OTHERS_WORK", Backoff(0.01, 0.01))
    group.faults.add("principal-unknown", principal=PRINCIPAL, count=3)
    assert group.run(azure_role_assignment, declared(group))["changed"]
    group.faults.add("principal-unknown", count=1000)
    failed = group.run(azure_role_assignment, declared(group, role="Owner", wait_timeout=1))
    assert failed["error"]["code"] == "PrincipalNotFound" and "object id" in failed["error"]["hint"]


def test_a_condition_stands_however_its_lines_are_broken(group: Azure) -> None:
    condition = "((!(ActionMatches{'a b'})) OR (@Request[x:name] StringEqualsIgnoreCase 'tools/echo'))"
    wanted = declared(group, condition=condition)
    assert group.run(azure_role_assignment, wanted)["assignment"]["properties"]["conditionVersion"] == "2.0"
    assert not group.run(azure_role_assignment, {**wanted, "condition": condition.replace(" OR ", "\n  OR  ")})[
        "changed"
    ]
    assert "condition that is not declared" in group.run(azure_role_assignment, declared(group))["notes"][0]
    cleared = group.run(azure_role_assignment, {**wanted, "condition": ""})
    assert cleared["changed"] and cleared["assignment"]["properties"]["condition"] is None
    assert not group.run(azure_role_assignment, {**wanted, "condition": ""})["changed"]


def test_who_may_not_is_told_what_is_missing(group: Azure) -> None:
    few = Principals.at(group.config.state).add("few", since=0)
    given = declared(group, role="Contributor", principal=few.object_id, principal_type="ServicePrincipal")
    group.run(azure_role_assignment, given)
    failed = group.run(azure_role_assignment, declared(group, client_id=few.client_id, secret=few.secret, role=READER))
    assert failed["error"]["code"] == "AuthorizationFailed"
    assert "Microsoft.Authorization/roleAssignments/write" in failed["error"]["hint"]
    assert "Role Based Access Control Administrator" in failed["error"]["hint"]
    group.run(azure_role_assignment, {**given, "role": "Role Based Access Control Administrator"})
    assert group.run(azure_role_assignment, declared(group, client_id=few.client_id, secret=few.secret, role=READER))[
        "changed"
    ]


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_what_the_service_says_in_a_check_is_no_creation(group: Azure, check: bool) -> None:
    """A subscription that is not there, and an answer that says nothing of the assignment."""
    elsewhere = declared(group, scope=f"/subscriptions/{uuid.uuid4()}/resourceGroups/rg", role=READER)
    failed = group.run(azure_role_assignment, elsewhere, check)
    assert failed.get("failed") and "Check subscription_id" in failed["msg"], failed
    group.faults.add("unavailable", path="roleAssignments$", count=1000)
    failed = group.run(azure_role_assignment, declared(group, role=READER, wait_timeout=1), check)
    assert failed.get("failed") and failed["error"]["status"] == 503, failed


def test_a_role_that_nobody_has_defined(group: Azure) -> None:
    failed = group.run(azure_role_assignment, declared(group, role="Acr Pull"))
    assert failed["error"]["code"] == "RoleDefinitionDoesNotExist"
    assert "Finding the role Acr Pull" in failed["msg"]


MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/contoso"


@pytest.mark.parametrize("made_for", ["group", "subscription", "management group"])
def test_a_role_of_ones_own_is_found_where_it_can_be_assigned(group: Azure, made_for: str) -> None:
    """Azure lists a role that is made for a group neither with its subscription nor with other groups."""
    subscription = scope(group).rpartition("/resourceGroups/")[0]
    places = {"group": scope(group), "subscription": subscription, "management group": MANAGEMENT_GROUP}
    place, guid = places[made_for], str(uuid.uuid4())
    definition = {"roleName": "House rules", "permissions": [{"actions": ["*/read"]}], "assignableScopes": [place]}
    path = f"{place}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
    assert group.run(azure_resource, {"id": path, "properties": definition})["changed"]
    elsewhere = MANAGEMENT_GROUP if made_for == "subscription" else subscription
    failed = group.run(azure_role_assignment, declared(group, scope=elsewhere, role="House rules"))
    assert failed["error"]["code"] == "RoleDefinitionDoesNotExist" and f"assigned at {elsewhere}" in failed["msg"]
    made = group.run(azure_role_assignment, declared(group, scope=place, role="house rules"))
    assert made["changed"] and made["role_definition_id"].endswith(guid)
    assert not group.run(azure_role_assignment, declared(group, scope=place, role="House rules"))["changed"]
    # who names it by its GUID is told what is wrong by Azure, and by the hint what to do
    failed = group.run(azure_role_assignment, declared(group, scope=elsewhere, role=guid))
    assert failed["error"]["code"] == "RoleAssignmentScopeNotAssignableToRoleDefinition"
    assert "AssignableScopes" in failed["msg"]


def test_a_role_at_what_is_not_there_yet_is_found_above_it(group: Azure) -> None:
    later = f"{scope(group).rpartition('/')[0]}/rg-later"
    checked = group.run(azure_role_assignment, declared(group, scope=later), check=True)
    assert checked["changed"] and checked["role_definition_id"].endswith(READER)


def test_nothing_is_asked_where_options_are_wrong(group: Azure) -> None:
    before = len(group.requests())
    failed = group.run(azure_role_assignment, declared(group, scope="rg", principal="me", role=""))
    assert failed["error"]["kind"] == "invalid_input"
    assert [path for path in ("scope", "principal", "role") if f"{path}:" not in failed["msg"]] == []
    assert len(group.requests()) == before
