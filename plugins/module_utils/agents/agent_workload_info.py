# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of agent_workload_info: what agents say of their health, and what they answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import NotReady, Problem, Reason, Rule, ServiceError, check, refuse
from ..http_terms import Response
from ..kube import errors
from ..kube.apply.requests import FORBIDDEN, map_concurrently
from ..kube.client import Kube
from ..kube.diagnosis.snapshot import Snapshot
from ..kube.kubeconfig import CONNECTION
from ..names import SERVICE, namespace_problems, path_problem, wrong_name
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import counted
from ..waiting import Deadline, poll, wait_timeout_problems
from . import diagnosis
from .domain import NAME
from .health_readiness import Health, judge_answer, judge_health, shortened, unreachable
from .workload_spec import DEFAULT_HEALTH, DEFAULT_SERVICE_PORT, HEALTH_ANNOTATION

SUBJECT = "agent_workload_info"
TIMEOUT = 30.0
"""For an answer that looks at all that is behind an agent, and waits for what does not answer."""
_LATE = "did not answer in time"


@dataclass(frozen=True)
class Asked:
    """The Service of an agent."""

    name: str
    namespace: str
    port: int
    health_path: str

    @property
    def label(self) -> str:
        return f"agent {self.namespace}/{self.name}"

    def path(self, below: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.name}:{self.port}/proxy{below}"


