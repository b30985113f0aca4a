# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/quickstart.md as it is written, up to where it needs a cloud: from tarball and git, outside of a checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from gate import stages
from gate.checkout import CHECKOUT
from support.pages import blocks
from support.reader import (
    END,
    FIRST_RUN,
    INSTALL,
    PAGE,
    PRODUCTION,
    SECRETS,
    SKELETON,
    Reader,
    with_repository,
    with_tarball,
)

RUN = (INSTALL, SKELETON, SECRETS, FIRST_RUN, PRODUCTION, END)
TARBALL = "ansible-galaxy collection install ./"
GIT = "ansible-galaxy collection install git+"
VERSION = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["version"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Who has read as far as the section on production."""
    found = with_tarball(Reader(tmp_path_factory.mktemp("reader")))
    found.follows(INSTALL, only=TARBALL)
    found.follows(SKELETON)
    found.follows(SECRETS)
    return found


def test_every_command_of_the_page_is_run_by_some_test_or_says_why_not() -> None:
    assert [one.source for one in blocks(PAGE) if not one.heading.startswith(RUN)] == []
    text = PAGE.read_text(encoding="utf-8")
    # before such a block, or at the end of what it belongs to
    sections = text.split("\n## ")
    assert all("Not run by the tests" in one for one in sections if "```shell" in one)


def test_the_skeleton_is_what_the_page_says(reader: Reader) -> None:
    files = reader.files()
    listed = {"site.yml", "ansible.cfg", "requirements.yml", "README.md", ".gitignore"}
    of_environment = ("hosts.yml", "group_vars/all/main.yml", "group_vars/all/servers.yml", "group_vars/all/vault.yml")
    dev = {f"inventories/dev/{name}" for name in of_environment}
    prod = {f"inventories/prod/{name}" for name in of_environment if "vault" not in name}
    assert set(files) == {*listed, *dev, *prod}
    assert yaml.safe_load(files["requirements.yml"])["collections"] == [{"name": "mcpops.platform", "version": VERSION}]
    assert files["inventories/dev/group_vars/all/vault.yml"].startswith("$ANSIBLE_VAULT;")
    shown = yaml.safe_load(re.findall(r"```yaml\n(cluster_setup_objects.*?)```", PAGE.read_text("utf-8"), re.S)[0])
    written = yaml.safe_load(files["inventories/dev/group_vars/all/servers.yml"])
    assert {key: written[key] for key in shown} == shown
    assert f"mcpops-platform-{VERSION}.tar.gz" in PAGE.read_text(encoding="utf-8")


def test_nothing_is_overwritten_and_a_second_run_changes_nothing(reader: Reader) -> None:
    before = reader.files()
    edited = reader.project / "inventories" / "dev" / "hosts.yml"
    edited.write_text("# mine\n" + before["inventories/dev/hosts.yml"], encoding="utf-8")
    again = reader.follows(SKELETON)
    assert again.count("changed=0 ") == 2 and "+++ after" not in again, again
    assert reader.files() == {**before, "inventories/dev/hosts.yml": "# mine\n" + before["inventories/dev/hosts.yml"]}
    more = 'ansible-playbook mcpops.platform.init -e dest=platform -e \'{"environments": ["test"]}\''
    assert "changed=2 " in reader.runs(more, reader.home / "work")
    new = {name for name in reader.files() if name not in before}
    assert new == {
        f"inventories/test/{name}" for name in ("hosts.yml", "group_vars/all/main.yml", "group_vars/all/servers.yml")
    }
    shutil.rmtree(reader.project / "inventories" / "test")


def test_check_mode_shows_the_skeleton_and_writes_none(reader: Reader) -> None:
    command = "ansible-playbook mcpops.platform.init -e dest=elsewhere/deep --check --diff"
    shown = reader.runs(command, reader.home / "work")
    assert "+mcpops_environment: prod" in shown and "nothing was written" in shown
    assert not (reader.home / "work" / "elsewhere").exists()


@pytest.mark.parametrize(
    "arguments",
    ["", "-e dest=", "-e dest=x -e environments=dev", '-e dest=x -e \'{"environments": ["../up"]}\''],
)
def test_what_says_no_place_writes_nothing(reader: Reader, arguments: str) -> None:
    with pytest.raises(AssertionError, match="Say where the project goes"):
        reader.runs(f"ansible-playbook mcpops.platform.init {arguments}", reader.home / "work")
    assert not (reader.home / "work" / "x").exists()


def test_both_environments_are_valid_and_no_secret_is_shown(reader: Reader) -> None:
    reader.follows(PRODUCTION)
    for environment, secret in (("dev", "change-me-5f2b"), ("prod", "another-one-7c1d")):
        command = f"ansible-playbook site.yml -i inventories/{environment} --syntax-check"
        assert "playbook: site.yml" in reader.runs(command, reader.project)
        listed = json.loads(reader.runs(f"ansible-inventory -i inventories/{environment} --list", reader.project))
        assert listed["clusters"]["hosts"] == [f"{environment}-1"]
        variables = listed["_meta"]["hostvars"][f"{environment}-1"]
        assert variables["vault_upstream_token"] == secret
        shown = reader.runs(
            f"ansible-playbook mcpops.platform.preflight -i inventories/{environment} --tags always --diff -vvv",
            reader.project,
        )
        assert "cluster_setup_objects" in shown and secret not in shown


@pytest.mark.slow
def test_from_git(tmp_path: Path) -> None:
    reader = with_repository(Reader(tmp_path))
    reader.follows(INSTALL, only=GIT)
    reader.follows(SKELETON)
    assert (reader.project / "site.yml").exists()
    installed = subprocess.run(
        ["ls", reader.home / ".ansible/collections/ansible_collections/mcpops/platform/playbooks"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "init.yml" in installed.stdout


def interpreter(pythons: str) -> str:
    """The first of these that is there: on the path, or of pyenv."""
    places = [*os.environ.get("PATH", os.defpath).split(os.pathsep)]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in pythons.split():
        found = [Path(place) / f"python{minor}" for place in places]
        found += [place / "bin" / f"python{minor}" for place in sorted(versions.glob(f"{minor}*"), reverse=True)]
        for python in found:
            if python.exists() and subprocess.run([python, "-c", "import ensurepip"], check=False).returncode == 0:
                return str(python)
    raise AssertionError(f"none of the Pythons {pythons} is there")


@pytest.mark.slow
def test_from_its_first_line(tmp_path: Path) -> None:
    """With the core that the matrix asks for, or the newest: all that needs no cloud, in an environment of its own."""
    core = os.environ.get("MCPOPS_QUICKSTART_CORE", list(stages.CORES)[-1])
    python = interpreter({**stages.CORES, **stages.CANDIDATES}[core])
    wanted = f"'ansible-core=={core}.*{f',>={core}.0rc0' if core in stages.CANDIDATES else ''}'"
    places = {"python3 -m venv": f"{python} -m venv", "'ansible-core>=2.19,<2.22'": wanted}
    reader = with_tarball(Reader(tmp_path, places))
    reader.follows(INSTALL, only="python3 -m venv")
    reader = replace(reader, programs=tmp_path / ".venvs" / "mcpops" / "bin")
    reader.follows(INSTALL, only=TARBALL)
    assert f"core {core}." in reader.runs("ansible --version", tmp_path)
    for section in (SKELETON, SECRETS, PRODUCTION):
        reader.follows(section)
    said = reader.runs("ansible-playbook mcpops.platform.preflight -i inventories/dev --tags always", reader.project)
    assert "rg-mcpops-dev" in said and "failed=0" in said and "change-me-5f2b" not in said
    assert "[DEPRECATION WARNING]" not in said, said
