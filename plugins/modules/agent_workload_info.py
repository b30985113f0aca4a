#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_workload_info
short_description: Asks agents for their health, component by component, and whether they answer as expected
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Asks each agent (C(GET /health)) through the API server's proxy to its Service, so that the kubeconfig is all that
    it takes. The right C(get) on C(services/proxy) is needed, for O(calls) with a body C(create) as well.
  - That a Deployment is available says that its pods live. Whether the model, the cache and the tools behind an agent
    answer is what C(/health) tells, as C({"status", "components"}) with a C(status) for each component.
  - Every component that is not healthy is named, with what the agent says of it.
  - Then the calls of O(calls) are made, and the answers compared with what is expected.
  - It fails when O(wait_timeout) is over. In check mode it asks for the health once and calls nothing; what is not as
    expected is a note then, because a run that repairs it may come first.
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
    description: Namespace of the agents that name none.
    type: str
    required: true
  agents:
    description:
      - The agents, as in M(mcpops.platform.agent_workload). Of each, C(name), C(namespace) and C(service_port) are
        looked at, and C(health_path), an address instead of O(health_path).
    type: list
    elements: dict
    required: true
  health_path:
    description: Address of the health of agents that name none.
    type: str
    default: /health
  calls:
    description: Calls that the agents must answer, made one after the other.
    type: list
    elements: dict
    suboptions:
      agent:
        description: Name of the agent.
        type: str
        required: true
      namespace:
        description: Its namespace, where there are several of that name.
        type: str
      path:
        description: Address that is called.
        type: str
        required: true
      body:
        description: What is sent, as JSON, by C(POST); without it, the call is a C(GET).
        type: dict
      expect_status:
        description: Status of the answer; 200 if not set.
        type: int
      expect_regex:
        description: A regular expression that is found in the answer.
        type: str
      timeout:
        description: Longest wait for the answer in seconds; 60 if not set.
        type: int
  wait_timeout:
    description: Longest wait until all components are healthy, in seconds; 0 to ask once.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Healthy, and an answer that only a tool can give
  mcpops.platform.agent_workload_info:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: agents
    agents:
      - name: helper
    calls:
      - agent: helper
        path: /chat
        body:
          message: What does the echo server say to "hello"?
        expect_regex: hello
"""

RETURN = r"""
agents:
  description: One entry for each agent, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the agent.
      type: str
    namespace:
      description: Its namespace.
      type: str
    healthy:
      description: Whether it answers, and all its components are healthy.
      type: bool
    components:
      description: The state of each component, as the agent says it.
      type: dict
  sample:
    - name: helper
      namespace: agents
      healthy: true
      components:
        model: ok
        mcp/echo: ok
answers:
  description: One entry for each call that was made.
  returned: always
  type: list
  elements: dict
  contains:
    agent:
      description: Name of the agent.
      type: str
    namespace:
      description: Its namespace.
      type: str
    path:
      description: Address that was called.
      type: str
    status:
      description: Status of the answer; 0 where there was none in time.
      type: int
    duration_ms:
      description: How long it took, in milliseconds.
      type: int
    answer:
      description: The beginning of the answer.
      type: str
    as_expected:
      description: Whether it is as expected.
      type: bool
notes:
  description: In check mode, what is not as expected yet.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.agents import agent_workload_info
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

CALL: dict[str, Any] = {
    "agent": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "path": {"type": "str", "required": True},
    "body": {"type": "dict"},
    "expect_status": {"type": "int"},
    "expect_regex": {"type": "str"},
    "timeout": {"type": "int"},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "namespace": {"type": "str", "required": True},
    "agents": {"type": "list", "elements": "dict", "required": True},
    "health_path": {"type": "str", "default": "/health"},
    "calls": {"type": "list", "elements": "dict", "options": CALL},
    "wait_timeout": {"type": "int", "default": 60},
}

PROBLEMS = agent_workload_info.problems
OPERATION = agent_workload_info.info


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
