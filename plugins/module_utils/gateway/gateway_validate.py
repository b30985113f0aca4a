# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work, or would be open, in the declaration of a gateway and its routes: all of it, before any request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..errors import Problem
from ..kube.policy_peers import range_problems
from ..kube.syntax import parse_quantity
from ..names import (
    IMAGE,
    LABEL,
    SERVICE,
    SUBDOMAIN,
    namespace_problems,
    path_problem,
    wrong_label_name,
    wrong_label_value,
    wrong_name,
)
from ..text import texts_of_mapping
from .access_spec import ENTRA_HOSTS, METADATA_PATH, entra_tenant, grants_of, issuers_of, keys_of
from .field_limits import limit_findings
from .gateway_spec import APP_ROUTING, ENVOY, PLAIN, DeclaredGateway, gateway_objects, proxy_port, secret_name
from .route_spec import (
    METADATA_SUFFIX,
    POLICY_SUFFIX,
    DeclaredRoute,
    GatewayRef,
    era_conflicts,
    fitting,
    route_objects,
)

Found = Iterator[Problem]

_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# HTTPPathMatch of Gateway API 1.6: its pattern, and of its rules the one about a slash that is encoded
_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%(?!2[fF])[0-9a-fA-F]{2})+")
# what a tool may be called (MCP 2026-07-28, "Tool names"); nothing of it has a meaning in CEL
_TOOL = re.compile(r"[A-Za-z0-9_./-]{1,128}")
# scope-token (RFC 6749, 3.3)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
# a claim in the access log's format, where colons and brackets would end it
_CLAIM = re.compile(r"[A-Za-z0-9_.-]+")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_METHOD = re.compile(r"[a-z]+(/[A-Za-z_]+){0,2}")
_KEY_VAULT = re.compile(r"https://[a-z0-9-]+\.vault\.[a-z.]+/certificates/[A-Za-z0-9-]+(/[0-9a-f]{32})?")
_LONGEST_NAME = 63 - max(len(METADATA_SUFFIX), len(POLICY_SUFFIX))
_SHARED_TENANTS = ("common", "organizations", "consumers")
_TLS = ("secret", "issuer", "key_vault")


def gateway_problems(gateway: DeclaredGateway) -> Found:
    """What is wrong with the options of a gateway that is to be there."""
    found = list(_gateway_problems(gateway))
    yield from found
    if not found:
        for some in gateway_objects(gateway):
            for place, said in limit_findings(some):
                yield Problem("listeners" if place.startswith("listeners") else "address", said)


def _gateway_problems(gateway: DeclaredGateway) -> Found:
    yield from owner_problems(gateway.namespace, gateway.name)
    if gateway.renderer == PLAIN and not gateway.options.get("class_name"):
        yield Problem("class_name", f"is needed with renderer {PLAIN}: the GatewayClass of your implementation")
    if gateway.options.get("class_name") and (wrong := wrong_name(gateway.class_name, "GatewayClass name", SUBDOMAIN)):
        yield Problem("class_name", wrong)
    if gateway.options.get("controller_namespace"):
        yield from namespace_problems("controller_namespace", gateway.controller_namespace)
    yield from _listeners(gateway)
    yield from _address(gateway)
    yield from _envoy_only(gateway)
    for index, one in enumerate(gateway.options.get("route_namespaces") or ()):
        yield from namespace_problems(f"route_namespaces[{index}]", one)
    yield from range_problems("issuer_cidrs", gateway.options.get("issuer_cidrs") or ())
    image = (gateway.options.get("envoy") or {}).get("image")
    if image and not IMAGE.fullmatch(image):
        yield Problem("envoy.image", f"{image!r} is not a valid image")
    replicas = (gateway.options.get("envoy") or {}).get("replicas")
    if replicas is not None and replicas < 1:
        yield Problem("envoy.replicas", f"{replicas} is not a number of pods (1 or more)")
    if not 1 <= gateway.options["max_body_bytes"] <= 10_485_760:
        yield Problem("max_body_bytes", f"{gateway.options['max_body_bytes']} is not between 1 and 10485760")


def owner_problems(namespace: str, name: str) -> Found:
    """What is wrong with the names of a gateway; both together are the value of a label."""
    yield from namespace_problems("namespace", namespace)
    if wrong := wrong_name(name, "Gateway name", LABEL, 40):
        yield Problem("name", wrong)
    elif len(f"{namespace}.{name}") > 63:
        yield Problem("name", f"{name!r} and its namespace are longer than 62 characters together")


