# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugins/ does in one place only: a second way of doing it does not come back unseen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "plugins"

# what may be used, and where
ONLY_IN = {
    "time.sleep": "module_utils/waiting.py",
    "time.monotonic": "module_utils/waiting.py",
    "os.O_EXCL": "module_utils/run_cache.py",
    "fcntl.flock": "module_utils/run_cache.py",
    "urllib3.PoolManager": "module_utils/http_terms.py",
    "urllib3.ProxyManager": "module_utils/http_terms.py",
}


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def names_used(source: str) -> Iterator[str]:
    """`module.name` of everything that is used or imported by its name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield dotted(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def names_by_file() -> dict[str, frozenset[str]]:
    """Every file is read once, however many names are asked for."""
    files = sorted(PLUGINS.rglob("*.py"))
    return {str(file.relative_to(PLUGINS)): frozenset(names_used(file.read_text())) for file in files}


@pytest.mark.parametrize("name", ONLY_IN)
def test_one_way(name: str) -> None:
    assert {file for file, names in names_by_file().items() if name in names} == {ONLY_IN[name]}
