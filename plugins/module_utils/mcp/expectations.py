# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the answer of a tool must be: checked before any request, and judged afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Problem
from ..kube.readiness import judge as jsonpath
from ..text import kind_of, text_of_scalar
from . import protocol
from .verdicts import Code, Unanswered, shortened

# what is said of the answer of a call, and so needs one
OF_A_CALL = ("arguments", "expect", "expect_equals", "expect_regex", "expect_json", "expect_error")
_TEXTS = ("expect", "expect_equals")
ANY_ERROR = "any"
# verdicts on the way to the server, the session or the version: who asks otherwise gets another answer to the same call
_NOT_OF_THE_CALL: frozenset[Code] = frozenset(("SessionLost", "HeaderMismatch", "ProtocolVersion"))
# of the message itself (JSON-RPC 2.0, section 5.1): at status 400 nobody looked at the tool that it names
_OF_THE_MESSAGE = frozenset((-32700, -32600))


@dataclass(frozen=True)
class PathCheck:
    """What a JSONPath must lead to in the structured content: a value, text that a pattern fits, or anything."""

    text: str
    path: jsonpath.JsonPath
    value: Any = None
    regex: str = ""

    def unmet(self, content: Any) -> str:
        found = jsonpath.find_values(self.path, content)
        if not found:
            return f"has nothing at {self.text}"
        shown = ", ".join(shortened(json.dumps(one, ensure_ascii=False)) for one in found[:5])
        if self.regex:
            met = all(re.search(self.regex, one if isinstance(one, str) else json.dumps(one)) for one in found)
            return "" if met else f"has {shown} at {self.text}, which does not match the pattern {self.regex!r}"
        if self.value is None or all(same_json(self.value, one) for one in found):
            return ""
        return f"has {shown} at {self.text} instead of {shortened(json.dumps(self.value, ensure_ascii=False))}"


@dataclass(frozen=True)
class Expectation:
    """All that one entry expects of its call."""

    contains: str = ""
    equals: str | None = None
    regex: str = ""
    paths: tuple[PathCheck, ...] = ()
    error: int | str | None = None
    """A JSON-RPC code, ANY_ERROR, or None where the call must succeed."""

    def unmet(self, answer: str, structured: Any) -> str:
        """What is wrong with the answer, or nothing."""
        if self.equals is not None and answer != self.equals:
            return f"is not {self.equals!r}"
        if self.contains and self.contains not in answer:
            return f"does not contain {self.contains!r}"
        if self.regex and not re.search(self.regex, answer):
            return f"does not match the pattern {self.regex!r}"
        return next((text for check in self.paths if (text := check.unmet(structured))), "")

    def is_expected(self, refused: Unanswered) -> bool:
        """Whether a refusal by JSON-RPC error is what the call is to end with.

        Gateways, logins and session stores write JSON-RPC errors, too. The server's word on the call comes at the
        statuses of MCP 2026-07-28, "Error handling": a success, 400, or 404 for a method that it does not have.
        """
        if self.error is None or refused.rpc is None or refused.status is None or refused.code in _NOT_OF_THE_CALL:
            return False
        code, status = refused.rpc.code, refused.status
        if not (200 <= status < 300 or status == 400 or (status == 404 and code == -32601)):
            return False
        if self.error == ANY_ERROR:
            return not (status == 400 and code in _OF_THE_MESSAGE)
        return self.error == code


@dataclass(frozen=True)
class Answer:
    """What a call came to, as text and as data."""

    text: str
    structured: Any = None
    is_error: bool = False
    code: int | None = None

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Answer:
        return cls(protocol.answer_text(result), result.get("structuredContent"), result.get("isError") is True)


