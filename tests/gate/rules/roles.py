# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about roles: the files each has, and defaults that its argument spec knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FILES = ("README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml")


def role_names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "roles").glob("*") if path.is_dir())


def missing_files(root: Path) -> list[str]:
    return [
        f"roles/{name}: has no {required}"
        for name in role_names(root)
        for required in FILES
        if not (root / "roles" / name / required).is_file()
    ]


def missing_scenarios(root: Path) -> list[str]:
    return [
        f"roles/{name}: has no molecule scenario extensions/molecule/{name}"
        for name in role_names(root)
        if not (root / "extensions" / "molecule" / name / "molecule.yml").is_file()
    ]


def undocumented_variables(root: Path) -> list[str]:
    problems = []
    for name in role_names(root):
        specs = (_load(root / "roles" / name / "meta" / "argument_specs.yml") or {}).get("argument_specs", {})
        problems += [
            f"roles/{name}: entry point {entry} has no {key}"
            for entry, spec in specs.items()
            for key in ("short_description", "description")
            if not spec.get(key)
        ]
        documented = {option for spec in specs.values() for option in spec.get("options") or {}}
        for variable in _load(root / "roles" / name / "defaults" / "main.yml") or {}:
            if not variable.startswith((f"{name}_", f"_{name}_")):
                problems.append(f"roles/{name}: default {variable} does not carry the role's name as prefix")
            elif variable not in documented and not variable.startswith("_"):
                problems.append(f"roles/{name}: default {variable} is not in meta/argument_specs.yml")
    return problems


def _load(path: Path) -> dict[str, Any] | None:
    loaded: dict[str, Any] | None = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return loaded
