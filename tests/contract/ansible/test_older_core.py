# SPDX-License-Identifier: GPL-3.0-or-later
"""An ansible-core that is too old ends every playbook and every module with a sentence, not with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.playbook import CHECKOUT

OLDER = ("2.18", "2.17")
PLAYBOOKS = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))
ACTIONS = sorted(path.stem for path in (CHECKOUT / "plugins" / "action").glob("*.py"))


@pytest.fixture(scope="module", params=OLDER)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of an older core; what it needs of others, it takes from this environment."""
    place = tmp_path_factory.mktemp(f"core-{request.param}")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place)]
    subprocess.run([*pip, f"ansible-core=={request.param}.*"], check=True)
    return place


def run(core: Path, *arguments: str) -> tuple[int, str]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "PYTHONPATH": str(core),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
    }
    argv = [sys.executable, "-m", "ansible", "playbook", *arguments]
    done = subprocess.run(
        argv, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def assert_named(outcome: tuple[int, str]) -> None:
    code, output = outcome
    assert code != 0, output
    assert "mcpops.platform needs ansible-core 2.19 or newer, and this is 2.1" in output, output
    assert "Traceback" not in output and "Exception" not in output, output


@pytest.mark.slow
def test_playbooks(core: Path, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    local = {"ansible_connection": "local", "teardown_confirm": "one,two"}
    groups = {"platforms": {"hosts": {"one": local}}, "clusters": {"hosts": {"two": local}}}
    inventory.write_text(yaml.safe_dump(groups), encoding="utf-8")
    assert PLAYBOOKS
    for name in PLAYBOOKS:
        assert_named(run(core, f"playbooks/{name}.yml", "-i", str(inventory)))


@pytest.mark.slow
def test_modules(core: Path, tmp_path: Path) -> None:
    assert ACTIONS
    for name in ACTIONS:
        play = tmp_path / f"{name}.yml"
        tasks = [{f"mcpops.platform.{name}": {}}]
        play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        assert_named(run(core, str(play)))
