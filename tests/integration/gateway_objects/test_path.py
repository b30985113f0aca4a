# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a gateway and its routes at a real API server with the definitions of Envoy Gateway, and nobody who acts
on them: planned, made, left alone, changed by hand, repaired, removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support import gateways
from support.playbook import run_tasks

from ansible_collections.mcpops.platform.plugins.module_utils.gateway.gateway_readiness import KINDS

from ..conftest import Cloud, Cluster, play_options

pytestmark = pytest.mark.integration

USED = {kind for kind in KINDS if kind != "Certificate"}
ALL = ",".join(sorted({f"{plural}.{api.partition('/')[0]}" for kind, (api, plural) in KINDS.items() if kind in USED}))
ISSUER = {
    "name": "other",
    "issuer": "https://issuer.test",
    "audiences": ["a"],
    "jwks_config_map": "keys",
    "caller_claim": "oid",
    "scopes": ["s"],
    "access": [{"groups": ["g"], "servers": ["echo"], "tools": ["a"], "methods": ["prompts/get"]}],
    "rate_limit": {"requests": 1, "unit": "Second"},
}
OTHER_LISTENER = {"name": "other", "hostname": "a.test", "port": 8443, "tls": {"secret": "a"}}
FULL = {
    "methods": ["GET", "POST"],
    "path_type": "PathPrefix",
    "listener": "https",
    "body_limit": "512Ki",
    "read_timeout": 60,
    "source_ranges": ["10.0.0.0/8"],
    "pod_labels": {"app": "echo"},
}


def asked(namespace: str) -> list[tuple[str, dict[str, Any]]]:
    """The two tasks, with every part that their modules know of Envoy Gateway."""
    gateway = {
        "namespace": namespace,
        "listeners": [
            *gateways.LISTENERS,
            {"name": "other", "hostname": "a.test", "port": 8443, "tls": {"secret": "a"}},
        ],
        "route_namespaces": [namespace],
        "callers": [{"name": "entra"}, {"name": "other", "claim": "oid"}],
        "backends": [{"namespace": namespace, "port": 3000}],
        "address": {"internal": True, "external_dns": True, "source_ranges": ["10.0.0.0/8"]},
        "envoy": {"image": "envoy:1.40.0", "replicas": 2, "resources": {"requests": {"cpu": "50m"}}},
        # what is made there goes with the namespace of the test
        "controller_namespace": namespace,
        "wait": False,
    }
    open_to_all = {"name": "news", "host": "news.mcp.test", "anonymous": True}
    routes = {
        "namespace": namespace,
        "gateway": {"namespace": namespace, "controller_namespace": namespace},
        "routes": [{**gateways.ROUTES[0], **FULL}, open_to_all],
        "auth": [*gateways.AUTH, ISSUER],
        "prune": True,
        "wait": False,
    }
    return [("gateway", gateway), ("gateway_route", routes)]


@pytest.fixture(scope="module")
def definitions(cloud: Cloud, cluster: Cluster) -> Iterator[None]:
    """The cluster knows these kinds, and forgets them afterwards."""
    wanted = [one for one in gateways.custom_resource_definitions() if one["spec"]["names"]["kind"] in USED]
    play = play_options(cloud, cluster.kubeconfig, None)
    declared = {"definitions": wanted, "wait": True, "wait_timeout": 60}
    run_tasks([{"mcpops.platform.k8s_objects": declared}], play=play).ok()
    yield
    cluster.kubectl("delete", "crd", "--wait=false", *(one["metadata"]["name"] for one in wanted))


def standing(cluster: Cluster, namespace: str) -> set[tuple[str, str]]:
    """What is there to stay: the garbage collector needs half a minute to know kinds that are new."""
    kinds = f"{ALL},networkpolicies".replace("gatewayclasses.gateway.networking.k8s.io,", "")
    found = cluster.get(kinds, "-n", namespace)["items"]
    return {(one["kind"], one["metadata"]["name"]) for one in found if "deletionTimestamp" not in one["metadata"]}


def patch(cluster: Cluster, namespace: str, what: str, change: dict[str, Any]) -> None:
    cluster.kubectl("patch", "-n", namespace, what, "--type=merge", "-p", json.dumps(change))


def test_a_gateway_and_its_routes_from_nothing_to_nothing(
    cluster: Cluster, namespace: str, run_task: Any, request: pytest.FixtureRequest
) -> None:
    both = asked(namespace)
    # where not even the kinds are known, a plan is one all the same
    assert all(run_task(module, options, check=True)["changed"] for module, options in both)
    request.getfixturevalue("definitions")
    assert all(run_task(module, options, check=True)["changed"] for module, options in both)
    assert standing(cluster, namespace) == set()

    made = [run_task(module, options) for module, options in both]
    assert all(one["changed"] for one in made)
    # the API server's own rules took every one of them
    whole = standing(cluster, namespace)
    assert len(whole) == sum(len(one["objects"]) for one in made)
    for check in (False, True):
        assert not any(run_task(module, options, check=check)["changed"] for module, options in both)

    opened = {"spec": {"authorization": {"defaultAction": "Allow", "rules": None}, "jwt": None}}
    patch(cluster, namespace, "securitypolicy/echo", opened)
    everywhere = {"spec": {"ingress": [{}]}}
    patch(cluster, namespace, "networkpolicy/echo-from-gateway", everywhere)
    cluster.kubectl("delete", "-n", namespace, "httproute/echo-metadata", "clienttrafficpolicy/mcp")
    shown = [run_task(module, options, check=True) for module, options in both]
    assert [changed(one) for one in shown] == [{"mcp"}, {"echo", "echo-from-gateway", "echo-metadata"}]
    repaired = [run_task(module, options) for module, options in both]
    assert [changed(one) for one in repaired] == [changed(one) for one in shown]
    assert cluster.get("-n", namespace, "securitypolicy/echo")["spec"]["authorization"]["defaultAction"] == "Deny"
    assert standing(cluster, namespace) == whole
    assert not any(run_task(module, options)["changed"] for module, options in both)

    # a route that is declared no more goes with all that belongs to it
    module, options = both[1]
    fewer = {**options, "routes": options["routes"][1:], "auth": []}
    assert run_task(module, fewer)["changed"]
    assert not [name for _kind, name in standing(cluster, namespace) if name.startswith("echo")]

    for module, options in reversed(both):
        gone = {"state": "absent", "wait": False, "namespace": namespace}
        gone.update({name: options[name] for name in ("gateway", "controller_namespace") if name in options})
        assert run_task(module, gone)["changed"]
        assert not run_task(module, gone)["changed"]
    assert standing(cluster, namespace) == set()


def changed(result: dict[str, Any]) -> set[str]:
    return {row["name"] for row in result["objects"] if row["changed"]}
