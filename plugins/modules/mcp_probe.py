#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mcp_probe
short_description: Asks MCP servers of both eras what they offer, and calls a tool
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Speaks the Model Context Protocol over streamable HTTP with one or many servers at once, in both its eras. In the
    modern era (2026-07-28) that is C(server/discover) and requests that say everything about themselves, in the
    legacy era (2024-11-05 to 2025-11-25) C(initialize), C(notifications/initialized) and a session, which is ended
    afterwards. Then the tools are listed, resources and prompts where the server declares them, and O(tool) is called.
  - The modern era is tried first. What does not tell the era (a login, a failure, silence, a proxy that rewrites
    headers) is reported and never taken for an older server. A server of both eras is shown as one.
  - Servers in a cluster are reached through the API server (its proxy to their Service, or a forwarded port), so that
    no address of theirs needs to be reachable; others by O(url). Of a Service with several ready pods each is asked.
  - A server that does not answer is asked again until O(wait_timeout), unless its answer shows that waiting is in
    vain. The failure says what came instead and what to do; its codes are listed in C(docs/mcp.md).
  - Redirects are reported and not followed. An answer of more than 1 MiB is not read to its end.
  - In check mode every server is asked once, no tool is called, and a server that does not answer is reported
    instead of failing the task, because the run itself may repair it first.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes.info
  - mcpops.platform.files
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection of all modules.
    support: full
    membership:
      - mcpops.platform.kubernetes
