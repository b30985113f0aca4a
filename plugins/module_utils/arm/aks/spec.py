# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task declares about an AKS cluster and its node pools, as the ARM bodies that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...compare import overlay
from .. import names
from ..compare import tag_values, typed_body
from ..names import DeclaredResource, Owner
from ..reconcile import is_failed_state
from ..sku import Requirements

POOL_ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["System", "User", "Gateway"]},
    "count": {"type": "int"},
    "enable_auto_scaling": {"type": "bool"},
    "min_count": {"type": "int"},
    "max_count": {"type": "int"},
    "vm_size": {"type": "str"},
    "vm_size_candidates": {"type": "list", "elements": "str"},
    "min_memory_gb": {"type": "float"},
    "gpu": {"type": "bool", "default": False},
    "os_disk_type": {"type": "str", "choices": ["Managed", "Ephemeral"]},
    "os_disk_size_gb": {"type": "int"},
    "os_sku": {"type": "str"},
    "max_pods": {"type": "int"},
    "labels": {"type": "dict"},
    "purge_labels": {"type": "bool", "default": False},
    "taints": {"type": "list", "elements": "str"},
    "zones": {"type": "list", "elements": "str"},
    "properties": {"type": "dict"},
}

_NETWORK_OPTIONS: dict[str, Any] = {
    "plugin": {"type": "str", "choices": ["azure", "kubenet", "none"]},
    "plugin_mode": {"type": "str", "choices": ["overlay"]},
    "policy": {"type": "str", "choices": ["azure", "calico", "cilium", "none"]},
    "pod_cidr": {"type": "str"},
    "service_cidr": {"type": "str"},
    "dns_service_ip": {"type": "str"},
}
_IDENTITY_OPTIONS: dict[str, Any] = {
    "type": {"type": "str", "choices": ["SystemAssigned", "UserAssigned"], "required": True},
    "user_assigned_identities": {"type": "list", "elements": "str"},
}
_SIZE_OPTIONS: dict[str, Any] = {
    "candidates": {"type": "list", "elements": "str"},
    "architecture": {"type": "str", "choices": ["x64", "amd64", "arm64"]},
    "allow_burstable": {"type": "bool", "default": True},
    "surge_nodes": {"type": "int", "default": 1},
    "try_next": {"type": "bool", "default": True},
    "chosen": {"type": "dict"},
}
CLUSTER_ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "resource_group": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "location": {"type": "str"},
    "kubernetes_version": {"type": "str"},
    "sku_tier": {"type": "str", "choices": ["Free", "Standard", "Premium"]},
    "identity": {"type": "dict", "options": _IDENTITY_OPTIONS},
    "oidc_issuer": {"type": "bool"},
    "workload_identity": {"type": "bool"},
    "dns_prefix": {"type": "str"},
    "node_resource_group": {"type": "str"},
    "node_pools": {"type": "list", "elements": "dict", "options": POOL_ARGUMENTS},
    "vm_size_selection": {"type": "dict", "options": _SIZE_OPTIONS},
    "purge_node_pools": {"type": "bool", "default": False},
    "network": {"type": "dict", "options": _NETWORK_OPTIONS},
    "properties": {"type": "dict"},
}
"""What declares a cluster: of aks_cluster, and of whatever looks at the declaration before."""


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
    min_memory_gb: float = 0
    gpu: bool = False


@dataclass(frozen=True)
class SizeSelection:
    """How a size is found for a new pool that names none: what the role asks the preflight for, too."""

    candidates: tuple[str, ...] = ()
    architecture: str = ""
    # whoever lists a burstable candidate wants it, if nothing else is said
    allow_burstable: bool = True
    surge_nodes: int = 1
    # whether a refusal of Azure is followed by the next candidate
    try_next: bool = True
    chosen: Mapping[str, str] = field(default_factory=dict)
    """Of the candidates of a pool, by its name, the one that was found for it beside those of other clusters."""


@dataclass(frozen=True, kw_only=True)
class ClusterSpec(DeclaredResource):
    api_version: str = names.api_version_of(names.MANAGED_CLUSTERS)
    resource_group: str
    pools: tuple[PoolSpec, ...] = ()
    kubernetes_version: str = ""
    purge_node_pools: bool = False
    sizes: SizeSelection = SizeSelection()

    @property
    def subject(self) -> str:
        return f"AKS cluster {self.name}"

    def declares(self, pool: Mapping[str, Any]) -> bool:
        """Whether this existing pool is one of the declared ones; names ignore case."""
        return any(one.name.lower() == str(pool.get("name")).lower() for one in self.pools)


