# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing declared values with current ones, and merging the one into the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .plan import ABSENT, Change, join


def overlay(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `base` as helm merges values: mappings merge, anything else (a list, a null) replaces."""
    result = dict(base)
    for key, value in above.items():
        below = result.get(key)
        result[key] = overlay(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


Equal = Callable[[Any, Any], bool]


def exact(current: Any, declared: Any) -> bool:
    return bool(current == declared)


def case_insensitive(current: Any, declared: Any) -> bool:
    return bool(_fold(current) == _fold(declared))


def location(current: Any, declared: Any) -> bool:
    """`East US 2` is `eastus2`."""
    return str(current).replace(" ", "").lower() == str(declared).replace(" ", "").lower()


def at_least(current: Any, declared: Any) -> bool:
    """A number that is larger than the declared one is as declared."""
    numbers = isinstance(current, (int, float)) and isinstance(declared, (int, float))
    return current >= declared if numbers else exact(current, declared)


def as_set(current: Any, declared: Any) -> bool:
    """Lists whose order means nothing."""
    return sorted(map(repr, current or [])) == sorted(map(repr, declared or []))


def floor_version(current: Any, declared: Any) -> bool:
    """A version at or above the declared one is as declared: a service that upgrades itself is not drift.

    `1.34` is satisfied by every `1.34.x` and by everything newer.
    """
    have, want = _version(current), _version(declared)
    if have is None or want is None:
        return exact(current, declared)
    # a current alias such as "1.34" stands for a patch nobody named: equal prefixes satisfy each other
    depth = min(len(have), len(want))
    return have[:depth] > want[:depth] or (have[:depth] == want[:depth] and (len(have) < len(want) or have >= want))


@dataclass(frozen=True)
class Rule:
    """How one place of a structure is compared.

    `equal` decides about scalars and whole lists. `key` turns a list of mappings into a keyed list whose items are
    merged by that key; `keep_others` keeps items that are not declared. `purge` removes undeclared mapping keys.
    `empty_is_absent` lets null, "", [] and {} stand for not there (how ARM answers many unset fields);
    `false_is_absent` does the same for a flag that nobody set, `default` for a value that a service may leave out.
    """

    equal: Equal = exact
    key: str | None = None
    keep_others: bool = False
    purge: bool = False
    empty_is_absent: bool = False
    false_is_absent: bool = False
    default: Any = None

    def as_declared(self, current: Any, declared: Any) -> bool:
        """Whether a scalar or a whole list is as declared; `current` may be ABSENT."""
        if current is ABSENT or current is None:
            return declared is None or self._stands_for_absent(declared)
        if declared is None:
            return self._stands_for_absent(current)
        if self.empty_is_absent and _empty(current) and _empty(declared):
            return True
        return self.equal(current, declared)

    def _stands_for_absent(self, value: Any) -> bool:
        if self.empty_is_absent and _empty(value):
            return True
        if self.false_is_absent and value is False:
            return True
        return self.default is not None and self.equal(self.default, value)


class Rules:
    """Rules by path pattern: dotted, `*` is one key or list item, `**` at the end is everything below.

    The first pattern that matches wins; `default` serves the rest.
    """

    def __init__(self, table: Mapping[str, Rule], default: Rule | None = None) -> None:
        self._rows = [(_pattern(pattern), rule) for pattern, rule in table.items()]
        self._default = default or Rule()

    def at(self, route: tuple[str, ...]) -> Rule:
        return self.row(route) or self._default

    def row(self, route: tuple[str, ...]) -> Rule | None:
        """The rule of the table for this place; None where no pattern matches."""
        path = "/".join(route)
        for pattern, rule in self._rows:
            if pattern.fullmatch(path):
                return rule
        return None


@dataclass(frozen=True)
class Merged:
    """`value` is the current structure with everything declared put in."""

    value: Any
    changes: tuple[Change, ...]


def merge(current: Any, declared: Any, rules: Rules, path: str = "") -> Merged:
    """Put `declared` into `current` (which may be ABSENT); neither argument is modified."""
    changes: list[Change] = []
    value = _merge(current, declared, rules, path, (), changes)
    return Merged(value, tuple(changes))


def _merge(current: Any, declared: Any, rules: Rules, path: str, route: tuple[str, ...], changes: list[Change]) -> Any:
    rule = rules.at(route)
    if isinstance(declared, Mapping):
        return _merge_mapping(current, declared, rules, rule, path, route, changes)
    if isinstance(declared, list) and rule.key is not None:
        return _merge_keyed(current, declared, rules, rule, rule.key, path, route, changes)
    if rule.as_declared(current, declared):
        return current
    if declared is None:
        changes.append(Change(path, current, ABSENT))
        return None
    changes.append(Change(path, ABSENT if current is None else current, declared))
    return declared


def _merge_mapping(
    current: Any,
    declared: Mapping[str, Any],
    rules: Rules,
    rule: Rule,
    path: str,
    route: tuple[str, ...],
    changes: list[Change],
) -> Any:
    base = current if isinstance(current, Mapping) else {}
    if not declared and not base:
        if current is ABSENT and not rule.empty_is_absent:
            changes.append(Change(path, ABSENT, {}))
            return {}
        return current if isinstance(current, Mapping) else ({} if current is not ABSENT else ABSENT)
    merged: dict[str, Any] = dict(base)
    for key, wanted in declared.items():
        value = _merge(base.get(key, ABSENT), wanted, rules, join(path, key), (*route, key), changes)
        if value is not ABSENT:
            merged[key] = value
    if rule.purge:
        for key in [key for key in base if key not in declared]:
            changes.append(Change(join(path, key), base[key], ABSENT))
            del merged[key]
    return merged


def _merge_keyed(
    current: Any,
    declared: list[Any],
    rules: Rules,
    rule: Rule,
    key: str,
    path: str,
    route: tuple[str, ...],
    changes: list[Change],
) -> list[Any]:
    existing = {_fold(item.get(key)): item for item in current} if isinstance(current, list) else {}
    wanted = {_fold(item.get(key)): item for item in declared}
    merged: list[Any] = []
    for name, item in wanted.items():
        place = f"{path}[{item.get(key)}]"
        if name in existing:
            rest = {option: value for option, value in item.items() if option != key}
            merged.append(_merge(existing[name], rest, rules, place, (*route, "*"), changes))
        else:
            changes.append(Change(place, ABSENT, item))
            merged.append(item)
    others = [item for name, item in existing.items() if name not in wanted]
    if rule.keep_others:
        return merged + others
    changes.extend(Change(f"{path}[{item.get(key)}]", item, ABSENT) for item in others)
    return merged


def _empty(value: Any) -> bool:
    return value is ABSENT or value is None or value == "" or value == [] or value == {}


def _fold(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _version(value: Any) -> tuple[int, ...] | None:
    match = re.fullmatch(r"v?(\d+(?:\.\d+)*)", str(value))
    return tuple(int(part) for part in match.group(1).split(".")) if match else None


def _pattern(pattern: str) -> re.Pattern[str]:
    wild = {"**": ".*", "*": "[^/]+"}
    return re.compile("/".join(wild.get(part, re.escape(part)) for part in pattern.split(".") if part))
