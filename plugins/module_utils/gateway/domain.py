# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of the gateway in the registry of domains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..domain import COLLECTION, Answers, Diagnosis, Domain, HostVars, Right, Role, Row
from ..kube.readiness.reasons import ERROR, WARNING, ReasonCode
from . import gateway_readiness
from .gateway_readiness import KINDS

if TYPE_CHECKING:
    from ..site.inventory import Host

NAME = "gateway"
STAGE = "gateway"
LISTENERS = "gateway_listeners"
"""What declares a gateway."""
VERIFIED, ROUTES_VERIFIED, TRIALS = "gateway_verified", "gateway_routes_verified", "gateway_trials_verified"
"""What roles/gateway/tasks/verify.yml registers."""
OWN = (f"{NAME}_kubeconfig", f"{NAME}_missing")

REASONS: Mapping[str, ReasonCode] = {
    **gateway_readiness.REASONS,
    "CertificateExpired": ReasonCode(
        ERROR,
        "the certificate of a listener has ended: clients refuse the connection",
        "See why it was not renewed: kubectl describe certificate and certificaterequest name what the issuer said.",
    ),
    "CertificateNotRenewed": ReasonCode(
        WARNING,
        "a certificate ends within a week and was to have been renewed",
        "See its CertificateRequest and, of ACME, its Challenge.",
    ),
    "DefaultDenyMissing": ReasonCode(
        ERROR,
        "nothing closes a gateway: a route without a policy of its own answers everybody",
        "Run site.yml with the tag gateway, which puts the policy back, and see who removed it.",
    ),
    "McpFilterMissing": ReasonCode(
        ERROR,
        "nothing reads method and tool from the bodies of a gateway: rules for tools refuse every call",
        "Run site.yml with the tag gateway, which puts the EnvoyPatchPolicy back, and see who removed it.",
    ),
    "RouteWithoutPolicy": ReasonCode(
        ERROR,
        "a route has no policy, and answers 403 to everybody",
        "Run site.yml with the tag gateway, which puts the policy back, and see who removed it.",
        15.0,
    ),
    "RouteWithoutEndpoints": ReasonCode(
        ERROR,
        "no pod is ready behind a route",
        "See why the pods of its Service are not ready; the findings about them say so.",
        15.0,
    ),
    "RouteHostRefused": ReasonCode(
        ERROR,
        "a server refuses the name that clients call it by (421, Misdirected Request)",
        "Let the server accept the host name of its route: the SDKs' protection against DNS rebinding has a list of "
        "allowed hosts, which is that of the machine alone unless something is said.",
    ),
    "WrongMetadataUrl": ReasonCode(
        ERROR,
        "the metadata that clients log in by names another address than they use",
        "Clients refuse it, or ask for a token of another audience. Run site.yml with the tag gateway.",
    ),
    "RetiredIngressClass": ReasonCode(
        WARNING,
        "an Ingress is of a class that gets no corrections any more",
        "Move it to Gateway API: the role gateway makes the same way in, and docs/gateway.md shows how.",
    ),
}


def _rows(host: HostVars) -> list[Row]:
    gateways = (host.get(VERIFIED) or {}).get("objects") or ()
    addresses = ",".join(one for item in gateways for one in gateway_readiness.addresses_of(item)) or "-"
    trials = (host.get(TRIALS) or {}).get("trials") or ()
    return [
        (str(route["metadata"]["name"]), ",".join(_hosts(route)), addresses, _state(route), *_tried(route, trials))
        for route in _routes(host)
    ]


