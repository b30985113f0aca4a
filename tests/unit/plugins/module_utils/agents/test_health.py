# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent's answers are taken for: every component that is ill is named, and silence is told from an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.agents.health_readiness import (
    judge_answer,
    judge_health,
)
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response

SUBJECT = "agent agents/helper"


def response(status: int, body: Any) -> Response:
    return Response(status, {}, (body if isinstance(body, str) else json.dumps(body)).encode())


STATUS = {"kind": "Status", "status": "Failure"}
HEALTHS: dict[str, tuple[Response, list[str]]] = {
    "all is well": (response(200, {"status": "ok", "components": {"model": {"status": "ok"}, "redis": "up"}}), []),
    "a list": (response(200, {"components": [{"name": "model", "status": "healthy"}]}), []),
    "what is left out is not ill": (
        response(200, {"status": "ok", "components": {"redis": {"status": "disabled"}}}),
        [],
    ),
    "two are ill": (
        response(
            503, {"status": "degraded", "components": {"model": "ok", "mcp/echo": {"status": "down"}, "redis": "?"}}
        ),
        ["AgentComponentUnhealthy: mcp/echo is down", "AgentComponentUnhealthy: redis is ?"],
    ),
    "ill without a component": (
        response(503, {"status": "starting"}),
        ["AgentComponentUnhealthy: it is starting (HTTP 503)"],
    ),
    "ill by its status alone": (
        response(200, {"status": "degraded", "components": {}}),
        ["AgentComponentUnhealthy: it is degraded (HTTP 200)"],
    ),
    "no health": (response(404, {"detail": "Not Found"}), ["AgentWithoutHealth: /health answers HTTP 404"]),
    "a page": (response(200, "<html>"), ["AgentWithoutHealth: /health answers HTTP 200"]),
    "no Service": (
        response(404, {**STATUS, "message": 'services "helper" not found'}),
        ["AgentUnreachable: the cluster has no such Service"],
    ),
    "no pod": (
        response(503, {**STATUS, "message": 'no endpoints available for service "helper"'}),
        ["AgentUnreachable: no ready pod of it answers"],
    ),
    "nobody listens": (
        response(503, "error trying to reach service: dial tcp 10.0.0.1:8000: connect: connection refused"),
        ["AgentUnreachable: no ready pod of it answers: error trying"],
    ),
}


@pytest.mark.parametrize("case", HEALTHS)
def test_what_health_says(case: str) -> None:
    answer, expected = HEALTHS[case]
    found = [f"{reason.code}: {reason.message}" for reason in judge_health(SUBJECT, "/health", answer).reasons]
    assert len(found) == len(expected)
    assert all(one.startswith(words) for one, words in zip(found, expected))


def test_secrets_of_others_are_not_repeated() -> None:
    said = {"redis": {"status": "down", "message": "redis://:opaque-Zt81-92734650@cache:6380 refused"}}
    [reason] = judge_health(SUBJECT, "/health", response(200, {"components": said})).reasons
    assert "refused" in reason.message
    assert "opaque-Zt81" not in reason.message


ANSWERS: dict[str, tuple[dict[str, Any], Response, str]] = {
    "as expected": ({"expect_regex": "Ada"}, response(200, {"answer": "Hello Ada"}), ""),
    "another text": ({"expect_regex": "Ada"}, response(200, {"answer": "Hello"}), "does not match Ada"),
    "another status": ({}, response(500, {"detail": "no tool"}), "HTTP 500, expected was 200"),
    "a refusal that is expected": ({"expect_status": 401}, response(401, {}), ""),
    "no pod": ({}, response(503, {**STATUS, "message": "no endpoints available"}), "no ready pod of it answers"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_an_answer_is_taken_for(case: str) -> None:
    call, answer, words = ANSWERS[case]
    reason = judge_answer(SUBJECT, {"path": "/chat", **call}, answer)
    assert (reason is None) == (not words)
    assert reason is None or words in reason.message
