# SPDX-License-Identifier: GPL-3.0-or-later
"""App registrations and what Entra makes of them: which application a token is for, and what is in it.

Version 2.0 where the registration asks for it (api.requestedAccessTokenVersion): the audience is the application's id,
otherwise the URI that was asked for; roles are the app roles assigned to the caller. Sources:
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference and …/howto-add-app-roles-in-apps; a
resource without service principal in the tenant is AADSTS500011, one that wants an assignment AADSTS501051
(…/reference-error-codes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .principals import APPLICATION, REGISTRATION, Principal
from .store import Resource, Store
from .wire import Body, Call

ROLE_ASSIGNMENT = "Microsoft.Graph/appRoleAssignments"
NO_ROLE = "00000000-0000-0000-0000-000000000000"  # assigned without any role


class NotAssigned(Exception):
    """The resource takes callers only that are assigned to it."""


def by_client(store: Store, client_id: str) -> Resource | None:
    return _first(store, REGISTRATION, lambda body: str(body["appId"]).lower() == client_id.lower())


def service_principal(store: Store, client_id: str) -> Resource | None:
    return _first(store, APPLICATION, lambda body: str(body["appId"]).lower() == client_id.lower())


def _first(store: Store, kind: str, wanted: Callable[[Body], bool]) -> Resource | None:
    return next((item for item in store.find(kind=kind) if wanted(item.body)), None)


def issue(call: Call, scope: str, principal: Principal, proof: str) -> tuple[str, int] | None:
    """A token for the application of this scope; None when the tenant has no such application."""
    store, audience = call.cloud.store, scope.removesuffix("/.default")
    names = (audience, audience.rstrip("/"))
    target = _first(
        store, REGISTRATION, lambda body: body["appId"] in names or bool({*body["identifierUris"]} & {*names})
    )
    resource = service_principal(store, target.body["appId"]) if target else None
    if target is None or resource is None:
        return None
    assigned = _assigned(store, principal.object_id, resource.body["id"])
    if resource.body.get("appRoleAssignmentRequired") and not assigned:
        raise NotAssigned(
            f"Application '{principal.client_id}'({principal.name}) is not assigned to a role for the application "
            f"'{audience}'({target.body['displayName']})."
        )
    roles = _values(target.body["appRoles"], assigned)
    claims: Body = {"roles": roles} if roles else {}
    tenant, entra = call.cloud.config.tenant_id, call.cloud.entra
    if (target.body["api"] or {}).get("requestedAccessTokenVersion") == 2:
        issuer = f"{call.endpoint}/{tenant}/v2.0"
        own = {"aud": target.body["appId"], "iss": issuer, "azp": principal.client_id, "azpacr": proof, "ver": "2.0"}
    else:
        own = {"aud": audience, "iss": entra.issuer, "appid": principal.client_id, "appidacr": proof, "ver": "1.0"}
    return entra.sign({**claims, **own}, principal)


def _assigned(store: Store, principal_id: str, resource_id: str) -> set[str]:
    pair = (principal_id, resource_id)
    found = (item.body for item in store.find(kind=ROLE_ASSIGNMENT))
    return {body["appRoleId"] for body in found if (body["principalId"], body["resourceId"]) == pair}


def _values(roles: Iterable[Body], assigned: set[str]) -> list[str]:
    return sorted(role["value"] for role in roles if role["id"] in assigned and role.get("value") and role["isEnabled"])
