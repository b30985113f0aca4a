# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that we own whole: what others wrote into them is removed, and said to be theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    Route,
    Target,
    removable,
    remove_leaves,
    undeclared_foreign,
    value_at,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import owned_fields, route_path
from ansible_collections.mcpops.platform.plugins.module_utils.kube.replacement import replacement
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change

ATTEMPTS = 4
"""A controller may write between our reading and our removing; then it is read again."""

OWNERSHIP = "metadata.managedFields"
REPLACING_MANAGER = "mcpops-replace"
"""Writes a replacement and gives it up again: as a second owner it would keep items that are declared no more."""

MERGE_PATCH = "application/merge-patch+json"
CONFLICT, INVALID = 409, 422


def remove_foreign(
    kube: Kube, target: Target, live: Object, our_managers: Collection[str], *, dry_run: bool
) -> tuple[list[Change], tuple[str, ...], Object]:
    """(changes, notes, the object afterwards): undeclared leaves of substance that others wrote are removed."""
    removed: list[Change] = []
    for attempt in range(1, ATTEMPTS + 1):
        foreign = undeclared_foreign(live, target.declared, our_managers)
        if not foreign:
            return removed, (), live
        try:
            routes, kept = removable(kube, target, live, foreign)
            after = remove_leaves(kube, target, live, routes, dry_run=False) if routes and not dry_run else live
        except ServiceError as refused:
            if refused.status != INVALID or attempt == ATTEMPTS:
                raise
            routes, kept, after = [], list(foreign), live
        if routes and not dry_run:
            after = _without_emptied(kube, target, after, our_managers)
        if kept and attempt < ATTEMPTS:
            # refused, or meant for a version that is no longer there?
            fresh = kube.get(target.path)
            if fresh is not None and _version(fresh) != _version(after):
                removed += [] if dry_run else _changes(live, routes, foreign)
                live = fresh
                continue
        return removed + _changes(live, routes, foreign), _notes(target, kept, foreign), after
    raise AssertionError("the last attempt returns or raises")


def _without_emptied(kube: Kube, target: Target, live: Object, our_managers: Collection[str]) -> Object:
    """Without its last item a map is empty and still the other manager's: it goes as well, level by level."""
    for _level in range(ATTEMPTS):
        foreign = undeclared_foreign(live, target.declared, our_managers)
        emptied = [route for route in foreign if value_at(live, route) in ({}, [])]
        if not emptied:
            break
        try:
            live = remove_leaves(kube, target, live, emptied, dry_run=False)
        except ServiceError as refused:
            if refused.status != INVALID:
                raise
            live = kube.get(target.path) or live
    return live


def replace_whole(
    kube: Kube, target: Target, live: Object, our_managers: Collection[str], *, dry_run: bool
) -> tuple[Object, tuple[str, ...]]:
    """(the object afterwards, notes) for changes that depend on each other: foreign leaves go as the declared come."""
    for attempt in range(1, ATTEMPTS + 1):
        foreign = undeclared_foreign(live, target.declared, our_managers)
        try:
            after = put_whole(kube, target, live, foreign, REPLACING_MANAGER, dry_run=dry_run)
        except ServiceError as refused:
            fresh = kube.get(target.path) if refused.status == CONFLICT and attempt < ATTEMPTS else None
            if fresh is None:
                raise
            live = fresh
            continue
        kept = [route for route in foreign if value_at(after, route) is not None]
        return after, _notes(target, kept, foreign)
    raise AssertionError("the last attempt returns or raises")


def give_up(kube: Kube, target: Target, live: Object) -> Object:
    """The object without the replacing manager's ownership; to be called when the declaration has been applied."""
    for attempt in range(1, ATTEMPTS + 1):
        metadata = live["metadata"]
        kept = [entry for entry in metadata.get("managedFields") or [] if entry.get("manager") != REPLACING_MANAGER]
        if kept == (metadata.get("managedFields") or []):
            return live
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "managedFields": kept}}
        answer = kube.request(
            "PATCH",
            target.path,
            body=body,
            content_type=MERGE_PATCH,
            accept_status=(CONFLICT,) if attempt < ATTEMPTS else (),
            action=f"restore {target.who}",
        )
        if answer.status != CONFLICT:
            return cast(Object, answer.json())
        live = kube.get(target.path) or live
    raise AssertionError("the last attempt returns or raises")


def put_whole(
    kube: Kube, target: Target, live: Object, foreign: Collection[Route], manager: str, *, dry_run: bool
) -> Object:
    """Put the whole object; its resourceVersion makes sure that nobody wrote in between."""
    query = {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})
    body = replacement(live, target.declared, foreign)
    return cast(Object, kube.request("PUT", target.path, query=query, body=body, action=f"restore {target.who}").json())


def attributed_changes(before: Object, after: Object, manager: str, managers: Mapping[str, str]) -> list[Change]:
    """Differing leaves, each with the manager who wrote the value that goes; at least the change of ownership."""
    changes = [
        Change(change.path, change.before, change.after, change.secret, f"set by {managers[change.path]}")
        if change.path in managers
        else change
        for change in differences(before, after)
    ]
    if not changes and owned_fields(before, manager) != owned_fields(after, manager):
        owner = "somebody else" if owned_fields(before, manager) is None else f"{manager}, in part"
        return [Change(OWNERSHIP, owner, manager, note="the same values, owned by this declaration from now on")]
    return changes


def _changes(live: Object, routes: Collection[Route], foreign: dict[Route, str]) -> list[Change]:
    secret = holds_secrets(live)
    return [
        Change(route_path(route), value_at(live, route), ABSENT, secret, f"set by {foreign[route]}") for route in routes
    ]


def _notes(target: Target, kept: Collection[Route], foreign: dict[Route, str]) -> tuple[str, ...]:
    return tuple(f"{target.who}: {route_path(route)} of {foreign[route]} cannot be removed" for route in kept)


def _version(item: Object) -> str:
    return str((item.get("metadata") or {}).get("resourceVersion"))