def _tried(route: Mapping[str, Any], trials: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """What an allowed call by way of this route was answered, and how many of the others were refused."""
    label = f"{route['metadata']['namespace']}/{route['metadata']['name']}"
    own = [one for one in trials if one["route"] == label]
    # a server of one era answers the other with an error
    allowed = sorted(str(one["seen"]) for one in own if one["outcome"] == "passed")
    others = [one for one in own if one["outcome"] in ("refused", "open")]
    refused = sum(one["outcome"] == "refused" for one in others)
    # of "HTTP 200" and the beginning of the body
    answer = " ".join(allowed[0].split()[1:2]) if allowed else "-"
    return answer, f"{refused}/{len(others)}" if others else "-"


def _routes(host: HostVars) -> list[Mapping[str, Any]]:
    """Those that lead to a server; the metadata of each has one of its own."""
    found = (host.get(ROUTES_VERIFIED) or {}).get("objects") or ()
    return [one for one in found if any(rule.get("backendRefs") for rule in one["spec"].get("rules") or ())]


def _hosts(route: Mapping[str, Any]) -> list[str]:
    return [str(one) for one in route["spec"].get("hostnames") or ()]


def _state(route: Mapping[str, Any]) -> str:
    reasons = gateway_readiness.judge_route({"kind": "HTTPRoute", **route})
    return reasons[0].code if reasons else "attached"


def _facts(host: HostVars) -> dict[str, Any]:
    if ROUTES_VERIFIED not in host:
        return {}
    found: dict[str, Any] = {"gateway_routes": {str(one["metadata"]["name"]): _state(one) for one in _routes(host)}}
    if summary := (host.get(TRIALS) or {}).get("summary"):
        found["gateway_trials"] = dict(summary)
    return found


def _missing(host: HostVars) -> str:
    opened = (host.get(TRIALS) or {}).get("open") or ()
    return f"past its gateway, {len(opened)} {'way is' if len(opened) == 1 else 'ways are'} open" if opened else ""


def _without_gateway(host: Host) -> Iterator[tuple[str, str]]:
    """What is declared of a gateway on a host that has none: it would be passed over."""
    if NAME not in host.roles or host.get(LISTENERS):
        return
    for variable in sorted(host.written):
        if variable.startswith(f"{NAME}_") and variable not in (LISTENERS, *OWN):
            yield variable, f"says something of a gateway that is not declared: the role runs where {LISTENERS} is set"


PUBLIC_IP, ZONES, ADDRESS = f"{NAME}_public_ip", f"{NAME}_dns_zones", f"{NAME}_address"


def _azure_address(host: Host) -> Iterator[tuple[str, str]]:
    """What does not fit together of the address that the role makes, and of the names that lead to it."""
    if NAME not in host.roles or not host.get(LISTENERS):
        return
    address, made = host.get(ADDRESS), host.get(PUBLIC_IP)
    address = address if isinstance(address, Mapping) else {}
    if isinstance(made, Mapping) and made:
        for key in ("name", "resource_group"):
            if not made.get(key):
                yield f"{PUBLIC_IP}.{key}", "is needed"
        if address.get("public_ip"):
            yield f"{ADDRESS}.public_ip", f"names another address than {PUBLIC_IP} makes: leave one of them out"
        if address.get("internal"):
            yield f"{ADDRESS}.internal", f"is an address of the network, and {PUBLIC_IP} a public one: leave one out"
        if address.get("ip"):
            yield f"{ADDRESS}.ip", f"is another address than {PUBLIC_IP} makes: leave one of them out"
        if address.get("dns_label"):
            yield f"{ADDRESS}.dns_label", f"is a label of an address that comes and goes: set {PUBLIC_IP}.dns_label"
        if host.get(f"{NAME}_renderer") == "plain":
            yield PUBLIC_IP, "is given to Services of AKS, and renderer plain may make none"
    zones, listeners = host.get(ZONES), host.get(LISTENERS)
    if not isinstance(zones, list) or not isinstance(listeners, list):
        return
    if zones and address.get("external_dns"):
        yield f"{ADDRESS}.external_dns", f"makes the same records as {ZONES}: leave one of them out"
    hosts = [str(one.get("hostname", "")).lower() for one in listeners if isinstance(one, Mapping)]
    for index, zone in enumerate(zones):
        name = str(zone.get("name") or "").lower() if isinstance(zone, Mapping) else ""
        if name and not any(one == name or one.endswith(f".{name}") for one in hosts):
            yield f"{ZONES}[{index}].name", f"{name}: no listener has a name in it ({', '.join(hosts)})"


def _diagnosis() -> Diagnosis:
    from . import diagnosis, observe

    return Diagnosis(diagnosis.gateway_findings, observe.observe_logs)


_KEPT = ("get", "list", "create", "patch", "delete")
CONTROLLER, TRIAL = "gateway_controller", "gateway_trial"
"""Uses of namespaces that a site has which installs the controller, and one that tries the ways around its gateway."""
SPREAD = ("HTTPRoute", "HTTPRouteFilter", "BackendTrafficPolicy", "SecurityPolicy")
"""What routes consist of: those of a gateway are looked for in all namespaces."""
RIGHTS = (
    *(
        Right(plural, _KEPT, version.partition("/")[0], STAGE)
        for kind, (version, plural) in KINDS.items()
        if kind != gateway_readiness.CLASS
    ),
    *(
        Right("gatewayclasses", verbs, "gateway.networking.k8s.io", place, everywhere=True)
        for place, verbs in ((STAGE, ("get", "list")), (CONTROLLER, _KEPT))
    ),
    *(
        Right(plural, ("list",), version.partition("/")[0], STAGE, everywhere=True)
        for kind, (version, plural) in KINDS.items()
        if kind in SPREAD
    ),
    Right("networkpolicies", _KEPT, "networking.k8s.io", STAGE),
    # what Envoy Gateway makes for a Gateway, until it is gone
    Right("services", ("list",), place=STAGE),
    Right("deployments", ("list",), "apps", STAGE),
    Right("networkpolicies", ("list",), "networking.k8s.io", STAGE, everywhere=True),
    # what others live on is kept, and tried
    Right("gateways", ("list",), "gateway.networking.k8s.io", STAGE, everywhere=True),
    # where verification looks for ways in, and the pods that try them
    *(
        Right(resource, verbs, group, TRIAL, everywhere=True)
        for resource, verbs, group in (
            ("services", ("list",), ""),
            ("pods", ("list",), ""),
            ("nodes", ("list",), ""),
            ("endpointslices", ("list",), "discovery.k8s.io"),
            ("ingresses", ("list",), "networking.k8s.io"),
            *((f"{kind}routes", ("list",), "gateway.networking.k8s.io") for kind in ("grpc", "tls", "tcp")),
            ("namespaces", ("list", "create", "delete"), ""),
            ("jobs", ("create", "delete"), "batch"),
            ("secrets", ("create", "delete"), ""),
            ("pods/log", ("get",), ""),
        )
    ),
)

DOMAIN = Domain(
    name=NAME,
    roles=(Role(f"{COLLECTION}.gateway", stage=STAGE, unless_empty=(LISTENERS,)),),
    rights=RIGHTS,
    kinds=tuple((version, kind) for kind, (version, _plural) in KINDS.items()),
    reasons=REASONS,
    judges=gateway_readiness.JUDGES,
    diagnosis=_diagnosis,
    modules=("gateway", "gateway_*"),
    answers=Answers(("route", "host", "address", "state", "allowed", "refused"), _rows, _missing, _facts),
    host_rules=(_without_gateway, _azure_address),
)
