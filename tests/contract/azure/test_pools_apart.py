# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools beside their cluster: states and eTags of their own, and what the cluster's PUT does to them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .conftest import Azure, cluster_body, cluster_path

WORK = {"name": "work", "mode": "User", "count": 1, "vmSize": "Standard_D2s_v5"}
PLACE = f"{cluster_path()}/agentPools/work"


@pytest.fixture
def existing(azure: Azure) -> dict[str, Any]:
    azure.group()
    body = cluster_body()
    body["properties"]["agentPoolProfiles"].append(WORK)
    azure.finish(azure.request("PUT", cluster_path(), body))
    return cluster(azure)


def cluster(azure: Azure) -> dict[str, Any]:
    body: dict[str, Any] = azure.request("GET", cluster_path()).json()
    return body


def pool(body: dict[str, Any], name: str = "work") -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in body["properties"]["agentPoolProfiles"] if item["name"] == name)
    return found


CHANGES = {"count": (2, "Scaling"), "nodeLabels": ({"a": "b"}, "Updating")}


@pytest.mark.parametrize("key", CHANGES)
def test_a_pool_has_a_state_and_an_etag_of_its_own(azure: Azure, existing: dict[str, Any], key: str) -> None:
    value, state = CHANGES[key]
    answer = azure.request("PUT", PLACE, {"properties": {**WORK, key: value}})
    assert answer.json()["properties"]["provisioningState"] == state
    azure.finish(answer)
    after = cluster(azure)
    assert after["eTag"] == existing["eTag"]
    assert after["properties"]["provisioningState"] == "Succeeded"
    assert pool(after)["eTag"] != pool(existing)["eTag"]
    assert pool(after, "system")["eTag"] == pool(existing, "system")["eTag"]
    # the cluster's eTag lets a body pass that sets the pool back
    azure.finish(azure.request("PUT", cluster_path(), existing, headers={"If-Match": existing["eTag"]}))
    assert pool(cluster(azure)).get(key) == pool(existing).get(key)


def test_a_cluster_written_without_its_pools_keeps_them(azure: Azure, existing: dict[str, Any]) -> None:
    azure.finish(azure.request("PUT", PLACE, {"properties": {**WORK, "count": 3}}))
    body = {**copy.deepcopy(existing), "tags": {"a": "b"}}
    del body["properties"]["agentPoolProfiles"]
    azure.finish(azure.request("PUT", cluster_path(), body))
    after = cluster(azure)
    assert (after["tags"], pool(after)["count"]) == ({"a": "b"}, 3)


def test_a_pool_fails_alone_and_stays_failed(azure: Azure, existing: dict[str, Any]) -> None:
    azure.faults.add("operation-failed", operation="put pool")
    azure.finish(azure.request("PUT", PLACE, {"properties": {**WORK, "count": 2}}))
    assert cluster(azure)["properties"]["provisioningState"] == "Succeeded"
    body = {**cluster(azure), "tags": {"a": "b"}}
    del body["properties"]["agentPoolProfiles"]
    azure.finish(azure.request("PUT", cluster_path(), body))
    assert pool(cluster(azure))["provisioningState"] == "Failed"
    azure.finish(azure.request("PUT", PLACE, {"properties": WORK}))
    assert pool(cluster(azure))["provisioningState"] == "Succeeded"


def test_a_new_pool_is_not_made_through_the_cluster(azure: Azure, existing: dict[str, Any]) -> None:
    existing["properties"]["agentPoolProfiles"].append({**WORK, "name": "more"})
    answer = azure.request("PUT", cluster_path(), existing)
    assert (answer.status_code, answer.json()["code"]) == (400, "BadRequest")
    assert answer.json()["message"].startswith("A new agent pool was introduced.")


def test_a_pools_operation_blocks_the_cluster(azure: Azure, existing: dict[str, Any]) -> None:
    azure.cloud.operations._minimum = 0.3
    under_way = azure.request("PUT", PLACE, {"properties": {**WORK, "count": 2}})
    refused = azure.request("PUT", cluster_path(), existing)
    assert (refused.status_code, refused.json()["code"]) == (409, "OperationNotAllowed")
    azure.finish(under_way)
    azure.cloud.operations._minimum = 0.0
    assert azure.request("PUT", cluster_path(), existing).status_code == 200


def test_a_node_image_is_set_back_by_sending_it(azure: Azure, existing: dict[str, Any]) -> None:
    old = pool(existing)["nodeImageVersion"]
    azure.finish(azure.request("POST", f"{PLACE}/upgradeNodeImageVersion"))
    new = pool(cluster(azure))["nodeImageVersion"]
    profile = azure.request("GET", f"{PLACE}/upgradeProfiles/default").json()["properties"]
    assert [version["nodeImageVersion"] for version in profile["recentlyUsedVersions"]] == [old]
    assert new != old
    # before it was writable it was ignored
    body = {"properties": {**WORK, "nodeImageVersion": old}}
    azure.finish(azure.request("PUT", PLACE, body, version="2026-02-01"))
    assert pool(cluster(azure))["nodeImageVersion"] == new
    unknown = azure.request("PUT", PLACE, {"properties": {**WORK, "nodeImageVersion": "AKSUbuntu-1"}})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "InvalidParameter")
    azure.finish(azure.request("PUT", PLACE, body))
    assert pool(cluster(azure))["nodeImageVersion"] == old


def test_what_add_ons_and_routing_answer(azure: Azure) -> None:
    azure.group()
    profiles = {"azurepolicy": {"enabled": True}, "omsagent": {"enabled": False}}
    routing = {"webAppRouting": {"enabled": True}}
    body = azure.cluster(addonProfiles=profiles, ingressProfile=routing)["properties"]
    assert body["addonProfiles"]["azurepolicy"]["config"] is None
    assert body["addonProfiles"]["azurepolicy"]["identity"]["objectId"]
    assert "identity" not in body["addonProfiles"]["omsagent"]
    assert body["ingressProfile"]["webAppRouting"]["identity"]["clientId"]