def cluster_spec(params: Mapping[str, Any], subscription_id: str) -> ClusterSpec:
    """The spec that the options stand for; `validate` says what is wrong with them."""
    declared = _declared(params)
    return ClusterSpec(
        id=names.cluster_id(subscription_id, params["resource_group"], params["name"]),
        name=params["name"],
        resource_group=params["resource_group"],
        declared=declared,
        pools=pool_specs(params.get("node_pools")),
        kubernetes_version=str((declared.get("properties") or {}).get("kubernetesVersion") or ""),
        purge_node_pools=bool(params.get("purge_node_pools")),
        sizes=_sizes(params.get("vm_size_selection") or {}),
        **names.owned_options(params),
    )


def _sizes(declared: Mapping[str, Any]) -> SizeSelection:
    stated = {option: value for option, value in declared.items() if value is not None}
    return SizeSelection(**{**stated, "candidates": tuple(stated.get("candidates", ()))})


def _declared(params: Mapping[str, Any]) -> dict[str, Any]:
    network = params.get("network") or {}
    given: dict[tuple[str, ...], Any] = {
        **{path: params.get(option) for option, path in CLUSTER_OPTIONS.items()},
        ("tags",): tag_values(params["tags"])[0] if params.get("tags") is not None else None,
        ("identity",): _identity(params["identity"]) if params.get("identity") is not None else None,
        **{("properties", "networkProfile", key): network.get(option) for option, key in NETWORK_OPTIONS.items()},
    }
    declared: dict[str, Any] = {}
    for path, value in given.items():
        if value is not None:
            _put(declared, path, value)
    if params.get("properties"):
        raw = typed_body(params["properties"], CLUSTER_MODEL)[0]
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
    raw = typed_body(declared.get("properties") or {}, POOL_MODEL)[0]
    return PoolSpec(
        name=declared["name"],
        declared=overlay(typed_body(body, POOL_MODEL)[0], raw),
        candidates=tuple(declared.get("vm_size_candidates") or ()),
        purge_labels=bool(declared.get("purge_labels")),
        min_memory_gb=float(declared.get("min_memory_gb") or 0),
        gpu=bool(declared.get("gpu")),
    )


