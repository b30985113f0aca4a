# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code of an agent: one file or a directory, as the content of a ConfigMap."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..text import listed

LARGEST = 1024 * 1024
"""Bytes of all keys and values together: what an API server takes in a ConfigMap (MaxSecretSize of Kubernetes)."""
DEFAULT_ENTRYPOINT = "main.py"
_MOST_FILES = 500
_SHOWN = 5
_LEFT_OUT = ("__pycache__", "node_modules")
_KEY_SEPARATOR = "__"


@dataclass(frozen=True)
class Code:
    """Files by their path below the directory that they are mounted at, and the one that is run."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    entrypoint: str = DEFAULT_ENTRYPOINT

    @property
    def digest(self) -> str:
        """Of names and content: another one means other pods."""
        found = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            for part in (path.encode(), content):
                found.update(f"{len(part)}:".encode() + part)
        return found.hexdigest()[:32]

    @property
    def size(self) -> int:
        return sum(len(key_of_file(path)) + len(content) for path, content in self.files.items())

    def data(self) -> dict[str, Any]:
        """The fields of the ConfigMap."""
        found: dict[str, dict[str, str]] = {"data": {}, "binaryData": {}}
        for path, content in sorted(self.files.items()):
            try:
                found["data"][key_of_file(path)] = content.decode("utf-8")
            except UnicodeDecodeError:
                found["binaryData"][key_of_file(path)] = base64.b64encode(content).decode()
        return {name: values for name, values in found.items() if values}

    def items(self) -> list[dict[str, str]]:
        """Where each key is mounted."""
        return [{"key": key_of_file(path), "path": path} for path in sorted(self.files)]


def key_of_file(path: str) -> str:
    """A key of a ConfigMap holds no slash."""
    return path.replace("/", _KEY_SEPARATOR)


def read_script(path: Path) -> tuple[Code, list[str]]:
    """One file; what is wrong with it."""
    try:
        return _checked(Code({path.name: path.read_bytes()}, path.name), str(path))
    except OSError as exc:
        return Code(), [f"{path} cannot be read: {exc.strerror}"]


def read_directory(directory: Path, entrypoint: str) -> tuple[Code, list[str]]:
    """All files below a directory but hidden ones and what interpreters leave; what is wrong with them."""
    if not directory.is_dir():
        return Code(), [f"{directory} is not a directory"]
    files: dict[str, bytes] = {}
    try:
        for path in _files(directory):
            if len(files) == _MOST_FILES:
                return Code(), [f"{directory} holds more than {_MOST_FILES} files: build an image of it"]
            files[path.relative_to(directory).as_posix()] = path.read_bytes()
    except OSError as exc:
        return Code(), [f"{exc.filename} cannot be read: {exc.strerror}"]
    if entrypoint not in files:
        beside = f"; it holds {listed(sorted(files), _SHOWN)}" if files else ""
        return Code(), [f"{directory} has no file {entrypoint} to run{beside}: name another one in entrypoint"]
    return _checked(Code(files, entrypoint), str(directory))


def _files(directory: Path) -> Iterator[Path]:
    """In one order on every machine."""
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.name in _LEFT_OUT or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _checked(code: Code, place: str) -> tuple[Code, list[str]]:
    keys: dict[str, str] = {}
    wrong = []
    for path in sorted(code.files):
        key = key_of_file(path)
        if not all(sign.isascii() and (sign.isalnum() or sign in "-_.") for sign in key) or len(key) > 253:
            wrong.append(f"{place}: {path} cannot be a key of a ConfigMap: letters, digits, -, _ and . in file names")
        if key in keys:
            wrong.append(f"{place}: {keys[key]} and {path} would be one key of a ConfigMap ({key}): rename one")
        keys[key] = path
    if code.size > LARGEST:
        wrong.append(
            f"{place} comes to {code.size} bytes, and a ConfigMap holds {LARGEST} (1 MiB): build an image of it and "
            "name that in image"
        )
    return code, wrong
