# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ignore_differences: leaves of live objects that somebody else may set. Pure."""

from __future__ import annotations

import re
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


_ENCLOSED = re.compile(r'"[^"]*"|\[[^\]]*\]')


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
    problems = []
    for index, item in enumerate(rows):
        kind, paths = str(item["kind"]), item.get("paths") or []
        if not kind[:1].isupper():
            problems.append(
                Problem(
                    f"{OPTION}[{index}].kind", f"{kind!r} fits nothing: kinds are written as in manifests: Deployment"
                )
            )
        if not paths or not all(paths):
            problems.append(Problem(f"{OPTION}[{index}].paths", "must name at least one path"))
        problems += [
            Problem(f"{OPTION}[{index}].paths[{number}]", f"{path!r} fits nothing: {why}")
            for number, path in enumerate(paths)
            if (why := _fits_nothing(str(path)))
        ]
    found = tuple(IgnoredDifference(item["kind"], item.get("name"), tuple(item.get("paths") or ())) for item in rows)
    return found, problems


def _fits_nothing(path: str) -> str:
    """Why a path cannot be one that differences show; empty if it can."""
    if path.startswith("/"):
        words = path.strip("/").replace("~1", "/").replace("~0", "~").split("/")
        return f"keys are joined by dots, not by slashes, as in {'.'.join(words)}" if all(words) else "it names nothing"
    bare = path.lstrip("$").strip(" .")
    if bare != path:
        example = bare or "spec.replicas"
        return f"paths begin without a dot or $, and end without a dot or blanks: {example}"
    # what stands in quotes or in brackets may hold any character
    if "/" in _ENCLOSED.sub("", path):
        return 'write keys with dots or slashes in quotes, as in metadata.annotations."example.com/key"'
    return ""


def ignored_paths(rows: Iterable[IgnoredDifference], kind: str, name: str) -> list[str]:
    """The paths that are not looked at in one object."""
    return [path for row in rows if row.kind == kind and row.name in (None, name) for path in row.paths]
