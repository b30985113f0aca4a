# SPDX-License-Identifier: GPL-3.0-or-later
"""App registrations by Graph, and the tokens that Entra gives out for them, verified as a gateway does."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import jwt
import pytest
from azure.identity import ClientSecretCredential

from localcloud.azure.principals import Principals

from .conftest import CLIENT, TENANT, Azure
from .test_federation import AUDIENCE, SUBJECT, exchange, issuer, token
from .test_federation import federated as federated
from .test_key_vaults import ready as ready

READ, WRITE = str(uuid.uuid4()), str(uuid.uuid4())


def role(identity: str, value: str, **changes: Any) -> dict[str, Any]:
    return {"id": identity, "value": value, "displayName": value, "allowedMemberTypes": ["Application"], **changes}


def graph(azure: Azure, method: str, path: str, body: Any = None, **params: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {azure.post_token().json()['access_token']}"}
    return azure.http.request(method, f"/v1.0{path}", json=body, params=params, headers=headers)


def application(azure: Azure, name: str = "tools", **body: Any) -> dict[str, Any]:
    answer = graph(azure, "POST", "/applications", {"displayName": name, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def principal(azure: Azure, app: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = graph(azure, "POST", "/servicePrincipals", {"appId": app["appId"], **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def server(azure: Azure, version: int | None = 2, **of_principal: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An API with two app roles, in this tenant."""
    roles = [role(READ, "Tools.Read"), role(WRITE, "T.Write")]
    app = application(azure, "server", api={"requestedAccessTokenVersion": version}, appRoles=roles)
    uri = {"identifierUris": [f"api://{app['appId']}"]}
    assert graph(azure, "PATCH", f"/applications/{app['id']}", uri).status_code == 204
    return app, principal(azure, app, **of_principal)


def caller(azure: Azure) -> tuple[dict[str, Any], dict[str, Any], str]:
    app = application(azure, "caller")
    own = principal(azure, app)
    secret = graph(
        azure, "POST", f"/applications/{app['id']}/addPassword", {"passwordCredential": {"displayName": "x"}}
    )
    return app, own, str(secret.json()["secretText"])


def signed_in(azure: Azure, app: dict[str, Any], secret: str) -> ClientSecretCredential:
    return ClientSecretCredential(
        TENANT,
        app["appId"],
        secret,
        authority=azure.config.endpoint,
        disable_instance_discovery=True,
        connection_verify=str(azure.ca),
    )


def grant(azure: Azure, own: dict[str, Any], resource: dict[str, Any], identity: str) -> httpx.Response:
    body = {"principalId": own["id"], "resourceId": resource["id"], "appRoleId": identity}
    return graph(azure, "POST", f"/servicePrincipals/{own['id']}/appRoleAssignments", body)


# --- tokens


def test_a_gateway_verifies_a_token_of_version_2(azure: Azure) -> None:
    app, resource = server(azure)
    client, own, secret = caller(azure)
    assert grant(azure, own, resource, READ).status_code == 201
    given = signed_in(azure, client, secret).get_token(f"api://{app['appId']}/.default").token

    document = azure.http.get(f"/{TENANT}/v2.0/.well-known/openid-configuration").json()
    (key,) = azure.http.get(document["jwks_uri"]).json()["keys"]
    claims = jwt.decode(given, jwt.PyJWK(key), algorithms=["RS256"], audience=app["appId"], issuer=document["issuer"])
    assert (claims["ver"], claims["tid"], claims["roles"]) == ("2.0", TENANT, ["Tools.Read"])
    assert (claims["azp"], claims["azpacr"], claims["oid"]) == (client["appId"], "1", own["id"])
    assert "appid" not in claims


@pytest.mark.parametrize("version", [None, 1])
def test_a_token_of_version_1_is_for_the_uri_that_was_asked_for(azure: Azure, version: int | None) -> None:
    app, _ = server(azure, version)
    uri = f"api://{app['appId']}"
    given = azure.post_token(scope=f"{uri}/.default").json()["access_token"]
    claims = jwt.decode(given, options={"verify_signature": False})
    assert (claims["ver"], claims["aud"], claims["appid"]) == ("1.0", uri, CLIENT)
    assert (claims["iss"], "roles" in claims) == (f"https://sts.windows.net/{TENANT}/", False)


def test_an_application_is_asked_for_by_its_id_too(azure: Azure) -> None:
    app, _ = server(azure)
    given = azure.post_token(scope=f"{app['appId']}/.default").json()["access_token"]
    assert jwt.decode(given, options={"verify_signature": False})["aud"] == app["appId"]


