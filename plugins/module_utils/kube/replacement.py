# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The object as it ought to be, in one piece, for what server-side apply cannot express. Pure.

A Service port whose number was changed is another list item to server-side apply: it would add the declared port beside
the changed one, which the API refuses because of their common name, and without any port it refuses the removal.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Route
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object

# what names an item of a list, most telling first; a list whose items carry none of these is compared in order
_KEYS = ("name", "containerPort", "port", "mountPath", "ip", "key", "type", "topologyKey")


def replacement(live: Object, declared: Object, foreign: Collection[Route]) -> Object:
    """`live` without the foreign leaves and with everything declared; nothing else is touched."""
    whole: Object = _with(_without(live, list(foreign)), declared)
    return whole


def _without(value: Any, routes: list[Route]) -> Any:
    if not routes:
        return value
    if isinstance(value, Mapping):
        kept = {key: _below(f"f:{key}", routes) for key in value}
        return {key: _without(value[key], below) for key, below in kept.items() if () not in below}
    if isinstance(value, list):
        items = []
        for index, item in enumerate(value):
            below = [route[1:] for route in routes if route and _names(route[0], item, index)]
            if () not in below:
                items.append(_without(item, below))
        return items
    return value


def _below(step: str, routes: list[Route]) -> list[Route]:
    return [route[1:] for route in routes if route and route[0] == step]


def _names(step: str, item: Any, index: int) -> bool:
    if step.startswith("k:") and isinstance(item, Mapping):
        return all(item.get(field) == value for field, value in json.loads(step[2:]).items())
    return (step.startswith("v:") and json.loads(step[2:]) == item) or step == f"i:{index}"


def _with(live: Any, declared: Any) -> Any:
    if isinstance(declared, Mapping) and isinstance(live, Mapping):
        return {**live, **{key: _with(live.get(key), value) for key, value in declared.items()}}
    if isinstance(declared, list) and isinstance(live, list):
        key = item_key(declared, live)
        if key is not None:
            wanted = {item[key]: item for item in declared}
            standing = {item[key]: item for item in live}
            others = [item for name, item in standing.items() if name not in wanted]
            return [_with(standing.get(name), item) for name, item in wanted.items()] + others
    return declared


def item_key(declared: list[Any], live: list[Any]) -> str | None:
    """The field that names every item on both sides, or None."""
    return next((key for key in _KEYS if _names_each(declared, key) and _names_each(live, key)), None)


def _names_each(items: list[Any], key: str) -> bool:
    names = [repr(item[key]) for item in items if isinstance(item, Mapping) and key in item]
    return len(names) == len(items) == len(set(names))
