# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule finds what it is for, in a small tree that breaks it in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gate.rules import files, modules, roles, tarball, targets

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
    targets.unnamed_clusters,
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


ASKING = {
    "a task": "- mcpops.platform.ask: {}",
    "the short name": "- ask: {kubeconfig: '{{ good_kubeconf }}'}",
    "somebody else's kubeconfig": "- mcpops.platform.ask: {kubeconfig: '{{ other_kubeconfig }}'}",
    "what may be null": "- mcpops.platform.ask: {kubeconfig: '{{ good_kubeconfig }}'}",
    "what may be left out": "- mcpops.platform.ask: {kubeconfig: \"{{ good_kubeconfig | default(omit) or '' }}\"}",
    "in a rescue": "- block: []\n  rescue: [{block: [{mcpops.platform.ask: {host: h}}]}]",
    "defaults of another group": "- mcpops.platform.ask: {}\n  module_defaults: {group/a.b.c: {kubeconfig: x}}",
    "another collection": "- kubernetes.core.k8s_info: {kind: Pod}",
    "a process": "- ansible.builtin.command: kubectl get pods",
    "a script": "- shell: set -e; helm list",
    "as an action": "- local_action: mcpops.platform.ask kind=Pod",
}
NAMING = {
    "an option": "- mcpops.platform.ask: {kubeconfig: \"{{ good_kubeconfig or '' }}\"}",
    "of the block": """- block: [{block: [{ask: {kind: Pod}}]}]
  module_defaults: {group/mcpops.platform.kubernetes: {kubeconfig: "{{ good_kubeconfig or '' }}"}}""",
    "of the module": """- ask: {}
  module_defaults: {mcpops.platform.ask: {kubeconfig: "{{ good_kubeconfig or '' }}"}}""",
    "a task of something else": "- ansible.builtin.command: helmet",
}


@pytest.fixture
def asking(tree: Path) -> Path:
    """A role with a kubeconfig of its own."""
    write(tree, "meta/runtime.yml", "action_groups: {azure: [thing], kubernetes: [ask]}")
    write(tree, "roles/good/defaults/main.yml", f"good_kubeconfig: '{{{{ {targets.OF_THE_HOST} }}}}'")
    write(tree, "roles/good/README.md", "`good_kubeconfig`")
    return tree


@pytest.mark.parametrize("place", ["roles/good/tasks/other.yml", "roles/good/handlers/main.yml"])
@pytest.mark.parametrize("task", ASKING.values(), ids=ASKING)
def test_a_task_that_takes_the_users_cluster_is_named(asking: Path, place: str, task: str) -> None:
    write(asking, place, task)
    (problem,) = targets.unnamed_clusters(asking)
    assert problem.startswith(f"{place}: the task ")


@pytest.mark.parametrize("task", NAMING.values(), ids=NAMING)
def test_a_task_that_names_its_cluster_is_none(asking: Path, task: str) -> None:
    write(asking, "roles/good/tasks/other.yml", task)
    assert targets.unnamed_clusters(asking) == []


@pytest.mark.parametrize(("variable", "wrong"), [("site_verify_kubeconfig", False), ("good_kubeconfig", True)])
def test_what_verification_runs_asks_the_cluster_that_it_names(asking: Path, variable: str, wrong: bool) -> None:
    task = f"""- {{mcpops.platform.ask: {{kubeconfig: "{{{{ {variable} or '' }}}}"}}}}"""
    write(asking, "roles/good/tasks/verify.yml", task)
    assert bool(targets.unnamed_clusters(asking)) is wrong


def test_a_playbook_says_which_cluster_it_works_on(asking: Path) -> None:
    play = '- hosts: all\n  tasks: [{block: [], always: [{mcpops.platform.ask: {kubeconfig: "%s"}}]}]'
    write(asking, "playbooks/a.yml", play % "~/.kube/config")
    assert len(targets.unnamed_clusters(asking)) == 1
    write(asking, "playbooks/a.yml", play % f"{{{{ ({targets.OF_THE_HOST}) or '' }}}}")
    assert targets.unnamed_clusters(asking) == []


@pytest.mark.parametrize("gap", ["defaults/main.yml", "README.md"])
def test_the_variable_of_a_role_that_asks_a_cluster_is_there(asking: Path, gap: str) -> None:
    write(asking, "roles/good/tasks/main.yml", NAMING["an option"])
    write(asking, f"roles/good/{gap}", "")
    (problem,) = targets.unnamed_clusters(asking)
    assert "good_kubeconfig" in problem


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
