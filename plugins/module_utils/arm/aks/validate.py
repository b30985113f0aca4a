# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work, reported before any request: one row a rule, all violations in one message."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ...errors import Check, Problem, Rule, check
from ...names import wrong_label_name, wrong_label_value
from ...waiting import wait_timeout_problems
from .. import names
from ..compare import tag_values, texts_of, typed_body
from ..names import name_rule
from .spec import CLUSTER_MODEL, CLUSTER_OPTIONS, NETWORK_OPTIONS, POOL_MODEL, POOL_OPTIONS, pool_specs
from .versions import plan_problems

Params = Mapping[str, Any]

_TAINT = re.compile(r"[^=:\s]+(=[^=:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)")
# SDK, ManagedClusterAgentPoolProfile.count: '0 to 1000 (inclusive) for user pools', '1 to 1000 ... for system pools'
_MAX_NODES_PER_POOL = 1000


def problems_of(params: Params) -> list[Problem]:
    """Everything wrong with the options, whatever stands."""
    return check(RULES, params)


def creation_problems(params: Params) -> list[Problem]:
    """What is missing to create a cluster."""
    return check(CREATION, params)


def removal_problems(params: Params) -> list[Problem]:
    """Deleting and reading need names only."""
    return check(
        (name_rule("name", names.MANAGED_CLUSTERS), name_rule("resource_group", names.RESOURCE_GROUPS)), params
    )


def _unlike(option: str, pattern: str) -> Callable[[Params], bool]:
    """Whether the option is given, and not of that form."""
    return lambda params: bool(params.get(option)) and not re.fullmatch(pattern, params[option])


def _workload_identity(params: Params) -> Iterator[Problem]:
    issuer = typed_body(params.get("properties") or {}, CLUSTER_MODEL)[0].get("oidcIssuerProfile")
    raw = issuer.get("enabled") if isinstance(issuer, Mapping) else None
    if params.get("workload_identity") and not (params.get("oidc_issuer") or raw):
        yield Problem("workload_identity", "needs the OIDC issuer: set oidc_issuer to true as well")


def _identity(params: Params) -> Iterator[Problem]:
    identity = params.get("identity") or {}
    ids = identity.get("user_assigned_identities") or []
    # SDK, ManagedClusterIdentity: 'Only one user assigned identity is allowed'
    if identity.get("type") == "UserAssigned" and len(ids) != 1:
        yield Problem("identity.user_assigned_identities", f"type UserAssigned takes exactly one id, not {len(ids)}")
    if identity.get("type") == "SystemAssigned" and ids:
        yield Problem("identity.user_assigned_identities", "type SystemAssigned takes none")
    for item in ids:
        parsed = names.parse_id(item)
        if parsed is None or parsed.type.lower() != "microsoft.managedidentity/userassignedidentities":
            yield Problem("identity.user_assigned_identities", f"{item!r} is not the id of a user-assigned identity")


# option of network: how it is read, and what it is then
_ADDRESSES: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "pod_cidr": (ipaddress.ip_network, "network"),
    "service_cidr": (ipaddress.ip_network, "network"),
    "dns_service_ip": (ipaddress.ip_address, "address"),
}


def _network(params: Params) -> Iterator[Problem]:
    network = params.get("network") or {}
    parsed = {}
    for option, (read, what) in _ADDRESSES.items():
        if network.get(option):
            try:
                parsed[option] = read(network[option])
            except ValueError as exc:
                yield Problem(f"network.{option}", f"is not a valid {what}: {exc}")
    given: list[Any] = [parsed.get(option) for option in _ADDRESSES]
    pods, service, address = given
    plugin, mode = network.get("plugin"), network.get("plugin_mode")
    # SDK, ContainerServiceNetworkProfile.dnsServiceIP: 'must be within the Kubernetes service address range', which
    # begins with the API server's own address (learn.microsoft.com/azure/aks/configure-azure-cni)
    other_plugin = plugin not in (None, "azure")
    dns = address is not None and service is not None
    rules = (
        ("dns_service_ip", dns and address not in service, f"{address} must lie in service_cidr ({service})"),
        (
            "dns_service_ip",
            dns and address == service.network_address + 1,
            f"{address} is the API server's own address, the first of service_cidr",
        ),
        (
            "pod_cidr",
            pods is not None and service is not None and pods.version == service.version and pods.overlaps(service),
            f"{pods} overlaps service_cidr ({service})",
        ),
        # SDK, NetworkPluginMode: 'Used with networkPlugin=azure'
        ("plugin_mode", mode == "overlay" and other_plugin, f"overlay needs plugin azure, not {plugin}"),
        # learn.microsoft.com/azure/aks/use-network-policies: Azure's engine needs Azure CNI
        ("policy", network.get("policy") == "azure" and other_plugin, f"azure needs plugin azure, not {plugin}"),
    )
    yield from _violated("network", rules)


def _support_plan(params: Params) -> list[Problem]:
    raw = typed_body(params.get("properties") or {}, CLUSTER_MODEL)[0]
    return plan_problems(
        {"sku": {"tier": params.get("sku_tier")}, "properties": {"supportPlan": raw.get("supportPlan")}}
    )


