# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess

import pytest

from localcloud.processes import ProcessError, Server, start_time, wait_until_gone
from localcloud.settings import Settings


@pytest.fixture
def server(cloud_settings: Settings) -> Server:
    return Server(cloud_settings, "sleeper")


def test_it_runs_until_it_is_stopped(server: Server) -> None:
    pid = server.start(["sleep", "60"], sources="one")
    assert server.pid() == pid
    assert server.record()["sources"] == "one"
    assert server.stop()
    assert start_time(pid) is None
    assert not server.stop()


def test_a_recycled_process_id_is_somebody_else(server: Server) -> None:
    record = {"pid": os.getpid(), "start_time": "1", "command": []}
    server.pid_file.write_text(json.dumps(record))
    assert server.pid() is None
    server.stop()  # and does not kill this test


def test_a_dead_process_nobody_waited_for_does_not_run() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) is None


def test_the_end_of_the_log_is_part_of_the_failure(server: Server) -> None:
    pid = server.start(["sh", "-c", "echo port taken >&2; exit 1"])
    started = start_time(pid)
    assert started is None or wait_until_gone(pid, started, 10)
    failure = server.failure("ended")
    assert isinstance(failure, ProcessError)
    assert "port taken" in str(failure) and str(server.log_file) in str(failure)
