# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading managedFields: which leaves are ours, and which belong to somebody else. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import (
    Route,
    Tree,
    declares,
    entries,
    part_of,
    route_path,
    routes,
    whole_item,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Tolerated, tolerated

FIELD_MANAGER = "mcpops"
REPLACING_MANAGER = "mcpops-replace"
"""Writes an object in one piece and gives it up again: as a second owner it would keep items declared no more."""

# what names an object, what is kept about it by others on purpose (labels, annotations), and what controllers report
_NOT_OWNED = frozenset({"f:apiVersion", "f:kind", "f:metadata", "f:status"})


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
    return list(routes(found[1])) if found is not None else []


def owners(live: Mapping[str, Any]) -> dict[Route, set[str]]:
    """The managers of every leaf that anybody owns, whatever it is a part of."""
    found: dict[Route, set[str]] = {}
    for entry in entries(live):
        if entry.subresource != "status":
            for route in routes(entry.fields):
                found.setdefault(route, set()).add(entry.manager)
    return found


def foreign_routes(
    live: Mapping[str, Any], our_managers: Collection[str], expected: Tolerated | None = None
) -> dict[Route, str]:
    """Every leaf of substance that somebody else owns, with its manager; without those of expected writers.

    A leaf that one of `our_managers` owns as well is not foreign: it stands as we declared it.
    """
    return _foreign_routes(live, our_managers, expected, shared=False)


def _foreign_routes(
    live: Mapping[str, Any], our_managers: Collection[str], expected: Tolerated | None, *, shared: bool
) -> dict[Route, str]:
    allowed = tolerated(str(live.get("kind"))) if expected is None else expected
    found = {}
    for route, managers in owners(live).items():
        others = managers.difference(our_managers)
        if route[0] in _NOT_OWNED or not others or (others != managers and not shared):
            continue
        path = route_path(route)
        unexpected = sorted(manager for manager in others if not allowed.expects(manager, path))
        if unexpected:
            found[route] = unexpected[0]
    return found


def foreign_fields(
    live: Mapping[str, Any], our_managers: Collection[str], expected: Tolerated | None = None
) -> list[tuple[str, str]]:
    """The same as (path, manager), sorted."""
    found = foreign_routes(live, our_managers, expected)
    return sorted((route_path(route), manager) for route, manager in found.items())


def writers_by_path(live: Mapping[str, Any], our_managers: Collection[str]) -> dict[str, str]:
    """The manager of every leaf that is not ours, labels and annotations too: who to name beside a difference."""
    return {
        route_path(route): ", ".join(sorted(managers))
        for route, managers in owners(live).items()
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
    found = _foreign_routes(live, our_managers, expected, shared=True)
    return {
        whole_item(declared, route, structure): manager
        for route, manager in found.items()
        if not declares(declared, route, structure)
    }


def whole_structures(
    foreign: Mapping[Route, str], live: Mapping[str, Any], declared: Mapping[str, Any], structure: Structure = UNKNOWN
) -> dict[Route, str]:
    """The same leaves, as the outermost undeclared structures in which nobody else owns anything.

    A part alone can often not be removed: what is left of `appArmorProfile` without its type is refused.
    """
    protected = [route for route in owners(live) if not any(route[: len(one)] == one for one in foreign)]
    found: dict[Route, str] = {}
    for route, manager in foreign.items():
        above = (route[:length] for length in range(1, len(route)))
        whole = next(
            (
                one
                for one in above
                if not declares(declared, one, structure) and not any(other[: len(one)] == one for other in protected)
            ),
            route,
        )
        found.setdefault(whole, manager)
    return found


def undeclared_own(
    live: Mapping[str, Any], declared: Mapping[str, Any], manager: str, structure: Structure = UNKNOWN
) -> list[Route]:
    """Leaves that `manager` once applied and the declaration has no more; a list item goes as a whole."""
    gone = [route for route in own_routes(live, manager) if not declares(declared, route, structure)]
    return list(dict.fromkeys(whole_item(declared, route, structure) for route in gone))
