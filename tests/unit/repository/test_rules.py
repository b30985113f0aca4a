# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule finds what it is for, in a small tree that breaks it in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gate.rules import files, modules, roles, tarball

MODULE = '''DOCUMENTATION = r"""
extends_documentation_fragment: mcpops.platform.attributes
options:
  {option}: {{}}
"""
EXAMPLES = r"""
- name: Do it
  mcpops.platform.{name}:
"""
RETURN = ""
'''
FRAGMENT = '''class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes: {check_mode: {}, diff_mode: {}, idempotent: {}}
"""
'''
SPECS = """
argument_specs:
  main:
    short_description: Does it
    description: Does it.
    options:
      good_size: {}
"""


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that keeps every rule about modules and roles."""
    write(tmp_path, "plugins/modules/thing.py", MODULE.format(name="thing", option="auth_source"))
    write(tmp_path, "plugins/action/thing.py", "")
    write(tmp_path, "plugins/doc_fragments/attributes.py", FRAGMENT)
    write(tmp_path, "meta/runtime.yml", "action_groups: {azure: [thing], kubernetes: []}")
    for path in roles.FILES:
        write(tmp_path, f"roles/good/{path}", "---")
    write(tmp_path, "roles/good/meta/argument_specs.yml", SPECS)
    write(tmp_path, "roles/good/defaults/main.yml", "good_size: 1")
    write(tmp_path, "extensions/molecule/good/molecule.yml", "---")
    return tmp_path


RULES = (
    modules.missing_twins,
    modules.documentation_gaps,
    modules.group_mismatches,
    modules.dangling_group_entries,
    roles.missing_files,
    roles.undocumented_variables,
    roles.missing_scenarios,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_tree_has_no_violation(rule: Callable[[Path], list[str]], tree: Path) -> None:
    assert rule(tree) == []


@pytest.mark.parametrize(
    ("rule", "path", "text", "complaint"),
    [
        (modules.missing_twins, "plugins/action/other.py", "", "action plugin other has no module"),
        (modules.missing_twins, "plugins/modules/other.py", "", "module other has no action plugin"),
        (modules.documentation_gaps, "plugins/modules/thing.py", "", "thing: has no DOCUMENTATION"),
        (modules.documentation_gaps, "plugins/doc_fragments/attributes.py", "DOCUMENTATION = '{}'", "attributes"),
        (modules.documentation_gaps, "plugins/modules/thing.py", "EXAMPLES = '[{debug: {}}]'", "no example uses"),
        (modules.group_mismatches, "meta/runtime.yml", "action_groups: {azure: []}", "belongs in action group azure"),
        (
            modules.group_mismatches,
            "plugins/modules/thing.py",
            MODULE.format(name="thing", option="api_key"),
            "does not belong in action group azure",
        ),
        (modules.dangling_group_entries, "meta/runtime.yml", "action_groups: {azure: [gone]}", "lists gone"),
        (roles.missing_files, "roles/new/tasks/main.yml", "", "roles/new: has no README.md"),
        (roles.undocumented_variables, "roles/good/defaults/main.yml", "size: 1", "does not carry the role's name"),
        (
            roles.undocumented_variables,
            "roles/good/defaults/main.yml",
            "good_color: 1",
            "is not in meta/argument_specs",
        ),
        (
            roles.undocumented_variables,
            "roles/good/meta/argument_specs.yml",
            "argument_specs: {main: {}}",
            "short_desc",
        ),
        (roles.missing_scenarios, "roles/new/tasks/main.yml", "", "no molecule scenario extensions/molecule/new"),
    ],
)
def test_a_violation_is_named(
    rule: Callable[[Path], list[str]], path: str, text: str, complaint: str, tree: Path
) -> None:
    write(tree, path, text)
    assert [problem for problem in rule(tree) if complaint in problem]


@pytest.mark.parametrize(
    ("rule", "path", "line"),
    [
        (files.missing_headers, "plugins/modules/thing.py", "# " + files.SPDX),
        (files.missing_headers, "site.yml", "- hosts: all"),
        (files.machine_paths, "docs/x.md", "See /wo" + "rk/shared/somewhere."),
        (files.stubs, "a.py", "# TO" + "DO: later"),
        (files.stubs, "a.py", "raise NotImple" + "mentedError"),
        (files.stubs, "a.py", "@pytest.mark.sk" + "ip"),
    ],
)
def test_a_bad_line_is_found(
    rule: Callable[[Path, list[Path]], list[str]], path: str, line: str, tmp_path: Path
) -> None:
    write(tmp_path, path, line)
    assert rule(tmp_path, [Path(path)])
    write(tmp_path, path, "\n".join((*files.PLUGIN_HEADER, "fine = 1")))
    assert rule(tmp_path, [Path(path)]) == []


@pytest.mark.parametrize("member", ["tests/unit/test_x.py", ".venv/bin/python", "plugins/modules/x.pyc", "notes.txt"])
def test_what_nobody_decided_on_does_not_ship(member: str) -> None:
    assert tarball.unexpected([member, "plugins/modules/thing.py"]) == [member]
