#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_drift
short_description: Compares a site with its declaration, and repairs it if asked to
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Runs a playbook in check mode with diff, in a process of its own on the same inventory and the same hosts, and makes
    a report of its results. The playbook is not changed for it, no setting of the user's is needed, and nothing is
    printed but a summary, to standard error.
  - A host that cannot be compared, because its cluster is gone, is stopped or does not answer, is reported as such and
    keeps no other host from being compared. Where hosts that fail end the run before others came to its end, these are
    compared again, in a run without those that failed.
  - A host is in sync only if it came to the end of the playbook.
  - Never fails for drift. What is to happen then is up to the play; see M(mcpops.platform.site_drift_verdict), and the
    playbook C(mcpops.platform.drift).
  - Runs on the controller always, whatever the connection.
  - The inner run gets inventories, extra variables, vault passwords and connection options of the outer one. Passwords
    that were typed for SSH or become are not handed on. Neither are tags, nor settings of tags and C(any_errors_fatal)
    in the environment or C(ansible.cfg).
extends_documentation_fragment:
  - mcpops.platform.attributes.controller
  - mcpops.platform.attributes
attributes:
  check_mode:
    description: Compares as usual, and repairs nothing.
    support: full
  diff_mode:
    description: The differences are the report.
    support: N/A
options:
  playbook:
    description:
      - The playbook that declares the site, by path or full name. The commands of the report name it as well.
      - A relative path is sought beside the playbook that has this task, as C(import_playbook) does, then in the
        directory in which the run was started. For C(mcpops.platform.drift), which passes on C(mcpops_playbook), only
        there.
    type: str
    default: mcpops.platform.site
  skip_tags:
    description: Parts of the playbook that declare nothing, so that nothing can differ from them.
    type: list
    elements: str
    default: [preflight, verify]
  directory:
    description:
      - Where C(drift-report.json) and C(drift-report.html) are written. It is made if it does not exist.
      - A relative one is below the directory in which the run was started. In a container it ends with that.
    type: path
    required: true
  repair:
    description:
      - Run the playbook for real on the hosts that drifted, then compare them once more.
      - A cluster that is gone is never created anew by this.
    type: bool
    default: false
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
"""

RETURN = r"""
msg:
  description: How many hosts are as declared.
  returned: always
  type: str
  sample: 2 of 3 hosts are as declared; 1 drifted.
report:
  description:
    - The report, as described by C(docs/drift-report.schema.json) of this collection. Its C(summary.verdict) is
      V(clean), V(drift), or V(unknown) where nothing is known to have drifted and not all could be compared.
  returned: success
  type: dict
files:
  description: The paths of the reports, C(json) and C(html).
  returned: success
  type: dict
verdicts:
  description:
    - By host that is neither in sync nor repaired, a line that begins with its verdict (C(drift) or C(unknown)), says
      why, and gives the command that helps.
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, Any] = {
    "playbook": {"type": "str", "default": "mcpops.platform.site"},
    "skip_tags": {"type": "list", "elements": "str", "default": ["preflight", "verify"]},
    "directory": {"type": "path", "required": True},
    "repair": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="site_drift runs on the controller, as an action; it was started as a module.")


if __name__ == "__main__":
    main()