def _listeners(gateway: DeclaredGateway) -> Found:
    if not gateway.listeners:
        yield Problem("listeners", "is empty: a gateway that listens to nothing lets nobody in")
    names: set[str] = set()
    places: set[tuple[int, str]] = set()
    inside: dict[int, int] = {}
    secrets: dict[str, str] = {}
    for index, one in enumerate(gateway.listeners):
        where = f"listeners[{index}]"
        if wrong := wrong_name(one["name"], "listener name", LABEL, 20):
            yield Problem(f"{where}.name", wrong)
        if one["name"] in names:
            yield Problem(f"{where}.name", f"{one['name']} is declared twice")
        names.add(one["name"])
        yield from host_problems(f"{where}.hostname", one["hostname"], wildcard=True)
        if not 1 <= one["port"] <= 65535:
            yield Problem(f"{where}.port", f"{one['port']} is not a port (1 to 65535)")
        if (one["port"], one["hostname"]) in places:
            yield Problem(f"{where}.hostname", f"{one['hostname']} is listened to twice at port {one['port']}")
        places.add((one["port"], one["hostname"]))
        # Envoy has one listener for both then, under the name of one of them
        other = inside.setdefault(proxy_port(one["port"]), one["port"])
        if other != one["port"] and gateway.renderer == ENVOY:
            yield Problem(f"{where}.port", f"{one['port']} is the port of Envoy's pod for {other}: give another one")
        yield from _tls(gateway, one, f"{where}.tls")
        if one["tls"].get("issuer"):
            name = secret_name(gateway, one)
            if name in secrets:
                yield Problem(f"{where}.tls.secret", f"{name} is the certificate of {secrets[name]} as well")
            secrets[name] = where


def _tls(gateway: DeclaredGateway, listener: Mapping[str, Any], where: str) -> Found:
    tls = listener["tls"]
    if not any(tls.get(option) for option in _TLS):
        yield Problem(where, "has no certificate: give secret, issuer or key_vault")
    vault = tls.get("key_vault")
    if vault and (tls.get("secret") or tls.get("issuer")):
        yield Problem(where, "key_vault excludes secret and issuer")
    if vault and gateway.renderer != APP_ROUTING:
        remedy = "use issuer or secret (External Secrets and the CSI driver make Secrets of Key Vault's certificates)"
        yield Problem(f"{where}.key_vault", f"is read by AKS application routing only ({APP_ROUTING}): {remedy}")
    if vault and not _KEY_VAULT.fullmatch(vault["certificate_uri"]):
        example = "https://VAULT.vault.azure.net/certificates/NAME"
        yield Problem(f"{where}.key_vault.certificate_uri", f"is not the address of a certificate such as {example}")
    if vault and (wrong := wrong_name(vault["service_account"], "ServiceAccount name", SUBDOMAIN)):
        yield Problem(f"{where}.key_vault.service_account", wrong)
    for option, name in (("secret", tls.get("secret")), ("issuer.name", (tls.get("issuer") or {}).get("name"))):
        if name is not None and (wrong := wrong_name(name, f"{option.partition('.')[0]} name", SUBDOMAIN)):
            yield Problem(f"{where}.{option}", wrong)


def _address(gateway: DeclaredGateway) -> Found:
    address = gateway.address
    yield from range_problems("address.source_ranges", address.get("source_ranges") or ())
    if address.get("internal") and (address.get("public_ip") or address.get("dns_label")):
        yield Problem("address.internal", "excludes public_ip and dns_label: an internal load balancer has neither")
    if gateway.renderer == PLAIN:
        for option in ("internal", "public_ip", "dns_label", "source_ranges"):
            if address.get(option):
                yield Problem(
                    f"address.{option}",
                    f"means nothing to an implementation that is not known (renderer {PLAIN}), and would be passed "
                    "over: use address.annotations with its own words",
                )
    if address.get("ip") and gateway.renderer == APP_ROUTING:
        yield Problem("address.ip", "is not taken by AKS: name a public_ip, or set internal")


def _envoy_only(gateway: DeclaredGateway) -> Found:
    if gateway.renderer == ENVOY:
        return
    for option in ("envoy", "callers", "controller_namespace", "issuer_cidrs", "backends"):
        if gateway.options.get(option):
            yield Problem(option, f"belongs to renderer {ENVOY}")


def host_problems(path: str, host: str, *, wildcard: bool = False) -> Found:
    """What is wrong with a host name; addresses are none: a listener is found by its name."""
    if not _HOST.fullmatch(host) or len(host) > 253 or re.fullmatch(r"[0-9.]+", host):
        yield Problem(path, f"{host!r} is not a host name in lower-case letters, such as mcp.example.com")
    elif host.startswith("*.") and not wildcard:
        yield Problem(path, f"{host} has no one address that clients and tokens could name: give the whole name")


