#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_release
short_description: Keeps a Helm release and all of its objects as declared
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Installs, upgrades, repairs and removes a release of a Helm chart.
  - What is installed is read from Helm's own record in the cluster. The C(helm) program is started only for a changed
    chart, changed values, a release that is not deployed, and a removal.
  - The live objects are compared with the manifest of the release. Objects that are missing, fields of the chart that
    somebody changed and fields under C(spec), C(data) or C(rules) that somebody added are shown with the name of the
    field manager who did so, and are restored by server-side apply as field manager C(helm), without C(helm) itself.
    Labels and annotations that others added are left alone.
  - What autoscalers, injectors of certificate authorities and controllers that fill empty Secrets and ConfigMaps write
    is not drift; more is named by O(ignore_differences).
  - A release that a killed C(helm) left C(pending-upgrade) or C(pending-rollback) goes back to its last deployed
    revision first. Where no revision was ever deployed, the unfinished record is deleted, and the objects that exist
    already are taken up by the install. Both are said in RV(notes).
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
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    required: true
  create_namespace:
    description: Create the namespace when it does not exist; it is not removed with the release.
    type: bool
    default: false
  chart_ref:
    description:
      - The chart, as C(oci://registry/path/name), or as the path of a chart directory or archive on the machine the
        module runs on.
      - Required with O(state=present).
    type: str
  chart_version:
    description:
      - One exact version, such as V(1.2.3); a leading C(v) is accepted.
      - Required for a chart from a registry. For a chart on disk it must be the chart's own version, if given.
    type: str
  values:
    description:
      - The whole of the user values; values the release has and this option has not are removed.
      - Without this option the values of the release stay as they are. V({}) stands for no user values.
      - Values below a key that looks secret (C(password), C(token), ...) are never shown.
    type: dict
  values_secret:
    description: Show none of the values.
    type: bool
    default: false
  wait:
    description:
      - Wait until the workloads of the release are ready. What keeps them from it is explained, and what will not
        become ready by waiting fails at once.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait, for readiness, for hooks and for an uninstall, each.
    type: int
    default: 300
  stale_after:
    description:
      - Seconds after which a release that is still pending counts as left behind by a killed C(helm). A younger one is
        waited for, because another C(helm) may be at work.
    type: int
    default: 60
  state:
    description: Whether the release is to be there. V(absent) uninstalls it and waits until its objects are gone.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: mcpops.platform.kmcp_install
  - module: mcpops.platform.k8s_objects
"""

EXAMPLES = r"""
- name: A release with values, and everything of it as the chart says
  mcpops.platform.helm_release:
    kubeconfig: ~/.kube/demo
    name: podinfo
    namespace: web
    create_namespace: true
    chart_ref: oci://ghcr.io/stefanprodan/charts/podinfo
    chart_version: 6.9.1
    values:
      replicaCount: 2

- name: A chart of a private registry, whose replicas an autoscaler of somebody else sets
  mcpops.platform.helm_release:
    name: shop
    namespace: web
    chart_ref: oci://registry.example.org/charts/shop
    chart_version: 1.4.0
    registry_username: puller
    registry_password: "{{ registry_password }}"
    values:
      database:
        existingSecret: shop-database
    ignore_differences:
      - kind: Deployment
        name: shop
        paths: [spec.replicas]

- name: Without the release
  mcpops.platform.helm_release:
    name: podinfo
    namespace: web
    state: absent
"""

RETURN = r"""
release:
  description: The release as Helm's record says; null when there is none. Its values are never returned.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the release.
      type: str
      returned: always
    namespace:
      description: Namespace of the release.
      type: str
      returned: always
    revision:
      description: Helm's revision. It grows with each install and upgrade, not with repairs.
      type: int
      returned: always
    status:
      description: Helm's status.
      type: str
      returned: always
    chart:
      description: Name of the chart.
      type: str
      returned: always
    chart_version:
      description: Version of the chart.
      type: str
      returned: always
    app_version:
      description: Version of the application, as the chart says.
      type: str
      returned: always
  sample:
    name: podinfo
    namespace: web
    revision: 3
    status: deployed
    chart: podinfo
    chart_version: 6.9.1
    app_version: 6.9.1
notes:
  description: What is worth knowing, such as a recovered release or a dependency that does not exist yet.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm import operation
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import registry_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.options import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    **registry_argument_spec(),
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "create_namespace": {"type": "bool", "default": False},
    "chart_ref": {"type": "str"},
    "chart_version": {"type": "str"},
    "values": {"type": "dict"},
    "values_secret": {"type": "bool", "default": False, "no_log": False},
    "ignore_differences": {
        "type": "list",
        "elements": "dict",
        "options": {
            "kind": {"type": "str", "required": True},
            "name": {"type": "str"},
            "paths": {"type": "list", "elements": "str", "required": True},
        },
    },
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "stale_after": {"type": "int", "default": 60},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RULES = {"required_if": [("state", "present", ["chart_ref"])]}
OPERATION = operation.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
