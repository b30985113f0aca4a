# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing ARM bodies: values in the type of their field.

What ARM treats as equal although it reads differently, and secrets that ARM never returns.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from ..compare import Rule, Rules, at_least, case_insensitive, location
from ..errors import Problem
from ..plan import ABSENT, Change, join
from ..secrets import REDACTED, SHORTEST_SECRET, secret_property
from ..text import kind_of, text_of_scalar
from . import names
from .fields import API_VERSION, MODELS

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


def typed_like(existing: Any, declared: Any) -> Any:
    """`declared` with its scalars in the type of what stands: for services whose types nobody here knows."""
    if isinstance(declared, Mapping):
        below = existing if isinstance(existing, Mapping) else {}
        return {key: typed_like(below.get(key), value) for key, value in declared.items()}
    if isinstance(declared, list) and isinstance(existing, list):
        if len(declared) == len(existing):
            return [typed_like(*pair) for pair in zip(existing, declared)]
        texts = bool(existing) and all(isinstance(item, str) for item in existing)
        return [typed_like("" if texts else None, item) for item in declared]
    if declared is None:
        return None
    kind = "s" if isinstance(existing, str) else "b" if isinstance(existing, bool) else ""
    kind = kind or ("n" if isinstance(existing, (int, float)) else "")
    typed = _SCALARS[kind][0](declared) if kind else None
    return declared if typed is None else typed


# --- with a model


@cache
def model_fields(model: str) -> dict[str, str]:
    """Name → type of a model's fields."""
    return dict(field.split(":", 1) for field in MODELS[model].split(" ") if field)


def typed_body(declared: Mapping[str, Any], model: str, path: str = "") -> tuple[dict[str, Any], list[Problem]]:
    """`declared` with the names and types of `model`, and what is wrong with it (values in question stay)."""
    problems: list[Problem] = []
    return _object(declared, model, path, problems), problems


def _object(declared: Mapping[str, Any], model: str, path: str, problems: list[Problem]) -> dict[str, Any]:
    known = model_fields(model)
    spelled = {name.lower(): name for name in known}
    result: dict[str, Any] = {}
    for key, value in declared.items():
        # the service reads names in any case
        name = spelled.get(str(key).lower(), "")
        place = join(path, str(key))
        if not name:
            problems.append(
                Problem(place, f"AKS (api {API_VERSION}) has no such property{did_you_mean(str(key), known)}")
            )
            result[str(key)] = value
        elif known[name] == READ_ONLY:
            problems.append(Problem(place, "is only answered by the service and cannot be set: leave it out"))
            result[name] = value
        else:
            result[name] = _value(value, known[name], join(path, name), problems)
    return result


def did_you_mean(name: str, known: Iterable[str]) -> str:
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


def _integer(value: Any) -> int | None:
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
    return _integer(value)


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


_SCALARS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "s": (text_of, "text"),
    "e": (text_of, "text"),
    "i": (_integer, "a whole number"),
    "n": (_number, "a number"),
    "b": (_boolean, "true or false"),
}


_ID = re.compile(r"/(subscriptions|providers)/", re.IGNORECASE)


def arm_value(current: Any, declared: Any) -> bool:
    """Ids ignore case, and a key that the service added inside a list's item is not a difference."""
    if isinstance(current, str) and isinstance(declared, str):
        # SSH keys are stored with the newline at their end (recorded traffic)
        have, want = current.rstrip("\n"), declared.rstrip("\n")
        return have == want or bool(_ID.match(want) and have.lower() == want.lower())
    if isinstance(current, list) and isinstance(declared, list):
        return len(current) == len(declared) and all(arm_value(*pair) for pair in zip(current, declared))
    if isinstance(current, Mapping) and isinstance(declared, Mapping):
        return all(arm_value(current.get(key), value) for key, value in declared.items())
    return bool(current == declared)


def role_definition(current: Any, declared: Any) -> bool:
    """Answered with the subscription before it, whatever was sent (recorded traffic): /providers/... is the same."""
    return _role(current) == _role(declared)


def _role(value: Any) -> str:
    text = str(value).lower()
    place = text.rfind("/providers/microsoft.authorization/roledefinitions/")
    return text[place:] if place >= 0 else text


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


def creation_rules(table: Mapping[str, Rule]) -> Rules:
    """Of what is new all is sent, what is off or the default of today as well; only what is empty says nothing."""
    kept = {"tags.*": Rule(), "identity.userAssignedIdentities.**": Rule()}
    return Rules({**kept, **table}, Rule(empty_is_absent=True))


def tag_values(tags: Mapping[str, Any] | None) -> tuple[dict[str, str | None], list[Problem]]:
    """Tags as ARM holds them: text. YAML makes numbers and truth values of what was meant as text."""
    texts, problems = texts_of(tags, "tags")
    for name, text in texts.items():
        if len(name) > 512 or re.search(r"[<>%&\\?/]", name):
            problems.append(Problem(f"tags.{name}", "a tag's name has up to 512 characters, none of < > % & \\ ? /"))
        if text is not None and len(text) > 256:
            problems.append(Problem(f"tags.{name}", "a tag's value has up to 256 characters"))
    return texts, problems


def with_current_spelling(current: Any, declared: Mapping[str, Any]) -> dict[str, Any]:
    """`declared` with its keys in the case in which they stand: names of tags and ids of identities ignore case."""
    existing = {str(name).lower(): str(name) for name in current} if isinstance(current, Mapping) else {}
    return {existing.get(str(name).lower(), str(name)): value for name, value in declared.items()}


