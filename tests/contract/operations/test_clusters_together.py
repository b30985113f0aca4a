# SPDX-License-Identifier: GPL-3.0-or-later
"""What several hosts want of one subscription, looked at together before anything is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils.arm import azure_preflight as operation
from ansible_collections.mcpops.platform.plugins.module_utils.arm import declared_rights, names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.modules import (
    aks_cluster,
    azure_preflight,
    azure_provider,
    azure_resource,
)

SIZES = ["Standard_D8s_v5"]


@pytest.fixture
def group(azure: Azure) -> Azure:
    made = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2"}
    assert azure.run(azure_resource, made)["changed"]
    return azure


def pool(**changes: Any) -> dict[str, Any]:
    return {"name": "system", "mode": "System", "count": 3, "vm_size_candidates": SIZES, **changes}


def entry(host: str, *pools: dict[str, Any], **changes: Any) -> dict[str, Any]:
    declared = {"name": host, "resource_group": "rg", "location": "eastus2", "node_pools": list(pools) or [pool()]}
    further = {
        key: changes.pop(key)
        for key in ("features", "charts", "permissions", "providers", "endpoints")
        if key in changes
    }
    return {"host": host, "cluster": {**declared, **changes}, **further}


def preflight(azure: Azure, *entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return azure.run(azure_preflight, {"clusters": list(entries), **changes})


def codes(result: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    return [(row["host"], row["code"], row["fails"]) for row in result["findings"]]


def requests(azure: Azure) -> list[str]:
    return [row["path"].rpartition("/")[2] for row in azure.log.requests()]


def test_the_pools_of_all_hosts_share_the_quota(group: Azure) -> None:
    """Each would fit alone: 24 and 8 for a surge of the 40 that are left."""
    group.faults.add("quota", name="cores", limit=40)
    assert preflight(group, entry("a"))["node_pools"][0]["vm_size"] == SIZES[0]
    assert preflight(group, entry("b"))["node_pools"][0]["vm_size"] == SIZES[0]
    failed = preflight(group, entry("b"), entry("a"))
    assert codes(failed) == [("b", "RegionalQuota", True)]
    assert "beside 24 of other new pools" in failed["msg"] and "All 2 new node pools" in failed["msg"]
    assert [row["vm_size"] for row in failed["node_pools"]] == [SIZES[0], None]


def test_a_cluster_takes_what_was_found_for_it_beside_the_others(group: Azure) -> None:
    """Cores of a family for one of two: each alone, and before the other is there, takes the same ones."""
    sizes = ["Standard_D8s_v5", "Standard_D8s_v4"]
    group.faults.add("quota", name="standardDSv5Family", limit=40)
    entries = [entry(host, pool(vm_size_candidates=sizes)) for host in ("a", "b")]
    found = {row["host"]: row for row in preflight(group, *entries)["node_pools"]}
    assert [found[host]["vm_size"] for host in ("a", "b")] == sizes

    def size_of(host: str, one: dict[str, Any], **selection: Any) -> str:
        planned = group.run(aks_cluster, {**one["cluster"], "vm_size_selection": selection}, check=True)
        return str(json.dumps(planned["diff"])).partition('"vmSize": "')[2].partition('"')[0] or str(planned)

    for host, one in zip(("a", "b"), entries):
        chosen = {found[host]["node_pool"]: found[host]["vm_size"]}
        assert found[host]["vm_size"] in size_of(host, one, chosen=chosen)
        assert sizes[0] in size_of(host, one)
    # what is no candidate is not taken, and one that cannot be had is not waited for
    assert sizes[0] in size_of("b", entries[1], chosen={"system": "Standard_D2s_v5"})
    group.faults.add("restrict-sku", size=sizes[1])
    assert sizes[0] in size_of("b", entries[1], chosen={"system": sizes[1]})


def test_each_location_has_its_own(group: Azure) -> None:
    group.faults.add("quota", name="cores", limit=40)
    made = preflight(group, entry("a"), entry("b", location="westeurope"))
    assert [row["vm_size"] for row in made["node_pools"]] == [SIZES[0], SIZES[0]]


def test_the_first_host_says_what_all_lack_and_azure_is_asked_once(group: Azure) -> None:
    group.faults.add("quota", name="cores", limit=40)
    entries = {host: entry(host, pool(), features=[f"A.B/{host}"]) for host in ("a", "b", "c")}
    before = len(group.log.requests())
    for one in entries.values():
        assert not preflight(group, one, share="keep").get("failed")
    assert len(group.log.requests()) == before
    answers = {host: preflight(group, one, share="look") for host, one in entries.items()}
    assert all(answer["failed"] for answer in answers.values())
    for words in (
        "A.B/a",
        "A.B/b",
        "A.B/c",
        "b: AKS cluster b, node pool system",
        "c: AKS cluster c, node pool system",
    ):
        assert words in answers["a"]["msg"]
    for host in ("b", "c"):
        assert f"A.B/{host}" in answers[host]["msg"] and "A.B/a" not in answers[host]["msg"]
        assert answers[host]["notes"] == ["What all hosts of this run lack is told for host a."]
        assert {row["host"] for row in answers[host]["findings"]} == {host}
    asked = [row["path"] for row in group.log.requests()[before:]]
    assert len([path for path in asked if path.endswith("/usages")]) == 1
    assert len([path for path in asked if "/features/" in path]) == 3


def test_a_cluster_that_stays_as_it_is_costs_one_request(group: Azure) -> None:
    assert group.run(aks_cluster, entry("a", pool(vm_size_candidates=["Standard_D2s_v5"]))["cluster"])["changed"]
    before = len(group.log.requests())
    stands = preflight(group, entry("a", pool(vm_size_candidates=["Standard_D2s_v5"]), kubernetes_version=""))
    assert not stands.get("failed") and stands["findings"] == [] and stands["node_pools"] == []
    asked = [row["path"] for row in group.log.requests()[before:] if "/oauth2/" not in row["path"]]
    assert [path.rpartition("/")[2] for path in asked if path.startswith("/subscriptions")] == ["a"]


def test_what_cannot_change_in_place_and_cannot_be_had_is_told_together(group: Azure) -> None:
    assert group.run(aks_cluster, entry("a", pool(vm_size_candidates=["Standard_D2s_v5"]))["cluster"])["changed"]
    wanted = entry("a", pool(vm_size_candidates=None, vm_size="Standard_D4s_v5"), kubernetes_version="1.29")
    more = entry("b", kubernetes_version="1.33")
    failed = preflight(group, wanted, more)
    assert ("a", "Refused", True) in codes(failed) and ("b", "K8sVersionNotSupported", True) in codes(failed)
    assert "for long-term support only" in failed["msg"] and "vmSize" in failed["msg"]


def test_a_feature_is_registered_by_the_command_that_is_named(group: Azure) -> None:
    wanted = entry("a", pool(count=1, properties={"enableEncryptionAtHost": True}))
    failed = preflight(group, wanted)
    assert codes(failed) == [("a", "FeatureNotRegistered", True)]
    assert "az feature register --namespace Microsoft.Compute --name EncryptionAtHost" in failed["msg"]
    register(group, "Microsoft.Compute", "EncryptionAtHost")
    assert codes(preflight(group, wanted)) == []


def test_a_preview_that_may_be_open_to_all_is_a_warning(group: Azure) -> None:
    made = preflight(group, entry("a", pool(count=1, properties={"securityProfile": {"sshAccess": "Disabled"}})))
    assert codes(made) == [("a", "FeatureNotRegistered", False)] and not made.get("failed")


def register(azure: Azure, namespace: str, name: str) -> None:
    arm = Arm.connect(azure.task(azure_preflight, {"providers": ["A.B"]}))
    place = f"/subscriptions/{azure.config.subscription_id}/providers/Microsoft.Features/providers/{namespace}"
    url = arm.url(f"{place}/features/{name}/register", names.api_version_of("Microsoft.Features/features"))
    assert arm.call("POST", url, "Registering").status == 200


def test_what_is_retired_of_what_stands_is_told_on_request(group: Azure) -> None:
    declared = entry("a", pool(count=1, vm_size_candidates=["Standard_D2s_v5"]), network={"plugin": "kubenet"})
    assert group.run(aks_cluster, declared["cluster"])["changed"]
    assert codes(preflight(group, declared, retirement_days=5000)) == []
    told = preflight(group, declared, retirement_days=5000, examine="all")
    assert ("a", "Retiring", False) in codes(told) and not told.get("failed")
    assert "2028-03-31" in json.dumps(told["findings"])


def test_what_can_no_longer_be_made_fails_and_a_chart_is_a_warning(group: Azure) -> None:
    flat = entry(
        "a",
        pool(count=1, properties={"type": "AvailabilitySet"}),
        charts=["oci://example.org/charts/ingress-nginx"],
    )
    failed = preflight(group, flat)
    assert codes(failed) == [("a", "Retired", True), ("a", "Retired", False)]
    assert "2025-09-30" in failed["msg"] and "ingress-nginx" not in failed["msg"]


def test_the_declaration_of_a_host_is_judged_as_the_cluster_would_be(group: Azure) -> None:
    failed = preflight(group, entry("a", pool(count=0), kubernetes_version="new"))
    assert failed["failed"] and failed["error"]["kind"] == "invalid_input"
    for words in ("clusters[a].cluster.node_pools[system].count", "clusters[a].cluster.kubernetes_version"):
        assert words in failed["msg"]
    assert preflight(group, entry("a", pool(count=0)), share="keep")["failed"]
    assert not preflight(group, entry("b", pool(count=1)), share="look").get("failed")


def test_another_subscription_has_another_quota(group: Azure) -> None:
    group.faults.add("quota", name="cores", limit=40)
    preflight(group, entry("a"), share="keep", subscription_id="00000000-0000-0000-0000-000000000001")
    assert preflight(group, entry("b"), share="look")["node_pools"][0]["vm_size"] == SIZES[0]


def test_a_new_subscription_is_no_failure(group: Azure) -> None:
    group.faults.add("unregistered", namespace="Microsoft.Compute")
    made = preflight(group, entry("a"))
    assert not made.get("failed") and "once the resource provider" in str(made["notes"])


def test_whatever_is_lacking_of_everything_is_one_message(group: Azure) -> None:
    group.faults.add("quota", name="cores", limit=10)
    group.faults.add("restrict-sku", size="Standard_D4s_v5")
    wanted = [
        entry("a", pool(), pool(name="more", mode="User", vm_size_candidates=["Standard_D4s_v5"])),
        entry("b", kubernetes_version="1.20", features=["A.B/c"], location="westeurope"),
    ]
    failed = preflight(group, *wanted)
    found = {code for _host, code, _fails in codes(failed)}
    assert {"RegionalQuota", "Restricted", "K8sVersionNotSupported", "FeatureNotRegistered"} <= found
    assert failed["msg"].count("\n") >= 4 and "of the other sizes these would fit" in failed["msg"].lower()


def test_a_registry_that_the_site_makes_is_asked_once_it_is_there(group: Azure) -> None:
    made = {"type": names.REGISTRIES, "name": "acrsite", "resource_group": "rg", "location": "eastus2"}
    rows = list(declared_rights.of_resource(made))
    images = ["acrsite.invalid/echo:1", "acrothers.invalid/echo:1"]
    wanted = [entry("a", pool(count=1), endpoints=images), {**entry("p"), "has_cluster": False, "permissions": rows}]

    def unreachable() -> list[str]:
        told = preflight(group, *wanted, examine="all")
        assert not told.get("failed"), told["msg"]
        return [row["subject"] for row in told["findings"] if row["code"] == "Unreachable"]

    assert unreachable() == ["https://acrothers.invalid/v2/"]
    assert not group.run(azure_provider, {"namespaces": ["Microsoft.ContainerRegistry"]}).get("failed")
    done = group.run(azure_resource, {**made, "sku": {"name": "Basic"}})
    assert done["changed"], done["msg"]
    assert unreachable() == ["https://acrsite.invalid/v2/", "https://acrothers.invalid/v2/"]


def test_the_login_is_asked_by_who_logs_in_there(group: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unreachable(urls: list[str], **_how: Any) -> dict[str, str]:
        asked.extend(urls)
        return {}

    monkeypatch.setattr(operation, "unreachable", unreachable)
    kinds = {"secret": True, "certificate": True, "workload_identity": True, "msi": False, "cli": False}
    for kind, is_asked in kinds.items():
        asked.clear()
        task = group.task(azure_preflight, {"clusters": [entry("a")], "examine": "all"})
        arm = Arm.connect(task)
        monkeypatch.setattr(
            operation, "resolve_identity", lambda _params, kind=kind: SimpleNamespace(kind=kind, verify=True)
        )
        assert list(operation._reached(task, arm, {"a": entry("a")}, set())) == []
        # both are one host of the local Azure
        assert asked == [arm.cloud.resource_manager, *([arm.cloud.authority] if is_asked else [])]


def test_services_that_do_not_answer_are_a_warning_of_those_who_ask_for_everything(group: Azure) -> None:
    nobody = "http://127.0.0.1:1"
    wanted = [entry(host, pool(count=1), endpoints=[nobody, group.config.endpoint]) for host in ("a", "b")]
    assert codes(preflight(group, *wanted)) == []
    told = preflight(group, *wanted, examine="all")
    assert codes(told) == [("a", "Unreachable", False), ("b", "Unreachable", False)] and not told.get("failed")
    assert "it refuses connections" in json.dumps(told["findings"])
