# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to change at a cluster, decided without asking anybody: declared values laid over what stands.

The cluster and each of its pools are written by requests of their own. A pool operation changes the eTag of the pool
and not the cluster's (https://learn.microsoft.com/azure/aks/use-etags): a PUT of the cluster that carried pools would
set back, unnoticed, what others did to them meanwhile. Pools that it leaves out stay as they are, which is how Cluster
API for Azure updates clusters; a new one in it is refused anyway ("Adding agent pools to an existing cluster is not
allowed through managed cluster operations").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import bodies, names, ownership, write_only
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_pools import (
    declared_pools,
    failed_pools,
    standing_pools,
    surplus_pools,
    with_agreeing_counts,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_rules import (
    POOLS,
    cluster_rules,
    refusals,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import ClusterSpec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_version import version_step
from ansible_collections.mcpops.platform.plugins.module_utils.arm.service_fields import not_sent
from ansible_collections.mcpops.platform.plugins.module_utils.arm.waiting import failed, provisioning_state
from ansible_collections.mcpops.platform.plugins.module_utils.compare import merge
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.merge import overlay
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal

Body = dict[str, Any]

_CLUSTER_VERSION = names.api_version_of(names.MANAGED_CLUSTERS)
_POOL_VERSION = names.api_version_of(names.AGENT_POOLS)


@dataclass(frozen=True)
class Step:
    """One request: to the cluster, or to the node pool that `pool` names. `changes` are what it makes."""

    method: str
    changes: tuple[Change, ...]
    pool: str = ""
    body: Any = None
    etag: str = ""
    create: bool = False


@dataclass(frozen=True)
class ClusterPlan(Plan):
    """`body` is the cluster's PUT; `steps` are the requests in their order, each planned again after the one before."""

    steps: tuple[Step, ...] = ()


def plan_cluster(current: Body | None, spec: ClusterSpec) -> ClusterPlan:
    return _creation(spec) if current is None else _update(current, spec)


def _creation(spec: ClusterSpec) -> ClusterPlan:
    defaults: Body = {
        "identity": {"type": "SystemAssigned"},
        "properties": {"dnsPrefix": default_dns_prefix(spec.name), "enableRBAC": True},
    }
    if "sku" in spec.declared:
        defaults["sku"] = {"name": "Base"}
    declared = overlay(defaults, spec.declared)
    if spec.owner is not None:
        declared["tags"] = {**declared.get("tags", {}), **spec.owner.tags()}
    declared["properties"]["agentPoolProfiles"] = declared_pools([], spec)
    merged = merge({}, declared, cluster_rules(spec.purge_tags))
    body = bodies.without(merged.value, ())
    changes = write_only.hidden(merged.changes)
    return ClusterPlan(
        spec.subject, changes, body=body, is_new=True, steps=(Step("PUT", changes, body=body, create=True),)
    )


def _update(current: Body, spec: ClusterSpec) -> ClusterPlan:
    pools = standing_pools(current)
    declared = dict(spec.declared)
    declared["properties"] = dict(declared.get("properties", {}))
    step = version_step(current, spec.kubernetes_version)
    if step.settled:
        declared["properties"].pop("kubernetesVersion", None)
    if spec.pools:
        declared["properties"]["agentPoolProfiles"] = declared_pools(pools, spec)
    _spell_like(current, declared, spec)
    rules = cluster_rules(spec.purge_tags)
    compared, unanswered = write_only.comparable(declared, current)
    changes = list(write_only.hidden(merge(current, compared, rules).changes))
    surplus, kept = surplus_pools(pools, spec)
    changes += [Change(f"{POOLS}[{pool['name']}]", pool, ABSENT) for pool in surplus]
    refused = [*step.refused, *refusals(changes)]
    broken, told = failed_pools(pools, spec)
    changes += [
        Change(f"{_place(pool)}.provisioningState", pool["provisioningState"], "Succeeded")
        for pool in broken
        if not any(_is_of(change, pool) for change in changes)
    ]
    if failed(current) and all(change.path.startswith(POOLS) for change in changes):
        changes.append(Change("properties.provisioningState", provisioning_state(current), "Succeeded"))
    wanted = merge(current, declared, rules).value
    _require_system_pool(wanted, spec)
    steps = tuple(_steps(current, wanted, changes))
    notes = [*step.notes, *kept, *told, *write_only.note(unanswered), *_stranger(current, spec)]
    return ClusterPlan(
        spec.subject, tuple(changes), tuple(refused), _cluster_body(wanted, changes), tuple(notes), steps=steps
    )


def _steps(current: Body, wanted: Body, changes: list[Change]) -> Iterator[Step]:
    """The cluster (its version bounds the pools'), then new pools, changed ones, and those that go."""
    own = tuple(change for change in changes if not change.path.startswith(POOLS))
    if own:
        yield Step("PUT", own, body=_cluster_body(wanted, changes), etag=str(current.get("eTag") or ""))
    standing = {_place(pool): pool for pool in standing_pools(current)}
    after = {_place(pool): pool for pool in standing_pools(wanted)}
    new = [place for place in after if place not in standing]
    gone = {change.path for change in changes if change.after is ABSENT and change.path in standing}
    for place in [*new, *(place for place in after if place in standing and place not in gone)]:
        theirs = tuple(change for change in changes if change.path == place or change.path.startswith(f"{place}."))
        if theirs:
            found = standing.get(place)
            etag = str((found or {}).get("eTag") or "")
            name = str((found or after[place])["name"])
            yield Step("PUT", theirs, name, _pool_body(after[place], theirs, place), etag, create=found is None)
    for place in gone:
        pool = standing[place]
        theirs = tuple(change for change in changes if change.path == place)
        yield Step("DELETE", theirs, str(pool["name"]), etag=str(pool.get("eTag") or ""))


def _place(pool: Mapping[str, Any]) -> str:
    return f"{POOLS}[{pool.get('name')}]"


def _is_of(change: Change, pool: Mapping[str, Any]) -> bool:
    place = _place(pool).lower()
    return change.path.lower() == place or change.path.lower().startswith(f"{place}.")


def _cluster_body(wanted: Body, changes: list[Change]) -> Body:
    changed = [change.path for change in changes]
    body = bodies.without(wanted, not_sent(names.MANAGED_CLUSTERS, _CLUSTER_VERSION, changed))
    body["properties"].pop("agentPoolProfiles", None)
    return body


def _pool_body(pool: Mapping[str, Any], changes: tuple[Change, ...], place: str) -> Body:
    properties = {key: value for key, value in with_agreeing_counts(dict(pool)).items() if key != "name"}
    if [change.path for change in changes] == [place]:
        # a new pool: all that it has was declared
        changed = [f"properties.{key}" for key in properties]
    else:
        changed = [change.path.replace(place, "properties", 1) for change in changes]
    return bodies.without({"properties": properties}, not_sent(names.AGENT_POOLS, _POOL_VERSION, changed))


def default_dns_prefix(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9-]", "-", name)[:54].strip("-") or "aks"


def _spell_like(current: Body, declared: Body, spec: ClusterSpec) -> None:
    """Names of tags and ids of identities ignore case; a purge does not remove the mark of ownership."""
    if "tags" in declared:
        standing = current.get("tags") or {}
        marks = {name: value for name, value in standing.items() if spec.purge_tags and name.lower() in _MARKS}
        declared["tags"] = {**marks, **bodies.spelled_like(standing, declared["tags"])}
    identity = declared.get("identity")
    if identity and "userAssignedIdentities" in identity:
        standing = (current.get("identity") or {}).get("userAssignedIdentities")
        spelled = bodies.spelled_like(standing, identity["userAssignedIdentities"])
        declared["identity"] = {**identity, "userAssignedIdentities": spelled}
    addons = declared["properties"].get("addonProfiles")
    if addons:
        # omsagent is answered where omsAgent was sent, and the other way round (recorded traffic)
        standing = (current.get("properties") or {}).get("addonProfiles")
        declared["properties"]["addonProfiles"] = bodies.spelled_like(standing, addons)


_MARKS = (ownership.COLLECTION_TAG, ownership.HOST_TAG, ownership.ENVIRONMENT_TAG)


def _require_system_pool(body: Mapping[str, Any], spec: ClusterSpec) -> None:
    """Only now is it known which pools there will be."""
    pools = body["properties"]["agentPoolProfiles"]
    if pools and not any(str(pool.get("mode")).lower() == "system" for pool in pools):
        sentence = "the cluster would be left without a pool of mode System: keep one"
        raise InvalidInput(spec.subject, [Problem("node_pools", sentence)])


def _stranger(current: Body, spec: ClusterSpec) -> list[str]:
    stranger = ownership.foreign(current, spec.owner) if spec.owner is not None else None
    if stranger is None:
        return []
    return [f"{spec.subject} carries the tags of inventory host {stranger}: two hosts declare one cluster"]


def plan_removal(current: Body | None, spec: ClusterSpec) -> Plan:
    if current is None:
        return Plan(spec.subject)
    refused: list[Refusal] = ownership.refuse_deletion(current, spec.owner, spec.force_delete, always=False)
    shown = {key: current[key] for key in ("id", "location", "tags") if key in current}
    return Plan(spec.subject, (Change("", shown, ABSENT),), tuple(refused))
