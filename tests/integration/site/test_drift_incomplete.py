# SPDX-License-Identifier: GPL-3.0-or-later
"""What was not compared is not in sync: nothing to compare, hosts that another's failure cuts short, tags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.playbook import LOCAL_HOST, run_playbook

from .conftest import Site
from .drift_runs import SCHEMA, Drift, inventory_of

pytestmark = pytest.mark.integration

NO_HOSTS = "hosts: there is no host of platforms and clusters"
# inventory and limit → what is said besides; None: the path does not exist
NOTHING: dict[str, tuple[dict[str, Any] | None, list[str], str]] = {
    "a path that does not exist": (
        None,
        [],
        "hosts.json: no such file or directory. Give the inventory of the site with -i",
    ),
    "no groups of the site": ({"agents": {"hosts": {"a": LOCAL_HOST}}}, [], NO_HOSTS),
    "groups without hosts": (
        {"platforms": {}, "clusters": {}, "agents": {"hosts": {"a": LOCAL_HOST}}},
        [],
        NO_HOSTS,
    ),
    "a limit beside the groups": (
        {"clusters": {"hosts": {"c": LOCAL_HOST}}, "agents": {"hosts": {"a": LOCAL_HOST}}},
        ["--limit", "a"],
        "the limit a leaves out all hosts of platforms and clusters: c. Name some of them with --limit",
    ),
    "tags that no task has": ({"agents": {"hosts": {"a": LOCAL_HOST}}}, ["--tags", "mcp"], NO_HOSTS),
}
# the other cases of the two tables are the same in other words, or take a run more
QUICK = ("a path that does not exist", "a limit beside the groups", "every platform fails")


@pytest.mark.parametrize(
    ("groups", "arguments", "stated"),
    [pytest.param(*case, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, case in NOTHING.items()],
)
def test_a_run_without_anything_to_compare_fails_and_says_what_to_do(
    drift: Drift, tmp_path: Path, groups: dict[str, Any] | None, arguments: list[str], stated: str
) -> None:
    inventory = tmp_path / "hosts.json"
    if groups is not None:
        inventory.write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
    run = drift.run(*arguments, inventory=inventory)
    assert run.returncode == 2, run.output
    assert stated in run.last["msg"]
    assert not (tmp_path / "report").exists()


# platform a, and clusters b, c, which drifted, and d
FAILS: dict[str, Any] = {"ansible.builtin.fail": {"msg": "it failed"}, "when": "inventory_hostname in failing"}
COMPARED: dict[str, Any] = {
    "name": "Compare",
    "ansible.builtin.debug": {"msg": "{{ beside }}"},
    "changed_when": "inventory_hostname == 'c'",
    "tags": ["mcp"],
}
# warns of the strange variable
VALIDATE: dict[str, Any] = {"mcpops.platform.site_validate": {"roles": {}}, "run_once": True}
OF_A_CLUSTER = {"a": "in_sync", "b": "failed", "c": "drifted", "d": "in_sync"}
# keywords of the plays, settings, hosts that fail → states
CUT_SHORT: dict[str, tuple[dict[str, Any], dict[str, str], list[str], dict[str, str]]] = {
    "nothing is set": ({}, {}, ["b"], OF_A_CLUSTER),
    "any_errors_fatal in the environment": ({}, {"ANSIBLE_ANY_ERRORS_FATAL": "true"}, ["b"], OF_A_CLUSTER),
    "any_errors_fatal in the play": ({"any_errors_fatal": True}, {}, ["b"], OF_A_CLUSTER),
    "max_fail_percentage in the play": ({"max_fail_percentage": 0}, {}, ["b"], OF_A_CLUSTER),
    "skipped tags in the environment": ({}, {"ANSIBLE_SKIP_TAGS": "mcp"}, ["b"], OF_A_CLUSTER),
    "chosen tags in the environment": ({}, {"ANSIBLE_RUN_TAGS": "other"}, ["b"], OF_A_CLUSTER),
    "every platform fails": ({}, {}, ["a"], {**OF_A_CLUSTER, "a": "failed", "b": "in_sync"}),
    "every cluster fails": ({}, {}, ["b", "c", "d"], {"a": "in_sync", "b": "failed", "c": "failed", "d": "failed"}),
}


@pytest.mark.parametrize(
    ("keywords", "settings", "failing", "states"),
    [pytest.param(*case, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, case in CUT_SHORT.items()],
)
def test_no_host_keeps_another_from_being_compared(
    tmp_path: Path, keywords: dict[str, Any], settings: dict[str, str], failing: list[str], states: dict[str, str]
) -> None:
    play = {"gather_facts": False, **keywords, "tasks": [VALIDATE, FAILS, COMPARED]}
    files = {
        "hosts.json": {
            "all": {
                "children": {
                    "platforms": {"hosts": {"a": LOCAL_HOST}},
                    "clusters": {"hosts": dict.fromkeys("bcd", LOCAL_HOST)},
                },
                "vars": {"failing": failing, "mcpops_platform": "a", "mcpops_strange": "x"},
            }
        },
        # variables beside the playbook reach the comparison
        "playbooks/group_vars/all.json": {"beside": "of the playbook"},
        "playbooks/site.yml": [{"hosts": "platforms", **play}, {"hosts": "clusters", **play}],
        "drift.yml": [
            {
                "hosts": "platforms:clusters",
                "gather_facts": False,
                "tags": ["always"],
                "tasks": [
                    {
                        "mcpops.platform.site_drift": {"directory": "report", "playbook": "playbooks/site.yml"},
                        "run_once": True,
                    }
                ],
            }
        ],
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        # JSON is YAML
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    run = run_playbook("-i", "hosts.json", "drift.yml", cwd=tmp_path, env=settings).ok()
    assert "a: mcpops_strange: is not known" in run.output
    report = run.last["report"]
    assert {host["name"]: host["state"] for host in report["hosts"]} == states
    assert {host["message"] for host in report["hosts"] if host["state"] == "failed"} == {
        "ansible.builtin.fail: it failed"
    }
    found = [difference["object"] for host in report["hosts"] for difference in host["differences"]]
    assert found == ["Compare: of the playbook"] * ("drifted" in states.values())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)


REFUSED = {
    "mcpops_azure_auth": {
        "auth_source": "env",
        "cloud_environment": "{{ local_cloud.azure_endpoint }}",
        "subscription_id": "{{ local_cloud.subscription_id }}",
        "tenant": "{{ local_cloud.tenant_id }}",
        "client_id": "{{ local_cloud.client_id }}",
        "secret": "of somebody else",
    }
}


@pytest.fixture
def drifted(site: Site) -> Iterator[None]:
    """A cluster that drifted in what is compared last."""
    site.settle()
    patch = '{"spec":{"deployment":{"env":{"X":"1"}}}}'
    site.kubectl("patch", "mcpserver", "echo", "-n", "mcp", "--type=merge", "-p", patch)
    yield
    site.run().ok()


def objects(host: dict[str, Any]) -> list[str]:
    return [difference["object"] for difference in host["differences"]]


@pytest.mark.slow
def test_neither_tags_nor_a_cluster_that_fails_hide_drift(
    site: Site, drift: Drift, drifted: None, tmp_path: Path
) -> None:
    inventory = inventory_of(tmp_path / "inventory", **{"broken": REFUSED, "local-1": {}})
    settings = {"ANSIBLE_ANY_ERRORS_FATAL": "true", "ANSIBLE_SKIP_TAGS": "mcp"}
    for arguments in ([], ["--tags", "setup"]):
        run = drift.run(*arguments, inventory=inventory, env=settings)
        assert run.returncode == 2, run.output
        states = {host["name"]: host["state"] for host in drift.report["hosts"]}
        assert states == {"local": "in_sync", "broken": "failed", "local-1": "drifted"}, run.output
        assert objects(drift.host("local-1")) == ["MCPServer mcp/echo"]
        (drift.directory / "report/drift-report.json").unlink()


@pytest.mark.slow
def test_clusters_are_compared_where_every_platform_fails(
    site: Site, drift: Drift, drifted: None, tmp_path: Path
) -> None:
    inventory = inventory_of(tmp_path / "inventory", **{"local-1": {}})
    host_vars = inventory / "host_vars" / "local.json"
    host_vars.parent.mkdir()
    host_vars.write_text(json.dumps(REFUSED), encoding="utf-8")
    run = drift.run(inventory=inventory)
    assert run.returncode == 2, run.output
    # a platform's failure is kept to the end of the run, so that one comparison is enough
    assert "again: hosts that failed" not in run.output
    assert {host["name"]: host["state"] for host in drift.report["hosts"]} == {"local": "failed", "local-1": "drifted"}
    assert objects(drift.host("local-1")) == ["MCPServer mcp/echo"]
