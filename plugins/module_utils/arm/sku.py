# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VM sizes: read from Compute's list without holding it, and the first size of a list that a node pool can have."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..text import counted

_VALUE = re.compile(r'"value"\s*:\s*\[\s*')
_SEPARATOR = re.compile(r"[\s,]*")
_CAPABILITIES = frozenset(
    (
        "CachedDiskBytes",
        "CpuArchitectureType",
        "EphemeralOSDiskSupported",
        "GPUs",
        "LowPriorityCapable",
        "MaxResourceVolumeMB",
        "MemoryGB",
        "NvmeDiskSizeInMiB",
        "SupportedEphemeralOSDiskPlacements",
        "vCPUs",
        "vCPUsAvailable",
    )
)
"""Those that anything here asks for."""
# what Compute calls the families of burstable sizes (standardBSFamily, standardBpsv2Family); no capability says it
_BURSTABLE_FAMILY = re.compile(r"standardb[a-z]*(v\d+)?family", re.IGNORECASE)


@dataclass(frozen=True)
class Sku:
    """One virtual machine size in one location."""

    name: str
    family: str
    zones: frozenset[str] = frozenset()
    restricted: str = ""
    """The reason code where the whole location is closed to the subscription."""
    restricted_zones: frozenset[str] = frozenset()
    capabilities: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> float:
        try:
            return float(self.capabilities.get(name, "0"))
        except ValueError:
            return 0.0

    def flag(self, name: str) -> bool:
        return self.capabilities.get(name, "").lower() == "true"

    @property
    def vcpus(self) -> int:
        # a constrained size runs fewer vCPUs than it is counted for: quota counts vCPUs
        return int(self.number("vCPUs"))

    @property
    def usable_vcpus(self) -> int:
        return int(self.number("vCPUsAvailable") or self.number("vCPUs"))

    @property
    def memory_gb(self) -> float:
        return self.number("MemoryGB")

    @property
    def gpus(self) -> int:
        return int(self.number("GPUs"))

    @property
    def ephemeral_gib(self) -> float:
        """The largest OS disk that fits its cache, its temporary disk or its NVMe disk, where one may be."""
        if not self.flag("EphemeralOSDiskSupported"):
            return 0.0
        stated = self.capabilities.get("SupportedEphemeralOSDiskPlacements", "CacheDisk,ResourceDisk,NvmeDisk")
        rooms = {
            "CacheDisk": self.number("CachedDiskBytes") / 2**30,
            "ResourceDisk": self.number("MaxResourceVolumeMB") / 1024,
            "NvmeDisk": self.number("NvmeDiskSizeInMiB") / 1024,
        }
        return max((room for place, room in rooms.items() if place.lower() in stated.lower()), default=0.0)

    @property
    def architecture(self) -> str:
        return self.capabilities.get("CpuArchitectureType", "x64").lower()

    @property
    def burstable(self) -> bool:
        return bool(_BURSTABLE_FAMILY.fullmatch(self.family))


def list_entries(content: bytes) -> Iterator[dict[str, Any]]:
    """The items of a page's `value`, decoded one after the other."""
    text = content.decode("utf-8")
    start = _VALUE.search(text)
    if start is None:
        return
    decoder = json.JSONDecoder()
    position = start.end()
    while position < len(text) and text[position] != "]":
        item, position = decoder.raw_decode(text, position)
        yield item
        separator = _SEPARATOR.match(text, position)
        position = separator.end() if separator is not None else position


def find_skus(pages: Iterator[bytes], location: str) -> dict[str, Sku]:
    """The virtual machine sizes that are listed for `location`, by lower-case name."""
    found: dict[str, Sku] = {}
    for content in pages:
        for entry in list_entries(content):
            name = str(entry.get("name"))
            if entry.get("resourceType") != "virtualMachines":
                continue
            if any(_same(place, location) for place in entry.get("locations") or ()):
                sku = _sku(entry, location)
                found[name.lower()] = _together(found[name.lower()], sku) if name.lower() in found else sku
    return found


