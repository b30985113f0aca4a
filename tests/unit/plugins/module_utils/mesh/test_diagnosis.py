# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about a mesh: what is taken for a registry or an agent, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Finding, Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_diagnosis_info import classify
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.diagnosis import Facts, ranges_of
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.exposure import AGENT_RANGES, is_called_in
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.members import (
    Place,
    agents_in,
    place_of,
    registries_in,
)
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_observe import Answer, Registry
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_readiness import (
    Agent,
    Capability,
    Dependency,
)

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=timezone.utc)
LONG_AGO, JUST_NOW = "2026-11-30T10:00:00Z", "2026-11-30T11:59:55Z"
OURS = {"app.kubernetes.io/part-of": "mcp-mesh", "app.kubernetes.io/component": "registry"}
DOWN = Reason("mesh registry mesh/r", "RegistryDatabaseDown", "it runs and cannot read its agents (HTTP 500): refused")
NOT_READY = Reason("mesh registry mesh/r", "RegistryNotReady", "no ready pod of it answers: no endpoints available")


def service(name: str, port: int = 8000, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "mesh", "labels": labels or {}, "creationTimestamp": LONG_AGO},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }


def agent(name: str = "dates", available: int = 1, since: str = LONG_AGO, **variables: str) -> dict[str, Any]:
    settings = {
        "MCP_MESH_REGISTRY_URL": "http://mcp-mesh-registry.mesh:8000",
        "MCP_MESH_HTTP_HOST": f"{name}.mesh",
        "MCP_MESH_HTTP_PORT": "8080",
        "MCP_MESH_AGENT_NAME": name,
        **variables,
    }
    env = [{"name": key, "value": value} for key, value in settings.items() if value]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "agent", "env": env}]}}
    return {
        "metadata": {"name": name, "namespace": "mesh", "creationTimestamp": since, "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
        "status": {
            "observedGeneration": 1,
            **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), available),
            "conditions": [{"type": "Available", "status": "True", "lastTransitionTime": since}],
        },
    }


def row(name: str = "dates", **more: Any) -> Agent:
    return Agent(name=name, id=f"{name}-1", status="healthy", endpoint=f"http://{name}.mesh:8080", age=1.0, **more)


def found(facts: Facts | None = None, **objects: Any) -> list[Finding]:
    kinds = {"Service": [service("mcp-mesh-registry"), service("dates", 8080)], "StatefulSet": [], "Deployment": []}
    snapshot = Snapshot(of_kinds({**kinds, **objects}), NOW, facts={"mesh": facts} if facts else {})
    return classify(snapshot, [domain for domain in DOMAINS if domain.name == "mesh"])


def of_kinds(objects: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """As they are listed."""
    versions = {"Service": "v1"}
    return {
        kind: [{"apiVersion": versions.get(kind, "apps/v1"), "kind": kind, **one} for one in items]
        for kind, items in objects.items()
    }


def codes(findings: list[Finding]) -> list[str]:
    return [one.code for one in findings]


def answering(*agents: Agent, silence: Reason | None = None) -> Facts:
    return Facts(answers={("mesh", "mcp-mesh-registry"): Answer(agents, silence)})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://r.mesh:8000", Place("mesh", "r", 8000)),
        ("http://r:8000", Place("own", "r", 8000)),
        ("http://r.mesh.svc.cluster.local:8000/", Place("mesh", "r", 8000)),
        ("http://r.mesh.svc", Place("mesh", "r", 80)),
        ("https://r.mesh.", Place("mesh", "r", 443)),
        ("http://registry.example.com:8000", None),
        ("http://10.0.0.7:8000", None),
        ("http://[fd00::1]:8000", None),
        ("http://localhost:8000", None),
        ("http://r.mesh:port", None),
        ("", None),
    ],
)
def test_what_an_address_names(url: str, place: Place | None) -> None:
    assert place_of(url, "own") == place


def test_what_is_a_registry() -> None:
    services = [
        service("mcp-mesh-registry"),
        service("own", 8000, OURS),
        service("mcp-core-mcp-mesh-registry", 8000, {"app.kubernetes.io/name": "mcp-mesh-registry"}),
        service("told", 9000),
        service("other", 8000, {"app.kubernetes.io/part-of": "mcp-mesh"}),
    ]
    told = agents_in([agent(MCP_MESH_REGISTRY_URL="http://told.mesh:9000")])
    assert registries_in(services, told) == [
        *(Registry("mesh", one) for one in ("mcp-mesh-registry", "own", "mcp-core-mcp-mesh-registry")),
        Registry("mesh", "told", 9000),
    ]


