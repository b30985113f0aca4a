# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks ask the registry, as a playbook asks it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.playbook import LOCAL_HOST, Run, run_playbook, run_tasks

PLATFORM = "mcpops.platform.azure_platform"
OF_CLUSTERS = [
    f"mcpops.platform.{name}"
    for name in (
        *("site_preflight", "aks_cluster", "cluster_setup", "kmcp", "mcp_servers"),
        *("mcp_mesh", "mcp_mesh_agents", "agent_workload", "gateway", "extras", "site_verify"),
    )
]
SERVERS, AKS, EXTRAS = "mcpops.platform.mcp_servers", "mcpops.platform.aks_cluster", "mcpops.platform.extras"
MESH = ["mcpops.platform.mcp_mesh", "mcpops.platform.mcp_mesh_agents"]
AGENTS = "mcpops.platform.agent_workload"
GATEWAY = "mcpops.platform.gateway"
IN_CLUSTER = ["mcpops.platform.cluster_setup", "mcpops.platform.kmcp", SERVERS]
ROLES: dict[str, list[str]] = {
    "'clusters'": OF_CLUSTERS,
    "['clusters', 'platforms', 'eastus2']": [PLATFORM, *OF_CLUSTERS],
    "'eastus2'": [],
    "'clusters', tasks='verify'": [SERVERS, *MESH, AGENTS, GATEWAY, EXTRAS],
    "'clusters', tasks='verify', busy=true": [SERVERS],
    "'clusters', tasks='teardown'": [AKS, *IN_CLUSTER, *MESH, AGENTS, GATEWAY, EXTRAS],
    "'clusters', tasks='teardown', busy=true": [AKS, *IN_CLUSTER],
    "'platforms', tasks='teardown'": [PLATFORM],
    "'clusters', stage='mcp'": [SERVERS],
    "'clusters', stage='mesh'": MESH,
    "'clusters', stage='mesh', busy=true": [],
    "'clusters', stage='gateway'": [GATEWAY],
    "'clusters', stage='gateway', busy=true": [],
    "'clusters', stage='extras'": [EXTRAS],
    "'clusters', stage='extras', busy=true": [],
}
RIGHTS = "site_rights"
READS = "site_reads"


@pytest.fixture(scope="module")
def asked() -> Run:
    questions = {terms: f"query('mcpops.platform.site_roles', {terms})" for terms in ROLES}
    questions[READS] = "query('mcpops.platform.site_reads') | map(attribute='kind') | list"
    questions[RIGHTS] = "query('mcpops.platform.site_rights', {'kmcp': ['k'], 'mcp': ['m', 'n'], 'lease': []})"
    tasks: list[dict[str, Any]] = [
        {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ {question} }}}}"}}
        for name, question in questions.items()
    ]
    return run_tasks(tasks).ok()


@pytest.mark.parametrize(("terms", "roles"), ROLES.items())
def test_roles(asked: Run, terms: str, roles: list[str]) -> None:
    assert asked.of("local", terms)["msg"] == roles


@pytest.mark.parametrize(
    ("stage", "variables", "roles"),
    [
        ("extras", {"extras_templates": ["a.j2"]}, [EXTRAS]),
        ("mesh", {"mcpops_mesh_namespace": "agents"}, MESH[:1]),
        ("gateway", {"gateway_listeners": [{"hostname": "a.test"}]}, [GATEWAY]),
        ("agents", {"mcpops_agents": [{"name": "a"}]}, [AGENTS]),
        ("agents", {"mcpops_agents": [], "agent_workload_namespace": "a"}, []),
        ("gateway", {"gateway_listeners": [], "gateway_routes": [{"name": "a"}]}, []),
        ("mesh", {"mcp_mesh_agents_agents": [{"name": "a"}]}, MESH[1:]),
        ("mesh", {"mcpops_mesh_agents": [], "mcp_mesh_replicas": 2}, []),
    ],
)
def test_a_role_with_something_to_do_is_busy(stage: str, variables: dict[str, Any], roles: list[str]) -> None:
    question = f"{{{{ query('mcpops.platform.site_roles', 'clusters', stage='{stage}', busy=true) }}}}"
    run = run_tasks([{"ansible.builtin.debug": {"msg": question}}], variables=variables).ok()
    assert run.last["msg"] == roles


@pytest.mark.parametrize(("busy", "roles"), [({}, []), ({"mcpops_mesh_namespace": "agents"}, MESH[:1])])
def test_tags_know_what_any_host_of_the_play_has_to_do(busy: dict[str, Any], roles: list[str]) -> None:
    """Of hosts that are not in the play, or in no group of the site, nothing counts."""
    asked = "query('mcpops.platform.site_roles', 'clusters', stage='mesh', busy=true, anywhere=true)"
    own = {"mcpops_mesh_namespace": "agents"}
    groups = {"clusters": {"hosts": {"a": {}, "b": busy, "c": own}}, "others": {"hosts": {"d": own}}}
    inventory = {"all": {"vars": LOCAL_HOST, "children": groups}}
    play = {
        "hosts": "a:b:d",
        "gather_facts": False,
        "tasks": [
            {"name": "Asked", "ansible.builtin.debug": {"msg": f"{{{{ {asked} }}}}"}},
            {
                "name": "Chosen",
                "ansible.builtin.debug": {},
                "tags": [f"{{{{ 'mesh' if {asked} else 'never' }}}}"],
            },
        ],
    }
    with tempfile.TemporaryDirectory() as place:
        # Ansible knows no variables of hosts when it chooses the tasks of the first play
        for name, content in (("hosts.json", inventory), ("play.json", [{**play, "tasks": []}, play])):
            Path(place, name).write_text(json.dumps(content), encoding="utf-8")
        run = run_playbook("-i", f"{place}/hosts.json", f"{place}/play.json").ok()
    assert {one["host"]: one["result"]["msg"] for one in run.results if one["task"] == "Asked"} == dict.fromkeys(
        "abd", roles
    )
    assert ("Chosen" in {one["task"] for one in run.results}) == bool(roles)


def test_rights_are_asked_where_they_are_used(asked: Run) -> None:
    found = {(one["resource"], *one["namespaces"]): one for one in asked.of("local", RIGHTS)["msg"]}
    assert "create" in found[("namespaces",)]["verbs"]
    assert found[("mcpservers", "m", "n")]["group"] == "kagent.dev"
    assert "delete" in found[("secrets", "k")]["verbs"]
    assert not [place for place in found if place[0] == "leases"]


def test_what_several_columns_show_is_read_once(asked: Run) -> None:
    assert asked.of("local", READS)["msg"] == ["Node", "Deployment"]
