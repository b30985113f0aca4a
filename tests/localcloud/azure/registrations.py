# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Graph's applications: registrations with identifier URIs, app roles, passwords and federated credentials.

Bodies: https://learn.microsoft.com/graph/api/resources/application. Identifier URIs have the tenant's id, the
application's or a verified domain in them (https://learn.microsoft.com/entra/identity-platform/identifier-uri-
restrictions); an app role that is enabled is not removed (…/howto-add-app-roles-in-apps).
"""

from __future__ import annotations

import re
import secrets
import time
import uuid

from . import applications, directory
from .graph import GraphError, bad, listed, missing, now
from .identities import MOST_CREDENTIALS
from .principals import REGISTRATION
from .store import Resource
from .wire import Body, Call, Reply

FEDERATED = f"{REGISTRATION}/federatedIdentityCredentials"
AUDIENCES = ("AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount")
DOMAIN = "localcloud.onmicrosoft.com"
# what of a registration is kept as sent
KEPT = (
    *("displayName", "notes", "tags", "description", "web", "spa", "publicClient"),
    *("requiredResourceAccess", "optionalClaims"),
)


def _application(call: Call) -> Resource:
    found = call.cloud.store.get(f"/applications/{call['id']}")
    if found is None:
        raise missing(call["id"])
    return found


def list_applications(call: Call) -> Reply:
    return listed(call, [item.body for item in call.cloud.store.find(kind=REGISTRATION)])


def get_application(call: Call) -> Reply:
    return Reply(200, _application(call).body)


def create_application(call: Call) -> Reply:
    given = call.object_body()
    if not isinstance(given.get("displayName"), str) or not given["displayName"]:
        raise bad("A value is required for property 'displayName' of resource 'Application'.")
    identity, client = str(uuid.uuid4()), str(uuid.uuid4())
    body: Body = {
        "id": identity,
        "appId": client,
        "createdDateTime": now(),
        "publisherDomain": DOMAIN,
        "displayName": given["displayName"],
        "signInAudience": AUDIENCES[0],
        "identifierUris": [],
        "appRoles": [],
        "api": {"requestedAccessTokenVersion": None, "oauth2PermissionScopes": [], "preAuthorizedApplications": []},
        "passwordCredentials": [],
        "keyCredentials": [],
        "isFallbackPublicClient": None,
    }
    place = f"/applications/{identity}"
    made = Resource(place, REGISTRATION, "", "", given["displayName"], body, {"passwords": []})
    made = _changed(call, made, given)
    call.cloud.store.put(made)
    return Reply(201, made.body)


def update_application(call: Call) -> Reply:
    call.cloud.store.put(_changed(call, _application(call), call.object_body()))
    return Reply(204)


def delete_application(call: Call) -> Reply:
    found, store = _application(call), call.cloud.store
    with store.transaction():
        for item in _federated(call, found):
            store.delete(item.id)
        own = applications.service_principal(store, found.body["appId"])
        if own is not None:
            directory.forget(call, own)
        store.delete(found.id)
    return Reply(204)


def _changed(call: Call, app: Resource, given: Body) -> Resource:
    body: Body = {**app.body, **{part: given[part] for part in KEPT if part in given}}
    if given.get("signInAudience") is not None:
        if given["signInAudience"] not in AUDIENCES:
            raise bad("Invalid value specified for property 'signInAudience' of resource 'Application'.")
        body["signInAudience"] = given["signInAudience"]
    if given.get("isFallbackPublicClient") is not None:
        body["isFallbackPublicClient"] = given["isFallbackPublicClient"]
    if given.get("api") is not None:
        version = given["api"].get("requestedAccessTokenVersion")
        if version not in (None, 1, 2):
            raise bad("Invalid value specified for property 'requestedAccessTokenVersion' of resource 'Application'.")
        body["api"] = {**body["api"], **given["api"]}
    if given.get("identifierUris") is not None:
        body["identifierUris"] = _uris(call, body, given["identifierUris"])
    if given.get("appRoles") is not None:
        body["appRoles"] = _roles(body["appRoles"], given["appRoles"])
    return Resource(app.id, REGISTRATION, "", "", str(body["displayName"]), body, app.private)


def _uris(call: Call, body: Body, given: list[str]) -> list[str]:
    known = (body["appId"], call.cloud.config.tenant_id, DOMAIN)
    for uri in given:
        if not re.match(r"(api|https)://.", uri) or not any(part.lower() in uri.lower() for part in known):
            raise bad(
                "Values of identifierUris property must use a verified domain of the organization or its subdomain: "
                f"'{uri}'",
                "HostNameNotOnVerifiedDomain",
            )
    for item in call.cloud.store.find(kind=REGISTRATION):
        if item.body["id"] != body["id"] and {*item.body["identifierUris"]} & {*given}:
            raise bad(
                "Another object with the same value for property identifierUris already exists.", "ObjectConflict"
            )
    return list(given)


def _roles(before: list[Body], given: list[Body]) -> list[Body]:
    roles = []
    for role in given:
        for part in ("id", "displayName", "allowedMemberTypes"):
            if not role.get(part):
                raise bad(f"A value is required for property '{part}' of resource 'AppRole'.")
        if not {*role["allowedMemberTypes"]} <= {"User", "Application"}:
            raise bad("Invalid value specified for property 'allowedMemberTypes' of resource 'AppRole'.")
        roles.append({"description": None, "isEnabled": True, "origin": "Application", "value": None, **role})
    values = [role["value"] for role in roles if role["value"]]
    if len({*values}) < len(values) or len({role["id"] for role in roles}) < len(roles):
        raise bad("It contains duplicate value. Please Provide unique value.", "InvalidValue")
    left = {role["id"] for role in roles}
    if any(role["isEnabled"] and role["id"] not in left for role in before):
        raise bad(
            "Permission (scope or role) cannot be deleted or updated unless disabled first.",
            "CannotDeleteOrUpdateEnabledEntitlement",
        )
    return roles


# --- passwords of an application


def add_password(call: Call) -> Reply:
    found, asked = _application(call), call.object_body().get("passwordCredential") or {}
    value = secrets.token_urlsafe(30)
    shown: Body = {
        "keyId": str(uuid.uuid4()),
        "displayName": asked.get("displayName"),
        "hint": value[:3],
        "startDateTime": asked.get("startDateTime") or now(),
        "endDateTime": asked.get("endDateTime") or now(2 * 365 * 86400),
    }
    _set_passwords(call, found, [*found.private["passwords"], {**shown, "secretText": value}])
    return Reply(200, {**shown, "secretText": value, "customKeyIdentifier": None})


def remove_password(call: Call) -> Reply:
    found, key = _application(call), call.object_body().get("keyId")
    left = [one for one in found.private["passwords"] if one["keyId"] != key]
    if len(left) == len(found.private["passwords"]):
        raise bad(f"No password credential found with keyId '{key}'.")
    _set_passwords(call, found, left)
    return Reply(204)


def _set_passwords(call: Call, app: Resource, passwords: list[Body]) -> None:
    shown = [
        {**{part: value for part, value in one.items() if part != "secretText"}, "secretText": None}
        for one in passwords
    ]
    body = {**app.body, "passwordCredentials": shown}
    call.cloud.store.update(app, body=body, private={**app.private, "passwords": passwords})


# --- federated credentials of an application


def _federated(call: Call, app: Resource) -> list[Resource]:
    return [item for item in call.cloud.store.find(kind=FEDERATED) if item.key.startswith(f"{app.key}/")]


def _credential(call: Call) -> Resource:
    wanted = call["credential"].lower()
    for item in _federated(call, _application(call)):
        if wanted in (item.name.lower(), item.private["id"]):
            return item
    raise missing(call["credential"])


def _shown(item: Resource) -> Body:
    return {"id": item.private["id"], "name": item.name, "description": None, **item.body["properties"]}


def list_credentials(call: Call) -> Reply:
    return listed(call, [_shown(item) for item in _federated(call, _application(call))])


def get_credential(call: Call) -> Reply:
    return Reply(200, _shown(_credential(call)))


def create_credential(call: Call) -> Reply:
    app, given = _application(call), call.object_body()
    others, name = _federated(call, app), str(given.get("name") or "")
    if not re.fullmatch(r"[A-Za-z0-9][-\w]{2,119}", name):
        raise bad("Invalid value specified for property 'name' of resource 'FederatedIdentityCredential'.")
    if any(item.name.lower() == name.lower() for item in others):
        raise GraphError(
            409, "Request_MultipleObjectsWithSameKeyValue", "FederatedIdentityCredential with name exists."
        )
    if len(others) >= MOST_CREDENTIALS:
        raise bad("Too many Federated Identity Credentials for the application.")
    made = _store_credential(call, app, name, given, str(uuid.uuid4()), others)
    return Reply(201, _shown(made))


def update_credential(call: Call) -> Reply:
    app, found = _application(call), _credential(call)
    others = [item for item in _federated(call, app) if item.key != found.key]
    given = {**found.body["properties"], **call.object_body()}
    _store_credential(call, app, found.name, given, found.private["id"], others)
    return Reply(204)


def delete_credential(call: Call) -> Reply:
    call.cloud.store.delete(_credential(call).id)
    return Reply(204)


def _store_credential(call: Call, app: Resource, name: str, given: Body, own: str, others: list[Resource]) -> Resource:
    for part in ("issuer", "subject"):
        if not isinstance(given.get(part), str) or not given[part]:
            raise bad(f"A value is required for property '{part}' of resource 'FederatedIdentityCredential'.")
    if not isinstance(given.get("audiences"), list) or len(given["audiences"]) != 1:
        raise bad("Only one value is allowed for property 'audiences' of resource 'FederatedIdentityCredential'.")
    known = [(item.body["properties"]["issuer"], item.body["properties"]["subject"]) for item in others]
    if (given["issuer"], given["subject"]) in known:
        raise bad("FederatedIdentityCredential with combination of issuer and subject exists already.")
    properties = {part: given[part] for part in ("issuer", "subject", "audiences")}
    place = f"{app.id}/federatedIdentityCredentials/{name}"
    made = Resource(place, FEDERATED, "", "", name, {"properties": properties}, {"id": own, "since": time.time()})
    call.cloud.store.put(made)
    return made
