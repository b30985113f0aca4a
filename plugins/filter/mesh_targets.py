# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_targets
short_description: What mcp_probe is to ask of the agents of a mesh
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Joins calls of agents with their Services into entries of the option O(mcpops.platform.mcp_probe#module:servers).
    Agents that are not called are not asked.
options:
  _input:
    description:
      - Entries with C(agent) and whatever else an entry of O(ignore:servers) takes, such as C(tool), C(arguments) and
        C(expect_regex).
    type: list
    elements: dict
    required: true
  agents:
    description: Agents as in M(mcpops.platform.mesh_agent).
    type: list
    elements: dict
    required: true
  namespace:
    description: Namespace of the agents.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A call that an agent answers with what another one tells it
  mcpops.platform.mcp_probe:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    servers: >-
      {{ [{'agent': 'greeter', 'tool': 'greet', 'arguments': {'name': 'Ada'}, 'expect_regex': 'Ada, it is [0-9]{4}-'}]
         | mcpops.platform.mesh_targets(mcpops_mesh_agents, 'mcp-mesh') }}
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

from ..module_utils.mesh.agent_spec import DEFAULT_PORT


def mesh_targets(calls: list[dict[str, Any]], agents: list[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
    known = {agent["name"]: agent for agent in agents}
    unknown = [str(call["agent"]) for call in calls if call["agent"] not in known]
    if unknown:
        raise AnsibleFilterError(
            f"Calls are declared for {', '.join(unknown)}, not an agent of this mesh; it has "
            f"{', '.join(known) or 'none'}."
        )
    return [_target(call, known[call["agent"]], namespace) for call in calls]


def _target(call: dict[str, Any], agent: dict[str, Any], namespace: str) -> dict[str, Any]:
    address = {"name": agent["name"], "namespace": namespace, "port": agent.get("port") or DEFAULT_PORT}
    return {**address, **{key: value for key, value in call.items() if key != "agent"}}


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mesh_targets": mesh_targets}
