# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about gateways and what belongs to them: what keeps callers out, and what would let everybody in. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ..errors import Reason
from ..kube.diagnosis.cluster import slices_by_service
from ..kube.diagnosis.snapshot import LOG, STATUS, Evidence, Finding, Snapshot, of_reason
from ..kube.readiness.reasons import Object, group_of, subject_of, time_of
from .access_spec import METADATA_PATH
from .domain import NAME, REASONS
from .gateway_readiness import JUDGES
from .gateway_spec import ENVOY_GROUP, GATEWAY_GROUP, OWNER_LABEL
from .route_spec import METADATA_SUFFIX, ROUTE_LABEL

SOON = timedelta(days=7)
"""How long before its end a certificate that was not renewed is worth a word."""
RETIRED_CLASSES = {
    "nginx": "Ingress-NGINX was retired in March 2026",
    "webapprouting.kubernetes.azure.com": "AKS' NGINX of application routing lost its support in November 2026",
}
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


MISDIRECTED = 421
_BY_SERVER = "via_upstream"


@dataclass(frozen=True)
class Facts:
    """The gateway's part of a snapshot's `facts`: hosts whose server has answered last with 421, and to what."""

    misdirected: Mapping[str, str] = field(default_factory=dict)


def gateway_findings(snapshot: Snapshot) -> list[Finding]:
    return [
        *_statuses(snapshot),
        *_certificates(snapshot),
        *_open_gateways(snapshot),
        *_unread_bodies(snapshot),
        *_routes(snapshot),
        *_metadata(snapshot),
        *_misdirected(snapshot),
        *_ingresses(snapshot),
    ]


def _finding(item: Object, code: str, message: str, evidence: str = "") -> Finding:
    shown = (Evidence(STATUS, evidence),) if evidence else ()
    return of_reason(item, Reason(subject_of(item), code, message, REASONS[code].advice), evidence=shown)


def _statuses(snapshot: Snapshot) -> Iterator[Finding]:
    """What controllers say themselves, where they have said it for long enough."""
    for (group, kind), judge in JUDGES.items():
        for item in snapshot.of(kind):
            if group_of(item) != group:
                continue
            for reason in judge(item):
                if snapshot.lasting(reason.code, item):
                    yield of_reason(item, reason, evidence=(Evidence(STATUS, reason.message),))


