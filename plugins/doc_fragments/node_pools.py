# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node pool is declared to be."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  node_pools:
    description:
      - Node pools by name. A new cluster needs one of mode V(System); where no pool says its mode, the first is it.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the pool.
        type: str
        required: true
      mode:
        description: Whether the cluster's own components run there; V(Gateway) is for static egress gateways.
        type: str
        choices: [System, User, Gateway]
      count:
        description: Number of nodes; with the autoscaler only where it starts. 1 for a new pool if not set.
        type: int
      enable_auto_scaling:
        description: Whether the autoscaler decides the number of nodes.
        type: bool
      min_count:
        description: Least number of nodes of the autoscaler.
        type: int
      max_count:
        description: Greatest number of nodes of the autoscaler.
        type: int
      vm_size:
        description: Size of the virtual machines.
        type: str
      vm_size_candidates:
        description:
          - Sizes in the order in which they are wanted, instead of O(node_pools[].vm_size). The first that location,
            subscription and quota allow is taken when the pool is created; an existing pool keeps its size.
          - The quota is asked for the most nodes that the pool may have, and those that an upgrade adds.
          - Where Azure refuses a size for want of capacity, quota or a zone although its lists allow it, the next one
            is taken. What the refused operation left (a pool or a cluster of this very task that never ran) is deleted
            first.
        type: list
        elements: str
      min_memory_gb:
        description: Least memory, in GiB, of a size that is chosen from O(node_pools[].vm_size_candidates).
        type: float
      gpu:
        description: Whether a size that is chosen must have a GPU.
        type: bool
        default: false
      os_disk_type:
        description: Kind of the OS disk.
        type: str
        choices: [Managed, Ephemeral]
      os_disk_size_gb:
        description: Size of the OS disk in GB; 0 is the default of the size.
        type: int
      os_sku:
        description: Operating system, for example V(Ubuntu) or V(AzureLinux).
        type: str
      max_pods:
        description: Most pods on a node.
        type: int
      labels:
        description:
          - Labels of the nodes; others stay unless O(node_pools[].purge_labels). Null removes one.
          - Numbers and booleans become the text that they are written as (V(1), V(true)).
        type: dict
      purge_labels:
        description: Whether to remove labels that are not listed; those that AKS itself sets stay.
        type: bool
        default: false
      taints:
        description: Taints of the nodes, C(key=value:effect); all of them but the one that AKS gives to Spot pools.
        type: list
        elements: str
      zones:
        description: Availability zones, all of them.
        type: list
        elements: str
      properties:
        description:
          - Raw ARM properties of the pool that have no option here, merged and compared the same way. Names that the
            service does not know are refused; values get the type that the service has (text for labels and tags).
        type: dict
"""
