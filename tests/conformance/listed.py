# SPDX-License-Identifier: GPL-3.0-or-later
"""not-applicable.yml: the scenarios that a verifier cannot pass, and the checks that the suite leaves out by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LIST = Path(__file__).parent / "not-applicable.yml"
SECTIONS = ("not_applicable", "untestable")
KEYS = frozenset(("scenario", "revisions", "checks", "reason"))


class ListError(ValueError):
    """The list does not say what it has to say."""


@dataclass(frozen=True)
class Listed:
    """A scenario, the revisions it is listed for, the checks of it that are meant, and why."""

    scenario: str
    revisions: tuple[str, ...]
    checks: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Exceptions:
    """What need not be green."""

    scenarios: tuple[Listed, ...] = ()
    unseen: tuple[Listed, ...] = ()

    def not_applicable(self, revision: str, scenario: str) -> Listed | None:
        return next((entry for entry in self.scenarios if _means(entry, revision, scenario)), None)

    def untestable(self, revision: str, scenario: str) -> tuple[str, ...]:
        """Checks that the suite skips by itself, or cannot make of what it is given."""
        return tuple(name for entry in self.unseen if _means(entry, revision, scenario) for name in entry.checks)

    def named(self) -> Iterator[tuple[str, str]]:
        """Every revision and scenario that is listed, each once."""
        entries = (*self.scenarios, *self.unseen)
        yield from dict.fromkeys((revision, entry.scenario) for entry in entries for revision in entry.revisions)


def load(path: Path = LIST) -> Exceptions:
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")))


def parse(document: Any) -> Exceptions:
    if not isinstance(document, Mapping) or set(document) != set(SECTIONS):
        raise ListError(f"the list has the sections {' and '.join(SECTIONS)}, and no others")
    not_applicable, untestable = (
        tuple(_entry(found, f"{section}[{number}]") for number, found in enumerate(document[section] or []))
        for section in SECTIONS
    )
    listed = [(entry.scenario, revision) for entry in not_applicable for revision in entry.revisions]
    twice = sorted({f"{name} ({revision})" for name, revision in listed if listed.count((name, revision)) > 1})
    if twice:
        raise ListError(f"listed more than once under {SECTIONS[0]}: {', '.join(twice)}")
    return Exceptions(not_applicable, untestable)


def _entry(found: Any, place: str) -> Listed:
    if not isinstance(found, Mapping) or set(found) != KEYS:
        raise ListError(f"{place} needs {', '.join(sorted(KEYS))}, and nothing else")
    revisions, checks = (tuple(str(item) for item in found[key] or []) for key in ("revisions", "checks"))
    reason = " ".join(str(found["reason"] or "").split())
    if not (revisions and checks and reason):
        raise ListError(f"{place} ({found['scenario']}) has no revisions, no checks, or no reason")
    return Listed(str(found["scenario"]), revisions, checks, reason)


def _means(entry: Listed, revision: str, scenario: str) -> bool:
    return entry.scenario == scenario and revision in entry.revisions
