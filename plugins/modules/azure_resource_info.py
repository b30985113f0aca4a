#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: azure_resource_info
short_description: Reads Azure resources
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Reads one resource of any type, or lists those of a type, of a resource group or of the subscription.
  - A resource that does not exist is an empty list, not a failure.
  - Properties whose name or form says that they are secret are masked, as everywhere (C(docs/secrets.md)).
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.attributes.info
  - mcpops.platform.files
options:
  id:
    description: Id of the resource, instead of O(type), O(name) and O(resource_group).
    type: str
  type:
    description: Type of the resource or resources.
    type: str
  name:
    description: Name of one resource; V(parent/child) for a nested type.
    type: str
  resource_group:
    description: Resource group that holds them.
    type: str
  api_version:
    description: API version for reading one resource; the collection's own if not set, for the types it pins one for.
    type: str
"""

EXAMPLES = r"""
- name: The resource group
  mcpops.platform.azure_resource_info:
    type: Microsoft.Resources/resourceGroups
    name: rg-agents

- name: What a resource group holds
  mcpops.platform.azure_resource_info:
    resource_group: rg-agents
"""

RETURN = r"""
resources:
  description: The resources as ARM answers them; a list holds envelopes without properties.
  returned: success
  type: list
  elements: dict
"""

from typing import Any

from ..module_utils.arm import azure_resource
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "id": {"type": "str"},
    "type": {"type": "str"},
    "name": {"type": "str"},
    "resource_group": {"type": "str"},
    "api_version": {"type": "str"},
}
RULES = {
    "mutually_exclusive": [["id", "name"], ["id", "type"], ["id", "resource_group"]],
    "required_by": {"name": ["type"]},
}
PROBLEMS = azure_resource.info_problems
OPERATION = azure_resource.info


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
