# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ways lead to the servers behind a gateway, from what is in the cluster and not from what is declared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..arm.names import RANGES
from ..kube.manifests import Object
from ..kube.syntax import selector_matches
from .trial_cluster import (
    CLUSTER_IP,
    GATEWAY,
    GATEWAY_SERVICE,
    NOBODY,
    NODE_PORT,
    OTHER_GATEWAY,
    UNKNOWN_HOST,
    Backend,
    Seen,
    Way,
    backends,
    ingress_ways,
    label_of,
    led,
    other_targets,
    parents,
    pod_ways,
    service_addresses,
    service_ways,
    targets,
)
from .trial_samples import USUAL_METHOD, matches_of

_OWNED_BY = (
    ("gateway.envoyproxy.io/owning-gateway-name", "gateway.envoyproxy.io/owning-gateway-namespace"),
    # of implementations that run in the namespace of the Gateway (GEP-1762)
    ("gateway.networking.k8s.io/gateway-name", ""),
)


def ways_of(seen: Seen, gateway: str, anonymous: Iterable[str]) -> list[Way]:
    """Every way; `gateway` and `anonymous` (routes that are declared open) are namespace/name."""
    open_routes = set(anonymous)
    behind = backends(seen, gateway, open_routes)
    found = [
        *_gateway_ways(seen, gateway, open_routes),
        *service_ways(seen, gateway, behind),
        *pod_ways(seen, behind),
        *ingress_ways(seen, behind),
        *_other_gateways(seen, gateway, behind),
        *_by_other_means(seen, gateway, behind),
    ]
    # node addresses and hosts may be the same ones
    return list({_same(one): one for one in reversed(found)}.values())[::-1]


def _same(way: Way) -> tuple[Any, ...]:
    if way.untried:
        return way.kind, way.name
    return way.kind, way.address, way.port, way.host, way.path, way.method, way.headers


def protected_namespaces(seen: Seen, gateway: str) -> list[str]:
    """Where the servers behind the gateway are."""
    return sorted({service.partition("/")[0] for route in led(seen, gateway) for service, _port in targets(route)})


def concrete_host(listener: str, route: str) -> str:
    """A name that both take, or nothing. A star stands for any beginning."""
    if not listener or not route:
        return (listener or route or f"{NOBODY}.invalid").replace("*", NOBODY)
    if listener == route or (listener.startswith("*.") and route.endswith(listener[1:])):
        return route.replace("*", NOBODY)
    return listener.replace("*", NOBODY) if route.startswith("*.") and listener.endswith(route[1:]) else ""


def addresses_of(gateway: Object) -> list[str]:
    return [str(one["value"]) for one in (gateway.get("status") or {}).get("addresses") or () if one.get("value")]


def _attached(gateway: Object, route: Object) -> Iterator[tuple[Mapping[str, Any], str]]:
    """(listener, host) where a route is served."""
    for parent in parents(route, label_of(gateway)):
        for listener in gateway["spec"].get("listeners") or ():
            if parent.get("sectionName", listener["name"]) != listener["name"]:
                continue
            if parent.get("port", listener["port"]) != listener["port"] or listener["protocol"] not in (
                "HTTP",
                "HTTPS",
            ):
                continue
            for host in route["spec"].get("hostnames") or [""]:
                if found := concrete_host(listener.get("hostname") or "", host):
                    yield listener, found


def _gateway_ways(seen: Seen, name: str, open_routes: set[str]) -> Iterator[Way]:
    for gateway in (one for one in seen.gateways if label_of(one) == name):
        own = [one for one in seen.services if _belongs(one, gateway)]
        ranges = tuple(dict.fromkeys(text for one in own for text in _ranges(one)))
        for address in addresses_of(gateway):
            for route in led(seen, name):
                for way in _of_route(seen, gateway, route, address, GATEWAY, label_of(route) in open_routes):
                    yield replace(way, ranges=ranges)
            for listener in gateway["spec"].get("listeners") or ():
                yield from _unknown(gateway, listener, address)
        for address in _inside(own) if ranges else ():
            # what lets in some addresses alone may let in nobody who tries: inside the cluster it is asked as well
            for route in led(seen, name):
                for way in _of_route(seen, gateway, route, address, GATEWAY, label_of(route) in open_routes):
                    yield replace(way, is_inside=True)
        yield from _own_services(seen, gateway, open_routes)


def _of_route(seen: Seen, gateway: Object, route: Object, address: str, kind: str, is_open: bool) -> Iterator[Way]:
    for listener, host in _attached(gateway, route):
        for match in matches_of(route):
            tls = listener["protocol"] == "HTTPS"
            shown = f"{'https' if tls else 'http'}://{host}:{listener['port']}{match.path}"
            asked = [] if match.method == USUAL_METHOD else [match.method]
            asked += [f"{name}: {value}" for name, value in match.headers]
            yield Way(
                kind=kind,
                name=f"listener {listener['name']} of Gateway {label_of(gateway)} at {address}: {shown}"
                + (f" ({', '.join(asked)})" if asked else ""),
                address=address,
                port=int(listener["port"]),
                host=host,
                path=match.path,
                tls=tls,
                route=label_of(route),
                services=tuple(dict.fromkeys(service for service, _port in targets(route))),
                is_open=is_open,
                method=match.method,
                headers=match.headers,
                untried=match.why_not,
                is_served=_is_served(seen, gateway, listener, route),
            )


