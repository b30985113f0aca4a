# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: probe_targets
short_description: What mcp_probe is to ask, from the servers and the declared calls
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Joins servers as M(mcpops.platform.mcp_server) takes them with tool calls into entries of the option
    O(mcpops.platform.mcp_probe#module:servers).
  - A server with several calls appears once a call, a server without one appears once.
options:
  _input:
    description: Servers as in M(mcpops.platform.mcp_server).
    type: list
    elements: dict
    required: true
  calls:
    description:
      - Entries with C(server) and whatever else an entry of O(ignore:servers) takes, such as C(tool), C(arguments),
        C(expect) and C(headers).
    type: list
    elements: dict
    required: true
  namespace:
    description: Namespace of servers that name none.
    type: str
    required: true
  how_only:
    description: Leave out what is called and expected, and calls by an address of their own.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: One handshake and one call
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'echo', 'port': 3000}] | mcpops.platform.probe_targets(
         [{'server': 'echo', 'tool': 'echo', 'arguments': {'text': 'hello'}, 'expect': 'hello'}], 'mcp') }}
"""

RETURN = r"""
_value:
  description: Entries for the option O(mcpops.platform.mcp_probe#module:servers).
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

# what an entry says of how a server is asked, and not of what
HOW = ("name", "namespace", "port", "path", "headers", "via", "era")


def probe_targets(
    servers: list[dict[str, Any]], calls: list[dict[str, Any]], namespace: str, how_only: bool = False
) -> list[dict[str, Any]]:
    known = [server["name"] for server in servers]
    unknown = [call["server"] for call in calls if call["server"] not in known]
    if unknown:
        raise AnsibleFilterError(
            f"Calls are declared for {', '.join(unknown)}, not an MCP server of this site; "
            f"it has {', '.join(known) or 'none'}."
        )
    targets = [target for server in servers for target in _targets(server, calls, namespace)]
    if not how_only:
        return targets
    # an address of its own leads around the cluster
    inside = [target for target in targets if not target.get("url")]
    return [{key: target[key] for key in HOW if key in target} for target in inside]


def _targets(server: dict[str, Any], calls: list[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
    address = {"name": server["name"], "namespace": server.get("namespace") or namespace}
    address.update({key: server[key] for key in ("port", "path") if server.get(key)})
    own = [call for call in calls if call["server"] == server["name"]]
    return [_joined(address, call) for call in own] or [address]


def _joined(address: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """A call by an address of its own goes there, with the server's name for messages."""
    where = {"name": address["name"]} if call.get("url") else address
    return {**where, **{key: call[key] for key in call if key != "server"}}


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"probe_targets": probe_targets}
