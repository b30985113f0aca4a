#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_workload
short_description: Runs agents, such as those of the Microsoft Agent Framework, from images that keep a contract
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Makes of each declared agent a Deployment, a Service and a ServiceAccount without a token. Where they are declared,
    also a ConfigMap and a Secret with its files, a Secret with its variables, a HorizontalPodAutoscaler, a
    PodDisruptionBudget (two pods or more), a NetworkPolicy and a ServiceMonitor.
  - Any image will do that listens on O(agents[].port), tells by C(/health/live) that it lives and by C(/health/ready)
    that it can take requests; each of these is an option. C(/health), which looks at what is behind the agent, is never
    a probe, because the pods of an agent whose model is away would be restarted; M(mcpops.platform.agent_workload_info)
    asks it.
  - Everything that is wrong with the options is named at once, before the first request. Secrets and ConfigMaps that
    pods would wait for in vain, and keys that these do not have, are refused before the first change.
  - The objects are owned whole. What somebody else has changed in them, or deleted, is shown as a change and repaired;
    what is no longer declared of an agent is removed.
  - Pods fulfil the Pod Security level C(restricted), and their root file system is read-only; C(/tmp) and
    O(agents[].writable) can be written to. They get no environment variables of Services.
  - Pods are replaced one by one when their files, or a Secret or ConfigMap that they use, have changed. One that goes
    has O(agents[].request_timeout) for the requests that it has taken.
  - An object of an agent's name that this module did not make is refused, not overwritten.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes
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
      - V(absent) removes them. Of each only its name and namespace matter.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of the agents that name none. It must exist.
    type: str
    required: true
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
      namespace:
        description: Its namespace, if that is another one than O(namespace). It must exist.
        type: str
      version:
        description: Version of the agent, for the label C(app.kubernetes.io/version) of its objects.
        type: str
      image:
        description: Image of the agent. It is needed, but for O(state=absent).
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
        description: Arguments of the program.
        type: list
        elements: raw
      port:
        description: Port on which the agent listens; 8000 if not set.
        type: int
      metrics_port:
        description: Port of its metrics, if that is another one.
        type: int
      service_port:
        description: Port of its Service; 80 if not set.
        type: int
      health_path:
        description:
          - Address at which it says how it and all behind it are, which M(mcpops.platform.agent_workload_info) and a
            diagnosis ask; C(/health) if not set.
        type: str
      service_annotations:
        description: Annotations of its Service.
        type: dict
      session_affinity:
        description: Whether a client address stays with one pod. Behind a proxy, all clients have one address.
        type: bool
        default: false
      files:
        description:
          - Files that the agent reads, each mounted at its own path so that nothing beside it is hidden.
          - What is in a Secret and what in a ConfigMap is said by O(agents[].files[].secret).
        type: list
        elements: dict
        suboptions:
          path:
            description: Absolute path in the container.
            type: str
            required: true
          text:
            description: Content as it is.
            type: str
          toml:
            description:
              - Content as a mapping, of which TOML is made. The order of keys is that of the alphabet, so that the same
                values are the same file. A list of mappings is an array of tables.
            type: dict
          json:
            description: Content as a mapping, of which JSON is made.
            type: dict
          secret:
            description:
              - Whether the file is kept in a Secret instead of a ConfigMap.
              - If not set, a mapping is where the name or form of one of its values says that it is a secret
                (C(Authorization), C(api_key)), and text is not.
            type: bool
      env:
        description:
          - Environment variables. Numbers and booleans become text as YAML writes them.
          - Everybody who may read the Deployment may read them; secrets belong into O(agents[].secrets).
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
      secrets:
        description: Environment variables with secrets, from one place.
        type: dict
        suboptions:
          backend:
            description:
              - V(plain) keeps O(agents[].secrets.values) in the Secret C(NAME-secrets), which is the module's own.
              - V(existing) takes them from a Secret that somebody else keeps.
            type: str
            choices: [plain, existing]
            required: true
          values:
            description: Of V(plain), the variables with their values.
            type: dict
          name:
            description: Of V(existing), the Secret.
            type: str
          keys:
            description: Of V(existing), the variables with their keys in the Secret; null for a key of the same name.
            type: dict
      replicas:
        description: Number of pods; 1 if not set.
        type: int
      autoscaling:
        description:
          - Lets a HorizontalPodAutoscaler choose the number of pods, instead of O(agents[].replicas). What it chose
            is never declared against it.
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
      disruption_budget:
        description:
          - How many pods may go at once when nodes are emptied. If not set, one of several. A budget that no node could
            be emptied under is refused.
        type: dict
        suboptions:
          min_available:
            description: How many pods stay; less than there are at least.
            type: int
          max_unavailable:
            description: How many pods may go.
            type: int
      startup_probe:
        description: Whether the agent has started; 60 attempts in 300 seconds if not set.
        type: dict
        suboptions:
          kind:
            description: V(http) asks a path, V(tcp) only connects, V(none) leaves the probe out; V(http) if not set.
            type: str
            choices: [http, tcp, none]
          path:
            description: Path that is asked; C(/health/live), for readiness C(/health/ready), if not set.
            type: str
          period:
            description: Seconds between attempts.
            type: int
          timeout:
            description: Seconds for one attempt; 5 if not set.
            type: int
          failures:
            description: After how many failures the answer counts.
            type: int
      liveness_probe:
        description: Whether the agent has to be restarted; three failures 20 seconds apart if not set.
        type: dict
        suboptions:
          kind:
            description: V(http) asks a path, V(tcp) only connects, V(none) leaves the probe out; V(http) if not set.
            type: str
            choices: [http, tcp, none]
          path:
            description: Path that is asked; C(/health/live), for readiness C(/health/ready), if not set.
            type: str
          period:
            description: Seconds between attempts.
            type: int
          timeout:
            description: Seconds for one attempt; 5 if not set.
            type: int
          failures:
            description: After how many failures the answer counts.
            type: int
      readiness_probe:
        description: Whether the agent takes requests; three failures 10 seconds apart if not set.
        type: dict
        suboptions:
          kind:
            description: V(http) asks a path, V(tcp) only connects, V(none) leaves the probe out; V(http) if not set.
            type: str
            choices: [http, tcp, none]
          path:
            description: Path that is asked; C(/health/live), for readiness C(/health/ready), if not set.
            type: str
          period:
            description: Seconds between attempts.
            type: int
          timeout:
            description: Seconds for one attempt; 5 if not set.
            type: int
          failures:
            description: After how many failures the answer counts.
            type: int
      request_timeout:
        description:
          - Seconds of the longest request, which a pod that goes may still finish; 300 if not set. A route to it needs
            the same (C(read_timeout) of M(mcpops.platform.gateway_route)).
        type: int
      resources:
        description:
          - Requests and limits of the container. Requests of processor and memory and a limit of memory are required.
            If not set, 100m and 256Mi are requested, and the limits are 2 and 1Gi.
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
      spot:
        description: Whether the pods may run on nodes of AKS' spot pools.
        type: bool
        default: false
      priority_class:
        description: Name of the PriorityClass of the pods.
        type: str
      labels:
        description: Labels of the pods.
        type: dict
      annotations:
        description: Annotations of the pods.
        type: dict
      run_as_user:
        description: User and group of the container, and the group of its volumes; 1000 if not set.
        type: int
      writable:
        description: Directories that the agent may write to, beside C(/tmp). They are empty when a pod starts.
        type: list
        elements: str
      writable_size:
        description: How much each of these may hold; C(256Mi) if not set.
        type: str
      identity:
        description:
          - The managed identity of the agent (workload identity of Azure). Its federated credential names the agent's
            ServiceAccount, C(system:serviceaccount:NAMESPACE:NAME).
          - Variables that the webhook sets, and client secrets, which the SDKs would take first, are refused beside it.
        type: dict
        suboptions:
          client_id:
            description: Client ID of the identity.
            type: str
            required: true
          tenant_id:
            description: Its tenant, if that is another one than the cluster's.
            type: str
          token_seconds:
            description: For how many seconds its tokens are good, 3600 to 86400.
            type: int
      dns:
        description: How the pods look names up.
        type: dict
        suboptions:
          policy:
            description: C(dnsPolicy) of Kubernetes.
            type: str
            choices: [ClusterFirst, Default, None]
          nameservers:
            description: Addresses of name servers.
            type: list
            elements: str
          searches:
            description: Domains that are tried behind a name.
            type: list
            elements: str
          options:
            description: Options of the resolver, such as C(ndots); null for one without a value.
            type: dict
      proxy:
        description:
          - Proxy for what the agent asks outside of the cluster, as C(HTTP_PROXY), C(HTTPS_PROXY) and C(NO_PROXY) in
            both spellings.
        type: dict
        suboptions:
          http:
            description: For addresses that begin with http.
            type: str
          https:
            description: For addresses that begin with https.
            type: str
          no_proxy:
            description: What is asked without it, beside the cluster's own names.
            type: list
            elements: str
      ca:
        description: Authorities that the agent trusts, as C(SSL_CERT_FILE) and what requests and Node read.
        type: dict
        suboptions:
          config_map:
            description: ConfigMap that holds them.
            type: str
          secret:
            description: Secret that holds them.
            type: str
          key:
            description: Its key; C(ca.crt) if not set.
            type: str
      network_policy:
        description:
          - Whether a NetworkPolicy lets in only O(agents[].callers), what scrapes and the API server of AKS, and out
            only to O(agents[].calls) and DNS.
          - Enforced only where the cluster enforces network policies.
        type: bool
        default: true
      callers:
        description: Who calls the agent.
        type: list
        elements: dict
        suboptions:
          namespace:
            description: Namespace of the pods. Without it and C(namespace_labels), the agent's own.
            type: str
          namespace_labels:
            description: Labels of the namespaces of the pods; an empty mapping for all namespaces.
            type: dict
          pod_labels:
            description: Labels of the pods; all pods if not set.
            type: dict
          cidr:
            description: Range of addresses, instead of pods.
            type: str
          except:
            description: Ranges to take out of C(cidr).
            type: list
            elements: str
          ports:
            description: Ports that are called; that of the agent, or all of what it calls, if not set.
            type: list
            elements: int
      calls:
        description: Whom the agent calls, such as MCP servers, a cache and its model.
        type: list
        elements: dict
        suboptions:
          namespace:
            description: Namespace of the pods. Without it and C(namespace_labels), the agent's own.
            type: str
          namespace_labels:
            description: Labels of the namespaces of the pods; an empty mapping for all namespaces.
            type: dict
          pod_labels:
            description: Labels of the pods; all pods if not set.
            type: dict
          cidr:
            description: Range of addresses, instead of pods.
            type: str
          except:
            description: Ranges to take out of C(cidr).
            type: list
            elements: str
          ports:
            description: Ports that are called; that of the agent, or all of what it calls, if not set.
            type: list
            elements: int
      monitoring:
        description: What tells Prometheus to scrape the agent.
        type: dict
        suboptions:
          group:
            description:
              - V(monitoring.coreos.com) is that of the Prometheus operator, V(azmonitoring.coreos.com) that of Azure's
                managed Prometheus, which does not look at the other. It has to be served.
            type: str
            choices: [monitoring.coreos.com, azmonitoring.coreos.com]
            required: true
          path:
            description: Path of the metrics; C(/metrics) if not set.
            type: str
          interval:
            description: Time between scrapes; C(30s) if not set.
            type: str
          labels:
            description: Labels of the ServiceMonitor, by which a Prometheus chooses it.
            type: dict
          scrapers:
            description: The pods that scrape, which the network policy lets in.
            type: list
            elements: dict
            suboptions:
              namespace:
                description: Namespace of the pods. Without it and C(namespace_labels), the agent's own.
                type: str
              namespace_labels:
                description: Labels of the namespaces of the pods; an empty mapping for all namespaces.
                type: dict
              pod_labels:
                description: Labels of the pods; all pods if not set.
                type: dict
              cidr:
                description: Range of addresses, instead of pods.
                type: str
              except:
                description: Ranges to take out of C(cidr).
                type: list
                elements: str
              ports:
                description: Ports that are called; that of the agent, or all of what it calls, if not set.
                type: list
                elements: int
  api_server_cidrs:
    description:
      - Ranges of addresses from which the API server reaches pods where it has addresses of its own (API Server VNet
        Integration, kubeadm). The network policies let them in beside the pods C(konnectivity-agent) of C(kube-system),
        through which the API server of AKS comes otherwise.
    type: list
    elements: str
  image_digests:
    description:
      - Digests by image, as a registry has them now, see O(mcpops.platform.mesh_agent#module:image_digests).
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
    description:
      - Remove the agents of O(set_name) that O(agents) does not list, in O(namespace) and the namespaces that it lists.
    type: bool
    default: false
  prune_max_percent:
    description: Refuse to prune more than this percentage of the set. An empty list is always refused.
    type: int
    default: 50
  wait:
    description: Whether to wait until the pods are ready, or until the objects are gone.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait for all agents together, in seconds.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: An agent with its configuration, which calls an MCP server
  mcpops.platform.agent_workload:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: agents
    agents:
      - name: helper
        image: registry.example.com/helper:1.0.0
        files:
          - path: /app/config/agent.toml
            toml:
              agent:
                log_level: INFO
                mcp:
                  - name: echo
                    type: http
                    url: http://echo.mcp:3000/mcp
          - path: /app/config/system_prompt.txt
            text: You answer with what your tools tell you.
        callers:
          - namespace: envoy-gateway-system
        calls:
          - namespace: mcp
            ports: [3000]
          - cidr: 0.0.0.0/0
            except: [10.0.0.0/8, 169.254.169.254/32]
            ports: [443]

- name: Scaled by its load, with an identity instead of a secret, and scraped by Azure's managed Prometheus
  mcpops.platform.agent_workload:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: agents
    agents:
      - name: helper
        image: registry.example.com/helper:1.0.0
        identity:
          client_id: 11111111-2222-3333-4444-555555555555
        autoscaling:
          min_replicas: 2
          max_replicas: 10
          cpu_percent: 70
        metrics_port: 9090
        monitoring:
          group: azmonitoring.coreos.com
          scrapers:
            - namespace: kube-system

- name: Remove it
  mcpops.platform.agent_workload:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: agents
    agents:
      - name: helper
    state: absent
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
    url:
      description: Address of its Service in the cluster; only with O(state=present).
      type: str
    port:
      description: Port on which its pods listen; only with O(state=present).
      type: int
  sample:
    - name: helper
      namespace: agents
      changed: false
      url: http://helper.agents.svc
      port: 8000
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
  description: What a check mode run depends on.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["apply Deployment agents/helper"]
"""

from typing import Any

from ..module_utils.agents import agent_workload
from ..module_utils.kube import pinned_images
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.kube.policy_peers import EDGE
from ..module_utils.kube.workload_parts import SCALING
from ..module_utils.module import run_module

PROBE: dict[str, Any] = {
    "kind": {"type": "str", "choices": ["http", "tcp", "none"]},
    "path": {"type": "str"},
    "period": {"type": "int"},
    "timeout": {"type": "int"},
    "failures": {"type": "int"},
}
FILE: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "text": {"type": "str"},
    "toml": {"type": "dict"},
    "json": {"type": "dict"},
    "secret": {"type": "bool", "no_log": False},
}
SECRETS: dict[str, Any] = {
    "backend": {"type": "str", "choices": ["plain", "existing"], "required": True},
    "values": {"type": "dict", "no_log": True},
    "name": {"type": "str"},
    "keys": {"type": "dict", "no_log": False},
}
AGENT: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "version": {"type": "str"},
    "image": {"type": "str"},
    "image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"]},
    "image_pull_secrets": {"type": "list", "elements": "str", "no_log": False},
    "command": {"type": "list", "elements": "raw"},
    "args": {"type": "list", "elements": "raw"},
    "port": {"type": "int"},
    "metrics_port": {"type": "int"},
    "service_port": {"type": "int"},
    "health_path": {"type": "str"},
    "service_annotations": {"type": "dict"},
    "session_affinity": {"type": "bool", "default": False},
    "files": {"type": "list", "elements": "dict", "options": FILE},
    "env": {"type": "dict"},
    "secret_env": {"type": "dict", "no_log": False},
    "secret_refs": {"type": "list", "elements": "str", "no_log": False},
    "config_map_refs": {"type": "list", "elements": "str"},
    "secrets": {"type": "dict", "options": SECRETS, "no_log": False},
    "replicas": {"type": "int"},
    "autoscaling": {"type": "dict", "options": SCALING},
    "disruption_budget": {
        "type": "dict",
        "options": {"min_available": {"type": "int"}, "max_unavailable": {"type": "int"}},
    },
    "startup_probe": {"type": "dict", "options": PROBE},
    "liveness_probe": {"type": "dict", "options": PROBE},
    "readiness_probe": {"type": "dict", "options": PROBE},
    "request_timeout": {"type": "int"},
    "resources": {"type": "dict"},
    "node_selector": {"type": "dict"},
    "tolerations": {"type": "list", "elements": "dict"},
    "affinity": {"type": "dict"},
    "spot": {"type": "bool", "default": False},
    "priority_class": {"type": "str"},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "run_as_user": {"type": "int"},
    "writable": {"type": "list", "elements": "str"},
    "writable_size": {"type": "str"},
    "identity": {
        "type": "dict",
        "options": {
            "client_id": {"type": "str", "required": True},
            "tenant_id": {"type": "str"},
            "token_seconds": {"type": "int", "no_log": False},
        },
    },
    "dns": {
        "type": "dict",
        "options": {
            "policy": {"type": "str", "choices": ["ClusterFirst", "Default", "None"]},
            "nameservers": {"type": "list", "elements": "str"},
            "searches": {"type": "list", "elements": "str"},
            "options": {"type": "dict"},
        },
    },
    "proxy": {
        "type": "dict",
        "options": {
            "http": {"type": "str"},
            "https": {"type": "str"},
            "no_proxy": {"type": "list", "elements": "str"},
        },
    },
    "ca": {
        "type": "dict",
        "options": {
            "config_map": {"type": "str"},
            "secret": {"type": "str", "no_log": False},
            "key": {"type": "str", "no_log": False},
        },
    },
    "network_policy": {"type": "bool", "default": True},
    "callers": {"type": "list", "elements": "dict", "options": EDGE},
    "calls": {"type": "list", "elements": "dict", "options": EDGE},
    "monitoring": {
        "type": "dict",
        "options": {
            "group": {
                "type": "str",
                "choices": ["monitoring.coreos.com", "azmonitoring.coreos.com"],
                "required": True,
            },
            "path": {"type": "str"},
            "interval": {"type": "str"},
            "labels": {"type": "dict"},
            "scrapers": {"type": "list", "elements": "dict", "options": EDGE},
        },
    },
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "namespace": {"type": "str", "required": True},
    "agents": {"type": "list", "elements": "dict", "required": True, "options": AGENT},
    "api_server_cidrs": {"type": "list", "elements": "str"},
    **pinned_images.ARGUMENTS,
    "set_name": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_max_percent": {"type": "int", "default": 50},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
}

PROBLEMS = agent_workload.problems
OPERATION = agent_workload.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
