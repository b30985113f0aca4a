# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/awx.yml without the collections of a controller: the content is checked all the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, Run, run_playbook

pytestmark = pytest.mark.contract


DISPATCH = """
- name: Show what the role would make
  ansible.builtin.set_fact:
    dispatched: "{{ controller_templates | map(attribute='name') | list }}"
"""


def run(place: Path, *arguments: str, collections: Sequence[Path] = (), **variables: Any) -> Run:
    given = place / "variables.json"
    given.write_text(json.dumps(variables), encoding="utf-8")
    env = {"HOME": str(place), "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections")}
    if collections:
        env.pop("ANSIBLE_COLLECTIONS_PATH")
    playbook = CHECKOUT / "playbooks" / "awx.yml"
    return run_playbook(playbook, "-e", f"@{given}", *arguments, env=env, collections=collections)


@pytest.mark.parametrize("azure", ["service_principal", "workload_identity", "none"])
def test_the_content_is_right_with_every_way_to_log_in(tmp_path: Path, azure: str) -> None:
    further = {"awx_vault": azure == "none", "awx_kubeconfig": azure == "none"}
    done = run(tmp_path, awx_through="none", awx_azure=azure, **further).ok()
    result = done.of("localhost", "Apply it, or check it")
    assert result["collection"] == "none" and len(result["objects"]) >= 17


def test_all_that_is_wrong_is_one_message(tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "awx", tmp_path / "content")
    templates = tmp_path / "content" / "controller_templates.yml"
    text = templates.read_text(encoding="utf-8")
    templates.write_text(text.replace("diff_mode: true", "diff_mod: true", 1).replace("type: integer", "type: int", 1))
    done = run(
        tmp_path,
        awx_through="none",
        awx_content=str(tmp_path / "content"),
        awx_notify_on_error=["nobody"],
        awx_verify_rrule="every hour",
    )
    assert done.returncode == 2
    said = done.of("localhost", "Apply it, or check it")
    paths = [problem["path"] for problem in said["error"]["problems"]]
    assert "controller_templates[mcp site].diff_mod" in paths
    assert "controller_templates[mcp site].survey_spec.spec[site_lock_timeout].type" in paths
    assert "controller_templates[mcp site].notification_templates_error" in paths
    assert "controller_schedules[mcp verify].rrule" in paths
    assert "nothing was changed" in said["msg"]


def test_without_a_collection_one_hears_what_to_install(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    said = done.of("localhost", "Apply it, or check it")["msg"]
    assert "ansible.controller or awx.awx is not installed. The content is right" in said


def test_whoever_keeps_a_controller_by_roles_gets_the_checked_content(tmp_path: Path) -> None:
    tasks = tmp_path / "ansible_collections/infra/aap_configuration/roles/dispatch/tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text(DISPATCH, encoding="utf-8")
    done = run(tmp_path, awx_through="infra.aap_configuration", collections=[tmp_path]).ok()
    shown = done.of("localhost", "infra.aap_configuration.dispatch : Show what the role would make")
    given = shown["ansible_facts"]["dispatched"]
    assert "mcp site" in given
    wrong = run(tmp_path, awx_through="infra.aap_configuration", awx_drift_rrule="never", collections=[tmp_path])
    assert wrong.returncode == 2 and "Show what the role would make" not in wrong.output
