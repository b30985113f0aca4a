# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new object would have where the API server keeps what others wrote.

A leaf that comes back by itself when it is removed is a default, or a value that an update without it leaves as it is
(`ipFamilyPolicy` of a Service). Only an object that is made afresh tells them apart: dry runs make two, under names of
their own. What differs between the two is handed out by chance, such as an address, and says nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from typing import Any, cast

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    INVALID,
    JSON_PATCH,
    Target,
    server_side_apply,
    target_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import (
    Route,
    json_pointer,
    pointer,
    value_at,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object

ATTEMPTS = 4
"""A controller may write between our reading and our writing."""


def fresh_values(kube: Kube, target: Target, live: Object, routes: Collection[Route], manager: str) -> dict[Route, Any]:
    """Route → value, for the leaves that would have another value in a new object; {} where none can be tried."""
    try:
        one, other = _trial(kube, target, manager), _trial(kube, target, manager)
    except ServiceError:
        # a name that its kind prescribes, a quota, a port that the standing object holds
        return {}
    structure = target.structure
    found = {}
    for route in routes:
        value = value_at(one, route, structure)
        standing = value_at(live, route, structure)
        if value is not None and value == value_at(other, route, structure) and value != standing:
            found[route] = value
    return found


def _trial(kube: Kube, target: Target, manager: str) -> Object:
    name = f"mcpops-trial-{uuid.uuid4().hex[:8]}"
    declared = {**target.declared, "metadata": {**target.declared["metadata"], "name": name}}
    return server_side_apply(kube, target_of(target.resource, declared), dry_run=True, manager=manager)


def set_leaves(kube: Kube, target: Target, live: Object, values: Mapping[Route, Any], manager: str) -> Object:
    """The object with these values; read again when somebody else wrote since `live` was read."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _set(kube, target, live, values, manager)
        except ServiceError as refused:
            fresh = kube.get(target.path) if refused.status == INVALID and attempt < ATTEMPTS else None
            if fresh is None or _version(fresh) == _version(live):
                raise
            live = fresh
    raise AssertionError("the last attempt returns or raises")


def _set(kube: Kube, target: Target, live: Object, values: Mapping[Route, Any], manager: str) -> Object:
    patch: list[dict[str, Any]] = [{"op": "test", "path": "/metadata/resourceVersion", "value": _version(live)}]
    for route, value in values.items():
        place = pointer(live, route, target.structure)
        if place is not None:
            patch.append({"op": "replace", "path": json_pointer(place), "value": value})
    response = kube.request(
        "PATCH",
        target.path,
        query={"fieldManager": manager},
        body=json.dumps(patch),
        content_type=JSON_PATCH,
        action=f"restore {target.who}",
    )
    return cast(Object, response.json())


def _version(item: Object) -> Any:
    return (item.get("metadata") or {}).get("resourceVersion")
