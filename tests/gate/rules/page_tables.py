# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of pages whose last cells name tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile

BETWEEN = "<br>"


def rows(page: str, head: str) -> list[list[str]]:
    """The cells of every row of a page that is all one table. Every line that begins like a row is one."""
    return cells(line for line in page.splitlines() if _is_row(line) and line != head)


def rows_below(page: str, head: str) -> list[list[str]]:
    """The cells of the rows of the table with this head, of a page with several."""
    lines = page.splitlines()
    return cells(takewhile(_is_row, lines[lines.index(head) + 1 :]))


def cells(lines: Iterable[str]) -> list[list[str]]:
    """The cells of these lines, without the line of dashes."""
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]] for line in lines]
    return [row for row in found if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]


def names_in(cell: str) -> list[str]:
    """A cell holds tests only, so that a test's name with a slip in it is not taken for a remark."""
    return [part.strip().strip("`").replace("\\|", "|") for part in cell.split(BETWEEN) if part.strip()]


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|")
