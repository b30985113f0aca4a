# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ignore_differences: leaves of live objects that somebody else may set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem

OPTION = "ignore_differences"

ARGUMENT_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "kind": {"type": "str", "required": True},
        "name": {"type": "str"},
        "paths": {"type": "list", "elements": "str", "required": True},
    },
}


@dataclass(frozen=True)
class IgnoredDifference:
    """Leaves of live objects that somebody else may set."""

    kind: str
    name: str | None
    paths: tuple[str, ...]


def ignored_differences(
    items: Sequence[Mapping[str, Any]] | None,
) -> tuple[tuple[IgnoredDifference, ...], list[Problem]]:
    """The rows of the option, and what is wrong with them."""
    rows = list(items or [])
    problems = [
        Problem(f"{OPTION}[{index}].paths", "must name at least one path")
        for index, item in enumerate(rows)
        if not item.get("paths") or not all(item["paths"])
    ]
    found = tuple(IgnoredDifference(item["kind"], item.get("name"), tuple(item.get("paths") or ())) for item in rows)
    return found, problems


def ignored_paths(rows: Iterable[IgnoredDifference], kind: str, name: str) -> list[str]:
    """The paths that are not looked at in one object."""
    return [path for row in rows if row.kind == kind and row.name in (None, name) for path in row.paths]
