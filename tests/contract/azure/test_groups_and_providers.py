# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource groups, what they hold, and the registration of providers."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from .conftest import Azure, cluster_body, cluster_path, launch, make_config, until

RG = "/resourceGroups/rg"
REFUSED = {
    "no location": ("rg", {}, 400, "LocationRequired"),
    "unknown location": ("rg", {"location": "atlantis"}, 400, "LocationNotAvailableForResourceGroup"),
    "ends with a dot": ("rg.", {"location": "eastus"}, 400, "InvalidResourceGroupName"),
    "too long": ("r" * 91, {"location": "eastus"}, 400, "InvalidResourceGroupName"),
    "tags that are no texts": ("rg", {"location": "eastus", "tags": {"a": 1}}, 400, "InvalidRequestContent"),
    "no object": ("rg", [1], 400, "InvalidRequestContent"),
}


@pytest.mark.parametrize(("name", "body", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_refused_groups(azure: Azure, name: str, body: object, status: int, code: str) -> None:
    answer = azure.request("PUT", f"/resourceGroups/{name}", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_group_lives(azure: Azure) -> None:
    assert azure.request("HEAD", RG).status_code == 404
    created = azure.request("PUT", RG, {"location": "East US", "tags": {"a": "b"}})
    assert (created.status_code, created.json()["location"]) == (201, "eastus")
    assert azure.request("HEAD", RG.upper().replace("RESOURCEGROUPS", "resourcegroups")).status_code == 204
    assert azure.request("PUT", RG, {"location": "eastus"}).status_code == 200
    assert "tags" not in azure.request("GET", RG).json()
    assert azure.request("PATCH", RG, {"tags": {"c": "d"}}).json()["tags"] == {"c": "d"}
    moved = azure.request("PUT", RG, {"location": "westus2"})
    assert (moved.status_code, moved.json()["error"]["code"]) == (409, "InvalidResourceGroupLocation")
    matching = azure.request("GET", "/resourceGroups", **{"$filter": "tagName eq 'c' and tagValue eq 'd'"})
    assert [group["name"] for group in matching.json()["value"]] == ["rg"]
    other = azure.request("GET", "/resourceGroups", **{"$filter": "tagname eq 'c' and tagvalue eq 'x'"})
    assert other.json()["value"] == []


def finish_deletion(azure: Azure, answer: httpx.Response) -> None:
    assert answer.status_code == 202, answer.text

    def ended() -> int | None:
        polled = azure.http.get(answer.headers["location"], headers={"Authorization": f"Bearer {azure.token}"})
        return None if polled.status_code == 202 else polled.status_code

    assert until(ended) == 200


def test_deleting_a_group_deletes_its_clusters(azure: Azure) -> None:
    azure.group()
    azure.cluster()
    finish_deletion(azure, azure.request("DELETE", RG))
    assert azure.backend.clusters == {}
    assert azure.request("GET", RG).status_code == 404
    azure.group()
    assert azure.request("GET", cluster_path()).status_code == 404


def test_deleting_a_group_waits_for_what_is_being_made(azure: Azure) -> None:
    azure.group()
    azure.backend.gate.clear()
    creating = azure.request("PUT", cluster_path(), cluster_body())
    deleting = azure.request("DELETE", RG)
    assert azure.request("GET", RG).json()["properties"]["provisioningState"] == "Deleting"
    refused = azure.request("PUT", cluster_path("c2"), cluster_body())
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ResourceGroupBeingDeleted")
    azure.backend.gate.set()
    azure.finish(creating)
    finish_deletion(azure, deleting)
    assert azure.backend.clusters == {}


def test_resources_are_listed(azure: Azure) -> None:
    azure.group()
    azure.group("other")
    azure.cluster()
    for path, query, names in (
        ("/resources", {}, ["c1"]),
        ("/resources", {"$filter": "resourceType eq 'Microsoft.ContainerService/managedClusters'"}, ["c1"]),
        ("/resources", {"$filter": "resourceType eq 'Microsoft.ContainerRegistry/registries'"}, []),
        ("/resources", {"$filter": "resourceGroup eq 'other'"}, []),
        (f"{RG}/resources", {"$expand": "provisioningState"}, ["c1"]),
        ("/resourceGroups/other/resources", {}, []),
    ):
        found = azure.request("GET", path, **query).json()["value"]
        assert [resource["name"] for resource in found] == names
        assert all(("provisioningState" in resource) == ("$expand" in query) for resource in found)


def test_a_provider_is_registered_in_time(tmp_path: Path, pki: Path) -> None:
    azure = launch(make_config(tmp_path, pki, registration_seconds=3600), pki)
    try:
        provider = "/providers/microsoft.containerregistry"
        assert azure.request("GET", provider).json()["registrationState"] == "NotRegistered"
        assert azure.request("POST", f"{provider}/register").json()["registrationState"] == "Registering"
        assert azure.request("POST", f"{provider}/register").json()["registrationState"] == "Registering"
        azure.cloud.store.change("UPDATE registrations SET since = since - 3600")
        assert azure.request("GET", provider).json()["registrationState"] == "Registered"
        assert azure.request("POST", f"{provider}/unregister").json()["registrationState"] == "NotRegistered"
    finally:
        azure.server.stop()


def test_an_unregistered_provider_refuses(azure: Azure) -> None:
    azure.group()
    azure.faults.add("unregistered", namespace="Microsoft.ContainerService")
    answer = azure.request("PUT", cluster_path(), cluster_body())
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    assert "'Microsoft.ContainerService'" in answer.json()["error"]["message"]  # the SDK reads the name from the text
    azure.request("POST", "/providers/Microsoft.ContainerService/register")
    assert azure.request("PUT", cluster_path(), cluster_body()).status_code == 201


def test_unknown_providers(azure: Azure) -> None:
    answer = azure.request("GET", "/providers/Microsoft.Nonsense")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "InvalidResourceNamespace")
    listed = azure.request("GET", "/providers").json()["value"]
    assert {"Microsoft.Compute", "Microsoft.ContainerService"} <= {provider["namespace"] for provider in listed}
