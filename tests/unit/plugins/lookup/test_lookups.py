# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks ask the registry, as a playbook asks it."""

from __future__ import annotations

from typing import Any

import pytest
from support.playbook import Run, run_tasks

PLATFORM = "mcpops.platform.azure_platform"
OF_CLUSTERS = [
    f"mcpops.platform.{name}"
    for name in ("site_preflight", "aks_cluster", "cluster_setup", "kmcp", "mcp_servers", "site_verify")
]
SERVERS, AKS = "mcpops.platform.mcp_servers", "mcpops.platform.aks_cluster"
ROLES: dict[str, list[str]] = {
    "'clusters'": OF_CLUSTERS,
    "['clusters', 'platforms', 'eastus2']": [PLATFORM, *OF_CLUSTERS],
    "'eastus2'": [],
    "'clusters', tasks='verify'": [SERVERS],
    "'clusters', tasks='teardown'": [AKS],
    "'platforms', tasks='teardown'": [PLATFORM],
    "'clusters', stage='mcp'": [SERVERS],
    "'clusters', stage='extras'": [],
}
READS = "site_reads"


@pytest.fixture(scope="module")
def asked() -> Run:
    questions = {terms: f"query('mcpops.platform.site_roles', {terms})" for terms in ROLES}
    questions[READS] = "query('mcpops.platform.site_reads') | map(attribute='kind') | list"
    tasks: list[dict[str, Any]] = [
        {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ {question} }}}}"}}
        for name, question in questions.items()
    ]
    return run_tasks(tasks).ok()


@pytest.mark.parametrize(("terms", "roles"), ROLES.items())
def test_roles(asked: Run, terms: str, roles: list[str]) -> None:
    assert asked.of("local", terms)["msg"] == roles


def test_what_several_columns_show_is_read_once(asked: Run) -> None:
    assert asked.of("local", READS)["msg"] == ["Node", "Deployment"]
