# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From declared routes to their objects, and from who calls whom to network policies. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.manifests import Object
from ..kube.policy_peers import NAMESPACE_NAME, api_server_peers
from ..text import texts_of_mapping
from .access_spec import METADATA_PATH, challenge, issuers_of, literal, protected_resource, rate_limits, security_spec
from .gateway_spec import (
    CONTROLLER_NAMESPACE,
    ENVOY,
    ENVOY_GROUP,
    GATEWAY_GROUP,
    HTTPS_PORT,
    OWNER_LABEL,
    proxy_labels,
    typed_object,
)

ROUTE_LABEL = "mcpops.io/gateway-route"
"""On every object of a route, with the route's name."""
LEGACY, MODERN, DUAL = "legacy", "modern", "dual"
ERAS = (LEGACY, MODERN, DUAL)
DEFAULT_READ_TIMEOUT = 300
STREAM_IDLE_TIMEOUT = 3600
"""How long a stream may be silent, in seconds, where nothing is declared: Envoy itself ends it after five minutes."""
METADATA_SUFFIX = "-metadata"
POLICY_SUFFIX = "-from-gateway"
CHILDREN = (
    # in the order of removal: a route first, then what closes it
    ("HTTPRoute", ""),
    ("HTTPRoute", METADATA_SUFFIX),
    ("HTTPRouteFilter", METADATA_SUFFIX),
    ("BackendTrafficPolicy", ""),
    ("SecurityPolicy", METADATA_SUFFIX),
    ("SecurityPolicy", ""),
    ("NetworkPolicy", POLICY_SUFFIX),
)
"""(kind, suffix of the name) of all that a route may consist of."""


@dataclass(frozen=True)
class Edge:
    """Who calls whom, at which port, and which eras of MCP both speak; empty where nothing is known of it."""

    source: str
    target: str
    port: int
    source_era: str = ""
    target_era: str = ""

    @property
    def is_impossible(self) -> bool:
        """One side speaks only what the other does not know."""
        return {self.source_era, self.target_era} == {LEGACY, MODERN}


@dataclass(frozen=True)
class GatewayRef:
    """The gateway that routes attach to."""

    name: str
    namespace: str
    renderer: str
    port: int = HTTPS_PORT
    controller_namespace: str = CONTROLLER_NAMESPACE
    """Where its proxies run; of other renderers, where the gateway itself is."""
    listeners: tuple[Mapping[str, Any], ...] = ()
    """Those whose ports are in the addresses of routes; without them, `port` is."""

    @property
    def owner(self) -> str:
        return f"{self.namespace}.{self.name}"


@dataclass(frozen=True)
class DeclaredRoute:
    """One entry of `routes`, with the defaults of the task."""

    options: Mapping[str, Any]
    namespace: str
    auth: tuple[Mapping[str, Any], ...] = ()
    where: str = ""

    @property
    def name(self) -> str:
        return str(self.options["name"])

    @property
    def anonymous(self) -> bool:
        return bool(self.options.get("anonymous"))

    @property
    def edge(self) -> Edge:
        clients, server = self.options.get("client_era") or "", self.options.get("server_era") or ""
        target = f"{self.namespace}/{self.options['service']}"
        return Edge(f"clients of route {self.name}", target, int(self.options.get("port") or 0), clients, server)

    def ports(self, gateway: GatewayRef) -> list[int]:
        """Those at which clients find it, and which listeners of the gateway have."""
        if not gateway.listeners:
            return [gateway.port]
        return ports_of(gateway.listeners, self.options["host"], self.options.get("listener") or "")

    def url(self, gateway: GatewayRef) -> str:
        """The address that clients use, to the letter."""
        return f"{self._origin(gateway)}{self.options['path']}"

    def metadata_url(self, gateway: GatewayRef) -> str:
        return f"{self._origin(gateway)}{METADATA_PATH}{self.metadata_path}"

    def _origin(self, gateway: GatewayRef) -> str:
        [port, *_others] = self.ports(gateway) or [HTTPS_PORT]
        return f"https://{self.options['host']}{'' if port == HTTPS_PORT else f':{port}'}"

    @property
    def metadata_path(self) -> str:
        """The path behind the well-known one: that of a resource at the root of its host has none."""
        return str(self.options["path"]).rstrip("/")


