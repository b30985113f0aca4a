# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of mcp_probe has a value that is refused, and every rule between options a combination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from support import refused

from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.modules import mcp_probe

SPEC, OPERATION = mcp_probe.ARGUMENT_SPEC, mcp_probe.OPERATION
# which all modules of Kubernetes share: tests/unit/plugins/module_utils/kube/test_options.py
CONNECTION = kubernetes_argument_spec()
HERE: dict[str, Any] = {"name": "echo", "namespace": "mcp"}
THERE: dict[str, Any] = {"url": "https://mcp.example.com/mcp"}
CALL: dict[str, Any] = {**THERE, "tool": "echo"}

# of one server; each holds for an entry of `servers`, too
OF_ONE: dict[str, refused.Row] = {
    "no name": ({"namespace": "mcp"}, "name", "is missing"),
    "name with a capital": ({**HERE, "name": "Echo"}, "name", "not a valid Service name"),
    "name with a dot": ({**HERE, "name": "echo.mcp"}, "name", "not a valid Service name"),
    "long name": ({**HERE, "name": "e" * 64}, "name", "1 to 63"),
    "no namespace": ({"name": "echo"}, "namespace", "is missing"),
    "namespace with a slash": ({**HERE, "namespace": "mcp/x"}, "namespace", "not a valid namespace name"),
    "port too high": ({**HERE, "port": 65536}, "port", "1 to 65535"),
    "port zero": ({**HERE, "port": 0}, "port", "1 to 65535"),
    "port by name": ({**HERE, "port": "http"}, "port", "int"),
    "path without a slash": ({**HERE, "path": "mcp"}, "path", "starts with /"),
    "path with a blank": ({**HERE, "path": "/m cp"}, "path", "no blanks"),
    "path that leads out of the proxy": ({**HERE, "path": "/../../../secrets"}, "path", "lead elsewhere"),
    "path with encoded dots": ({**HERE, "path": "/a/%2E%2e/mcp"}, "path", "lead elsewhere"),
    "path with a backslash": ({**HERE, "path": "/a\\mcp"}, "path", "lead elsewhere"),
    "path like a host": ({**HERE, "path": "//elsewhere.example/mcp"}, "path", "lead elsewhere"),
    "address without a scheme": ({"url": "mcp.example.com/mcp"}, "url", "http or https"),
    "address of another scheme": ({"url": "ws://mcp.example.com/mcp"}, "url", "http or https"),
    "address without a host": ({"url": "https:///mcp"}, "url", "http or https"),
    "port of an address too high": ({"url": "https://mcp.example.com:70000/mcp"}, "url", "http or https"),
    "broken IPv6 address": ({"url": "https://[::1/mcp"}, "url", "http or https"),
    "empty label in an address": ({"url": "http://a..b/mcp"}, "url", "a..b is not a host name"),
    "address that begins with a dot": ({"url": "https://.example.com/mcp"}, "url", "not a host name"),
    "long label in an address": ({"url": f"https://{'a' * 64}.example.com/mcp"}, "url", "not a host name"),
    "long host name": ({"url": f"https://{'a.' * 127}com/mcp"}, "url", "not a host name"),
    "address with a line end": ({"url": "https://mcp.example.com/mcp\n"}, "url", "line end"),
    "address with a login": ({"url": "https://u:p@mcp.example.com/mcp"}, "url", "with headers"),
    "headers that are a text": ({**THERE, "headers": "X-Key"}, "headers", "dict"),
    "header of the protocol": ({**THERE, "headers": {"mcp-method": "x"}}, "headers.mcp-method", "probe itself"),
    "header of an argument": ({**THERE, "headers": {"Mcp-Param-X": "x"}}, "headers.Mcp-Param-X", "probe itself"),
    "trace as a header": ({**THERE, "headers": {"Traceparent": "x"}}, "headers.Traceparent", "probe itself"),
    "header twice": ({**THERE, "headers": {"X-Key": "a", "x-key": "b"}}, "headers.x-key", "given twice"),
    "empty header": ({**THERE, "headers": {"X-Key": ""}}, "headers.X-Key", "is empty"),
    "token through the proxy": (
        {**HERE, "via": "proxy", "headers": {"Authorization": "Bearer t"}},
        "headers.Authorization",
        "port_forward",
    ),
    "unknown way": ({**HERE, "via": "ssh"}, "via", "proxy, port_forward"),
    "way to an address": ({**THERE, "via": "port_forward"}, "via", "asked directly"),
    "unknown era": ({**THERE, "era": "postmodern"}, "era", "auto, modern, legacy"),
    "replicas of an address": ({**THERE, "each_replica": True}, "each_replica", "in the cluster"),
    "replicas that are a text": ({**HERE, "each_replica": "some"}, "each_replica", "bool"),
    "arguments without a tool": ({**THERE, "arguments": {"a": 1}}, "arguments", "needs a tool"),
    "arguments that are a list": ({**CALL, "arguments": [1]}, "arguments", "dict"),
    "expectation without a tool": ({**THERE, "expect": "x"}, "expect", "needs a tool"),
    "expectation of a mapping": ({**CALL, "expect": {"a": 1}}, "expect", "compare data with expect_json"),
    "equality without a tool": ({**THERE, "expect_equals": "x"}, "expect_equals", "needs a tool"),
    "equality of a list": ({**CALL, "expect_equals": [1]}, "expect_equals", "is a list"),
    "equality and a part": ({**CALL, "expect_equals": "x", "expect": "x"}, "expect_equals", "omit expect"),
    "equality and a pattern": ({**CALL, "expect_equals": "x", "expect_regex": "x"}, "expect_equals", "omit expect"),
    "pattern without a tool": ({**THERE, "expect_regex": "x"}, "expect_regex", "needs a tool"),
    "broken pattern": ({**CALL, "expect_regex": "(["}, "expect_regex", "not a regular expression"),
    "data without a tool": ({**THERE, "expect_json": [{"path": ".a"}]}, "expect_json", "needs a tool"),
    "data that is a text": ({**CALL, "expect_json": [".a"]}, "expect_json", "dict"),
    "data without a path": ({**CALL, "expect_json": [{"value": 1}]}, "expect_json[0].path", "missing required"),
    "broken path": ({**CALL, "expect_json": [{"path": ".a[1:2]"}]}, "expect_json[0].path", "not a JSONPath"),
    "empty path": ({**CALL, "expect_json": [{"path": "$"}]}, "expect_json[0].path", "names no field"),
    "value and pattern": (
        {**CALL, "expect_json": [{"path": ".a", "value": 1, "regex": "1"}]},
        "expect_json[0].value",
        "goes without regex",
    ),
    "pattern of data broken": (
        {**CALL, "expect_json": [{"path": ".a", "regex": "*"}]},
        "expect_json[0].regex",
        "not a regular expression",
    ),
    "error without a tool": ({**THERE, "expect_error": True}, "expect_error", "needs a tool"),
    "error that is a text": ({**CALL, "expect_error": "boom"}, "expect_error", "true for any error"),
    "no error": ({**CALL, "expect_error": False}, "expect_error", "leave it out"),
    "tool with a line end": ({**THERE, "tool": "echo\n"}, "tool", "line end"),
    "blank tool": ({**THERE, "tool": " "}, "tool", "not the name of a tool"),
    "tool without a name": ({**THERE, "expect_tools": ["echo", " "]}, "expect_tools[1]", "not the name of a tool"),
    "tool named twice": ({**THERE, "expect_tools": ["echo", "echo"]}, "expect_tools[1]", "named twice"),
}
MANY: dict[str, Any] = {"servers": [HERE]}
OF_ALL: dict[str, refused.Row] = {
    "servers that are a text": ({"servers": ["echo"]}, "servers", "dict"),
    "unknown option of a server": ({"servers": [{**HERE, "prot": 1}]}, "servers", "prot"),
    "name beside servers": ({**MANY, "name": "echo"}, "name", "give it in the entry"),
    "address beside servers": ({**MANY, "url": "https://x/mcp"}, "url", "give it in the entry"),
    "tool beside servers": ({**MANY, "tool": "echo"}, "tool", "give it in the entry"),
    "tools beside servers": ({**MANY, "expect_tools": ["echo"]}, "expect_tools", "give it in the entry"),
    "port beside an address": ({**THERE, "port": 80}, "port", "part of the url"),
    "path beside an address": ({**THERE, "path": "/mcp"}, "path", "part of the url"),
    "details that are a text": ({**THERE, "details": "some"}, "details", "bool"),
    "trace that is none": ({**THERE, "traceparent": "00-abc"}, "traceparent", "W3C"),
    "trace of zeros": ({**THERE, "traceparent": f"00-{'0' * 32}-{'1' * 16}-01"}, "traceparent", "W3C"),
    "trace in capitals": ({**THERE, "traceparent": f"00-{'A' * 32}-{'1' * 16}-01"}, "traceparent", "W3C"),
    "no time for a request": ({**THERE, "timeout": 0}, "timeout", "more than 0"),
    "time that is a text": ({**THERE, "timeout": "soon"}, "timeout", "float"),
    "negative wait": ({**THERE, "wait_timeout": -1}, "wait_timeout", "0 or more"),
    "CA file that is not there": ({**THERE, "ca_cert": "/nowhere/ca.pem"}, "ca_cert", "is not a file"),
}