options:
  name:
    description: Name of the server's Service; KMCP names it as the MCPServer.
    type: str
  namespace:
    description: Namespace of the server, and of entries of O(servers) that name none.
    type: str
  port:
    description:
      - Port of the Service.
      - 3000 (KMCP's own default) if not set.
    type: int
  path:
    description:
      - Path of the MCP endpoint.
      - V(/mcp) if not set.
    type: str
  url:
    description:
      - Address of the endpoint with its port and path, instead of O(namespace), O(port) and O(path). O(name) then only
        says how the server is called in messages.
      - O(ca_cert) and O(validate_certs) apply to it, too. E(HTTPS_PROXY), E(HTTP_PROXY) and E(NO_PROXY) are honoured.
    type: str
  headers:
    description:
      - Further request headers, for example C(X-API-Key) or C(Authorization).
      - The API server's proxy keeps some for itself, such as C(Authorization). With one of them a server in the cluster
        is asked over a forwarded port (O(via)).
      - Headers of the protocol, such as C(Content-Type), C(Mcp-Session-Id) and C(traceparent), are the probe's own.
      - They appear in no result and no message, also where a server repeats them.
    type: dict
  via:
    description:
      - How a server in the cluster is reached. V(proxy) is the API server's proxy to its Service. V(port_forward) is a
        forwarded port of one of its ready pods, as C(kubectl port-forward) has it; it carries every header, needs the
        right to C(get) and C(create) C(pods/portforward), and takes a connection more for each request.
      - V(proxy) if not set, or V(port_forward) where O(headers) hold something that the proxy keeps for itself.
    type: str
    choices: [proxy, port_forward]
  era:
    description:
      - V(auto) takes whatever the server speaks; with a server of both eras the modern one is used, and the handshake
        of the legacy one is tried as well.
      - V(modern) and V(legacy) also expect it. A server that answers only in the other one fails with C(EraMismatch).
      - V(auto) if not set.
    type: str
    choices: [auto, modern, legacy]
  each_replica:
    description:
      - Whether every ready pod behind the Service is asked, where there are several. They must all answer and offer the
        same tools, and share their sessions if they keep any; a call through the Service cannot tell.
      - Needs the right to list C(endpointslices) and to use C(pods/proxy). Where it is missing, RV(notes) says that the
        replicas were not asked.
      - V(true) if not set. With O(url) it cannot be set, because nobody sees the replicas there.
    type: bool
  tool:
    description: Tool to call; it must be among the server's tools.
    type: str
  arguments:
    description: Arguments of the call.
    type: dict
  expect:
    description: Text that the answer of the call must contain. Numbers and booleans are text as YAML writes them.
    type: raw
  expect_equals:
    description: The whole text of the answer, instead of O(expect) and O(expect_regex).
    type: raw
  expect_regex:
    description: Regular expression (Python) that must match somewhere in the answer of the call.
    type: str
  expect_json:
    description: What the structured content of the answer must hold. All of them must be met.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - JSONPath as kubectl takes it, such as V(.items[0].name) or V(.items[?(@.ok==true\)].name). Something must be
            there; with O(expect_json[].value) or O(expect_json[].regex) all that is there must fit.
        type: str
        required: true
      value:
        description: The value, also a list or a mapping. V(1) and V("1") are different.
        type: raw
      regex:
        description: Regular expression (Python) that must match somewhere in it; numbers are text as JSON writes them.
        type: str
  expect_error:
    description:
      - The call must fail. V(true) takes an error of the tool (C(isError)) and any JSON-RPC error, a number such as
        V(-32602) only the JSON-RPC error of this code.
      - It must be the server's word on this call. A lost session, a login (401, 403), another host name or version,
        headers that a proxy rewrote, 429 and 5xx are reported whatever is expected.
      - O(expect), O(expect_equals) and O(expect_regex) then judge the text of the error.
    type: raw
  expect_tools:
    description: Tools that the server must have, by name.
    type: list
    elements: str
  servers:
    description:
      - Many servers at once, or several calls of one; C(namespace), C(port), C(path), C(headers), C(via),
        C(era) and C(each_replica) default to the options of the same name.
    type: list
    elements: dict
    suboptions:
      name:
        description: As O(name).
        type: str
      namespace:
        description: As O(namespace).
        type: str
      port:
        description: As O(port).
        type: int
      path:
        description: As O(path).
        type: str
      url:
        description: As O(url).
        type: str
      headers:
        description: As O(headers).
        type: dict
      via:
        description: As O(via).
        type: str
        choices: [proxy, port_forward]
      era:
        description: As O(era).
        type: str
        choices: [auto, modern, legacy]
      each_replica:
        description: As O(each_replica).
        type: bool
      tool:
        description: As O(tool).
        type: str
      arguments:
        description: As O(arguments).
        type: dict
      expect:
        description: As O(expect).
        type: raw
      expect_equals:
        description: As O(expect_equals).
        type: raw
      expect_regex:
        description: As O(expect_regex).
        type: str
      expect_json:
        description: As O(expect_json).
        type: list
        elements: dict
        suboptions:
          path:
            description: As O(expect_json[].path).
            type: str
            required: true
          value:
            description: As O(expect_json[].value).
            type: raw
          regex:
            description: As O(expect_json[].regex).
            type: str
      expect_error:
        description: As O(expect_error).
        type: raw
      expect_tools:
        description: As O(expect_tools).
        type: list
        elements: str
  details:
    description:
      - Whether the result holds tools, resources and prompts whole, as the server sent them, with schemas and
        annotations.
    type: bool
    default: false
  traceparent:
    description:
      - Trace that the requests belong to, as W3C Trace Context writes it. Each server gets a trace of its own if not
        set. It is sent as the header C(traceparent), in the modern era also in C(_meta), and RV(servers[].traceparent)
        says it, so that the server's own traces can be found.
    type: str
  timeout:
    description:
      - Longest time for one request, in seconds.
      - After a request without an answer the next one may take twice as long, as far as O(wait_timeout) leaves time. A
        server that fetches its packages first (C(npx), C(uvx)) begins again with every request that is given up.
    type: float
    default: 10.0
  wait_timeout:
    description:
      - How long a server that does not answer is asked again, in seconds; 0 asks once.
      - The first start of a server with C(npx) or C(uvx) takes up to two minutes.
    type: float
    default: 120.0
"""

EXAMPLES = r"""
- name: The server answers and echoes
  mcpops.platform.mcp_probe:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    name: echo
    tool: echo
    arguments:
      text: hello
    expect: hello

- name: A server with a key, on a path of its own
  mcpops.platform.mcp_probe:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    name: weather
    port: 8080
    path: /api/mcp
    headers:
      X-API-Key: "{{ weather_key }}"

- name: Structured content, an error that must come, and an era that clients count on
  mcpops.platform.mcp_probe:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    servers:
      - name: weather
        era: modern
        expect_tools:
          - forecast
        tool: forecast
        arguments:
          city: Oslo
        expect_json:
          - path: .days[0].unit
            value: celsius
          - path: .days[*].high
            regex: ^-?[0-9]+$
      - name: weather
        tool: forecast
        arguments:
          city: Atlantis
        expect_error: true
        expect: unknown city

- name: Many servers, one of them outside of the cluster
  mcpops.platform.mcp_probe:
    kubeconfig: "{{ mcpops_kubeconfig }}"
    namespace: mcp
    servers:
      - name: echo
      - name: weather
        port: 8080
      - url: https://mcp.example.com/mcp
        headers:
          Authorization: "Bearer {{ mcp_token }}"
"""

RETURN = r"""
servers:
  description: One entry for each probe, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the server.
      type: str
    namespace:
      description: Namespace of the server; not with an address.
      type: str
    url:
      description: Address that was asked; not for servers of the cluster.
      type: str
    reachable:
      description: Whether the server answered as it should.
      type: bool
    era:
      description: Era of the conversation, V(modern) or V(legacy).
      type: str
    transport:
      description:
        - V(streamable_http), or V(http_sse) for the transport of 2024-11-05, which is asked at the path of its stream.
      type: str
    eras:
      description: Eras in which the server answers. With O(era) set, only that one is tried.
      type: list
      elements: str
    protocol_version:
      description: Version of the protocol that was spoken.
      type: str
    supported_versions:
      description: Versions that the server names or was found to speak.
      type: list
      elements: str
    server_info:
      description: What the server says of itself.
      type: dict
    instructions:
      description: What the server tells models about its use, if it does.
      type: str
    capabilities:
      description: Capabilities that the server declares.
      type: dict
    extensions:
      description: Extensions among them.
      type: dict
    tools:
      description: Its tools, each with C(name) and C(description), or whole with O(details). At most 1,000 are shown.
      type: list
      elements: dict
    resources:
      description: Its resources in the same way, if it declares any.
      type: list
      elements: dict
    resource_templates:
      description: Its templates of resources, if it declares resources.
      type: list
      elements: dict
    prompts:
      description: Its prompts, if it declares any.
      type: list
      elements: dict
    dropped_tools:
      description: Tools that modern clients must leave out, because their header annotations break the rules.
      type: list
      elements: dict
    cache:
      description:
        - How long clients may keep each list and the answer to C(server/discover) (C(ttl_ms)), and whether others may
          see it (C(cache_scope)).
      type: dict
    tool:
      description: Tool that was called.
      type: str
    answer:
      description: Text of the tool's answer, or of the error that was expected.
      type: str
    structured:
      description: Structured content of the answer, if there is any.
      type: raw
    is_error:
      description: That the call failed as expected.
      type: bool
    error_code:
      description: Code of the JSON-RPC error that was expected.
      type: int
    replicas:
      description:
        - How many pods of the Service are C(ready) and how many C(answered). With several, C(pods) has a row for each,
          and C(sessions) says whether they are V(shared), V(not shared), or there are V(none).
      type: dict
    remarks:
      description: What is not a failure and worth knowing.
      type: list
      elements: str
    attempts:
      description: How often the server was asked until it answered.
      type: int
    latency_ms:
      description: Milliseconds that each step took.
      type: dict
    duration_ms:
      description: Milliseconds the whole conversation took.
      type: int
    traceparent:
      description: Trace that the requests belonged to.
      type: str
    error:
      description: Why it is not reachable, a C(code), a C(message) and a C(hint).
      type: dict
  sample:
    - name: echo
      namespace: mcp
      reachable: true
      era: modern
      transport: streamable_http
      eras: [modern, legacy]
      protocol_version: "2026-07-28"
      supported_versions: ["2026-07-28", "2025-11-25"]
      server_info:
        name: echo-mcp
        version: 1.0.0
      tools:
        - name: echo
          description: Return the text unchanged.
      tool: echo
      answer: hello
      duration_ms: 41
notes:
  description: What check mode left out or found unanswered, and the remarks of all servers.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.mcp import mcp_probe, targets
from ..module_utils.module import run_module

SERVER: dict[str, Any] = {
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "port": {"type": "int"},
    "path": {"type": "str"},
    "url": {"type": "str"},
    "headers": {"type": "dict", "no_log": True},
    "via": {"type": "str", "choices": ["proxy", "port_forward"]},
    "era": {"type": "str", "choices": ["auto", "modern", "legacy"]},
    "each_replica": {"type": "bool"},
    "tool": {"type": "str"},
    "arguments": {"type": "dict"},
    "expect": {"type": "raw"},
    "expect_equals": {"type": "raw"},
    "expect_regex": {"type": "str"},
    "expect_json": {
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"type": "str", "required": True},
            "value": {"type": "raw"},
            "regex": {"type": "str"},
        },
    },
    "expect_error": {"type": "raw"},
    "expect_tools": {"type": "list", "elements": "str"},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    **SERVER,
    "servers": {"type": "list", "elements": "dict", "options": SERVER},
    "details": {"type": "bool", "default": False},
    "traceparent": {"type": "str"},
    "timeout": {"type": "float", "default": 10.0},
    "wait_timeout": {"type": "float", "default": 120.0},
}

PROBLEMS = targets.problems
OPERATION = mcp_probe.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
