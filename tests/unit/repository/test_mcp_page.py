# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about MCP explains every code that the probe can give, and none that it cannot."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gate.checkout import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import protocol, verdicts

SOURCES = CHECKOUT / "plugins" / "module_utils" / "mcp"
PAGE = (CHECKOUT / "docs" / "mcp.md").read_text(encoding="utf-8")
# given by calls of these with the code as their first or second argument
GIVE_CODES = {"Unanswered": 0, "Reason": 1}


def given(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        place = GIVE_CODES.get(node.func.id)
        code = node.args[place] if place is not None and len(node.args) > place else None
        if isinstance(code, ast.Constant):
            yield str(code.value)


def codes() -> set[str]:
    tables = [row[0] for row in (*verdicts._STATUS.values(), *verdicts._RPC.values())]
    proxy = [row[1] for row in verdicts._PROXY]
    return {*tables, *proxy, "server_error", "bad_request", "rpc_error"} | {
        code for source in SOURCES.glob("*.py") for code in given(source)
    }


def test_every_code_is_explained_and_no_other() -> None:
    table = PAGE.partition("## Codes")[2]
    explained = {
        code
        for row in table.splitlines()
        if row.startswith("| `")
        for code in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert explained == codes()
    assert len(explained) > 40


def test_the_versions_of_the_page_are_those_that_are_spoken() -> None:
    named = set(re.findall(r"\d{4}-\d{2}-\d{2}", PAGE.partition("## What is sent")[0]))
    assert named == set(protocol.KNOWN_VERSIONS)
