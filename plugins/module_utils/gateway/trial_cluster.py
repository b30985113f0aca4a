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
from .trial_samples import DEFAULT_PATH, USUAL_METHOD, Match, matches_of

GATEWAY, UNKNOWN_HOST, GATEWAY_SERVICE = "gateway", "unknown_host", "gateway_service"
OTHER_GATEWAY, INGRESS = "other_gateway", "ingress"
CLUSTER_IP, NODE_PORT, LOAD_BALANCER, EXTERNAL_IP = "cluster_ip", "node_port", "load_balancer", "external_ip"
POD_IP, HOST_PORT = "pod_ip", "host_port"
API_SERVER = "api_server"
NO_PODS = "no pod is behind it now; try again when there is one"
NOBODY = "mcpops-trial"
"""What stands for the star of a host name."""
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
    namespaces: Sequence[Object] = ()
    others: Sequence[Object] = ()
    """Routes of kinds that no call is made for: GRPCRoute, TCPRoute, TLSRoute."""


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
    method: str = USUAL_METHOD
    headers: tuple[tuple[str, str], ...] = ()
    """What the match of a route asks for beside the path."""
    untried: str = ""
    """Why nothing is called there."""
    ranges: tuple[str, ...] = ()
    """From where the address lets in alone."""
    is_served: bool = True
    """Whether the gateway is to take calls for the route there: it takes none of a route that it has refused."""
    is_other_port: bool = False
    """One that no route leads to, of a pod that some route leads to: who answers there need not be the server."""

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
    """The routes of a gateway that lead to servers, whoever made them and whatever they call a server."""
    return [route for route in seen.routes if parents(route, gateway) and any(_references(route))]


def parents(route: Object, gateway: str) -> list[Mapping[str, Any]]:
    place = route["metadata"]["namespace"]
    return [
        one
        for one in route["spec"].get("parentRefs") or ()
        if one.get("kind", "Gateway") == "Gateway" and f"{one.get('namespace') or place}/{one['name']}" == gateway
    ]


def _references(route: Object) -> Iterator[Mapping[str, Any]]:
    for rule in route["spec"].get("rules") or ():
        yield from rule.get("backendRefs") or ()


def targets(route: Object) -> Iterator[tuple[str, int]]:
    """(namespace/name, port) of the Services that a route leads to."""
    for one in _references(route):
        if one.get("kind", "Service") == "Service":
            yield f"{one.get('namespace') or route['metadata']['namespace']}/{one['name']}", int(one.get("port") or 0)


def other_targets(route: Object) -> list[str]:
    """What a route leads to that is no Service, such as a Backend of Envoy Gateway."""
    place = route["metadata"]["namespace"]
    found = (
        f"{one['kind']} {one.get('namespace') or place}/{one['name']}"
        for one in _references(route)
        if one.get("kind", "Service") != "Service"
    )
    return list(dict.fromkeys(found))


def _direct_path(route: Object) -> str:
    """Where a server itself is asked: by the first path that leads to it."""
    usable: list[Match] = [one for one in matches_of(route) if not one.why_not]
    return usable[0].path.partition("?")[0] if usable else DEFAULT_PATH


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
                    path=before.path if before else _direct_path(route),
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
    return policies_of(seen, metadata["namespace"], metadata.get("labels") or {}, "Ingress")


def policies_of(seen: Seen, namespace: str, labels: Mapping[str, str], direction: str) -> tuple[str, ...]:
    return tuple(
        label_of(one)
        for one in seen.policies
        if one["metadata"]["namespace"] == namespace
        and direction in (one["spec"].get("policyTypes") or ["Ingress"])
        and selector_matches(one["spec"].get("podSelector") or {}, labels)
    )


def control_of(seen: Seen) -> Way | None:
    """What every pod of a cluster reaches, unless something closes the way out of where it is."""
    for service in seen.services:
        if label_of(service) == "default/kubernetes":
            for kind, shown, address, port, _row in service_addresses(seen, service):
                if kind == CLUSTER_IP:
                    return Way(
                        API_SERVER, f"the API server, {shown}", address, port, "kubernetes", "/version", tls=True
                    )
    return None


