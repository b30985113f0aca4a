# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task declares about an AKS cluster, as the ARM body it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.bodies import tag_values
from ansible_collections.mcpops.platform.plugins.module_utils.arm.ownership import Owner
from ansible_collections.mcpops.platform.plugins.module_utils.arm.typed_values import typed
from ansible_collections.mcpops.platform.plugins.module_utils.merge import overlay

# the models of raw properties
CLUSTER_MODEL = "ManagedClusterProperties"
POOL_MODEL = "ManagedClusterAgentPoolProfile"

# option: path in the body. A row is all that a new scalar option needs.
CLUSTER_OPTIONS: dict[str, tuple[str, ...]] = {
    "location": ("location",),
    "kubernetes_version": ("properties", "kubernetesVersion"),
    "sku_tier": ("sku", "tier"),
    "oidc_issuer": ("properties", "oidcIssuerProfile", "enabled"),
    "workload_identity": ("properties", "securityProfile", "workloadIdentity", "enabled"),
    "dns_prefix": ("properties", "dnsPrefix"),
    "node_resource_group": ("properties", "nodeResourceGroup"),
}
NETWORK_OPTIONS = {
    "plugin": "networkPlugin",
    "plugin_mode": "networkPluginMode",
    "policy": "networkPolicy",
    "pod_cidr": "podCidr",
    "service_cidr": "serviceCidr",
    "dns_service_ip": "dnsServiceIP",
}
POOL_OPTIONS = {
    "name": "name",
    "mode": "mode",
    "count": "count",
    "enable_auto_scaling": "enableAutoScaling",
    "min_count": "minCount",
    "max_count": "maxCount",
    "vm_size": "vmSize",
    "os_disk_type": "osDiskType",
    "os_disk_size_gb": "osDiskSizeGB",
    "os_sku": "osSKU",
    "max_pods": "maxPods",
    "labels": "nodeLabels",
    "taints": "nodeTaints",
    "zones": "availabilityZones",
}


@dataclass(frozen=True)
class PoolSpec:
    """One declared node pool; `declared` is its inline profile as far as the task says."""

    name: str
    declared: dict[str, Any]
    candidates: tuple[str, ...] = ()
    purge_labels: bool = False


@dataclass(frozen=True)
class SizeSelection:
    """How a size is found for a new pool that names none: what the role asks the preflight for, too."""

    candidates: tuple[str, ...] = ()
    architecture: str = ""
    # whoever lists a burstable candidate wants it, if nothing else is said
    allow_burstable: bool = True
    surge_nodes: int = 1


@dataclass(frozen=True)
class ClusterSpec:
    id: str
    name: str
    resource_group: str
    declared: dict[str, Any] = field(default_factory=dict)
    pools: tuple[PoolSpec, ...] = ()
    kubernetes_version: str = ""
    purge_tags: bool = False
    purge_node_pools: bool = False
    owner: Owner | None = None
    force_delete: bool = False
    sizes: SizeSelection = SizeSelection()

    @property
    def subject(self) -> str:
        return f"AKS cluster {self.name}"


def cluster_spec(params: Mapping[str, Any], subscription_id: str) -> ClusterSpec:
    """The spec that the options stand for; `cluster_validate` says what is wrong with them."""
    return ClusterSpec(
        id=names.cluster_id(subscription_id, params["resource_group"], params["name"]),
        name=params["name"],
        resource_group=params["resource_group"],
        declared=_declared(params),
        pools=pool_specs(params.get("node_pools")),
        kubernetes_version=params.get("kubernetes_version") or "",
        purge_tags=bool(params.get("purge_tags")),
        purge_node_pools=bool(params.get("purge_node_pools")),
        owner=Owner.from_params(params),
        force_delete=bool(params.get("force_delete")),
        sizes=_sizes(params.get("vm_size_selection") or {}),
    )


def _sizes(declared: Mapping[str, Any]) -> SizeSelection:
    said = {option: value for option, value in declared.items() if value is not None}
    return SizeSelection(**{**said, "candidates": tuple(said.get("candidates", ()))})


def _declared(params: Mapping[str, Any]) -> dict[str, Any]:
    declared: dict[str, Any] = {}
    for option, path in CLUSTER_OPTIONS.items():
        if params.get(option) is not None:
            _put(declared, path, params[option])
    if params.get("tags") is not None:
        declared["tags"] = tag_values(params["tags"])[0]
    if params.get("identity") is not None:
        declared["identity"] = _identity(params["identity"])
    for option, key in NETWORK_OPTIONS.items():
        value = (params.get("network") or {}).get(option)
        if value is not None:
            _put(declared, ("properties", "networkProfile", key), value)
    if params.get("properties"):
        raw = typed(params["properties"], CLUSTER_MODEL)[0]
        # where an option and a raw key say the same, validation has objected
        declared["properties"] = overlay(declared.get("properties", {}), raw)
    return declared


def _identity(declared: Mapping[str, Any]) -> dict[str, Any]:
    ids = declared.get("user_assigned_identities")
    return {
        "type": declared["type"],
        **({"userAssignedIdentities": {item: {} for item in ids}} if ids is not None else {}),
    }


def pool_specs(declared: Sequence[Mapping[str, Any]] | None) -> tuple[PoolSpec, ...]:
    """The option node_pools; raw properties count like the options that stand for the same."""
    return tuple(_pool(pool) for pool in declared or ())


def _pool(declared: Mapping[str, Any]) -> PoolSpec:
    body = {key: declared[option] for option, key in POOL_OPTIONS.items() if declared.get(option) is not None}
    raw = typed(declared.get("properties") or {}, POOL_MODEL)[0]
    return PoolSpec(
        name=declared["name"],
        declared=overlay(typed(body, POOL_MODEL)[0], raw),
        candidates=tuple(declared.get("vm_size_candidates") or ()),
        purge_labels=bool(declared.get("purge_labels")),
    )


def _put(target: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = value
