# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways to a server are found in a cluster, and which trials are made of them."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.gateway import (
    trial_cluster,
    trial_plan,
    trial_samples,
    trial_ways,
)
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_cluster import Seen, Way
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_plan import Credentials, Source
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_ways import ways_of

TENANT = "0f05f212-c61b-440a-9b80-9c0fde868da5"
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
AUTH: list[dict[str, Any]] = [
    {
        "name": "entra",
        "issuer": ISSUER,
        "audiences": ["api://gateway"],
        "access": [{"roles": ["user"], "tools": ["add"]}, {"roles": ["admin"]}, {"groups": ["g"], "servers": ["b"]}],
    }
]


def named(name: str, namespace: str = "mcp", **content: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "labels": content.pop("labels", {})}, **content}


def gateway(name: str = "mcp", address: str = "203.0.113.7", **listener: Any) -> dict[str, Any]:
    one = {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.mcp.test", **listener}
    return named(name, "gateway", spec={"listeners": [one]}, status={"addresses": [{"value": address}]})


def route(name: str = "echo", service: str = "echo", gateway: str = "mcp", **spec: Any) -> dict[str, Any]:
    rule = {"matches": [{"path": {"value": "/mcp"}}], "backendRefs": [{"name": service, "port": 3000}]}
    parents = [{"name": gateway, "namespace": "gateway"}]
    return named(name, spec={"parentRefs": parents, "hostnames": [f"{name}.mcp.test"], "rules": [rule], **spec})


def service(name: str = "echo", namespace: str = "mcp", **spec: Any) -> dict[str, Any]:
    given = {"clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 3000}], **spec}
    return named(name, namespace, spec=given, labels=given.pop("labels", {}), status=given.pop("status", {}))


def endpoints(name: str = "echo", address: str = "10.244.0.5", port: int = 3000) -> dict[str, Any]:
    rows = [{"addresses": [address], "targetRef": {"kind": "Pod", "name": "echo-1"}}]
    labels = {"kubernetes.io/service-name": name}
    return named(f"{name}-x", labels=labels, ports=[{"name": "http", "port": port}], endpoints=rows)


def pod(**container: Any) -> dict[str, Any]:
    one = {"name": "main", "ports": [{"containerPort": 3000, **container}]}
    return named("echo-1", labels={"app": "echo"}, spec={"containers": [one]}, status={"hostIP": "10.1.0.4"})


NODE = {
    "metadata": {"name": "n"},
    "status": {
        "addresses": [
            {"type": "InternalIP", "address": "10.1.0.4"},
            {"type": "ExternalIP", "address": "198.51.100.4"},
            {"type": "Hostname", "address": "n"},
        ]
    },
}
POLICY = named("closed", spec={"podSelector": {"matchLabels": {"app": "echo"}}, "policyTypes": ["Ingress"]})


def seen(**given: Any) -> Seen:
    whole = {
        "gateways": [gateway()],
        "routes": [route()],
        "services": [service()],
        "slices": [endpoints()],
        "pods": [pod()],
        "nodes": [NODE],
        "policies": [POLICY],
    }
    return Seen(**{**whole, **given})


METHODS = [{"path": {"value": "/mcp"}, "method": one} for one in ("GET", "POST", "DELETE")]


def found(cluster: Seen, *anonymous: str) -> dict[tuple[str, str, int], Way]:
    return {(one.kind, one.address, one.port): one for one in ways_of(cluster, "gateway/mcp", anonymous)}


def test_a_plain_site_has_the_listener_the_service_and_the_pod() -> None:
    assert set(found(seen())) == {
        ("gateway", "203.0.113.7", 443),
        ("unknown_host", "203.0.113.7", 443),
        ("cluster_ip", "10.0.0.1", 3000),
        ("pod_ip", "10.244.0.5", 3000),
    }
    way = found(seen())["gateway", "203.0.113.7", 443]
    assert (way.host, way.path, way.tls, way.route) == ("echo.mcp.test", "/mcp", True, "mcp/echo")
    assert found(seen())["pod_ip", "10.244.0.5", 3000].policies == ("mcp/closed",)


SHORTCUT = {"clusterIP": "10.0.0.9", "ports": [{"name": "http", "port": 80, "nodePort": 30080}]}
LOADED = {"loadBalancer": {"ingress": [{"ip": "198.51.100.9"}]}}
OWNED = {
    "gateway.envoyproxy.io/owning-gateway-name": "mcp",
    "gateway.envoyproxy.io/owning-gateway-namespace": "gateway",
}
INGRESS = named(
    "old",
    spec={"rules": [{"host": "a.test", "http": {"paths": [{"backend": {"service": {"name": "echo"}}}]}}]},
    status=LOADED,
)


@pytest.mark.parametrize(
    ("given", "further"),
    [
        pytest.param(
            {"services": [service(), service("shortcut", **SHORTCUT)], "slices": [endpoints(), endpoints("shortcut")]},
            {
                ("cluster_ip", "10.0.0.9", 80),
                ("node_port", "10.1.0.4", 30080),
                ("node_port", "198.51.100.4", 30080),
            },
            id="a Service that no route names",
        ),
        pytest.param(
            {"services": [service(status=LOADED, externalIPs=["192.0.2.1"])]},
            {("load_balancer", "198.51.100.9", 3000), ("external_ip", "192.0.2.1", 3000)},
            id="addresses of the Service",
        ),
        pytest.param({"pods": [pod(hostPort=8080)]}, {("host_port", "10.1.0.4", 8080)}, id="host port"),
        pytest.param({"ingresses": [INGRESS]}, {("ingress", "198.51.100.9", 80)}, id="Ingress"),
        pytest.param(
            {
                "gateways": [gateway(), gateway("other", "203.0.113.8")],
                "routes": [route(), route("o", gateway="other")],
            },
            {("other_gateway", "203.0.113.8", 443)},
            id="route of another gateway",
        ),
        pytest.param(
            {
                "services": [
                    service(),
                    service(
                        "envoy", "egs", ports=[{"port": 443, "nodePort": 30443}], clusterIP="10.0.0.7", labels=OWNED
                    ),
                ]
            },
            {
                ("gateway_service", "10.0.0.7", 443),
                ("gateway_service", "10.1.0.4", 30443),
                ("gateway_service", "198.51.100.4", 30443),
            },
            id="the gateway by its own Service",
        ),
    ],
)
def test_further_ways_are_found(given: dict[str, Any], further: set[tuple[str, str, int]]) -> None:
    assert set(found(seen(**given))) - set(found(seen())) == further


@pytest.mark.parametrize(
    "given",
    [
        {"services": [service(), service("b")], "slices": [endpoints(), endpoints("b", "10.244.0.6")]},
        {"gateways": [gateway(), gateway("other", "203.0.113.8")], "routes": [route(), route("o", "b", "other")]},
        {"ingresses": [{**INGRESS, "metadata": {"name": "old", "namespace": "elsewhere"}}]},
        {"routes": [route(), route("metadata", rules=[{"filters": [{"type": "ExtensionRef"}]}])]},
        {"services": [service(clusterIP="None", clusterIPs=["None"])]},
    ],
    ids=["other pods", "other server", "Ingress elsewhere", "answers by itself", "headless"],
)
def test_what_leads_elsewhere_is_not_tried(given: dict[str, Any]) -> None:
    assert set(found(seen(**given))) <= set(found(seen()))


def test_only_addresses_of_the_cluster_itself_are_doubtful_from_outside() -> None:
    labelled = service("envoy", "egs", ports=[{"port": 443, "nodePort": 30443}], clusterIP="10.0.0.7", labels=OWNED)
    exposed = service(status=LOADED, ports=[{"name": "http", "port": 3000, "nodePort": 30080}])
    inside = {
        kind: one.is_inside
        for (kind, address, _port), one in found(seen(services=[exposed, labelled], pods=[pod(hostPort=8080)])).items()
        if (kind, address) != ("gateway_service", "10.1.0.4")
        if (kind, address) != ("gateway_service", "198.51.100.4")
    }
    assert {kind for kind, doubtful in inside.items() if doubtful} == {"cluster_ip", "pod_ip", "gateway_service"}
    assert not inside["node_port"]
    assert not inside["load_balancer"]
    assert not inside["host_port"]


def test_a_server_is_open_by_declaration_where_one_of_its_routes_is() -> None:
    cluster = seen(routes=[route(), route("open")])
    assert not any(one.is_open for one in ways_of(cluster, "gateway/mcp", ()))
    ways = ways_of(cluster, "gateway/mcp", ["mcp/open"])
    assert {(one.kind, one.route): one.is_open for one in ways} == {
        ("gateway", "mcp/echo"): False,
        ("gateway", "mcp/open"): True,
        ("unknown_host", ""): False,
        ("cluster_ip", ""): True,
        ("pod_ip", ""): True,
    }


def untried(cluster: Seen) -> dict[str, str]:
    return {one.name: one.untried for one in ways_of(cluster, "gateway/mcp", ()) if one.untried}


def test_other_ports_of_the_pods_of_a_server_are_asked_as_well() -> None:
    more = pod()
    more["spec"]["containers"].append({"name": "side", "ports": [{"containerPort": 9090, "hostPort": 9091}]})
    slices = [endpoints(), endpoints("b", port=9090)]
    cluster = seen(services=[service(), service("b", clusterIP="10.0.0.2")], slices=slices, pods=[more])
    others = {key for key, one in found(cluster).items() if one.is_other_port}
    assert others == {
        ("cluster_ip", "10.0.0.2", 3000),
        ("pod_ip", "10.244.0.5", 9090),
        ("host_port", "10.1.0.4", 9091),
    }


def test_a_pod_that_is_not_ready_is_asked_and_a_service_without_pods_is_named() -> None:
    late = endpoints()
    late["endpoints"][0]["conditions"] = {"ready": False, "serving": False}
    assert ("pod_ip", "10.244.0.5", 3000) in found(seen(slices=[late]))
    assert list(untried(seen(slices=[]))) == ["Service mcp/echo"]
    assert untried(seen()) == {}


def ingress(**spec: Any) -> dict[str, Any]:
    return named("old", spec=spec, status=LOADED)


BEHIND = {"service": {"name": "echo", "port": {"number": 3000}}}


@pytest.mark.parametrize(
    ("spec", "host", "path"),
    [
        ({"defaultBackend": BEHIND}, "198.51.100.9", "/mcp"),
        ({"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BEHIND}]}}]}, None, "/mcp"),
        ({"rules": [{"http": {"paths": [{"path": "/a", "pathType": "Prefix", "backend": BEHIND}]}}]}, None, "/a"),
        ({"rules": [{"http": {"paths": [{"path": "/", "pathType": "Exact", "backend": BEHIND}]}}]}, None, "/"),
        ({"rules": [{"host": "*.a.test", "http": {"paths": [{"backend": BEHIND}]}}]}, "mcpops-trial.a.test", "/mcp"),
    ],
    ids=["default", "below", "another path", "exact", "star"],
)
def test_an_ingress_is_asked_for_what_it_takes(spec: dict[str, Any], host: str | None, path: str) -> None:
    way = found(seen(ingresses=[ingress(**spec)]))["ingress", "198.51.100.9", 80]
    assert (way.host, way.path) == (host or "198.51.100.9", path)


BACKEND = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "past"}


@pytest.mark.parametrize("name", ["mcp", "other"])
def test_what_leads_to_no_service_is_asked_at_the_gateway_and_named_behind_it(name: str) -> None:
    rules = [{"matches": [{"path": {"value": "/x"}}], "backendRefs": [BACKEND]}]
    cluster = seen(
        gateways=[gateway(), gateway("other", "203.0.113.8")], routes=[route(), route("b", gateway=name, rules=rules)]
    )
    [named_way] = untried(cluster)
    assert named_way == f"Backend mcp/past of HTTPRoute mcp/b at Gateway gateway/{name}"
    asked = [one for one in ways_of(cluster, "gateway/mcp", ()) if one.route == "mcp/b" and not one.untried]
    assert [one.path for one in asked] == (["/x"] if name == "mcp" else [])


@pytest.mark.parametrize(
    ("gateway_name", "service_name", "is_named"), [("mcp", "x", True), ("other", "echo", True), ("other", "x", False)]
)
def test_routes_of_kinds_that_are_not_called_are_named(gateway_name: str, service_name: str, is_named: bool) -> None:
    other = {**route("g", service_name, gateway_name), "kind": "GRPCRoute"}
    cluster = seen(gateways=[gateway(), gateway("other")], others=[other])
    assert list(untried(cluster)) == ([f"GRPCRoute mcp/g at Gateway gateway/{gateway_name}"] if is_named else [])


def test_one_way_for_the_methods_of_a_rule_and_one_for_each_path_header_and_query() -> None:
    rule = {"backendRefs": [{"name": "echo", "port": 3000}]}
    headers = [{"name": "Mcp-Method", "value": "initialize"}]
    rules = [
        {**rule, "matches": METHODS},
        {**rule, "matches": [{"headers": headers}, {"method": "GET"}]},
        {**rule, "matches": [{"headers": [{"name": "Authorization", "value": "x"}]}]},
    ]
    ways = [one for one in ways_of(seen(routes=[route(rules=rules)]), "gateway/mcp", ()) if one.kind == "gateway"]
    assert [(one.method, one.path, bool(one.headers), bool(one.untried)) for one in ways] == [
        ("POST", "/mcp", False, False),
        ("POST", "/", True, False),
        ("GET", "/", False, False),
        ("POST", "/", True, True),
    ]
    calls = [one for one in trial_plan.trials_of(ways, (OUTSIDE,), Credentials()) if one.call is not None]
    by_way = {way: {one.name for one in calls if one.way == way} for way in ways}
    # what a rule asks for is said, whatever else a trial would say there
    assert {
        one.call["headers"]["Mcp-Method"] for one in calls if one.way == ways[1] and one.call["method"] == "POST"
    } == {"initialize"}
    assert "batch" in by_way[ways[0]]
    assert "batch" not in by_way[ways[2]]
    assert not any(one.call["body"] for one in calls if one.way == ways[2])
    assert by_way[ways[3]] == set()


@pytest.mark.parametrize(
    ("allowed", "status", "expected"),
    [
        ({}, [], True),
        ({"namespaces": {"from": "All"}}, [], True),
        ({"namespaces": {"from": "Same"}}, [], False),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}}, [], True),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "b"}}}}, [], False),
        ({"kinds": [{"kind": "GRPCRoute"}]}, [], False),
        ({}, ["False"], False),
        ({}, ["True"], True),
    ],
)
def test_a_listener_that_takes_no_such_route_serves_none(
    allowed: dict[str, Any], status: list[str], expected: bool
) -> None:
    conditions = [{"type": "Accepted", "status": one} for one in status]
    parents = [{"parentRef": {"name": "mcp", "namespace": "gateway"}, "conditions": conditions}]
    place = {"metadata": {"name": "mcp", "labels": {"team": "a"}}}
    cluster = seen(
        gateways=[gateway(allowedRoutes=allowed)],
        routes=[{**route(), "status": {"parents": parents}}],
        namespaces=[place],
    )
    assert found(cluster)["gateway", "203.0.113.7", 443].is_served is expected


