# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of aks_sku_preflight.

The size a node pool will get, the current one or the first candidate that region, subscription and quota allow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Check, InvalidInput, Problem, Rule, ServiceError, check, refuse
from ..run_cache import cache_resource, cached_resource
from ..task import Result, Task
from ..text import counted
from . import names
from .aks.spec import SizeRequest, SizeSelection, current_pools, pool_specs, size_request_of
from .client import Arm
from .errors import concerns_registration, parse_error
from .options import resolve_identity
from .sku import (
    Quota,
    Requirements,
    Selection,
    SizeVerdict,
    Sku,
    find_skus,
    judge,
    quotas_of,
    select_size,
    with_promise,
)

_COMPUTE = "/subscriptions/{}/providers/Microsoft.Compute"
# answers that leave the decision to the service: no right to ask, or no provider registered yet
_UNDECIDED = (401, 403, 409)


def offered_versions(arm: Arm, location: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The service's list of versions, none where it leaves the question open, and what is wrong with the location."""
    place = plain_location(location)
    base = f"/subscriptions/{arm.subscription_id}/providers/Microsoft.ContainerService/locations/{place}"
    version_list = names.api_version_of("Microsoft.ContainerService/locations/kubernetesVersions")
    url = arm.url(f"{base}/kubernetesVersions", version_list)
    response = arm.call("GET", url, f"Listing the Kubernetes versions of {place}")
    if response.status in _UNDECIDED:
        return [], []
    if response.status != 200:
        error = parse_error(response.json_or_none())
        return [], [Problem("location", f"{error.message or place} ({error.code or response.status})")]
    return (response.json_or_none() or {}).get("values") or [], []


def find_sizes(arm: Arm, asked: Sequence[SizeRequest]) -> list[Selection]:
    """A size for each of `asked`, in their order: what one takes of the quota is not there for the next.

    Two kinds of requests for each location: its sizes (some pages), and its usages when a candidate is in sight.
    """
    places = [plain_location(request.wanted.location) for request in asked]
    found: dict[int, Selection] = {}
    for location in dict.fromkeys(places):
        here = [index for index, place in enumerate(places) if place == location]
        found.update(zip(here, _find_in(arm, location, [asked[index] for index in here])))
    return [found[index] for index in range(len(asked))]


def _find_in(arm: Arm, location: str, asked: Sequence[SizeRequest]) -> list[Selection]:
    skus = sizes_of(arm, location)
    quotas: dict[str, Quota] = {}
    if any(select_size(request.candidates, skus, {}, request.wanted).chosen for request in asked):
        version = names.api_version_of("Microsoft.Compute/locations/usages")
        path = f"{_COMPUTE.format(arm.subscription_id)}/locations/{location}/usages"
        quotas = quotas_of(arm.listed(path, f"Reading the quota of {location}", version))
    found = []
    for request in asked:
        selection = select_size(request.candidates, skus, quotas, request.wanted)
        # a size that the pool names is taken whatever is against it
        taken = skus.get(request.candidates[0].lower()) if request.named else selection.chosen
        others = () if selection.chosen else alternatives(request.candidates, skus, quotas, request.wanted)
        if taken is not None:
            quotas = with_promise(quotas, taken, request.wanted)
        found.append(replace(selection, offers=bool(skus), alternatives=others))
    return found


def sizes_of(arm: Arm, location: str) -> dict[str, Sku]:
    """Every size of a location, by lower-case name."""
    location = plain_location(location)
    query = {"$filter": f"location eq '{location}'"}
    version = names.api_version_of("Microsoft.Compute/skus")
    path = f"{_COMPUTE.format(arm.subscription_id)}/skus"
    pages = arm.pages(path, f"Listing the virtual machine sizes of {location}", version, query)
    return find_skus((page.body for page in pages), location)


def plain_location(location: str) -> str:
    """As the service spells it in paths: `East US 2` is eastus2."""
    return location.replace(" ", "").lower()


def selection_problems(path: str, selection: Selection, location: str) -> list[Problem]:
    """Every reason, with the candidates that it is about, and what would help."""
    if not selection.offers:
        # what is wrong with the candidates follows from that
        stated = (
            f"{location!r} has no virtual machine sizes for this subscription: it is not a region, or not one of "
            'its own. List them: az account list-locations --query "[].name"'
        )
        return [Problem("location", stated)]
    by_reason: dict[str, list[str]] = {}
    for verdict in selection.verdicts:
        by_reason.setdefault("; ".join(verdict.reasons), []).append(verdict.candidate)
    problems = [Problem(f"{path}[{', '.join(names)}]", reason) for reason, names in by_reason.items()]
    return [*problems, Problem(path, f"none of them fits: {selection.advice()}")]


def converge(task: Task) -> Result:
    params = task.params
    refuse("VM size preflight", problems(params))
    arm = Arm.connect(task)
    named = params.get("cluster_name")
    cluster = read_cluster(task, arm, params["resource_group"], named) if named else None
    live = _live_size(cluster, params.get("node_pool") or "")
    if live:
        # a pool that exists keeps its size: changing it would mean another pool
        verdict = SizeVerdict(live, (), ("is the size of the existing pool",))
        return _result({"name": live}, [verdict], source="existing_pool")
    try:
        asked = size_requests(params, cluster)
        selection = find_sizes(arm, list(asked.values()))[list(asked).index(params.get("node_pool") or "")]
        wanted = asked[params.get("node_pool") or ""].wanted
    except ServiceError as exc:
        if not concerns_registration(exc):
            raise
        # a new subscription: what registers the provider comes after the preflight, and aks_cluster chooses again
        note = "the sizes are known only once the resource provider Microsoft.Compute is registered"
        task.warn(f"VM size preflight: {note}.")
        return Result(changed=False, values={"vm_size": None, "source": "unknown", "candidates": [], "notes": [note]})
    if selection.chosen is None:
        subject = f"VM size for {counted(wanted.node_count, 'node')} in {wanted.location}"
        failure = InvalidInput(subject, selection_problems("candidates", selection, wanted.location))
        failure.values["candidates"] = [verdict.as_dict() for verdict in selection.verdicts]
        raise failure
    return _result(_described(selection.chosen), list(selection.verdicts), source="candidates")


def _described(sku: Sku) -> dict[str, Any]:
    return {name: getattr(sku, name) for name in ("name", "family", "vcpus", "memory_gb", "architecture")}


def _result(selected: dict[str, Any], verdicts: list[SizeVerdict], source: str) -> Result:
    size = selected["name"]
    values: dict[str, Any] = {
        "vm_size": size,
        "source": source,
        "selected": selected,
        "candidates": [verdict.as_dict() for verdict in verdicts],
    }
    return Result(changed=False, msg=f"{size} ({source.replace('_', ' ')})", values=values)


def size_requests(params: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> dict[str, SizeRequest]:
    """What the options ask for, by pool: each new one of the option node_pools, or what the options say one by one."""
    name = params.get("node_pool") or ""
    if not params.get("node_pools"):
        wanted = Requirements(
            **{option: params[option] for option in _OF_THE_SIZE},
            **_choice(params),
            zones=tuple(map(str, params.get("zones") or ())),
            min_memory_gb=params.get("min_memory_gb") or 0,
            os_disk_gb=params.get("os_disk_size_gb") or 0,
        )
        return {name: SizeRequest(tuple(params["candidates"]), wanted)}
    sizes = SizeSelection(candidates=tuple(params["candidates"]), **_choice(params))
    pools = pool_specs(params["node_pools"])
    present = {str(pool.get("name")).lower() for pool in current_pools(cluster)}
    fresh = [pool for pool in pools if pool.name.lower() not in present]
    asked = {pool.name: size_request_of(cluster, pools, pool, params["location"], sizes) for pool in fresh}
    if name in asked:
        own = asked[name].wanted
        least = max(own.min_memory_gb, params.get("min_memory_gb") or 0)
        asked[name] = replace(asked[name], wanted=replace(own, min_memory_gb=least, gpu=own.gpu or params["gpu"]))
    return asked


# options that are requirements as they are
_OF_THE_SIZE = ("location", "node_count", "system_pool", "ephemeral_os_disk", "gpu", "spot")


def _choice(params: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of a size in either way."""
    asked = {option: params[option] for option in ("allow_burstable", "surge_nodes")}
    return {**asked, "architecture": params.get("architecture") or ""}


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of aks_sku_preflight."""
    return check(_RULES, params)


def _pool(params: Mapping[str, Any]) -> Iterator[Problem]:
    pools = [pool["name"] for pool in params.get("node_pools") or ()]
    if params.get("node_pools") is not None and params.get("node_pool") not in pools:
        yield Problem("node_pool", f"is none of node_pools: {', '.join(pools) or 'none is listed'}")
    elif not size_requests(params, None)[params.get("node_pool") or ""].candidates:
        yield Problem("candidates", "name at least one size, for example Standard_D4s_v5")


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    Check("location", lambda params: not params["location"].strip(), "is empty: name an Azure region, such as eastus2"),
    _pool,
    Check("node_count", lambda params: params["node_count"] < 1, "must be at least 1, is {node_count}"),
    Check("surge_nodes", lambda params: params["surge_nodes"] < 0, "must be at least 0, is {surge_nodes}"),
    names.name_rule("cluster_name", names.MANAGED_CLUSTERS),
    names.name_rule("resource_group", names.RESOURCE_GROUPS),
)


def read_cluster(task: Task, arm: Arm, resource_group: str, name: str) -> dict[str, Any] | None:
    """The cluster if it exists; what was read for it is left for aks_cluster."""
    cluster = names.cluster_id(resolve_identity(task.params).subscription_id, resource_group, name)
    version = names.api_version_of(names.MANAGED_CLUSTERS)
    body = cached_resource(task, cluster, keep=True)
    if body is None:
        try:
            body = arm.read(cluster, f"Reading AKS cluster {name}", version).body
        except ServiceError as exc:
            if not concerns_registration(exc):
                raise
            # no provider, no cluster; the provider is registered by a later task
            return None
        cache_resource(task, cluster, body)
    return body


def _live_size(cluster: Mapping[str, Any] | None, name: str) -> str:
    """The size of the pool if it exists."""
    pools = {str(pool.get("name")).lower(): pool for pool in current_pools(cluster)}
    return str(pools.get(name.lower(), {}).get("vmSize") or "")


# --- where no declared size fits: those of the region that would, the ones most like the wanted one first

MOST = 3
# the generation of a size is the number behind the last underscore: Standard_D4s_v5
_GENERATION = re.compile(r"_v(\d+)$", re.IGNORECASE)
# the letters that say what a size is for: D of Standard_D4s_v5, NC of Standard_NC4as_T4_v3
_SERIES = re.compile(r"_([A-Z]+)\d", re.IGNORECASE)
# without a candidate that the region knows, as small as a system pool may be
_LEAST_VCPUS, _LEAST_MEMORY_GB = 2, 8.0


def alternatives(
    candidates: Sequence[str], skus: Mapping[str, Sku], quotas: Mapping[str, Quota], wanted: Requirements
) -> tuple[str, ...]:
    """Names of sizes that are no candidates and fit, at most three of them; `skus` and `quotas` as select_size."""
    tried = {name.lower() for name in candidates}
    fitting = [sku for name, sku in skus.items() if name not in tried and judge(sku.name, sku, quotas, wanted).viable]
    likened = next((skus[name.lower()] for name in candidates if name.lower() in skus), None)
    series = _series(likened.name if likened is not None else next(iter(candidates), ""))
    vcpus = max(likened.usable_vcpus if likened is not None else 0, _LEAST_VCPUS)
    memory = likened.memory_gb if likened is not None and likened.memory_gb else _LEAST_MEMORY_GB
    memory = max(memory, wanted.min_memory_gb)

    def rank(sku: Sku) -> tuple[bool, bool, float, int, str]:
        # a node pool of GPUs that nobody asked for costs ten times as much
        distance = abs(math.log2(sku.usable_vcpus / vcpus)) + abs(math.log2(max(sku.memory_gb, 0.1) / memory))
        costly = bool(sku.gpus) and not wanted.gpu
        return costly, _series(sku.name) != series, round(distance, 3), -_generation(sku.name), sku.name

    return tuple(sku.name for sku in sorted(fitting, key=rank)[:MOST])


def _series(name: str) -> str:
    found = _SERIES.search(name)
    return found[1].upper() if found else ""


def _generation(name: str) -> int:
    found = _GENERATION.search(name)
    return int(found[1]) if found else 1
