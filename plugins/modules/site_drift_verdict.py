#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_drift_verdict
short_description: Ends each host as the comparison of its site found it
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Takes what M(mcpops.platform.site_drift) returned, and decides how this host ends.
  - A host that is as declared, or was repaired, goes on. A host that drifted fails.
  - A host that could not be compared is unreachable to Ansible where no host of the site drifted, and fails otherwise.
    As the exit status of C(ansible-playbook) for unreachable hosts covers the one for failed hosts, that makes the
    status 2 for drift, and 4 where nothing is known but that something could not be compared.
  - Runs on the controller always, whatever the connection, and asks nothing of any service.
extends_documentation_fragment:
  - mcpops.platform.attributes.controller
  - mcpops.platform.attributes.info
options:
  result:
    description: What M(mcpops.platform.site_drift) returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Compare the site with its declaration
  hosts: platforms:clusters
  gather_facts: false
  tasks:
    - name: Compare every host
      mcpops.platform.site_drift:
        directory: /tmp/drift-report
      run_once: true
      register: drift

    - name: End every host by what was found
      mcpops.platform.site_drift_verdict:
        result: "{{ drift }}"
"""

RETURN = r"""
msg:
  description: Why the host fails or is unreachable, with the command that helps.
  returned: always
  type: str
  sample: "agents-1: drift: 2 objects not as declared. ansible-playbook mcpops.platform.drift --limit agents-1"
verdict:
  description: V(clean), V(drift) or V(unknown).
  returned: when the host is not unreachable
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, Any] = {"result": {"type": "dict", "required": True}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="site_drift_verdict runs on the controller, as an action; it was started as a module.")


if __name__ == "__main__":
    main()
