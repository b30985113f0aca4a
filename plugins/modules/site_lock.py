#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_lock
short_description: Lets one run at a time work on a cluster
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Takes a Lease named C(mcpops-platform) in the cluster for the time of this run, or gives it back. While another run
    holds it, the task fails at once and says who that is and since when, or waits for O(wait_timeout).
  - Every task of this collection that talks to a cluster renews the leases of its run while it works. A lease that was
    not renewed for 60 seconds, or whose process has ended on this machine, is taken over, with a warning that says
    whose it was. A run that lost its lease in this way stops at its next task.
  - Between tasks of this collection nothing renews the lease. While a task of another kind runs for longer than a
    minute, runs on other controllers may take the cluster over; on the same controller they see that this one lives.
  - The lease exists only while a run holds it, and is no change. In check mode none is taken. A task that runs away
    from the controller, on a jump host for example, takes none and says so.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes
  - mcpops.platform.files
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection options once.
    support: full
    membership: [mcpops.platform.kubernetes]
  check_mode:
    description: Does nothing in check mode, because a check changes nothing that others could cross.
    support: full
  diff_mode:
    description: Has nothing to show, because the lease goes when the run ends.
    support: N/A
options:
  state:
    description:
      - V(present) takes the lease, V(absent) gives it back if this run holds it.
      - Giving it back never fails; a lease that cannot be given back lapses.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description:
      - Namespace of the lease. All runs that could meet must use the same. It must exist.
      - The identity needs the verbs get, create, update and delete on C(leases) there.
    type: str
    default: kube-system
  wait_timeout:
    description: Seconds to wait while another run holds the lease; V(0) fails at once.
    type: int
    default: 0
  playbook:
    description: What this run is, shown to others who meet the lease.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Take the cluster's lease, and wait up to ten minutes for a run that holds it
  mcpops.platform.site_lock:
    kubeconfig: ~/.kube/agents
    wait_timeout: 600

- name: Work on the cluster, one run at a time
  block:
    - name: Have the namespace
      mcpops.platform.k8s_objects:
        kubeconfig: ~/.kube/agents
        definitions:
          - apiVersion: v1
            kind: Namespace
            metadata:
              name: tools
  always:
    - name: Give the lease back
      mcpops.platform.site_lock:
        kubeconfig: ~/.kube/agents
        state: absent
"""

RETURN = r"""
lease:
  description: The lease that this run holds now.
  returned: when it was taken
  type: dict
  contains:
    holder:
      description: How this run is named in it.
      type: str
      sample: alice@controller 4711ab_c3
    since:
      description: When it was taken, by the clock of the API server.
      type: str
      sample: "2026-01-31T10:00:00.000000Z"
    taken_over:
      description: Whether it was the lease of a run that had died.
      type: bool
notes:
  description: Whose lease was taken over.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.kube import lease, site_lock
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "namespace": {"type": "str", "default": lease.LEASE_NAMESPACE},
    "wait_timeout": {"type": "int", "default": 0},
    "playbook": {"type": "str", "default": ""},
}
PROBLEMS = site_lock.problems
OPERATION = site_lock.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
