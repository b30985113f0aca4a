# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that the suite runs in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conformance import isolation

INTERFACES = (
    "import socket; socket.create_server(('127.0.0.1', 0)).close(); print(*[n for _, n in socket.if_nameindex()])"
)


def test_nothing_but_this_machine_is_there_or_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    prefix = isolation.prefix()
    command = [*prefix, sys.executable, "-c", INTERFACES]
    interfaces = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert interfaces == ["lo"] if prefix else "was refused" in capsys.readouterr().out


def test_a_machine_that_refuses_it_says_why_and_runs_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unshare").write_text(
        "#!/bin/sh\necho 'unshare: Operation not permitted' >&2\nexit 1\n", encoding="utf-8"
    )
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert isolation.prefix() == ()
    assert "one of its own was refused: unshare: Operation not permitted" in capsys.readouterr().out
