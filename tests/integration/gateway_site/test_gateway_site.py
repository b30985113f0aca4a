# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with a way in before servers of both eras, as a user runs it: planned, made, left alone, broken by hand,
repaired, torn down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import gateway, gateway_calls
from support.playbook import LOCAL_HOST, Run, run_playbook

from localcloud.images import gateway as images
from localcloud.images.catalog import PYTHON_MCP

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOST, NAMESPACE, SERVERS = "guarded", "gateway", "mcp"
ECHO, CALENDAR = "echo.mcp.test", "calendar.mcp.test"
ISSUER = gateway_calls.Issuer.new()
TEXT, DAY = {"text": "hi"}, {"day": "2026-07-28"}


@dataclass(frozen=True)
class GatewaySite:
    directory: Path
    cluster: Any

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        place = f"drift_report_directory={self.directory / 'drift-report'}"
        more = ("-e", json.dumps(variables)) if variables else ()
        inventory = self.directory / "hosts.json"
        return run_playbook(f"mcpops.platform.{playbook}", "-i", inventory, "-e", place, *more, *arguments)

    def names(self, kinds: str, namespace: str) -> set[str]:
        listed = self.cluster.kubectl("get", kinds, "-n", namespace, "-o", "name")
        return {line.rpartition("/")[2] for line in listed.splitlines()}

    def namespaces(self) -> set[str]:
        return self.names("namespaces", "default")

    def client(self, host: str) -> gateway_calls.Client:
        found = self.cluster.get("gateway", "mcp", "-n", NAMESPACE)["status"]["addresses"][0]["value"]
        return gateway_calls.Client(found, gateway_calls.authority(self.cluster, self.directory), host)

    @property
    def drifted(self) -> set[tuple[str, str]]:
        report = json.loads((self.directory / "drift-report" / "drift-report.json").read_text(encoding="utf-8"))
        (host,) = (one for one in report["hosts"] if one["name"] == HOST)
        return {(one["stage"], one["object"].partition(" ")[0]) for one in host["differences"]}


def way_in() -> dict[str, Any]:
    """What a site says of its gateway, with an authority of its own for certificates and another for tokens."""
    issuer = "cert-manager.io/v1"
    authority = {
        "isCA": True,
        "commonName": "authority of the site",
        "secretName": "authority",
        "privateKey": {"algorithm": "ECDSA"},
        "issuerRef": {"name": "selfsigned", "kind": "ClusterIssuer"},
    }
    return {
        "gateway_listeners": [{"hostname": "*.mcp.test", "tls": {"issuer": {"name": "authority"}}}],
        "gateway_objects": [
            gateway.made(issuer, "ClusterIssuer", "selfsigned", spec={"selfSigned": {}}),
            gateway.made(issuer, "Certificate", "authority", gateway.CERTIFICATES, spec=authority),
            gateway.made(issuer, "ClusterIssuer", "authority", spec={"ca": {"secretName": "authority"}}),
            ISSUER.keys(SERVERS),
        ],
        "gateway_wait_conditions": [{"kind": "ClusterIssuer", "type": "Ready"}],
        "gateway_routes": [
            {"name": name, "host": host, "server_era": era, "pod_labels": {"app.kubernetes.io/name": name}}
            for name, host, era in (("echo", ECHO, "legacy"), ("calendar", CALENDAR, "modern"))
        ],
        "mcp_servers_callers": [],
        "gateway_auth": [
            {
                "name": "tests",
                "issuer": gateway_calls.ISSUER,
                "audiences": [gateway_calls.AUDIENCE],
                "jwks_config_map": gateway_calls.KEYS,
                "access": [{"roles": ["user"], "tools": ["echo", "weekday"]}, {"roles": ["admin"]}],
            }
        ],
    }


