# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Server-side apply of one object, and the removal of leaves that others have added."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import APPLY, Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    FIELD_MANAGER,
    foreign_routes,
    own_routes,
)

JSON_PATCH = "application/json-patch+json"
Route = tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """One declared object and where it lives."""

    who: Identity
    resource: ResourceType
    declared: Object

    @property
    def path(self) -> str:
        return self.resource.path(self.who.namespace, self.who.name)


def server_side_apply(
    kube: Kube,
    target: Target,
    *,
    force: bool = False,
    dry_run: bool = False,
    manager: str = FIELD_MANAGER,
) -> Object:
    """The object as it stands (or would stand) after `manager` has applied the declaration."""
    query = {"fieldManager": manager, "fieldValidation": "Strict"}
    if force:
        query["force"] = "true"
    if dry_run:
        query["dryRun"] = "All"
    response = kube.request(
        "PATCH",
        target.path,
        query=query,
        body=target.declared,
        content_type=APPLY,
        timeout=60.0,
        action=f"apply {target.who}",
    )
    return cast(Object, response.json())


def undeclared_foreign(live: Object, declared: Object, our_managers: Collection[str]) -> dict[Route, str]:
    """Leaves of substance that somebody else added and the declaration does not have, with their managers.

    A list item that the declaration does not have goes as a whole: without its key it would be no item.
    """
    return {
        _whole_item(declared, route): manager
        for route, manager in foreign_routes(live, our_managers).items()
        if not _declares(declared, route)
    }


def undeclared_own(live: Object, declared: Object, manager: str) -> list[Route]:
    """Leaves that `manager` once applied and the declaration has no more; a list item goes as a whole."""
    gone = [route for route in own_routes(live, manager) if not _declares(declared, route)]
    return list(dict.fromkeys(_whole_item(declared, route) for route in gone))


def _whole_item(declared: Object, route: Route) -> Route:
    """The route, cut at the first keyed list item that is not declared."""
    for length, step in enumerate(route, 1):
        if step.startswith("k:") and not _declares(declared, route[:length]):
            return route[:length]
    return route


def remove_leaves(kube: Kube, target: Target, live: Object, routes: Collection[Route], *, dry_run: bool) -> Object:
    """The object without these leaves; refused when it has changed since `live` was read."""
    version = (live.get("metadata") or {}).get("resourceVersion")
    patch: list[dict[str, Any]] = [{"op": "test", "path": "/metadata/resourceVersion", "value": version}]
    pointers = [pointer for pointer in (_pointer(live, route) for route in routes) if pointer is not None]
    # from the end of lists, so that an earlier removal does not move a later one
    patch += [{"op": "remove", "path": _text(pointer)} for pointer in sorted(pointers, key=_from_the_end, reverse=True)]
    query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
    response = kube.request(
        "PATCH",
        target.path,
        query=query,
        body=json.dumps(patch),
        content_type=JSON_PATCH,
        action=f"remove what others added to {target.who}",
    )
    return cast(Object, response.json())


def removable(kube: Kube, target: Target, live: Object, routes: Mapping[Route, str]) -> tuple[list[Route], list[Route]]:
    """(routes that would go, routes the API refuses to give up), found by dry runs.

    A leaf that comes back by itself (a default that its creator happens to own) is neither: it is no drift.
    """
    try:
        return _gone(live, remove_leaves(kube, target, live, list(routes), dry_run=True), routes), []
    except ServiceError as refused:
        if refused.status != 422 or len(routes) == 1:
            if refused.status != 422:
                raise
            return [], list(routes)
    gone: list[Route] = []
    kept: list[Route] = []
    for route in routes:
        one_gone, one_kept = removable(kube, target, live, {route: routes[route]})
        gone += one_gone
        kept += one_kept
    return gone, kept


def value_at(item: Any, route: Sequence[str]) -> Any:
    """The value a fieldsV1 route leads to, or None."""
    pointer = _pointer(item, route)
    if pointer is None:
        return None
    for step in pointer:
        item = item[step]
    return item


def _gone(live: Object, after: Object, routes: Collection[Route]) -> list[Route]:
    # a default may take the place of the value: then it is that value which goes
    return [route for route in routes if value_at(live, route) not in (None, value_at(after, route))]


def _declares(declared: Any, route: Sequence[str]) -> bool:
    """Whether the declaration says something at this leaf, or owns the whole it is part of."""
    for step in route:
        if step.startswith("f:") and isinstance(declared, Mapping):
            if step[2:] not in declared:
                return False
            declared = declared[step[2:]]
        elif step.startswith("k:") and isinstance(declared, list):
            place = _place(declared, json.loads(step[2:]), loosely=True)
            if place is None:
                return False
            declared = declared[place]
        elif step.startswith("v:") and isinstance(declared, list):
            return json.loads(step[2:]) in declared
        else:
            return True
    return True


def _pointer(item: Any, route: Sequence[str]) -> tuple[str | int, ...] | None:
    """The place of a route in an object, or None when it is not there."""
    pointer: list[str | int] = []
    for step in route:
        place: str | int | None = None
        if step.startswith("f:") and isinstance(item, Mapping):
            place = step[2:] if step[2:] in item else None
        elif step.startswith("k:") and isinstance(item, list):
            place = _place(item, json.loads(step[2:]))
        elif step.startswith("v:") and isinstance(item, list):
            value = json.loads(step[2:])
            place = item.index(value) if value in item else None
        elif step.startswith("i:") and isinstance(item, list):
            place = int(step[2:]) if int(step[2:]) < len(item) else None
        if place is None:
            return None
        pointer.append(place)
        item = item[place]
    return tuple(pointer)


def _place(items: Sequence[Any], key: Mapping[str, Any], loosely: bool = False) -> int | None:
    for place, item in enumerate(items):
        if isinstance(item, Mapping) and all(
            item.get(field, value if loosely else None) == value for field, value in key.items()
        ):
            return place
    return None


def _from_the_end(pointer: Sequence[str | int]) -> tuple[tuple[int, str], ...]:
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in pointer)


def _text(pointer: Sequence[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in pointer)


def target_of(resource: ResourceType, declared: Object) -> Target:
    return Target(identity(declared), resource, declared)
