#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: azure_preflight
short_description: Says what an identity lacks in Azure before anything is made
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Asks Azure which actions this identity is allowed at each scope, and whether resource providers are registered.
    All that is missing is one message, with the roles that would do and the command that assigns one. Nothing is
    changed.
  - With O(clusters) it also looks at what clusters are declared to be, those of all hosts of a run together
    (O(share)). Whether each new node pool can have a size, with the quota of a location shared by all of them;
    whether the version of Kubernetes is offered; what cannot change in place; features that a subscription must be
    registered for; and what Azure has retired, or will within O(retirement_days) days.
  - A group or resource that is not there yet is judged by what its parent gives.
  - Azure is asked once for a scope, a cluster, a location and a feature. Roles, and the states of providers, are read
    only where something is missing.
  - Conditions of role assignments and deny assignments are not evaluated.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.attributes.info
  - mcpops.platform.files
options:
  permissions:
    description: What has to be allowed. O(permissions) or O(providers) is needed.
    type: list
    elements: dict
    suboptions:
      scope:
        description:
          - Id of a subscription, resource group or resource. An id that begins below the subscription, such as
            V(/resourceGroups/rg-dev), is one in the subscription of this task; the empty text is the subscription
            itself, V(/) the root of the tenant.
        type: str
        default: ""
      actions:
        description: Actions of Azure Resource Manager, without V(*).
        type: list
        elements: str
      data_actions:
        description: Data actions, without V(*).
        type: list
        elements: str
      unless_present:
        description:
          - Id of the group or resource that the actions make, as O(permissions[].scope) is written. Where it is there
            already, what is lacking is a note and no failure; of a cluster among O(clusters) that is to change, what
            its change takes fails outside check mode. It is looked for where something is lacking only.
        type: str
      unless_assigned:
        description:
          - The role assignment that the actions make, as options of M(mcpops.platform.azure_role_assignment) at
            O(permissions[].scope). Where it is there already, what is lacking is a note.
        type: dict
        suboptions:
          principal:
            description: Who has the role.
            type: str
            required: true
          role:
            description: Name, GUID or id of the role.
            type: str
            required: true
      unless_images:
        description:
          - Images that the actions put into a registry. Where all of them are there, what is lacking is a note.
        type: dict
        suboptions:
          registry:
            description: Id of the registry, as O(permissions[].scope) is written.
            type: str
            required: true
          images:
            description: Images in it, as C(repository:tag).
            type: list
            elements: str
            required: true
      removes:
        description:
          - The actions remove what O(permissions[].unless_present), O(permissions[].unless_assigned) or
            O(permissions[].unless_images) names, so they are needed where that is there and not else.
        type: bool
        default: false
  providers:
    description:
      - Namespaces of resource providers. One that is not registered fails where this identity may not register it
        either.
    type: list
    elements: str
  clusters:
    description:
      - Hosts that this task is about, most of them with a cluster. One of O(permissions), O(providers) and O(clusters)
        is needed.
    type: list
    elements: dict
    suboptions:
      host:
        description: Who declares it, for messages.
        type: str
        required: true
      cluster:
        description: The options of M(mcpops.platform.aks_cluster) that declare it, tags and owner among them.
        type: dict
        required: true
      has_cluster:
        description:
          - Whether the host declares O(clusters[].cluster). Of one that does not, such as a platform, its rights and
            resource providers are looked at, and no cluster.
        type: bool
        default: true
      permissions:
        description: What has to be allowed for it, as O(permissions).
        type: list
        elements: dict
        suboptions:
          scope:
            description: As O(permissions[].scope).
            type: str
            default: ""
          actions:
            description: As O(permissions[].actions).
            type: list
            elements: str
          data_actions:
            description: As O(permissions[].data_actions).
            type: list
            elements: str
          unless_present:
            description: As O(permissions[].unless_present).
            type: str
          unless_assigned:
            description: As O(permissions[].unless_assigned).
            type: dict
            suboptions:
              principal:
                description: As O(permissions[].unless_assigned.principal).
                type: str
                required: true
              role:
                description: As O(permissions[].unless_assigned.role).
                type: str
                required: true
          unless_images:
            description: As O(permissions[].unless_images).
            type: dict
            suboptions:
              registry:
                description: As O(permissions[].unless_images.registry).
                type: str
                required: true
              images:
                description: As O(permissions[].unless_images.images).
                type: list
                elements: str
                required: true
          removes:
            description: As O(permissions[].removes).
            type: bool
            default: false
      providers:
        description: Resource providers that it needs, as O(providers).
        type: list
        elements: str
      features:
        description:
          - Features that it needs, as C(namespace/name), beside those that its options are known to need. One that is
            not registered fails; of the others only V(Microsoft.Compute/EncryptionAtHost) does, because what is a
            preview may have become available to all.
        type: list
        elements: str
      endpoints:
        description:
          - What has to answer from where the task runs, whatever the answer is. URLs, C(oci://) charts, or images, of
            whose registries the API is asked. The service of Azure is asked before, and its login where this identity
            logs in there itself (not as a managed identity, or by azure-cli). One request each, all at the same time,
            within 10 seconds, through the proxy that the environment names. A registry that the permissions of one of
            the O(clusters) make is not asked before it is there.
          - Asked with O(examine=all). What does not answer is a warning, because nodes may reach it all the same and
            programs may have certificates of their own; without Azure nothing else is asked, and that fails.
        type: list
        elements: str
      images:
        description:
          - Images of its pods, whose platforms are compared with the architecture of the node pools that the pods may
            come to, by the labels and taints of these. One that runs on none of them fails; one that does not run on
            some of them is a warning. Asked with O(examine=all), of registries that answer; registries of Azure that
            O(clusters[].permissions) name are asked as this identity, others as anybody, and what they do not tell is a
            note.
        type: list
        elements: dict
        suboptions:
          image:
            description: Name of the image, with registry and tag or digest.
            type: str
            required: true
          where:
            description: Who has it, for messages.
            type: str
          node_selector:
            description: Labels of nodes that its pods ask for.
            type: dict
          tolerations:
            description: Tolerations of its pods.
            type: list
            elements: dict
      programs:
        description:
          - Programs that are needed where the task runs, each with the oldest version that will do if there is one,
            such as V(helm>=3.8). Looked for in E(PATH) and beside the Python interpreter, with O(examine=all).
        type: list
        elements: str
      libraries:
        description: Distributions of Python that are needed there, such as V(urllib3>=2.2), with O(examine=all).
        type: list
        elements: str
      charts:
        description: Charts that are installed in it, for what is known to be retired of them.
        type: list
        elements: str
  share:
    description:
      - Whether O(clusters) are looked at together with those of other hosts of the same run, which have the same
        subscription and identity. V(keep) asks nothing, and keeps them for tasks with V(look). Those look at all that
        was kept, once in a run; the first host that lacks something fails with what all of them lack, each other one
        with what is its own. Outside the controller's own process V(look) is V(alone).
    type: str
    choices: [alone, keep, look]
    default: alone
  examine:
    description:
      - Of clusters that only stay as they are, V(changed) reads no more than the cluster itself. V(all) also asks
        for features, and says what will be retired of what stands.
    type: str
    choices: [changed, all]
    default: changed
  retirement_days:
    description: So many days before Azure retires something a warning says so. V(0) speaks of what is past only.
    type: int
    default: 90
seealso:
  - module: mcpops.platform.azure_provider
  - module: mcpops.platform.aks_sku_preflight
  - module: mcpops.platform.k8s_preflight
"""

EXAMPLES = r"""
- name: May this identity make a cluster and let it pull images?
  mcpops.platform.azure_preflight:
    permissions:
      - scope: /resourceGroups/rg-dev
        actions:
          - Microsoft.ContainerService/managedClusters/write
          - Microsoft.Authorization/roleAssignments/write
        unless_present: /resourceGroups/rg-dev/providers/Microsoft.ContainerService/managedClusters/dev
    providers:
      - Microsoft.ContainerService

- name: Can both clusters be had, and what of them will be retired within half a year?
  mcpops.platform.azure_preflight:
    examine: all
    retirement_days: 180
    clusters:
      - host: dev
        cluster:
          name: dev
          resource_group: rg-dev
          location: eastus2
          node_pools:
            - name: system
              mode: System
              count: 3
              vm_size_candidates: [Standard_D4s_v5, Standard_D4s_v6]
      - host: test
        cluster:
          name: test
          resource_group: rg-test
          location: eastus2
          node_pools:
            - name: system
              mode: System
              count: 3
              vm_size_candidates: [Standard_D4s_v5, Standard_D4s_v6]
"""

RETURN = r"""
subscription_id:
  description: The subscription that was asked.
  returned: when Azure was reached
  type: str
missing:
  description: Mappings of C(scope), C(actions) and C(data_actions), what is not allowed.
  returned: when Azure was reached
  type: list
  elements: dict
providers:
  description: State by namespace, of those that this identity may not register.
  returned: when there are any
  type: dict
  sample: {Microsoft.ContainerService: Registered}
node_pools:
  description: The size that each new node pool will get (null where none fits), and what was found of the candidates.
  returned: with O(clusters)
  type: list
  elements: dict
  sample:
    - host: dev
      node_pool: system
      vm_size: Standard_D4s_v5
      candidates: []
findings:
  description: All that was found about the clusters of this task; what does not fail is a warning as well.
  returned: with O(clusters)
  type: list
  elements: dict
  sample:
    - host: dev
      subject: "AKS cluster dev: network.plugin"
      code: Retiring
      message: "network plugin kubenet will be retired: from 2028-03-31, no support of clusters with it"
      hint: "Set plugin: azure and plugin_mode: overlay"
      fails: false
notes:
  description: What could not be checked.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.arm import azure_preflight
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

_PERMISSIONS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "scope": {"type": "str", "default": ""},
        "actions": {"type": "list", "elements": "str"},
        "data_actions": {"type": "list", "elements": "str"},
        "unless_present": {"type": "str"},
        "unless_assigned": {
            "type": "dict",
            "options": {"principal": {"type": "str", "required": True}, "role": {"type": "str", "required": True}},
        },
        "unless_images": {
            "type": "dict",
            "options": {
                "registry": {"type": "str", "required": True},
                "images": {"type": "list", "elements": "str", "required": True},
            },
        },
        "removes": {"type": "bool", "default": False},
    },
}
_IMAGE: dict[str, Any] = {
    "image": {"type": "str", "required": True},
    "where": {"type": "str"},
    "node_selector": {"type": "dict"},
    "tolerations": {"type": "list", "elements": "dict"},
}
ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "permissions": _PERMISSIONS,
    "providers": {"type": "list", "elements": "str"},
    "clusters": {
        "type": "list",
        "elements": "dict",
        "options": {
            "host": {"type": "str", "required": True},
            "cluster": {"type": "dict", "required": True},
            "has_cluster": {"type": "bool", "default": True},
            "permissions": _PERMISSIONS,
            "providers": {"type": "list", "elements": "str"},
            "features": {"type": "list", "elements": "str"},
            "charts": {"type": "list", "elements": "str"},
            "endpoints": {"type": "list", "elements": "str"},
            "images": {"type": "list", "elements": "dict", "options": _IMAGE},
            "programs": {"type": "list", "elements": "str"},
            "libraries": {"type": "list", "elements": "str"},
        },
    },
    "share": {"type": "str", "choices": ["alone", "keep", "look"], "default": "alone"},
    "examine": {"type": "str", "choices": ["changed", "all"], "default": "changed"},
    "retirement_days": {"type": "int", "default": 90},
}
PROBLEMS = azure_preflight.problems
OPERATION = azure_preflight.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
