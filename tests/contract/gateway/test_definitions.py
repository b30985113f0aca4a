# SPDX-License-Identifier: GPL-3.0-or-later
"""Every object of gateways and routes against the definitions of Envoy Gateway 1.9.1 and Gateway API 1.6.1."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from support.gateways import (
    AUTH,
    LISTENERS,
    chart_definitions,
    gateway_options,
    of_gateway,
    of_routes,
    route_options,
    schema_errors,
)

from ansible_collections.mcpops.platform.plugins.module_utils.gateway import gateway, gateway_route
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.field_limits import LIMITS
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.gateway_spec import TYPES

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


@pytest.mark.parametrize(("kind", "path"), LIMITS, ids=[f"{kind} {path}" for kind, path in LIMITS])
def test_what_is_refused_before_the_first_change_is_what_the_definitions_refuse(kind: str, path: str) -> None:
    schema = chart_definitions()[TYPES[kind].api_version, kind]
    schema = schema["properties"]["spec"]
    for step in re.findall(r"\[\]|[^.\[\]]+", path):
        below = {"[]": "items", "*": "additionalProperties"}.get(step)
        schema = schema[below] if below else schema["properties"][step]
    sizes = [schema[word] for word in ("maxItems", "maxLength", "maxProperties", "maximum") if word in schema]
    assert sizes == [LIMITS[kind, path][0]]


def a_text(generator: random.Random, near: int) -> str:
    return "a" * max(1, generator.choice([3, near - generator.randint(0, 40), near, near + 1]))


def some_of(generator: random.Random, most: int) -> list[str]:
    return [f"v{n}" for n in range(generator.choice([1, 2, most - 1, most, most + 1]))]


def a_declaration(generator: random.Random) -> dict[str, Any]:
    """Routes and issuers whose sizes are about what the definitions take."""
    routes = [
        {
            "name": f"r{n}",
            "host": f"{a_text(generator, 60)}.test",
            "path": f"/{n}{a_text(generator, 1022)}",
            "source_ranges": generator.choice([[], ["10.0.0.0/8", "fd00::/8"]]),
        }
        for n in range(generator.randint(1, 2))
    ]
    issuers = [
        {
            "name": f"i{n}",
            "issuer": f"https://{a_text(generator, 240)}.test",
            "jwks_uri": f"https://k.test/{a_text(generator, 238)}",
            "audiences": some_of(generator, 8),
            "scopes": [a_text(generator, 3900)],
            "roles_claim": a_text(generator, 253),
            "access": [
                {
                    "roles": some_of(generator, 128),
                    "tools": [f"{a_text(generator, 120)}{m}" for m in range(generator.randint(0, 40))],
                }
            ],
            "rate_limit": {"requests": generator.choice([1, 2**32 - 1, 2**32])},
        }
        for n in range(generator.choice([1, 2, 16, 17]))
    ]
    return {"routes": routes, "auth": issuers}


def test_what_is_not_refused_the_definitions_take_and_what_is_refused_they_refuse() -> None:
    generator = random.Random(46)
    answers = []
    for _round in range(120):
        declared = a_declaration(generator)
        found = gateway_route.problems(route_options(**declared))
        refused = any(schema_errors(item) for some in of_routes(**declared) for item in some)
        assert bool(found) == refused, (found, declared)
        answers.append(refused)
    assert {True, False} <= set(answers)
    for count in (1, 16, 17):
        annotations = {f"n{one}/a": "b" * generator.choice([1, 4096, 4097]) for one in range(count)}
        declared = {"renderer": "plain", "class_name": "c", "address": {"annotations": annotations}}
        found = gateway.problems(gateway_options(**declared))
        assert bool(found) == any(schema_errors(item) for some in of_gateway(**declared) for item in some)
