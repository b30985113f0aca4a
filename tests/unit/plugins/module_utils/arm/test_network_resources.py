# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of addresses, zones and records before Azure is asked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.azure_resource import problems
from ansible_collections.mcpops.platform.plugins.module_utils.option_problems import LATER

BASE: dict[str, Any] = {"state": "present", "resource_group": "rg", "wait_timeout": 60}
ADDRESS = {**BASE, "type": "Microsoft.Network/publicIPAddresses", "name": "pip", "location": "eastus2"}
PUBLIC = {**BASE, "type": "Microsoft.Network/dnsZones/A", "name": "example.com/*.mcp"}
PRIVATE = {**BASE, "type": "microsoft.network/PRIVATEDNSZONES/a", "name": "example.com/@"}
ZONE = {**BASE, "type": "Microsoft.Network/dnsZones", "name": "example.com"}


def labelled(text: Any) -> dict[str, Any]:
    return {"properties": {"dnsSettings": {"domainNameLabel": text}}}


ACCEPTED: dict[str, dict[str, Any]] = {
    "an address": {**ADDRESS, "sku": {"name": "standard"}, "properties": {"publicIPAllocationMethod": "Static"}},
    "with zones": {**ADDRESS, "zones": ["1", "2", "3"]},
    "with a label": {**ADDRESS, **labelled("way-in")},
    "a label that is not known yet": {**ADDRESS, **labelled(LATER)},
    "a record": {**PUBLIC, "properties": {"TTL": 300, "ARecords": [{"ipv4Address": "192.0.2.1"}]}},
    "a record of an address that is not known yet": {**PUBLIC, "properties": {"ARecords": [{"ipv4Address": LATER}]}},
    "a private record": {**PRIVATE, "properties": {"ttl": 1, "aRecords": []}},
    "a zone": {**ZONE, "location": "Global"},
    "what goes": {**ADDRESS, "state": "absent", "sku": {"name": "Basic"}},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the retired SKU": ({**ADDRESS, "sku": {"name": "Basic"}}, "sku.name"),
    "an address that changes": (
        {**ADDRESS, "properties": {"publicIPAllocationMethod": "Dynamic"}},
        "properties.publicIPAllocationMethod",
    ),
    "a fourth zone": ({**ADDRESS, "zones": ["1", "4"]}, "zones[1]"),
    "a label of two": ({**ADDRESS, **labelled("ab")}, "properties.dnsSettings.domainNameLabel"),
    "a label with capitals": ({**ADDRESS, **labelled("Way-In")}, "properties.dnsSettings.domainNameLabel"),
    "a name that ends with a hyphen": ({**ADDRESS, "name": "pip-"}, "name"),
    "no time": ({**PUBLIC, "properties": {"TTL": 0}}, "properties.TTL"),
    "no number": ({**PRIVATE, "properties": {"ttl": "soon"}}, "properties.ttl"),
    "no address": (
        {**PUBLIC, "properties": {"ARecords": [{"ipv4Address": "192.0.2.1"}, {"ipv4Address": "::1"}]}},
        "properties.ARecords[1].ipv4Address",
    ),
    "a zone of a region": ({**ZONE, "location": "eastus2"}, "location"),
}


@pytest.mark.parametrize("options", ACCEPTED.values(), ids=ACCEPTED)
def test_it_is_accepted(options: dict[str, Any]) -> None:
    assert problems(options) == []


@pytest.mark.parametrize(("options", "path"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused(options: dict[str, Any], path: str) -> None:
    assert [problem.path for problem in problems(options)] == [path]
