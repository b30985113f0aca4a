# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading Compute's list of sizes without holding it: a region is some megabytes of which a few entries matter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_VALUE = re.compile(r'"value"\s*:\s*\[\s*')
_SEPARATOR = re.compile(r"[\s,]*")
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
    def architecture(self) -> str:
        return self.capabilities.get("CpuArchitectureType", "x64").lower()

    @property
    def burstable(self) -> bool:
        return bool(_BURSTABLE_FAMILY.fullmatch(self.family))


def entries(content: bytes) -> Iterator[dict[str, Any]]:
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


def find_skus(pages: Iterator[bytes], names: set[str], location: str) -> dict[str, Sku]:
    """The virtual machine sizes called `names` (lower case) that are listed for `location`, by lower-case name."""
    found: dict[str, Sku] = {}
    for content in pages:
        for entry in entries(content):
            name = str(entry.get("name"))
            if name.lower() not in names or entry.get("resourceType") != "virtualMachines":
                continue
            if any(_same(place, location) for place in entry.get("locations") or ()):
                found[name.lower()] = _sku(entry, location)
    return found


def _sku(entry: Mapping[str, Any], location: str) -> Sku:
    zones: set[str] = set()
    for place in entry.get("locationInfo") or ():
        if _same(place.get("location"), location):
            zones.update(str(zone) for zone in place.get("zones") or ())
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
        zones=frozenset(zones),
        restricted=reason,
        restricted_zones=frozenset(closed),
        capabilities={str(item["name"]): str(item["value"]) for item in entry.get("capabilities") or ()},
    )


def _same(place: Any, location: str) -> bool:
    return str(place).replace(" ", "").lower() == location.replace(" ", "").lower()
