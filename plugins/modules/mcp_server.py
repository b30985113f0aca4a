#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mcp_server
short_description: Declares MCP servers that KMCP runs, and waits until they really run
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Writes C(MCPServer) resources (C(kagent.dev/v1alpha1)) by server-side apply, one server or many in one task.
  - What this module writes is owned whole; a field that somebody else has put into a server's C(spec) is removed.
  - Refuses before the first request what the API server accepts and the controller or the pods then break on, all
    problems of all servers at once.
  - What Kubernetes would refuse of the Deployment that KMCP makes of a server, such as a toleration with an operator
    that does not exist, is asked by a dry run before the server is written. It is asked of servers that declare parts
    of pods and are about to change, and needs the right to create Deployments; without it, the wait tells the refusal.
  - Servers are converged at the same time. One that fails does not keep the others from it; the task then fails with
    the name of each that failed, and RV(servers) says why.
  - An object of a server's name that KMCP did not make for it (the ServiceAccount C(default), for a server of that
    name) is refused, because KMCP would overwrite it and take it along when the server goes.
  - Pods are as secure as the Pod Security level C(restricted) demands unless the options say otherwise.
  - A server is ready when the controller has dealt with its latest change, the Deployment runs the right pods and the
    Service leads to them. The resource's own condition C(Ready) is not waited for; it comes late and stays true when
    pods crash. M(mcpops.platform.mcp_probe) then asks the server itself.
  - What KMCP has made of a server (Deployment, Service, ConfigMap, ServiceAccount) and somebody has deleted, scaled or
    edited is shown as a change with the name of who did it, and repaired by making the controller write it anew; the
    label C(mcpops.io/reconcile) of the MCPServer counts these repairs.
  - This holds for fields that were taken out, too, such as a C(securityContext); no name is known for these. They are
    found by what KMCP 0.2.6 to 0.3.0 makes of the server, and not told with a controller of another version. What
    admission of the cluster itself does to such a field is no change, which a dry run of the API server tells.
  - One MCPServer that the controller cannot read, such as one with port 70000 that another program has stored, stops it
    for all servers of the cluster. When nothing becomes of a server, such an MCPServer is looked for and named.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes
  - mcpops.platform.files
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
options:
  state:
    description:
      - V(present) makes the servers as declared.
      - V(absent) removes them and waits until their pods have ended; only names and namespaces matter.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the server, of its Service and of everything else KMCP makes for it.
    type: str
  namespace:
    description: Namespace of the server, and of entries of O(servers) that name none. It must exist.
    type: str
  transport:
    description:
      - Transport that the program itself speaks; V(http) if not set.
      - KMCP puts an adapter before V(stdio) servers, which starts the program once for each session and speaks
        streamable HTTP at C(/mcp). It answers C(initialize) itself, so a client sees the adapter's name.
    type: str
    choices: [http, stdio]
  image:
    description:
      - Container image; only the commands C(npx) and C(uvx) have one of their own.
      - In these two, which run as root by themselves, the program is run as user 1000 with C(/tmp) as its home unless
        the options say otherwise.
    type: str
  image_pull_policy:
    description: When nodes pull the image; KMCP uses V(IfNotPresent) if not set.
    type: str
    choices: [Always, IfNotPresent, Never]
  port:
    description:
      - Port on which the server listens and its Service is reached; 3000 if not set. The server must listen on
        0.0.0.0.
    type: int
  path:
    description: Path of the endpoint of an HTTP server; V(/mcp) if not set.
    type: str
  tls:
    description:
      - How clients such as kagent reach an HTTP server by TLS. KMCP 0.3.0 only keeps it; the server itself must speak
        TLS.
    type: dict
    suboptions:
      secret_ref:
        description: Name of the Secret with C(tls.crt), C(tls.key) and, if need be, C(ca.crt), for a client's mTLS.
        type: str
      insecure_skip_verify:
        description: Believe any certificate. For tests alone; it is warned of.
        type: bool
  command:
    description:
      - Program to run instead of the image's own; needed for V(stdio).
      - C(npx) and C(uvx) fetch packages when a session begins. A package without a version is warned of, and a
        read-only file system is refused unless a volume is mounted where they write.
    type: str
  args:
    description: Arguments of the program. Numbers and booleans become text as YAML writes them.
    type: list
    elements: raw
  env:
    description:
      - Environment variables. Numbers and booleans become text as YAML writes them (V(true), V(7), V(1.5)), here and in
        labels, annotations and O(node_selector).
      - Everybody who may read the resource may read them, so secrets belong into O(secret_refs). Values whose name
        says that they are secret are not shown in results.
    type: dict
  secret_refs:
    description:
      - Names of Secrets whose keys become environment variables; the names alone, without C(name:).
      - A variable that O(env) sets as well is refused, if the Secret may be read with these credentials.
    type: list
    elements: str
  config_map_refs:
    description: Names of ConfigMaps, mounted below C(/configmaps/NAME).
    type: list
    elements: str
  labels:
    description: Labels of the pods.
    type: dict
  annotations:
    description: Annotations of the pods.
    type: dict
  server_labels:
    description: Labels of the MCPServer itself.
    type: dict
  server_annotations:
    description: Annotations of the MCPServer itself.
    type: dict
  replicas:
    description:
      - Number of pods; 1 if not set. Sessions are not shared between pods, and the Service has no affinity, so more
        than one is warned of unless O(stateless) says that the server keeps none.
      - KMCP writes this number again whenever it looks at the server, against what a HorizontalPodAutoscaler has set
        meanwhile. That is no drift; a note says so.
    type: int
  stateless:
    description:
      - Whether the server keeps no sessions, which only its author can say. It decides what is said of O(replicas), and
        nothing else.
      - A V(stdio) server always keeps sessions, in the adapter that carries it.
    type: bool
  resources:
    description: Requests and limits of the container, as in Kubernetes.
    type: dict
  security_context:
    description:
      - Security context of the container, merged over the secure default (no privilege escalation, all
        capabilities dropped); null removes a key of it.
    type: dict
  pod_security_context:
    description:
      - Security context of the pod, merged over the secure default (non-root, seccomp profile of the runtime);
        null removes a key of it.
    type: dict
  service_account:
    description: The service account that KMCP makes for the server.
    type: dict
    suboptions:
      annotations:
        description: Its annotations.
        type: dict
      labels:
        description: Its labels.
        type: dict
  service_account_name:
    description: Existing service account to use instead; excludes O(service_account).
    type: str
  workload_identity:
    description:
      - Lets the server act as an identity of Microsoft Entra. Sets the label C(azure.workload.identity/use) of the pods
        and the annotations C(azure.workload.identity/client-id) and C(azure.workload.identity/tenant-id) of the service
        account that KMCP makes.
      - The identity needs a federated credential with the subject C(system:serviceaccount:NAMESPACE:NAME) of the
        server, and the cluster needs workload identity.
      - With O(service_account_name), an empty mapping sets the label alone; that account carries the annotations.
    type: dict
    suboptions:
      client_id:
        description: Client ID of the identity; required unless O(service_account_name) is given.
        type: str
      tenant_id:
        description: Tenant of the identity; that of the cluster if not set.
        type: str
  image_pull_secrets:
    description: Names of Secrets with registry credentials.
    type: list
    elements: str
  node_selector:
    description: Labels of the nodes the pods may run on.
    type: dict
  tolerations:
    description: Tolerations, as in Kubernetes.
    type: list
    elements: dict
  affinity:
    description: Affinity, as in Kubernetes.
    type: dict
  volumes:
    description: Volumes, as in Kubernetes.
    type: list
    elements: dict
  volume_mounts:
    description: Where the volumes are mounted, as in Kubernetes.
    type: list
    elements: dict
  sidecars:
    description: Further containers, as in Kubernetes.
    type: list
    elements: dict
  init_container:
    description:
      - Image, pull policy, resources and security context of the container that brings the adapter to V(stdio)
        servers.
    type: dict
  adapter_image:
    description:
      - Image of the adapter that KMCP puts before V(stdio) servers, instead of
        C(ghcr.io/agentgateway/agentgateway:0.9.0-musl); the same as C(image) of O(init_container), and the default for
        those O(servers) that name none.
      - It must be a build of agentgateway that can copy itself, which those with the tag C(VERSION-musl) can. For all
        servers of a controller see O(mcpops.platform.kmcp_install#module:adapter_version).
    type: str
  timeout:
    description: Timeout that clients such as kagent use for the server, for example V(30s).
    type: str
  spec:
    description: Raw C(spec) of the MCPServer for what has no option here, merged over everything else; null removes.
    type: dict
  callers:
    description:
      - Who may call the server. With this option there is a NetworkPolicy C(NAME-callers) beside the server that lets
        nobody else in; V([]) lets nobody in at all. Without it there is none, one of ours is removed, and everybody may
        call.
      - The policy is written before the server, kept like it (drift is shown and repaired) and goes with it. A server
        whose policy cannot be written is not written either. Other policies that select the same pods add to it. A
        policy of that name without our label is refused.
      - Enforced only where the cluster enforces network policies (on AKS, one with a C(networkPolicy)); a connection
        that stands already goes on.
      - What the server itself calls is not restricted. Also the default for O(servers).
    type: list
    elements: dict
    suboptions:
      namespace:
        description: Namespace of the calling pods. Without it and O(callers[].namespace_labels), the server's own.
        type: str
      namespace_labels:
        description: Labels of the namespaces of the calling pods; an empty mapping for all namespaces.
        type: dict
      pod_labels:
        description: Labels of the calling pods; all pods if not set.
        type: dict
      cidr:
        description: Range of calling addresses, instead of pods.
        type: str
      except:
        description: Ranges to take out of O(callers[].cidr).
        type: list
        elements: str
      ports:
        description: Ports that may be called; that of the server if not set.
        type: list
        elements: int
  allow_api_server:
    description:
      - Whether the policy of O(callers) also lets in the API server of AKS (pods C(konnectivity-agent) of
        C(kube-system)), through whose proxy M(mcpops.platform.mcp_probe) and C(kubectl port-forward) ask. Where the API
        server reaches pods from addresses of its own (API Server VNet Integration), name these as callers.
      - V(true) if not set; also the default for O(servers).
    type: bool
    default: true
  roll_on_config_change:
    description:
      - Replace the pods when a Secret or ConfigMap that they use (O(secret_refs), O(config_map_refs), O(volumes),
        O(sidecars)) has changed, whoever changed it; also the default for O(servers).
      - It works by the annotation C(mcpops.io/config-digest) of the pods, as
        O(mcpops.platform.k8s_objects#module:roll_on_config_change) says.
    type: bool
    default: true
  image_digests:
    description:
      - Digests by image, as a registry has them now. A server that declares one of these images, to the letter, gets it
        with its digest behind the tag (C(registry.example.com/echo:1.0.0@sha256:...)), so that its pods are replaced
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
  servers:
    description: Many servers in one task, each with the options of a single one.
    type: list
    elements: dict
    suboptions:
      name:
        description: As O(name).
        type: str
      namespace:
        description: As O(namespace).
        type: str
      transport:
        description: As O(transport).
        type: str
        choices: [http, stdio]
      image:
        description: As O(image).
        type: str
      image_pull_policy:
        description: As O(image_pull_policy).
        type: str
        choices: [Always, IfNotPresent, Never]
      port:
        description: As O(port).
        type: int
      path:
        description: As O(path).
        type: str
      tls:
        description: As O(tls).
        type: dict
        suboptions:
          secret_ref:
            description: As O(tls.secret_ref).
            type: str
          insecure_skip_verify:
            description: As O(tls.insecure_skip_verify).
            type: bool
      command:
        description: As O(command).
        type: str
      args:
        description: As O(args).
        type: list
        elements: raw
      env:
        description: As O(env).
        type: dict
      secret_refs:
        description: As O(secret_refs).
        type: list
        elements: str
      config_map_refs:
        description: As O(config_map_refs).
        type: list
        elements: str
      labels:
        description: As O(labels).
        type: dict
      annotations:
        description: As O(annotations).
        type: dict
      server_labels:
        description: As O(server_labels).
        type: dict
      server_annotations:
        description: As O(server_annotations).
        type: dict
      replicas:
        description: As O(replicas).
        type: int
      stateless:
        description: As O(stateless).
        type: bool
      resources:
        description: As O(resources).
        type: dict
      security_context:
        description: As O(security_context).
        type: dict
      pod_security_context:
        description: As O(pod_security_context).
        type: dict
      service_account:
        description: As O(service_account).
        type: dict
        suboptions:
          annotations:
            description: As O(service_account.annotations).
            type: dict
          labels:
            description: As O(service_account.labels).
            type: dict
      service_account_name:
        description: As O(service_account_name).
        type: str
      workload_identity:
        description: As O(workload_identity).
        type: dict
        suboptions:
          client_id:
            description: As O(workload_identity.client_id).
            type: str
          tenant_id:
            description: As O(workload_identity.tenant_id).
            type: str
      image_pull_secrets:
        description: As O(image_pull_secrets).
        type: list
        elements: str
      node_selector:
        description: As O(node_selector).
        type: dict
      tolerations:
        description: As O(tolerations).
        type: list
        elements: dict
      affinity:
        description: As O(affinity).
        type: dict
      volumes:
        description: As O(volumes).
        type: list
        elements: dict
      volume_mounts:
        description: As O(volume_mounts).
        type: list
        elements: dict
      sidecars:
        description: As O(sidecars).
        type: list
        elements: dict
      init_container:
        description: As O(init_container).
        type: dict
      adapter_image:
        description: As O(adapter_image), for this server.
        type: str
      timeout:
        description: As O(timeout).
        type: str
      spec:
        description: As O(spec).
        type: dict
      callers:
        description: As O(callers), for this server.
        type: list
        elements: dict
        suboptions:
          namespace:
            description: As O(callers[].namespace).
            type: str
          namespace_labels:
            description: As O(callers[].namespace_labels).
            type: dict
          pod_labels:
            description: As O(callers[].pod_labels).
            type: dict
          cidr:
            description: As O(callers[].cidr).
            type: str
          except:
            description: As O(callers[].except).
            type: list
            elements: str
          ports:
            description: As O(callers[].ports).
            type: list
            elements: int
      allow_api_server:
        description: As O(allow_api_server), for this server.
        type: bool
      roll_on_config_change:
        description: As O(roll_on_config_change), for this server.
        type: bool
  bundle:
    description:
      - Name of the set of servers that are declared together, in the label C(mcpops.io/mcp-bundle) of each. A server of
        another bundle is refused; a task that names none leaves a server in its bundle.
    type: str
  prune:
    description:
      - Remove the servers of O(bundle) that O(servers) does not list, in all namespaces, and wait until they are gone
        if O(wait) says so. In check mode they are listed.
      - Only servers whose label this collection has set are removed, and only after all others were converged; when one
        fails, none is removed.
      - With credentials that may not list MCPServers of all namespaces, those of the declared servers and O(namespace)
        are looked at.
    type: bool
    default: false
  prune_max_percent:
    description:
      - Refuse to prune more than this percentage of the bundle's servers, and change nothing then. V(100) allows all.
        An empty list is always refused as long as the bundle has servers.
    type: int
    default: 50
  wait:
    description:
      - Whether to wait until the servers run, or are gone.
      - KMCP gives its pods no probes. They are believed once they have been known to run for 6 s by the cluster's own
        clock, longer on a node that reports late, and once they have crashed, for longer than their last life.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait for all servers together, in seconds. What waiting cannot heal ends it early.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: One HTTP server
  mcpops.platform.mcp_server:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    name: echo
    image: registry.example.com/echo-mcp:1.0.0
    port: 3000

- name: Many servers in one task
  mcpops.platform.mcp_server:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    servers:
      - name: echo
        image: registry.example.com/echo-mcp:1.0.0
      - name: weather
        image: registry.example.com/weather-mcp:1.4.2
        port: 8080
        args: [--host, 0.0.0.0, --port, "8080"]
        env:
          LOG_LEVEL: info
        secret_refs: [weather-keys]
        resources:
          requests: {cpu: 100m, memory: 128Mi}

- name: A server of standard input and output, fetched from a package index when a session begins
  mcpops.platform.mcp_server:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    name: units
    transport: stdio
    command: uvx
    args: [units-mcp==1.0.0]
    env:
      UV_DEFAULT_INDEX: https://pypi.example.com/simple/

- name: A server that uses workload identity
  mcpops.platform.mcp_server:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    name: keyvault-reader
    image: registry.example.com/kv-mcp:0.9.0
    workload_identity:
      client_id: "{{ kv_client_id }}"

- name: A server that only the agents may call
  mcpops.platform.mcp_server:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    name: tickets
    image: registry.example.com/tickets-mcp:2.1.0
    callers:
      - namespace: agents
        pod_labels:
          app: triage
      - cidr: 10.20.0.0/16

- name: These servers and no others
  mcpops.platform.mcp_server:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    bundle: tools
    prune: true
    servers:
      - name: echo
        image: registry.example.com/echo-mcp:1.0.0

- name: Remove a server
  mcpops.platform.mcp_server:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    name: weather
    state: absent
"""

RETURN = r"""
servers:
  description: One entry for each declared server, in the order given; also when the task fails after validation.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the server.
      type: str
    namespace:
      description: Namespace of the server.
      type: str
    changed:
      description: Whether this server was (or would be) changed or repaired.
      type: bool
    port:
      description: Port of its Service; only with O(state=present).
      type: int
    path:
      description: Path of its endpoint; only with O(state=present).
      type: str
    image:
      description: Image of its container; only with O(state=present).
      type: str
    ready_replicas:
      description: Pods that are ready; only with O(state=present).
      type: int
    pruned:
      description: This server is not declared and was, or would be, removed for that. They follow the declared ones.
      type: bool
    error:
      description: Why this server failed.
      type: str
  sample:
    - name: echo
      namespace: mcp
      changed: false
      port: 3000
      path: /mcp
      image: registry.example.com/echo-mcp:1.0.0
      ready_replicas: 1
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What a check mode run depends on, and other remarks.
  returned: when there is something to say
  type: list
  elements: str
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["apply MCPServer tools/echo"]
"""

from typing import Any

from ..module_utils.kmcp import mcp_server
from ..module_utils.kube import pinned_images
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.kube.policy_peers import EDGE
from ..module_utils.module import run_module

SERVER: dict[str, Any] = {
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "transport": {"type": "str", "choices": ["http", "stdio"]},
    "image": {"type": "str"},
    "image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"]},
    "port": {"type": "int"},
    "path": {"type": "str"},
    "tls": {
        "type": "dict",
        "options": {"secret_ref": {"type": "str", "no_log": False}, "insecure_skip_verify": {"type": "bool"}},
    },
    "command": {"type": "str"},
    "args": {"type": "list", "elements": "raw"},
    "env": {"type": "dict"},
    "secret_refs": {"type": "list", "elements": "str", "no_log": False},
    "config_map_refs": {"type": "list", "elements": "str"},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "server_labels": {"type": "dict"},
    "server_annotations": {"type": "dict"},
    "replicas": {"type": "int"},
    "stateless": {"type": "bool"},
    "resources": {"type": "dict"},
    "security_context": {"type": "dict"},
    "pod_security_context": {"type": "dict"},
    "service_account": {"type": "dict", "options": {"annotations": {"type": "dict"}, "labels": {"type": "dict"}}},
    "service_account_name": {"type": "str"},
    "workload_identity": {"type": "dict", "options": {"client_id": {"type": "str"}, "tenant_id": {"type": "str"}}},
    "image_pull_secrets": {"type": "list", "elements": "str", "no_log": False},
    "node_selector": {"type": "dict"},
    "tolerations": {"type": "list", "elements": "dict"},
    "affinity": {"type": "dict"},
    "volumes": {"type": "list", "elements": "dict"},
    "volume_mounts": {"type": "list", "elements": "dict"},
    "sidecars": {"type": "list", "elements": "dict"},
    "init_container": {"type": "dict"},
    "adapter_image": {"type": "str"},
    "timeout": {"type": "str"},
    "spec": {"type": "dict"},
    "callers": {"type": "list", "elements": "dict", "options": EDGE},
    "allow_api_server": {"type": "bool"},
    "roll_on_config_change": {"type": "bool"},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    **SERVER,
    "allow_api_server": {"type": "bool", "default": True},
    "roll_on_config_change": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "servers": {"type": "list", "elements": "dict", "options": SERVER},
    **pinned_images.ARGUMENTS,
    "bundle": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_max_percent": {"type": "int", "default": 50},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
}

RULES: dict[str, Any] = {
    "mutually_exclusive": [["name", "servers"]],
    "required_one_of": [["name", "servers"]],
    "required_if": [["prune", True, ["bundle", "servers"]]],
}

PROBLEMS = mcp_server.problems
OPERATION = mcp_server.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
