# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks MCP servers for their tools, and calls one where that is wanted: the proof that they answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, http_client, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.conversation import Conversation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Exchange
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import Target, targets_from
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task

AT_ONCE = 16
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0
PROGRESS_SECONDS = 5.0

Connect = Callable[[Target], Exchange]


@dataclass(frozen=True)
class Outcome:
    """What one server did: an answer, or the reason why there is none."""

    target: Target
    answered: Mapping[str, Any]
    reason: Reason | None = None

    def row(self) -> dict[str, Any]:
        address = {"url": self.target.url} if self.target.url else {"namespace": self.target.namespace}
        row = {"name": self.target.name, **address, "reachable": self.reason is None, **self.answered}
        if self.reason is not None:
            row["error"] = {"code": self.reason.code, "message": self.reason.message, "hint": self.reason.hint}
        return row


def converge(task: Task) -> Result:
    targets = targets_from(task.params)
    if not targets:
        return Result(changed=False, msg="no MCP server to ask", plans=(Plan(_subject([])),), values={"servers": []})
    try:
        kube = Kube.connect(task) if any(not target.url for target in targets) else None
    except ClusterPending as pending:
        return _pending(targets, pending.reason)
    started = time.monotonic()
    outcomes = _ask_all(task, targets, _connections(task, kube))
    rows = [outcome.row() for outcome in outcomes]
    reasons = [outcome.reason for outcome in outcomes if outcome.reason is not None]
    if reasons and not task.check_mode:
        subject = targets[0].label if len(targets) == 1 else f"{len(reasons)} of {len(targets)} MCP probes"
        shown = [_without_subject(reason) for reason in reasons] if len(targets) == 1 else reasons
        raise NotReady(subject, shown, waited=time.monotonic() - started, values={"servers": rows})
    notes = [f"{reason} A run that repairs it may come first." for reason in reasons]
    for note in notes:
        task.warn(note)
    if task.check_mode and any(target.tool for target in targets):
        notes.append("Check mode: no tool was called.")
    plan = Plan(_subject(targets), notes=tuple(notes))
    return Result(changed=False, msg=_summary(rows), plans=(plan,), values={"servers": rows})


def ask(target: Target, connect: Connect, call_tool: bool) -> dict[str, Any]:
    """One conversation; an Unanswered says why it came to nothing."""
    started = time.monotonic()
    with conversation.opened(connect(target)) as session:
        tools = session.tools()
        row: dict[str, Any] = {
            "protocol_version": session.version,
            "era": session.era,
            "server_info": session.info,
            "tools": tools,
        }
        names = [tool["name"] for tool in tools]
        if target.tool and target.tool not in names:
            listed = ", ".join(names) or "none"
            raise Unanswered(
                "tool_missing",
                f"it answers, and has no tool {target.tool!r}; its tools: {listed}",
                "Check the tool's name and the version of the image.",
                terminal=True,
            )
        if target.tool and call_tool:
            row |= {"tool": target.tool, "answer": _called(target, session)}
    row["duration_ms"] = round((time.monotonic() - started) * 1000)
    return row


def _called(target: Target, session: Conversation) -> str:
    result = session.call(target.tool, target.arguments)
    answer = protocol.answer_text(result)
    if result.get("isError"):
        raise Unanswered("tool_error", f"its tool {target.tool!r} failed: {answer}", terminal=True)
    unexpected = target.unexpected(answer)
    if unexpected:
        raise Unanswered(
            "unexpected_answer", f"the answer of its tool {target.tool!r} {unexpected}: {answer[:500]!r}", terminal=True
        )
    return answer


def _connections(task: Task, kube: Kube | None) -> Connect:
    timeout = float(task.params["timeout"])
    ca_file = task.params.get("ca_cert")
    validate = task.params.get("validate_certs") is not False

    def connect(target: Target) -> Exchange:
        if target.url or kube is None:
            opener = http_client.url_opener(
                target.url, target.headers, ca_file=ca_file, validate_certs=validate, check_mode=task.check_mode
            )
        else:
            opener = http_client.proxy_opener(kube, target.proxy_path, target.headers)
        return http_client.exchange_over(opener, timeout)

    return connect


def _ask_all(task: Task, targets: list[Target], connect: Connect) -> list[Outcome]:
    """All servers at once; a person who waits is told which ones are still silent."""
    # check mode asks once: what does not answer now may be repaired by the real run before it is asked
    patience = 0.0 if task.check_mode else float(task.params["wait_timeout"])
    deadline = time.monotonic() + patience
    with ThreadPoolExecutor(min(AT_ONCE, len(targets))) as pool:
        asked: dict[Future[Outcome], Target] = {
            pool.submit(_until_answered, target, connect, deadline, not task.check_mode): target for target in targets
        }
        pending = set(asked)
        while pending:
            _done, pending = wait(pending, timeout=PROGRESS_SECONDS, return_when=FIRST_COMPLETED)
            if pending:
                task.progress(f"waiting for an answer of {', '.join(sorted(asked[item].label for item in pending))}")
        return [future.result() for future in asked]


def _until_answered(target: Target, connect: Connect, deadline: float, call_tool: bool) -> Outcome:
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return Outcome(target, ask(target, connect, call_tool))
        except Unanswered as silent:
            left = deadline - time.monotonic()
            if silent.terminal or left <= 0:
                reason = silent.about(target.label)
                if reason.code == "path_not_found":
                    reason = replace(reason, hint=target.nothing_there())
                return Outcome(target, {}, reason)
        # the last question is asked when the time is over, not before
        time.sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _pending(targets: list[Target], reason: str) -> Result:
    rows = [Outcome(target, {}, Reason(target.label, "cluster_pending", reason)).row() for target in targets]
    plan = Plan(_subject(targets), notes=(f"Nothing was asked: {reason}.",))
    return Result(changed=False, msg=_summary(rows), plans=(plan,), values={"servers": rows})


def _subject(targets: list[Target]) -> str:
    return targets[0].label if len(targets) == 1 else f"{len(targets)} MCP probes"


def _summary(rows: list[dict[str, Any]]) -> str:
    answered = sum(1 for row in rows if row["reachable"])
    if len(rows) == 1:
        return "the MCP server answered" if answered else "the MCP server does not answer yet"
    return f"{answered} of {len(rows)} MCP probes answered"


def _without_subject(reason: Reason) -> Reason:
    return Reason("", reason.code, reason.message, reason.hint, reason.terminal)
