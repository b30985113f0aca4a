# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules hold for this checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import sanity, stages
from gate.rules import files, modules, roles, tarball

TREE_RULES: dict[str, Callable[[Path], list[str]]] = {
    "every module has an action twin": modules.missing_twins,
    "every module is documented with attributes and an example": modules.documentation_gaps,
    "every module is in the action groups of its credentials": modules.group_mismatches,
    "every role has its files": roles.missing_files,
    "every role variable is documented and prefixed": roles.undocumented_variables,
}
FILE_RULES: dict[str, Callable[[Path, list[Path]], list[str]]] = {
    "every file says its licence": files.missing_headers,
    "no file names a path of one machine": files.machine_paths,
    "nothing is left undone or skipped": files.stubs,
}


@pytest.mark.parametrize("rule", TREE_RULES.values(), ids=TREE_RULES.keys())
def test_tree(rule: Callable[[Path], list[str]]) -> None:
    problems = rule(stages.CHECKOUT)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("rule", FILE_RULES.values(), ids=FILE_RULES.keys())
def test_files(rule: Callable[[Path, list[Path]], list[str]]) -> None:
    problems = rule(stages.CHECKOUT, sanity.committed_files(stages.CHECKOUT))
    assert not problems, "\n".join(problems)


def test_users_get_the_files_that_were_decided_on(tmp_path: Path) -> None:
    command = [Path(sys.prefix) / "bin" / "ansible-galaxy", "collection", "build", "--output-path", tmp_path]
    subprocess.run(command, cwd=stages.CHECKOUT, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        members = [member.name for member in archive if not member.isdir()]
    unexpected = tarball.unexpected(members)
    assert not unexpected, "\n".join(unexpected)
    assert tarball.lacking(members) == []


def test_the_link_that_makes_a_clone_importable_is_committed() -> None:
    link = stages.CHECKOUT / "collections" / "ansible_collections" / "mcpops" / "platform"
    assert link.is_symlink()
    assert link.resolve() == stages.CHECKOUT
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "collections"], cwd=stages.CHECKOUT, check=True, capture_output=True, text=True
    ).stdout
    assert listed.startswith("120000 ")
