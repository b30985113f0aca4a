#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_registry_info
short_description: Asks the registry of an MCP Mesh for its agents, and waits until they are as expected
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Asks the registry (C(GET /agents)) through the API server's proxy to its Service, so that the kubeconfig is all that
    it takes. The right C(get) on C(services/proxy) is needed.
  - That a Deployment is available says nothing about the mesh. The pods of agents are ready while they reach no
    registry, and C(/health) of the registry is healthy while its database is down. The list of agents tells both.
  - An agent is one row of the registry for each of its pods, with an id of its own that changes with every start.
    They are matched by name. Rows of pods that were replaced stay for an hour; they are marked RV(agents[].superseded)
    and never counted.
  - With O(agents) or O(capabilities) it waits until all of them are as expected, and fails with the reason for each
    that is not when O(wait_timeout) is over. Without, it waits for an answer only.
  - In check mode it asks once. What is not as expected is a note then, because a run that repairs it may come first.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes.info
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
options:
  namespace:
    description: Namespace of the registry's Service.
    type: str
    required: true
  service:
    description: Name of the registry's Service.
    type: str
    default: mcp-mesh-registry
  port:
    description: Port of the registry's Service.
    type: int
    default: 8000
  agents:
    description: Agents that are waited for, by name.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name by which the agent registers.
        type: str
        required: true
      replicas:
        description:
          - How many of its pods must at least be healthy; 1 if not set.
          - V(0) waits until none is registered as healthy any more.
        type: int
      host:
        description:
          - Service that the agent must announce as its address, as C(NAME.NAMESPACE). What DNS lets one add
            (C(.svc.cluster.local)) makes no difference.
        type: str
      capabilities:
        description: Capabilities that a healthy pod of this agent must offer.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the capability.
            type: str
            required: true
          version:
            description: Range in which its version must be, such as V(>=1.2.0, <2.0.0) or V(^1.2); any if not set.
            type: str
      dependencies:
        description: What the agent depends on, and the registry must have found a provider for.
        type: list
        elements: dict
        suboptions:
          capability:
            description: Name of the capability that it depends on.
            type: str
            required: true
          version:
            description: Range in which the version of the provider's capability must be; any if not set.
            type: str
          optional:
            description: Whether the agent does without it; that it is not resolved is a note then.
            type: bool
            default: false
  capabilities:
    description: Capabilities that some healthy agent must offer, whichever.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the capability.
        type: str
        required: true
      version:
        description: Range in which its version must be; any if not set.
        type: str
  fresh_within:
    description:
      - How many seconds ago an agent may have given its last sign of life, by the registry's own clock. The registry
        itself notices some 30 s late that an agent is gone.
      - It is what agents send every few seconds, and judged for those in O(agents).
    type: int
    default: 20
  wait_timeout:
    description: Longest wait in seconds. V(0) asks once.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: What the registry knows
  mcpops.platform.mesh_registry_info:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
  register: mesh

- name: Wait until two agents have found each other
  mcpops.platform.mesh_registry_info:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    agents:
      - name: dates
        replicas: 2
        host: dates.mcp-mesh
        capabilities:
          - name: date_service
            version: ">=1.0.0, <2.0.0"
      - name: greeter
        dependencies:
          - capability: date_service
            version: ^1.0
          - capability: weather_service
            optional: true
    wait_timeout: 120

- name: Wait until an agent has left
  mcpops.platform.mesh_registry_info:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    agents:
      - name: old
        replicas: 0
"""

RETURN = r"""
agents:
  description: The rows of the registry, by name and id; also when the task fails after validation.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the agent.
      type: str
    id:
      description: Of this start of this pod.
      type: str
    type:
      description: V(mcp_agent), V(api) or V(a2a).
      type: str
    runtime:
      description: Language of its runtime.
      type: str
    version:
      description: Version that it gives itself.
      type: str
    status:
      description: V(healthy), V(degraded), V(unhealthy) or V(offline).
      type: str
    superseded:
      description: Whether it is not healthy and another row of its name is, as after a restart.
      type: bool
    endpoint:
      description: Address under which other agents call it.
      type: str
    last_seen:
      description: Time of its last sign of life.
      type: str
    age_seconds:
      description: How long ago that was, by the registry's clock.
      type: float
    capabilities:
      description: What it offers, without what belongs to the runtime itself.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the capability.
          type: str
        version:
          description: Its version.
          type: str
        function:
          description: Name of the tool behind it.
          type: str
        tags:
          description: Its tags.
          type: list
          elements: str
        available:
          description: Whether the registry gives it to others.
          type: bool
        unavailable_reason:
          description: Why it does not.
          type: str
    dependencies:
      description: What its functions depend on.
      type: list
      elements: dict
      contains:
        capability:
          description: The capability.
          type: str
        function:
          description: The function that needs it.
          type: str
        status:
          description: V(available), V(unavailable) or V(unresolved).
          type: str
        provider:
          description: Id of the agent that the registry has chosen.
          type: str
        endpoint:
          description: Its address.
          type: str
  sample:
    - name: greeter
      id: greeter-3f9a1c20
      type: mcp_agent
      runtime: python
      version: 1.0.0
      status: healthy
      superseded: false
      endpoint: http://greeter.mcp-mesh.svc.cluster.local:8080
      last_seen: "2026-11-30T13:58:17.946398507Z"
      age_seconds: 1.2
      capabilities:
        - name: greeting
          version: 2.0.0
          function: greet
          tags: []
          available: true
          unavailable_reason: ""
      dependencies:
        - capability: date_service
          function: greet
          status: available
          provider: dates-0a1b2c3d
          endpoint: http://dates.mcp-mesh.svc.cluster.local:8080
notes:
  description: Optional dependencies that are not resolved; in check mode also what is not as expected yet.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.mesh import mesh_registry_info
from ..module_utils.module import run_module

CAPABILITY: dict[str, Any] = {"name": {"type": "str", "required": True}, "version": {"type": "str"}}
DEPENDENCY: dict[str, Any] = {
    "capability": {"type": "str", "required": True},
    "version": {"type": "str"},
    "optional": {"type": "bool", "default": False},
}
AGENT: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "replicas": {"type": "int"},
    "host": {"type": "str"},
    "capabilities": {"type": "list", "elements": "dict", "options": CAPABILITY},
    "dependencies": {"type": "list", "elements": "dict", "options": DEPENDENCY},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "namespace": {"type": "str", "required": True},
    "service": {"type": "str", "default": "mcp-mesh-registry"},
    "port": {"type": "int", "default": 8000},
    "agents": {"type": "list", "elements": "dict", "options": AGENT},
    "capabilities": {"type": "list", "elements": "dict", "options": CAPABILITY},
    "fresh_within": {"type": "int", "default": 20},
    "wait_timeout": {"type": "int", "default": 60},
}

PROBLEMS = mesh_registry_info.problems
OPERATION = mesh_registry_info.info


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
