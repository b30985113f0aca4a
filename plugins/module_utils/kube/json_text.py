# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON that every reader takes which we write for: JSON parsers, and YAML parsers in Go.

API servers read applied objects with a YAML parser, and helm reads values with one. YAML knows no surrogate pairs,
refuses control characters that JSON allows, and folds U+0085, U+2028 and U+2029 as line breaks. What no escape helps
is found by `unwritable`, and refused with its place before anything is sent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join

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
        raise _unreadable(value) from None
    return text if text.isascii() and "\x7f" not in text else _ESCAPED.sub(_escape, text)


def unwritable(value: Any, place: str) -> list[Problem]:
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
        return list(_found(value, place))
    except RecursionError:
        return [Problem(place, "is nested too deeply")]


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _unreadable(value: Any) -> InvalidInput:
    return InvalidInput("What is to be sent", unwritable(value, "") or [Problem("", "cannot be written as JSON")])


def _found(value: Any, place: str) -> Iterator[Problem]:
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
                yield from _found(below, join(place, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            yield from _found(below, f"{place}[{index}]")
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
