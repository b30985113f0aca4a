# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that a probe reports of one MCP server, its replicas included, as one row of the result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from .. import masking, waiting
from ..errors import Failure
from ..masking import LONGEST_ANSWER, bounded_value, clip_text
from ..waiting import now
from . import conversation, expectations
from .cluster_access import Replica
from .conversation import Conversation
from .expectations import Answer
from .protocol import Exchange
from .targets import Target
from .verdicts import Code, Unanswered, shortened

MOST_REPLICAS = 20
MOST_DIFFERENCES = 100


@dataclass(frozen=True)
class Reach:
    """The ways to one target: the address that its clients use, and its pods one by one."""

    server: Callable[[float], Exchange]
    pods: Callable[[], Sequence[Replica]] = list
    pod: Callable[[Replica, float], Exchange] | None = None
    keeps_clients_apart: Callable[[], bool] = bool
    last_words: Callable[[], Sequence[str]] = list
    """The end of the log of one of its pods, as far as it may be read."""


def compare_replicas(
    reach: Reach,
    settings: ProbeSettings,
    traceparent: str,
    tools: Sequence[Mapping[str, Any]],
    row: dict[str, Any],
) -> list[str]:
    """Asks every pod where there are several, and returns remarks; what clients would stumble over is Unanswered."""
    try:
        found = list(reach.pods()) if reach.pod is not None else []
    except Failure as failed:
        return [f"its replicas were not counted: {failed.message()}"]
    if not found or reach.pod is None:
        return []
    row["replicas"] = {"ready": len(found), "answered": 1}
    if len(found) == 1:
        return []
    asked = found[:MOST_REPLICAS]
    exchanges = {replica.pod: reach.pod(replica, settings.timeout) for replica in asked}
    ask = waiting.shared(_asked)
    with ThreadPoolExecutor(min(settings.replicas_at_once, len(asked))) as pool:
        answers: list[Future[dict[str, Any]]] = [
            pool.submit(copy_context().run, ask, replica, exchanges[replica.pod], row["era"], traceparent, tools)
            for replica in asked
        ]
    pods = []
    for replica, answer in zip(asked, answers):
        try:
            pods.append(answer.result())
        except Unanswered as refused:
            if refused.code == "Timeout" and waiting.outer_deadline_passed():
                raise
            if refused.code == "ProxyForbidden":
                del row["replicas"]
                return [f"its {len(found)} replicas were not asked one by one: {refused.reason}"]
            pods.append({"pod": replica.pod, "answered": False, "error": refused.code, "message": refused.reason})
    row["replicas"] = {"ready": len(found), "answered": sum(1 for pod in pods if pod["answered"]), "pods": pods}
    _judge(pods)
    remarks = [f"only {MOST_REPLICAS} of its {len(found)} replicas were asked"] if len(found) > len(asked) else []
    return remarks + _sessions(exchanges, reach, traceparent, row)


