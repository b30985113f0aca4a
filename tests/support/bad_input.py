# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests that docs/bad-input.md names, and puts what the program says now into the page.

`.venv/bin/python -m support.bad_input` rewrites the rows whose message has changed, and takes those away that no test
shows any more. Read the difference before it is committed: it is what users will see.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gate.checkout import CHECKOUT

PAGE = CHECKOUT / "docs" / "bad-input.md"
Said = Mapping[str, list[dict[str, str]]]
LEAST_LIKENESS = 0.7
# what differs with every run, or with the machine
_VOLATILE = (
    (r"/[\w./-]*pytest-of-[\w./-]+", "…"),
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:…"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{64}\b", "…"),
    (r"/subscriptions/[\w./-]+", "…"),
    (r"'\w+(,\w+){5,}'", "'…'"),
    (r"(after|within) \d+ s\b", r"\1 … s"),
)
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


def is_stated(text: str, heard: Iterable[Mapping[str, str]]) -> bool:
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


def stated_by(tests: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """Test → what the program said while it ran."""
    with tempfile.TemporaryDirectory(prefix="mcpops-said-") as scratch:
        file = Path(scratch, "said.jsonl")
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "support.said", "-p", "no:cacheprovider", *tests]
        # its own words only: who calls this may be a test with options of its own
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment = {**kept, "MCPOPS_SAID_FILE": str(file), "PYTHONPATH": str(CHECKOUT / "tests")}
        done = subprocess.run(
            argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode != 0:
            raise SystemExit(done.stdout[-8000:] + done.stderr[-2000:])
        found: dict[str, list[dict[str, str]]] = {}
        for line in file.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            found.setdefault(entry["test"], []).extend(entry["said"])
            found.setdefault(entry["test"].partition("[")[0], []).extend(entry["said"])
        return found


def runnable(row: Row) -> list[str]:
    """The tests that need no cluster."""
    return [test for test in row.tests if not test.startswith("tests/integration/")]


def heard(row: Row, stated: Said) -> list[dict[str, str]]:
    return [one for test in runnable(row) for one in stated.get(test, [])]


def rewritten(page: str, stated: Said) -> str:
    """The page with what is said now."""
    lines = []
    for line in page.splitlines():
        (row,) = rows(line) or (None,)
        if row is None or is_stated(row.text, heard(row, stated)):
            lines.append(line)
            continue
        now = best(row.text, heard(row, stated))
        if now:
            tests = "<br>".join(f"`{_escaped(test)}`" for test in row.tests)
            lines.append(f"| {line.split('|')[1].strip()} | {_cell(now)} | {tests} |")
    return "\n".join(lines) + "\n"


def best(text: str, rows: Sequence[Mapping[str, str]]) -> str:
    """Of what was said, the most like the text; nothing when all of it is about something else."""
    subject = text.partition(": ")[0]
    choices = []
    for row in rows:
        whole = row.get("whole") or row["part"]
        if "part" in row and text.endswith(AFTER_ONE):
            whole = f"{subject}: {sentence(whole)}{AFTER_ONE}"
        for expression, shown in _VOLATILE:
            whole = re.sub(expression, shown, whole)
        choices.append((difflib.SequenceMatcher(None, text, whole, autojunk=False).ratio(), whole))
    likeness, found = max(choices, default=(0.0, ""))
    return found if likeness >= LEAST_LIKENESS else ""


def _cell(text: str) -> str:
    return "<br>".join(f"`{_escaped(line.strip())}`" for line in flat(text).splitlines())


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    tests = sorted({test for row in rows(page) for test in runnable(row)})
    PAGE.write_text(rewritten(page, stated_by(tests)), encoding="utf-8")


if __name__ == "__main__":
    main()
