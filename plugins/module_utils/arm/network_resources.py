# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Microsoft.Network refuses of public IP addresses and of A records, told before it is asked. Pure.

Addresses: azure-mgmt-network 33.1, and https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses.
Labels: the expression that Azure's refusals name. Records: azure-mgmt-dns 9.0, azure-mgmt-privatedns 2.0.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Problem
from ..option_problems import LATER
from . import names
from .resource_plan import locate

LABEL = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
ZONES = ("1", "2", "3")
LONGEST_TTL = 2147483647
_SKUS = ("standard", "standardv2")
_RECORDS = {
    f"{names.DNS_ZONES}/A".lower(): ("TTL", "ARecords"),
    f"{names.PRIVATE_DNS_ZONES}/A".lower(): ("ttl", "aRecords"),
}
"""How the two services spell the same."""


def network_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the options of azure_resource for a public IP address or a record set."""
    if params["state"] != "present":
        return
    kind = locate(params, "")[1].lower()
    declared = params.get("properties")
    properties = declared if isinstance(declared, Mapping) else {}
    if kind == names.PUBLIC_ADDRESSES.lower():
        yield from _address(params, properties)
    elif kind in _RECORDS:
        yield from _records(properties, *_RECORDS[kind])
    elif kind in (names.DNS_ZONES.lower(), names.PRIVATE_DNS_ZONES.lower()):
        location = params.get("location", LATER)
        if location not in (LATER, None) and str(location).lower() != "global":
            yield Problem("location", f"{location!r} is not where a zone is: it takes global")


def _address(params: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[Problem]:
    sku = (params.get("sku") or {}).get("name", LATER)
    if sku is not LATER and str(sku).lower() not in _SKUS:
        yield Problem("sku.name", f"{sku!r} is not a SKU of public IP addresses: it takes Standard (Basic is retired)")
    method = properties.get("publicIPAllocationMethod", LATER)
    if method is not LATER and str(method).lower() != "static":
        yield Problem("properties.publicIPAllocationMethod", f"{method!r} is not what SKU Standard takes: Static")
    for index, zone in enumerate(params.get("zones") or ()):
        if zone is not LATER and str(zone) not in ZONES:
            yield Problem(f"zones[{index}]", f"{zone!r} is not an availability zone: it takes {', '.join(ZONES)}")
    settings = properties.get("dnsSettings")
    label = settings.get("domainNameLabel", LATER) if isinstance(settings, Mapping) else LATER
    if label is not LATER and not LABEL.fullmatch(str(label)):
        sentence = "3 to 63 lower-case letters, digits and -, starting with a letter and not ending with -"
        yield Problem("properties.dnsSettings.domainNameLabel", f"{label!r} is not a valid label: it takes {sentence}")


def _records(properties: Mapping[str, Any], ttl_key: str, records_key: str) -> Iterator[Problem]:
    ttl = properties.get(ttl_key, LATER)
    if ttl is not LATER and not (str(ttl).isdigit() and 1 <= int(ttl) <= LONGEST_TTL):
        yield Problem(f"properties.{ttl_key}", f"{ttl!r} is not a number of seconds from 1 to {LONGEST_TTL}")
    records = properties.get(records_key)
    for index, record in enumerate(records if isinstance(records, list) else ()):
        address = record.get("ipv4Address", LATER) if isinstance(record, Mapping) else LATER
        if address is not LATER and not _is_address(address):
            yield Problem(f"properties.{records_key}[{index}].ipv4Address", f"{address!r} is not an IPv4 address")


def _is_address(text: Any) -> bool:
    try:
        ipaddress.IPv4Address(str(text))
    except ValueError:
        return False
    return True
