# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole operations against the local Azure over TLS: what they ask, what they change, what they say."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils.arm import client, names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks_kubeconfig import path_problems, write_kubeconfig
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.errors import CheckModeViolation, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Backoff
from ansible_collections.mcpops.platform.plugins.modules import (
    aks_cluster,
    aks_cluster_info,
    aks_kubeconfig,
    aks_sku_preflight,
    azure_provider,
    azure_resource,
    azure_resource_info,
)

OWNER = {"host": "h1", "environment": "dev"}
GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2", "owner": OWNER}
NAMED = {"name": "c1", "resource_group": "rg"}
CLUSTER = {
    **NAMED,
    "location": "eastus2",
    "owner": OWNER,
    "node_pools": [{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}],
}


@pytest.fixture
def group(azure: Azure) -> Azure:
    assert azure.run(azure_resource, GROUP)["changed"]
    return azure


@pytest.fixture
def cluster(group: Azure) -> Azure:
    assert group.run(aks_cluster, CLUSTER)["changed"]
    return group


class Requests:
    """The ARM requests since it was made."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._before = len(azure.requests())

    def all(self) -> list[tuple[str, str]]:
        return self._azure.requests()[self._before :]

    def writes(self) -> list[str]:
        return [method for method, path in self.all() if method != "GET" and "Credential" not in path]


@pytest.fixture
def check_mode_writes_nothing(azure: Azure) -> Iterator[None]:
    before = len(list(azure.log.writes()))
    yield
    assert len(list(azure.log.writes())) == before


# --- a resource group, from nothing to nothing


def test_group_from_nothing_to_nothing(azure: Azure) -> None:
    checked = azure.run(azure_resource, GROUP, check=True)
    assert checked["changed"]
    assert Requests(azure).writes() == []
    made = azure.run(azure_resource, GROUP)
    assert made["changed"]
    assert checked["diff"] == made["diff"]
    assert made["resource"]["tags"]["mcpops-host"] == "h1"
    requests = Requests(azure)
    assert not azure.run(azure_resource, GROUP)["changed"]
    assert len(requests.all()) == 1
    found = azure.run(azure_resource_info, {"type": GROUP["type"], "name": "rg"})["resources"]
    assert [item["name"] for item in found] == ["rg"]
    assert azure.run(azure_resource, {**GROUP, "state": "absent"})["changed"]
    assert not azure.run(azure_resource, {**GROUP, "state": "absent"})["changed"]
    assert azure.run(azure_resource_info, {"type": GROUP["type"], "name": "rg"})["resources"] == []


def test_group_tags_merge_and_purge(group: Azure) -> None:
    assert group.run(azure_resource, {**GROUP, "tags": {"a": 1, "b": True}})["resource"]["tags"]["b"] == "true"
    assert not group.run(azure_resource, {**GROUP, "tags": {"A": "1"}})["changed"]
    purged = group.run(azure_resource, {**GROUP, "tags": {"b": "true"}, "purge_tags": True})
    assert set(purged["resource"]["tags"]) == {"b", "mcpops-collection", "mcpops-host", "mcpops-environment"}
    cleared = group.run(azure_resource, {**GROUP, "tags": {"b": None}})
    assert "b" not in cleared["resource"]["tags"]


def test_group_elsewhere_is_refused(group: Azure) -> None:
    requests = Requests(group)
    failed = group.run(azure_resource, {**GROUP, "location": "westus2"})
    assert failed["error"]["paths"] == ["location"]
    assert requests.writes() == []


def test_group_of_somebody_is_not_deleted(cluster: Azure) -> None:
    requests = Requests(cluster)
    other = {**GROUP, "state": "absent", "owner": {"host": "h2"}, "force_delete": True}
    failed = cluster.run(azure_resource, other)
    assert "inventory host h1 (dev)" in failed["msg"]
    # the group and the cluster in it
    assert len(failed["error"]["paths"]) == 2
    assert requests.writes() == []


def test_group_is_not_deleted_with_what_nobody_of_ours_made(group: Azure) -> None:
    unowned = {key: value for key, value in CLUSTER.items() if key != "owner"}
    cluster_id = group.run(aks_cluster, unowned)["cluster"]["id"]
    failed = group.run(azure_resource, {**GROUP, "state": "absent"})
    assert failed["error"]["paths"] == [cluster_id] and "force_delete" in failed["msg"]
    assert group.run(aks_cluster_info, NAMED)["clusters"]
    shown = group.run(azure_resource, {**GROUP, "state": "absent", "force_delete": True}, check=True)
    assert cluster_id in str(shown["diff"])
    assert group.run(azure_resource, {**GROUP, "state": "absent", "force_delete": True})["changed"]


def test_a_check_of_a_whole_teardown_goes_as_the_teardown_would(group: Azure) -> None:
    theirs = {"host": "h2", "environment": "dev"}
    group.run(aks_cluster, {**CLUSTER, "owner": theirs})
    gone = {**GROUP, "state": "absent"}
    assert "Tear that host down first" in group.run(azure_resource, gone, check=True)["msg"]
    assert group.run(aks_cluster, {**NAMED, "owner": theirs, "state": "absent"}, check=True)["changed"]
    assert group.run(azure_resource, gone, check=True)["changed"]
    # a run goes by what is there
    assert "Tear that host down first" in group.run(azure_resource, gone)["msg"]
    assert group.run(aks_cluster, {**NAMED, "owner": theirs, "state": "absent"})["changed"]
    assert group.run(azure_resource, gone)["changed"]


@pytest.mark.parametrize(
    ("declared", "paths"),
    [
        pytest.param({**GROUP, "name": "rg."}, ["name"], id="name"),
        pytest.param({"type": "nonsense", "name": "a"}, ["type", "api_version", "update_method"], id="type"),
        pytest.param({"id": "rg"}, ["id"], id="id"),
        pytest.param(
            {"type": "Microsoft.Nowhere/things", "name": "a", "resource_group": "rg"},
            ["api_version", "update_method"],
            id="unknown type",
        ),
        pytest.param(
            {"type": "Microsoft.ContainerRegistry/registries", "name": "a-b", "resource_group": "rg"},
            ["name"],
            id="registry",
        ),
        pytest.param(
            {**GROUP, "tags": {"a/b": "c"}, "wait_timeout": 0}, ["tags.a/b", "wait_timeout"], id="two at once"
        ),
    ],
)
def test_bad_resource_is_told_before_anything_is_asked(
    azure: Azure, declared: dict[str, Any], paths: list[str]
) -> None:
    failed = azure.run(azure_resource, declared)
    assert [problem["path"] for problem in failed["error"]["problems"]] == paths
    assert azure.requests() == []


# --- providers


def test_provider_is_registered_and_waited_for(azure: Azure) -> None:
    wanted = {"namespaces": ["Microsoft.ContainerService", "Microsoft.ContainerRegistry"]}
    checked = azure.run(azure_provider, wanted, check=True)
    assert checked["providers"]["Microsoft.ContainerRegistry"] == "NotRegistered"
    done = azure.run(azure_provider, wanted)
    assert done["changed"]
    assert set(done["providers"].values()) == {"Registered"}
    requests = Requests(azure)
    assert not azure.run(azure_provider, wanted)["changed"]
    assert len(requests.all()) == 2


def test_provider_that_does_not_exist(azure: Azure) -> None:
    assert "spelling" in azure.run(azure_provider, {"namespaces": ["Microsoft.Nowhere"]})["msg"]


# --- clusters


@pytest.mark.usefixtures("check_mode_writes_nothing")
def test_check_mode_from_nothing(azure: Azure, tmp_path: Path) -> None:
    planned = azure.run(aks_cluster, CLUSTER, check=True)
    assert planned["changed"]
    assert "resource group rg" in planned["notes"][0]
    assert not planned["cluster"]["exists"]
    path = tmp_path / "kube" / "c1"
    kubeconfig = azure.run(aks_kubeconfig, {**NAMED, "path": str(path)}, check=True)
    assert kubeconfig["changed"]
    assert not path.parent.exists()


@pytest.mark.usefixtures("check_mode_writes_nothing")
def test_check_mode_on_an_empty_subscription(azure: Azure) -> None:
    """No provider is registered, no group exists: the plan is whole, and says what it waits for."""
    for namespace in ("Microsoft.ContainerService", "Microsoft.Compute"):
        azure.faults.add("unregistered", namespace=namespace)
    preflight = {
        "location": "eastus2",
        "candidates": ["Standard_D2s_v5"],
        "cluster_name": "c1",
        "resource_group": "rg",
        "node_pool": "system",
    }
    for check in (True, False):
        # also when it really runs: the registration is a later task of the site
        sized = azure.run(aks_sku_preflight, preflight, check=check)
        assert sized["vm_size"] is None
        assert "Microsoft.Compute" in sized["notes"][0]
    candidates = [{"name": "system", "vm_size_candidates": ["Standard_D2s_v5"]}]
    planned = azure.run(aks_cluster, {**CLUSTER, "kubernetes_version": "1.35", "node_pools": candidates}, check=True)
    assert planned["changed"]
    assert "registration" in planned["notes"][0]


def test_cluster_from_nothing_to_nothing(group: Azure) -> None:
    checked = group.run(aks_cluster, CLUSTER, check=True)
    made = group.run(aks_cluster, CLUSTER)
    assert checked["diff"] == made["diff"]
    assert made["cluster"]["provisioning_state"] == "Succeeded"
    assert made["cluster"]["oidc_issuer_url"]
    requests = Requests(group)
    assert not group.run(aks_cluster, CLUSTER)["changed"]
    assert len(requests.all()) == 1
    info = group.run(aks_cluster_info, NAMED)["clusters"]
    assert info[0]["properties"]["provisioningState"] == "Succeeded"
    assert group.run(aks_cluster_info, {})["clusters"][0]["name"] == "c1"
    assert group.run(aks_cluster, {**CLUSTER, "state": "absent"}, check=True)["changed"]
    assert group.run(aks_cluster, {**CLUSTER, "state": "absent"})["changed"]
    assert not group.run(aks_cluster, {**CLUSTER, "state": "absent"})["changed"]


def test_drift_is_shown_and_repaired(cluster: Azure) -> None:
    behind = {**CLUSTER, "node_pools": [{"name": "system", "count": 3}], "tags": {"by": "hand"}}
    cluster.run(aks_cluster, behind)
    shown = cluster.run(aks_cluster, CLUSTER, check=True)
    assert "count: 3" in shown["diff"][0]["before"]
    repaired = cluster.run(aks_cluster, CLUSTER)
    assert repaired["diff"] == shown["diff"]
    assert repaired["cluster"]["node_pools"][0]["count"] == 1
    assert repaired["cluster"]["tags"]["by"] == "hand"


def test_a_preflight_spares_the_cluster_a_request(cluster: Azure) -> None:
    live = {"location": "eastus2", "candidates": ["Standard_D8s_v5"], "cluster_name": "c1", "resource_group": "rg"}
    requests = Requests(cluster)
    assert cluster.run(aks_sku_preflight, {**live, "node_pool": "system"})["vm_size"] == "Standard_D2s_v5"
    assert not cluster.run(aks_cluster, CLUSTER)["changed"]
    assert len(requests.all()) == 1
    # what was remembered is good for one look, and for no write
    requests = Requests(cluster)
    assert not cluster.run(aks_cluster, CLUSTER)["changed"]
    assert len(requests.all()) == 1
    assert cluster.run(aks_sku_preflight, {**live, "node_pool": "system"})["source"] == "existing_pool"
    assert cluster.run(aks_cluster, {**CLUSTER, "tags": {"a": "b"}})["changed"]
    assert not cluster.run(aks_cluster, {**CLUSTER, "tags": {"a": "b"}})["changed"]


SIZES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "arm64": ({"candidates": ["Standard_D2s_v5", "Standard_D2ps_v5"], "architecture": "arm64"}, {}, "Standard_D2ps_v5"),
    "no burstable size": (
        {"candidates": ["Standard_B2ms", "Standard_D2s_v5"], "allow_burstable": False},
        {},
        "Standard_D2s_v5",
    ),
    "surge": (
        {"candidates": ["Standard_D2s_v5", "Standard_D2s_v4"], "allow_burstable": False, "surge_nodes": 4},
        {},
        "Standard_D2s_v4",
    ),
    "the most nodes of the autoscaler": (
        {"candidates": ["Standard_D2s_v5", "Standard_D2s_v4"], "allow_burstable": False},
        {"enable_auto_scaling": True, "min_count": 1, "max_count": 4},
        "Standard_D2s_v4",
    ),
}


@pytest.mark.parametrize(("sizes", "counts", "size"), SIZES.values(), ids=SIZES.keys())
def test_the_size_of_the_preflight_is_created(
    group: Azure, sizes: dict[str, Any], counts: dict[str, Any], size: str
) -> None:
    preflight = {**sizes, "location": "eastus2", "node_count": counts.get("max_count", 1), "system_pool": True}
    declared = {**CLUSTER, "node_pools": [{"name": "system", **counts}], "vm_size_selection": sizes}
    with group.faults.during("quota", name="standardDSv5Family", limit=8):
        assert group.run(aks_sku_preflight, preflight)["vm_size"] == size
        assert group.run(aks_cluster, declared)["cluster"]["node_pools"][0]["vm_size"] == size


# the first pool of the list, added to a cluster that stands: what it declares, and its size and mode
ADDED: dict[str, tuple[dict[str, Any], str, str]] = {
    "without a mode": ({}, "Standard_B2s", "User"),
    "of mode System as a raw property": ({"properties": {"mode": "System"}}, "Standard_B2s", "System"),
    "with a size as a raw property": ({"properties": {"vmSize": "Standard_D4s_v5"}}, "Standard_D4s_v5", "User"),
    "with more nodes as a raw property": ({"properties": {"count": 3}}, "Standard_D2s_v4", "User"),
}


@pytest.mark.parametrize(("declared", "size", "mode"), ADDED.values(), ids=ADDED.keys())
def test_a_pool_added_first_gets_the_size_of_the_preflight(
    cluster: Azure, declared: dict[str, Any], size: str, mode: str
) -> None:
    # AKS takes no size of one vCPU in any pool
    sizes = {"candidates": ["Standard_B1s", "Standard_B2s", "Standard_D2s_v4"]}
    pools = [{"name": "work", **declared}, {"name": "system"}]
    asked = {**sizes, "location": "eastus2", "cluster_name": "c1", "resource_group": "rg", "allow_burstable": True}
    with cluster.faults.during("quota", name="standardBSFamily", limit=4):
        found = cluster.run(aks_sku_preflight, {**asked, "node_pools": pools, "node_pool": "work"})
        made = cluster.run(aks_cluster, {**CLUSTER, "node_pools": pools, "vm_size_selection": sizes})
    (pool,) = (one for one in made["cluster"]["node_pools"] if one["name"] == "work")
    assert (found["vm_size"], pool["vm_size"], pool["mode"]) == (size, size, mode)
    assert cluster.run(aks_sku_preflight, {**asked, "node_pools": pools, "node_pool": "work"})["vm_size"] == size


def test_a_preflight_for_a_pool_that_is_not_declared(azure: Azure) -> None:
    asked = {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_pools": [{"name": "a"}], "node_pool": "b"}
    requests = Requests(azure)
    assert "node_pool: is none of node_pools: a" in azure.run(aks_sku_preflight, asked)["msg"]
    assert requests.all() == []


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "throttled": ("throttle", {"seconds": 0, "count": 2}),
    "unavailable": ("unavailable", {"count": 2}),
    "cut off": ("reset", {"count": 1, "method": "PUT"}),
    "token expired": ("token-expired", {"count": 1}),
    "busy": ("busy", {"count": 2}),
    "lost race": ("etag-race", {"count": 1}),
    "lost race, the other way": ("etag-race", {"count": 1, "status": 412}),
    "replica lags": ("missing", {"count": 1, "path": "operations"}),
}


@pytest.mark.parametrize(("kind", "options"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_survived(cluster: Azure, kind: str, options: dict[str, Any]) -> None:
    with cluster.faults.during(kind, **options):
        changed = cluster.run(aks_cluster, {**CLUSTER, "tags": {"a": "b"}})
    assert not changed.get("failed"), changed["msg"]
    assert changed["changed"]
    assert changed["cluster"]["tags"]["a"] == "b"
    assert not cluster.run(aks_cluster, {**CLUSTER, "tags": {"a": "b"}})["changed"]


def test_a_failed_operation_is_told_and_repaired(cluster: Azure) -> None:
    with cluster.faults.during("operation-failed", code="SkuNotAvailable", message="no capacity"):
        failed = cluster.run(aks_cluster, {**CLUSTER, "node_pools": [{"name": "system", "count": 2}]})
    assert "no capacity (SkuNotAvailable)" in failed["msg"]
    repaired = cluster.run(aks_cluster, CLUSTER)
    assert repaired["changed"]
    assert repaired["cluster"]["provisioning_state"] == "Succeeded"
    assert not cluster.run(aks_cluster, CLUSTER)["changed"]


def test_an_operation_of_a_killed_run_is_picked_up(group: Azure) -> None:
    group.run(aks_cluster, {**CLUSTER, "wait": False})
    done = group.run(aks_cluster, CLUSTER)
    assert not done["changed"]
    assert done["cluster"]["provisioning_state"] == "Succeeded"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "version not offered": ({"kubernetes_version": "1.12"}, "1.12 is not offered in eastus2; offered are"),
    "unknown location": ({"location": "atlantis"}, "atlantis"),
    "no viable size": (
        {"node_pools": [{"name": "system", "vm_size_candidates": ["Standard_Nope"]}]},
        "node_pools[system].vm_size_candidates[Standard_Nope]: eastus2 offers no size of this name",
    ),
    "no group": ({"resource_group": "nowhere"}, "Create the group first"),
    "no pools": ({"node_pools": None}, "node_pools: are needed"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD.keys())
def test_bad_cluster(group: Azure, changes: dict[str, Any], message: str) -> None:
    declared = {key: value for key, value in {**CLUSTER, **changes}.items() if value is not None}
    failed = group.run(aks_cluster, declared)
    assert failed["failed"]
    assert message in failed["msg"]


def test_unknown_location_of_a_group(azure: Azure) -> None:
    failed = azure.run(azure_resource, {**GROUP, "location": "atlantis"})
    assert "'atlantis' is not available" in failed["msg"]
    assert failed["error"]["hint"].startswith("Use one of the locations")


def test_unknown_location_of_a_preflight(azure: Azure) -> None:
    wanted = {"location": "atlantis", "candidates": ["Standard_D2s_v5", "Standard_B2ms", "Nope"], "node_count": 1}
    failed = azure.run(aks_sku_preflight, wanted)
    assert [problem["path"] for problem in failed["error"]["problems"]] == ["location"]
    assert "'atlantis' has no virtual machine sizes for this subscription" in failed["msg"]


def test_unknown_location_of_a_cluster_is_one_problem_however_many_pools_ask_for_a_size(group: Azure) -> None:
    sizes = ["Standard_D2s_v5", "Standard_B2ms"]
    pools = [{"name": name, "mode": "System", "vm_size_candidates": sizes} for name in ("one", "two", "three")]
    failed = group.run(aks_cluster, {**CLUSTER, "location": "lemuria", "node_pools": pools})
    assert [problem["path"] for problem in failed["error"]["problems"]] == ["location"]


def test_candidates_with_the_same_fault_are_one_problem(azure: Azure) -> None:
    wanted = {"location": "eastus2", "candidates": ["Standard_A", "Standard_B", "Standard_C"], "node_count": 1}
    failed = azure.run(aks_sku_preflight, wanted)
    assert [problem["path"] for problem in failed["error"]["problems"]] == [
        "candidates[Standard_A, Standard_B, Standard_C]",
        "candidates",
    ]


def test_two_problems_of_the_service_are_told_together(group: Azure) -> None:
    pools = [{"name": "system", "vm_size_candidates": ["Standard_Nope"]}]
    failed = group.run(aks_cluster, {**CLUSTER, "kubernetes_version": "1.12", "node_pools": pools})
    assert "1.12 is not offered" in failed["msg"]
    assert "Standard_Nope" in failed["msg"]


def test_quota_short_by_one(group: Azure) -> None:
    wanted = {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 3}
    with group.faults.during("quota", name="standardDSv5Family", limit=8):
        assert group.run(aks_sku_preflight, wanted)["selected"]["vcpus"] == 2
    with group.faults.during("quota", name="standardDSv5Family", limit=7):
        failed = group.run(aks_sku_preflight, wanted)
    assert "1 short" in failed["msg"]
    assert "quota" in failed["msg"].splitlines()[-1]
    assert failed["candidates"][0]["codes"] == ["FamilyQuota"]


def test_forbidden_says_what_is_missing(group: Azure) -> None:
    with group.faults.during("forbidden", action="Microsoft.ContainerService/managedClusters/write"):
        failed = group.run(aks_cluster, CLUSTER)
    assert failed["error"]["code"] == "AuthorizationFailed"
    assert "role" in failed["error"]["hint"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        pytest.param({"secret": "wrong-0815"}, ["AADSTS7000215", "AZURE_SECRET"], id="secret"),
        pytest.param({"client_id": "nobody"}, ["AADSTS700016", "AZURE_CLIENT_ID"], id="client"),
        pytest.param({"tenant": "00000000-0000-0000-0000-000000000000"}, ["AZURE_TENANT"], id="tenant"),
        pytest.param(
            {"subscription_id": "nowhere"}, ["SubscriptionNotFound", "AZURE_SUBSCRIPTION_ID"], id="subscription"
        ),
        pytest.param({"cloud_environment": "https://127.0.0.1:1"}, ["REQUESTS_CA_BUNDLE"], id="nothing listens"),
    ],
)
def test_wrong_credentials(azure: Azure, changes: dict[str, Any], parts: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(client, "BACKOFF", Backoff(0.0, 0.0))
    failed = azure.run(aks_cluster_info, {**NAMED, **changes})
    assert failed["failed"]
    for part in parts:
        assert part in failed["msg"]
    assert "wrong-0815" not in json.dumps(failed)


def test_one_token_for_a_run(cluster: Azure) -> None:
    for _task in range(3):
        cluster.run(aks_cluster, CLUSTER)
    tokens = [entry for entry in cluster.log.requests() if entry["path"].endswith("/oauth2/v2.0/token")]
    assert len(tokens) == 1


def test_the_socket_refuses_a_write_in_check_mode(group: Azure) -> None:
    arm = Arm.connect(group.task(aks_cluster, CLUSTER, check=True))
    requests = Requests(group)
    with pytest.raises(CheckModeViolation):
        arm.write("DELETE", f"/subscriptions/{arm.subscription_id}/resourceGroups/rg", "Deleting", "2025-04-01")
    assert requests.all() == []


# --- kubeconfigs


def test_kubeconfig_from_nothing_to_nothing(cluster: Azure, tmp_path: Path) -> None:
    path = tmp_path / "kube" / "c1"
    declared = {**NAMED, "path": str(path)}
    assert cluster.run(aks_kubeconfig, declared, check=True)["changed"]
    assert not path.exists()
    task = cluster.task(aks_kubeconfig, declared)
    written = aks_kubeconfig.OPERATION(task).to_dict(True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert written["context"] == "c1"
    assert "a2V5LWE=" not in json.dumps(written)
    assert "a2V5LWE=" in task.secrets
    requests = Requests(cluster)
    assert not cluster.run(aks_kubeconfig, declared)["changed"]
    assert len(requests.all()) == 1

    path.chmod(0o644)
    path.write_text(path.read_text().replace("10.213.1.2", "10.213.9.9"))
    shown = cluster.run(aks_kubeconfig, declared, check=True)
    assert "10.213.9.9" in shown["diff"][0]["before"]
    assert "mode" in shown["diff"][0]["before"]
    assert cluster.run(aks_kubeconfig, declared)["diff"] == shown["diff"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]

    absent = {**declared, "state": "absent"}
    assert cluster.run(aks_kubeconfig, absent, check=True)["changed"]
    assert path.exists()
    requests = Requests(cluster)
    assert cluster.run(aks_kubeconfig, absent)["changed"]
    assert not path.exists()
    assert not cluster.run(aks_kubeconfig, absent)["changed"]
    assert requests.all() == []


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    "content", ["contexts: [{name: mine}]\n", "no: kubeconfig: at all\n"], ids=["other contexts", "no kubeconfig"]
)
def test_somebody_elses_file_is_not_touched(cluster: Azure, tmp_path: Path, state: str, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    failed = cluster.run(aks_kubeconfig, {**NAMED, "path": str(path), "state": state})
    assert failed["error"]["kind"] == "refused"
    assert path.read_text() == content


def test_admin_and_user_are_two_credentials(cluster: Azure, tmp_path: Path) -> None:
    found = cluster.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "admin"), "credential": "admin"})
    assert found["context"] == "c1-admin"


def test_kubeconfig_of_no_cluster(group: Azure, tmp_path: Path) -> None:
    failed = group.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "c1")})
    assert "aks_cluster" in failed["msg"]
    assert not (tmp_path / "c1").exists()


def test_path_that_cannot_be_written(azure: Azure, tmp_path: Path) -> None:
    assert "directory" in azure.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path)})["msg"]
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "not a directory" in azure.run(aks_kubeconfig, {**NAMED, "path": str(blocked / "c1")})["msg"]
    assert azure.requests() == []


def test_a_file_system_that_takes_no_file_is_told_as_that() -> None:
    with pytest.raises(ServiceError) as failed:
        write_kubeconfig(Path("/proc/nowhere/kubeconfig"), "text")
    assert "Writing kubeconfig /proc/nowhere/kubeconfig" in str(failed.value)
    assert "No such file or directory" in str(failed.value)


def test_path_that_another_user_may_not_write(tmp_path: Path) -> None:
    """To root everything is writable: root asks as somebody else, anybody else about a place of root's."""
    place, user = (tmp_path, 65534) if os.geteuid() == 0 else (Path("/"), os.geteuid())
    mine = os.getresuid()
    if os.geteuid() == 0:
        os.setresuid(user, user, 0)
    try:
        problems = path_problems(place / "kube" / "c1", "present")
    finally:
        os.setresuid(*mine)
    assert f"user {user} may not write" in problems[0].message


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({}, "carries no ownership tags"),
        ({"mcpops-host": "h2", "mcpops-environment": "dev"}, "carries the tags of inventory host h2 (dev)"),
        ({"mcpops-host": "h1", "mcpops-environment": "dev"}, ""),
    ],
    ids=["lost", "foreign", "ours"],
)
def test_odd_ownership_tags_are_warned_of(azure: Azure, tags: dict[str, str], words: str) -> None:
    plain = {key: value for key, value in GROUP.items() if key != "owner"}
    azure.run(azure_resource, {**plain, "tags": tags})
    azure.run(aks_cluster, {**{key: value for key, value in CLUSTER.items() if key != "owner"}, "tags": tags})
    for module, args in ((azure_resource, GROUP), (aks_cluster, CLUSTER)):
        task = azure.task(module, args, check=True)
        module.OPERATION(task)
        assert [words in warning for warning in task.warnings] == ([True] if words else []), task.warnings


