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

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils.arm.declared_rights import settled
from ..plugin_utils.declared_rights import rows_of

PERMISSIONS = "permissions"
PROVIDERS = "providers"


class LookupModule(LookupBase):
    """The lookup of this file's name."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        wanted = str(terms[0]) if terms else PERMISSIONS
        if len(terms) > 1 or wanted not in (PERMISSIONS, PROVIDERS):
            raise AnsibleError(f"site_azure_rights takes {PERMISSIONS} or {PROVIDERS}")
        rows = rows_of(variables or {}, self._loader, self._templar)
        if wanted == PROVIDERS:
            return list(dict.fromkeys(name for row in rows for name in row.get(PROVIDERS) or ()))
        return settled(row for row in rows if PROVIDERS not in row)