def routes_problems(
    routes: Sequence[DeclaredRoute], auth: Sequence[Mapping[str, Any]], gateway: GatewayRef, max_body: int
) -> Found:
    """What is wrong with routes and with who may use them."""
    found = list(_routes_problems(routes, auth, gateway, max_body))
    yield from found
    if not found:
        for route in routes:
            for some in route_objects(route, gateway):
                yield from (Problem(route.where, said) for _place, said in limit_findings(some))


def _routes_problems(
    routes: Sequence[DeclaredRoute], auth: Sequence[Mapping[str, Any]], gateway: GatewayRef, max_body: int
) -> Found:
    seen: dict[str, str] = {}
    for number, route in enumerate(routes):
        where = route.where
        yield from _route_names(route)
        if route.name in seen:
            yield Problem(f"{where}.name", f"{route.name} is declared twice (also {seen[route.name]})")
        seen.setdefault(route.name, where)
        for other in routes[:number]:
            yield from _meeting(route, other, gateway)
        yield from _listened_to(route, gateway)
        yield from _limits(route, gateway, max_body)
        yield from _open(route, gateway)
    for path, message in era_conflicts(routes):
        yield Problem(path, message)
    yield from auth_problems(auth, [route.name for route in routes])
    if auth and gateway.renderer != ENVOY:
        yield Problem("auth", _cannot_ask(gateway.renderer))


def _meeting(route: DeclaredRoute, other: DeclaredRoute, gateway: GatewayRef) -> Found:
    """Two routes of which a request would match either; an Exact path goes before a prefix."""
    own, its = route.options, other.options
    listeners = {one.get("listener") for one in (own, its)}
    if own["host"] != its["host"] or (None not in listeners and len(listeners) == 2):
        return
    place = f"{own['host']}{own['path']}"
    methods = own.get("methods"), its.get("methods")
    apart = all(methods) and not set(methods[0] or ()) & set(methods[1] or ())
    if own["path"] == its["path"]:
        if own["path_type"] == its["path_type"] and not apart:
            yield Problem(f"{route.where}.path", f"{place} is the place of {other.where} too")
        elif gateway.renderer == ENVOY and _told(route) != _told(other) and not route.anonymous | other.anonymous:
            why = "one address of metadata cannot name the issuers of both"
            yield Problem(
                f"{route.where}.path", f"{place} is that of {other.where}, with other issuers or scopes: {why}"
            )
    for one, answers in ((route, other), (other, route)):
        if one.options["path"] == f"{METADATA_PATH}{answers.metadata_path}" and not answers.anonymous:
            yield Problem(f"{one.where}.path", f"is where the metadata of {answers.name} is")


def _told(route: DeclaredRoute) -> list[tuple[str, tuple[str, ...]]]:
    """What the metadata of a route says of its issuers."""
    return [(one["issuer"], tuple(one.get("scopes") or ())) for one in issuers_of(route.name, route.auth)]


def _listened_to(route: DeclaredRoute, gateway: GatewayRef) -> Found:
    options = route.options
    if not gateway.listeners:
        return
    if not fitting(gateway.listeners, options["host"], options.get("listener") or ""):
        known = ", ".join(f"{one['name']} ({one['hostname']}:{one['port']})" for one in gateway.listeners)
        at = f"listener {options['listener']}" if options.get("listener") else "a listener of the gateway"
        yield Problem(f"{route.where}.host", f"{options['host']} is not a name of {at}; there are {known}")
    elif len(route.ports(gateway)) > 1 and not route.anonymous and gateway.renderer == ENVOY:
        ports = " and ".join(str(port) for port in route.ports(gateway))
        why = "its metadata can name one address only: name one by listener"
        yield Problem(f"{route.where}.listener", f"{options['host']} is listened to at the ports {ports}, and {why}")


def _cannot_ask(renderer: str) -> str:
    return (
        f"cannot be enforced by renderer {renderer}: it would let everybody in. Use renderer {ENVOY}, or a server that "
        "checks tokens itself and routes with anonymous: true"
    )


