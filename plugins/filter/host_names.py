# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_names
short_description: A list of host names from a list or a comma separated text
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Extra variables given on a command line are text; this accepts both forms.
options:
  _input:
    description: Host names.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Two hosts
  ansible.builtin.debug:
    msg: "{{ 'dev-eus2, dev-weu' | mcpops.platform.host_names }}"
"""

RETURN = r"""
_value:
  description: Host names without blanks and repetitions, in the order given.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ..module_utils.site.inventory import host_names


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_names": host_names}
