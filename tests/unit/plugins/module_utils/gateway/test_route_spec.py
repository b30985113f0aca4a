# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of routes: policies before routes, the metadata that clients look for, and what eras have in common."""

from __future__ import annotations

import itertools
import json
import random
import re
from typing import Any

import pytest
from support.gateways import AUTH, ISSUER, TENANT, named, of_routes, route_options

from ansible_collections.mcpops.platform.plugins.module_utils.gateway import gateway_route as operation
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.access_spec import (
    HAS_CALLER,
    challenge,
    keys_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.route_spec import (
    CHILDREN,
    Edge,
    route_objects,
    undeclared_children,
)


def test_policies_stand_before_the_route() -> None:
    before, routes = of_routes()
    assert {item["kind"] for item in routes} == {"HTTPRoute"}
    assert {item["kind"] for item in before} == {"SecurityPolicy", "BackendTrafficPolicy", "HTTPRouteFilter"}


def test_a_route_has_one_backend_traffic_policy_with_all_that_is_said_of_it() -> None:
    routes = [{"name": "echo", "host": "echo.mcp.test", "body_limit": "512Ki", "read_timeout": 60}]
    [policy] = [item for (kind, _), item in named(of_routes(routes=routes)).items() if kind == "BackendTrafficPolicy"]
    assert policy["spec"]["requestBuffer"] == {"limit": "512Ki"}
    assert policy["spec"]["timeout"]["http"] == {"requestTimeout": "0s", "streamIdleTimeout": "60s"}
    [rule] = policy["spec"]["rateLimit"]["local"]["rules"]
    assert rule["limit"] == {"requests": 5, "unit": "Minute"}
    assert rule["clientSelectors"] == [{"headers": [{"name": "x-mcp-caller", "type": "Distinct"}]}]


def test_the_metadata_names_the_public_address_and_the_challenge_names_the_metadata() -> None:
    made = named(of_routes(routes=[{"name": "echo", "host": "echo.mcp.test", "path": "/tools/mcp"}]))
    answer = made["HTTPRouteFilter", "echo-metadata"]["spec"]["directResponse"]
    document = json.loads(answer["body"]["inline"])
    assert document == {
        "resource": "https://echo.mcp.test/tools/mcp",
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }
    [match] = made["HTTPRoute", "echo-metadata"]["spec"]["rules"][0]["matches"]
    address = f"https://echo.mcp.test{match['path']['value']}"
    [override] = made["BackendTrafficPolicy", "echo"]["spec"]["responseOverride"]
    [header] = override["response"]["header"]["set"]
    assert f'resource_metadata="{address}"' in header["value"]
    assert match["path"]["value"] == "/.well-known/oauth-protected-resource/tools/mcp"
    assert made["SecurityPolicy", "echo-metadata"]["spec"]["authorization"] == {"defaultAction": "Allow"}


def test_another_port_is_in_every_public_address() -> None:
    made = named(of_routes(gateway={"namespace": "gateway", "port": 8443}))
    document = json.loads(made["HTTPRouteFilter", "echo-metadata"]["spec"]["directResponse"]["body"]["inline"])
    assert document["resource"] == "https://echo.mcp.test:8443/mcp"
    [override] = made["BackendTrafficPolicy", "echo"]["spec"]["responseOverride"]
    assert "https://echo.mcp.test:8443/.well-known/" in override["response"]["header"]["set"][0]["value"]


PORTS = [
    {"name": "a", "hostname": "*.mcp.test", "port": 8443},
    {"name": "b", "hostname": "echo.other.test"},
    {"name": "c", "hostname": "*.mcp.test", "port": 9443},
    {"name": "d", "hostname": "*.both.test"},
    {"name": "e", "hostname": "x.both.test", "port": 9443},
]


@pytest.mark.parametrize(
    ("route", "port"),
    [
        ({"host": "echo.mcp.test", "listener": "c"}, ":9443"),
        ({"host": "echo.mcp.test", "listener": "a"}, ":8443"),
        ({"host": "echo.other.test"}, ""),
        ({"host": "deep.echo.both.test"}, ""),
        ({"host": "x.both.test", "listener": "e"}, ":9443"),
    ],
)
def test_each_route_is_found_at_the_port_of_its_own_listeners(route: dict[str, Any], port: str) -> None:
    made = named(of_routes(routes=[{"name": "echo", **route}], gateway={"namespace": "gateway", "listeners": PORTS}))
    document = json.loads(made["HTTPRouteFilter", "echo-metadata"]["spec"]["directResponse"]["body"]["inline"])
    assert document["resource"] == f"https://{route['host']}{port}/mcp"
    [override] = made["BackendTrafficPolicy", "echo"]["spec"]["responseOverride"]
    told = override["response"]["header"]["set"][0]["value"]
    assert f'resource_metadata="https://{route["host"]}{port}/.well-known/' in told


def header_of(**given: Any) -> str:
    made = named(of_routes(**given))
    [override] = made["BackendTrafficPolicy", "echo"]["spec"]["responseOverride"]
    return str(override["response"]["header"]["set"][0]["value"])


def parameters_of(header: str) -> dict[str, str]:
    """As RFC 9110 reads a challenge: quoted strings, in which a backslash quotes what follows."""
    found: dict[str, str] = {}
    rest = header.removeprefix("Bearer ")
    while rest:
        read = re.match(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:, |$)', rest)
        assert read, rest
        found[read.group(1)] = re.sub(r"\\(.)", r"\1", read.group(2))
        rest = rest[read.end() :]
    return found


def test_a_challenge_says_to_the_letter_what_was_declared() -> None:
    generator = random.Random(17)
    letters = "".join(map(chr, range(0x20, 0x7F)))
    for _round in range(300):
        url = "".join(generator.choices(letters, k=generator.randint(1, 12)))
        scopes = ["".join(generator.choices(letters.strip(), k=generator.randint(1, 6))) for _one in range(2)]
        found = parameters_of(challenge(url, scopes))
        assert found == {"error": "invalid_token", "resource_metadata": url, "scope": " ".join(scopes)}


def test_a_percent_sign_is_one_where_envoy_takes_a_format() -> None:
    routes = [{"name": "echo", "host": "echo.mcp.test", "path": "/a%20b%5F"}]
    header = header_of(routes=routes)
    url = "https://echo.mcp.test/.well-known/oauth-protected-resource/a%20b%5F"
    assert "%" not in header.replace("%%", "") and parameters_of(header.replace("%%", "%"))["resource_metadata"] == url
    body = named(of_routes(routes=routes))["HTTPRouteFilter", "echo-metadata"]["spec"]["directResponse"]["body"]
    assert "%" not in body["inline"].replace("%%", "")
    assert json.loads(body["inline"].replace("%%", "%"))["resource"] == "https://echo.mcp.test/a%20b%5F"


def test_rules_only_allow_and_tokens_come_from_the_header_alone() -> None:
    policy = named(of_routes())["SecurityPolicy", "echo"]["spec"]
    assert policy["authorization"]["defaultAction"] == "Deny"
    assert {rule["action"] for rule in policy["authorization"]["rules"]} == {"Allow"}
    assert all(rule["principal"]["jwt"]["provider"] == "entra" for rule in policy["authorization"]["rules"])
    [provider] = policy["jwt"]["providers"]
    assert provider["extractFrom"] == {"headers": [{"name": "Authorization", "valuePrefix": "Bearer "}]}
    assert provider["remoteJWKS"]["uri"] == f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"
    assert provider["claimToHeaders"] == [{"claim": "sub", "header": "x-mcp-caller"}]


def test_whoever_has_tools_posts_them_and_ends_sessions_and_does_nothing_else() -> None:
    rules = named(of_routes())["SecurityPolicy", "echo"]["spec"]["authorization"]["rules"]
    of_users = [one for one in rules if one["principal"]["jwt"]["claims"][0]["values"] == ["mcp.user"]]
    assert [(one["operation"]["methods"], "'tools/call'" in one["cel"]) for one in of_users] == [
        (["GET", "DELETE"], False),
        (["POST"], True),
    ]
    assert "request.headers" not in of_users[1]["cel"].replace(HAS_CALLER, "")
    [of_admins] = [one for one in rules if one["principal"]["jwt"]["claims"][0]["values"] == ["mcp.admin"]]
    assert of_admins["cel"] == HAS_CALLER and "operation" not in of_admins


def test_a_token_without_the_claim_of_its_caller_is_let_in_by_no_rule() -> None:
    """It would have no rate limit of its own: that is by the header which the claim is written to."""
    access = [{"roles": ["a"]}, {"groups": ["b"], "tools": []}, {"roles": ["c"], "tools": ["x"], "methods": ["a/b"]}]
    made = named(of_routes(auth=[{**AUTH[0], "caller_claim": "oid", "access": access}]))
    rules = made["SecurityPolicy", "echo"]["spec"]["authorization"]["rules"]
    assert len(rules) == 5
    assert all(rule["cel"].startswith("request.headers['x-mcp-caller'] != ''") for rule in rules)
    assert not any("||" in rule["cel"].partition("(")[0] for rule in rules)


def test_an_entry_for_another_server_gives_nothing_here() -> None:
    access = [{"roles": ["a"], "servers": ["echo"]}, {"groups": ["b"], "servers": ["other"]}, {"groups": ["c"]}]
    routes = [{"name": "echo", "host": "e.test"}, {"name": "other", "host": "o.test"}]
    made = named(of_routes(routes=routes, auth=[{**AUTH[0], "access": access}]))

    def values(name: str) -> list[str]:
        rules = made["SecurityPolicy", name]["spec"]["authorization"]["rules"]
        return [one for rule in rules for one in rule["principal"]["jwt"]["claims"][0]["values"]]

    assert values("echo") == ["a", "c"]
    assert values("other") == ["b", "c"]


def test_ranges_hold_beside_the_token() -> None:
    routes = [{"name": "echo", "host": "e.test", "source_ranges": ["10.0.0.0/8"]}]
    rules = named(of_routes(routes=routes))["SecurityPolicy", "echo"]["spec"]["authorization"]["rules"]
    assert all(rule["principal"]["clientCIDRs"] == ["10.0.0.0/8"] for rule in rules)
    anonymous = [{**routes[0], "anonymous": True}]
    spec = named(of_routes(routes=anonymous, auth=[]))["SecurityPolicy", "echo"]["spec"]
    assert spec["authorization"]["defaultAction"] == "Deny"
    assert spec["authorization"]["rules"][0]["principal"] == {"clientCIDRs": ["10.0.0.0/8"]}


def test_the_strictest_rate_limit_counts() -> None:
    second = {**AUTH[0], "name": "other", "rate_limit": {"requests": 1, "unit": "Second"}}
    third = {**AUTH[0], "name": "third", "rate_limit": {"requests": 200, "unit": "Hour"}}
    [rule] = named(of_routes(auth=[AUTH[0], second, third]))["BackendTrafficPolicy", "echo"]["spec"]["rateLimit"][
        "local"
    ]["rules"]
    assert rule["limit"] == {"requests": 200, "unit": "Hour"}


def test_a_stream_has_no_end_and_an_answer_has_one() -> None:
    streams = named(of_routes())["HTTPRoute", "echo"]["spec"]["rules"][0]["timeouts"]
    assert streams == {"request": "0s"}
    routes = [{"name": "echo", "host": "e.test", "streaming": False, "read_timeout": 310, "anonymous": True}]
    plain = named(of_routes(routes=routes, renderer="plain"))
    assert plain["HTTPRoute", "echo"]["spec"]["rules"][0]["timeouts"] == {"request": "310s"}
    assert list(plain) == [("HTTPRoute", "echo")]


@pytest.mark.parametrize(
    ("renderer", "namespace", "labels"),
    [
        (
            "envoy",
            "envoy-gateway-system",
            {
                "gateway.envoyproxy.io/owning-gateway-name": "mcp",
                "gateway.envoyproxy.io/owning-gateway-namespace": "gateway",
            },
        ),
        ("approuting-istio", "gateway", {"gateway.networking.k8s.io/gateway-name": "mcp"}),
    ],
)
def test_the_server_lets_in_the_gateways_proxies(renderer: str, namespace: str, labels: dict[str, str]) -> None:
    routes = [{"name": "echo", "host": "e.test", "pod_labels": {"app": "echo"}, "pod_port": 8080, "anonymous": True}]
    policy = named(of_routes(routes=routes, renderer=renderer, auth=[]))["NetworkPolicy", "echo-from-gateway"]["spec"]
    assert policy["podSelector"] == {"matchLabels": {"app": "echo"}}
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": namespace}
    assert rule["from"][0]["podSelector"]["matchLabels"] == labels


def test_what_a_route_no_longer_consists_of_is_known() -> None:
    """Of any two declarations of a route: what one has and the other has not is among what may have to go."""
    declared = [
        {"name": "echo", "host": "e.test"},
        {"name": "echo", "host": "e.test", "anonymous": True},
        {"name": "echo", "host": "e.test", "pod_labels": {"a": "b"}},
    ]
    made = []
    for one in declared:
        params = route_options(routes=[one])
        [route] = operation.routes_of(params)
        made.append(route_objects(route, operation.gateway_of(params)))
    for before, after in itertools.product(made, repeat=2):
        gone = set(named(before)) - set(named(after))
        assert gone <= set(undeclared_children(after, "echo"))
        assert not set(undeclared_children(after, "echo")) & set(named(after))
    assert [kind for kind, _suffix in CHILDREN][:2] == ["HTTPRoute", "HTTPRoute"]


ERAS = ("", "legacy", "modern", "dual")


@pytest.mark.parametrize(("client", "server"), list(itertools.product(ERAS, repeat=2)))
def test_an_edge_is_impossible_only_where_both_know_another_era(client: str, server: str) -> None:
    edge = Edge("a", "b", 3000, client, server)
    assert edge.is_impossible == ({client, server} == {"legacy", "modern"})


def test_keys_of_an_issuer_that_is_not_entra_are_declared() -> None:
    assert (
        keys_of({"issuer": "https://issuer.test", "jwks_uri": "https://issuer.test/keys"}) == "https://issuer.test/keys"
    )
    assert keys_of({"issuer": ISSUER, "jwks_config_map": "keys"}) == ""