def _is_served(seen: Seen, gateway: Object, listener: Mapping[str, Any], route: Object) -> bool:
    """Not where the gateway has refused the route, or the listener takes none from its namespace."""
    own = label_of(gateway)
    for parent in (route.get("status") or {}).get("parents") or ():
        reference = parent.get("parentRef") or {}
        place = reference.get("namespace") or route["metadata"]["namespace"]
        if (
            f"{place}/{reference.get('name')}" != own
            or reference.get("sectionName", listener["name"]) != listener["name"]
        ):
            continue
        if any((one["type"], one["status"]) == ("Accepted", "False") for one in parent.get("conditions") or ()):
            return False
    allowed = listener.get("allowedRoutes") or {}
    kinds = [one["kind"] for one in allowed.get("kinds") or ()]
    if kinds and "HTTPRoute" not in kinds:
        return False
    namespaces = allowed.get("namespaces") or {}
    where = route["metadata"]["namespace"]
    if namespaces.get("from") == "Same":
        return bool(where == gateway["metadata"]["namespace"])
    if namespaces.get("from") == "Selector":
        labels = [one["metadata"].get("labels") or {} for one in seen.namespaces if one["metadata"]["name"] == where]
        return not labels or selector_matches(namespaces.get("selector") or {}, labels[0])
    return True


def _unknown(gateway: Object, listener: Mapping[str, Any], address: str) -> Iterator[Way]:
    """A name that no route has: a listener is not to lead anywhere by itself."""
    if listener["protocol"] not in ("HTTP", "HTTPS"):
        return
    own = str(listener.get("hostname") or "")
    host = own.replace("*", "mcpops-no-such-host") if own.startswith("*.") else "mcpops-no-such-host.invalid"
    yield Way(
        kind=UNKNOWN_HOST,
        name=f"listener {listener['name']} of Gateway {label_of(gateway)} at {address}: a host that no route has",
        address=address,
        port=int(listener["port"]),
        host=host,
        tls=listener["protocol"] == "HTTPS",
    )


def _own_services(seen: Seen, gateway: Object, open_routes: set[str]) -> Iterator[Way]:
    """The same gateway by the other addresses of its Services; one route of a listener stands for all."""
    known = set(addresses_of(gateway))
    for service in seen.services:
        if not _belongs(service, gateway):
            continue
        for kind, shown, address, port, row in service_addresses(seen, service):
            if address in known and kind != NODE_PORT:
                continue
            # its own ports are those of the listeners
            found = [
                one
                for route in led(seen, label_of(gateway))
                for one in _of_route(seen, gateway, route, address, GATEWAY_SERVICE, label_of(route) in open_routes)
                if one.port == int(row["port"]) and not one.untried
            ]
            if found:
                name = f"{shown}, which is the gateway, asked for {found[0].host}"
                yield replace(found[0], name=name, port=port, is_inside=kind == CLUSTER_IP)


def _ranges(service: Object) -> list[str]:
    """From where a load balancer lets in alone, if it does not from everywhere."""
    annotated = (service["metadata"].get("annotations") or {}).get(RANGES, "")
    return [*(service["spec"].get("loadBalancerSourceRanges") or ()), *filter(None, annotated.split(","))]


def _inside(services: Iterable[Object]) -> list[str]:
    found = [address for one in services for address in one["spec"].get("clusterIPs") or [one["spec"].get("clusterIP")]]
    return [str(one) for one in found if one and one != "None"]


def _belongs(service: Object, gateway: Object) -> bool:
    labels, metadata = service["metadata"].get("labels") or {}, gateway["metadata"]
    for name, namespace in _OWNED_BY:
        place = labels.get(namespace) if namespace else service["metadata"]["namespace"]
        if labels.get(name) == metadata["name"] and place == metadata["namespace"]:
            return True
    return False


def _other_gateways(seen: Seen, own: str, backends: Sequence[Backend]) -> Iterator[Way]:
    """Routes of other gateways to the same servers."""
    known = {name: one for one in backends for name in one.services}
    for gateway in seen.gateways:
        name = label_of(gateway)
        if name == own:
            continue
        for route in led(seen, name):
            behind = [known[service] for service, _port in targets(route) if service in known]
            if behind:
                for address in addresses_of(gateway):
                    is_open = all(one.is_open for one in behind)
                    yield from _of_route(seen, gateway, route, address, OTHER_GATEWAY, is_open)


def _by_other_means(seen: Seen, own: str, backends: Sequence[Backend]) -> Iterator[Way]:
    """What leads to servers, or may, and is not called: it is named, so that nobody takes it for tried."""
    known = {name for one in backends for name in one.services}
    for gateway in (label_of(one) for one in seen.gateways):
        is_own = gateway == own
        kind = GATEWAY if is_own else OTHER_GATEWAY
        for route in (*seen.routes, *seen.others):
            if not parents(route, gateway):
                continue
            label, here = f"{route.get('kind', 'HTTPRoute')} {label_of(route)}", label_of(route)
            services = tuple(dict.fromkeys(service for service, _port in targets(route)))
            for other in other_targets(route):
                why = "only Services are looked behind; who answers there may be asked by other ways as well"
                yield Way(kind, f"{other} of {label} at Gateway {gateway}", "", 0, "", route=here, untried=why)
            if route in seen.others and (is_own or known & set(services)):
                why = "calls are made to HTTPRoutes alone"
                yield Way(kind, f"{label} at Gateway {gateway}", "", 0, "", route=here, services=services, untried=why)
