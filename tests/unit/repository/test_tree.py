# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules hold for this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import sanity
from gate.checkout import CHECKOUT
from gate.rules import files, modules, roles, tarball, targets

TREE_RULES: dict[str, Callable[[Path], list[str]]] = {
    "every module has an action twin": modules.missing_twins,
    "every module is documented with attributes and an example": modules.documentation_gaps,
    "every module is in the action groups of its credentials": modules.group_mismatches,
    "action groups list modules only": modules.dangling_group_entries,
    "every role has its files": roles.missing_files,
    "every role variable is documented and prefixed": roles.undocumented_variables,
    "every task that asks a cluster says which": targets.unnamed_clusters,
}
FILE_RULES: dict[str, Callable[[Path, list[Path]], list[str]]] = {
    "every file says its licence": files.missing_headers,
    "no file names a path of one machine": files.machine_paths,
    "nothing is left undone or skipped": files.stubs,
}


@pytest.mark.parametrize("rule", TREE_RULES.values(), ids=TREE_RULES.keys())
def test_tree(rule: Callable[[Path], list[str]]) -> None:
    problems = rule(CHECKOUT)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("rule", FILE_RULES.values(), ids=FILE_RULES.keys())
def test_files(rule: Callable[[Path, list[Path]], list[str]]) -> None:
    problems = rule(CHECKOUT, sanity.committed_files(CHECKOUT))
    assert not problems, "\n".join(problems)


def ansible(command: str, *arguments: object, cwd: Path) -> str:
    argv = [Path(sys.prefix) / "bin" / command, *map(str, arguments)]
    # Only what was installed there, and not the checkout.
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(cwd)}
    return subprocess.run(argv, cwd=cwd, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("built")
    ansible("ansible-galaxy", "collection", "build", "--output-path", directory, cwd=CHECKOUT)
    (archive,) = directory.glob("*.tar.gz")
    return archive


def test_users_get_the_files_that_were_decided_on(built: Path) -> None:
    with tarfile.open(built) as archive:
        members = [member.name for member in archive if not member.isdir()]
    unexpected = tarball.unexpected(members)
    assert not unexpected, "\n".join(unexpected)
    assert tarball.lacking(members) == []


def test_what_users_get_installs_and_documents_itself(built: Path, tmp_path: Path) -> None:
    ansible("ansible-galaxy", "collection", "install", "--offline", "-p", tmp_path, built, cwd=tmp_path)
    listed = ansible("ansible-doc", "--list", "--json", "mcpops.platform", cwd=tmp_path)
    found = {name.removeprefix("mcpops.platform.") for name in json.loads(listed)}
    assert found == set(modules.module_names(CHECKOUT))


def test_the_link_that_makes_a_clone_importable_is_committed() -> None:
    link = CHECKOUT / "collections" / "ansible_collections" / "mcpops" / "platform"
    assert link.is_symlink()
    assert link.resolve() == CHECKOUT
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "collections"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    ).stdout
    assert listed.startswith("120000 ")
