# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for messages: counted words, lists with a limit, and the text of YAML scalars that are not strings."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from itertools import islice
from typing import Any


def counted(number: int, noun: str) -> str:
    """`1 node` or `2 nodes`, for a noun that takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(items: Collection[Any], most: int) -> str:
    """`a, b and 3 more`: the first `most` of them."""
    more = len(items) - most
    return ", ".join(map(str, islice(items, most))) + (f" and {more} more" if more > 0 else "")


def natural_order(text: str) -> list[str | int]:
    """A key to sort by that puts `containers[2]` before `containers[10]`."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split("([0-9]+)", text))]


def sentence(text: str) -> str:
    """With a full stop, unless it has an end of its own."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", ".)")) or "\n" in text else f"{text}."


def text_of_scalar(value: Any) -> Any:
    """The scalar as JSON and YAML write it; text stays, and so do null and structures, which validation names."""
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value


def texts_of_mapping(values: Mapping[Any, Any]) -> dict[str, Any]:
    """A mapping of names to texts; names that YAML took for something else are text as well."""
    return {str(text_of_scalar(name)): text_of_scalar(value) for name, value in values.items()}


# a boolean is an int as well, so the first that fits counts
_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((type(None),), "null"),
    ((bool,), "a boolean"),
    ((int, float), "a number"),
    ((Mapping,), "a mapping"),
    ((list, tuple), "a list"),
    ((str,), "text"),
)


def kind_of(value: Any) -> str:
    """What a value is, in YAML's words and without the value, which may be secret."""
    return next((words for types, words in _KINDS if isinstance(value, types)), f"a {type(value).__name__}")


def shown_type(value: Any) -> str:
    """What a value is, as `kind_of` says it, with what is not secret of it: the number 8080, true."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"the number {value}" if isinstance(value, (int, float)) else kind_of(value)


def not_text(value: Any, hidden: bool = False) -> str:
    """What is wrong with a value in place of a text; `hidden` where it may be secret."""
    if value is None:
        return "is null, and must be text: give it a value ('' for empty text), or leave it out"
    if isinstance(value, (bool, int, float)):
        return f"is {kind_of(value) if hidden else shown_type(value)}, and must be text: quote it"
    return f"is {shown_type(value)}, and must be text"
