# SPDX-License-Identifier: GPL-3.0-or-later
"""Who goes by an id, as clients of Microsoft Graph ask: by application id, by object id, several at once."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.azure.principals import Principals

from .conftest import CLIENT, Azure

IDENTITY = "/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-graph"


def ask(azure: Azure, path: str, ids: list[str] | None = None, token: str = "", **query: str) -> Any:
    if not azure.token:
        azure.token = azure.post_token().json()["access_token"]
    headers = {"Authorization": f"Bearer {token or azure.token}"}
    body = {"ids": ids, "types": ["user", "group", "servicePrincipal"]} if ids is not None else None
    method = "GET" if ids is None else "POST"
    return azure.http.request(method, f"/v1.0{path}", json=body, params=query, headers=headers)


@pytest.fixture
def identity(azure: Azure) -> dict[str, Any]:
    azure.group()
    made = azure.request("PUT", IDENTITY, {"location": "eastus"}, version="2024-11-30")
    found: dict[str, Any] = made.json()["properties"]
    return found


def test_by_application_id(azure: Azure, identity: dict[str, Any]) -> None:
    for client, name in ((identity["clientId"], "id-graph"), (CLIENT.upper(), "local cloud")):
        spelling = f"servicePrincipalNames/any(c:c eq '{client}')"
        (found,) = ask(azure, "/servicePrincipals", **{"$filter": spelling}).json()["value"]
        assert found["displayName"] == name
        assert ask(azure, f"/servicePrincipals/{found['id']}").json()["appId"] == client.lower()
    assert ask(azure, "/servicePrincipals", **{"$filter": "appId eq 'nobody'"}).json()["value"] == []
    assert ask(azure, "/servicePrincipals", **{"$filter": "startswith(x,'y')"}).status_code == 400


def test_several_by_object_id(azure: Azure, identity: dict[str, Any]) -> None:
    cluster = azure.cluster("c1")
    kubelet = cluster["properties"]["identityProfile"]["kubeletidentity"]["objectId"]
    ids = [identity["principalId"], kubelet, cluster["identity"]["principalId"], "00000000-0000-0000-0000-00000000dead"]
    found = ask(azure, "/directoryObjects/getByIds", ids).json()["value"]
    assert {one["displayName"] for one in found} == {"id-graph", "c1-agentpool", "c1"}
    assert {one["@odata.type"] for one in found} == {"#microsoft.graph.servicePrincipal"}
    assert ask(azure, "/servicePrincipals/00000000-0000-0000-0000-00000000dead").status_code == 404


def test_the_directory_is_not_for_everybody(azure: Azure) -> None:
    somebody = Principals(azure.cloud.store).add("somebody")
    token = azure.post_token(client_id=somebody.client_id, client_secret=somebody.secret).json()["access_token"]
    for path, ids in (("/servicePrincipals", None), ("/directoryObjects/getByIds", [somebody.object_id])):
        refused = ask(azure, path, ids, token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    assert azure.http.get("/v1.0/servicePrincipals").status_code == 401
