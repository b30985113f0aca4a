#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_preflight
short_description: Says whether an existing cluster can take what is to run in it
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Looks at a cluster before anything is applied to it. All that is wrong is one message. Nothing is changed, and
    nobody but the API server is asked.
  - It is for clusters that this collection did not create, whatever they are made with.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes.info
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection options once.
    support: full
    membership: [mcpops.platform.kubernetes]
options:
  checks:
    description:
      - What is looked at; everything if not set.
      - V(nodes) fails where no node is Ready. Nodes that are not, beside others that are, are a note, and nothing
        counts on them.
      - V(capacity) holds the cpu and the memory that O(workloads) and O(definitions) ask for against what other pods
        leave of the nodes that are Ready and not cordoned. The pods of a declaration must fit on the nodes whose labels
        and taints they suit, and what must share the same nodes into what is left there. Affinities, volumes and
        other resources, such as GPUs, are not looked at.
      - V(storage) looks for the default StorageClass, V(metrics) asks the metrics API. What they lack fails where
        something needs it, and is a note otherwise. What O(require) names is looked at, whatever is chosen here.
      - V(permissions) asks the API server (SelfSubjectAccessReview) whether this identity may do what O(permissions)
        and the application of O(definitions) take.
      - What this identity may not see is a note, but for the nodes.
    type: list
    elements: str
    choices: [nodes, capacity, storage, metrics, permissions]
  workloads:
    description:
      - What is to run, as mappings of C(name), C(replicas) (1 if not set), C(resources) (with C(requests) and
        C(limits)), C(sidecars), C(node_selector) and C(tolerations). Entries as
        M(mcpops.platform.mcp_server) takes them will do; other keys mean nothing here.
    type: list
    elements: dict
  definitions:
    description:
      - Objects that are to be applied. Of those that make pods, the pods count; claims without a class, also those in
        volumes of pods, need the default StorageClass, autoscalers by cpu or memory the metrics API. The right to get,
        create and patch each kind in its namespace is asked for.
    type: list
    elements: dict
  namespaces:
    description:
      - Namespaces that belong to what is declared. Pods that run there already are not counted as those of others.
    type: list
    elements: str
  permissions:
    description: Rights to ask for.
    type: list
    elements: dict
    suboptions:
      group:
        description: API group; empty for the core group.
        type: str
        default: ""
      resource:
        description: Plural name of the resource, such as V(deployments), or with a subresource, such as V(pods/log).
        type: str
        required: true
      verbs:
        description: What is to be done with it.
        type: list
        elements: str
        required: true
      namespaces:
        description: The namespaces; the whole cluster if there are none.
        type: list
        elements: str
  require:
    description: What the cluster must have, whether or not the definitions show that they need it.
    type: list
    elements: str
    choices: [default_storage_class, metrics_api]
  autoscaled:
    description:
      - Whether nodes are added as pods need them. Then every pod must fit on an empty node of those there are, and how
        many fit does not matter.
    type: bool
    default: false
  programs:
    description:
      - Programs that are needed where the task runs, each with the oldest version that will do if there is one, such as
        V(helm>=3.8). Looked for in E(PATH) and beside the Python interpreter, before the cluster is asked.
    type: list
    elements: str
  libraries:
    description: Distributions of Python that are needed there, such as V(urllib3>=2.2).
    type: list
    elements: str
seealso:
  - module: mcpops.platform.aks_sku_preflight
"""

EXAMPLES = r"""
- name: Can this cluster take two servers and a volume?
  mcpops.platform.k8s_preflight:
    kubeconfig:
      path: ~/.kube/config
      context: team-cluster
    workloads:
      - name: search
        replicas: 2
        resources:
          requests:
            cpu: 500m
            memory: 512Mi
    require: [default_storage_class]
    permissions:
      - group: kagent.dev
        resource: mcpservers
        verbs: [get, list, create, patch]
        namespaces: [mcp]

- name: Is it there, and is a node Ready?
  mcpops.platform.k8s_preflight:
    kubeconfig: ~/.kube/team-cluster
    checks: [nodes]
"""

RETURN = r"""
cluster:
  description: The cluster.
  returned: when it was reached
  type: dict
  contains:
    server:
      description: Address of the API server.
      type: str
      returned: always
    kubernetes_version:
      description: Its version; null where it may not be read.
      type: str
      returned: always
      sample: 1.35.4
    nodes:
      description: Number of nodes.
      type: int
      returned: with the checks V(nodes) or V(capacity)
    ready_nodes:
      description: Number of nodes that are Ready.
      type: int
      returned: with the checks V(nodes) or V(capacity)
capacity:
  description: C(cpu), C(memory) and C(pods), C(asked) for and C(free).
  returned: with the check V(capacity), when a node is Ready
  type: dict
  sample:
    asked: {cpu: "1.01", memory: 1088Mi, pods: 3}
    free: {cpu: "3.2", memory: 12040Mi, pods: 96}
default_storage_class:
  description: Name of the default StorageClass; null where there is none.
  returned: with the check V(storage), when StorageClasses may be listed
  type: str
metrics_api:
  description: Whether the metrics API answers.
  returned: with the check V(metrics), when it may be asked
  type: bool
permissions:
  description: Of how many rights the API server said whether this identity has them, and those that it lacks.
  returned: with the check V(permissions), when rights are asked for
  type: dict
  contains:
    asked:
      description: Number of rights.
      type: int
      returned: always
    refused:
      description: Mappings of C(verb), C(resource), C(group) and C(namespace).
      type: list
      elements: dict
      returned: always
notes:
  description: What is worth knowing and does not keep anything from running.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.kube import k8s_preflight
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "checks": {"type": "list", "elements": "str", "choices": list(k8s_preflight.CHECKS)},
    "workloads": {"type": "list", "elements": "dict"},
    "definitions": {"type": "list", "elements": "dict"},
    "namespaces": {"type": "list", "elements": "str"},
    "permissions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "group": {"type": "str", "default": ""},
            "resource": {"type": "str", "required": True},
            "verbs": {"type": "list", "elements": "str", "required": True},
            "namespaces": {"type": "list", "elements": "str"},
        },
    },
    "require": {"type": "list", "elements": "str", "choices": list(k8s_preflight.REQUIRED)},
    "autoscaled": {"type": "bool", "default": False},
    "programs": {"type": "list", "elements": "str"},
    "libraries": {"type": "list", "elements": "str"},
}
PROBLEMS = k8s_preflight.problems
OPERATION = k8s_preflight.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