def fits(host: str, hostname: str) -> bool:
    """Whether a listener takes a host: its own name, or one below that of a wildcard (Gateway API, "hostname")."""
    return host.endswith(hostname[1:]) if hostname.startswith("*.") else host == hostname


def fitting(listeners: Sequence[Mapping[str, Any]], host: str, name: str = "") -> list[Mapping[str, Any]]:
    """The listeners that a route to a host attaches to; `name` is the one that it asks for."""
    return [one for one in listeners if fits(host, one["hostname"]) and name in ("", one["name"])]


def ports_of(listeners: Sequence[Mapping[str, Any]], host: str, name: str = "") -> list[int]:
    """The ports at which clients find the route, the one that needs not be said first."""
    found = {int(one["port"]) for one in fitting(listeners, host, name)}
    return sorted(found, key=lambda port: (port != HTTPS_PORT, port))


def route_objects(route: DeclaredRoute, gateway: GatewayRef) -> list[list[Object]]:
    """In the order in which they are applied: the policies of a route stand before it leads anywhere."""
    before: list[Object] = []
    routes = [_http_route(route, gateway)]
    if gateway.renderer == ENVOY:
        before = [_security(route, gateway), _traffic(route, gateway)]
        if not route.anonymous:
            before += [_open_metadata(route, gateway), _metadata_answer(route, gateway)]
            routes.append(_metadata_route(route, gateway))
    if route.options.get("pod_labels"):
        before.append(_network_policy(route, gateway))
    return [some for some in (before, routes) if some]


def undeclared_children(objects: Sequence[Sequence[Object]], route: str) -> list[tuple[str, str]]:
    """(kind, name) of what a route could consist of, and as it is declared does not."""
    declared = {(item["kind"], item["metadata"]["name"]) for some in objects for item in some}
    return [(kind, f"{route}{suffix}") for kind, suffix in CHILDREN if (kind, f"{route}{suffix}") not in declared]


def era_conflicts(routes: Sequence[DeclaredRoute]) -> Iterator[tuple[str, str]]:
    """(where, message) of routes whose clients and server have no era of MCP in common."""
    for route in routes:
        edge = route.edge
        if edge.is_impossible:
            yield (
                f"{route.where}.client_era",
                f"{edge.source} speak {edge.source_era} only, and {edge.target} speaks {edge.target_era} only: no call "
                "can succeed. Let the server speak both eras, or put an adapter that does before it",
            )


def _object(kind: str, route: DeclaredRoute, gateway: GatewayRef, suffix: str = "", **content: Any) -> Object:
    made = typed_object(kind, f"{route.name}{suffix}", route.namespace, gateway.owner, **content)
    made["metadata"]["labels"][ROUTE_LABEL] = route.name
    return made


def _on_route(route: DeclaredRoute, suffix: str = "") -> list[dict[str, str]]:
    return [{"group": GATEWAY_GROUP, "kind": "HTTPRoute", "name": f"{route.name}{suffix}"}]


def _parents(route: DeclaredRoute, gateway: GatewayRef) -> list[dict[str, str]]:
    parent = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway.name, "namespace": gateway.namespace}
    if route.options.get("listener"):
        parent["sectionName"] = route.options["listener"]
    return [parent]


def _http_route(route: DeclaredRoute, gateway: GatewayRef) -> Object:
    options = route.options
    path = {"type": options["path_type"], "value": options["path"]}
    methods = options.get("methods") or [None]
    backend = {"group": "", "kind": "Service", "name": options["service"], "port": options["port"], "weight": 1}
    seconds = options.get("read_timeout") or DEFAULT_READ_TIMEOUT
    rule = {
        "matches": [{"path": path, **({"method": method} if method else {})} for method in methods],
        # a stream ends when one side ends it
        "timeouts": {"request": "0s" if options["streaming"] else f"{seconds}s"},
        "backendRefs": [backend],
    }
    spec = {"parentRefs": _parents(route, gateway), "hostnames": [options["host"]], "rules": [rule]}
    return _object("HTTPRoute", route, gateway, spec=spec)


