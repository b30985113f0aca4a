# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_rights
short_description: What the roles of a site must be allowed to do in a cluster
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - The rights that the roles of this collection need, as options of M(mcpops.platform.k8s_preflight). Each domain
    states its own in its row of C(plugins/module_utils/domains.py).
options:
  _terms:
    description:
      - A mapping of namespaces by their use, C(kmcp), C(mcp) and C(lease). What has no namespace there is left out.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: May this identity run a site here?
  mcpops.platform.k8s_preflight:
    kubeconfig: ~/.kube/team-cluster
    checks: [permissions]
    permissions: "{{ query('mcpops.platform.site_rights', {'kmcp': ['kmcp-system'], 'mcp': ['mcp']}) }}"
"""

RETURN = r"""
_raw:
  description: Mappings with C(group), C(resource), C(verbs) and C(namespaces).
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ..module_utils import domains


class LookupModule(LookupBase):
    """The lookup of this file's name."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        places: dict[str, list[str]] = {}
        for term in terms:
            places.update(term)
        return domains.rights(places)
