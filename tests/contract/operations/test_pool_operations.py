# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters and pools that others change while we wait, pools with states of their own, values that go nowhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.local_azure import Azure, FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names, reconcile
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, azure_resource

OWNER = {"host": "h1", "environment": "dev"}
GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2", "owner": OWNER}
SYSTEM = {"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}
WORK = {"name": "work", "mode": "User", "count": 1, "vm_size": "Standard_D2s_v5"}
CLUSTER = {
    "name": "c1",
    "resource_group": "rg",
    "location": "eastus2",
    "owner": OWNER,
    "node_pools": [SYSTEM, WORK],
}
UNPOOLED = {key: value for key, value in CLUSTER.items() if key != "node_pools"}
VERSION = names.api_version_of(names.MANAGED_CLUSTERS)


@pytest.fixture
def cluster(azure: Azure) -> Azure:
    assert azure.run(azure_resource, GROUP)["changed"]
    assert azure.run(aks_cluster, CLUSTER)["changed"]
    return azure


class Somebody:
    """Another client of the same cluster."""

    def __init__(self, azure: Azure) -> None:
        self.arm = Arm.connect(azure.task(aks_cluster, CLUSTER))
        self.id = names.cluster_id(azure.config.subscription_id, "rg", "c1")

    def read(self) -> dict[str, Any]:
        return self.arm.read(self.id, "Reading", VERSION).body or {}

    def pool(self, name: str = "work") -> dict[str, Any]:
        found: dict[str, Any] = next(
            pool for pool in self.read()["properties"]["agentPoolProfiles"] if pool["name"] == name
        )
        return found

    def change_pool(self, name: str = "work", wait: bool = True, **changes: Any) -> None:
        properties = {key: value for key, value in {**self.pool(name), **changes}.items() if key != "name"}
        place = f"{self.id}/agentPools/{name}"
        response = self.arm.call("PUT", self.arm.url(place, VERSION), "Scaling", {"properties": properties})
        assert response.status == 200, response.json()
        if wait:
            reconcile.await_operation(self.arm, response, "pool", "Scaling")

    def post(self, what: str) -> None:
        response = self.arm.call("POST", self.arm.url(f"{self.id}/{what}", VERSION), what)
        reconcile.await_operation(self.arm, response, "pool", what)


def run_while(azure: Azure, args: dict[str, Any], happens: Callable[[], None]) -> dict[str, Any]:
    """A run that is told to wait, and what happens the first time it does."""
    task = azure.task(aks_cluster, args)
    once = [happens]

    def progress(_message: str) -> None:
        if once:
            once.pop()()

    task.progress = progress  # type: ignore[method-assign]
    result: dict[str, Any] = aks_cluster.OPERATION(task).to_dict(True)
    return result


WAITS: dict[str, tuple[str, dict[str, Any]]] = {
    "busy": ("busy", {"count": 1, "method": "PUT"}),
    "throttled": ("throttle", {"count": 1, "seconds": 0, "method": "PUT"}),
    "unavailable": ("unavailable", {"count": 1, "method": "PUT"}),
    "lost race": ("etag-race", {"count": 1, "status": 412, "method": "PUT"}),
}
DECLARED: dict[str, dict[str, Any]] = {
    "a tag alone": {**UNPOOLED, "tags": {"a": "b"}},
    "a tag beside pools without counts": {
        **CLUSTER,
        "tags": {"a": "b"},
        "node_pools": [{"name": "system"}, {"name": "work"}],
    },
    "a label of the same pool": {**UNPOOLED, "node_pools": [{"name": "work", "labels": {"a": "b"}}]},
    "a label of another pool": {**UNPOOLED, "node_pools": [{"name": "system", "labels": {"a": "b"}}]},
}


@pytest.mark.parametrize(("kind", "options"), WAITS.values(), ids=WAITS.keys())
@pytest.mark.parametrize("what", ["a tag beside pools without counts", "a label of the same pool"])
def test_what_others_did_to_a_pool_during_a_wait_stays(
    cluster: Azure, what: str, kind: str, options: dict[str, Any]
) -> None:
    somebody, declared = Somebody(cluster), DECLARED[what]
    cluster.faults.add(kind, **options)

    def scaled() -> None:
        somebody.change_pool(count=3, nodeTaints=["team=x:NoSchedule"])

    assert run_while(cluster, declared, scaled)["changed"]
    assert (somebody.pool()["count"], somebody.pool()["nodeTaints"]) == (3, ["team=x:NoSchedule"])
    assert not cluster.run(aks_cluster, declared)["changed"]


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED.keys())
def test_what_others_did_to_a_pool_just_before_our_request_stays(
    cluster: Azure, declared: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is waited for: between our look and our request there is always a moment."""
    somebody = Somebody(cluster)
    real, once = Arm.write, [True]

    def write(self: Arm, *args: Any, **rest: Any) -> Any:
        if once:
            once.pop()
            somebody.change_pool(count=3)
        return real(self, *args, **rest)

    monkeypatch.setattr(Arm, "write", write)
    assert cluster.run(aks_cluster, declared)["changed"]
    assert somebody.pool()["count"] == 3


def test_what_others_did_to_the_cluster_during_a_wait_stays(cluster: Azure) -> None:
    somebody = Somebody(cluster)
    cluster.faults.add("busy", count=1, method="PUT")

    def tagged() -> None:
        body = {**somebody.read(), "tags": {"by": "somebody"}}
        response = somebody.arm.write("PUT", somebody.id, "Tagging", VERSION, body)
        reconcile.await_operation(somebody.arm, response, "cluster", "Tagging")

    run_while(cluster, {**UNPOOLED, "tags": {"a": "b"}}, tagged)
    assert somebody.read()["tags"] == {"a": "b", "by": "somebody"}


def test_a_group_that_others_tag_during_a_wait_keeps_their_tags(azure: Azure) -> None:
    """No eTag guards a resource group."""
    azure.run(azure_resource, GROUP)
    task: FakeTask = azure.task(azure_resource, {**GROUP, "tags": {"a": "b"}})
    other = azure.task(azure_resource, {**GROUP, "tags": {"by": "somebody"}})
    once = [lambda: azure_resource.OPERATION(other)]
    task.progress = lambda _message: once.pop()() and None if once else None  # type: ignore[method-assign]
    azure.faults.add("throttle", count=1, seconds=0, method="PUT")
    azure_resource.OPERATION(task)
    tags = azure.run(azure_resource, GROUP)["resource"]["tags"]
    assert (tags["a"], tags["by"]) == ("b", "somebody")


def test_several_pools_are_changed_one_after_the_other(cluster: Azure) -> None:
    pools = [{**SYSTEM, "count": 2}, {**WORK, "labels": {"tier": 1}}, {**WORK, "name": "fresh"}]
    declared = {**CLUSTER, "tags": {"a": "b"}, "node_pools": pools}
    checked = cluster.run(aks_cluster, declared, check=True)
    before = len(cluster.requests())
    made = cluster.run(aks_cluster, declared)
    assert made["diff"] == checked["diff"]
    written = [path.rpartition("/")[2] for method, path in cluster.requests()[before:] if method == "PUT"]
    assert written == ["c1", "fresh", "system", "work"]
    assert {pool["name"]: pool["count"] for pool in made["cluster"]["node_pools"]} == {
        "system": 2,
        "work": 1,
        "fresh": 1,
    }
    before = len(cluster.requests())
    assert not cluster.run(aks_cluster, declared)["changed"]
    assert len(cluster.requests()) == before + 1
    fewer = {**declared, "node_pools": pools[:2], "purge_node_pools": True}
    purged = cluster.run(aks_cluster, fewer)
    assert [pool["name"] for pool in purged["cluster"]["node_pools"]] == ["system", "work"]


def test_without_waiting_the_last_request_is_not_waited_for(cluster: Azure) -> None:
    declared = {**CLUSTER, "wait": False, "tags": {"a": "b"}, "node_pools": [{**SYSTEM, "count": 2}, WORK]}
    assert cluster.run(aks_cluster, declared)["changed"]
    assert not cluster.run(aks_cluster, {**declared, "wait": True})["changed"]


def test_a_failed_pool_is_drift_and_repaired(cluster: Azure) -> None:
    somebody = Somebody(cluster)
    cluster.faults.add("operation-failed", operation="upgrade node image", code="NodesNotReady")
    with pytest.raises(Exception, match="NodesNotReady"):
        somebody.post("agentPools/work/upgradeNodeImageVersion")
    assert somebody.read()["properties"]["provisioningState"] == "Succeeded"
    assert any("nothing repairs it" in note for note in cluster.run(aks_cluster, UNPOOLED)["notes"])
    shown = cluster.run(aks_cluster, CLUSTER, check=True)
    assert shown["diff"][0]["before"] == 'properties.agentPoolProfiles[work].provisioningState: "Failed"\n'
    assert cluster.run(aks_cluster, CLUSTER)["diff"] == shown["diff"]
    assert somebody.pool()["provisioningState"] == "Succeeded"
    assert not cluster.run(aks_cluster, CLUSTER)["changed"]


def test_a_pool_that_fails_on_us_is_told_with_the_operations_words(cluster: Azure) -> None:
    cluster.faults.add("operation-failed", operation="put pool", code="QuotaExceeded", message="no cores left")
    failed = cluster.run(aks_cluster, {**CLUSTER, "node_pools": [SYSTEM, {**WORK, "count": 2}]})
    assert "Updating node pool work of AKS cluster c1: no cores left (QuotaExceeded)" in failed["msg"]


@pytest.mark.parametrize("declared", [CLUSTER, UNPOOLED], ids=["declared", "not declared"])
def test_a_pool_under_way_is_waited_for(cluster: Azure, declared: dict[str, Any]) -> None:
    somebody = Somebody(cluster)
    cluster.faults.add("operation-slow", operation="put pool", seconds=1)
    somebody.change_pool(nodeLabels={"a": "b"}, wait=False)
    checked = cluster.run(aks_cluster, declared, check=True)
    assert "node pool work Updating" in checked["notes"][0]
    done = cluster.run(aks_cluster, declared)
    assert not done["changed"]
    assert {pool["provisioning_state"] for pool in done["cluster"]["node_pools"]} == {"Succeeded"}


def test_a_change_waits_for_the_operation_of_another_pool(cluster: Azure) -> None:
    somebody = Somebody(cluster)
    cluster.faults.add("operation-slow", operation="put pool", seconds=1)
    somebody.change_pool(count=2, wait=False)
    tagged = cluster.run(aks_cluster, {**UNPOOLED, "tags": {"a": "b"}, "wait": False})
    assert tagged["changed"]
    assert somebody.pool()["count"] == 2


def test_a_node_image_that_the_service_moved_on_is_not_rolled_back(cluster: Azure) -> None:
    somebody = Somebody(cluster)
    old = somebody.pool()["nodeImageVersion"]
    cluster.faults.add("busy", count=1, method="PUT")
    label = {**UNPOOLED, "node_pools": [{"name": "work", "labels": {"a": "b"}}]}
    run_while(cluster, label, lambda: somebody.post("agentPools/work/upgradeNodeImageVersion"))
    new = somebody.pool()["nodeImageVersion"]
    assert new != old
    cluster.run(aks_cluster, {**UNPOOLED, "tags": {"a": "b"}, "node_pools": [{"name": "work", "labels": {"a": "c"}}]})
    assert somebody.pool()["nodeImageVersion"] == new
    # and whoever declares an old one gets it
    declared = {**UNPOOLED, "node_pools": [{"name": "work", "properties": {"nodeImageVersion": old}}]}
    assert cluster.run(aks_cluster, declared)["changed"]
    assert somebody.pool()["nodeImageVersion"] == old
    assert not cluster.run(aks_cluster, declared)["changed"]


LABELS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "numbers and booleans": ({"tier": 1, "gpu": True, "spot": False}, {"tier": "1", "gpu": "true", "spot": "false"}),
    "a fraction, and nothing": ({"ratio": 0.5, "empty": ""}, {"ratio": "0.5", "empty": ""}),
}


@pytest.mark.parametrize(("labels", "texts"), LABELS.values(), ids=LABELS.keys())
@pytest.mark.parametrize("how", ["option", "raw property"])
def test_labels_are_text(cluster: Azure, labels: dict[str, Any], texts: dict[str, str], how: str) -> None:
    given = {"labels": labels} if how == "option" else {"properties": {"nodeLabels": labels}}
    declared = {**CLUSTER, "tags": {"cost": 7}, "node_pools": [SYSTEM, {**WORK, **given}]}
    assert cluster.run(aks_cluster, declared)["changed"]
    assert Somebody(cluster).pool()["nodeLabels"] == texts
    assert not cluster.run(aks_cluster, declared)["changed"]


UNSUITABLE = {
    "a list": ({"labels": {"a": ["b"]}}, "node_pools[work].labels.a"),
    "too long": ({"labels": {"a": "x" * 64}}, "node_pools[work].labels.a"),
    "a name of a label": ({"labels": {"a b": "x"}}, "node_pools[work].labels.a b"),
    "infinity": ({"labels": {"a": float("inf")}}, "node_pools[work].labels.a"),
    "raw": ({"properties": {"nodeLabels": {"a": {"b": 1}}}}, "node_pools[work].properties.nodeLabels.a"),
    "misspelt": ({"properties": {"nodeLables": {}}}, "node_pools[work].properties.nodeLables"),
}


@pytest.mark.parametrize(("given", "path"), UNSUITABLE.values(), ids=UNSUITABLE.keys())
def test_unsuitable_values_are_told_before_anything_is_asked(azure: Azure, given: dict[str, Any], path: str) -> None:
    failed = azure.run(aks_cluster, {**CLUSTER, "node_pools": [SYSTEM, {**WORK, **given}]})
    assert path in [problem["path"] for problem in failed["error"]["problems"]]
    assert azure.requests() == []


def test_a_misspelt_raw_property_is_told_with_what_was_meant(cluster: Azure) -> None:
    before = len(cluster.requests())
    failed = cluster.run(aks_cluster, {**CLUSTER, "properties": {"autoUpgradProfile": {"upgradeChannel": "patch"}}})
    assert "properties.autoUpgradProfile: AKS (api" in failed["msg"]
    assert "did you mean autoUpgradeProfile?" in failed["msg"]
    assert len(cluster.requests()) == before


CANARY = "c4nary-Passw0rd"
SECRETS: dict[str, dict[str, Any]] = {
    "the password of Windows nodes": {"windowsProfile": {"adminUsername": "azureuser", "adminPassword": CANARY}},
    "the secret of a service principal": {"servicePrincipalProfile": {"clientId": "msi", "secret": CANARY}},
    "the secret of a server application": {"aadProfile": {"managed": True, "serverAppSecret": CANARY}},
}


@pytest.mark.parametrize("properties", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_that_is_never_answered_is_sent_once_and_never_shown(
    azure: Azure, properties: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.run(azure_resource, GROUP)
    sent: list[Any] = []
    real = Arm.write

    def write(
        self: Arm, method: str, resource_id: str, action: str, version: str, body: Any = None, **rest: Any
    ) -> Any:
        sent.append(body)
        return real(self, method, resource_id, action, version, body, **rest)

    monkeypatch.setattr(Arm, "write", write)
    declared = {**CLUSTER, "properties": properties}
    results = [azure.run(aks_cluster, declared, check=True), azure.run(aks_cluster, declared)]
    assert CANARY in json.dumps(sent)
    unchanged = azure.run(aks_cluster, declared)
    assert not unchanged["changed"]
    assert "never answered by Azure" in " ".join(unchanged["notes"])
    # with another change it goes along
    sent.clear()
    results.append(azure.run(aks_cluster, {**declared, "tags": {"a": "b"}}))
    assert CANARY in json.dumps(sent)
    assert not any(CANARY in json.dumps(result) for result in [*results, unchanged])
    task = azure.task(aks_cluster, {**declared, "name": "-not-a-name-"})
    with pytest.raises(InvalidInput):
        aks_cluster.OPERATION(task)
    assert CANARY in task.secrets


def test_two_runs_at_once_lose_nothing(cluster: Azure) -> None:
    """Each waits for the other's operations, and plans again."""
    results: dict[str, dict[str, Any]] = {}

    def run(name: str, args: dict[str, Any]) -> None:
        results[name] = cluster.run(aks_cluster, args)

    one = {**UNPOOLED, "tags": {"one": "1"}, "node_pools": [{"name": "work", "labels": {"one": "1"}}]}
    two = {**UNPOOLED, "tags": {"two": "2"}, "node_pools": [{"name": "work", "count": 2}]}
    threads = [threading.Thread(target=run, args=item) for item in (("one", one), ("two", two))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.get("msg") for result in results.values() if result.get("failed")] == []
    somebody = Somebody(cluster)
    assert {"one", "two"} <= set(somebody.read()["tags"])
    assert (somebody.pool()["count"], somebody.pool()["nodeLabels"]) == (2, {"one": "1"})
