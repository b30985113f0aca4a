# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSONPath as kubectl's users write it, as far as one value or the values of a list need it. Pure.

`{.status.phase}`, `.spec.ports[0].port`, `.metadata.labels['a.b/c']` (or `a\\.b/c`), `.items[*].name`, and filters such
as `.status.conditions[?(@.type=="Ready")].status`. Braces and a leading `$` may be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT


class Step:
    """One step of a path."""


@dataclass(frozen=True)
class Key(Step):
    """A field of a mapping."""

    name: str


@dataclass(frozen=True)
class Index(Step):
    """An item of a list, from its end when negative."""

    place: int


@dataclass(frozen=True)
class Every(Step):
    """All items of a list, or all values of a mapping."""


@dataclass(frozen=True)
class Filter(Step):
    """Those items of a list at whose `path` the value compares so; without an operator: that have it."""

    path: Path
    operator: str = ""
    value: Any = None


Path = tuple[Step, ...]

_FIELD = re.compile(r"\.?((?:[\w/-]|\\.)+|\*)")
_BRACKET = re.compile(
    r"""\[(?:
        (?P<index>-?\d+) | (?P<every>\*) | '(?P<single>[^']*)' | "(?P<double>[^"]*)"
        | \?\((?P<filter>(?:[^()'"]|'[^']*'|"[^"]*")*)\)
    )\]""",
    re.VERBOSE,
)
_COMPARISON = re.compile(r"@(?P<path>[^=!]*?)\s*(?:(?P<operator>==|!=)\s*(?P<value>.+))?")


class BadPath(ValueError):
    """The text is no JSONPath of this kind; the message says where it stops being one."""


def parse(text: str) -> Path:
    """The steps of a path; BadPath when it has none or something else in it."""
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        raise BadPath("its braces do not match")
    inner = inner[1:-1].strip() if inner.startswith("{") else inner
    inner = inner[1:] if inner.startswith("$") else inner
    steps = _steps(inner)
    if not steps:
        raise BadPath("it names no field")
    return steps


def find(path: Path, value: Any) -> list[Any]:
    """Every value the path leads to, in order; none where something on the way is missing."""
    found = [value]
    for step in path:
        found = [below for one in found for below in _below(step, one)]
    return found


def _steps(text: str) -> Path:
    steps: list[Step] = []
    place = 0
    while place < len(text):
        bracket = _BRACKET.match(text, place)
        field = None if bracket else _FIELD.match(text, place)
        if bracket is not None:
            steps.append(_bracket(bracket))
        elif field is not None and (text[place] == "." or place == 0):
            name = field.group(1)
            steps.append(Every() if name == "*" else Key(re.sub(r"\\(.)", r"\1", name)))
        else:
            raise BadPath(f"it cannot be read from {text[place:]!r} on")
        place = (bracket or field).end()  # type: ignore[union-attr]
    return tuple(steps)


def _bracket(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return Index(int(match["index"]))
    if match["every"] is not None:
        return Every()
    if match["filter"] is not None:
        return _filter(match["filter"].strip())
    return Key(match["single"] if match["single"] is not None else match["double"])


def _filter(text: str) -> Filter:
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise BadPath(f"the filter {text!r} is not of the form @.field, @.field==value or @.field!=value")
    path = _steps(match["path"].strip())
    if match["operator"] is None:
        return Filter(path)
    return Filter(path, match["operator"], _literal(match["value"].strip()))


def _literal(text: str) -> Any:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise BadPath(f"{text} in a filter is neither a quoted text nor a number, true or false") from None


def _below(step: Step, value: Any) -> Sequence[Any]:
    if isinstance(step, Key):
        return [value[step.name]] if isinstance(value, Mapping) and step.name in value else []
    if isinstance(step, Every) and isinstance(value, Mapping):
        return list(value.values())
    if not isinstance(value, list):
        return []
    if isinstance(step, Index):
        return [value[step.place]] if -len(value) <= step.place < len(value) else []
    if isinstance(step, Filter):
        return [item for item in value if _fits(step, item)]
    return value


def _fits(step: Filter, item: Any) -> bool:
    found = find(step.path, item)
    first = found[0] if found else ABSENT
    if step.operator == "==":
        return bool(first == step.value)
    if step.operator == "!=":
        return bool(first != step.value)
    return bool(found)
