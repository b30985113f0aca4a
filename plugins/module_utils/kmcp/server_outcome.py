# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of the servers of a task, and how that is told. No input or output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, NotReady, Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import Sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result

Key = tuple[str, str]


@dataclass
class Converged:
    """What became of the servers of a task, one by one: a server that fails does not keep the others from it."""

    servers: Sequence[Declared]
    plans: dict[Key, Plan] = field(default_factory=dict)
    policies: dict[Key, Plan] = field(default_factory=dict)
    """Of who may call a server."""
    pruning: list[Plan] = field(default_factory=list)
    sights: Mapping[Key, Sight] = field(default_factory=dict)
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


def result(done: Converged) -> Result:
    """Of all servers; the failures as one, with what became of each server."""
    plans = done.every_plan
    changed = done.changed or any(plan.changed for plan in plans)
    rows = [row(server, done) for server in done.servers] + done.pruned
    if done.failures:
        failure = _failure(done)
        failure.plans = plans
        failure.values.update(changed=changed, servers=rows, **({"notes": done.notes} if done.notes else {}))
        raise failure
    notes = (Plan("MCP servers", notes=tuple(done.notes)),) if done.notes else ()
    return Result(
        changed=changed, msg=summary(plans, len(done.servers)), plans=(*plans, *notes), values={"servers": rows}
    )


def _failure(done: Converged) -> Failure:
    """One failure that names every server that failed."""
    if done.waiting is not None and all(isinstance(one, NotReady) for one in done.failures.values()):
        return done.waiting
    failed = list(done.failures.values())
    if len(failed) == 1 and not (isinstance(failed[0], Refused) and len(done.servers) > 1):
        return failed[0]
    listed = "\n".join(f"  {number}. {_said(one)}" for number, one in enumerate(failed, 1))
    return ServiceError(
        "converge MCP servers",
        f"{len(failed)} of {len(done.servers)} MCP servers failed, the others were dealt with:\n{listed}\n",
        code="ServersFailed",
    )


def _said(failure: Failure) -> str:
    """The message of one server's failure; that nothing was changed is true of this server, and not of the task."""
    if not isinstance(failure, Refused):
        return failure.message()
    each = [Refused(failure.subject, [refusal]).message() for refusal in failure.refusals]
    return " ".join(text.removesuffix(" Nothing was changed.") for text in each)


def row(server: Declared, done: Converged) -> dict[str, Any]:
    """What became of one server."""
    sight, failure = done.sights.get(server.key), done.failures.get(server.key)
    deployment = (sight.children.get("Deployment") if sight else None) or {}
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
        **({"error": _said(failure)} if failure is not None else {}),
    }


def summary(plans: Sequence[Plan], servers: int) -> str:
    """One line about all plans; a single one speaks for itself."""
    changed = [plan for plan in plans if plan.changed]
    if not changed:
        return (
            f"{plans[0].subject}: runs as declared" if servers == 1 and plans else f"{servers} MCP servers as declared"
        )
    if len(changed) == 1:
        return changed[0].summary()
    return f"{len(changed)} of {len(plans)} MCP servers and policies: {', '.join(plan.subject for plan in changed)}"
