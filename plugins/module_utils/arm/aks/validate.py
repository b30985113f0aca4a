# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work, reported before any request: one row a rule, all violations in one message."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Problem, Rule, check
from ...waiting import wait_timeout_problems
from .. import names
from ..compare import tag_values, texts_of, typed_body
from .spec import CLUSTER_MODEL, CLUSTER_OPTIONS, NETWORK_OPTIONS, POOL_MODEL, POOL_OPTIONS, pool_specs

Params = Mapping[str, Any]

_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
_TAINT = re.compile(r"[^=:\s]+(=[^=:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)")
_MAX_NODES_PER_POOL = 1000
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"


def problems_of(params: Params) -> list[Problem]:
    """Everything wrong with the options, whatever stands."""
    return check(RULES, params)


def creation_problems(params: Params) -> list[Problem]:
    """What is missing to create a cluster."""
    return check(CREATION, params)


def _names(params: Params) -> Iterator[Problem]:
    for option, kind in (("name", names.MANAGED_CLUSTERS), ("resource_group", names.RESOURCE_GROUPS)):
        problem = names.name_problem(option, kind, params[option])
        if problem is not None:
            yield problem
    node_group = params.get("node_resource_group")
    if node_group and not re.fullmatch(r"[\w().-]{0,79}[\w()-]", node_group):
        yield Problem(
            "node_resource_group", f"{node_group!r} is not a valid name for it: 1 to 80 letters, digits, _ - . ( )"
        )
    prefix = params.get("dns_prefix")
    if prefix and not re.fullmatch(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,52}[a-zA-Z0-9])?", prefix):
        yield Problem("dns_prefix", f"{prefix!r} is not a valid prefix: 1 to 54 letters, digits and -, not at the ends")


def _version(params: Params) -> Iterator[Problem]:
    version = params.get("kubernetes_version")
    if version and not _VERSION.fullmatch(version):
        yield Problem(
            "kubernetes_version", f"{version!r} is not a valid version: write 1.34 (quoted in YAML) or 1.34.2"
        )


def _tags(params: Params) -> Iterator[Problem]:
    yield from tag_values(params.get("tags"))[1]
    if len(params.get("tags") or {}) > 50:
        yield Problem("tags", "a resource has up to 50 tags")


def _workload_identity(params: Params) -> Iterator[Problem]:
    issuer = typed_body(params.get("properties") or {}, CLUSTER_MODEL)[0].get("oidcIssuerProfile")
    raw = issuer.get("enabled") if isinstance(issuer, Mapping) else None
    if params.get("workload_identity") and not (params.get("oidc_issuer") or raw):
        yield Problem("workload_identity", "needs the OIDC issuer: set oidc_issuer to true as well")


def _identity(params: Params) -> Iterator[Problem]:
    identity = params.get("identity") or {}
    ids = identity.get("user_assigned_identities") or []
    if identity.get("type") == "UserAssigned" and len(ids) != 1:
        yield Problem("identity.user_assigned_identities", f"type UserAssigned takes exactly one id, not {len(ids)}")
    if identity.get("type") == "SystemAssigned" and ids:
        yield Problem("identity.user_assigned_identities", "type SystemAssigned takes none")
    for item in ids:
        parsed = names.parse_id(item)
        if parsed is None or parsed.type.lower() != "microsoft.managedidentity/userassignedidentities":
            yield Problem("identity.user_assigned_identities", f"{item!r} is not the id of a user-assigned identity")


