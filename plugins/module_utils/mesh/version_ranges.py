# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions, and the ranges in which a mesh asks for them: the grammar of Masterminds/semver v3.

That is the library by which the registry chooses providers (its binary names it), so that a range means the same here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_NUMBER = r"(?:0|[1-9]\d*)"
_SUFFIX = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION = re.compile(rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?{_SUFFIX}")
_PART = rf"(?:{_NUMBER}|[xX*])"
_BOUND = rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?{_SUFFIX}"
_CONSTRAINT = re.compile(rf"(?P<operator>=>|=<|!=|>=|<=|~>|[=<>~^])?\s*{_BOUND}")
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_SEPARATOR = re.compile(r"[\s,]*")
GRAMMAR = ">=1.2.0, <2.0.0, ^1.2, ~1.2.3, 1.x, *, and several with a comma (all of them) or || (any of them)"

Release = tuple[int, int, int]


@dataclass(frozen=True)
class Version:
    """A version by the rules of semver.org; build metadata does not count."""

    release: Release
    pre: str = ""

    @property
    def key(self) -> tuple[Release, bool, tuple[tuple[int, int, str], ...]]:
        """What versions are ordered by: numbers before words, a prerelease before its release."""
        parts = self.pre.split(".") if self.pre else []
        return self.release, not self.pre, tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts)


@dataclass(frozen=True)
class Constraint:
    """One bound of a range. `known` says how many numbers it names: 1.2 names two."""

    operator: str
    version: Version
    known: int

    def holds(self, version: Version) -> bool:
        # a prerelease is asked for by name
        if version.pre and not self.version.pre:
            return False
        return _HOLDS[self.operator](version, self)

    @property
    def behind(self) -> Release:
        """The first release behind all that share the numbers that are named."""
        return _next(self.version.release, self.known)


Range = tuple[tuple[Constraint, ...], ...]
"""Any of these, and of one all its constraints."""


def parse_version(text: str) -> Version | None:
    """The version, or None where this is not one; numbers that are left out are 0, as in `1.2`."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        return None
    major, minor, patch = (int(found[name] or 0) for name in ("major", "minor", "patch"))
    return Version((major, minor, patch), found["pre"] or "")


def parse_range(text: str) -> Range | None:
    """The range, or None where this is not one."""
    found: list[tuple[Constraint, ...]] = []
    for alternative in text.split("||"):
        constraints = _constraints(_HYPHEN.sub(r">=\1, <=\2", alternative))
        if constraints is None:
            return None
        found.append(constraints)
    return tuple(found)


def wrong_version(text: str) -> str:
    """Why this is not a version; empty if it is one."""
    return "" if parse_version(text) else f"{text!r} is not a valid version: numbers as in 1.2.3"


def wrong_range(text: str) -> str:
    """Why this is not a range of versions; empty if it is one."""
    return "" if parse_range(text) is not None else f"{text!r} is not a valid range of versions: write {GRAMMAR}"


def is_within(version: str, wanted: str) -> bool:
    """Whether a version is in a range; what is no version is only in the range of all, and in an empty one."""
    if not wanted.strip():
        return True
    parsed, bounds = parse_version(version), parse_range(wanted)
    if parsed is None or bounds is None:
        return wanted.strip() == "*"
    return any(all(constraint.holds(parsed) for constraint in alternative) for alternative in bounds)


def _constraints(text: str) -> tuple[Constraint, ...] | None:
    """What stands between two `||`; None where something else does."""
    found: list[Constraint] = []
    position = _end_of(_SEPARATOR, text, 0)
    while position < len(text):
        match = _CONSTRAINT.match(text, position)
        if match is None:
            return None
        position = _end_of(_SEPARATOR, text, match.end())
        # 1.2.3.4 and 1.2a are no two constraints
        if position == match.end() and position < len(text) and text[position] not in "=<>!~^":
            return None
        found.append(_constraint(match))
    return tuple(found) or None


def _end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _constraint(match: re.Match[str]) -> Constraint:
    numbers = list(_numbers(match))
    release = [*numbers, 0, 0, 0]
    operator = {"=>": ">=", "=<": "<=", "~>": "~", None: "="}.get(match["operator"], match["operator"])
    return Constraint(operator, Version((release[0], release[1], release[2]), match["pre"] or ""), len(numbers))


def _numbers(match: re.Match[str]) -> Iterator[int]:
    """Those before the first that is left open."""
    for name in ("major", "minor", "patch"):
        part = match[name]
        if part is None or not part.isdigit():
            return
        yield int(part)


def _next(release: Release, known: int) -> Release:
    major, minor, patch = release
    return {1: (major + 1, 0, 0), 2: (major, minor + 1, 0)}.get(known, (major, minor, patch + 1))


def _equal(version: Version, bound: Constraint) -> bool:
    if bound.known == 3:
        return version.key == bound.version.key
    return bound.known == 0 or (bound.version.key <= version.key and version.release < bound.behind)


def _tilde(version: Version, bound: Constraint) -> bool:
    """The same minor version, or what of it is named."""
    if bound.known == 0:
        return True
    return bound.version.key <= version.key and version.release < _next(bound.version.release, min(bound.known, 2))


def _caret(version: Version, bound: Constraint) -> bool:
    """The same number at the first place that is not 0."""
    if bound.known == 0:
        return True
    major, minor, _patch = bound.version.release
    place = 1 if major or bound.known == 1 else 2 if minor or bound.known == 2 else 3
    return bound.version.key <= version.key and version.release < _next(bound.version.release, place)


def _greater(version: Version, bound: Constraint) -> bool:
    if bound.known == 3:
        return version.key > bound.version.key
    return bound.known > 0 and version.release >= bound.behind


def _at_most(version: Version, bound: Constraint) -> bool:
    if bound.known == 3:
        return version.key <= bound.version.key
    return bound.known == 0 or version.release < bound.behind


_HOLDS: dict[str, Callable[[Version, Constraint], bool]] = {
    "=": _equal,
    "!=": lambda version, bound: not _equal(version, bound),
    ">": _greater,
    ">=": lambda version, bound: version.key >= bound.version.key,
    "<": lambda version, bound: bound.known > 0 and version.key < bound.version.key,
    "<=": _at_most,
    "~": _tilde,
    "^": _caret,
}
