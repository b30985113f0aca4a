# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of aks_cluster and aks_cluster_info: an AKS cluster, present as declared or absent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InvalidInput, Problem, Refused, ServiceError, check, refuse
from ..masking import declared_values, protect
from ..run_cache import cached_resource, mark_deleted
from ..task import Result, Task
from ..waiting import wait_timeout_problems
from . import compare, names, reconcile
from .aks.plan import ClusterPlan, plan_cluster, plan_removal
from .aks.spec import ClusterSpec, PoolSpec, SizeRequest, cluster_spec, current_pools, new_pools, size_request_of
from .aks.validate import creation_problems, problems_of, removal_problems
from .aks.versions import offered_problem, plan_problems, running_version, support_plan_of, version_step
from .aks_sku_preflight import find_sizes, offered_versions, plain_location, selection_problems
from .client import Arm, Body, PlanAgain, Reading
from .cluster_preflight import choose_beside
from .errors import concerns_registration
from .options import resolve_identity
from .reconcile import converge_resource
from .refused_sizes import Creation, remove_failed, sizes_at_fault, without
from .sku import Selection


def cluster_facts(body: Mapping[str, Any] | None, resource_id: str = "") -> dict[str, Any]:
    """A flat summary of the ARM body; `exists` is false for nothing, and for a plan of a creation."""
    body = body or {}
    properties = body.get("properties") or {}
    identity = (properties.get("identityProfile") or {}).get("kubeletidentity") or {}
    return {
        "exists": bool(body.get("id")),
        "id": body.get("id") or resource_id,
        "name": body.get("name") or resource_id.rpartition("/")[2],
        "location": body.get("location"),
        "tags": body.get("tags") or {},
        "sku_tier": (body.get("sku") or {}).get("tier"),
        "kubernetes_version": running_version(body) or None,
        "provisioning_state": properties.get("provisioningState"),
        "power_state": (properties.get("powerState") or {}).get("code"),
        "fqdn": properties.get("fqdn") or properties.get("privateFQDN"),
        "node_resource_group": properties.get("nodeResourceGroup"),
        "oidc_issuer_url": (properties.get("oidcIssuerProfile") or {}).get("issuerURL"),
        "principal_id": (body.get("identity") or {}).get("principalId"),
        "kubelet_object_id": identity.get("objectId"),
        "network_plugin": (properties.get("networkProfile") or {}).get("networkPlugin"),
        "node_pools": [_pool(pool) for pool in properties.get("agentPoolProfiles") or ()],
    }


def _pool(pool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": pool.get("name"),
        "mode": pool.get("mode"),
        "vm_size": pool.get("vmSize"),
        "count": pool.get("count"),
        "enable_auto_scaling": bool(pool.get("enableAutoScaling")),
        "min_count": pool.get("minCount"),
        "max_count": pool.get("maxCount"),
        "zones": pool.get("availabilityZones") or [],
        "os_sku": pool.get("osSKU"),
        "kubernetes_version": pool.get("currentOrchestratorVersion") or pool.get("orchestratorVersion"),
        "provisioning_state": pool.get("provisioningState"),
    }


Beside = Callable[[Callable[[list[SizeRequest]], Mapping[str, str]]], None]
"""Calls what chooses sizes with what the others are to get, while none of these chooses."""


def with_choices(
    arm: Arm,
    spec: ClusterSpec,
    reading: Reading,
    refused: Collection[str] = (),
    beside: Beside | None = None,
) -> ClusterSpec:
    """`spec` with a size for every new pool, none of those that Azure has `refused` (lower case) while this task runs;
    nothing is asked for a cluster that only stays as it is.

    What others of this run are to get counts, by `beside`, where it is not the size that was found for this cluster
    beside them.
    """
    location = str((reading.body or {}).get("location") or spec.declared.get("location") or "")
    # what stands was taken once
    problems = [] if reading.body and plan_problems(reading.body) else plan_problems(reading.body, spec.declared)
    step = version_step(reading.body or {}, spec.kubernetes_version)
    if not step.settled and not step.refused:
        plan = support_plan_of(reading.body, spec.declared)[1]
        problems += _version_problems(arm, spec.kubernetes_version, location, plan)
    fresh = new_pools(current_pools(reading.body), spec)
    asked = {
        pool.name: without(size_request_of(reading.body, spec.pools, pool, location, spec.sizes), refused)
        for pool in fresh
    }
    # a size that a pool names is the service's to judge, with the creation; what it takes of the quota counts
    choose = [name for name, request in asked.items() if request.candidates and not request.named]
    own = list(asked.values())
    found = dict(zip(asked, _selections(arm, own))) if choose else {}
    if beside is not None and found and (refused or _is_another(found, spec)):

        def sizes(theirs: list[SizeRequest]) -> dict[str, str]:
            nonlocal found
            if theirs:
                found = dict(zip(asked, _selections(arm, [*theirs, *own])[len(theirs) :]))
            return {name: one.chosen.name for name, one in found.items() if one.chosen is not None}

        beside(sizes)
    pools: list[PoolSpec] = []
    for pool in spec.pools:
        selection = found.get(pool.name) if pool.name in choose else None
        if selection is not None and selection.chosen is None:
            problems += selection_problems(f"node_pools[{pool.name}].vm_size_candidates", selection, location)
        elif selection is not None and selection.chosen is not None:
            pool = replace(pool, declared={**pool.declared, "vmSize": selection.chosen.name})
        pools.append(pool)
    refuse(spec.subject, list(dict.fromkeys(problems)))
    return replace(spec, pools=tuple(pools))


