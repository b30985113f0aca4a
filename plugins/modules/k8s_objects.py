#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_objects
short_description: Make a cluster hold a bundle of Kubernetes objects
version_added: 0.1.0
description:
  - Applies any number of objects as one task by server-side apply with the field manager C(mcpops). Namespaces come
    first, then CustomResourceDefinitions until the API server serves them, then the rest, then custom resources;
    inside a phase all objects go at once.
  - Only declared fields are compared and changed. A field, label, environment variable or list item that disappears
    from the declaration is removed from the object. Objects that stand as declared cost no request of their own; many
    objects of a kind are read by one list.
  - Fields that other managers own are left alone unless O(exclusive=true); a declared field that another manager has
    set to another value is a conflict that names field and manager unless O(force_conflicts=true).
  - An object that fails does not keep the others from being applied; all failures are reported together.
options:
  definitions:
    description:
      - The objects, as a list of mappings, or as YAML text with any number of documents, or a list of both.
      - A C(List) object stands for its items. C(stringData) of a Secret is applied as C(data). C(status) and what only
        the server sets, such as C(metadata.resourceVersion), is left out.
      - With O(state=absent) only C(apiVersion), C(kind), C(metadata.name) and C(metadata.namespace) matter.
    type: raw
  src:
    description:
      - A file with objects, or a directory whose YAML and JSON files are read in the order of their names, on the
        machine where the module runs. Added to O(definitions).
    type: path
  namespace:
    description:
      - The namespace of namespaced objects that name none themselves. It is not created; declare it as one of the
        O(definitions) for that.
    type: str
  state:
    description:
      - V(present) applies the objects, V(absent) deletes those that exist.
    type: str
    choices: [present, absent]
    default: present
  force_conflicts:
    description:
      - Take over declared fields that another manager has set to another value.
    type: bool
    default: false
  exclusive:
    description:
      - Treat what others have written under C(spec), C(data) or C(rules) as drift. Declared fields are taken back and
        undeclared ones are removed, each shown with the manager who wrote it.
      - What Kubernetes' own controllers, an autoscaler or a CA injector write is expected and left alone, as are
        labels, annotations and other metadata.
    type: bool
    default: false
  wait:
    description:
      - Wait until the objects are ready, or, with O(state=absent), until they are gone.
      - Workloads are ready when every replica of the latest version is, jobs when they are complete, claims when
        they are bound or wait for their first pod, load balancers when they have an address. Other kinds are ready
        by existing, unless O(wait_condition) says more.
      - What waiting cannot heal, such as an image that does not exist, a crash loop or a failed job, ends the wait
        early. The error names the reason, with the last log lines of a crashing container.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait at most.
    type: int
    default: 120
  wait_condition:
    description:
      - A condition that objects of kinds without a readiness of their own, such as custom resources, must show.
    type: dict
    suboptions:
      type:
        description:
          - Type of the condition.
        type: str
        required: true
      status:
        description:
          - Wanted status of the condition.
        type: str
        choices: ["True", "False", "Unknown"]
        default: "True"
  delete_propagation:
    description:
      - What happens to dependents with O(state=absent). V(Background) deletes them afterwards, V(Foreground) before the
        object itself goes, V(Orphan) leaves them.
    type: str
    choices: [Background, Foreground, Orphan]
    default: Background
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection options once.
    support: full
    membership: [mcpops.platform.kubernetes]
author:
  - The mcpops.platform contributors (@mcpops)
"""

EXAMPLES = r"""
- name: Have a namespace with the restricted Pod Security level and a ConfigMap in it
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    definitions:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: tools
          labels:
            pod-security.kubernetes.io/enforce: restricted
      - apiVersion: v1
        kind: ConfigMap
        metadata:
          name: greeting
          namespace: tools
        data:
          text: hello

- name: Own a ConfigMap whole, so that nothing is in it that is not declared here
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    exclusive: true
    definitions: |
      apiVersion: v1
      kind: ConfigMap
      metadata:
        name: greeting
        namespace: tools
      data:
        text: hello

- name: Apply a directory of manifests into one namespace and wait until everything is ready
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    src: /etc/platform/manifests
    namespace: tools
    wait: true
    wait_timeout: 300

- name: Delete a ConfigMap
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    state: absent
    definitions:
      - apiVersion: v1
        kind: ConfigMap
        metadata:
          name: greeting
          namespace: tools
"""

RETURN = r"""
msg:
  description: What was, or would be, different.
  returned: always
  type: str
  sample: "ConfigMap tools/greeting: data.text"
objects:
  description: One row for each object, in the order of their declaration. Never their content.
  returned: when the input is valid and the cluster was reached
  type: list
  elements: dict
  contains:
    api_version:
      description: API group and version.
      type: str
      returned: always
      sample: v1
    kind:
      description: Kind.
      type: str
      returned: always
      sample: ConfigMap
    name:
      description: Name.
      type: str
      returned: always
      sample: greeting
    namespace:
      description: Namespace.
      type: str
      returned: for namespaced objects
      sample: tools
    changed:
      description: Whether this object changed, or would change.
      type: bool
      returned: always
      sample: true
    error:
      description: Why this object could not be applied or deleted.
      type: str
      returned: when it failed
      sample: "apply ConfigMap tools/greeting: namespaces \"tools\" not found (NotFound)."
notes:
  description: What a reader should know about the plan, such as an object that depends on something not there yet.
  returned: when there are any
  type: list
  elements: str
  sample: ["ConfigMap tools/greeting: depends on the namespace tools, not there yet"]
"""

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube import object_set
from ansible_collections.mcpops.platform.plugins.module_utils.kube.options import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "definitions": {"type": "raw"},
    "src": {"type": "path"},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "force_conflicts": {"type": "bool", "default": False},
    "exclusive": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
    "wait_condition": {
        "type": "dict",
        "options": {
            "type": {"type": "str", "required": True},
            "status": {"type": "str", "choices": ["True", "False", "Unknown"], "default": "True"},
        },
    },
    "delete_propagation": {
        "type": "str",
        "choices": ["Background", "Foreground", "Orphan"],
        "default": "Background",
    },
}
RULES = {"required_one_of": [["definitions", "src"]]}
OPERATION = object_set.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
