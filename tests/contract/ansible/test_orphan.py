# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of a run ends with the run, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.playbook import BIN, CHECKOUT, LOCAL_HOST

from ansible_collections.mcpops.platform.plugins.plugin_utils import orphan

FIXTURES = Path(__file__).parent / "fixtures" / "collections"


def wait_for(what: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether it runs: what nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_a_killed_run_leaves_no_program_at_work(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    command = ["sh", "-c", f"echo $$ > {started}.part; mv {started}.part {started}; exec sleep 600"]
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"test.adapters.observe": {"command": command}}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"local": LOCAL_HOST}}}), encoding="utf-8")
    run = subprocess.Popen(
        [BIN / "ansible-playbook", "-i", tmp_path / "hosts.json", tmp_path / "play.yml"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": f"{CHECKOUT / 'collections'}:{FIXTURES}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(started.exists)
        program = int(started.read_text())
        assert alive(program)
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_for(lambda: not alive(program), 10)
    finally:
        run.kill()


def test_a_worker_that_loops_has_one_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    class Thread:
        def __init__(self, **options: Any) -> None:
            self.name = options["name"]

        def start(self) -> None:
            started.append(self.name)

    monkeypatch.setattr(orphan.multiprocessing, "parent_process", lambda: SimpleNamespace(pid=os.getppid()))
    monkeypatch.setattr(orphan.os, "getpgrp", os.getpid)
    monkeypatch.setattr(orphan.threading, "Thread", Thread)
    monkeypatch.setattr(orphan, "_watched", 0)
    for _ in range(3):
        orphan.end_with_the_run()
    assert started == ["mcpops-orphan"]
