# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a declaration is applied, where others may set a part of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import (
    Route,
    declares,
    entries,
    field_step,
    item_step,
    pointer,
    route_path,
    value_at,
    without,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import own_routes, owners
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import Structure
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Tolerated, with_additions
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join


def to_apply(
    declared: Mapping[str, Any],
    live: Mapping[str, Any],
    our_managers: Collection[str],
    manager: str,
    structure: Structure,
    expected: Tolerated,
) -> dict[str, Any]:
    """The declaration with what stands, in the places that are left to others.

    A leaf that `manager` owns keeps its present value: leaving it out would take it away. Any other is left out. Of a
    structure that others may add to, the declared part stays, with what they have added.
    """
    others = [entry for entry in entries(live) if entry.manager not in our_managers]
    if not expected.names_paths and all(entry.subresource == "status" for entry in others):
        return dict(declared)
    result: Any = dict(declared)
    mine = set(own_routes(live, manager))
    gone: list[Route] = []
    for route, managers in owners(live).items():
        theirs = managers.difference(our_managers)
        if not theirs or not declares(declared, route, structure):
            continue
        path = route_path(route)
        if expected.yields(path, theirs, value_at(declared, route, structure)):
            kept = value_at(live, route, structure)
        elif expected.allows_additions(path, theirs):
            wanted = value_at(declared, route, structure)
            standing = value_at(live, route, structure)
            kept = with_additions(wanted, standing)
            if kept != standing:
                result = _replaced(result, route, kept, structure)
                continue
        else:
            continue
        if route in mine:
            result = _replaced(result, route, kept, structure)
        else:
            gone.append(route)
    result = without(result, gone, structure)
    if not expected.names_paths:
        return dict(result)
    return dict(_without_ignored(result, live, _Place(("",), (), structure), expected, mine))


def _replaced(value: Any, route: Route, new: Any, structure: Structure) -> Any:
    """A copy of `value` with `new` at the place of the route, which is there."""
    place = pointer(value, route[:1], structure)
    if not route or place is None:
        return new if not route else value
    step = place[0]
    below = structure.field(step) if isinstance(step, str) else structure.items
    changed = _replaced(value[step], route[1:], new, below)
    if isinstance(value, Mapping):
        return {**value, step: changed}
    return [changed if index == step else item for index, item in enumerate(value)]


@dataclass(frozen=True)
class _Place:
    """Where a value stands: every way to write its path, its route as managedFields have it, and its structure."""

    paths: tuple[str, ...]
    route: Route
    structure: Structure

    def below(self, key: str) -> _Place:
        paths = tuple(join(path, key) for path in self.paths)
        return _Place(paths, (*self.route, field_step(key)), self.structure.field(key))

    def item(self, item: Any, index: int) -> _Place:
        """An item of a list, which a path names by its keys, its name or its number."""
        key = self.structure.key_of(item)
        names = {str(index), *([",".join(str(value) for _field, value in key)] if key else [])}
        if isinstance(item, Mapping) and "name" in item:
            names.add(str(item["name"]))
        # items of a list that is one piece belong to whoever the list belongs to
        route = (*self.route, item_step(dict(key))) if key else self.route
        paths = tuple(f"{path}[{name}]" for path in self.paths for name in sorted(names))
        return _Place(paths, route, self.structure.items)


def _without_ignored(value: Any, live: Any, place: _Place, expected: Tolerated, mine: Collection[Route]) -> Any:
    """Without the paths that a user named; one that is ours keeps its present value."""
    if isinstance(value, Mapping):
        kept = {}
        for key, below in value.items():
            here = place.below(str(key))
            standing = live.get(key) if isinstance(live, Mapping) else None
            if not any(expected.is_ignored(path) for path in here.paths):
                kept[key] = _without_ignored(below, standing, here, expected, mine)
            elif standing is not None and any(_at_or_below(route, here.route) for route in mine):
                kept[key] = standing
        return kept
    if isinstance(value, list):
        return [
            _without_ignored(item, _namesake(item, live, index, place), place.item(item, index), expected, mine)
            for index, item in enumerate(value)
        ]
    return value


def _at_or_below(route: Route, above: Route) -> bool:
    """Whether a leaf is this place, inside of it, or the piece that holds it."""
    return route[: len(above)] == above or above[: len(route)] == route


def _namesake(item: Any, live: Any, index: int, place: _Place) -> Any:
    """The item of the live list that this one is about."""
    if not isinstance(live, list):
        return None
    key = place.structure.key_of(item)
    if key is not None:
        return next((one for one in live if place.structure.key_of(one) == key), None)
    if isinstance(item, Mapping) and "name" in item:
        return next((one for one in live if isinstance(one, Mapping) and one.get("name") == item["name"]), None)
    return live[index] if index < len(live) else None
