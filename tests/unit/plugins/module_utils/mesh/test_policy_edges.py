# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach whom in a mesh, and that each of its policies is what keeps an edge as it is.

That a cluster does what policies say is shown on one that enforces them (tests/integration/mesh_policies)."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.policy_edges import Edge, Place, open_edges

from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import selector_matches
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_spec import DeclaredAgent, Mesh, agent_objects
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.backup_spec import backup_objects
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_spec import (
    DeclaredRegistry,
    registry_objects,
)
from ansible_collections.mcpops.platform.plugins.modules import mesh_registry

NAMESPACE, OTHER = "mesh", "team"
REGISTRY, DATABASE, BACKUP = "mcp-mesh-registry", "mcp-mesh-registry-db", "mcp-mesh-registry-backup"
GATEWAY = {"app": "gateway"}
AGENT = {"app.kubernetes.io/part-of": "mcp-mesh", "app.kubernetes.io/component": "agent"}
# caller, target and port → whether it may
EDGES: dict[Edge, bool] = {
    Edge("dates", "registry", 8000): True,
    Edge("an agent elsewhere", "registry", 8000): True,
    Edge("an agent of nobody", "registry", 8000): False,
    Edge("the API server's", "registry", 8000): True,
    Edge("gateway", "registry", 8000): False,
    Edge("stranger", "registry", 8000): False,
    Edge("database", "registry", 8000): False,
    Edge("dates", "registry", 8001): False,
    Edge("the API server's", "registry", 8001): False,
    Edge("registry", "database", 5432): True,
    Edge("backup", "database", 5432): True,
    Edge("dates", "database", 5432): False,
    Edge("gateway", "database", 5432): False,
    Edge("stranger", "database", 5432): False,
    Edge("dates", "greeter", 8080): True,
    Edge("registry", "greeter", 8080): False,
    Edge("the API server's", "greeter", 8080): True,
    Edge("gateway", "greeter", 8080): True,
    Edge("gateway", "dates", 8080): False,
    Edge("stranger", "greeter", 8080): False,
    Edge("greeter", "dates", 8080): True,
    Edge("greeter", "registry", 8000): True,
    Edge("greeter", "names", 53): True,
    Edge("greeter", "stranger", 8080): False,
    Edge("the API server's", "dates", 8080): True,
    Edge("backup", "names", 53): True,
    Edge("stranger", "backup", 8080): False,
    Edge("dates", "names", 53): True,
    Edge("registry", "names", 53): True,
    Edge("dates", "stranger", 8080): False,
    Edge("registry", "stranger", 5432): False,
    Edge("database", "stranger", 443): False,
    Edge("backup", "stranger", 443): False,
}


def mesh() -> list[dict[str, Any]]:
    given = {"namespace": NAMESPACE, "agent_namespaces": [OTHER], "backup": {}}
    validated = ArgumentSpecValidator(mesh_registry.ARGUMENT_SPEC).validate(given)
    assert validated.error_messages == []
    registry = DeclaredRegistry(validated.validated_parameters, "password")
    place = Mesh(NAMESPACE, f"http://{REGISTRY}.{NAMESPACE}:8000", NAMESPACE, 8000)
    opened = [{"from": [{"podSelector": {"matchLabels": GATEWAY}}], "ports": [{"port": 8080, "protocol": "TCP"}]}]
    agents = [{"name": "dates", "image": "x"}, {"name": "greeter", "image": "x", "ingress": opened}]
    return [
        *(*registry_objects(registry), *backup_objects(registry)),
        *(item for one in agents for item in agent_objects(DeclaredAgent(one), place)),
    ]


def labels_of(objects: list[dict[str, Any]], name: str) -> dict[str, str]:
    [spec] = [
        item["spec"].get("jobTemplate", {}).get("spec", item["spec"])
        for item in objects
        if item["kind"] in ("Deployment", "StatefulSet", "CronJob") and item["metadata"]["name"] == name
    ]
    found: dict[str, str] = spec["template"]["metadata"]["labels"]
    return found


OBJECTS = mesh()
POLICIES = {item["metadata"]["name"]: item for item in OBJECTS if item["kind"] == "NetworkPolicy"}
PODS = {
    "registry": Place(NAMESPACE, labels_of(OBJECTS, REGISTRY)),
    "database": Place(NAMESPACE, labels_of(OBJECTS, DATABASE)),
    "backup": Place(NAMESPACE, labels_of(OBJECTS, BACKUP)),
    "dates": Place(NAMESPACE, labels_of(OBJECTS, "dates")),
    "greeter": Place(NAMESPACE, labels_of(OBJECTS, "greeter")),
    "an agent elsewhere": Place(OTHER, AGENT),
    "an agent of nobody": Place("nobody", AGENT),
    "gateway": Place(NAMESPACE, GATEWAY),
    "stranger": Place(NAMESPACE, {"app": "stranger"}),
    "names": Place("kube-system", {"k8s-app": "kube-dns"}),
    "the API server's": Place("kube-system", {"app": "konnectivity-agent"}),
}


def wrong(policies: list[dict[str, Any]]) -> set[Edge]:
    """The edges that are open and should not be, or the other way round."""
    found = open_edges(policies, PODS, list(EDGES))
    return {edge for edge, may in EDGES.items() if (edge in found) != may}


def test_each_edge_of_a_mesh_and_who_is_outside_of_it() -> None:
    assert wrong(list(POLICIES.values())) == set()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_policy_that_lets_everybody_through_is_seen_by_its_edges(name: str, direction: str) -> None:
    policies = copy.deepcopy(POLICIES)
    policies[name]["spec"][direction] = [{}]
    opened = wrong(list(policies.values()))
    assert opened
    end = {"ingress": "target", "egress": "caller"}[direction]
    selected = POLICIES[name]["spec"]["podSelector"]
    for edge in opened:
        assert not EDGES[edge]
        assert selector_matches(selected, PODS[getattr(edge, end)].labels)


def test_without_any_policy_every_edge_is_open() -> None:
    assert wrong([]) == {edge for edge, may in EDGES.items() if not may}


FROM_REGISTRY = {
    "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "mcp-mesh", "app.kubernetes.io/component": "registry"}}
}
CUTS = [
    (name, direction, rule, peer)
    for name, policy in POLICIES.items()
    for direction, key in (("ingress", "from"), ("egress", "to"))
    for rule, stated in enumerate(policy["spec"].get(direction) or ())
    for peer in range(len(stated.get(key) or [None]))
]


@pytest.mark.parametrize(("name", "direction", "rule", "peer"), CUTS)
def test_what_a_policy_lets_through_is_an_edge_of_the_mesh(name: str, direction: str, rule: int, peer: int) -> None:
    """Without it an edge is closed, but where another peer stands for the same pods."""
    policies = copy.deepcopy(POLICIES)
    stated = policies[name]["spec"][direction][rule]
    peers = stated.get({"ingress": "from", "egress": "to"}[direction]) or []
    if len(peers) > 1:
        removed = peers.pop(peer)
    else:
        removed = policies[name]["spec"][direction].pop(rule)
    closed = wrong(list(policies.values()))
    assert all(EDGES[edge] for edge in closed)
    # an address is none of a pod, and what the registry passes on to agents its own policy keeps in
    assert closed or "ipBlock" in removed or removed == {**removed, **FROM_REGISTRY}, removed
