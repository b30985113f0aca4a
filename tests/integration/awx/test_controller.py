# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/awx.yml with the real modules of awx.awx, on a played controller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import controller_options
from support.controller_api import TOKEN, Controller, playing
from support.playbook import CHECKOUT, Run, run_playbook

pytestmark = pytest.mark.integration

SECRET = "canary-azure-client-secret"
INPUTS = {"subscription": "s", "tenant": "t", "client": "c", "secret": SECRET}


@pytest.fixture(scope="module")
def awx_collection() -> Path:
    """awx.awx 24.6.1, out of the last release of the package `ansible` that has it."""
    return controller_options.collections(controller_options.ANSIBLE, "awx.awx")


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    with playing() as found:
        yield found


@pytest.fixture
def apply(controller: Controller, awx_collection: Path, tmp_path: Path) -> Any:
    def run(*arguments: str, **variables: Any) -> Run:
        given = tmp_path / "variables.json"
        given.write_text(json.dumps({"awx_azure_inputs": INPUTS, **variables}), encoding="utf-8")
        playbook = CHECKOUT / "playbooks" / "awx.yml"
        env = controller.environment()
        return run_playbook(playbook, "-e", f"@{given}", *arguments, env=env, collections=[awx_collection])

    return run


def test_check_mode_shows_all_of_an_empty_controller(controller: Controller, apply: Any) -> None:
    run = apply("--check", "--diff").ok()
    result = run.of("localhost", "Apply it, or check it")
    assert all(row["changed"] for row in result["objects"])
    assert controller.writes == []
    assert "workflow_nodes[1].unified_job_template.name" in run.output
    assert SECRET not in run.output and TOKEN not in run.output


def test_a_run_makes_it_so_and_the_next_one_writes_nothing(controller: Controller, apply: Any) -> None:
    made = apply("--diff").ok()
    assert SECRET not in made.output
    workflow = controller.named("workflow_job_templates", "mcp drift and repair")
    nodes = [
        node
        for node in controller.objects["workflow_job_template_nodes"].values()
        if node["workflow_job_template"] == workflow["id"]
    ]
    by_name = {node["identifier"]: node for node in nodes}
    assert by_name["compare"]["failure_nodes"] == [by_name["approve"]["id"]]
    assert by_name["approve"]["success_nodes"] == [by_name["repair"]["id"]]
    assert by_name["repair"]["extra_data"] == {"drift_repair": "true"}
    assert controller.named("credentials", "mcp Azure")["inputs"] == INPUTS
    before = len(controller.writes)
    again = apply("--diff").ok()
    assert again.of("localhost", "Apply it, or check it")["msg"] == "All 18 are as declared."
    assert again.changed == []
    assert len(controller.writes) == before


def test_what_somebody_changed_is_shown_and_put_back(controller: Controller, apply: Any) -> None:
    controller.named("job_templates", "mcp site")["diff_mode"] = False
    controller.named("schedules", "mcp drift")["rrule"] = "DTSTART:20260101T000000Z RRULE:FREQ=DAILY;INTERVAL=1"
    node = controller.named("workflow_job_template_nodes", "approve")
    controller.objects["workflow_approval_templates"][node["unified_job_template"]]["timeout"] = 5
    shown = apply("--check", "--diff").ok().of("localhost", "Apply it, or check it")
    changed = {row["name"] for row in shown["objects"] if row["changed"]}
    assert changed == {"mcp site", "mcp drift", "mcp drift and repair"}
    apply().ok()
    assert apply("--check").ok().changed == []


def test_a_refusal_names_the_object_and_does_not_hide_the_others(controller: Controller, apply: Any) -> None:
    run = apply(awx_site="second", awx_vault=True, awx_vault_inputs={"vault_password": SECRET}, awx_notify_on_error=[])
    assert run.returncode == 0, run.output
    # the played controller has no such credential
    refused = apply(awx_site="third", awx_azure_inputs={})
    assert refused.returncode != 0
    assert "controller_credentials[third Azure]: is not on the controller" in " ".join(refused.output.split())
    assert SECRET not in refused.output


def test_the_facts_are_those_of_the_modules() -> None:
    """What the content is checked by, where no collection is installed. In a process of its own, with their loader."""
    argv = [sys.executable, "-m", "support.controller_options", "show"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")}
    done = subprocess.run(argv, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == controller_options.FILE.read_text(encoding="utf-8")
