#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_objects_info
short_description: Read Kubernetes objects
version_added: 0.1.0
description:
  - Returns the objects of one kind, chosen by name, namespace and selectors, without the bookkeeping of field managers.
  - The values of a Secret are never returned; its keys are.
options:
  api_version:
    description:
      - API group and version of the kind.
    type: str
    default: v1
  kind:
    description:
      - Kind of the objects. A kind that is not installed has no objects, and a note says so.
      - A kind that the cluster does not serve is refused when O(api_version) is in a group of Kubernetes itself or in
        none that a definition can have, and when the group serves the kind in another version.
    type: str
    required: true
  name:
    description:
      - Name of one object.
    type: str
  namespace:
    description:
      - Namespace of the objects; needed with O(name) for namespaced kinds. All namespaces if not set.
    type: str
  label_selectors:
    description:
      - Label selectors that all must match, such as V(app=web) or V(tier in (front, back)).
    type: list
    elements: str
  field_selectors:
    description:
      - Field selectors that all must match, such as V(status.phase=Running).
    type: list
    elements: str
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
- name: Read the Deployments of a namespace
  mcpops.platform.k8s_objects_info:
    kubeconfig: ~/.kube/config
    api_version: apps/v1
    kind: Deployment
    namespace: tools
  register: deployments

- name: Read one ConfigMap
  mcpops.platform.k8s_objects_info:
    kubeconfig: ~/.kube/config
    kind: ConfigMap
    name: greeting
    namespace: tools
  register: greeting
"""

RETURN = r"""
msg:
  description: How many objects there are.
  returned: always
  type: str
  sample: 2 deployments
objects:
  description: The objects as the API server returns them, without C(managedFields) and without values of Secrets.
  returned: always
  type: list
  elements: dict
  sample:
    - apiVersion: v1
      kind: ConfigMap
      metadata:
        name: greeting
        namespace: tools
      data:
        text: hello
notes:
  description: That the kind is not installed.
  returned: when it is not
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.kube import k8s_objects
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "api_version": {"type": "str", "default": "v1"},
    "kind": {"type": "str", "required": True},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "label_selectors": {"type": "list", "elements": "str"},
    "field_selectors": {"type": "list", "elements": "str"},
}
PROBLEMS = k8s_objects.list_problems
OPERATION = k8s_objects.info


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