@dataclass(frozen=True)
class Answered:
    """What one call came to."""

    agent: Asked
    path: str
    status: int
    milliseconds: int
    text: str
    reason: Reason | None

    def row(self) -> dict[str, Any]:
        return {
            "agent": self.agent.name,
            "namespace": self.agent.namespace,
            "path": self.path,
            "status": self.status,
            "duration_ms": self.milliseconds,
            "answer": self.text,
            "as_expected": self.reason is None,
        }


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, whatever stands."""
    return check(_RULES, params)


def info(task: Task) -> Result:
    """How the agents are, once all components are healthy and all answers as expected; NotReady otherwise."""
    params = task.params
    refuse(SUBJECT, problems(params))
    asked = asked_of(params)
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        plan = Plan("agents", notes=(f"Nothing was asked: {pending.reason}.",))
        return Result.of(plan, {"agents": [], "answers": []}, f"no agents: {pending.reason}")
    # check mode asks once: what is not as expected now may be made so by the real run
    deadline = Deadline(0.0 if task.check_mode else float(params["wait_timeout"]))
    healths = _healthy(task, kube, asked, deadline)
    reasons = [reason for health in healths for reason in health.reasons]
    answers: list[Answered] = []
    if not reasons and not task.check_mode:
        by_key = {(one.namespace, one.name): one for one in asked}
        answers = [_call(kube, by_key[_key(call, params)], call) for call in params.get("calls") or ()]
        reasons = [one.reason for one in answers if one.reason is not None]
    rows = [
        {
            "name": one.name,
            "namespace": one.namespace,
            "components": dict(health.components),
            "healthy": not health.reasons,
        }
        for one, health in zip(asked, healths, strict=True)
    ]
    values = {"agents": rows, "answers": [one.row() for one in answers]}
    if reasons and not task.check_mode:
        waited = deadline.elapsed if params["wait_timeout"] else None
        raise NotReady("agents", reasons, waited=waited, values=values, apart=True, probe=True)
    notes = tuple(f"{reason} A run that repairs it may come first." for reason in reasons)
    return Result.of(Plan("agents", notes=notes), values, f"{counted(len(asked), 'agent')} asked")


def asked_of(params: Mapping[str, Any]) -> list[Asked]:
    return [
        Asked(
            str(one["name"]),
            str(one.get("namespace") or params["namespace"]),
            int(one.get("service_port") or DEFAULT_SERVICE_PORT),
            str(one.get("health_path") or params["health_path"]),
        )
        for one in params["agents"]
    ]


def ask_health(kube: Kube, agent: Asked) -> Health:
    """ServiceError where the API server itself refuses."""
    try:
        response = _send(kube, agent, "GET", agent.health_path, None, TIMEOUT)
    except ServiceError as failed:
        if _LATE not in failed.reason:
            raise
        why = f"{agent.health_path} did not answer within {TIMEOUT:.0f} s"
        return Health(reasons=(unreachable(agent.label, why, "See what its log says."),))
    return judge_health(agent.label, agent.health_path, response)


def _healthy(task: Task, kube: Kube, asked: list[Asked], deadline: Deadline) -> list[Health]:
    def look() -> list[Health]:
        return map_concurrently(lambda one: ask_health(kube, one), asked)

    def missing(seen: list[Health]) -> str | None:
        found = [reason for health in seen for reason in health.reasons]
        return f"waiting for agents: {found[0].finding}" if found else None

    return poll(look, missing, deadline, task.progress)


def _key(call: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[str, str]:
    if call.get("namespace"):
        return str(call["namespace"]), str(call["agent"])
    places = [one for one in asked_of(params) if one.name == call["agent"]]
    return (places[0].namespace if places else str(params["namespace"])), str(call["agent"])


def _call(kube: Kube, agent: Asked, call: Mapping[str, Any]) -> Answered:
    watch = Deadline(0.0)
    body = call.get("body")
    seconds = float(call.get("timeout") or 60)
    try:
        response = _send(kube, agent, "GET" if body is None else "POST", call["path"], body, seconds)
    except ServiceError as failed:
        if _LATE not in failed.reason:
            raise
        reason = unreachable(agent.label, f"{call['path']} did not answer within {seconds:.0f} s")
        return Answered(agent, call["path"], 0, round(watch.elapsed * 1000), "", reason)
    text = shortened(response.body.decode(errors="replace"))
    reason_found = judge_answer(agent.label, call, response)
    return Answered(agent, call["path"], response.status, round(watch.elapsed * 1000), text, reason_found)


def _send(kube: Kube, agent: Asked, method: str, path: str, body: Any, seconds: float) -> Response:
    action = f"ask {agent.label}"
    response = kube.request(
        method, agent.path(path), body=body, timeout=seconds, check=False, retry=False, action=action
    )
    answer = response.json_or_none()
    refused = isinstance(answer, Mapping) and answer.get("kind") == "Status" and response.status in (401, 403)
    if refused:
        raise errors.from_response(action, response.status, response.body, kube.access.origin)
    return response


def _agents(params: Mapping[str, Any]) -> Iterator[Problem]:
    yield from namespace_problems("namespace", params["namespace"])
    if wrong := path_problem(params["health_path"]):
        yield Problem("health_path", wrong)
    for index, one in enumerate(params["agents"]):
        path, name = f"agents[{index}]", one.get("name")
        if wrong := wrong_name(str(name), "agent name", SERVICE) if name else "is needed":
            yield Problem(f"{path}.name", wrong)
        if one.get("namespace") is not None:
            yield from namespace_problems(f"{path}.namespace", one["namespace"])
        if one.get("health_path") is not None and (wrong := path_problem(str(one["health_path"]))):
            yield Problem(f"{path}.health_path", wrong)
        port = one.get("service_port")
        if port is not None and not (str(port).isdigit() and 1 <= int(port) <= 65535):
            yield Problem(f"{path}.service_port", f"{port} is not a port (1 to 65535)")


def _calls(params: Mapping[str, Any]) -> Iterator[Problem]:
    named = [one for one in params["agents"] if one.get("name")]
    known = {(str(one.get("namespace") or params["namespace"]), str(one["name"])) for one in named}
    for index, call in enumerate(params.get("calls") or ()):
        path = f"calls[{index}]"
        places = [place for place, name in known if name == call["agent"]]
        if call.get("namespace") and (call["namespace"], call["agent"]) not in known:
            yield Problem(f"{path}.namespace", f"{call['agent']} is not one of the agents there")
        elif not places:
            yield Problem(f"{path}.agent", f"{call['agent']!r} is not one of the agents")
        elif len(places) > 1 and not call.get("namespace"):
            yield Problem(f"{path}.namespace", f"is needed: there is a {call['agent']} in several namespaces")
        if wrong := path_problem(call["path"]):
            yield Problem(f"{path}.path", wrong)
        status = call.get("expect_status")
        if status is not None and not 100 <= status <= 599:
            yield Problem(f"{path}.expect_status", f"{status} is not a status of HTTP (100 to 599)")
        if call.get("timeout") is not None and call["timeout"] < 1:
            yield Problem(f"{path}.timeout", f"{call['timeout']} is less than one second")
        try:
            re.compile(call.get("expect_regex") or "")
        except re.error as wrong_pattern:
            yield Problem(f"{path}.expect_regex", f"is not a regular expression: {wrong_pattern}")


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _agents,
    _calls,
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)


def _health_path(service: Mapping[str, Any]) -> str:
    return str((service["metadata"].get("annotations") or {}).get(HEALTH_ANNOTATION) or DEFAULT_HEALTH)


def observe(task: Task, kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what agents say of their health, where that is asked for (`probe`)."""
    services = diagnosis.services_of(snapshot) if task.params.get("probe") else []
    asked = [
        Asked(str(one["metadata"]["name"]), str(one["metadata"]["namespace"]), port, _health_path(one))
        for one in services
        for port in diagnosis.ports_of(one)
    ]
    unread = dict(snapshot.unread)

    def one(agent: Asked) -> Health | None:
        try:
            return ask_health(kube, agent)
        except ServiceError as refused:
            if refused.status not in (401, FORBIDDEN):
                raise
            return None

    healths = dict(zip(((agent.namespace, agent.name) for agent in asked), map_concurrently(one, asked), strict=True))
    known = {key: health for key, health in healths.items() if health is not None}
    if len(known) < len(healths):
        unread["health of agents"] = "may not be asked through the API server's proxy"
    return replace(snapshot, facts={**snapshot.facts, NAME: known}, unread=unread)