def test_without_a_service_principal_nobody_is_there(azure: Azure) -> None:
    app = application(azure)
    resource = azure.post_token(scope=f"{app['appId']}/.default")
    assert (resource.status_code, resource.json()["error_codes"]) == (400, [500011])
    secret = graph(azure, "POST", f"/applications/{app['id']}/addPassword", {}).json()["secretText"]
    client = azure.post_token(client_id=app["appId"], client_secret=secret)
    assert (client.status_code, client.json()["error_codes"]) == (401, [7000229])


def test_an_api_that_wants_an_assignment_has_nobody_else(azure: Azure) -> None:
    app, resource = server(azure, appRoleAssignmentRequired=True)
    client, own, secret = caller(azure)
    scope = {"scope": f"api://{app['appId']}/.default", "client_id": client["appId"], "client_secret": secret}
    refused = azure.post_token(**scope)
    assert (refused.status_code, refused.json()["error_codes"]) == (400, [501051])
    made = grant(azure, own, resource, WRITE).json()
    given = azure.post_token(**scope).json()["access_token"]
    assert jwt.decode(given, options={"verify_signature": False})["roles"] == ["T.Write"]
    listed = graph(azure, "GET", f"/servicePrincipals/{resource['id']}/appRoleAssignedTo").json()["value"]
    assert [one["id"] for one in listed] == [made["id"]]
    gone = graph(azure, "DELETE", f"/servicePrincipals/{own['id']}/appRoleAssignments/{made['id']}")
    assert (gone.status_code, azure.post_token(**scope).status_code) == (204, 400)


