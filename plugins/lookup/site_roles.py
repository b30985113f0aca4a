# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_roles
short_description: The roles of a site, in the order in which they run
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - The list of roles that the playbooks of this collection go by. It stands in C(plugins/module_utils/domains.py).
options:
  _terms:
    description:
      - Groups of the inventory, C(platforms) and C(clusters). Only roles that run on their hosts are given. Groups that
        are not of a site have none.
    type: list
    elements: str
    required: true
  tasks:
    description: Only roles with this file of tasks, such as C(verify) for C(tasks/verify.yml).
    type: str
    default: main
  stage:
    description: Only roles of this stage, the tag that chooses them.
    type: str
  busy:
    description:
      - Only roles that have something to do on this host, as far as its variables show without being evaluated. Of most
        roles only they themselves know.
    type: bool
    default: false
  anywhere:
    description:
      - With O(busy), roles that have something to do on any host of the play that is in one of these groups. Tags of a
        task are chosen by it, because they are the same for all hosts. Where variables of hosts are not known,
        with C(--list-tasks) and in the first play, all roles are given.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Verify what each role has made
  ansible.builtin.include_role:
    name: "{{ role }}"
    tasks_from: verify
  loop: "{{ query('mcpops.platform.site_roles', 'clusters', tasks='verify') }}"
  loop_control:
    loop_var: role
"""

RETURN = r"""
_raw:
  description: Full names of roles.
  type: list
  elements: str
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.utils.collection_loader._collection_finder import _get_collection_role_path

from ..module_utils import domains
from ..module_utils.domain import Role


class LookupModule(LookupBase):
    """The lookup of this file's name."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        groups = {str(name) for term in terms for name in (term if isinstance(term, list) else [term])}
        stage, tasks = self.get_option("stage"), self.get_option("tasks")
        known = variables or {}
        listed = [
            role
            for role in domains.roles()
            if role.group in groups and stage in (None, role.stage) and _has(role.name, tasks)
        ]
        if self.get_option("busy") and self.get_option("anywhere"):
            listed = _busy_anywhere(listed, known)
        elif self.get_option("busy"):
            listed = [role for role in listed if role.is_busy(known)]
        return [role.name for role in listed]


def _busy_anywhere(roles: list[Role], known: Mapping[str, Any]) -> list[Role]:
    hosts = known.get("hostvars")
    if hosts is None:
        return roles
    of_play = set(known.get("ansible_play_hosts_all") or ())
    groups: Mapping[str, list[str]] = known.get("groups") or {}
    members = {role.group: of_play.intersection(groups.get(role.group, ())) for role in roles}
    variables = {name: hosts.raw_get(name) for names in members.values() for name in names}
    return [role for role in roles if any(role.is_busy(variables[name]) for name in members[role.group])]


def _has(role: str, tasks: str) -> bool:
    found = _get_collection_role_path(role)
    return found is not None and Path(found[1], "tasks", f"{tasks}.yml").is_file()
