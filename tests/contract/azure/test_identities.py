# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed identities, their federated credentials, and what principals with few roles may do."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest

from localcloud.azure.principals import Principal, Principals

from .conftest import SUB, Azure, cluster_body, cluster_path

VERSION, ROLES_VERSION, GROUPS_VERSION = "2024-11-30", "2022-04-01", "2025-04-01"
IDENTITIES = "/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
ISSUER = "https://eastus.oic.prod-aks.azure.com/6f1c2b0e/one/"
ROLES = "/providers/Microsoft.Authorization/roleDefinitions"
CONTRIBUTOR, READER = "b24988ac-6180-42a0-ab88-20f7382dd24c", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
CLUSTER_CONTRIBUTOR = "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8"
IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"


def identity(azure: Azure, name: str = "id-tools", **body: Any) -> Any:
    return azure.request("PUT", f"{IDENTITIES}/{name}", {"location": "eastus", **body}, version=VERSION)


def federate(azure: Azure, name: str = "tools", **changes: Any) -> Any:
    given = {
        "issuer": ISSUER,
        "subject": "system:serviceaccount:tools:server",
        "audiences": ["api://AzureADTokenExchange"],
    }
    path = f"{IDENTITIES}/id-tools/federatedIdentityCredentials/{name}"
    return azure.request("PUT", path, {"properties": {**given, **changes}}, version=VERSION)


def test_an_identity_keeps_its_ids(azure: Azure) -> None:
    azure.group()
    missing = azure.request("GET", f"{IDENTITIES}/id-tools", version=VERSION)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ResourceNotFound")
    made = identity(azure, tags={"a": "b"})
    assert made.status_code == 201
    again = identity(azure, "ID-TOOLS")
    assert (again.status_code, again.json()["name"], again.json()["tags"]) == (200, "id-tools", {})
    ids = [answer.json()["properties"]["principalId"] for answer in (made, again)]
    assert ids[0] == ids[1] != made.json()["properties"]["clientId"]
    assert "/resourcegroups/" in made.json()["id"]
    assert identity(azure, location="westus2").json()["error"]["code"] == "InvalidResourceLocation"
    listed = azure.request("GET", IDENTITIES, version=VERSION).json()["value"]
    assert [one["name"] for one in listed] == ["id-tools"]
    assert azure.request("DELETE", f"{IDENTITIES}/id-tools", version=VERSION).status_code == 200
    assert azure.request("DELETE", f"{IDENTITIES}/id-tools", version=VERSION).status_code == 204


def test_a_federated_credential_comes_and_goes_with_its_identity(azure: Azure) -> None:
    azure.group()
    assert federate(azure).json()["error"]["code"] == "ResourceNotFound"
    identity(azure)
    assert federate(azure).status_code == 201
    path = f"{IDENTITIES}/id-tools/federatedIdentityCredentials"
    # the issuer as it was sent, with its last slash
    assert azure.request("GET", f"{path}/tools", version=VERSION).json()["properties"]["issuer"] == ISSUER
    assert federate(azure, subject="system:serviceaccount:tools:other").status_code == 200
    assert federate(azure, "second").status_code == 201
    resources = azure.request("GET", "/resourceGroups/rg/resources", version=GROUPS_VERSION).json()["value"]
    assert [one["type"] for one in resources] == ["Microsoft.ManagedIdentity/userAssignedIdentities"]
    assert azure.request("DELETE", f"{path}/second", version=VERSION).status_code == 200
    assert azure.request("DELETE", f"{path}/second", version=VERSION).status_code == 204
    azure.request("DELETE", f"{IDENTITIES}/id-tools", version=VERSION)
    identity(azure)
    assert azure.request("GET", path, version=VERSION).json()["value"] == []


REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "the same issuer and subject": ("second", {}, 409, "Conflict"),
    "an issuer without TLS": ("second", {"issuer": "http://issuer"}, 400, "BadRequest"),
    "two audiences": ("second", {"audiences": ["one", "two"]}, 400, "BadRequest"),
    "no subject": ("second", {"subject": ""}, 400, "BadRequest"),
    "a short name": ("ab", {"subject": "other"}, 400, "BadRequest"),
}


