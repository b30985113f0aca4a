# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mcp_probe: asks MCP servers for their tools, and calls one where that is wanted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from .. import masking
from ..errors import InvalidInput, NotReady, Problem, Reason
from ..kube.client import Kube
from ..kube.readiness.evidence import with_log
from ..masking import forms, protect
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..waiting import Backoff, Deadline
from . import cluster_access, http_client
from .cluster_access import Replica
from .observe import ProbeSettings, Reach, observe
from .protocol import Exchange
from .targets import PORT_FORWARD, Target, targets_from
from .verdicts import Code, Unanswered

# fewer than the connections to the API server: one must be left for what a server asks back in the middle of its answer
AT_ONCE = 12
PAUSES = Backoff(first=0.25, longest=2.0, factor=2.0)
PROGRESS_SECONDS = 5.0

# the server was reached, and what came of it has its reason inside
_LOG_TELLS: frozenset[Code] = frozenset(("Timeout", "ServerError", "ProgramNotStarted", "BadGateway", "Unavailable"))

Connect = Callable[[Target], Reach]


@dataclass(frozen=True)
class Outcome:
    """What one server did: an answer, or the reason why there is none and what was learned before."""

    target: Target
    observed: Mapping[str, Any]
    reason: Reason | None = None

    def row(self) -> dict[str, Any]:
        target = self.target
        address = {"url": target.shown_url} if target.url else {"namespace": target.namespace}
        row = {"name": target.name, **address, "reachable": self.reason is None, **self.observed}
        if self.reason is not None:
            row["error"] = {"code": self.reason.code, "message": self.reason.message, "hint": self.reason.hint}
        return row


def converge(task: Task) -> Result:
    targets = targets_from(task.params)
    known = {text for target in targets for text in target.secrets}
    protect(task, known)
    with masking.hiding_texts({form for text in known for form in forms(text)}):
        return _converge(task, targets)


def _converge(task: Task, targets: list[Target]) -> Result:
    if not targets:
        return Result(changed=False, msg="no MCP server to ask", plans=(Plan(_subject([])),), values={"servers": []})
    _check_ca_file(task, targets)
    try:
        kube = Kube.connect(task) if any(not target.url for target in targets) else None
    except ClusterPending as pending:
        return _pending(targets, pending.reason)
    # check mode asks once: what does not answer now may be repaired by the real run before it is asked
    deadline = Deadline(0.0 if task.check_mode else float(task.params["wait_timeout"]))
    outcomes = _ask_all(task, targets, _connections(task, kube), deadline)
    rows = [outcome.row() for outcome in outcomes]
    reasons = [outcome.reason for outcome in outcomes if outcome.reason is not None]
    if reasons and not task.check_mode:
        subject = targets[0].label if len(targets) == 1 else f"{len(reasons)} of {len(targets)} MCP probes"
        reported = [replace(reason, subject="") for reason in reasons] if len(targets) == 1 else reasons
        waited = deadline.elapsed if task.params["wait_timeout"] else None
        raise NotReady(subject, reported, waited=waited, values={"servers": rows}, apart=True, probe=True)
    notes = [f"{reason} A run that repairs it may come first." for reason in reasons]
    for note in notes:
        task.warn(note)
    if task.check_mode and any(target.tool for target in targets):
        notes.append("Check mode: no tool was called.")
    notes += [
        f"{outcome.target.label}: {remark}." for outcome in outcomes for remark in outcome.observed.get("remarks", ())
    ]
    plan = Plan(_subject(targets), notes=tuple(notes))
    return Result(changed=False, msg=_summary(rows), plans=(plan,), values={"servers": rows})


def new_traceparent() -> str:
    """A trace of its own for one conversation, marked as recorded (www.w3.org/TR/trace-context)."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def _check_ca_file(task: Task, targets: list[Target]) -> None:
    ca_file = task.params.get("ca_cert")
    if ca_file and any(target.url for target in targets) and not Path(ca_file).is_file():
        raise InvalidInput("mcp_probe", [Problem("ca_cert", f"{ca_file} is not a file on the machine that runs this")])


def _connections(task: Task, kube: Kube | None) -> Connect:
    ca_file = task.params.get("ca_cert")
    validate = task.params.get("validate_certs") is not False

    def connect(target: Target) -> Reach:
        if not target.url and kube is not None:
            return _in_cluster(task, kube, target)

        def to_url(url: str) -> http_client.Opener:
            return http_client.url_opener(
                url, target.headers, ca_file=ca_file, validate_certs=validate, check_mode=task.check_mode
            )

        return Reach(lambda timeout: http_client.url_exchange(target.url, to_url, timeout))

    return connect


def _in_cluster(task: Task, kube: Kube, target: Target) -> Reach:
    """Through the API server's proxy, or by connections to pods: one that is ready then stands for the Service."""
    service, forwarded = (kube, target.namespace, target.name), target.via == PORT_FORWARD

    def pods() -> list[Replica]:
        return cluster_access.ready_replicas(*service, target.port)

    def exchange(replica: Replica | None, timeout: float) -> Exchange:
        def to_pod(path: str) -> http_client.Opener:
            return cluster_access.port_forward_opener(
                kube,
                task.check_mode,
                target.namespace,
                target.host,
                path,
                lambda: replica or cluster_access.first_of(pods),
                target.headers,
            )

        def proxied(path: str) -> http_client.Opener:
            place = target.proxied if replica is None else partial(replica.path, target.namespace)
            return cluster_access.service_proxy_opener(kube, place, path, target.headers)

        opener = to_pod if forwarded else proxied
        return http_client.HttpExchange(
            opener(target.path), timeout, target.base, opener, through_api_server=not forwarded
        )

    return Reach(
        server=partial(exchange, None),
        pods=pods,
        pod=exchange,
        keeps_clients_apart=partial(cluster_access.keeps_clients_apart, *service),
        last_words=partial(cluster_access.latest_log_lines, *service, target.port),
    )


