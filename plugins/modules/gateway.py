#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway
short_description: Makes a closed way into a cluster with Gateway API
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Makes a Gateway with its listeners, certificates and address. It answers nobody until the module
    M(mcpops.platform.gateway_route) adds routes.
  - With O(renderer=envoy) a policy that denies everything stands before the Gateway is made, and again whenever
    somebody has deleted it. A route without a policy of its own answers 403.
  - With O(renderer=envoy) Envoy's own MCP filter reads the method and tool of each call from its body, in both eras of
    MCP, for the rules of routes and for the access log. Envoy Gateway must run with
    C(extensionApis.enableEnvoyPatchPolicy) and the runtime flag C(XDSNameSchemeV2).
  - The controller and its CustomResourceDefinitions must be there. The role P(mcpops.platform.gateway#role) installs
    Envoy Gateway.
  - Objects are owned whole. What somebody else has changed in them, or deleted, is shown as a change and repaired.
    Objects of that name that this module did not make are refused.
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
      - V(present) makes the gateway as declared.
      - V(absent) removes it. The way in goes first, and what closes it last. Secrets with certificates stay.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of the Gateway, its certificates and policies. It must exist.
    type: str
    required: true
  name:
    description: Name of the Gateway.
    type: str
    default: mcp
  renderer:
    description:
      - V(envoy) is Envoy Gateway, the only one that enforces authentication.
      - V(approuting-istio) is the Gateway API of AKS' application routing.
      - V(plain) is any other implementation; name its O(class_name).
    type: str
    choices: [envoy, approuting-istio, plain]
    default: envoy
  class_name:
    description:
      - GatewayClass. If not set, it is C(eg) for V(envoy) and C(approuting-istio) for V(approuting-istio).
      - It must exist; the module waits until its controller has accepted it.
    type: str
  listeners:
    description: What the gateway listens to, all with HTTPS.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the listener.
        type: str
        default: https
      hostname:
        description: Name that clients ask for, such as V(mcp.example.com) or V(*.mcp.example.com).
        type: str
        required: true
      port:
        description: Port of the load balancer.
        type: int
        default: 443
      tls:
        description: Its certificate.
        type: dict
        required: true
        suboptions:
          secret:
            description:
              - Name of the Secret with the certificate.
              - With O(listeners[].tls.issuer), where cert-manager writes it; C(NAME-LISTENER-tls) if not set.
            type: str
          issuer:
            description: Issuer of cert-manager; a Certificate is made for the listener.
            type: dict
            suboptions:
              name:
                description: Name of the issuer.
                type: str
                required: true
              kind:
                description: Whether it is one of the namespace, or of the cluster.
                type: str
                choices: [Issuer, ClusterIssuer]
                default: ClusterIssuer
          key_vault:
            description: Certificate in Azure Key Vault, which AKS' application routing fetches.
            type: dict
            suboptions:
              certificate_uri:
                description: Its address, C(https://VAULT.vault.azure.net/certificates/NAME).
                type: str
                required: true
              service_account:
                description: ServiceAccount of the namespace whose workload identity may read it.
                type: str
                required: true
  route_namespaces:
    description: Namespaces whose routes may attach; if not set, only that of the Gateway.
    type: list
    elements: str
  address:
    description: How the gateway is reached.
    type: dict
    suboptions:
      internal:
        description: Whether the address is one of the virtual network only.
        type: bool
        default: false
      public_ip:
        description:
          - A public IP of yours, which stays when the gateway goes. The cluster's identity needs the role Network
            Contributor on its resource group.
        type: dict
        suboptions:
          name:
            description: Its name.
            type: str
            required: true
          resource_group:
            description: Its resource group.
            type: str
            required: true
      ip:
        description: Address as C(spec.addresses) of the Gateway, where the implementation takes it. Not on AKS.
        type: str
      dns_label:
        description: Label of Azure for the public IP, C(LABEL.REGION.cloudapp.azure.com).
        type: str
      external_dns:
        description: Whether ExternalDNS shall make records for the host names of the listeners.
        type: bool
        default: false
      source_ranges:
        description: Ranges of addresses that the load balancer lets in; everybody if not set.
        type: list
        elements: str
      annotations:
        description: Further annotations of the Service in front of the gateway.
        type: dict
  callers:
    description:
      - Whose tokens name the caller in the access log, and by which claim.
      - The same names as in O(mcpops.platform.gateway_route#module:auth).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the issuer.
        type: str
        required: true
      claim:
        description: Claim that names the caller.
        type: str
        default: sub
  max_body_bytes:
    description: How much of a body the MCP filter reads. A longer call to a route with rules for tools is refused.
    type: int
    default: 1048576
  envoy:
    description: The proxies of Envoy Gateway.
    type: dict
    suboptions:
      image:
        description: Image of Envoy; the controller's own if not set.
        type: str
      replicas:
        description: Number of pods; one if not set.
        type: int
      resources:
        description: Requests and limits; the controller's own if not set.
        type: dict
  controller_namespace:
    description: Namespace of Envoy Gateway's controller, where its proxies run; C(envoy-gateway-system) if not set.
    type: str
  network_policy:
    description:
      - Whether a NetworkPolicy of the proxies lets in nothing but the listeners, and out only to O(backends), the
        controller, DNS and the issuers' keys, but never to the metadata addresses of the cloud. With V(envoy) only.
    type: bool
    default: true
  backends:
    description: Where the proxies may go to, for O(network_policy).
    type: list
    elements: dict
    suboptions:
      namespace:
        description: Namespace of the servers.
        type: str
        required: true
      port:
        description: Port of their pods.
        type: int
        required: true
  issuer_cidrs:
    description:
      - Ranges of addresses of the issuers' keys, for O(network_policy).
      - If not set, everything but metadata addresses.
    type: list
    elements: str
  issuer_ports:
    description: Ports of the issuers' keys; 443 if not set. Empty for nothing, where all keys are in ConfigMaps.
    type: list
    elements: int
  wait:
    description:
      - Whether to wait until the class is accepted, certificates are issued, policies accepted, and the Gateway has an
        address; or until the objects are gone.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait in seconds.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: A gateway with a certificate of cert-manager
  mcpops.platform.gateway:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: gateway
    listeners:
      - hostname: "*.mcp.example.com"
        tls:
          issuer:
            name: letsencrypt
    route_namespaces: [mcp]
    backends:
      - namespace: mcp
        port: 3000

- name: AKS' application routing with a certificate in Key Vault, at a public IP that stays
  mcpops.platform.gateway:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: gateway
    renderer: approuting-istio
    listeners:
      - hostname: agents.example.com
        tls:
          key_vault:
            certificate_uri: https://contoso.vault.azure.net/certificates/agents
            service_account: gateway-certificates
    address:
      public_ip:
        name: pip-agents
        resource_group: rg-addresses
    route_namespaces: [agents]

- name: Remove it
  mcpops.platform.gateway:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: gateway
    state: absent
"""

RETURN = r"""
gateway:
  description: The gateway.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    namespace:
      description: Its namespace.
      type: str
    class_name:
      description: Its GatewayClass; only with O(state=present).
      type: str
    hostnames:
      description: Names that it listens to; only with O(state=present).
      type: list
      elements: str
    addresses:
      description: Its addresses, as far as they are known; only with O(state=present).
      type: list
      elements: str
  sample:
    name: mcp
    namespace: gateway
    class_name: eg
    hostnames: ["*.mcp.example.com"]
    addresses: [203.0.113.10]
objects:
  description: The objects it consists of, and what became of each.
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
"""

from typing import Any

from ..module_utils.gateway import gateway
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

TLS: dict[str, Any] = {
    "secret": {"type": "str", "no_log": False},
    "issuer": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["Issuer", "ClusterIssuer"], "default": "ClusterIssuer"},
        },
    },
    "key_vault": {
        "type": "dict",
        "no_log": False,
        "options": {
            "certificate_uri": {"type": "str", "required": True},
            "service_account": {"type": "str", "required": True},
        },
    },
}
LISTENER: dict[str, Any] = {
    "name": {"type": "str", "default": "https"},
    "hostname": {"type": "str", "required": True},
    "port": {"type": "int", "default": 443},
    "tls": {"type": "dict", "required": True, "options": TLS},
}
ADDRESS: dict[str, Any] = {
    "internal": {"type": "bool", "default": False},
    "public_ip": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "resource_group": {"type": "str", "required": True},
        },
    },
    "ip": {"type": "str"},
    "dns_label": {"type": "str"},
    "external_dns": {"type": "bool", "default": False},
    "source_ranges": {"type": "list", "elements": "str"},
    "annotations": {"type": "dict"},
}
CALLER: dict[str, Any] = {"name": {"type": "str", "required": True}, "claim": {"type": "str", "default": "sub"}}
ENVOY: dict[str, Any] = {"image": {"type": "str"}, "replicas": {"type": "int"}, "resources": {"type": "dict"}}
BACKEND: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "default": "mcp"},
    "renderer": {"type": "str", "choices": ["envoy", "approuting-istio", "plain"], "default": "envoy"},
    "class_name": {"type": "str"},
    "listeners": {"type": "list", "elements": "dict", "options": LISTENER},
    "route_namespaces": {"type": "list", "elements": "str"},
    "address": {"type": "dict", "options": ADDRESS},
    "callers": {"type": "list", "elements": "dict", "options": CALLER},
    "max_body_bytes": {"type": "int", "default": 1048576},
    "envoy": {"type": "dict", "options": ENVOY},
    "controller_namespace": {"type": "str"},
    "network_policy": {"type": "bool", "default": True},
    "backends": {"type": "list", "elements": "dict", "options": BACKEND},
    "issuer_cidrs": {"type": "list", "elements": "str"},
    "issuer_ports": {"type": "list", "elements": "int"},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
}

PROBLEMS = gateway.problems
OPERATION = gateway.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