def test_a_mesh_that_works_has_no_findings() -> None:
    assert found(answering(row()), Deployment=[agent()]) == []
    assert found(Deployment=[agent()]) == []


@pytest.mark.parametrize(
    ("variables", "code", "stated"),
    [
        ({"MCP_MESH_REGISTRY_URL": "http://registry.mesh:8000"}, "RegistryNotFound", "no Service mesh/registry"),
        ({"MCP_MESH_REGISTRY_URL": "http://mcp-mesh-registry:8080"}, "RegistryNotFound", "no port 8080, but 8000"),
        ({"MCP_MESH_HTTP_HOST": "dates-agent.mesh"}, "WrongEndpoint", "no Service mesh/dates-agent; its own is dates"),
        ({"MCP_MESH_HTTP_HOST": "mcp-mesh-registry.mesh"}, "WrongEndpoint", "does not select its pods"),
        ({"MCP_MESH_HTTP_PORT": "9090"}, "WrongEndpoint", "no port 9090, but 8080"),
    ],
)
def test_what_an_agent_is_set_to(variables: dict[str, str], code: str, stated: str) -> None:
    [one] = [one for one in found(Deployment=[agent(**variables)]) if one.code == code]
    assert stated in one.summary
    assert one.severity == "error"
    assert one.advice


def test_addresses_elsewhere_are_not_judged() -> None:
    elsewhere = {"MCP_MESH_REGISTRY_URL": "http://r.example.com:8000", "MCP_MESH_HTTP_HOST": "dates.example.com"}
    assert found(Deployment=[agent(**elsewhere)]) == []
    # nothing is known of that namespace
    other = agent(MCP_MESH_REGISTRY_URL="http://r.other:8000")
    objects = of_kinds({"Service": [service("dates", 8080)], "Deployment": [other]})
    snapshot = Snapshot(objects, NOW, unread={"Service": "may not be listed"})
    assert classify(snapshot, DOMAINS) == []


def test_what_the_registry_says_of_an_agent() -> None:
    assert codes(found(answering(), Deployment=[agent()])) == ["AgentNotRegistered"]
    assert codes(found(answering(), Deployment=[agent(since=JUST_NOW)])) == []
    assert "AgentNotRegistered" not in codes(found(answering(), Deployment=[agent(available=0)]))
    assert codes(found(answering(row()), Deployment=[agent(available=2)])) == ["AgentUnhealthy"]
    silent = Agent(**{**vars(row()), "age": 40.0})
    assert codes(found(answering(silent), Deployment=[agent()])) == ["AgentSilent"]
    needs = row(dependencies=(Dependency("weather", status="unresolved"), Dependency("clock", status="available")))
    [one] = found(answering(needs), Deployment=[agent()])
    assert (one.code, one.severity, one.part) == ("DependencyUnresolved", "warning", "weather")
    lacks = row(capabilities=(Capability("today", available=False, reason="needs clock"),))
    [one] = found(answering(lacks), Deployment=[agent()])
    assert one.code == "CapabilityUnavailable"
    assert "needs clock" in one.summary


ELSEWHERE = "http://203.0.113.9:8080"


def test_each_direction_to_an_agent_of_another_cluster() -> None:
    key = ("mesh", "mcp-mesh-registry")
    remote = Agent(**{**vars(row("words")), "endpoint": ELSEWHERE})
    assert found(answering(row(), remote), Deployment=[agent()]) == []
    silent = Agent(**{**vars(remote), "status": "unhealthy", "age": 40.0})
    [one] = found(answering(row(), silent), Deployment=[agent()])
    assert (one.code, one.severity, one.part) == ("RemoteAgentSilent", "error", "words")
    assert one.item["metadata"]["name"] == "mcp-mesh-registry" and ELSEWHERE in one.summary
    facts = Facts({key: Answer((row(), remote))}, unreached={key: {ELSEWHERE: "i/o timeout"}})
    [one] = found(facts, Deployment=[agent()])
    assert (one.code, one.part) == ("RemoteAgentUnreachable", "words")
    assert "i/o timeout" in one.summary
    # one that was replaced is no news, and what an agent of this cluster announces is not elsewhere
    replaced = Agent(**{**vars(silent), "superseded": True})
    assert found(answering(row(), replaced), Deployment=[agent()]) == []
    own = agent("words", MCP_MESH_HTTP_HOST="203.0.113.9")
    assert "RemoteAgentSilent" not in codes(found(answering(row(), silent), Deployment=[agent(), own]))