def _flat_network(params: Params) -> bool:
    """Pods of a new cluster with Azure CNI have addresses of their own in overlay mode only (SDK, podCidr); one that
    stands may be in it already."""
    network = params.get("network") or {}
    raw = typed_body(params.get("properties") or {}, CLUSTER_MODEL)[0].get("networkProfile")
    mode = network.get("plugin_mode") or (raw.get("networkPluginMode") if isinstance(raw, Mapping) else None)
    return bool(network.get("pod_cidr")) and network.get("plugin") == "azure" and not mode


def _violated(where: str, rules: Iterable[tuple[str, Any, str]]) -> Iterator[Problem]:
    """The rows (option, whether it is wrong, message) of what is wrong."""
    return (Problem(f"{where}.{option}", message) for option, wrong, message in rules if wrong)


def _pool_names(params: Params) -> Iterator[Problem]:
    seen: set[str] = set()
    for pool in params.get("node_pools") or ():
        name = pool["name"]
        if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", name):
            # aka.ms/aks-naming-rules
            sentence = "1 to 12 lower-case letters and digits, starting with a letter"
            yield Problem(f"node_pools[{name}].name", f"{name!r} is not a valid name for a node pool: {sentence}")
        if name in seen:
            yield Problem(f"node_pools[{name}].name", "is declared twice")
        seen.add(name)


def _pool_counts(params: Params) -> Iterator[Problem]:
    for pool in params.get("node_pools") or ():
        least, most, count = pool.get("min_count"), pool.get("max_count"), pool.get("count")
        auto, bounded = pool.get("enable_auto_scaling"), least is not None and most is not None
        fewest = 1 if pool.get("mode") == "System" else 0
        rules = (
            *(
                (
                    option,
                    value is not None and not floor <= value <= _MAX_NODES_PER_POOL,
                    f"must be {floor} to {_MAX_NODES_PER_POOL}, is {value}",
                )
                for option, value, floor in (
                    ("count", count, fewest),
                    ("min_count", least, fewest),
                    ("max_count", most, 1),
                )
            ),
            ("min_count", bounded and least > most, f"{least} is more than max_count {most}"),
            (
                "count",
                auto and count is not None and bounded and not least <= count <= most,
                f"{count} is outside min_count {least} to max_count {most}",
            ),
            ("enable_auto_scaling", auto and not bounded, "needs min_count and max_count"),
            (
                "min_count",
                auto is not True and (least is not None or most is not None),
                "min_count and max_count need enable_auto_scaling: true",
            ),
        )
        yield from _violated(f"node_pools[{pool['name']}]", rules)


def _pool_details(params: Params) -> Iterator[Problem]:
    for pool in params.get("node_pools") or ():
        where = f"node_pools[{pool['name']}]"
        sized = pool.get("vm_size") or (pool.get("properties") or {}).get("vmSize")
        pods, disk, memory = pool.get("max_pods"), pool.get("os_disk_size_gb"), pool.get("min_memory_gb") or 0
        # learn.microsoft.com/azure/aks/concepts-network-ip-address-planning
        least = 30 if pool.get("mode") == "System" else 10
        rules = (
            (
                "vm_size_candidates",
                pool.get("vm_size_candidates") and sized,
                "is for a pool without vm_size: give one of the two",
            ),
            *(
                (option, pool.get(option) and sized, "chooses a size, and the pool names one: give one of the two")
                for option in ("min_memory_gb", "gpu")
            ),
            ("min_memory_gb", memory < 0, f"must be at least 0, is {memory:g}"),
            ("max_pods", pods is not None and not least <= pods <= 250, f"must be {least} to 250, is {pods}"),
            # az aks nodepool add --help: 'Minimum 30 GiB'; the specification of the API: at most 2048
            (
                "os_disk_size_gb",
                disk and not 30 <= disk <= 2048,
                f"must be 30 to 2048 GB (0: the size's default), is {disk}",
            ),
        )
        yield from _violated(where, rules)
        yield from _taint_problems(pool.get("taints"), f"{where}.taints")
        yield from _label_problems(pool.get("labels"), f"{where}.labels")
        for zone in pool.get("zones") or ():
            if not re.fullmatch(r"[1-9]\d?", str(zone)):
                yield Problem(f"{where}.zones", f"{zone!r} is not a valid zone: write '1', '2', '3'")


def _taint_problems(taints: Any, path: str) -> Iterator[Problem]:
    for taint in taints if isinstance(taints, list) else ():
        if not _TAINT.fullmatch(str(taint)):
            sentence = "is not a valid taint: write key=value:NoSchedule, PreferNoSchedule or NoExecute"
            yield Problem(path, f"{taint!r} {sentence}")


def _label_problems(labels: Mapping[str, Any] | None, path: str) -> Iterator[Problem]:
    """Kubernetes' syntax of labels; what YAML made numbers and booleans of is the text that it stands for."""
    texts, problems = texts_of(labels, path)
    yield from problems
    for key, value in texts.items():
        if wrong_label_name(key):
            yield Problem(f"{path}.{key}", f"{key!r} is not a valid label key: write name or example.org/name")
        if wrong_label_value(value or ""):
            sentence = "is not a valid label value: up to 63 letters, digits, - _ . and a letter or digit at both ends"
            yield Problem(f"{path}.{key}", f"{value!r} {sentence}")


