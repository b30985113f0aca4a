# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_summary
short_description: What a verification found out, for programs
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - From what the role C(site_verify) registered on each cluster, what the report shows as a table, as data that an
    automation controller keeps as artifacts of a job.
  - It holds names, versions and times, and no text that a tool answered.
options:
  _input:
    description: The variables of the hosts, for example C(ansible_play_hosts | map('extract', hostvars)).
    type: list
    elements: dict
    required: true
  check_mode:
    description: Whether this run is in check mode, in which servers are greeted and no tool is called.
    type: bool
    default: false
  failed:
    description: Names of hosts whose run has failed.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Publish what answers
  ansible.builtin.set_stats:
    data:
      site_summary: "{{ ansible_play_hosts | map('extract', hostvars) | mcpops.platform.site_summary }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - V(verified) is whether every cluster was verified. C(clusters) has by name of the host its V(state), which is
      V(verified), V(failed), or V(not begun), the versions that the report's columns show, and what answers.
  type: dict
  sample:
    verified: true
    check_mode: false
    clusters:
      dev-eus2:
        state: verified
        kubernetes: 1.35.4
        nodes: "2"
        kmcp: 0.3.0
        mcp_servers:
          mcp/echo:
            answers: true
            code: ""
            version: 1.0.0
            transport: http
            eras: [legacy]
            milliseconds: 41
            tools: [echo]
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..module_utils import domains
from ..plugin_utils.rollout import FAILURE
from .site_report import READ

VERIFIED = "verified"
FAILED = "failed"
NOT_BEGUN = "not begun"


def site_summary(
    hosts: Iterable[Mapping[str, Any]], check_mode: bool = False, failed: Collection[str] = ()
) -> dict[str, Any]:
    clusters = {str(host["inventory_hostname"]): _cluster(host, failed) for host in hosts}
    return {
        "verified": all(cluster["state"] == VERIFIED for cluster in clusters.values()),
        "check_mode": bool(check_mode),
        "clusters": clusters,
    }


def _cluster(host: Mapping[str, Any], failed: Collection[str]) -> dict[str, Any]:
    facts = {name: value for table in domains.answers() for name, value in table.facts(host).items()}
    begun = (host.get(FAILURE) or {}).get("begun", True)
    lost = host["inventory_hostname"] in failed and begun
    if READ not in host:
        return {"state": FAILED if lost else NOT_BEGUN, **facts}
    read = {str(one.get("item")): one.get("objects", []) for one in host[READ].get("results") or ()}
    shown = {column.title: column.show(read.get(str(column.read), []), host) for column in domains.columns()}
    return {"state": FAILED if lost else VERIFIED, **shown, **facts}


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"site_summary": site_summary}