def tags_over(current: Mapping[str, Any], declared: Mapping[str, Any], purge: bool) -> dict[str, Any]:
    """Declared tags as they are spelled in `current`; a purge leaves the marks that say whose resource it is."""
    existing = current.get("tags") or {}
    marks = {name: value for name, value in existing.items() if purge and name.lower() in names.MARKS}
    return {**marks, **with_current_spelling(existing, declared)}


def as_grown(declared: Mapping[str, Any], merged: Mapping[str, Any], rules: Mapping[str, Rule]) -> dict[str, Any]:
    """The declaration, with what has grown as it stands: less would be refused, with all that is changed beside it."""
    grown = dict(declared)
    for path, rule in rules.items():
        if rule.equal is at_least:
            grown = _as_merged(grown, merged, path.split("."))
    return grown


def _as_merged(declared: Mapping[str, Any], merged: Mapping[str, Any], route: Sequence[str]) -> dict[str, Any]:
    key, rest = route[0], route[1:]
    if key not in declared or key not in merged or (rest and not isinstance(declared[key], Mapping)):
        return dict(declared)
    return {**declared, key: _as_merged(declared[key], merged[key], rest) if rest else merged[key]}


def without_paths(body: Mapping[str, Any], read_only: Sequence[str]) -> dict[str, Any]:
    """A copy of `body` less the paths (`*` is every item or key) that a service answers and does not take."""
    result: dict[str, Any] = _without_nulls(body)
    for path in read_only:
        _drop(result, path.split("."))
    return result


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


def _without_nulls(value: Any) -> Any:
    """A copy: in the body of a PUT what is left out is cleared."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def secret_values(declared: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """The declared secrets that are long enough to be masked wherever they would appear."""
    if isinstance(declared, Mapping):
        for key, value in declared.items():
            if secret_property(str(key), value, above):
                if len(str(value)) >= SHORTEST_SECRET:
                    yield str(value)
            else:
                yield from secret_values(value, (*above, str(key)))
    elif isinstance(declared, list):
        for item in declared:
            yield from secret_values(item, above)


def redact_body(value: Any, above: tuple[str, ...] = ()) -> Any:
    """A copy without the secrets in it, for people to see."""
    if isinstance(value, Mapping):
        return {
            key: REDACTED if secret_property(str(key), item, above) else redact_body(item, (*above, str(key)))
            for key, item in value.items()
        }
    return [redact_body(item, above) for item in value] if isinstance(value, list) else value


def redact_changes(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes as they may be shown: a secret leaf is marked, secrets inside a larger value are masked."""
    return tuple(_hidden(change) for change in changes)


def _hidden(change: Change) -> Change:
    keys = tuple(part.strip('"') for part in re.findall(r'"[^"]*"|[^.\[\]]+', change.path))
    named = keys[-1] if keys else ""
    if any(secret_property(named, value, keys[:-1]) for value in (change.before, change.after)):
        return replace(change, secret=True)
    before, after = (value if value is ABSENT else redact_body(value, keys) for value in (change.before, change.after))
    return replace(change, before=before, after=after)


def comparable_part(declared: Mapping[str, Any], existing: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`declared` without the secrets that the standing resource does not answer, and their paths."""
    found: list[str] = []
    return _mapping(declared, existing, "", (), found), found


def write_only_note(paths: Iterable[str]) -> list[str]:
    """What is said of values that cannot be compared."""
    listed = ", ".join(paths)
    if not listed:
        return []
    return [f"{listed}: never answered by Azure, so not compared; sent with a creation and with any other change"]


def _mapping(
    declared: Mapping[str, Any], existing: Mapping[str, Any], path: str, above: tuple[str, ...], found: list[str]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in declared.items():
        now = existing.get(key)
        place = join(path, str(key))
        unanswered = secret_property(str(key), value, above) and _unanswered(now)
        if unanswered or (not now and _only_secrets(value, (*above, str(key)))):
            found.append(place)
        else:
            result[key] = _below(value, now, place, (*above, str(key)), found)
    return result


def _below(value: Any, now: Any, path: str, above: tuple[str, ...], found: list[str]) -> Any:
    if isinstance(value, Mapping) and isinstance(now, Mapping):
        return _mapping(value, now, path, above, found)
    if isinstance(value, list) and isinstance(now, list):
        return [
            _below(item, _fellow(item, index, value, now), f"{path}[{index}]", above, found)
            for index, item in enumerate(value)
        ]
    return value


def _fellow(item: Any, index: int, items: list[Any], existing: list[Any]) -> Any:
    """The item that stands for this one: that of its name, or in a list as long the one in its place."""
    if isinstance(item, Mapping) and "name" in item:
        named = [other for other in existing if isinstance(other, Mapping) and other.get("name") == item["name"]]
        return named[0] if named else None
    return existing[index] if len(items) == len(existing) else None


def _unanswered(now: Any) -> bool:
    """Left out, null, empty, or stars in its place."""
    return now is None or now == "" or (isinstance(now, str) and set(now) == {"*"})


def _only_secrets(value: Any, above: tuple[str, ...]) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(
        secret_property(str(key), item, above) or _only_secrets(item, (*above, str(key))) for key, item in value.items()
    )
