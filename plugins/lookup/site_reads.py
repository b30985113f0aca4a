# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_reads
short_description: What a verification reads for its report
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - The objects that the columns of the report show, as options of M(mcpops.platform.k8s_objects_info). Each domain of
    this collection names its own in C(plugins/module_utils/domains.py).
"""

EXAMPLES = r"""
- name: Read what the report shows
  mcpops.platform.k8s_objects_info:
    kubeconfig: ~/.kube/dev-eus2
    api_version: "{{ item.api_version }}"
    kind: "{{ item.kind }}"
    label_selectors: "{{ item.label_selectors }}"
  loop: "{{ query('mcpops.platform.site_reads') }}"
"""

RETURN = r"""
_raw:
  description: Mappings with C(api_version), C(kind) and C(label_selectors).
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ..module_utils import domains


class LookupModule(LookupBase):
    """The lookup of this file's name."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        return domains.reads()
