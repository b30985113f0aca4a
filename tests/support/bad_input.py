# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes docs/bad-input.md: what users see for each mistake that tests/docs/bad_input.yml lists.

`PYTHONPATH=collections:tests .venv/bin/python -m support.bad_input` runs the tests that need no cluster and
writes the page with what the program said in them. Read the difference before it is committed: it is what users will
see.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from gate.checkout import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem

PAGE = CHECKOUT / "docs" / "bad-input.md"
LIST = CHECKOUT / "tests" / "docs" / "bad_input.yml"
Said = Mapping[str, Sequence[Mapping[str, str]]]
# what differs with every run, or with the machine
_VOLATILE = (
    (r"/[\w./-]*pytest-of-[\w./-]+", "…"),
    (re.escape(str(CHECKOUT)), "…"),
    (r"\bkmcp-linux-\w+", "kmcp-…"),
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:…"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b([0-9a-f]{32}|[0-9a-f]{64})\b", "…"),
    (r"/subscriptions/[\w./-]+", "…"),
    (r"'\w+(,\w+){5,}'", "'…'"),
    (r"(after|within) \d+ s\b", r"\1 … s"),
)


@dataclass(frozen=True)
class Row:
    what: str
    tests: tuple[str, ...]
    subject: str | None = None
    """Of a problem that a test finds without an operation: what the operation would say it of; empty if it is whole."""
    shows: str = ""
    """A part of the message, where the tests make the program say more than one."""

    @property
    def runnable(self) -> tuple[str, ...]:
        """The tests that need no cluster."""
        return tuple(test for test in self.tests if not test.startswith("tests/integration/"))


def sections(document: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of every table, by its heading."""
    return {
        heading: [Row(**{**row, "tests": tuple(row["tests"])}) for row in rows]
        for heading, rows in document["sections"].items()
    }


def read() -> tuple[str, dict[str, list[Row]]]:
    """The words before the tables, and the tables."""
    document = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return str(document["introduction"]), sections(document)


def said_in(tests: Sequence[str]) -> dict[str, list[Mapping[str, str]]]:
    """Test → what the program said while it ran; of all variants of a test under its bare name."""
    with tempfile.TemporaryDirectory(prefix="mcpops-said-") as scratch:
        file = Path(scratch, "said.jsonl")
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "support.said", "-p", "no:cacheprovider", *tests]
        # its own words only: who calls this may be a test with options of its own
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment = {**kept, "MCPOPS_SAID_FILE": str(file), "PYTHONPATH": str(CHECKOUT / "tests")}
        done = subprocess.run(
            argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        if done.returncode != 0:
            raise SystemExit(done.stdout[-8000:] + done.stderr[-2000:])
        return of_lines(file.read_text(encoding="utf-8").splitlines())


def of_lines(lines: Sequence[str]) -> dict[str, list[Mapping[str, str]]]:
    found: dict[str, list[Mapping[str, str]]] = {}
    for line in lines:
        entry = json.loads(line)
        for name in dict.fromkeys([entry["test"], entry["test"].partition("[")[0]]):
            found.setdefault(name, []).extend(entry["said"])
    return found


def message(row: Row, said: Said) -> str:
    """The one message that the row is about; ValueError where its tests say none such, or several."""
    heard = [one for test in row.runnable for one in said.get(test, ())]
    if row.subject is None:
        texts = [one["whole"] for one in heard if "whole" in one]
    else:
        texts = [one["part"] for one in heard if "part" in one]
    if row.subject:
        texts = [InvalidInput(row.subject, [Problem("", text)]).message() for text in texts]
    found = list(dict.fromkeys(shown for text in texts if row.shows in (shown := steady(text))))
    if len(found) != 1:
        several = "\n".join(found) or "nothing such"
        raise ValueError(f"{row.what}: its tests are to say one message with {row.shows!r}, and say:\n{several}")
    return found[0]


def steady(text: str) -> str:
    """Without what differs from run to run. Lines of a table are not indented, and ` is the mark of a message there."""
    for expression, shown in _VOLATILE:
        text = re.sub(expression, shown, text)
    return "\n".join(line.strip() for line in text.strip().splitlines()).replace("`", "'")


def page(introduction: str, tables: Mapping[str, Sequence[Row]], said: Said) -> str:
    parts = [introduction.rstrip()]
    for heading, rows in tables.items():
        lines = [f"| {row.what} | {_marked(message(row, said).splitlines())} | {_marked(row.tests)} |" for row in rows]
        head = ["| what is wrong | what the user sees | tests |", "|---|---|---|"]
        parts.append("\n".join([f"## {heading}", *head, *lines]))
    return "\n\n".join(parts) + "\n"


def _marked(texts: Sequence[str]) -> str:
    return "<br>".join(f"`{text}`" for text in texts).replace("|", "\\|")


def made() -> str:
    """The page as it has to be."""
    introduction, tables = read()
    tests = sorted({test for rows in tables.values() for row in rows for test in row.runnable})
    return page(introduction, tables, said_in(tests))


if __name__ == "__main__":
    PAGE.write_text(made(), encoding="utf-8")
