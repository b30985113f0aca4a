# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module says of options that it refuses, and which of its options no test has seen refused.

A row of a module's table of bad input is `what → (options, path of the problem, words of the message)`. The path is the
option as the module names it (`servers[0].port`); options that Ansible itself refuses by type, choices or spelling are
told by their name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from support.local_azure import FakeTask

Row = tuple[Mapping[str, Any], str, str]
OF_ANOTHER_TYPE: dict[str, Any] = {"int": "many", "bool": "perhaps", "dict": "text", "list": {"a": 1}}


def problems(spec: Mapping[str, Any], operation: Callable[..., Any], params: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with the options: what Ansible says of their types, else what the operation says."""
    validated = ArgumentSpecValidator(dict(spec)).validate(dict(params))
    wrong_types = [Problem("", str(error)) for error in validated.errors]
    if wrong_types:
        return wrong_types
    try:
        operation(FakeTask(validated.validated_parameters))
    except InvalidInput as wrong:
        return list(wrong.problems)
    return []


def options(spec: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Every option and suboption, those of lists with brackets: `servers[].port`."""
    found = []
    for name, rule in spec.items():
        path = f"{prefix}{name}"
        found.append(path)
        if rule.get("options"):
            found += options(rule["options"], f"{path}[]." if rule.get("type") == "list" else f"{path}.")
    return found


def never_refused(spec: Mapping[str, Any], rows: Iterable[Row], exempt: Iterable[str] = ()) -> list[str]:
    """The options without a row; `exempt` are options whose refusals are tested elsewhere, with all below them."""
    seen = {re.sub(r"\[[^\]]*\]", "[]", path) for _options, path, _words in rows}
    left = set(exempt)
    return [
        path
        for path in options(spec)
        if not left & {path, path.partition("[")[0], path.partition(".")[0]}
        and path not in seen
        # a mapping's problems are told with the key: headers.X-Key
        and not any(one.startswith(f"{path}.") or one.removesuffix("[]") == path for one in seen)
    ]


def is_reported(found: Iterable[Problem], path: str, words: str) -> bool:
    """Whether a problem names the option and says the words; Ansible names it within its sentence."""
    name = re.sub(r"\[[^\]]*\]", "", path).rpartition(".")[2]
    return any(
        words in problem.message and (problem.path == path or (not problem.path and name in problem.message))
        for problem in found
    )


def rows_by_type(spec: Mapping[str, Any], path: str = "") -> Iterator[Row]:
    """Of another type, or none of the choices."""
    for name, rule in spec.items():
        here = f"{path}{name}"
        if rule.get("choices") or rule.get("type") in OF_ANOTHER_TYPE:
            yield _placed(here, "none of these" if rule.get("choices") else OF_ANOTHER_TYPE[rule["type"]]), here, ""
        if rule.get("options"):
            yield from rows_by_type(rule["options"], f"{here}[0]." if rule["type"] == "list" else f"{here}.")


def _placed(path: str, value: Any) -> dict[str, Any]:
    """A value at a place, in mappings and lists that hold nothing else."""
    for part in reversed(path.split(".")):
        name, is_entry, _rest = part.partition("[")
        value = {name: [value] if is_entry else value}
    found: dict[str, Any] = value
    return found
