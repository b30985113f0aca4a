#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_route
short_description: Opens a gateway for declared callers of MCP servers and agents
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Makes HTTPRoutes to Services, each with the policies that say who may use it, from one list of issuers and rules.
  - The policies of a route stand before the route does. A route that nobody is let into, or everybody without
    O(routes[].anonymous), is refused before the first change, and so is authentication on a renderer that cannot
    enforce it.
  - Rules for tools hold in both eras of MCP, because Envoy reads method and tool from the body of a call. Lying
    headers, batches and duplicate keys are refused.
  - Each route with authentication has protected-resource metadata (RFC 9728) under its own host, and its 401 names it.
  - The gateway must have its policy that denies everything, see M(mcpops.platform.gateway).
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
      - V(present) makes the routes as declared.
      - V(absent) removes those that are named in O(routes), or without O(routes) all of the gateway.
      - Routes go first, and what closes them afterwards.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of routes and their Services that name none.
    type: str
    required: true
  gateway:
    description: The gateway that the routes attach to.
    type: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        default: mcp
      namespace:
        description: Its namespace.
        type: str
        required: true
      port:
        description: Port in the public addresses, as clients use them, where O(gateway.listeners) does not say it.
        type: int
        default: 443
      listeners:
        description:
          - Listeners of the gateway, as O(mcpops.platform.gateway#module:listeners). The public address of a route has
            the port of the listeners that it attaches to; a route that fits none is refused.
        type: list
        elements: dict
        suboptions:
          name:
            description: Its name.
            type: str
            default: https
          hostname:
            description: Its host name; C(*.) before it takes all names below.
            type: str
            required: true
          port:
            description: Its port.
            type: int
            default: 443
          tls:
            description: Its certificate, which means nothing to routes.
            type: dict
      controller_namespace:
        description: Namespace of Envoy Gateway's controller, where its proxies run; C(envoy-gateway-system) if not set.
        type: str
  renderer:
    description: What the gateway is made of, as O(mcpops.platform.gateway#module:renderer).
    type: str
    choices: [envoy, approuting-istio, plain]
    default: envoy
  routes:
    description: The routes. With O(prune), all that the gateway has.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the route, by which rules name it as a server.
        type: str
        required: true
      namespace:
        description: Namespace of the route and of its Service.
        type: str
      host:
        description: Name in the public address. Required with O(state=present).
        type: str
      path:
        description: Path in the public address, which the server sees as well.
        type: str
        default: /mcp
      path_type:
        description: Whether longer paths are the route's as well.
        type: str
        choices: [Exact, PathPrefix]
        default: Exact
      methods:
        description: HTTP methods; all if not set.
        type: list
        elements: str
        choices: [GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS]
      listener:
        description: Name of the listener; all that fit if not set.
        type: str
      service:
        description: Service of the MCP server, the mesh or the agent; the route's name if not set.
        type: str
      port:
        description: Port of the Service.
        type: int
        default: 3000
      pod_labels:
        description:
          - Labels of the server's pods. With them a NetworkPolicy lets in the gateway and the API server of AKS, and
            nobody else whom no other policy lets in.
        type: dict
      pod_port:
        description: Port of the pods; O(routes[].port) if not set.
        type: int
      api_server_cidrs:
        description: Ranges of addresses from which the API server reaches pods, where it has addresses of its own.
        type: list
        elements: str
      anonymous:
        description: Whether everybody may use it without a token.
        type: bool
        default: false
      source_ranges:
        description: Ranges of addresses that may use it. With O(renderer=envoy) only.
        type: list
        elements: str
      body_limit:
        description: Largest body, such as V(512Ki); a larger one is refused with 413. With O(renderer=envoy) only.
        type: str
      read_timeout:
        description:
          - Longest wait for an answer in seconds; 300 if not set. With O(routes[].streaming), how long a stream may be
            silent; 3600 if not set.
        type: int
      streaming:
        description: Whether answers may be streams without an end of their own.
        type: bool
        default: true
      server_era:
        description: Which era of MCP the server speaks, if it is known.
        type: str
        choices: [legacy, modern, dual]
      client_era:
        description: Which era its clients speak. Where both have none in common, the route is refused.
        type: str
        choices: [legacy, modern, dual]
  auth:
    description: Who may use the routes that are not anonymous. With O(renderer=envoy) only.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the issuer, in policies and in the access log.
        type: str
        required: true
      issuer:
        description: Issuer as its tokens name it, such as V(https://login.microsoftonline.com/TENANT-ID/v2.0).
        type: str
        required: true
      audiences:
        description:
          - Audiences of which a token must name one.
          - Of Entra, the id of the application that protects the servers.
        type: list
        elements: str
        required: true
      jwks_uri:
        description: Where the issuer's keys are; known of Microsoft Entra ID.
        type: str
      jwks_config_map:
        description: ConfigMap of the routes' namespaces with the keys in C(jwks), instead.
        type: str
      caller_claim:
        description: Claim that names the caller, for servers (header C(x-mcp-caller)) and for the rate limit.
        type: str
        default: sub
      roles_claim:
        description: Claim with the roles.
        type: str
        default: roles
      groups_claim:
        description: Claim with the groups.
        type: str
        default: groups
      scopes:
        description: Scopes that clients shall ask for, in the metadata and in the challenge.
        type: list
        elements: str
      access:
        description: Who may use what. There are only permissions; what none of them gives is refused.
        type: list
        elements: dict
        suboptions:
          roles:
            description: Roles of which a token must carry one.
            type: list
            elements: str
          groups:
            description: Or groups of which it must carry one.
            type: list
            elements: str
          servers:
            description: Names of routes; all that are not anonymous if not set, and none if empty.
            type: list
            elements: str
          tools:
            description:
              - Tools that may be called, beside what a client says of the protocol itself (discover, initialize, ping,
                listing tools). If not set, everything of the server is allowed.
            type: list
            elements: str
          methods:
            description: Further methods of MCP beside O(auth[].access[].tools), such as V(prompts/get).
            type: list
            elements: str
      rate_limit:
        description: How much each caller may ask for, at each pod of the gateway.
        type: dict
        suboptions:
          requests:
            description: Number of requests.
            type: int
            required: true
          unit:
            description: In which time.
            type: str
            choices: [Second, Minute, Hour]
            default: Minute
  max_body_bytes:
    description: As O(mcpops.platform.gateway#module:max_body_bytes) of the gateway.
    type: int
    default: 1048576
  prune:
    description: Whether routes of this gateway that are not declared are removed.
    type: bool
    default: false
  wait:
    description: Whether to wait until the gateway has taken up routes and policies, or until the objects are gone.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait in seconds.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Two tools of a server for users, and all of it for operators
  mcpops.platform.gateway_route:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    gateway:
      namespace: gateway
    routes:
      - name: echo
        host: echo.mcp.example.com
        port: 3000
    auth:
      - name: entra
        issuer: https://login.microsoftonline.com/0f05f212-c61b-440a-9b80-9c0fde868da5/v2.0
        audiences: [4b0b1d1c-5d4c-4f0e-9f0a-2f1d7e6a9c11]
        scopes: [https://echo.mcp.example.com/mcp/.default]
        access:
          - roles: [mcp.user]
            servers: [echo]
            tools: [echo, add]
          - roles: [mcp.admin]
        rate_limit:
          requests: 120

- name: An agent that checks tokens itself, behind AKS' application routing
  mcpops.platform.gateway_route:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: agents
    gateway:
      namespace: gateway
    renderer: approuting-istio
    routes:
      - name: sre
        host: agents.example.com
        path: /diagnose
        methods: [POST]
        service: sre-orchestrator-service
        port: 80
        streaming: false
        read_timeout: 310
        anonymous: true

- name: Remove all routes of a gateway
  mcpops.platform.gateway_route:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    gateway:
      namespace: gateway
    state: absent
"""

RETURN = r"""
routes:
  description: The routes.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    namespace:
      description: Its namespace.
      type: str
    changed:
      description: Whether anything of it changed.
      type: bool
    url:
      description: Its public address; only with O(state=present).
      type: str
    metadata_url:
      description: Where clients learn who gives tokens; only with O(state=present) and authentication.
      type: str
    anonymous:
      description: Whether it asks for no token; only with O(state=present).
      type: bool
  sample:
    - name: echo
      namespace: mcp
      changed: false
      url: https://echo.mcp.example.com/mcp
      metadata_url: https://echo.mcp.example.com/.well-known/oauth-protected-resource/mcp
      anonymous: false
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
"""

from typing import Any

from ..module_utils.gateway import gateway_route
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

ERAS = ["legacy", "modern", "dual"]
LISTENER: dict[str, Any] = {
    "name": {"type": "str", "default": "https"},
    "hostname": {"type": "str", "required": True},
    "port": {"type": "int", "default": 443},
    "tls": {"type": "dict"},
}
GATEWAY: dict[str, Any] = {
    "name": {"type": "str", "default": "mcp"},
    "namespace": {"type": "str", "required": True},
    "port": {"type": "int", "default": 443},
    "listeners": {"type": "list", "elements": "dict", "options": LISTENER},
    "controller_namespace": {"type": "str"},
}
ROUTE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "host": {"type": "str"},
    "path": {"type": "str", "default": "/mcp"},
    "path_type": {"type": "str", "choices": ["Exact", "PathPrefix"], "default": "Exact"},
    "methods": {
        "type": "list",
        "elements": "str",
        "choices": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
    },
    "listener": {"type": "str"},
    "service": {"type": "str"},
    "port": {"type": "int", "default": 3000},
    "pod_labels": {"type": "dict"},
    "pod_port": {"type": "int"},
    "api_server_cidrs": {"type": "list", "elements": "str"},
    "anonymous": {"type": "bool", "default": False},
    "source_ranges": {"type": "list", "elements": "str"},
    "body_limit": {"type": "str"},
    "read_timeout": {"type": "int"},
    "streaming": {"type": "bool", "default": True},
    "server_era": {"type": "str", "choices": ERAS},
    "client_era": {"type": "str", "choices": ERAS},
}
ACCESS: dict[str, Any] = {
    "roles": {"type": "list", "elements": "str"},
    "groups": {"type": "list", "elements": "str"},
    "servers": {"type": "list", "elements": "str"},
    "tools": {"type": "list", "elements": "str"},
    "methods": {"type": "list", "elements": "str"},
}
AUTH: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "issuer": {"type": "str", "required": True},
    "audiences": {"type": "list", "elements": "str", "required": True},
    "jwks_uri": {"type": "str"},
    "jwks_config_map": {"type": "str"},
    "caller_claim": {"type": "str", "default": "sub"},
    "roles_claim": {"type": "str", "default": "roles"},
    "groups_claim": {"type": "str", "default": "groups"},
    "scopes": {"type": "list", "elements": "str"},
    "access": {"type": "list", "elements": "dict", "options": ACCESS},
    "rate_limit": {
        "type": "dict",
        "options": {
            "requests": {"type": "int", "required": True},
            "unit": {"type": "str", "choices": ["Second", "Minute", "Hour"], "default": "Minute"},
        },
    },
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "namespace": {"type": "str", "required": True},
    "gateway": {"type": "dict", "required": True, "options": GATEWAY},
    "renderer": {"type": "str", "choices": ["envoy", "approuting-istio", "plain"], "default": "envoy"},
    "routes": {"type": "list", "elements": "dict", "options": ROUTE},
    "auth": {"type": "list", "elements": "dict", "options": AUTH},
    "max_body_bytes": {"type": "int", "default": 1048576},
    "prune": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 120},
}

PROBLEMS = gateway_route.problems
OPERATION = gateway_route.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
