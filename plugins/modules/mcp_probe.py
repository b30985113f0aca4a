#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mcp_probe
short_description: Asks MCP servers for their tools and calls one
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Speaks the Model Context Protocol over streamable HTTP with one or many servers at once, C(initialize),
    C(notifications/initialized), C(tools/list), and C(tools/call) where O(tool) is given. The session is ended
    afterwards.
  - Servers in a cluster are reached through the API server's proxy to their Service, so that no address of theirs needs
    to be reachable; others by O(url).
  - A server that does not answer is asked again until O(wait_timeout), unless its answer shows that waiting is in
    vain. The failure says what came instead and what to do.
  - In check mode every server is asked once, no tool is called, and a server that does not answer is reported
    instead of failing the task, because the run itself may repair it first.
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes.info
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
      - Further request headers, for example C(X-API-Key), or C(Authorization) with O(url).
      - Servers in the cluster do not get C(Authorization), because the API server's proxy takes it for itself. One that
        wants a bearer token is asked by O(url).
      - Headers of the protocol, such as C(Content-Type) and C(Mcp-Session-Id), are the probe's own.
    type: dict
  tool:
    description: Tool to call; it must be among the server's tools.
    type: str
  arguments:
    description: Arguments of the call.
    type: dict
  expect:
    description: Text that the answer of the call must contain. Numbers and booleans are text as YAML writes them.
    type: raw
  expect_regex:
    description: Regular expression (Python) that must match somewhere in the answer of the call.
    type: str
  servers:
    description:
      - Many servers at once, or several calls of one; C(namespace), C(port), C(path) and C(headers) default to the
        options of the same name.
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
      tool:
        description: As O(tool).
        type: str
      arguments:
        description: As O(arguments).
        type: dict
      expect:
        description: As O(expect).
        type: raw
      expect_regex:
        description: As O(expect_regex).
        type: str
  timeout:
    description: Longest time for one request, in seconds.
    type: float
    default: 10.0
  wait_timeout:
    description: How long a server that does not answer is asked again, in seconds; 0 asks once.
    type: float
    default: 60.0
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
    protocol_version:
      description: Version of the protocol that was agreed on.
      type: str
    server_info:
      description: What the server says of itself.
      type: dict
    tools:
      description: Its tools, each with C(name) and C(description).
      type: list
      elements: dict
    tool:
      description: Tool that was called.
      type: str
    answer:
      description: Text of the tool's answer.
      type: str
    duration_ms:
      description: Milliseconds the whole conversation took.
      type: int
    error:
      description: Why it is not reachable, a C(code), a C(message) and a C(hint).
      type: dict
  sample:
    - name: echo
      namespace: mcp
      reachable: true
      protocol_version: "2025-11-25"
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
  description: What check mode left out or found unanswered.
  returned: when there is something to say
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.options import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import mcp_probe
from ansible_collections.mcpops.platform.plugins.module_utils.module import run_module

SERVER: dict[str, Any] = {
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "port": {"type": "int"},
    "path": {"type": "str"},
    "url": {"type": "str"},
    "headers": {"type": "dict", "no_log": True},
    "tool": {"type": "str"},
    "arguments": {"type": "dict"},
    "expect": {"type": "raw"},
    "expect_regex": {"type": "str"},
}

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    **SERVER,
    "servers": {"type": "list", "elements": "dict", "options": SERVER},
    "timeout": {"type": "float", "default": 10.0},
    "wait_timeout": {"type": "float", "default": 60.0},
}

OPERATION = mcp_probe.converge


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION)


if __name__ == "__main__":
    main()
