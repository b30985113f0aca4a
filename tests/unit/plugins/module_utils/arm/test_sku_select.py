# SPDX-License-Identifier: GPL-3.0-or-later
"""Which size a pool gets, and what is said about those it cannot have."""

from __future__ import annotations

import json
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
    select_size,
)

PAGE = Path(__file__).with_name("bodies").joinpath("skus.json").read_bytes()
NAMES = {entry["name"].lower() for entry in json.loads(PAGE)["value"]}
PLENTY = Quota(0, 10_000)
ROOMY = {"cores": PLENTY, "standarddsv5family": PLENTY, "standardbsfamily": PLENTY, "standarddpsv5family": PLENTY}


def skus(location: str = "eastus2") -> dict[str, Sku]:
    return find_skus(iter([PAGE]), NAMES, location)


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
