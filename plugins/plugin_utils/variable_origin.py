# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the inventory says a variable, and what of it is encrypted: from what Ansible remembers of its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from .ansible_core import EncryptedString

_VAULT = b"$ANSIBLE_VAULT"


def origins(given: Mapping[str, Any]) -> dict[str, str]:
    """Variable → file and line (below the working directory where it is there), or how else it was given."""
    return {name: place for name, value in given.items() if (place := _place(value))}


def vaulted(given: Mapping[str, Any]) -> set[str]:
    """The variables whose whole value is encrypted, inline or with their file."""
    return {name for name, value in given.items() if isinstance(value, EncryptedString) or _in_vault(value)}


def hidden(given: Mapping[str, Any], rendered: Callable[[str], Any]) -> Iterator[str]:
    """Every text that a vault keeps, also inside of a structure; `rendered(name)` is a variable's value."""
    for name, value in given.items():
        if _in_vault(value):
            try:
                yield from _leaves(rendered(name))
            except AnsibleError:
                # what cannot be rendered is not shown
                continue
        else:
            yield from _decrypted(value)


def _decrypted(value: Any) -> Iterator[str]:
    if isinstance(value, EncryptedString):
        try:
            yield str(value)
        except AnsibleError:
            # without its password nobody can show it either
            return
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _decrypted(below)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _decrypted(item)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for below in value.values():
            yield from _leaves(below)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _origin(value: Any) -> Any:
    try:  # core keeps it to itself, and a release without it costs the places only
        from ansible._internal._datatag._tags import Origin
    except ImportError:
        return None
    return Origin.get_tag(value)


def _place(value: Any) -> str:
    origin = _origin(value)
    if origin is None:
        return ""
    if not origin.path:
        return str(origin.description or "").strip("<>")
    path = Path(origin.path)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{origin.line_num}" if origin.line_num else str(shown)


def _in_vault(value: Any) -> bool:
    origin = _origin(value)
    return origin is not None and bool(origin.path) and _is_encrypted(str(origin.path))


@lru_cache(maxsize=1000)
def _is_encrypted(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_VAULT)) == _VAULT
    except OSError:
        return False
