# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An object as it should be as a whole, for what server-side apply cannot express."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...plan import ABSENT
from ..fields import Route, field_step, item_step, owners_by_route, resolve_route, value_at, without_routes
from ..manifests import Object
from ..schema import UNKNOWN, Structure
from ..syntax import same_quantity

_NOT_COMPARED = frozenset({"apiVersion", "kind", "metadata", "status"})


@dataclass(frozen=True)
class DroppedLeaf:
    """A declared leaf that does not stand."""

    route: Route
    wanted: Any
    got: Any


def replacement(live: Object, declared: Object, to_remove: Collection[Route], structure: Structure = UNKNOWN) -> Object:
    """`live` without the doomed leaves and with everything declared; nothing else is touched."""
    whole: Object = _with(without_routes(live, list(to_remove), structure), declared, structure)
    return whole


def rebuilt_object(
    live: Object,
    declared: Object,
    to_remove: Collection[Route],
    structure: Structure,
    beside: Collection[Route],
    writers: Collection[str],
) -> Object:
    """The same, and of the mappings that hold the leaves `beside` also without what nobody asked for.

    That is every field that is neither declared nor owned by somebody beside `writers`: a default, or what the server
    derived. It fills in afresh what is missing.
    """
    protected = [route for route, managers in owners_by_route(live).items() if not managers <= set(writers)]
    scopes = set()
    for route in beside:
        above = _container(live, route, structure)
        if above is not None:
            scopes.add(above)
    loosened = _loosened(live, declared, structure, scopes, protected, ())
    return replacement(loosened, declared, to_remove, structure)


def beside_other_branches(
    live: Object, declared: Object, changed: Collection[Route], structure: Structure
) -> list[Route]:
    """Those of the changed leaves that stand beside a structure which is neither declared nor owned by anybody.

    It may be what the server filled in for the value before: `rollingUpdate` beside `type: OnDelete`.
    """
    owned = list(owners_by_route(live))
    found = []
    for route in changed:
        above = _container(live, route, structure)
        if above is None:
            continue
        existing, wanted = value_at(live, above, structure), value_at(declared, above, structure)
        if isinstance(existing, Mapping) and any(
            isinstance(value, Mapping)
            and value
            and not (isinstance(wanted, Mapping) and wanted.get(key))
            and not any(one[: len(above) + 1] == (*above, field_step(key)) for one in owned)
            for key, value in existing.items()
        ):
            found.append(route)
    return found


def other_spellings(live: Object, declared: Object, returned: Collection[Route], structure: Structure) -> list[Route]:
    """Leaves beside those that came back which say the same, are not declared and belong to nobody.

    An older spelling of a field (serviceAccount) brings back what was removed under the newer one.
    """
    owned = set(owners_by_route(live))
    found: list[Route] = []
    for route in returned:
        above = route[:-1]
        beside, wanted = value_at(live, above, structure), value_at(declared, above, structure)
        stated = value_at(live, route, structure)
        if isinstance(beside, Mapping) and not isinstance(stated, (Mapping, list)):
            found += [
                (*above, field_step(key))
                for key, value in beside.items()
                if value == stated
                and type(value) is type(stated)
                and (*above, field_step(key)) not in owned | {route}
                and not (isinstance(wanted, Mapping) and key in wanted)
            ]
    return found


def _container(live: Any, route: Route, structure: Structure) -> Route | None:
    """The nearest mapping above a leaf that is there in `live`."""
    for length in range(len(route) - 1, 0, -1):
        place = resolve_route(live, route[:length], structure)
        if place is not None:
            value = live
            for step in place:
                value = value[step]
            if isinstance(value, Mapping):
                return route[:length]
    return None


def _loosened(
    live: Any,
    declared: Any,
    structure: Structure,
    scopes: Collection[Route],
    protected: Sequence[Route],
    above: Route,
) -> Any:
    """`live` without the undeclared and unprotected fields of the mappings that the scopes lead to."""
    if not scopes:
        return live
    if isinstance(live, Mapping):
        kept = {}
        for key, value in live.items():
            step = field_step(key)
            known = isinstance(declared, Mapping) and declared.get(key) is not None
            if () in scopes and not known and above and not any(route[:1] == (step,) for route in protected):
                continue
            kept[key] = _loosened(
                value,
                declared.get(key) if isinstance(declared, Mapping) else None,
                structure.field(str(key)),
                {scope[1:] for scope in scopes if scope[:1] == (step,)},
                [route[1:] for route in protected if route[:1] == (step,)],
                (*above, step),
            )
        return kept
    if isinstance(live, list):
        items = list(live)
        for step in {scope[0] for scope in scopes if scope}:
            place = resolve_route(live, (step,), structure)
            if place is None or not isinstance(place[0], int):
                continue
            declared_place = resolve_route(declared, (step,), structure) if isinstance(declared, list) else None
            items[place[0]] = _loosened(
                live[place[0]],
                declared[declared_place[0]] if declared_place is not None else None,
                structure.items,
                {scope[1:] for scope in scopes if scope[:1] == (step,)},
                [route[1:] for route in protected if route[:1] == (step,)],
                (*above, step),
            )
        return items
    return live


