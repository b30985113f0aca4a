#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_trial
short_description: Tries every way to the servers behind a gateway, and fails where one is open
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Finds the ways in the cluster itself and not in what is declared. These are the listeners of the gateway with every
    route that leads to a server, routes of other gateways and Ingresses to the same servers, and every Service, node
    port, load balancer, host port and pod address behind them, also at other ports of the same pods.
  - A call looks as the match of its route asks (path, method, headers, query). Where a route is served, the answer 404
    proves nothing and fails, but at the path of streams.
  - Each way is tried from this machine, from a pod in a namespace of its own, and from pods in the namespaces of
    O(callers) and of the servers. Pods are those of Jobs. They are removed afterwards, also when the task fails.
  - At the gateway, calls without a token, with forged ones, of the older era without headers, with headers that lie, as
    batches and at the path of streams must be refused by Envoy itself. A refusal of the server means that the call
    came as far as the server, and is an open way.
  - Past the gateway nobody may connect, but for what O(callers) declares.
  - Where the load balancer lets in some addresses alone, pods ask the gateway at its cluster address as well.
  - No tool is called. The name in each call is C(mcpops_trial_no_such_tool), which no server has. A session that an
    allowed call has begun is ended.
  - A token that is made here is signed by nobody. It proves that signatures are checked, and not what the gateway would
    say of the audience in a signed one; give O(refused_tokens) for that.
  - What needs a token that may call something is tried with O(access_token). Without it, these trials are reported as
    not tried, and never as passed.
  - One answer to what is forbidden fails the task, which names the way. So do pods that could not run or that reach
    nothing at all, not even the API server, and a listener that was reached from nowhere.
  - A token that was given fails the task where it proves nothing, with what was answered. O(access_token) must open a
    route, and each of O(refused_tokens) must be refused for what is wrong in it.
  - TCPRoute, TLSRoute, GRPCRoute, and what leads to something else than a Service, are named in RV(notes) and not
    tried. So are matches that no call can be made up for, and Services without pods. Calls are sent directly and not by
    a proxy of the environment.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes.info
