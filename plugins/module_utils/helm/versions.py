# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chart versions: one exact version, or a range in the notation that Helm's users write. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_EXACT = re.compile(r"v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)")
_PART = r"(?:\d+|[xX*])"
_TERM = re.compile(
    rf"(?P<sign>>=|=>|<=|=<|~>|!=|[=<>~^])?\s*v?(?P<numbers>{_PART}(?:\.{_PART}){{0,2}})(?:-(?P<pre>[0-9A-Za-z.-]+))?"
)
_BETWEEN = re.compile(rf"v?({_PART}(?:\.{_PART}){{0,2}})\s+-\s+v?({_PART}(?:\.{_PART}){{0,2}})")

Numbers = tuple[int, int, int]
Key = tuple[Numbers, int, tuple[tuple[int, int, str], ...]]


@dataclass(frozen=True)
class VersionRange:
    """Which versions fit: any of the alternatives, each of which is several terms that all must hold."""

    text: str
    alternatives: tuple[tuple[Callable[[str], bool], ...], ...]

    def allows(self, version: str) -> bool:
        return any(all(term(version) for term in terms) for terms in self.alternatives)

    def newest(self, versions: Iterable[str]) -> str | None:
        """The highest exact version that fits, as it was written; None when none does."""
        fitting = [version for version in versions if exact_version(version) and self.allows(version)]
        return max(fitting, key=order, default=None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionRange) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def exact_version(text: str) -> str | None:
    """`1.2.3` for `1.2.3` and `v1.2.3`; None for what is not one full version.

    Helm reads a blank version as "the newest" and takes `v1.2.3` or `1.2` literally as a tag: neither names what it
    seems to name.
    """
    match = _EXACT.fullmatch(text.strip())
    return match.group(1) if match else None


def version_range(text: str) -> VersionRange | None:
    """`~1.2`, `^2`, `>=1.0 <1.4 || 2.x`, `1.2 - 1.4`; None for anything else, an exact or a partial version too."""
    if exact_version(text) or re.fullmatch(r"v?\d+(\.\d+)?", text.strip()):
        return None
    alternatives = [_terms(part.strip()) for part in text.split("||")]
    if any(terms is None for terms in alternatives):
        return None
    return VersionRange(text.strip(), tuple(terms for terms in alternatives if terms is not None))


def order(version: str) -> Key:
    """A sort key: a pre-release is before its release, numbers in it count as numbers, build metadata not at all."""
    whole = version.strip().removeprefix("v").partition("+")[0]
    core, _dash, pre = whole.partition("-")
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".") if pre)
    return _numbers(core), 0 if pre else 1, parts


def _terms(text: str) -> tuple[Callable[[str], bool], ...] | None:
    between = _BETWEEN.fullmatch(text)
    if between is not None:
        text = f">={between.group(1)} <={between.group(2)}"
    terms = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            return None
        terms.append(_term(match.group("sign") or "=", match.group("numbers"), match.group("pre") or ""))
        position = match.end()
        gap = re.compile(r"\s*,?\s*").match(text, position)
        if gap is not None and gap.end() == position and position < len(text):
            return None
        position = gap.end() if gap is not None else position
    return tuple(terms) or None


def _term(sign: str, written: str, pre: str) -> Callable[[str], bool]:
    """One comparison. A pre-release fits only where the comparison itself names one, as helm has it."""
    given = [int(part) for part in re.split(r"\.", re.sub(r"\.?[xX*].*$", "", written)) if part]
    low: Numbers = _numbers(".".join(map(str, given)))
    end = _after(given, sign)
    least = order(f"{'.'.join(map(str, low))}{f'-{pre}' if pre else ''}")

    def holds(version: str) -> bool:
        key = order(version)
        if not pre and not key[1]:
            return False
        if sign in ("=", "~", "~>", "^"):
            return key[0] == low and key == least if sign == "=" and len(given) == 3 else least <= key and key[0] < end
        if sign == "!=":
            return not (key == least if len(given) == 3 else low <= key[0] < end)
        if sign in (">=", "=>"):
            return key >= least
        if sign == "<":
            return key < least
        if sign in ("<=", "=<"):
            return key <= least if len(given) == 3 else key[0] < end
        return key > least if len(given) == 3 else key[0] >= end

    return holds


_NO_END: Numbers = (1 << 62, 0, 0)


def _after(given: list[int], sign: str) -> Numbers:
    """The first numbers beyond what the sign allows."""
    if not given:
        return _NO_END
    kept = len(given) if sign not in ("~", "~>") else min(len(given), 2)
    if sign == "^":
        # the leftmost number that is not zero must stay
        kept = next((place for place, number in enumerate(given, 1) if number), len(given))
    raised = [*given[: kept - 1], given[kept - 1] + 1]
    return _numbers(".".join(map(str, raised)))


def _numbers(core: str) -> Numbers:
    parts = [int(part) for part in core.split(".") if part.isdigit()]
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    return major, minor, patch