@pytest.mark.parametrize(("version", "warned"), [("2022-04-02-preview", True), ("2025-10-01", False)])
def test_a_preview_of_aks_that_has_ended_is_warned_of(azure: Azure, version: str, warned: bool) -> None:
    kind = "Microsoft.ContainerService/managedClusters"
    declared = {"type": kind, "name": "none", "resource_group": "rg", "state": "absent", "api_version": version}
    task = azure.task(azure_resource, declared, check=True)
    azure_resource.OPERATION(task)
    assert [version in one for one in task.warnings] == [True] * warned, task.warnings


def test_a_cluster_that_is_stopped_is_warned_of(cluster: Azure) -> None:
    task = cluster.task(aks_cluster, CLUSTER, check=True)
    arm = Arm.connect(cluster.task(aks_cluster, CLUSTER))
    place = names.cluster_id(cluster.config.subscription_id, "rg", "c1")
    arm.write("POST", f"{place}/stop", "Stopping it", names.api_version_of(names.MANAGED_CLUSTERS))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        task.warnings.clear()
        shown = aks_cluster.OPERATION(task).to_dict(False)
        if (shown["cluster"]["power_state"], shown["cluster"]["provisioning_state"]) == ("Stopped", "Succeeded"):
            break
    assert task.warnings == [
        "AKS cluster c1 is stopped, so nothing in it answers. Start it: az aks start --name c1 --resource-group rg"
    ]