def _is_another(found: Mapping[str, Selection], spec: ClusterSpec) -> bool:
    """Whether a pool would get another size than the one that was found for it."""
    sizes = {name: one.chosen.name.lower() if one.chosen is not None else "" for name, one in found.items()}
    return any(sizes.get(name, size.lower()) != size.lower() for name, size in spec.sizes.chosen.items())


def _selections(arm: Arm, asked: Sequence[SizeRequest]) -> list[Selection]:
    """None at all in check mode, when the sizes cannot be asked for yet."""
    try:
        return find_sizes(arm, asked)
    except ServiceError as failure:
        if arm.check_mode and concerns_registration(failure):
            return []
        raise


def _version_problems(arm: Arm, version: str, location: str, plan: str) -> list[Problem]:
    rows, problems = offered_versions(arm, location)
    found = offered_problem(version, plain_location(location), rows, plan)
    return [*problems, *([Problem("kubernetes_version", found)] if found else [])]


API_VERSION = names.api_version_of(names.MANAGED_CLUSTERS)
POOL_VERSION = names.api_version_of(names.AGENT_POOLS)


def converge(task: Task) -> Result:
    params = task.params
    present = params["state"] == "present"
    subject = f"AKS cluster {params['name']}"
    # before anything can fail, with the options in its result
    for value in compare.secret_values([params.get("properties"), params.get("node_pools")]):
        task.secret(value)
    wrong = problems(params)
    refuse(subject, [*wrong, *_needed_to_create(params)] if wrong and present else wrong)
    spec = cluster_spec(params, resolve_identity(params).subscription_id)
    protect(task, declared_values([spec.declared.get("properties") or {}]))
    arm = Arm.connect(task, params["wait_timeout"])
    known = cached_resource(task, spec.id)
    if present and known is not None and not reconcile.in_progress(known):
        plan = plan_cluster(known, spec)
        if not plan.changes and not plan.refused:
            _warn(task, spec, known, set())
            return Result.of(plan, {"cluster": cluster_facts(known)})
    return _present(task, arm, spec) if present else _absent(task, arm, spec)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of aks_cluster, whatever stands."""
    if params["state"] == "present":
        return problems_of(params)
    return check((removal_problems, lambda given: wait_timeout_problems(given.get("wait_timeout"))), params)


def _needed_to_create(params: Mapping[str, Any]) -> list[Problem]:
    """With other problems found, what only a creation needs is told as well: one round of corrections is enough."""
    return [Problem(item.path, f"{item.message} (if it does not exist yet)") for item in creation_problems(params)]


def _present(task: Task, arm: Arm, spec: ClusterSpec) -> Result:
    may_wait = task.params["wait"] and not task.check_mode
    warned: set[str] = set()
    refused: set[str] = set()

    def beside(choose: Callable[[list[SizeRequest]], Mapping[str, str]]) -> None:
        choose_beside(task, arm, spec, choose)

    def plan_of(reading: Reading) -> ClusterPlan:
        if reading.body is None:
            refuse(spec.subject, creation_problems(task.params))
        _warn(task, spec, reading.body, warned)
        return plan_cluster(reading.body, with_choices(arm, spec, reading, refused, beside))

    def apply(plan: ClusterPlan, reading: Reading) -> Body:
        creation = Creation(spec, plan.steps[0])
        try:
            return _apply(arm, spec, plan, may_wait, creation)
        except ServiceError as failure:
            tried = plan.steps[0].create and spec.sizes.try_next
            at_fault = sizes_at_fault(failure, spec, creation.sizes(), refused) if tried else set()
            if not at_fault:
                raise
            none_left = _none_fits(arm, spec, reading, {*refused, *at_fault}, beside)
            # refused at once, it left nothing; an operation that failed did
            stays = none_left or (remove_failed(arm, creation) if failure.status is None else "")
            if stays:
                left = f" {creation.subject} is left behind as Failed, and keeps its size until somebody deletes it."
                task.warn(f"No other size is tried: {stays}{left if failure.status is None else ''}")
                raise
            refused.update(at_fault)
            listed = ", ".join(sorted(at_fault))
            gone = "" if failure.status is not None else " What was left of it is deleted."
            task.warn(
                f"{spec.subject}: {failure.reason} ({failure.code}).{gone} The next candidate is tried after {listed}."
            )
            raise PlanAgain from failure

    outcome = converge_resource(
        arm,
        spec.subject,
        lambda: reconcile.read_idle(arm, spec, may_wait),
        plan_of,
        apply,
    )
    _protect(task, outcome.before, outcome.after)
    reconcile.warn_not_kept(task, spec, outcome, lambda after: plan_cluster(after, spec))
    shown = outcome.plan.body if outcome.after is None and task.check_mode else outcome.after
    return Result.of(outcome.plan, {"cluster": cluster_facts(shown, spec.id)}, outcome.headline(task.check_mode))


def _none_fits(arm: Arm, spec: ClusterSpec, reading: Reading, refused: Collection[str], beside: Beside) -> str:
    """Why none of the other candidates would do, on what stood before the creation; empty where one does."""
    try:
        with_choices(arm, spec, reading, refused, beside)
    except (InvalidInput, Refused, ServiceError) as why:
        return why.message()
    return ""


def _warn(task: Task, spec: ClusterSpec, existing: Body | None, warned: set[str]) -> None:
    texts = names.ownership_warnings(spec.subject, existing, spec.owner)
    if existing is not None and cluster_facts(existing)["power_state"] == "Stopped":
        texts.append(
            f"{spec.subject} is stopped, so nothing in it answers. Start it: "
            f"az aks start --name {spec.name} --resource-group {spec.resource_group}"
        )
    reconcile.warn_once(task, texts, warned)


def _apply(arm: Arm, spec: ClusterSpec, plan: ClusterPlan, wait: bool, creation: Creation) -> Body:
    """The first request of the plan. What is left is planned again on what stands then: the cluster's operation gives
    every pool another eTag, and while it lasts others may have changed them."""
    step, last = plan.steps[0], len(plan.steps) == 1
    verb = "Deleting" if step.method == "DELETE" else "Creating" if step.create else "Updating"
    action = f"{verb} node pool {step.pool} of {spec.subject}" if step.pool else f"{verb} {spec.subject}"
    place, version = (f"{spec.id}/agentPools/{step.pool}", POOL_VERSION) if step.pool else (spec.id, API_VERSION)
    response = arm.write(step.method, place, action, version, step.body, etag=step.etag, create=step.create)
    creation.answered = response.json_or_none() or {}
    if last and not wait:
        written = None if step.pool else response.json_or_none()
        return written or reconcile.read_written(arm, spec.id, API_VERSION, spec.subject)
    reconcile.await_operation(arm, response, spec.subject, action)
    body = reconcile.await_finished(arm, spec.id, API_VERSION, spec.subject, action, step.pool)
    if not last:
        raise PlanAgain(step.changes)
    return body


def _absent(task: Task, arm: Arm, spec: ClusterSpec) -> Result:
    may_wait = task.params["wait"] and not task.check_mode
    outcome = converge_resource(
        arm,
        spec.subject,
        lambda: reconcile.read_idle(arm, spec, may_wait),
        lambda reading: plan_removal(reading.body, spec),
        lambda _plan, _reading: reconcile.delete_resource(arm, spec, may_wait),
    )
    _protect(task, outcome.before)
    if outcome.plan.changed:
        mark_deleted(task, spec.id)
    values = {"cluster": cluster_facts(outcome.after, spec.id)}
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


def info_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of aks_cluster_info."""
    found = removal_problems(params)
    if params.get("name") and not params.get("resource_group"):
        found.append(Problem("resource_group", "is needed to find a cluster by name"))
    return found


def info(task: Task) -> Result:
    """One cluster, those of a group, or all of the subscription."""
    params = task.params
    refuse("AKS clusters", info_problems(params))
    subscription = resolve_identity(params).subscription_id
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
    return Result(changed=False, values={"clusters": [_public_facts(body) for body in bodies]})


def _protect(task: Task, *bodies: Body | None) -> None:
    """What the service answers may hold secrets that nobody declared here, such as a proxy's URL with a password."""
    protect(task, declared_values([(body or {}).get("properties") or {} for body in bodies]))


def _public_facts(body: Body) -> dict[str, Any]:
    return {**cluster_facts(body), "properties": compare.redact_body(body.get("properties") or {})}