def in_an_entry(row: refused.Row) -> refused.Row:
    options, path, words = row
    return {"servers": [HERE, options]}, f"servers[1].{path}", words


def rows() -> Iterator[tuple[str, refused.Row]]:
    yield from OF_ONE.items()
    yield from OF_ALL.items()
    for what, row in OF_ONE.items():
        yield f"{what} (of many)", in_an_entry(row)


@pytest.mark.parametrize("row", [row for _what, row in rows()], ids=[what for what, _row in rows()])
def test_it_is_refused_before_anything_is_asked(row: refused.Row) -> None:
    options, path, words = row
    found = refused.problems(SPEC, OPERATION, options)
    assert refused.is_reported(found, path, words), found
    assert not any("u:p" in problem.message for problem in found)


def test_every_option_has_a_value_that_is_refused() -> None:
    assert refused.never_refused(SPEC, [row for _what, row in rows()], exempt=CONNECTION) == []


def test_an_option_without_such_a_value_is_found() -> None:
    spec: Mapping[str, Any] = {"a": {"type": "list", "elements": "dict", "options": {"b": {}, "c": {}}}, "d": {}}
    table: list[refused.Row] = [({}, "a[3].b", "x")]
    assert refused.never_refused(spec, table) == ["a", "a[].c", "d"]
    assert refused.never_refused(spec, table, exempt=["a"]) == ["d"]
