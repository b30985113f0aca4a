# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the status of Gateway API, Envoy Gateway and cert-manager says of what is not ready. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Reason
from ..kube.readiness.reasons import ERROR, Object, ReasonCode, condition_of, condition_text, subject_of

GATEWAY_API, ENVOY_API = "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"
CERTIFICATE_API = "cert-manager.io/v1"
CLASS = "GatewayClass"
KINDS: Mapping[str, tuple[str, str]] = {
    CLASS: (GATEWAY_API, "gatewayclasses"),
    "Gateway": (GATEWAY_API, "gateways"),
    "HTTPRoute": (GATEWAY_API, "httproutes"),
    "EnvoyProxy": (ENVOY_API, "envoyproxies"),
    "SecurityPolicy": (ENVOY_API, "securitypolicies"),
    "ClientTrafficPolicy": (ENVOY_API, "clienttrafficpolicies"),
    "BackendTrafficPolicy": (ENVOY_API, "backendtrafficpolicies"),
    "HTTPRouteFilter": (ENVOY_API, "httproutefilters"),
    "EnvoyPatchPolicy": (ENVOY_API, "envoypatchpolicies"),
    "Certificate": (CERTIFICATE_API, "certificates"),
}
"""apiVersion and plural of what a gateway and its routes consist of."""

REASONS: Mapping[str, ReasonCode] = {
    "GatewayClassNotAccepted": ReasonCode(
        ERROR,
        "no controller has taken up a GatewayClass",
        "See whether its controller runs (envoy-gateway-system, or AKS' application routing) and serves this "
        "controllerName.",
        30.0,
    ),
    "GatewayNotAccepted": ReasonCode(
        ERROR,
        "the controller refuses a Gateway, or could not make what it needs",
        "Its condition says what; of an EnvoyProxy that it names, see its fields.",
        30.0,
    ),
    "ProxiesNotReady": ReasonCode(
        ERROR,
        "no proxy of a Gateway runs (NoResources)",
        "See why its pods are not ready: kubectl get pods -n envoy-gateway-system. Where their image cannot be pulled, "
        "name another one (envoy.image).",
        60.0,
    ),
    "GatewayWithoutAddress": ReasonCode(
        ERROR,
        "a Gateway has no address (AddressNotAssigned)",
        "See the events of its Service of type LoadBalancer: a public IP of another resource group needs the role "
        "Network Contributor for the cluster's identity there, and its name must be that of the annotation.",
        60.0,
    ),
    "ListenerNotReady": ReasonCode(
        ERROR,
        "a listener of a Gateway does not work",
        "Its condition says why; most often the Secret with its certificate is missing or not of type "
        "kubernetes.io/tls.",
        30.0,
    ),
    "RouteNotAttached": ReasonCode(
        ERROR,
        "an HTTPRoute is attached to no listener",
        "Compare its hostname with those of the listeners, and its namespace with route_namespaces of the Gateway.",
        15.0,
    ),
    "BackendNotResolved": ReasonCode(
        ERROR,
        "what an HTTPRoute leads to does not exist",
        "Compare the name and port of its Service, or the filter that it names, with what is there.",
        15.0,
    ),
    "PolicyNotAccepted": ReasonCode(
        ERROR,
        "the gateway does not apply a policy",
        "Its condition says why. Of two policies about one object, the older one counts; a key or ConfigMap that it "
        "names must exist. Until then the routes that it is about refuse every call.",
        15.0,
    ),
    "ProxiesLeft": ReasonCode(
        ERROR,
        "what a controller made for a Gateway stands, and the Gateway is gone",
        "Its controller removes it: see whether that runs (envoy-gateway-system). Where it was removed first, delete "
        "the Deployment and the Service by hand: they go on answering.",
        60.0,
    ),
    "CertificateNotIssued": ReasonCode(
        ERROR,
        "cert-manager has not issued a certificate",
        "See its CertificateRequest and, of ACME, its Challenge: kubectl describe names what the issuer said.",
        120.0,
    ),
}

# reasons of the condition Programmed that say more than that it does not hold
_UNPROGRAMMED = {"AddressNotAssigned": "GatewayWithoutAddress", "NoResources": "ProxiesNotReady"}
Found = list[Reason]


def about(item: Object, code: str, message: str) -> Reason:
    return Reason(subject_of(item), code, message, REASONS[code].advice)


def is_current(item: Object, condition: Object) -> bool:
    """Whether a condition is about the declaration as it stands now."""
    generation = (item.get("metadata") or {}).get("generation", 0)
    return int(condition.get("observedGeneration", generation)) >= int(generation)