def _security(route: DeclaredRoute, gateway: GatewayRef) -> Object:
    spec = security_spec(route.name, route.auth, route.options.get("source_ranges") or (), route.anonymous)
    return _object("SecurityPolicy", route, gateway, spec={"targetRefs": _on_route(route), **spec})


def _traffic(route: DeclaredRoute, gateway: GatewayRef) -> Object:
    """One for all that is said of a route: Envoy Gateway takes no second one."""
    options = route.options
    spec: dict[str, Any] = {"targetRefs": _on_route(route)}
    if options.get("body_limit"):
        spec["requestBuffer"] = {"limit": options["body_limit"]}
    if options["streaming"]:
        idle = options.get("read_timeout") or STREAM_IDLE_TIMEOUT
        spec["timeout"] = {"http": {"requestTimeout": "0s", "streamIdleTimeout": f"{idle}s"}}
    if not route.anonymous:
        issuers = issuers_of(route.name, route.auth)
        scopes = list(dict.fromkeys(scope for one in issuers for scope in one.get("scopes") or ()))
        text = literal(challenge(route.metadata_url(gateway), scopes))
        spec["responseOverride"] = [
            {
                "match": {"statusCodes": [{"type": "Value", "value": 401}]},
                "response": {"header": {"set": [{"name": "WWW-Authenticate", "value": text}]}},
            }
        ]
        if rules := rate_limits(route.name, route.auth):
            spec["rateLimit"] = {"type": "Local", "local": {"rules": rules}}
    return _object("BackendTrafficPolicy", route, gateway, spec=spec)


def _open_metadata(route: DeclaredRoute, gateway: GatewayRef) -> Object:
    """Who has no token yet must be able to read where to get one."""
    spec = {"targetRefs": _on_route(route, METADATA_SUFFIX), "authorization": {"defaultAction": "Allow"}}
    return _object("SecurityPolicy", route, gateway, METADATA_SUFFIX, spec=spec)


def _metadata_answer(route: DeclaredRoute, gateway: GatewayRef) -> Object:
    document = protected_resource(route.url(gateway), route.name, route.auth)
    answer = {
        "contentType": "application/json",
        "statusCode": 200,
        "body": {"type": "Inline", "inline": literal(json.dumps(document, separators=(",", ":")))},
    }
    return _object("HTTPRouteFilter", route, gateway, METADATA_SUFFIX, spec={"directResponse": answer})


def _metadata_route(route: DeclaredRoute, gateway: GatewayRef) -> Object:
    name = f"{route.name}{METADATA_SUFFIX}"
    answer = {"group": ENVOY_GROUP, "kind": "HTTPRouteFilter", "name": name}
    rule = {
        "matches": [{"path": {"type": "Exact", "value": f"{METADATA_PATH}{route.metadata_path}"}, "method": "GET"}],
        "filters": [{"type": "ExtensionRef", "extensionRef": answer}],
    }
    spec = {"parentRefs": _parents(route, gateway), "hostnames": [route.options["host"]], "rules": [rule]}
    return _object("HTTPRoute", route, gateway, METADATA_SUFFIX, spec=spec)


def _network_policy(route: DeclaredRoute, gateway: GatewayRef) -> Object:
    """The gateway's proxies reach the server, and the API server does, for probes by its Service."""
    options = route.options
    if gateway.renderer == ENVOY:
        place, labels = gateway.controller_namespace, proxy_labels(gateway.name, gateway.namespace)
    else:
        # implementations of Gateway API label what they make for a Gateway (GEP-1762)
        place, labels = gateway.namespace, {"gateway.networking.k8s.io/gateway-name": gateway.name}
    proxies = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: place}},
        "podSelector": {"matchLabels": labels},
    }
    port = options.get("pod_port") or options["port"]
    peers = [proxies, *api_server_peers(options.get("api_server_cidrs") or ())]
    spec = {
        "podSelector": {"matchLabels": texts_of_mapping(options["pod_labels"])},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": peers, "ports": [{"port": port, "protocol": "TCP"}]}],
    }
    return _object("NetworkPolicy", route, gateway, POLICY_SUFFIX, spec=spec)


def owned_by(owner: str) -> str:
    """The selector of all that belongs to a gateway."""
    return f"{OWNER_LABEL}={owner}"
