# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of aks_sku_preflight.

The size a node pool will get, the current one or the first candidate that region, subscription and quota allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Check, InvalidInput, Problem, Rule, ServiceError, check
from ..run_cache import cache_resource, cached_resource
from ..task import Result, Task
from ..text import counted
from . import names
from .aks.spec import SizeRequest, SizeSelection, current_pools, pool_specs, size_request_of
from .client import Arm
from .errors import concerns_registration
from .options import resolve_identity
from .sku import Quota, Requirements, Selection, SizeVerdict, Sku, find_skus, quota_key, select_size

_COMPUTE = "/subscriptions/{}/providers/Microsoft.Compute"


def find_size(arm: Arm, candidates: Sequence[str], wanted: Requirements) -> Selection:
    """Two kinds of requests: the region's sizes (some pages), and its usages when a candidate is in sight."""
    base = _COMPUTE.format(arm.subscription_id)
    location = wanted.location.replace(" ", "").lower()
    skus = find_skus(_pages(arm, base, location), {name.lower() for name in candidates}, location)
    without_quota = select_size(candidates, skus, {}, wanted)
    if without_quota.chosen is None:
        return without_quota
    version = names.api_version_of("Microsoft.Compute/locations/usages")
    path = f"{base}/locations/{location}/usages"
    quotas = {
        quota_key(row["name"]["value"]): Quota(int(row["currentValue"]), int(row["limit"]), row["name"]["value"])
        for row in arm.listed(path, f"Reading the quota of {location}", version)
    }
    return select_size(candidates, skus, quotas, wanted)


def _pages(arm: Arm, base: str, location: str) -> Iterator[bytes]:
    query = {"$filter": f"location eq '{location}'"}
    version = names.api_version_of("Microsoft.Compute/skus")
    for page in arm.pages(f"{base}/skus", f"Listing the virtual machine sizes of {location}", version, query):
        yield page.body


def selection_problems(path: str, selection: Selection) -> list[Problem]:
    """Every reason of every candidate, and what would help."""
    problems = [Problem(f"{path}[{verdict.candidate}]", "; ".join(verdict.reasons)) for verdict in selection.verdicts]
    return [*problems, Problem(path, f"none of them fits: {selection.advice()}")]


def converge(task: Task) -> Result:
    params = task.params
    wrong = problems(params)
    if wrong:
        raise InvalidInput("VM size preflight", wrong)
    arm = Arm.connect(task)
    cluster = _cluster(task, arm)
    live = _live_size(cluster, params.get("node_pool") or "")
    if live:
        # a pool that exists keeps its size: changing it would mean another pool
        verdict = SizeVerdict(live, (), ("is the size of the existing pool",))
        return _result({"name": live}, [verdict], source="existing_pool")
    try:
        asked = size_request(params, cluster)
        selection = find_size(arm, asked.candidates, asked.wanted)
    except ServiceError as exc:
        if not concerns_registration(exc):
            raise
        # a new subscription: what registers the provider comes after the preflight, and aks_cluster chooses again
        note = "the sizes are known only once the resource provider Microsoft.Compute is registered"
        task.warn(f"VM size preflight: {note}.")
        return Result(changed=False, values={"vm_size": None, "source": "unknown", "candidates": [], "notes": [note]})
    if selection.chosen is None:
        subject = f"VM size for {counted(asked.wanted.node_count, 'node')} in {asked.wanted.location}"
        failure = InvalidInput(subject, selection_problems("candidates", selection))
        failure.values["candidates"] = [verdict.as_dict() for verdict in selection.verdicts]
        raise failure
    return _result(_described(selection.chosen), list(selection.verdicts), source="candidates")


def _described(sku: Sku) -> dict[str, Any]:
    return {
        "name": sku.name,
        "family": sku.family,
        "vcpus": sku.vcpus,
        "memory_gb": sku.memory_gb,
        "architecture": sku.architecture,
    }


