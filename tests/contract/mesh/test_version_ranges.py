# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of versions beside the library by which the registry of a mesh chooses providers: what nobody thought of."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.mesh.version_ranges import (
    is_within,
    parse_range,
    parse_version,
)

# the library's module is fetched and built
pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("semver")
PAIRS = 50_000
NUMBERS, PARTS = ["0", "1", "2", "3", "10"], ["0", "0", "1", "1", "2", "2", "3", "10", "01", "x", "X", "*"]
SUFFIXES = ["alpha", "beta.1", "1", "rc.10", "rc.2", "0a", "01", ""]
OPERATORS = ["", "", "=", ">", "<", ">=", "<=", "=>", "=<", "~", "^", "~>", "!=", "==", "><"]
ODD = ["", "*", "latest", " ", ",", " || ", "1.2 ||", "||1.2", ">=1.2,", ", >=1.2", "1.2,,2", "1.2>1", "v"]


def version(source: random.Random, parts: list[str], lengths: list[int]) -> str:
    text = source.choice(["", "", "", "v"]) + ".".join(source.choice(parts) for _ in range(source.choice(lengths)))
    text += f"-{source.choice(SUFFIXES)}" if source.random() < 0.2 else ""
    return text + (f"+{source.choice(['build', '1'])}" if source.random() < 0.1 else "")


def bound(source: random.Random) -> str:
    return version(source, PARTS, [1, 2, 3, 3, 3, 4])


def wanted(source: random.Random) -> str:
    kind = source.random()
    if kind < 0.05:
        return source.choice(ODD)
    if kind < 0.15:
        return f"{bound(source)} - {bound(source)}"
    alternatives = []
    for _ in range(source.choice([1, 1, 2])):
        constraints = [
            f"{source.choice(OPERATORS)}{source.choice(['', ' ', ''])}{bound(source)}"
            for _ in range(source.choice([1, 1, 2, 2, 3]))
        ]
        alternatives.append(source.choice([", ", " ", ",", "  "]).join(constraints))
    return " || ".join(alternatives)


def ours(text: str, named: str) -> str:
    if parse_range(text) is None:
        return "no range"
    if parse_version(named) is None:
        return "no version"
    return "inside" if is_within(named, text) else "outside"


def test_every_range_means_what_it_means_to_the_registry(tmp_path: Path) -> None:
    judge = tmp_path / "judge"
    built = subprocess.run(
        ["go", "build", "-o", str(judge), "."], cwd=PROGRAM, capture_output=True, text=True, timeout=300, check=False
    )
    assert built.returncode == 0, built.stderr
    seed = random.randrange(1 << 32)
    source = random.Random(seed)
    pairs = [(wanted(source), version(source, NUMBERS, [1, 2, 3, 3, 3])) for _ in range(PAIRS)]
    lines = "".join(f"{text}\t{named}\n" for text, named in pairs)
    told = subprocess.run([judge], input=lines, capture_output=True, text=True, timeout=60, check=True).stdout
    answers = told.splitlines()
    assert {"no range", "no version", "inside", "outside"} == set(answers)
    # an empty range is none for the library, and nobody asks it about one
    differing = [
        (pair, answer, ours(*pair))
        for pair, answer in zip(pairs, answers, strict=True)
        if pair[0].strip() and answer != ours(*pair)
    ]
    assert differing[:5] == [], f"seed {seed}"
