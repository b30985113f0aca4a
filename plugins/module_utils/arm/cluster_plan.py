# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to change at a cluster, decided without asking anybody: declared values laid over what stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import bodies, ownership
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_pools import (
    declared_pools,
    repaired_counts,
    surplus_pools,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_rules import (
    POOLS,
    READ_ONLY,
    cluster_rules,
    refusals,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import ClusterSpec, overlay
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_version import version_step
from ansible_collections.mcpops.platform.plugins.module_utils.arm.waiting import failed, provisioning_state
from ansible_collections.mcpops.platform.plugins.module_utils.compare import merge
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal

Body = dict[str, Any]


def plan_cluster(current: Body | None, spec: ClusterSpec) -> Plan:
    """`body` is the PUT; pools that go are in `surplus_pools` and are deleted one by one."""
    return _creation(spec) if current is None else _update(current, spec)


def _creation(spec: ClusterSpec) -> Plan:
    defaults: Body = {
        "identity": {"type": "SystemAssigned"},
        "properties": {"dnsPrefix": default_dns_prefix(spec.name), "enableRBAC": True},
    }
    declared = overlay(defaults, spec.declared)
    if spec.owner is not None:
        declared["tags"] = {**declared.get("tags", {}), **spec.owner.tags()}
    declared["properties"]["agentPoolProfiles"] = declared_pools([], spec)
    merged = merge({}, declared, cluster_rules(spec.purge_tags))
    return Plan(spec.subject, merged.changes, body=bodies.without(merged.value, ()), is_new=True)


def _update(current: Body, spec: ClusterSpec) -> Plan:
    properties = current.get("properties") or {}
    pools = properties.get("agentPoolProfiles") or []
    declared = dict(spec.declared)
    declared["properties"] = dict(declared.get("properties", {}))
    step = version_step(current, spec.kubernetes_version)
    if step.settled:
        declared["properties"].pop("kubernetesVersion", None)
    if spec.pools:
        declared["properties"]["agentPoolProfiles"] = declared_pools(pools, spec)
    _spell_like(current, declared, spec)
    merged = merge(current, declared, cluster_rules(spec.purge_tags))
    changes = list(merged.changes)
    surplus, kept = surplus_pools(pools, spec)
    changes += [Change(f"{POOLS}[{pool['name']}]", pool, ABSENT) for pool in surplus]
    refused = [*step.refused, *refusals(changes)]
    if failed(current) and not changes:
        changes.append(Change("properties.provisioningState", provisioning_state(current), "Succeeded"))
    body = bodies.without(merged.value, READ_ONLY)
    body["properties"]["agentPoolProfiles"] = repaired_counts(body["properties"].get("agentPoolProfiles") or [])
    _require_system_pool(body, spec)
    notes = [*step.notes, *kept, *_stranger(current, spec)]
    return Plan(spec.subject, tuple(changes), tuple(refused), body, tuple(notes))


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
