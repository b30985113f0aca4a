# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans: what an operation would change, decided without any input or output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent.ABSENT
"""The value of something that is not there; `None` is a value that an API may hold."""

REDACTED = "********"

NOT_THERE = " (absent)"
"""What a diff has behind the name of a subject that is not there yet."""


@dataclass(frozen=True)
class Change:
    """One leaf that differs. `secret` values are compared but never shown."""

    path: str
    before: Any
    after: Any
    secret: bool = False
    note: str = ""


@dataclass(frozen=True)
class Refusal:
    """A change that cannot or must not be made in place, and what to do instead."""

    path: str
    before: Any
    after: Any
    remedy: str


@dataclass(frozen=True)
class Plan:
    """The changes to one subject (a resource, a bundle, a file), and the request body that makes them."""

    subject: str
    changes: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
    body: Any = None
    notes: tuple[str, ...] = ()
    is_new: bool = False
    """The subject is not there at all, which its changes alone cannot tell from some of its parts not being there."""

    @property
    def changed(self) -> bool:
        return bool(self.changes)

    def summary(self) -> str:
        """One line for `msg`: what is (or would be) different."""
        if not self.changes:
            return f"{self.subject}: as declared"
        names = [change.path or "the whole" for change in self.changes]
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        return f"{self.subject}: {shown}"

    def diff(self) -> dict[str, str]:
        """Ansible's before/after pair, one line a leaf, sorted by path, secrets redacted."""
        ordered = sorted(self.changes, key=lambda change: change.path)
        return {
            "before_header": f"{self.subject}{NOT_THERE}" if self.is_new else self.subject,
            "after_header": self.subject,
            "before": "".join(line for change in ordered for line in _lines(change, "before")),
            "after": "".join(line for change in ordered for line in _lines(change, "after")),
        }

    def with_notes(self, *notes: str) -> Plan:
        return replace(self, notes=self.notes + notes)


@dataclass
class PlanBuilder:
    """Collects changes while a planner walks a structure."""

    subject: str
    changes: list[Change] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def build(self, body: Any = None) -> Plan:
        return Plan(self.subject, tuple(self.changes), tuple(self.refused), body, tuple(self.notes))


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every scalar (or empty container) below `value` with its dotted path."""
    if isinstance(value, Mapping) and value:
        return [leaf for key in value for leaf in leaves(value[key], join(path, str(key)))]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and value:
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, f"{path}[{index}]")]
    return [(path, value)]


def join(path: str, key: str) -> str:
    """`path` extended by a mapping key; keys with dots or slashes are quoted so that a path reads one way."""
    shown = f'"{key}"' if any(sign in key for sign in './[]"') else key
    return f"{path}.{shown}" if path else shown


def _lines(change: Change, side: str) -> list[str]:
    value, other = (change.before, change.after) if side == "before" else (change.after, change.before)
    if value is ABSENT:
        return []
    # a note tells of what stands (who set it, that it is missing), not of what comes
    tells = change.note and (side == "before" or change.before is ABSENT)
    note = f"  # {change.note}" if tells else ""
    if change.secret:
        return [f"{change.path}: {REDACTED} ({side}){note}\n"]
    # of a list that differs in one place, that place
    equal = set() if other is ABSENT else set(_shown(change.path, other))
    return [f"{path}: {text}{note}\n" for path, text in _shown(change.path, value) if (path, text) not in equal]


def _shown(path: str, value: Any) -> list[tuple[str, str]]:
    return [(place, json.dumps(leaf, ensure_ascii=False, default=str)) for place, leaf in leaves(value, path)]
