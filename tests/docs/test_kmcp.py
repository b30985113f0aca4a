# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/kmcp.md says what of the runbook is done by what: each finished row names something that exists, and tests."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from gate.checkout import CHECKOUT
from gate.rules import named_tests, page_tables

PAGE = CHECKOUT / "docs" / "kmcp.md"
CAPABILITIES = "| id | capability | what does it | tests |"
MISTAKES = "| id | in the runbook | here | tests |"
NOT_YET = "not yet"
# how many rows the runbook's own list has
SIZES = {CAPABILITIES: ("C", 32), MISTAKES: ("D", 21)}


def known_names(root: Path) -> set[str]:
    """Modules, roles, their variables, the modules' options and the common variables of the collection."""
    modules = {path.stem for path in (root / "plugins/modules").glob("*.py")}
    names = modules | {path.name for path in (root / "roles").iterdir()}
    for path in (root / "roles").glob("*/meta/argument_specs.yml"):
        names |= set(yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])
    for path in (root / "roles").glob("*/defaults/main.yml"):
        names |= set(re.findall(r"\bmcpops_\w+", path.read_text(encoding="utf-8")))
    names |= set(re.findall(r"\bmcpops_\w+", (root / "playbooks/site.yml").read_text(encoding="utf-8")))
    for path in (root / "plugins/modules").glob("*.py"):
        names |= set(re.findall(r"^  (\w+):$", path.read_text(encoding="utf-8"), re.MULTILINE))
    playbooks = {f"playbooks/{path.name}" for path in (root / "playbooks").glob("*.yml")}
    examples = {f"examples/{path.name}" for path in (root / "examples").glob("*")}
    return names | playbooks | examples


def problems(rows: list[list[str]], letter: str, known: set[str], root: Path, *, names: bool) -> list[str]:
    found = []
    for row in rows:
        if len(row) != 4 or not all(row):
            found.append(f"{' | '.join(row)}: a row has four cells, none of them empty")
            continue
        number, _what, how, tests = row
        if not re.fullmatch(rf"{letter}[0-9]+", number):
            found.append(f"{number}: ids are {letter} and a number")
        if (how == NOT_YET) != (tests == NOT_YET):
            found.append(f"{number}: what is not there yet has no tests, and says so in both cells")
        elif how != NOT_YET:
            # `properties` of … and the like beside a name are fine; one name that exists is wanted
            quoted = re.findall(r"`([^`]+)`", how)
            if names and not known & set(quoted):
                found.append(f"{number}: names no module, role or variable that exists: {how}")
            found += [f"{number}: {problem}" for problem in named_tests.missing(root, page_tables.names_in(tests))]
    counted = Counter(row[0] for row in rows)
    return found + [f"{number}: has {count} rows" for number, count in counted.items() if count > 1]


@pytest.mark.parametrize("head", SIZES)
def test_every_row_names_what_exists(head: str) -> None:
    letter, size = SIZES[head]
    rows = page_tables.rows_below(PAGE.read_text(encoding="utf-8"), head)
    assert [row[0] for row in rows] == [f"{letter}{number}" for number in range(1, size + 1)]
    assert problems(rows, letter, known_names(CHECKOUT), CHECKOUT, names=head == CAPABILITIES) == []


def test_the_codes_of_the_page_are_those_of_diagnosis() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = page_tables.rows_below(page, "| what is wrong | code |")
    reported = {code for row in rows for code in re.findall(r"`([A-Z]\w+)`", row[1])}
    listed = set(re.findall(r"^\| `([A-Z]\w+)` \|", (CHECKOUT / "docs/diagnosis.md").read_text("utf-8"), re.MULTILINE))
    assert len(reported) >= 8
    assert reported - listed == set()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("def test_one(): ...\n", encoding="utf-8")
    return tmp_path


GOOD = ["C1", "a thing", "`mcp_server`", "tests/test_a.py::test_one"]
BAD: dict[str, tuple[list[str], str]] = {
    "a test that is gone": ([*GOOD[:3], "tests/test_a.py::test_two"], "has no such test"),
    "a remark for a test": ([*GOOD[:3], "seen by hand"], "is not written as"),
    "no test": ([*GOOD[:3], ""], "four cells"),
    "finished without tests": ([*GOOD[:3], NOT_YET], "says so in both cells"),
    "not yet with tests": ([*GOOD[:2], NOT_YET, GOOD[3]], "says so in both cells"),
    "nothing that exists": ([*GOOD[:2], "`mcp_srever`", GOOD[3]], "names no module, role or variable"),
    "another id": (["X1", *GOOD[1:]], "ids are C"),
}


@pytest.mark.parametrize(("row", "words"), BAD.values(), ids=BAD.keys())
def test_a_row_that_proves_nothing_is_named(row: list[str], words: str, tree: Path) -> None:
    found = problems([row], "C", {"mcp_server"}, tree, names=True)
    assert any(words in problem for problem in found), found


def test_a_good_row_and_one_that_is_not_there_yet(tree: Path) -> None:
    rows = [GOOD, ["C2", "another", NOT_YET, NOT_YET]]
    assert problems(rows, "C", {"mcp_server"}, tree, names=True) == []
    assert problems([GOOD, GOOD], "C", {"mcp_server"}, tree, names=True) == ["C1: has 2 rows"]
