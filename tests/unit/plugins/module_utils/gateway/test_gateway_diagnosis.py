# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about gateways, from objects as the modules make them and statuses as controllers write them."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from support.gateways import named, of_gateway, of_routes

from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.diagnosis import (
    Facts,
    gateway_findings,
    misdirected_hosts,
)
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.domain import DOMAIN
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.reasons import REASON_CODES

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
CODES = {**REASON_CODES, **{code: reason for domain in DOMAINS for code, reason in domain.reasons.items()}}
CREATED = "2026-11-30T09:00:00Z"


def fine(wanted: str) -> dict[str, Any]:
    return {"type": wanted, "status": "True", "reason": wanted}


def standing() -> dict[tuple[str, str], dict[str, Any]]:
    """A gateway with one route, all of it taken up."""
    objects = {**named(of_gateway()), **named(of_routes())}
    for item in objects.values():
        item["metadata"]["creationTimestamp"] = CREATED
        kind, spec = item["kind"], item["spec"]
        if kind == "Gateway":
            item["status"] = {
                "conditions": [fine("Accepted"), fine("Programmed")],
                "addresses": [{"type": "IPAddress", "value": "10.0.0.1"}],
                "listeners": [{"name": "https", "conditions": [fine("Accepted"), fine("ResolvedRefs")]}],
            }
        elif kind == "HTTPRoute":
            conditions = [fine("Accepted"), fine("ResolvedRefs")]
            item["status"] = {"parents": [{"parentRef": spec["parentRefs"][0], "conditions": conditions}]}
        elif kind.endswith("Policy") and kind != "NetworkPolicy":
            item["status"] = {"ancestors": [{"conditions": [fine("Accepted"), fine("Programmed")]}]}
    endpoint_slice = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "echo-x", "namespace": "mcp", "labels": {"kubernetes.io/service-name": "echo"}},
        "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}],
    }
    return {**copy.deepcopy(objects), ("EndpointSlice", "echo-x"): endpoint_slice}


def codes_of(objects: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for _version, kind in DOMAIN.kinds}
    for (kind, _name), item in objects.items():
        by_kind.setdefault(kind, []).append(item)
    findings = gateway_findings(Snapshot(by_kind, NOW, codes=CODES))
    assert all(found.advice for found in findings)
    return [found.code for found in findings]


def test_of_what_works_nothing_is_said() -> None:
    assert codes_of(standing()) == []


def test_a_cluster_without_gateways_has_no_findings() -> None:
    assert gateway_findings(Snapshot({}, NOW, codes=CODES)) == []


def test_a_policy_that_is_gone() -> None:
    objects = standing()
    del objects["SecurityPolicy", "mcp-default-deny"]
    assert codes_of(objects) == ["DefaultDenyMissing"]
    del objects["SecurityPolicy", "echo"]
    assert codes_of(objects) == ["DefaultDenyMissing", "RouteWithoutPolicy"]


def test_a_policy_that_denies_no_more() -> None:
    objects = standing()
    objects["SecurityPolicy", "mcp-default-deny"]["spec"]["authorization"]["defaultAction"] = "Allow"
    assert codes_of(objects) == ["DefaultDenyMissing"]


def test_a_gateway_whose_bodies_nobody_reads() -> None:
    objects = standing()
    objects["EnvoyPatchPolicy", "mcp-mcp"]["spec"]["targetRef"]["name"] = "another"
    assert codes_of(objects) == ["McpFilterMissing"]
    del objects["EnvoyPatchPolicy", "mcp-mcp"]
    assert codes_of(objects) == ["McpFilterMissing"]


def test_a_percent_sign_in_a_path_is_no_other_address() -> None:
    objects = {**standing(), **named(of_routes(routes=[{"name": "echo", "host": "echo.mcp.test", "path": "/a%20b"}]))}
    for (kind, name), item in objects.items():
        item["status"] = standing().get((kind, name), {}).get("status", {})
    assert codes_of(objects) == []


def test_gateways_of_others_are_theirs() -> None:
    objects = standing()
    del objects["SecurityPolicy", "mcp-default-deny"], objects["SecurityPolicy", "echo"]
    del objects["EnvoyPatchPolicy", "mcp-mcp"]
    for item in objects.values():
        item["metadata"].pop("labels", None)
    del objects["EndpointSlice", "echo-x"]
    assert codes_of(objects) == []


@pytest.mark.parametrize(
    ("kind", "name", "path", "value", "code"),
    [
        (
            "Gateway",
            "mcp",
            ("status", "conditions", 1),
            {**fine("Programmed"), "status": "False"},
            "GatewayNotAccepted",
        ),
        (
            "Gateway",
            "mcp",
            ("status", "conditions", 1),
            {**fine("Programmed"), "status": "False", "reason": "AddressNotAssigned"},
            "GatewayWithoutAddress",
        ),
        ("HTTPRoute", "echo", ("status", "parents"), [], "RouteNotAttached"),
        ("BackendTrafficPolicy", "echo", ("status", "ancestors"), [], "PolicyNotAccepted"),
        ("EndpointSlice", "echo-x", ("endpoints",), [], "RouteWithoutEndpoints"),
        ("EndpointSlice", "echo-x", ("endpoints", 0, "conditions", "ready"), False, "RouteWithoutEndpoints"),
        ("HTTPRoute", "echo", ("spec", "hostnames"), ["other.mcp.test"], "WrongMetadataUrl"),
        ("HTTPRoute", "echo", ("spec", "rules", 0, "matches", 0, "path", "value"), "/other", "WrongMetadataUrl"),
    ],
)
def test_what_is_wrong_has_its_code(kind: str, name: str, path: tuple[Any, ...], value: Any, code: str) -> None:
    objects = standing()
    place: Any = objects[kind, name]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert set(codes_of(objects)) == {code}


