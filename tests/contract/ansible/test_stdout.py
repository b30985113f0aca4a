# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard output is the callback's alone: whoever has one that writes JSON can read all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.playbook import LOCAL_HOST, Run, run_playbook

COLLECTIONS = Path(__file__).parent / "fixtures" / "collections"
FAILS: dict[str, Any] = {"ansible.builtin.fail": {"msg": "it failed"}, "when": "inventory_hostname == 'c'"}
COMPARED: dict[str, Any] = {"ansible.builtin.debug": {"msg": "x"}, "changed_when": "inventory_hostname == 'b'"}
VALIDATED: dict[str, Any] = {"mcpops.platform.site_validate": {"roles": {}}, "run_once": True}
INSIDE = [{"hosts": "clusters", "gather_facts": False, "tasks": [VALIDATED, FAILS, COMPARED]}]
DRIFT: dict[str, Any] = {"directory": "report", "playbook": "inside.yml", "repair": True}
# task → what a person is told, beside what the callback shows
SAID: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "progress of a module": (
        {"test.adapters.observe": {"progress": "half of it is done"}},
        ("[a] half of it is done", "[b] half of it is done"),
    ),
    "a comparison, its repair and its summary": (
        {"mcpops.platform.site_drift": DRIFT, "run_once": True},
        ("Comparing 3 hosts", "Repairing b", "b  DRIFTED", "JSON report: "),
    ),
}


def run(place: Path, task: dict[str, Any], callback: str) -> Run:
    files: dict[str, Any] = {
        "hosts.json": {
            "all": {
                "vars": {"mcpops_strange": "warned of", "mcpops_platform": "a"},
                "children": {
                    "platforms": {"hosts": {"a": LOCAL_HOST}},
                    "clusters": {"hosts": dict.fromkeys("bc", LOCAL_HOST)},
                },
            }
        },
        "inside.yml": INSIDE,
        "outside.yml": [{"hosts": "all", "gather_facts": False, "tasks": [task]}],
    }
    for name, content in files.items():
        # JSON is YAML
        (place / name).write_text(json.dumps(content), encoding="utf-8")
    settings = {"ANSIBLE_STDOUT_CALLBACK": callback}
    return run_playbook(
        "-i", "hosts.json", "outside.yml", env=settings, cwd=place, collections=[COLLECTIONS], apart=True
    ).ok()


@pytest.mark.parametrize(("task", "said"), SAID.values(), ids=SAID)
def test_standard_output_is_what_the_callback_wrote(
    tmp_path: Path, task: dict[str, Any], said: tuple[str, ...]
) -> None:
    done = run(tmp_path, task, "json_lines")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1] == {"hosts": ["a"] if "run_once" in task else ["a", "b", "c"]}
    told = " ".join(done.output.removeprefix(done.stdout).split())
    assert [words for words in said if " ".join(words.split()) not in told] == []
