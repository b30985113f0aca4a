# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""managedFields: paths through objects as fieldsV1 has them, which leaves are ours and which belong to others."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ..plan import join
from .schema import UNKNOWN, Structure, canonical
from .writers import Tolerated, tolerated

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


def leaf_routes(fields: Mapping[str, Any], above: Route = ()) -> Iterator[Route]:
    """Every leaf of a tree; a list item counts by itself where nothing below it does."""
    for key, below in fields.items():
        if key == ".":
            if above and above[-1].startswith("k:") and len(fields) == 1:
                yield above
            continue
        if below:
            yield from leaf_routes(below, (*above, key))
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


def spelled_paths(live: Mapping[str, Any], route: Route) -> list[str]:
    """Every way to write a route of this object: an item of a list by its keys, its name or its number."""
    paths = [""]
    item: Any = live
    for step in route:
        place = _place(item, step, UNKNOWN)
        item = None if place is None else _at(item, place)
        if step.startswith("f:"):
            paths = [join(path, step[2:]) for path in paths]
            continue
        ways = [route_path((step,)), *([] if place is None else [f"[{place}]"])]
        if isinstance(item, Mapping) and "name" in item:
            ways.append(f"[{item['name']}]")
        paths = [path + way for path in paths for way in dict.fromkeys(ways)]
    return paths


def resolve_route(item: Any, route: Sequence[str], structure: Structure = UNKNOWN) -> Pointer | None:
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
    place = resolve_route(item, route, structure)
    if place is None:
        return None
    for step in place:
        item = item[step]
    return item


def is_declared(declared: Any, route: Sequence[str], structure: Structure = UNKNOWN) -> bool:
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


def route_to_declared_item(declared: Any, route: Route, structure: Structure = UNKNOWN) -> Route:
    """The route, cut at the first list item that is not declared: without its key it would be no item."""
    for length, step in enumerate(route, 1):
        if step.startswith("k:") and not is_declared(declared, route[:length], structure):
            return route[:length]
    return route


def json_pointer(place: Pointer) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)


def from_the_end(place: Pointer) -> tuple[tuple[int, str], ...]:
    """A key that sorts places so that removing an earlier one does not move a later one (reversed)."""
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in place)


def without_routes(value: Any, to_remove: Sequence[Sequence[str]], structure: Structure = UNKNOWN) -> Any:
    """The value without what these routes lead to."""
    if not to_remove:
        return value
    if isinstance(value, Mapping):
        below = {key: [route[1:] for route in to_remove if route and route[0] == f"f:{key}"] for key in value}
        return {
            key: without_routes(value[key], below[key], structure.field(str(key)))
            for key in value
            if not any(not rest for rest in below[key])
        }
    if isinstance(value, list):
        kept = []
        for index, item in enumerate(value):
            rests = [route[1:] for route in to_remove if route and _names(route[0], item, index, structure)]
            if all(rests):
                kept.append(without_routes(item, rests, structure.items))
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


FIELD_MANAGER = "mcpops"
REPLACING_MANAGER = "mcpops-replace"
"""Writes an object in one piece and gives it up again: as a second owner it would keep items declared no more."""

# what names an object, what is kept about it by others on purpose (labels, annotations), and what controllers report
_NOT_OWNED = frozenset({"f:apiVersion", "f:kind", "f:metadata", "f:status"})


_ANNOTATIONS: Route = (field_step("metadata"), field_step("annotations"))
_AS_ANNOTATIONS: Mapping[tuple[str, str], Mapping[Route, Route]] = {
    ("autoscaling/v1", "HorizontalPodAutoscaler"): {
        (field_step("spec"), field_step(name)): (*_ANNOTATIONS, field_step(f"autoscaling.alpha.kubernetes.io/{name}"))
        for name in ("metrics", "behavior")
    }
}
"""What an older version of a kind has no fields for, and shows as annotations (pkg/apis/autoscaling/v1/conversion.go
of Kubernetes): fields of substance all the same. Everybody may write them in the newer version."""


def _as_shown(live: Mapping[str, Any], routes: Iterator[Route]) -> Iterator[Route]:
    """Routes of any version of the kind, as the version that was read has them."""
    table = _AS_ANNOTATIONS.get((str(live.get("apiVersion")), str(live.get("kind"))), {})
    return (table.get(route[:2], route) for route in routes) if table else routes


def _is_of_substance(live: Mapping[str, Any], route: Route) -> bool:
    table = _AS_ANNOTATIONS.get((str(live.get("apiVersion")), str(live.get("kind"))), {})
    return route[0] not in _NOT_OWNED or route in table.values()