def test_what_was_just_changed_is_given_its_time() -> None:
    objects = standing()
    objects["HTTPRoute", "echo"]["status"] = {}
    objects["HTTPRoute", "echo"]["metadata"]["creationTimestamp"] = "2026-11-30T11:59:55Z"
    assert codes_of(objects) == []


def test_metadata_of_another_address_and_a_challenge_to_nowhere() -> None:
    objects = standing()
    body = objects["HTTPRouteFilter", "echo-metadata"]["spec"]["directResponse"]["body"]
    body["inline"] = json.dumps({**json.loads(body["inline"]), "resource": "http://echo:3000/mcp"})
    assert codes_of(objects) == ["WrongMetadataUrl"]
    [override] = objects["BackendTrafficPolicy", "echo"]["spec"]["responseOverride"]
    override["response"]["header"]["set"][0]["value"] = 'Bearer resource_metadata="https://echo.mcp.test/else"'
    assert codes_of(objects) == ["WrongMetadataUrl", "WrongMetadataUrl"]


@pytest.mark.parametrize(
    ("end", "renewal", "code"),
    [
        ("2026-11-30T11:59:59Z", None, ["CertificateExpired"]),
        ("2026-12-05T12:00:00Z", "2026-11-20T12:00:00Z", ["CertificateNotRenewed"]),
        ("2026-12-05T12:00:00Z", None, ["CertificateNotRenewed"]),
        ("2026-11-30T12:30:00Z", "2026-11-30T12:10:00Z", []),
        ("2027-02-28T12:00:00Z", "2027-01-30T12:00:00Z", []),
    ],
)
def test_certificates_and_their_end(end: str, renewal: str | None, code: list[str]) -> None:
    status = {"conditions": [fine("Ready")], "notAfter": end, **({"renewalTime": renewal} if renewal else {})}
    metadata = {"name": "mcp-https-tls", "namespace": "gateway", "creationTimestamp": CREATED}
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "status": status}
    assert codes_of({("Certificate", "mcp-https-tls"): certificate}) == code


@pytest.mark.parametrize(
    ("spec", "annotations", "found"),
    [
        ({"ingressClassName": "nginx"}, {}, True),
        ({}, {"kubernetes.io/ingress.class": "nginx"}, True),
        ({"ingressClassName": "webapprouting.kubernetes.azure.com"}, {}, True),
        ({"ingressClassName": "azure-alb-external"}, {}, False),
        ({}, {}, False),
    ],
)
def test_ingresses_of_retired_classes(spec: dict[str, Any], annotations: dict[str, str], found: bool) -> None:
    metadata = {"name": "i", "namespace": "mcp", "annotations": annotations}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}
    assert codes_of({("Ingress", "i"): ingress}) == (["RetiredIngressClass"] if found else [])


def line(host: str, status: int, time: str, **more: Any) -> str:
    row = {
        "host": host,
        "status": status,
        "time": time,
        "detail": "via_upstream",
        "path": "/mcp",
        "http_method": "POST",
    }
    return json.dumps({**row, **more})


@pytest.mark.parametrize(
    ("lines", "hosts"),
    [
        pytest.param([line("a.test", 421, "1")], {"a.test"}, id="refused"),
        pytest.param([line("a.test:8443", 421, "1"), line("b.test", 200, "2")], {"a.test"}, id="with a port"),
        pytest.param(
            [line("a.test", 200, "2"), line("a.test", 421, "1")], set(), id="mended since, in another pod's log"
        ),
        pytest.param([line("a.test", 421, "1", detail="direct_response")], set(), id="not of the server"),
        pytest.param(["starting", line("a.test", 421, "1")[:40], "{"], set(), id="cut off"),
    ],
)
def test_hosts_that_servers_refuse(lines: list[str], hosts: set[str]) -> None:
    assert set(misdirected_hosts(lines)) == hosts


def test_the_route_of_a_refused_host_is_a_finding() -> None:
    objects = standing()
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for (kind, _name), item in objects.items():
        by_kind.setdefault(kind, []).append(item)
    facts = {"gateway": Facts({"echo.mcp.test": "POST /mcp at 1: 421"})}
    (found,) = gateway_findings(Snapshot(by_kind, NOW, codes=CODES, facts=facts))
    assert (found.code, found.item["metadata"]["name"]) == ("RouteHostRefused", "echo")
    assert "echo.mcp.test" in found.summary and "421" in found.evidence[0].text
