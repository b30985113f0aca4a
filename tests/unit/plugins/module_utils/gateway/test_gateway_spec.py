# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a gateway: what closes it comes first, and every renderer gets what it understands."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from support.gateways import of_gateway

from ansible_collections.mcpops.platform.plugins.module_utils.gateway.gateway_spec import (
    METADATA_ADDRESSES,
    DeclaredGateway,
    every_object,
    proxy_port,
)

ISSUED = [{"hostname": "a.mcp.test", "tls": {"issuer": {"name": "authority", "kind": "Issuer"}}}]
VAULT = {"certificate_uri": "https://v.vault.azure.net/certificates/c", "service_account": "tls"}


def kinds(phases: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [[item["kind"] for item in some] for some in phases]


def found(phases: list[list[dict[str, Any]]], kind: str) -> dict[str, Any]:
    [one] = [item for some in phases for item in some if item["kind"] == kind]
    return one


def test_the_default_deny_stands_before_the_gateway() -> None:
    before, after = of_gateway()
    assert [item["kind"] for item in after] == ["Gateway"]
    [deny] = [item for item in before if item["kind"] == "SecurityPolicy"]
    assert deny["spec"]["authorization"] == {"defaultAction": "Deny"}
    assert deny["spec"]["targetRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": after[0]["metadata"]["name"]}
    ]


def test_the_way_in_is_removed_first_and_what_closes_it_last() -> None:
    order = [kind for kind, _name, _place in every_object(DeclaredGateway({"name": "mcp", "namespace": "gateway"}))]
    assert order[0] == "Gateway"
    assert order.index("SecurityPolicy") > max(order.index(kind) for kind in ("EnvoyPatchPolicy", "EnvoyProxy"))


@pytest.mark.parametrize("renderer", ["approuting-istio", "plain"])
def test_other_renderers_get_nothing_of_envoy_gateway(renderer: str) -> None:
    phases = of_gateway(renderer=renderer, class_name="mine", address={"annotations": {"a": "b"}})
    assert kinds(phases) == [["Gateway"]]
    assert phases[0][0]["spec"]["infrastructure"] == {"annotations": {"a": "b"}}


def test_the_patch_finds_the_listeners_of_a_port_whichever_of_them_are_ready() -> None:
    """By names that follow the port alone: Envoy Gateway leaves out a listener without its certificate."""
    tls = {"secret": "s"}
    listeners = [
        {"name": name, "hostname": f"{name}.test", "port": port, "tls": tls}
        for name, port in (("a", 443), ("b", 8443), ("c", 443))
    ]
    named = [
        [one["name"] for one in found(of_gateway(listeners=order), "EnvoyPatchPolicy")["spec"]["jsonPatches"]]
        for order in itertools.permutations(listeners)
    ]
    assert {tuple(sorted(one)) for one in named} == {("tcp-443", "tcp-8443")}
    patches = found(of_gateway(listeners=listeners), "EnvoyPatchPolicy")["spec"]["jsonPatches"]
    assert {one["operation"]["jsonPath"] for one in patches} == {"filter_chains[*].filters[*].typed_config"}


def test_cert_manager_writes_the_secret_that_the_listener_names() -> None:
    phases = of_gateway(listeners=ISSUED)
    certificate, gateway = found(phases, "Certificate"), found(phases, "Gateway")
    [listener] = gateway["spec"]["listeners"]
    assert certificate["spec"]["secretName"] == listener["tls"]["certificateRefs"][0]["name"] == "mcp-https-tls"
    assert certificate["spec"]["dnsNames"] == ["a.mcp.test"]
    assert certificate["spec"]["issuerRef"]["kind"] == "Issuer"


def test_a_certificate_of_key_vault_is_an_option_of_the_listener() -> None:
    listeners = [{"hostname": "a.test", "tls": {"key_vault": VAULT}}]
    [listener] = found(of_gateway(renderer="approuting-istio", listeners=listeners), "Gateway")["spec"]["listeners"]
    assert listener["tls"] == {
        "mode": "Terminate",
        "options": {
            "kubernetes.azure.com/tls-cert-keyvault-uri": VAULT["certificate_uri"],
            "kubernetes.azure.com/tls-cert-service-account": "tls",
        },
    }


