# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks one MCP server everything that a probe reports of it, and makes its row of the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils import deadlines
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, expectations, foreign, replicas
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.conversation import Conversation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.expectations import Answer
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.foreign import LONGEST_ANSWER, bounded, clipped
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Exchange
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.replicas import Reach
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import Target
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered, shortened
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import now

# what a result may hold of things whose size a server decides
MOST_SHOWN = 1000
MOST_VERSIONS = 50
# how often a call is repeated for a server that only wants its state back
MOST_ROUNDS = 5
# what a conversation may take at least, in times of one request
REQUEST_TIMES = 10
_SHORT = ("name", "uri", "uriTemplate", "title", "description", "mimeType")
# how a server that speaks the modern era only refuses the handshake of the other; anything else is worth a word
_PLAIN_REFUSALS = frozenset(
    ("protocol_version", "method_not_found", "path_not_found", "bad_request", "rpc_error", "method_not_allowed")
)


@dataclass(frozen=True)
class Manner:
    """How all servers of a task are asked."""

    timeout: float
    calls: bool = True
    details: bool = False
    at_once: int = 1
    """How many replicas of one server are asked at the same time."""
    whole: float = 0.0
    """For one conversation with all its requests; some request times if it is less."""

    @property
    def whole_seconds(self) -> float:
        return max(self.whole, self.timeout * REQUEST_TIMES)


def observe(target: Target, reach: Reach, manner: Manner, traceparent: str, row: dict[str, Any]) -> None:
    """What is observed within the time of one conversation; many requests, each in its time, may take longer."""
    with deadlines.until(manner.whole_seconds):
        try:
            _observe_and_cut(target, reach, manner, traceparent, row)
        except Unanswered as silent:
            if silent.code == "timeout" and deadlines.over():
                raise _too_slow(manner.whole_seconds, row) from silent
            raise


def _too_slow(seconds: float, row: Mapping[str, Any]) -> Unanswered:
    spent = sorted((row.get("latency_ms") or {}).items(), key=lambda item: -item[1])[:2]
    where = ", ".join(f"{method} {milliseconds / 1000:.1f} s" for method, milliseconds in spent)
    if "replicas" in row:
        where = f"its {row['replicas']['ready']} replicas" + (f"; {where}" if where else "")
    return Unanswered(
        "timeout",
        f"the whole conversation was not over within {seconds:.3g} s{f' (slow: {where})' if where else ''}",
        "It answers slowly, or its lists have many pages; raise wait_timeout if that is so by nature.",
    )


def _observe_and_cut(target: Target, reach: Reach, manner: Manner, traceparent: str, row: dict[str, Any]) -> None:
    """One conversation, or two with a server of both eras. `row` gets what is learned, also when it then fails."""
    try:
        _learn(target, reach, manner, traceparent, row)
    except RecursionError as exc:
        raise Unanswered(
            "not_mcp",
            "its answers are nested too deep to be read",
            "No honest server does that: check port, path and image.",
            terminal=True,
        ) from exc
    finally:
        _flatten(row)


def _flatten(row: dict[str, Any]) -> None:
    """What is nested deeper than a result may be is cut, and said."""
    cut = []
    for field, value in row.items():
        row[field], deeper = foreign.flat(value)
        cut += [field] if deeper else []
    if cut:
        told = f"{', '.join(cut)}: what is nested deeper than {foreign.DEEPEST} levels is left out"
        row["remarks"] = [*row.get("remarks", ()), told]


def _learn(target: Target, reach: Reach, manner: Manner, traceparent: str, row: dict[str, Any]) -> None:
    started = now()
    row["traceparent"] = traceparent
    exchange = reach.server(manner.timeout)
    with conversation.opened(exchange, era=target.era, traceparent=traceparent) as server:
        row |= _introduced(server)
        row["latency_ms"] = server.latency_ms
        row["eras"] = [server.speaker.era]
        remarks: list[str] = []
        tools = _tools(server)
        row["tools"] = shown(tools, manner.details)
        if server.dropped:
            row["dropped_tools"] = [
                {"name": shortened(tool.name), "reason": tool.reason} for tool in server.dropped[:MOST_SHOWN]
            ]
        row["cache"] = server.caching
        _missing_tools(target, tools, server)
        if target.tool and manner.calls:
            row["tool"] = target.tool
            row |= _answered(target, server)
        # after the call: what is optional must not stand in the way of what is asked for
        remarks += _offered(server, manner, row)
        remarks += server.remarks
    if target.era == conversation.AUTO and server.speaker.era == conversation.MODERN:
        remarks += _other_era(exchange, traceparent, row)
    if target.each_replica:
        remarks += replicas.compared(target, reach, manner.timeout, traceparent, tools, row, manner.at_once)
    if remarks:
        row["remarks"] = remarks
    row["duration_ms"] = conversation.elapsed_ms(started)


def shown(items: Sequence[Mapping[str, Any]], details: bool) -> list[dict[str, Any]]:
    """Entries of a list as a result holds them: whole on request, else what people read."""
    kept = items[:MOST_SHOWN]
    if details:
        return [dict(item) for item in kept]
    return [
        {"description": "", **{key: clipped(str(item[key])) for key in _SHORT if isinstance(item.get(key), str)}}
        for item in kept
    ]


