# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared values as the type that a field has: YAML makes numbers, booleans and dates of what was meant as text.

A number becomes the text that it is written as (`1`, `1.5`), a boolean `true` or `false` (as Kubernetes and ARM spell
it), a date `2026-01-31`. What cannot be the declared type is a problem, and so is a name that the service does not
know: it would be dropped without a word.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks_fields import API_VERSION, MODELS
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import kind_of, text_of_scalar

READ_ONLY = "-"
# more than any number has that a service takes, and fewer than Python refuses to read (4300)
_MOST_DIGITS = 400


def text_of(value: Any) -> str | None:
    """The text that a scalar stands for; None for what is no text (a list, a mapping, not-a-number)."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    text = text_of_scalar(value)
    return text if isinstance(text, str) else None


def texts_of(values: Mapping[Any, Any] | None, path: str) -> tuple[dict[str, str | None], list[Problem]]:
    """A map of names to texts (labels, tags); None stays, it clears a name."""
    texts: dict[str, str | None] = {}
    problems = []
    for key, value in (values or {}).items():
        name = text_of(key) or str(key)
        text = text_of(value)
        if value is not None and text is None:
            problems.append(Problem(join(path, name), f"must be text, not {kind_of(value)}"))
        texts[name] = text
    return texts, problems


def typed_like(standing: Any, declared: Any) -> Any:
    """`declared` with scalars as text where text stands: for services whose types nobody here knows."""
    if isinstance(declared, Mapping):
        below = standing if isinstance(standing, Mapping) else {}
        return {key: typed_like(below.get(key), value) for key, value in declared.items()}
    if isinstance(declared, list) and isinstance(standing, list):
        if len(declared) == len(standing):
            return [typed_like(*pair) for pair in zip(standing, declared)]
        texts = bool(standing) and all(isinstance(item, str) for item in standing)
        return [typed_like("" if texts else None, item) for item in declared]
    if isinstance(standing, str) and not isinstance(declared, str):
        text = text_of(declared)
        return declared if text is None else text
    return declared


# --- with a model


@cache
def fields(model: str) -> dict[str, str]:
    """Name → type of a model's fields."""
    return dict(field.split(":", 1) for field in MODELS[model].split(" ") if field)


def typed(declared: Mapping[str, Any], model: str, path: str = "") -> tuple[dict[str, Any], list[Problem]]:
    """`declared` with the names and types of `model`, and what is wrong with it (values in question stay)."""
    problems: list[Problem] = []
    return _object(declared, model, path, problems), problems


def _object(declared: Mapping[str, Any], model: str, path: str, problems: list[Problem]) -> dict[str, Any]:
    known = fields(model)
    spelled = {name.lower(): name for name in known}
    result: dict[str, Any] = {}
    for key, value in declared.items():
        # the service reads names in any case
        name = spelled.get(str(key).lower(), "")
        place = join(path, str(key))
        if not name:
            problems.append(Problem(place, f"AKS (api {API_VERSION}) has no such property{meant(str(key), known)}"))
            result[str(key)] = value
        elif known[name] == READ_ONLY:
            problems.append(Problem(place, "is only answered by the service and cannot be set: leave it out"))
        else:
            result[name] = _value(value, known[name], join(path, name), problems)
    return result


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` for a misspelt name, or nothing."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""


def _value(value: Any, kind: str, path: str, problems: list[Problem]) -> Any:
    if value is None or kind == "x":
        return value
    if kind.startswith("["):
        if not isinstance(value, (list, tuple)):
            problems.append(Problem(path, f"must be a list, not {kind_of(value)}"))
            return value
        return [_value(item, kind[1:], f"{path}[{index}]", problems) for index, item in enumerate(value)]
    if kind in _SCALARS:
        read, name = _SCALARS[kind]
        result = read(value)
        if result is None:
            shown = "" if isinstance(value, (Mapping, list, tuple)) else f": {value!r}"
            problems.append(Problem(path, f"must be {name}, not {kind_of(value)}{shown}"))
            return value
        return result
    if not isinstance(value, Mapping):
        problems.append(Problem(path, f"must be a mapping, not {kind_of(value)}"))
        return value
    if kind.startswith("{"):
        inner: dict[str, Any] = {}
        for key, item in value.items():
            name = text_of(key) or str(key)
            inner[name] = _value(item, kind[1:], join(path, name), problems)
        return inner
    return _object(value, kind, path, problems)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if len(value) <= _MOST_DIGITS and re.fullmatch(r"-?\d+", value) else None
    return value if isinstance(value, int) else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value):
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _whole(value)


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


_SCALARS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "s": (text_of, "text"),
    "e": (text_of, "text"),
    "i": (_whole, "a whole number"),
    "n": (_number, "a number"),
    "b": (_boolean, "true or false"),
}


@cache
def paths_of(model: str, kind: str) -> tuple[str, ...]:
    """Every place below `model` whose field is of `kind`; `*` stands for an item or a free name."""
    return tuple(_paths(model, kind, ""))


def _paths(model: str, kind: str, path: str) -> Iterable[str]:
    for name, declared in fields(model).items():
        place = f"{path}.{name}" if path else name
        inner = declared
        if inner == kind:
            yield place
        while inner.startswith(("[", "{")):
            inner = inner[1:]
            place = f"{place}.*"
        if inner in MODELS:
            yield from _paths(inner, kind, place)
        elif inner == kind and inner != declared:
            yield place
