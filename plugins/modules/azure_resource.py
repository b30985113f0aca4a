#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: azure_resource
short_description: Manages any Azure resource
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Creates, updates and deletes a resource of any type through Azure Resource Manager.
  - Only what is declared is compared and changed. An option that is left out, or a property that is not listed, keeps
    its value; a property set to null is cleared where the service can; a list is the whole list.
  - What cannot change in place is refused before anything is changed. After every wait everything is read and planned
    again, and an etag that the service answers guards the request.
  - A value that the service took and does not answer afterwards, for example of a misspelt property, is warned of. A
    secret that it never answers is not compared and never shown; it is sent with a creation and with any other change.
  - Of a role assignment (V(Microsoft.Authorization/roleAssignments)) the same grant under another name is as declared,
    and a principal that the directory does not know yet is waited for.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.azure.owned
  - mcpops.platform.attributes
  - mcpops.platform.files
options:
  id:
    description: Id of the resource, instead of O(type), O(name) and O(resource_group).
    type: str
  type:
    description: Type of the resource, for example V(Microsoft.Resources/resourceGroups).
    type: str
  name:
    description: Name of the resource; V(parent/child) for a nested type.
    type: str
  resource_group:
    description: Resource group that holds it; not for a resource group itself.
    type: str
  state:
    description:
      - V(absent) deletes the resource, and with a resource group everything in it.
      - A resource that carries the tags of another owner is never deleted, and neither is a resource group that holds
        one. A resource group that this module has not created, and with O(owner) any resource without the tags of that
        owner, is deleted only with O(force_delete); so is a resource group that holds something without tags of an
        owner. Types without tags, for example role assignments, have no owner.
      - A resource group that was created without O(owner) is deleted without it. The tag C(mcpops-collection), which
        it gets when it is created, says that.
    type: str
    choices: [present, absent]
    default: present
  location:
    description: Azure region; needed to create a resource group.
    type: str
  sku:
    description: SKU of the resource as its ARM body has it.
    type: dict
  kind:
    description: Kind of the resource.
    type: str
  identity:
    description: Identity of the resource as its ARM body has it.
    type: dict
  zones:
    description: Availability zones of the resource, such as V(1); they stay as they were when it was created.
    type: list
    elements: str
  properties:
    description:
      - Properties as the ARM body has them.
      - Those whose name says that they are secret (C(adminPassword), C(accountKey), C(connectionString), ...), and what
        a resource of a type that ends with C(/secrets) holds, are never shown, neither as declared nor as they stand.
    type: dict
  api_version:
    description:
      - API version; the collection's own if not set, for the types it pins one for.
      - Previews of V(Microsoft.ContainerService) end about a year after their date, and a warning says so beforehand.
    type: str
  update_method:
    description:
      - How an existing resource is updated. V(patch) sends what is declared with PATCH, V(put_merged) the present
        resource with the declared values in it with PUT, V(put_declared) the declared values only with PUT.
      - Needed for all types but resource groups, AKS clusters and their node pools, role assignments and role
        definitions, because it depends on the service which of them is right.
    type: str
    choices: [patch, put_declared, put_merged]
  wait:
    description: Whether to wait until the operation has ended.
    type: bool
    default: true
  wait_timeout:
    description:
      - Longest wait for the operation, in seconds, counted from when the service took it, and once more for the work of
        others that is in the way before.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: A resource group
  mcpops.platform.azure_resource:
    type: Microsoft.Resources/resourceGroups
    name: rg-agents
    location: eastus2
    tags:
      team: agents
    owner:
      host: "{{ inventory_hostname }}"

- name: An identity for workloads
  mcpops.platform.azure_resource:
    type: Microsoft.ManagedIdentity/userAssignedIdentities
    resource_group: rg-agents
    name: id-agents
    location: eastus2
    update_method: put_merged

- name: The identity may pull from the registry
  mcpops.platform.azure_resource:
    id: "{{ registry_id }}/providers/Microsoft.Authorization/roleAssignments/{{ assignment }}"
    properties:
      roleDefinitionId: /providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d
      principalId: "{{ principal_id }}"
      principalType: ServicePrincipal
  vars:
    registry_id: "{{ registry.id }}"
    principal_id: "{{ identity.resource.properties.principalId }}"
    assignment: "{{ (registry_id ~ principal_id) | to_uuid }}"

- name: An address that outlives clusters
  mcpops.platform.azure_resource:
    type: Microsoft.Network/publicIPAddresses
    resource_group: rg-addresses
    name: pip-mcp
    location: eastus2
    sku:
      name: Standard
    zones: ["1", "2", "3"]
    properties:
      publicIPAllocationMethod: Static
    owner:
      host: "{{ inventory_hostname }}"

- name: A record for it
  mcpops.platform.azure_resource:
    type: Microsoft.Network/dnsZones/A
    resource_group: rg-dns
    name: example.com/*.mcp
    properties:
      TTL: 300
      ARecords:
        - ipv4Address: 203.0.113.10

- name: The resource group is gone, if this host made it
  mcpops.platform.azure_resource:
    type: Microsoft.Resources/resourceGroups
    name: rg-agents
    owner:
      host: "{{ inventory_hostname }}"
    state: absent
"""

RETURN = r"""
id:
  description: Id of the resource.
  returned: success
  type: str
resource:
  description: The resource as ARM answers it, in check mode the body that would be sent; null when it is absent.
  returned: success
  type: dict
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, for example which prerequisite does not exist yet.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["Creating resource group rg-dev"]
"""

from typing import Any

from ..module_utils.arm import azure_resource
from ..module_utils.arm.names import OWNED_OPTIONS
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.arm.update_policies import UPDATE_METHODS
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    **OWNED_OPTIONS,
    "id": {"type": "str"},
    "type": {"type": "str"},
    "name": {"type": "str"},
    "resource_group": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "location": {"type": "str"},
    "sku": {"type": "dict"},
    "kind": {"type": "str"},
    "identity": {"type": "dict"},
    "zones": {"type": "list", "elements": "str"},
    "properties": {"type": "dict"},
    "api_version": {"type": "str"},
    "update_method": {"type": "str", "choices": list(UPDATE_METHODS)},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 1800},
}
RULES = {
    "required_one_of": [["id", "name"]],
    "mutually_exclusive": [["id", "name"], ["id", "type"], ["id", "resource_group"]],
    "required_together": [["type", "name"]],
}
PROBLEMS = azure_resource.problems
OPERATION = azure_resource.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