@pytest.mark.parametrize(
    ("listener", "host", "expected"),
    [
        ("*.mcp.test", "echo.mcp.test", "echo.mcp.test"),
        ("echo.mcp.test", "*.mcp.test", "echo.mcp.test"),
        ("*.mcp.test", "*.mcp.test", "mcpops-trial.mcp.test"),
        ("", "echo.mcp.test", "echo.mcp.test"),
        ("echo.mcp.test", "", "echo.mcp.test"),
        ("", "", "mcpops-trial.invalid"),
        ("*.mcp.test", "echo.other.test", ""),
        ("a.mcp.test", "b.mcp.test", ""),
    ],
)
def test_a_name_that_listener_and_route_take(listener: str, host: str, expected: str) -> None:
    assert trial_ways.concrete_host(listener, host) == expected


# --- trials

OUTSIDE, FOREIGN = Source(trial_plan.OUTSIDE), Source(trial_plan.FOREIGN, "f")


def token(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"iss": ISSUER, **claims}).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


DECLARED = frozenset({"mcp/echo"})


def trials(given: Credentials, *sources: Source, cluster: Seen | None = None) -> list[trial_plan.Trial]:
    ways = ways_of(cluster or seen(), "gateway/mcp", ())
    return trial_plan.trials_of(ways, sources or (OUTSIDE,), given)


