# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: declared_images
short_description: The images of declared servers or agents, and what decides on which nodes their pods come
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Makes of a list of MCP servers or agents what the option
    O(mcpops.platform.azure_preflight#module:clusters[].images) takes. Those without an image of their own are left out.
options:
  _input:
    description: Entries as those of C(mcpops_mcp_servers) or C(mcpops_mesh_agents).
    type: list
    elements: dict
    required: true
  kind:
    description: What messages call one of them, before its name.
    type: str
    default: MCP server
"""

EXAMPLES = r"""
- name: Images and where their pods may come
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'echo', 'image': 'acr.azurecr.io/echo:1', 'node_selector': {'kubernetes.io/arch': 'arm64'}}]
         | mcpops.platform.declared_images }}
"""

RETURN = r"""
_value:
  description: Mappings of C(image), C(where), C(node_selector) and C(tolerations).
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def declared_images(declared: Iterable[Mapping[str, Any]] | None, kind: str = "MCP server") -> list[dict[str, Any]]:
    return [
        {
            "image": one["image"],
            "where": f"{kind} {one.get('name', '')}".strip(),
            "node_selector": dict(one.get("node_selector") or {}),
            "tolerations": list(one.get("tolerations") or ()),
        }
        for one in declared or ()
        if one.get("image")
    ]


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"declared_images": declared_images}