def owned_fields(live: Mapping[str, Any], manager: str = FIELD_MANAGER) -> tuple[str, Tree] | None:
    """(apiVersion, fieldsV1) of what `manager` has applied, or None."""
    for entry in entries(live):
        if entry.manager == manager and entry.operation == "Apply" and not entry.subresource:
            return entry.api_version, entry.fields
    return None


def owns_label(live: Mapping[str, Any], manager: str, label: str) -> bool:
    """Whether `manager` has applied this label."""
    owned = owned_fields(live, manager)
    return owned is not None and part_of(owned[1], "metadata", "labels", label) is not None


def own_routes(live: Mapping[str, Any], manager: str) -> list[Route]:
    """Every leaf that `manager` has applied."""
    found = owned_fields(live, manager)
    return list(_as_shown(live, leaf_routes(found[1]))) if found is not None else []


def owners_by_route(live: Mapping[str, Any]) -> dict[Route, set[str]]:
    """The managers of every leaf that anybody owns, whatever it is a part of."""
    found: dict[Route, set[str]] = {}
    for entry in entries(live):
        if entry.subresource != "status":
            for route in _as_shown(live, leaf_routes(entry.fields)):
                found.setdefault(route, set()).add(entry.manager)
    return found


def foreign_routes(
    live: Mapping[str, Any],
    our_managers: Collection[str],
    expected: Tolerated | None = None,
    *,
    shared: bool = False,
) -> dict[Route, str]:
    """Every leaf of substance that somebody else owns, with its manager; without those of expected writers.

    Unless it is `shared`, a leaf that one of `our_managers` owns as well is not foreign: it stands as we declared it.
    """
    allowed = tolerated(str(live.get("kind"))) if expected is None else expected
    found = {}
    for route, managers in owners_by_route(live).items():
        others = managers.difference(our_managers)
        if not _is_of_substance(live, route) or not others or (others != managers and not shared):
            continue
        # a user may have named an item in any way; the table has each path in one
        paths = spelled_paths(live, route) if allowed.names_paths else [route_path(route)]
        unexpected = sorted(one for one in others if not any(allowed.expects(one, path) for path in paths))
        if unexpected:
            found[route] = unexpected[0]
    return found


def foreign_fields(live: Mapping[str, Any], our_managers: Collection[str]) -> list[tuple[str, str]]:
    """The same as (path, manager), sorted."""
    return sorted((route_path(route), manager) for route, manager in foreign_routes(live, our_managers).items())


def writers_by_path(live: Mapping[str, Any], our_managers: Collection[str]) -> dict[str, str]:
    """The manager of every leaf that is not ours, labels and annotations too: who to name beside a difference."""
    return {
        route_path(route): ", ".join(sorted(managers))
        for route, managers in owners_by_route(live).items()
        if not managers.intersection(our_managers)
    }


def undeclared_foreign(
    live: Mapping[str, Any],
    declared: Mapping[str, Any],
    our_managers: Collection[str],
    structure: Structure = UNKNOWN,
    expected: Tolerated | None = None,
) -> dict[Route, str]:
    """Leaves of substance that somebody else owns and the declaration does not have, with their managers.

    Also those that are ours as well, because the declaration had them once: giving up our part leaves them in place.
    A list item that the declaration does not have goes as a whole.
    """
    found = foreign_routes(live, our_managers, expected, shared=True)
    return {
        route_to_declared_item(declared, route, structure): manager
        for route, manager in found.items()
        if not is_declared(declared, route, structure)
    }


def whole_structures(
    foreign: Mapping[Route, str], live: Mapping[str, Any], declared: Mapping[str, Any], structure: Structure = UNKNOWN
) -> dict[Route, str]:
    """The same leaves, as the outermost undeclared structures in which nobody else owns anything.

    A part alone can often not be removed: what is left of `appArmorProfile` without its type is refused.
    """
    protected = [route for route in owners_by_route(live) if not any(route[: len(one)] == one for one in foreign)]
    found: dict[Route, str] = {}
    for route, manager in foreign.items():
        # of annotations each is for itself
        above = (route[:length] for length in range(1, len(route)) if route[:2] != _ANNOTATIONS)
        whole = next(
            (
                one
                for one in above
                if not is_declared(declared, one, structure)
                and not any(other[: len(one)] == one for other in protected)
            ),
            route,
        )
        found.setdefault(whole, manager)
    return found


def undeclared_own(
    live: Mapping[str, Any], declared: Mapping[str, Any], manager: str, structure: Structure = UNKNOWN
) -> list[Route]:
    """Leaves that `manager` once applied and the declaration has no more; a list item goes as a whole."""
    gone = [route for route in own_routes(live, manager) if not is_declared(declared, route, structure)]
    return list(dict.fromkeys(route_to_declared_item(declared, route, structure) for route in gone))
