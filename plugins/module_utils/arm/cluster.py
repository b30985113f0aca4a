# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AKS cluster: present as declared, or absent."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names, ownership, waiting, write_only
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import (
    Arm,
    Body,
    PlanAgain,
    Reading,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_create import with_choices
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_facts import cluster_facts
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_plan import (
    ClusterPlan,
    plan_cluster,
    plan_removal,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import ClusterSpec, cluster_spec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_validate import (
    creation_problems,
    problems_of,
    removal_problems,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.converging import carry_out
from ansible_collections.mcpops.platform.plugins.module_utils.arm.kept import not_kept
from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import resolve
from ansible_collections.mcpops.platform.plugins.module_utils.arm.remembered import recall, would_delete
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.masking import declared_values, protect
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task

API_VERSION = names.api_version_of(names.MANAGED_CLUSTERS)
POOL_VERSION = names.api_version_of(names.AGENT_POOLS)


def converge(task: Task) -> Result:
    params = task.params
    present = params["state"] == "present"
    subject = f"AKS cluster {params['name']}"
    # before anything can fail, with the options in its result
    for value in write_only.secret_values([params.get("properties"), params.get("node_pools")]):
        task.secret(value)
    problems = _problems(params) if present else removal_problems(params)
    if problems:
        raise InvalidInput(subject, problems)
    spec = cluster_spec(params, resolve(params).subscription_id)
    protect(task, declared_values([spec.declared.get("properties") or {}]))
    arm = Arm.connect(task, params["wait_timeout"])
    known = recall(task, spec.id)
    if present and known is not None and not waiting.in_progress(known):
        plan = plan_cluster(known, spec)
        if not plan.changes and not plan.refused:
            _warn(task, spec, known, set())
            return Result.of(plan, {"cluster": cluster_facts(known)})
    return _present(task, arm, spec) if present else _absent(task, arm, spec)


def _problems(params: dict[str, Any]) -> list[Problem]:
    """With other problems found, what only a creation needs is told as well: one round of corrections is enough."""
    problems = problems_of(params)
    if not problems:
        return []
    later = [Problem(item.path, f"{item.message} (if it does not exist yet)") for item in creation_problems(params)]
    return problems + later


def _present(task: Task, arm: Arm, spec: ClusterSpec) -> Result:
    patient = task.params["wait"] and not task.check_mode
    said: set[str] = set()

    def plan_of(reading: Reading) -> ClusterPlan:
        if reading.body is None:
            missing = creation_problems(task.params)
            if missing:
                raise InvalidInput(spec.subject, missing)
        _warn(task, spec, reading.body, said)
        return plan_cluster(reading.body, with_choices(arm, spec, reading))

    outcome = carry_out(
        arm,
        spec.subject,
        lambda: _read(arm, spec, patient),
        plan_of,
        lambda plan, _reading: _apply(arm, spec, plan, patient),
    )
    _protect(task, outcome.before, outcome.after)
    if outcome.plan.changed and patient and outcome.after is not None:
        left = plan_cluster(outcome.after, spec).changes
        told = not_kept(spec.subject, outcome.plan.changes, left, spec.declared, outcome.after)
        if told:
            task.warn(told)
    shown = outcome.plan.body if outcome.after is None and task.check_mode else outcome.after
    return Result.of(outcome.plan, {"cluster": cluster_facts(shown, spec.id)}, outcome.headline(task.check_mode))


def _warn(task: Task, spec: ClusterSpec, standing: Body | None, said: set[str]) -> None:
    """Each warning once, however often everything is read again."""
    texts = ownership.warnings(spec.subject, standing, spec.owner)
    if standing is not None and cluster_facts(standing)["power_state"] == "Stopped":
        texts.append(
            f"{spec.subject} is stopped, so nothing in it answers. Start it: "
            f"az aks start --name {spec.name} --resource-group {spec.resource_group}"
        )
    for text in texts:
        if text not in said:
            said.add(text)
            task.warn(text)


def _read(arm: Arm, spec: ClusterSpec, patient: bool) -> Reading:
    """The cluster when nothing is in progress on it: the work of an earlier run that was killed is picked up here."""
    reading = arm.read(spec.id, f"Reading {spec.subject}", API_VERSION)
    return waiting.settle(arm, reading, spec.id, API_VERSION, spec.subject) if patient else reading


def _apply(arm: Arm, spec: ClusterSpec, plan: ClusterPlan, wait: bool) -> Body:
    """The first request of the plan. What is left is planned again on what stands then: the cluster's operation gives
    every pool another eTag, and while it lasts others may have changed them."""
    step, last = plan.steps[0], len(plan.steps) == 1
    verb = "Deleting" if step.method == "DELETE" else "Creating" if step.create else "Updating"
    action = f"{verb} node pool {step.pool} of {spec.subject}" if step.pool else f"{verb} {spec.subject}"
    place, version = (f"{spec.id}/agentPools/{step.pool}", POOL_VERSION) if step.pool else (spec.id, API_VERSION)
    response = arm.write(step.method, place, action, version, step.body, etag=step.etag, create=step.create)
    if last and not wait:
        written = None if step.pool else response.json_or_none()
        return written or waiting.read_written(arm, spec.id, API_VERSION, spec.subject)
    waiting.follow(arm, response, spec.subject, action)
    body = waiting.finished(arm, spec.id, API_VERSION, spec.subject, action, step.pool)
    if not last:
        raise PlanAgain(step.changes)
    return body


def _absent(task: Task, arm: Arm, spec: ClusterSpec) -> Result:
    patient = task.params["wait"] and not task.check_mode

    def delete(_plan: Plan, _reading: Reading) -> None:
        action = f"Deleting {spec.subject}"
        response = arm.write("DELETE", spec.id, action, API_VERSION)
        if patient:
            waiting.follow(arm, response, spec.subject, action)

    outcome = carry_out(
        arm,
        spec.subject,
        lambda: _read(arm, spec, patient),
        lambda reading: plan_removal(reading.body, spec),
        delete,
    )
    _protect(task, outcome.before)
    if outcome.plan.changed:
        would_delete(task, spec.id)
    values = {"cluster": cluster_facts(outcome.after, spec.id)}
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


def info(task: Task) -> Result:
    """One cluster, those of a group, or all of the subscription."""
    params = task.params
    problems = removal_problems(params)
    if params.get("name") and not params.get("resource_group"):
        problems.append(Problem("resource_group", "is needed to find a cluster by name"))
    if problems:
        raise InvalidInput("AKS clusters", problems)
    subscription = resolve(params).subscription_id
    arm = Arm.connect(task)
    if params.get("name"):
        resource_id = names.cluster_id(subscription, params["resource_group"], params["name"])
        body = arm.read(resource_id, f"Reading AKS cluster {params['name']}", API_VERSION).body
        bodies = [body] if body is not None else []
    else:
        scope = names.group_id(subscription, params["resource_group"]) if params.get("resource_group") else ""
        path = f"{scope or f'/subscriptions/{subscription}'}/providers/{names.MANAGED_CLUSTERS}"
        bodies = list(arm.listed(path, "Listing AKS clusters", API_VERSION))
    _protect(task, *bodies)
    return Result(changed=False, values={"clusters": [_told(body) for body in bodies]})


def _protect(task: Task, *bodies: Body | None) -> None:
    """What the service answers may hold secrets that nobody declared here, such as a proxy's URL with a password."""
    protect(task, declared_values([(body or {}).get("properties") or {} for body in bodies]))


def _told(body: Body) -> dict[str, Any]:
    return {**cluster_facts(body), "properties": write_only.hide(body.get("properties") or {})}
