# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an MCP server really runs, and the outcome of the servers of a task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..errors import Failure, NotReady, Reason, Refused, ServiceError
from ..kube.readiness import judge as readiness
from ..kube.readiness.containers import settling_reasons
from ..kube.readiness.reasons import Object, condition_of
from ..names import DEFAULT_PORT
from ..plan import ABSENT, Change, Plan
from ..task import Result
from . import server_children
from .server_children import MADE_BY_KMCP
from .server_spec import Declared, Key

NOT_RECONCILED = "NotReconciled"
NOT_REPAIRED = "NotRepaired"
# errors of the controller that do not go away by retries
_LASTING = re.compile(r"is invalid|forbidden|immutable|requires a target port|must be specified|unsupported", re.I)


@dataclass(frozen=True)
class ObservedServer:
    """One server as it was observed: the resource, its children by kind, and whether its Service has ready pods."""

    server: Object | None = None
    children: Mapping[str, Object] = field(default_factory=dict)
    has_endpoints: bool | None = None
    pods: Sequence[Object] = ()
    now: datetime | None = None
    """The API server's time before the pods were read."""
    drift: Sequence[Change] = ()
    """How the children differ from what the controller has written."""
    failure: ServiceError | None = None
    """Why the controller could not restore them."""

    @property
    def wants_pods(self) -> bool:
        deployment = self.children.get("Deployment")
        return deployment is None or int(deployment["spec"].get("replicas", 1)) > 0


def server_reasons(label: str, observed: ObservedServer) -> list[Reason]:
    """The first stage that is not reached; empty when the server runs."""
    if observed.server is None:
        return [Reason(label, "Missing", "the resource does not exist")]
    if not server_children.is_reconciled(observed.server):
        return [
            Reason(
                label,
                NOT_RECONCILED,
                "the KMCP controller has not reconciled the latest change yet",
                "Is the controller running? kmcp_install installs it.",
            )
        ]
    refused = _condition_reasons(label, observed.server)
    if refused:
        return refused
    if observed.failure is not None:
        return [Reason(label, "NotRepairable", observed.failure.reason, observed.failure.hint, terminal=True)]
    if observed.drift:
        return [
            Reason(
                label,
                NOT_REPAIRED,
                f"KMCP has not repaired its objects yet: {', '.join(change.path for change in observed.drift)}",
                "Is the controller running? kmcp_install installs it.",
            )
        ]
    waiting = readiness.readiness_reasons(observed.children["Deployment"])
    if waiting:
        return waiting
    if observed.wants_pods and observed.has_endpoints is False:
        return [Reason(label, "NoEndpoints", "its pods are ready and its Service has none of them as an endpoint yet")]
    # KMCP gives its pods no probes
    return settling_reasons(observed.pods, observed.now)


def only_ownership(differing: Iterable[Change]) -> bool:
    """What is left are leaves that others own, none that is missing or known to have another value."""
    return all(change.before is not ABSENT and change.after in (ABSENT, MADE_BY_KMCP) for change in differing)


REFUSALS: Mapping[str, tuple[str, str]] = {
    "Accepted": ("NotAccepted", "KMCP does not accept it"),
    "Programmed": ("NotProgrammed", "KMCP cannot make its objects"),
}
"""Condition of an MCPServer → the code of diagnosis, and what it means where it is False."""


def refusal_of(server: Object) -> tuple[str, Mapping[str, Any]] | None:
    """The first of these conditions that is False, with its name."""
    found = ((name, condition_of(server, name) or {}) for name in REFUSALS)
    return next(((name, one) for name, one in found if one.get("status") == "False"), None)


def _condition_reasons(label: str, server: Object) -> list[Reason]:
    refused = refusal_of(server)
    if refused is None:
        return []
    name, condition = refused
    reported = str(condition.get("message") or condition.get("reason"))
    lasting = name == "Accepted" or bool(_LASTING.search(reported))
    return [Reason(label, str(condition.get("reason")), f"{REFUSALS[name][1]}: {reported}", terminal=lasting)]


# options and variables that name the port a program serves MCP at (--port 8080, --http-port=8080, PORT, and those of
# FastMCP and uvicorn); other ports (--metrics-port, DB_PORT) are of something else
_PORT_OPTION = re.compile(r"--(?:(?:http|server|listen|mcp)-)?port(?:=(\d{1,5}))?")
_PORT_VARIABLE = re.compile(r"(?:(?:HTTP|SERVER|LISTEN|MCP|FASTMCP|UVICORN)_)?PORT")


def port_of(server: Object) -> int:
    """Where KMCP's Service leads."""
    return int(_deployment(server).get("port") or DEFAULT_PORT)


