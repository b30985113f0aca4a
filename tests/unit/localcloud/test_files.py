# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from pathlib import Path

import pytest

from localcloud.files import fresh_directory, key_of, locked, write_atomically


def test_a_file_is_never_wider_open_than_told(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", "s")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    write_atomically(tmp_path / "public", "p", 0o644)
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), fresh_directory(tmp_path / "target") as directory:
        (directory / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with fresh_directory(tmp_path / "target") as directory:
        (directory / "all").touch()
    assert (tmp_path / "target" / "all").exists()


def test_keys_do_not_run_together() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")


def _hold(path: Path, started: threading.Event, leave: threading.Event) -> None:
    with locked(path):
        started.set()
        leave.wait(30)


def test_the_second_waits_and_says_so(tmp_path: Path) -> None:
    started, leave = threading.Event(), threading.Event()
    holder = threading.Thread(target=_hold, args=(tmp_path / "lock", started, leave))
    holder.start()
    assert started.wait(30)
    waited = []

    def on_wait() -> None:
        waited.append(True)
        leave.set()

    with locked(tmp_path / "lock", on_wait):
        pass
    holder.join(30)
    assert waited == [True]
