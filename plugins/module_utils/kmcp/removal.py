# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMCP out of a cluster: the controller, and only when told so the definitions with all that is stored under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem, Refused
from ansible_collections.mcpops.platform.plugins.module_utils.helm import operation as helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm import recovery
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import time_problems
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import kept_servers, ownership, standing
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.charts import name_problems
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import CRD
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.ownership import Owner
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task


def absent(task: Task) -> Result:
    params = task.params
    problems = name_problems(params) + time_problems(params)
    if params["orphan_servers"] and params["delete_servers"]:
        problems.append(Problem("orphan_servers", "contradicts delete_servers: either the MCPServers stay, or they go"))
    if problems:
        raise InvalidInput("kmcp", problems)
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        plan = Plan("kmcp", notes=(f"There is no cluster yet: {pending.reason}.",))
        return Result.of(plan)
    namespace, name, crds = params["namespace"], params["release_name"], params["crds_release_name"]
    remains = recovery.read(kube, namespace, crds).newest is not None
    servers = standing.server_names(kube)
    plans: list[Plan] = []
    orphans: list[str] = []
    if params["delete_crds"] and remains:
        _guard(kube, servers, Owner(namespace, crds), params)
        plans.append(Plan("MCPServers", tuple(Change(server, "present", ABSENT) for server in servers)))
    else:
        orphans = kept_servers.kept_by(recovery.read(kube, namespace, name).newest, servers)
        if orphans and not params["orphan_servers"]:
            raise Refused("kmcp", [kept_servers.removed(f"{namespace}/{name}", orphans)])
    outcome = helm.remove(task, kube, name, namespace, params)
    plans += outcome.plans
    if orphans:
        left = kept_servers.left(orphans)
        plans[-1] = plans[-1].with_notes(left)
        # default output does not show notes
        task.warn(left)
    if params["delete_crds"]:
        plans += helm.remove(task, kube, crds, namespace, params).plans
        if not remains:
            plans[-1] = plans[-1].with_notes(*_left_over(kube))
    elif remains and outcome.changed:
        plans[-1] = plans[-1].with_notes(f"The definitions (release {namespace}/{crds}) stay.")
    told = [plan.summary() for plan in plans if plan.changed] or ["kmcp: absent as declared"]
    return Result(changed=any(plan.changed for plan in plans), msg="; ".join(told), plans=tuple(plans))


def _guard(kube: Kube, servers: list[str], ours: Owner, params: Mapping[str, Any]) -> None:
    """Removing the definition takes every MCPServer along: both must be meant, and the definition be ours."""
    refusals = []
    conflict = ownership.removal_conflict(standing.definition_metadata(kube), ours)
    if conflict is not None:
        refusals.append(conflict)
    if servers and not params["delete_servers"]:
        refusals.append(_servers_exist(servers, params["orphan_servers"]))
    if refusals:
        raise Refused("kmcp", refusals)


def _left_over(kube: Kube) -> list[str]:
    metadata = standing.definition_metadata(kube)
    if metadata is None:
        return []
    owner = ownership.owner_of(metadata)
    whose = f"it belongs to {owner}" if owner else "it was created without Helm"
    return [f"CustomResourceDefinition {CRD} remains: {whose}."]


def _servers_exist(servers: Sequence[str], orphaned: bool) -> Refusal:
    remedy = (
        "To leave them as they are (orphan_servers), leave delete_crds out; to delete them, leave orphan_servers out "
        "and set delete_servers: true."
        if orphaned
        else "Remove them first, or set delete_servers: true."
    )
    sentence = f"removing it would delete {kept_servers.shown(servers)}, with their workloads"
    return Refusal.because(f"CustomResourceDefinition {CRD}", sentence, remedy)
