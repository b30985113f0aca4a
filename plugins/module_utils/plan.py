# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans: what an operation would change, decided without any input or output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.secrets import REDACTED, looks_secret, name_beside, redact
from ansible_collections.mcpops.platform.plugins.module_utils.text import listed


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent.ABSENT
"""The value of something that is not there; `None` is a value that an API may hold."""

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
        return f"{self.subject}: {listed([change.path or 'the whole' for change in self.changes], 6)}"

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
    opposite = {} if other is ABSENT else dict(leaves(other, change.path))
    return [
        f"{path}: {_text(path, leaf, opposite.get(path, ABSENT), beside, side)}{note}\n"
        for path, leaf, beside in _with_names(leaves(value, change.path))
        if path not in opposite or not _same_text(leaf, opposite[path])
    ]


def _with_names(listed: Sequence[tuple[str, Any]]) -> list[tuple[str, Any, Any]]:
    """Each leaf with the name that stands beside it, as in `env: [{name: DB_PASSWORD, value: ...}]`."""
    document = dict(listed)
    return [(path, leaf, name_beside(path, document)) for path, leaf in listed]


def _text(path: str, value: Any, opposite: Any, beside: Any, side: str) -> str:
    """A value without what its name or its form says is secret, also where only the other side's does."""
    if looks_secret(path, value, beside) or (opposite is not ABSENT and looks_secret(path, opposite, beside)):
        return f"{REDACTED} ({side})"
    if not isinstance(value, str):
        return _json(value)
    shown = redact(value)
    # the difference is in what is hidden: both sides would read the same
    if shown != value and isinstance(opposite, str) and redact(opposite) == shown:
        return f"{REDACTED} ({side})"
    return _json(shown)


def _same_text(one: Any, other: Any) -> bool:
    return _json(one) == _json(other)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def shown_value(path: str, value: Any) -> str:
    """A value for a message: what is secret by its place or its form is not in it."""
    if value is ABSENT:
        return "nothing"
    if not isinstance(value, (Mapping, list, tuple)):
        return REDACTED if looks_secret(path, value) else _json(redact(value) if isinstance(value, str) else value)
    hidden = any(looks_secret(*one) for one in _with_names(leaves(value, path)))
    return REDACTED if hidden else redact(_json(value))
