# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records lead to a gateway, and in which zone they are."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.filter.gateway_records import gateway_records

ZONE = {"name": "example.com", "resource_group": "rg-dns"}
PRIVATE = {**ZONE, "private": True, "ttl": 60}
BELOW = {"name": "mcp.Example.com", "resource_group": "rg-mcp"}

CASES: dict[str, tuple[list[dict[str, Any]], list[str], list[str]]] = {
    "a wildcard": ([ZONE], ["*.mcp.example.com"], ["example.com/*.mcp"]),
    "the zone itself": ([ZONE], ["example.com"], ["example.com/@"]),
    "one of others": ([ZONE], ["agents.example.org", "badexample.com"], []),
    "a zone below": ([ZONE, BELOW], ["a.example.com", "b.MCP.example.com"], ["example.com/a", "mcp.Example.com/b"]),
    "the same name twice": ([ZONE], ["a.example.com", "A.example.com"], ["example.com/a"]),
    "both services": ([ZONE, PRIVATE], ["a.example.com"], ["example.com/a", "example.com/a"]),
    "no zone": ([], ["a.example.com"], []),
}


@pytest.mark.parametrize(("zones", "hosts", "expected"), CASES.values(), ids=CASES)
def test_names_lie_in_zones(zones: list[dict[str, Any]], hosts: list[str], expected: list[str]) -> None:
    assert [one["name"] for one in gateway_records(zones, [{"hostname": host} for host in hosts])] == expected


def test_each_service_has_its_own_words() -> None:
    listeners = [{"hostname": "a.example.com"}]
    public, private = gateway_records([ZONE, PRIVATE], listeners, ["192.0.2.1", "192.0.2.1", "::1", "lb.example.net"])
    assert public == {
        "type": "Microsoft.Network/dnsZones/A",
        "resource_group": "rg-dns",
        "name": "example.com/a",
        "properties": {"TTL": 300, "ARecords": [{"ipv4Address": "192.0.2.1"}]},
    }
    assert private["type"] == "Microsoft.Network/privateDnsZones/A"
    assert private["properties"] == {"ttl": 60, "aRecords": [{"ipv4Address": "192.0.2.1"}]}


def test_an_address_that_is_not_known_is_not_declared() -> None:
    (record,) = gateway_records([ZONE], [{"hostname": "a.example.com"}], [])
    assert record["properties"] == {"TTL": 300}