def replica_differences(expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What another replica has otherwise, tool by tool. Pure; the order of tools and keys means nothing."""
    here, there = (
        {str(tool["name"]): json.dumps(tool, sort_keys=True) for tool in tools} for tools in (expected, found)
    )
    changed = [f"{name} differs" for name in sorted(here.keys() & there.keys()) if here[name] != there[name]]
    lacking = [f"{name} is missing" for name in sorted(here.keys() - there.keys())]
    return [*lacking, *(f"{name} is only there" for name in sorted(there.keys() - here.keys())), *changed]


def _asked(
    replica: Replica, exchange: Exchange, era: str, traceparent: str, tools: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    with conversation.open_conversation(exchange, era=era, traceparent=traceparent) as server:
        found = server.tools() if tools else []
        row = {"pod": replica.pod, "answered": True, "protocol_version": server.speaker.version}
    row["server_info"] = masking.bounded_value(server.speaker.info)
    different = replica_differences(tools, found)
    return {**row, "differences": [*map(shortened, different[:MOST_DIFFERENCES])]} if different else row


def _judge(pods: Sequence[Mapping[str, Any]]) -> None:
    silent = [pod for pod in pods if not pod["answered"]]
    if silent:
        stated = "; ".join(f"{pod['pod']}: {pod['message']}" for pod in silent[:3])
        raise Unanswered(
            "ReplicaUnanswered",
            f"{len(silent)} of its {len(pods)} replicas do not answer, although their pods are ready: {stated}",
            "Clients reach them as often as the others: look at the logs of these pods.",
        )
    different = [pod for pod in pods if "differences" in pod]
    if different:
        stated = "; ".join(f"{pod['pod']}: {', '.join(pod['differences'][:5])}" for pod in different[:3])
        raise Unanswered(
            "ReplicasDiffer",
            f"{len(different)} of its {len(pods)} replicas offer other tools: {stated}",
            "During a rollout this passes. Otherwise the replicas run different images or settings, or make their "
            "tools from something that differs between them.",
        )


def _sessions(exchanges: Mapping[str, Exchange], reach: Reach, traceparent: str, row: dict[str, Any]) -> list[str]:
    """Whether a session that one replica began is known to the next: only a call can tell."""
    if conversation.LEGACY not in row["eras"]:
        return []
    (first, begun), (second, other) = list(exchanges.items())[:2]
    with ExitStack() as stack:
        server = stack.enter_context(
            conversation.open_conversation(begun, era=conversation.LEGACY, traceparent=traceparent)
        )
        if not server.speaker.keeps_session:
            row["replicas"]["sessions"] = "none"
            return []
        shared = server.speaker.known_at(other)
    row["replicas"]["sessions"] = "shared" if shared else "not shared"
    if shared:
        return []
    stated = (
        f"it keeps sessions, and its {row['replicas']['ready']} replicas do not share them: {second} does not know the "
        f"session that {first} began a moment ago"
    )
    if row["era"] == conversation.MODERN:
        return [f"{stated}; clients of the modern era need no session"]
    if reach.keeps_clients_apart():
        return [f"{stated}; its Service sends each client address to the same pod, which a proxy or gateway undoes"]
    raise Unanswered(
        "SessionLost",
        stated,
        "Run one replica, or a server that keeps no sessions (stateless), or update it to MCP 2026-07-28, which has "
        "none. During a rollout this passes.",
    )


# what a result may hold of things whose size a server decides
MOST_SHOWN = 1000
MOST_VERSIONS = 50
# how often a call is repeated for a server that only wants its state back
MOST_ROUNDS = 5
# what a conversation may take at least, in times of one request
REQUEST_TIMES = 10
_SHORT = ("name", "uri", "uriTemplate", "title", "description", "mimeType")
# how a server that speaks the modern era only refuses the handshake of the other; anything else is worth a word
_PLAIN_REFUSALS: frozenset[Code] = frozenset(
    ("ProtocolVersion", "MethodNotFound", "PathNotFound", "BadRequest", "RpcError", "MethodNotAllowed")
)


@dataclass(frozen=True)
class ProbeSettings:
    """How all servers of a task are asked."""

    timeout: float
    calls: bool = True
    details: bool = False
    replicas_at_once: int = 1
    """How many replicas of one server are asked at the same time."""
    whole: float = 0.0
    """For one conversation with all its requests; some request times if it is less."""

    @property
    def whole_seconds(self) -> float:
        return max(self.whole, self.timeout * REQUEST_TIMES)


def observe(target: Target, reach: Reach, settings: ProbeSettings, traceparent: str, row: dict[str, Any]) -> None:
    """One conversation, or two with a server of both eras, within a time: many requests, each in its own, take longer.

    `row` gets what is learned, also when it then fails.
    """
    with waiting.deadlines_within(settings.whole_seconds):
        try:
            _learn(target, reach, settings, traceparent, row)
        except Unanswered as silent:
            if silent.code == "Timeout" and waiting.outer_deadline_passed():
                raise _too_slow(settings.whole_seconds, row) from silent
            raise
        except RecursionError as exc:
            raise Unanswered(
                "NotMcp",
                "its answers are nested too deep to be read",
                "No honest server does that: check port, path and image.",
                terminal=True,
            ) from exc
        finally:
            _flatten(row)


def _too_slow(seconds: float, row: Mapping[str, Any]) -> Unanswered:
    spent = sorted((row.get("latency_ms") or {}).items(), key=lambda item: -item[1])[:2]
    where = ", ".join(f"{method} {milliseconds / 1000:.1f} s" for method, milliseconds in spent)
    if "replicas" in row:
        where = f"its {row['replicas']['ready']} replicas" + (f"; {where}" if where else "")
    return Unanswered(
        "Timeout",
        f"the whole conversation was not over within {seconds:.3g} s{f' (slow: {where})' if where else ''}",
        "It answers slowly, or its lists have many pages; raise wait_timeout if that is so by nature.",
    )


def _flatten(row: dict[str, Any]) -> None:
    """What is nested deeper than a result may be is cut, and said."""
    cut = []
    for field, value in row.items():
        row[field], deeper = masking.flattened(value)
        cut += [field] if deeper else []
    if cut:
        reported = f"{', '.join(cut)}: what is nested deeper than {masking.DEEPEST} levels is left out"
        row["remarks"] = [*row.get("remarks", ()), reported]


def _learn(target: Target, reach: Reach, settings: ProbeSettings, traceparent: str, row: dict[str, Any]) -> None:
    started = now()
    row["traceparent"] = traceparent
    exchange = reach.server(settings.timeout)
    with conversation.open_conversation(exchange, era=target.era, traceparent=traceparent) as server:
        row |= _introduced(server)
        row["latency_ms"] = server.latency_ms
        row["eras"] = [server.speaker.era]
        remarks: list[str] = []
        # a server that does not declare tools may still have some; it may also not know the question
        tools = _listed(server.tools, "tools" in server.speaker.capabilities)
        row["tools"] = shown_items(tools, settings.details)
        if server.dropped:
            row["dropped_tools"] = [
                {"name": shortened(name), "reason": reason}
                for name, reason in list(server.dropped.items())[:MOST_SHOWN]
            ]
        row["cache"] = server.caching
        _missing_tools(target, tools, server)
        if target.tool and settings.calls:
            row["tool"] = target.tool
            row |= _answered(target, server)
        # after the call: what is optional must not stand in the way of what is asked for
        remarks += _offered(server, settings, row)
        remarks += server.remarks
    if target.era == conversation.AUTO and server.speaker.era == conversation.MODERN:
        remarks += _other_era(exchange, traceparent, row)
    if target.each_replica:
        remarks += compare_replicas(reach, settings, traceparent, tools, row)
    if remarks:
        row["remarks"] = remarks
    row["duration_ms"] = conversation.elapsed_ms(started)


def shown_items(items: Sequence[Mapping[str, Any]], details: bool) -> list[dict[str, Any]]:
    """Entries of a list as a result holds them: whole on request, else what people read."""
    kept = items[:MOST_SHOWN]
    if details:
        return [dict(item) for item in kept]
    return [
        {"description": "", **{key: clip_text(str(item[key])) for key in _SHORT if isinstance(item.get(key), str)}}
        for item in kept
    ]


def _introduced(server: Conversation) -> dict[str, Any]:
    row = {
        "era": server.speaker.era,
        "transport": server.speaker.transport,
        "protocol_version": server.speaker.version,
        "supported_versions": [*map(shortened, server.speaker.supported_versions[:MOST_VERSIONS])],
        "server_info": bounded_value(server.speaker.info),
        "capabilities": bounded_value(server.speaker.capabilities),
        "extensions": bounded_value(server.extensions),
    }
    return {**row, "instructions": clip_text(server.speaker.instructions)} if server.speaker.instructions else row


def _offered(server: Conversation, settings: ProbeSettings, row: dict[str, Any]) -> list[str]:
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
            row[field] = shown_items(_listed(ask), settings.details)
        except Unanswered as silent:
            if silent.rpc is not None and silent.status is not None and silent.status < 500:
                remarks.append(f"it declares {capability}, and its {field.replace('_', ' ')}: {silent.reason}")
                continue
            if silent.code != "Timeout" or server.speaker.era != conversation.LEGACY:
                raise
            # the others are not asked for: each would take as long
            asked = field.replace("_", " ")
            return [*remarks, f"it declares {capability} and does not answer when it is asked for its {asked}"]
    return remarks


def _listed(ask: Callable[[], list[dict[str, Any]]], needed: bool = False) -> list[dict[str, Any]]:
    try:
        return ask()
    except Unanswered as refused:
        if needed or refused.code != "MethodNotFound":
            raise
        return []


def _missing_tools(target: Target, tools: Sequence[Mapping[str, Any]], server: Conversation) -> None:
    names = [str(tool["name"]) for tool in tools]
    wanted = ([target.tool] if target.tool and target.expected.error is None else []) + list(target.expected_tools)
    missing = [name for name in dict.fromkeys(wanted) if name not in names]
    if not missing:
        return
    reasons = ((name, server.dropped.get(name)) for name in missing)
    unusable = "; ".join(f"{name} is listed and cannot be used: {reason}" for name, reason in reasons if reason)
    listed = ", ".join(names[:50]) or "none"
    raise Unanswered(
        "ToolMissing",
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
    expectations.judge_answer(target.tool, target.expected, answer)
    row: dict[str, Any] = {"answer": clip_text(answer.text, LONGEST_ANSWER)}
    if answer.structured is not None:
        row["structured"] = bounded_value(answer.structured)
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
    if refused is not None and refused.code == "Timeout" and waiting.outer_deadline_passed():
        raise refused
    if version:
        row["eras"] = [conversation.MODERN, conversation.LEGACY]
        row["supported_versions"] = list(dict.fromkeys((*row["supported_versions"], version)))
    if refused is None or refused.code in _PLAIN_REFUSALS:
        return []
    return [f"clients of the legacy era are not served: {refused.reason}"]
