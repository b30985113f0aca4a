# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Graph's service principals, and the app roles that they are assigned to.

Bodies: https://learn.microsoft.com/graph/api/resources/serviceprincipal and …/approleassignment.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from typing import Any

from . import applications
from .applications import NO_ROLE, ROLE_ASSIGNMENT
from .entra import USER
from .graph import GraphError, bad, listed, missing, now
from .principals import APPLICATION, Principal, Principals
from .store import Resource, Store
from .wire import Body, Call, Reply

_NAMESPACE = uuid.UUID("3f0f5d0a-9a5e-4a0b-8b5e-0d6a7c1c2b44")


def _principals(call: Call) -> list[Body]:
    """Applications in this tenant, managed identities (clusters have some, too), and the owner of the subscription."""
    store, owner = call.cloud.store, call.cloud.entra.owner()
    kept = {item.body["id"]: item for item in store.find(kind=APPLICATION)}
    found = []
    for one in (owner, *Principals(store).all(), *_of_clusters(store)):
        app, item = applications.by_client(store, one.client_id), kept.get(one.object_id)
        uris = app.body["identifierUris"] if app else []
        own = item is not None or one.object_id == owner.object_id
        body: Body = {
            "id": one.object_id,
            "appId": one.client_id,
            "displayName": one.name or one.client_id,
            "appDisplayName": app.body["displayName"] if app else None,
            "servicePrincipalType": "Application" if own else "ManagedIdentity",
            "servicePrincipalNames": [one.client_id, *uris],
            "appRoles": app.body["appRoles"] if app else [],
            "accountEnabled": True,
            "appRoleAssignmentRequired": bool(item and item.body.get("appRoleAssignmentRequired")),
            "appOwnerOrganizationId": call.cloud.config.tenant_id if own else None,
            "tags": (item.body.get("tags") if item else None) or [],
        }
        found.append(body)
    return found


def _of_clusters(store: Store) -> Iterator[Principal]:
    """The identities that AKS makes: a cluster's own, whose application nothing else knows, and its kubelets'."""
    for cluster in store.find(kind="Microsoft.ContainerService/managedClusters"):
        kubelet = (cluster.body["properties"].get("identityProfile") or {}).get("kubeletidentity") or {}
        if kubelet:
            name = str(kubelet["resourceId"]).rpartition("/")[2]
            yield Principal(kubelet["clientId"], kubelet["objectId"], name)
        own = (cluster.body.get("identity") or {}).get("principalId")
        if own:
            yield Principal(str(uuid.uuid5(_NAMESPACE, own)), own, cluster.name)


def list_principals(call: Call) -> Reply:
    return listed(call, _principals(call))


def _principal(call: Call, identity: str) -> Body:
    found = next((one for one in _principals(call) if one["id"].lower() == identity.lower()), None)
    if found is None:
        raise missing(identity)
    return found


def get_principal(call: Call) -> Reply:
    return Reply(200, _principal(call, call["id"]))


def create_principal(call: Call) -> Reply:
    given, store = call.object_body(), call.cloud.store
    client = str(given.get("appId") or "")
    app = applications.by_client(store, client)
    if app is None:
        text = f"The appId '{client}' of the service principal does not reference a valid application object."
        raise bad(text, "NoBackingApplicationObject")
    if applications.service_principal(store, client) is not None:
        text = (
            f"The service principal cannot be created, updated, or restored because the service principal name {client}"
        )
        raise GraphError(409, "Request_MultipleObjectsWithSameKeyValue", f"{text} is already in use.")
    identity = str(uuid.uuid4())
    kept: Body = {part: given[part] for part in ("appRoleAssignmentRequired", "tags") if part in given}
    body: Body = {"appId": app.body["appId"], "id": identity, "displayName": app.body["displayName"], **kept}
    private: dict[str, Any] = {"since": time.time()}
    store.put(Resource(f"/servicePrincipals/{identity}", APPLICATION, "", "", app.name, body, private))
    return Reply(201, _principal(call, identity))


def update_principal(call: Call) -> Reply:
    found, given = _own(call), call.object_body()
    kept = {part: given[part] for part in ("appRoleAssignmentRequired", "tags") if part in given}
    call.cloud.store.update(found, body={**found.body, **kept})
    return Reply(204)


def delete_principal(call: Call) -> Reply:
    forget(call, _own(call))
    return Reply(204)


def _own(call: Call) -> Resource:
    """One that Graph may change: managed identities are Resource Manager's."""
    found = call.cloud.store.get(f"/servicePrincipals/{call['id']}")
    if found is None:
        raise missing(call["id"])
    return found


def forget(call: Call, principal: Resource) -> None:
    identity = principal.body["id"]
    for item in call.cloud.store.find(kind=ROLE_ASSIGNMENT):
        if identity in (item.body["principalId"], item.body["resourceId"]):
            call.cloud.store.delete(item.id)
    call.cloud.store.delete(principal.id)


# --- app roles of a service principal


def list_assignments(call: Call) -> Reply:
    return _assignments(call, "principalId")


def list_assigned(call: Call) -> Reply:
    return _assignments(call, "resourceId")


def _assignments(call: Call, part: str) -> Reply:
    own = _principal(call, call["id"])["id"]
    return listed(call, [one.body for one in call.cloud.store.find(kind=ROLE_ASSIGNMENT) if one.body[part] == own])


def assign(call: Call) -> Reply:
    given = call.object_body()
    resource, role = _principal(call, str(given.get("resourceId"))), str(given.get("appRoleId"))
    kind = "User" if given.get("principalId") == USER.object_id else "Application"
    user = {"id": USER.object_id, "displayName": USER.name}
    principal = user if kind == "User" else _principal(call, str(given.get("principalId")))
    offered = [one for one in resource["appRoles"] if kind in one["allowedMemberTypes"] and one["isEnabled"]]
    if role != NO_ROLE and role not in [one["id"] for one in offered]:
        raise bad("Permission being assigned was not found on application.")
    triple = {"principalId": principal["id"], "resourceId": resource["id"], "appRoleId": role}
    for item in call.cloud.store.find(kind=ROLE_ASSIGNMENT):
        if {part: item.body[part] for part in triple} == triple:
            raise bad("Permission being assigned already exists on the object")
    identity = secrets.token_urlsafe(24)
    body: Body = {
        "id": identity,
        "createdDateTime": now(),
        "principalType": "User" if kind == "User" else "ServicePrincipal",
        "principalDisplayName": principal["displayName"],
        "resourceDisplayName": resource["displayName"],
        **triple,
    }
    place = f"/servicePrincipals/{principal['id']}/appRoleAssignments/{identity}"
    call.cloud.store.put(Resource(place, ROLE_ASSIGNMENT, "", "", identity, body))
    return Reply(201, body)


def unassign(call: Call) -> Reply:
    for item in call.cloud.store.find(kind=ROLE_ASSIGNMENT):
        if item.body["id"] == call["assignment"]:
            call.cloud.store.delete(item.id)
            return Reply(204)
    raise missing(call["assignment"])


def by_ids(call: Call) -> Reply:
    """What `az role assignment list` asks names with."""
    wanted = [str(one).lower() for one in call.object_body().get("ids") or []]
    kind = "#microsoft.graph.servicePrincipal"
    found = [{"@odata.type": kind, **one} for one in _principals(call) if one["id"].lower() in wanted]
    return Reply(200, {"value": found})
