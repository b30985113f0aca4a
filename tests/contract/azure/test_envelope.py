# SPDX-License-Identifier: GPL-3.0-or-later
"""What Resource Manager does to every request, and what is kept of it."""

from __future__ import annotations

import json

import pytest

from .conftest import SECRET, SUB, SUBSCRIPTION, Azure, cluster_body, cluster_path

AKS = "/providers/Microsoft.ContainerService/managedClusters"
REFUSED = {
    "no api-version": ("GET", "/resourceGroups", "", 400, "MissingApiVersionParameter"),
    "api-version that is none": ("GET", "/resourceGroups", "latest", 400, "InvalidApiVersionParameter"),
    "api-version from before the type": ("GET", AKS, "2012-01-01", 400, "NoRegisteredProviderFound"),
    "unknown subscription": ("GET", "/subscriptions/other/resourceGroups", "2025-04-01", 404, "SubscriptionNotFound"),
    "unknown provider": ("GET", "/providers/Microsoft.Nonsense/things", "2025-04-01", 404, "InvalidResourceNamespace"),
    "unknown type": (
        "GET",
        "/providers/Microsoft.ContainerService/things",
        "2025-04-01",
        404,
        "InvalidResourceType",
    ),
    "unknown verb": ("DELETE", AKS, "2025-04-01", 405, "HttpMethodNotSupported"),
    "unknown group": ("GET", "/resourceGroups/none", "2025-04-01", 404, "ResourceGroupNotFound"),
    "cluster in an unknown group": ("GET", cluster_path(group="none"), "2025-10-01", 404, "ResourceGroupNotFound"),
    "pools of an unknown group's cluster": (
        "GET",
        f"{cluster_path(group='none')}/agentPools",
        "2025-10-01",
        404,
        "ResourceGroupNotFound",
    ),
}


@pytest.mark.parametrize(("method", "path", "version", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(azure: Azure, method: str, path: str, version: str, status: int, code: str) -> None:
    answer = azure.request(method, path, version=version)
    assert answer.status_code == status, answer.text
    if code:
        assert answer.json()["error"]["code"] == code


def test_missing_cluster_reads_as_in_azure(azure: Azure) -> None:
    azure.group()
    answer = azure.request("GET", cluster_path("none"))
    assert answer.status_code == 404
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert answer.json()["error"] == {
        "code": "ResourceNotFound",
        "message": "The Resource 'Microsoft.ContainerService/managedClusters/none' under resource group 'rg' was not "
        "found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    }
    pools = azure.request("GET", f"{cluster_path('none')}/agentPools")
    assert (pools.status_code, pools.json()["error"]["code"]) == (404, "ParentResourceNotFound")


def test_headers(azure: Azure) -> None:
    answer = azure.request(
        "GET", SUB, headers={"x-ms-client-request-id": "mine", "x-ms-return-client-request-id": "true"}
    )
    assert answer.headers["x-ms-client-request-id"] == "mine"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-ms-request-id"] and answer.headers["x-ms-correlation-request-id"]
    assert int(answer.headers["x-ms-ratelimit-remaining-subscription-reads"]) > 0


def test_paths_are_case_insensitive(azure: Azure) -> None:
    azure.group("RG")
    azure.cluster()
    shouted = f"{SUB}{cluster_path()}".upper().replace("/SUBSCRIPTIONS", "/subscriptions")
    assert azure.request("GET", shouted).json()["name"] == "c1"


def test_a_body_that_is_no_json(azure: Azure) -> None:
    azure.group()
    answer = azure.http.put(
        f"{SUB}/resourceGroups/x",
        params={"api-version": "2025-04-01"},
        content="{no",
        headers={"Authorization": f"Bearer {azure.token}", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


def test_lists_are_paged(azure: Azure) -> None:
    first = azure.request("GET", "/providers/Microsoft.Compute/skus", **{"$filter": "location eq 'eastus'"}).json()
    assert len(first["value"]) == azure.config.page_size
    second = azure.http.get(first["nextLink"], headers={"Authorization": f"Bearer {azure.token}"}).json()
    names = [(sku["resourceType"], sku["name"]) for answer in (first, second) for sku in answer["value"]]
    assert "nextLink" not in second
    # one size has a second row, as some have in real lists
    assert len(set(names)) == len(names) - 1 > 700


def test_what_is_logged(azure: Azure) -> None:
    azure.group()
    azure.cluster()
    before, written = len(azure.log.requests()), len(azure.log.writes())
    assert [(entry["method"], entry["status"]) for entry in azure.log.writes()] == [("PUT", 201), ("PUT", 201)]
    azure.request("GET", cluster_path())
    azure.request("POST", f"{cluster_path()}/listClusterUserCredential")
    azure.post_token()
    assert azure.log.writes(written) == []
    assert [entry["status"] for entry in azure.log.requests(before)] == [200, 200, 200]

    azure.request("PUT", cluster_path("bad name"), cluster_body(), headers={"x-ms-client-request-id": "mine"})
    azure.request("DELETE", "/resourceGroups/none")
    azure.request("PUT", "/resourceGroups/x", {}, headers={"Authorization": "Bearer x"})
    attempts = azure.log.writes(written)
    assert [(entry["method"], entry["status"]) for entry in attempts] == [("PUT", 400), ("DELETE", 404), ("PUT", 401)]
    assert attempts[0]["client_request_id"] == "mine"
    assert attempts[0]["path"] == f"/subscriptions/{SUBSCRIPTION}{cluster_path('bad name')}"


def test_secrets_are_in_no_file(azure: Azure) -> None:
    azure.group()
    azure.cluster(
        windowsProfile={"adminUsername": "azureuser", "adminPassword": "canary-of-the-windows-password"},
    )
    body = json.dumps(azure.request("GET", cluster_path()).json())
    assert "azureuser" in body
    kept = b"".join(file.read_bytes() for file in azure.config.state.iterdir() if file.is_file())
    for canary in ("canary-of-the-windows-password", SECRET, azure.token):
        assert canary not in body
        assert canary.encode() not in kept


def test_subscription_and_places(azure: Azure) -> None:
    assert [tenant["tenantId"] for tenant in azure.request("GET", "/tenants").json()["value"]]
    listed = azure.request("GET", "/subscriptions").json()["value"]
    assert [(sub["subscriptionId"], sub["state"]) for sub in listed] == [(SUBSCRIPTION, "Enabled")]
    places = {place["name"]: place for place in azure.request("GET", "/locations").json()["value"]}
    assert len(places) >= 12
    assert "availabilityZoneMappings" in places["eastus"]
    assert "availabilityZoneMappings" not in places["westus"]
