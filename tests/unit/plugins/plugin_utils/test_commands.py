# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that are shown: they exist, are this run's, work where it was started, and hold no secret."""

from __future__ import annotations

import random
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants, context
from ansible.module_utils.common.collections import ImmutableDict

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.plugin_utils import commands
from ansible_collections.mcpops.platform.plugins.plugin_utils.commands import (
    Commands,
    found_playbook,
    of_this_run,
    shown_path,
    shown_variables,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with what people name on command lines, and another beside it."""
    for name in ("project/inventories/prod", "project/vars", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("project/site.yml", "project/vars/all.yml", "project/key", "elsewhere/hosts.yml", "elsewhere/key"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def started(monkeypatch: pytest.MonkeyPatch, **given: Any) -> Commands:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(given))
    return of_this_run()


# what was given → what every other command has of it
REPEATED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, ""),
    "an inventory below": ({"inventory": ["{project}/inventories/prod"]}, "-i inventories/prod"),
    "two, one elsewhere": (
        {"inventory": ["{project}/inventories/prod", "{project}/../elsewhere/hosts.yml"]},
        "-i inventories/prod -i {elsewhere}/hosts.yml",
    ),
    "hosts by name": ({"inventory": ["a,b,"]}, "-i a,b,"),
    "a limit": ({"subset": "prod:!eu"}, "--limit 'prod:!eu'"),
    "no limit": ({"subset": None}, ""),
    "a file of variables": ({"extra_vars": ["@{project}/vars/all.yml"]}, "-e @vars/all.yml"),
    "variables": ({"extra_vars": ["size=3 colour='dark red'"]}, """-e 'size=3 colour='"'"'dark red'"'"''"""),
    "what one run was to do": ({"extra_vars": ["drift_repair=true", "teardown_confirm=a"]}, ""),
    "what one run was to do, and more": (
        {"extra_vars": ['{{"drift_repair": true, "size": 3}}']},
        """-e '{{"size": 3}}'""",
    ),
    "what one run was to do, and words": (
        {"extra_vars": ["drift_repair=true colour='dark red'"]},
        """-e 'colour='"'"'dark red'"'"''""",
    ),
    "a vault": (
        {"vault_ids": ["prod@vault.sh"], "vault_password_files": ["{project}/key", "{project}/../elsewhere/key"]},
        "--vault-id prod@vault.sh --vault-password-file key --vault-password-file {elsewhere}/key",
    ),
    "a vault that is asked for": ({"ask_vault_pass": True}, "--ask-vault-password"),
    "what the configuration says": (
        {"forks": constants.DEFAULT_FORKS, "connection": constants.DEFAULT_TRANSPORT, "ask_vault_pass": False},
        "",
    ),
    "who connects": (
        {"remote_user": "deploy", "forks": 40, "become": True, "private_key_file": "{project}/key"},
        "--user deploy --private-key key --forks 40 --become",
    ),
    "modes of that run": ({"check": True, "diff": True, "verbosity": 3}, ""),
}


@pytest.mark.parametrize(("given", "words"), REPEATED.values(), ids=REPEATED)
def test_another_playbook_gets_what_this_run_was_given(
    monkeypatch: pytest.MonkeyPatch, project: Path, given: dict[str, Any], words: str
) -> None:
    places = {"project": str(project), "elsewhere": str(project.parent / "elsewhere")}

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        return value.format(**places) if isinstance(value, str) else value

    run = started(monkeypatch, args=["site.yml"], **{name: filled(value) for name, value in given.items()})
    assert run.directory == str(project)
    expected = f"ansible-playbook mcpops.platform.verify {words.format(**places)}".strip()
    assert run.shell(run.of("mcpops.platform.verify")) == expected


def test_the_same_run_has_its_playbooks_and_tags_and_another_its_own_limit(
    monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    given = {"args": ["site.yml", "more.yml"], "tags": ["verify", "mcp"], "skip_tags": ["setup"], "subset": "a"}
    run = started(monkeypatch, **given)
    chosen = ["--tags", "mcp,verify", "--skip-tags", "setup"]
    assert run.again() == ["ansible-playbook", "site.yml", "more.yml", "--limit", "a", *chosen]
    assert run.again(limit="b", whole=True) == ["ansible-playbook", "site.yml", "more.yml", "--limit", "b"]
    assert "--tags" not in run.of("x.y.z")
    assert "--limit" not in run.of("x.y.z", limit="")
    # all is what no tag means
    assert started(monkeypatch, args=["site.yml"], tags=["all"]).again() == ["ansible-playbook", "site.yml"]


SECRETS: dict[str, str] = {
    "by name": "db_password=hunter22 size=3",
    "in a structure": '{"size": 3, "servers": [{"env": {"API_TOKEN": "hunter22"}}]}',
    "beside its name": '{"env": [{"name": "CLIENT_SECRET", "value": "hunter22"}]}',
    "by its form": "note=Bearer\\ eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyMiJ9.hunter22hunter22hunter22",
    "what cannot be read": "{hunter22: [",
    "a list": '["hunter22"]',
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_no_command_shows_a_secret(text: str) -> None:
    shown = shown_variables(text, "/")
    assert "hunter22" not in shown
    assert ("size" in text) == ("size" in shown)


@pytest.mark.parametrize("seed", range(20))
def test_a_folded_command_is_the_same_command(seed: int) -> None:
    chance = random.Random(seed)
    words = [
        "".join(chance.choice("ab-= '\"\\\n$#é") for _ in range(chance.randint(1, 60)))
        for _ in range(chance.randint(1, 12))
    ]
    run = Commands(environment={"PLACE": "a b"})
    command = ["ansible-playbook", *words]
    whole = shlex.split(run.shell(command))
    assert whole == ["PLACE=a b", *command]
    lines = run.folded(command)
    assert all(line.endswith(" \\") for line in lines[:-1])
    # of continued lines, a shell knows more than shlex
    script = "set -- " + "\n".join(lines) + "\nprintf '%s\\0' \"$@\""
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == whole


def test_lines_are_short_where_words_are() -> None:
    command = ["ansible-playbook", "mcpops.platform.site", *(f"-e name{number}={number}" for number in range(40))]
    assert max(map(len, Commands().folded(command))) <= commands.WIDTH + 2


@pytest.mark.parametrize("path", ["/no/such/place", "host1,", "no-such-file"])
def test_what_is_no_path_stays_as_it_is(project: Path, path: str) -> None:
    assert shown_path(path, str(project)) == path


def test_a_playbook_is_sought_beside_the_one_that_names_it_then_where_the_run_was_started(project: Path) -> None:
    beside = project.parent / "elsewhere"
    assert found_playbook("site.yml", str(beside), str(project)) == str(project / "site.yml")
    (beside / "site.yml").touch()
    assert found_playbook("site.yml", str(beside), str(project)) == str(beside / "site.yml")
    # of a playbook of the collection, nothing beside it is the user's: it has a site.yml
    assert found_playbook("site.yml", str(commands.PLAYBOOKS), str(project)) == str(project / "site.yml")
    assert found_playbook(str(project / "site.yml"), "", "/") == str(project / "site.yml")


def test_a_playbook_of_a_collection_keeps_its_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"mcpops.platform.site": ("site", "/installed/site.yml", "mcpops.platform")}
    monkeypatch.setattr(commands, "_get_collection_playbook_path", installed.get)
    assert found_playbook("mcpops.platform.site", "", str(project)) == "mcpops.platform.site"


def test_a_playbook_may_be_named_from_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project))
    assert found_playbook("~/site.yml", "", "/") == str(project / "site.yml")


# where Ansible found the collection, what it was told to search → what a command needs
FOUND: dict[str, tuple[list[str], list[str], bool]] = {
    "beside the playbook": ([commands.ROOT], [commands.ROOT, "/usr/share/ansible/collections"], True),
    "among the configured ones": (["/work"], [commands.ROOT], False),
    "in both": ([commands.ROOT], [commands.ROOT, commands.ROOT], False),
}


@pytest.mark.parametrize(("beside", "everywhere", "needed"), FOUND.values(), ids=FOUND)
def test_a_command_says_where_the_collection_is_if_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch, beside: list[str], everywhere: list[str], needed: bool
) -> None:
    config = SimpleNamespace(collection_finder=object(), playbook_paths=beside, collection_paths=everywhere)
    monkeypatch.setattr(commands, "AnsibleCollectionConfig", config)
    run = started(monkeypatch, args=["site.yml"])
    assert run.environment == ({"ANSIBLE_COLLECTIONS_PATH": commands.ROOT} if needed else {})


def test_what_is_configured_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_BECOME", True)
    assert started(monkeypatch, args=["site.yml"], become=True).options == ()


@pytest.mark.parametrize("name", ["mine.yml", "no.such.playbook", "/no/such/file.yml", "plays/"])
def test_a_playbook_that_is_not_there_is_told_with_where_it_was_sought(project: Path, name: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        found_playbook(name, str(project / "vars"), str(project))
    assert f"{name!r} is not the full name of a playbook" in str(raised.value)
    assert name.startswith("/") == ("there is no such file." in str(raised.value))
    assert name.startswith("/") or f"in {project / 'vars'} or {project}" in str(raised.value)
