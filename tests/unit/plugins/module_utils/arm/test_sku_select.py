# SPDX-License-Identifier: GPL-3.0-or-later
"""Which size a pool gets, and what is said about those it cannot have."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku import (
    Quota,
    Requirements,
    Sku,
    find_skus,
    list_entries,
    quota_key,
    quotas_of,
    select_size,
    with_promise,
)

PAGE = Path(__file__).with_name("bodies").joinpath("skus.json").read_bytes()
PLENTY = Quota(0, 10_000)
ROOMY = {"cores": PLENTY, "standarddsv5family": PLENTY, "standardbsfamily": PLENTY, "standarddpsv5family": PLENTY}


def skus(location: str = "eastus2") -> dict[str, Sku]:
    return find_skus(iter([PAGE]), location)


def wanted(**changes: Any) -> Requirements:
    return Requirements(location="eastus2", **{"node_count": 3, **changes})


REJECTED: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "no such size": ("Standard_Nope", {}, ["NotOffered"]),
    "a disk of that name": ("Premium_LRS", {}, ["NotOffered"]),
    "closed to the subscription": ("Standard_D8s_v5", {}, ["Restricted"]),
    "not in the zone": ("Standard_D4s_v5", {"zones": ("1", "3")}, ["ZoneUnavailable"]),
    "zone closed": ("Standard_D2s_v5", {"zones": ("2",)}, ["ZoneUnavailable"]),
    "other architecture": ("Standard_D2ps_v5", {"architecture": "amd64"}, ["Architecture"]),
    "burstable": ("Standard_B2ms", {}, ["Burstable"]),
    "too small for a system pool": ("Standard_B1s", {"system_pool": True, "allow_burstable": True}, ["SystemPool"]),
    "too small for any pool": ("Standard_B1s", {"allow_burstable": True}, ["TooSmall"]),
    "too little memory": ("Standard_D2s_v5", {"min_memory_gb": 16}, ["Memory"]),
    "no place for an ephemeral disk": ("Standard_D2s_v5", {"ephemeral_os_disk": True}, ["EphemeralDisk"]),
    "no room for the disk": (
        "Standard_D4s_v5",
        {"ephemeral_os_disk": True, "os_disk_gb": 4096},
        ["EphemeralDisk"],
    ),
    "no GPU": ("Standard_D2s_v5", {"gpu": True}, ["Gpu"]),
    "everything": ("Standard_B1s", {"gpu": True, "min_memory_gb": 2}, ["Burstable", "TooSmall", "Memory", "Gpu"]),
}


@pytest.mark.parametrize(("candidate", "changes", "codes"), REJECTED.values(), ids=REJECTED.keys())
def test_rejects(candidate: str, changes: dict[str, Any], codes: list[str]) -> None:
    selection = select_size([candidate], skus(), ROOMY, wanted(**changes))
    assert selection.chosen is None
    assert list(selection.verdicts[0].codes) == codes
    assert len(selection.verdicts[0].reasons) == len(codes)
    assert selection.advice()


def test_takes_the_first_that_fits_in_the_users_order() -> None:
    selection = select_size(["Standard_B2ms", "standard_d4S_v5", "Standard_D2s_v5"], skus(), ROOMY, wanted())
    assert selection.chosen is not None
    assert selection.chosen.name == "Standard_D4s_v5"
    assert [verdict.viable for verdict in selection.verdicts] == [False, True]


@pytest.mark.parametrize(
    ("used", "fits"), [pytest.param(92, True, id="exactly enough"), pytest.param(93, False, id="one vCPU short")]
)
@pytest.mark.parametrize("key", ["cores", "standarddsv5family"])
def test_quota_counts_nodes_and_surge(key: str, used: int, fits: bool) -> None:
    quotas = {**ROOMY, key: Quota(used, 100)}
    selection = select_size(["Standard_D2s_v5"], skus(), quotas, wanted(node_count=3, surge_nodes=1))
    assert (selection.chosen is not None) == fits
    if not fits:
        assert "1 short" in selection.verdicts[0].reasons[0]


def test_a_size_in_zones_of_its_own_is_found_regionally() -> None:
    assert select_size(["Standard_D2s_v5"], skus(), ROOMY, wanted()).chosen is not None
    assert select_size(["Standard_D2s_v5"], skus(), ROOMY, wanted(zones=("1", "3"))).chosen is not None


def test_arm64_by_what_compute_says() -> None:
    chosen = select_size(["Standard_D2s_v5", "Standard_D2ps_v5"], skus(), ROOMY, wanted(architecture="arm64")).chosen
    assert chosen is not None
    assert chosen.architecture == "arm64"


def test_another_location_offers_nothing() -> None:
    assert skus("westeurope") == {}
    assert "standard_d2s_v5" in skus("East US 2")


def test_families_and_usages_meet_although_one_has_blanks() -> None:
    assert quota_key("Standard NCASv3_T4 Family") == quota_key("standardNCASv3_T4Family")


@pytest.mark.parametrize("indent", [None, 2], ids=["compact", "indented"])
def test_items_are_read_one_by_one(indent: int | None) -> None:
    document = {"value": [{"a": "]"}, {"b": [1, {"c": "}"}]}], "nextLink": "x"}
    assert list(list_entries(json.dumps(document, indent=indent).encode())) == document["value"]
    assert list(list_entries(b'{"value": []}')) == []
    assert list(list_entries(b'{"error": {}}')) == []


def sku(**capabilities: str) -> Sku:
    return Sku("Standard_X", "standardXFamily", capabilities={"vCPUs": "4", "MemoryGB": "16", **capabilities})


ROOMS: dict[str, tuple[dict[str, str], float]] = {
    "cache": ({"CachedDiskBytes": str(200 * 2**30), "MaxResourceVolumeMB": "1024"}, 200),
    "temporary disk": ({"CachedDiskBytes": "0", "MaxResourceVolumeMB": str(75 * 1024)}, 75),
    "NVMe": ({"NvmeDiskSizeInMiB": str(440 * 1024), "SupportedEphemeralOSDiskPlacements": "NvmeDisk"}, 440),
    "not on the cache": (
        {
            "CachedDiskBytes": str(900 * 2**30),
            "MaxResourceVolumeMB": "2048",
            "SupportedEphemeralOSDiskPlacements": "ResourceDisk",
        },
        2,
    ),
    "nowhere": ({}, 0),
}


@pytest.mark.parametrize(("capabilities", "room"), ROOMS.values(), ids=ROOMS.keys())
def test_room_for_an_ephemeral_disk(capabilities: dict[str, str], room: float) -> None:
    size = sku(EphemeralOSDiskSupported="True", **capabilities)
    assert size.ephemeral_gib == room
    assert sku(EphemeralOSDiskSupported="False", **capabilities).ephemeral_gib == 0
    for asked, fits in ((int(room), room > 0), (int(room) + 1, False)):
        need = Requirements("x", 1, ephemeral_os_disk=True, os_disk_gb=asked)
        assert (select_size(["Standard_X"], {"standard_x": size}, {}, need).chosen is not None) == fits


def test_spot_nodes_have_a_quota_of_their_own() -> None:
    size = {"standard_x": sku(LowPriorityCapable="True")}
    unable = {"standard_x": sku(LowPriorityCapable="False")}
    assert select_size(["Standard_X"], unable, {}, Requirements("x", 1, spot=True)).verdicts[0].codes == ("NoSpot",)
    none = {"cores": Quota(10, 10), "standardxfamily": Quota(10, 10), "lowprioritycores": Quota(0, 16)}
    need = Requirements("x", 3, spot=True)
    assert select_size(["Standard_X"], size, none, need).chosen is not None
    assert select_size(["Standard_X"], size, none, replace(need, spot=False)).verdicts[0].codes == (
        "FamilyQuota",
        "RegionalQuota",
    )
    assert select_size(["Standard_X"], size, none, replace(need, node_count=4)).verdicts[0].codes == (
        "LowPriorityQuota",
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_pools_get_together_fits_the_quota(seed: int) -> None:
    """Whatever the pools are: their nodes and the largest surge of one of them are never more than is left."""
    chance = random.Random(seed)
    size = sku(LowPriorityCapable="True")
    limit = chance.randint(8, 120)
    quotas = {"cores": Quota(4, limit), "standardxfamily": Quota(0, limit), "lowprioritycores": Quota(0, limit)}
    nodes: dict[bool, int] = {False: 0, True: 0}
    surges: dict[bool, int] = {False: 0, True: 0}
    for _ in range(8):
        need = Requirements("x", chance.randint(1, 6), surge_nodes=chance.randint(0, 3), spot=chance.random() < 0.3)
        together = 4 * (nodes[need.spot] + need.node_count + max(surges[need.spot], need.surge_nodes))
        fits = together <= limit - (0 if need.spot else 4)
        chosen = select_size(["Standard_X"], {"standard_x": size}, quotas, need).chosen
        assert (chosen is not None) == fits
        if chosen is not None:
            quotas = with_promise(quotas, chosen, need)
            nodes[need.spot] += need.node_count
            surges[need.spot] = max(surges[need.spot], need.surge_nodes)


USAGES: dict[str, dict[str, Any]] = {
    "no name": {"currentValue": 1, "limit": 2},
    "no value in it": {"name": {"localizedValue": "Standard X Family vCPUs"}, "currentValue": 1, "limit": 2},
    "null": {"name": None, "currentValue": 1, "limit": 2},
    "no limit": {"name": {"value": "standardXFamily"}, "currentValue": 1},
}


@pytest.mark.parametrize("row", USAGES.values(), ids=USAGES.keys())
def test_a_usage_without_a_name_says_nothing(row: dict[str, Any]) -> None:
    whole = {"name": {"value": "cores"}, "currentValue": 3, "limit": 10}
    assert quotas_of([row, whole]) == {"cores": Quota(3, 10, "cores")}


def listed(*zones: str, closed: str = "", shut: tuple[str, ...] = ()) -> dict[str, Any]:
    restrictions = [{"type": "Location", "values": ["eastus2"], "reasonCode": closed}] if closed else []
    if shut:
        info = {"locations": ["eastus2"], "zones": list(shut)}
        restrictions.append({"type": "Zone", "restrictionInfo": info, "reasonCode": "QuotaId"})  # type: ignore[dict-item]
    return {
        "resourceType": "virtualMachines",
        "name": "Standard_X",
        "family": "standardXFamily",
        "locations": ["eastus2"],
        "locationInfo": [{"location": "eastus2", "zones": list(zones)}],
        "capabilities": [{"name": "vCPUs", "value": "4"}],
        "restrictions": restrictions,
    }


TOGETHER: dict[str, tuple[list[dict[str, Any]], str, set[str]]] = {
    "a row for each zone": ([listed("1"), listed("2"), listed("3")], "", {"1", "2", "3"}),
    "one zone closed": ([listed("1"), listed("2", shut=("2",))], "", {"1"}),
    "closed in one row, open in another": ([listed("1", shut=("1",)), listed("1", "2")], "", {"1", "2"}),
    "one row closed": ([listed("1", closed="QuotaId"), listed("2")], "", {"2"}),
    "all rows closed": ([listed("1", closed="QuotaId"), listed("2", closed="QuotaId")], "QuotaId", set()),
}


@pytest.mark.parametrize(("rows", "restricted", "usable"), TOGETHER.values(), ids=TOGETHER.keys())
@pytest.mark.parametrize("backwards", [False, True])
def test_rows_of_one_size_are_taken_together(
    rows: list[dict[str, Any]], restricted: str, usable: set[str], backwards: bool
) -> None:
    page = json.dumps({"value": rows[::-1] if backwards else rows}).encode()
    found = find_skus(iter([page]), "eastus2")["standard_x"]
    assert found.restricted == restricted
    if not restricted:
        assert found.zones - found.restricted_zones == usable
