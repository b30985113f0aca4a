# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster uses of what Azure retires, as it is declared and as it stands, and what to say of it on a day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from .retirement_calendar import (
    ADDON,
    CALENDAR,
    KUBERNETES,
    LOAD_BALANCER,
    LOGIN,
    NETWORK_PLUGIN,
    NETWORK_POLICY,
    NODE_OS,
    POOL_PROPERTY,
    POOL_TAG,
    POOL_TYPE,
    Retirement,
)

Body = Mapping[str, Any]

# AKSUbuntu-2204gen2containerd-..., AKSAzureLinux-V3gen2-..., AKSAzureLinux-OSGuardV3gen2fipsTL-...,
# AKSWindows-23H2-gen2-... (what AKS lists: Azure/karpenter-provider-azure pkg/fake/nodeimageversionsapi.go)
_IMAGE = re.compile(r"AKS(Ubuntu|AzureLinux|CBLMariner|Windows)-?(OSGuard)?V?(\d+(?:H\d)?)?", re.IGNORECASE)
_WINDOWS = {"windows2019": "Windows Server 2019", "windows2022": "Windows Server 2022", "windows2025": ""}
_SYSTEMS = {
    "ubuntu2004": "Ubuntu 20.04",
    "ubuntu2204": "Ubuntu 22.04",
    "flatcar": "Flatcar",
    "azurelinuxosguard": "Azure Linux with OS Guard",
    "windowsannual": "Windows Server Annual Channel",
}


@dataclass(frozen=True)
class Use:
    """Something that may be in the calendar, and where it is used. `stands`: it is there already."""

    kind: str
    value: str
    place: str
    stands: bool = False


@dataclass(frozen=True)
class Due:
    """A row of the calendar that concerns a use; `past` on the day that was asked for."""

    row: Retirement
    use: Use
    past: bool

    @property
    def fails(self) -> bool:
        """Whether what is declared cannot be made any more."""
        return self.past and self.row.bars and not self.use.stands

    @property
    def what(self) -> str:
        """The date and the consequence."""
        when, is_retired = ("since", "is retired") if self.past else ("from", "will be retired")
        return f"{self.row.kind} {self.row.value} {is_retired}: {when} {self.row.on}, {self.row.consequence}"

    @property
    def hint(self) -> str:
        return f"{self.row.remedy} ({self.row.source})"


def due(uses: Iterable[Use], today: date, days: int, calendar: Sequence[Retirement] = CALENDAR) -> list[Due]:
    """What is past on this day or comes within so many days, the earliest first.

    Of several past rows of a use the last; with `days` 0 nothing that is yet to come.
    """
    rows: dict[tuple[str, str], list[Retirement]] = {}
    for row in calendar:
        rows.setdefault((row.kind, row.value.lower()), []).append(row)
    found: list[Due] = []
    for use in dict.fromkeys(uses):
        concerned = sorted(rows.get((use.kind, use.value.lower()), ()), key=lambda row: row.on)
        # its last day is one on which it can still be had
        past = [row for row in concerned if row.on < today]
        coming = [row for row in concerned if days and 0 <= (row.on - today).days <= days]
        found += [Due(row, use, past=True) for row in past[-1:]]
        found += [Due(row, use, past=False) for row in coming]
    return sorted(found, key=lambda item: item.row.on)


def uses(declared: Body, pools: Sequence[Body], live: Body | None) -> list[Use]:
    """What a cluster uses: `declared` and `pools` are declared bodies, `live` is the cluster as it was read.

    What is declared and stands already is one use, of what stands.
    """
    standing = list(_of_cluster(live, (live or {}).get("properties", {}).get("agentPoolProfiles") or (), stands=True))
    version = minor_of(live) or minor_of(declared)
    new = _of_cluster(_with_plan(declared, live), pools, stands=False, minor=version)
    known = {(use.kind, use.value, use.place) for use in standing}
    return [*standing, *(use for use in new if (use.kind, use.value, use.place) not in known)]


def _with_plan(declared: Body, live: Body | None) -> Body:
    """With the support plan that stands, where none is declared: the update keeps it."""
    plan = ((live or {}).get("properties") or {}).get("supportPlan")
    properties = declared.get("properties") or {}
    if not plan or properties.get("supportPlan"):
        return declared
    return {**declared, "properties": {**properties, "supportPlan": plan}}


def minor_of(body: Body | None) -> str:
    """The minor version that runs or is declared; empty where neither is said."""
    properties = (body or {}).get("properties") or {}
    version = str(properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or "")
    return ".".join(version.split(".")[:2])


