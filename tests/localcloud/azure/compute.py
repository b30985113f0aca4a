# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Compute: the list of SKUs, and what is used of each quota."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from . import locations
from .catalog import SIZES, entry_json, other_entries, sizes_in
from .wire import ArmError, Body, Call, Reply, link, page

if TYPE_CHECKING:
    from .cloud import Cloud

CORES, SPOT = "cores", "lowPriorityCores"
CORES_LIMIT, SPOT_LIMIT, FAMILY_LIMIT = 100, 3, 100
# Families a new subscription has no quota of.
ASK_FIRST = re.compile(r"standard(N|M|H|FX|DC|EC).*", re.IGNORECASE)
# Azure spells a few families with blanks among the usages only; joining them needs normalising.
USAGE_NAMES = {"standardNCASv3_T4Family": "Standard NCASv3_T4 Family"}


def list_skus(call: Call) -> Reply:
    """Only `location eq '…'` may be filtered by; without a filter every region is listed."""
    asked = call.query.get("$filter", "")
    match = re.fullmatch(r"\s*location\s+eq\s+'([^']*)'\s*", asked)
    if asked and not match:
        raise ArmError(400, "InvalidFilter", f"The filter '{asked}' is not supported. Only location can be filtered.")
    names = [locations.normalise(match[1])] if match else list(locations.BY_NAME)
    raw_start, size = call.query.get("$skiptoken", "0"), call.cloud.config.page_size
    start = int(raw_start) if raw_start.isdigit() else 0
    texts, total = entries(call.cloud, names, start, start + size)
    answer = f'{{"value": [{", ".join(texts)}]'
    if start + size < total:
        following = link(call, call.path, {**call.query, "$skiptoken": str(start + size)})
        answer += f', "nextLink": {json.dumps(following)}'
    return Reply(200, raw=(answer + "}").encode())


def entries(cloud: Cloud, regions: list[str], start: int, end: int) -> tuple[list[str], int]:
    """The entries from start to end of all regions' as text, and how many there are: only the page is written."""
    texts: list[str] = []
    before = 0
    for name in regions:
        machines = len(sizes_in(name))
        others = list(other_entries(name)) if machines else []
        first, last = max(0, start - before), max(0, end - before)
        texts += [entry_json(offer) for offer in cloud.catalog.offers(name, first, min(last, machines))]
        texts += others[max(0, first - machines) : max(0, last - machines)]
        before += machines + len(others)
    return texts, before


# --- quota


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    return tuple(sorted({size.family for size in SIZES.values()}, key=str.lower))


def limit(cloud: Cloud, location: str, name: str) -> int:
    for fault in reversed(cloud.faults.active("quota")):
        options = fault.options
        if options["name"].lower() == name.lower() and options["location"] in ("*", location):
            return int(options["limit"])
    if name == CORES:
        return CORES_LIMIT
    if name == SPOT:
        return SPOT_LIMIT
    return 0 if ASK_FIRST.fullmatch(name) else FAMILY_LIMIT


def pool_usage(pools: list[Body]) -> Counter[str]:
    """vCPUs by quota name: Spot pools count against their own quota only."""
    used: Counter[str] = Counter()
    for pool in pools:
        size = SIZES.get(str(pool.get("vmSize", "")).lower())
        if size is None or pool.get("powerState", {}).get("code") == "Stopped":
            continue
        cpus = size.available * int(pool.get("count") or 0)
        if pool.get("scaleSetPriority") == "Spot":
            used[SPOT] += cpus
        else:
            used[CORES] += cpus
            used[size.family] += cpus
    return used


def usage(cloud: Cloud, subscription: str, location: str, without: str = "") -> Counter[str]:
    """What the clusters of a region use, one of them left out when asked."""
    used: Counter[str] = Counter()
    for cluster in cloud.store.find(kind="Microsoft.ContainerService/managedClusters", subscription=subscription):
        here = cluster.body["location"] == location and cluster.key != without.lower()
        properties = cluster.body["properties"]
        if here and properties.get("powerState", {}).get("code") != "Stopped":
            used += pool_usage(properties["agentPoolProfiles"])
    return used


def list_usages(call: Call) -> Reply:
    location = locations.known(call["location"])
    if location is None:
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{call['location']}' and API version "
            f"'{call.query['api-version']}' for type 'locations/usages'. The supported locations are "
            f"'{locations.NAMES}'.",
        )
    used = usage(call.cloud, call["sub"], location)
    pools = sum(1 for _ in call.cloud.store.find(kind="Microsoft.ContainerService/managedClusters"))
    rows = [
        ("availabilitySets", "Availability Sets", 0, 2500),
        (CORES, "Total Regional vCPUs", used[CORES], limit(call.cloud, location, CORES)),
        ("virtualMachines", "Virtual Machines", 0, 25000),
        ("virtualMachineScaleSets", "Virtual Machine Scale Sets", pools, 2500),
        ("dedicatedVCpus", "Dedicated vCPUs", 0, 3000),
        ("cloudServices", "Cloud Services", 0, 2500),
        (SPOT, "Total Regional Low-priority vCPUs", used[SPOT], limit(call.cloud, location, SPOT)),
        *(
            (USAGE_NAMES.get(name, name), _localized(name), used[name], limit(call.cloud, location, name))
            for name in families()
        ),
        ("PremiumDiskCount", "Premium Storage Managed Disks", 0, 50000),
    ]
    values = [
        {
            "unit": "Count",
            "currentValue": current,
            "limit": most,
            "name": {"value": name, "localizedValue": localized},
        }
        for name, localized, current, most in rows
    ]
    # real lists have a row whose name has no value, and families without a row
    values.append({"unit": "Count", "currentValue": 0, "limit": 0, "name": {"localizedValue": "Reserved"}})
    return page(call, values, call.cloud.config.page_size)


def _localized(family: str) -> str:
    middle = re.sub(r"^standard|Family$", "", family, flags=re.IGNORECASE)
    return f"Standard {middle} Family vCPUs"
