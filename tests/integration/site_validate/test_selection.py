# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that were asked for nothing, or for what was not meant, end red before anything is asked. No cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.playbook import LOCAL_HOST, Run, run_playbook

pytestmark = pytest.mark.integration

PLAYBOOKS = ("site", "preflight", "verify", "diagnose", "drift", "teardown")
SOUND: dict[str, Any] = {
    **LOCAL_HOST,
    "mcpops_environment": "test",
    "mcpops_location": "eastus2",
    "mcpops_resource_group": "rg",
    "mcpops_kubeconfig": "/nowhere/{{ inventory_hostname }}",
    "mcpops_platform": "shared",
    "teardown_confirm": "one",
}
GROUPS = {"platforms": ["shared"], "clusters": ["one", "two"], "others": ["jump"]}
# a strategy of the user's must not be what ends it
SETTINGS = {"ANSIBLE_STRATEGY": "free", "AZURE_SUBSCRIPTION_ID": "", "AZURE_CLIENT_ID": "", "HOME": "/nonexistent"}


def run(place: Path, playbook: str, *arguments: str, groups: dict[str, list[str]] | None = None) -> Run:
    children = {name: {"hosts": {host: {} for host in hosts}} for name, hosts in (groups or GROUPS).items()}
    (place / "hosts.json").write_text(json.dumps({"all": {"vars": SOUND, "children": children}}), encoding="utf-8")
    name = playbook if playbook.endswith(".yml") else f"mcpops.platform.{playbook}"
    sources = [] if "-i" in arguments else ["-i", "hosts.json"]
    return run_playbook(name, *sources, *arguments, env=SETTINGS, cwd=place)


def refused(done: Run) -> str:
    """The only thing that such a run says."""
    assert done.returncode == 2, done.output
    assert len(done.results) == 1, done.output
    return str(done.last["msg"])


@pytest.mark.parametrize(
    "playbook", [pytest.param(name, marks=() if name in ("site", "drift") else pytest.mark.slow) for name in PLAYBOOKS]
)
def test_an_inventory_that_is_not_there(tmp_path: Path, playbook: str) -> None:
    told = refused(run(tmp_path, playbook, "-i", "prdo"))
    assert "prdo: no such file or directory" in told or "Nothing was removed" in told
    assert "-i" in told


# playbook, arguments, groups → words
NOTHING: dict[str, tuple[str, tuple[str, ...], dict[str, list[str]] | None, str]] = {
    "an empty limit": ("site", ("--limit", ""), None, "--limit: is empty, which to Ansible means every host"),
    "a limit beside the groups": ("site", ("--limit", "jump"), None, "leaves out all hosts of platforms and clusters"),
    "a platform where clusters are asked": ("verify", ("--limit", "shared"), None, "all hosts of clusters: one, two"),
    "a platform where clusters are diagnosed": ("diagnose", ("--limit", "shared"), None, "all hosts of clusters"),
    "misspelt groups": ("site", (), {"platform": ["shared"], "cluster": ["one"]}, "did you mean platform and cluster"),
    "misspelt tags": ("site", ("--tags", "mpc"), None, "has the tag 'mpc': did you mean mcp?"),
    "misspelt tags of another": ("diagnose", ("--tags", "diagnos"), None, "did you mean diagnose?"),
    "misspelt tags that are left out": ("site", ("--skip-tags", "verfiy"), None, "did you mean verify?"),
    "tags of hosts that are left out": (
        "site",
        ("--tags", "mcp", "--limit", "shared"),
        None,
        "nothing would run on the hosts of this run (shared)",
    ),
}
QUICK = ("an empty limit", "misspelt tags", "tags of hosts that are left out")


@pytest.mark.parametrize(
    ("playbook", "arguments", "groups", "words"),
    [pytest.param(*case, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, case in NOTHING.items()],
)
def test_a_run_for_nothing_says_what_to_do(
    tmp_path: Path, playbook: str, arguments: tuple[str, ...], groups: dict[str, list[str]] | None, words: str
) -> None:
    assert words in refused(run(tmp_path, playbook, *arguments, groups=groups))


@pytest.mark.parametrize("tags", [("--tags", "mine"), ("--tags", "always"), ("--tags", "mine", "--skip-tags", "mcp")])
def test_tags_of_a_playbook_around_the_site_are_known(tmp_path: Path, tags: tuple[str, ...]) -> None:
    mine = {"name": "Mine", "ansible.builtin.debug": {"msg": "mine"}, "tags": ["mine"]}
    around = [
        {"import_playbook": "mcpops.platform.site"},
        {"hosts": "clusters", "gather_facts": False, "tasks": [mine]},
    ]
    (tmp_path / "around.yml").write_text(json.dumps(around), encoding="utf-8")
    done = run(tmp_path, "around.yml", *tags).ok()
    assert [one["task"] for one in done.results if one["task"] == "Mine"] == ["Mine", "Mine"] * ("mine" in tags)
