# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a live object needs an apply as far as reading tells.

And which part of a declaration is applied where others may set the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ...plan import ABSENT, join
from ..fields import (
    FIELD_MANAGER,
    Route,
    Tree,
    entries,
    field_names,
    field_step,
    foreign_routes,
    is_declared,
    item_keys,
    item_step,
    own_routes,
    owned_fields,
    owners_by_route,
    part_of,
    resolve_route,
    route_path,
    set_members,
    value_at,
    without_routes,
)
from ..schema import UNKNOWN, Structure, canonical
from ..syntax import same_quantity
from ..writers import Tolerated, with_additions


class ApplyNeeded(Enum):
    STANDS = "stands"
    UNSURE = "unsure"
    """Something that defaults, conversions or shared ownership may explain: a dry run decides."""
    DIFFERS = "differs"


_NOT_COMPARED = ("apiVersion", "kind")
_PLAIN = frozenset({str, int, bool, float})
_NO_ONE: Tree = {}


def apply_needed(
    live: Mapping[str, Any],
    declared: Mapping[str, Any],
    manager: str = FIELD_MANAGER,
    structure: Structure = UNKNOWN,
    *,
    adopt: bool = True,
) -> ApplyNeeded:
    """Whether applying `declared` as `manager` would change anything.

    With `adopt` it also has to own every declared leaf, and no other; else the values alone count.
    """
    body = _body(declared)
    if not adopt:
        return _value(body, live, None, structure, False)
    found = owned_fields(live, manager)
    if found is None or found[0] != declared["apiVersion"]:
        return ApplyNeeded.UNSURE
    return _mapping(body, live, found[1], structure, True)


def is_contested(
    live: Mapping[str, Any],
    declared: Mapping[str, Any],
    our_managers: Collection[str],
    structure: Structure,
    expected: Tolerated | None,
) -> bool:
    """Whether others own a declared structure as one piece, and it is not exactly what is declared.

    It tells what the schema may leave open: that a structure is one piece stands in whoever wrote it last.
    """
    return any(
        is_declared(declared, route, structure)
        and value_at(declared, route, structure) not in (None, value_at(live, route, structure))
        for route in foreign_routes(live, our_managers, expected)
    )


def confirmation_digest(live: Mapping[str, Any], declared: Mapping[str, Any], *settings: Any) -> str:
    """One text for this declaration of this object in this state, whatever its status says and when it was written."""
    metadata = {
        key: value
        for key, value in (live.get("metadata") or {}).items()
        if key not in ("managedFields", "resourceVersion", "generation")
    }
    written = [
        (entry.manager, entry.operation, entry.api_version, entry.subresource, entry.fields)
        for entry in entries(live)
        if entry.subresource != "status"
    ]
    state = {key: value for key, value in live.items() if key not in ("metadata", "status")}
    whole = canonical([declared, state, metadata, written, settings])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _body(declared: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in declared["metadata"].items() if key not in ("name", "namespace")}
    body = {key: value for key, value in declared.items() if key not in (*_NOT_COMPARED, "metadata")}
    return {**body, "metadata": metadata} if metadata else body


def _mapping(declared: Mapping[str, Any], live: Any, owned: Tree, structure: Structure, adopt: bool) -> ApplyNeeded:
    if not isinstance(live, Mapping):
        return ApplyNeeded.DIFFERS if declared else ApplyNeeded.STANDS
    outcome = ApplyNeeded.STANDS
    for key, value in declared.items():
        existing = live.get(key, ABSENT)
        mine = part_of(owned, key)
        # most leaves are plain and equal: no structure is needed for those
        if value.__class__ in _PLAIN and value.__class__ is existing.__class__ and value == existing:
            if mine is None and adopt:
                outcome = ApplyNeeded.UNSURE
            continue
        part = _value(value, existing, mine, structure.field(str(key)), adopt)
        if part is ApplyNeeded.DIFFERS:
            return part
        if part is ApplyNeeded.UNSURE:
            outcome = part
    if adopt and any(name not in declared for name in field_names(owned)):
        # a leaf that we once declared and do so no more: applying removes it
        return ApplyNeeded.DIFFERS
    return outcome


def _value(declared: Any, live: Any, owned: Any, structure: Structure, adopt: bool) -> ApplyNeeded:
    if declared is None:
        # null is a value in few places (nullable fields of custom resources); elsewhere it asks for nothing to stand
        return ApplyNeeded.STANDS if live is ABSENT or live is None else ApplyNeeded.UNSURE
    if adopt and owned is None:
        # not ours yet: adopt it, or find out whose it is
        return ApplyNeeded.UNSURE
    if live is ABSENT or live is None:
        if declared not in ("", 0, {}, []):
            return ApplyNeeded.DIFFERS
        # a declared false, 0 or empty value: one that is ours is one that the API does not store; null is stored, and
        # another value where no schema knows the field
        return ApplyNeeded.STANDS if adopt and live is ABSENT else ApplyNeeded.UNSURE
    if isinstance(declared, Mapping):
        if (adopt and not owned) or (not adopt and structure.is_one_piece):
            return _atomic(declared, live)
        return _mapping(declared, live, owned or _NO_ONE, structure, adopt)
    if isinstance(declared, list):
        if not isinstance(live, list):
            return ApplyNeeded.DIFFERS
        if adopt:
            return _owned_list(declared, live, owned or _NO_ONE, structure)
        return _list(declared, live, structure)
    return _leaf(declared, live, structure)


def _leaf(declared: Any, live: Any, structure: Structure) -> ApplyNeeded:
    if declared == live and isinstance(declared, bool) == isinstance(live, bool):
        return ApplyNeeded.STANDS
    if structure.is_quantity:
        return ApplyNeeded.STANDS if same_quantity(declared, live) else ApplyNeeded.DIFFERS
    # a default may stand in the place of an empty value
    empty = not isinstance(declared, bool) and declared in ("", 0)
    return ApplyNeeded.UNSURE if empty or type(declared) is not type(live) else ApplyNeeded.DIFFERS