def _unmet(item: Object, conditions: Sequence[Object], wanted: str) -> str | None:
    """Why a condition does not hold; None where it does."""
    found = next((one for one in conditions if one.get("type") == wanted), None)
    if found is None:
        return f"has no condition {wanted} yet"
    if not is_current(item, found):
        return f"condition {wanted} is not about the latest change yet"
    return None if found.get("status") == "True" else f"condition {wanted}: {_said(found)}"


def _said(condition: Object) -> str:
    reason, text = str(condition.get("reason") or ""), condition_text(condition)
    return text if not reason or reason == text else f"{text} ({reason})"


def judge_class(item: Object) -> Found:
    unmet = _unmet(item, (item.get("status") or {}).get("conditions") or (), "Accepted")
    return [about(item, "GatewayClassNotAccepted", unmet)] if unmet else []


def judge_gateway(item: Object) -> Found:
    """Accepted, its listeners, then programmed, which it is with an address."""
    status = item.get("status") or {}
    conditions = status.get("conditions") or ()
    if unmet := _unmet(item, conditions, "Accepted"):
        return [about(item, "GatewayNotAccepted", unmet)]
    if found := list(_listeners(item)):
        return found
    programmed = condition_of(item, "Programmed") or {}
    if unmet := _unmet(item, conditions, "Programmed"):
        code = _UNPROGRAMMED.get(str(programmed.get("reason")), "GatewayNotAccepted")
        return [about(item, code, unmet)]
    if not addresses_of(item):
        return [about(item, "GatewayWithoutAddress", "is programmed and has no address")]
    return []


def addresses_of(item: Object) -> list[str]:
    return [str(one["value"]) for one in (item.get("status") or {}).get("addresses") or () if one.get("value")]


def _listeners(item: Object) -> Iterator[Reason]:
    seen = {one.get("name"): one for one in (item.get("status") or {}).get("listeners") or ()}
    for declared in (item.get("spec") or {}).get("listeners") or ():
        name = declared["name"]
        conditions = (seen.get(name) or {}).get("conditions") or ()
        for wanted in ("Accepted", "ResolvedRefs"):
            unmet = _unmet(item, conditions, wanted)
            if unmet:
                yield about(item, "ListenerNotReady", f"listener {name} {unmet}")
                break


def judge_route(item: Object) -> Found:
    """Each of its parents has taken it up, and what it names exists."""
    parents = (item.get("status") or {}).get("parents") or ()
    declared = (item.get("spec") or {}).get("parentRefs") or ()
    if not parents:
        return [about(item, "RouteNotAttached", "no controller has taken it up: is there such a Gateway?")]
    found: Found = []
    for one in declared:
        seen = next((parent for parent in parents if _same_parent(item, parent.get("parentRef") or {}, one)), None)
        conditions = (seen or {}).get("conditions") or ()
        if unmet := _unmet(item, conditions, "Accepted"):
            found.append(about(item, "RouteNotAttached", f"at Gateway {one['name']}: {unmet}"))
        elif unmet := _unmet(item, conditions, "ResolvedRefs"):
            found.append(about(item, "BackendNotResolved", f"at Gateway {one['name']}: {unmet}"))
    return found


def _same_parent(item: Object, seen: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    own = item["metadata"].get("namespace")

    def key(one: Mapping[str, Any]) -> tuple[Any, ...]:
        return one.get("name"), one.get("namespace") or own, one.get("sectionName"), one.get("port")

    return key(seen) == key(declared)


def judge_policy(item: Object) -> Found:
    """A policy of Envoy Gateway: accepted for each of what it is about; a patch is also found its place."""
    ancestors = (item.get("status") or {}).get("ancestors") or ()
    if not ancestors:
        return [about(item, "PolicyNotAccepted", "no controller has taken it up: is there what it is about?")]
    wanted = ("Accepted", "Programmed") if item.get("kind") == "EnvoyPatchPolicy" else ("Accepted",)
    for one in ancestors:
        for condition in wanted:
            if unmet := _unmet(item, one.get("conditions") or (), condition):
                return [about(item, "PolicyNotAccepted", unmet)]
    return []


def judge_certificate(item: Object) -> Found:
    unmet = _unmet(item, (item.get("status") or {}).get("conditions") or (), "Ready")
    return [about(item, "CertificateNotIssued", unmet)] if unmet else []


JUDGES = {
    (GATEWAY_API.partition("/")[0], "GatewayClass"): judge_class,
    (GATEWAY_API.partition("/")[0], "Gateway"): judge_gateway,
    (GATEWAY_API.partition("/")[0], "HTTPRoute"): judge_route,
    **{
        (ENVOY_API.partition("/")[0], kind): judge_policy
        for kind in ("SecurityPolicy", "ClientTrafficPolicy", "BackendTrafficPolicy", "EnvoyPatchPolicy")
    },
    (CERTIFICATE_API.partition("/")[0], "Certificate"): judge_certificate,
}
"""By API group and kind."""
