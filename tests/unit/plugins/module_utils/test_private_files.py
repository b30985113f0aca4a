# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that hold credentials, or that several processes share."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils import run_cache
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import locked, write_private


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", ["text ü\n", b"\xff\x00", ""])
@pytest.mark.parametrize("durable", [True, False])
def test_what_is_written_is_its_owners(tmp_path: Path, content: str | bytes, durable: bool) -> None:
    path = tmp_path / "deep" / "config"
    assert write_private(path, content, durable=durable) == path
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)


def test_what_others_could_read_they_read_no_more(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        write_private(path, "new")
        # whoever has it open has the last one, whole
        assert reader.read() == "old"
    assert (path.read_text(), mode_of(path)) == ("new", 0o600)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "config", tmp_path / "config"
    link.symlink_to(target)
    write_private(link, "text")
    assert link.is_symlink()
    assert target.read_text() == "text"


def test_what_cannot_be_written_leaves_the_last_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_private(tmp_path / "config", "last")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_cache.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, "next", durable=True)
    assert path.read_text() == "last"
    assert os.listdir(tmp_path) == ["config"]


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        "left": f".config.{gone.pid}.1.mcpops-part",
        "beyond any process": f".config.{10**30}.1.mcpops-part",
        "of one at work": f".config.{os.getppid()}.1.mcpops-part",
        "of another file": f".other.{gone.pid}.1.mcpops-part",
        "the user's": ".config.backup.mcpops-part",
    }
    for name in names.values():
        (tmp_path / name).write_text("half")
    write_private(tmp_path / "config", "whole")
    kept = {names[case] for case in ("of one at work", "of another file", "the user's")}
    assert set(os.listdir(tmp_path)) == {"config", *kept}


def test_many_writers_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    contents = [str(number) * 200_000 for number in range(8)]
    seen: set[str] = set()
    write_private(path, contents[0])

    def write(content: str) -> None:
        for _ in range(10):
            write_private(path, content)
            seen.add(path.read_text())

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen <= set(contents)
    assert os.listdir(tmp_path) == ["shared"]


def test_one_at_a_time(tmp_path: Path) -> None:
    """Ten that read, wait and write: without the lock most of their steps are lost."""
    counter, lock = tmp_path / "count", tmp_path / "run" / "count.lock"
    counter.write_text("0")

    def step() -> None:
        for _ in range(20):
            with locked(lock):
                now = int(counter.read_text())
                threading.Event().wait(0.0005)
                counter.write_text(str(now + 1))

    threads = [threading.Thread(target=step) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "200"
    assert mode_of(lock) == 0o600
