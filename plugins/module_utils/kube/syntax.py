# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values in Kubernetes objects: quantities, label selectors, fields that are text.

And JSON that every parser accepts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ..errors import InvalidInput, Problem
from ..plan import join
from ..text import kind_of

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")


def parse_quantity(value: Any) -> Decimal | None:
    """The number behind a quantity, or None when it is none."""
    if isinstance(value, bool):
        return None
    match = _FORM.fullmatch(str(value))
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""]


def same_quantity(one: Any, other: Any) -> bool:
    left, right = parse_quantity(one), parse_quantity(other)
    return left == right if left is not None and right is not None else bool(one == other)


Selector = Mapping[str, Any]


def selector_text(selector: Selector) -> str:
    """A LabelSelector (or plain labels) as the text of a query."""
    if _is_plain(selector):
        return ",".join(f"{key}={value}" for key, value in selector.items())
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for row in selector.get("matchExpressions") or []:
        values = f"({','.join(row.get('values') or [])})"
        parts.append(
            {
                "In": f"{row['key']} in {values}",
                "NotIn": f"{row['key']} notin {values}",
                "Exists": row["key"],
                "DoesNotExist": f"!{row['key']}",
            }[row.get("operator")]
        )
    return ",".join(parts)


def selector_matches(selector: Selector, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector (or plain labels) chooses something with these labels; an empty one chooses all."""
    have = labels or {}
    plain = selector if _is_plain(selector) else selector.get("matchLabels") or {}
    if any(have.get(key) != value for key, value in plain.items()):
        return False
    rows = [] if _is_plain(selector) else selector.get("matchExpressions") or []
    return all(_holds(row, have) for row in rows)


def _holds(row: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(row["key"])
    values = row.get("values") or []
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[row["operator"]]


def _is_plain(selector: Selector) -> bool:
    return "matchLabels" not in selector and "matchExpressions" not in selector


# what a YAML text may hold as an escape only; in JSON these are never outside of a string
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_KEY = 1021
"""A YAML parser looks at most 1024 characters ahead for the colon, and two of them are quotes."""
_MAYBE_LONG = re.compile(rf'"[^"]{{{_LONGEST_KEY // 6},}}":')
_MANY_DIGITS = re.compile(r"[0-9]{309}")
_LARGEST = 2**1024


def json_text(value: Any) -> str:
    """`value` for any reader; InvalidInput, with the place, where it holds what none can read."""
    try:
        text = _dumped(value)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        problems = json_problems(value, "") or [Problem("", "cannot be written as JSON")]
        raise InvalidInput("What is to be sent", problems) from None
    return text if text.isascii() and "\x7f" not in text else _ESCAPED.sub(_escape, text)


def json_problems(value: Any, place: str) -> list[Problem]:
    """What in `value` no reader takes, each with its path below `place`; values are not shown."""
    # most have nothing of that, and the encoder looks through them far more quickly
    try:
        text = _dumped(value)
        text.encode()
        if not _MAYBE_LONG.search(text) and not _MANY_DIGITS.search(text):
            return []
    except RecursionError:
        return [Problem(place, "is nested too deeply")]
    except (ValueError, TypeError):
        pass
    try:
        return list(_value_problems(value, place))
    except RecursionError:
        return [Problem(place, "is nested too deeply")]


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _value_problems(value: Any, place: str) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            if isinstance(key, str):
                wrong = _wrong_key(key)
            else:
                # JSON writes the keys that are numbers as text
                wrong = "" if isinstance(key, (int, float, type(None))) else f"the key {key!r} is not text"
            if wrong:
                yield Problem(place, wrong)
            else:
                yield from _value_problems(below, join(place, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            yield from _value_problems(below, f"{place}[{index}]")
    elif isinstance(value, str):
        wrong = _wrong_text(value)
        if wrong:
            yield Problem(place, wrong)
    elif isinstance(value, float) and not math.isfinite(value):
        shown = "NaN" if math.isnan(value) else "infinity"
        yield Problem(place, f"is {shown}, which JSON does not have: give a number, or quote it if it is text")
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        yield Problem(place, "is a number too large for any reader: quote it if it is text")
    elif not isinstance(value, (int, float, type(None))):
        yield Problem(place, f"is of the type {type(value).__name__}, which JSON does not have: write it as text")


def _wrong_key(key: str) -> str:
    wrong = _wrong_text(key)
    if wrong:
        return f"the key {key!a} {wrong}"
    if len(_ESCAPED.sub(_escape, _dumped(key))) - 2 > _LONGEST_KEY:
        return f"the key {key[:20]}... has {len(key)} characters, and YAML readers take about 1000"
    return ""


def _wrong_text(text: str) -> str:
    half = _SURROGATE.search(text)
    if half is None:
        return ""
    return (
        f"holds U+{ord(half[0]):04X}, half of a surrogate pair and no character: the text is not valid UTF-8. "
        "Write the character itself, and bytes as base64"
    )


_EMBEDDING = frozenset(
    {
        *("Pod", "PodTemplate", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"),
        *("Job", "CronJob", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim"),
    }
)
_OF_METADATA = ("labels", "annotations")
_MAPPINGS = frozenset({"matchLabels", "nodeSelector"})
_LISTS = frozenset({"command", "args"})


def text_problems(item: Mapping[str, Any], place: str, *, built_in: bool) -> Iterator[Problem]:
    """Numbers, booleans and structures where text is wanted. Null is none: the API server leaves it out."""
    metadata = item.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _metadata(metadata, f"{place}.metadata")
    kind, spec = item.get("kind"), item.get("spec")
    if not built_in or not isinstance(kind, str):
        return
    if kind == "ConfigMap":
        yield from _texts(item.get("data"), f"{place}.data")
    if kind in ("Service", "ReplicationController") and isinstance(spec, Mapping):
        yield from _texts(spec.get("selector"), f"{place}.spec.selector")
    if kind in _EMBEDDING:
        yield from _below(spec, f"{place}.spec", in_container=False)
    if kind == "PodTemplate":
        yield from _below(item.get("template"), f"{place}.template", in_container=False)


def _below(value: Any, place: str, *, in_container: bool) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _below(entry, f"{place}[{index}]", in_container=in_container)
    if not isinstance(value, Mapping):
        return
    for key, below in value.items():
        where = f"{place}.{key}"
        if key == "metadata" and isinstance(below, Mapping):
            yield from _metadata(below, where)
        elif key in _MAPPINGS:
            yield from _texts(below, where)
        elif in_container and key in _LISTS and isinstance(below, list):
            yield from _texts(dict(enumerate(below)), where)
        elif in_container and key == "env" and isinstance(below, list):
            named = [entry for entry in below if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)]
            yield from _texts({entry.get("name"): entry.get("value") for entry in named}, where)
        else:
            yield from _below(below, where, in_container=str(key).lower().endswith("containers"))


def _metadata(metadata: Mapping[str, Any], place: str) -> Iterator[Problem]:
    for key in _OF_METADATA:
        yield from _texts(metadata.get(key), f"{place}.{key}")


def _texts(values: Any, place: str) -> Iterator[Problem]:
    if values is None:
        return
    if not isinstance(values, Mapping):
        yield Problem(place, f"is {kind_of(values)}, not a mapping of names to texts")
        return
    for name, value in values.items():
        counted = isinstance(name, int) and not isinstance(name, bool)
        where = f"{place}[{name}]" if counted else join(place, str(name))
        if value is not None and not isinstance(value, str):
            simple = not isinstance(value, (Mapping, list))
            yield Problem(where, f"is {kind_of(value)}, and must be text" + (": quote it" if simple else ""))
        elif not isinstance(name, (str, int)) or isinstance(name, bool):
            yield Problem(where, f"is {kind_of(name)} as a name, and must be text: quote it")