def _with(live: Any, declared: Any, structure: Structure) -> Any:
    if isinstance(declared, Mapping) and isinstance(live, Mapping) and not structure.is_one_piece:
        return {
            **live,
            **{key: _with(live.get(key), value, structure.field(str(key))) for key, value in declared.items()},
        }
    if isinstance(declared, list) and isinstance(live, list):
        if structure.is_set:
            return [*declared, *(item for item in live if item not in declared)]
        if structure.keys:
            wanted = {structure.key_of(item): item for item in declared}
            existing = {structure.key_of(item): item for item in live}
            if None not in wanted and len(wanted) == len(declared):
                others = [item for key, item in existing.items() if key not in wanted]
                return [_with(existing.get(key), item, structure.items) for key, item in wanted.items()] + others
    return declared


def dropped_leaves(declared: Mapping[str, Any], existing: Mapping[str, Any], structure: Structure) -> list[DroppedLeaf]:
    """Every declared leaf below spec, data and the like whose value is another one in `existing`.

    A structure in one piece that the server has completed is kept; a false, 0 or empty value is the same as none.
    """
    found: list[DroppedLeaf] = []
    for key, value in declared.items():
        if key not in _NOT_COMPARED:
            _compare(value, existing.get(key, ABSENT), structure.field(key), (field_step(key),), found)
    return found


def emptied(
    declared: Mapping[str, Any], existing: Object, after: Mapping[str, Any], structure: Structure
) -> list[Route]:
    """What is declared empty, a mapping or a list, and is null or not there after an apply that took its content away.

    Server-side apply takes the last part of a structure away with the structure, or leaves null where no schema knows
    it; empty, null and absent may mean three things.
    """
    found: list[Route] = []
    whole = structure

    def walk(wanted: Any, left: Any, route: Route, structure: Structure) -> None:
        for here, value, stands, below in _beside(wanted, left, route, structure):
            if value in ({}, []):
                if stands in (ABSENT, None) and (stands is None or value_at(existing, here, whole)):
                    found.append(here)
            elif isinstance(value, (Mapping, list)):
                walk(value, stands, here, below)

    walk({key: value for key, value in declared.items() if key not in _NOT_COMPARED}, after, (), structure)
    return found


def _beside(
    declared: Any, live: Any, route: Route, structure: Structure
) -> Iterator[tuple[Route, Any, Any, Structure]]:
    """(place, declared, live, structure) of what is in a mapping or a list with keys."""
    if isinstance(declared, Mapping):
        for key, value in declared.items():
            stands = live.get(key, ABSENT) if isinstance(live, Mapping) else ABSENT
            yield (*route, field_step(key)), value, stands, structure.field(str(key))
    elif isinstance(declared, list) and structure.keys:
        items = {structure.key_of(item): item for item in live} if isinstance(live, list) else {}
        for item in declared:
            key = structure.key_of(item)
            if key is not None:
                yield (*route, item_step(dict(key))), item, items.get(key, ABSENT), structure.items


def _compare(declared: Any, live: Any, structure: Structure, route: Route, found: list[DroppedLeaf]) -> None:
    if declared is None or (live in (ABSENT, None) and declared in ("", 0, {}, [])):
        return
    if not isinstance(declared, bool) and declared in ("", 0, []) and live:
        # most fields take an empty value for none, and a default has its place now
        return
    if isinstance(declared, Mapping) and isinstance(live, Mapping):
        for key, value in declared.items():
            _compare(value, live.get(key, ABSENT), structure.field(str(key)), (*route, field_step(key)), found)
        return
    if isinstance(declared, list) and isinstance(live, list):
        _compare_items(declared, live, structure, route, found)
        return
    same = declared == live and isinstance(declared, bool) == isinstance(live, bool)
    if not same and not (structure.is_quantity and same_quantity(declared, live)):
        found.append(DroppedLeaf(route, declared, live))


def _compare_items(
    declared: Sequence[Any], live: Sequence[Any], structure: Structure, route: Route, found: list[DroppedLeaf]
) -> None:
    if structure.is_set:
        if not all(item in live for item in declared):
            found.append(DroppedLeaf(route, list(declared), list(live)))
        return
    keys = [structure.key_of(item) for item in declared]
    # of twins only their places tell them apart
    if structure.keys and None not in keys and len(set(keys)) == len(keys):
        existing = {structure.key_of(item): item for item in live}
        for item, key in zip(declared, keys):
            step = item_step(dict(key or ()))
            _compare(item, existing.get(key, ABSENT), structure.items, (*route, step), found)
        return
    if len(declared) != len(live):
        found.append(DroppedLeaf(route, list(declared), list(live)))
        return
    for index, (item, one) in enumerate(zip(declared, live)):
        _compare(item, one, structure.items, (*route, f"i:{index}"), found)
