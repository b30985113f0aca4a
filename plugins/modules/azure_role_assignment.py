#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: azure_role_assignment
short_description: Gives a principal a role at a scope, or takes it away
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - An assignment is its role, its principal and its scope. One that exists under another name, or was made with another
    spelling of the role's id or of the scope, is the declared one; nothing is created twice.
  - Roles are given by name, GUID or id, principals by object id, or by the id of a user-assigned identity or of an AKS
    cluster, so that no task has to look up object ids. A cluster and its identity may be made by the same playbook.
  - A principal that was just created is not known to all of the directory at once. The refusal that says so
    (C(PrincipalNotFound)) is waited out within O(wait_timeout).
  - To give or take roles the caller needs C(Microsoft.Authorization/roleAssignments/write) or C(.../delete) at the
    scope, which the built-in role C(Role Based Access Control Administrator) has.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.attributes
  - mcpops.platform.files
options:
  scope:
    description:
      - Id of what the role is for. A subscription, resource group, resource or management group, or a namespace of an
        AKS cluster with Azure RBAC for Kubernetes (C(.../managedClusters/<name>/namespaces/<namespace>)).
      - Of a tenant, its root (C(/)) or a part of it, such as C(/providers/Microsoft.Capacity) with all reservations.
      - Case does not matter. One that begins with C(/resourceGroups/) is in the subscription of the task.
    type: str
    required: true
  principal:
    description:
      - Who gets the role. The object id of a user, group or service principal; or the id of a user-assigned identity,
        or of an AKS cluster (see O(cluster_identity)), which may begin with C(/resourceGroups/).
      - An application has two ids. Its client id is not an object id; give the object id of its service principal.
    type: str
    required: true
  cluster_identity:
    description:
      - Which identity of the AKS cluster that is the O(principal) gets the role. V(kubelet) (if not set) pulls images,
        V(control_plane) joins subnets, route tables and disks.
    type: str
    choices: [kubelet, control_plane]
  role:
    description:
      - Name of the role (V(AcrPull)), its GUID, or its id with or without a subscription before it.
      - A registry whose permissions are by repository (C(roleAssignmentMode) V(AbacRepositoryPermissions)) does not
        heed V(AcrPull) and V(AcrPush). Its roles are V(Container Registry Repository Reader) and C(... Writer).
    type: str
    required: true
  state:
    description: V(absent) takes the role away, whatever the assignment is called. One at another scope stays.
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - GUID of an assignment that has to be created. If not set, one that is the same for the same role, principal and
        scope. An assignment that exists keeps its own.
    type: str
  principal_type:
    description:
      - What the principal is; V(ServicePrincipal) for a managed identity. Without it Azure looks the principal up, and
        does not find one that was just created.
      - An assignment that says otherwise is refused, as it cannot be changed.
    type: str
    choices: [Device, ForeignGroup, Group, ServicePrincipal, User]
  description:
    description: What the assignment is for, as people see it in the portal. Up to 2 KiB.
    type: str
  condition:
    description:
      - Condition (attribute-based access control) that narrows the role, of up to 8 KiB. Blanks and line breaks between
        its parts are not compared. An empty text takes the condition away.
      - If not set, a condition that is there stays, and is told.
    type: str
  condition_version:
    description: Version of the condition's language; V(2.0) is the only one that Azure takes.
    type: str
    choices: ['2.0']
  wait_timeout:
    description: Longest wait for a new principal to be known, in seconds.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: The nodes of a cluster may pull from the registry
  mcpops.platform.azure_role_assignment:
    scope: "{{ registry.id }}"
    principal: "{{ cluster.id }}"
    role: AcrPull

- name: An identity reads secrets of a vault
  mcpops.platform.azure_role_assignment:
    scope: /subscriptions/{{ subscription_id }}/resourceGroups/rg-agents/providers/Microsoft.KeyVault/vaults/kv-agents
    principal: "{{ identity.id }}"
    role: Key Vault Secrets User

- name: A team works in one namespace of a cluster with Azure RBAC
  mcpops.platform.azure_role_assignment:
    scope: "{{ cluster.id }}/namespaces/tools"
    principal: 11111111-2222-3333-4444-555555555555
    principal_type: Group
    role: Azure Kubernetes Service RBAC Writer

- name: An identity pushes to one repository of a registry with permissions by repository
  mcpops.platform.azure_role_assignment:
    scope: "{{ registry.id }}"
    principal: "{{ identity.id }}"
    role: Container Registry Repository Writer
    condition: >-
      ((!(ActionMatches{'Microsoft.ContainerRegistry/registries/repositories/content/write'})) OR
      (@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringEqualsIgnoreCase 'tools/echo'))

- name: The role is taken away again
  mcpops.platform.azure_role_assignment:
    scope: "{{ registry.id }}"
    principal: "{{ cluster.id }}"
    role: AcrPull
    state: absent
"""

RETURN = r"""
id:
  description: Id of the assignment; null where its principal does not exist.
  returned: success
  type: str
principal_id:
  description: Object id of the principal; null where it does not exist.
  returned: success
  type: str
role_definition_id:
  description: Id of the role; null where the principal does not exist.
  returned: success
  type: str
assignment:
  description: The assignment as ARM answers it, in check mode the body that would be sent; null when it is absent.
  returned: success
  type: dict
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, for example that the same role at a scope above reaches this one.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["Creating role AcrPull of id-tools at acragents"]
"""

from typing import Any

from ..module_utils.arm import azure_role_assignment
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.arm.role_assignment_plan import CLUSTER_IDENTITIES, CONDITION_VERSION, PRINCIPAL_TYPES
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "scope": {"type": "str", "required": True},
    "principal": {"type": "str", "required": True},
    "cluster_identity": {"type": "str", "choices": list(CLUSTER_IDENTITIES)},
    "role": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str"},
    "principal_type": {"type": "str", "choices": list(PRINCIPAL_TYPES)},
    "description": {"type": "str"},
    "condition": {"type": "str"},
    "condition_version": {"type": "str", "choices": [CONDITION_VERSION]},
    "wait_timeout": {"type": "int", "default": 300},
}
PROBLEMS = azure_role_assignment.problems
OPERATION = azure_role_assignment.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
