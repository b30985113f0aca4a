# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions, and the ranges in which a mesh asks for them, as Masterminds/semver v3.4.0 reads them.

That is the library by which the registry chooses providers (its binary names it), so that a range means the same here,
also where its documentation says something else (`^*` is 0.0.0 alone).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_PRE = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
_SUFFIX = rf"{_PRE}(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION = re.compile(rf"v?(?P<major>[0-9]+)(?:\.(?P<minor>[0-9]+))?(?:\.(?P<patch>[0-9]+))?{_SUFFIX}")
_PART = r"(?:[0-9]+|[xX*])"
_BOUND = rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?{_SUFFIX}"
_CONSTRAINT = re.compile(rf"(?P<operator>=>|=<|!=|>=|<=|~>|[=<>~^])?\s*{_BOUND}")
_SEPARATOR = re.compile(r"\s*,\s*|\s+")
_UNNAMED = re.sub(r"\(\?P<\w+>", "(?:", _BOUND)
_HYPHEN = re.compile(rf"\s*({_UNNAMED})\s+-\s+({_UNNAMED})\s*")
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
    """One bound of a range. `known` says how many numbers it names: 1.2 names two, and those left out are 0."""

    operator: str
    version: Version
    known: int

    def holds(self, version: Version) -> bool:
        return _HOLDS[self.operator](version, self)


@dataclass(frozen=True)
class Alternative:
    """Constraints that must all hold."""

    constraints: tuple[Constraint, ...]

    def holds(self, version: Version) -> bool:
        # a prerelease is asked for by name, with one of the constraints for all of them
        if version.pre and not any(one.version.pre for one in self.constraints):
            return False
        return all(one.holds(version) for one in self.constraints)


Range = tuple[Alternative, ...]
"""Any of these."""


def parse_version(text: str) -> Version | None:
    """The version, or None where this is not one; numbers that are left out are 0, as in `1.2`."""
    found = _VERSION.fullmatch(text)
    if found is None or not _is_prerelease(found["pre"]):
        return None
    major, minor, patch = (int(found[name] or 0) for name in ("major", "minor", "patch"))
    return Version((major, minor, patch), found["pre"] or "")


def parse_range(text: str) -> Range | None:
    """The range, or None where this is not one."""
    found: list[Alternative] = []
    for alternative in _HYPHEN.sub(r">= \1, <= \2 ", text).split("||"):
        constraints = _constraints(alternative.strip())
        if constraints is None:
            return None
        found.append(Alternative(constraints))
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
    parsed, alternatives = parse_version(version), parse_range(wanted)
    if parsed is None or alternatives is None:
        return wanted.strip() == "*"
    return any(alternative.holds(parsed) for alternative in alternatives)


def _constraints(text: str) -> tuple[Constraint, ...] | None:
    """What stands between two `||`; None where something else does."""
    found: list[Constraint] = []
    position = 0
    while True:
        match = _CONSTRAINT.match(text, position)
        if match is None or not _is_prerelease(match["pre"]):
            return None
        found.append(_constraint(match))
        if match.end() == len(text):
            return tuple(found)
        separator = _SEPARATOR.match(text, match.end())
        if separator is None:
            return None
        position = separator.end()


def _constraint(match: re.Match[str]) -> Constraint:
    numbers: list[int] = []
    # those before the first that is left open
    for name in ("major", "minor", "patch"):
        part = match[name]
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    major, minor, patch, *_rest = [*numbers, 0, 0, 0]
    operator = {"=>": ">=", "=<": "<=", "~>": "~", None: "="}.get(match["operator"], match["operator"])
    return Constraint(operator, Version((major, minor, patch), match["pre"] or ""), len(numbers))


def _is_prerelease(text: str | None) -> bool:
    """By semver.org a number in it has no 0 before it."""
    return not any(part.isdigit() and part[0] == "0" and part != "0" for part in (text or "").split("."))


# What the operators mean where a bound leaves numbers open (`known` below 3) follows the library number by number.


def _same(version: Version, bound: Constraint, numbers: int) -> bool:
    return version.release[:numbers] == bound.version.release[:numbers]


def _is_open(bound: Constraint) -> bool:
    """Its last numbers are left out; `*` is 0.0.0 for most operators."""
    return bound.known in (1, 2)


def _equal(version: Version, bound: Constraint) -> bool:
    return version.key == bound.version.key if bound.known == 3 else _tilde(version, bound)


def _not_equal(version: Version, bound: Constraint) -> bool:
    if not _is_open(bound):
        return version.key != bound.version.key
    if not _same(version, bound, bound.known):
        return True
    return bound.known == 2 and version.pre != bound.version.pre


def _greater(version: Version, bound: Constraint) -> bool:
    if not _is_open(bound):
        return version.key > bound.version.key
    return version.release[: bound.known] > bound.version.release[: bound.known]


def _at_most(version: Version, bound: Constraint) -> bool:
    if bound.known == 3:
        return version.key <= bound.version.key
    numbers = bound.known or 2
    return version.release[:numbers] <= bound.version.release[:numbers]


def _tilde(version: Version, bound: Constraint) -> bool:
    """The same minor version, or what of it is named; from ~0.0.0 on it is all of them."""
    if version.key < bound.version.key:
        return False
    return (not _is_open(bound) and not any(bound.version.release)) or _same(version, bound, min(bound.known, 2))


def _caret(version: Version, bound: Constraint) -> bool:
    """The same number at the first place that is not 0."""
    major, minor, _patch = bound.version.release
    numbers = 1 if major or bound.known == 1 else 2 if minor or bound.known == 2 else 3
    return bound.version.key <= version.key and _same(version, bound, numbers)


_HOLDS: dict[str, Callable[[Version, Constraint], bool]] = {
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    ">=": lambda version, bound: version.key >= bound.version.key,
    "<": lambda version, bound: version.key < bound.version.key,
    "<=": _at_most,
    "~": _tilde,
    "^": _caret,
}
