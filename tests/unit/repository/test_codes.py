# SPDX-License-Identifier: GPL-3.0-or-later
"""Every code that a failure, a probe or a diagnosis can report is PascalCase and explained on a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from gate.checkout import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.helm import cli
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.reasons import REASON_CODES
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import protocol, verdicts

DOCS = CHECKOUT / "docs"
PASCAL = re.compile(r"[A-Z][a-z0-9]*([A-Z][A-Za-z0-9]*)*")
# what gives a code → its place among the arguments; besides, every argument `code`
GIVE = {"Unanswered": 0, "Reason": 1, "make_reason": 1, "reason_about": 1, "ReasonCode": None, "_row": 1}
Place = str


def constants(trees: dict[Path, ast.Module]) -> dict[str, str]:
    """The texts that have a name in capital letters."""
    return {
        target.id: node.value.value
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def texts_of(node: ast.expr, named: dict[str, str]) -> Iterator[str]:
    """The codes that an expression may come to; what only passes on another's says nothing of its own."""
    if isinstance(node, ast.IfExp):
        yield from texts_of(node.body, named)
        yield from texts_of(node.orelse, named)
    elif isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "Number" for part in node.values)  # type: ignore[misc]
    else:
        yield from [named[name] for name in [ast.unparse(node).rpartition(".")[2]] if name in named]


def given(trees: dict[Path, ast.Module]) -> Iterator[tuple[str, Place]]:
    named = constants(trees)
    for path, tree in trees.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            place = GIVE.get(ast.unparse(call.func).rpartition(".")[2])
            found = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
            found += call.args[place : place + 1] if place is not None else []
            for node in found:
                yield from ((text, f"{path.name}:{node.lineno}") for text in texts_of(node, named) if text)


def explained(page: str) -> set[str]:
    rows = (DOCS / page).read_text("utf-8").splitlines()
    return {code for row in rows if row.startswith("| `") for code in re.findall(r"`(\w+)`", row.split("|")[1])}


@cache
def declared() -> dict[str, Place]:
    sources = {path: ast.parse(path.read_text("utf-8")) for path in sorted((CHECKOUT / "plugins").rglob("*.py"))}
    tables = {code: "a table of reasons" for one in DOMAINS for code in one.reasons} | dict.fromkeys(REASON_CODES, "")
    tables |= {code: "helm.cli.FAILURES" for _, code, _ in cli.FAILURES}
    return {**dict(given(sources)), **dict.fromkeys(get_args(verdicts.Code), "verdicts.Code"), **tables}


def test_every_code_is_pascal_case() -> None:
    found = declared()
    assert len(found) > 150
    assert {code: place for code, place in found.items() if not PASCAL.fullmatch(code)} == {}


def test_every_code_is_explained() -> None:
    pages = explained("mcp.md") | explained("diagnosis.md") | explained("codes.md")
    steps = {code for code, one in REASON_CODES.items() if not one.advice}
    assert {code: place for code, place in declared().items() if code not in pages | steps} == {}


def test_no_page_explains_a_code_that_nothing_gives() -> None:
    assert explained("mcp.md") == set(get_args(verdicts.Code))
    assert explained("codes.md") - set(declared()) == set()


def test_the_versions_of_the_page_are_those_that_are_spoken() -> None:
    page = (DOCS / "mcp.md").read_text("utf-8")
    assert set(re.findall(r"\d{4}-\d{2}-\d{2}", page.partition("## What is sent")[0])) == set(protocol.KNOWN_VERSIONS)


@pytest.mark.parametrize(
    ("source", "codes"),
    {
        'Reason("a", "no_answer", "b")': {"no_answer"},
        'ServiceError("a", "b", code="exit 1")': {"exit 1"},
        'errors.ServiceError("a", "b", code=f"exit {x}")': {"exit Number"},
        'CODE = "cut_off"\nreason_about(item, other.CODE, "b")': {"cut_off"},
        'make_reason("a", "Ready" if b else "not_ready", "c")': {"Ready", "not_ready"},
        'ServiceError("a", "b", code=failure.code)': set(),
    }.items(),
)
def test_codes_are_found_wherever_they_are_given(source: str, codes: set[str]) -> None:
    assert {code for code, _place in given({Path("x.py"): ast.parse(source)})} == codes
