#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: controller_content
short_description: Job templates, workflows and schedules of AWX and AAP from data
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Checks lists of objects of an automation controller, all problems in one message, and makes the controller like
    them. The lists are those of the collection C(infra.aap_configuration), their items have the options of the modules
    of C(awx.awx), which are those of C(ansible.controller).
  - Checking needs neither of these collections and no controller. Applying reads the controller through the lookup
    C(controller_api) of one of them, and runs its module for every object that differs, and for no other.
  - What is not declared is left alone. Objects are removed only by C(state=absent) of an item.
  - Runs on the controller of this playbook always, whatever the connection.
extends_documentation_fragment:
  - mcpops.platform.attributes.controller
  - mcpops.platform.attributes
attributes:
  check_mode:
    description: Reads and shows what would change, of a controller without any of the objects too.
    support: full
  diff_mode:
    description: Per object, the options that differ. What credentials hold is masked.
    support: full
  action_group:
    description: Is in no action group, because it shares no option with other modules.
    support: none
    membership: []
options:
  content:
    description:
      - The lists by their names, such as C(controller_templates). Options that are empty count as not given.
      - An item with C(state=exists) declares that the object is there already, so that others may name it.
    type: dict
    required: true
  collection:
    description:
      - The collection whose modules are run. V(auto) takes the first of C(ansible.controller) and C(awx.awx) that is
        installed.
      - With C(ansible.controller), organizations are made by C(ansible.platform) where that is installed, because the
        controller of AAP 2.5 and later leaves them to its gateway.
      - V(none) checks the content and asks no controller.
    type: str
    default: auto
    choices: [auto, awx.awx, ansible.controller, none]
notes:
  - The address of the controller and the token come from the environment, as its collections read them
    (E(CONTROLLER_HOST), E(CONTROLLER_OAUTH_TOKEN), E(CONTROLLER_VERIFY_SSL)). AWX and AAP set them in a job that has
    a credential of the type Red Hat Ansible Automation Platform.
"""

EXAMPLES = r"""
- name: An inventory and a template
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Apply the content
      mcpops.platform.controller_content:
        collection: none
        content:
          aap_organizations:
            - name: MCP platform
          controller_inventories:
            - name: clusters
              organization: MCP platform
"""

RETURN = r"""
msg:
  description: What differs, or that nothing does.
  returned: always
  type: str
  sample: 2 of 19 objects differ.
objects:
  description: Every object with its list, in the order in which they are made.
  returned: success
  type: list
  elements: dict
  contains:
    list:
      description: The list that declares it.
      type: str
    name:
      description: Its name.
      type: str
    changed:
      description: Whether it differs, or was changed.
      type: bool
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
collection:
  description: The collection whose modules were run, V(none) where the content was only checked.
  returned: success
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, Any] = {
    "content": {"type": "dict", "required": True},
    "collection": {"type": "str", "default": "auto", "choices": ["auto", "awx.awx", "ansible.controller", "none"]},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="controller_content runs on the controller, as an action; it was started as a module.")


if __name__ == "__main__":
    main()
