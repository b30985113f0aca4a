# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that we own whole: what others wrote into them is removed, or set to what a new object would have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    ATTEMPTS,
    INVALID,
    Target,
    removable,
    remove_leaves,
    set_leaves,
    try_creation,
    version_of,
    written,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.comparison import Comparison
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import Route, route_path, value_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change


@dataclass(frozen=True)
class Taken:
    """What became of what others had added."""

    changes: tuple[Change, ...]
    kept: Mapping[str, ServiceError]
    """Notes on what is kept, with the refusals."""
    returned: tuple[Route, ...]
    """What came back by itself: a default, or what another field still says (serviceAccount)."""
    live: Object


def remove_foreign(kube: Kube, found: Comparison, *, dry_run: bool) -> Taken:
    """Undeclared leaves of substance that others wrote are removed."""
    target, removed = found.target, list[Change]()
    for attempt in range(1, ATTEMPTS + 1):
        live, foreign = found.live, found.foreign_structures
        if not foreign:
            return Taken(tuple(removed), {}, (), live)
        kept: dict[Route, ServiceError] = {}
        try:
            routes, kept = removable(kube, target, live, foreign)
            after = remove_leaves(kube, target, live, routes, dry_run=False) if routes and not dry_run else live
        except ServiceError as refused:
            if refused.status != INVALID or attempt == ATTEMPTS:
                raise
            routes, kept, after = [], dict.fromkeys(foreign, refused), live
        if routes and not dry_run:
            after = _without_emptied(kube, found.of(after))
        changes = found.removals({route: foreign[route] for route in routes})
        if kept and attempt < ATTEMPTS:
            # refused, or meant for a version that is no longer there?
            fresh = kube.get(target.path)
            if fresh is not None and version_of(fresh) != version_of(after):
                removed += [] if dry_run else changes
                found = found.of(fresh)
                continue
        notes = {
            f"{target.who}: {route_path(route)} of {foreign[route]} cannot be removed": refused
            for route, refused in kept.items()
        }
        returned = tuple(route for route in foreign if route not in routes and route not in kept)
        return Taken((*removed, *changes), notes, returned, after)
    raise AssertionError("the last attempt returns or raises")


def _without_emptied(kube: Kube, found: Comparison) -> Object:
    """Without its last item a map is empty and still the other manager's: it goes as well, level by level."""
    for _level in range(ATTEMPTS):
        emptied = [route for route in found.foreign if value_at(found.live, route) in ({}, [])]
        if not emptied:
            break
        try:
            after = remove_leaves(kube, found.target, found.live, emptied, dry_run=False)
        except ServiceError as refused:
            if refused.status != INVALID:
                raise
            after = kube.get(found.target.path) or found.live
        found = found.of(after)
    return found.live


def fresh_values(kube: Kube, target: Target, live: Object, routes: Collection[Route], manager: str) -> dict[Route, Any]:
    """Route → value, for the leaves that would have another value in a new object; {} where none can be tried.

    A leaf that comes back by itself when it is removed is a default, or a value that an update without it leaves as it
    is (`ipFamilyPolicy` of a Service). Only an object that is made afresh tells them apart: dry runs make two. What
    differs between the two is handed out by chance, such as an address, and says nothing.
    """
    try:
        one, other = (try_creation(kube, target, manager) for _trial in range(2))
    except ServiceError:
        # a name that its kind prescribes, a quota, a port that the standing object holds
        return {}
    structure = target.structure
    found = {}
    for route in routes:
        value = value_at(one, route, structure)
        if value not in (None, value_at(live, route, structure)) and value == value_at(other, route, structure):
            found[route] = value
    return found


def set_fresh(kube: Kube, target: Target, live: Object, values: Mapping[Route, Any], manager: str) -> Object:
    """The object with these values."""
    return written(kube, target, live, lambda one: set_leaves(kube, target, one, values, manager), INVALID)
