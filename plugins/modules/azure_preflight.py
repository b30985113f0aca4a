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
  - A group or resource that is not there yet is judged by what its parent gives.
  - Azure is asked once for a scope. Roles, and the states of providers, are read only where something is missing.
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
            itself.
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
            already, what is lacking is a note and no failure. It is looked for where something is lacking only.
        type: str
  providers:
    description:
      - Namespaces of resource providers. One that is not registered fails where this identity may not register it
        either.
    type: list
    elements: str
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

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "permissions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "scope": {"type": "str", "default": ""},
            "actions": {"type": "list", "elements": "str"},
            "data_actions": {"type": "list", "elements": "str"},
            "unless_present": {"type": "str"},
        },
    },
    "providers": {"type": "list", "elements": "str"},
}
PROBLEMS = azure_preflight.problems
OPERATION = azure_preflight.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