def test_a_registry_calls_agents_elsewhere_where_it_may() -> None:
    registry = Registry("mesh")
    exposed = service("mcp-mesh-registry-exposed", labels=OURS)
    exposed["metadata"]["annotations"] = {AGENT_RANGES: "203.0.113.0/24"}
    services = [service("mcp-mesh-registry"), exposed]
    snapshot = Snapshot(of_kinds({"Service": services, "StatefulSet": [], "Deployment": []}), NOW)
    ranges = ranges_of(snapshot, registry)
    assert is_called_in("203.0.113.9", ranges) and is_called_in("agent.example.com", ranges)
    assert not is_called_in("198.51.100.9", ranges) and not is_called_in("agent.example.com", "")
    assert ranges_of(Snapshot(of_kinds({"Service": services[:1]}), NOW), registry) == ""
    # it is another way to a registry, and none of its own
    assert registries_in(services, ()) == [registry]


def test_a_registry_without_its_database() -> None:
    labels = {"mcpops.io/mesh-registry": "r", "app.kubernetes.io/component": "database"}
    database = {"metadata": {"name": "r-db", "namespace": "mesh", "labels": labels}, "spec": {"replicas": 0}}
    registry = service("mcp-mesh-registry", labels={"mcpops.io/mesh-registry": "r"})
    services = [registry, service("dates", 8080)]
    objects = {"StatefulSet": [database], "Service": services, "Deployment": [agent()]}
    [one] = [one for one in found(answering(silence=DOWN), **objects) if one.code == "RegistryDatabaseDown"]
    assert [evidence.source for evidence in one.evidence] == ["call", "status"]
    assert "r-db is scaled to none" in one.evidence[1].text
    # nobody is said to be missing in a registry that says nothing
    assert "AgentNotRegistered" not in codes(found(answering(silence=DOWN), **objects))
    # it ends at its start, and its log tells why, whatever its Service says
    complaint = "failed to ping database: dial tcp: connection refused"
    facts = Facts(
        {("mesh", "mcp-mesh-registry"): Answer(silence=NOT_READY)}, {("mesh", "mcp-mesh-registry"): complaint}
    )
    [one] = [one for one in found(facts, **objects) if one.code.startswith("Registry")]
    assert one.code == "RegistryDatabaseDown"
    assert complaint in one.summary
    assert one.evidence[0].source == "log"


def test_a_registry_whose_pods_are_not_ready() -> None:
    [one] = [one for one in found(answering(silence=NOT_READY)) if one.code == "RegistryNotReady"]
    assert one.item["kind"] == "Service"
    fresh = service("mcp-mesh-registry")
    fresh["metadata"]["creationTimestamp"] = JUST_NOW
    assert "RegistryNotReady" not in codes(found(answering(silence=NOT_READY), Service=[fresh]))


def registry_workload(*env: dict[str, Any], **container: Any) -> dict[str, Any]:
    made = agent("mcp-mesh-registry")
    made["spec"]["template"]["spec"]["containers"] = [{"name": "registry", "env": list(env), **container}]
    return made


URL = {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
ADMIN = {"name": "MCP_MESH_ADMIN_PORT", "value": "8001"}


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        (registry_workload(URL, ADMIN), []),
        (registry_workload(ADMIN, envFrom=[{"secretRef": {"name": "db"}}]), []),
        (registry_workload({"name": "DATABASE_TYPE", "value": "mysql"}, ADMIN), ["RegistryWithoutDatabase"]),
        (registry_workload(URL), ["AdminExposed"]),
        (registry_workload(), ["AdminExposed", "RegistryWithoutDatabase"]),
    ],
)
def test_a_registry_that_somebody_else_has_made(workload: dict[str, Any], expected: list[str]) -> None:
    assert codes(found(Deployment=[workload])) == expected
    elsewhere = {**workload, "metadata": {**workload["metadata"], "namespace": "other"}}
    assert codes(found(Deployment=[elsewhere])) == []


@pytest.mark.parametrize(
    ("annotations", "name", "owned"),
    [
        ({"meta.helm.sh/release-name": "mcp-core"}, "mesh", True),
        ({"meta.helm.sh/release-name": "mcp-core", "helm.sh/resource-policy": "keep"}, "mesh", False),
        ({"meta.helm.sh/release-name": "mcp-core"}, "other", False),
        ({}, "mesh", False),
    ],
)
def test_a_namespace_that_goes_with_a_release(annotations: dict[str, str], name: str, owned: bool) -> None:
    namespace = {"metadata": {"name": name, "annotations": annotations}, "status": {"phase": "Active"}}
    findings = found(Namespace=[namespace])
    assert codes(findings) == (["NamespaceOfRelease"] if owned else [])
    assert all("mcp-core" in one.summary and "resource-policy=keep" in one.advice for one in findings)
