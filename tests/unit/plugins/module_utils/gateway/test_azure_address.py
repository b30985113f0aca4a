# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site says of its gateway's address in Azure, and what of it does not fit together."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.gateway.domain import DOMAIN
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import Host

LISTENERS = [{"hostname": "*.mcp.example.com", "tls": {"secret": "a"}}]
ADDRESS = {"name": "pip", "resource_group": "rg-ip"}
ZONE = {"name": "example.com", "resource_group": "rg-dns"}
FIT: dict[str, dict[str, Any]] = {
    "neither": {"gateway_public_ip": {}, "gateway_dns_zones": []},
    "both": {"gateway_public_ip": ADDRESS, "gateway_dns_zones": [ZONE, {**ZONE, "private": True}]},
    "the zone itself": {"gateway_dns_zones": [{**ZONE, "name": "MCP.example.com"}]},
    "an address of one's own": {"gateway_address": {"public_ip": ADDRESS}},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"gateway_public_ip": {"resource_group": "rg-ip"}}, "gateway_public_ip.name"),
    "no group": ({"gateway_public_ip": {"name": "pip"}}, "gateway_public_ip.resource_group"),
    "two addresses": (
        {"gateway_public_ip": ADDRESS, "gateway_address": {"public_ip": ADDRESS}},
        "gateway_address.public_ip",
    ),
    "internal": ({"gateway_public_ip": ADDRESS, "gateway_address": {"internal": True}}, "gateway_address.internal"),
    "another one": ({"gateway_public_ip": ADDRESS, "gateway_address": {"ip": "192.0.2.1"}}, "gateway_address.ip"),
    "another's label": (
        {"gateway_public_ip": ADDRESS, "gateway_address": {"dns_label": "way-in"}},
        "gateway_address.dns_label",
    ),
    "a renderer of others": ({"gateway_public_ip": ADDRESS, "gateway_renderer": "plain"}, "gateway_public_ip"),
    "a zone of nobody": ({"gateway_dns_zones": [ZONE, {**ZONE, "name": "ple.com"}]}, "gateway_dns_zones[1].name"),
    "records twice": (
        {"gateway_dns_zones": [ZONE], "gateway_address": {"external_dns": True}},
        "gateway_address.external_dns",
    ),
}


def findings(**variables: Any) -> list[str]:
    host = Host("one", ("clusters",), {"gateway_listeners": LISTENERS, **variables}, roles=("gateway",))
    return [path for rule in DOMAIN.host_rules for path, _message in rule(host)]


@pytest.mark.parametrize("variables", FIT.values(), ids=FIT)
def test_it_fits(variables: dict[str, Any]) -> None:
    assert findings(**variables) == []


@pytest.mark.parametrize(("variables", "path"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused(variables: dict[str, Any], path: str) -> None:
    assert findings(**variables) == [path]
