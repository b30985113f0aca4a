# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of our modules in roles, and the variables that feed the options of those."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .expressions import handed_on

Path = tuple[Any, ...]
_WORD = re.compile(r"[A-Za-z_]\w*")


def variable_path(
    path: str, raw: Mapping[str, Any], rendered: Mapping[str, Any], variables: Mapping[str, Any], entry: tuple[str, str]
) -> str:
    """Where the variable is that fed what stands at `path` among the arguments of a task, or the path as it is.

    `raw` are the arguments as the task has them, `rendered` what they came to, `variables` those of the host. `entry`
    is the name of the loop's variable and the place of the entry that it is at: `("item", "r_pools[2]")`.
    """
    steps, rest = walked(path, rendered)
    if steps and rest[1:] in raw:
        # an option that the entry does not have itself is that of all entries
        path = rest[1:]
    steps, rest = walked(path, raw)
    source = at(raw, steps)
    if not isinstance(source, str):
        return path
    # a loop over numbers
    source = source.replace(f"[{entry[0]}]", f"[{variables.get(entry[0])}]") if entry[0] else source
    candidates = [_in_loop(name, *entry) for name in handed_on(source)]
    if candidates:
        return next((name for name in candidates if _is_known(name, variables)), candidates[0]) + rest
    return _in_loop(_of_same_value(steps, rest, source, rendered, variables), *entry) or path


