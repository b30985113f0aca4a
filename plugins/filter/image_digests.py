# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_digests
short_description: The digests of images by the names that pods use, from what acr_image answered
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Joins the results of M(mcpops.platform.acr_image) into what the options
    O(mcpops.platform.mcp_server#module:image_digests) and O(mcpops.platform.mesh_agent#module:image_digests) take.
  - An image that is absent, or whose digest is not known, has null; one that a run would make has V(unknown) in check
    mode.
options:
  _input:
    description: What M(mcpops.platform.acr_image) registered, of one image or of a loop; an empty one has none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Images by digest
  ansible.builtin.debug:
    msg: >-
      {{ {'login_server': 'mcpacr.azurecr.io', 'repository': 'echo-mcp',
          'tags': {'1.0.0': 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'}}
         | mcpops.platform.image_digests }}
"""

RETURN = r"""
_value:
  description: The digest of each image, V(unknown) or null, by its name with registry and tag.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ..module_utils.kube.pinned_images import UNKNOWN


def image_digests(registered: dict[str, Any]) -> dict[str, str | None]:
    return {
        f"{result['login_server']}/{result['repository']}:{tag}": digest or (UNKNOWN if result.get("is_new") else None)
        for result in registered.get("results", [registered])
        if result.get("login_server")
        for tag, digest in (result.get("tags") or {}).items()
    }


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"image_digests": image_digests}
