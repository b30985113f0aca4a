#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_validate
short_description: Checks the variables of all hosts before anything changes
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Checks for every host the variables of the roles that apply to it against their C(meta/argument_specs.yml), role
    defaults included, and the rules that hold between variables and between hosts, for example that two hosts do not
    name the same cluster, or that workload identity has an OIDC issuer.
  - Names variables that begin with C(mcpops_) or with the name of a role and that no role and no other variable reads,
    as a problem when the name resembles a known one, as a warning otherwise.
  - Names common variables and lists that are empty (null), and options in C(mcpops_azure_auth) that no module of the
    action group C(azure) has.
  - Judges the tasks of this collection's modules in these roles as the modules themselves do before they ask anything,
    included files, conditions, loops and C(module_defaults) of blocks regarded, and so every option that a role passes
    on, whichever role it is. A module's option is called by the variable that feeds it. Files, templates and charts on
    disk are read by their task only, because an earlier task may make them.
  - Judges what playbooks hand to modules without a role between, such as C(site_lock_timeout) and
    C(site_lock_namespace).
  - Reports every problem of every host in one message; what hosts have in common is told once, with their names.
    A variable is called what the inventory calls it, C(mcpops_mcp_servers) rather than the role's own name for it.
  - Before all that, ends a run that would do nothing, and says what to do. Ansible takes an inventory that does not
    exist for an empty one, and tags that no task has for a choice of nothing, and ends well. Also an empty C(--limit),
    which would reach every host, a limit without a host of the groups in O(roles), a group that is missing, and tags of
    which no task runs on the hosts that are left.
  - Run it once, in the first play of a site, with C(run_once). A play that is for V(platforms:clusters:all:localhost)
    runs also where the inventory is missing; only hosts of the groups in O(roles) are checked then.
  - Needs the strategy V(linear), as every action that looks at all hosts at once. A play names it by its keyword
    C(strategy), lest a strategy in the configuration end the play.
  - A value that depends on what only a later task can know, such as facts, is not judged, and listed in RV(deferred).
    Where the inventory sets it, a warning says so, because a default may take its place in silence.
    An undefined variable whose name starts with C(mcpops_) is a problem, because only the inventory can set it.
  - Variables come from inventory and command line and from the defaults of the roles. What a single play sets in its
    own C(vars) is not seen.
  - Runs on the controller always, whatever the connection; it reads the inventory and asks no service.
extends_documentation_fragment:
  - mcpops.platform.attributes.controller
  - mcpops.platform.attributes.info
options:
  roles:
    description:
      - Roles to check, by group; a role is checked for the hosts of its group. Those of the site if not set.
      - Names are short for roles of the playbook and full, C(namespace.collection.role), for those of collections.
    type: dict
  hosts:
    description: Hosts to check. If not set, those of the play that are in a group of O(roles).
    type: list
    elements: str
  show_variables:
    description:
      - Whether RV(variables) has every variable that these roles and the playbooks read, as each host gets it.
      - Hidden are values from vaults, those of options that are not to be logged, the contents of declared Secrets,
        and what its name or its form gives away as a secret. A secret in a plain file under a name that says nothing
        cannot be known as one.
    type: bool
    default: false
  selection_only:
    description:
      - Whether to look only at what the run was asked to work on, and at no variable. Without O(hosts), there must be a
        host of a group of O(roles).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check every variable before anything changes
  hosts: platforms:clusters
  gather_facts: false
  tasks:
    - name: Validate the inventory
      mcpops.platform.site_validate:
        roles:
          platforms:
            - mcpops.platform.azure_platform
          clusters:
            - mcpops.platform.aks_cluster
            - mcpops.platform.mcp_servers
      run_once: true
"""

RETURN = r"""
hosts:
  description: Hosts that were checked.
  returned: success
  type: list
  elements: str
  sample: [dev, dev-eus2]
deferred:
  description: Values that could not be judged yet, each with C(host), C(variable) and C(reason).
  returned: success
  type: list
  elements: dict
  sample: []
variables:
  description: What the variables of each host come to, by host.
  returned: success and O(show_variables=true)
  type: list
  elements: dict
  contains:
    host:
      description: Name of the host.
      type: str
      returned: always
    variables:
      description:
        - For each variable its C(name), its C(value) without what is secret, and C(from), the file and line or the
          option that sets it, the common variable that it follows, or V(default).
        - A value that depends on what only a later task can know has C(known_later), the reason, instead.
      type: list
      elements: dict
      returned: always
  sample:
    - host: dev-eus2
      variables:
        - name: kmcp_version
          value: 0.3.0
          from: inventories/dev/group_vars/all.yml:7
error:
  description: The kind of failure, and its C(problems) with C(path) and C(message).
  returned: failure
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, Any] = {
    "roles": {"type": "dict"},
    "hosts": {"type": "list", "elements": "str"},
    "show_variables": {"type": "bool", "default": False},
    "selection_only": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="site_validate runs on the controller, as an action; it was started as a module.")


if __name__ == "__main__":
    main()
