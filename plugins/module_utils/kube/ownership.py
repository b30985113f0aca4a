# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading managedFields: whether a declaration already stands, and which leaves belong to somebody else. Pure.

`fieldsV1` is a tree whose keys are `f:<field>`, `k:<key of a list item as JSON>`, `v:<value of a set>`,
`i:<index>` and `.` for the node itself; an empty node is a leaf.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.quantity import same_quantity
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, join

FIELD_MANAGER = "mcpops"


class Verdict(Enum):
    STANDS = "stands"
    UNSURE = "unsure"
    """Something that defaults, conversions or shared ownership may explain: a dry run decides."""
    DIFFERS = "differs"


_QUANTITY_PARENTS = frozenset({"limits", "requests", "hard", "capacity", "max", "min", "default", "defaultRequest"})
_QUANTITY_KEYS = frozenset({"storage", "sizeLimit", "divisor", "memory", "cpu"})
_NOT_COMPARED = ("apiVersion", "kind")


def is_quantity(key: str, parent: str) -> bool:
    """Whether the field `key` of `parent` is an amount, which has more than one spelling."""
    return key in _QUANTITY_KEYS or parent in _QUANTITY_PARENTS


def owned_fields(live: Mapping[str, Any], manager: str = FIELD_MANAGER) -> tuple[str, Mapping[str, Any]] | None:
    """(apiVersion, fieldsV1) of what `manager` has applied, or None."""
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return str(entry.get("apiVersion")), entry.get("fieldsV1") or {}
    return None


def verdict(live: Mapping[str, Any], declared: Mapping[str, Any], manager: str = FIELD_MANAGER) -> Verdict:
    """Whether applying `declared` would change anything, as far as it can be told without asking."""
    found = owned_fields(live, manager)
    if found is None or found[0] != declared["apiVersion"]:
        return Verdict.UNSURE
    metadata = {key: value for key, value in declared["metadata"].items() if key not in ("name", "namespace")}
    body = {key: value for key, value in declared.items() if key not in (*_NOT_COMPARED, "metadata")}
    if metadata:
        body["metadata"] = metadata
    return _mapping(body, live, found[1], "")


def _mapping(declared: Mapping[str, Any], live: Any, owned: Mapping[str, Any], parent: str) -> Verdict:
    if not isinstance(live, Mapping):
        return Verdict.DIFFERS if declared else _zero(owned)
    outcome = Verdict.STANDS
    for key, value in declared.items():
        standing = live.get(key, ABSENT)
        if value is None:
            if standing is not ABSENT and standing is not None:
                return Verdict.DIFFERS
            continue
        part = _value(value, standing, owned.get(f"f:{key}"), key, parent)
        if part is Verdict.DIFFERS:
            return part
        if part is Verdict.UNSURE:
            outcome = part
    for key in owned:
        # a leaf that we once declared and do so no more: applying removes it
        if key.startswith("f:") and declared.get(key[2:]) is None:
            return Verdict.DIFFERS
    return outcome


def _value(declared: Any, live: Any, owned: Any, key: str, parent: str) -> Verdict:
    if owned is None:
        # not ours yet: adopt it, or find out whose it is
        return Verdict.UNSURE
    if live is ABSENT or live is None:
        return _zero(owned) if _is_zero(declared) else Verdict.DIFFERS
    if isinstance(declared, Mapping) and owned:
        return _mapping(declared, live, owned, key)
    if isinstance(declared, list) and owned:
        return _list(declared, live, owned)
    return _leaf(declared, live, key, parent)


def _zero(owned: Any) -> Verdict:
    """A declared false, 0 or empty value that the API does not store, and that nobody else has touched since."""
    return Verdict.STANDS if owned is not None else Verdict.UNSURE


def _leaf(declared: Any, live: Any, key: str, parent: str) -> Verdict:
    if declared == live and isinstance(declared, bool) == isinstance(live, bool):
        return Verdict.STANDS
    if is_quantity(key, parent):
        return Verdict.STANDS if same_quantity(declared, live) else Verdict.DIFFERS
    # structures that are owned as one: the server may have completed them
    return (
        Verdict.UNSURE if isinstance(declared, (Mapping, list)) or type(declared) is not type(live) else Verdict.DIFFERS
    )


def _list(declared: list[Any], live: Any, owned: Mapping[str, Any]) -> Verdict:
    if not isinstance(live, list):
        return Verdict.DIFFERS
    members = [key for key in owned if key.startswith("v:")]
    if members:
        wanted = sorted(map(repr, declared))
        mine = sorted(repr(json.loads(key[2:])) for key in members)
        return Verdict.STANDS if wanted == mine and all(item in live for item in declared) else Verdict.DIFFERS
    keyed = {key: json.loads(key[2:]) for key in owned if key.startswith("k:")}
    if not keyed:
        return Verdict.UNSURE
    if len(keyed) != len(declared):
        return Verdict.DIFFERS
    outcome = Verdict.STANDS
    last = -1
    for item in declared:
        mine_key = _key_of(item, keyed)
        place = _place_of(live, keyed[mine_key]) if mine_key is not None else None
        if mine_key is None or place is None:
            return Verdict.DIFFERS
        if place < last:
            outcome = Verdict.UNSURE
        last = place
        part = _mapping(item, live[place], _without_key(owned[mine_key], keyed[mine_key], item), "")
        if part is Verdict.DIFFERS:
            return part
        if part is Verdict.UNSURE:
            outcome = part
    return outcome