def service_ways(seen: Seen, gateway: str, backends: Sequence[Backend]) -> Iterator[Way]:
    """Every Service that leads to one of these pods, and not only those that routes name."""
    at = {(one.address, one.port): one for one in backends}
    pods = {one.address: one for one in backends}
    for service in seen.services:
        for kind, shown, address, port, row in service_addresses(seen, service):
            ends = [one[:2] for one in _endpoints(seen, label_of(service), int(row["port"]))]
            behind = [at[end] for end in ends if end in at]
            others = [pods[end[0]] for end in ends if end[0] in pods and end not in at]
            is_other = not behind
            if behind := behind or others:
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
                    is_other_port=is_other,
                )
    for name in sorted(_empty(seen, gateway)):
        yield Way(CLUSTER_IP, f"Service {name}", "", 0, "", services=(name,), untried=NO_PODS)


def _empty(seen: Seen, gateway: str) -> set[str]:
    """The Services of routes that no pod is behind."""
    return {
        service
        for route in led(seen, gateway)
        for service, port in targets(route)
        if not any(_endpoints(seen, service, port))
    }


def _names(backends: Iterable[Backend]) -> list[str]:
    return list(dict.fromkeys(name for one in backends for name in one.services))


def pod_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    pods = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in seen.pods}
    routed = {(one.address, one.port) for one in backends}
    for one in backends:
        made = _pod_way(one, one.port)
        yield made
        pod = pods.get((one.namespace, one.pod))
        for port in _container_ports(pod):
            number = int(port["containerPort"])
            if number != one.port and (one.address, number) in routed:
                # its own entry comes or has been
                continue
            other = made if number == one.port else replace(_pod_way(one, number), is_other_port=True)
            if other is not made:
                yield other
            if port.get("hostPort") and pod is not None:
                address, at = str((pod.get("status") or {}).get("hostIP")), int(port["hostPort"])
                name = f"host port of Pod {one.namespace}/{one.pod} at {address}:{at}"
                host = f"{address}:{at}"
                yield replace(other, kind=HOST_PORT, name=name, address=address, port=at, host=host, is_inside=False)


def _pod_way(one: Backend, port: int) -> Way:
    return Way(
        kind=POD_IP,
        name=f"Pod {one.namespace}/{one.pod} at {one.address}:{port}",
        address=one.address,
        port=port,
        host=f"{one.address}:{port}",
        path=one.path,
        services=one.services,
        is_open=one.is_open,
        policies=one.policies,
        is_inside=True,
    )


def _container_ports(pod: Object | None) -> Iterator[Mapping[str, Any]]:
    spec = (pod or {"spec": {}})["spec"]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for port in container.get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                yield port


def ingress_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    known = {name: one for one in backends for name in one.services}
    for item in seen.ingresses:
        for host, path, service in _ingress_rules(item):
            behind = known.get(f"{item['metadata']['namespace']}/{service}")
            if behind is None:
                continue
            for address in balanced_addresses(item):
                asked = str(host or address).replace("*", NOBODY)
                for tls, port in ((False, 80), *([(True, 443)] if item["spec"].get("tls") else [])):
                    yield Way(
                        kind=INGRESS,
                        name=f"Ingress {label_of(item)} at {address}:{port}, host {asked}, path {path or behind.path}",
                        address=address,
                        port=port,
                        host=asked,
                        path=path or behind.path,
                        tls=tls,
                        services=behind.services,
                        is_open=behind.is_open,
                    )


def _ingress_rules(item: Object) -> Iterator[tuple[str, str, str]]:
    """(host, path, Service) of each; no path where the server's own is below it."""
    for rule in item["spec"].get("rules") or ():
        for one in (rule.get("http") or {}).get("paths") or ():
            value = str(one.get("path") or "/")
            below = one.get("pathType") != "Exact" and DEFAULT_PATH.startswith(value.rstrip("/"))
            yield str(rule.get("host") or ""), "" if below else value, _service_name(one.get("backend"))
    yield "", "", _service_name(item["spec"].get("defaultBackend"))


def _service_name(backend: Mapping[str, Any] | None) -> str:
    return str(((backend or {}).get("service") or {}).get("name") or "")
