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
  - Releases of C(kmcp install) have the same names and are taken up as they are.
  - A definition that belongs to another release, such as kagent's, is found before C(helm) starts, and never taken
    from a release that is installed. One that was created without Helm, or whose release is gone, is taken over with
    O(take_ownership=true).
  - Before another version is installed, its definition is compared with the one that stands, and the values of the
    release with those the chart has.
  - O(atomic) goes for the controller. A definition may be in use as soon as it stands, and stays.
  - The controller is not removed from under C(MCPServer) objects that it works on, unless O(orphan_servers=true);
    nor are the namespaces of such objects taken out of those that it watches.
  - Removing the definition deletes every C(MCPServer) with its workloads; see O(delete_crds) and O(delete_servers).
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.helm
  - mcpops.platform.attributes
  - mcpops.platform.files
  - mcpops.platform.files.searched
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
    description:
      - Where both charts are, as an OCI path, as the address of an HTTP(S) chart repository, or as a directory on the
        machine the module runs on, which holds them unpacked or as C(name-version.tgz).
    type: str
    default: oci://ghcr.io/kagent-dev/kmcp/helm
  crds_chart:
    description:
      - Name of the chart with the definition, below O(chart_repository); a path such as V(crds/kmcp-crds), too.
      - A copy in a mirror may be called otherwise than the chart calls itself.
    type: str
    default: kmcp-crds
  controller_chart:
    description: Name of the chart with the controller, below O(chart_repository), as O(crds_chart).
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
      - User values of the controller's chart; O(purge_values) says whether they are the whole. The chart has no schema
        and ignores unknown keys. A value that this version's chart has not (any more) is refused.
      - Without this option the values of the release stay as they are, but for what the options below say. V({}) stands
        for no user values. What an option says must not be said here, too.
    type: dict
  image_repository:
    description: Image of the controller without its tag, for a mirror (C(image.repository)).
    type: str
  image_tag:
    description: Tag of the controller's image, without a leading C(v); the chart's version if not set (C(image.tag)).
    type: str
  image_pull_policy:
    description: When the controller's image is pulled; the chart's default is V(IfNotPresent) (C(image.pullPolicy)).
    type: str
    choices: [Always, IfNotPresent, Never]
  image_pull_secrets:
    description:
      - Names of Secrets in O(namespace) with the login of a private registry (C(imagePullSecrets)). Create them first,
        with M(mcpops.platform.k8s_objects).
    type: list
    elements: str
  replicas:
    description: Pods of the controller, of which one works; the chart's default is 1 (C(controller.replicaCount)).
    type: int
  leader_election:
    description:
      - Whether the pods agree on the one that works (C(controller.leaderElection.enabled)); the chart's default is
        V(true).
    type: bool
  watch_namespaces:
    description:
      - The namespaces whose C(MCPServer) objects the controller works on. It gets Roles in these instead of a
        ClusterRole (C(rbac.namespaces)). O(namespace) is always one of them; all others must exist. V([]) stands for
        all namespaces.
      - Needs version 0.2.8 or newer. The ClusterRoles of the metrics endpoint remain; O(metrics=false) removes them.
    type: list
    elements: str
  metrics:
    description: Serve metrics; the chart's default is V(true) (C(controller.metrics.enabled)).
    type: bool
  env:
    description: Environment variables of the controller, the whole set (C(controller.env)).
    type: dict
  adapter_version:
    description:
      - Version of agentgateway that the controller puts before servers of transport C(stdio), as it stands in the tag
        C(VERSION-musl) of C(ghcr.io/agentgateway/agentgateway); KMCP 0.3.0 takes V(0.9.0) if not set.
      - The pods of these servers are made anew when it changes. For an image of another registry see
        O(mcpops.platform.mcp_server#module:adapter_image).
    type: str
  resources:
    description: Requests and limits of the controller. The chart's limit of 128Mi is little for a big cluster.
    type: dict
  node_selector:
    description: Labels of the nodes the controller may run on.
    type: dict
  tolerations:
    description: Tolerations of the controller's pods, the whole list.
    type: list
    elements: dict
  affinity:
    description: Affinity of the controller's pods.
    type: dict
  pod_annotations:
    description: Annotations of the controller's pods.
    type: dict
  service_account:
    description: The controller's service account.
    type: dict
    suboptions:
      create:
        description: Create it; the chart's default is V(true).
        type: bool
      name:
        description: Its name, if not the chart's own.
        type: str
      annotations:
        description: Its annotations, for a workload identity, for example.
        type: dict
  manage_crds:
    description:
      - Whether the definition of C(MCPServer) is installed and kept here.
      - With V(false) it is somebody else's, such as kagent's. It must exist, and only the controller is installed.
    type: bool
    default: true
  accept_field_loss:
    description:
      - Another version's definition may lack fields that stored C(MCPServer) objects have. That is found before
        anything is changed, and refused with the names of these objects, unless this option is set.
      - A version of the API in which objects are stored never goes.
    type: bool
    default: false
  delete_crds:
    description:
      - With O(state=absent), remove the release with the definition, too.
      - Refused while an C(MCPServer) exists, unless O(delete_servers=true), and refused when the definition has become
        another release's.
    type: bool
    default: false
  delete_servers:
    description:
      - With O(delete_crds=true), accept that every C(MCPServer) of the cluster is deleted with its workloads.
      - Removes nothing without O(delete_crds=true).
    type: bool
    default: false
  orphan_servers:
    description:
      - With O(state=absent), remove the controller although C(MCPServer) objects exist that it works on. With
        O(state=present), let it watch fewer namespaces although such objects exist in the others.
      - Their workloads go on running as they are, changes to them have no effect, and what is lost of them does not
        come back, until a controller is installed again.
      - Refused without this option, with the names of these objects. Those in namespaces that the controller does not
        watch do not count, and none does where all are deleted with the definition. With it, a warning names them.
      - Contradicts O(delete_servers=true).
    type: bool
    default: false
  state:
    description:
      - Whether KMCP is to be there.
      - V(absent) removes the controller, unless MCP servers need it (see O(orphan_servers)).
      - The CustomResourceDefinition stays, unless O(delete_crds=true).
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

- name: A controller for two teams only, from a mirror that wants a login
  mcpops.platform.kmcp_install:
    chart_repository: oci://registry.example.org/mirror/kmcp/helm
    registry_username: puller
    registry_password: "{{ registry_password }}"
    image_repository: registry.example.org/mirror/kmcp/controller
    image_pull_secrets: [mirror-login]
    watch_namespaces: [team-a, team-b]
    metrics: false
    replicas: 2
    atomic: true

- name: KMCP from a mirror that calls the charts otherwise, under names of our own
  mcpops.platform.kmcp_install:
    chart_repository: oci://registry.example.org/platform/charts
    crds_chart: mcp-definitions
    controller_chart: mcp-controller
    crds_release_name: mcp-definitions
    release_name: mcp-controller

- name: The controller beside kagent, which brings the definition
  mcpops.platform.kmcp_install:
    manage_crds: false

- name: No KMCP; fails while there are MCP servers
  mcpops.platform.kmcp_install:
    state: absent

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
previous:
  description:
    - The two releases as they were before this task, as RV(releases). Their revisions are what C(helm rollback) can go
      back to after a change.
  returned: when O(state=present)
  type: dict
  contains:
    crds:
      description: The release with the definition.
      type: dict
      returned: always
    controller:
      description: The release with the controller.
      type: dict
      returned: always
rolled_back_to:
  description:
    - The revision that O(atomic) went back to; null when the release was uninstalled again, or when going back failed.
  returned: when the task failed and O(atomic=true)
  type: int
controller_image:
  description: Image of the controller; null while there is none.
  returned: when O(state=present)
  type: str
  sample: ghcr.io/kagent-dev/kmcp/controller:0.3.0
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What is worth knowing, such as a recovered release or a dependency that does not exist yet.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["Installing release kmcp-system/kmcp-crds (kmcp-crds 0.3.0)"]
"""

from functools import partial
from typing import Any

from ..module_utils.domains import DOMAINS
from ..module_utils.helm.spec import helm_argument_spec
from ..module_utils.kmcp import kmcp_install, spec
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    **helm_argument_spec(),
    "version": {"type": "str", "default": spec.DEFAULT_VERSION},
    "namespace": {"type": "str", "default": spec.DEFAULT_NAMESPACE},
    "create_namespace": {"type": "bool", "default": True},
    "chart_repository": {"type": "str", "default": spec.DEFAULT_REPOSITORY},
    "crds_chart": {"type": "str", "default": spec.DEFAULT_NAMES["crds_chart"]},
    "controller_chart": {"type": "str", "default": spec.DEFAULT_NAMES["controller_chart"]},
    "crds_release_name": {"type": "str", "default": spec.DEFAULT_NAMES["crds_release_name"]},
    "release_name": {"type": "str", "default": spec.DEFAULT_NAMES["release_name"]},
    "values": {"type": "dict"},
    "image_repository": {"type": "str"},
    "image_tag": {"type": "str"},
    "image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"]},
    "image_pull_secrets": {"type": "list", "elements": "str", "no_log": False},
    "replicas": {"type": "int"},
    "leader_election": {"type": "bool"},
    "watch_namespaces": {"type": "list", "elements": "str"},
    "metrics": {"type": "bool"},
    "env": {"type": "dict"},
    "adapter_version": {"type": "str"},
    "resources": {"type": "dict"},
    "node_selector": {"type": "dict"},
    "tolerations": {"type": "list", "elements": "dict"},
    "affinity": {"type": "dict"},
    "pod_annotations": {"type": "dict"},
    "service_account": {
        "type": "dict",
        "options": {"create": {"type": "bool"}, "name": {"type": "str"}, "annotations": {"type": "dict"}},
    },
    "manage_crds": {"type": "bool", "default": True},
    "accept_field_loss": {"type": "bool", "default": False},
    "delete_crds": {"type": "bool", "default": False},
    "delete_servers": {"type": "bool", "default": False},
    "orphan_servers": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
FILE_OPTIONS = spec.file_options
PROBLEMS = spec.problems
OPERATION = partial(kmcp_install.converge, domains=DOMAINS)


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
