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
    target = by_name(store, *names)
    resource = service_principal(store, target.body["appId"]) if target else None
    if target is None or resource is None:
        return None
    own = assigned(store, principal.object_id, resource.body["id"])
    if resource.body.get("appRoleAssignmentRequired") and not own:
        raise NotAssigned(
            f"Application '{principal.client_id}'({principal.name}) is not assigned to a role for the application "
            f"'{audience}'({target.body['displayName']})."
        )
    roles = values(target.body["appRoles"], own)
    claims: Body = {"roles": roles} if roles else {}
    claims |= addressed(call, target.body, principal.client_id, proof, audience)
    return call.cloud.entra.sign(claims, principal)


def by_name(store: Store, *names: str) -> Resource | None:
    """The registration that has one of these as its id or among its URIs."""
    return _first(
        store, REGISTRATION, lambda body: body["appId"] in names or bool({*body["identifierUris"]} & {*names})
    )


def addressed(call: Call, app: Body, client: str, proof: str, audience: str = "") -> Body:
    """The claims that say for which application a token is, of whom, and which client asked for it."""
    entra = call.cloud.entra
    if (app["api"] or {}).get("requestedAccessTokenVersion") == 2:
        return {"aud": app["appId"], "iss": entra.issuer_v2, "azp": client, "azpacr": proof, "ver": "2.0"}
    aud = audience or next(iter(app["identifierUris"]), app["appId"])
    return {"aud": aud, "iss": entra.issuer, "appid": client, "appidacr": proof, "ver": "1.0"}


def assigned(store: Store, principal_id: str, resource_id: str) -> set[str]:
    pair = (principal_id, resource_id)
    found = (item.body for item in store.find(kind=ROLE_ASSIGNMENT))
    return {body["appRoleId"] for body in found if (body["principalId"], body["resourceId"]) == pair}


def values(roles: Iterable[Body], assigned: set[str]) -> list[str]:
    return sorted(role["value"] for role in roles if role["id"] in assigned and role.get("value") and role["isEnabled"])
