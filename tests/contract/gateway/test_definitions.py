# SPDX-License-Identifier: GPL-3.0-or-later
"""Every object of gateways and routes against the definitions of Envoy Gateway 1.9.1 and Gateway API 1.6.1."""

from __future__ import annotations

from typing import Any

import pytest
from support.gateways import AUTH, LISTENERS, of_gateway, of_routes, schema_errors

pytestmark = pytest.mark.slow

ADDRESS = {
    "public_ip": {"name": "pip", "resource_group": "rg"},
    "dns_label": "mcp",
    "ip": "10.0.0.4",
    "external_dns": True,
    "source_ranges": ["10.0.0.0/8"],
    "annotations": {"a": "b"},
}
ENVOY = {"image": "envoy:1.40.0", "replicas": 2, "resources": {"requests": {"cpu": "50m"}}}
VAULT = {"certificate_uri": "https://v.vault.azure.net/certificates/c", "service_account": "tls"}
ISSUED = {"hostname": "a.test", "name": "a", "port": 8443, "tls": {"issuer": {"name": "ca"}}}
FULL_ROUTE = {
    "name": "echo",
    "host": "echo.mcp.test",
    "methods": ["GET", "POST"],
    "path_type": "PathPrefix",
    "listener": "https",
    "body_limit": "512Ki",
    "read_timeout": 60,
    "source_ranges": ["10.0.0.0/8"],
    "pod_labels": {"app": "echo"},
}
OTHER_ISSUER = {
    "name": "other",
    "issuer": "https://issuer.test",
    "audiences": ["a"],
    "jwks_config_map": "keys",
    "scopes": ["s"],
    "access": [{"groups": ["g"], "tools": ["a"], "methods": ["prompts/get"]}],
    "rate_limit": {"requests": 1, "unit": "Second"},
}
DECLARED: dict[str, list[list[dict[str, Any]]]] = {
    "gateway": of_gateway(),
    "gateway in full": of_gateway(
        address=ADDRESS,
        envoy=ENVOY,
        listeners=[*LISTENERS, ISSUED],
        route_namespaces=["mcp", "mesh"],
        callers=[{"name": "entra"}, {"name": "other", "claim": "oid"}],
        backends=[{"namespace": "mcp", "port": 3000}],
    ),
    "gateway of AKS": of_gateway(
        renderer="approuting-istio",
        address={"internal": True},
        listeners=[{"hostname": "a.b", "tls": {"key_vault": VAULT}}],
    ),
    "plain gateway": of_gateway(renderer="plain", class_name="nginx", address={"ip": "10.0.0.4"}),
    "route": of_routes(),
    "route in full": of_routes(routes=[FULL_ROUTE], auth=[*AUTH, OTHER_ISSUER]),
    "anonymous route": of_routes(routes=[{**FULL_ROUTE, "anonymous": True, "streaming": False}], auth=[]),
    "plain route": of_routes(routes=[{"name": "a", "host": "a.b", "anonymous": True}], renderer="plain"),
}
# kinds of Kubernetes itself and of cert-manager have definitions elsewhere
OF_OTHERS = ("NetworkPolicy", "Certificate")


@pytest.mark.parametrize("phases", DECLARED.values(), ids=list(DECLARED))
def test_objects_are_as_their_definitions_say(phases: list[list[dict[str, Any]]]) -> None:
    judged = [item for some in phases for item in some if item["kind"] not in OF_OTHERS]
    assert judged
    assert {(item["kind"], item["metadata"]["name"]): schema_errors(item) for item in judged} == {
        (item["kind"], item["metadata"]["name"]): [] for item in judged
    }


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("SecurityPolicy", {"authorization": {"defaultAction": "Refuse"}}, "Refuse"),
        ("SecurityPolicy", {"authorisation": {}}, "authorisation"),
        ("HTTPRoute", {"rules": [{"timeouts": {"request": "soon"}}]}, "soon"),
        ("EnvoyProxy", {"provider": {}}, "required"),
    ],
)
def test_the_judge_can_say_no(kind: str, change: dict[str, Any], words: str) -> None:
    [item, *_more] = [one for phases in DECLARED.values() for some in phases for one in some if one["kind"] == kind]
    [first, *_others] = schema_errors({**item, "spec": {**item["spec"], **change}})
    assert words in first