def judge_answer(tool: str, expected: Expectation, answer: Answer) -> None:
    """Raises Unanswered where the answer is not the expected one."""
    shown = shortened(answer.text)
    if answer.is_error and expected.error is None:
        raise Unanswered("ToolError", f"its tool {tool!r} failed: {shown}", terminal=True)
    if not answer.is_error and expected.error is not None:
        raise Unanswered(
            "UnexpectedAnswer",
            f"its tool {tool!r} succeeded, and {_error_words(expected.error)} was expected: {shown!r}",
            terminal=True,
        )
    if isinstance(expected.error, int) and answer.code != expected.error:
        found = "an error of the tool itself" if answer.code is None else f"the JSON-RPC error {answer.code}"
        raise Unanswered(
            "UnexpectedAnswer",
            f"its tool {tool!r} answered {found}, and {_error_words(expected.error)} was expected: {shown}",
            terminal=True,
        )
    unmet = expected.unmet(answer.text, answer.structured)
    if unmet:
        what = "structured content" if answer.structured is not None and " at " in unmet else "answer"
        raise Unanswered("UnexpectedAnswer", f"the {what} of its tool {tool!r} {unmet}: {shown!r}", terminal=True)


def same_json(wanted: Any, found: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true or "1" are not."""
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return wanted.keys() == found.keys() and all(same_json(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, (list, tuple)) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(same_json, wanted, found))
    return bool(wanted == found)


def parse_expectation(row: Mapping[str, Any]) -> Expectation:
    """The expectation of options that have no problems."""
    equals = row.get("expect_equals")
    return Expectation(
        contains=text_of_scalar(row.get("expect")) or "",
        equals=None if equals is None else str(text_of_scalar(equals)),
        regex=row.get("expect_regex") or "",
        paths=tuple(
            PathCheck(
                str(check["path"]),
                jsonpath.parse_path(str(check["path"])),
                check.get("value"),
                check.get("regex") or "",
            )
            for check in row.get("expect_json") or []
        ),
        error=_error_of(row.get("expect_error")),
    )


def expectation_problems(row: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the options about the call, with their paths in the entry."""
    tool = row.get("tool")
    if tool and (tool != tool.strip() or not tool.isprintable()):
        yield Problem("tool", f"{tool!r} is not the name of a tool: it has a blank at an end or a line end")
    for key in OF_A_CALL:
        if row.get(key) not in (None, "", [], {}) and not row.get("tool"):
            yield Problem(key, "needs a tool to call")
    for key in _TEXTS:
        if isinstance(row.get(key), (list, dict)):
            yield Problem(key, f"is {kind_of(row[key])}, not a text: compare data with expect_json")
    if row.get("expect_equals") is not None and (row.get("expect") not in (None, "") or row.get("expect_regex")):
        yield Problem("expect_equals", "is the whole answer: omit expect and expect_regex")
    yield from _regex_problem("expect_regex", row.get("expect_regex"))
    for index, check in enumerate(row.get("expect_json") or []):
        yield from _path_problems(f"expect_json[{index}]", check)
    given = row.get("expect_error")
    if given is not None and _error_of(given) is None:
        yield Problem(
            "expect_error",
            f"is {given!r}: give true for any error, or the code of a JSON-RPC error such as -32602; leave it out "
            "for a call that succeeds",
        )
    yield from _tool_name_problems(row.get("expect_tools") or [])


def _path_problems(where: str, check: Mapping[str, Any]) -> Iterator[Problem]:
    path = check.get("path")
    try:
        jsonpath.parse_path(str(path or ""))
    except jsonpath.BadPath as exc:
        yield Problem(f"{where}.path", f"{path or ''!r} is not a JSONPath: {exc}")
    if check.get("value") is not None and check.get("regex"):
        yield Problem(f"{where}.value", "goes without regex: give one of them")
    yield from _regex_problem(f"{where}.regex", check.get("regex"))


def _regex_problem(where: str, pattern: Any) -> Iterator[Problem]:
    if not pattern:
        return
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as exc:
        yield Problem(where, f"is not a regular expression: {exc}")


def _tool_name_problems(names: Sequence[Any]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            yield Problem(f"expect_tools[{index}]", "is not the name of a tool")
        elif name in names[:index]:
            yield Problem(f"expect_tools[{index}]", f"{name!r} is named twice")


def _error_of(given: Any) -> int | str | None:
    if given is True or str(given).lower() in ("true", "yes"):
        return ANY_ERROR
    if isinstance(given, bool) or given is None:
        return None
    try:
        return int(str(given))
    except ValueError:
        return None


def _error_words(error: int | str) -> str:
    return "an error" if error == ANY_ERROR else f"the JSON-RPC error {error}"
