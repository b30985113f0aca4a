# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Authorization: role definitions and role assignments, at any scope.

Codes and texts: RoleAssignmentExists and PrincipalNotFound as quoted in public issues (Azure/azure-cli, terraform,
bicep-registry-modules); `roleDefinitionId` is answered with the subscription before it (recorded traffic of azure-cli);
a missing assignment is RoleAssignmentNotFound (recorded); statuses as azure-mgmt-authorization 4.0 accepts them; "the
only accepted value" of conditionVersion is its model's word. What a PUT of the same name may change (description and
condition), RoleDefinitionWithSameNameExists and RoleDefinitionHasAssignments are the documentation's (troubleshooting
Azure RBAC, limits of custom roles); the texts of these codes are recalled.

Which definitions a scope has: those "applicable at scope and above", with the filter atScopeAndBelow() those below it,
too (https://learn.microsoft.com/rest/api/authorization/role-definitions/list). A custom role is applicable where one of
its assignable scopes covers it, and can be assigned nowhere else
(https://learn.microsoft.com/azure/role-based-access-control/role-definitions): the status 400 and the code
RoleAssignmentScopeNotAssignableToRoleDefinition are quoted in public tools that wait for it; its text is recalled.
Which subscriptions are in a management group, this cloud does not know.

UnmatchedPrincipalType as quoted in Azure/modern-web-app-pattern-dotnet#129.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from . import built_in_roles, groups, rbac, subscriptions
from .principals import Principals
from .rbac import ASSIGNMENT, DEFINITION
from .store import Resource, Store
from .wire import GATEWAY, ArmError, Body, Call, Reply, page

if TYPE_CHECKING:
    from .cloud import Cloud

_HELD = (
    "microsoft.containerservice/managedclusters",
    "microsoft.managedidentity/userassignedidentities",
    "microsoft.containerregistry/registries",
    "microsoft.keyvault/vaults",
    "microsoft.storage/storageaccounts",
)
FIXED = ("principalId", "principalType")


def scope_of(call: Call) -> str:
    """The scope of this request, which has to be there as far as this cloud knows."""
    scope = "/" + call.params.get("scope", "").strip("/")
    found = re.match(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?", scope, re.IGNORECASE)
    if found:
        subscriptions.require_known(call.cloud, found[1])
        if found[2]:
            groups.find(call.cloud, found[1], found[2])
            _require_resource(call.cloud, scope, found[2])
    return scope.rstrip("/")


def _require_resource(cloud: Cloud, scope: str, group: str) -> None:
    """What lies in a group has to be there, where it is of a type that this cloud has (recalled, not recorded)."""
    found = re.match(r".*?/providers/([^/]+/[^/]+)/([^/]+)", scope)
    if found and found[1].lower() in _HELD and cloud.store.get(found[0]) is None:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The Resource '{found[1]}/{found[2]}' under resource group '{group}' was not found. For more details "
            "please go to https://aka.ms/ARMResourceNotFoundFix",
            GATEWAY,
        )


def _guid(text: str, what: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as exc:
        raise ArmError(400, f"Invalid{what}Id", f"The ID '{text}' is not valid. It must be a GUID.") from exc


# --- role definitions


def _built_in(subscription: str, role: built_in_roles.BuiltIn) -> Body:
    return {
        "id": f"{_prefix(subscription)}/providers/{DEFINITION}/{role.guid}",
        "name": role.guid,
        "type": DEFINITION,
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.name,
            "assignableScopes": ["/"],
            "permissions": rbac.built_in_permissions(role.guid),
        },
    }


def _prefix(scope: str) -> str:
    found = re.match(r"/subscriptions/[^/]+", scope, re.IGNORECASE)
    return found[0] if found else ""


def _definition(cloud: Cloud, scope: str, guid: str) -> Body | None:
    role = built_in_roles.BY_GUID.get(guid.lower())
    if role is not None:
        return _built_in(_prefix(scope), role)
    custom = [item for item in cloud.store.find(kind=DEFINITION) if item.name.lower() == guid.lower()]
    return custom[0].body if custom else None


def list_definitions(call: Call) -> Reply:
    scope, asked = scope_of(call), call.query.get("$filter", "")
    bodies = [_built_in(_prefix(scope), role) for role in built_in_roles.ALL]
    below = "atscopeandbelow" in asked.lower()
    bodies += [item.body for item in call.cloud.store.find(kind=DEFINITION) if _applies(item.body, scope, below)]
    # a quote in a name is doubled in a filter
    for part, value in re.findall(r"(roleName|type) eq '((?:[^']|'')*)'", asked):
        wanted = value.replace("''", "'").lower()
        bodies = [body for body in bodies if str(body["properties"][part]).lower() == wanted]
    return page(call, bodies, call.cloud.config.page_size)


def _applies(definition: Body, scope: str, below: bool = False) -> bool:
    """Whether the role can be assigned at the scope; `below`: or at one that lies below it."""
    own = [str(one) for one in definition["properties"]["assignableScopes"]]
    return any(rbac.covers(one, scope) or (below and rbac.covers(scope, one)) for one in own)


def get_definition(call: Call) -> Reply:
    found = _definition(call.cloud, scope_of(call), call["definition"])
    if found is None:
        raise _no_definition(call["definition"])
    return Reply(200, found)


def _no_definition(guid: str) -> ArmError:
    return ArmError(
        404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{guid}' does not exist."
    )


def put_definition(call: Call) -> Reply:
    scope, guid = scope_of(call), _guid(call["definition"], "RoleDefinition")
    given = call.object_body().get("properties") or {}
    for part in ("roleName", "permissions", "assignableScopes"):
        if not given.get(part):
            raise ArmError(400, "InvalidRequestContent", f"The property '{part}' is missing in the request.")
    if guid in built_in_roles.BY_GUID:
        raise ArmError(400, "InvalidRoleDefinitionId", f"The role definition '{guid}' is built in.")
    _require_free_name(call.cloud.store, guid, str(given["roleName"]))
    body = {
        "id": f"{_prefix(scope)}/providers/{DEFINITION}/{guid}",
        "name": guid,
        "type": DEFINITION,
        "properties": {"description": None, **given, "type": "CustomRole", "updatedOn": _now()},
    }
    _store(call, str(body["id"]), DEFINITION, guid, body)
    return Reply(201, body)


def _require_free_name(store: Store, guid: str, name: str) -> None:
    taken = {role.name.lower(): role.guid for role in built_in_roles.ALL}
    taken.update({str(item.body["properties"]["roleName"]).lower(): item.name for item in store.find(kind=DEFINITION)})
    if taken.get(name.lower(), guid) != guid:
        raise ArmError(
            409,
            "RoleDefinitionWithSameNameExists",
            f"A custom role with the same name already exists in this directory. Use a different name: '{name}'.",
        )


def delete_definition(call: Call) -> Reply:
    place = f"{_prefix(scope_of(call))}/providers/{DEFINITION}/{call['definition']}"
    found = call.cloud.store.get(place)
    used = f"/{call['definition']}".lower()
    grants = call.cloud.store.find(kind=ASSIGNMENT)
    if any(item.body["properties"]["roleDefinitionId"].lower().endswith(used) for item in grants):
        raise ArmError(
            400,
            "RoleDefinitionHasAssignments",
            "There are existing role assignments referencing role. Delete them before the role definition.",
        )
    call.cloud.store.delete(place)
    return Reply(204) if found is None else Reply(200, found.body)


# --- role assignments


def _assignment_id(scope: str, guid: str) -> str:
    return f"{scope}/providers/{ASSIGNMENT}/{guid}"


def get(call: Call) -> Reply:
    found = call.cloud.store.get(_assignment_id(scope_of(call), call["assignment"]))
    if found is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{call['assignment']}' is not found.")
    return Reply(200, found.body)


def list_assignments(call: Call) -> Reply:
    """At this scope, above it and (unless atScope() is asked for) below it."""
    scope, asked = scope_of(call).lower(), call.query.get("$filter", "")
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
    scope, guid = scope_of(call), _guid(call["assignment"], "RoleAssignment")
    given = call.object_body().get("properties") or {}
    for name in ("principalId", "roleDefinitionId"):
        if not given.get(name):
            raise ArmError(400, "InvalidRequestContent", f"The property '{name}' is missing in the request.")
    role = str(given["roleDefinitionId"]).rstrip("/").rpartition("/")[2]
    definition = _definition(call.cloud, scope, role)
    if definition is None:
        raise _no_definition(role)
    if not _applies(definition, scope):
        raise ArmError(
            400,
            "RoleAssignmentScopeNotAssignableToRoleDefinition",
            f"The scope '{scope}' of the role assignment is not assignable to the role definition '{role}'.",
        )
    if given.get("condition") and given.get("conditionVersion") != "2.0":
        version = given.get("conditionVersion")
        raise ArmError(400, "InvalidConditionVersion", f"The condition version '{version}' is not valid: use '2.0'.")
    _require_principal(call.cloud, str(given["principalId"]), str(given.get("principalType") or ""))
    with call.cloud.store.transaction():
        existing = call.cloud.store.get(_assignment_id(scope, guid))
        properties = _properties(scope, role, given, existing, call.caller)
        if existing is None:
            _require_only(call.cloud, properties)
        body = {"id": _assignment_id(scope, guid), "name": guid, "type": ASSIGNMENT, "properties": properties}
        effective = existing.private.get(rbac.EFFECTIVE, 0) if existing else time.time() + _late(call.cloud, scope)
        _store(call, str(body["id"]), ASSIGNMENT, guid, body, {rbac.EFFECTIVE: effective})
    call.cloud.publish_addresses()
    if (wait := effective - time.time()) > 0:
        late = threading.Timer(wait, call.cloud.publish_addresses)
        late.daemon = True
        late.start()
    return Reply(201 if existing is None else 200, body)


def _properties(scope: str, role: str, given: Body, existing: Resource | None, caller: str) -> Body:
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
        "createdBy": caller,
        "updatedBy": caller,
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
    return {**properties, "createdOn": before["createdOn"], "createdBy": before["createdBy"]}


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


def _require_principal(cloud: Cloud, principal: str, kind: str) -> None:
    for fault in cloud.faults.active("principal-unknown"):
        if fault.options["principal"] in ("*", principal):
            cloud.faults.use(fault)
            raise _unknown_principal(cloud, principal)
    known = cloud.entra.knows(principal) or Principals(cloud.store).knows(principal, cloud.config.replication_seconds)
    if not known and not kind:
        raise _unknown_principal(cloud, principal)
    if known and kind not in ("", "ServicePrincipal"):
        raise ArmError(
            400,
            "UnmatchedPrincipalType",
            f"The PrincipalId '{principal.replace('-', '')}' has type 'ServicePrincipal' , which is different from "
            f"specified PrinciaplType '{kind}'.",
        )


def _unknown_principal(cloud: Cloud, principal: str) -> ArmError:
    return ArmError(
        400,
        "PrincipalNotFound",
        f"Principal {principal.replace('-', '')} does not exist in the directory {cloud.config.tenant_id}. Check that "
        "you have the correct principal ID. If you are creating this principal and then immediately assigning a role, "
        "this error might be related to a replication delay. In this case, set the role assignment principalType "
        "property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
    )


def delete(call: Call) -> Reply:
    place = _assignment_id(scope_of(call), call["assignment"])
    found = call.cloud.store.get(place)
    call.cloud.store.delete(place)
    call.cloud.publish_addresses()
    return Reply(204) if found is None else Reply(200, found.body)


def _late(cloud: Cloud, scope: str) -> float:
    """Seconds until a role that is assigned at the scope takes effect."""
    fault = cloud.faults.take("role-late", "PUT", scope)
    return float(fault.options["seconds"]) if fault else 0.0


def _store(call: Call, place: str, kind: str, name: str, body: Any, private: Body | None = None) -> None:
    parts = re.match(r"/subscriptions/([^/]+)(?:/resourceGroups/([^/]+))?", place, re.IGNORECASE)
    subscription, group = (parts[1], parts[2] or "") if parts else ("", "")
    call.cloud.store.put(Resource(place, kind, subscription, group, name, body, private or {}))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())
