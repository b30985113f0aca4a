# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: teardown_refusal
short_description: Why the hosts that were confirmed cannot be torn down
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Compares the hosts that somebody confirmed with those that a run can tear down.
options:
  _input:
    description: The confirmed hosts, a list or comma separated.
    type: raw
    required: true
  known:
    description: The hosts of the site.
    type: list
    elements: str
    required: true
  present:
    description: The hosts of this run, for example C(ansible_play_hosts_all); C(--limit) leaves some out.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Why nothing is removed
  ansible.builtin.debug:
    msg: "{{ 'dev-eus2' | mcpops.platform.teardown_refusal(groups.clusters, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: What is wrong and what to do; empty where nothing is wrong.
  type: str
"""

from collections.abc import Callable, Sequence
from typing import Any

from ..module_utils.site.inventory import host_names


def teardown_refusal(confirmed: Any, known: Sequence[str], present: Sequence[str]) -> str:
    if not known:
        return (
            "Nothing was removed: the inventory has no host in the groups clusters and platforms. "
            "Give the inventory of the site with -i."
        )
    names = host_names(confirmed)
    example = f"Name the hosts to tear down, for example -e teardown_confirm={known[0]}"
    if not names:
        return f"Nothing was removed. {example}; this inventory knows {', '.join(known)}."
    unknown = [name for name in names if name not in known]
    if unknown:
        reported = f"Nothing was removed: not in the groups clusters and platforms: {', '.join(unknown)}."
        return f"{reported} {example}; this inventory knows {', '.join(known)}."
    absent = [name for name in names if name not in present]
    if absent:
        reported = f"Nothing was removed: confirmed, but left out of this run by --limit: {', '.join(absent)}."
        return f"{reported} Widen --limit, or omit it: what is not confirmed is not removed."
    return ""


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"teardown_refusal": teardown_refusal}