@pytest.mark.parametrize(("name", "changes", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(azure: Azure, name: str, changes: dict[str, Any], status: int, code: str) -> None:
    azure.group()
    identity(azure)
    federate(azure)
    answer = federate(azure, name, **changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_twenty_credentials_and_one_write_at_a_time(azure: Azure) -> None:
    azure.group()
    identity(azure)
    for number in range(20):
        assert federate(azure, f"number-{number}", subject=f"subject {number}").status_code == 201
    assert federate(azure).json()["error"]["message"].startswith("Too many Federated Identity Credentials")
    azure.faults.add("federation-busy")
    busy = federate(azure, "number-1", subject="another")
    code = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"
    assert (busy.status_code, busy.json()["error"]["code"]) == (409, code)
    assert federate(azure, "number-1", subject="another").status_code == 200


# --- principals that are not the owner


def assign(azure: Azure, role: str, scope: str, principal: str, **more: Any) -> Any:
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    properties = {"roleDefinitionId": f"{ROLES}/{role}", "principalId": principal, **more}
    return azure.request("PUT", path, {"properties": properties}, version=ROLES_VERSION)


def as_(azure: Azure, principal: Principal, method: str, path: str, body: Any = None, version: str = VERSION) -> Any:
    token = azure.post_token(client_id=principal.client_id, client_secret=principal.secret).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return azure.request(method, path, body, version=version, headers=headers)


def test_a_principal_may_do_what_its_roles_say(azure: Azure) -> None:
    azure.group()
    azure.group("other")
    few = Principals(azure.cloud.store).add("few", since=0)
    refused = as_(azure, few, "GET", "/resourceGroups/rg", version=GROUPS_VERSION)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
    text = refused.json()["error"]["message"]
    assert f"The client '{few.object_id}' with object id '{few.object_id}' does not have authorization" in text
    assert (
        f"action 'Microsoft.Resources/subscriptions/resourceGroups/read' over scope '{SUB}/resourceGroups/rg'" in text
    )
    seen = as_(azure, few, "GET", "/subscriptions", version=GROUPS_VERSION)
    assert seen.json()["value"] == []

    assert assign(azure, CONTRIBUTOR, "/resourceGroups/rg", few.object_id).status_code == 201
    assert as_(azure, few, "GET", "/resourceGroups/RG", version=GROUPS_VERSION).status_code == 200
    assert as_(azure, few, "PUT", f"{IDENTITIES}/id-tools", {"location": "eastus"}).status_code == 201
    assert len(as_(azure, few, "GET", "/subscriptions", version=GROUPS_VERSION).json()["value"]) == 1
    assert as_(azure, few, "GET", "/resourceGroups/other", version=GROUPS_VERSION).status_code == 403
    grant = "/resourceGroups/rg/providers/Microsoft.Authorization/roleAssignments/" + str(uuid.uuid4())
    body = {"properties": {"roleDefinitionId": f"{ROLES}/{READER}", "principalId": few.object_id}}
    denied = as_(azure, few, "PUT", grant, body, ROLES_VERSION)
    assert "action 'Microsoft.Authorization/roleAssignments/write'" in denied.json()["error"]["message"]


def test_an_identity_for_a_cluster_needs_a_right_of_its_own(azure: Azure) -> None:
    azure.group()
    own = identity(azure).json()
    few = Principals(azure.cloud.store).add("few", since=0)
    assign(azure, CLUSTER_CONTRIBUTOR, "/resourceGroups/rg", few.object_id)
    body = {**cluster_body(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {own["id"]: {}}}}
    refused = as_(azure, few, "PUT", cluster_path(), body, "2026-08-01")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    # its `…/userAssignedIdentities/*/assign/action` is this action, too
    assign(azure, IDENTITY_OPERATOR, f"{IDENTITIES}/id-tools", few.object_id)
    begun = as_(azure, few, "PUT", cluster_path(), body, "2026-08-01")
    followed = urlsplit(begun.headers["azure-asyncoperation"])
    assert as_(azure, few, "GET", followed.path, version="2016-03-30").status_code == 200
    azure.finish(begun)


def test_a_secret_of_another_principal_is_none(azure: Azure) -> None:
    principals = Principals(azure.cloud.store)
    one, two = principals.add("one"), principals.add("two")
    wrong = azure.post_token(client_id=one.client_id, client_secret=two.secret)
    assert (wrong.status_code, wrong.json()["error_codes"]) == (401, [7000215])
    azure.group()
    made = identity(azure).json()["properties"]
    # a managed identity has no secret, not even an empty one
    assert azure.post_token(client_id=made["clientId"], client_secret="").status_code == 401


def test_a_new_principal_is_replicated_after_a_while(azure: Azure) -> None:
    azure.group()
    principals = Principals(azure.cloud.store)
    new = principals.add("new")
    refused = assign(azure, READER, "/resourceGroups/rg", new.object_id)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "PrincipalNotFound")
    assert assign(azure, READER, "/resourceGroups/rg", new.object_id, principalType="ServicePrincipal").is_success
    old = principals.add("old", since=0)
    assert assign(azure, READER, "/resourceGroups/rg", old.object_id).is_success
    mismatch = assign(azure, CONTRIBUTOR, "/resourceGroups/rg", old.object_id, principalType="User")
    assert mismatch.json()["error"]["code"] == "UnmatchedPrincipalType"
