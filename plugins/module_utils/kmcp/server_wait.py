# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until MCP servers really run, and saying why they do not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children, server_sight, server_stdio
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import (
    NOT_RECONCILED,
    NOT_REPAIRED,
    Sight,
    only_ownership,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_sight import Key
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import give_up
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import foreign_routes
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import (
    explain_workload,
    last_log_lines,
    with_log,
)
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import POLLING, Deadline, now

# how long a fault must stand that waiting does not heal: a Secret may be made a moment after its pod
TERMINAL_SECONDS = 4.0
# the controller answers a new label within a second; what others still own then has the value it wants
SETTLED_SECONDS = 5.0
# while the controller does nothing, how often all MCPServers are looked through for one that it cannot read
LOOK_SECONDS = 10.0
# the controller has not done its part
_IDLE = frozenset({NOT_RECONCILED, NOT_REPAIRED})
# pods that admission refuses do not exist: there is nobody to ask
_WITHOUT_PODS = frozenset({"PodsRefused", "QuotaExceeded", "WebhookDown"})


@dataclass(frozen=True)
class Waited:
    """The servers as they stand, why some of them do not run, and how long that was waited for."""

    standing: Mapping[Key, Sight] = field(default_factory=dict)
    reasons: Mapping[Key, Sequence[Reason]] = field(default_factory=dict)
    seconds: float = 0.0


def wait_until_running(
    kube: Kube, task: Task, servers: Sequence[Declared], seen: Mapping[Key, Sight] | None, timeout: float
) -> Waited:
    """Wait until all servers run, or until those that do not will not by waiting.

    One that waiting cannot heal does not end the wait for the others. `seen` spares the first look when nothing was
    changed.
    """
    labels = {server.key: server.label for server in servers}
    waiting = {server.key: server for server in servers}
    standing: dict[Key, Sight] = {}
    terminal_since: dict[Key, float] = {}
    culprits: list[Reason] = []
    next_look = SETTLED_SECONDS
    deadline = Deadline(timeout)
    attempts = count()
    while waiting:
        sights = (
            {key: seen[key] for key in waiting}
            if seen is not None
            else server_sight.look_at(kube, task, waiting.values())
        )
        seen = None
        standing.update(sights)
        found = server_sight.judged(kube, labels, sights)
        waiting = {key: server for key, server in waiting.items() if key in found}
        if not waiting:
            break
        waited = deadline.elapsed
        idle = {key for key, reasons in found.items() if reasons[0].code in _IDLE}
        if waited >= SETTLED_SECONDS:
            _release(kube, sights, found)
        if idle and waited >= next_look:
            culprits = server_sight.unreadable(kube, {namespace for namespace, _name in idle})
            next_look = waited + LOOK_SECONDS
        found = {key: [*reasons, *(culprits if key in idle else ())] for key, reasons in found.items()}
        found = {key: _deeper(kube, sights[key], reasons) for key, reasons in found.items()}
        at = now()
        terminal_since = {
            key: terminal_since.get(key, at)
            for key, reasons in found.items()
            if any(reason.terminal for reason in reasons)
        }
        lasting = {key for key, since in terminal_since.items() if at - since >= TERMINAL_SECONDS}
        if lasting == set(found) or deadline.passed:
            return Waited(standing, _explained(kube, waiting.values(), sights, found), deadline.elapsed)
        first = next(iter(found.values()))[0]
        task.progress(f"waiting for {len(waiting)} of {len(servers)} MCP servers: {first.finding}")
        deadline.sleep(POLLING.after(next(attempts)))
    return Waited(standing, {}, deadline.elapsed)


def _deeper(kube: Kube, sight: Sight, reasons: list[Reason]) -> list[Reason]:
    """With those faults of the pods that will not heal: they are known long before the Deployment gives up."""
    deployment = sight.children.get("Deployment")
    if deployment is None or reasons[0].code not in ("Progressing", "PodsNotReady", "ProgressDeadlineExceeded"):
        return reasons
    return [*reasons, *(reason for reason in _pods(kube, deployment, logs=False) if reason.terminal)]


def _pods(kube: Kube, deployment: Mapping[str, Any], *, logs: bool) -> list[Reason]:
    """What the pods of the present revision say; those of an older one are on their way out."""
    found = explain_workload(
        kube,
        str(deployment["metadata"]["namespace"]),
        deployment["spec"]["selector"],
        logs=logs,
        template_hash=server_sight.revision_hash(kube, deployment),
    )
    return [server_stdio.about_adapter(reason) for reason in found]


def _explained(
    kube: Kube, waiting: Iterable[Declared], sights: Mapping[Key, Sight], found: Mapping[Key, list[Reason]]
) -> dict[Key, list[Reason]]:
    """Why each of the servers does not run, with what its pods say."""
    explained: dict[Key, list[Reason]] = {}
    for server in waiting:
        reasons = list(found[server.key])
        deployment = sights[server.key].children.get("Deployment")
        if (
            deployment is not None
            and reasons[0].subject.startswith("Deployment ")
            and reasons[0].code not in _WITHOUT_PODS
        ):
            reasons = _pods(kube, deployment, logs=True) or reasons
        explained[server.key] = [_with_log(kube, server.namespace, reason) for reason in reasons]
    return explained


def failure(kube: Kube, servers: Sequence[Declared], waited: Waited) -> NotReady:
    """What did not come of these servers, each reason once."""
    found = [reason for server in servers for reason in waited.reasons[server.key]]
    told = list(dict.fromkeys(found))
    if any(reason.code in _IDLE for reason in told):
        trouble = server_sight.controller_trouble(kube)
        told += [Reason("KMCP", "ControllerDown", trouble, "Run kmcp_install.")] if trouble else []
    labels = [server.label for server in servers]
    subject = labels[0] if len(labels) == 1 else f"{len(labels)} MCP servers ({', '.join(labels)})"
    return NotReady(subject, told, waited=waited.seconds)


def _with_log(kube: Kube, namespace: str, reason: Reason) -> Reason:
    """What a program that keeps crashing has said last; it may run at the moment."""
    pod = re.fullmatch(r"Pod [^/]+/(\S+) container (\S+)", reason.subject)
    if pod is None or reason.code != "Crashing":
        return reason
    return with_log(reason, last_log_lines(kube, namespace, pod.group(1), pod.group(2)))


def _release(kube: Kube, sights: Mapping[Key, Sight], found: Mapping[Key, list[Reason]]) -> None:
    """Take leaves from managers who own them with the very value that KMCP gives them.

    The controller writes whole objects, which changes who owns a leaf only together with its value. A leaf that
    somebody has edited to and fro would look like drift for ever.
    """
    stuck = {key: sights[key] for key, reasons in found.items() if reasons[0].code == NOT_REPAIRED}
    if not stuck or server_sight.controller_trouble(kube):
        return
    for (namespace, name), sight in stuck.items():
        if not only_ownership(sight.drift):
            continue
        for kind, child in sight.children.items():
            others = set(foreign_routes(child, server_children.CONTROLLER_MANAGERS).values())
            give_up(
                kube,
                server_sight.target_by_name(server_children.CHILDREN[kind], (namespace, name)),
                dict(child),
                others,
            )
