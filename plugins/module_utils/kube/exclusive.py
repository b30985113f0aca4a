# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that we own whole: what others wrote into them is removed, and said to be theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    INVALID,
    Target,
    removable,
    remove_leaves,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import Route, route_path, value_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    owned_fields,
    undeclared_foreign,
    whole_structures,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Tolerated
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change

ATTEMPTS = 4
"""A controller may write between our reading and our removing; then it is read again."""

OWNERSHIP = "metadata.managedFields"


@dataclass(frozen=True)
class Taken:
    """What became of what others had added."""

    changes: tuple[Change, ...]
    kept: Mapping[str, ServiceError]
    """Notes on what is kept, with the refusals."""
    returned: tuple[Route, ...]
    """What came back by itself: a default, or what another field still says (serviceAccount)."""
    live: Object


def remove_foreign(
    kube: Kube,
    target: Target,
    live: Object,
    our_managers: Collection[str],
    expected: Tolerated | None = None,
    *,
    dry_run: bool,
) -> Taken:
    """Undeclared leaves of substance that others wrote are removed."""
    removed: list[Change] = []
    for attempt in range(1, ATTEMPTS + 1):
        found = undeclared_foreign(live, target.declared, our_managers, target.structure, expected)
        if not found:
            return Taken(tuple(removed), {}, (), live)
        foreign = whole_structures(found, live, target.declared, target.structure)
        kept: dict[Route, ServiceError] = {}
        try:
            routes, kept = removable(kube, target, live, foreign)
            after = remove_leaves(kube, target, live, routes, dry_run=False) if routes and not dry_run else live
        except ServiceError as refused:
            if refused.status != INVALID or attempt == ATTEMPTS:
                raise
            routes, kept, after = [], dict.fromkeys(foreign, refused), live
        if routes and not dry_run:
            after = _without_emptied(kube, target, after, our_managers, expected)
        if kept and attempt < ATTEMPTS:
            # refused, or meant for a version that is no longer there?
            fresh = kube.get(target.path)
            if fresh is not None and _version(fresh) != _version(after):
                removed += [] if dry_run else _changes(live, routes, foreign)
                live = fresh
                continue
        notes = {_kept_note(target, route, foreign[route]): refused for route, refused in kept.items()}
        returned = tuple(route for route in foreign if route not in routes and route not in kept)
        return Taken((*removed, *_changes(live, routes, foreign)), notes, returned, after)
    raise AssertionError("the last attempt returns or raises")


def _without_emptied(
    kube: Kube, target: Target, live: Object, our_managers: Collection[str], expected: Tolerated | None
) -> Object:
    """Without its last item a map is empty and still the other manager's: it goes as well, level by level."""
    for _level in range(ATTEMPTS):
        foreign = undeclared_foreign(live, target.declared, our_managers, target.structure, expected)
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


def attributed_changes(
    before: Object, after: Object, target: Target, manager: str, managers: Mapping[str, str], adopt: bool = True
) -> list[Change]:
    """Differing leaves, each with the manager who wrote the value that goes; at least the change of ownership."""
    changes = [
        replace(change, changed_by=_writers(change.path, managers))
        for change in differences(before, after, target.structure)
    ]
    if adopt and not changes and owned_fields(before, manager) != owned_fields(after, manager):
        owner = "somebody else" if owned_fields(before, manager) is None else f"{manager}, in part"
        return [Change(OWNERSHIP, owner, manager, note="the same values, owned by this declaration from now on")]
    return changes


def _writers(path: str, managers: Mapping[str, str]) -> str:
    """Who wrote what stands at, above or below this path."""
    return ", ".join(sorted({manager for place, manager in managers.items() if _same_place(place, path)}))


def _same_place(one: str, other: str) -> bool:
    return one == other or one.startswith((f"{other}.", f"{other}[")) or other.startswith((f"{one}.", f"{one}["))


def _changes(live: Object, routes: Collection[Route], foreign: dict[Route, str]) -> list[Change]:
    secret = holds_secrets(live)
    return [
        Change(route_path(route), value_at(live, route), ABSENT, secret, changed_by=foreign[route]) for route in routes
    ]


def _kept_note(target: Target, route: Route, manager: str) -> str:
    return f"{target.who}: {route_path(route)} of {manager} cannot be removed"


def _version(item: Object) -> str:
    return str((item.get("metadata") or {}).get("resourceVersion"))