def declared_ports(server: Object) -> list[str]:
    """What the server's own settings say of its port, where that is another number than the Service's."""
    spec, deployment, port = server.get("spec") or {}, _deployment(server), port_of(server)
    stated = []
    target = (spec.get("httpTransport") or {}).get("targetPort")
    if spec.get("transportType") == "http" and target not in (None, 0, port):
        stated.append(f"httpTransport.targetPort is {target}, and KMCP's Service leads to deployment.port, {port}")
    arguments = [str(one) for one in deployment.get("args") or []]
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        named = _PORT_OPTION.fullmatch(argument)
        number = (named[1] or following) if named else ""
        if number.isdigit() and int(number) != port:
            stated.append(f"its arguments set {argument if named and named[1] else f'{argument} {following}'}")
    for name, value in sorted((deployment.get("env") or {}).items()):
        if _PORT_VARIABLE.fullmatch(name) and str(value).isdigit() and int(value) != port:
            stated.append(f"its environment sets {name}={value}")
    return stated if spec.get("transportType") == "http" else []


def _deployment(server: Object) -> Mapping[str, Any]:
    return (server.get("spec") or {}).get("deployment") or {}


@dataclass
class Converged:
    """What became of the servers of a task, one by one: a server that fails does not keep the others from it."""

    servers: Sequence[Declared]
    plans: dict[Key, Plan] = field(default_factory=dict)
    policies: dict[Key, Plan] = field(default_factory=dict)
    """Of who may call a server."""
    pruning: list[Plan] = field(default_factory=list)
    observed_servers: Mapping[Key, ObservedServer] = field(default_factory=dict)
    failures: dict[Key, Failure] = field(default_factory=dict)
    waiting: NotReady | None = None
    """About all servers at once that were made and do not run."""
    pruned: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changed: bool = False
    """Beside what the plans say: what was made on the way to a failure."""

    @property
    def every_plan(self) -> list[Plan]:
        """In the order of the declaration, then what was pruned."""
        found = [
            plans[server.key] for plans in (self.plans, self.policies) for server in self.servers if server.key in plans
        ]
        return [*found, *self.pruning]

    @property
    def sound(self) -> list[Declared]:
        return [server for server in self.servers if server.key not in self.failures]


def servers_result(done: Converged) -> Result:
    """Of all servers; the failures as one, with what became of each server."""
    plans = done.every_plan
    changed = done.changed or any(plan.changed for plan in plans)
    rows = [server_row(server, done) for server in done.servers] + done.pruned
    if done.failures:
        failure = _failure(done)
        failure.plans = plans
        failure.values.update(changed=changed, servers=rows, **({"notes": done.notes} if done.notes else {}))
        raise failure
    notes = (Plan("MCP servers", notes=tuple(done.notes)),) if done.notes else ()
    return Result(
        changed=changed, msg=plans_summary(plans, len(done.servers)), plans=(*plans, *notes), values={"servers": rows}
    )


def _failure(done: Converged) -> Failure:
    """One failure that names every server that failed."""
    if done.waiting is not None and all(isinstance(one, NotReady) for one in done.failures.values()):
        return done.waiting
    failed = list(done.failures.values())
    if len(failed) == 1 and not (isinstance(failed[0], Refused) and len(done.servers) > 1):
        return failed[0]
    listed = "\n".join(f"  {number}. {_failure_message(one)}" for number, one in enumerate(failed, 1))
    return ServiceError(
        "converge MCP servers",
        f"{len(failed)} of {len(done.servers)} MCP servers failed, the others were dealt with:\n{listed}\n",
        code="ServersFailed",
    )


def _failure_message(failure: Failure) -> str:
    """The message of one server's failure; that nothing was changed is true of this server, and not of the task."""
    if not isinstance(failure, Refused):
        return failure.message()
    each = [Refused(failure.subject, [refusal]).message() for refusal in failure.refusals]
    return " ".join(text.removesuffix(" Nothing was changed.") for text in each)


def server_row(server: Declared, done: Converged) -> dict[str, Any]:
    """What became of one server."""
    observed, failure = done.observed_servers.get(server.key), done.failures.get(server.key)
    deployment = (observed.children.get("Deployment") if observed else None) or {}
    status = deployment.get("status") or {}
    plans = [plans[server.key] for plans in (done.plans, done.policies) if server.key in plans]
    return {
        "name": server.name,
        "namespace": server.namespace,
        "port": server.deployment.get("port"),
        "path": (server.resource["spec"].get("httpTransport") or {}).get("path"),
        "image": server.deployment.get("image"),
        "changed": any(plan.changed for plan in plans),
        "ready_replicas": int(status.get("readyReplicas", 0)),
        **({"error": _failure_message(failure)} if failure is not None else {}),
    }


def plans_summary(plans: Sequence[Plan], servers: int) -> str:
    """One line about all plans; a single one speaks for itself."""
    changed = [plan for plan in plans if plan.changed]
    if not changed:
        return (
            f"{plans[0].subject}: runs as declared" if servers == 1 and plans else f"{servers} MCP servers as declared"
        )
    if len(changed) == 1:
        return changed[0].summary()
    return f"{len(changed)} of {len(plans)} MCP servers and policies: {', '.join(plan.subject for plan in changed)}"
