# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a trial of a gateway sees in a cluster, and what a way to a server is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.manifests import Object

GATEWAY, UNKNOWN_HOST, GATEWAY_SERVICE = "gateway", "unknown_host", "gateway_service"
OTHER_GATEWAY, INGRESS = "other_gateway", "ingress"
CLUSTER_IP, NODE_PORT, LOAD_BALANCER, EXTERNAL_IP = "cluster_ip", "node_port", "load_balancer", "external_ip"
POD_IP, HOST_PORT = "pod_ip", "host_port"
NOBODY = "mcpops-trial"
"""What stands for the star of a host name."""
DEFAULT_PATH = "/mcp"
_LOADED = ("ip", "hostname")


@dataclass(frozen=True)
class Seen:
    """What the cluster holds, each as it was listed."""

    gateways: Sequence[Object] = ()
    routes: Sequence[Object] = ()
    services: Sequence[Object] = ()
    slices: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    policies: Sequence[Object] = ()
    ingresses: Sequence[Object] = ()


@dataclass(frozen=True)
class Way:
    """One address by which a server could be asked, and what is said of it."""

    kind: str
    name: str
    address: str
    port: int
    host: str
    path: str = DEFAULT_PATH
    tls: bool = False
    route: str = ""
    """Namespace and name of the HTTPRoute."""
    services: tuple[str, ...] = ()
    """The Services of the routes that it leads to, as namespace/name."""
    is_open: bool = False
    """By declaration: a route to the same server asks for no token."""
    policies: tuple[str, ...] = ()
    """The NetworkPolicies that choose the pod behind it."""
    is_inside: bool = False
    """Whether the address is one of the cluster's own, which another network may have as well."""

    @property
    def is_guarded(self) -> bool:
        """Whether a gateway is to refuse there; the others are to let nobody connect."""
        return self.kind in (GATEWAY, UNKNOWN_HOST, GATEWAY_SERVICE, OTHER_GATEWAY, INGRESS)


@dataclass(frozen=True)
class Backend:
    """One pod's port behind routes of the gateway."""

    address: str
    port: int
    pod: str
    namespace: str
    path: str
    services: tuple[str, ...]
    is_open: bool
    policies: tuple[str, ...] = field(default=())


def label_of(item: Object) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def led(seen: Seen, gateway: str) -> list[Object]:
    """The routes of a gateway that lead to servers, whoever made them."""
    return [route for route in seen.routes if parents(route, gateway) and any(targets(route))]


def parents(route: Object, gateway: str) -> list[Mapping[str, Any]]:
    place = route["metadata"]["namespace"]
    return [
        one
        for one in route["spec"].get("parentRefs") or ()
        if one.get("kind", "Gateway") == "Gateway" and f"{one.get('namespace') or place}/{one['name']}" == gateway
    ]


def targets(route: Object) -> Iterator[tuple[str, int]]:
    """(namespace/name, port) of the Services that a route leads to."""
    for rule in route["spec"].get("rules") or ():
        for one in rule.get("backendRefs") or ():
            if one.get("kind", "Service") == "Service":
                yield (
                    f"{one.get('namespace') or route['metadata']['namespace']}/{one['name']}",
                    int(one.get("port") or 0),
                )


def paths(route: Object) -> list[str]:
    found = [
        str((match.get("path") or {}).get("value") or "/")
        for rule in route["spec"].get("rules") or ()
        if rule.get("backendRefs")
        for match in rule.get("matches") or [{}]
    ]
    return list(dict.fromkeys(found))


def balanced_addresses(item: Object) -> list[str]:
    """What a load balancer has given a Service or an Ingress."""
    ingress = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [str(one[key]) for one in ingress for key in _LOADED if one.get(key)]


def _node_addresses(seen: Seen) -> list[str]:
    return [
        str(one["address"])
        for node in seen.nodes
        for one in (node.get("status") or {}).get("addresses") or ()
        if one.get("type") in ("InternalIP", "ExternalIP")
    ]


def service_addresses(seen: Seen, service: Object) -> Iterator[tuple[str, str, str, int, Mapping[str, Any]]]:
    """(kind, how it is shown, address, port, the port's row) of every address that a Service has."""
    spec, name = service["spec"], f"Service {label_of(service)}"
    balanced = balanced_addresses(service)
    # `clusterIPs` holds the first again
    inside = [one for one in spec.get("clusterIPs") or [spec.get("clusterIP")] if one and one != "None"]
    for row in spec.get("ports") or ():
        if row.get("protocol", "TCP") != "TCP":
            continue
        port = int(row["port"])
        for address in inside:
            yield CLUSTER_IP, f"{name} at {address}:{port}", str(address), port, row
        for address in balanced:
            yield LOAD_BALANCER, f"load balancer of {name} at {address}:{port}", address, port, row
        for address in spec.get("externalIPs") or ():
            yield EXTERNAL_IP, f"external address of {name} at {address}:{port}", str(address), port, row
        if row.get("nodePort"):
            for address in _node_addresses(seen):
                at = int(row["nodePort"])
                yield NODE_PORT, f"NodePort of {name} at {address}:{at}", address, at, row