attributes:
  check_mode:
    description: Tries what needs no pod; nothing is made in the cluster.
    support: partial
    details: Tries from this machine only, because pods would have to be made, and reports what is open as a warning.
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
options:
  namespace:
    description: Namespace of the Gateway.
    type: str
    required: true
  name:
    description: Name of the Gateway.
    type: str
    default: mcp
  route_namespace:
    description: Namespace of entries of O(routes) that name none; that of the Gateway if not set.
    type: str
  routes:
    description:
      - Routes as O(mcpops.platform.gateway_route#module:routes) has them. Those with C(anonymous) are listed as open by
        declaration, with the servers behind them, and not tried.
      - Every other route is tried, whether it is in this list or not.
    type: list
    elements: dict
  auth:
    description:
      - Issuers as O(mcpops.platform.gateway_route#module:auth) has them. Forged tokens claim to be theirs, and
        C(access) says what O(access_token) may do.
    type: list
    elements: dict
  access_token:
    description:
      - A token that some rule lets in and that may not call every tool. With it, calls of a forbidden tool are tried in
        every form.
      - It is sent only where the certificate of the gateway is trusted; to pods it goes in a Secret.
    type: str
  refused_tokens:
    description: Tokens that an issuer has signed and that must be refused all the same.
    type: dict
    suboptions:
      wrong_audience:
        description: One of the right issuer, for another audience.
        type: str
      wrong_issuer:
        description: One of another issuer, with its signature.
        type: str
      expired:
        description: One that was right and is no more.
        type: str
      other_tenant:
        description: One of another tenant.
        type: str
  callers:
    description: Who may call servers directly, without the gateway. From everywhere else nobody may connect.
    type: list
    elements: dict
    suboptions:
      namespace:
        description: Namespace of the callers.
        type: str
        required: true
      pod_labels:
        description: Labels by which NetworkPolicies know them; the pod of the trial carries them, and is never ready.
        type: dict
      services:
        description:
          - Services that they may call, as C(NAME) or C(NAMESPACE/NAME). A name alone is a Service of the servers' only
            namespace, or of the caller's where servers are in several.
          - None if not set; what is called in this namespace is expected to be refused then.
        type: list
        elements: str
  gateway_ca:
    description:
      - Authority (PEM) that signed the gateway's certificate, or the file that holds it; that of the system if not set.
    type: str
  image:
    description: Image of the pods. It must have C(python3), and run as any user with a root that is read-only.
    type: str
    default: docker.io/library/python:3.13-slim
  resources:
    description: Requests and limits of the pods.
    type: dict
    default:
      requests:
        cpu: 10m
        memory: 48Mi
      limits:
        memory: 128Mi
  evidence:
    description:
      - File on the machine that runs this, to which every trial with its outcome is written (JSON), also when the task
        fails. Directories are made. Not in check mode.
    type: path
  timeout:
    description: Longest wait for one answer in seconds, 1 to 60. What is closed by a NetworkPolicy takes as long.
    type: int
    default: 4
  wait_timeout:
    description: Longest wait for a pod to start, in seconds. For its calls it has as long as they can take.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: See that there is no way around a gateway
  mcpops.platform.gateway_trial:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: gateway
    route_namespace: mcp
    routes: "{{ gateway_routes }}"
    auth: "{{ gateway_auth }}"
    evidence: evidence/gateway.json

- name: The same with a token of a user, and agents that may call one server directly
  mcpops.platform.gateway_trial:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: gateway
    route_namespace: mcp
    routes: "{{ gateway_routes }}"
    auth: "{{ gateway_auth }}"
    access_token: "{{ lookup('ansible.builtin.env', 'MCP_TRIAL_TOKEN') }}"
    callers:
      - namespace: agents
        pod_labels:
          app: planner
        services: [mcp/echo]
    image: registry.example.com/python:3.13-slim
"""

RETURN = r"""
trials:
  description: Every trial.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: From where.
      type: str
    kind:
      description:
        - C(gateway), C(unknown_host), C(gateway_service), C(other_gateway), C(ingress), C(cluster_ip), C(node_port),
          C(load_balancer), C(external_ip), C(pod_ip), C(host_port), or C(api_server) (what every pod reaches).
      type: str
    path:
      description: The way that was tried.
      type: str
    route:
      description: The HTTPRoute, as C(NAMESPACE/NAME); empty past the gateway.
      type: str
    trial:
      description: What was tried.
      type: str
    credential:
      description:
        - C(none), C(forged) (signed by nobody), C(signed) (one of O(refused_tokens)) or C(given) (O(access_token)).
      type: str
    expected:
      description:
        - One of C(refused by the gateway), C(no connection), C(open by declaration), C(passed by the gateway), and of
          C(api_server), C(a connection).
      type: str
    seen:
      description: What was answered, or why nothing was.
      type: str
    outcome:
      description:
        - C(refused) is right, and C(open) fails the task. C(declared) is open by declaration, C(passed) an allowed call
          that shows that the token is good for something. C(not_tried) proves nothing.
      type: str
  sample:
    - source: outside
      kind: gateway
      path: "listener https of Gateway gateway/mcp at 203.0.113.7: https://echo.mcp.example.com:443/mcp"
      route: mcp/echo
      trial: no token
      credential: none
      expected: refused by the gateway
      seen: HTTP 401 "Jwt is missing"
      outcome: refused
summary:
  description: How many trials had each outcome.
  returned: always
  type: dict
  sample:
    refused: 96
    open: 0
    declared: 0
    passed: 3
    not_tried: 0
open:
  description: The ways that answered.
  returned: always
  type: list
  elements: str
evidence:
  description: The file that was written.
  returned: with O(evidence), not in check mode
  type: str
notes:
  description: What was not tried, and why.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.gateway import gateway_trial
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.module import run_module

RESOURCES = {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "128Mi"}}
CALLER: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "pod_labels": {"type": "dict"},
    "services": {"type": "list", "elements": "str"},
}
REFUSED: dict[str, Any] = {
    "wrong_audience": {"type": "str", "no_log": True},
    "wrong_issuer": {"type": "str", "no_log": True},
    "expired": {"type": "str", "no_log": True},
    "other_tenant": {"type": "str", "no_log": True},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "default": "mcp"},
    "route_namespace": {"type": "str"},
    "routes": {"type": "list", "elements": "dict"},
    "auth": {"type": "list", "elements": "dict"},
    "access_token": {"type": "str", "no_log": True},
    "refused_tokens": {"type": "dict", "options": REFUSED, "no_log": False},
    "callers": {"type": "list", "elements": "dict", "options": CALLER},
    "gateway_ca": {"type": "str"},
    "image": {"type": "str", "default": "docker.io/library/python:3.13-slim"},
    "resources": {"type": "dict", "default": RESOURCES},
    "evidence": {"type": "path"},
    "timeout": {"type": "int", "default": 4},
    "wait_timeout": {"type": "int", "default": 180},
}

PROBLEMS = gateway_trial.problems
OPERATION = gateway_trial.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
