# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of bad input names tests that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT

PAGE = CHECKOUT / "docs" / "bad-input.md"
TEST = re.compile(r"`(tests/[\w/]+\.py::\w+(?:\[[^`]+\])?)`")
FEWEST_ROWS = 30


def rows(page: str) -> list[list[str]]:
    """The cells of every row of every table, without the heads."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| what is wrong ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def named(table: Iterable[list[str]]) -> set[str]:
    return {test for row in table for test in TEST.findall(row[-1])}


def unknown(tests: Iterable[str], collected: Collection[str]) -> list[str]:
    """Those that pytest does not have; without a case in brackets any case of the function will do."""
    functions = {test.partition("[")[0] for test in collected}
    return sorted(test for test in tests if test not in collected and test not in functions)


@pytest.fixture(scope="module")
def table() -> list[list[str]]:
    return rows(PAGE.read_text(encoding="utf-8"))


def collected(tests: Iterable[str]) -> set[str]:
    files = sorted({test.partition("::")[0] for test in tests if Path(CHECKOUT, test.partition("::")[0]).exists()})
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_every_row_says_what_is_seen_and_which_test_shows_it(table: list[list[str]]) -> None:
    assert len(table) >= FEWEST_ROWS
    bare = [row for row in table if len(row) != 3 or not row[1].startswith("`") or not named([row])]
    assert bare == []


def test_every_test_of_the_table_exists(table: list[list[str]]) -> None:
    tests = named(table)
    assert unknown(tests, collected(tests)) == []


def test_a_test_that_is_gone_is_found() -> None:
    there = {"tests/unit/test_a.py::test_one[case 1]", "tests/unit/test_a.py::test_two"}
    page = (
        "| what is wrong | what the user sees | tests |\n|---|---|---|\n"
        "| a \\| b | `no` | `tests/unit/test_a.py::test_one`<br>`tests/unit/test_a.py::test_one[case 1]` |\n"
        "| c | `no` | `tests/unit/test_a.py::test_one[case 2]`<br>`tests/unit/test_b.py::test_two` |\n"
    )
    assert len(rows(page)) == 2
    gone = ["tests/unit/test_a.py::test_one[case 2]", "tests/unit/test_b.py::test_two"]
    assert unknown(named(rows(page)), there) == gone
