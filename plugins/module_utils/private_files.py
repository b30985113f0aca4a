# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files for this user only (0600): written atomically, locked while they are changed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

MODE = 0o600
_PART = ".mcpops-part"


def write_private(path: Path, content: str | bytes, *, durable: bool = False) -> Path:
    """Write a file and return its path; whoever reads it meanwhile reads the last one.

    A symbolic link stays one. `durable` survives the loss of power. What a killed process left is cleared away.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{_PART}")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process at a time, and one thread: others wait for the end of the block. `file` itself stays empty."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    """Parts of this file whose writers are gone."""
    begin = f".{path.name}."
    for name in os.listdir(path.parent):
        if name.startswith(begin) and name.endswith(_PART) and _is_gone(name[len(begin) :].partition(".")[0]):
            path.with_name(name).unlink(missing_ok=True)


def _is_gone(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except (PermissionError, ValueError):
        pass
    return False