def _route_names(route: DeclaredRoute) -> Found:
    options, where = route.options, route.where
    if wrong := wrong_name(route.name, "route name", LABEL, _LONGEST_NAME):
        yield Problem(f"{where}.name", wrong)
    elif route.name.endswith(METADATA_SUFFIX):
        yield Problem(
            f"{where}.name", f"{route.name} ends as objects do that belong to other routes ({METADATA_SUFFIX})"
        )
    yield from namespace_problems(f"{where}.namespace", route.namespace)
    yield from host_problems(f"{where}.host", options["host"])
    if wrong := path_problem(options["path"]):
        yield Problem(f"{where}.path", wrong)
    elif "?" in options["path"] or "#" in options["path"] or "//" in options["path"]:
        yield Problem(
            f"{where}.path", f"{options['path'].partition('?')[0]!r} is more than a path, or has an empty part"
        )
    elif not _PATH.fullmatch(options["path"]) or {".", ".."} & set(options["path"].split("/")):
        yield Problem(f"{where}.path", f"{options['path']!r} has what Gateway API refuses in a path")
    elif options["path"] != "/" and options["path"].endswith("/"):
        yield Problem(f"{where}.path", f"{options['path']} is the same as without its last /: leave that out")
    if wrong := wrong_name(options["service"], "Service name", SERVICE):
        yield Problem(f"{where}.service", wrong)
    for option in ("port", "pod_port"):
        if options.get(option) is not None and not 1 <= options[option] <= 65535:
            yield Problem(f"{where}.{option}", f"{options[option]} is not a port (1 to 65535)")
    for name, value in texts_of_mapping(options.get("pod_labels") or {}).items():
        if wrong := wrong_label_name(name) or wrong_label_value(str(value)):
            yield Problem(f"{where}.pod_labels.{name}", wrong)


def _limits(route: DeclaredRoute, gateway: GatewayRef, max_body: int) -> Found:
    options, where = route.options, route.where
    if options.get("read_timeout") is not None and not 1 <= options["read_timeout"] <= 86400:
        yield Problem(f"{where}.read_timeout", f"{options['read_timeout']} is not between 1 and 86400 seconds")
    yield from range_problems(f"{where}.source_ranges", options.get("source_ranges") or ())
    yield from range_problems(f"{where}.api_server_cidrs", options.get("api_server_cidrs") or ())
    if options.get("body_limit"):
        size = parse_quantity(options["body_limit"])
        if size is None or size <= 0:
            yield Problem(f"{where}.body_limit", f"{options['body_limit']!r} is not a valid size such as 512Ki")
        elif not route.anonymous and size > max_body:
            why = (
                f"is more than what the gateway reads of a body ({max_body} bytes): raise max_body_bytes there as well"
            )
            yield Problem(f"{where}.body_limit", f"{options['body_limit']} {why}")
    if gateway.renderer != ENVOY:
        for option in ("body_limit", "source_ranges"):
            if options.get(option):
                yield Problem(f"{where}.{option}", f"cannot be enforced by renderer {gateway.renderer}")
        if options["streaming"] and options.get("read_timeout") is not None:
            yield Problem(f"{where}.read_timeout", f"of a stream cannot be set by renderer {gateway.renderer}")


def _open(route: DeclaredRoute, gateway: GatewayRef) -> Found:
    """Whoever is let in, somebody has said so."""
    granted = any(grants_of(route.name, route.auth))
    if route.anonymous:
        named = [one["name"] for one in route.auth for entry in one.get("access") or () if _names(entry, route.name)]
        if named:
            yield Problem(f"{route.where}.anonymous", f"opens to everybody what auth {named[0]} gives to some")
    elif gateway.renderer != ENVOY:
        why = f"would be open to everybody, as renderer {gateway.renderer} asks for no token"
        yield Problem(f"{route.where}.anonymous", f"{why}: say anonymous: true if it is to be so")
    elif not granted:
        yield Problem(route.where, f"nobody may call {route.name}: give roles or groups access to it, or say anonymous")


def _names(entry: Mapping[str, Any], route: str) -> bool:
    return route in (entry.get("servers") or ())


def auth_problems(auth: Sequence[Mapping[str, Any]], routes: Sequence[str]) -> Found:
    """What is wrong with the issuers and their rules."""
    seen: set[str] = set()
    for index, one in enumerate(auth):
        where = f"auth[{index}]"
        if wrong := wrong_name(one["name"], "issuer's name", LABEL, 30):
            yield Problem(f"{where}.name", wrong)
        if one["name"] in seen:
            yield Problem(f"{where}.name", f"{one['name']} is declared twice")
        seen.add(one["name"])
        yield from _issuer(one, where)
        if not one["audiences"]:
            why = "a token for any other API of the tenant would be accepted"
            yield Problem(f"{where}.audiences", f"are none, 1 is needed: {why}")
        for scope in one.get("scopes") or ():
            if not _SCOPE.fullmatch(scope):
                allowed = "visible characters of ASCII but the quotation mark and the backslash (RFC 6749)"
                yield Problem(f"{where}.scopes", f"{scope!r} is not a scope: {allowed}")
        claim = one.get("caller_claim")
        if claim is not None and not _CLAIM.fullmatch(claim):
            yield Problem(f"{where}.caller_claim", f"{claim!r} is not the name of a claim: letters, digits, _, - and .")
        limit = one.get("rate_limit")
        if limit and limit["requests"] < 1:
            yield Problem(f"{where}.rate_limit.requests", f"{limit['requests']} lets nobody call (1 or more)")
        yield from _access(one, where, routes)


