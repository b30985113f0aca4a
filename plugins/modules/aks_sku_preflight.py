#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aks_sku_preflight
short_description: Finds a virtual machine size that a node pool can have
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Takes the first of O(candidates) that the location offers to the subscription, that has the wanted architecture,
    memory, zones and so on, and that fits into the quota of its family and of the region together with the nodes that
    an upgrade adds.
  - What a size has is read from the service's capabilities, never from its name.
  - With O(node_pools), what the new pools before it get is no longer there for the pool in question, and the surge of
    one upgrade at a time counts. Spot nodes count against the quota of low-priority vCPUs only.
  - Fails when none fits, with every reason of every candidate and what would help.
  - The size of a node pool that exists is taken as it is; that costs one request.
  - With O(node_pools), M(mcpops.platform.aks_cluster) creates the pool with the size that is found here, if it gets the
    same pools and, in its C(vm_size_selection), the same values.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.node_pools
  - mcpops.platform.attributes.info
  - mcpops.platform.files
options:
  location:
    description: Azure region.
    type: str
    required: true
  candidates:
    description:
      - Sizes in the order in which they are wanted.
      - With O(node_pools), for a pool without candidates of its own. If it names a size (by option or raw property),
        only that is looked at, whatever O(architecture) and O(allow_burstable) say.
    type: list
    elements: str
    required: true
  node_count:
    description: Nodes of the pool; with an autoscaler the most it may have.
    type: int
    default: 1
  surge_nodes:
    description: Nodes that an upgrade adds for a while.
    type: int
    default: 1
  architecture:
    description: CPU architecture; V(amd64) is V(x64). Any if not set.
    type: str
    choices: [x64, amd64, arm64]
  allow_burstable:
    description: Whether sizes of a burstable family are good enough.
    type: bool
    default: false
  zones:
    description: Availability zones that the size must be available in, all of them.
    type: list
    elements: str
  system_pool:
    description: Whether it is for a system pool, which needs 2 vCPUs and 4 GiB of memory.
    type: bool
    default: false
  min_memory_gb:
    description: Least memory, in GiB.
    type: float
  ephemeral_os_disk:
    description: Whether the size must support an ephemeral OS disk.
    type: bool
    default: false
  os_disk_size_gb:
    description: Size of the OS disk in GB; an ephemeral one must fit the cache or the temporary disk of the size.
    type: int
  gpu:
    description: Whether the size must have a GPU.
    type: bool
    default: false
  spot:
    description: Whether it is for Spot nodes, which count against the quota of low-priority vCPUs only.
    type: bool
    default: false
  cluster_name:
    description: Cluster whose node pool, if it exists, keeps its size. Needs O(resource_group) and O(node_pool).
    type: str
  resource_group:
    description: Resource group of the cluster.
    type: str
  node_pool:
    description: Name of the node pool; with O(node_pools) the one that a size is looked for.
    type: str
"""

EXAMPLES = r"""
- name: A size for three nodes
  mcpops.platform.aks_sku_preflight:
    location: eastus2
    candidates: [Standard_D4s_v5, Standard_D4s_v4, Standard_D4s_v3]
    node_count: 3
    system_pool: true
  register: size

- name: The size that aks_cluster will give to a pool
  mcpops.platform.aks_sku_preflight:
    location: eastus2
    candidates: [Standard_D4s_v5, Standard_D4s_v4]
    cluster_name: agents
    resource_group: rg-agents
    node_pools:
      - name: system
        mode: System
        count: 2
      - name: work
        enable_auto_scaling: true
        min_count: 1
        max_count: 5
    node_pool: work

- name: A size for arm64 nodes, unless the pool exists
  mcpops.platform.aks_sku_preflight:
    location: eastus2
    candidates: [Standard_D4ps_v5, Standard_D4ps_v6]
    node_count: 2
    architecture: arm64
    cluster_name: agents
    resource_group: rg-agents
    node_pool: arm
"""

RETURN = r"""
vm_size:
  description: The size in the service's spelling; null, with a note, before Microsoft.Compute is registered.
  returned: success
  type: str
  sample: Standard_D4s_v5
source:
  description: Where it comes from, V(candidates), V(existing_pool) or V(unknown).
  returned: success
  type: str
selected:
  description: The size with its family, vCPUs, memory and architecture; only its name for an existing pool.
  returned: success
  type: dict
  sample: {name: Standard_D4s_v5, family: standardDSv5Family, vcpus: 4, memory_gb: 16, architecture: x64}
candidates:
  description: What was found about each candidate up to the one that fits.
  returned: always
  type: list
  elements: dict
  sample:
    - vm_size: Standard_D4s_v5
      viable: false
      codes: [FamilyQuota]
      reasons: [needs 16 vCPUs]
"""

from typing import Any

from ..module_utils.arm import aks_sku_preflight
from ..module_utils.arm.aks.spec import POOL_ARGUMENTS
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "location": {"type": "str", "required": True},
    "candidates": {"type": "list", "elements": "str", "required": True},
    "node_count": {"type": "int", "default": 1},
    "surge_nodes": {"type": "int", "default": 1},
    "architecture": {"type": "str", "choices": ["x64", "amd64", "arm64"]},
    "allow_burstable": {"type": "bool", "default": False},
    "zones": {"type": "list", "elements": "str"},
    "system_pool": {"type": "bool", "default": False},
    "min_memory_gb": {"type": "float"},
    "ephemeral_os_disk": {"type": "bool", "default": False},
    "os_disk_size_gb": {"type": "int"},
    "gpu": {"type": "bool", "default": False},
    "spot": {"type": "bool", "default": False},
    "cluster_name": {"type": "str"},
    "resource_group": {"type": "str"},
    "node_pools": {"type": "list", "elements": "dict", "options": POOL_ARGUMENTS},
    "node_pool": {"type": "str"},
}
RULES = {
    "required_by": {"cluster_name": ["resource_group", "node_pool"], "node_pools": ["node_pool"]},
    # what a declared pool says itself
    "mutually_exclusive": [
        ["node_pools", option]
        for option in ("node_count", "zones", "system_pool", "ephemeral_os_disk", "os_disk_size_gb", "spot")
    ],
}
PROBLEMS = aks_sku_preflight.problems
OPERATION = aks_sku_preflight.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
