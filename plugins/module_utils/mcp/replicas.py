# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every replica of a server in the cluster: how many answer, whether alike, and whether they share sessions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils import deadlines
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, foreign
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Exchange
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.service_proxy import Replica
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import Target
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered, shortened

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


def compared(
    target: Target,
    reach: Reach,
    timeout: float,
    traceparent: str,
    tools: Sequence[Mapping[str, Any]],
    row: dict[str, Any],
    at_once: int = 1,
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
    exchanges = {replica.pod: reach.pod(replica, timeout) for replica in asked}
    ask = deadlines.shared(_asked)
    with ThreadPoolExecutor(min(at_once, len(asked))) as pool:
        answers: list[Future[dict[str, Any]]] = [
            pool.submit(copy_context().run, ask, replica, exchanges[replica.pod], row["era"], traceparent, tools)
            for replica in asked
        ]
    pods = []
    for replica, answer in zip(asked, answers):
        try:
            pods.append(answer.result())
        except Unanswered as refused:
            if refused.code == "timeout" and deadlines.over():
                raise
            if refused.code == "proxy_forbidden":
                del row["replicas"]
                return [f"its {len(found)} replicas were not asked one by one: {refused.reason}"]
            pods.append({"pod": replica.pod, "answered": False, "error": refused.code, "message": refused.reason})
    row["replicas"] = {"ready": len(found), "answered": sum(1 for pod in pods if pod["answered"]), "pods": pods}
    _judge(pods)
    remarks = [f"only {MOST_REPLICAS} of its {len(found)} replicas were asked"] if len(found) > len(asked) else []
    return remarks + _sessions(exchanges, reach, traceparent, row)


def differences(expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[str]:
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
    with conversation.opened(exchange, era=era, traceparent=traceparent) as server:
        found = server.tools() if tools else []
        row = {"pod": replica.pod, "answered": True, "protocol_version": server.speaker.version}
    row["server_info"] = foreign.bounded(server.speaker.info)
    different = differences(tools, found)
    return {**row, "differences": [*map(shortened, different[:MOST_DIFFERENCES])]} if different else row


def _judge(pods: Sequence[Mapping[str, Any]]) -> None:
    silent = [pod for pod in pods if not pod["answered"]]
    if silent:
        said = "; ".join(f"{pod['pod']}: {pod['message']}" for pod in silent[:3])
        raise Unanswered(
            "replica_unanswered",
            f"{len(silent)} of its {len(pods)} replicas do not answer, although their pods are ready: {said}",
            "Clients reach them as often as the others: look at the logs of these pods.",
        )
    different = [pod for pod in pods if "differences" in pod]
    if different:
        said = "; ".join(f"{pod['pod']}: {', '.join(pod['differences'][:5])}" for pod in different[:3])
        raise Unanswered(
            "replicas_differ",
            f"{len(different)} of its {len(pods)} replicas offer other tools: {said}",
            "During a rollout this passes. Otherwise the replicas run different images or settings, or make their "
            "tools from something that differs between them.",
        )


def _sessions(exchanges: Mapping[str, Exchange], reach: Reach, traceparent: str, row: dict[str, Any]) -> list[str]:
    """Whether a session that one replica began is known to the next: only a call can tell."""
    if conversation.LEGACY not in row["eras"]:
        return []
    (first, begun), (second, other) = list(exchanges.items())[:2]
    with ExitStack() as stack:
        server = stack.enter_context(conversation.opened(begun, era=conversation.LEGACY, traceparent=traceparent))
        if not server.speaker.keeps_session:
            row["replicas"]["sessions"] = "none"
            return []
        shared = server.speaker.known_at(other)
    row["replicas"]["sessions"] = "shared" if shared else "not shared"
    if shared:
        return []
    said = (
        f"it keeps sessions, and its {row['replicas']['ready']} replicas do not share them: {second} does not know the "
        f"session that {first} began a moment ago"
    )
    if row["era"] == conversation.MODERN:
        return [f"{said}; clients of the modern era need no session"]
    if reach.keeps_clients_apart():
        return [f"{said}; its Service sends each client address to the same pod, which a proxy or gateway undoes"]
    raise Unanswered(
        "session_lost",
        said,
        "Run one replica, or a server that keeps no sessions (stateless), or update it to MCP 2026-07-28, which has "
        "none. During a rollout this passes.",
    )
