# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster uses of what Azure retires, and what is said of it on a given day."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.names import API_VERSIONS
from ansible_collections.mcpops.platform.plugins.module_utils.arm.preview_features import needs
from ansible_collections.mcpops.platform.plugins.module_utils.arm.retirement_calendar import (
    CALENDAR,
    KUBERNETES,
    NODE_OS,
    POOL_TAG,
    Retirement,
    preview_version,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.retirements import Use, due, node_os, uses

TODAY = date(2026, 11, 29)


def body(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def values(found: list[Use], kind: str = "") -> list[str]:
    return [use.value for use in found if use.value and kind in ("", use.kind)]


@pytest.mark.parametrize(
    ("pool", "minor", "found"),
    [
        pytest.param({}, "1.34", "Ubuntu 22.04", id="the default of a version"),
        pytest.param({"osSKU": "Ubuntu"}, "1.35", "", id="the default of a newer version"),
        pytest.param({"osSKU": "Ubuntu"}, "", "", id="of no known version"),
        pytest.param({"osSKU": "ubuntu2204"}, "1.36", "Ubuntu 22.04", id="named"),
        pytest.param({"osSKU": "AzureLinux"}, "1.31", "Azure Linux 2.0", id="Azure Linux 2"),
        pytest.param({"osSKU": "AzureLinux"}, "1.32", "", id="Azure Linux 3"),
        pytest.param({"osSKU": "CBLMariner"}, "1.30", "Azure Linux 2.0", id="its old name"),
        pytest.param({"osSKU": "AzureLinux3"}, "1.30", "", id="Azure Linux 3 by name"),
        pytest.param({"osType": "Windows"}, "1.34", "", id="Windows of no known release"),
        pytest.param({"osType": "Windows", "osSKU": "Windows2019"}, "1.32", "Windows Server 2019", id="Windows"),
        pytest.param(
            {"osSKU": "Ubuntu", "nodeImageVersion": "AKSUbuntu-2004gen2fipscontainerd-202604.13.0"},
            "1.35",
            "Ubuntu 20.04",
            id="the image knows better",
        ),
        pytest.param(
            {"osSKU": "AzureLinux", "nodeImageVersion": "AKSAzureLinux-V3gen2-202604.13.0"}, "1.31", "", id="image of 3"
        ),
        pytest.param(
            {"nodeImageVersion": "AKSCBLMariner-V2gen2-202512.06.0"}, "1.31", "Azure Linux 2.0", id="image of 2"
        ),
        pytest.param(
            {"nodeImageVersion": "AKSWindows-2022-containerd-1"}, "1.31", "Windows Server 2022", id="its image"
        ),
        pytest.param(
            {"osSKU": "WindowsAnnual", "nodeImageVersion": "AKSWindows-23H2-gen2-25398.1611.250518"},
            "1.33",
            "Windows Server Annual Channel",
            id="an image of the annual channel",
        ),
        pytest.param(
            {"osSKU": "AzureLinuxOSGuard", "nodeImageVersion": "AKSAzureLinux-OSGuardV3gen2fipsTL-202512.18.0"},
            "1.34",
            "Azure Linux with OS Guard",
            id="an image with OS Guard",
        ),
        pytest.param(
            {"osSKU": "AzureLinux", "nodeImageVersion": "AKSAzureLinux-V3katagen2-202512.18.0"}, "1.31", "", id="Kata"
        ),
    ],
)
def test_the_system_of_nodes(pool: dict[str, Any], minor: str, found: str) -> None:
    assert node_os(pool, minor) == found


DECLARED = body(
    kubernetesVersion="1.34.4",
    supportPlan="AKSLongTermSupport",
    networkProfile={"networkPlugin": "kubenet", "networkPolicy": "azure", "loadBalancerSku": "basic"},
    addonProfiles={"openServiceMesh": {"enabled": True}, "httpApplicationRouting": {"enabled": False}},
    podIdentityProfile={"enabled": True},
    ingressProfile={"webAppRouting": {"enabled": True}},
    aadProfile={"serverAppID": "x"},
)
POOLS = [
    {"name": "a", "type": "AvailabilitySet", "enableCustomCATrust": True},
    {"name": "w", "osType": "Windows", "tags": {"aks-disable-kubelet-serving-certificate-rotation": "true", "b": "c"}},
]


def test_everything_that_a_declaration_uses_is_found() -> None:
    found = due(uses(DECLARED, POOLS, None), date(2030, 1, 1), 0)
    assert {(item.row.kind, item.row.value) for item in found} == {
        ("Kubernetes", "1.34 LTS"),
        ("network plugin", "kubenet"),
        ("network policy", "azure on Linux"),
        ("network policy", "azure on Windows"),
        ("load balancer", "Basic"),
        ("add-on", "Open Service Mesh"),
        ("add-on", "pod-managed identity"),
        ("add-on", "application routing with NGINX"),
        ("login", "Azure AD integration (legacy)"),
        ("node OS", "Ubuntu 22.04"),
        ("type of node pool", "AvailabilitySet"),
        ("property of a node pool", "enableCustomCATrust"),
        ("tag of a node pool", "aks-disable-kubelet-serving-certificate-rotation"),
    }


def test_what_stands_does_not_fail_and_what_could_not_be_made_does() -> None:
    stands = {"properties": {**DECLARED["properties"], "agentPoolProfiles": POOLS}}
    assert not [item for item in due(uses(DECLARED, POOLS, stands), date(2030, 1, 1), 0) if item.fails]
    failing = {item.row.value for item in due(uses(DECLARED, POOLS, None), TODAY, 0) if item.fails}
    assert failing == {"Basic", "AvailabilitySet", "Azure AD integration (legacy)"}


@pytest.mark.parametrize(
    ("own", "standing", "found"),
    [
        pytest.param({}, {"supportPlan": "AKSLongTermSupport"}, ["1.31 LTS"], id="kept from what stands"),
        pytest.param({"supportPlan": "KubernetesOfficial"}, {"supportPlan": "AKSLongTermSupport"}, ["1.31"], id="left"),
        pytest.param({}, {}, ["1.31"], id="none"),
    ],
)
def test_a_declared_version_is_of_the_plan_that_it_will_have(own: Any, standing: Any, found: list[str]) -> None:
    live = body(currentKubernetesVersion="1.30.9", **standing)
    declared = uses(body(kubernetesVersion="1.31", **own), [], live)
    assert [use.value for use in declared if use.kind == KUBERNETES and not use.stands] == found


def test_a_new_pool_gets_the_system_of_the_version_that_runs() -> None:
    """A cluster is upgraded before its pools, and a pool can be no newer than what runs."""
    live = body(currentKubernetesVersion="1.34.2")
    found = uses(body(kubernetesVersion="1.35"), [{"name": "new"}], live)
    assert values(found, NODE_OS) == ["Ubuntu 22.04"]


@pytest.mark.parametrize(("value", "tags"), [("true", 1), ("True", 1), ("false", 0), ("", 0)])
def test_a_tag_is_used_where_it_says_so(value: str, tags: int) -> None:
    pools = [{"name": "a", "tags": {"aks-disable-kubelet-serving-certificate-rotation": value}}]
    assert len(values(uses(body(), pools, None), POOL_TAG)) == tags


@pytest.mark.parametrize(
    ("version", "day", "told"),
    [
        pytest.param("2024-09-02-preview", date(2025, 5, 1), "", id="young"),
        pytest.param("2024-09-02-preview", date(2025, 7, 1), "works until about 2025-09-02", id="ends soon"),
        pytest.param("2024-09-02-Preview", date(2026, 1, 1), "worked until about 2025-09-02", id="ended"),
        pytest.param("2024-02-29-preview", date(2026, 1, 1), "worked until about 2025-03-01", id="of a leap day"),
        pytest.param("2024-09-01", date(2030, 1, 1), "", id="stable"),
        pytest.param("latest-preview", date(2030, 1, 1), "", id="no date"),
        pytest.param("2024-13-45-preview", date(2030, 1, 1), "", id="no day of any year"),
    ],
)
def test_previews_of_an_api_end_after_a_year(version: str, day: date, told: str) -> None:
    found = preview_version("microsoft.containerService/managedClusters", version, day)
    assert (told in found and version in found) if told else found == ""
    # nobody says the same of others
    assert preview_version("Microsoft.Compute/disks", version, day) == ""


def test_no_version_that_the_collection_speaks_of_aks_ends() -> None:
    assert not [kind for kind, version in API_VERSIONS.items() if preview_version(kind, version, date.max)]


def test_an_app_routing_without_nginx_is_not_retired() -> None:
    routing = {"enabled": True, "nginx": {"defaultIngressControllerType": "None"}}
    assert "application routing with NGINX" not in values(
        uses(body(ingressProfile={"webAppRouting": routing}), [], None)
    )


def test_the_date_the_consequence_and_the_remedy_are_told() -> None:
    (item,) = due([Use(NODE_OS, "Ubuntu 20.04", "node_pools[a]")], date(2027, 1, 1), 90)
    assert not item.past and not item.fails
    assert item.what == (
        "node OS Ubuntu 20.04 will be retired: from 2027-03-17, node images are removed: node pools cannot be scaled "
        "or repaired"
    )
    assert "Ubuntu2404" in item.hint and "https://github.com/Azure/AKS/issues/4874" in item.hint


@pytest.mark.parametrize("seed", range(30))
def test_what_is_told_depends_on_the_day_alone(seed: int) -> None:
    """Of rows at any dates: the last that is past, and every one that comes within the days, by date."""
    chance = random.Random(seed)
    offsets = sorted(chance.sample(range(-400, 400), k=chance.randint(1, 6)))
    calendar = [Retirement(TODAY + timedelta(one), NODE_OS, "X", f"c{one}", "r", "s") for one in offsets]
    chance.shuffle(calendar)
    days = chance.choice((0, 30, 90, 365))
    found = due([Use(NODE_OS, "x", "p"), Use(NODE_OS, "y", "p"), Use("other", "X", "p")], TODAY, days, calendar)
    past, coming = [one for one in offsets if one <= 0], [one for one in offsets if 0 < one <= days]
    assert [(item.row.consequence, item.past) for item in found] == [
        *((f"c{one}", True) for one in past[-1:]),
        *((f"c{one}", False) for one in coming),
    ]


def test_every_row_says_who_says_so() -> None:
    for row in CALENDAR:
        assert row.source.startswith("https://") and row.consequence and row.remedy
        assert not row.consequence.endswith(".") and not row.remedy.endswith(".")
        assert date(2020, 1, 1) < row.on < date(2035, 1, 1)
    keys = [(row.kind, row.value, row.on) for row in CALENDAR]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("declared", "pools", "features"),
    [
        pytest.param(body(), [{"name": "a"}], [], id="nothing special"),
        pytest.param(
            body(), [{"name": "a", "enableEncryptionAtHost": True}], ["Microsoft.Compute/EncryptionAtHost"], id="host"
        ),
        pytest.param(body(), [{"name": "a", "enableEncryptionAtHost": False}], [], id="off"),
        pytest.param(
            body(), [{"name": "a", "securityProfile": {"sshAccess": "entraid"}}], ["EntraIdSSHPreview"], id="any case"
        ),
        pytest.param(
            body(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.0/8", "AzureCloud"]}),
            [],
            ["EnableServiceTagAuthorizedIPPreview"],
            id="a service tag among ranges",
        ),
        pytest.param(
            body(apiServerAccessProfile={"authorizedIPRanges": ["10.0.0.1/8", "fd00::1"]}), [], [], id="ranges only"
        ),
        pytest.param(
            body(networkProfile={"networkPolicy": "azure"}),
            [{"name": "w", "osType": "Windows"}],
            ["WindowsNetworkPolicyPreview"],
            id="a policy on Windows",
        ),
        pytest.param(body(schedulerProfile={"a": 1}), [], ["UserDefinedSchedulerConfigurationPreview"], id="scheduler"),
    ],
)
def test_which_option_needs_which_feature(declared: Any, pools: list[dict[str, Any]], features: list[str]) -> None:
    found = needs(declared, pools)
    assert [need.feature if "Compute" in need.feature else need.feature.partition("/")[2] for need in found] == features
    assert all(need.source.startswith("https://") for need in found)


@pytest.mark.parametrize("row", CALENDAR, ids=lambda row: f"{row.kind} {row.value} {row.on}")
def test_the_last_day_is_not_past(row: Retirement) -> None:
    """It fails from the day after, and is a warning on the day, if of those to come any is told."""
    use = Use(row.kind, row.value, "here")

    def told(day: date, days: int) -> list[bool]:
        return [item.past for item in due([use], day, days, [row])]

    assert told(row.on, 90) == [False] and told(row.on, 0) == []
    assert told(row.on + timedelta(days=1), 0) == [True]
    assert told(row.on - timedelta(days=1), 0) == [] and told(row.on - timedelta(days=90), 90) == [False]
