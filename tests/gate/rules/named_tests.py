# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a test named on a page exists, read from its source: collecting the whole tree takes pytest a minute."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

TEST_ID = re.compile(r"(?P<file>tests/[\w/.-]+\.py)(?P<names>(?:::\w+)+)(?:\[(?P<case>.*)\])?")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def missing(root: Path, tests: Iterable[str]) -> list[str]:
    """What is wrong with each of these ids; empty when all of them name tests that exist."""
    return [f"{test}: {problem}" for test in tests if (problem := problem_of(root, test))]


def problem_of(root: Path, test: str) -> str:
    match = TEST_ID.fullmatch(test)
    if not match:
        return "is not written as tests/….py::name or tests/….py::name[case]"
    path = root / match["file"]
    if not path.is_file():
        return "there is no such file"
    module = _parsed(path)
    *classes, name = match["names"].removeprefix("::").split("::")
    body = module.body
    for part in classes:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == part), [])
    function = next((node for node in body if isinstance(node, Function) and node.name == name), None)
    if function is None or not name.startswith("test"):
        return "the file has no such test"
    if match["case"] is None:
        return ""
    cases = _cases(function, module)
    return "" if cases is None or match["case"] in cases else "the test has no such case"


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _cases(function: Function, module: ast.Module) -> set[str] | None:
    """The ids of the test's cases; None when they are computed, or come from a fixture: any may exist."""
    decorators = [node for node in function.decorator_list if isinstance(node, ast.Call) and _is_parametrize(node.func)]
    if not decorators:
        return None if function.args.args else set()
    # pytest puts the decorator next to the function first
    columns = [_ids(decorator, module) for decorator in reversed(decorators)]
    known = [column for column in columns if column is not None]
    if len(known) < len(columns):
        return None
    return {"-".join(ids) for ids in itertools.product(*known)}


def _is_parametrize(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "parametrize"


def _ids(decorator: ast.Call, module: ast.Module) -> list[str] | None:
    keywords = {keyword.arg: keyword.value for keyword in decorator.keywords}
    values = decorator.args[1] if len(decorator.args) > 1 else keywords.get("argvalues")
    if "ids" in keywords:
        return _texts(keywords["ids"], module)
    elements = _elements(values, module) if values is not None else None
    if elements is None:
        return None
    names = _argument_names(decorator.args[0])
    ids = [_id_of(element, names, position) for position, element in enumerate(elements)]
    known = [text for text in ids if text is not None]
    return known if len(known) == len(ids) else None


def _argument_names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [name.strip() for name in str(node.value).split(",")]
    return [str(item.value) for item in getattr(node, "elts", []) if isinstance(item, ast.Constant)]


def _id_of(element: ast.expr, names: list[str], position: int) -> str | None:
    if isinstance(element, ast.Call):
        given = [keyword.value for keyword in element.keywords if keyword.arg == "id"]
        if given:
            return _text(given[0])
        if not (isinstance(element.func, ast.Attribute) and element.func.attr == "param"):
            return f"{names[0]}{position}" if len(names) == 1 else None
        parts = element.args
    else:
        parts = element.elts if isinstance(element, ast.Tuple) and len(names) > 1 else [element]
    if len(parts) != len(names):
        return None
    # A name may stand for a text, which would be the id: it is not followed.
    if any(isinstance(part, (ast.Name, ast.Attribute, ast.Call, ast.JoinedStr, ast.BinOp)) for part in parts):
        return None
    return "-".join(_part(part, f"{name}{position}") for part, name in zip(parts, names, strict=True))


def _part(node: ast.expr, otherwise: str) -> str:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        return "-" + str(node.operand.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool | None):
        return str(node.value)
    return otherwise


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _texts(node: ast.expr, module: ast.Module) -> list[str] | None:
    elements = _elements(node, module)
    texts = [_text(element) for element in elements] if elements is not None else [None]
    known = [text for text in texts if text is not None]
    return known if len(known) == len(texts) else None


def _elements(node: ast.expr, module: ast.Module) -> list[ast.expr] | None:
    """What iterating over the expression yields, when it is written out in this file."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return None if any(isinstance(item, ast.Starred) for item in node.elts) else node.elts
    if isinstance(node, ast.Dict):
        return None if None in node.keys else [key for key in node.keys if key is not None]
    if isinstance(node, ast.Name):
        assigned = list(_assigned(node.id, module))
        return _elements(assigned[0], module) if len(assigned) == 1 else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.Add)):
        left, right = _elements(node.left, module), _elements(node.right, module)
        return None if left is None or right is None else [*left, *right]
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "keys":
            return _elements(node.func.value, module)
        if isinstance(node.func, ast.Name) and node.func.id in ("list", "sorted", "tuple") and len(node.args) == 1:
            return _elements(node.args[0], module)
    return None


def _assigned(name: str, module: ast.Module) -> Iterator[ast.expr]:
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if value is not None and any(isinstance(target, ast.Name) and target.id == name for target in targets):
            yield value
