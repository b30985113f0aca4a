# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer must be, and what is said when it is something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import expectations, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.expectations import Answer
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import RpcError, Unanswered, session_lost

DATA = {"days": [{"unit": "celsius", "high": 21}, {"unit": "celsius", "high": -3.5}], "ok": True, "none": None}
GOOD = Answer("sunny, 21 degrees", DATA)
FAILED = Answer("unknown city 'Atlantis'", is_error=True)
REFUSED = Answer("Unknown tool: forecats", is_error=True, code=-32602)


def judged(options: dict[str, Any], answer: Answer) -> str:
    """Code and message of the verdict, or nothing where the answer is as expected."""
    assert list(expectations.expectation_problems({"tool": "t", **options})) == []
    try:
        expectations.judge_answer("t", expectations.parse_expectation(options), answer)
    except Unanswered as wrong:
        assert wrong.terminal
        return f"{wrong.code}: {wrong.reason}"
    return ""


def path(text: str, **more: Any) -> dict[str, Any]:
    return {"expect_json": [{"path": text, **more}]}


# options, the answer → words of the verdict; nothing where it is as expected
JUDGED: dict[str, tuple[dict[str, Any], Answer, str]] = {
    "nothing expected": ({}, GOOD, ""),
    "contains": ({"expect": "21"}, GOOD, ""),
    "contains a number": ({"expect": 21}, GOOD, ""),
    "does not contain": ({"expect": "22"}, GOOD, "does not contain '22'"),
    "equals": ({"expect_equals": "sunny, 21 degrees"}, GOOD, ""),
    "equals a part only": ({"expect_equals": "sunny"}, GOOD, "is not 'sunny'"),
    "equals a number": ({"expect_equals": 5}, Answer("5"), ""),
    "equals a boolean as YAML writes it": ({"expect_equals": True}, Answer("True"), "is not 'true'"),
    "equals nothing": ({"expect_equals": ""}, Answer("x"), "is not ''"),
    "matches": ({"expect_regex": r"\d+ degrees$"}, GOOD, ""),
    "does not match": ({"expect_regex": "^rain"}, GOOD, "does not match the pattern '^rain'"),
    "something is there": (path(".ok"), GOOD, ""),
    "even null is something": (path(".none"), GOOD, ""),
    "nothing is there": (path(".wind"), GOOD, "structured content of its tool 't' has nothing at .wind"),
    "value": (path("{.days[0].unit}", value="celsius"), GOOD, ""),
    "all values": (path(".days[*].unit", value="celsius"), GOOD, ""),
    "not all values": (path(".days[*].high", value=21), GOOD, "has 21, -3.5 at .days[*].high instead of 21"),
    "number as a float": (path(".days[0].high", value=21.0), GOOD, ""),
    "number that is a text": (path(".days[0].high", value="21"), GOOD, 'instead of "21"'),
    "true is not one": (path(".ok", value=1), GOOD, "has true at .ok instead of 1"),
    "structure": (path(".days[1]", value={"unit": "celsius", "high": -3.5}), GOOD, ""),
    "structure with another leaf": (path(".days[1]", value={"unit": "celsius", "high": True}), GOOD, "instead of"),
    "filter": (path('.days[?(@.unit=="celsius")].high', regex=r"^-?[\d.]+$"), GOOD, ""),
    "pattern that does not fit": (path(".days[0].unit", regex="kelvin"), GOOD, "does not match the pattern 'kelvin'"),
    "path without structured content": (path(".a"), Answer("{}"), "has nothing at .a"),
    "path into a list": (path("[0]", value=1), Answer("", [1]), ""),
    "error nobody expects": ({}, FAILED, "ToolError: its tool 't' failed: unknown city"),
    "any error": ({"expect_error": True}, FAILED, ""),
    "any error, by the protocol": ({"expect_error": "yes"}, REFUSED, ""),
    "no error": ({"expect_error": True}, GOOD, "succeeded, and an error was expected"),
    "error with its text": ({"expect_error": True, "expect": "Atlantis"}, FAILED, ""),
    "error with another text": ({"expect_error": True, "expect": "timeout"}, FAILED, "does not contain 'timeout'"),
    "code": ({"expect_error": -32602}, REFUSED, ""),
    "code as a text": ({"expect_error": "-32602"}, REFUSED, ""),
    "another code": ({"expect_error": -32601}, REFUSED, "answered the JSON-RPC error -32602, and the JSON-RPC error"),
    "code where the tool failed": ({"expect_error": -32602}, FAILED, "answered an error of the tool itself"),
    "code zero": ({"expect_error": 0}, Answer("x", is_error=True, code=0), ""),
}