def _put(target: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = value


Pool = dict[str, Any]
# labels that AKS itself puts on pools (spot priority): a purge leaves them
_AKS_LABEL_PREFIX = "kubernetes.azure.com/"


def declared_pools(existing: list[Pool], spec: ClusterSpec) -> list[Pool]:
    """What the task declares of each pool, as far as it has a say there."""
    by_name = {str(pool.get("name")).lower(): pool for pool in existing}
    return [
        _of_current(found, pool)
        if (found := by_name.get(pool.name.lower())) is not None
        else _of_new(pool, mode_of_new(existing, spec.pools, pool), spec.owner)
        for pool in spec.pools
    ]


def current_pools(body: Mapping[str, Any] | None) -> list[Pool]:
    """The inline pools of a cluster as it was read; none of one that does not exist."""
    return ((body or {}).get("properties") or {}).get("agentPoolProfiles") or []


def mode_of_new(existing: Sequence[Mapping[str, Any]], pools: Sequence[PoolSpec], pool: PoolSpec) -> str:
    """A cluster needs a system pool: where no mode is said at all, the first pool of a new cluster is it."""
    decided = bool(existing) or any(other.declared.get("mode") for other in pools)
    first = pools[0].name == pool.name
    return str(pool.declared.get("mode") or ("System" if first and not decided else "User"))


def _of_new(pool: PoolSpec, mode: str, owner: Owner | None) -> Pool:
    count = pool.declared.get("minCount") if pool.declared.get("enableAutoScaling") else None
    defaults = {"mode": mode, "count": count or 1, "osType": "Linux", "type": "VirtualMachineScaleSets"}
    return names.with_owner({**defaults, **pool.declared}, owner)


def _of_current(found: Pool, pool: PoolSpec) -> Pool:
    body = dict(pool.declared)
    if body.get("enableAutoScaling", found.get("enableAutoScaling")):
        # the autoscaler moves it; a declared count is only where it starts
        body.pop("count", None)
    if body.get("osDiskSizeGB") == 0:
        # 0 asks for the size's default, which the service answers as a number
        del body["osDiskSizeGB"]
    if pool.purge_labels and "nodeLabels" in body:
        surplus = {
            name: None
            for name in found.get("nodeLabels") or {}
            if name not in body["nodeLabels"] and not name.startswith(_AKS_LABEL_PREFIX)
        }
        body["nodeLabels"] = {**surplus, **body["nodeLabels"]}
    return body


def with_agreeing_counts(pool: Pool) -> Pool:
    """A PUT must agree with itself: a count within the autoscaler's bounds, and bounds only with the autoscaler."""
    least, most, count = pool.get("minCount"), pool.get("maxCount"), pool.get("count")
    if not pool.get("enableAutoScaling"):
        return {key: value for key, value in pool.items() if key not in ("minCount", "maxCount")}
    if least is None or most is None or count is None:
        return pool
    return {**pool, "count": min(max(count, least), most)}


def surplus_pools(existing: list[Pool], spec: ClusterSpec) -> tuple[list[Pool], list[str]]:
    """The pools to delete, and sentences about those that stay although nobody listed them."""
    others = [pool for pool in existing if spec.pools and not spec.declares(pool)]
    if not others:
        return [], []
    if not spec.purge_node_pools:
        return [], [f"node pools that are not listed are left alone: {_listed(others)}"]
    ours = [pool for pool in others if spec.owner is not None and names.owner_of(pool) == spec.owner]
    stay = [pool for pool in others if pool not in ours]
    notes = [f"node pools without the owner's tags are not deleted: {_listed(stay)}"] if stay else []
    return ours, notes


def failed_pools(existing: list[Pool], spec: ClusterSpec) -> tuple[list[Pool], list[str]]:
    """The declared pools whose last operation failed, and sentences about failed ones that nobody declares here.

    A pool has operations of its own: it may be Failed while its cluster is Succeeded (recorded traffic).
    """
    broken = [pool for pool in existing if is_failed_state(str(pool.get("provisioningState") or ""))]
    notes = [
        f"the last operation on node pool {pool.get('name')} ended as {pool['provisioningState']}; it is not declared "
        "here, so nothing repairs it"
        for pool in broken
        if not spec.declares(pool)
    ]
    return [pool for pool in broken if spec.declares(pool)], notes


def _listed(pools: list[Pool]) -> str:
    return ", ".join(sorted(str(pool.get("name")) for pool in pools))


def new_pools(existing: Sequence[Mapping[str, Any]], spec: ClusterSpec) -> list[PoolSpec]:
    """The declared pools that do not exist yet."""
    present = {str(pool.get("name")).lower() for pool in existing}
    return [pool for pool in spec.pools if pool.name.lower() not in present]


@dataclass(frozen=True)
class SizeRequest:
    """The sizes in question, what the first of them must have, and whether the pool itself names the only one."""

    candidates: tuple[str, ...]
    wanted: Requirements
    named: bool = False


def size_request_of(
    body: Mapping[str, Any] | None, pools: Sequence[PoolSpec], pool: PoolSpec, location: str, sizes: SizeSelection
) -> SizeRequest:
    """For one of `pools`, which is not there yet; `body` is the cluster as it was read, `location` the declared one."""
    declared = pool.declared
    size, zones = declared.get("vmSize"), declared.get("availabilityZones")
    wanted = Requirements(
        # a cluster does not move: its pools come where it is
        location=str((body or {}).get("location") or location),
        node_count=max(_number(declared.get("count")), _number(declared.get("maxCount"))),
        surge_nodes=sizes.surge_nodes,
        # which kind of size is wanted is a question of choice: whoever names one has chosen
        architecture="" if size else sizes.architecture,
        allow_burstable=bool(size) or sizes.allow_burstable,
        zones=tuple(map(str, zones)) if isinstance(zones, (list, tuple)) else (),
        system_pool=mode_of_new(current_pools(body), pools, pool).lower() == "system",
        ephemeral_os_disk=str(declared.get("osDiskType")).lower() == "ephemeral",
        min_memory_gb=pool.min_memory_gb,
        os_disk_gb=_number(declared.get("osDiskSizeGB"), 0),
        gpu=pool.gpu,
        spot=str(declared.get("scaleSetPriority")).lower() == "spot",
    )
    if size:
        return SizeRequest((str(size),), wanted, named=True)
    first = str(sizes.chosen.get(pool.name) or "").lower()
    in_order = sorted(pool.candidates or sizes.candidates, key=lambda one: one.lower() != first)
    return SizeRequest(tuple(in_order), wanted, named=False)


def _number(declared: Any, least: int = 1) -> int:
    """Raw properties may hold anything; what is no number is the service's to refuse."""
    try:
        return int(declared or least)
    except (TypeError, ValueError):
        return least