@pytest.mark.parametrize(
    ("access_token", "called", "note"),
    [
        ("", False, "no access_token"),
        (token(roles=["admin"]), False, "every tool"),
        (token(roles=["user"]), True, ""),
        (token(roles=["user"], iss="https://other.test"), True, ""),
        ("opaque", True, ""),
    ],
    ids=["none", "may do everything", "user", "of another issuer", "opaque"],
)
def test_forbidden_tools_are_tried_with_a_token_that_may_not_call_all(
    access_token: str, called: bool, note: str
) -> None:
    rows = [one for one in trials(Credentials(access_token, {}, AUTH, DECLARED)) if one.credential == "given"]
    assert {one.name for one in rows} - {trial_plan.CONTROL, trial_plan.OLD_CONTROL} == {
        "forbidden tool",
        "old era without headers",
        "lying name",
        "lying method",
        "batch",
    }
    assert {one.call is not None for one in rows} == {called}
    assert all(note in one.note for one in rows)


def test_lying_headers_name_an_allowed_tool_and_the_body_none() -> None:
    [lying] = [
        one
        for one in trials(Credentials(token(roles=["user"]), {}, AUTH, DECLARED))
        if (one.name, one.credential) == ("lying name", "given")
    ]
    assert lying.call is not None
    assert lying.call["headers"]["Mcp-Name"] == "add"
    assert json.loads(lying.call["body"])["params"]["name"] == trial_plan.NO_TOOL


