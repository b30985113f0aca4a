# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schedules that Kubernetes takes for a CronJob: robfig/cron v3 without a time zone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_DESCRIPTORS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_EVERY = re.compile(r"@every (?:[-+]?0|[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_NUMBER = re.compile(r"\+?[0-9]+")
_ANY = ("*", "?")


@dataclass(frozen=True)
class _Field:
    label: str
    least: int
    most: int
    names: Mapping[str, int] = field(default_factory=dict)


def _numbered(names: str, first: int) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(names.split(), first)}


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _numbered("jan feb mar apr may jun jul aug sep oct nov dec", 1)),
    # Sunday is 0 and never 7
    _Field("day of the week", 0, 6, _numbered("sun mon tue wed thu fri sat", 0)),
)


def wrong_schedule(text: str) -> str:
    """Why Kubernetes would refuse the schedule; empty where it takes it."""
    if "TZ" in text:
        return "names a time zone, which the API server refuses: it is UTC"
    if text.startswith("@"):
        if text in _DESCRIPTORS or _EVERY.fullmatch(text):
            return ""
        return f"is none of {', '.join(sorted(_DESCRIPTORS))} and @every DURATION, such as @every 6h"
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields and not five, as in 17 2 * * *"
    found = ((one, _wrong_field(part, one)) for part, one in zip(parts, _FIELDS))
    return next((f"is wrong in its {one.label}: {wrong}" for one, wrong in found if wrong), "")


def _wrong_field(text: str, one: _Field) -> str:
    # the parser overlooks a comma too many
    entries = [entry for entry in text.split(",") if entry]
    if not entries:
        return f"{text!r} says nothing"
    return next((wrong for wrong in (_wrong_entry(entry, one) for entry in entries) if wrong), "")


def _wrong_entry(text: str, one: _Field) -> str:
    span, *steps = text.split("/")
    if len(steps) > 1:
        return f"{text!r} has more than one step"
    if steps and (not _NUMBER.fullmatch(steps[0]) or int(steps[0]) == 0):
        return f"{steps[0]!r} is not a step (1 or more)"
    ends = span.split("-")
    if ends[0] in _ANY:
        return ""
    if len(ends) > 2:
        return f"{span!r} is not a range"
    numbers = []
    for end in ends:
        number = _number(end, one)
        if number is None:
            named = f" or {', '.join(one.names)}" if one.names else ""
            return f"{end!r} is not a number from {one.least} to {one.most}{named}"
        numbers.append(number)
    return f"{span!r} ends before it begins" if numbers[0] > numbers[-1] else ""


def _number(text: str, one: _Field) -> int | None:
    known = one.names.get(text.lower())
    if known is not None:
        return known
    number = int(text) if _NUMBER.fullmatch(text) else None
    return number if number is not None and one.least <= number <= one.most else None
