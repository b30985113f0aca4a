# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expressions of variables that can be judged without the template engine: what they hand on, what they come to."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# what leaves a value as it is, or replaces it only when it is missing or empty
_FILTER = r"\|\s*(?:default|d|string|int|bool|trim)\b\s*(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\s*)?"
# a variable, and what is in it: also by number, and by a key that is a method for Jinja (values, items)
_NAMED = r"[A-Za-z_][\w.]*(?:\[\d+\][\w.]*)?(?:\('\w+', omit\))?"
_KEY = re.compile(r"\.get\('(\w+)', omit\)")
# a default that is for some hosts only
_ONLY_IF = r"(?:if\s+\w+(?:\s*==\s*'\w+')?\s+else\s+(?:'\w*'|\[\]|\{\}|true|false)\s*)?"
_HANDED_ON = re.compile(
    rf"\s*\{{\{{-?\s*\(?\s*({_NAMED})\s*((?:{_FILTER})*)\)?\s*(?:or\s+(?:''|omit)\s*)?{_ONLY_IF}-?\}}\}}\s*"
)
_DEFAULT = re.compile(r"\b(?:default|d)\(\s*([A-Za-z_]\w*)\s*(?=[),])")
_WORDS = frozenset({"omit", "true", "false", "none", "True", "False", "None"})

_ARGUMENT = r"'[^'\\{}\n]*'|[A-Za-z_]\w*|\[\]|\{\}|0|[1-9]\d*"
_ONE_DEFAULT = re.compile(rf"\|\s*default\(\s*({_ARGUMENT})\s*(,\s*true\s*)?\)\s*")
# with blanks or an end of a line around it, it is a text
_SIMPLE = re.compile(rf"\{{\{{\s*\(?\s*([A-Za-z_]\w*)\s*((?:{_ONE_DEFAULT.pattern})*)\)?\s*(or\s+''\s*)?\}}\}}")


_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_BLOCK = re.compile(r"\{[%#]")
# names of filters and of tests
_APPLIED = re.compile(r"\|\s*[\w.]+|\bis\s+(?:not\s+)?[\w.]+")
# neither an attribute nor the name of an argument, and not called
_NAME = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\b(?!\s*(?:\(|=(?!=)))")


class _Mark:
    """Stands for what is no value."""


OMITTED, UNDECIDED, _UNDEFINED = _Mark(), _Mark(), _Mark()


@dataclass(frozen=True)
class _Simple:
    name: str
    defaults: tuple[tuple[str, bool], ...]
    """What takes the place of a missing value, and whether of an empty one as well."""
    or_text: bool


def handed_on(value: Any) -> tuple[str, ...]:
    """The variables of which an expression hands one on as it is, the likeliest first; none of another expression."""
    return _handed_on(str(value)) if isinstance(value, str) else ()


@lru_cache(maxsize=4096)
def _handed_on(text: str) -> tuple[str, ...]:
    found = _HANDED_ON.fullmatch(text)
    return (
        (_KEY.sub(r".\1", found[1]), *(name for name in _DEFAULT.findall(found[2]) if name not in _WORDS))
        if found
        else ()
    )


def outcome(text: str, known: Mapping[str, Any], existing: Container[str]) -> Any:
    """What a simple expression comes to, OMITTED, or UNDECIDED where only the template engine can tell.

    `known` are variables with their values; what is neither there nor among the `existing` is not defined.
    """
    simple = _parsed(str(text))
    if simple is None:
        return UNDECIDED

    def value_of(name: str) -> Any:
        return known.get(name, UNDECIDED if name in existing else _UNDEFINED)

    value = value_of(simple.name)
    for argument, of_empty in simple.defaults:
        if value is _UNDEFINED or (of_empty and value is not UNDECIDED and not value):
            value = _argument(argument) if not argument.isidentifier() or argument in _WORDS else value_of(argument)
    if value is _UNDEFINED or value is UNDECIDED:
        return UNDECIDED
    return "" if simple.or_text and not value else value


@lru_cache(maxsize=4096)
def names_read(text: str) -> tuple[str, ...]:
    """Names that a template of expressions alone reads, among them maybe others: none where it has blocks.

    The template engine resolves all of them before it begins, also those that a condition then leaves alone.
    """
    if _BLOCK.search(text):
        return ()
    bare = _APPLIED.sub("|", _TEXT.sub("''", text))
    return tuple(dict.fromkeys(name for part in _EXPRESSION.findall(bare) for name in _NAME.findall(part)))


def _argument(text: str) -> Any:
    words = {"omit": OMITTED, "true": True, "false": False, "none": None}
    return words[text.lower()] if text in _WORDS else ast.literal_eval(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> _Simple | None:
    found = _SIMPLE.fullmatch(text)
    if found is None or found[1] in _WORDS:
        return None
    defaults = tuple((argument, bool(of_empty)) for argument, of_empty in _ONE_DEFAULT.findall(found[2]))
    return _Simple(found[1], defaults, text.rstrip().removesuffix("}}").rstrip().endswith("or ''"))
