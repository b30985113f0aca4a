# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that read what nothing defines: neither the inventory, nor a file of the playbook or its roles."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Container, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from ..module_utils.site.inventory import CLOSE_ENOUGH, COMMON_PREFIX, Finding, Host

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


_UNDEFINED = re.compile(r"'(\w+)' is undefined")
# set by Ansible, or told apart as a variable that only the inventory sets
_OF_OTHERS = ("ansible_", COMMON_PREFIX)


def undefined_findings(host: Host, later: Container[str]) -> Iterator[Finding]:
    """Variables of the user that read one which nothing defines, neither the inventory nor a task (`later`)."""
    for variable, reason in host.deferred.items():
        name = host.spelled.get(variable, variable)
        found = _UNDEFINED.match(reason)
        if name not in host.written or found is None:
            continue
        missing = found[1]
        if not missing.startswith(_OF_OTHERS) and missing not in later:
            near = difflib.get_close_matches(missing, sorted(host.written), n=1, cutoff=CLOSE_ENOUGH)
            advice = f"did you mean {near[0]}?" if near else "set it in the inventory, or correct its name"
            yield Finding(host.name, name, f"reads {missing!r}, which nothing defines: {advice}")
