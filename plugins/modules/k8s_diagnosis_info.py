#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_diagnosis_info
short_description: Say what is wrong in a Kubernetes cluster, why, and what to do
version_added: 0.1.0
description:
  - Reads a cluster (or some of its namespaces) with one list for each kind, and returns what does not work as
    classified findings with evidence and advice. Ten pods with one fault are one finding about their workload.
  - It finds images that cannot be pulled, crash loops, containers out of memory, configuration that cannot work,
    missing Secrets, ConfigMaps and keys, pods that fit on no node, quotas, pods that admission refuses, failing
    probes, failed and suspended jobs, rollouts that are stuck or paused, Services without endpoints, Ingresses and load
    balancers without an address, claims without a volume, autoscalers without metrics, disruption budgets that block
    drains, webhooks and aggregated APIs that do not answer, a DNS that does not run, nodes that are not ready or short
    of something, containers that run with an older Secret or ConfigMap than stands, and a KMCP controller that is
    down, behind, or refuses an MCP server.
  - Of MCP servers it finds what their status hides. These are a Ready that nobody takes back, fields that an old
    definition drops, ports that do not agree, and one server that stops the controller for all others. With O(probe) it
    finds what only a call shows, too.
  - Of an MCP Mesh it finds addresses of registries and agents that lead nowhere, registries without their database, and
    the traps of its official charts. With O(probe) it asks the registries which agents they know.
  - What is normal for a while, such as a pod that starts, becomes a finding only when it lasts.
  - Environment values of a pod, tokens, passwords and keys are replaced in evidence. A secret that a program prints
    without anything that gives it away cannot be known as one.
  - Nothing is changed. Of Secrets and ConfigMaps only the metadata is listed. At most 20 of them are read as a whole,
    to compare a digest of them with the one that a pod carries; their values go nowhere else.
options:
  namespaces:
    description:
      - Namespaces to look at. All of them if not set or empty.
    type: list
    elements: str
  cluster_scope:
    description:
      - Whether what all namespaces share is looked at as well. That is nodes, DNS, webhooks, aggregated APIs and the
        KMCP controller.
      - Without it, an identity that may read the O(namespaces) only is enough.
    type: bool
    default: true
  log_lines:
    description:
      - How many of the last log lines of a container that ends or fails its probes are evidence, 0 to 100.
        V(0) reads no logs.
      - At most 20 logs are read, those of the first findings.
    type: int
    default: 8
  probe:
    description:
      - Whether MCP servers whose pods run are asked as well, once and through the API server's proxy. No tool is
        called. Registries of an MCP Mesh are asked for their agents.
      - Only a call shows a server that keeps sessions which its replicas do not share, one that refuses the name it is
        called by (HTTP 421), one of another era of the protocol than its clients, and one that listens elsewhere.
      - Needs the verbs create and delete on C(services/proxy), and on C(pods/proxy) to ask every replica. Without them,
        RV(unread) says so.
    type: bool
    default: false
  probe_servers:
    description:
      - How to ask those servers that need more than their name. With O(probe) every other server is asked all the same.
        Entries are as in M(mcpops.platform.mcp_probe); what they say of tools and answers is left to that module.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the server.
        type: str
        required: true
      namespace:
        description: Its namespace; any namespace when not set.
        type: str
      port:
        description: Port of its Service, if not the one of the MCPServer.
        type: int
      path:
        description: Path of its MCP endpoint, if not the one of the MCPServer.
        type: str
      via:
        description: The way to it, as in M(mcpops.platform.mcp_probe).
        type: str
        choices: [proxy, port_forward]
      era:
        description: The era of MCP that its clients speak. A server that does not speak it is a finding.
        type: str
        choices: [auto, modern, legacy]
      headers:
        description: Request headers that it demands. They are never shown.
        type: dict
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes.info
  - mcpops.platform.files
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection options once.
    support: full
    membership: [mcpops.platform.kubernetes]
author:
  - The mcpops.platform contributors (@mcpops)
"""

EXAMPLES = r"""
- name: Say what is wrong in a cluster
  mcpops.platform.k8s_diagnosis_info:
    kubeconfig: ~/.kube/config
  register: diagnosis

- name: Show it as a readable report
  ansible.builtin.debug:
    msg: "{{ diagnosis | mcpops.platform.diagnosis_report }}"

- name: Look at one namespace only, with the rights for that namespace
  mcpops.platform.k8s_diagnosis_info:
    kubeconfig: ~/.kube/config
    namespaces: [mcp]
    cluster_scope: false
  register: diagnosis
  failed_when: diagnosis.counts.error > 0
"""

RETURN = r"""
msg:
  description: How many findings there are.
  returned: always
  type: str
  sample: 1 error, 1 warning in 214 objects
schema_version:
  description: Version of the structure of this result. It changes when a key goes or changes its meaning.
  returned: always
  type: int
  sample: 1
findings:
  description: What is wrong, the worst first.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The same from run to run for as long as the fault is there. It names no pod.
      type: str
      sample: ImagePull/mcp/Deployment/echo/mcp-server
    code:
      description: The kind of fault. The codes are those of C(error.reasons) of modules that wait.
      type: str
      sample: ImagePull
    severity:
      description: V(error), V(warning) or V(info).
      type: str
      sample: error
    object:
      description: C(api_version), C(kind), C(name) and, where it has one, C(namespace) of what is wrong.
      type: dict
      sample: {"api_version": "apps/v1", "kind": "Deployment", "name": "echo", "namespace": "mcp"}
    summary:
      description: What is wrong, in a sentence.
      type: str
      sample: "container mcp-server: image registry.example.com/echo:2 cannot be pulled: not found"
    advice:
      description: What to do.
      type: str
      sample: Check the image's name and tag, and that the cluster may pull from its registry.
    evidence:
      description: What shows it. Each entry has a C(source), V(status), V(event), V(log) or V(call), and C(text).
      type: list
      elements: dict
      sample: [{"source": "event", "text": "Failed to pull image"}]
    pods:
      description: The pods that show it, where the object is their workload.
      type: list
      elements: str
      sample: [echo-6d5f8-x2x7p]
    caused_by:
      description: The C(id) of findings this one follows from.
      type: list
      elements: str
      sample: []
counts:
  description: How many findings there are of each severity.
  returned: always
  type: dict
  sample: {"error": 1, "warning": 1, "info": 0}
looked_at:
  description: How many objects of each kind were looked at.
  returned: always
  type: dict
  sample: {"Deployment": 12, "Pod": 31}
unread:
  description: Kinds that this identity may not list, everywhere or at all. What they would show is not known.
  returned: always
  type: list
  elements: str
  sample: [Node may not be listed]
"""

from functools import partial
from typing import Any

from ..module_utils.domains import DOMAINS
from ..module_utils.kube import k8s_diagnosis_info
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "namespaces": {"type": "list", "elements": "str"},
    "cluster_scope": {"type": "bool", "default": True},
    "log_lines": {"type": "int", "default": 8},
    "probe": {"type": "bool", "default": False},
    "probe_servers": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str"},
            "port": {"type": "int"},
            "path": {"type": "str"},
            "via": {"type": "str", "choices": ["proxy", "port_forward"]},
            "era": {"type": "str", "choices": ["auto", "modern", "legacy"]},
            "headers": {"type": "dict", "no_log": True},
        },
    },
}
PROBLEMS = k8s_diagnosis_info.problems
OPERATION = partial(k8s_diagnosis_info.diagnose, domains=DOMAINS)


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