def _key_of(item: Any, keyed: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The owned entry of a declared list item; key fields that the declaration leaves to defaults match anything."""
    if not isinstance(item, Mapping):
        return None
    fits = [name for name, key in keyed.items() if all(item.get(field, value) == value for field, value in key.items())]
    return fits[0] if len(fits) == 1 else None


def _place_of(live: list[Any], key: Mapping[str, Any]) -> int | None:
    for place, item in enumerate(live):
        if isinstance(item, Mapping) and all(item.get(field) == value for field, value in key.items()):
            return place
    return None


def _without_key(owned: Mapping[str, Any], key: Mapping[str, Any], item: Mapping[str, Any]) -> Mapping[str, Any]:
    """A key field that was defaulted is owned without having been declared."""
    defaulted = {f"f:{field}" for field in key if field not in item}
    return {name: below for name, below in owned.items() if name not in defaulted} if defaulted else owned


def _is_zero(value: Any) -> bool:
    return value in ("", 0, False) or value == {} or value == []


# --- whose field is it ---------------------------------------------------------------------------------------------

_ROOTS = ("spec", "data", "binaryData", "rules", "webhooks", "subjects", "roleRef", "parameters")

# (manager, kind, path): who may write where without being drift. Managers are the names programs send; the path is a
# regular expression on the dotted path.
_EXPECTED_MANAGERS: tuple[tuple[str, str, str], ...] = (
    # a HorizontalPodAutoscaler scales through kube-controller-manager; KEDA through its own HPA
    (r"kube-controller-manager|kube-scheduler|kubelet|kube-apiserver", r".*", r".*"),
    (r"cloud-controller-manager|azure-cloud-controller-manager", r"Service", r"spec\..*"),
    (r".*cainjector.*", r".*", r".*caBundle.*"),
    (r"vpa-updater|vpa-recommender|admission-controller", r"Pod", r"spec\..*"),
    # the KMCP controller (a controller-runtime program: its binary's name) makes the children of an MCPServer
    (r"manager|kmcp.*", r"Deployment|Service|ConfigMap|ServiceAccount", r".*"),
)


def foreign_fields(live: Mapping[str, Any], our_managers: Collection[str]) -> list[tuple[str, str]]:
    """(path, manager) of every leaf of substance that somebody else owns, without the expected managers.

    A leaf that one of `our_managers` owns as well is not foreign: it stands as we declared it.
    """
    entries = (live.get("metadata") or {}).get("managedFields") or []
    ours: set[tuple[str, ...]] = set()
    others: list[tuple[tuple[str, ...], str]] = []
    for entry in entries:
        if entry.get("subresource") == "status":
            continue
        manager = str(entry.get("manager"))
        for route in _routes(entry.get("fieldsV1") or {}):
            if route[0][2:] not in _ROOTS:
                continue
            if manager in our_managers:
                ours.add(route)
            else:
                others.append((route, manager))
    kind = str(live.get("kind"))
    found = {
        route_path(route): manager
        for route, manager in others
        if route not in ours and not _expected(manager, kind, route_path(route))
    }
    return sorted(found.items())


def foreign_routes(live: Mapping[str, Any], our_managers: Collection[str]) -> dict[tuple[str, ...], str]:
    """The same by fieldsV1 route, for those who have to find the leaf in the object."""
    wanted = dict(foreign_fields(live, our_managers))
    routes: dict[tuple[str, ...], str] = {}
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if entry.get("subresource") == "status" or entry.get("manager") in our_managers:
            continue
        for route in _routes(entry.get("fieldsV1") or {}):
            if wanted.get(route_path(route)) == str(entry.get("manager")):
                routes[route] = str(entry.get("manager"))
    return routes


def own_routes(live: Mapping[str, Any], manager: str) -> list[tuple[str, ...]]:
    """The fieldsV1 routes of every leaf that `manager` has applied."""
    found = owned_fields(live, manager)
    return list(_routes(found[1])) if found is not None else []


def route_path(route: tuple[str, ...]) -> str:
    """A fieldsV1 route as the path that plans and diffs show."""
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


def _routes(fields: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, below in fields.items():
        if key == ".":
            # the list item itself: it counts when nothing below it does
            if above and above[-1].startswith("k:") and len(fields) == 1:
                yield above
            continue
        if below:
            yield from _routes(below, (*above, key))
        else:
            yield (*above, key)


def _expected(manager: str, kind: str, path: str) -> bool:
    return any(
        re.fullmatch(row_manager, manager) and re.fullmatch(row_kind, kind) and re.fullmatch(row_path, path)
        for row_manager, row_kind, row_path in _EXPECTED_MANAGERS
    )