def _result(selected: dict[str, Any], verdicts: list[SizeVerdict], source: str) -> Result:
    size = selected["name"]
    values: dict[str, Any] = {
        "vm_size": size,
        "source": source,
        "selected": selected,
        "candidates": [verdict.as_dict() for verdict in verdicts],
    }
    return Result(changed=False, msg=f"{size} ({source.replace('_', ' ')})", values=values)


def size_request(params: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> SizeRequest:
    """What the options ask for: one of the pools of the option node_pools, or what the options say one by one."""
    if params.get("node_pools"):
        sizes = SizeSelection(
            candidates=tuple(params["candidates"]),
            architecture=params.get("architecture") or "",
            allow_burstable=params["allow_burstable"],
            surge_nodes=params["surge_nodes"],
        )
        pools = pool_specs(params["node_pools"])
        pool = next(pool for pool in pools if pool.name == params["node_pool"])
        asked = size_request_of(cluster, pools, pool, params["location"], sizes)
        wanted = replace(asked.wanted, min_memory_gb=params.get("min_memory_gb") or 0, gpu=params["gpu"])
        return replace(asked, wanted=wanted)
    return SizeRequest(tuple(params["candidates"]), _requirements(params))


def _requirements(params: Mapping[str, Any]) -> Requirements:
    return Requirements(
        location=params["location"],
        node_count=params["node_count"],
        surge_nodes=params["surge_nodes"],
        architecture=params.get("architecture") or "",
        allow_burstable=params["allow_burstable"],
        zones=tuple(str(zone) for zone in params.get("zones") or ()),
        system_pool=params["system_pool"],
        min_memory_gb=params.get("min_memory_gb") or 0,
        ephemeral_os_disk=params["ephemeral_os_disk"],
        gpu=params["gpu"],
    )


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of aks_sku_preflight."""
    return check(_RULES, params)


def _pool(params: Mapping[str, Any]) -> Iterator[Problem]:
    pools = [pool["name"] for pool in params.get("node_pools") or ()]
    if params.get("node_pools") is not None and params.get("node_pool") not in pools:
        yield Problem("node_pool", f"is none of node_pools: {', '.join(pools) or 'none is listed'}")
    elif not size_request(params, None).candidates:
        yield Problem("candidates", "name at least one size, for example Standard_D4s_v5")


def _name(option: str, kind: str) -> Rule[Mapping[str, Any]]:
    def rule(params: Mapping[str, Any]) -> list[Problem]:
        problem = names.name_problem(option, kind, params[option]) if params.get(option) else None
        return [] if problem is None else [problem]

    return rule


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    Check("location", lambda params: not params["location"].strip(), "is empty: name an Azure region, such as eastus2"),
    _pool,
    Check("node_count", lambda params: params["node_count"] < 1, "must be at least 1, is {node_count}"),
    Check("surge_nodes", lambda params: params["surge_nodes"] < 0, "must be at least 0, is {surge_nodes}"),
    _name("cluster_name", names.MANAGED_CLUSTERS),
    _name("resource_group", names.RESOURCE_GROUPS),
)


def _cluster(task: Task, arm: Arm) -> Mapping[str, Any] | None:
    """The cluster if it is named and exists; what was read for it is left for aks_cluster."""
    params = task.params
    if not params.get("cluster_name"):
        return None
    subscription = resolve_identity(params).subscription_id
    cluster = names.cluster_id(subscription, params["resource_group"], params["cluster_name"])
    version = names.api_version_of(names.MANAGED_CLUSTERS)
    body = cached_resource(task, cluster, keep=True)
    if body is None:
        try:
            body = arm.read(cluster, f"Reading AKS cluster {params['cluster_name']}", version).body
        except ServiceError as exc:
            if not concerns_registration(exc):
                raise
            # no provider, no cluster; the provider is registered by a later task
            return None
        cache_resource(task, cluster, body)
    return body


def _live_size(cluster: Mapping[str, Any] | None, name: str) -> str:
    """The size of the pool if it exists."""
    for pool in current_pools(cluster):
        if str(pool.get("name")).lower() == name.lower():
            return str(pool.get("vmSize") or "")
    return ""
