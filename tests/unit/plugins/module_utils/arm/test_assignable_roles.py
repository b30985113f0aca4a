# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a refusal: the permission, where, and the roles that Azure has for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import azure_rights
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.arm.errors import Request
from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response

SUB = "/subscriptions/00000000-0000-0000-0000-000000000001"
GROUP = f"{SUB}/resourceGroups/rg"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-a"
WRITE = "Microsoft.Authorization/roleAssignments/write"
ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
ROLES: dict[str, tuple[list[str], list[str]]] = {
    "Owner": (["*"], []),
    "Contributor": (["*"], ["Microsoft.Authorization/*/Write"]),
    "Role Based Access Control Administrator": (["*/read", WRITE], []),
    "Managed Identity Operator": (["Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action"], []),
    "House rules": ([WRITE], []),
}


def refused(code: str, message: str) -> Response:
    return Response(403, {}, json.dumps({"error": {"code": code, "message": message}}).encode())


def not_allowed(action: str) -> Response:
    return refused(
        "AuthorizationFailed",
        f"The client 'x' with object id 'x' does not have authorization to perform action '{action}' over scope "
        f"'{GROUP}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
    )


class Service:
    """Answers which roles there are, two to a page, or says that this is nobody's business."""

    def __init__(self, *readable: str) -> None:
        self.asked: list[str] = []
        self._readable = readable

    def send(self, request: Request) -> Response:
        self.asked.append(request.url)
        place = request.url.removeprefix("https://arm").partition("/providers/")[0]
        if place not in self._readable and not place.startswith("/roles?"):
            return not_allowed("Microsoft.Authorization/roleDefinitions/read")
        begin = int(request.url.partition("from=")[2] or 0)
        page = [
            {"properties": {"roleName": name, "permissions": [{"actions": given, "notActions": taken}]}}
            for name, (given, taken) in list(ROLES.items())[begin : begin + 2]
        ]
        link = {"nextLink": f"https://arm/roles?from={begin + 2}"} if begin + 2 < len(ROLES) else {}
        return Response(200, {}, json.dumps({"value": page, **link}).encode())

    def renew(self) -> None:
        raise AssertionError("no token has expired")


def arm(service: Any) -> Arm:
    return Arm(service, "https://arm", SUB.rpartition("/")[2], timeout=5)


@pytest.mark.parametrize("readable", [(GROUP,), (SUB,), (SUB, GROUP)], ids=["group", "subscription", "both"])
def test_a_refusal_names_the_permission_and_the_narrowest_roles(readable: tuple[str, ...]) -> None:
    service = Service(*readable)
    failure = arm(service).failure("Doing", not_allowed(WRITE))
    assert failure.hint == (
        f"Give this identity the permission {WRITE} at {GROUP}, by a role that has it, the narrowest first: "
        "House rules, Role Based Access Control Administrator, Owner."
    )
    assert failure.code == "AuthorizationFailed"


@pytest.mark.parametrize(
    ("actions", "scopes", "role"),
    [
        (ASSIGN, IDENTITY, "Managed Identity Operator, Contributor, Owner"),
        (f"{ASSIGN}, {WRITE}", f"{IDENTITY},{GROUP}", "Owner"),
    ],
    ids=["one", "several"],
)
def test_a_refusal_of_a_linked_scope_names_that_one(actions: str, scopes: str, role: str) -> None:
    text = (
        "The client 'x' with object id 'x' has permission to perform action 'Microsoft.X/y/write' on scope '/a'; "
        f"however, it does not have permission to perform action(s) '{actions}' on the linked scope(s) "
        f"'{scopes}' (respectively) or the linked scope(s) are invalid."
    )
    hint = arm(Service(SUB)).failure("Doing", refused("LinkedAuthorizationFailed", text)).hint
    asked = f"Give this identity the permission {actions} at {IDENTITY}"
    assert hint == f"{asked}, by a role that has it, the narrowest first: {role}."


@pytest.mark.parametrize("action", [WRITE, "Microsoft.Authorization/roleDefinitions/read"])
def test_who_may_not_read_roles_is_told_where_they_are_listed(action: str) -> None:
    service = Service()
    failure = arm(service).failure("Doing", not_allowed(action))
    assert failure.hint == (
        f"Give this identity the permission {action} at {GROUP}; docs/azure-permissions.md says which roles have what."
    )
    assert len(service.asked) == (2 if action == WRITE else 0), "who was refused to read roles is not asked again"


def test_no_role_helps_against_a_deny_assignment() -> None:
    text = (
        "The client 'x' with object id 'x' has permission to perform action 'Microsoft.Network/x/write' on scope "
        f"'{GROUP}'; however, the access is denied because of the deny assignment with name 'System deny' and Id 'y' "
        f"at scope '{GROUP}'."
    )
    service = Service()
    failure = arm(service).failure("Doing", refused("DenyAssignmentAuthorizationFailed", text))
    assert failure.hint.startswith("A deny assignment forbids it, which no role undoes")
    assert not service.asked


def test_what_an_identity_may_do_is_read_to_the_last_page() -> None:
    """One with many roles has many pages; a page that is refused is a failure, and not the end."""
    pages = {
        "permissions": ({"value": [{"actions": ["a/read"]}], "nextLink": "https://arm/2"}, 200),
        "2": ({"value": [], "nextLink": "https://arm/3"}, 200),
        "3": ({"value": [{"actions": ["c/read"]}]}, 200),
    }

    class Pages(Service):
        def send(self, request: Request) -> Response:
            body, status = pages[request.url.partition("?")[0].rpartition("/")[2]]
            return Response(status, {}, json.dumps(body).encode())

    held = azure_rights.Held(arm(Pages())).at(SUB)
    assert held is not None and [grant.actions for grant in held] == [("a/read",), ("c/read",)]
    pages["3"] = ({"error": {"code": "Broken", "message": "broken"}}, 400)
    with pytest.raises(ServiceError, match="broken"):
        azure_rights.Held(arm(Pages())).at(SUB)
