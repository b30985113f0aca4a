# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: every row is complete, and the playbooks run what it lists."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils import domains
from ansible_collections.mcpops.platform.plugins.module_utils.domain import EXTRAS, unknown_calls
from ansible_collections.mcpops.platform.plugins.module_utils.site import drift_report
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import Host

ROOT = Path(__file__).resolve().parents[4]
MODULE_UTILS = ROOT / "plugins" / "module_utils"
ENGINE = ("kube", "arm", "helm", "mcp")
OF_DOMAINS = ("kmcp", "mesh", "gateway", "domains", "site")


def tasks_of(playbook: str) -> list[dict[str, Any]]:
    def opened(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for task in tasks for one in (opened(within(task)) if "block" in task else [task])]

    def within(task: dict[str, Any]) -> list[dict[str, Any]]:
        return [*task["block"], *task.get("rescue", []), *task.get("always", [])]

    plays = yaml.safe_load((ROOT / "playbooks" / playbook).read_text(encoding="utf-8"))
    return [task for play in plays for task in opened(play.get("tasks", []))]


WHERE_DECLARED = (
    "{{{{ '{stage}' if query('mcpops.platform.site_roles', 'clusters', stage='{stage}', busy=true, anywhere=true) "
    "else 'never' }}}}"
)
INCLUDED = re.compile(r"query\('mcpops\.platform\.site_roles', 'clusters', stage='(\w+)', busy=true\)")


def test_the_site_runs_its_roles_in_order_each_with_its_stage() -> None:
    """By name those that every host has, by their stage those that only some hosts have anything for."""
    run: list[tuple[str, str]] = []
    for task in tasks_of("site.yml"):
        if "ansible.builtin.import_role" in task:
            run.append((task["ansible.builtin.import_role"]["name"], *task["tags"]))
        elif "ansible.builtin.include_role" in task:
            (stage,) = INCLUDED.findall(task["loop"])
            assert task["ansible.builtin.include_role"]["apply"]["tags"] == [stage]
            assert [" ".join(tag.split()) for tag in task["tags"]] == (
                [stage] if stage == EXTRAS else [WHERE_DECLARED.format(stage=stage)]
            )
            run.append(("", stage))
    # what clusters share is converged before anything of a cluster, but for the checks that change nothing
    listed = sorted(domains.roles(), key=lambda role: role.stage != "preflight")
    expected = [("" if role.unless_empty or role.stage == EXTRAS else role.name, role.stage) for role in listed]
    assert run == list(dict.fromkeys(expected))


def test_what_works_in_a_cluster_does_so_under_its_lease() -> None:
    (tags,) = {tuple(task["tags"]) for task in tasks_of("site.yml") if "mcpops.platform.site_lock" in task}
    assert sorted(tags) == sorted(
        {role.stage for role in domains.roles() if role.short_name in domains.roles_under_lease()}
    )


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


@pytest.mark.parametrize("word", ["kmcp", "mcpserver", "kagent", "mesh"])
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


def _unknown(variables: dict[str, Any], has_options: bool = False, roles: tuple[str, ...] = ("r",)) -> dict[str, str]:
    host = Host("h", ("clusters",), variables, roles=roles)
    return dict(unknown_calls(host, "r", "calls", "tools", ("tool", "a tool"), has_options))


@pytest.mark.parametrize("declared", [[], [{"name": "a"}], [{"name": "a"}, {"name": "b"}]])
def test_calls_of_what_a_host_does_not_declare(declared: list[dict[str, Any]]) -> None:
    variables = {"calls": [{"tool": "b"}, {"tool": "a"}, {"tool": "A"}], "tools": declared}
    names = [entry["name"] for entry in declared]
    wrong = [index for index, call in enumerate(variables["calls"]) if call["tool"] not in names]
    found = _unknown(variables)
    assert list(found) == [f"calls[{index}].tool" for index in wrong]
    assert all(
        text.endswith(f"is not a tool of this host ({', '.join(names) or 'it has none'})") for text in found.values()
    )


@pytest.mark.parametrize("call", [{}, {"tool": None}, "text"])
def test_a_call_of_nobody_is_told_where_no_option_would_refuse_it(call: Any) -> None:
    variables = {"calls": [call], "tools": [{"name": "a"}]}
    assert list(_unknown(variables)) == ["calls[0].tool"]
    assert not _unknown(variables, has_options=True)


@pytest.mark.parametrize("variables", [{}, {"calls": [{"tool": "b"}]}, {"calls": "b", "tools": []}])
def test_calls_that_are_not_known_are_not_judged(variables: dict[str, Any]) -> None:
    assert not _unknown(variables)
    assert not _unknown({"calls": [{"tool": "b"}], "tools": []}, roles=("other",))
