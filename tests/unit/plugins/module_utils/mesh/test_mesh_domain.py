# SPDX-License-Identifier: GPL-3.0-or-later
"""The row of the mesh: what the report shows of it, and what is refused between the variables of a host."""

from __future__ import annotations

from typing import Any

import pytest
from support.site_validation import validate

from ansible_collections.mcpops.platform.plugins.filter.mesh_expected import mesh_expected
from ansible_collections.mcpops.platform.plugins.filter.mesh_targets import mesh_targets
from ansible_collections.mcpops.platform.plugins.filter.site_report import site_report
from ansible_collections.mcpops.platform.plugins.module_utils import domains
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.domain import CALLED, DOMAIN, VERIFIED


def row(agent_id: str, **more: Any) -> dict[str, Any]:
    name = agent_id.rpartition("-")[0]
    return {"name": name, "id": agent_id, "status": "healthy", "capabilities": [], "dependencies": [], **more}


RESOLVED = {"capability": "date_service", "status": "available", "provider": "dates-1"}
VERIFIED_AGENTS = [
    row("dates-1", capabilities=[{"name": "date_service", "available": True}]),
    row("dates-2", capabilities=[{"name": "date_service", "available": True}]),
    row("dates-3", status="unhealthy", capabilities=[{"name": "date_service", "available": True}]),
    row(
        "greeter-1",
        capabilities=[{"name": "greeting", "available": True}, {"name": "weather_report", "available": False}],
        dependencies=[RESOLVED, {"capability": "weather_service", "status": "unresolved", "provider": ""}],
    ),
    row("old-1", status="offline"),
]
ANSWERED = {"name": "greeter", "namespace": "mcp-mesh", "reachable": True, "answer": "Hello\n  Ada", "duration_ms": 12}
SILENT = {"name": "greeter", "namespace": "mcp-mesh", "reachable": False, "error": {"code": "Timeout"}}
HOST = {"inventory_hostname": "c", VERIFIED: {"agents": VERIFIED_AGENTS}, CALLED: {"servers": [ANSWERED]}}
ANSWERS = DOMAIN.answers
assert ANSWERS is not None


def test_the_table_says_who_is_healthy_offers_and_was_given_whom() -> None:
    assert ANSWERS.rows(HOST) == [
        ("dates", "2", "date_service", "-", "-", "-"),
        ("greeter", "1", "greeting", "date_service=dates", "12", "Hello Ada"),
        ("old", "0", "-", "-", "-", "-"),
    ]
    assert any(line.startswith("mesh agent") for line in site_report([HOST]))


def test_a_host_without_a_mesh_has_no_row_of_it() -> None:
    nothing: dict[str, Any] = {"inventory_hostname": "c"}
    assert (ANSWERS.rows(nothing), ANSWERS.facts(nothing), ANSWERS.missing(nothing)) == ([], {}, "")
    skipped = {VERIFIED: {"skipped": True, "changed": False}}
    assert ANSWERS.rows(skipped) == []


def test_facts_hold_no_text_that_was_answered() -> None:
    facts = ANSWERS.facts(HOST)["mesh_agents"]
    assert facts["greeter"] == {
        "healthy": 1,
        "capabilities": ["greeting"],
        "resolved": ["date_service"],
        "answers": True,
        "milliseconds": 12,
    }
    assert facts["dates"]["answers"] is None


@pytest.mark.parametrize("answers", [[SILENT], [ANSWERED, SILENT], [SILENT, ANSWERED]])
def test_one_call_that_failed_is_not_hidden_by_another(answers: list[dict[str, Any]]) -> None:
    host = {**HOST, CALLED: {"servers": answers}}
    assert ANSWERS.missing(host) == "agents of the mesh that did not answer as declared: greeter"
    assert ANSWERS.facts(host)["mesh_agents"]["greeter"]["answers"] is False


def test_a_registry_that_does_not_say_what_is_declared_is_named() -> None:
    assert "not as declared" in ANSWERS.missing({VERIFIED: {"failed": True, "agents": []}})


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ({"name": "a"}, (1, "a.ns")),
        ({"name": "a", "replicas": 3}, (3, "a.ns")),
        ({"name": "a", "autoscaling": {"min_replicas": 2, "max_replicas": 9}}, (2, "a.ns")),
        ({"name": "a", "replicas": 5, "autoscaling": {"max_replicas": 9}}, (1, "a.ns")),
        ({"name": "a", "replicas": 0, "capabilities": [{"name": "x"}]}, (0, None)),
    ],
)
def test_what_the_registry_must_say_of_an_agent(agent: dict[str, Any], expected: tuple[int, str | None]) -> None:
    (found,) = mesh_expected([agent], "ns")
    assert (found["replicas"], found.get("host")) == expected
    # what is expected of nobody would be refused
    assert ("capabilities" in found) == bool(found["replicas"])


def test_a_call_goes_to_the_service_of_its_agent() -> None:
    agents = [{"name": "a"}, {"name": "b", "port": 9000}]
    calls = [{"agent": "b", "tool": "t"}, {"agent": "a", "tool": "u", "expect": "x"}]
    assert mesh_targets(calls, agents, "ns") == [
        {"name": "b", "namespace": "ns", "port": 9000, "tool": "t"},
        {"name": "a", "namespace": "ns", "port": 8080, "tool": "u", "expect": "x"},
    ]
    with pytest.raises(Exception, match=r"c, not an agent of this mesh; it has a, b\."):
        mesh_targets([{"agent": "c"}], agents, "ns")


