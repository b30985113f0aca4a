# SPDX-License-Identifier: GPL-3.0-or-later
"""Every VM size in every region: made from the series' rows, with what this subscription may not use."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from .faults import Faults
from .locations import BY_NAME, Region
from .series import ALL, Series
from .wire import Body

GIB = 1024**3
NOT_AVAILABLE = "NotAvailableForSubscription"

# Restrictions of a subscription that asked for nothing special: (regions, families, zones; no zones: everywhere).
RESTRICTED = (
    (("eastus", "westeurope", "southeastasia"), r"standardD[S]?v2Family|standardFS?Family", ()),
    (("eastus", "westus2", "uksouth"), r"standardN(CSv3|VSv3|DAS.*|DSH100.*)Family", ()),
    (("westeurope", "germanywestcentral"), r"standardBSFamily", ()),
    (("eastus2",), r"standardDP?L?D?Sv5Family|standardBpsv2Family", ("1",)),
    (("eastus", "uksouth"), r"standardEPD?Sv5Family", ("2", "3")),
    (("westus3", "japaneast"), r"[sS]tandardNC.*", ("1", "2", "3")),
    (tuple(BY_NAME), r"standardM.*", ()),
)


@dataclass(frozen=True)
class Size:
    name: str  # Standard_D4s_v5
    series: Series
    cpus: int
    available: int  # after constraining
    memory: float

    @property
    def family(self) -> str:
        return self.series.family

    @cached_property
    def cache_bytes(self) -> int:
        return int(self.series.cache * self.cpus * GIB)

    @cached_property
    def temporary_mib(self) -> int:
        return int(self.series.temporary * self.cpus * 1024)

    @cached_property
    def nvme_mib(self) -> int:
        return int(self.series.nvme * self.cpus * 1024)

    def ephemeral_fits(self, gib: int) -> bool:
        room = max(self.cache_bytes // GIB, self.temporary_mib // 1024, self.nvme_mib // 1024)
        return self.series.premium and room >= gib

    @cached_property
    def capabilities(self) -> dict[str, str]:
        series, cpus = self.series, self.cpus
        ephemeral = self.ephemeral_fits(30)
        values: dict[str, object] = {
            "MaxResourceVolumeMB": self.temporary_mib,
            "OSVhdSizeMB": 1047552,
            "vCPUs": cpus,
            "MemoryPreservingMaintenanceSupported": not series.gpus,
            "HyperVGenerations": series.generations,
            "DiskControllerTypes": "NVMe" if "_v6" in self.name or "_v7" in self.name else "SCSI",
            "SupportedCapacityReservationTypes": "Targeted",
            "CpuArchitectureType": "Arm64" if series.arm else "x64",
            "MemoryGB": f"{self.memory:g}",
            "MaxDataDiskCount": min(64, max(2, cpus * 2)),
            "LowPriorityCapable": not self.name.startswith("Standard_B"),
            "PremiumIO": series.premium,
            "VMDeploymentTypes": "IaaS",
            "vCPUsAvailable": self.available,
            "vCPUsPerCore": 1 if series.threads == 1 else 2,
            "CombinedTempDiskAndCachedIOPS": 2000 * cpus,
            "CombinedTempDiskAndCachedReadBytesPerSecond": 16777216 * cpus,
            "CombinedTempDiskAndCachedWriteBytesPerSecond": 16777216 * cpus,
            "CachedDiskBytes": self.cache_bytes,
            "UncachedDiskIOPS": 1600 * cpus,
            "UncachedDiskBytesPerSecond": 24 * 1000 * 1000 * cpus,
            "EphemeralOSDiskSupported": ephemeral,
            "EncryptionAtHostSupported": series.premium,
            "CapacityReservationSupported": not series.gpus,
            "AcceleratedNetworkingEnabled": series.accelerated and self.available > 1,
            "RdmaEnabled": series.rdma,
            "MaxNetworkInterfaces": 2 if cpus <= 4 else 4 if cpus <= 8 else 8,
        }
        if ephemeral:
            places = (
                ("ResourceDisk", self.temporary_mib),
                ("CacheDisk", self.cache_bytes),
                ("NvmeDisk", self.nvme_mib),
            )
            values["SupportedEphemeralOSDiskPlacements"] = ",".join(name for name, room in places if room)
        if self.nvme_mib:
            values["NvmeDiskSizeInMiB"] = self.nvme_mib
        if series.gpus:
            values["GPUs"] = max(1, round(series.gpus * cpus))
        if series.confidential:
            values["ConfidentialComputingType"] = series.confidential
        if series.retires:
            values["RetirementDateUtc"] = series.retires
        if self.available != cpus:
            values["ParentSize"] = self.name.replace(f"-{self.available}", "").removeprefix("Standard_")
        return {name: str(value) for name, value in values.items()}

    @cached_property
    def capabilities_json(self) -> str:
        """Most of an entry's text; the same in every region, so it is written once."""
        return json.dumps([{"name": name, "value": value} for name, value in self.capabilities.items()])


def _sizes(series: Series) -> Iterator[Size]:
    for name, (cpus, memory) in series.shapes.items():
        yield Size(f"Standard_{name}", series, cpus, cpus, memory)
    for cpus in series.cpus:
        yield Size(f"Standard_{series.name.format(n=cpus)}", series, cpus, cpus, cpus * series.memory)
    for cpus, available in series.constrained:
        name = series.name.format(n=f"{cpus}-{available}")
        yield Size(f"Standard_{name}", series, cpus, available, cpus * series.memory)


SIZES: dict[str, Size] = {size.name.lower(): size for series in ALL for size in _sizes(series)}


