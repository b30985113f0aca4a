# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about modules: a twin that runs in process, documentation, examples, action groups."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import yaml

COLLECTION = "mcpops.platform"
ATTRIBUTES = frozenset({"check_mode", "diff_mode", "idempotent"})
# Five times as fast as the one in Python, where PyYAML was built with it.
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The option that only the credentials of a service bring: who has it talks to that service.
GROUP_OPTIONS = {"azure": "auth_source", "kubernetes": "api_key"}


def module_names(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "plugins" / "modules").glob("*.py") if path.stem != "__init__")


def documentation(root: Path, module: str) -> dict[str, Any]:
    """The module's DOCUMENTATION with its fragments' options and attributes merged in."""
    texts = constants(root, module)
    merged: dict[str, Any] = yaml.load(texts.get("DOCUMENTATION", ""), FAST_LOADER) or {}
    named = merged.get("extends_documentation_fragment", [])
    for fragment in [named] if isinstance(named, str) else named:
        if not fragment.startswith(f"{COLLECTION}."):
            continue
        name, _dot, part = fragment.removeprefix(f"{COLLECTION}.").partition(".")
        fragments = _constants(root / "plugins" / "doc_fragments" / f"{name}.py")
        body = yaml.load(fragments[part.upper() or "DOCUMENTATION"], FAST_LOADER)
        for section in ("options", "attributes"):
            merged[section] = {**(body.get(section) or {}), **(merged.get(section) or {})}
    return merged


def examples(root: Path, module: str) -> list[dict[str, Any]]:
    """The tasks of the module's EXAMPLES, those inside of plays included."""
    text = constants(root, module).get("EXAMPLES", "")
    tasks: list[dict[str, Any]] = []
    for entry in yaml.load(text, FAST_LOADER) or []:
        tasks += entry.get("tasks", []) if "hosts" in entry else [entry]
    return tasks


def constants(root: Path, module: str) -> dict[str, str]:
    """The documentation a module file carries as strings."""
    return _constants(root / "plugins" / "modules" / f"{module}.py")


def missing_twins(root: Path) -> list[str]:
    modules, actions = set(module_names(root)), {p.stem for p in (root / "plugins" / "action").glob("*.py")}
    actions.discard("__init__")
    return [
        *(f"module {name} has no action plugin of its name: it would not run in process" for name in modules - actions),
        *(f"action plugin {name} has no module of its name: nothing documents it" for name in actions - modules),
    ]


def documentation_gaps(root: Path) -> list[str]:
    problems = []
    for name in module_names(root):
        present = constants(root, name)
        problems += [
            f"{name}: has no {part}" for part in ("DOCUMENTATION", "EXAMPLES", "RETURN") if part not in present
        ]
        lacking = ATTRIBUTES - set(documentation(root, name).get("attributes") or {})
        if lacking:
            problems.append(f"{name}: does not document the attributes {', '.join(sorted(lacking))}")
        if not any(f"{COLLECTION}.{name}" in task for task in examples(root, name)):
            problems.append(f"{name}: no example uses {COLLECTION}.{name}")
    return problems


def group_mismatches(root: Path) -> list[str]:
    """Modules that are on disk but not in exactly the groups whose credentials they take."""
    groups = _action_groups(root)
    problems = [f"meta/runtime.yml: group {name} is not one of ours" for name in groups.keys() - GROUP_OPTIONS.keys()]
    for name in module_names(root):
        options = documentation(root, name).get("options") or {}
        for group, marker in GROUP_OPTIONS.items():
            if (marker in options) and name not in groups.get(group, []):
                problems.append(f"{name}: takes {marker}, so it belongs in action group {group}")
            if (marker not in options) and name in groups.get(group, []):
                problems.append(f"{name}: takes no {marker}, so it does not belong in action group {group}")
    return problems


def dangling_group_entries(root: Path) -> list[str]:
    known = set(module_names(root))
    return [
        f"meta/runtime.yml: group {group} lists {name}, which is no module"
        for group, names in _action_groups(root).items()
        for name in names
        if name not in known
    ]


def _action_groups(root: Path) -> dict[str, list[str]]:
    runtime = yaml.safe_load((root / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    groups: dict[str, list[str]] = runtime.get("action_groups") or {}
    return groups


def _constants(path: Path) -> dict[str, str]:
    """The string constants of a file, at its top level or in a class there. Nothing is imported."""
    found: dict[str, str] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nested = [node for top in tree.body if isinstance(top, ast.ClassDef) for node in top.body]
    for node in [*tree.body, *nested]:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = node.value.value
    return found
