# SPDX-License-Identifier: GPL-3.0-or-later
"""Role definitions and assignments: what is found, what is taken, and the codes of what is not."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from localcloud.azure import rbac

from .conftest import SUB, Azure, cluster_path

VERSION = "2022-04-01"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
PRINCIPAL, OTHER = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
ROLES = "/providers/Microsoft.Authorization/roleDefinitions"
GRANTS = "/providers/Microsoft.Authorization/roleAssignments"
GROUP = "/resourceGroups/rg"
ONE, TWO = str(uuid.uuid4()), str(uuid.uuid4())


def grant(role: str = ACR_PULL, principal: str = PRINCIPAL, prefix: str = "", **more: Any) -> dict[str, Any]:
    properties = {"roleDefinitionId": f"{prefix}{ROLES}/{role}", "principalId": principal, **more}
    return {"properties": {"principalType": "ServicePrincipal", **properties}}


def put(azure: Azure, name: str = ONE, scope: str = GROUP, body: Any = None) -> Any:
    return azure.request("PUT", f"{scope}{GRANTS}/{name}", grant() if body is None else body, version=VERSION)


def test_an_assignment_comes_and_goes(azure: Azure) -> None:
    azure.group()
    path = f"{GROUP}{GRANTS}/{ONE}"
    missing = azure.request("GET", path, version=VERSION)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "RoleAssignmentNotFound")
    made = put(azure)
    assert made.status_code == 201
    properties = azure.request("GET", path, version=VERSION).json()["properties"]
    # without the subscription it was sent, with it it is answered
    assert properties["roleDefinitionId"] == f"{SUB}{ROLES}/{ACR_PULL}"
    assert properties["scope"] == f"{SUB}{GROUP}"
    assert put(azure, body=grant(prefix=SUB, description="why")).status_code == 200
    assert azure.request("GET", path, version=VERSION).json()["properties"]["description"] == "why"
    assert azure.request("DELETE", path, version=VERSION).status_code == 200
    assert azure.request("DELETE", path, version=VERSION).status_code == 204


REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "the same grant under another name": (TWO, grant(), 409, "RoleAssignmentExists"),
    "the same name for another principal": (ONE, grant(principal=OTHER), 400, "RoleAssignmentUpdateNotPermitted"),
    "the same name for another role": (ONE, grant(READER), 400, "RoleAssignmentUpdateNotPermitted"),
    "an unknown role": (TWO, grant(str(uuid.uuid4())), 404, "RoleDefinitionDoesNotExist"),
    "a name that is no GUID": ("mine", grant(), 400, "InvalidRoleAssignmentId"),
    "no principal": (TWO, {"properties": {"roleDefinitionId": ACR_PULL}}, 400, "InvalidRequestContent"),
}


@pytest.mark.parametrize(("name", "body", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(azure: Azure, name: str, body: dict[str, Any], status: int, code: str) -> None:
    azure.group()
    put(azure)
    answer = put(azure, name, body=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_principal_that_the_directory_does_not_know_yet(azure: Azure) -> None:
    azure.group()
    azure.faults.add("principal-unknown", principal=PRINCIPAL)
    refused = put(azure)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "PrincipalNotFound")
    assert "replication delay" in refused.json()["error"]["message"]
    assert put(azure).status_code == 201


def test_listed_at_above_and_below(azure: Azure) -> None:
    azure.group()
    azure.cluster()
    for name, scope in ((ONE, ""), (TWO, GROUP), (str(uuid.uuid4()), cluster_path())):
        assert put(azure, name, scope).status_code == 201
    assert put(azure, str(uuid.uuid4()), GROUP, grant(principal=OTHER)).status_code == 201

    def listed(scope: str, asked: str) -> int:
        query = {"$filter": asked} if asked else {}
        return len(azure.request("GET", f"{scope}{GRANTS}", version=VERSION, **query).json()["value"])

    assert listed(GROUP, f"principalId eq '{PRINCIPAL}'") == 3
    assert listed(GROUP, "atScope()") == 3
    assert listed("", "") == 4
    assert listed(cluster_path(), "atScope()") == 4


def test_definitions(azure: Azure) -> None:
    found = azure.request("GET", ROLES, version=VERSION, **{"$filter": "roleName eq 'AcrPull'"}).json()["value"]
    assert [role["name"] for role in found] == [ACR_PULL]
    assert azure.request("GET", f"{ROLES}/{ACR_PULL}", version=VERSION).json()["properties"]["roleName"] == "AcrPull"
    place = f"{ROLES}/{ONE}"
    assert azure.request("GET", place, version=VERSION).json()["error"]["code"] == "RoleDefinitionDoesNotExist"
    body = {"properties": {"roleName": "mine", "permissions": [{"actions": ["*/read"]}], "assignableScopes": [SUB]}}
    assert azure.request("PUT", place, body, version=VERSION).status_code == 201
    assert azure.request("GET", place, version=VERSION).json()["properties"]["type"] == "CustomRole"
    azure.group()
    assert put(azure, TWO, GROUP, grant(ONE)).status_code == 201
    used = azure.request("DELETE", place, version=VERSION)
    assert (used.status_code, used.json()["error"]["code"]) == (400, "RoleDefinitionHasAssignments")
    assert azure.request("DELETE", f"{GROUP}{GRANTS}/{TWO}", version=VERSION).status_code == 200
    assert azure.request("DELETE", place, version=VERSION).status_code == 200


def test_a_custom_role_is_there_where_it_can_be_assigned(azure: Azure) -> None:
    """At its assignable scopes and below them; above them only for who asks for what lies below, too."""
    azure.group()
    definition = {"roleName": "mine", "permissions": [{"actions": ["*/read"]}], "assignableScopes": [f"{SUB}{GROUP}"]}
    assert azure.request("PUT", f"{GROUP}{ROLES}/{ONE}", {"properties": definition}, version=VERSION).status_code == 201

    def listed(scope: str, *asked: str) -> list[str]:
        query = {"$filter": " and ".join(["type eq 'CustomRole'", *asked])}
        return [
            role["name"] for role in azure.request("GET", f"{scope}{ROLES}", version=VERSION, **query).json()["value"]
        ]

    assert listed("") == [] and listed(GROUP) == [ONE] and listed("", "atScopeAndBelow()") == [ONE]
    assert put(azure, TWO, GROUP, grant(ONE)).status_code == 201
    refused = put(azure, TWO, "", grant(ONE))
    code = refused.json()["error"]["code"]
    assert (refused.status_code, code) == (400, "RoleAssignmentScopeNotAssignableToRoleDefinition")


def test_where_nothing_is(azure: Azure) -> None:
    assert put(azure).json()["error"]["code"] == "ResourceGroupNotFound"
    path = f"/subscriptions/00000000-0000-0000-0000-000000000000{GRANTS}/{ONE}"
    assert azure.request("GET", path, version=VERSION).json()["error"]["code"] == "SubscriptionNotFound"


def test_a_role_may_take_effect_late(azure: Azure) -> None:
    """It is answered and listed at once, and gives nothing before its time; what was assigned before does."""
    azure.group()
    other = f"{GROUP}{GRANTS}/{TWO}"
    assert azure.request("PUT", other, grant(READER, OTHER), version=VERSION).status_code == 201
    scope = f"{SUB}{GROUP}"
    with azure.faults.during("role-late", seconds=3, path="/resourceGroups/rg$"):
        began = time.time()
        assert put(azure).status_code == 201
        # a change of it is no new assignment
        assert put(azure, body=grant(description="why")).status_code == 200
    listed = azure.request("GET", f"{GROUP}{GRANTS}", version=VERSION).json()["value"]
    assert {ONE, TWO} <= {one["name"] for one in listed}
    store = azure.faults._store
    pull = "Microsoft.ContainerRegistry/registries/pull/read"
    assert rbac.allowed(store, OTHER, pull, scope)
    assert not rbac.allowed(store, PRINCIPAL, pull, scope) or time.time() - began >= 3
    while not rbac.allowed(store, PRINCIPAL, pull, scope):
        assert time.time() - began < 30
        time.sleep(0.1)
    assert time.time() - began >= 3
