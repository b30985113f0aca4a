# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a trial of a gateway sees in a cluster, what a way to a server is, and which ways lead past the gateway: by
Services, pods, nodes and Ingresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..kube.manifests import Object
from ..kube.readiness.cluster import SERVICE_NAME_LABEL
from ..kube.syntax import selector_matches

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


# --- ways past the gateway


def backends(seen: Seen, gateway: str, open_routes: set[str]) -> list[Backend]:
    """Every pod's port behind routes of the gateway, with all routes' Services that lead there."""
    pods = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in seen.pods}
    found: dict[tuple[str, int], Backend] = {}
    for route in led(seen, gateway):
        for service, port in targets(route):
            for address, at, pod in _endpoints(seen, service, port):
                namespace = service.partition("/")[0]
                before = found.get((address, at))
                services = (*(before.services if before else ()), service)
                found[address, at] = Backend(
                    address=address,
                    port=at,
                    pod=pod,
                    namespace=namespace,
                    path=before.path if before else paths(route)[0],
                    services=tuple(dict.fromkeys(services)),
                    is_open=bool(before and before.is_open) or label_of(route) in open_routes,
                    policies=_choosing(seen, pods.get((namespace, pod))),
                )
    return list(found.values())


def _endpoints(seen: Seen, service: str, port: int) -> Iterator[tuple[str, int, str]]:
    """(address, port, pod) behind a port of a Service."""
    declared = next((one for one in seen.services if label_of(one) == service), None)
    names = {
        str(row.get("name") or "")
        for row in (declared or {"spec": {}})["spec"].get("ports") or ()
        if row["port"] == port
    }
    for item in _slices_of(seen, service):
        for row in item.get("ports") or ():
            if row.get("port") and str(row.get("name") or "") in names:
                for endpoint in item.get("endpoints") or ():
                    pod = str((endpoint.get("targetRef") or {}).get("name") or "")
                    yield from ((str(one), int(row["port"]), pod) for one in endpoint.get("addresses") or ())


def _slices_of(seen: Seen, service: str) -> Iterator[Object]:
    for item in seen.slices:
        owner = (item["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL)
        if owner and f"{item['metadata']['namespace']}/{owner}" == service:
            yield item


def _choosing(seen: Seen, pod: Object | None) -> tuple[str, ...]:
    """The NetworkPolicies that say who may reach a pod."""
    if pod is None:
        return ()
    metadata = pod["metadata"]
    return tuple(
        label_of(one)
        for one in seen.policies
        if one["metadata"]["namespace"] == metadata["namespace"]
        and "Ingress" in (one["spec"].get("policyTypes") or ["Ingress"])
        and selector_matches(one["spec"].get("podSelector") or {}, metadata.get("labels") or {})
    )


def service_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    """Every Service that leads to one of these pods, and not only those that routes name."""
    at = {(one.address, one.port): one for one in backends}
    for service in seen.services:
        for kind, shown, address, port, row in service_addresses(seen, service):
            behind = [
                at[address_port]
                for endpoint_address, endpoint_port, _pod in _endpoints(seen, label_of(service), int(row["port"]))
                if (address_port := (endpoint_address, endpoint_port)) in at
            ]
            if behind:
                metadata = service["metadata"]
                yield Way(
                    kind=kind,
                    name=shown,
                    address=address,
                    port=port,
                    host=f"{metadata['name']}.{metadata['namespace']}:{row['port']}",
                    path=behind[0].path,
                    services=tuple(dict.fromkeys((*_names(behind), label_of(service)))),
                    is_open=all(one.is_open for one in behind),
                    policies=behind[0].policies,
                    is_inside=kind == CLUSTER_IP,
                )


def _names(backends: Iterable[Backend]) -> list[str]:
    return list(dict.fromkeys(name for one in backends for name in one.services))


def pod_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    pods = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in seen.pods}
    for one in backends:
        made = Way(
            kind=POD_IP,
            name=f"Pod {one.namespace}/{one.pod} at {one.address}:{one.port}",
            address=one.address,
            port=one.port,
            host=f"{one.address}:{one.port}",
            path=one.path,
            services=one.services,
            is_open=one.is_open,
            policies=one.policies,
            is_inside=True,
        )
        yield made
        pod = pods.get((one.namespace, one.pod))
        for container in (pod or {"spec": {}})["spec"].get("containers") or ():
            for port in container.get("ports") or ():
                if port.get("hostPort") and port["containerPort"] == one.port and pod is not None:
                    address, at = str((pod.get("status") or {}).get("hostIP")), int(port["hostPort"])
                    name = f"host port of Pod {one.namespace}/{one.pod} at {address}:{at}"
                    yield replace(
                        made,
                        kind=HOST_PORT,
                        name=name,
                        address=address,
                        port=at,
                        host=f"{address}:{at}",
                        is_inside=False,
                    )


def ingress_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    known = {name: one for one in backends for name in one.services}
    for item in seen.ingresses:
        for rule in item["spec"].get("rules") or ():
            for path in (rule.get("http") or {}).get("paths") or ():
                service = ((path.get("backend") or {}).get("service") or {}).get("name")
                behind = known.get(f"{item['metadata']['namespace']}/{service}")
                if behind is None:
                    continue
                for address in balanced_addresses(item):
                    host = str(rule.get("host") or address).replace("*", NOBODY)
                    for tls, port in ((False, 80), *([(True, 443)] if item["spec"].get("tls") else [])):
                        yield Way(
                            kind=INGRESS,
                            name=f"Ingress {label_of(item)} at {address}:{port}, host {host}",
                            address=address,
                            port=port,
                            host=host,
                            path=behind.path,
                            tls=tls,
                            services=behind.services,
                            is_open=behind.is_open,
                        )
