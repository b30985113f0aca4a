# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that write one object: server-side apply, the removal of leaves, the object in one piece."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import APPLY, Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.explained import TRIAL
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import (
    Route,
    from_the_end,
    json_pointer,
    pointer,
    value_at,
    without_entries,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import FIELD_MANAGER
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
CONFLICT, INVALID = 409, 422
ATTEMPTS = 4
"""A controller may write between our reading and our writing; then it is read again."""


@dataclass(frozen=True)
class Target:
    """One declared object, where it lives and how it is structured."""

    who: Identity
    resource: ResourceType
    declared: Object
    structure: Structure = UNKNOWN

    @property
    def path(self) -> str:
        return self.resource.path(self.who.namespace, self.who.name)


def target_of(resource: ResourceType, declared: Object, structure: Structure = UNKNOWN) -> Target:
    return Target(identity(declared), resource, declared, structure)


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


def put(kube: Kube, target: Target, whole: Object, *, manager: str, dry_run: bool) -> Object:
    """The object after it was put in one piece; its resourceVersion makes sure that nobody wrote in between."""
    query = {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})
    answer = kube.request("PUT", target.path, query=query, body=whole, action=f"restore {target.who}")
    return cast(Object, answer.json())


def try_creation(kube: Kube, target: Target, manager: str) -> Object:
    """A new object of this declaration, as a dry run under a name of its own shows it."""
    name = f"{TRIAL}{uuid.uuid4().hex[:8]}"
    declared = {**target.declared, "metadata": {**target.declared["metadata"], "name": name}}
    return server_side_apply(kube, target_of(target.resource, declared), dry_run=True, manager=manager)


def remove_leaves(kube: Kube, target: Target, live: Object, routes: Collection[Route], *, dry_run: bool) -> Object:
    """The object without these leaves; refused when it has changed since `live` was read."""
    places = [place for place in (pointer(live, route) for route in routes) if place is not None]
    # from the end of lists, so that an earlier removal does not move a later one
    patch = [{"op": "remove", "path": json_pointer(place)} for place in sorted(places, key=from_the_end, reverse=True)]
    query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
    return _patched(kube, target, live, patch, query, f"remove what others added to {target.who}")


def set_leaves(kube: Kube, target: Target, live: Object, values: Mapping[Route, Any], manager: str) -> Object:
    """The object with these values at these leaves; refused when it has changed since `live` was read."""
    places = [(pointer(live, route, target.structure), value) for route, value in values.items()]
    patch = [{"op": "replace", "path": json_pointer(place), "value": value} for place, value in places if place]
    return _patched(kube, target, live, patch, {"fieldManager": manager}, f"restore {target.who}")


def _patched(
    kube: Kube, target: Target, live: Object, patch: list[dict[str, Any]], query: Mapping[str, str], action: str
) -> Object:
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(live)}
    body = json.dumps([unchanged, *patch])
    answer = kube.request("PATCH", target.path, query=query, body=body, content_type=JSON_PATCH, action=action)
    return cast(Object, answer.json())


def version_of(item: Object) -> Any:
    return (item.get("metadata") or {}).get("resourceVersion")


def removable(
    kube: Kube, target: Target, live: Object, routes: Mapping[Route, str]
) -> tuple[list[Route], dict[Route, ServiceError]]:
    """(routes that would go, routes the API refuses to give up with its refusals), found by dry runs.

    A leaf that comes back by itself (a default that its creator happens to own) is neither: it is no drift.
    """
    try:
        return _gone(live, remove_leaves(kube, target, live, list(routes), dry_run=True), routes), {}
    except ServiceError as refused:
        if refused.status != INVALID:
            raise
        if len(routes) == 1:
            return [], dict.fromkeys(routes, refused)
    gone: list[Route] = []
    kept: dict[Route, ServiceError] = {}
    for route in routes:
        one_gone, one_kept = removable(kube, target, live, {route: routes[route]})
        gone += one_gone
        kept |= one_kept
    return gone, kept


def _gone(live: Object, after: Object, routes: Collection[Route]) -> list[Route]:
    # a default may take the place of the value: then it is that value which goes
    return [route for route in routes if value_at(live, route) not in (None, value_at(after, route))]


def give_up(kube: Kube, target: Target, live: Object, managers: Collection[str]) -> Object:
    """The object without the ownership of `managers`, whose values have been written by others since."""

    def without(live: Object) -> Object:
        kept = without_entries(live, managers)
        if kept is None:
            return live
        body = {"metadata": {"resourceVersion": version_of(live), "managedFields": kept}}
        action = f"restore {target.who}"
        return cast(
            Object, kube.request("PATCH", target.path, body=body, content_type=MERGE_PATCH, action=action).json()
        )

    return written(kube, target, live, without, CONFLICT)


def written(kube: Kube, target: Target, live: Object, write: Callable[[Object], Object], clash: int) -> Object:
    """What `write` makes of the object; with what it is by then, where somebody else wrote since `live` was read.

    `clash` is how the API server refuses a request for a version that is gone.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return write(live)
        except ServiceError as refused:
            fresh = kube.get(target.path) if refused.status == clash and attempt < ATTEMPTS else None
            if fresh is None or version_of(fresh) == version_of(live):
                raise
            live = fresh
    raise AssertionError("the last attempt returns or raises")