@dataclass(frozen=True)
class Offer:
    """One size in one region: its zones, and which of them (or all of it) this subscription may not use."""

    size: Size
    region: Region
    zones: tuple[str, ...]
    barred: bool
    barred_zones: tuple[str, ...]

    @property
    def usable_zones(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.zones) - set(self.barred_zones)))


@lru_cache(maxsize=len(BY_NAME))
def sizes_in(location: str) -> tuple[Size, ...]:
    """Scarce series exist in about half of the regions; everything else exists everywhere."""
    if location not in BY_NAME:
        return ()
    return tuple(
        size for size in SIZES.values() if not size.series.scarce or _spread(f"{location} {size.family}") % 2 == 0
    )


class Catalog:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def offers(self, location: str, first: int = 0, end: int | None = None) -> list[Offer]:
        """The sizes of a region, or a part of them, with this subscription's restrictions as they are now."""
        extra = self._restrictions(location)
        chosen = sizes_in(location)[first:end]
        return [_offer(size, BY_NAME[location], extra.get(size.name.lower())) for size in chosen]

    def offer(self, location: str, name: str) -> Offer | None:
        size = SIZES.get(name.lower())
        if size is None or size not in sizes_in(location):
            return None
        return _offer(size, BY_NAME[location], self._restrictions(location).get(name.lower()))

    def _restrictions(self, location: str) -> dict[str, tuple[str, ...]]:
        """Sizes restricted on request: no zones means everywhere in the region."""
        found = {}
        for fault in self._faults.active("restrict-sku"):
            if fault.options["location"] in ("*", location):
                zones = tuple(zone for zone in str(fault.options["zones"]).split(",") if zone)
                found[fault.options["size"].lower()] = zones
        return found


def _spread(text: str) -> int:
    return zlib.crc32(text.encode())


def _offer(size: Size, region: Region, requested: tuple[str, ...] | None) -> Offer:
    zones: tuple[str, ...] = ()
    if region.zones and size.series.zonal:
        turn = _spread(f"{size.name} {region.name}") % 3  # Azure gives zones in no particular order
        ordered = ("1", "2", "3")
        zones = ordered[turn:] + ordered[:turn]
    barred, barred_zones = False, set[str]()
    rules = [rule[2] for rule in RESTRICTED if region.name in rule[0] and re.fullmatch(rule[1], size.family)]
    for rule in [*rules, *([] if requested is None else [requested])]:
        if rule:
            barred_zones |= set(rule) & set(zones)
        else:
            barred = True
    return Offer(size, region, zones, barred, tuple(sorted(barred_zones)))


def entry_json(offer: Offer) -> str:
    """One entry of the SKU list as text; `capabilities` is spliced in already serialised."""
    size, region = offer.size, offer.region.name
    info: Body = {"location": region, "zones": list(offer.zones), "zoneDetails": []}
    if offer.zones and size.series.premium:
        details = [{"name": "UltraSSDAvailable", "value": "True"}]
        info["zoneDetails"] = [{"Name": list(offer.zones), "capabilities": details}]
    restrictions: list[Body] = []
    if offer.barred:
        restrictions.append(_restriction("Location", region, {"locations": [region]}))
    if offer.barred_zones:
        restrictions.append(_restriction("Zone", region, {"locations": [region], "zones": list(offer.barred_zones)}))
    head = {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        "locations": [region],
        "locationInfo": [info],
        "restrictions": restrictions,
    }
    return f'{json.dumps(head)[:-1]}, "capabilities": {size.capabilities_json}}}'


def _restriction(kind: str, region: str, info: Body) -> Body:
    return {"type": kind, "values": [region], "restrictionInfo": info, "reasonCode": NOT_AVAILABLE}


# What else the list names; a reader that does not look at resourceType takes these for VM sizes.
OTHER_SKUS: tuple[tuple[str, str, str, str, dict[str, str]], ...] = (
    ("availabilitySets", "Classic", "", "", {"MaximumPlatformFaultDomainCount": "3"}),
    ("availabilitySets", "Aligned", "", "", {"MaximumPlatformFaultDomainCount": "3"}),
    ("disks", "Standard_LRS", "Standard", "S4", {"MaxSizeGiB": "32", "MaxIOps": "500"}),
    ("disks", "StandardSSD_LRS", "Standard", "E10", {"MaxSizeGiB": "128", "MaxIOps": "500"}),
    ("disks", "Premium_LRS", "Premium", "P10", {"MaxSizeGiB": "128", "MaxIOps": "500"}),
    ("snapshots", "Standard_LRS", "Standard", "", {}),
    ("hostGroups/hosts", "DSv3-Type1", "", "", {"Cores": "64", "vCPUsPerCore": "2"}),
)


TWICE = "Standard_E8as_v5"


def other_entries(region: str) -> Iterator[str]:
    """What is not a size, and a second row of one: real lists repeat some sizes for a zone."""
    for size in (size for size in sizes_in(region) if size.name == TWICE and BY_NAME[region].zones):
        offer = _offer(size, BY_NAME[region], None)
        yield entry_json(replace(offer, zones=offer.zones[-1:], barred_zones=()))
    for kind, name, tier, short, capabilities in OTHER_SKUS:
        entry: Body = {
            "resourceType": kind,
            "name": name,
            "locations": [region],
            "locationInfo": [{"location": region, "zones": [], "zoneDetails": []}],
            "capabilities": [{"name": key, "value": value} for key, value in capabilities.items()],
            "restrictions": [],
        }
        entry.update({key: value for key, value in (("tier", tier), ("size", short)) if value})
        yield json.dumps(entry)