def _together(first: Sku, second: Sku) -> Sku:
    """A size may be listed once for each of its zones: it is open where one of the rows is (real lists, 2026)."""
    open_zones = {zone for sku in (first, second) if not sku.restricted for zone in sku.zones - sku.restricted_zones}
    zones = first.zones | second.zones
    return replace(
        first,
        zones=zones,
        restricted="" if "" in (first.restricted, second.restricted) else first.restricted,
        restricted_zones=zones - open_zones,
        capabilities={**second.capabilities, **first.capabilities},
    )


def _sku(entry: Mapping[str, Any], location: str) -> Sku:
    places = [place for place in entry.get("locationInfo") or () if _same(place.get("location"), location)]
    reason = ""
    closed: set[str] = set()
    for restriction in entry.get("restrictions") or ():
        where = restriction.get("restrictionInfo") or {}
        if not any(_same(place, location) for place in where.get("locations") or restriction.get("values") or ()):
            continue
        if restriction.get("type") == "Zone":
            closed.update(str(zone) for zone in where.get("zones") or ())
        else:
            reason = str(restriction.get("reasonCode") or "NotAvailableForSubscription")
    return Sku(
        name=str(entry["name"]),
        family=str(entry.get("family") or ""),
        zones=frozenset(str(zone) for place in places for zone in place.get("zones") or ()),
        restricted=reason,
        restricted_zones=frozenset(closed),
        # a region has a thousand sizes with thirty capabilities each
        capabilities={
            sys.intern(str(item["name"])): sys.intern(str(item["value"]))
            for item in entry.get("capabilities") or ()
            if item["name"] in _CAPABILITIES
        },
    )


def _same(place: Any, location: str) -> bool:
    return str(place).replace(" ", "").lower() == location.replace(" ", "").lower()


# AKS refuses less in a system pool (SystemPoolSkuTooLow)
_SYSTEM_VCPUS = 2
_SYSTEM_MEMORY_GB = 4
# and less in any pool (VMSizeNotSupported)
_LEAST_VCPUS = 2
_LEAST_MEMORY_GB = 2
_ARCHITECTURES = {"amd64": "x64", "x64": "x64", "x86_64": "x64", "arm64": "arm64"}


@dataclass(frozen=True)
class Requirements:
    """What the pool needs of a size, and of the quota."""

    location: str
    node_count: int
    surge_nodes: int = 1
    architecture: str = ""
    allow_burstable: bool = False
    zones: tuple[str, ...] = ()
    system_pool: bool = False
    min_memory_gb: float = 0
    ephemeral_os_disk: bool = False
    os_disk_gb: int = 0
    """0: whatever the service gives to the size."""
    gpu: bool = False
    spot: bool = False


@dataclass(frozen=True)
class Quota:
    """`promised` are the vCPUs of nodes that other pools are to have, `surge` the most that an upgrade of one adds:
    pools are upgraded one after the other."""

    used: int
    limit: int
    title: str = ""
    promised: int = 0
    surge: int = 0

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used - self.promised)


