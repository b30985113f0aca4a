# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a way in, each fault caused for real at a real Envoy Gateway, and found by diagnosis."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support import gateway_calls as calls
from support import mesh
from support.gateway_calls import settled

from .test_gateway import AUTH, GATEWAY, ROUTES

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# longer than any of these has to last until it is one
PATIENCE = 150


@pytest.fixture
def standing(installed: Any, cluster: Any, run_task: Any, tmp_path: Path) -> calls.Client:
    made = run_task("gateway", GATEWAY)
    run_task("gateway_route", ROUTES)
    return calls.Client(made["gateway"]["addresses"][0], calls.authority(cluster, tmp_path))


@pytest.fixture
def found(run_task: Any) -> Callable[[str], dict[str, Any]]:
    """The finding of this code, once it has lasted long enough to be one."""

    def look(code: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            findings = run_task("k8s_diagnosis_info", {"namespaces": [calls.NAMESPACE, calls.SERVERS]})["findings"]
            if hits := [one for one in findings if one["code"] == code]:
                return dict(hits[0])
            assert time.monotonic() < deadline, [(one["code"], one["object"]["name"]) for one in findings]
            time.sleep(2)

    return look


def patch(cluster: Any, what: str, namespace: str, change: dict[str, Any]) -> None:
    cluster.kubectl("patch", what, "-n", namespace, "--type=merge", "-p", json.dumps(change))


def test_what_stands_is_no_fault(standing: calls.Client, installed: Any, run_task: Any) -> None:
    settled(lambda: standing.modern(installed.token("user"), "echo").status, 200)
    found = run_task("k8s_diagnosis_info", {"namespaces": [calls.NAMESPACE, calls.SERVERS]})["findings"]
    assert [one for one in found if one["severity"] == "error"] == []


def test_a_route_that_no_listener_takes(standing: calls.Client, run_task: Any, found: Any) -> None:
    elsewhere = {**ROUTES, "routes": [{"name": "guarded", "host": "guarded.else.test"}], "wait": False}
    run_task("gateway_route", elsewhere)
    assert "NoMatchingListenerHostname" in found("RouteNotAttached")["summary"]
    failed = run_task("gateway_route", {**elsewhere, "wait": True, "wait_timeout": 3}, fails=True)
    assert {one["code"] for one in failed["error"]["reasons"]} == {"RouteNotAttached"}


def test_a_route_to_a_service_that_is_not_there(standing: calls.Client, run_task: Any, found: Any) -> None:
    route = {**ROUTES["routes"][0], "service": "nobody"}
    run_task("gateway_route", {**ROUTES, "routes": [route], "wait": False})
    assert "nobody" in found("BackendNotResolved")["summary"]


def test_a_server_without_a_ready_pod(standing: calls.Client, cluster: Any, installed: Any, found: Any) -> None:
    cluster.kubectl("scale", "deployment/guarded", "-n", calls.SERVERS, "--replicas=0")
    settled(lambda: standing.modern(installed.token("user"), "echo").status, 503, 30)
    assert "no ready endpoint" in found("RouteWithoutEndpoints")["summary"]
    cluster.kubectl("scale", "deployment/guarded", "-n", calls.SERVERS, "--replicas=1")
    settled(lambda: standing.modern(installed.token("user"), "echo").status, 200, 60)


def test_a_policy_whose_keys_are_missing(standing: calls.Client, installed: Any, run_task: Any, found: Any) -> None:
    keyless = {**ROUTES, "auth": [{**AUTH, "jwks_config_map": "no-such-keys"}]}
    run_task("gateway_route", {**keyless, "wait": False})
    assert "no-such-keys" in found("PolicyNotAccepted")["summary"]
    # refused, and not open
    settled(lambda: standing.modern(installed.token("user"), "echo").status >= 400, True)


def test_metadata_that_name_another_address(standing: calls.Client, cluster: Any, found: Any) -> None:
    elsewhere = json.dumps({"resource": "http://guarded.internal:3000/mcp"})
    body = {"type": "Inline", "inline": elsewhere}
    answer = {"spec": {"directResponse": {"contentType": "application/json", "statusCode": 200, "body": body}}}
    patch(cluster, "httproutefilter/guarded-metadata", calls.SERVERS, answer)
    assert calls.HOST in found("WrongMetadataUrl")["summary"]


STRICT = """
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
known = TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=["guarded:3000"])
MCPServer("strict").run(transport="streamable-http", host="0.0.0.0", port=3000, transport_security=known)
"""


def test_a_server_that_refuses_its_public_name(
    standing: calls.Client, cluster: Any, cloud: Any, installed: Any, run_task: Any, found: Any
) -> None:
    labels = {"app": "strict"}
    deployment, service = calls.server(cloud.registry, "strict", labels)
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["command"] = ["python", "-c", STRICT]
    container["readinessProbe"] = {"tcpSocket": {"port": 3000}, "periodSeconds": 1}
    mesh.apply(cluster, [deployment, service])
    mesh.rolled_out(cluster, calls.SERVERS, "strict")
    route = {"name": "strict", "host": "strict.mcp.test"}
    run_task("gateway_route", {**ROUTES, "routes": [*ROUTES["routes"], route]})
    client = replace(standing, host="strict.mcp.test")
    settled(lambda: client.modern(installed.token("admin"), "echo").status, 421, 30)
    finding = found("RouteHostRefused")
    assert finding["object"]["name"] == "strict" and "strict.mcp.test" in finding["summary"]
    cluster.kubectl("delete", "deployment,service", "strict", "-n", calls.SERVERS)


def test_an_address_that_azure_does_not_give(standing: calls.Client, run_task: Any, found: Any) -> None:
    other = {
        **GATEWAY,
        "name": "second",
        "listeners": [{"hostname": "second.test", "tls": {"issuer": {"name": "authority"}}}],
        "address": {"public_ip": {"name": "no-such-pip", "resource_group": "no-such-group"}},
        "wait": False,
    }
    run_task("gateway", other)
    found("GatewayWithoutAddress")
    failed = run_task("gateway", {**other, "wait": True, "wait_timeout": 3}, fails=True)
    assert {one["code"] for one in failed["error"]["reasons"]} == {"GatewayWithoutAddress"}
    assert run_task("gateway", {**other, "state": "absent", "wait": True})["changed"]


def test_a_certificate_that_has_ended(standing: calls.Client, cluster: Any, run_task: Any, found: Any) -> None:
    """Its issuer is gone, so nobody makes another one."""
    other = {
        **GATEWAY,
        "name": "ended",
        "listeners": [{"hostname": "ended.test", "tls": {"issuer": {"name": "no-such-issuer"}}}],
        "wait": False,
    }
    mesh.apply(cluster, [_ended("ended-https-tls", "ended.test")])
    run_task("gateway", other)
    assert "ended at" in found("CertificateExpired")["summary"]
    assert run_task("gateway", {**other, "state": "absent", "wait": True})["changed"]


def _ended(name: str, host: str) -> dict[str, Any]:
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=90))
        .not_valid_after(now - dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": calls.NAMESPACE},
        "stringData": {
            "tls.crt": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "tls.key": plain.decode(),
        },
    }
