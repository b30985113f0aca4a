# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and ending the tests' MCP servers, shown on programs that are none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate.environments import EnvironmentMissing
from mcp_servers import environments, running
from mcp_servers.catalog import BY_NAME, LEGACY, SERVERS
from mcp_servers.running import NotStarted, Program, Running


def shell(name: str, script: str, **more: object) -> Program:
    return Program(name, ("sh", "-c", script), **more)  # type: ignore[arg-type]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    yield found
    found.stop()


def test_addresses_are_what_a_program_says(started: Running) -> None:
    started.start([shell("one", """echo '{"a": "http://127.0.0.1:1"}'; exec sleep 60""")])
    assert started.addresses == {"one": {"a": "http://127.0.0.1:1"}}


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(shell("broken", "echo no such package >&2; exit 1"), id="ends before it says anything"),
        pytest.param(shell("broken", "echo no such package; exit 1", port=1), id="ends before it listens"),
    ],
)
def test_a_program_that_does_not_start_says_why(started: Running, program: Program) -> None:
    with pytest.raises(NotStarted, match="no such package"):
        started.start([program])


def test_one_that_stays_silent_is_not_waited_for_for_ever(started: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(NotStarted, match="said nothing"):
        started.start([shell("silent", "exec sleep 60")])


def test_children_end_with_their_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.2)
    found = Running(tmp_path)
    # neither takes a hint
    script = """trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo "{\\"child\\": \\"$!\\"}"; wait"""
    found.start([shell("parent", script)])
    child, parent = int(found.addresses["parent"]["child"]), found.pid("parent")
    found.stop()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in (child, parent)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_package_of_an_environment_is_pinned() -> None:
    for name in environments.PYTHONS:
        lines = (environments.HERE / f"requirements-{name}.txt").read_text(encoding="utf-8").splitlines()
        pin = next(line for line in lines if not line.startswith("#"))
        package, _, version = pin.partition("==")
        assert version, pin
        assert name.startswith(package.strip())


def test_what_could_not_be_installed_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environments, "PLACE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentMissing, match=r"go is not there\. It needs Go"):
        environments.go_server()
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\n[ $1 = env ] || { echo proxy refused >&2; exit 3; }\n", encoding="utf-8")
    go.chmod(0o755)
    with pytest.raises(EnvironmentMissing, match=r"go ended with 3(?s:.)*GOPROXY(?s:.)*proxy refused"):
        environments.go_server()


def test_every_server_is_in_the_table_once_and_only_the_older_era_has_sessions() -> None:
    assert len(BY_NAME) == len(SERVERS)
    assert all(LEGACY in server.eras for server in SERVERS if server.sessions)
