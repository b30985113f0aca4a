# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an agent says of its own health, component by component, and what it answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Reason
from ..http_terms import Response
from ..kube.readiness.reasons import make_reason
from ..masking import one_line
from ..secrets import redact

UNREACHABLE, UNHEALTHY = "AgentUnreachable", "AgentComponentUnhealthy"
_FINE = frozenset({"ok", "healthy", "up", "pass", "passing", "ready", "available", "connected", "true"})
# what somebody has chosen to do without is not ill
_LEFT_OUT = frozenset({"disabled", "skipped", "not_configured", "none"})
_LONGEST = 300


@dataclass(frozen=True)
class Health:
    """One answer of an agent's address of health: its components with their state, and what is wrong."""

    components: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()

    @property
    def unhealthy(self) -> list[str]:
        return [name for name, state in self.components.items() if not _is_fine(state)]


def judge_health(subject: str, path: str, response: Response) -> Health:
    """What an answer of the address of health says."""
    if reason := silence(subject, response):
        return Health(reasons=(reason,))
    answer = response.json_or_none()
    rows = list(_components(answer.get("components"))) if isinstance(answer, Mapping) else []
    if not isinstance(answer, Mapping) or ("components" not in answer and "status" not in answer):
        said = f"{path} answers HTTP {response.status} and says nothing of its components"
        advice = "Name another address (health_path), or let the agent answer {status, components: {NAME: {status}}}."
        return Health(reasons=(Reason(subject, "AgentWithoutHealth", said, advice),))
    found = Health({name: state for name, state, _message in rows})
    reasons = [
        _unhealthy(subject, f"{name} is {state}{f': {message}' if message else ''}", name)
        for name, state, message in rows
        if not _is_fine(state)
    ]
    whole = str(answer.get("status", "")).lower()
    if not reasons and (response.status >= 400 or (whole and not _is_fine(whole))):
        reasons.append(_unhealthy(subject, f"it is {whole or 'ill'} (HTTP {response.status})", ""))
    return Health(found.components, tuple(reasons))


def silence(subject: str, response: Response) -> Reason | None:
    """Why there is no answer of an agent; None where there is one."""
    answer = response.json_or_none()
    of_api_server = isinstance(answer, Mapping) and answer.get("kind") == "Status"
    text = one_line(redact(str(answer.get("message")) if of_api_server and isinstance(answer, Mapping) else ""))
    if not of_api_server:
        text = one_line(redact(response.body.decode(errors="replace")))
        if not text.lower().startswith("error trying to reach service"):
            return None
    if response.status == 404:
        return unreachable(subject, f"the cluster has no such Service: {text}", "The role agent_workload makes it.")
    advice = (
        "See why its pods are not ready (kubectl describe pods), and whether its network policy lets in the API server."
    )
    return unreachable(subject, f"no ready pod of it answers: {text}", advice)


def unreachable(subject: str, message: str, hint: str | None = None) -> Reason:
    return make_reason(subject, "AgentUnreachable", message, hint=hint)


def _unhealthy(subject: str, message: str, component: str) -> Reason:
    return make_reason(subject, "AgentComponentUnhealthy", message, hint=_advice(component))


def judge_answer(subject: str, call: Mapping[str, Any], response: Response) -> Reason | None:
    """What is wrong with the answer to a call; None where it is as expected."""
    if reason := silence(subject, response):
        return reason
    text = response.body.decode(errors="replace")
    wanted = call.get("expect_status") or 200
    if response.status != wanted:
        said = f"{call['path']} answers HTTP {response.status}, expected was {wanted}: {shortened(text)}"
        return Reason(subject, "AgentAnswerWrong", said, "Read the agent's log; /health says which component is ill.")
    pattern = call.get("expect_regex")
    if pattern and not re.search(pattern, text):
        said = f"the answer of {call['path']} does not match {pattern}: {shortened(text)}"
        return Reason(
            subject, "AgentAnswerWrong", said, "Read the agent's log: it may not have reached the tool or the model."
        )
    return None


def shortened(text: str) -> str:
    """The beginning of what was answered, on one line."""
    plain = one_line(redact(text))
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"


def _components(value: Any) -> Iterator[tuple[str, str, str]]:
    """(name, state, message) of each."""
    rows: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, Mapping) else []
    if isinstance(value, list):
        rows = [(one.get("name", ""), one) for one in value if isinstance(one, Mapping)]
    for name, one in sorted(rows, key=lambda row: str(row[0])):
        state = one.get("status", "unknown") if isinstance(one, Mapping) else one
        message = one.get("message") or one.get("error") or "" if isinstance(one, Mapping) else ""
        yield one_line(str(name)), one_line(str(state).lower()), one_line(redact(str(message)))


def _is_fine(state: str) -> bool:
    return state in _FINE or state in _LEFT_OUT


def _advice(component: str) -> str:
    what = f"what the agent is told of {component}" if component else "its log"
    return f"See {what}: configuration, credentials, and whether its network policy lets it out there (calls)."
