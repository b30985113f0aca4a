#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aks_cluster
short_description: Manages an AKS cluster and its node pools
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Creates, updates and deletes a cluster of Azure Kubernetes Service.
  - Only what is declared is compared and changed. An option that is left out keeps its value; a list is the whole list;
    node pools are compared one by one, and pools that are not listed are left alone.
  - All problems of the options are reported together, and what the service cannot change in place is refused, before
    anything is changed.
  - An operation in progress on the cluster or one of its pools, for example of a run that was killed, is waited for
    first. After every wait everything is read and planned again. A cluster or a declared pool whose last operation
    failed is repaired by sending its declaration again.
  - The cluster and each of its pools are written by requests of their own, guarded by their own eTags. What others did
    to a pool meanwhile, for example scale it, stays.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.azure.owned
  - mcpops.platform.node_pools
  - mcpops.platform.attributes
  - mcpops.platform.files
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  resource_group:
    description: Resource group of the cluster.
    type: str
    required: true
  state:
    description:
      - V(absent) deletes the cluster. One that carries the tags of another owner is never deleted; with O(owner) one
        without tags is deleted only with O(force_delete).
    type: str
    choices: [present, absent]
    default: present
  location:
    description: Azure region; needed to create the cluster.
    type: str
  kubernetes_version:
    description:
      - Lowest Kubernetes version, V(1.34) or V(1.34.2). A cluster that the service has moved to a newer patch is as
        declared; so is one that its upgrade channel (V(stable) or V(rapid)) has moved to a newer minor version.
      - An older minor version than the cluster's is refused, and so is skipping one.
    type: str
  sku_tier:
    description:
      - Tier of the control plane; the service's default for a new cluster is V(Free).
      - An Automatic cluster stays one, whatever its tier.
    type: str
    choices: [Free, Standard, Premium]
  identity:
    description: Identity of the control plane; system-assigned for a new cluster if not set.
    type: dict
    suboptions:
      type:
        description: Kind of the identity.
        type: str
        choices: [SystemAssigned, UserAssigned]
        required: true
      user_assigned_identities:
        description: Id of the user-assigned identity; exactly one.
        type: list
        elements: str
  oidc_issuer:
    description: Whether the cluster is an OIDC issuer; it cannot be turned off again.
    type: bool
  workload_identity:
    description: Whether workloads get federated tokens; needs O(oidc_issuer).
    type: bool
  dns_prefix:
    description: First part of the API server's name; the cluster's name for a new cluster if not set.
    type: str
  node_resource_group:
    description: Resource group that the service makes for the nodes.
    type: str
  vm_size_selection:
    description:
      - How a size is found for new node pools without O(node_pools[].vm_size); M(mcpops.platform.aks_sku_preflight)
        with the same values finds the same size.
    type: dict
    suboptions:
      candidates:
        description: Sizes in the order in which they are wanted, for pools without candidates of their own.
        type: list
        elements: str
      architecture:
        description: CPU architecture; V(amd64) is V(x64). Any if not set.
        type: str
        choices: [x64, amd64, arm64]
      allow_burstable:
        description: Whether sizes of a burstable family are good enough.
        type: bool
        default: true
      surge_nodes:
        description: Nodes that an upgrade adds for a while; they count against the quota.
        type: int
        default: 1
      try_next:
        description:
          - Whether the next candidate that fits is tried when Azure refuses the one that was chosen, for want of room,
            quota or rights to it. Sizes that a pool names are never exchanged.
          - A pool or a cluster whose creation failed at the end of its operation has to be deleted for that. It is
            deleted only if this task made it, it is C(Failed), nobody has changed it since (C(If-Match)) and another
            candidate fits; else the refusal is the result. For a cluster that takes the permission
            C(Microsoft.ContainerService/managedClusters/delete).
        type: bool
        default: true
      chosen:
        description:
          - Sizes by the name of a pool, such as RV(mcpops.platform.azure_preflight#module:node_pools) has them, which
            counts what other clusters of the run need. Such a size is tried first if it is among the candidates of the
            pool.
        type: dict
  purge_node_pools:
    description:
      - Whether to delete node pools that are not listed in O(node_pools). Only pools that carry the tags of O(owner)
        are deleted.
    type: bool
    default: false
  network:
    description: Network of the cluster.
    type: dict
    suboptions:
      plugin:
        description: Network plugin.
        type: str
        choices: [azure, kubenet, none]
      plugin_mode:
        description: Mode of the plugin.
        type: str
        choices: [overlay]
      policy:
        description: Engine of network policies.
        type: str
        choices: [azure, calico, cilium, none]
      pod_cidr:
        description: Addresses of pods.
        type: str
      service_cidr:
        description: Addresses of Services.
        type: str
      dns_service_ip:
        description: Address of the cluster's DNS, in O(network.service_cidr).
        type: str
  properties:
    description:
      - Raw ARM properties of the cluster that have no option here, merged and compared the same way. Names that the
        service does not know are refused; numbers and booleans become text where the service has text (V(true)).
      - What the service treats as equal is equal, for example V(10.1.2.3) and V(10.1.2.3/32), known values in any case,
        a version and the alias that it runs under, and lists in any order.
      - A secret that the service never answers (C(windowsProfile.adminPassword), C(servicePrincipalProfile.secret),
        C(aadProfile.serverAppSecret)) is not compared and never shown. It is sent when the cluster is created, and
        together with any other change of the cluster.
    type: dict
  wait:
    description: Whether to wait until the operation has ended.
    type: bool
    default: true
  wait_timeout:
    description:
      - Longest wait for one operation, in seconds, counted from when the service took it. A task with several steps
        (the cluster, then its pools) has it for each, and once more for the work of others that is in the way before.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: A small cluster
  mcpops.platform.aks_cluster:
    name: agents
    resource_group: rg-agents
    location: eastus2
    node_pools:
      - name: system
        count: 2
        vm_size_candidates: [Standard_D2s_v5, Standard_D2s_v4, Standard_D2s_v3]
    owner:
      host: "{{ inventory_hostname }}"
      environment: prod

- name: A cluster with workload identity, overlay network and an autoscaled pool
  mcpops.platform.aks_cluster:
    name: agents
    resource_group: rg-agents
    location: eastus2
    kubernetes_version: "1.34"
    sku_tier: Standard
    oidc_issuer: true
    workload_identity: true
    network:
      plugin: azure
      plugin_mode: overlay
    node_pools:
      - name: system
        mode: System
        count: 2
        vm_size: Standard_D4s_v5
      - name: work
        mode: User
        enable_auto_scaling: true
        min_count: 1
        max_count: 5
        vm_size: Standard_D8s_v5
        labels:
          workload: agents
    properties:
      autoUpgradeProfile:
        upgradeChannel: patch
    owner:
      host: "{{ inventory_hostname }}"
      environment: prod

- name: The cluster is gone, if this host made it
  mcpops.platform.aks_cluster:
    name: agents
    resource_group: rg-agents
    owner:
      host: "{{ inventory_hostname }}"
      environment: prod
    state: absent
"""

RETURN = r"""
cluster:
  description: The cluster, without credentials; in check mode as it stands, or as it is planned if it does not exist.
  returned: success
  type: dict
  contains:
    exists:
      description: Whether the cluster exists.
      type: bool
    id:
      description: Id of the cluster.
      type: str
    name:
      description: Name of the cluster.
      type: str
    location:
      description: Azure region.
      type: str
    tags:
      description: Tags.
      type: dict
    sku_tier:
      description: Tier of the control plane.
      type: str
    kubernetes_version:
      description: The version that runs.
      type: str
    provisioning_state:
      description: State of the last operation.
      type: str
    power_state:
      description: Running or Stopped.
      type: str
    fqdn:
      description: Name of the API server.
      type: str
    node_resource_group:
      description: Resource group of the nodes.
      type: str
    oidc_issuer_url:
      description: URL of the OIDC issuer.
      type: str
    principal_id:
      description: Object id of a system-assigned identity.
      type: str
    kubelet_object_id:
      description: Object id of the nodes' identity, which pulls images.
      type: str
    network_plugin:
      description: Network plugin.
      type: str
    node_pools:
      description: The node pools, each with name, mode, size, counts and version.
      type: list
      elements: dict
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, for example which node pools are left alone.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["Creating AKS cluster dev-eus2"]
"""

from typing import Any

from ..module_utils.arm import aks_cluster
from ..module_utils.arm.aks.spec import CLUSTER_ARGUMENTS
from ..module_utils.arm.names import OWNED_OPTIONS
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    **OWNED_OPTIONS,
    **CLUSTER_ARGUMENTS,
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 3600},
}
PROBLEMS = aks_cluster.problems
OPERATION = aks_cluster.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