@pytest.mark.parametrize("seed", range(40))
def test_no_token_of_worth_leaves_unverified_and_no_tool_is_called(seed: int) -> None:
    """Whatever is declared: what is sent calls nothing that is there, and everything has an expectation."""
    chance = random.Random(seed)
    held = chance.choices(["user", "admin", "x"], k=chance.randrange(3))
    services = chance.sample(["echo", "b", "mcp/b"], k=chance.randrange(3))
    signed = chance.random() < 0.5
    given = Credentials(token(roles=held), {"expired": "signed"} if signed else {}, AUTH, DECLARED)
    sources = trial_plan.sources_of([{"namespace": "agents", "services": services}], ["mcp"], "f")
    made = trials(given, *sources, cluster=seen(routes=[route(), route("b")]))
    assert [one.number for one in made] == list(range(len(made)))
    for one in made:
        if one.call is None:
            assert one.note
            continue
        assert one.call["id"] == one.number
        secret = one.credential in ("given", "signed")
        assert one.call["verify"] is secret
        assert one.call["tls"] or not secret
        body = json.loads(one.call["body"]) if one.call["body"] else {}
        for row in body if isinstance(body, list) else [body]:
            harmless = (None, "tools/list", "initialize")
            assert row.get("method") in harmless or row["params"]["name"] == trial_plan.NO_TOOL
        if not one.way.is_guarded:
            allowed = one.source.namespace == "agents" and bool(one.source.services & set(one.way.services))
            assert one.expected == ("open by declaration" if allowed else "no connection")