def _certificates(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.of("Certificate"):
        end = (item.get("status") or {}).get("notAfter")
        if not end:
            continue
        left = time_of(str(end)) - snapshot.now
        if left <= timedelta(0):
            yield _finding(item, "CertificateExpired", f"its certificate ended at {end}", f"notAfter: {end}")
        elif left <= SOON and _is_late(snapshot, item):
            said = f"its certificate ends at {end} and is not renewed"
            yield _finding(item, "CertificateNotRenewed", said, f"notAfter: {end}")


def _is_late(snapshot: Snapshot, item: Object) -> bool:
    """Whether cert-manager was to have renewed it: certificates of minutes are always near their end."""
    renewal = (item.get("status") or {}).get("renewalTime")
    return renewal is None or time_of(str(renewal)) + timedelta(minutes=10) <= snapshot.now


def _is_of_envoy(gateway: Object) -> bool:
    parameters = ((gateway.get("spec") or {}).get("infrastructure") or {}).get("parametersRef") or {}
    return parameters.get("group") == ENVOY_GROUP


def _owner(item: Object) -> str:
    return str((item["metadata"].get("labels") or {}).get(OWNER_LABEL) or "")


def _is_about(policy: Object, kind: str, name: str, namespace: str) -> bool:
    spec = policy.get("spec") or {}
    targets = [*(spec.get("targetRefs") or ()), *([spec["targetRef"]] if spec.get("targetRef") else ())]
    return policy["metadata"].get("namespace") == namespace and any(
        one.get("kind") == kind and one.get("name") == name and one.get("group") == GATEWAY_GROUP for one in targets
    )


def _open_gateways(snapshot: Snapshot) -> Iterator[Finding]:
    """Gateways of ours where a route without a policy would answer everybody."""
    if not snapshot.complete("SecurityPolicy"):
        return
    for gateway in snapshot.of("Gateway"):
        if not _owner(gateway) or not _is_of_envoy(gateway):
            continue
        name, namespace = gateway["metadata"]["name"], gateway["metadata"]["namespace"]
        own = [one for one in snapshot.all("SecurityPolicy") if _is_about(one, "Gateway", name, namespace)]
        denies = [one for one in own if (one["spec"].get("authorization") or {}).get("defaultAction") == "Deny"]
        if not denies:
            yield _finding(gateway, "DefaultDenyMissing", "no policy denies what no route allows")


def _unread_bodies(snapshot: Snapshot) -> Iterator[Finding]:
    """Gateways of ours where no patch puts the MCP filter into Envoy's listeners."""
    if not snapshot.complete("EnvoyPatchPolicy"):
        return
    for gateway in snapshot.of("Gateway"):
        if not _owner(gateway) or not _is_of_envoy(gateway):
            continue
        name, namespace = gateway["metadata"]["name"], gateway["metadata"]["namespace"]
        if not any(_is_about(one, "Gateway", name, namespace) for one in snapshot.all("EnvoyPatchPolicy")):
            yield _finding(gateway, "McpFilterMissing", "no EnvoyPatchPolicy is about it")


def _routes(snapshot: Snapshot) -> Iterator[Finding]:
    slices = slices_by_service(snapshot)
    gateways = {_owner(one): one for one in snapshot.all("Gateway") if _owner(one)}
    for route in snapshot.of("HTTPRoute"):
        namespace, name = route["metadata"]["namespace"], route["metadata"]["name"]
        gateway = gateways.get(_owner(route))
        if gateway is not None and _is_of_envoy(gateway) and snapshot.complete("SecurityPolicy"):
            own = [one for one in snapshot.all("SecurityPolicy") if _is_about(one, "HTTPRoute", name, namespace)]
            if not own:
                yield _finding(route, "RouteWithoutPolicy", "no SecurityPolicy is about it")
        if not snapshot.knows("EndpointSlice"):
            continue
        for service in _backends(route):
            found = slices.get((namespace, service))
            if found is not None and not any(_is_ready(one) for one in found):
                said = f"Service {namespace}/{service} has no ready endpoint: the gateway answers 503"
                yield _finding(route, "RouteWithoutEndpoints", said)


def _backends(route: Object) -> list[str]:
    own = route["metadata"]["namespace"]
    return list(
        dict.fromkeys(
            str(one["name"])
            for rule in (route.get("spec") or {}).get("rules") or ()
            for one in rule.get("backendRefs") or ()
            if (one.get("kind") or "Service") == "Service" and (one.get("namespace") or own) == own
        )
    )


def _is_ready(slice_: Object) -> bool:
    return any(
        (one.get("conditions") or {}).get("ready", True) and one.get("addresses")
        for one in slice_.get("endpoints") or ()
    )


def _metadata(snapshot: Snapshot) -> Iterator[Finding]:
    """The metadata of a resource must name the address that clients use, and the challenge the metadata."""
    routes = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in snapshot.all("HTTPRoute")}
    for answer in snapshot.of("HTTPRouteFilter"):
        namespace = answer["metadata"]["namespace"]
        name = (answer["metadata"].get("labels") or {}).get(ROUTE_LABEL)
        route = routes.get((namespace, str(name)))
        if route is None or not answer["metadata"]["name"].endswith(METADATA_SUFFIX):
            continue
        public = _public(route)
        resource = _resource(answer)
        if resource not in public:
            said = f"the metadata names {resource or 'nothing'}, and clients use {', '.join(public)}"
            yield _finding(answer, "WrongMetadataUrl", said, resource)
    for policy in snapshot.of("BackendTrafficPolicy"):
        name = (policy["metadata"].get("labels") or {}).get(ROUTE_LABEL)
        route = routes.get((policy["metadata"]["namespace"], str(name)))
        for told in _challenges(policy) if route else ():
            if route and not any(told == _metadata_of(one) for one in _public(route)):
                said = f"the challenge of a 401 names {told}, where the metadata is not"
                yield _finding(policy, "WrongMetadataUrl", said, told)