def _atomic(declared: Any, live: Any) -> ApplyNeeded:
    """Equal to the last leaf, or for a dry run to tell: the server may have completed it."""
    return ApplyNeeded.STANDS if declared == live and canonical(declared) == canonical(live) else ApplyNeeded.UNSURE


def _list(declared: Sequence[Any], live: Sequence[Any], structure: Structure) -> ApplyNeeded:
    """The values of a list; more items than declared are the business of who owns them."""
    if structure.is_set:
        return ApplyNeeded.STANDS if all(item in live for item in declared) else ApplyNeeded.DIFFERS
    if not structure.keys or _has_duplicate_keys(declared, structure):
        return _atomic(declared, live)
    existing = {structure.key_of(item): item for item in live}
    outcome = ApplyNeeded.STANDS
    order = []
    for item in declared:
        key = structure.key_of(item)
        if key is None or key not in existing:
            return ApplyNeeded.UNSURE if key is None else ApplyNeeded.DIFFERS
        order.append(key)
        part = _value(item, existing[key], None, structure.items, False)
        if part is ApplyNeeded.DIFFERS:
            return part
        if part is ApplyNeeded.UNSURE:
            outcome = part
    in_order = [key for key in existing if key in set(order)] == order
    return outcome if in_order and not _has_duplicate_keys(live, structure) else ApplyNeeded.UNSURE


def _owned_list(declared: Sequence[Any], live: Sequence[Any], owned: Tree, structure: Structure) -> ApplyNeeded:
    """The same where we are to own each item."""
    members = set_members(owned)
    if members:
        wanted, mine = sorted(map(repr, declared)), sorted(map(repr, members))
        return ApplyNeeded.STANDS if wanted == mine and all(item in live for item in declared) else ApplyNeeded.DIFFERS
    keyed = item_keys(owned)
    if not keyed:
        return _atomic(declared, live)
    if len(keyed) != len(declared):
        return ApplyNeeded.DIFFERS
    outcome = ApplyNeeded.UNSURE if _has_duplicate_keys(live, structure) else ApplyNeeded.STANDS
    last = -1
    for item in declared:
        mine_key = _key_of(item, keyed, structure)
        place = _place_of(live, keyed[mine_key]) if mine_key is not None else None
        if mine_key is None or place is None:
            return ApplyNeeded.DIFFERS
        if place < last:
            outcome = ApplyNeeded.UNSURE
        last = place
        below = _without_key(owned[mine_key], keyed[mine_key], item)
        part = _mapping(item, live[place], below, structure.items, True)
        if part is ApplyNeeded.DIFFERS:
            return part
        if part is ApplyNeeded.UNSURE:
            outcome = part
    return outcome


def _has_duplicate_keys(live: Sequence[Any], structure: Structure) -> bool:
    """Whether several items have one key: the API server takes them from updates, though a key should say which."""
    keys = [key for key in map(structure.key_of, live) if key is not None]
    return len(set(keys)) != len(keys)


def _key_of(item: Any, keyed: Mapping[str, Mapping[str, Any]], structure: Structure) -> str | None:
    """The owned entry of a declared list item, with defaults for key fields that it leaves out."""
    if not isinstance(item, Mapping):
        return None
    fits = [name for name, key in keyed.items() if all(item.get(field, value) == value for field, value in key.items())]
    if len(fits) > 1:
        own = dict(structure.key_of(item) or ())
        fits = [name for name in fits if all(own.get(field) == value for field, value in keyed[name].items())]
    return fits[0] if len(fits) == 1 else None


def _place_of(live: Sequence[Any], key: Mapping[str, Any]) -> int | None:
    for place, item in enumerate(live):
        if isinstance(item, Mapping) and all(item.get(field) == value for field, value in key.items()):
            return place
    return None


def _without_key(owned: Tree, key: Mapping[str, Any], item: Mapping[str, Any]) -> Tree:
    """A key field that was defaulted is owned without having been declared."""
    defaulted = {field_step(name) for name in key if name not in item}
    return {name: below for name, below in owned.items() if name not in defaulted} if defaulted else owned


def declaration_to_apply(
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
    for route, managers in owners_by_route(live).items():
        theirs = managers.difference(our_managers)
        if not theirs or not is_declared(declared, route, structure):
            continue
        path = route_path(route)
        if expected.yields(path, theirs, value_at(declared, route, structure)):
            kept = value_at(live, route, structure)
        elif expected.allows_additions(path, theirs):
            wanted = value_at(declared, route, structure)
            existing = value_at(live, route, structure)
            kept = with_additions(wanted, existing)
            if kept != existing:
                result = _replaced(result, route, kept, structure)
                continue
        else:
            continue
        if route in mine:
            result = _replaced(result, route, kept, structure)
        else:
            gone.append(route)
    result = without_routes(result, gone, structure)
    if not expected.names_paths:
        return dict(result)
    return dict(_without_ignored(result, live, _Place(("",), (), structure), expected, mine))


def _replaced(value: Any, route: Route, new: Any, structure: Structure) -> Any:
    """A copy of `value` with `new` at the place of the route, which is there."""
    place = resolve_route(value, route[:1], structure)
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
            existing = live.get(key) if isinstance(live, Mapping) else None
            if not any(expected.is_ignored(path) for path in here.paths):
                kept[key] = _without_ignored(below, existing, here, expected, mine)
            elif existing is not None and any(_at_or_below(route, here.route) for route in mine):
                kept[key] = existing
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
