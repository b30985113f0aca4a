# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of a playbook as the JSON types that a module gets, so that it is the same on every connection."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.errors import InvalidInput, Problem
from ..module_utils.plan import join

_DATES = (datetime.date, datetime.time)
_NOT_JSON = (set, frozenset, bytes, bytearray)


@dataclass(frozen=True)
class Plain:
    """The arguments of a task, and what a person should know of how they were written."""

    arguments: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def as_json(value: Any) -> Any:
    """For json.dumps: dates as Ansible writes them for a module (its legacy profile), anything else as its text."""
    return value.isoformat() if isinstance(value, _DATES) else str(value)


def plain_arguments(subject: str, arguments: Mapping[str, Any]) -> Plain:
    """Tagged text and lazy containers break YAML writers and type checks of other libraries.

    YAML makes dates, sets and bytes of what is not quoted. A date becomes text again, with a warning; InvalidInput for
    sets, whose order changes from run to run, for bytes, and for keys that are none of JSON's.
    """
    unusual: list[Any] = []

    def written(value: Any) -> Any:
        if isinstance(value, (*_DATES, *_NOT_JSON)):
            unusual.append(value)
        return as_json(value)

    try:
        text = json.dumps(arguments, default=written)
    except TypeError:
        raise InvalidInput(subject, list(_problems(arguments, ""))) from None
    if unusual:
        problems = list(_problems(arguments, ""))
        if problems:
            raise InvalidInput(subject, problems)
    return Plain(json.loads(text), list(_warnings(arguments, "")) if unusual else [])


def _problems(value: Any, place: str) -> Iterator[Problem]:
    for path, below in _below(value, place):
        if isinstance(below, _NOT_JSON):
            kind, advice = ("a set", "write a list") if isinstance(below, (set, frozenset)) else ("bytes", "write text")
            yield Problem(path, f"is {kind}, which JSON does not have: {advice}")
        yield from _problems(below, path)
    for key in value if isinstance(value, Mapping) else ():
        if not isinstance(key, (str, int, float, type(None))):
            what = "a date" if isinstance(key, _DATES) else f"of type {type(key).__name__}"
            yield Problem(place, f"the key {key} is {what} to YAML: quote it")


def _warnings(value: Any, place: str) -> Iterator[str]:
    for path, below in _below(value, place):
        if isinstance(below, _DATES):
            # the value may be that of a Secret
            yield (
                f"{path}: YAML reads an unquoted date or time as such, and it becomes text as Ansible writes dates "
                "(2026-01-31 or 2026-01-31T10:20:30+00:00). Quote it to keep it as it is written."
            )
        yield from _warnings(below, path)


def _below(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield join(place, str(key)), one
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield f"{place}[{index}]", one
