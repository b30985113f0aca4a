# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugins/ does in one place only: a second way of doing it does not come back unseen."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache

import pytest
from gate.checkout import CHECKOUT

PLUGINS = CHECKOUT / "plugins"

# what may be used, and where
ONLY_IN = {
    "time.sleep": "module_utils/waiting.py",
    "time.monotonic": "module_utils/waiting.py",
    "os.O_EXCL": "module_utils/run_cache.py",
    "fcntl.flock": "module_utils/run_cache.py",
    "urllib3.PoolManager": "module_utils/http_terms.py",
    "urllib3.ProxyManager": "module_utils/http_terms.py",
}
# what pods run is a program of its own, which finds nothing else of the collection there
IN_PODS = {"module_utils/gateway/trial_calls.py"}


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@cache
def nodes_by_file() -> dict[str, list[ast.AST]]:
    """Every file is read once, whatever is asked of it."""
    files = sorted(PLUGINS.rglob("*.py"))
    return {str(file.relative_to(PLUGINS)): list(ast.walk(ast.parse(file.read_text()))) for file in files}


def names_used(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """`module.name` of everything that is used or imported by its name."""
    for node in nodes:
        if isinstance(node, ast.Attribute):
            yield dotted(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def names_by_file() -> dict[str, frozenset[str]]:
    return {file: frozenset(names_used(nodes)) for file, nodes in nodes_by_file().items()}


@pytest.mark.parametrize("name", ONLY_IN)
def test_one_way(name: str) -> None:
    assert {file for file, names in names_by_file().items() if name in names} - IN_PODS == {ONLY_IN[name]}


TO_STDOUT = ("print", "sys.stdout", "sys.__stdout__")


def writes_to_stdout(nodes: Iterable[ast.AST]) -> Iterator[int]:
    """Lines that may write to standard output, which belongs to the callback that was chosen for it."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "display":
            if not any(keyword.arg == "stderr" for keyword in node.keywords):
                yield node.lineno
        elif isinstance(node, (ast.Name, ast.Attribute)) and dotted(node) in TO_STDOUT:
            yield node.lineno


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("print('x')", [1]),
        ("Display().display('x')", [1]),
        ("x\ndisplay.display('x', color='red')", [2]),
        ("import sys\nsys.stdout.write('x')", [2]),
        ("Display().display('x', stderr=True)", []),
        ("Display().warning('x')", []),
    ],
)
def test_what_writes_to_stdout_is_found(source: str, lines: list[int]) -> None:
    assert list(writes_to_stdout(ast.walk(ast.parse(source)))) == lines


def test_nothing_writes_to_stdout() -> None:
    lines = {file: list(writes_to_stdout(nodes)) for file, nodes in nodes_by_file().items() if file not in IN_PODS}
    assert {file: found for file, found in lines.items() if found} == {}
