# SPDX-License-Identifier: GPL-3.0-or-later
"""What statuses say, as Envoy Gateway 1.9.1 and cert-manager 1.11 write them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.gateway.gateway_readiness import JUDGES, REASONS
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.judge import readiness_reasons

GATEWAY, ENVOY = "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"


def condition(wanted: str, status: str = "True", reason: str = "", message: str = "", seen: int = 1) -> dict[str, Any]:
    return {
        "type": wanted,
        "status": status,
        "reason": reason or wanted,
        "message": message,
        "observedGeneration": seen,
    }


def item(version: str, kind: str, status: dict[str, Any], spec: dict[str, Any] | None = None) -> dict[str, Any]:
    metadata = {"name": "mcp", "namespace": "gateway", "generation": 1}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec or {}, "status": status}


def gateway(
    conditions: list[dict[str, Any]], listener: list[dict[str, Any]] | None = None, addresses: list[str] | None = None
) -> dict[str, Any]:
    own = listener if listener is not None else [condition("Accepted"), condition("ResolvedRefs")]
    status = {
        "conditions": conditions,
        "listeners": [{"name": "https", "attachedRoutes": 0, "conditions": own}],
        "addresses": [{"type": "IPAddress", "value": one} for one in addresses or []],
    }
    return item(GATEWAY, "Gateway", status, {"listeners": [{"name": "https"}]})


def route(conditions: list[dict[str, Any]], parent: str = "mcp") -> dict[str, Any]:
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "mcp", "namespace": "gateway"}
    parents = [{"parentRef": {**reference, "name": parent}, "conditions": conditions}] if conditions else []
    return item(GATEWAY, "HTTPRoute", {"parents": parents}, {"parentRefs": [reference]})


def policy(kind: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "mcp", "namespace": "gateway"}
    status = {"ancestors": [{"ancestorRef": reference, "conditions": list(conditions)}]} if conditions else {}
    return item(ENVOY, kind, status)


ACCEPTED, PROGRAMMED = condition("Accepted"), condition("Programmed")
UNADDRESSED = condition("Programmed", "False", "AddressNotAssigned", "No addresses have been assigned to the Gateway")
MISSING = condition("ResolvedRefs", "False", "InvalidCertificateRef", "Secret gateway/mcp-tls does not exist.")
UNHOSTED = condition("Accepted", "False", "NoMatchingListenerHostname", "There were no hostname intersections")
BACKEND = condition("ResolvedRefs", "False", "BackendNotFound", "Service mcp/echo not found")
UNPATCHED = condition("Programmed", "False", "ResourceNotFound", "Unable to find xds resources: gateway/mcp/https")
CONFLICT = condition("Accepted", "False", "Conflicted")
NO_SECRET = condition("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist")
JWKS = condition("Accepted", "False", "Invalid", "JWT: local JWKS ConfigMap mcp/keys not found.")

ROWS: list[tuple[str, dict[str, Any], str | None, str]] = [
    ("class that nobody takes", item(GATEWAY, "GatewayClass", {}), "GatewayClassNotAccepted", "no condition"),
    ("class", item(GATEWAY, "GatewayClass", {"conditions": [ACCEPTED]}), None, ""),
    (
        "class that is refused",
        item(GATEWAY, "GatewayClass", {"conditions": [condition("Accepted", "False", "InvalidParameters", "no such")]}),
        "GatewayClassNotAccepted",
        "no such (InvalidParameters)",
    ),
    ("gateway", gateway([ACCEPTED, PROGRAMMED], addresses=["10.0.0.1"]), None, ""),
    ("gateway that nobody looked at", gateway([]), "GatewayNotAccepted", "no condition Accepted"),
    ("gateway without address", gateway([ACCEPTED, UNADDRESSED]), "GatewayWithoutAddress", "AddressNotAssigned"),
    ("programmed without address", gateway([ACCEPTED, PROGRAMMED]), "GatewayWithoutAddress", "has no address"),
    (
        "listener without certificate",
        gateway([ACCEPTED, PROGRAMMED], [ACCEPTED, MISSING], ["10.0.0.1"]),
        "ListenerNotReady",
        "listener https condition ResolvedRefs: Secret gateway/mcp-tls does not exist. (InvalidCertificateRef)",
    ),
    (
        "gateway as it was before its change",
        gateway([condition("Accepted", seen=0), PROGRAMMED], addresses=["10.0.0.1"]),
        "GatewayNotAccepted",
        "not about the latest change",
    ),
    ("route", route([ACCEPTED, condition("ResolvedRefs")]), None, ""),
    ("route that nobody takes", route([]), "RouteNotAttached", "no controller"),
    ("route with a foreign host", route([UNHOSTED]), "RouteNotAttached", "NoMatchingListenerHostname"),
    ("route to nothing", route([ACCEPTED, BACKEND]), "BackendNotResolved", "BackendNotFound"),
    ("route of another gateway", route([ACCEPTED], "other"), "RouteNotAttached", "no condition Accepted"),
    ("policy", policy("SecurityPolicy", ACCEPTED), None, ""),
    ("policy about nothing", policy("SecurityPolicy"), "PolicyNotAccepted", "what it is about"),
    ("policy without keys", policy("SecurityPolicy", JWKS), "PolicyNotAccepted", "ConfigMap mcp/keys not found"),
    (
        "second policy",
        policy("BackendTrafficPolicy", CONFLICT),
        "PolicyNotAccepted",
        "",
    ),
    ("patch", policy("EnvoyPatchPolicy", ACCEPTED, PROGRAMMED), None, ""),
    ("patch that found no listener", policy("EnvoyPatchPolicy", ACCEPTED, UNPATCHED), "PolicyNotAccepted", "xds"),
    (
        "certificate",
        item("cert-manager.io/v1", "Certificate", {"conditions": [condition("Ready")]}),
        None,
        "",
    ),
    (
        "certificate without issuer",
        item(
            "cert-manager.io/v1",
            "Certificate",
            {"conditions": [NO_SECRET]},
        ),
        "CertificateNotIssued",
        "Secret does not exist",
    ),
]


@pytest.mark.parametrize(("found", "code", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_a_status_says(found: dict[str, Any], code: str | None, words: str) -> None:
    reasons = readiness_reasons(found, JUDGES)
    assert [reason.code for reason in reasons] == ([code] if code else [])
    for reason in reasons:
        assert words in reason.message
        assert reason.hint == REASONS[reason.code].advice
