# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold between variables and between hosts. A rule sees all hosts and yields findings. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host

Groups = Mapping[str, Sequence[str]]
Rule = Callable[[Sequence[Host], Groups], Iterator[Finding]]

PLATFORMS, CLUSTERS = "platforms", "clusters"


def all_findings(hosts: Sequence[Host], groups: Groups) -> list[Finding]:
    """Every rule on all hosts; `groups` are those of the whole inventory, of which `hosts` may be a part."""
    return [finding for rule in RULES for finding in rule(hosts, groups)]


def _platform(hosts: Sequence[Host], groups: Groups) -> Iterator[Finding]:
    platforms = sorted(groups.get(PLATFORMS, ()))
    for host in hosts:
        # what is to be removed needs no platform any more
        if CLUSTERS not in host.groups or PLATFORM_VARIABLE in host.deferred or host.roles == ("site_teardown",):
            continue
        named = host.get(PLATFORM_VARIABLE)
        known = ", ".join(platforms) or "it has no hosts"
        if named is None and platforms:
            yield Finding(host.name, PLATFORM_VARIABLE, f"is not set: name a host of group {PLATFORMS} ({known})")
        elif named is not None and named not in platforms:
            yield Finding(host.name, PLATFORM_VARIABLE, f"{named!r} is not a host of group {PLATFORMS} ({known})")


def _same_cluster(hosts: Sequence[Host], _groups: Groups) -> Iterator[Finding]:
    def cluster(host: Host) -> Hashable:
        place = (_subscription(host), host.get("aks_cluster_resource_group"))
        name = host.get("aks_cluster_name")
        return tuple(str(part).lower() for part in (*place, name)) if name and place[1] else None

    for host, other in _twins([host for host in hosts if "aks_cluster" in host.roles], cluster):
        yield Finding(
            host.name,
            "aks_cluster_name",
            f"{host.get('aks_cluster_name')!r} in group {host.get('aks_cluster_resource_group')!r} is the cluster of "
            f"host {other.name}, too: a cluster belongs to one host",
        )


def _subscription(host: Host) -> object:
    auth = host.get("mcpops_azure_auth")
    own = auth.get("subscription_id") if isinstance(auth, Mapping) else None
    return own or host.get("mcpops_subscription_id")


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
                message = f"{name!r} is not an MCP server of this host ({listed})"
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
