#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: azure_provider
short_description: Registers resource providers with a subscription
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Sees to it that the namespaces of resource providers are registered with the subscription and waits until they
    are. A registered namespace costs one request and is never unregistered.
extends_documentation_fragment:
  - mcpops.platform.azure
  - mcpops.platform.attributes
  - mcpops.platform.files
options:
  namespaces:
    description: Namespaces of resource providers.
    type: list
    elements: str
    required: true
  wait:
    description: Whether to wait until the namespaces are registered.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait, in seconds.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: What an AKS cluster needs is registered
  mcpops.platform.azure_provider:
    namespaces:
      - Microsoft.ContainerService
      - Microsoft.Compute
      - Microsoft.Network
"""

RETURN = r"""
providers:
  description: State by namespace; in check mode as it stands.
  returned: success
  type: dict
  sample: {Microsoft.ContainerService: Registered}
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["Registering Microsoft.ContainerService"]
"""

from typing import Any

from ..module_utils.arm import azure_provider
from ..module_utils.arm.options import azure_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **azure_argument_spec(),
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 600},
}
PROBLEMS = azure_provider.problems
OPERATION = azure_provider.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