def node_os(pool: Body, minor: str) -> str:
    """The operating system in the calendar's words, by the nodes' image or by osSKU and version; empty if unknown.

    https://learn.microsoft.com/azure/aks/upgrade-os-version says which osSKU is which release at which version.
    """
    image = _IMAGE.search(str(pool.get("nodeImageVersion") or ""))
    if image is not None:
        return _SYSTEMS["azurelinuxosguard"] if image[2] else _of_image(image[1].lower(), image[3] or "")
    sku = str(pool.get("osSKU") or "").lower()
    if sku in _SYSTEMS:
        return _SYSTEMS[sku]
    if sku in _WINDOWS:
        return _WINDOWS[sku]
    numbers = tuple(int(part) for part in minor.split(".") if part.isdigit())
    if sku in ("", "ubuntu") and str(pool.get("osType") or "Linux").lower() == "linux":
        return (
            "Ubuntu 22.04" if (1, 25) <= numbers < (1, 35) else "Ubuntu 18.04" if numbers and numbers < (1, 25) else ""
        )
    if sku in ("azurelinux", "cblmariner", "mariner"):
        return "Azure Linux 2.0" if numbers and numbers < (1, 32) else ""
    return ""


def _of_image(family: str, number: str) -> str:
    if family == "ubuntu":
        return f"Ubuntu {number[:2]}.{number[2:4]}" if len(number) >= 4 else ""
    if family == "windows":
        # releases of the annual channel are called by half-years
        return _SYSTEMS["windowsannual"] if "h" in number.lower() else f"Windows Server {number}" if number else ""
    return "Azure Linux 2.0" if number in ("2", "") else ""


def _of_cluster(body: Body | None, pools: Sequence[Body], stands: bool, minor: str = "") -> Iterator[Use]:
    properties = (body or {}).get("properties") or {}
    network = properties.get("networkProfile") or {}
    own, version = minor_of(body), minor or minor_of(body)
    if own:
        plan = " LTS" if str(properties.get("supportPlan") or "").lower() == "akslongtermsupport" else ""
        yield Use(KUBERNETES, f"{own}{plan}", "kubernetes_version", stands)
    yield Use(NETWORK_PLUGIN, str(network.get("networkPlugin") or ""), "network.plugin", stands)
    yield Use(LOAD_BALANCER, str(network.get("loadBalancerSku") or ""), "networkProfile.loadBalancerSku", stands)
    for value, place in _addons(properties):
        yield Use(ADDON, value, place, stands)
    login = properties.get("aadProfile") or {}
    if login.get("serverAppID") or login.get("clientAppID"):
        yield Use(LOGIN, "Azure AD integration (legacy)", "aadProfile", stands)
    for pool in pools:
        yield from _of_pool(pool, version, stands)
        system = str(pool.get("osType") or "Linux")
        if str(network.get("networkPolicy") or "").lower() == "azure":
            yield Use(NETWORK_POLICY, f"azure on {system}", "network.policy", stands)


def _addons(properties: Body) -> Iterator[tuple[str, str]]:
    profiles = {
        str(name).lower(): profile
        for name, profile in (properties.get("addonProfiles") or {}).items()
        if isinstance(profile, Mapping) and profile.get("enabled")
    }
    for key, value in (
        ("openservicemesh", "Open Service Mesh"),
        ("httpapplicationrouting", "HTTP application routing"),
    ):
        if key in profiles:
            yield value, f"addonProfiles.{key}"
    if (properties.get("podIdentityProfile") or {}).get("enabled"):
        yield "pod-managed identity", "podIdentityProfile"
    routing = (properties.get("ingressProfile") or {}).get("webAppRouting") or {}
    controller = str((routing.get("nginx") or {}).get("defaultIngressControllerType") or "")
    if routing.get("enabled") and controller.lower() != "none":
        yield "application routing with NGINX", "ingressProfile.webAppRouting"


def _of_pool(pool: Body, minor: str, stands: bool) -> Iterator[Use]:
    place = f"node_pools[{pool.get('name')}]"
    yield Use(NODE_OS, node_os(pool, minor), place, stands)
    yield Use(POOL_TYPE, str(pool.get("type") or ""), place, stands)
    if pool.get("enableCustomCATrust"):
        yield Use(POOL_PROPERTY, "enableCustomCATrust", place, stands)
    for name, value in (pool.get("tags") or {}).items():
        if str(value).lower() == "true":
            yield Use(POOL_TAG, str(name), f"{place}.tags", stands)
