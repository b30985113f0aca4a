# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_expected
short_description: What a mesh registry must say of declared agents
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Turns agents as M(mcpops.platform.mesh_agent) takes them into entries of the option
    O(mcpops.platform.mesh_registry_info#module:agents), with the Service that each must announce.
  - An agent with V(0) replicas must not be registered. Of one that is scaled by its load, the fewest pods are expected.
options:
  _input:
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
- name: Wait until two agents have found each other
  mcpops.platform.mesh_registry_info:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    agents: "{{ mcpops_mesh_agents | mcpops.platform.mesh_expected('mcp-mesh') }}"
"""

RETURN = r"""
_value:
  description: Entries for the option O(mcpops.platform.mesh_registry_info#module:agents).
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping
from typing import Any


def mesh_expected(agents: list[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
    return [_expected(agent, namespace) for agent in agents]


def _expected(agent: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    replicas = _fewest(agent)
    if not replicas:
        return {"name": agent["name"], "replicas": 0}
    return {
        "name": agent["name"],
        "replicas": replicas,
        "host": f"{agent['name']}.{namespace}",
        "capabilities": agent.get("capabilities") or [],
        "dependencies": agent.get("dependencies") or [],
    }


def _fewest(agent: Mapping[str, Any]) -> int:
    scaling = agent.get("autoscaling")
    stated = scaling.get("min_replicas") if scaling else agent.get("replicas")
    return 1 if stated is None else int(stated)


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mesh_expected": mesh_expected}
