# SPDX-License-Identifier: GPL-3.0-or-later
"""The client that the suite judges. It has no protocol of its own, but for the answers to what servers ask (answering).

Every message is sent and every answer is read by the collection's MCP client, the one that mcp_probe uses, in its
default mode: it finds out which era the server speaks. What is here decides what to ask: everything that there is.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import FrameType
from typing import Any

from support.mcp_exchange import exchange_to

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, verdicts
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.conversation import Conversation
from conformance import answering
from conformance.suite import END

# An answer comes at once, and late on a busy machine. A client that hangs says where: the suite gives it more.
ANSWER_SECONDS = 30.0
OWN_SECONDS = 60

# Declared so that the suite looks at the form of all of them, and that servers ask back.
CAPABILITIES: Mapping[str, Any] = {"elicitation": {"form": {}}, "roots": {}, "sampling": {}}
# The suite has no server behind these tools: it looks at what happens to their schema, which a call would not change.
PLAIN = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}


def ask_everything(server: Conversation, toolcalls: list[Mapping[str, Any]]) -> str:
    """Lists and uses all that the server says it has, as its own probe would do with every option given."""
    tools = server.tools()
    calls = toolcalls or [{"name": tool["name"], "arguments": arguments(tool, tools)} for tool in tools]
    results = [(call, called(server, call)) for call in calls]
    # After all other calls, so that a state kept from one of them would show in the rest.
    for call, result in results:
        if result and conversation.needs_input(result):
            answering.answer_input(server, call, result)
    resources = server.resources() if "resources" in server.speaker.capabilities else []
    for resource in resources:
        server.speaker.ask("resources/read", {"uri": resource["uri"]})
    prompts = server.prompts() if "prompts" in server.speaker.capabilities else []
    for prompt in prompts:
        given = {one["name"]: "text" for one in prompt.get("arguments") or []}
        server.speaker.ask("prompts/get", {"name": prompt["name"], **({"arguments": given} if given else {})})
    refused = sum(result is None for _call, result in results)
    return (
        f"{server.speaker.era} {server.speaker.version}: {len(calls)} calls ({refused} refused), "
        f"{len(resources)} resources, {len(prompts)} prompts"
    )


def called(server: Conversation, call: Mapping[str, Any]) -> dict[str, Any] | None:
    """None: the server listed the tool and refuses to call it, as some mock servers do. Everything else is an error."""
    try:
        return server.call(call["name"], call["arguments"])
    except verdicts.Unanswered as refused:
        if refused.rpc is None:
            raise
        return None


def arguments(tool: Mapping[str, Any], tools: list[dict[str, Any]]) -> dict[str, Any]:
    """A value of each kind; where a schema is asked for, the whole of one that the server listed."""
    properties = (tool.get("inputSchema") or {}).get("properties") or {}
    others = [other["inputSchema"] for other in tools if other is not tool]
    return {
        name: others[0] if name == "schema" and others else PLAIN.get(schema.get("type"), "text")
        for name, schema in properties.items()
    }


def _out_of_time(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"it was not done within {OWN_SECONDS} s")


def converse(url: str, scenario: str, context: Mapping[str, Any]) -> str:
    try:
        with answering.open_conversation(exchange_to(url, timeout=ANSWER_SECONDS), CAPABILITIES) as server:
            return ask_everything(server, context.get("toolCalls") or [])
    except verdicts.Unanswered as refused:
        # A server that wants a token is reported as such, and nobody is asked for one.
        if scenario.startswith("auth/") and refused.status == 401:
            return "reported that the server wants a token (HTTP 401)"
        raise


def run(url: str, scenario: str, context: Mapping[str, Any]) -> int:
    """One client of the suite. Whatever goes wrong ends it with an exception."""
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(OWN_SECONDS)
    print(f"{END}{converse(url, scenario, context)}")
    return 0
