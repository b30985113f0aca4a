# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gateway_records
short_description: Which records of a gateway belong into which DNS zone
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Gives one entry for each zone and each host name of a listener that lies in it. A name that a declared zone below
    has is that zone's. Names that are in no declared zone are left to others.
options:
  _input:
    description: Zones of Azure DNS, as O(mcpops.platform.gateway#role:gateway_dns_zones).
    type: list
    elements: dict
    required: true
  listeners:
    description: Listeners, as O(mcpops.platform.gateway#module:listeners).
    type: list
    elements: dict
    required: true
  addresses:
    description:
      - The gateway's addresses; empty while none is known. What is not an IPv4 address has no place in an A record.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: The record of a wildcard
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'example.com', 'resource_group': 'rg-dns'}]
         | mcpops.platform.gateway_records([{'hostname': '*.mcp.example.com'}], ['203.0.113.10']) }}
"""

RETURN = r"""
_value:
  description: Record sets with C(type), C(resource_group), C(name) (C(ZONE/RECORD)) and C(properties).
  type: list
  elements: dict
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..module_utils.arm import names

DEFAULT_TTL = 300
APEX = "@"


def gateway_records(
    zones: Sequence[Mapping[str, Any]], listeners: Sequence[Mapping[str, Any]], addresses: Iterable[str] = ()
) -> list[dict[str, Any]]:
    known = [{"ipv4Address": one} for one in dict.fromkeys(map(str, addresses)) if _is_ipv4(one)]
    hosts = list(dict.fromkeys(str(one["hostname"]).lower() for one in listeners))
    return [_record(zone, host, known) for zone in zones for host in hosts if _is_its(zone, host, zones)]


def _is_its(zone: Mapping[str, Any], host: str, zones: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it is in the zone, and in none below it. A public and a private zone may share a name."""
    inside = [name for name in {str(one["name"]).lower() for one in zones} if host == name or host.endswith(f".{name}")]
    return str(zone["name"]).lower() == max(inside, key=len, default="")


def _record(zone: Mapping[str, Any], host: str, known: list[dict[str, str]]) -> dict[str, Any]:
    name, private = str(zone["name"]), bool(zone.get("private"))
    ttl = int(zone.get("ttl") or DEFAULT_TTL)
    records = {"aRecords" if private else "ARecords": known} if known else {}
    return {
        "type": f"{names.PRIVATE_DNS_ZONES if private else names.DNS_ZONES}/A",
        "resource_group": zone["resource_group"],
        "name": f"{name}/{host[: -len(name)].rstrip('.') or APEX}",
        "properties": {"ttl" if private else "TTL": ttl, **records},
    }


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gateway_records": gateway_records}
