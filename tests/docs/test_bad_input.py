# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of bad input shows what the program says."""

from __future__ import annotations

import pytest
from gate.checkout import CHECKOUT
from gate.rules import named_tests
from support import bad_input
from support.bad_input import Row

FEWEST_ROWS = 90


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return bad_input.rows(bad_input.PAGE.read_text(encoding="utf-8"))


def test_every_row_says_what_is_seen_and_which_test_shows_it(table: list[Row]) -> None:
    assert len(table) >= FEWEST_ROWS
    assert [row for row in table if not row.what or not row.text or not bad_input.runnable(row)] == []


def test_every_test_of_the_table_exists(table: list[Row]) -> None:
    assert named_tests.missing(CHECKOUT, sorted({test for row in table for test in row.tests})) == []


def test_the_program_says_what_the_page_shows(table: list[Row]) -> None:
    stated = bad_input.stated_by(sorted({test for row in table for test in bad_input.runnable(row)}))
    other = [row for row in table if not bad_input.is_stated(row.text, bad_input.heard(row, stated))]
    reported = "PYTHONPATH=tests .venv/bin/python -m support.bad_input puts into the page what is said now:"
    assert not other, "\n".join([reported, *(f"{row.what}: {row.text}" for row in other)])


HEARD = [
    {"whole": "VM size in eastus2: 2 problems, nothing was changed:\n  1. a: no\n  2. b: set `x`"},
    {"part": "labels.n: is a list: give a text"},
    {"part": "Pod a/b: is `Pending`. Wait."},
]
# text of a row → whether it is said
SHOWN = {
    "VM size in eastus2: 2 problems, nothing was changed:\n1. a: no\n2. b: set 'x'": True,
    "VM size in …: 2 problems, nothing was changed:\n1. a: no\n…": True,
    "VM size in eastus2: 2 problems, nothing was changed:\n1. a: yes\n2. b: set 'x'": False,
    "VM size in eastus2: 2 problems, nothing was changed:": False,
    "mcp_server: labels.n: is a list: give a text. Nothing was changed.": True,
    "mcp_server: servers[0]: labels.n: is a list: give a text. Nothing was changed.": True,
    "labels.n: is a list: give a text.": True,
    "mcp_server: labels.n: is a list: give text. Nothing was changed.": False,
    "mcp_server: labels.n: is a list: give a text": False,
    "Pod a/b: is 'Pending'. Wait.": True,
    "Pod …: is 'Running'. Wait.": False,
}


@pytest.mark.parametrize("text", SHOWN)
def test_a_text_is_compared_with_what_was_said(text: str) -> None:
    assert bad_input.is_stated(text, HEARD) is SHOWN[text]


def test_a_row_that_is_wrong_is_put_right_and_one_that_nothing_shows_goes() -> None:
    tests = "`tests/unit/test_a.py::test_one[a \\| b]`"
    page = (
        "# Page\n\n| what is wrong | what the user sees | tests |\n|---|---|---|\n"
        f"| label | `mcp_server: labels.m: is a list: give text. Nothing was changed.` | {tests} |\n"
        f"| pod | `Pod a/b: is 'Pending'. Wait.` | {tests} |\n"
        f"| else | `An unlike sentence about quite another matter.` | {tests} |\n"
        "| real | `Only a cluster says this.` | `tests/integration/a/test_b.py::test_c` |\n"
    )
    (first, *_) = bad_input.rows(page)
    assert first.tests == ("tests/unit/test_a.py::test_one[a | b]",)
    now = bad_input.rewritten(page, {"tests/unit/test_a.py::test_one[a | b]": HEARD})
    assert [row.what for row in bad_input.rows(now)] == ["label", "pod"]
    assert f"| label | `mcp_server: labels.n: is a list: give a text. Nothing was changed.` | {tests} |" in now
    assert bad_input.rewritten(now, {"tests/unit/test_a.py::test_one[a | b]": HEARD}) == now
