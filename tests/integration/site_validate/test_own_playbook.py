# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift of a playbook of the user's: compared, and repaired with the commands that are shown. No cloud."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.playbook import BIN, CHECKOUT, LOCAL_HOST, Run, run_playbook

pytestmark = pytest.mark.integration

WRITE = {
    "name": "Write what is declared",
    "ansible.builtin.copy": {"dest": "{{ place }}/{{ inventory_hostname }}", "content": "{{ text }}", "mode": "0600"},
    "tags": ["files"],
}
MINE = [{"name": "Mine", "hosts": "clusters", "gather_facts": False, "tasks": [WRITE]}]
BESIDE = [
    {
        "name": "My drift",
        "hosts": "clusters",
        "gather_facts": False,
        "tags": ["always"],
        "tasks": [
            {
                "mcpops.platform.site_drift": {"playbook": "mine.yml", "directory": "report"},
                "run_once": True,
                "register": "found",
            },
            {"mcpops.platform.site_drift_verdict": {"result": "{{ found }}"}},
        ],
    }
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    place = tmp_path / "my project"
    hosts = {
        "all": {"vars": {**LOCAL_HOST, "place": str(tmp_path)}, "children": {"clusters": {"hosts": {"a": {}, "b": {}}}}}
    }
    files = {"inventories/hosts.json": hosts, "plays/mine.yml": MINE, "plays/drift.yml": BESIDE}
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        # JSON is YAML
        (place / name).write_text(json.dumps(content), encoding="utf-8")
    return place


def drift(project: Path, *playbook: str, **env: str) -> Run:
    given = ["-i", "inventories", "--limit", "a,b", "-e", "text='as declared'"]
    return run_playbook(*playbook, *given, cwd=project, env=env or None)


def report(project: Path) -> Any:
    return json.loads((project / report_of(project)).read_text(encoding="utf-8"))


def report_of(project: Path) -> str:
    (found,) = (path.relative_to(project) for path in project.rglob("drift-report.json"))
    return str(found)


def typed(command: str, directory: str) -> None:
    """A command of the report, as a person has it in a shell there."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
    }
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


PLAYBOOKS = {
    "the playbook of the collection": ["mcpops.platform.drift", "-e", "mcpops_playbook=plays/mine.yml"],
    "a playbook beside it": ["plays/drift.yml"],
}


@pytest.mark.parametrize(
    "playbook",
    [
        pytest.param(words, id=name, marks=pytest.mark.slow if "beside" in name else ())
        for name, words in PLAYBOOKS.items()
    ],
)
def test_its_drift_is_repaired_with_the_command_that_is_shown(project: Path, playbook: list[str]) -> None:
    assert drift(project, *playbook).returncode == 2
    found = report(project)
    first, second = found["hosts"]
    assert (found["playbook"], found["directory"]) == ("plays/mine.yml", str(project))
    assert first["command"] != second["command"]
    # the whole host, and the part of the other that differs
    typed(first["command"], found["directory"])
    assert [path.name for path in project.parent.iterdir() if path.is_file()] == ["a"]
    (difference,) = second["differences"]
    typed(difference["command"], found["directory"])
    assert {path.name: path.read_text() for path in project.parent.iterdir() if path.is_file()} == {
        "a": "as declared",
        "b": "as declared",
    }
    drift(project, *playbook).ok()


def test_the_report_is_below_the_directory_of_the_process(project: Path, tmp_path: Path) -> None:
    """A runner starts a process elsewhere and leaves the variable as it was."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    drift(project, "mcpops.platform.drift", "-e", "mcpops_playbook=plays/mine.yml", PWD=str(elsewhere))
    assert report_of(project) == "drift-report/drift-report.json"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.slow
def test_a_playbook_that_is_not_there_is_told_before_anything_is_compared(project: Path) -> None:
    done = drift(project, "mcpops.platform.drift", "-e", "mcpops_playbook=mine.yml")
    assert done.returncode == 2
    assert "playbook: 'mine.yml' is not the full name of a playbook that is installed" in done.last["msg"]
    assert f"no such file in {project}" in done.last["msg"]
