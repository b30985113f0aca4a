#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aks_cluster_info
short_description: Reads AKS clusters
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Reads one cluster, those of a resource group, or all of the subscription, without their credentials.
  - A cluster that does not exist is an empty list, not a failure.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.attributes.info
  - mcpops.platform.files
options:
  name:
    description: Name of one cluster; needs O(resource_group).
    type: str
  resource_group:
    description: Resource group of the cluster or clusters.
    type: str
"""

EXAMPLES = r"""
- name: One cluster
  mcpops.platform.aks_cluster_info:
    name: agents
    resource_group: rg-agents

- name: All clusters of the subscription
  mcpops.platform.aks_cluster_info:
"""

RETURN = r"""
clusters:
  description:
    - What RV(mcpops.platform.aks_cluster#module:cluster) holds, and C(properties) as ARM answers them.
  returned: success
  type: list
  elements: dict
"""

from typing import Any

from ..module_utils.arm import aks_cluster
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "name": {"type": "str"},
    "resource_group": {"type": "str"},
}
RULES = {"required_by": {"name": ["resource_group"]}}
PROBLEMS = aks_cluster.info_problems
OPERATION = aks_cluster.info


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
