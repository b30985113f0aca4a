#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kmcp_install
short_description: Installs the KMCP definitions and controller at one version
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Keeps the two Helm releases of KMCP (kagent-dev/kmcp) at one version, first the chart with the definition of
    C(MCPServer), then, when the API server serves it, the chart with the controller.
  - Both are kept as M(mcpops.platform.helm_release) keeps a release. C(helm) is started only for a change, and objects
    that somebody changed, removed or added to are shown and restored.
  - A definition that belongs to another release, such as kagent's, is found before C(helm) starts.
  - Removing the definition deletes every C(MCPServer) with its workloads; see O(delete_crds) and O(delete_servers).
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.helm
  - mcpops.platform.attributes
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
requirements:
  - helm >= 3.8 on the machine the module runs on, when something is to be installed, upgraded or removed
options:
  version:
    description:
      - Version of both charts, exactly; a leading C(v) is accepted. 0.2.6 is the oldest one supported.
    type: str
    default: 0.3.0
  namespace:
    description: Namespace of both releases.
    type: str
    default: kmcp-system
  create_namespace:
    description: Create the namespace when it does not exist; it is not removed with KMCP.
    type: bool
    default: true
  chart_repository:
    description: OCI path below which both charts are.
    type: str
    default: oci://ghcr.io/kagent-dev/kmcp/helm
  crds_chart:
    description: Name of the chart with the definition.
    type: str
    default: kmcp-crds
  controller_chart:
    description: Name of the chart with the controller.
    type: str
    default: kmcp
  crds_release_name:
    description: Name of the release with the definition.
    type: str
    default: kmcp-crds
  release_name:
    description: Name of the release with the controller; its objects are named after it.
    type: str
    default: kmcp
  values:
    description:
      - The whole of the user values of the controller's chart. The chart has no schema and ignores unknown keys.
      - Without this option the values of the release stay as they are. V({}) stands for no user values.
    type: dict
  delete_crds:
    description:
      - With O(state=absent), remove the release with the definition, too.
      - Refused while an C(MCPServer) exists, unless O(delete_servers=true).
    type: bool
    default: false
  delete_servers:
    description: With O(delete_crds=true), accept that every C(MCPServer) of the cluster is deleted with its workloads.
    type: bool
    default: false
  wait:
    description: Wait until the controller is ready. The definition is waited for in any case.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait, for each release and for an uninstall.
    type: int
    default: 300
  stale_after:
    description:
      - Seconds after which a release that is still pending counts as left behind by a killed C(helm). A younger one is
        waited for, because another C(helm) may be at work.
    type: int
    default: 60
  state:
    description:
      - Whether KMCP is to be there.
      - V(absent) removes the controller; MCP servers go on running, and nobody reconciles them.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: mcpops.platform.mcp_server
  - module: mcpops.platform.helm_release
"""

EXAMPLES = r"""
- name: KMCP with the chart's own settings
  mcpops.platform.kmcp_install:
    kubeconfig: ~/.kube/demo

- name: KMCP from a mirror, with more memory for a big cluster
  mcpops.platform.kmcp_install:
    version: 0.3.0
    chart_repository: oci://registry.example.org/mirror/kmcp/helm
    values:
      image:
        repository: registry.example.org/mirror/kmcp/controller
      resources:
        limits:
          cpu: 500m
          memory: 512Mi

- name: No KMCP, and no MCP server either
  mcpops.platform.kmcp_install:
    state: absent
    delete_crds: true
    delete_servers: true
"""

RETURN = r"""
version:
  description: Version of both charts.
  returned: when O(state=present)
  type: str
  sample: 0.3.0
releases:
  description: The two releases as Helm's records say; null for one that does not exist (yet).
  returned: when O(state=present)
  type: dict
  contains:
    crds:
      description: The release with the definition, as RV(mcpops.platform.helm_release#module:release).
      type: dict
      returned: always
    controller:
      description: The release with the controller, as RV(mcpops.platform.helm_release#module:release).
      type: dict
      returned: always
controller_image:
  description: Image of the controller; null while there is none.
  returned: when O(state=present)
  type: str
  sample: ghcr.io/kagent-dev/kmcp/controller:0.3.0
notes:
  description: What is worth knowing, such as a recovered release or a dependency that does not exist yet.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import registry_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import charts, operation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.options import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    **registry_argument_spec(),
    "version": {"type": "str", "default": charts.DEFAULT_VERSION},
    "namespace": {"type": "str", "default": charts.DEFAULT_NAMESPACE},
    "create_namespace": {"type": "bool", "default": True},
    "chart_repository": {"type": "str", "default": charts.DEFAULT_REPOSITORY},
    "crds_chart": {"type": "str", "default": "kmcp-crds"},
    "controller_chart": {"type": "str", "default": "kmcp"},
    "crds_release_name": {"type": "str", "default": "kmcp-crds"},
    "release_name": {"type": "str", "default": "kmcp"},
    "values": {"type": "dict"},
    "ignore_differences": {
        "type": "list",
        "elements": "dict",
        "options": {
            "kind": {"type": "str", "required": True},
            "name": {"type": "str"},
            "paths": {"type": "list", "elements": "str", "required": True},
        },
    },
    "delete_crds": {"type": "bool", "default": False},
    "delete_servers": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "stale_after": {"type": "int", "default": 60},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
OPERATION = operation.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