def written_path(path: str, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """The place in a variable of the user that a place in a role's default hands on; neither mapping is rendered."""
    for _hop in range(len(defaults)):
        steps, rest = walked(path, defaults)
        if not steps or steps[0] in given:
            break
        known = [name for name in handed_on(at(defaults, steps)) if name in given or name in defaults]
        if not known:
            break
        path = known[0] + rest
    return path


def _in_loop(path: str, variable: str, place: str) -> str:
    inside = re.fullmatch(rf"{re.escape(variable)}((?:[.\[].*)?)", path)
    return place + inside[1] if place and inside else path


def _is_known(path: str, variables: Mapping[str, Any]) -> bool:
    steps, rest = walked(path, variables)
    return not rest and at(variables, steps) is not None


def walked(path: str, value: Any) -> tuple[Path, str]:
    """The steps of a path as far as the value has them, and the rest. A key may hold dots."""
    steps: list[Any] = []
    while path:
        bare = path.removeprefix(".") if steps else path
        if isinstance(value, Mapping):
            fits = [key for key in value if re.match(rf"{re.escape(str(key))}(?=[.\[ ]|$)", bare)]
            if not fits:
                break
            step: Any = max(fits, key=lambda key: len(str(key)))
            path = bare[len(str(step)) :]
        elif isinstance(value, list) and (found := re.match(r"\[(\d+)\]", path)) and int(found[1]) < len(value):
            step, path = int(found[1]), path[found.end() :]
        else:
            break
        steps.append(step)
        value = value[step]
    return tuple(steps), path


def at(value: Any, steps: Path) -> Any:
    for step in steps:
        value = value[step]
    return value


def _shown(steps: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _of_same_value(
    option: Path, rest: str, source: str, rendered: Mapping[str, Any], variables: Mapping[str, Any]
) -> str:
    """The place among the variables of an expression that holds what the option holds, under the same last steps."""
    steps, missing = walked(_shown(option) + rest, rendered)
    named = [name for name in dict.fromkeys(_WORD.findall(source)) if name in variables]
    places = [place for name in named for place in _places(variables[name], (name,))]
    for length in range(len(steps), len(option), -1):
        wanted = steps[:length]
        likeness = {place: _likeness(rendered, wanted, variables, place) for place in places}
        best = max(likeness.values(), default=0.0)
        if best > 0:
            alike = [place for place in places if likeness[place] == best]
            before = sum(1 for one in _entries_before(rendered, wanted) if one == at(rendered, wanted))
            return (
                _shown(alike[min(before, len(alike) - 1)]) + _shown((0, *steps[length:])).removeprefix("[0]") + missing
            )
    return named[0] if named else ""


def _likeness(rendered: Any, wanted: Path, variables: Any, place: Path) -> float:
    """How many last steps of two places agree, and a little for what their entries share; 0 where the values differ."""
    value, found = at(rendered, wanted), at(variables, place)
    if isinstance(wanted[-1], int):
        return _shared(value, found) if isinstance(place[-1], int) else 0
    if value != found and str(value) != str(found):
        return 0
    # which entry of a list it is says nothing: the lists differ
    last = wanted[2:] if isinstance(wanted[1], int) else wanted[1:]
    differs = (n for n, (one, other) in enumerate(zip(reversed(last), reversed(place))) if one != other)
    agree = next(differs, min(len(last), len(place)))
    entries = [at(root, steps[:2]) for root, steps in ((rendered, wanted), (variables, place)) if len(steps) > 1]
    return agree + (_shared(*entries) / 1000 if agree and len(entries) == 2 else 0)


def _shared(value: Any, found: Any) -> float:
    """What an entry has of another from which it was made, flat or as an object with metadata."""
    if not isinstance(value, Mapping) or not isinstance(found, Mapping):
        return float(value == found)
    metadata = value.get("metadata")
    flat = {**value, **(metadata if isinstance(metadata, Mapping) else {})}
    shared = sum(1 for key, one in found.items() if key in flat and flat[key] == one)
    return max(0.0, shared - len(found) / 1000) if shared else 0.0


def _entries_before(rendered: Any, wanted: Path) -> Iterator[Any]:
    """What stands at the same place of the entries before the one in question."""
    index = next((number for number, step in enumerate(wanted) if isinstance(step, int)), None)
    if index is None:
        return
    for number in range(wanted[index]):
        try:
            yield at(rendered, (*wanted[:index], number, *wanted[index + 1 :]))
        except (KeyError, IndexError, TypeError):
            continue


def _places(value: Any, path: Path) -> Iterator[Path]:
    yield path
    steps: Sequence[Any] = (
        list(value) if isinstance(value, Mapping) else range(len(value) if isinstance(value, list) else 0)
    )
    for step in steps:
        yield from _places(value[step], (*path, step))


COLLECTION = "mcpops.platform."
_INCLUDES = ("include_tasks", "import_tasks")
_BLOCKS = ("block", "rescue", "always", "pre_tasks", "tasks", "post_tasks")

Load = Callable[[str], Any]
"""The tasks in a file that a task includes, None where there is no such file."""


@dataclass(frozen=True)
class ModuleTask:
    """One task of one of our modules; nothing of it is rendered."""

    module: str
    arguments: Mapping[str, Any]
    conditions: tuple[Any, ...] = ()
    loop: Any = None
    loop_variable: str = "item"
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Around:
    """What a block, or the task that includes a file, says of all tasks in it."""

    conditions: tuple[Any, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    defaults: tuple[Mapping[str, Any], ...] = ()

    def within(self, task: Mapping[str, Any]) -> _Around:
        return _Around(
            (*self.conditions, *_listed(task.get("when"))),
            {**self.variables, **_mapping(task.get("vars"))},
            (*self.defaults, *map(_mapping, _listed(task.get("module_defaults")))),
        )


def module_tasks(
    tasks: Any, modules: Collection[str], groups: Mapping[str, Collection[str]], load: Load
) -> list[ModuleTask]:
    """Those of `modules` among the tasks (or plays), in their order, with what blocks around them say.

    `groups` are the action groups that module_defaults may name.
    """
    return list(_walk(tasks, _Around(), modules, groups, load))


def _walk(
    tasks: Any, related: _Around, modules: Collection[str], groups: Mapping[str, Collection[str]], load: Load
) -> Iterator[ModuleTask]:
    for task in filter(lambda one: isinstance(one, Mapping), _listed(tasks)):
        inside = related.within(task)
        for key in _BLOCKS:
            yield from _walk(task.get(key), inside, modules, groups, load)
        for key, arguments in task.items():
            bare = str(key).removeprefix(COLLECTION)
            if str(key).rpartition(".")[2] in _INCLUDES and "loop" not in task:
                file = arguments.get("file") if isinstance(arguments, Mapping) else arguments
                yield from _walk(load(str(file)), inside, modules, groups, load)
            elif bare in modules:
                own = {**_mapping(arguments), **_mapping(task.get("args"))}
                yield _module_task(bare, own, task, inside, groups)


def _module_task(
    module: str,
    arguments: Mapping[str, Any],
    task: Mapping[str, Any],
    related: _Around,
    groups: Mapping[str, Collection[str]],
) -> ModuleTask:
    defaults: dict[str, Any] = {}
    for named in related.defaults:
        for name, options in named.items():
            group = str(name).removeprefix("group/").removeprefix(COLLECTION)
            if group == module or (str(name).startswith("group/") and module in groups.get(group, ())):
                defaults.update(_mapping(options))
    control = _mapping(task.get("loop_control"))
    return ModuleTask(
        module,
        {**defaults, **arguments},
        related.conditions,
        task.get("loop", task.get("with_items")),
        str(control.get("loop_var", "item")),
        related.variables,
    )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
