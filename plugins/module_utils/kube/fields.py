# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one reader of managedFields: who wrote what and when, and routes through objects as `fieldsV1` has them. Pure.

`fieldsV1` is a tree whose keys are `f:<field>`, `k:<key of a list item as JSON>`, `v:<value of a set>`, `i:<index>`
and `.` for the node itself; an empty node is a leaf. A route is the way to one leaf.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure, canonical
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join

Route = tuple[str, ...]
Pointer = tuple["str | int", ...]
Tree = Mapping[str, Any]
"""A node of `fieldsV1`."""


@dataclass(frozen=True)
class Entry:
    """One entry of managedFields."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: Tree


def entries(item: Mapping[str, Any]) -> list[Entry]:
    """Who wrote this object."""
    return [
        Entry(
            str(one.get("manager")),
            str(one.get("operation")),
            str(one.get("apiVersion")),
            str(one.get("subresource") or ""),
            str(one.get("time") or ""),
            one.get("fieldsV1") or {},
        )
        for one in (item.get("metadata") or {}).get("managedFields") or []
    ]


def without_entries(item: Mapping[str, Any], managers: Collection[str]) -> list[dict[str, Any]] | None:
    """managedFields without what these managers own beside the status; None where they own nothing."""
    present = (item.get("metadata") or {}).get("managedFields") or []
    kept = [one for one in present if one.get("manager") not in managers or one.get("subresource") == "status"]
    return kept if len(kept) != len(present) else None


def field_step(name: str) -> str:
    return f"f:{name}"


def item_step(key: Mapping[str, Any]) -> str:
    """The step to the item of a list that has these key fields."""
    return f"k:{canonical(dict(key))}"


def part_of(tree: Tree, *names: str) -> Tree | None:
    """What is owned below these fields; None where nothing is."""
    for name in names:
        below = tree.get(field_step(name))
        if below is None:
            return None
        tree = below
    return tree


def field_names(tree: Tree | None) -> list[str]:
    """The fields of a mapping that are owned, or hold something that is."""
    return [key[2:] for key in tree or () if key.startswith("f:")]


def item_keys(tree: Tree) -> dict[str, Mapping[str, Any]]:
    """The key fields of the items of a list that are owned, by their steps."""
    return {key: _parsed(key[2:]) for key in tree if key.startswith("k:")}


def set_members(tree: Tree) -> list[Any]:
    """The values of a set that are owned."""
    return [_parsed(key[2:]) for key in tree if key.startswith("v:")]


def routes(fields: Mapping[str, Any], above: Route = ()) -> Iterator[Route]:
    """Every leaf of a tree; a list item counts by itself where nothing below it does."""
    for key, below in fields.items():
        if key == ".":
            if above and above[-1].startswith("k:") and len(fields) == 1:
                yield above
            continue
        if below:
            yield from routes(below, (*above, key))
        else:
            yield (*above, key)


def route_path(route: Route) -> str:
    """A route as the path that plans and diffs show."""
    path = ""
    for step in route:
        if step.startswith("f:"):
            path = join(path, step[2:])
        elif step.startswith("k:"):
            path += f"[{','.join(str(value) for value in json.loads(step[2:]).values())}]"
        elif step.startswith("v:"):
            path += f"[{json.loads(step[2:])}]"
        elif step.startswith("i:"):
            path += f"[{step[2:]}]"
    return path


def pointer(item: Any, route: Sequence[str], structure: Structure = UNKNOWN) -> Pointer | None:
    """The place of a route in an object, or None when it is not there.

    With a structure, key fields that an item of a list leaves to their defaults count as written.
    """
    found: list[str | int] = []
    for step in route:
        place = _place(item, step, structure)
        if place is None:
            return None
        found.append(place)
        item = item[place]
        structure = structure.field(place) if isinstance(place, str) else structure.items
    return tuple(found)


def value_at(item: Any, route: Sequence[str], structure: Structure = UNKNOWN) -> Any:
    """The value a route leads to, or None."""
    place = pointer(item, route, structure)
    if place is None:
        return None
    for step in place:
        item = item[step]
    return item


def declares(declared: Any, route: Sequence[str], structure: Structure = UNKNOWN) -> bool:
    """Whether the declaration says something at this leaf, or about the whole that it is part of."""
    for step in route:
        if step.startswith(("f:", "k:", "v:")) and isinstance(declared, (Mapping, list)):
            place = _place(declared, step, structure)
            if place is None:
                return False
            declared = _at(declared, place)
            structure = structure.field(place) if isinstance(place, str) else structure.items
        else:
            return declared is not None
    return declared is not None


def whole_item(declared: Any, route: Route, structure: Structure = UNKNOWN) -> Route:
    """The route, cut at the first list item that is not declared: without its key it would be no item."""
    for length, step in enumerate(route, 1):
        if step.startswith("k:") and not declares(declared, route[:length], structure):
            return route[:length]
    return route


def json_pointer(place: Pointer) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)


def from_the_end(place: Pointer) -> tuple[tuple[int, str], ...]:
    """A key that sorts places so that removing an earlier one does not move a later one (reversed)."""
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in place)


def without(value: Any, doomed: Sequence[Sequence[str]], structure: Structure = UNKNOWN) -> Any:
    """The value without what these routes lead to."""
    if not doomed:
        return value
    if isinstance(value, Mapping):
        below = {key: [route[1:] for route in doomed if route and route[0] == f"f:{key}"] for key in value}
        return {
            key: without(value[key], below[key], structure.field(str(key)))
            for key in value
            if not any(not rest for rest in below[key])
        }
    if isinstance(value, list):
        kept = []
        for index, item in enumerate(value):
            rests = [route[1:] for route in doomed if route and _names(route[0], item, index, structure)]
            if all(rests):
                kept.append(without(item, rests, structure.items))
        return kept
    return value


def _place(item: Any, step: str, structure: Structure) -> str | int | None:
    if step.startswith("f:"):
        return step[2:] if isinstance(item, Mapping) and step[2:] in item else None
    if not isinstance(item, list):
        return None
    if step.startswith("i:"):
        return int(step[2:]) if int(step[2:]) < len(item) else None
    return next((index for index, one in enumerate(item) if _names(step, one, index, structure)), None)


def _at(item: Any, place: str | int) -> Any:
    return item[place]


def _names(step: str, item: Any, index: int, structure: Structure) -> bool:
    """Whether a step leads to this item of a list."""
    if step.startswith("k:"):
        if not isinstance(item, Mapping):
            return False
        key = _parsed(step[2:])
        if any(field not in item for field in key):
            own = structure.key_of(item)
            # without a structure, what is left to a default may be anything
            item = {**(dict(own) if own is not None else key), **item}
        return all(field in item and _equal(item[field], value) for field, value in key.items())
    if step.startswith("v:"):
        return _equal(item, _parsed(step[2:]))
    return step == f"i:{index}"


@lru_cache(maxsize=10000)
def _parsed(text: str) -> Any:
    """The key or the value of a step, asked for with every item of its list; shared, so never to be changed."""
    parsed = json.loads(text)
    return MappingProxyType(parsed) if isinstance(parsed, dict) else parsed


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
