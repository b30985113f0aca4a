# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks ask the registry, as a playbook asks it."""

from __future__ import annotations

from typing import Any

import pytest
from support.playbook import Run, run_tasks

PLATFORM = "mcpops.platform.azure_platform"
OF_CLUSTERS = [
    f"mcpops.platform.{name}"
    for name in ("site_preflight", "aks_cluster", "cluster_setup", "kmcp", "mcp_servers", "extras", "site_verify")
]
SERVERS, AKS, EXTRAS = "mcpops.platform.mcp_servers", "mcpops.platform.aks_cluster", "mcpops.platform.extras"
IN_CLUSTER = ["mcpops.platform.cluster_setup", "mcpops.platform.kmcp", SERVERS]
ROLES: dict[str, list[str]] = {
    "'clusters'": OF_CLUSTERS,
    "['clusters', 'platforms', 'eastus2']": [PLATFORM, *OF_CLUSTERS],
    "'eastus2'": [],
    "'clusters', tasks='verify'": [SERVERS, EXTRAS],
    "'clusters', tasks='verify', busy=true": [SERVERS],
    "'clusters', tasks='teardown'": [AKS, *IN_CLUSTER, EXTRAS],
    "'clusters', tasks='teardown', busy=true": [AKS, *IN_CLUSTER],
    "'platforms', tasks='teardown'": [PLATFORM],
    "'clusters', stage='mcp'": [SERVERS],
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


def test_a_role_with_something_to_do_is_busy() -> None:
    question = "{{ query('mcpops.platform.site_roles', 'clusters', stage='extras', busy=true) }}"
    task = {"ansible.builtin.debug": {"msg": question}}
    run = run_tasks([task], variables={"extras_templates": ["a.j2"]}).ok()
    assert run.last["msg"] == [EXTRAS]


def test_rights_are_asked_where_they_are_used(asked: Run) -> None:
    found = {(one["resource"], *one["namespaces"]): one for one in asked.of("local", RIGHTS)["msg"]}
    assert "create" in found[("namespaces",)]["verbs"]
    assert found[("mcpservers", "m", "n")]["group"] == "kagent.dev"
    assert "delete" in found[("secrets", "k")]["verbs"]
    assert not [place for place in found if place[0] == "leases"]


def test_what_several_columns_show_is_read_once(asked: Run) -> None:
    assert asked.of("local", READS)["msg"] == ["Node", "Deployment"]