def _public(route: Object) -> list[str]:
    """The addresses of a route; the port is the gateway's, so any is taken for the same."""
    spec = route.get("spec") or {}
    paths = [
        match["path"]["value"]
        for rule in spec.get("rules") or ()
        for match in rule.get("matches") or ()
        if (match.get("path") or {}).get("value")
    ]
    return [f"https://{host}{path}" for host in spec.get("hostnames") or () for path in dict.fromkeys(paths)]


def _without_port(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.partition(':')[0]}{slash}{path}"


def _metadata_of(resource: str) -> str:
    scheme, separator, rest = resource.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host}{METADATA_PATH}{f'{slash}{path}'.rstrip('/')}"


def _resource(answer: Object) -> str:
    body = (((answer.get("spec") or {}).get("directResponse") or {}).get("body") or {}).get("inline") or ""
    try:
        found: Any = json.loads(body.replace("%%", "%"))
    except ValueError:
        return ""
    return _without_port(str(found.get("resource") or "")) if isinstance(found, dict) else ""


def _challenges(policy: Object) -> Iterator[str]:
    marker = 'resource_metadata="'
    headers: Sequence[Any] = [
        header
        for one in (policy.get("spec") or {}).get("responseOverride") or ()
        for header in ((one.get("response") or {}).get("header") or {}).get("set") or ()
        if str(header.get("name")).lower() == "www-authenticate"
    ]
    for header in headers:
        yield _without_port(str(header["value"]).replace("%%", "%").partition(marker)[2].partition('"')[0])


def _misdirected(snapshot: Snapshot) -> Iterator[Finding]:
    """Servers that know themselves by another name than clients do, and refuse to be called by that."""
    facts: Facts = snapshot.facts.get(NAME) or Facts()
    for route in snapshot.of("HTTPRoute"):
        if not _owner(route) or not _backends(route):
            continue
        for host in (route.get("spec") or {}).get("hostnames") or ():
            if host in facts.misdirected:
                said = f"the server behind it refuses the host name {host} with 421 (Misdirected Request)"
                yield replace(
                    _finding(route, "RouteHostRefused", said), evidence=(Evidence(LOG, facts.misdirected[host]),)
                )


def _ingresses(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.of("Ingress"):
        annotations = item["metadata"].get("annotations") or {}
        name = (item.get("spec") or {}).get("ingressClassName") or annotations.get(_CLASS_ANNOTATION)
        if name in RETIRED_CLASSES:
            said = f"is of the class {name}: {RETIRED_CLASSES[name]}"
            yield _finding(item, "RetiredIngressClass", said, f"ingressClassName: {name}")


def misdirected_hosts(lines: Iterable[str]) -> dict[str, str]:
    """Of each host whose server answered last with 421, the path and time of that. Pure."""
    last: dict[str, Mapping[str, Any]] = {}
    for row in sorted(_answers(lines), key=lambda one: str(one.get("time"))):
        last[str(row.get("host") or "").partition(":")[0]] = row
    return {
        host: f"{row.get('http_method')} {row.get('path')} at {row.get('time')}: {MISDIRECTED}"
        for host, row in last.items()
        if row.get("status") == MISDIRECTED
    }


def _answers(lines: Iterable[str]) -> Sequence[Mapping[str, Any]]:
    """The lines about calls that a server has answered itself."""
    found = []
    for line in lines:
        try:
            row = json.loads(line) if line.startswith("{") else None
        except ValueError:
            # cut off where the log was
            continue
        if isinstance(row, dict) and row.get("detail") == _BY_SERVER:
            found.append(row)
    return found
