# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The object as it ought to be, in one piece, for what server-side apply cannot express. Pure.

- A Service port whose number was changed is another list item to server-side apply: it would add the declared port
  beside the changed one, which the API refuses because of their common name.
- A default stays when the declaration moves to another branch of a one-of (`rollingUpdate` beside `type: Recreate`).
- An older spelling of a field keeps the value that was dropped under the newer one (`serviceAccount`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import (
    Route,
    field_step,
    item_step,
    pointer,
    value_at,
    without,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import owners
from ansible_collections.mcpops.platform.plugins.module_utils.kube.quantity import same_quantity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

_NOT_COMPARED = frozenset({"apiVersion", "kind", "metadata", "status"})


@dataclass(frozen=True)
class Unkept:
    """A declared leaf that does not stand."""

    route: Route
    wanted: Any
    got: Any


def replacement(live: Object, declared: Object, doomed: Collection[Route], structure: Structure = UNKNOWN) -> Object:
    """`live` without the doomed leaves and with everything declared; nothing else is touched."""
    whole: Object = _with(without(live, list(doomed), structure), declared, structure)
    return whole


def rebuilt(
    live: Object,
    declared: Object,
    doomed: Collection[Route],
    structure: Structure,
    beside: Collection[Route],
    writers: Collection[str],
) -> Object:
    """The same, and of the mappings that hold the leaves `beside` also without what nobody asked for.

    That is every field that is neither declared nor owned by somebody beside `writers`: a default, or what the server
    derived. It fills in afresh what is missing.
    """
    protected = [route for route, managers in owners(live).items() if not managers <= set(writers)]
    scopes = set()
    for route in beside:
        above = _container(live, route, structure)
        if above is not None:
            scopes.add(above)
    loosened = _loosened(live, declared, structure, scopes, protected, ())
    return replacement(loosened, declared, doomed, structure)


def beside_other_branches(
    live: Object, declared: Object, changed: Collection[Route], structure: Structure
) -> list[Route]:
    """Those of the changed leaves that stand beside a structure which is neither declared nor owned by anybody.

    It may be what the server filled in for the value before: `rollingUpdate` beside `type: OnDelete`.
    """
    owned = list(owners(live))
    found = []
    for route in changed:
        above = _container(live, route, structure)
        if above is None:
            continue
        standing, wanted = value_at(live, above, structure), value_at(declared, above, structure)
        if isinstance(standing, Mapping) and any(
            isinstance(value, Mapping)
            and value
            and not (isinstance(wanted, Mapping) and wanted.get(key))
            and not any(one[: len(above) + 1] == (*above, field_step(key)) for one in owned)
            for key, value in standing.items()
        ):
            found.append(route)
    return found


def other_spellings(live: Object, declared: Object, returned: Collection[Route], structure: Structure) -> list[Route]:
    """Leaves beside those that came back which say the same, are not declared and belong to nobody.

    An older spelling of a field (serviceAccount) brings back what was removed under the newer one.
    """
    owned = set(owners(live))
    found: list[Route] = []
    for route in returned:
        above = route[:-1]
        beside, wanted = value_at(live, above, structure), value_at(declared, above, structure)
        said = value_at(live, route, structure)
        if isinstance(beside, Mapping) and not isinstance(said, (Mapping, list)):
            found += [
                (*above, field_step(key))
                for key, value in beside.items()
                if value == said
                and type(value) is type(said)
                and (*above, field_step(key)) not in owned | {route}
                and not (isinstance(wanted, Mapping) and key in wanted)
            ]
    return found


def _container(live: Any, route: Route, structure: Structure) -> Route | None:
    """The nearest mapping above a leaf that is there in `live`."""
    for length in range(len(route) - 1, 0, -1):
        place = pointer(live, route[:length], structure)
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
            place = pointer(live, (step,), structure)
            if place is None or not isinstance(place[0], int):
                continue
            twin = pointer(declared, (step,), structure) if isinstance(declared, list) else None
            items[place[0]] = _loosened(
                live[place[0]],
                declared[twin[0]] if twin is not None else None,
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
            standing = {structure.key_of(item): item for item in live}
            if None not in wanted and len(wanted) == len(declared):
                others = [item for key, item in standing.items() if key not in wanted]
                return [_with(standing.get(key), item, structure.items) for key, item in wanted.items()] + others
    return declared


def unkept(declared: Mapping[str, Any], standing: Mapping[str, Any], structure: Structure) -> list[Unkept]:
    """Every declared leaf below spec, data and the like whose value is another one in `standing`.

    A structure in one piece that the server has completed is kept; a false, 0 or empty value is the same as none.
    """
    found: list[Unkept] = []
    for key, value in declared.items():
        if key not in _NOT_COMPARED:
            _compare(value, standing.get(key, ABSENT), structure.field(key), (field_step(key),), found)
    return found


def emptied(
    declared: Mapping[str, Any], standing: Object, after: Mapping[str, Any], structure: Structure
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
                if stands in (ABSENT, None) and (stands is None or value_at(standing, here, whole)):
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


def _compare(declared: Any, live: Any, structure: Structure, route: Route, found: list[Unkept]) -> None:
    if declared is None or (live in (ABSENT, None) and (declared in ("", 0, False) or declared in ({}, []))):
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
        found.append(Unkept(route, declared, live))


def _compare_items(
    declared: Sequence[Any], live: Sequence[Any], structure: Structure, route: Route, found: list[Unkept]
) -> None:
    if structure.is_set:
        if not all(item in live for item in declared):
            found.append(Unkept(route, list(declared), list(live)))
        return
    keys = [structure.key_of(item) for item in declared]
    # of twins only their places tell them apart
    if structure.keys and None not in keys and len(set(keys)) == len(keys):
        standing = {structure.key_of(item): item for item in live}
        for item, key in zip(declared, keys):
            step = item_step(dict(key or ()))
            _compare(item, standing.get(key, ABSENT), structure.items, (*route, step), found)
        return
    if len(declared) != len(live):
        found.append(Unkept(route, list(declared), list(live)))
        return
    for index, (item, one) in enumerate(zip(declared, live)):
        _compare(item, one, structure.items, (*route, f"i:{index}"), found)
