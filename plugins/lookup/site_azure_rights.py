# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_azure_rights
short_description: What an identity must be allowed in Azure to make what a host declares
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - The actions that the roles of this host take in Azure, as option C(permissions) of
    M(mcpops.platform.azure_preflight). They are read off the tasks of these roles, as they are with the variables of
    the host; what each module needs for its options is stated by its domain (C(azure_needs) in
    C(plugins/module_utils/domains.py)).
  - The roles are those of the groups C(platforms) and C(clusters) that the host is in; of a host in neither, those of
    C(clusters).
  - In a run that names stages beside C(preflight), they are those of these stages.
options:
  _terms:
    description:
      - V(permissions), or V(providers) for the namespaces that the roles register. Nothing stands for V(permissions).
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: May this identity make what this host declares?
  mcpops.platform.azure_preflight:
    permissions: "{{ query('mcpops.platform.site_azure_rights') }}"
    providers: "{{ query('mcpops.platform.site_azure_rights', 'providers') }}"
"""

RETURN = r"""
_raw:
  description: Rows of the option C(permissions) of M(mcpops.platform.azure_preflight), or namespaces.
  type: list
  elements: raw
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils import domains
from ..module_utils.arm.declared_rights import settled
from ..module_utils.domain import CLUSTERS, PLATFORMS, Role
from ..plugin_utils.host_values import HostValues
from ..plugin_utils.role_files import first, loader_of, role_path, tasks_in

PERMISSIONS = "permissions"
PROVIDERS = "providers"
_OF_NO_STAGE = {"preflight", "always"}
_EVERYTHING = {"all", "tagged"}


class LookupModule(LookupBase):
    """The lookup of this file's name."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        wanted = str(terms[0]) if terms else PERMISSIONS
        if len(terms) > 1 or wanted not in (PERMISSIONS, PROVIDERS):
            raise AnsibleError(f"site_azure_rights takes {PERMISSIONS} or {PROVIDERS}")
        rows = list(self._rows(variables or {}))
        if wanted == PROVIDERS:
            return list(dict.fromkeys(name for row in rows for name in row.get(PROVIDERS) or ()))
        return settled(row for row in rows if PROVIDERS not in row)

    def _rows(self, variables: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        load, needs = loader_of(self._loader), domains.azure_needs()
        for role in _roles(variables):
            place = role_path(role.name)
            if place is None or not (tasks := tasks_in(place / "tasks", list(needs), load)):
                continue
            values = HostValues(self._templar, {**(first(place / "defaults", "main", load) or {}), **variables})
            for task in tasks:
                for call in values.calls(task):
                    yield from needs[task.module](call.arguments)


def _roles(variables: Mapping[str, Any]) -> Iterator[Role]:
    """The roles of this host's groups, of the stages that are in the run."""
    own = {str(name) for name in variables.get("group_names") or ()} & {PLATFORMS, CLUSTERS} or {CLUSTERS}
    chosen = {str(tag) for tag in variables.get("ansible_run_tags") or ()} - _OF_NO_STAGE
    skipped = {str(tag) for tag in variables.get("ansible_skip_tags") or ()}
    for role in domains.roles():
        in_run = not chosen or chosen & {*_EVERYTHING, role.stage}
        if role.group in own and in_run and role.stage not in skipped:
            yield role
