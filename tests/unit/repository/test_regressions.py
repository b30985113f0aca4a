# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/regressions.md names, for each fault that was mended, tests that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT
from gate.rules import named_tests, page_tables

PAGE = CHECKOUT / "docs" / "regressions.md"
HEAD = "| fault | what | test |"
FAULT = re.compile(r"[A-Z]{1,2}[0-9]{1,3}[a-z]?")


def rows(page: str) -> list[list[str]]:
    return page_tables.rows(page, HEAD)


def problems(page: str, root: Path) -> list[str]:
    found = []
    for row in rows(page):
        if len(row) != 3 or not all(row):
            found.append(f"{' | '.join(row)}: a row has three cells: the fault, what it was, its tests")
            continue
        fault, _, tests = row
        if not FAULT.fullmatch(fault):
            found.append(f"{fault}: a fault's id is capital letters and a number")
        found += [f"{fault}: {problem}" for problem in named_tests.missing(root, page_tables.names_in(tests))]
    counted = Counter(row[0].upper() for row in rows(page) if row)
    found += [f"{fault}: has {count} rows: put their tests into one" for fault, count in counted.items() if count > 1]
    return found


def test_every_row_names_tests_that_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert HEAD in page.splitlines()
    assert rows(page)
    assert problems(page, CHECKOUT) == []


SOURCE = """
import pytest
from elsewhere import OTHERS

TABLE = {"no name": 1, "a | b": 2}
MORE = TABLE | {"third": 3}

def test_plain(): ...

async def test_awaited(): ...

def helper(): ...

class TestOfAClass:
    def test_inside(self): ...

@pytest.mark.parametrize("value", TABLE.values(), ids=TABLE.keys())
def test_table(value): ...

@pytest.mark.parametrize(("value", "seen"), [(1, 2)], ids=list(MORE))
def test_more(value, seen): ...

@pytest.mark.parametrize("way", ["apply", "check"])
@pytest.mark.parametrize(("value", "seen"), [(1, "a"), pytest.param(-2, None), pytest.param(3, {}, id="named")])
def test_product(value, seen, way): ...

@pytest.mark.parametrize("value", OTHERS, ids=str)
def test_computed(value): ...
"""
THERE = (
    "test_plain",
    "test_awaited",
    "TestOfAClass::test_inside",
    "test_table",
    "test_table[no name]",
    "test_table[a | b]",
    "test_more[third]",
    "test_more[no name]",
    "test_product[1-a-apply]",
    "test_product[-2-None-check]",
    "test_product[named-check]",
    "test_computed[whatever]",
)
GONE = {
    "test_plain2": "the file has no such test",
    "helper": "the file has no such test",
    "test_inside": "the file has no such test",
    "TestOther::test_inside": "the file has no such test",
    "test_plain[case]": "the test has no such case",
    "test_table[third]": "the test has no such case",
    "test_product[apply-1-a]": "the test has no such case",
    "test_product[3-seen2-apply]": "the test has no such case",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/test_a.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", THERE)
def test_what_exists_is_found(tree: Path, name: str) -> None:
    assert named_tests.problem_of(tree, f"tests/unit/test_a.py::{name}") == ""


@pytest.mark.parametrize("name", GONE)
def test_what_is_gone_is_named(tree: Path, name: str) -> None:
    assert named_tests.problem_of(tree, f"tests/unit/test_a.py::{name}") == GONE[name]


ROW = "| X4 | a | tests/unit/test_a.py::test_plain |"
BAD_ROWS = {
    "a file that is gone": ("| X4 | a | tests/unit/test_b.py::test_plain |", "there is no such file"),
    "a second test that is gone": (
        "| X4 | a | tests/unit/test_a.py::test_plain<br>tests/unit/test_a.py::test_no |",
        "test_no: the file has no such test",
    ),
    "no test": ("| X4 | a | |", "three cells"),
    "a remark for a test": ("| X4 | a | seen by hand |", "is not written as"),
    "a file for a test": ("| X4 | a | tests/unit/test_a.py |", "is not written as"),
    "two cells": ("| X4 | tests/unit/test_a.py::test_plain |", "three cells"),
    "the same fault twice": (f"{ROW}\n{ROW}", "X4: has 2 rows"),
    "the same fault in another case": (f"{ROW}\n{ROW.replace('X4', 'x4')}", "X4: has 2 rows"),
    "no id": (ROW.replace("X4", "the fourth"), "a fault's id"),
}


@pytest.mark.parametrize(("bad", "seen"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_row_that_proves_nothing_is_named(tree: Path, bad: str, seen: str) -> None:
    found = problems(f"{HEAD}\n|---|---|---|\n{bad}\n", tree)
    assert any(seen in problem for problem in found), found


def test_a_good_table_has_no_problem(tree: Path) -> None:
    second = "| A1 | a \\| b | `tests/unit/test_a.py::test_table[a \\| b]`<br>tests/unit/test_a.py::test_plain |"
    page = f"# Regressions\n\n{HEAD}\n|---|---|---|\n{ROW}\n{second}\n"
    assert problems(page, tree) == []
    assert len(rows(page)) == 2
