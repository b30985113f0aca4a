# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables tasks may still define, from the files of a playbook and its roles."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from pathlib import Path

# below the directory of a playbook: what it may include; inventories lie beside these
_FOLDERS = ("handlers", "playbooks", "roles", "tasks", "vars")
_NOT_TASKS = frozenset({"group_vars", "host_vars"})
# a key of set_fact, vars, include_vars or a file of variables, or what a task registers
_DEFINITION = re.compile(
    r"\b(?:register|loop_var|index_var)[\"']?\s*:\s*[\"']?(\w+)"
    r"|(?<![\w.])(\w+)[\"']?\s*:(?=\s|$)",
    re.MULTILINE,
)


class LaterDefinitions:
    """The names that some file of the playbook, or of a role that it runs, defines; read when one is asked for."""

    def __init__(self, playbook: Path, roles: Iterable[Path]) -> None:
        self._playbook = playbook
        self._roles = tuple(roles)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    @cached_property
    def _names(self) -> Collection[str]:
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in dict.fromkeys(self._files()))
        return {name for text in texts for found in _DEFINITION.finditer(text) for name in found.groups() if name}

    def _files(self) -> Iterator[Path]:
        yield from self._playbook.glob("*.y*ml")
        for directory in (*(self._playbook / folder for folder in _FOLDERS), *self._roles):
            for path in directory.rglob("*.y*ml"):
                if _NOT_TASKS.isdisjoint(path.relative_to(directory).parts):
                    yield path
