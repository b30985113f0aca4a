# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows can be copied: it is a playbook Ansible accepts, with options the modules have."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from gate.checkout import CHECKOUT
from support import examples
from support.examples import Call, Example

SHOWN = [*examples.of_modules(CHECKOUT), *examples.of_pages(CHECKOUT)]
INVENTORY = "[clusters]\ncluster-1\n[platforms]\nplatform-1\n"


def specification(module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    imported = importlib.import_module(f"ansible_collections.mcpops.platform.plugins.modules.{module}")
    return imported.ARGUMENT_SPEC, getattr(imported, "RULES", {})


def complaints(call: Call, spec: dict[str, Any], rules: dict[str, Any]) -> list[str]:
    validated = ArgumentSpecValidator(spec, **rules).validate(examples.fill(call.arguments, spec))
    return [f"{call.source}: {call.module}: {message}" for message in validated.error_messages]


def test_there_are_examples() -> None:
    assert [example.source for example in SHOWN if example.plays()]


def test_every_example_is_yaml() -> None:
    broken = []
    for example in SHOWN:
        try:
            list(yaml.safe_load_all(example.text))
        except yaml.YAMLError as error:
            broken.append(f"{example.source}: {error}")
    assert not broken, "\n".join(broken)


def test_every_example_has_options_its_modules_accept() -> None:
    problems = [
        complaint
        for example in SHOWN
        for call in examples.calls(example)
        for complaint in complaints(call, *specification(call.module))
    ]
    assert not problems, "\n".join(problems)


def test_what_an_example_removes_another_one_has_made() -> None:
    assert examples.unpaired(CHECKOUT) == []
    assert {pair.made.module for pair in examples.pairs(CHECKOUT)} >= {"k8s_objects", "helm_release", "mcp_server"}


def test_every_example_passes_the_syntax_check(tmp_path: Path) -> None:
    playbooks = []
    for example in SHOWN:
        if plays := example.plays():
            # The file name says where it was taken from.
            playbook = tmp_path / f"{example.source.replace('/', '-').replace(':', '-line-')}.yml"
            playbook.write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
            playbooks.append(playbook)
    inventory = tmp_path / "inventory.ini"
    inventory.write_text(INVENTORY, encoding="utf-8")
    # One process for all of them is quick, but it ends at the first it does not like.
    if syntax_check(inventory, playbooks):
        problems = [problem for playbook in playbooks if (problem := syntax_check(inventory, [playbook]))]
        assert not problems, "\n".join(problems)


def syntax_check(inventory: Path, playbooks: list[Path]) -> str:
    """What ansible-playbook says against them; nothing when it accepts them all."""
    command = [Path(sys.prefix) / "bin" / "ansible-playbook", "--syntax-check", "-i", inventory, *playbooks]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return f"{playbooks[0].name}: {done.stdout}{done.stderr}" if done.returncode else ""


SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True, "aliases": ["title"]},
    "count": {"type": "int"},
    "state": {"type": "str", "choices": ["present", "absent"]},
    "pools": {"type": "list", "elements": "dict", "options": {"size": {"type": "int", "required": True}}},
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param("{name: a, count: '{{ n }}', state: '{{ s }}'}", "", id="templates stand for any value"),
        pytest.param("{title: '{{ t }}', pools: ['{{ p }}', {size: '{{ n }}'}]}", "", id="a template for a whole dict"),
        pytest.param("{name: a, pools: '{{ pools }}'}", "", id="a template for a whole list"),
        pytest.param("{count: 1}", "missing required arguments: name", id="a required option left out"),
        pytest.param("{name: a, colour: red}", "colour. Supported parameters include", id="an option there is not"),
        pytest.param("{name: a, count: many}", "unable to convert to int", id="a wrong type"),
        pytest.param("{name: a, state: gone}", "must be one of: present, absent", id="a wrong choice"),
        pytest.param("{name: a, pools: [{color: red}]}", "size found in pools", id="a wrong suboption"),
    ],
)
def test_wrong_options_are_found(arguments: str, expected: str) -> None:
    example = Example("here", f"- name: Do it\n  mcpops.platform.thing: {arguments}\n")
    (call,) = examples.calls(example)
    found = "\n".join(complaints(call, SPEC, {}))
    assert (expected in found) if expected else not found


def test_tasks_are_found_wherever_a_play_can_hold_them() -> None:
    play = """
- hosts: all
  module_defaults:
    group/mcpops.platform.azure: {tenant: t}
  pre_tasks:
    - mcpops.platform.one: {}
  tasks:
    - block:
        - mcpops.platform.two: {name: x}
      rescue:
        - mcpops.platform.three:
"""
    found = {call.module: dict(call.arguments) for call in examples.calls(Example("here", play))}
    assert found == {"one": {"tenant": "t"}, "two": {"tenant": "t", "name": "x"}, "three": {"tenant": "t"}}


def test_fenced_blocks_are_taken_from_pages(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    page = "Text\n\n1. Do\n\n   ```yaml\n   - hosts: all\n   ```\n\n```console\nmake\n```\n```yml\na: 1\n```\n"
    (tmp_path / "docs" / "page.md").write_text(page, encoding="utf-8")
    first, second = examples.of_pages(tmp_path)
    assert (first.source, first.plays()) == ("docs/page.md:5", [{"hosts": "all"}])
    assert (second.source, second.plays()) == ("docs/page.md:12", [])
