# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of bad input: its rows, and whether the program says what a row shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TEST = re.compile(r"`(tests/[\w/]+\.py::\w+(?:\[[^`]+\])?)`")
# after the name of its subject, whatever that is, a problem is told like this
AFTER_ONE = " Nothing was changed."


@dataclass(frozen=True)
class Row:
    what: str
    text: str
    """The message; `…` stands for what was left out."""
    tests: tuple[str, ...]


def rows(page: str) -> list[Row]:
    """The rows of every table, without the heads."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| what is wrong ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [Row(row[0], message(row[1]), tuple(plain(test) for test in TEST.findall(row[-1]))) for row in cells]


def plain(text: str) -> str:
    return text.replace("\\|", "|")


def message(cell: str) -> str:
    """The lines of a cell without their marks."""
    lines = [plain(line.strip()).strip("`") for line in cell.split("<br>")]
    return "\n".join(lines)


def is_said(text: str, heard: Iterable[Mapping[str, str]]) -> bool:
    """Whether one of the messages reads like the text; a problem or a reason is its end, or all of it."""
    wanted = pattern(text)
    return any(
        wanted.fullmatch(flat(row["whole"])) if "whole" in row else _ends_with(text, wanted, flat(row["part"]))
        for row in heard
    )


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in flat(text).split("…")), re.DOTALL)


def _ends_with(text: str, wanted: re.Pattern[str], part: str) -> bool:
    if wanted.fullmatch(part) or wanted.fullmatch(f"{part}."):
        return True
    starts = [match.end() for match in re.finditer(": ", text)]
    return any(pattern(text[start:]).fullmatch(sentence(part) + AFTER_ONE) for start in starts)


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", ".)")) else f"{text}."


def flat(text: str) -> str:
    """Numbered lines are indented on a screen; in a table they are not, and ` is the mark of a message there."""
    return "\n".join(line.strip() for line in text.strip().splitlines()).replace("`", "'")
