# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_azure_rights
short_description: What an identity must be allowed in Azure to make a cluster of a site
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - The actions that the roles of this collection take in Azure, as option C(permissions) of
    M(mcpops.platform.azure_preflight). Each domain states its own in its row of C(plugins/module_utils/domains.py).
options:
  _terms:
    description: The resource group of the cluster, and its name.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: May this identity make the cluster dev?
  mcpops.platform.azure_preflight:
    permissions: "{{ query('mcpops.platform.site_azure_rights', 'rg-dev', 'dev') }}"
"""

RETURN = r"""
_raw:
  description: Mappings with C(scope), C(actions) and C(unless_present).
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils import domains


class LookupModule(LookupBase):
    """The lookup of this file's name."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        if len(terms) != 2:
            raise AnsibleError("site_azure_rights takes a resource group and the name of a cluster")
        return domains.azure_rights(*map(str, terms))
