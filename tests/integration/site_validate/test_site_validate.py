# SPDX-License-Identifier: GPL-3.0-or-later
"""The first play of a site, as ansible-playbook runs it: no cloud, no cluster, only an inventory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.playbook import LOCAL_HOST, Run, run_playbook

pytestmark = pytest.mark.integration

ROLES_PATH = Path(__file__).parent / "roles"
Validate = Callable[..., Run]


@pytest.fixture
def validate(tmp_path: Path) -> Validate:
    def run(
        hosts: dict[str, dict[str, Any]], *arguments: str, options: dict[str, Any] | None = None, **play: Any
    ) -> Run:
        task = {"roles": {"clusters": ["fixture_cluster"]}, **(options or {})}
        inventory = {
            "all": {
                "vars": {**LOCAL_HOST, "mcpops_platform": "shared"},
                "children": {"platforms": {"hosts": {"shared": {}}}, "clusters": {"hosts": hosts}},
            }
        }
        playbook = [{"hosts": "all", "gather_facts": False, **play, "tasks": [{"mcpops.platform.site_validate": task}]}]
        (tmp_path / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
        (tmp_path / "play.yml").write_text(json.dumps(playbook), encoding="utf-8")
        places = (tmp_path / "hosts.json", tmp_path / "play.yml")
        return run_playbook("-i", *places, *arguments, env={"ANSIBLE_ROLES_PATH": str(ROLES_PATH)})

    return run


def test_a_sound_inventory_passes_once_for_all_hosts(validate: Validate) -> None:
    run = validate({name: {"mcpops_location": "eastus2"} for name in ("one", "two")}).ok()
    assert len(run.results) == 1
    # the play has a platform as well, of whose group no role is named
    assert run.last["hosts"] == ["one", "two"]
    assert run.last["changed"] is False
    # the address is a fact: nobody has gathered it yet
    assert {(row["host"], row["variable"]) for row in run.last["deferred"]} == {
        ("one", "fixture_cluster_address"),
        ("two", "fixture_cluster_address"),
    }


def test_every_problem_of_every_host_is_in_one_message(validate: Validate) -> None:
    run = validate(
        {
            "one": {"fixture_cluster_level": "mid", "mcpops_platform": "elsewhere"},
            "two": {"fixture_cluster_name": {"not": "text"}, "mcpops_location": "{{ lookup('file', 'missing') }}"},
        }
    )
    assert run.returncode != 0
    problems = {problem["path"]: problem["message"] for problem in run.last["error"]["problems"]}
    assert "must be one of: low, high" in problems["one: fixture_cluster_level"]
    assert "'elsewhere' is not a host of group platforms (shared)" in problems["one: mcpops_platform"]
    assert "is not set" in problems["one: mcpops_location"]
    # by the name that the inventory uses, not the role's
    assert "cannot be evaluated" in problems["two: mcpops_location"]
    assert "nothing was changed" in run.last["msg"]


def test_a_misspelt_variable_is_a_problem_and_a_strange_one_a_warning(validate: Validate) -> None:
    run = validate({"one": {"mcpops_location": "x", "fixture_cluster_nmae": "a"}})
    assert run.returncode != 0
    assert "one: fixture_cluster_nmae: is not known: did you mean fixture_cluster_name?" in run.last["msg"]
    run = validate({"one": {"mcpops_location": "x", "mcpops_colour": "red"}}).ok()
    shown = " ".join(run.output.split())
    assert "one: mcpops_colour: is not known: no role and no other variable reads it" in shown


def test_empty_keys_and_options_of_azure_modules_are_told_before_any_task_has_them(validate: Validate) -> None:
    run = validate(
        {
            "one": {"mcpops_location": None, "mcpops_azure_auth": "foo"},
            "two": {"mcpops_location": "x", "mcpops_azure_auth": {"subscripton_id": "x"}},
        }
    )
    assert run.returncode != 0
    problems = {problem["path"]: problem["message"] for problem in run.last["error"]["problems"]}
    assert problems["one: mcpops_location"] == "is empty (null). Give it a value, roles need it"
    assert problems["one: mcpops_azure_auth"].startswith("is a str, not a mapping of options")
    assert "did you mean subscription_id?" in problems["two: mcpops_azure_auth"]


def test_what_nothing_defines_is_a_problem(validate: Validate) -> None:
    hosts = {name: {"mcpops_location": "x", "mcpops_process_environment": "{{ nosuchvar }}"} for name in ("one", "two")}
    run = validate(hosts)
    assert run.returncode != 0
    assert run.last["error"]["problems"] == [
        {
            "path": "one, two: mcpops_process_environment",
            "message": "reads 'nosuchvar', which nothing defines: set it in the inventory, or correct its name",
        }
    ]


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.set_fact": {"nosuchvar": {}}},
        {"ansible.builtin.command": "true", "register": "nosuchvar"},
        {"ansible.builtin.debug": None, "vars": {"nosuchvar": 1}},
    ],
    ids=lambda task: next(iter(task)),
)
def test_a_variable_that_a_default_would_replace_in_silence_is_a_warning(
    validate: Validate, task: dict[str, Any]
) -> None:
    hosts = {name: {"mcpops_location": "x", "mcpops_process_environment": "{{ nosuchvar }}"} for name in ("one", "two")}
    shown = " ".join(validate(hosts, post_tasks=[task], ignore_errors=True).output.split())
    assert "mcpops_process_environment of one, two: not known now ('nosuchvar' is undefined)" in shown
    assert "which nothing defines" not in shown
    # of a default that reads a fact its user knows nothing
    assert "fixture_cluster_address" not in shown


def test_a_limit_leaves_hosts_out_and_groups_whole(validate: Validate) -> None:
    run = validate({"one": {"mcpops_location": "x"}, "two": {}}, "--limit", "one").ok()
    assert run.last["hosts"] == ["one"]


def test_extra_variables_and_jump_hosts(validate: Validate) -> None:
    """An action runs on the controller even when a host is somewhere else."""
    far = {"ansible_connection": "ssh", "ansible_host": "192.0.2.1"}
    run = validate({"one": far}, "-e", "mcpops_location=eastus2", "--check").ok()
    assert run.last["changed"] is False
    shown = " ".join(run.output.split())
    assert "one: the connection is ssh, so the tasks run on another machine" in shown
    assert "the connection is" not in validate({"one": {}}, "-e", "mcpops_location=eastus2").ok().output


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown role": ({"roles": {"clusters": ["nowhere"]}}, "'nowhere' is not installed"),
    "role without specification": ({"roles": {"clusters": ["fixture_plain"]}}, "no meta/argument_specs.yml"),
    "no list": ({"roles": {"clusters": "fixture_cluster"}}, "is not a list of role names"),
    "no mapping": ({"roles": "fixture_cluster"}, "'roles' is of type"),
    "unknown host": ({"hosts": ["nobody"]}, "'nobody' is not in the inventory"),
    "unknown option": ({"role": "x"}, "role"),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_its_own_options_are_checked(validate: Validate, options: dict[str, Any], words: str) -> None:
    run = validate({"one": {"mcpops_location": "x"}}, options=options)
    assert run.returncode != 0
    assert words in run.last["msg"]


def test_the_collections_own_roles_accept_the_example_inventories() -> None:
    run = preflight_of_dev(AZURE_SUBSCRIPTION_ID="1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22")
    assert run.results[0]["status"] == "ok", run.output
    assert "not known now" not in run.output


def test_the_example_for_azure_refuses_to_run_without_a_subscription() -> None:
    """Of which it makes a name that is one for all of Azure."""
    run = preflight_of_dev(AZURE_SUBSCRIPTION_ID="")
    assert len(run.results) == 1 and run.results[0]["status"] == "failed", run.output
    assert "azure_platform_subscription_id: is empty, and names of registries are made with it" in run.last["msg"]


def preflight_of_dev(**environment: str) -> Run:
    root = Path(__file__).resolve().parents[3]
    place = root / "playbooks" / "preflight.yml"
    return run_playbook(place, "-i", root / "inventories" / "dev", "--check", env=environment)
