# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converges MCP servers: the MCPServer resources, and what the KMCP controller makes of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    InvalidInput,
    NotReady,
    Refused,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    server_children,
    server_remove,
    server_rules,
    server_sight,
    server_wait,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import Sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_sight import Key
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import (
    API_VERSION,
    CRD,
    KIND,
    Declared,
    declared_from,
    with_reconcile_label,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle import (
    BundleOptions,
    apply_bundle,
    plan_without_cluster,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.masking import declared_values, protect
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task
from ansible_collections.mcpops.platform.plugins.module_utils.timeouts import wait_timeout_problems

Drift = Mapping[Key, Sequence[Change]]


def converge(task: Task) -> Result:
    servers = declared_from(task.params)
    absent = task.params["state"] == "absent"
    found = server_rules.absence_problems(servers) if absent else server_rules.problems(servers)
    found += wait_timeout_problems(task.params["wait_timeout"], zero=True)
    if found:
        raise InvalidInput("mcp_server", found)
    if not servers:
        return Result(changed=False, msg="no MCP servers are declared", values={"servers": []})
    protect(task, declared_values([server.resource for server in servers]))
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


def _present(kube: Kube, task: Task, servers: Sequence[Declared], served: bool) -> Result:
    if not served and not task.check_mode:
        raise ServiceError(
            "apply MCP servers",
            f"the cluster does not know the resource {CRD}",
            code="NoMCPServer",
            hint="Install KMCP first, with kmcp_install.",
        )
    started = time.monotonic()
    sights = server_sight.look_at(kube, servers, resource_served=served)
    _hide_secrets(task, sights)
    refused = [refusal for server in servers for refusal in _collisions(server, sights[server.key])]
    if refused:
        raise Refused(servers[0].label if len(servers) == 1 else "mcp_server", refused)
    drift = {server.key: _drift(sights[server.key]) for server in servers}
    timeout = float(task.params["wait_timeout"])
    outcome = apply_bundle(
        kube,
        task,
        [
            with_reconcile_label(server.resource, sights[server.key].server, bool(drift[server.key]))
            for server in servers
        ],
        BundleOptions(subject="MCP servers", exclusive=True, wait_timeout=timeout),
    )
    outcome.raise_failures("apply MCP servers")
    plans = _plans(servers, outcome, drift)
    changed = any(plan.changed for plan in plans)
    if task.params["wait"] and not task.check_mode:
        left = max(1.0, timeout - (time.monotonic() - started))
        try:
            sights = server_wait.wait_until_running(kube, task, servers, None if changed else sights, left)
        except NotReady as waiting:
            waiting.values.update(changed=changed)
            raise
    rows = [_row(server, sights.get(server.key), plan.changed) for server, plan in zip(servers, plans)]
    return Result(changed=changed, msg=_summary(plans), plans=tuple(plans), values={"servers": rows})


def _collisions(server: Declared, sight: Sight) -> list[Any]:
    kinds = server_children.expected_kinds(server.resource)
    return server_children.collisions(kinds, server.name, sight.children)


def _drift(sight: Sight) -> list[Change]:
    """Only children of a generation that the controller has dealt with can have drifted."""
    if sight.server is None or not server_children.is_reconciled(sight.server):
        return []
    return server_children.drift(sight.server, sight.children, sight.kept, sight.structures)


def _plans(servers: Sequence[Declared], outcome: BundleOutcome, drift: Drift) -> list[Plan]:
    plans = []
    for server, one in zip(servers, outcome.outcomes):
        plans.append(replace(one.plan, subject=server.label, changes=(*one.plan.changes, *drift[server.key])))
    return plans


def _without_cluster(servers: Sequence[Declared], reason: str, absent: bool) -> Result:
    rows = [_row(server, None, not absent) for server in servers]
    if absent:
        plan = Plan("MCP servers", notes=(f"Nothing to remove: {reason}.",))
        return Result(
            changed=False, msg="MCP servers: the cluster is not there", plans=(plan,), values={"servers": rows}
        )
    outcome = plan_without_cluster([dict(server.resource) for server in servers], reason)
    return Result(changed=True, msg=_summary(list(outcome.plans)), plans=outcome.plans, values={"servers": rows})


def _row(server: Declared, sight: Sight | None, changed: bool) -> dict[str, Any]:
    deployment = (sight.children.get("Deployment") if sight else None) or {}
    status = deployment.get("status") or {}
    return {
        "name": server.name,
        "namespace": server.namespace,
        "port": server.deployment.get("port"),
        "path": (server.resource["spec"].get("httpTransport") or {}).get("path"),
        "image": server.deployment.get("image"),
        "changed": changed,
        "ready_replicas": int(status.get("readyReplicas", 0)),
    }


def _summary(plans: Sequence[Plan]) -> str:
    changed = [plan for plan in plans if plan.changed]
    if not changed:
        return f"{plans[0].subject}: runs as declared" if len(plans) == 1 else f"{len(plans)} MCP servers as declared"
    if len(changed) == 1:
        return changed[0].summary()
    return f"{len(changed)} of {len(plans)} MCP servers: {', '.join(plan.subject for plan in changed)}"


def _hide_secrets(task: Task, sights: Mapping[Key, Sight]) -> None:
    """Values that stand in the cluster, too: a diff shows what was there before."""
    found: list[Any] = []
    for sight in sights.values():
        found += [sight.server] if sight.server is not None else []
        # of a list of variables, by name: what is set twice is shown twice
        found += server_children.environments(sight.server, sight.children)
    protect(task, declared_values(found))