def _introduced(server: Conversation) -> dict[str, Any]:
    row = {
        "era": server.speaker.era,
        "transport": server.speaker.transport,
        "protocol_version": server.speaker.version,
        "supported_versions": [*map(shortened, server.speaker.supported_versions[:MOST_VERSIONS])],
        "server_info": bounded(server.speaker.info),
        "capabilities": bounded(server.speaker.capabilities),
        "extensions": bounded(server.extensions),
    }
    return {**row, "instructions": clipped(server.speaker.instructions)} if server.speaker.instructions else row


def _tools(server: Conversation) -> list[dict[str, Any]]:
    """A server that does not declare tools may still have some; it may also not know the question."""
    return _listed(server.tools, "tools" in server.speaker.capabilities)


def _offered(server: Conversation, manner: Manner, row: dict[str, Any]) -> list[str]:
    """What else it has, as far as it declares it; the remark on a list that it declares and never gives.

    An adapter that speaks for a program may declare what the program lacks, and keep the program's error to itself:
    agentgateway 0.9 does so for programs of standard input and output (mcp/handler.rs, mcp/upstream/stdio.rs).
    """
    lists = (
        ("resources", "resources", server.resources),
        ("resources", "resource_templates", server.resource_templates),
        ("prompts", "prompts", server.prompts),
    )
    remarks = []
    for capability, field, ask in lists:
        if capability not in server.speaker.capabilities:
            continue
        try:
            row[field] = shown(_listed(ask), manner.details)
        except Unanswered as silent:
            if silent.rpc is not None and silent.status is not None and silent.status < 500:
                remarks.append(f"it declares {capability}, and its {field.replace('_', ' ')}: {silent.reason}")
                continue
            if silent.code != "timeout" or server.speaker.era != conversation.LEGACY:
                raise
            # the others are not asked for: each would take as long
            asked = field.replace("_", " ")
            return [*remarks, f"it declares {capability} and does not answer when it is asked for its {asked}"]
    return remarks


def _listed(ask: Callable[[], list[dict[str, Any]]], needed: bool = False) -> list[dict[str, Any]]:
    try:
        return ask()
    except Unanswered as refused:
        if needed or refused.code != "method_not_found":
            raise
        return []


def _missing_tools(target: Target, tools: Sequence[Mapping[str, Any]], server: Conversation) -> None:
    names = [str(tool["name"]) for tool in tools]
    wanted = ([target.tool] if target.tool and target.expected.error is None else []) + list(target.expected_tools)
    missing = [name for name in dict.fromkeys(wanted) if name not in names]
    if not missing:
        return
    dropped = {tool.name: tool.reason for tool in server.dropped}
    unusable = "; ".join(f"{name} is listed and cannot be used: {dropped[name]}" for name in missing if name in dropped)
    listed = ", ".join(names[:50]) or "none"
    raise Unanswered(
        "tool_missing",
        f"it answers, and has no tool {' and no tool '.join(map(repr, missing))}; "
        f"{unusable + '; ' if unusable else ''}its tools: {shortened(listed)}",
        "Check the tool's name and the version of the image.",
        terminal=True,
    )


def _answered(target: Target, server: Conversation) -> dict[str, Any]:
    try:
        result = _called(target, server)
    except Unanswered as refused:
        if not target.expected.is_expected(refused) or refused.rpc is None:
            raise
        answer = Answer(refused.rpc.message, is_error=True, code=refused.rpc.code)
    else:
        if conversation.needs_input(result):
            raise conversation.wants_input(result)
        answer = Answer.of(result)
    expectations.judge(target.tool, target.expected, answer)
    row: dict[str, Any] = {"answer": clipped(answer.text, LONGEST_ANSWER)}
    if answer.structured is not None:
        row["structured"] = bounded(answer.structured)
    if answer.is_error:
        row["is_error"] = True
    return row if answer.code is None else {**row, "error_code": answer.code}


def _called(target: Target, server: Conversation) -> dict[str, Any]:
    """The result; a server that wants nothing but to be asked again with its own state is."""
    result = server.call(target.tool, target.arguments)
    for _round in range(MOST_ROUNDS):
        if not conversation.only_asks_again(result):
            break
        result = server.call(target.tool, target.arguments, request_state=result["requestState"])
    return result


def _other_era(exchange: Exchange, traceparent: str, row: dict[str, Any]) -> list[str]:
    """Whether older clients are served as well: a server of both eras lists the modern one only."""
    version, refused = conversation.also_legacy(exchange, traceparent)
    if refused is not None and refused.code == "timeout" and deadlines.over():
        raise refused
    if version:
        row["eras"] = [conversation.MODERN, conversation.LEGACY]
        row["supported_versions"] = list(dict.fromkeys((*row["supported_versions"], version)))
    if refused is None or refused.code in _PLAIN_REFUSALS:
        return []
    return [f"clients of the legacy era are not served: {refused.reason}"]
