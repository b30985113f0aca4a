# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_rollout
short_description: The order in which clusters are converged, and what keeps one from it
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - The playbook C(site) goes by it. The groups in the variable C(mcpops_rings) are converged one after the other, and
    the clusters of no ring at last; within a ring, C(mcpops_serial) says how many at a time. In check mode, where
    nothing is converged, all clusters are looked at together.
  - It knows what the plays of C(site) keep of each host, so it is of little use in another playbook.
options:
  _terms:
    description:
      - What to tell. V(hosts) are the patterns of the play and V(serial) the sizes of its batches.
      - V(gate) is the tag of the task that stops, V(always) where anything may keep a cluster from being converged, and
        V(never) otherwise. V(stop) says why this host must not be converged now, V(place) where it stands in the order.
      - V(refused) is the tag of the task that ends a run of which no cluster has passed its preflight, V(always) or
        V(never).
      - V(halted) is whether a cluster of an earlier batch failed, so that this batch and all later ones are not begun.
      - V(begun) are the clusters of this host's batch and of those before it, V(lost) those of them that failed or
        could not be reached.
      - V(failure) describes in a rescue why this host failed, with C(why), C(msg) and C(begun), for C(site_failure).
      - V(red) is the tag of the task that fails at the end for what was kept there, V(always) or V(never), and
        V(outcome) its message for this host.
      - V(unmet) says in check mode what a run without it would fail for.
    type: list
    elements: str
    choices: [hosts, serial, gate, stop, place, halted, begun, lost, failure, red, refused, outcome, unmet]
    required: true
  looks_only:
    description: Whether the playbook changes no cluster, as C(verify) does not, so that none has to wait for another.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Converge the clusters
  hosts: "{{ query('mcpops.platform.site_rollout', 'hosts') }}"
  serial: "{{ query('mcpops.platform.site_rollout', 'serial') }}"
  gather_facts: false
  tasks:
    - name: Show the order
      ansible.builtin.debug:
        msg: "{{ query('mcpops.platform.site_rollout', 'place') | first }}"
"""

RETURN = r"""
_raw:
  description: Patterns, numbers, tags, names, sentences or descriptions.
  type: list
  elements: raw
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils.domain import CLUSTERS
from ..plugin_utils import rollout
from ..plugin_utils.selection import inventory_of


class LookupModule(LookupBase):
    """The lookup of this file's name."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        known = variables or {}
        site = self._site(known, self.get_option("looks_only"))
        host = str(known.get("inventory_hostname", ""))
        try:
            return [one for term in terms for one in _told(str(term), site, host, known)]
        except ValueError as exc:
            raise AnsibleError(f"{rollout.SERIAL}: {exc}") from exc

    def _site(self, known: Mapping[str, Any], looks_only: bool) -> rollout.Site:
        groups = {str(name): [str(host) for host in hosts] for name, hosts in (known.get("groups") or {}).items()}
        hosts = inventory_of(self._loader, groups, known.get("ansible_limit"))
        everybody = known.get("ansible_play_hosts_all") or ()
        return rollout.Site(
            groups,
            # before the first play there is nothing to know of a host
            known.get("hostvars") or {},
            [host.name for host in hosts.get_hosts([CLUSTERS])] if groups.get(CLUSTERS) else [],
            bool(known.get("ansible_check_mode")),
            looks_only,
            (list(known.get("ansible_run_tags") or ["all"]), list(known.get("ansible_skip_tags") or ())),
            frozenset(everybody) - frozenset(known.get("ansible_play_hosts") or ()),
        )


def _told(term: str, site: rollout.Site, host: str, known: Mapping[str, Any]) -> list[Any]:
    if term == "hosts":
        return list(rollout.patterns(site))
    if term == "serial":
        # Ansible wants a number also where there is nobody
        return [len(batch.hosts) for batch in rollout.batches(site)] or ["100%"]
    if term == "gate":
        return ["always" if rollout.is_gated(site) else "never"]
    if term == "stop":
        return list(rollout.reasons_to_stop(site, host))
    if term == "place":
        return [rollout.place_of(site, host)]
    if term == "halted":
        return [bool(rollout.lost_before(site, host))]
    if term == "begun":
        return list(rollout.begun(site, host))
    if term == "lost":
        return list(rollout.lost(site, host))
    if term == "failure":
        return [rollout.failure(site, host, known.get("ansible_failed_result") or {})]
    if term == "red":
        return ["always" if rollout.is_red(site) else "never"]
    if term == "refused":
        return ["always" if rollout.is_refused(site) else "never"]
    if term == "outcome":
        return list(rollout.outcome(site, host))
    if term == "unmet":
        return list(rollout.unmet(site, host))
    raise AnsibleError(f"site_rollout: {term!r} is not one of the things that it tells; see its documentation.")