def _network(params: Params) -> Iterator[Problem]:
    network = params.get("network") or {}
    ranges = {}
    for option in ("pod_cidr", "service_cidr"):
        if network.get(option):
            try:
                ranges[option] = ipaddress.ip_network(network[option])
            except ValueError as exc:
                yield Problem(f"network.{option}", f"is not a valid network: {exc}")
    address = None
    if network.get("dns_service_ip"):
        try:
            address = ipaddress.ip_address(network["dns_service_ip"])
        except ValueError as exc:
            yield Problem("network.dns_service_ip", f"is not a valid address: {exc}")
    service = ranges.get("service_cidr")
    if address is not None and service is not None and address not in service:
        yield Problem("network.dns_service_ip", f"{address} must lie in service_cidr ({service})")
    if address is not None and service is not None and address == service.network_address + 1:
        yield Problem("network.dns_service_ip", f"{address} is the API server's own address, the first of service_cidr")
    pods = ranges.get("pod_cidr")
    if pods is not None and service is not None and pods.version == service.version and pods.overlaps(service):
        yield Problem("network.pod_cidr", f"{pods} overlaps service_cidr ({service})")
    plugin, mode = network.get("plugin"), network.get("plugin_mode")
    if mode == "overlay" and plugin not in (None, "azure"):
        yield Problem("network.plugin_mode", f"overlay needs plugin azure, not {plugin}")
    if network.get("policy") == "azure" and plugin not in (None, "azure"):
        yield Problem("network.policy", f"azure needs plugin azure, not {plugin}")
    if pods is not None and plugin == "azure" and mode is None:
        yield Problem(
            "network.pod_cidr", "with plugin azure it needs plugin_mode overlay: pods share the subnet otherwise"
        )


def _pool_names(params: Params) -> Iterator[Problem]:
    seen: set[str] = set()
    for pool in params.get("node_pools") or ():
        name = pool["name"]
        if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", name):
            sentence = "1 to 12 lower-case letters and digits, starting with a letter"
            yield Problem(f"node_pools[{name}].name", f"{name!r} is not a valid name for a node pool: {sentence}")
        if name in seen:
            yield Problem(f"node_pools[{name}].name", "is declared twice")
        seen.add(name)


def _pool_counts(params: Params) -> Iterator[Problem]:
    for pool in params.get("node_pools") or ():
        where = f"node_pools[{pool['name']}]"
        least, most, count = pool.get("min_count"), pool.get("max_count"), pool.get("count")
        auto = pool.get("enable_auto_scaling")
        for option in ("count", "min_count", "max_count"):
            value = pool.get(option)
            floor = 1 if option == "max_count" or pool.get("mode") == "System" else 0
            if value is not None and not floor <= value <= _MAX_NODES_PER_POOL:
                yield Problem(f"{where}.{option}", f"must be {floor} to {_MAX_NODES_PER_POOL}, is {value}")
        if least is not None and most is not None and least > most:
            yield Problem(f"{where}.min_count", f"{least} is more than max_count {most}")
        if auto and count is not None and least is not None and most is not None and not least <= count <= most:
            yield Problem(f"{where}.count", f"{count} is outside min_count {least} to max_count {most}")
        if auto and (least is None or most is None):
            yield Problem(f"{where}.enable_auto_scaling", "needs min_count and max_count")
        if auto is not True and (least is not None or most is not None):
            yield Problem(f"{where}.min_count", "min_count and max_count need enable_auto_scaling: true")


def _size_selection(params: Params) -> Iterator[Problem]:
    surge = (params.get("vm_size_selection") or {}).get("surge_nodes")
    if surge is not None and surge < 0:
        yield Problem("vm_size_selection.surge_nodes", f"must be at least 0, is {surge}")


