# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold between variables and between hosts. A rule sees all hosts and yields findings. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.mcpops.platform.plugins.module_utils.arm import cluster_validate
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_rules, server_spec
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host

Groups = Mapping[str, Sequence[str]]
Rule = Callable[[Sequence[Host], Groups], Iterator[Finding]]
ModuleSpecs = Mapping[str, Mapping[str, Any]]

PLATFORMS, CLUSTERS = "platforms", "clusters"

# module: (role that runs it, option → variable of the role, what the module says beyond its argument spec)
_MODULES: Mapping[str, tuple[str, Mapping[str, str], Callable[[Mapping[str, Any]], list[Problem]]]] = {
    "aks_cluster": (
        "aks_cluster",
        {
            "name": "aks_cluster_name",
            "resource_group": "aks_cluster_resource_group",
            "location": "aks_cluster_location",
            "kubernetes_version": "aks_cluster_kubernetes_version",
            "sku_tier": "aks_cluster_sku_tier",
            "oidc_issuer": "aks_cluster_oidc_issuer",
            "workload_identity": "aks_cluster_workload_identity",
            "node_pools": "aks_cluster_node_pools",
            "network": "aks_cluster_network",
            "properties": "aks_cluster_properties",
            "tags": "aks_cluster_tags",
            "wait_timeout": "aks_cluster_wait_timeout",
        },
        cluster_validate.problems_of,
    ),
    "mcp_server": (
        "mcp_servers",
        {"servers": "mcp_servers_servers", "namespace": "mcp_servers_namespace"},
        lambda params: server_rules.problems(server_spec.declared_from(params)),
    ),
}


def all_findings(hosts: Sequence[Host], groups: Groups, specs: ModuleSpecs) -> list[Finding]:
    """Every rule on all hosts.

    `groups` are those of the whole inventory, of which `hosts` may be a part; `specs` are the argument
    specifications of the modules that roles run.
    """
    return [finding for rule in RULES for finding in rule(hosts, groups)] + [
        finding for host in hosts for finding in module_findings(host, specs)
    ]


def module_findings(host: Host, specs: ModuleSpecs) -> Iterator[Finding]:
    """What a role's module would say about its options, told before the first play changes anything."""
    for module, (role, options, more) in _MODULES.items():
        known = {option: host.get(name) for option, name in options.items() if name not in host.deferred}
        params = {option: value for option, value in known.items() if value not in (None, "")}
        if role not in host.roles or module not in specs or len(known) < len(options):
            continue
        validated = ArgumentSpecValidator(dict(specs[module])).validate(params)
        problems = [Problem("", str(message)) for message in validated.error_messages]
        if not problems:
            problems = more(validated.validated_parameters)
        for problem in problems:
            message = str(remove_values(problem.message, validated._no_log_values))
            yield Finding(host.name, _variable_path(problem.path, options) or f"module {module}", message)


def _variable_path(path: str, options: Mapping[str, str]) -> str:
    """`node_pools[0].count` of the module as `aks_cluster_node_pools[0].count` of the role."""
    for option, variable in options.items():
        if path == option or path.startswith((f"{option}.", f"{option}[")):
            return variable + path[len(option) :]
    return path


def _platform(hosts: Sequence[Host], groups: Groups) -> Iterator[Finding]:
    platforms = sorted(groups.get(PLATFORMS, ()))
    for host in hosts:
        if CLUSTERS not in host.groups or PLATFORM_VARIABLE in host.deferred:
            continue
        named = host.get(PLATFORM_VARIABLE)
        known = ", ".join(platforms) or "it has no hosts"
        if named is None and platforms:
            yield Finding(host.name, PLATFORM_VARIABLE, f"is not set: name a host of group {PLATFORMS} ({known})")
        elif named is not None and named not in platforms:
            yield Finding(host.name, PLATFORM_VARIABLE, f"{named!r} is no host of group {PLATFORMS} ({known})")


def _same_cluster(hosts: Sequence[Host], _groups: Groups) -> Iterator[Finding]:
    def cluster(host: Host) -> Hashable:
        place = (host.get("mcpops_subscription_id"), host.get("aks_cluster_resource_group"))
        name = host.get("aks_cluster_name")
        return tuple(str(part).lower() for part in (*place, name)) if name and place[1] else None

    for host, other in _twins([host for host in hosts if "aks_cluster" in host.roles], cluster):
        yield Finding(
            host.name,
            "aks_cluster_name",
            f"{host.get('aks_cluster_name')!r} in group {host.get('aks_cluster_resource_group')!r} is the cluster of "
            f"host {other.name}, too: a cluster belongs to one host",
        )


def _same_kubeconfig(hosts: Sequence[Host], _groups: Groups) -> Iterator[Finding]:
    def file(host: Host) -> Hashable:
        path = host.get("aks_cluster_kubeconfig")
        return os.path.abspath(os.path.expanduser(path)) if isinstance(path, str) and path else None

    for host, other in _twins([host for host in hosts if "aks_cluster" in host.roles], file):
        yield Finding(
            host.name,
            "aks_cluster_kubeconfig",
            f"{host.get('aks_cluster_kubeconfig')!r} is the file of host {other.name}, too: "
            "the later one would overwrite it; put inventory_hostname into the path",
        )


def _calls(hosts: Sequence[Host], _groups: Groups) -> Iterator[Finding]:
    for host in hosts:
        calls, servers = host.get("site_verify_calls"), host.get("site_verify_servers")
        if "site_verify" not in host.roles or not isinstance(calls, list) or not isinstance(servers, list):
            continue
        known = [server.get("name") for server in servers if isinstance(server, Mapping)]
        for index, call in enumerate(calls):
            name = call.get("server") if isinstance(call, Mapping) else None
            if name is not None and name not in known:
                listed = ", ".join(map(str, known)) or "it has none"
                message = f"{name!r} is no MCP server of this host ({listed})"
                yield Finding(host.name, f"site_verify_calls[{index}].server", message)


def _twins(hosts: Sequence[Host], key: Callable[[Host], Hashable]) -> Iterator[tuple[Host, Host]]:
    """Every host whose key an earlier host has, with that host."""
    first: dict[Hashable, Host] = {}
    for host in hosts:
        own = key(host)
        if own is None:
            continue
        if own in first:
            yield host, first[own]
        first.setdefault(own, host)


RULES: tuple[Rule, ...] = (_platform, _same_cluster, _same_kubeconfig, _calls)