@dataclass(frozen=True)
class SizeVerdict:
    """What speaks against one candidate; `codes` are stable, `reasons` are sentences."""

    candidate: str
    codes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def viable(self) -> bool:
        return not self.codes

    def as_dict(self) -> dict[str, object]:
        return {
            "vm_size": self.candidate,
            "viable": self.viable,
            "codes": list(self.codes),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class Selection:
    """`chosen` is in the service's own spelling, None when nothing fits. `offers`: whether any size is there.

    `alternatives` would fit and are no candidates, the likest first.
    """

    chosen: Sku | None
    verdicts: tuple[SizeVerdict, ...]
    offers: bool = True
    alternatives: tuple[str, ...] = ()

    def advice(self) -> str:
        codes = {code for verdict in self.verdicts for code in verdict.codes}
        others = [f"of the other sizes these would fit: {', '.join(self.alternatives)}"] if self.alternatives else []
        return "; ".join([*(sentence for code, sentence in _ADVICE if code in codes), *others])


_ADVICE = (
    ("FamilyQuota", "ask for quota of the family (https://learn.microsoft.com/azure/quotas/view-quotas)"),
    ("RegionalQuota", "ask for regional vCPU quota, or use fewer or smaller nodes"),
    ("LowPriorityQuota", "ask for quota of low-priority vCPUs, or use fewer or smaller nodes"),
    ("NoSpot", "add candidates that can be Spot nodes"),
    ("Restricted", "ask for access to the size in this location"),
    ("ZoneUnavailable", "relax zones"),
    ("Burstable", "set allow_burstable to true"),
    ("Architecture", "add candidates of the wanted architecture"),
    ("SystemPool", "add candidates with at least 2 vCPUs and 4 GiB"),
    ("TooSmall", "add candidates with at least 2 vCPUs and 2 GiB"),
    ("Memory", "lower min_memory_gb or add larger candidates"),
    ("EphemeralDisk", "use a managed OS disk, a smaller one, or candidates with a larger cache or temporary disk"),
    ("Gpu", "add candidates with GPUs"),
    ("NotOffered", "check the spelling of the candidates and of the location, or use another location"),
)


def architecture_of(declared: str) -> str:
    """Compute's spelling of what people call amd64 or arm64."""
    return _ARCHITECTURES.get(declared.lower(), declared.lower())


def quota_key(name: str) -> str:
    """Some usages are named with blanks where the size's family has none."""
    return name.replace(" ", "").lower()


def select_size(
    candidates: Sequence[str], skus: Mapping[str, Sku], quotas: Mapping[str, Quota], wanted: Requirements
) -> Selection:
    """`skus` by lower-case name, `quotas` by quota_key; every candidate is judged up to the first that fits."""
    verdicts: list[SizeVerdict] = []
    spelled: dict[str, str] = {}
    for candidate in candidates:
        spelled.setdefault(candidate.lower(), candidate)
    for name, candidate in spelled.items():
        sku = skus.get(name)
        verdict = judge(candidate, sku, quotas, wanted)
        verdicts.append(verdict)
        if verdict.viable:
            return Selection(sku, tuple(verdicts))
    return Selection(None, tuple(verdicts))


def judge(candidate: str, sku: Sku | None, quotas: Mapping[str, Quota], wanted: Requirements) -> SizeVerdict:
    """What speaks against one size."""
    if sku is None:
        return SizeVerdict(candidate, ("NotOffered",), (f"{wanted.location} offers no size of this name",))
    against = [*_availability(sku, wanted), *_capabilities(sku, wanted), *_quota(sku, quotas, wanted)]
    return SizeVerdict(sku.name, tuple(code for code, reason in against), tuple(reason for code, reason in against))


def _availability(sku: Sku, wanted: Requirements) -> list[tuple[str, str]]:
    if sku.restricted:
        return [("Restricted", f"is closed to this subscription in {wanted.location} ({sku.restricted})")]
    usable = sku.zones - sku.restricted_zones
    missing = [zone for zone in wanted.zones if zone not in usable]
    if not missing:
        return []
    offered = ", ".join(sorted(usable)) or "none"
    return [("ZoneUnavailable", f"is not available in zone {', '.join(missing)} (available: {offered})")]


def _capabilities(sku: Sku, wanted: Requirements) -> list[tuple[str, str]]:
    """The rows (code, whether it speaks against the size, reason) that do."""
    architecture = architecture_of(wanted.architecture)
    have = f"{sku.usable_vcpus} vCPUs and {sku.memory_gb:g} GiB"
    below_system = sku.usable_vcpus < _SYSTEM_VCPUS or sku.memory_gb < _SYSTEM_MEMORY_GB
    below_all = sku.usable_vcpus < _LEAST_VCPUS or sku.memory_gb < _LEAST_MEMORY_GB
    unfit_system = wanted.system_pool and below_system
    rows = (
        (
            "Architecture",
            architecture and sku.architecture != architecture,
            f"is {sku.architecture}, not {architecture}",
        ),
        ("Burstable", sku.burstable and not wanted.allow_burstable, f"is burstable ({sku.family})"),
        (
            "SystemPool",
            unfit_system,
            f"has {have}, a system pool needs {_SYSTEM_VCPUS} and {_SYSTEM_MEMORY_GB}",
        ),
        (
            "TooSmall",
            below_all and not unfit_system,
            f"has {have}, a node pool needs {_LEAST_VCPUS} and {_LEAST_MEMORY_GB}",
        ),
        (
            "Memory",
            sku.memory_gb < wanted.min_memory_gb,
            f"has {sku.memory_gb:g} GiB of memory, {wanted.min_memory_gb:g} are needed",
        ),
        (
            "EphemeralDisk",
            wanted.ephemeral_os_disk and not sku.ephemeral_gib,
            "supports no ephemeral OS disk",
        ),
        (
            "EphemeralDisk",
            wanted.ephemeral_os_disk and 0 < sku.ephemeral_gib < wanted.os_disk_gb,
            f"has room for an ephemeral OS disk of {sku.ephemeral_gib:g} GiB, {wanted.os_disk_gb} are needed",
        ),
        ("NoSpot", wanted.spot and not sku.flag("LowPriorityCapable"), "cannot be a Spot node"),
        ("Gpu", wanted.gpu and sku.gpus == 0, "has no GPU"),
    )
    return [(code, reason) for code, applies, reason in rows if applies]


def _quota_rows(sku: Sku, spot: bool) -> tuple[tuple[str, str, str], ...]:
    """The quotas that a node counts against: (code, key, title). Spot nodes have one of their own (documented)."""
    if spot:
        return (("LowPriorityQuota", "lowprioritycores", "low-priority"),)
    return (("FamilyQuota", quota_key(sku.family), sku.family), ("RegionalQuota", "cores", "regional"))


def _quota(sku: Sku, quotas: Mapping[str, Quota], wanted: Requirements) -> list[tuple[str, str]]:
    what = f"{counted(wanted.node_count, 'node')} and {wanted.surge_nodes} surge of {sku.vcpus} vCPUs"
    against = []
    for code, key, title in _quota_rows(sku, wanted.spot):
        # a family may lack a row (real lists, 2026)
        quota = quotas.get(key)
        if quota is None:
            continue
        needed = sku.vcpus * wanted.node_count + max(quota.surge, sku.vcpus * wanted.surge_nodes)
        if quota.left < needed:
            lack = needed - quota.left
            others = f" beside {quota.promised} of other new pools" if quota.promised else ""
            have = f"{quota.left} of {quota.limit} {title} vCPUs are left{others}"
            against.append((code, f"needs {needed} vCPUs ({what}), {have}: {lack} short"))
    return against


def with_promise(quotas: Mapping[str, Quota], sku: Sku, wanted: Requirements) -> dict[str, Quota]:
    """`quotas` after a pool of this size has been given what it wants."""
    after = dict(quotas)
    for _code, key, _title in _quota_rows(sku, wanted.spot):
        quota = quotas.get(key)
        if quota is not None:
            after[key] = replace(
                quota,
                promised=quota.promised + sku.vcpus * wanted.node_count,
                surge=max(quota.surge, sku.vcpus * wanted.surge_nodes),
            )
    return after


def quotas_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Quota]:
    """Usages by quota_key; a row may lack its name (real lists, 2026), and says nothing then."""
    found = {}
    for row in rows:
        name = str((row.get("name") or {}).get("value") or "")
        if name and row.get("limit") is not None:
            found[quota_key(name)] = Quota(int(row.get("currentValue") or 0), int(row["limit"]), name)
    return found
