# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans: what an operation would change, decided without any input or output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from .masking import WHOLE
from .secrets import REDACTED, looks_secret, name_beside, redact
from .text import listed

SIDES = ("before", "after")


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent.ABSENT
"""The value of something that is not there; `None` is a value that an API may hold."""


@dataclass(frozen=True)
class Change:
    """One value that differs. `secret` values are compared but never shown; `changed_by` wrote what stands."""

    path: str
    before: Any
    after: Any
    secret: bool = False
    note: str = ""
    changed_by: str = ""


@dataclass(frozen=True)
class Refusal:
    """A change that cannot or must not be made in place, and what to do instead."""

    path: str
    before: Any
    after: Any
    remedy: str
    sentence: str = ""
    """What must not be done, where `before` and `after` are no values of the path."""

    @classmethod
    def because(cls, path: str, sentence: str, remedy: str) -> Refusal:
        return cls(path, ABSENT, ABSENT, remedy, sentence)


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

    def diff(self) -> dict[str, Any]:
        """The changes as data (docs/diff.schema.json), and Ansible's before/after pair of texts made of that data."""
        changes = [one for change in sorted(self.changes, key=lambda change: change.path) for one in as_data(change)]
        found = [leaf for one in changes for leaf in leaf_entries(one)]
        return {
            "before_header": f"{self.subject} (absent)" if self.is_new else self.subject,
            "after_header": self.subject,
            **{side: "".join(_line(leaf, side) for leaf in found if side in leaf) for side in SIDES},
            "is_new": self.is_new,
            "changes": changes,
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


def diffs(plans: Iterable[Plan]) -> list[dict[str, str]]:
    """What Ansible shows of them in diff mode."""
    return [plan.diff() for plan in plans if plan.changes]


def join(path: str, key: str) -> str:
    """`path` extended by a mapping key; keys with dots or slashes are quoted so that a path reads one way."""
    shown = f'"{key}"' if any(sign in key for sign in './[]"') else key
    return f"{path}.{shown}" if path else shown


def as_data(change: Change) -> list[dict[str, Any]]:
    """A change as data: without what is secret, and without the side where nothing is.

    What comes or goes as a whole stays whole, because the paths of its leaves are longer than their values; of what
    changes, every leaf that differs, so that a list which differs in one place is shown with that place.
    """
    about = {key: text for key in ("note", "changed_by") if (text := getattr(change, key))}
    sides = {side: value for side in SIDES if (value := getattr(change, side)) is not ABSENT}
    if change.secret:
        return [_entry(change.path, dict.fromkeys(sides, REDACTED), about)]
    if len(sides) < len(SIDES):
        return [_entry(change.path, {side: _hidden(value, change.path) for side, value in sides.items()}, about)]
    before, after = (dict(leaves(value, change.path)) for value in sides.values())
    found = []
    for path in dict.fromkeys([*before, *after]):
        old, new = before.get(path, ABSENT), after.get(path, ABSENT)
        if old is ABSENT:
            # who wrote what stands, or why, is nothing about what comes
            found.append(_entry(path, {"after": _leaf(path, new, ABSENT, name_beside(path, after))}, {}))
        elif new is ABSENT:
            found.append(_entry(path, {"before": _leaf(path, old, ABSENT, name_beside(path, before))}, about))
        elif _json(old) != _json(new):
            pair = _leaf(path, old, new, name_beside(path, before)), _leaf(path, new, old, name_beside(path, after))
            found.append(_entry(path, dict(zip(SIDES, pair)), about))
    return found


def leaf_entries(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An entry of `as_data` as one entry a leaf."""
    about = {key: entry[key] for key in ("note", "changed_by") if key in entry}
    sides = [side for side in SIDES if side in entry]
    if len(sides) > 1:
        return [_entry(entry["path"], {side: entry[side] for side in sides}, about)]
    return [_entry(path, {side: value}, about) for side in sides for path, value in leaves(entry[side], entry["path"])]


def _entry(path: str, sides: Mapping[str, Any], about: Mapping[str, str]) -> dict[str, Any]:
    """`secret` where a value is hidden, whether its name, its form or a registered secret is the reason."""
    plain = {side: REDACTED if value == WHOLE else value for side, value in sides.items()}
    return {"path": path, **plain, **({"secret": True} if REDACTED in plain.values() else {}), **about}


def _line(leaf: Mapping[str, Any], side: str) -> str:
    text = f"{REDACTED} ({side})" if leaf[side] == REDACTED else _json(leaf[side])
    about = leaf.get("note") or (f"set by {leaf['changed_by']}" if "changed_by" in leaf else "")
    note = f"  # {about}" if about and (side == "before" or "before" not in leaf) else ""
    return f"{leaf['path']}: {text}{note}\n"


def _hidden(value: Any, path: str, document: Mapping[str, Any] | None = None) -> Any:
    """A structure without the leaves that are secret."""
    document = dict(leaves(value, path)) if document is None else document
    if isinstance(value, Mapping) and value:
        return {str(key): _hidden(below, join(path, str(key)), document) for key, below in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and value:
        return [_hidden(item, f"{path}[{index}]", document) for index, item in enumerate(value)]
    return _leaf(path, value, ABSENT, name_beside(path, document))


def _leaf(path: str, value: Any, opposite: Any, beside: Any) -> Any:
    """A leaf without what its name or its form says is secret, also where only the other side's does."""
    if looks_secret(path, value, beside) or (opposite is not ABSENT and looks_secret(path, opposite, beside)):
        return REDACTED
    if not isinstance(value, str):
        return json.loads(_json(value))
    hidden = redact(value)
    # the difference is in what is hidden: both sides would read the same
    return REDACTED if hidden != value and isinstance(opposite, str) and redact(opposite) == hidden else hidden


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def shown_value(path: str, value: Any) -> str:
    """A value for a message: what is secret by its place or its form is not in it."""
    if value is ABSENT:
        return "nothing"
    if not isinstance(value, (Mapping, list, tuple)):
        return REDACTED if looks_secret(path, value) else _json(redact(value) if isinstance(value, str) else value)
    document = dict(leaves(value, path))
    hidden = any(looks_secret(place, leaf, name_beside(place, document)) for place, leaf in document.items())
    return REDACTED if hidden else redact(_json(value))
