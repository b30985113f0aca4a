# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of AAP, by their published specification, and the questions that jobs ask: of variables that are read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from gate.checkout import CHECKOUT

PATTERNS = sorted(path for path in (CHECKOUT / "extensions/patterns").iterdir() if path.is_dir())
NAME = re.compile(r"[a-z0-9_]{1,64}")


class Loader(yaml.SafeLoader):
    """With Ansible's tag for text that is not to be rendered."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def content(name: str) -> Any:
    text = (CHECKOUT / "awx" / f"{name}.yml").read_text(encoding="utf-8")
    return yaml.load(text, Loader)[name]


def read_by_playbooks() -> str:
    places = (CHECKOUT / "playbooks", CHECKOUT / "roles")
    return "\n".join(path.read_text(encoding="utf-8") for place in places for path in place.rglob("*.yml"))


def described(pattern: Path) -> Any:
    return json.loads((pattern / "meta" / "pattern.json").read_text(encoding="utf-8"))


def questions(of: Any) -> list[Any]:
    return list((of.get("survey_spec") or of.get("survey") or {}).get("spec", []))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda path: path.name)
def test_a_pattern_has_what_the_specification_asks_for(pattern: Path) -> None:
    found = described(pattern)
    for key in ("schema_version", "name", "title", "description", "short_description", "aap_resources"):
        assert found[key], key
    assert found["name"] == pattern.name and NAME.fullmatch(pattern.name)
    assert len(found["title"]) <= 64 and not found["short_description"].endswith(".")
    assert (pattern / "README.md").is_file()
    resources = found["aap_resources"]
    assert resources["controller_project"]["name"] and resources["controller_project"]["description"]
    templates = resources["controller_job_templates"]
    assert sum(template.get("primary", False) for template in templates) == 1
    playbooks = {path.name for path in (pattern / "playbooks").iterdir()}
    assert {template["playbook"] for template in templates} == playbooks
    for template in templates:
        assert template["execution_environment"] == resources["controller_execution_environment"]["name"]
        assert set(template["labels"]) <= set(resources["controller_labels"])
        for question in questions(template):
            assert {"type", "question_name", "question_description", "variable", "required"} <= set(question)
            assert isinstance(question.get("default", ""), str) and NAME.fullmatch(question["variable"])


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda path: path.name)
def test_a_pattern_runs_a_playbook_that_there_is(pattern: Path) -> None:
    for playbook in (pattern / "playbooks").glob("*.yml"):
        (play,) = yaml.safe_load(playbook.read_text(encoding="utf-8"))
        name = play["ansible.builtin.import_playbook"].removeprefix("mcpops.platform.")
        assert (CHECKOUT / "playbooks" / f"{name}.yml").is_file()


def test_questions_are_about_variables_that_playbooks_read() -> None:
    text = read_by_playbooks()
    asking = [*content("controller_templates"), *content("controller_workflows")]
    asking += [each for path in PATTERNS for each in described(path)["aap_resources"]["controller_job_templates"]]
    asked = {question["variable"] for template in asking for question in questions(template)}
    assert asked
    assert sorted(variable for variable in asked if not re.search(rf"\b{variable}\b", text)) == []


def test_templates_run_playbooks_that_there_are() -> None:
    for template in content("controller_templates"):
        name = template["playbook"].rpartition("/")[2]
        assert (CHECKOUT / "playbooks" / name).is_file(), template["name"]


def test_every_setting_is_used_and_every_variable_is_a_setting() -> None:
    files = {path.stem: path.read_text(encoding="utf-8") for path in (CHECKOUT / "awx").glob("*.yml")}
    settings = set(yaml.safe_load(files.pop("settings")))
    used = {name for text in files.values() for name in re.findall(r"\bawx_\w+", text)}
    own = {name for text in files.values() for name in re.findall(r"^(awx_\w+):", text, re.MULTILINE)}
    # replacing secrets is asked for at a run, and no setting
    assert used - own - {"awx_update_secrets"} == settings
