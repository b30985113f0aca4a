# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converges MCP servers: the MCPServer resources, and what the KMCP controller makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    Failure,
    InvalidInput,
    NotReady,
    Problem,
    Refused,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    server_callers,
    server_children,
    server_environment,
    server_outcome,
    server_policies,
    server_prune,
    server_remove,
    server_rotation,
    server_rules,
    server_sight,
    server_trial,
    server_wait,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import API_VERSION, CRD, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_outcome import Converged, row
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import Sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_sight import Key
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import (
    Declared,
    declared_from,
    with_standing_labels,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle import (
    BundleOptions,
    apply_bundle,
    plan_without_cluster,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.masking import declared_values, protect
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan, Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Deadline, wait_timeout_problems


def converge(task: Task) -> Result:
    params = task.params
    servers = declared_from(params)
    protect(task, declared_values([server.resource for server in servers]))
    absent = params["state"] == "absent"
    found = server_rules.absence_problems(servers) if absent else server_rules.problems(servers)
    found += _task_problems(params)
    if found:
        raise InvalidInput("mcp_server", found)
    if not servers and not params["prune"]:
        return Result(changed=False, msg="no MCP servers are declared", values={"servers": []})
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return _without_cluster(servers, pending.reason, absent)
    served = kube.resource_type(API_VERSION, KIND) is not None
    if absent:
        return server_remove.remove(kube, task, servers, served)
    for warning in (warning for server in servers for warning in server_rules.warnings(server)):
        task.warn(warning)
    return _present(kube, task, servers, served)


def _task_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options that are about all servers."""
    shared = params.get("callers") if params.get("servers") is not None else None
    return [
        *server_prune.problems(params),
        *(Problem(path, message) for path, message in server_callers.callers_problems("callers", shared)),
        *wait_timeout_problems(params["wait_timeout"], zero=True),
    ]


def _present(kube: Kube, task: Task, servers: Sequence[Declared], served: bool) -> Result:
    if not served and not task.check_mode:
        raise ServiceError(
            "apply MCP servers",
            f"the cluster does not know the resource {CRD}",
            code="NoMCPServer",
            hint="Install KMCP first, with kmcp_install.",
        )
    deadline = Deadline(float(task.params["wait_timeout"]))
    leaving = server_prune.leaving(kube, task.params, servers) if task.params["prune"] and served else []
    beside = [*server_rotation.beside(servers), *server_environment.beside(servers), *server_policies.beside(servers)]
    read = server_sight.read(kube, servers, beside, resource_served=served)
    live = read.complete
    done = Converged(servers, sights=server_sight.seen(kube, task, servers, live))
    _hide_secrets(task, done.sights)
    refused = {server.key: _refusals(server, done.sights[server.key], live) for server in servers}
    if servers and all(refused.values()):
        raise _refused_all(servers, refused)
    done.failures.update(
        {server.key: Refused(server.label, refused[server.key]) for server in servers if refused[server.key]}
    )
    followed = {target.who for target in server_rotation.beside(servers)}
    _apply(kube, task, done, live, read.refused & followed)
    server_policies.remove_undeclared(kube, task, done, live)
    if task.params["wait"] and not task.check_mode:
        _wait(kube, task, done, max(1.0, deadline.left))
    if leaving and not done.failures:
        _prune(kube, task, done, leaving)
    elif leaving:
        done.notes.append(f"Not pruned, because others failed: {', '.join(server.label for server in leaving)}.")
    return server_outcome.result(done)


def _refused_all(servers: Sequence[Declared], refused: Mapping[Key, Sequence[Refusal]]) -> Refused:
    if len(servers) == 1:
        return Refused(servers[0].label, refused[servers[0].key])
    named = [
        replace(refusal, path=f"{server.label}: {refusal.path}")
        for server in servers
        for refusal in refused[server.key]
    ]
    return Refused("mcp_server", named)


def _refusals(server: Declared, sight: Sight, live: Mapping[Identity, Object]) -> list[Refusal]:
    """What must not be overwritten, and what would not work together with what is in the cluster."""
    kinds = server_children.expected_kinds(server.resource)
    bundle = server_prune.other_bundle(server, sight.server)
    return [
        *server_children.collisions(kinds, server.name, sight.children),
        *server_policies.collisions(server, live),
        *server_environment.clashes(server, live),
        *([bundle] if bundle is not None else []),
    ]


def _apply(
    kube: Kube,
    task: Task,
    done: Converged,
    live: Mapping[Identity, Object],
    unreadable: frozenset[Identity],
) -> None:
    """Write what differs; the policy of who may call comes before the server that it is about."""
    for server in done.sound:
        broken = done.sights[server.key].failure
        if broken is not None:
            done.failures[server.key] = broken
    servers = done.sound
    drift = {server.key: done.sights[server.key].drift for server in servers}
    servers = [
        replace(
            server,
            resource=with_standing_labels(server.resource, done.sights[server.key].server, bool(drift[server.key])),
        )
        for server in servers
    ]
    servers, records = server_rotation.recorded(kube, task, servers, live, unreadable)
    servers = [
        server_rotation.with_restart(server, done.sights[server.key], repaired=bool(drift[server.key]))
        for server in servers
    ]
    done.failures.update(server_trial.refused(kube, servers, done.sights))
    servers = [server for server in servers if server.key not in done.failures]
    options = BundleOptions(subject="MCP servers", exclusive=True, wait_timeout=float(task.params["wait_timeout"]))
    _apply_policies(kube, task, done, servers, options)
    # whom only some may call must not run for everybody
    servers = [server for server in servers if server.key not in done.failures]
    resources = [dict(server.resource) for server in servers]
    outcome = apply_bundle(kube, task, resources, options) if resources else BundleOutcome(())
    for server, one in zip(servers, outcome.outcomes):
        _failed(done, server.key, one)
        if one.failure is None:
            plan = replace(one.plan, subject=server.label, changes=(*one.plan.changes, *drift[server.key]))
            notes = server_rotation.notes(server, records[server.key], dry=task.check_mode)
            done.plans[server.key] = plan.with_notes(*notes, *_scaled(done.sights[server.key]))
    done.notes += outcome.notes


def _apply_policies(
    kube: Kube, task: Task, done: Converged, servers: Sequence[Declared], options: BundleOptions
) -> None:
    policies = {server.key: made for server in servers if (made := server_callers.policy(server)) is not None}
    outcome = apply_bundle(kube, task, list(policies.values()), options) if policies else BundleOutcome(())
    for key, one in zip(policies, outcome.outcomes):
        _failed(done, key, one)
        if one.failure is None:
            done.policies[key] = one.plan
    done.notes += outcome.notes


def _failed(done: Converged, key: Key, outcome: ObjectOutcome) -> None:
    if outcome.failure is not None:
        # what was made anew halfway is changed although it failed
        done.changed = done.changed or bool(outcome.failure.values.get("changed"))
        done.failures.setdefault(key, outcome.failure)


def _wait(kube: Kube, task: Task, done: Converged, left: float) -> None:
    servers = done.sound
    changed = any(plan.changed for plan in done.every_plan)
    waited = server_wait.wait_until_running(
        kube, task, servers, None if changed else {server.key: done.sights[server.key] for server in servers}, left
    )
    done.sights = {**done.sights, **waited.standing}
    waiting = [server for server in servers if server.key in waited.reasons]
    if waiting:
        done.waiting = server_wait.failure(kube, waiting, waited)
        for server in waiting:
            done.failures[server.key] = NotReady(server.label, waited.reasons[server.key], waited=waited.seconds)


def _prune(kube: Kube, task: Task, done: Converged, leaving: Sequence[Declared]) -> None:
    try:
        gone = server_remove.remove(kube, task, leaving, True)
    except Failure as failure:
        # of the others, everything is said all the same
        done.failures[leaving[0].key] = failure
        return
    done.pruning += gone.plans
    done.pruned = [{**row, "pruned": True} for row in gone.values["servers"]]


def _scaled(sight: Sight) -> list[str]:
    if sight.server is None or any(change.path == server_children.REPLICAS for change in sight.drift):
        return []
    note = server_children.scaled_by_others(sight.server, sight.children)
    return [note] if note else []


def _without_cluster(servers: Sequence[Declared], reason: str, absent: bool) -> Result:
    done = Converged(servers)
    if absent or not servers:
        plan = Plan("MCP servers", notes=(f"Nothing to remove: {reason}.",))
        rows = [row(server, done) for server in servers]
        return Result(
            changed=False, msg="MCP servers: the cluster is not there", plans=(plan,), values={"servers": rows}
        )
    policies = {server.key: made for server in servers if (made := server_callers.policy(server)) is not None}
    outcome = plan_without_cluster([*policies.values(), *(dict(server.resource) for server in servers)], reason)
    done.policies.update(zip(policies, outcome.plans))
    done.plans.update(zip((server.key for server in servers), outcome.plans[len(policies) :]))
    return server_outcome.result(done)


def _hide_secrets(task: Task, sights: Mapping[Key, Sight]) -> None:
    """Values that stand in the cluster, too: a diff shows what was there before."""
    found: list[Any] = []
    for sight in sights.values():
        found += [sight.server] if sight.server is not None else []
        # of a list of variables, by name: what is set twice is shown twice
        found += server_children.environments(sight.server, sight.children)
    protect(task, declared_values(found))