def _pool_details(params: Params) -> Iterator[Problem]:
    for pool in params.get("node_pools") or ():
        where = f"node_pools[{pool['name']}]"
        if pool.get("vm_size_candidates") and (pool.get("vm_size") or (pool.get("properties") or {}).get("vmSize")):
            yield Problem(f"{where}.vm_size_candidates", "is for a pool without vm_size: give one of the two")
        pods = pool.get("max_pods")
        least = 30 if pool.get("mode") == "System" else 10
        if pods is not None and not least <= pods <= 250:
            yield Problem(f"{where}.max_pods", f"must be {least} to 250, is {pods}")
        disk = pool.get("os_disk_size_gb")
        if disk is not None and disk != 0 and not 30 <= disk <= 2048:
            yield Problem(f"{where}.os_disk_size_gb", f"must be 30 to 2048 GB (0: the size's default), is {disk}")
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
        prefix, _slash, name = key.rpartition("/")
        if not re.fullmatch(_NAME, name) or len(prefix) > 253 or (prefix and not re.fullmatch(_PREFIX, prefix)):
            yield Problem(f"{path}.{key}", f"{key!r} is not a valid label key: write name or example.org/name")
        if value and not re.fullmatch(_NAME, value):
            sentence = "is not a valid label value: up to 63 letters, digits, - _ . and a letter or digit at both ends"
            yield Problem(f"{path}.{key}", f"{value!r} {sentence}")


def _system_pool(params: Params) -> Iterator[Problem]:
    pools = params.get("node_pools")
    if pools == []:
        yield Problem("node_pools", "a cluster has at least one pool: list it, or leave node_pools out")
    elif pools and params.get("purge_node_pools") and not _has_system(pools):
        yield Problem("node_pools", "with purge_node_pools one of the pools must be of mode System")
    if pools is None and params.get("purge_node_pools"):
        yield Problem("purge_node_pools", "needs node_pools: it deletes the pools that are not listed")
    if params.get("purge_node_pools") and not params.get("owner"):
        yield Problem("purge_node_pools", "needs owner: only pools that carry its tags are deleted")


def _raw_properties(params: Params) -> Iterator[Problem]:
    raw, problems = typed_body(params.get("properties") or {}, CLUSTER_MODEL, "properties")
    yield from problems
    if "agentPoolProfiles" in raw:
        yield Problem("properties.agentPoolProfiles", "pools are declared in node_pools (raw keys: its properties)")
    options = [(option, path[1:]) for option, path in CLUSTER_OPTIONS.items() if path[0] == "properties"]
    declared = {option: params.get(option) for option, _path in options}
    network = params.get("network") or {}
    options += [(f"network.{option}", ("networkProfile", key)) for option, key in NETWORK_OPTIONS.items()]
    declared.update({f"network.{option}": network.get(option) for option in NETWORK_OPTIONS})
    for option, path in options:
        if declared[option] is not None and _reaches(raw, path):
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


def _timeout(params: Params) -> list[Problem]:
    return wait_timeout_problems(params.get("wait_timeout"))


def _location_to_create(params: Params) -> Iterator[Problem]:
    if not params.get("location"):
        yield Problem("location", "is needed to create the cluster")


def _pools_to_create(params: Params) -> Iterator[Problem]:
    pools = params.get("node_pools")
    if pools is None:
        yield Problem("node_pools", "are needed to create the cluster: at least one, of mode System")
    elif pools and not _has_system(pools):
        yield Problem("node_pools", "one of the pools must be of mode System to create the cluster")


def _has_system(pools: list[Mapping[str, Any]]) -> bool:
    """A single pool without a mode is the system pool."""
    modes = [str(pool.declared.get("mode") or "").lower() for pool in pool_specs(pools)]
    return "system" in modes or not any(modes)


def _reaches(raw: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(raw, Mapping) or key not in raw:
            return False
        raw = raw[key]
    return True


RULES: tuple[Rule[Params], ...] = (
    _names,
    _version,
    _tags,
    _workload_identity,
    _identity,
    _network,
    _pool_names,
    _pool_counts,
    _pool_details,
    _size_selection,
    _system_pool,
    _raw_properties,
    names.NO_OWNER,
    _timeout,
)
CREATION: tuple[Rule[Params], ...] = (_location_to_create, _pools_to_create)


def removal_problems(params: Params) -> list[Problem]:
    """Deleting and reading need names only."""
    return [
        problem
        for option, kind in (("name", names.MANAGED_CLUSTERS), ("resource_group", names.RESOURCE_GROUPS))
        if params.get(option) and (problem := names.name_problem(option, kind, params[option])) is not None
    ]