@pytest.mark.parametrize(("options", "answer", "words"), JUDGED.values(), ids=JUDGED)
def test_an_answer_is_judged(options: dict[str, Any], answer: Answer, words: str) -> None:
    stated = judged(options, answer)
    assert words in stated and bool(stated) == bool(words), stated


# how a call was refused: status and JSON-RPC code → whether any error that is expected may be this one
REFUSALS: dict[str, tuple[int, int, bool]] = {
    "unknown tool, of the TypeScript SDK": (200, -32602, True),
    "unknown tool, of the Go SDK": (400, -32602, True),
    "an error of its own": (200, -32050, True),
    "no such method": (404, -32601, True),
    "capability that the client lacks": (400, -32021, True),
    "broken inside, and said so": (200, -32603, True),
    "no token": (401, -32001, False),
    "no right": (403, -32003, False),
    "nothing at the path": (404, -32001, False),
    "not taken there": (405, -32000, False),
    "wrong host": (421, -32000, False),
    "not understood by an adapter": (422, -32602, False),
    "slow down": (429, -32000, False),
    "crashed": (500, -32603, False),
    "no upstream": (502, -32603, False),
    "overloaded": (503, -32000, False),
    "headers that a proxy rewrote": (400, -32020, False),
    "the same in a success": (200, -32020, False),
    "another version": (400, -32022, False),
    "no session named": (400, -32600, False),
    "cut on the way": (400, -32700, False),
}


BY_CODE = ((400, -32600), (400, -32700))


@pytest.mark.parametrize(("status", "code", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_only_what_is_said_of_the_call_is_an_expected_error(status: int, code: int, expected: bool) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 3, "error": {"code": code, "message": "no"}}).encode()
    with pytest.raises(Unanswered) as caught:
        protocol.read_answer(Reply(status, {"content-type": "application/json"}, [body]), 3)
    assert caught.value.rpc is not None
    assert expectations.parse_expectation({"expect_error": True}).is_expected(caught.value) == expected
    # by its code, the error of a message that is none may be asked for
    by_code = expected or (status, code) in BY_CODE
    assert expectations.parse_expectation({"expect_error": code}).is_expected(caught.value) == by_code
    assert not expectations.parse_expectation({"expect_error": 7}).is_expected(caught.value)


@pytest.mark.parametrize(("status", "code"), [(404, -32001), (404, -32602), (400, -32000)])
def test_a_session_that_is_lost_is_not_the_error_that_was_expected(status: int, code: int) -> None:
    refused = Unanswered("RpcError", "no", status=status, rpc=RpcError(code, "Session not found"))
    lost = session_lost(refused)
    for given in (True, code):
        assert not expectations.parse_expectation({"expect_error": given}).is_expected(lost)
    assert lost.reason.endswith(f"began a moment ago (HTTP {status}): Session not found ({code})")


def test_a_login_that_fails_is_not_the_error_that_was_expected() -> None:
    """Some servers put a JSON-RPC error into a 401; the call was never made."""
    expected = expectations.parse_expectation({"expect_error": True})
    error = RpcError(-32001, "no token")
    assert not expected.is_expected(Unanswered("Unauthorized", "", status=401, rpc=error))
    assert expected.is_expected(Unanswered("RpcError", "", status=200, rpc=error))
    assert not expected.is_expected(Unanswered("Timeout", ""))
