# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: every row is complete, and the playbooks run what it lists."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils import domains
from ansible_collections.mcpops.platform.plugins.module_utils.domain import EXTRAS
from ansible_collections.mcpops.platform.plugins.module_utils.site import drift_report

ROOT = Path(__file__).resolve().parents[4]
MODULE_UTILS = ROOT / "plugins" / "module_utils"
ENGINE = ("kube", "arm", "helm", "mcp")
OF_DOMAINS = ("kmcp", "domains", "site")


def tasks_of(playbook: str) -> list[dict[str, Any]]:
    def opened(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for task in tasks for one in (opened(within(task)) if "block" in task else [task])]

    def within(task: dict[str, Any]) -> list[dict[str, Any]]:
        return [*task["block"], *task.get("rescue", []), *task.get("always", [])]

    plays = yaml.safe_load((ROOT / "playbooks" / playbook).read_text(encoding="utf-8"))
    return [task for play in plays for task in opened(play.get("tasks", []))]


def test_the_site_imports_its_roles_in_order_each_with_its_stage() -> None:
    imported = [
        (task["ansible.builtin.import_role"]["name"], *task["tags"])
        for task in tasks_of("site.yml")
        if "ansible.builtin.import_role" in task
    ]
    # what clusters share is converged before anything of a cluster, but for the checks that change nothing
    listed = sorted(
        (role for role in domains.roles() if role.stage != EXTRAS), key=lambda role: role.stage != "preflight"
    )
    assert imported == [(role.name, role.stage) for role in listed if role.stage != EXTRAS]


def test_the_roles_under_the_lease_are_those_that_the_playbook_runs_under_it() -> None:
    tasks = tasks_of("site.yml")
    states = [task.get("mcpops.platform.site_lock", {}).get("state", "present") for task in tasks]
    locks = [number for number, task in enumerate(tasks) if "mcpops.platform.site_lock" in task]
    taken, given_back = locks
    assert [states[number] for number in locks] == ["present", "absent"]
    within = {
        task["ansible.builtin.import_role"]["name"]
        for task in tasks[taken:given_back]
        if "ansible.builtin.import_role" in task
    }
    later = {role.name for role in domains.roles() if role.stage == EXTRAS}
    assert {f"mcpops.platform.{name}" for name in domains.roles_under_lease()} == within | later


@pytest.mark.parametrize("area", ENGINE)
def test_the_engine_imports_no_domain(area: str) -> None:
    for file in sorted((MODULE_UTILS / area).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [f"{node.module}.{one.name}" for one in node.names] if isinstance(node, ast.ImportFrom) else []
            names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            inner = [name.partition("module_utils.")[2].partition(".")[0] for name in names]
            # a row names types of the site's rules for the checker only
            wrong = set(inner).intersection(OF_DOMAINS) - ({"site"} if file.name == "domain.py" else set())
            assert not wrong, f"{file.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("word", ["kmcp", "mcpserver", "kagent"])
def test_the_kubernetes_engine_has_no_word_of_a_domain(word: str) -> None:
    found = [
        str(file.relative_to(ROOT))
        for file in sorted((MODULE_UTILS / "kube").rglob("*.py"))
        if word in file.read_text(encoding="utf-8").lower()
    ]
    assert found == []


def test_no_role_and_no_kind_belongs_to_two_domains() -> None:
    roles = [role.name for role in domains.roles()]
    kinds = [kind for domain in domains.DOMAINS for kind in (*domain.kinds, *domain.judges)]
    assert len(set(roles)) == len(roles) and len(set(kinds)) == len(kinds)


COMMANDS = drift_report.Commands(lambda *words: " ".join(words), str, str)


@pytest.mark.parametrize("state", ["Stopped", "Running"])
@pytest.mark.parametrize("module", ["mcpops.platform.aks_cluster", "mcpops.platform.aks_cluster_info", "x.y.z"])
def test_only_the_module_that_a_domain_names_says_that_a_cluster_is_stopped(state: str, module: str) -> None:
    cluster = {"exists": True, "name": "c", "id": "/subscriptions/s/resourceGroups/rg/x", "power_state": state}
    rows = [
        {"host": "c", "module": module, "stage": "cluster", "cluster": cluster},
        {"host": "c", "module": "mcpops.platform.k8s_objects", "stage": "setup", "failed": True, "msg": "no answer"},
    ]
    (host,) = drift_report.hosts_of(rows, ["c"], {}, [])
    stopped = state == "Stopped" and module == "mcpops.platform.aks_cluster"
    assert host.state == (drift_report.STOPPED if stopped else drift_report.FAILED)
    _sentence, command = drift_report.host_advice(host.state, "c", "cluster", host.start, COMMANDS)
    assert (command == "az aks start --name c --resource-group rg") is stopped


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("mcpops.platform.azure_resource", "Changed in Azure"),
        ("azure.azcollection.azure_rm_dnszone", "Changed in Azure"),
        ("mcpops.platform.mcp_server", ""),
        ("ansible.builtin.copy", ""),
    ],
)
def test_the_advice_for_what_nobody_is_known_to_have_changed(module: str, words: str) -> None:
    reported = domains.changed_by_hand(module)
    assert reported.startswith(words) and bool(reported) == bool(words)