@pytest.fixture(scope="module")
def site(
    cloud: Any, make_cluster: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewaySite]:
    """A cluster that somebody else has made, so that what was put into it is removed from it."""
    gateway.provide(cloud)
    cluster = make_cluster("gateway-site", network={"plugin": "azure", "policy": "azure"})
    directory = tmp_path_factory.mktemp("gateway-site")
    certificates, controller = gateway.releases(cloud)
    variables = {
        **LOCAL_HOST,
        "aks_cluster_backend": "existing",
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "mcpops_process_environment": {"NO_PROXY": cloud.process_environment()["NO_PROXY"]},
        "mcpops_kmcp_chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "mcpops_registry_ca_file": cloud.environment["registry_ca_file"],
        "cluster_setup_releases": [{key: certificates[key] for key in certificates if key != "wait"}],
        "mcpops_mcp_servers": [
            {"name": name, "image": f"{cloud.registry}/{name}-mcp:1.0.0", "port": 3000} for name in ("echo", "calendar")
        ],
        "mcpops_mcp_calls": [{"server": "echo", "tool": "echo", "arguments": TEXT, "expect": "hi"}],
        "gateway_controller_chart": controller["chart_ref"],
        "gateway_controller_version": controller["chart_version"],
        "gateway_envoy": {"image": f"docker.io/{images.ENVOY}"},
        "gateway_trial_image": f"{cloud.registry}/{PYTHON_MCP}",
        "gateway_trial_evidence": str(directory / "evidence.json"),
        **way_in(),
    }
    hosts = {"clusters": {"hosts": {HOST: variables}}}
    (directory / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    return GatewaySite(directory, cluster)


def names_of(run: Run) -> list[str]:
    return [task.rpartition(" : ")[2] for task in run.changed]


# one after the other, as in the life of a site


def test_a_plan_from_nothing_makes_nothing(site: GatewaySite) -> None:
    before = site.namespaces()
    planned = site.play("site", "--check", "--diff").ok()
    assert {"Install Envoy Gateway", "Converge the gateway", "Converge its routes"} <= set(names_of(planned))
    assert site.namespaces() == before


def test_the_first_run_ends_with_a_way_in_that_asks_for_tokens(site: GatewaySite) -> None:
    made = site.play("site").ok()
    rows = [line.split() for line in made.of(HOST, "Show what answers")["msg"]]
    shown = {row[0]: row[1:] for row in rows if row and row[0] in ("echo", "calendar") and "attached" in row}
    address = site.client(ECHO).address
    assert {name: row[:3] for name, row in shown.items()} == {
        "echo": [ECHO, address, "attached"],
        "calendar": [CALENDAR, address, "attached"],
    }
    for *_place, refused_calls in shown.values():
        refused, _slash, tried = refused_calls.partition("/")
        assert refused == tried and int(tried) > 20

    user, admin = ISSUER.token("user"), ISSUER.token("admin")
    echo, calendar = site.client(ECHO), site.client(CALENDAR)
    gateway_calls.settled(lambda: echo.legacy(user, "echo", TEXT).status, 200)
    gateway_calls.settled(lambda: calendar.modern(user, "weekday", DAY).status, 200)
    assert "Tuesday" in calendar.modern(user, "weekday", DAY).data.decode()
    assert echo.legacy(admin, "add", {"a": 1, "b": 2}).status == 200
    answers = {
        "another tool": echo.legacy(user, "add", {"a": 1, "b": 2}).status,
        "no role": calendar.modern(ISSUER.token(), "weekday", DAY).status,
        "no token": calendar.modern("", "weekday", DAY).status,
        "another issuer": calendar.modern(ISSUER.token("user", iss="https://else.test/"), "weekday", DAY).status,
        "another host": site.client("other.mcp.test").modern(user, "weekday", DAY).status,
    }
    assert answers == {"another tool": 403, "no role": 403, "no token": 401, "another issuer": 401, "another host": 404}


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_a_second_run_changes_nothing(site: GatewaySite, check: tuple[str, ...]) -> None:
    assert site.play("site", *check).ok().changed == []
    assert site.play("verify").ok().changed == []


def test_a_way_in_that_stands_is_no_finding(site: GatewaySite) -> None:
    assert site.play("diagnose").ok().changed == []


def test_what_was_changed_by_hand_is_reported_and_repaired(site: GatewaySite) -> None:
    def patch(what: str, namespace: str, change: dict[str, Any]) -> None:
        site.cluster.kubectl("patch", what, "-n", namespace, "--type=merge", "-p", json.dumps(change))

    patch("securitypolicy/echo", SERVERS, {"spec": {"authorization": {"defaultAction": "Allow", "rules": None}}})
    patch("networkpolicy/gateway.mcp-proxy", gateway.CONTROLLER, {"spec": {"ingress": [{}]}})
    patch("clienttrafficpolicy/mcp", NAMESPACE, {"spec": {"tls": {"minVersion": "1.0"}}})
    site.cluster.kubectl("delete", "httproute", "calendar", "-n", SERVERS)
    patch("deployment/envoy-gateway", gateway.CONTROLLER, {"spec": {"replicas": 2}})

    found = site.play("drift")
    assert found.returncode == 2, found.output
    assert {kind for stage, kind in site.drifted if stage == "gateway"} >= {
        "SecurityPolicy",
        "NetworkPolicy",
        "ClientTrafficPolicy",
        "HTTPRoute",
    }
    # what looks changes nothing
    assert "calendar" not in site.names("httproutes", SERVERS)

    repaired = site.play("site", "--tags", "gateway,verify").ok()
    assert names_of(repaired) == ["Install Envoy Gateway", "Converge the gateway", "Converge its routes"]
    assert site.play("drift").ok().returncode == 0
    gateway_calls.settled(lambda: site.client(CALENDAR).modern(ISSUER.token("user"), "weekday", DAY).status, 200)
    assert site.client(ECHO).legacy("", "echo", TEXT).status == 401


def test_a_broken_way_in_makes_verification_red(site: GatewaySite) -> None:
    lacking = site.play("verify", gateway_routes=[*way_in()["gateway_routes"], {"name": "news", "host": "n.mcp.test"}])
    assert lacking.returncode != 0
    assert "news" in lacking.output


def test_a_teardown_closes_the_way_in_first_and_leaves_nothing(site: GatewaySite) -> None:
    confirmed = ("-e", f"teardown_confirm={HOST}")
    first = ["Remove the routes", "Remove the gateway"]
    planned = site.play("teardown", *confirmed, "--check").ok()
    assert names_of(planned)[:2] == first
    assert site.client(CALENDAR).modern("", "weekday", DAY).status == 401

    removed = site.play("teardown", *confirmed).ok()
    assert names_of(removed)[:2] == first
    # the controller was removed as well, after it had taken its proxies and their load balancer away
    assert site.names("deployments,services", gateway.CONTROLLER) == set()
    site.play("teardown", *confirmed, site_teardown_namespaces=True).ok()
    assert site.namespaces().isdisjoint({NAMESPACE, SERVERS, gateway.CONTROLLER, "kmcp-system"})
    assert site.names("gatewayclasses", "default") == set()
    assert site.play("teardown", *confirmed, site_teardown_namespaces=True).ok().changed == []
