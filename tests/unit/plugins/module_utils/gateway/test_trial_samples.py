# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that the rules of routes take."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_samples import (
    Match,
    matches_of,
    merged_headers,
    other_fault,
    sample_of,
)


def route(**match: Any) -> dict[str, Any]:
    return {"spec": {"rules": [{"matches": [match], "backendRefs": [{"name": "echo"}]}]}}


@pytest.mark.parametrize(
    "expression",
    [
        "/mcp",
        "/mcp/.*",
        "/v[0-9]+/mcp",
        "^/a/[^/]+/b$",
        r"/api/\d{4}-\d{2}",
        r"/\w+\.json",
        "/(a|b)/(?:c|d)?",
        "/(?P<team>[a-z]+)/mcp",
        "/[%~]",
        "/[]x]+",
        "/a{2,3}?b*c+",
        "(?i)/MCP",
        r"Bearer [A-Za-z0-9\-._~+/]+=*",
    ],
)
def test_an_example_of_an_expression_is_taken_by_it(expression: str) -> None:
    found = sample_of(expression)
    assert found
    assert re.fullmatch(expression, found)


@pytest.mark.parametrize("expression", ["/(", "[", "/a\\", "/(?=x)y", "(?!.*)", "/[z-a]", "a)b", "((((((" * 500])
def test_of_what_cannot_be_read_there_is_no_example(expression: str) -> None:
    assert sample_of(expression) == ""


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, Match("/")),
        ({"path": {"type": "Exact", "value": "/mcp"}}, Match("/mcp")),
        ({"path": {"type": "PathPrefix", "value": "/a"}, "method": "GET"}, Match("/a", "GET")),
        ({"path": {"type": "RegularExpression", "value": "/.*"}}, Match("/mcp")),
        ({"path": {"type": "RegularExpression", "value": "/v1/.+"}}, Match("/v1/x")),
        (
            {
                "queryParams": [
                    {"name": "a b", "value": "1&2"},
                    {"name": "c", "value": "d.", "type": "RegularExpression"},
                ]
            },
            Match("/?a%20b=1%262&c=dx"),
        ),
        ({"headers": [{"name": "X", "value": "y"}]}, Match("/", headers=(("X", "y"),))),
    ],
)
def test_a_call_that_a_match_takes(match: dict[str, Any], expected: Match) -> None:
    assert matches_of(route(**match)) == [expected]


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({"path": {"type": "RegularExpression", "value": "/(?!.*)"}}, "a path like /(?!.*)"),
        ({"headers": [{"type": "RegularExpression", "name": "X", "value": "("}]}, "X like ("),
        ({"queryParams": [{"type": "RegularExpression", "name": "q", "value": "("}]}, "q like ("),
        ({"headers": [{"name": "Authorization", "value": "Bearer x"}]}, "header Authorization"),
    ],
)
def test_why_there_is_no_call(match: dict[str, Any], said: str) -> None:
    [found] = matches_of(route(**match))
    assert said in found.why_not


def test_what_answers_by_itself_has_no_match() -> None:
    assert matches_of({"spec": {"rules": [{"matches": [{}], "filters": []}]}}) == []


def test_what_a_rule_asks_for_wins() -> None:
    assert merged_headers({"Accept": "a", "X": "b"}, [("accept", "c")]) == {"X": "b", "accept": "c"}


# --- tokens that are given to be refused

NOW = 1_800_000_000
KNOWN = [{"name": "entra", "issuer": "https://issuer.test/v2.0", "audiences": ["api://one", "two"]}]


def token(**claims: Any) -> str:
    right = {"iss": "https://issuer.test/v2.0", "aud": "api://one", "exp": NOW + 600}
    body = base64.urlsafe_b64encode(json.dumps({**right, **claims}).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        pytest.param("wrong_audience", token(aud="api://other"), "", id="another audience"),
        pytest.param("wrong_audience", token(aud=["x", "two"]), "an audience that auth names", id="one of several"),
        pytest.param("wrong_audience", token(aud="x", exp=NOW - 1), "has ended", id="another audience, and ended"),
        pytest.param("wrong_audience", token(aud="x", iss="https://a.test"), "issuer that no auth", id="nobody's"),
        pytest.param("wrong_issuer", token(iss="https://a.test"), "", id="another issuer"),
        pytest.param("wrong_issuer", token(), "an issuer that auth names", id="the same issuer"),
        pytest.param("expired", token(exp=NOW - 1), "", id="ended"),
        pytest.param("expired", token(), "has not ended", id="valid"),
        pytest.param("expired", token(exp=NOW - 1, aud="x"), "audience that auth does not name", id="ended, elsewhere"),
        pytest.param("other_tenant", token(iss="https://issuer.test/b"), "", id="another tenant"),
        pytest.param("other_tenant", token(exp=NOW), "has ended", id="another tenant, and ended"),
        pytest.param("other_tenant", "opaque", "is not a JWT", id="no JWT"),
    ],
)
def test_a_token_that_is_to_be_refused_is_wrong_in_one_thing(kind: str, given: str, told: str) -> None:
    found = other_fault(kind, given, KNOWN, NOW)
    assert (told in found) if told else found == ""
