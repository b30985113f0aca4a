# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/awx.md and docs/execution-environment.md say what is there."""

from __future__ import annotations

import re
from typing import Any

import yaml
from gate.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "awx.md").read_text(encoding="utf-8")


def content(name: str) -> Any:
    text = (CHECKOUT / "awx" / f"{name}.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text.replace("!unsafe ", ""))[name]


def table(head: str) -> list[list[str]]:
    lines = PAGE[PAGE.index(head) :].splitlines()[2:]
    rows = lines[: next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_template_has_a_row_with_its_playbook() -> None:
    declared = {
        template["name"].removeprefix("{{ awx_site }} "): template["playbook"].rpartition("/")[2]
        for template in content("controller_templates")
    }
    shown = {row[0]: row[1].strip("`") for row in table("| template | playbook |")}
    assert shown == declared


def test_settings_that_the_page_names_are_settings() -> None:
    settings = yaml.safe_load((CHECKOUT / "awx" / "settings.yml").read_text(encoding="utf-8"))
    named = set(re.findall(r"\bawx_\w+", PAGE))
    # of the run, not of the content
    assert named - {"awx_through", "awx_content", "awx_update_secrets"} <= set(settings)


def test_the_drawing_is_the_workflow() -> None:
    (workflow,) = content("controller_workflows")
    nodes = {node["identifier"]: node.get("related", {}) for node in workflow["workflow_nodes"]}
    for name, related in nodes.items():
        assert name in PAGE
        for link, word in (("failure_nodes", "failed"), ("success_nodes", "(ok|yes)")):
            for following in related.get(link, []):
                if (name, following["identifier"]) != ("repair", "diagnose"):
                    assert re.search(rf"{name} --{word}--> {following['identifier']}", PAGE), (name, following)


def test_the_ways_to_log_in_are_those_of_the_content() -> None:
    text = (CHECKOUT / "awx" / "controller_credentials.yml").read_text(encoding="utf-8")
    ways = set(yaml.safe_load(text)["awx_azure_credentials"])
    assert {way for way in ways if f"awx_azure: {way}" in PAGE} == ways - {"none"}
