# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that we own whole: what others wrote into them is removed, and said to be theirs."""

from __future__ import annotations

from collections.abc import Collection

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
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import route_path
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change

ATTEMPTS = 4
"""A controller may write between our reading and our removing; then it is read again."""


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
            if refused.status != 422 or attempt == ATTEMPTS:
                raise
            routes, kept, after = [], list(foreign), live
        if kept and attempt < ATTEMPTS:
            # refused, or meant for a version that is no longer there?
            fresh = kube.get(target.path)
            if fresh is not None and _version(fresh) != _version(after):
                removed += [] if dry_run else _changes(live, routes, foreign)
                live = fresh
                continue
        return removed + _changes(live, routes, foreign), _notes(target, kept, foreign), after
    raise AssertionError("the last attempt returns or raises")


def _changes(live: Object, routes: Collection[Route], foreign: dict[Route, str]) -> list[Change]:
    secret = holds_secrets(live)
    return [
        Change(route_path(route), value_at(live, route), ABSENT, secret, f"set by {foreign[route]}") for route in routes
    ]


def _notes(target: Target, kept: Collection[Route], foreign: dict[Route, str]) -> tuple[str, ...]:
    return tuple(f"{target.who}: {route_path(route)} of {foreign[route]} cannot be removed" for route in kept)


def _version(item: Object) -> str:
    return str((item.get("metadata") or {}).get("resourceVersion"))