def _issuer(one: Mapping[str, Any], where: str) -> Found:
    issuer, keys = one["issuer"], one.get("jwks_uri")
    if keys and one.get("jwks_config_map"):
        yield Problem(f"{where}.jwks_uri", "excludes jwks_config_map")
    if keys and not keys.startswith("https://"):
        yield Problem(f"{where}.jwks_uri", "is not an https address: whoever is on the way could give keys of his own")
    elif keys and not _is_address(keys):
        yield Problem(f"{where}.jwks_uri", f"{keys!r} is not an address with a host and, if any, a port of 1 to 65535")
    if not _is_address(issuer):
        yield Problem(f"{where}.issuer", f"{issuer!r} is not the https address of an issuer, as its tokens name it")
        return
    parts = urlsplit(issuer)
    tenant = parts.path.strip("/").partition("/")[0]
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        yield Problem(f"{where}.issuer", f"{issuer!r} is not the https address of an issuer, as its tokens name it")
    elif parts.hostname == "sts.windows.net":
        remedy = "set requestedAccessTokenVersion to 2 in the app registration"
        yield Problem(
            f"{where}.issuer", f"is that of tokens of version 1, whose metadata is that of version 2: {remedy}"
        )
    elif parts.hostname in ENTRA_HOSTS and tenant in _SHARED_TENANTS:
        yield Problem(f"{where}.issuer", f"names no tenant ({tenant}): the issuer in tokens has the tenant's id")
    elif parts.hostname in ENTRA_HOSTS and not entra_tenant(issuer):
        yield Problem(
            f"{where}.issuer", "is not https://login.microsoftonline.com/TENANT-ID/v2.0, without a slash behind"
        )
    elif parts.hostname in ENTRA_HOSTS:
        yield from _letters_of_entra(one, where, f"https://{parts.hostname}/{entra_tenant(issuer).lower()}/v2.0")
    elif not one.get("jwks_config_map") and not keys_of(one):
        yield Problem(f"{where}.jwks_uri", "is needed: where the issuer's keys are, or jwks_config_map that holds them")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _letters_of_entra(one: Mapping[str, Any], where: str, issuer: str) -> Found:
    """Tokens have ids in lower-case letters, and Envoy compares letter by letter."""
    if one["issuer"] != issuer:
        yield Problem(f"{where}.issuer", f"{one['issuer']} is {issuer} in tokens: write it so")
    ids = [("audiences", value) for value in one["audiences"]]
    ids += [("access.groups", value) for entry in one.get("access") or () for value in entry.get("groups") or ()]
    for option, value in ids:
        if _GUID.fullmatch(value) and value != value.lower():
            yield Problem(f"{where}.{option}", f"{value} is {value.lower()} in tokens: write it so")


def _access(one: Mapping[str, Any], where: str, routes: Sequence[str]) -> Found:
    if not one.get("access"):
        yield Problem(f"{where}.access", "gives nobody anything")
    for number, entry in enumerate(one.get("access") or ()):
        place = f"{where}.access[{number}]"
        if not entry.get("roles") and not entry.get("groups"):
            yield Problem(place, "is for nobody: give roles or groups")
        for server in entry.get("servers") or ():
            if server not in routes:
                known = ", ".join(routes) or "there are none"
                yield Problem(f"{place}.servers", f"{server!r} is not a route of this declaration ({known})")
        for tool in entry.get("tools") or ():
            if not _TOOL.fullmatch(tool):
                allowed = "1 to 128 letters, digits, _, -, . and /"
                yield Problem(f"{place}.tools", f"{tool!r} is not a name of a tool: {allowed}")
        for method in entry.get("methods") or ():
            if not _METHOD.fullmatch(method) or method == "tools/call":
                yield Problem(f"{place}.methods", f"{method!r} is not a method of MCP beside tools/call")
        if entry.get("methods") and entry.get("tools") is None:
            yield Problem(f"{place}.methods", "adds to tools; without tools everything of the server is allowed")
