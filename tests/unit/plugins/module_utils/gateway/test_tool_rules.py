# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule for tools lets through, evaluated as Envoy evaluates CEL: what it cannot evaluate does not match."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.gateway.access_spec import PROTOCOL_METHODS, tool_rule

FILTER = "envoy.filters.http.mcp"


class Metadata:
    def __init__(self, read: dict[str, Any] | None) -> None:
        self.filter_metadata = {} if read is None else {FILTER: read}


def matches(rule: str, read: dict[str, Any] | None) -> bool:
    """The rule is of the part of CEL that Python writes alike, but for three operators."""
    python = rule.replace("&&", "and").replace("||", "or").replace("== true", "is True")
    try:
        return bool(eval(python, {"__builtins__": {}}, {"metadata": Metadata(read)}))
    except (KeyError, TypeError):
        # an error in CEL: the rule counts as one that does not match
        return False


def call(name: str | None, **more: Any) -> dict[str, Any]:
    params = {} if name is None else {"params": {"name": name}}
    return {"is_mcp_request": True, "status": "mcp_ok", "method": "tools/call", **params, **more}


@pytest.mark.parametrize(
    ("read", "passes"),
    [
        (call("echo"), True),
        (call("drop"), False),
        (call("Echo"), False),
        (call("echo "), False),
        (call(None), False),
        (call("echo", status="mcp_duplicate_keys"), False),
        (call("echo", is_mcp_request=False), False),
        ({"is_mcp_request": True, "status": "mcp_ok"}, False),
        ({}, False),
        (None, False),
        (call(None, method="tools/list"), True),
        (call(None, method="initialize"), True),
        (call(None, method="server/discover"), True),
        (call("secret", method="prompts/get"), False),
        (call(None, method="resources/read"), False),
    ],
)
def test_a_rule_for_tools(read: dict[str, Any] | None, passes: bool) -> None:
    assert matches(tool_rule(["echo", "add"]), read) is passes


def test_further_methods_add_no_tool() -> None:
    rule = tool_rule(["echo"], ["prompts/get", "tools/call"])
    assert matches(rule, call("any", method="prompts/get"))
    assert not matches(rule, call("drop"))


def test_no_tools_is_no_call() -> None:
    assert not matches(tool_rule([]), call("echo"))
    assert matches(tool_rule([]), call(None, method="tools/list"))


def test_whatever_is_read_only_a_named_tool_or_a_method_of_the_protocol_passes() -> None:
    generator = random.Random(17)
    names = ["echo", "add", "drop", "e", "", "echo, drop", 'echo", "drop', "tools/call", None, 7]
    methods = [*PROTOCOL_METHODS, "tools/call", "prompts/get", "", "tools/Call", None]
    for _round in range(3000):
        tools = generator.sample(["echo", "add", "x.y-z_1/2"], generator.randint(0, 3))
        read = {
            "is_mcp_request": generator.choice([True, True, False, "true", None]),
            "status": generator.choice(["mcp_ok", "mcp_ok", "mcp_not_jsonrpc", None]),
            "method": generator.choice(methods),
            "params": generator.choice([{"name": generator.choice(names)}, {}]),
        }
        for key in list(read):
            if generator.random() < 0.1:
                del read[key]
        passed = matches(tool_rule(tools), read)
        allowed = (
            read.get("is_mcp_request") is True
            and read.get("status") == "mcp_ok"
            and (
                read.get("method") in PROTOCOL_METHODS
                or (read.get("method") == "tools/call" and (read.get("params") or {}).get("name") in tools)
            )
        )
        assert passed == allowed, read
