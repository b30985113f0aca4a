# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ways lead to the servers behind a gateway, from what is in the cluster and not from what is declared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..kube.manifests import Object
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
    parents,
    paths,
    pod_ways,
    service_addresses,
    service_ways,
    targets,
)

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
        *service_ways(seen, behind),
        *pod_ways(seen, behind),
        *ingress_ways(seen, behind),
        *_other_gateways(seen, gateway, behind),
    ]
    # node addresses and hosts may be the same ones
    return list({(one.kind, one.address, one.port, one.host, one.path): one for one in reversed(found)}.values())[::-1]


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
        for address in addresses_of(gateway):
            for route in led(seen, name):
                yield from _of_route(gateway, route, address, GATEWAY, label_of(route) in open_routes)
            for listener in gateway["spec"].get("listeners") or ():
                yield from _unknown(gateway, listener, address)
        yield from _own_services(seen, gateway, open_routes)


def _of_route(gateway: Object, route: Object, address: str, kind: str, is_open: bool) -> Iterator[Way]:
    for listener, host in _attached(gateway, route):
        for path in paths(route):
            tls = listener["protocol"] == "HTTPS"
            shown = f"{'https' if tls else 'http'}://{host}:{listener['port']}{path}"
            yield Way(
                kind=kind,
                name=f"listener {listener['name']} of Gateway {label_of(gateway)} at {address}: {shown}",
                address=address,
                port=int(listener["port"]),
                host=host,
                path=path,
                tls=tls,
                route=label_of(route),
                services=tuple(dict.fromkeys(service for service, _port in targets(route))),
                is_open=is_open,
            )


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
                for one in _of_route(gateway, route, address, GATEWAY_SERVICE, label_of(route) in open_routes)
                if one.port == int(row["port"])
            ]
            if found:
                name = f"{shown}, which is the gateway, asked for {found[0].host}"
                yield replace(found[0], name=name, port=port, is_inside=kind == CLUSTER_IP)


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
                    yield from _of_route(gateway, route, address, OTHER_GATEWAY, all(one.is_open for one in behind))
