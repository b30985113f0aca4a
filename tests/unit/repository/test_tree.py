# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules hold for this checkout."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gate import sanity
from gate.checkout import CHECKOUT
from gate.rules import files, modules, roles, targets

TREE_RULES: dict[str, Callable[[Path], list[str]]] = {
    "every module has an action twin": modules.missing_twins,
    "every module is documented with attributes and an example": modules.documentation_gaps,
    "every module is in the action groups of its credentials": modules.group_mismatches,
    "action groups list modules only": modules.dangling_group_entries,
    "every role has its files": roles.missing_files,
    "every role has a scenario": roles.missing_scenarios,
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


def test_the_link_that_makes_a_clone_importable_is_committed() -> None:
    link = CHECKOUT / "collections" / "ansible_collections" / "mcpops" / "platform"
    assert link.is_symlink()
    assert link.resolve() == CHECKOUT
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "collections"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    ).stdout
    assert listed.startswith("120000 ")
