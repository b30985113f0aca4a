# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing and cleaning ARM bodies: what is the same to ARM although it reads differently."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.compare import Rule, case_insensitive, location
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import text_of_scalar

_ID = re.compile(r"/(subscriptions|providers)/", re.IGNORECASE)


def arm_value(current: Any, declared: Any) -> bool:
    """Ids ignore case, and a key that the service added inside a list's item is not a difference."""
    if isinstance(current, str) and isinstance(declared, str):
        return current == declared or bool(_ID.match(declared) and current.lower() == declared.lower())
    if isinstance(current, list) and isinstance(declared, list):
        return len(current) == len(declared) and all(arm_value(*pair) for pair in zip(current, declared))
    if isinstance(current, Mapping) and isinstance(declared, Mapping):
        return all(arm_value(current.get(key), value) for key, value in declared.items())
    return bool(current == declared)


ARM_DEFAULT = Rule(arm_value, empty_is_absent=True, false_is_absent=True)


def envelope_rules(purge_tags: bool) -> dict[str, Rule]:
    """The keys that every resource type has."""
    return {
        "location": Rule(location),
        "tags": Rule(purge=purge_tags, empty_is_absent=True),
        "tags.*": Rule(),
        "identity.type": Rule(case_insensitive),
        "sku.name": Rule(case_insensitive),
        "sku.tier": Rule(case_insensitive),
        "kind": Rule(case_insensitive),
    }


def tag_values(tags: Mapping[str, Any] | None) -> tuple[dict[str, str | None], list[Problem]]:
    """Tags as ARM holds them: text. YAML makes numbers and truth values of what was meant as text."""
    texts: dict[str, str | None] = {}
    problems = []
    for name, value in (tags or {}).items():
        if isinstance(value, (dict, list)):
            problems.append(Problem(f"tags.{name}", "must be text"))
        elif value is None:
            texts[str(name)] = None
        else:
            texts[str(name)] = text_of_scalar(value)
        if len(str(name)) > 512 or re.search(r"[<>%&\\?/]", str(name)):
            problems.append(Problem(f"tags.{name}", "a tag's name has up to 512 characters, none of < > % & \\ ? /"))
        if value is not None and len(str(value)) > 256:
            problems.append(Problem(f"tags.{name}", "a tag's value has up to 256 characters"))
    return texts, problems


def spelled_like(current: Any, declared: Mapping[str, Any]) -> dict[str, Any]:
    """`declared` with its keys in the case in which they stand: names of tags and ids of identities ignore case."""
    standing = {str(name).lower(): str(name) for name in current} if isinstance(current, Mapping) else {}
    return {standing.get(str(name).lower(), str(name)): value for name, value in declared.items()}


def without(body: Mapping[str, Any], read_only: Sequence[str]) -> dict[str, Any]:
    """`body` less the paths (`*` is every item or key) that a service answers and does not take."""
    result = _copy(body)
    for path in read_only:
        _drop(result, path.split("."))
    return _prune(result)  # type: ignore[no-any-return]


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _drop(value: Any, route: list[str]) -> None:
    key, rest = route[0], route[1:]
    if key == "*":
        for item in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
            _drop(item, rest)
    elif isinstance(value, dict) and key in value:
        if rest:
            _drop(value[key], rest)
        else:
            del value[key]


def _prune(value: Any) -> Any:
    """Without nulls: in the body of a PUT what is left out is cleared."""
    if isinstance(value, dict):
        return {key: _prune(item) for key, item in value.items() if item is not None}
    return [_prune(item) for item in value] if isinstance(value, list) else value
