# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about single files: headers, leftovers, traces of the machine something was written on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

SPDX = "SPDX-License-Identifier: GPL-3.0-or-later"
PLUGIN_HEADER = (
    "# Copyright: (c) 2026, the mcpops.platform contributors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    f"# {SPDX}",
)

SOURCE_SUFFIXES = frozenset({".cfg", ".j2", ".py", ".sh", ".toml", ".yaml", ".yml"})
SOURCE_NAMES = frozenset({"Makefile", "run"})
# Prose and programs in other languages are searched for leftovers too, but carry no header of ours.
SEARCHED_SUFFIXES = SOURCE_SUFFIXES | {".go", ".md", ".txt"}

# Written by a tool, or captured from a service and kept as they came.
GENERATED = re.compile(r"^changelogs/changelog\.yaml$|/fixtures/")

# The character classes keep these patterns from finding themselves.
MACHINE_PATHS = re.compile(r"/wor[k]/(?:main|shared|\.)|/roo[t]/\.|/opt/wheel[s]")
STUBS = re.compile(
    r"\b(?:TOD[O]|FIXM[E]|XX[X])\b|NotImplemente[d]|pytest\.(?:ski[p]|importorski[p]|xfai[l])\b|mark\.(?:ski[p]|xfai[l])"
)


def missing_headers(root: Path, files: Iterable[Path]) -> list[str]:
    problems = []
    for path, text in _texts(root, files):
        if path.suffix not in SOURCE_SUFFIXES and path.name not in SOURCE_NAMES:
            continue
        lines = text.splitlines()
        if path.parts[0] == "plugins" and path.suffix == ".py":
            # A module starts with its interpreter line when it has one.
            start = 1 if lines[:1] and lines[0].startswith("#!") else 0
            if tuple(lines[start : start + 3]) != PLUGIN_HEADER:
                problems.append(f"{path}: does not start with the three header lines of a plugin")
        elif text.strip() and not any(SPDX in line for line in lines[:5]):
            problems.append(f"{path}: has no '{SPDX}' in its first five lines")
    return problems


def machine_paths(root: Path, files: Iterable[Path]) -> list[str]:
    return _findings(root, files, MACHINE_PATHS, "names a path of one machine")


def stubs(root: Path, files: Iterable[Path]) -> list[str]:
    return _findings(root, files, STUBS, "leaves something undone or untested")


def _findings(root: Path, files: Iterable[Path], pattern: re.Pattern[str], meaning: str) -> list[str]:
    return [
        f"{path}:{number}: {meaning}: {found.group()}"
        for path, text in _texts(root, files)
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := pattern.search(line))
    ]


def _texts(root: Path, files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path in files:
        wanted = path.suffix in SEARCHED_SUFFIXES or path.name in SOURCE_NAMES
        if wanted and not GENERATED.search(path.as_posix()) and not (root / path).is_symlink():
            yield path, (root / path).read_text(encoding="utf-8")
