# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Authorization: role definitions and role assignments, at any scope.

Codes and texts: RoleAssignmentExists and PrincipalNotFound as quoted in public issues (Azure/azure-cli, terraform,
bicep-registry-modules); `roleDefinitionId` is answered with the subscription before it (recorded traffic of azure-cli);
a missing assignment is RoleAssignmentNotFound (recorded); statuses as azure-mgmt-authorization 4.0 accepts them. What a
PUT of the same name may change (description and condition) is the documentation's; that code's text is recalled.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from . import groups, subscriptions
from .store import Resource
from .wire import ArmError, Body, Call, Reply, page

if TYPE_CHECKING:
    from .cloud import Cloud

ASSIGNMENT, DEFINITION = "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/roleDefinitions"
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
BUILT_IN = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
    "4d97b98b-1d4f-4787-a291-c67834d212e7": "Network Contributor",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
    "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8": "Azure Kubernetes Service Cluster Admin Role",
    "4abbcc35-e782-43d8-92c5-2d3f1bd2253f": "Azure Kubernetes Service Cluster User Role",
    "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b": "Azure Kubernetes Service RBAC Cluster Admin",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
}
FIXED = ("principalId", "principalType")


def _scope(call: Call) -> str:
    """The scope of this request, which has to be there as far as this cloud knows."""
    scope = "/" + call.params.get("scope", "").strip("/")
    found = re.match(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?", scope, re.IGNORECASE)
    if found:
        subscriptions.require_known(call.cloud, found[1])
        if found[2]:
            groups.find(call.cloud, found[1], found[2])
    return scope.rstrip("/")


def _guid(text: str, what: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as exc:
        raise ArmError(400, f"Invalid{what}Id", f"The ID '{text}' is not valid. It must be a GUID.") from exc


# --- role definitions


def _built_in(subscription: str, guid: str, name: str) -> Body:
    return {
        "id": f"{_prefix(subscription)}/providers/{DEFINITION}/{guid}",
        "name": guid,
        "type": DEFINITION,
        "properties": {"roleName": name, "type": "BuiltInRole", "assignableScopes": ["/"], "permissions": []},
    }


def _prefix(scope: str) -> str:
    found = re.match(r"/subscriptions/[^/]+", scope, re.IGNORECASE)
    return found[0] if found else ""


def _definition(cloud: Cloud, scope: str, guid: str) -> Body | None:
    name = BUILT_IN.get(guid.lower())
    if name is not None:
        return _built_in(_prefix(scope), guid.lower(), name)
    custom = [item for item in cloud.store.find(kind=DEFINITION) if item.name.lower() == guid.lower()]
    return custom[0].body if custom else None


def list_definitions(call: Call) -> Reply:
    scope = _scope(call)
    bodies = [_built_in(_prefix(scope), guid, name) for guid, name in BUILT_IN.items()]
    bodies += [item.body for item in call.cloud.store.find(kind=DEFINITION)]
    wanted = re.search(r"roleName eq '([^']*)'", call.query.get("$filter", ""))
    if wanted:
        bodies = [body for body in bodies if body["properties"]["roleName"].lower() == wanted[1].lower()]
    return page(call, bodies, call.cloud.config.page_size)


def get_definition(call: Call) -> Reply:
    found = _definition(call.cloud, _scope(call), call["definition"])
    if found is None:
        raise _no_definition(call["definition"])
    return Reply(200, found)


def _no_definition(guid: str) -> ArmError:
    return ArmError(
        404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{guid}' does not exist."
    )


def put_definition(call: Call) -> Reply:
    scope, guid = _scope(call), _guid(call["definition"], "RoleDefinition")
    given = call.object_body().get("properties") or {}
    body = {
        "id": f"{_prefix(scope)}/providers/{DEFINITION}/{guid}",
        "name": guid,
        "type": DEFINITION,
        "properties": {"type": "CustomRole", **given, "updatedOn": _now()},
    }
    _store(call, str(body["id"]), DEFINITION, guid, body)
    return Reply(201, body)


def delete_definition(call: Call) -> Reply:
    place = f"{_prefix(_scope(call))}/providers/{DEFINITION}/{call['definition']}"
    found = call.cloud.store.get(place)
    call.cloud.store.delete(place)
    return Reply(204) if found is None else Reply(200, found.body)


# --- role assignments


def _assignment_id(scope: str, guid: str) -> str:
    return f"{scope}/providers/{ASSIGNMENT}/{guid}"


def get(call: Call) -> Reply:
    found = call.cloud.store.get(_assignment_id(_scope(call), call["assignment"]))
    if found is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{call['assignment']}' is not found.")
    return Reply(200, found.body)


def list_assignments(call: Call) -> Reply:
    """At this scope, above it and (unless atScope() is asked for) below it."""
    scope, asked = _scope(call).lower(), call.query.get("$filter", "")
    principal = re.search(r"(?:principalId eq|assignedTo)\s*\(?'([^']*)'", asked)
    values = []
    for item in call.cloud.store.find(kind=ASSIGNMENT):
        properties = item.body["properties"]
        own = properties["scope"].lower().rstrip("/")
        above = f"{scope}/".startswith(f"{own}/")
        if not above and ("atScope()" in asked or not f"{own}/".startswith(f"{scope}/")):
            continue
        if principal is None or properties["principalId"].lower() == principal[1].lower():
            values.append(item.body)
    return page(call, values, call.cloud.config.page_size)


def put(call: Call) -> Reply:
    scope, guid = _scope(call), _guid(call["assignment"], "RoleAssignment")
    given = call.object_body().get("properties") or {}
    for name in ("principalId", "roleDefinitionId"):
        if not given.get(name):
            raise ArmError(400, "InvalidRequestContent", f"The property '{name}' is missing in the request.")
    role = str(given["roleDefinitionId"]).rstrip("/").rpartition("/")[2]
    if _definition(call.cloud, scope, role) is None:
        raise _no_definition(role)
    _require_principal(call.cloud, str(given["principalId"]))
    with call.cloud.store.transaction():
        existing = call.cloud.store.get(_assignment_id(scope, guid))
        properties = _properties(scope, role, given, existing)
        if existing is None:
            _require_only(call.cloud, properties)
        body = {"id": _assignment_id(scope, guid), "name": guid, "type": ASSIGNMENT, "properties": properties}
        _store(call, str(body["id"]), ASSIGNMENT, guid, body)
    return Reply(201 if existing is None else 200, body)


def _properties(scope: str, role: str, given: Body, existing: Resource | None) -> Body:
    properties: Body = {
        # whatever was sent
        "roleDefinitionId": f"{_prefix(scope)}/providers/{DEFINITION}/{role}",
        "principalId": given["principalId"],
        "principalType": given.get("principalType") or "ServicePrincipal",
        "scope": scope or "/",
        "condition": given.get("condition"),
        "conditionVersion": given.get("conditionVersion"),
        "description": given.get("description"),
        "createdOn": _now(),
        "updatedOn": _now(),
        "createdBy": None,
        "updatedBy": None,
        "delegatedManagedIdentityResourceId": None,
    }
    if existing is None:
        return properties
    before = existing.body["properties"]
    changed = [name for name in FIXED if str(before[name]).lower() != str(properties[name]).lower()]
    if changed or before["roleDefinitionId"].lower() != properties["roleDefinitionId"].lower():
        raise ArmError(
            400,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    return {**properties, "createdOn": before["createdOn"]}


def _require_only(cloud: Cloud, properties: Body) -> None:
    triple = ("roleDefinitionId", "principalId", "scope")
    for other in cloud.store.find(kind=ASSIGNMENT):
        if all(other.body["properties"][name].lower() == properties[name].lower() for name in triple):
            raise ArmError(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists. The ID of the existing role assignment is "
                f"{other.name.replace('-', '')}.",
            )


def _require_principal(cloud: Cloud, principal: str) -> None:
    for fault in cloud.faults.active("principal-unknown"):
        if fault.options["principal"] in ("*", principal):
            cloud.faults.use(fault)
            raise ArmError(
                400,
                "PrincipalNotFound",
                f"Principal {principal.replace('-', '')} does not exist in the directory {cloud.config.tenant_id}. "
                "Check that you have the correct principal ID. If you are creating this principal and then immediately "
                "assigning a role, this error might be related to a replication delay. In this case, set the role "
                "assignment principalType property to a value, such as ServicePrincipal, User, or Group.  "
                "See https://aka.ms/docs-principaltype",
            )


def delete(call: Call) -> Reply:
    place = _assignment_id(_scope(call), call["assignment"])
    found = call.cloud.store.get(place)
    call.cloud.store.delete(place)
    return Reply(204) if found is None else Reply(200, found.body)


def _store(call: Call, place: str, kind: str, name: str, body: Any) -> None:
    parts = re.match(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?", place, re.IGNORECASE)
    subscription, group = (parts[1], parts[2] or "") if parts else ("", "")
    call.cloud.store.put(Resource(place, kind, subscription, group, name, body))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())
