# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of bad input is made of what the program says."""

from __future__ import annotations

import json

import pytest
from gate.checkout import CHECKOUT
from gate.rules import named_tests
from support import bad_input
from support.bad_input import Row

FEWEST_ROWS = 90
TEST = "tests/unit/test_a.py::test_one[a | b]"
HEARD = [
    {"whole": "VM size in eastus2: 2 problems, nothing was changed:\n  1. a: no\n  2. b: set `x`"},
    {"part": "labels.n: is a list: give a text"},
    {"part": "labels.m: is null: give a text"},
    {"whole": "MCP server http://127.0.0.1:45678/mcp: not ready after 3 s: it hangs."},
]
# (subject, shows) → the message, None where not exactly one fits
SHOWN: dict[tuple[str | None, str], str | None] = {
    (None, "VM size"): "VM size in eastus2: 2 problems, nothing was changed:\n1. a: no\n2. b: set 'x'",
    (None, "hangs"): "MCP server http://127.0.0.1:…/mcp: not ready after … s: it hangs.",
    (None, ""): None,
    (None, "labels"): None,
    ("mcp_server", "labels.n"): "mcp_server: labels.n: is a list: give a text. Nothing was changed.",
    ("mcp_server", "labels"): None,
    ("mcp_server", "VM size"): None,
    ("", "null"): "labels.m: is null: give a text",
}


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return [row for rows in bad_input.read()[1].values() for row in rows]


def test_every_row_names_a_test_that_needs_no_cluster(table: list[Row]) -> None:
    assert len(table) >= FEWEST_ROWS
    assert [row for row in table if not row.what or not row.runnable] == []


def test_every_test_of_the_table_exists(table: list[Row]) -> None:
    assert named_tests.missing(CHECKOUT, sorted({test for row in table for test in row.tests})) == []


def test_the_page_is_what_the_program_says() -> None:
    advice = "PYTHONPATH=collections:tests .venv/bin/python -m support.bad_input makes the page"
    assert bad_input.PAGE.read_text(encoding="utf-8") == bad_input.made(), advice


@pytest.mark.parametrize(("subject", "shows"), SHOWN)
def test_a_row_has_the_one_message_that_it_is_about(subject: str | None, shows: str) -> None:
    row = Row("label", (TEST, "tests/integration/a/test_b.py::test_c"), subject, shows)
    wanted = SHOWN[subject, shows]
    if wanted is None:
        with pytest.raises(ValueError, match=r"^label: its tests are to say one message"):
            bad_input.message(row, {TEST: HEARD})
    else:
        assert bad_input.message(row, {TEST: HEARD}) == wanted


def test_the_page_is_made_of_nothing_else() -> None:
    said = bad_input.of_lines([json.dumps({"test": TEST, "said": HEARD})])
    document = {"sections": {"Labels": [{"what": "label", "subject": "k8s", "shows": "labels.n", "tests": [TEST]}]}}
    assert bad_input.page("# Page\n", bad_input.sections(document), said) == (
        "# Page\n\n## Labels\n| what is wrong | what the user sees | tests |\n|---|---|---|\n"
        "| label | `k8s: labels.n: is a list: give a text. Nothing was changed.` | "
        "`tests/unit/test_a.py::test_one[a \\| b]` |\n"
    )


def test_all_variants_of_a_test_are_those_of_its_bare_name() -> None:
    said = bad_input.of_lines([json.dumps({"test": f"t.py::test_x[{one}]", "said": [one]}) for one in "ab"])
    assert said == {"t.py::test_x": ["a", "b"], "t.py::test_x[a]": ["a"], "t.py::test_x[b]": ["b"]}