def test_the_address_is_told_to_the_service() -> None:
    address = {
        "public_ip": {"name": "pip", "resource_group": "rg-ip"},
        "source_ranges": ["10.0.0.0/8"],
        "external_dns": True,
    }
    service = found(of_gateway(address=address), "EnvoyProxy")["spec"]["provider"]["kubernetes"]["envoyService"]
    assert service["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    prefix = "service.beta.kubernetes.io/azure-"
    assert service["annotations"] == {
        f"{prefix}pip-name": "pip",
        f"{prefix}load-balancer-resource-group": "rg-ip",
        "external-dns.alpha.kubernetes.io/hostname": "*.mcp.test",
    }
    on_aks = found(of_gateway(renderer="approuting-istio", address=address), "Gateway")["spec"]["infrastructure"]
    assert on_aks["annotations"][f"{prefix}allowed-ip-ranges"] == "10.0.0.0/8"
    internal = found(of_gateway(address={"internal": True}), "EnvoyProxy")["spec"]["provider"]["kubernetes"]
    assert internal["envoyService"]["annotations"] == {f"{prefix}load-balancer-internal": "true"}


def test_the_access_log_has_caller_and_tool_and_no_query() -> None:
    proxy = found(of_gateway(callers=[{"name": "entra", "claim": "oid"}]), "EnvoyProxy")
    [settings] = proxy["spec"]["telemetry"]["accessLog"]["settings"]
    fields = settings["format"]["json"]
    assert fields["caller"] == "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:entra:oid)%"
    assert fields["tool"] == "%DYNAMIC_METADATA(envoy.filters.http.mcp:params:name)%"
    assert fields["path"] == "%PATH(NQ)%"
    # the header could be of the caller's own making
    assert not any("X-MCP-CALLER" in value.upper() for value in fields.values())


def test_a_forged_caller_is_dropped_before_anything_reads_it() -> None:
    policy = found(of_gateway(), "ClientTrafficPolicy")
    assert policy["spec"]["headers"]["earlyRequestHeaders"]["remove"] == ["x-mcp-caller"]


def test_proxies_reach_declared_servers_and_no_metadata_address() -> None:
    backends = [
        {"namespace": "mcp", "port": 3000},
        {"namespace": "mesh", "port": 8080},
        {"namespace": "mcp", "port": 80},
    ]
    policy = found(of_gateway(backends=backends), "NetworkPolicy")
    assert policy["metadata"]["namespace"] == "envoy-gateway-system"
    egress = policy["spec"]["egress"]
    to_mcp = [
        [port["port"] for port in rule["ports"]]
        for rule in egress
        for peer in rule["to"]
        if peer.get("namespaceSelector", {}).get("matchLabels") == {"kubernetes.io/metadata.name": "mcp"}
    ]
    assert to_mcp == [[80, 3000]]
    blocks = [peer["ipBlock"] for rule in egress for peer in rule["to"] if "ipBlock" in peer]
    [outside] = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
    assert outside["except"] == list(METADATA_ADDRESSES)
    [outside] = [block for block in blocks if block["cidr"] == "::/0"]
    assert outside["except"] == ["fe80::/10"]
    assert policy["spec"]["ingress"] == [{"ports": [{"port": 10443, "protocol": "TCP"}]}]


@pytest.mark.parametrize(("port", "inside"), [(443, 10443), (1023, 11023), (1024, 1024), (8443, 8443)])
def test_ports_below_1024_are_moved_inside_of_the_pod(port: int, inside: int) -> None:
    assert proxy_port(port) == inside


def test_without_a_network_policy_there_is_none() -> None:
    assert "NetworkPolicy" not in kinds(of_gateway(network_policy=False))[0]