def _ask_all(task: Task, targets: list[Target], connect: Connect, deadline: Deadline) -> list[Outcome]:
    """All servers at once; a person who waits is told which ones are still silent."""
    settings = ProbeSettings(
        timeout=float(task.params["timeout"]),
        calls=not task.check_mode,
        details=bool(task.params.get("details")),
        replicas_at_once=max(1, AT_ONCE // len(targets)),
    )
    given = task.params.get("traceparent") or ""
    with ThreadPoolExecutor(min(AT_ONCE, len(targets))) as pool:
        asked: dict[Future[Outcome], Target] = {
            pool.submit(copy_context().run, _until_answered, target, connect(target), deadline, settings, given): target
            for target in targets
        }
        pending = set(asked)
        while pending:
            _done, pending = wait(pending, timeout=PROGRESS_SECONDS, return_when=FIRST_COMPLETED)
            if pending:
                task.progress(f"waiting for an answer of {', '.join(sorted(asked[item].label for item in pending))}")
        return [future.result() for future in asked]


def _until_answered(target: Target, reach: Reach, deadline: Deadline, settings: ProbeSettings, given: str) -> Outcome:
    traceparent = given or new_traceparent()
    lost = 0
    for attempt in count(1):
        observed: dict[str, Any] = {"attempts": attempt}
        try:
            whole = replace(settings, whole=deadline.left)
            observe(target, reach, whole, traceparent, observed)
        except Unanswered as silent:
            left = deadline.left
            if silent.terminal or left <= 0:
                return Outcome(target, observed, with_log_lines(target.advised(silent.about(target.label)), reach))
            lost += silent.code == "SessionLost"
            settings = with_longer_timeout(settings, silent, left)
        else:
            return Outcome(target, _with_losses(observed, lost))
        deadline.sleep(PAUSES.after(attempt - 1))
    raise AssertionError("counting does not end")


def with_log_lines(reason: Reason, reach: Reach) -> Reason:
    """Why a server is silent or fails, only its log can tell: that a stdio server's program has ended, for one."""
    lines = reach.last_words() if reason.code in _LOG_TELLS else ()
    return with_log(reason, lines) if lines else reason


def with_longer_timeout(settings: ProbeSettings, silent: Unanswered, left: float) -> ProbeSettings:
    """After silence the next request may take twice as long, as far as there is time.

    A server that fetches its packages first (npx, uvx) begins from the start with every request that is given up.
    """
    if silent.code != "Timeout":
        return settings
    return replace(settings, timeout=max(settings.timeout, min(settings.timeout * 2, left)))


def _with_losses(observed: dict[str, Any], lost: int) -> dict[str, Any]:
    if not lost:
        return observed
    times = "once" if lost == 1 else f"{lost} times"
    reported = f"it forgot its session {times} before it answered: replicas that share no sessions, or restarts"
    return {**observed, "remarks": [*observed.get("remarks", ()), reported]}


def _pending(targets: list[Target], reason: str) -> Result:
    rows = [Outcome(target, {}, Unanswered("ClusterPending", reason).about(target.label)).row() for target in targets]
    plan = Plan(_subject(targets), notes=(f"Nothing was asked: {reason}.",))
    return Result(changed=False, msg=_summary(rows), plans=(plan,), values={"servers": rows})


def _subject(targets: list[Target]) -> str:
    return targets[0].label if len(targets) == 1 else f"{len(targets)} MCP probes"


def _summary(rows: list[dict[str, Any]]) -> str:
    answered = sum(1 for row in rows if row["reachable"])
    if len(rows) == 1:
        return "the MCP server answered" if answered else "the MCP server does not answer yet"
    return f"{answered} of {len(rows)} MCP probes answered"
