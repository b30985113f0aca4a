# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that read what nothing defines: neither the inventory, nor a file of the playbook or its roles."""

from __future__ import annotations

import contextlib
import difflib
import glob
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv
from ansible.parsing.vault import is_encrypted_file

from ..module_utils.site.inventory import CLOSE_ENOUGH, COMMON_PREFIX, Finding, Host

# below the directory of a playbook: what it may include; inventories lie beside these
_FOLDERS = ("handlers", "playbooks", "roles", "tasks", "vars")
# of inventories, of what is copied or rendered, and of what describes a role or tests it
_NOT_TASKS = frozenset({"group_vars", "host_vars", "files", "templates", "meta", "molecule", "tests"})
_OF_VARIABLES = frozenset({"vars", "defaults"})
_ENDINGS = (".yml", ".yaml", ".json")
# keywords and actions that name a further file
_INCLUDES = frozenset({"import_playbook", "import_tasks", "include", "include_tasks", "include_vars", "vars_files"})
# options of add_host, which are no variables of the host that it makes
_OF_NEW_HOSTS = frozenset({"name", "host", "hostname", "group", "groups", "groupname"})
_EXPRESSION = re.compile(r"\{\{.*?\}\}")
_PLAYBOOK_DIR, _ROLE_PATH = (re.compile(rf"\{{\{{\s*{name}\s*\}}\}}") for name in ("playbook_dir", "role_path"))


class LaterDefinitions:
    """The names that some file of the playbook, or of a role that it runs, defines; read when one is asked for.

    `load` is Ansible's reader of files, which knows the passwords of vaults.
    """

    def __init__(self, playbook: Path, roles: Iterable[Path], load: Callable[[Path], Any]) -> None:
        self._playbook = playbook
        self._roles = tuple(roles)
        self._load = load
        self._is_hidden = False
        """Whether a file is encrypted with a password that nobody gave: it may define anything."""

    def __contains__(self, name: object) -> bool:
        return name in self._names or self._is_hidden

    @cached_property
    def _names(self) -> Collection[str]:
        found: set[str] = set()
        seen: set[Path] = set()
        waiting = [*self._files()]
        while waiting:
            path = waiting.pop().resolve()
            if path in seen:
                continue
            seen.add(path)
            content = self._read(path)
            if isinstance(content, Mapping):
                # a file of variables
                found.update(map(str, content))
            found.update(_defined(content))
            waiting += [file for name in _included(content) for file in self._sought(name, path.parent)]
        return found

    def _files(self) -> Iterator[Path]:
        yield from (path for path in self._playbook.glob("*") if path.suffix in _ENDINGS and path.is_file())
        for directory in (*(self._playbook / folder for folder in _FOLDERS), *self._roles):
            for path in directory.rglob("*"):
                folders = path.relative_to(directory.parent).parts[:-1]
                # a file of variables may be without an ending
                known = path.suffix in _ENDINGS or (not path.suffix and not _OF_VARIABLES.isdisjoint(folders))
                if known and _NOT_TASKS.isdisjoint(folders) and path.is_file():
                    yield path
        yield from (path for role in self._roles for path in role.glob("meta/main.y*ml"))

    def _read(self, path: Path) -> Any:
        try:
            content = self._load(path)
        except (AnsibleError, UnicodeDecodeError, RecursionError):
            with contextlib.suppress(OSError), path.open("rb") as file:
                self._is_hidden = self._is_hidden or is_encrypted_file(file)
            return None
        # of what describes a role, its dependencies may set variables
        return [content] if path.parent.name == "meta" else content

    def _sought(self, name: str, beside: Path) -> Iterator[Path]:
        """The files that may be meant; an expression in a name may come to anything, but for that of a place."""
        text = _PLAYBOOK_DIR.sub(str(self._playbook.resolve()), _ROLE_PATH.sub(str(beside.parent), name))
        pattern = "*".join(map(glob.escape, _EXPRESSION.split(text)))
        # a name of nothing but an expression could be any file
        if not re.search(r"\w", pattern.rpartition("/")[2].partition(".")[0] + pattern.rpartition("/")[0]):
            return
        for place in (beside, beside / "vars", beside.parent / "vars", self._playbook):
            whole = Path(glob.escape(str(place.absolute())), pattern)
            for path in Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))):
                # a folder of variables
                inside = path.rglob("*") if path.is_dir() and "*" not in pattern else (path,)
                yield from (one for one in inside if one.is_file() and (one is path or one.suffix in _ENDINGS))


def _defined(content: Any) -> Iterator[str]:
    """The variables that plays, blocks, tasks and entries of roles set, at any depth."""
    if isinstance(content, list):
        for below in content:
            yield from _defined(below)
    if not isinstance(content, Mapping):
        return
    for keyword, value in content.items():
        name = str(keyword).rpartition(".")[2]
        if name == "register":
            yield from map(str, value if isinstance(value, list) else [value])
        elif name == "vars":
            yield from _keys(value)
        elif name in ("set_fact", "add_host"):
            others = _OF_NEW_HOSTS if name == "add_host" else ()
            yield from (key for key in (*_keys(value), *_keys(content.get("args"))) if key not in others)
        elif name in ("action", "local_action"):
            # the words of an action in one line
            yield from _keys(value)
        elif name == "loop_control" and isinstance(value, Mapping):
            yield from (str(value[key]) for key in ("loop_var", "index_var") if key in value)
        elif name == "include_vars" and isinstance(value, Mapping):
            yield str(value.get("name"))
        elif name == "vars_prompt":
            yield from (str(one.get("name")) for one in _mappings(value))
        elif name in ("roles", "dependencies"):
            yield from (str(key) for one in _mappings(value) for key in one)
        yield from _defined(value)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, str) and "=" in value:
        value = parse_kv(value)
    yield from (str(key) for one in _mappings(value if isinstance(value, list) else [value]) for key in one)


def _mappings(value: Any) -> list[Mapping[Any, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _included(content: Any) -> Iterator[str]:
    """The names of files, or folders of them, that are included or imported."""
    if isinstance(content, list):
        for below in content:
            yield from _included(below)
    if not isinstance(content, Mapping):
        return
    for keyword, value in content.items():
        if str(keyword).rpartition(".")[2] in _INCLUDES:
            named = [value.get("file"), value.get("dir")] if isinstance(value, Mapping) else value
            yield from _texts(named)
        yield from _included(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for below in value:
            yield from _texts(below)
    elif isinstance(value, str) and value.strip():
        yield value.strip()


_UNDEFINED = re.compile(r"'(\w+)' is undefined")
# set by Ansible, or told apart as a variable that only the inventory sets
_OF_OTHERS = ("ansible_", COMMON_PREFIX)
# what Ansible sets for a loop, a role or a play, and not for a host alone
_OF_TASKS = frozenset({"item", "role_name", "role_path", "role_names", "play_hosts"})


def undefined_findings(host: Host, later: Container[str]) -> Iterator[Finding]:
    """Variables of the user that read one which nothing defines, neither the inventory nor a task (`later`)."""
    for variable, reason in host.deferred.items():
        name = host.spelled.get(variable, variable)
        found = _UNDEFINED.match(reason)
        if name not in host.written or found is None:
            continue
        missing = found[1]
        if not missing.startswith(_OF_OTHERS) and missing not in _OF_TASKS and missing not in later:
            near = difflib.get_close_matches(missing, sorted(host.written), n=1, cutoff=CLOSE_ENOUGH)
            advice = f"did you mean {near[0]}?" if near else "set it in the inventory, or correct its name"
            yield Finding(host.name, name, f"reads {missing!r}, which nothing defines: {advice}")
