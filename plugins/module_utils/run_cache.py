# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tasks of one run share, in private files (0600, written atomically, locked).

Tokens, exec credentials and discovery; in check mode also what does not exist yet or would have been deleted.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from .task import Task

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


_IN_PROCESS: dict[str, tuple[float, Any]] = {}


class RunCache:
    """A JSON value per key with an expiry; without a directory it lives as long as this process."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory / "mcpops" if directory is not None else None

    def get_or_make(self, key: tuple[str, ...], make: Callable[[], tuple[Any, float]]) -> Any:
        """The cached value, or what `make` returns as (value, seconds it is good for); made once at a time."""
        name = _name(key)
        with self._locked(name):
            found = self._read(name)
            if found is not None and found[0] > time.time():
                return found[1]
            value, good_for = make()
            self._write(name, (time.time() + good_for, value))
            return value

    def known(self, key: tuple[str, ...]) -> Any:
        """The cached value, or None."""
        found = self._read(_name(key))
        return found[1] if found is not None and found[0] > time.time() else None

    def change(self, key: tuple[str, ...], changed: Callable[[Any], Any], good_for: float) -> None:
        """Replace a value by what `changed` makes of it (or of None); nobody else changes it meanwhile."""
        name = _name(key)
        with self._locked(name):
            self._write(name, (time.time() + good_for, changed(self.known(key))))

    def forget(self, key: tuple[str, ...]) -> None:
        """Drop a value that turned out stale (a refused token, a discovery that lacks a new kind)."""
        name = _name(key)
        if self._directory is None:
            _IN_PROCESS.pop(name, None)
        else:
            (self._directory / name).unlink(missing_ok=True)

    def _locked(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self._directory is None else locked(self._directory / f"{name}.lock")

    def _read(self, name: str) -> tuple[float, Any] | None:
        if self._directory is None:
            return _IN_PROCESS.get(name)
        try:
            expires, value = json.loads((self._directory / name).read_text())
        except (OSError, ValueError):
            return None
        return float(expires), value

    def _write(self, name: str, entry: tuple[float, Any]) -> None:
        if self._directory is None:
            _IN_PROCESS[name] = entry
        else:
            write_private(self._directory / name, json.dumps(entry))


def _name(key: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


class ClusterPending(Exception):
    """Check mode, and the cluster (or its kubeconfig) is made by an earlier task of the real run."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def login_records(directory: Path) -> list[Path]:
    """Of the kubeconfigs whose token this run renews (arm/cluster_token)."""
    return sorted((directory / "mcpops").glob("login-*.json"))


def check_mode_copy(task: Task, path: Path) -> Path | None:
    """The per-run copy that stands for `path` in check mode, if an earlier task left one."""
    return _left(task, path, "kubeconfig")


def write_check_mode_copy(task: Task, path: Path, content: str) -> None:
    """Leave what `path` would hold for the later tasks of this check-mode run."""
    marker = _place(task, path, "pending")
    if marker is not None:
        marker.unlink(missing_ok=True)
    _write(_place(task, path, "kubeconfig"), content)


def mark_pending(task: Task, path: Path, reason: str) -> None:
    """Say why `path` cannot exist yet: later tasks report their whole plan instead of failing."""
    _write(_place(task, path, "pending"), reason)


def pending_reason(task: Task, path: Path) -> str | None:
    """What `mark_pending` said about `path` in this check-mode run."""
    place = _left(task, path, "pending")
    return place.read_text(encoding="utf-8") if place is not None else None


def _left(task: Task, path: Path, kind: str) -> Path | None:
    """What an earlier task of this check-mode run left for `path`."""
    place = _place(task, path, kind)
    return place if task.check_mode and place is not None and place.exists() else None


def _place(task: Task, path: Path, kind: str) -> Path | None:
    if task.run_directory is None:
        return None
    name = hashlib.sha256(os.path.abspath(path.expanduser()).encode()).hexdigest()[:24]
    return task.run_directory / "mcpops" / f"{kind}-{name}"


def _write(place: Path | None, content: str) -> None:
    if place is not None:
        write_private(place, content)


# a run that takes longer between the two tasks looks again
_GOOD_FOR_SECONDS = 120.0
# longer than any check
_RUN_SECONDS = 86400.0


def _key(task: Task, resource_id: str, what: str = "arm-reading") -> tuple[str, ...]:
    # the endpoint is part of the key: two clouds may know the same id
    return (what, str(task.params.get("cloud_environment") or ""), resource_id.lower())


def cache_resource(task: Task, resource_id: str, body: dict[str, Any] | None) -> None:
    """Keep `body` for `cached_resource`; None forgets."""
    RunCache(task.run_directory).change(_key(task, resource_id), lambda _earlier: body, _GOOD_FOR_SECONDS)


def cached_resource(task: Task, resource_id: str, keep: bool = False) -> dict[str, Any] | None:
    """What was remembered, once unless `keep`: a caller that changes something, or runs again, reads for itself."""
    cache = RunCache(task.run_directory)
    found: dict[str, Any] | None = cache.known(_key(task, resource_id))
    if not keep:
        cache.forget(_key(task, resource_id))
    return found


def mark_deleted(task: Task, resource_id: str) -> None:
    """In check mode: the resource would be gone for the tasks that follow."""
    if task.check_mode:
        key = _key(task, resource_id, "arm-would-delete")
        RunCache(task.run_directory).change(key, lambda _earlier: True, _RUN_SECONDS)


def is_marked_deleted(task: Task, resource_id: str) -> bool:
    """Whether an earlier task of this check would have deleted it."""
    key = _key(task, resource_id, "arm-would-delete")
    return task.check_mode and bool(RunCache(task.run_directory).known(key))