def test_a_token_for_an_application_is_none_for_this_azure(azure: Azure) -> None:
    app, _ = server(azure)
    given = azure.post_token(scope=f"{app['appId']}/.default").json()["access_token"]
    answer = azure.request("GET", "/subscriptions", headers={"Authorization": f"Bearer {given}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")


def test_a_removed_password_is_none(azure: Azure) -> None:
    app, _, secret = caller(azure)
    assert signed_in(azure, app, secret).get_token("https://vault.azure.net/.default").token
    (kept,) = graph(azure, "GET", f"/applications/{app['id']}").json()["passwordCredentials"]
    assert (kept["secretText"], kept["displayName"]) == (None, "x")
    removed = graph(azure, "POST", f"/applications/{app['id']}/removePassword", {"keyId": kept["keyId"]})
    assert removed.status_code == 204
    refused = azure.post_token(client_id=app["appId"], client_secret=secret)
    assert refused.json()["error_codes"] == [7000215]


def test_a_pods_token_becomes_an_applications(federated: Azure) -> None:
    app, own, _ = caller(federated)
    body = {"name": "pod", "issuer": issuer(federated), "subject": SUBJECT, "audiences": [AUDIENCE]}
    path = f"/applications/{app['id']}/federatedIdentityCredentials"
    assert graph(federated, "POST", path, body).status_code == 201
    for item in federated.cloud.store.find(kind="Microsoft.Graph/applications/federatedIdentityCredentials"):
        federated.cloud.store.update(item, private={**item.private, "since": 0})
    given = exchange(federated, token(federated), client_id=app["appId"]).json()["access_token"]
    assert jwt.decode(given, options={"verify_signature": False})["oid"] == own["id"]
    assert graph(federated, "PATCH", f"{path}/pod", {"subject": "other"}).status_code == 204
    refused = exchange(federated, token(federated), client_id=app["appId"])
    assert refused.json()["error_codes"] == [700213]
    assert graph(federated, "DELETE", f"{path}/pod").status_code == 204
    assert graph(federated, "GET", path).json()["value"] == []


# --- what azure-cli asks


def test_applications_are_found_as_azure_cli_looks_for_them(azure: Azure) -> None:
    app, own = server(azure)
    application(azure, "it's another")
    filters = {
        f"appId eq '{app['appId']}'": ["server"],
        f"identifierUris/any(s:s eq 'api://{app['appId']}')": ["server"],
        "displayName eq 'it''s another'": ["it's another"],
        "startswith(displayName,'ser')": ["server"],
        f"displayName eq 'server' and appId eq '{uuid.uuid4()}'": [],
    }
    for asked, names in filters.items():
        found = graph(azure, "GET", "/applications", **{"$filter": asked}).json()["value"]
        assert [one["displayName"] for one in found] == names, asked
    refused = graph(azure, "GET", "/applications", **{"$filter": "appId ne 'x'"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "Request_UnsupportedQuery")
    for name in (app["appId"], f"api://{app['appId']}"):
        asked = f"servicePrincipalNames/any(c:c eq '{name}')"
        (found,) = graph(azure, "GET", "/servicePrincipals", **{"$filter": asked}).json()["value"]
        assert (found["id"], [one["value"] for one in found["appRoles"]]) == (own["id"], ["Tools.Read", "T.Write"])
    assert graph(azure, "DELETE", f"/applications/{app['id']}").status_code == 204
    assert graph(azure, "GET", f"/servicePrincipals/{own['id']}").status_code == 404


def test_identities_and_the_owner_are_in_the_directory(federated: Azure) -> None:
    owner = federated.cloud.entra.object_id
    listed = graph(federated, "GET", "/servicePrincipals").json()["value"]
    known = {one["displayName"]: one for one in listed}
    assert (known["local cloud"]["id"], known["local cloud"]["appId"]) == (owner, CLIENT)
    kinds = {name: known[name]["servicePrincipalType"] for name in ("local cloud", "id-tools", "c1", "c1-agentpool")}
    assert kinds == {**dict.fromkeys(kinds, "ManagedIdentity"), "local cloud": "Application"}
    found = graph(federated, "POST", "/directoryObjects/getByIds", {"ids": [known["id-tools"]["id"]]}).json()
    assert [one["displayName"] for one in found["value"]] == ["id-tools"]
    assert found["value"][0]["@odata.type"] == "#microsoft.graph.servicePrincipal"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"displayName": ""}, "Request_BadRequest"),
    "a domain of others": ({"identifierUris": ["api://tools"]}, "HostNameNotOnVerifiedDomain"),
    "no URI": ({"identifierUris": [TENANT]}, "HostNameNotOnVerifiedDomain"),
    "version 3": ({"api": {"requestedAccessTokenVersion": 3}}, "Request_BadRequest"),
    "an audience of nobody": ({"signInAudience": "Everybody"}, "Request_BadRequest"),
    "a role without id": ({"appRoles": [{"value": "x"}]}, "Request_BadRequest"),
    "a role of machines": ({"appRoles": [role(READ, "x", allowedMemberTypes=["Machine"])]}, "Request_BadRequest"),
    "one value twice": ({"appRoles": [role(READ, "x"), role(WRITE, "x")]}, "InvalidValue"),
}


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED)
def test_a_registration_is_refused(azure: Azure, body: dict[str, Any], code: str) -> None:
    answer = graph(azure, "POST", "/applications", {"displayName": "tools", **body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_an_enabled_role_and_a_taken_uri_stay(azure: Azure) -> None:
    app, _ = server(azure)
    place = f"/applications/{app['id']}"
    kept = graph(azure, "PATCH", place, {"appRoles": []})
    assert (kept.status_code, kept.json()["error"]["code"]) == (400, "CannotDeleteOrUpdateEnabledEntitlement")
    off = [role(READ, "Tools.Read", isEnabled=False), role(WRITE, "T.Write", isEnabled=False)]
    assert [graph(azure, "PATCH", place, {"appRoles": roles}).status_code for roles in (off, [])] == [204, 204]
    uris = {"identifierUris": [f"api://{app['appId']}"]}
    taken = graph(azure, "POST", "/applications", {"displayName": "other", **uris})
    assert taken.json()["error"]["code"] in ("ObjectConflict", "HostNameNotOnVerifiedDomain")
    shared = {"identifierUris": [f"api://{TENANT}/tools"]}
    assert graph(azure, "PATCH", place, shared).status_code == 204
    conflict = graph(azure, "POST", "/applications", {"displayName": "other", **shared})
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (400, "ObjectConflict")


def test_who_may_ask(azure: Azure) -> None:
    few = Principals(azure.cloud.store).add("few", since=0)
    none = azure.http.get("/v1.0/applications")
    assert (none.status_code, none.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    scope = "https://graph.microsoft.com/.default"
    for form, status in (({"client_id": few.client_id, "client_secret": few.secret}, 403), ({}, 200)):
        given = azure.post_token(scope=scope, **form).json()["access_token"]
        answer = azure.http.get("/v1.0/applications", headers={"Authorization": f"Bearer {given}"})
        assert answer.status_code == status
    wrong = azure.post_token(scope="https://vault.azure.net/.default").json()["access_token"]
    answer = azure.http.get("/v1.0/applications", headers={"Authorization": f"Bearer {wrong}"})
    assert answer.status_code == 401
    assert graph(azure, "GET", "/users").status_code == 400


def test_an_application_may_have_a_role_in_azure(azure: Azure) -> None:
    azure.group()
    client, own, secret = caller(azure)
    for item in azure.cloud.store.find(kind="Microsoft.Graph/servicePrincipals"):
        azure.cloud.store.update(item, private={**item.private, "since": 0})
    assert azure.assign("acdd72a7-3385-48ef-bd42-f606fba81ae7", "/resourceGroups/rg", own["id"]).status_code == 201
    given = azure.post_token(client_id=client["appId"], client_secret=secret).json()["access_token"]
    headers = {"Authorization": f"Bearer {given}"}
    assert azure.request("GET", "/resourceGroups/rg", version="2025-04-01", headers=headers).status_code == 200
