# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example the documentation shows: found, and turned into playbooks and calls of modules that can be checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from gate.rules import modules

TASK_LISTS = ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always")
PLACEHOLDERS: dict[str, Any] = {
    "bool": True,
    "dict": {},
    "float": 1.0,
    "int": 1,
    "jsonarg": "{}",
    "list": [],
    "path": "/x",
    "raw": "x",
    "str": "x",
}

_FENCE = re.compile(r"^(?P<indent> *)```ya?ml[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A piece of YAML somebody may copy."""

    source: str
    text: str

    def plays(self) -> list[dict[str, Any]]:
        """As plays to check: a playbook as it stands, tasks in a play around them, variables not at all."""
        loaded = yaml.safe_load(self.text)
        if not isinstance(loaded, list) or not all(isinstance(entry, dict) for entry in loaded):
            return []
        if any("hosts" in entry or _imports_playbook(entry) for entry in loaded):
            return loaded
        if any(_is_task(entry) for entry in loaded):
            return [{"name": f"Example of {self.source}", "hosts": "all", "gather_facts": False, "tasks": loaded}]
        return []


@dataclass(frozen=True)
class Call:
    """A task of an example that uses a module of ours."""

    source: str
    module: str
    arguments: Mapping[str, Any]


def of_modules(root: Path) -> list[Example]:
    return [
        Example(f"plugins/modules/{name}.py", modules.constants(root, name).get("EXAMPLES", ""))
        for name in modules.module_names(root)
    ]


def of_pages(root: Path) -> list[Example]:
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted((root / "roles").glob("*/README.md"))]
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        for fence in _FENCE.finditer(text):
            line = text.count("\n", 0, fence.start()) + 1
            indent = fence.group("indent")
            body = "\n".join(row.removeprefix(indent) for row in fence.group("text").splitlines())
            found.append(Example(f"{page.relative_to(root)}:{line}", body))
    return found


def calls(example: Example) -> Iterator[Call]:
    """The uses of our modules, with what the play's module_defaults add to them."""
    for play in example.plays():
        for task in _tasks(play):
            for key, value in task.items():
                if key.startswith(f"{modules.COLLECTION}.") and isinstance(value, dict | None):
                    defaults = _defaults_for(key, play.get("module_defaults") or {})
                    yield Call(
                        example.source, key.removeprefix(f"{modules.COLLECTION}."), {**defaults, **(value or {})}
                    )


def fill(arguments: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with a value of the right type wherever a template stands: only a run knows what it would give."""
    by_name = {alias: option for name, option in spec.items() for alias in (name, *option.get("aliases", ()))}
    return {name: _fill_value(value, by_name.get(name, {})) for name, value in arguments.items()}


def _fill_value(value: Any, option: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and "{{" in value:
        return _placeholder(option)
    inner = option.get("options")
    if inner and isinstance(value, dict):
        return fill(value, inner)
    if isinstance(value, list):
        element = {"options": inner, "type": option.get("elements", "raw")}
        return [_fill_value(item, element) for item in value]
    return value


def _placeholder(option: Mapping[str, Any]) -> Any:
    """Something the option accepts; for a dictionary, with what it cannot do without."""
    if option.get("choices"):
        return option["choices"][0]
    if option.get("type") == "dict" and option.get("options"):
        return {name: _placeholder(inner) for name, inner in option["options"].items() if inner.get("required")}
    return PLACEHOLDERS[option.get("type", "str")]


def _tasks(container: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key in TASK_LISTS:
        for task in container.get(key) or []:
            yield task
            yield from _tasks(task)


def _defaults_for(action: str, module_defaults: Mapping[str, Any]) -> dict[str, Any]:
    groups: Iterable[Any] = (
        value for key, value in module_defaults.items() if key.startswith("group/mcpops.platform.")
    )
    merged: dict[str, Any] = {}
    for defaults in (*groups, module_defaults.get(action) or {}):
        merged |= defaults
    return merged


def _imports_playbook(entry: Mapping[str, Any]) -> bool:
    return "import_playbook" in entry or "ansible.builtin.import_playbook" in entry


def _is_task(entry: Mapping[str, Any]) -> bool:
    return any("." in key or key in TASK_LISTS for key in entry)


@dataclass(frozen=True)
class Pair:
    """Two examples of a module of which the later one removes what the earlier one has made."""

    made: Call
    removed: Call
    number: int

    def __str__(self) -> str:
        return f"{self.made.module} {self.number}"


# of how it is removed, not of what
_MANNER = frozenset({"state", "kubeconfig", "force_delete", "delete_crds", "delete_servers", "delete_data"})


def pairs(root: Path) -> list[Pair]:
    found = []
    for example in of_modules(root):
        earlier: list[Call] = []
        for call in calls(example):
            if call.arguments.get("state") != "absent":
                earlier.append(call)
                continue
            made = [one for one in earlier if one.module == call.module and _is_same(one, call)]
            found += [Pair(one, call, number) for number, one in enumerate(made, 1)]
    return found


def unpaired(root: Path) -> list[str]:
    """Examples that remove what no example makes."""
    paired = [(pair.removed.source, pair.removed.arguments) for pair in pairs(root)]
    return [
        f"{call.source}: {dict(call.arguments)}"
        for example in of_modules(root)
        for call in calls(example)
        if call.arguments.get("state") == "absent" and (call.source, call.arguments) not in paired
    ]


def _is_same(made: Call, removed: Call) -> bool:
    """Whether they name the same thing. Another owner makes it no other thing, but one that is not removed."""
    return all(
        _names(made.arguments, option, value)
        for option, value in removed.arguments.items()
        if option not in _MANNER and option != "owner"
    )


def _names(made: Mapping[str, Any], option: str, value: Any) -> bool:
    if option == "name":
        return value in [made.get("name"), *(entry["name"] for entry in made.get("servers") or [])]
    if option == "agents":
        return {entry["name"] for entry in value} <= {entry["name"] for entry in made.get("agents") or []}
    if option == "definitions":
        return _references(value) <= _references(made.get("definitions"))
    return bool(made.get(option) == value)


def _references(definitions: Any) -> set[tuple[str, ...]]:
    listed = list(yaml.safe_load_all(definitions)) if isinstance(definitions, str) else definitions or []
    return {
        (item["apiVersion"], item["kind"], item["metadata"]["name"], item["metadata"].get("namespace", ""))
        for item in listed
    }
