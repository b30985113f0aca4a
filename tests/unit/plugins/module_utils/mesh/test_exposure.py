# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries and agents that other clusters call: what is made for that, and who is let in."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_spec import (
    DeclaredAgent,
    Mesh,
    agent_objects,
)
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.exposure import registry_range

EXPOSED = {"host": "203.0.113.9", "internal": True, "ip": "10.1.0.9", "source_ranges": ["10.2.0.0/24"]}
RANGE = [{"ipBlock": {"cidr": "10.2.0.0/24"}}]


def made(exposed: dict[str, Any] | None, **mesh: Any) -> dict[tuple[str, str], Any]:
    agent = DeclaredAgent({"name": "dates", "image": "dates:1", **({"exposed": exposed} if exposed else {})})
    given = Mesh("mesh", "http://203.0.113.8:8000", "mesh", 8000, **mesh)
    return {(one["kind"], one["metadata"]["name"]): one for one in agent_objects(agent, given)}


def test_an_agent_announces_what_others_call() -> None:
    found = made(EXPOSED)
    container = found["Deployment", "dates"]["spec"]["template"]["spec"]["containers"][0]
    assert {one["name"]: one.get("value") for one in container["env"]}["MCP_MESH_HTTP_HOST"] == "203.0.113.9"
    service = found["Service", "dates-exposed"]
    assert service["metadata"]["annotations"] == {
        "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
        "service.beta.kubernetes.io/azure-load-balancer-ipv4": "10.1.0.9",
    }
    spec = service["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert spec["loadBalancerSourceRanges"] == ["10.2.0.0/24"]
    assert spec["selector"] == found["Service", "dates"]["spec"]["selector"]
    # its own cluster finds the other Service as before
    assert found["Service", "dates"]["spec"]["type"] == "ClusterIP"


def test_a_public_one_names_its_address() -> None:
    given = {**EXPOSED, "internal": False, "ip": None, "public_ip": {"name": "pip", "resource_group": "rg"}}
    annotations = made(given)["Service", "dates-exposed"]["metadata"]["annotations"]
    assert annotations == {
        "service.beta.kubernetes.io/azure-pip-name": "pip",
        "service.beta.kubernetes.io/azure-load-balancer-resource-group": "rg",
    }


def test_policies_let_in_and_out_what_is_declared_alone() -> None:
    closed = made(None)["NetworkPolicy", "dates"]["spec"]
    opened = made(EXPOSED, remote_cidrs=("203.0.113.0/24",))["NetworkPolicy", "dates"]["spec"]
    port = [{"port": 8080, "protocol": "TCP"}]
    assert [one for one in opened["ingress"] if one not in closed["ingress"]] == [{"from": RANGE, "ports": port}]
    way_out = [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]
    assert [one for one in opened["egress"] if one not in closed["egress"]] == way_out


def test_the_address_of_a_registry_is_a_range() -> None:
    assert registry_range("http://203.0.113.8:8000") == ["203.0.113.8/32"]
    assert registry_range("http://registry.example.com:8000") == []
    assert registry_range("") == []