def _raw_properties(params: Params) -> Iterator[Problem]:
    raw, problems = typed_body(params.get("properties") or {}, CLUSTER_MODEL, "properties")
    yield from problems
    if "agentPoolProfiles" in raw:
        yield Problem("properties.agentPoolProfiles", "pools are declared in node_pools (raw keys: its properties)")
    network = params.get("network") or {}
    options = [
        *(
            (option, params.get(option), path[1:])
            for option, path in CLUSTER_OPTIONS.items()
            if path[0] == "properties"
        ),
        *((f"network.{name}", network.get(name), ("networkProfile", key)) for name, key in NETWORK_OPTIONS.items()),
    ]
    for option, value, path in options:
        if value is not None and _reaches(raw, path):
            yield Problem(f"properties.{'.'.join(path)}", f"is declared by the option {option} as well: keep one")
    for pool in params.get("node_pools") or ():
        where = f"node_pools[{pool['name']}].properties"
        raw_pool, problems = typed_body(pool.get("properties") or {}, POOL_MODEL, where)
        yield from problems
        yield from _taint_problems(raw_pool.get("nodeTaints"), f"{where}.nodeTaints")
        labels = raw_pool.get("nodeLabels")
        yield from _label_problems(labels if isinstance(labels, Mapping) else None, f"{where}.nodeLabels")
        for option, key in POOL_OPTIONS.items():
            if pool.get(option) is not None and key in raw_pool:
                yield Problem(f"{where}.{key}", f"is declared by the option {option} as well: keep one")


def _lacks_system(params: Params) -> bool:
    """Whether pools are listed, and none of mode System among them; a single pool without a mode is the system pool."""
    modes = [str(pool.declared.get("mode") or "").lower() for pool in pool_specs(params.get("node_pools"))]
    return "system" not in modes and any(modes)


def _reaches(raw: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(raw, Mapping) or key not in raw:
            return False
        raw = raw[key]
    return True


RULES: tuple[Rule[Params], ...] = (
    lambda params: names.name_problems("name", names.MANAGED_CLUSTERS, params["name"]),
    lambda params: names.name_problems("resource_group", names.RESOURCE_GROUPS, params["resource_group"]),
    Check(
        "node_resource_group",
        _unlike("node_resource_group", r"[\w().-]{0,79}[\w()-]"),
        "{node_resource_group!r} is not a valid name for it: 1 to 80 letters, digits, _ - . ( )",
    ),
    Check(
        "dns_prefix",
        _unlike("dns_prefix", r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,52}[a-zA-Z0-9])?"),
        "{dns_prefix!r} is not a valid prefix: 1 to 54 letters, digits and -, not at the ends",
    ),
    Check(
        "kubernetes_version",
        _unlike("kubernetes_version", r"\d+\.\d+(\.\d+)?"),
        "{kubernetes_version!r} is not a valid version: write 1.34 (quoted in YAML) or 1.34.2",
    ),
    lambda params: tag_values(params.get("tags"))[1],
    Check("tags", lambda params: len(params.get("tags") or {}) > 50, "a resource has up to 50 tags"),
    _workload_identity,
    _identity,
    _network,
    _pool_names,
    _pool_counts,
    _pool_details,
    Check(
        "vm_size_selection.surge_nodes",
        lambda params: ((params.get("vm_size_selection") or {}).get("surge_nodes") or 0) < 0,
        "must be at least 0, is {vm_size_selection[surge_nodes]}",
    ),
    Check(
        "node_pools",
        lambda params: params.get("node_pools") == [],
        "a cluster has at least one pool: list it, or leave node_pools out",
    ),
    Check(
        "node_pools",
        lambda params: params.get("purge_node_pools") and _lacks_system(params),
        "with purge_node_pools one of the pools must be of mode System",
    ),
    Check(
        "purge_node_pools",
        lambda params: params.get("purge_node_pools") and params.get("node_pools") is None,
        "needs node_pools: it deletes the pools that are not listed",
    ),
    Check(
        "purge_node_pools",
        lambda params: params.get("purge_node_pools") and not params.get("owner"),
        "needs owner: only pools that carry its tags are deleted",
    ),
    _raw_properties,
    names.NO_LOCATION,
    names.NO_OWNER,
    lambda params: wait_timeout_problems(params.get("wait_timeout")),
)
CREATION: tuple[Rule[Params], ...] = (
    Check("location", lambda params: params.get("location") is None, "is needed to create the cluster"),
    Check(
        "node_pools",
        lambda params: params.get("node_pools") is None,
        "are needed to create the cluster: at least one, of mode System",
    ),
    Check("node_pools", _lacks_system, "one of the pools must be of mode System to create the cluster"),
    _support_plan,
    Check(
        "network.pod_cidr",
        _flat_network,
        "with plugin azure it needs plugin_mode overlay: pods share the subnet otherwise",
    ),
)
