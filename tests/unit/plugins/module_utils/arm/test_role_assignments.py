# SPDX-License-Identifier: GPL-3.0-or-later
"""Role assignments: what options are refused, which assignments are one, and what a refusal of Azure tells to do."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.role_assignment_plan import (
    assignment_name,
    granted_above,
    plan_grant,
    problems,
    role_guid,
    same_grant,
    spec_of,
)

SUB = "/subscriptions/1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22"
GROUP = f"{SUB}/resourceGroups/rg"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acragents"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tools"
PRINCIPAL, PULL = "11111111-2222-3333-4444-555555555555", "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ROLES = "/providers/Microsoft.Authorization/roleDefinitions"


def options(**changes: Any) -> dict[str, Any]:
    base = {"scope": REGISTRY, "principal": PRINCIPAL, "role": "AcrPull", "state": "present", "wait_timeout": 300}
    return {**base, **changes}


TAKEN: dict[str, dict[str, Any]] = {
    "a subscription": {"scope": SUB},
    "a group, with a slash at its end": {"scope": f"{GROUP}/"},
    "a namespace": {"scope": f"{CLUSTER}/namespaces/tools"},
    "a management group": {"scope": "/providers/Microsoft.Management/managementGroups/contoso"},
    "the root": {"scope": "/"},
    "the reservations of a tenant": {"scope": "/providers/Microsoft.Capacity"},
    "something in a tenant": {"scope": "/providers/Microsoft.Billing/billingAccounts/1-2/billingProfiles/A"},
    "in other case": {"scope": REGISTRY.upper()},
    "in the task's subscription": {"scope": REGISTRY.removeprefix(SUB), "principal": IDENTITY.removeprefix(SUB)},
    "an identity": {"principal": IDENTITY.lower()},
    "the control plane of a cluster": {"principal": CLUSTER, "cluster_identity": "control_plane"},
    "a role's GUID": {"role": PULL.upper()},
    "a role's id": {"role": f"{ROLES}/{PULL}"},
    "a role's id in a subscription": {"role": f"{SUB}{ROLES.lower()}/{PULL}/"},
    "a role's id in a group": {"role": f"{GROUP}{ROLES}/{PULL}"},
    "a role's id in a management group": {"role": f"/providers/Microsoft.Management/managementGroups/m{ROLES}/{PULL}"},
    "a role's name with blanks": {"role": "Container Registry Repository Reader"},
    "an end of a condition": {"condition": ""},
    "a name": {"name": str(uuid.uuid4())},
    "a group of people": {"principal_type": "Group"},
}


@pytest.mark.parametrize("changes", TAKEN.values(), ids=TAKEN)
def test_taken(changes: dict[str, Any]) -> None:
    assert problems(options(**changes)) == []


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no scope": ({"scope": "acragents"}, "scope", "is not a valid scope"),
    "half a scope": ({"scope": f"{GROUP}/providers/Microsoft.X"}, "scope", "is not a valid scope"),
    "half a scope in the tenant": ({"scope": "/providers/Microsoft.Billing/billingAccounts"}, "scope", "not a valid"),
    "no namespace": ({"scope": "/providers/Capacity"}, "scope", "is not a valid scope"),
    "a subscription's name": ({"scope": "/subscriptions/mine"}, "scope", "is not a valid scope"),
    "an assignment": (
        {"scope": f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/x"},
        "scope",
        "give what is",
    ),
    "a name of a person": ({"principal": "jane@example.com"}, "principal", "is not a valid principal"),
    "a GUID without dashes": ({"principal": PRINCIPAL.replace("-", "")}, "principal", "is not a valid principal"),
    "another resource": ({"principal": REGISTRY}, "principal", "is not a valid principal"),
    "no role": ({"role": " "}, "role", "is empty"),
    "an id of something else": ({"role": f"{GROUP}/providers/x/y"}, "role", "is not a valid id of a role"),
    "an identity that is a user": ({"principal": IDENTITY, "principal_type": "User"}, "principal_type", "is User"),
    "an identity of no cluster": ({"cluster_identity": "kubelet"}, "cluster_identity", "AKS cluster"),
    "a name that is no GUID": ({"name": "pull"}, "name", "'pull' is not a GUID"),
    "a version of nothing": ({"condition_version": "2.0"}, "condition_version", "is for a condition"),
    "no time": ({"wait_timeout": -1}, "wait_timeout", ""),
}


@pytest.mark.parametrize(("changes", "path", "text"), REFUSED.values(), ids=REFUSED)
def test_refused(changes: dict[str, Any], path: str, text: str) -> None:
    (problem,) = problems(options(**changes))
    assert problem.path == path and text in problem.message


@pytest.mark.parametrize(
    "place",
    ["", SUB, GROUP, "/providers/Microsoft.Management/managementGroups/m"],
    ids=["tenant", "sub", "group", "mg"],
)
def test_a_role_is_its_guid_wherever_its_id_says_that_it_is(place: str) -> None:
    assert role_guid(f"{place}{ROLES}/{PULL.upper()}/") == PULL


def test_all_problems_at_once() -> None:
    found = problems(options(scope="x", principal="y", role="", name="z", condition_version="2.0"))
    assert [problem.path for problem in found] == ["scope", "principal", "role", "name", "condition_version"]


def body(scope: str = REGISTRY, role: str = f"{SUB}{ROLES}/{PULL}", **more: Any) -> dict[str, Any]:
    properties = {"scope": scope, "principalId": PRINCIPAL, "roleDefinitionId": role, **more}
    return {"id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/x", "name": "x", "properties": properties}


def declared(**changes: Any) -> Any:
    return spec_of(options(**changes), SUB.rpartition("/")[2], PRINCIPAL, PULL)


SAME: dict[str, tuple[dict[str, Any], bool]] = {
    "as it is": (body(), True),
    "in other case": (body(REGISTRY.upper()), True),
    "a role without a subscription": (body(role=f"{ROLES}/{PULL.upper()}"), True),
    "another principal": (body(principalId=str(uuid.uuid4())), False),
    "another role": (body(role=f"{ROLES}/{uuid.uuid4()}"), False),
    "a scope above": (body(GROUP), False),
    "a scope beside": (body(f"{REGISTRY}2"), False),
    "a scope below": (body(f"{REGISTRY}/x/y"), False),
}


@pytest.mark.parametrize(("found", "same"), SAME.values(), ids=SAME)
def test_what_is_one_assignment(found: dict[str, Any], same: bool) -> None:
    properties = declared().declared["properties"]
    assert same_grant(found, properties, REGISTRY) is same
    without = {**found, "properties": {key: value for key, value in found["properties"].items() if key != "scope"}}
    assert same_grant(without, properties, REGISTRY) is same


def test_the_same_role_above() -> None:
    properties = declared().declared["properties"]
    assert granted_above([body(), body(f"{REGISTRY}/x/y")], properties, REGISTRY) == ""
    assert granted_above([body(SUB), body(GROUP.lower()), body("/")], properties, REGISTRY) == GROUP.lower()
    assert granted_above([body("/")], properties, REGISTRY) == "/"
    assert granted_above([body(GROUP, condition="x")], properties, REGISTRY) == ""


def test_names_are_the_same_for_the_same() -> None:
    names = {assignment_name(scope, PRINCIPAL, PULL) for scope in (REGISTRY, REGISTRY.lower())}
    assert len(names) == 1 and str(uuid.UUID(names.pop()))
    assert assignment_name(REGISTRY, PRINCIPAL, PULL) != assignment_name(GROUP, PRINCIPAL, PULL)


def test_roles() -> None:
    assert role_guid(f"{SUB}{ROLES}/{PULL.upper()}") == role_guid(PULL) == PULL
    assert role_guid("AcrPull") == role_guid("7f951dda4ed34680a7ca43fe172d538d") == ""


def test_ids_in_the_subscription_of_the_task() -> None:
    assert declared(scope=REGISTRY.removeprefix(SUB)).id == declared().id


def test_a_managed_identity_says_what_it_is() -> None:
    assert declared(principal=IDENTITY).declared["properties"]["principalType"] == "ServicePrincipal"
    assert "principalType" not in declared().declared["properties"]


CONDITION = "((!(ActionMatches{'a b'})) OR (@Request[x:name] StringEqualsIgnoreCase 'tools/echo'))"


def test_conditions() -> None:
    standing = body(condition=CONDITION.replace(" OR ", "\n OR\n "), conditionVersion="2.0")
    assert plan_grant(standing, declared(condition=CONDITION)).changes == ()
    changed = plan_grant(standing, declared(condition=CONDITION.replace("a b", "ab")))
    assert [change.path for change in changed.changes] == ["properties.condition"]
    left = plan_grant(standing, declared())
    assert left.changes == () and "has a condition that is not declared" in left.notes[0]
    cleared = plan_grant(standing, declared(condition=" "))
    assert {change.path for change in cleared.changes} == {"properties.condition", "properties.conditionVersion"}
    assert plan_grant(body(condition=None), declared(condition="")).changes == ()
    made = plan_grant(None, declared(condition=CONDITION))
    assert made.body["properties"]["conditionVersion"] == "2.0"
