# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the files are that a task names: one order for all options, the one of Ansible's own modules and lookups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFileNotFound

from ..module_utils.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

FILES, TEMPLATES = "files", "templates"


class NotFound(Exception):
    """A relative path that is nowhere; the text says where it was searched for."""


def find(action: ActionBase, directory: str, name: str) -> str:
    """The absolute path of a file that a task names relatively; NotFound with every place that was searched.

    Role, file of the task and playbook come first, each with its `files` or `templates`, as for ansible.builtin.copy
    and template. The current directory comes last: the playbook of an installed collection lies in the collection, and
    the files that an inventory names lie in the project that the run was started in.
    """
    if not _is_relative(name):
        return name
    try:
        return str(action._find_needle(directory, name))
    except AnsibleFileNotFound as exc:
        here = [Path.cwd() / directory / name, Path.cwd() / name]
        found = next((place for place in here if place.exists()), None)
        if found is not None:
            return str(found)
        places = dict.fromkeys(map(str, [*(exc.paths or ()), *here]))
        raise NotFound(f"{name} was not found; searched for {', '.join(places)}") from None


def with_absolute_paths(
    action: ActionBase, subject: str, options: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments with absolute paths in these options, which come with their specification.

    InvalidInput with everything that was not found.
    """
    found = dict(arguments)
    wrong: list[Problem] = []
    for option, spec in options.items():
        given = arguments.get(option)
        if isinstance(given, str) and spec["type"] == "list":
            # as Ansible reads it
            given = [name.strip() for name in given.split(",")]
        names = given if isinstance(given, (list, tuple)) else [given]
        places = list(names)
        for number, name in enumerate(names):
            try:
                places[number] = find(action, FILES, name) if isinstance(name, str) and name else name
            except NotFound as exc:
                wrong.append(Problem(f"{option}[{number}]" if names is given else option, str(exc)))
        if given is not None:
            found[option] = places if names is given else places[0]
    if wrong:
        raise InvalidInput(subject, wrong)
    return found


def _is_relative(name: str) -> bool:
    """Neither absolute, nor of a user's home or a variable, nor an address."""
    return not name.startswith(("/", "~", "$")) and "://" not in name
