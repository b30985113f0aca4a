# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What roles have in their files: where a role is, and the tasks of our modules in it, not rendered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.utils.collection_loader._collection_finder import _get_collection_metadata, _get_collection_role_path

from ..module_utils.site.roles import ModuleTask, module_tasks

Load = Callable[[Path], Any]
"""The content of a YAML file."""


def loader_of(loader: Any) -> Load:
    """Ansible's loader for files of roles: what a role ships is as trusted as the role itself."""

    def load(path: Path) -> Any:
        # its templates are rendered. Nobody writes to it (unsafe: not a copy of its own)
        return loader.load_from_file(str(path), cache="all", unsafe=True, trusted_as_template=True)

    return load


def role_path(name: str, playbook: str = "") -> Path | None:
    if name.count(".") >= 2:
        found = _get_collection_role_path(name)
        return Path(found[1]) if found else None
    places: Iterable[str] = [f"{playbook}/roles", *constants.DEFAULT_ROLES_PATH, playbook]  # type: ignore[attr-defined]
    return next((Path(place, name) for place in places if Path(place, name).is_dir()), None)


def first(directory: Path, stem: str, load: Load) -> Any:
    for suffix in (".yml", ".yaml"):
        if (directory / (stem + suffix)).is_file():
            return load(directory / (stem + suffix))
    return None


def tasks_in(directory: Path, modules: Collection[str], load: Load, stem: str = "main") -> list[ModuleTask]:
    """The tasks of these modules in a file of the directory, with those in files that it includes."""

    def included(file: str) -> Any:
        return load(directory / file) if (directory / file).is_file() else None

    groups = _get_collection_metadata("mcpops.platform").get("action_groups", {})
    return module_tasks(first(directory, stem, load), modules, groups, included)