def test_a_token_of_worth_goes_to_declared_routes_by_tls_alone() -> None:
    """Another route of the gateway may be somebody's who keeps tokens, and so may another gateway's."""
    cluster = seen(routes=[route(), route("b"), route("theirs", gateway="second")])
    given = Credentials(token(roles=["user"]), {"wrong_audience": "signed"}, AUTH, DECLARED)
    worth = [one for one in trials(given, cluster=cluster) if one.credential in ("given", "signed")]
    assert {one.way.route for one in worth if one.call} == {"mcp/echo"}
    assert {one.way.route for one in worth if not one.call} >= {"mcp/b"}
    assert all("declared routes" in one.note for one in worth if not one.call)
    clear = [replace(way, tls=False) for way in ways_of(seen(), "gateway/mcp", ())]
    sent = [one for one in trial_plan.trials_of(clear, (OUTSIDE,), given) if one.credential in ("given", "signed")]
    assert sent and not any(one.call for one in sent)


@pytest.mark.parametrize(
    ("given", "note", "limited"),
    [
        (Credentials(token(roles=["user"]), {}, AUTH, DECLARED), "", False),
        (Credentials(token(roles=["x"]), {}, AUTH, DECLARED), "no rule of auth", False),
        (Credentials("opaque", {}, AUTH, DECLARED), "cannot be read", False),
        (Credentials(token(roles=["user"]), {}, AUTH, DECLARED, DECLARED), "source_ranges", True),
    ],
)
def test_a_control_says_whose_fault_a_refusal_would_be(given: Credentials, note: str, limited: bool) -> None:
    controls = [one for one in trials(given) if one.expected == trial_plan.ANSWERED]
    assert len(controls) == 2
    assert all(note in one.note and bool(one.note) is bool(note) for one in controls)
    assert {one.is_limited for one in controls} == {limited}


