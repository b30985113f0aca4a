# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of gateways and routes before any request: what cannot work, and what would be open."""

from __future__ import annotations

from typing import Any

import pytest
from support.gateways import AUTH, ISSUER, LISTENERS, TENANT, gateway_options, route_options

from ansible_collections.mcpops.platform.plugins.module_utils.gateway import gateway, gateway_route

VAULT = {"certificate_uri": "https://v.vault.azure.net/certificates/c", "service_account": "tls"}


def listener(**given: Any) -> list[dict[str, Any]]:
    return [{**LISTENERS[0], **given}]


def route(**given: Any) -> list[dict[str, Any]]:
    return [{"name": "echo", "host": "echo.mcp.test", **given}]


def auth(**given: Any) -> list[dict[str, Any]]:
    return [{**AUTH[0], **given}]


def access(**given: Any) -> list[dict[str, Any]]:
    return auth(access=[{"roles": ["a"], **given}])


def at(*listeners: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": "gateway", "listeners": list(listeners)}


def many(count: int) -> list[dict[str, Any]]:
    return [one for n in range(count) for one in listener(name=f"l{n}", hostname=f"h{n}.test")]


GATEWAYS: list[tuple[dict[str, Any], str, str]] = [
    ({"listeners": []}, "listeners", "listens to nothing"),
    ({"listeners": listener(tls={})}, "listeners[0].tls", "no certificate"),
    ({"listeners": listener(hostname="10.0.0.1")}, "listeners[0].hostname", "not a host name"),
    ({"listeners": listener(hostname="A.test")}, "listeners[0].hostname", "lower-case"),
    ({"listeners": listener(port=0)}, "listeners[0].port", "not a port"),
    ({"listeners": listener() * 2}, "listeners[1].name", "declared twice"),
    (
        {"listeners": listener() + listener(name="b")},
        "listeners[1].hostname",
        "listened to twice",
    ),
    ({"listeners": listener(tls={"key_vault": VAULT})}, "listeners[0].tls.key_vault", "application routing only"),
    (
        {"renderer": "approuting-istio", "listeners": listener(tls={"key_vault": {**VAULT, "certificate_uri": "x"}})},
        "listeners[0].tls.key_vault.certificate_uri",
        "not the address of a certificate",
    ),
    (
        {"renderer": "approuting-istio", "listeners": listener(tls={"key_vault": VAULT, "secret": "a"})},
        "listeners[0].tls",
        "excludes",
    ),
    ({"renderer": "plain"}, "class_name", "is needed"),
    ({"renderer": "plain", "class_name": "c", "address": {"internal": True}}, "address.internal", "passed over"),
    (
        {"renderer": "plain", "class_name": "c", "address": {"source_ranges": ["10.0.0.0/8"]}},
        "address.source_ranges",
        "passed over",
    ),
    ({"address": {"source_ranges": ["10.0.0.1"]}}, "address.source_ranges[0]", "range of addresses"),
    (
        {"address": {"internal": True, "public_ip": {"name": "a", "resource_group": "b"}}},
        "address.internal",
        "excludes public_ip",
    ),
    ({"renderer": "approuting-istio", "address": {"ip": "10.0.0.1"}}, "address.ip", "not taken by AKS"),
    ({"renderer": "approuting-istio", "callers": [{"name": "e"}]}, "callers", "belongs to renderer envoy"),
    ({"max_body_bytes": 0}, "max_body_bytes", "not between"),
    ({"namespace": "A"}, "namespace", "namespace name"),
    ({"name": "a" * 41}, "name", "Gateway name"),
    ({"namespace": "n" * 40, "name": "a" * 30}, "name", "together"),
    ({"envoy": {"replicas": 0}}, "envoy.replicas", "number of pods"),
    (
        {"listeners": listener() + listener(name="b", port=10443)},
        "listeners[1].port",
        "the port of Envoy's pod for 443",
    ),
    ({"listeners": many(65)}, "listeners", "65 entries, 64 are possible"),
    (
        {"renderer": "plain", "class_name": "c", "address": {"annotations": {f"a{n}": "b" for n in range(17)}}},
        "address",
        "17 entries, 16 are possible",
    ),
    (
        {"renderer": "plain", "class_name": "c", "address": {"annotations": {"a/b": "c" * 4097}}},
        "address",
        "4097 characters, 4096 are possible",
    ),
]

ROUTES: list[tuple[dict[str, Any], str, str]] = [
    ({"routes": route(host=None)}, "routes[0].host", "is needed"),
    ({"routes": route(host="*.mcp.test")}, "routes[0].host", "whole name"),
    ({"routes": route(path="mcp")}, "routes[0].path", "URL path"),
    ({"routes": route(path="/mcp?key=1")}, "routes[0].path", "more than a path"),
    ({"routes": route(path="/a/../b")}, "routes[0].path", "Gateway API refuses"),
    ({"routes": route(path="/a%2Fb")}, "routes[0].path", "Gateway API refuses"),
    ({"routes": route(path="/\u00e9")}, "routes[0].path", "Gateway API refuses"),
    ({"routes": route(path="/mcp/")}, "routes[0].path", "the same as without"),
    ({"routes": route(name="echo-metadata")}, "routes[0].name", "belong to other routes"),
    ({"routes": route(), "auth": access(servers=[])}, "routes[0]", "nobody may"),
    ({"routes": route() * 2}, "routes[1].name", "declared twice"),
    ({"routes": route() + route(name="other")}, "routes[1].path", "the place of routes[0] too"),
    ({"routes": route(port=70000)}, "routes[0].port", "not a port"),
    ({"routes": route(name="a" * 60)}, "routes[0].name", "route name"),
    ({"routes": route(read_timeout=0)}, "routes[0].read_timeout", "between 1 and"),
    ({"routes": route(body_limit="much")}, "routes[0].body_limit", "not a valid size"),
    ({"routes": route(body_limit="2Mi")}, "routes[0].body_limit", "raise max_body_bytes"),
    ({"routes": route(source_ranges=["x"])}, "routes[0].source_ranges[0]", "range of addresses"),
    ({"routes": route(pod_labels={"a b": "c"})}, "routes[0].pod_labels.a b", "label name"),
    ({"routes": route(client_era="modern", server_era="legacy")}, "routes[0].client_era", "no call can succeed"),
    ({"routes": route(client_era="legacy", server_era="modern")}, "routes[0].client_era", "no call can succeed"),
    ({"routes": route(anonymous=True)}, "routes[0].anonymous", "opens to everybody"),
    ({"routes": route() + route(name="other", path="/o"), "auth": access(servers=["echo"])}, "routes[1]", "nobody may"),
    ({"auth": []}, "routes[0]", "nobody may call echo"),
    ({"renderer": "approuting-istio"}, "routes[0].anonymous", "would be open to everybody"),
    (
        {"renderer": "approuting-istio", "routes": route(anonymous=True), "auth": access()},
        "auth",
        "cannot be enforced by renderer approuting-istio",
    ),
    (
        {"renderer": "plain", "routes": route(anonymous=True, source_ranges=["10.0.0.0/8"])},
        "routes[0].source_ranges",
        "cannot be enforced",
    ),
    (
        {"renderer": "plain", "routes": route(anonymous=True, body_limit="1Ki")},
        "routes[0].body_limit",
        "cannot be enforced",
    ),
    ({"auth": auth(audiences=[])}, "auth[0].audiences", "any other API of the tenant"),
    ({"auth": auth(issuer="http://a.test")}, "auth[0].issuer", "not the https address"),
    ({"auth": auth(issuer=ISSUER + "/")}, "auth[0].issuer", "without a slash"),
    (
        {"auth": auth(issuer="https://login.microsoftonline.com/common/v2.0")},
        "auth[0].issuer",
        "names no tenant (common)",
    ),
    ({"auth": auth(issuer="https://sts.windows.net/t/")}, "auth[0].issuer", "requestedAccessTokenVersion"),
    ({"auth": auth(issuer="https://issuer.test")}, "auth[0].jwks_uri", "is needed"),
    ({"auth": auth(jwks_uri="http://k.test")}, "auth[0].jwks_uri", "not an https address"),
    ({"auth": auth(jwks_uri="https://k.test", jwks_config_map="k")}, "auth[0].jwks_uri", "excludes"),
    ({"auth": AUTH * 2}, "auth[1].name", "declared twice"),
    ({"auth": auth(access=[{"servers": ["echo"]}])}, "auth[0].access[0]", "for nobody"),
    ({"auth": access(servers=["ecko"])}, "auth[0].access[0].servers", "not a route"),
    ({"auth": access(tools=["a'b"])}, "auth[0].access[0].tools", "not a name of a tool"),
    ({"auth": access(tools=['a"] || true || ["'])}, "auth[0].access[0].tools", "not a name of a tool"),
    ({"auth": access(tools=["a"], methods=["tools/call"])}, "auth[0].access[0].methods", "beside tools/call"),
    ({"auth": access(methods=["prompts/get"])}, "auth[0].access[0].methods", "adds to tools"),
    ({"auth": auth(rate_limit={"requests": 0})}, "auth[0].rate_limit.requests", "lets nobody call"),
    ({"gateway": {"namespace": "X"}}, "gateway.namespace", "namespace name"),
    ({"gateway": at({"hostname": "*.other.test"})}, "routes[0].host", "not a name of a listener of the gateway"),
    ({"gateway": at({"hostname": "mcp.test"}), "routes": route(host="a.mcp.test")}, "routes[0].host", "not a name of"),
    ({"gateway": at({"hostname": "*.mcp.test"}), "routes": route(host="mcp.test")}, "routes[0].host", "not a name of"),
    (
        {"gateway": at({"hostname": "*.mcp.test", "name": "a"}), "routes": route(listener="b")},
        "routes[0].host",
        "not a name of listener b",
    ),
    (
        {"gateway": at({"hostname": "*.mcp.test"}, {"hostname": "echo.mcp.test", "name": "b", "port": 8443})},
        "routes[0].listener",
        "at the ports 443 and 8443",
    ),
    ({"routes": route(methods=["GET"]) + route(name="o", methods=["GET", "POST"])}, "routes[1].path", "the place of"),
    ({"routes": route(listener="a") + route(name="o")}, "routes[1].path", "the place of"),
    (
        {
            "routes": route() + route(name="o", path_type="PathPrefix"),
            "auth": [*access(servers=["echo"]), {**AUTH[0], "name": "second", "scopes": ["s"]}],
        },
        "routes[1].path",
        "cannot name the issuers of both",
    ),
    (
        {"routes": route() + route(name="o", path="/.well-known/oauth-protected-resource/mcp")},
        "routes[1].path",
        "where the metadata of echo is",
    ),
    ({"auth": auth(issuer=ISSUER.replace(TENANT, TENANT.upper()))}, "auth[0].issuer", f"is {ISSUER} in tokens"),
    ({"auth": auth(issuer=ISSUER.replace("login", "LOGIN"))}, "auth[0].issuer", f"is {ISSUER} in tokens"),
    ({"auth": auth(audiences=[TENANT.upper()])}, "auth[0].audiences", f"is {TENANT} in tokens"),
    ({"auth": auth(access=[{"groups": [TENANT.upper()]}])}, "auth[0].access.groups", f"is {TENANT} in tokens"),
    ({"auth": auth(issuer="https://[x")}, "auth[0].issuer", "not the https address"),
    ({"auth": auth(jwks_uri="https://[x")}, "auth[0].jwks_uri", "is not an address with a host"),
    ({"auth": auth(jwks_uri="https://k.test:70000/")}, "auth[0].jwks_uri", "is not an address with a host"),
    ({"auth": auth(scopes=['a" b'])}, "auth[0].scopes", "is not a scope"),
    ({"auth": auth(scopes=["a\\"])}, "auth[0].scopes", "is not a scope"),
    ({"auth": auth(scopes=["a\nSet-Cookie: b"])}, "auth[0].scopes", "is not a scope"),
    ({"auth": auth(scopes=["\u00e9"])}, "auth[0].scopes", "is not a scope"),
    ({"auth": auth(caller_claim="a):b")}, "auth[0].caller_claim", "not the name of a claim"),
    ({"routes": route(path="/" + "a" * 1024)}, "routes[0]", "1024 are possible"),
    ({"auth": access(roles=[f"r{n}" for n in range(129)])}, "routes[0]", "129 entries, 128 are possible"),
    ({"auth": access(tools=[f"{n:0128}" for n in range(40)])}, "routes[0]", "in another entry of access"),
    ({"auth": auth(issuer=f"https://i.test/{'i' * 240}", jwks_config_map="k")}, "routes[0]", "253 are possible"),
    ({"auth": auth(audiences=[str(n) for n in range(9)])}, "routes[0]", "9 entries, 8 are possible"),
    ({"auth": auth(scopes=["s" * 4100])}, "routes[0]", "4096 are possible"),
    ({"auth": auth(rate_limit={"requests": 2**32})}, "routes[0]", "4294967296, 4294967295 are possible"),
    ({"auth": [{**AUTH[0], "name": f"i{n}"} for n in range(17)]}, "routes[0]", "17 entries, 16 are possible"),
    ({"state": "absent", "prune": True}, "prune", "belongs to state: present"),
]


def ids(rows: list[tuple[dict[str, Any], str, str]]) -> list[str]:
    return [f"{path}: {words}" for _given, path, words in rows]


@pytest.mark.parametrize(("given", "path", "words"), GATEWAYS, ids=ids(GATEWAYS))
def test_a_gateway_that_is_refused(given: dict[str, Any], path: str, words: str) -> None:
    found = [one for one in gateway.problems(gateway_options(**given)) if one.path == path]
    assert [words in one.message for one in found] == [True]


@pytest.mark.parametrize(("given", "path", "words"), ROUTES, ids=ids(ROUTES))
def test_a_route_that_is_refused(given: dict[str, Any], path: str, words: str) -> None:
    found = [one for one in gateway_route.problems(route_options(**given)) if one.path == path]
    assert words in " ".join(one.message for one in found)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "renderer": "approuting-istio",
            "listeners": listener(tls={"key_vault": VAULT}),
            "address": {"internal": True},
        },
        {"renderer": "plain", "class_name": "nginx", "address": {"annotations": {"a": "b"}}},
        {"listeners": listener(port=65535), "max_body_bytes": 10_485_760},
        {"namespace": "n" * 22, "name": "a" * 40},
        {"listeners": many(64)},
        {"renderer": "plain", "class_name": "c", "listeners": listener() + listener(name="b", port=10443)},
    ],
)
def test_a_gateway_that_can_be(given: dict[str, Any]) -> None:
    assert gateway.problems(gateway_options(**given)) == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"routes": [], "auth": []},
        {"routes": route() + route(name="o", path_type="PathPrefix")},
        {"routes": route(methods=["GET"]) + route(name="o", methods=["POST"])},
        {"routes": route(listener="a") + route(name="o", listener="b")},
        {"gateway": at({"hostname": "*.mcp.test"}, {"hostname": "echo.mcp.test", "name": "b"})},
        {
            "gateway": at({"hostname": "*.mcp.test"}, {"hostname": "*.mcp.test", "name": "b", "port": 8443}),
            "routes": route(listener="b"),
        },
        {"auth": auth(audiences=["API://Gateway"], jwks_uri="https://[2001:db8::1]:8443/keys")},
        {"auth": auth(issuer="https://Issuer.test/A", jwks_config_map="keys", audiences=[TENANT.upper()])},
        {"auth": auth(scopes=["https://echo.mcp.test/mcp/.default", "a.b:c"])},
        {"routes": route(path="/" + "a" * 980), "auth": access(roles=[f"r{n}" for n in range(128)])},
        {"routes": route(client_era="modern", server_era="dual", body_limit="1Mi")},
        {"renderer": "plain", "routes": route(anonymous=True, streaming=False, read_timeout=86400)},
        {"routes": route(anonymous=True, body_limit="2Gi"), "auth": []},
        {"auth": auth(issuer="https://issuer.test/", jwks_config_map="keys")},
        {"state": "absent", "routes": [{"name": "echo"}], "auth": []},
        {"state": "absent", "routes": None, "auth": []},
    ],
)
def test_routes_that_can_be(given: dict[str, Any]) -> None:
    assert gateway_route.problems(route_options(**given)) == []


def test_all_problems_are_told_at_once() -> None:
    found = gateway_route.problems(route_options(routes=route(port=0, host="*.x"), auth=auth(issuer="x", audiences=[])))
    assert {one.path for one in found} >= {"routes[0].port", "routes[0].host", "auth[0].issuer", "auth[0].audiences"}
