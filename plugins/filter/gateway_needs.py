# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gateway_needs
short_description: What a gateway needs for its routes
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Turns the routes and the issuers of a gateway into options of M(mcpops.platform.gateway), so that both come from one
    declaration.
options:
  _input:
    description: Routes, as O(mcpops.platform.gateway_route#module:routes).
    type: list
    elements: dict
    required: true
  auth:
    description: Issuers, as O(mcpops.platform.gateway_route#module:auth).
    type: list
    elements: dict
    default: []
  namespace:
    description: Namespace of routes that name none.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Namespaces that routes may attach from
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'echo'}] | mcpops.platform.gateway_needs([], 'mcp')).route_namespaces }}"
"""

RETURN = r"""
_value:
  description: The options C(route_namespaces), C(callers), C(backends) and C(issuer_ports).
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..module_utils.gateway.access_spec import keys_of
from ..module_utils.names import namespace_problems

DEFAULT_PORT = 3000
DEFAULT_CLAIM = "sub"
HTTPS_PORT = 443


def gateway_needs(
    routes: Sequence[Mapping[str, Any]], auth: Sequence[Mapping[str, Any]], namespace: str
) -> dict[str, Any]:
    named = [(str(one.get("namespace") or namespace), _port(one)) for one in routes]
    # gateway_route says what is wrong with the others, by their own variables
    places = [row for row in named if not namespace_problems("", row[0])]
    own = [] if named or namespace_problems("", namespace) else [namespace]
    return {
        "route_namespaces": sorted({place for place, _port in places}) or own,
        "callers": [{"name": one["name"], "claim": one.get("caller_claim") or DEFAULT_CLAIM} for one in auth],
        "backends": [{"namespace": place, "port": port} for place, port in sorted(set(places))],
        "issuer_ports": sorted({port for one in auth for port in _issuer_ports(one)}),
    }


def _issuer_ports(auth: Mapping[str, Any]) -> list[int]:
    """Where the keys of an issuer are fetched; none of a ConfigMap's."""
    try:
        keys = urlsplit(keys_of(auth))
        return [keys.port or HTTPS_PORT] if keys.hostname else []
    except (KeyError, ValueError):
        # gateway_route says what is wrong with it
        return []


def _port(route: Mapping[str, Any]) -> int:
    return int(route.get("pod_port") or route.get("port") or DEFAULT_PORT)


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gateway_needs": gateway_needs}
