#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_agent
short_description: Runs agents of an MCP Mesh, and waits until the registry says that they have found each other
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Makes of each declared agent a Deployment, a Service and a ServiceAccount without a token. Where they are declared,
    also a ConfigMap with its code, a PersistentVolumeClaim, a HorizontalPodAutoscaler, a PodDisruptionBudget (two pods
    or more) and a NetworkPolicy.
  - The options are those of the resource C(MCPAgent) of MCP Mesh's first manifests. That resource itself was never
    acted upon by anything, so this module does not write it.
  - Agents call each other under the address that the registry has of them. It is always that of the agent's Service,
    so that C(MCP_MESH_HTTP_HOST) and the other variables that follow from the declaration cannot be set.
  - What the code offers and needs is said by the code. O(agents[].capabilities) and O(agents[].dependencies) say what
    must come of it, and the registry is asked whether it has (see M(mcpops.platform.mesh_registry_info)).
  - The objects are owned whole. What somebody else has changed in them, or deleted, is shown as a change and repaired;
    what is no longer declared of an agent is removed, but for its volume.
  - An update replaces pods one by one; each stays until the next has had time to register, so that no capability is
    away meanwhile. An agent with a volume that only one pod can have is the exception, which is warned of.
  - Pods fulfil the Pod Security level C(restricted), and their root file system is read-only; C(/tmp) can be written
    to.
  - Pods are replaced when their code, or a Secret or ConfigMap that they use, has changed.
  - An object of an agent's name that this module did not make is refused, not overwritten.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes
  - mcpops.platform.files.searched
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
options:
  state:
    description:
      - V(present) makes the agents as declared.
      - V(absent) removes them. Of each only its name matters.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of the agents. It must exist.
    type: str
    required: true
  registry_namespace:
    description: Namespace of the registry, if that is another one.
    type: str
  registry_service:
    description: Name of the registry's Service.
    type: str
    default: mcp-mesh-registry
  registry_port:
    description: Port of the registry's Service.
    type: int
    default: 8000
  registry_url:
    description:
      - Address of a registry that is not a Service of this cluster. It is not asked then whether the agents have come
        to what is declared; for one that is named, network policies need O(remote_cidrs).
    type: str
  code:
    description: Directory in which the files of O(agents[].script) and O(agents[].directory) are looked for.
    type: path
  agents:
    description: The agents.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the agent, of its Service and of everything else it consists of.
        type: str
        required: true
      version:
        description: Version of the agent, for the label C(app.kubernetes.io/version) of its objects.
        type: str
      script:
        description: One file with the agent's code, below O(code).
        type: str
      directory:
        description:
          - A directory with the agent's code, below O(code). Hidden files, C(__pycache__) and compiled Python are left
            out. All files together may have 1 MiB.
        type: str
      entrypoint:
        description: File of O(agents[].directory) that is run; V(main.py) if not set.
        type: str
      image:
        description:
          - Image of the agent, or the runtime that runs its code; C(mcpmesh/python-runtime:3.8.0) if not set. The
            published runtimes need 3.6.0 or newer, for what is asked of them whether they are ready.
        type: str
      image_pull_policy:
        description: When nodes pull the image.
        type: str
        choices: [Always, IfNotPresent, Never]
      image_pull_secrets:
        description: Names of Secrets with registry credentials.
        type: list
        elements: str
      command:
        description: Program instead of the image's own.
        type: list
        elements: raw
      args:
        description: Arguments; the file with the code if not set.
        type: list
        elements: raw
      port:
        description: Port on which the agent listens; 8080 if not set.
        type: int
      capabilities:
        description: What the agent must offer.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the capability.
            type: str
            required: true
          version:
            description: Range in which its version must be, such as V(>=1.0.0); any if not set.
            type: str
      dependencies:
        description: What the agent depends on.
        type: list
        elements: dict
        suboptions:
          capability:
            description: Name of the capability that it depends on.
            type: str
            required: true
          version:
            description: Range in which the version of the provider's capability must be; any if not set.
            type: str
          optional:
            description: Whether the agent does without it.
            type: bool
            default: false
      replicas:
        description: Number of pods; 1 if not set.
        type: int
      autoscaling:
        description: Lets a HorizontalPodAutoscaler choose the number of pods, instead of O(agents[].replicas).
        type: dict
        suboptions:
          min_replicas:
            description: Fewest pods.
            type: int
            default: 1
          max_replicas:
            description: Most pods.
            type: int
            required: true
          cpu_percent:
            description: Processor use to aim at, in percent of the request.
            type: int
          memory_percent:
            description: Memory use to aim at, in percent of the request.
            type: int
          stabilization_window:
            description:
              - For how many seconds the need for pods must have been less before there are fewer, 0 to 3600.
              - If not set, 300 as Kubernetes has it.
            type: int
      env:
        description:
          - Environment variables. Numbers and booleans become text as YAML writes them.
          - Everybody who may read the Deployment may read them; secrets belong into O(agents[].secret_env).
        type: dict
      secret_env:
        description: Environment variables from Secrets, each a mapping of C(name) (the Secret) and C(key).
        type: dict
      secret_refs:
        description: Names of Secrets whose keys become environment variables.
        type: list
        elements: str
      config_map_refs:
        description: Names of ConfigMaps whose keys become environment variables.
        type: list
        elements: str
      resources:
        description:
          - Requests and limits of the container. Requests of processor and memory and a limit of memory are required.
            If not set, 50m and 128Mi are requested, and the limits are 1 and 512Mi.
        type: dict
      node_selector:
        description: Labels of the nodes the pods may run on.
        type: dict
      tolerations:
        description: Tolerations, as in Kubernetes.
        type: list
        elements: dict
      affinity:
        description: Affinity, as in Kubernetes. Without it, several pods are spread over nodes and zones.
        type: dict
      labels:
        description: Labels of the pods.
        type: dict
      annotations:
        description: Annotations of the pods.
        type: dict
      run_as_user:
        description: User and group of the container, where the image names none by number.
        type: int
      persistence:
        description: A volume of its own, which stays when the agent is removed.
        type: dict
        suboptions:
          size:
            description: Size of the volume. It can grow where the class allows it.
            type: str
            required: true
          storage_class:
            description: StorageClass; the cluster's default if not set.
            type: str
          access_mode:
            description: C(ReadWriteOnce), C(ReadWriteOncePod) or C(ReadWriteMany); V(ReadWriteOnce) if not set.
            type: str
          mount_path:
            description: Where it is mounted; V(/data) if not set.
            type: str
      network_policy:
        description:
          - Whether a NetworkPolicy lets in only other agents of the namespace, the registry and the API server of AKS,
            and out only to these agents, the registry and DNS.
          - Enforced only where the cluster enforces network policies.
        type: bool
        default: true
      ingress:
        description: Further rules of who may call the agent, as in C(spec.ingress) of a NetworkPolicy.
        type: list
        elements: dict
      egress:
        description: Further rules of whom the agent may call, as in C(spec.egress) of a NetworkPolicy.
        type: list
        elements: dict
      exposed:
        description:
          - A load balancer for agents of other clusters, the Service C(NAME-exposed).
          - The agent announces O(agents[].exposed.host) then, to agents of its own cluster as well.
        type: dict
        suboptions:
          host:
            description:
              - What others call it by, an IPv4 address or a name of DNS that leads to the load balancer.
            type: str
            required: true
          internal:
            description: Whether the address is one of the virtual network only.
            type: bool
            default: true
          ip:
            description: Address of the virtual network that the load balancer gets; any if not set.
            type: str
          public_ip:
            description: A public IP of yours, with O(agents[].exposed.internal=false).
            type: dict
            suboptions:
              name:
                description: Its name.
                type: str
                required: true
              resource_group:
                description: Its resource group. The cluster's identity needs the role Network Contributor there.
                type: str
                required: true
          source_ranges:
            description:
              - Ranges of addresses that may come, for the load balancer and for the network policy.
              - Nothing of a mesh asks for a token, so there is no default, and everybody is refused. They are needed.
            type: list
            elements: str
          annotations:
            description: Further annotations of the Service.
            type: dict
  remote_cidrs:
    description:
      - Ranges of addresses of registry and agents in other clusters, which the network policies let agents call. An
        address in O(registry_url) is among them.
    type: list
    elements: str
  api_server_cidrs:
    description:
      - Ranges of addresses from which the API server reaches pods where it has addresses of its own (API Server VNet
        Integration, kubeadm). The network policies let them in beside the pods C(konnectivity-agent) of C(kube-system),
        through which the API server of AKS comes otherwise.
    type: list
    elements: str
  image_digests:
    description:
      - Digests by image, as a registry has them now. An agent that declares one of these images, to the letter, gets it
        with its digest behind the tag (C(registry.example.com/agent:1.0.0@sha256:...)), so that its pods are replaced
        when the tag names another image; P(mcpops.platform.image_digests#filter) makes it of what
        M(mcpops.platform.acr_image) answers.
      - Of an image whose digest is null, which is one that is not known, the digest stays that an earlier task has put
        behind the same tag. V(unknown) stands for one that is still to be made; in check mode the plan then says that
        the image changes. An image that is not here is as it is declared, unless O(keep_image_digests) is set.
    type: dict
  keep_image_digests:
    description:
      - Whether the digest stays that an earlier task has put behind the tag of an image that O(image_digests) does not
        name. For tasks that have not asked the registries.
    type: bool
    default: false
  set_name:
    description: Name of the set of agents that are declared together, in a label of their objects.
    type: str
  prune:
    description: Remove the agents of O(set_name) in O(namespace) that O(agents) does not list. Their volumes stay.
    type: bool
    default: false
  prune_max_percent:
    description: Refuse to prune more than this percentage of the set. An empty list is always refused.
    type: int
    default: 50
  delete_data:
    description: Whether O(state=absent) removes the agents' volumes, with what is on them.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the pods run and the registry says that each agent is healthy at its Service's address,
        what it offers is available and what it depends on is resolved; or until the objects are gone.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait for all agents together, in seconds.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Two agents, of which one depends on the other
  mcpops.platform.mesh_agent:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    code: "{{ inventory_dir }}/agents"
    agents:
      - name: dates
        script: dates.py
        replicas: 2
        capabilities:
          - name: date_service
            version: ">=1.0.0"
      - name: greeter
        script: greeter.py
        env:
          GREETING: Welcome
        dependencies:
          - capability: date_service
            version: ">=1.0.0"
          - capability: weather_service
            optional: true

- name: An agent from an image, scaled by its load, with a key from a Secret
  mcpops.platform.mesh_agent:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    agents:
      - name: translator
        image: registry.example.com/translator:2.1.0
        secret_env:
          API_KEY:
            name: translator
            key: api-key
        autoscaling:
          min_replicas: 2
          max_replicas: 10
          cpu_percent: 70

- name: These agents and no others of the set
  mcpops.platform.mesh_agent:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    set_name: tools
    prune: true
    code: "{{ inventory_dir }}/agents"
    agents:
      - name: dates
        directory: dates

- name: Remove an agent and what it wrote
  mcpops.platform.mesh_agent:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp-mesh
    agents:
      - name: translator
    state: absent
    delete_data: true
"""

RETURN = r"""
agents:
  description: One entry for each declared agent, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the agent.
      type: str
    namespace:
      description: Its namespace.
      type: str
    changed:
      description: Whether an object of it was (or would be) changed.
      type: bool
    host:
      description: Host that it announces to the registry; only with O(state=present).
      type: str
    port:
      description: Its port; only with O(state=present).
      type: int
    registered:
      description: The registry has said that it is as declared; only where that was waited for.
      type: bool
  sample:
    - name: dates
      namespace: mcp-mesh
      changed: false
      host: dates.mcp-mesh
      port: 8080
      registered: true
objects:
  description: The objects they consist of, and what became of each.
  returned: always
  type: list
  elements: dict
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What a check mode run depends on, and optional dependencies that are not resolved.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["apply Deployment mcp-mesh/dates"]
"""

from typing import Any

from ..module_utils.kube import pinned_images
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.kube.workload_parts import SCALING
from ..module_utils.mesh import mesh_agent
from ..module_utils.mesh.exposure import OPTIONS as EXPOSURE
from ..module_utils.module import run_module

CAPABILITY: dict[str, Any] = {"name": {"type": "str", "required": True}, "version": {"type": "str"}}
DEPENDENCY: dict[str, Any] = {
    "capability": {"type": "str", "required": True},
    "version": {"type": "str"},
    "optional": {"type": "bool", "default": False},
}
AGENT: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str"},
    "script": {"type": "str"},
    "directory": {"type": "str"},
    "entrypoint": {"type": "str"},
    "image": {"type": "str"},
    "image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"]},
    "image_pull_secrets": {"type": "list", "elements": "str", "no_log": False},
    "command": {"type": "list", "elements": "raw"},
    "args": {"type": "list", "elements": "raw"},
    "port": {"type": "int"},
    "capabilities": {"type": "list", "elements": "dict", "options": CAPABILITY},
    "dependencies": {"type": "list", "elements": "dict", "options": DEPENDENCY},
    "replicas": {"type": "int"},
    "autoscaling": {"type": "dict", "options": SCALING},
    "env": {"type": "dict"},
    "secret_env": {"type": "dict", "no_log": False},
    "secret_refs": {"type": "list", "elements": "str", "no_log": False},
    "config_map_refs": {"type": "list", "elements": "str"},
    "resources": {"type": "dict"},
    "node_selector": {"type": "dict"},
    "tolerations": {"type": "list", "elements": "dict"},
    "affinity": {"type": "dict"},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "run_as_user": {"type": "int"},
    "persistence": {
        "type": "dict",
        "options": {
            "size": {"type": "str", "required": True},
            "storage_class": {"type": "str"},
            "access_mode": {"type": "str"},
            "mount_path": {"type": "str"},
        },
    },
    "network_policy": {"type": "bool", "default": True},
    "ingress": {"type": "list", "elements": "dict"},
    "egress": {"type": "list", "elements": "dict"},
    "exposed": {"type": "dict", "options": {"host": {"type": "str", "required": True}, **EXPOSURE}},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "namespace": {"type": "str", "required": True},
    "registry_namespace": {"type": "str"},
    "registry_service": {"type": "str", "default": "mcp-mesh-registry"},
    "registry_port": {"type": "int", "default": 8000},
    "registry_url": {"type": "str"},
    "code": {"type": "path"},
    "agents": {"type": "list", "elements": "dict", "required": True, "options": AGENT},
    "api_server_cidrs": {"type": "list", "elements": "str"},
    "remote_cidrs": {"type": "list", "elements": "str"},
    **pinned_images.ARGUMENTS,
    "set_name": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_max_percent": {"type": "int", "default": 50},
    "delete_data": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
}

PROBLEMS = mesh_agent.problems
OPERATION = mesh_agent.converge
FILE_OPTIONS = mesh_agent.file_options


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
