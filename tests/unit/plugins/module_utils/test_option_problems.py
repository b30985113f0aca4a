# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins import modules
from ansible_collections.mcpops.platform.plugins.module_utils.errors import KnownLater
from ansible_collections.mcpops.platform.plugins.module_utils.option_problems import (
    LATER,
    spec_problems,
    task_problems,
    validated_options,
)

MODULES = sorted(info.name for info in pkgutil.iter_modules(modules.__path__))
VALUES: dict[str, Any] = {
    "str": "some text",
    "path": "/x/y",
    "int": 1,
    "bool": True,
    "float": 1.5,
    "raw": "some text",
    "dict": {},
}


def specification(module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    imported = importlib.import_module(f"{modules.__name__}.{module}")
    return imported.ARGUMENT_SPEC, getattr(imported, "RULES", {})


def value_of(rule: dict[str, Any]) -> Any:
    """Something that the option takes, with one entry and all suboptions."""
    if rule.get("options"):
        inner = {name: value_of(below) for name, below in rule["options"].items()}
        return [inner] if rule.get("type") == "list" else inner
    kind = rule.get("elements", "str") if rule.get("type") == "list" else rule.get("type", "str")
    value = rule["choices"][0] if rule.get("choices") else copy.deepcopy(VALUES[kind])
    return [value] if rule.get("type") == "list" else value


def options_of(spec: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each place that has options, with what its options are."""
    yield path, spec
    for name, rule in spec.items():
        if rule.get("options"):
            entry = "[0]" if rule.get("type") == "list" else ""
            yield from options_of(rule["options"], f"{path}.{name}{entry}".lstrip("."))


def at(arguments: Any, path: str) -> Any:
    for part in filter(None, path.replace("[0]", ".0").split(".")):
        arguments = arguments[int(part) if part == "0" else part]
    return arguments


@pytest.mark.parametrize("module", MODULES)
def test_a_misspelt_key_is_told_with_its_place_and_what_was_meant(module: str) -> None:
    """For every place of every module that has options: one letter too many in the name of one that is there."""
    spec, _rules = specification(module)
    for path, below in options_of(spec):
        meant = max(below, key=len)
        arguments = {name: value_of(rule) for name, rule in spec.items()}
        place = at(arguments, path)
        place[f"{meant}q"] = place.pop(meant)
        found = [problem for problem in task_problems(spec, {}, arguments) if problem.path == path]
        assert f"has an unknown option '{meant}q': did you mean {meant}?" in [problem.message for problem in found]


@pytest.mark.parametrize("module", MODULES)
def test_a_list_given_as_a_mapping_and_the_other_way_round_is_one_problem(module: str) -> None:
    spec, _rules = specification(module)
    for name, rule in spec.items():
        if rule.get("type") not in ("list", "dict"):
            continue
        arguments = {other: value_of(about) for other, about in spec.items()}
        arguments[name] = {"a": 1, "b": {"c": 2}} if rule["type"] == "list" else [{"a": 1}]
        shape = "is a mapping, and must be a list" if rule["type"] == "list" else "is a list, and must be a mapping"
        (problem,) = task_problems(spec, {}, arguments)
        assert problem.path == name and problem.message.startswith(shape)


def test_names_that_resemble_nothing_are_told_with_what_there_is() -> None:
    spec = {"entries": {"type": "list", "elements": "dict", "options": {"port": {"type": "int"}, "name": {}}}}
    (problem,) = task_problems(spec, {}, {"entries": [{}, {"zzz": 1}]})
    assert str(problem) == "entries[1]: has an unknown option 'zzz': its options are port, name"


def test_everything_that_is_wrong_is_told_at_once_and_no_secret() -> None:
    spec, rules = (
        {"a": {"type": "int"}, "b": {"required": True}, "c": {"no_log": True}, "d": {}},
        {"mutually_exclusive": [["c", "d"]]},
    )
    found = task_problems(spec, rules, {"a": "x", "c": "c4nary", "d": "c4nary", "e": 1})
    said = "\n".join(map(str, found))
    assert "a: argument 'a' is of type str" in said and "missing required arguments: b" in said
    assert "mutually exclusive: c|d" in said and "unknown option 'e'" in said and "c4nary" not in said


ALIASED: dict[str, Any] = {
    "name": {"type": "str", "required": True, "aliases": ["called"]},
    "size": {"type": "int"},
    "parts": {
        "type": "list",
        "elements": "dict",
        "options": {"key": {"type": "str", "required": True, "aliases": ["id"]}, "size": {"type": "int"}},
    },
}


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"called": "x", "size": "many"}, ["size"]),
        ({"called": "x", "parts": [{"id": "a", "size": "many"}]}, ["parts[0].size"]),
        ({"called": "x", "parts": [{"size": 1}]}, ["parts[0]"]),
        ({"called": LATER}, []),
        ({"called": "x", "parts": [{"id": LATER, "size": "many"}]}, ["parts[0].size"]),
    ],
)
def test_an_option_is_there_by_any_of_its_names(arguments: dict[str, Any], paths: list[str]) -> None:
    assert [problem.path for problem in spec_problems(ALIASED, arguments)] == paths


def test_what_is_known_later_is_so_by_any_of_its_names() -> None:
    reported, params, _hidden = validated_options(ALIASED, {"called": LATER, "size": 1}, {})
    assert reported == [] and params["size"] == 1
    for ask in (lambda: params["name"], lambda: params.get("name"), lambda: "name" in params):
        with pytest.raises(KnownLater):
            ask()


def test_what_is_known_later_stays_so_inside_of_a_mapping() -> None:
    """The validator copies what it is given, and rules compare with what stands for it."""
    spec = {"properties": {"type": "dict"}}
    _reported, params, _hidden = validated_options(spec, {"properties": {"issuer": LATER, "subjects": [LATER]}}, {})
    assert params["properties"]["issuer"] is LATER and params["properties"]["subjects"][0] is LATER