def test_an_address_that_lets_in_some_alone_is_asked_inside_the_cluster_as_well() -> None:
    spec = {
        "ports": [{"port": 443}],
        "clusterIP": "10.0.0.7",
        "labels": OWNED,
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
    }
    cluster = seen(services=[service(), service("envoy", "egs", **spec)])
    ways = found(cluster)
    assert ways["gateway", "203.0.113.7", 443].ranges == ("192.0.2.0/24",)
    assert ways["gateway", "10.0.0.7", 443].is_inside
    asked = {
        one.source.kind
        for one in trials(Credentials(), OUTSIDE, FOREIGN, cluster=cluster)
        if one.way == ways["gateway", "10.0.0.7", 443]
    }
    assert asked == {"foreign pod"}
    open_to_all = service("envoy", "egs", **{**spec, "loadBalancerSourceRanges": None})
    assert ("gateway", "10.0.0.7", 443) not in found(seen(services=[service(), open_to_all]))


def test_private_addresses_of_nodes_are_controlled_from_outside() -> None:
    def doubted(source: Source, kind: str, address: str) -> bool:
        way = Way(kind, "w", address, 30080, "h")
        one = trial_plan.Trial(0, source, way, "direct call", "none", trial_plan.NO_CONNECTION, {})
        return bool(trial_plan.controls_of([one], {0: {"connected": True}}))

    assert doubted(OUTSIDE, "node_port", "10.1.0.4")
    assert doubted(OUTSIDE, "gateway_service", "10.1.0.4")
    assert not doubted(OUTSIDE, "node_port", "8.8.4.4")
    assert not doubted(OUTSIDE, "load_balancer", "lb.example.com")
    assert not doubted(OUTSIDE, "gateway", "10.1.0.4")
    assert not doubted(FOREIGN, "node_port", "10.1.0.4")


FORBIDDEN = {"no token", "old era without headers", "lying name", "batch", "SSE path", "foreign key", "unsigned"}
FORBIDDEN |= {"wrong audience", "wrong issuer", "expired", "other tenant"}
WITH_TOKEN = {"forbidden tool", "old era without headers", "lying name", "lying method", "batch"}


@pytest.mark.parametrize(
    ("kind", "given", "source", "names"),
    [
        ("gateway", {}, OUTSIDE, FORBIDDEN | WITH_TOKEN | {"allowed call", "allowed call of the older era"}),
        ("other_gateway", {}, OUTSIDE, FORBIDDEN),
        ("ingress", {}, OUTSIDE, FORBIDDEN),
        ("gateway_service", {"is_inside": True}, FOREIGN, FORBIDDEN),
        ("gateway_service", {"is_inside": True}, OUTSIDE, {"no token"}),
        ("gateway_service", {}, FOREIGN, {"no token"}),
        ("unknown_host", {}, FOREIGN, {"no token"}),
        *((kind, {}, OUTSIDE, {"direct call"}) for kind in ("pod_ip", "node_port", "cluster_ip", "host_port")),
    ],
)
def test_every_way_is_tried_with_every_forbidden_call(
    kind: str, given: dict[str, Any], source: Source, names: set[str]
) -> None:
    way = Way(kind, "w", "203.0.113.7", 443, "echo.mcp.test", tls=True, route="mcp/echo", **given)
    credentials = Credentials(token(roles=["user"]), {}, AUTH, DECLARED)
    made = trial_plan.trials_of([way], [source], credentials)
    assert {one.name for one in made} == names
    assert all(one.call for one in made)


def test_every_pod_is_to_reach_the_api_server() -> None:
    api = {"clusterIP": "10.0.0.1", "ports": [{"name": "https", "port": 443}]}
    cluster = seen(services=[service(), service("kubernetes", "default", **api)])
    control = trial_cluster.control_of(cluster)
    made = trial_plan.trials_of([], (OUTSIDE, FOREIGN, Source("allowed pod", "a")), Credentials(), control)
    assert [(one.source.kind, one.number) for one in made] == [("foreign pod", 0), ("allowed pod", 1)]
    assert all(one.call and (one.call["address"], one.call["method"]) == ("10.0.0.1", "GET") for one in made)
    assert trial_cluster.control_of(seen()) is None


