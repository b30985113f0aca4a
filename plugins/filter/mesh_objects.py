# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_objects
short_description: The objects of which a declared mesh consists
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Turns a registry and agents as M(mcpops.platform.mesh_registry) and M(mcpops.platform.mesh_agent) take them into the
    objects that these make, for the option O(mcpops.platform.k8s_preflight#module:definitions). So the nodes, the
    StorageClass and the metrics that a mesh needs are looked at before it is made.
  - Secrets and the code of agents are left out. Of what the modules would refuse there is nothing.
options:
  _input:
    description: Options of M(mcpops.platform.mesh_registry). Without C(namespace) there is no registry.
    type: dict
    required: true
  agents:
    description: Agents as in M(mcpops.platform.mesh_agent).
    type: list
    elements: dict
    default: []
  namespace:
    description: Namespace of the agents.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Can this cluster take a mesh of one registry and its agents?
  mcpops.platform.k8s_preflight:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    definitions: "{{ {'namespace': 'mcp-mesh'} | mcpops.platform.mesh_objects(mcpops_mesh_agents, 'mcp-mesh') }}"
"""

RETURN = r"""
_value:
  description: Objects of Kubernetes.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ..module_utils.mesh.agent_spec import DeclaredAgent, Mesh, agent_objects
from ..module_utils.mesh.backup_spec import backup_objects
from ..module_utils.mesh.registry_spec import PORT, DeclaredRegistry, registry_objects
from ..modules import mesh_agent, mesh_registry
from ..plugin_utils.stated_options import stated_options


def mesh_objects(
    registry: dict[str, Any], agents: list[dict[str, Any]] | None = None, namespace: str = ""
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    options = stated_options(mesh_registry.ARGUMENT_SPEC, registry) if registry.get("namespace") else None
    if options is not None:
        declared = DeclaredRegistry(options)
        found += [*registry_objects(declared), *backup_objects(declared)]
    task = stated_options(mesh_agent.ARGUMENT_SPEC, {"namespace": namespace, "agents": agents or []})
    mesh = Mesh(namespace, "", namespace, PORT)
    for agent in (task or {}).get("agents") or []:
        found += agent_objects(DeclaredAgent(agent), mesh)
    return [item for item in found if item["kind"] != "Secret"]


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mesh_objects": mesh_objects}
