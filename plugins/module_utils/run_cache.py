# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that all tasks of one run share: tokens, exec credentials, API discovery.

An Ansible worker lives for one task, so what it learned would be asked again by the next. The values are secret:
the directory is 0700 and the files 0600, and the whole goes when the run ends.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.private_files import locked, write_private

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