def test_what_limits_a_pod_is_found_by_its_labels() -> None:
    out = named("out", "a", spec={"podSelector": {"matchLabels": {"app": "x"}}, "policyTypes": ["Egress"]})
    cluster = seen(policies=[POLICY, out])
    assert trial_cluster.policies_of(cluster, "a", {"app": "x"}, "Egress") == ("a/out",)
    assert trial_cluster.policies_of(cluster, "a", {}, "Egress") == ()
    assert trial_cluster.policies_of(cluster, "b", {"app": "x"}, "Egress") == ()


def test_callers_of_one_namespace_are_told_apart() -> None:
    callers = [{"namespace": "agents", "pod_labels": {"app": name}} for name in ("planner", "viewer")]
    names = [one.name for one in trial_plan.sources_of(callers, [], "f")]
    assert len(set(names)) == len(names) == 4


def test_neighbours_and_declared_callers_are_places_to_try_from() -> None:
    callers = [{"namespace": "agents", "pod_labels": {"app": 1}, "services": ["echo", "other/x"]}]
    outside, foreign, agents, neighbour = trial_plan.sources_of(callers, ["mcp"], "f")
    assert (outside.name, foreign.name) == ("outside", "foreign pod in f")
    assert (agents.name, dict(agents.labels)) == ("allowed pod in agents (app=1)", {"app": "1"})
    assert agents.services == {"mcp/echo", "other/x"}
    assert (neighbour.name, neighbour.services) == ("allowed pod in mcp", frozenset())
    assert trial_plan.sources_of([{"namespace": "mcp"}], ["mcp"], "f")[2:] == [Source("allowed pod", "mcp")]


# --- tokens


@pytest.mark.parametrize(
    ("kind", "claim", "wrong"),
    [
        ("wrong_audience", "aud", True),
        ("wrong_issuer", "iss", True),
        ("expired", "exp", True),
        ("other_tenant", "tid", True),
        ("foreign_key", "", False),
        ("unsigned", "", False),
    ],
)
def test_a_forged_token_is_wrong_in_one_claim_and_signed_by_nobody(kind: str, claim: str, wrong: bool) -> None:
    right = trial_samples.claims_of(trial_samples.forged("foreign_key", "echo", AUTH, 1_800_000_000))
    text = trial_samples.forged(kind, "echo", AUTH, 1_800_000_000)
    claims = trial_samples.claims_of(text)
    differ = {key for key in right if claims[key] != right[key]}
    assert (claim in differ) is wrong
    assert differ <= {claim, "iss", "nbf", "iat"}
    assert claims["roles"] == ["user"]
    assert right["exp"] > 1_800_000_000
    assert (text.rpartition(".")[2] == "") is (kind == "unsigned")


def test_an_expired_token_was_right_once() -> None:
    claims = trial_samples.claims_of(trial_samples.forged("expired", "echo", AUTH, 1_800_000_000))
    assert claims["nbf"] < claims["exp"] < 1_800_000_000


@pytest.mark.parametrize(
    ("claims", "route_name", "expected"),
    [
        ({"roles": ["user"]}, "echo", ("add",)),
        ({"roles": "user"}, "echo", ("add",)),
        ({"roles": ["user", "admin"]}, "echo", None),
        ({"groups": ["g"]}, "echo", ()),
        ({"groups": ["g"]}, "b", None),
        ({"roles": ["user"], "iss": "https://other.test"}, "echo", ()),
        ({}, "echo", ()),
    ],
)
def test_what_claims_open(claims: dict[str, Any], route_name: str, expected: tuple[str, ...] | None) -> None:
    assert trial_samples.tools_of({"iss": ISSUER, **claims}, route_name, AUTH) == expected


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.!.c", "..", "e30.W10.x", "e30.ImEi.x", "ü.ü.ü", "a.e30.c"])
def test_anything_may_be_given_as_a_token(text: str) -> None:
    assert trial_samples.claims_of(text) == {}