def test_rights_are_asked_where_there_is_a_mesh_only() -> None:
    without = domains.rights({"kmcp": ["k"], "mcp": ["m"], "mesh": [], "lease": ["l"]})
    assert domains.rights({"kmcp": ["k"], "mcp": ["m"], "lease": ["l"]}) == without
    more = domains.rights({"kmcp": ["k"], "mcp": ["m"], "mesh": ["x"], "lease": ["l"]})
    added = {one["resource"] for one in more if one not in without}
    assert {"statefulsets", "networkpolicies", "services/proxy", "persistentvolumeclaims"} <= added


DATES: dict[str, Any] = {"name": "dates", "image": "registry.example.com/dates:1"}
ROLES = {"clusters": ("mcp_mesh", "mcp_mesh_agents")}
MESH = {"mcpops_kubeconfig": "/k", "mcpops_mesh_namespace": "agents"}
AZURE = {"server": "pg-agents", "database": "registry", "login": "mesh", "password": "S3same:/@ pen"}
GUID = "3f0e3d5c-0d54-4d3c-9a3f-2a4ab2b6c9d1"
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a file for two": (
        {**MESH, "mcp_mesh_replicas": 2, "mcp_mesh_database": {"type": "sqlite"}},
        "mcp_mesh_replicas",
        "cannot share a file",
    ),
    "an existing database of nobody": (
        {**MESH, "mcp_mesh_database": {"type": "existing"}},
        "mcp_mesh_database.existing_secret",
        "is needed",
    ),
    **{
        f"an Azure database with {case}": ({**MESH, "mcp_mesh_azure_database": {**AZURE, **given}}, path, words)
        for case, given, path, words in (
            ("no server", {"server": ""}, "mcp_mesh_azure_database", "exactly one of server and host: it has none"),
            ("both", {"host": "db"}, "mcp_mesh_azure_database", "it has server and host"),
            ("server", {"server": "Pg_1"}, "mcp_mesh_azure_database.server", "is not the name of a server"),
            ("host", {"server": "", "host": "db:5432"}, "mcp_mesh_azure_database.host", "without a port"),
            ("database", {"database": "a b"}, "mcp_mesh_azure_database.database", "is not the name of a database"),
            ("no login", {"login": ""}, "mcp_mesh_azure_database.login", "is needed"),
            ("login", {"login": "x" * 64}, "mcp_mesh_azure_database.login", "is not a login"),
            ("image", {"image": "A B"}, "mcp_mesh_azure_database.image", "is not a valid image"),
            ("password", {"password": ""}, "mcp_mesh_azure_database.password", "is needed"),
        )
    },
    "two databases": (
        {**MESH, "mcp_mesh_azure_database": AZURE, "mcp_mesh_database": {"type": "sqlite"}},
        "mcp_mesh_database",
        "leave one of them out",
    ),
    "dumps nowhere": (
        {**MESH, "mcp_mesh_blob": {"url": "https://a.example.com/dumps", "client_id": GUID, "tenant_id": GUID}},
        "mcp_mesh_blob",
        "neither backup nor restore",
    ),
    "two of a name": (
        {**MESH, "mcpops_mesh_agents": [DATES, DATES]},
        "mcpops_mesh_agents[1].name",
        "dates",
    ),
    "a variable that the declaration decides": (
        {**MESH, "mcpops_mesh_agents": [{**DATES, "env": {"MCP_MESH_HTTP_HOST": "elsewhere"}}]},
        "mcpops_mesh_agents[0].env.MCP_MESH_HTTP_HOST",
        "",
    ),
    "a call of nobody": (
        {**MESH, "mcpops_mesh_agents": [DATES], "mcpops_mesh_calls": [{"agent": "date", "tool": "today"}]},
        "mcpops_mesh_calls[0].agent",
        "'date' is not an agent of this host (dates)",
    ),
    "agents without a registry": (
        {"mcpops_kubeconfig": "/k", "mcpops_mesh_agents": [DATES]},
        "mcpops_mesh_agents",
        "has no registry",
    ),
    "a registry that nothing declares": (
        {"mcpops_kubeconfig": "/k", "mcp_mesh_replicas": 2},
        "mcp_mesh_replicas",
        "says something of a mesh that is not declared",
    ),
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "no mesh": {"mcpops_kubeconfig": "/k"},
    "a registry alone": MESH,
    "its own variable": {"mcpops_kubeconfig": "/k", "mcp_mesh_namespace": "agents", "mcpops_mesh_agents": [DATES]},
    "a registry elsewhere": {
        "mcpops_kubeconfig": "/k",
        "mcpops_mesh_agents": [DATES],
        "mcp_mesh_agents_registry_url": "https://mesh.example.com",
    },
    "an Azure database that nobody dumps": {**MESH, "mcp_mesh_azure_database": AZURE},
    "an Azure database": {
        **MESH,
        "mcp_mesh_azure_database": {**AZURE, "image": "postgres:16"},
        "mcp_mesh_backup": {"keep": 3},
    },
    "one on a file": {**MESH, "mcp_mesh_database": {"type": "sqlite"}, "mcp_mesh_quota": {}, "mcp_mesh_limits": []},
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Every case a host of one inventory, because validating starts a process."""
    cases = {**{name: variables for name, (variables, *_rest) in REFUSED.items()}, **ACCEPTED}
    hosts = {name.replace(" ", "_"): variables for name, variables in cases.items()}
    return validate(tmp_path_factory.mktemp("mesh"), {"clusters": hosts}, ROLES).reported


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_where_it_was_written(reported: dict[str, dict[str, str]], case: str) -> None:
    _variables, path, message = REFUSED[case]
    found = reported.get(case.replace(" ", "_"), {})
    assert path in found and message in found[path], found


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_can_work_is_not_refused(reported: dict[str, dict[str, str]], case: str) -> None:
    assert case.replace(" ", "_") not in reported
