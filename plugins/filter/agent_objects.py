# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: agent_objects
short_description: The objects of which declared agents consist
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Turns agents as M(mcpops.platform.agent_workload) takes them into the objects that it makes, for the option
    O(mcpops.platform.k8s_preflight#module:definitions). So the nodes and the metrics that they need are looked at
    before they are made.
  - Secrets are left out. Of what the module would refuse there is nothing.
options:
  _input:
    description: Agents as in M(mcpops.platform.agent_workload).
    type: list
    elements: dict
    required: true
  namespace:
    description: Namespace of those that name none.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Can this cluster take the agents?
  mcpops.platform.k8s_preflight:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    definitions: "{{ mcpops_agents | mcpops.platform.agent_objects('agents') }}"
"""

RETURN = r"""
_value:
  description: Objects of Kubernetes.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ..module_utils.agents.agent_workload import declared_from
from ..modules import agent_workload
from ..plugin_utils.stated_options import stated_options


def agent_objects(agents: list[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
    options = stated_options(agent_workload.ARGUMENT_SPEC, {"namespace": namespace, "agents": agents})
    if options is None or agent_workload.PROBLEMS({**options, "kubeconfig": None}):
        return []
    return [dict(item) for item in declared_from(options).objects() if item["kind"] != "Secret"]


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"agent_objects": agent_objects}
