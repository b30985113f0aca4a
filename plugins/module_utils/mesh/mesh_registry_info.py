# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mesh_registry_info: what a mesh registry knows, and waiting until it is as expected.

And what a diagnosis asks of a mesh in addition: its registries, and the logs of those that end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import NotReady, Problem, Reason, Rule, ServiceError, check, refuse
from ..kube.apply.requests import FORBIDDEN, map_concurrently
from ..kube.client import Kube
from ..kube.diagnosis.snapshot import Snapshot
from ..kube.kubeconfig import CONNECTION
from ..kube.readiness.evidence import last_log_lines
from ..kube.readiness.reasons import Object
from ..names import LABEL, wrong_name
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import counted
from ..waiting import Deadline, poll, wait_timeout_problems
from . import registry_observe
from .agent_validate import capability_problems, registry_problems
from .diagnosis import Facts, Key, agents_elsewhere, key_of, pods_of, ranges_of, registries
from .domain import NAME
from .exposure import is_called_in
from .registry_observe import Answer, Registry, database_complaint
from .registry_readiness import HEALTHY, Expected, Verdict, agent_row, judge_agents

SUBJECT = "mesh_registry_info"


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, whatever stands."""
    return check(_RULES, params)


def expected_agents(params: Mapping[str, Any]) -> list[Expected]:
    """What the option `agents` says."""
    return [
        Expected(
            name=one["name"],
            replicas=1 if one.get("replicas") is None else one["replicas"],
            host=one.get("host") or "",
            capabilities=expected_capabilities(one.get("capabilities")),
            dependencies=tuple(
                (need["capability"], need.get("version") or "", bool(need.get("optional")))
                for need in one.get("dependencies") or []
            ),
        )
        for one in params.get("agents") or []
    ]


def expected_capabilities(rows: Sequence[Mapping[str, Any]] | None) -> tuple[tuple[str, str], ...]:
    return tuple((one["name"], one.get("version") or "") for one in rows or [])


def info(task: Task) -> Result:
    """What the registry says, once it says what is expected; NotReady with the reasons when the time is over."""
    params = task.params
    refuse(SUBJECT, problems(params))
    registry = Registry(params["namespace"], params["service"], params["port"])
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        plan = Plan(registry.label, notes=(f"Nothing was asked: {pending.reason}.",))
        return Result.of(plan, {"agents": []}, f"no agents: {pending.reason}")
    # check mode asks once: what is not as expected now may be made so by the real run
    deadline = Deadline(0.0 if task.check_mode else float(params["wait_timeout"]))
    answer, verdict = wait_for(task, kube, registry, params, deadline)
    values = {"agents": [agent_row(agent) for agent in answer.agents]}
    if verdict.reasons and not task.check_mode:
        waited = deadline.elapsed if params["wait_timeout"] else None
        raise NotReady(registry.label, verdict.reasons, waited=waited, values=values, apart=True, probe=True)
    notes = [*verdict.notes, *(f"{reason} A run that repairs it may come first." for reason in verdict.reasons)]
    healthy = sum(agent.status == HEALTHY for agent in answer.agents)
    msg = f"{counted(healthy, 'healthy agent')}" if answer.silence is None else "the registry does not answer yet"
    return Result.of(Plan(registry.label, notes=tuple(notes)), values, msg)


def wait_for(
    task: Task, kube: Kube, registry: Registry, params: Mapping[str, Any], deadline: Deadline
) -> tuple[Answer, Verdict]:
    """The registry's last answer, and what of it is not as expected."""
    expected = expected_agents(params)
    capabilities = expected_capabilities(params.get("capabilities"))
    fresh = params.get("fresh_within")

    def look() -> tuple[Answer, Verdict]:
        answer = registry_observe.ask_registry(kube, registry)
        if answer.silence is not None:
            return answer, Verdict((answer.silence,))
        return answer, judge_agents(answer.agents, expected, capabilities, fresh)

    def missing(seen: tuple[Answer, Verdict]) -> str | None:
        reasons: Sequence[Reason] = seen[1].reasons
        return f"waiting for the {registry.label}: {reasons[0].finding}" if reasons else None

    return poll(look, missing, deadline, task.progress)


def _times(params: Mapping[str, Any]) -> Iterator[Problem]:
    yield from wait_timeout_problems(params["wait_timeout"], zero=True)
    if params.get("fresh_within") is not None and params["fresh_within"] <= 0:
        yield Problem("fresh_within", f"must be more than 0 seconds, is {params['fresh_within']}")


def _agents(params: Mapping[str, Any]) -> Iterator[Problem]:
    names: set[str] = set()
    for index, one in enumerate(params.get("agents") or []):
        path, name = f"agents[{index}]", one["name"]
        if wrong := wrong_name(name, "agent name", LABEL):
            yield Problem(f"{path}.name", wrong)
        if name in names:
            yield Problem(f"{path}.name", f"{name} is listed twice: say in one entry what is expected of it")
        names.add(name)
        replicas = one.get("replicas")
        if replicas is not None and replicas < 0:
            yield Problem(f"{path}.replicas", f"{replicas} is not a number of pods (0 or more)")
        if replicas == 0:
            for option in ("host", "capabilities", "dependencies"):
                if one.get(option):
                    yield Problem(f"{path}.{option}", "cannot be expected of an agent with replicas: 0")
        yield from _host(f"{path}.host", one.get("host"))
        yield from capability_problems(f"{path}.capabilities", "name", one.get("capabilities"))
        yield from capability_problems(f"{path}.dependencies", "capability", one.get("dependencies"))


def _host(path: str, host: str | None) -> Iterator[Problem]:
    if host is None:
        return
    labels = host.split(".")
    if len(labels) < 2 or any(wrong_name(label, "label") for label in labels):
        yield Problem(path, f"{host!r} is not the name of a Service with its namespace: NAME.NAMESPACE")


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    registry_problems,
    _times,
    _agents,
    lambda params: capability_problems("capabilities", "name", params.get("capabilities")),
)


LOG_LINES = 20


def observe(task: Task, kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what registries say of themselves: in their logs, and with `probe` by `/agents`."""
    found = registries(snapshot)
    unread = dict(snapshot.unread)
    looping = [(one, pod) for one in found for pod in pods_of(snapshot, one) if _restarts(pod)][:LOG_LINES]
    logs = map_concurrently(lambda pair: _log(kube, pair[1]), looping)
    complaints = {key_of(one): said for (one, _pod), log in zip(looping, logs) if (said := database_complaint(log))}
    answers: dict[Key, Answer] = {}
    if task.params.get("probe"):
        given = map_concurrently(lambda one: _ask(kube, snapshot, one), found)
        answers = {key_of(one): answer for one, answer in zip(found, given) if answer is not None}
        if len(answers) < len(found):
            unread["answers of mesh registries"] = "may not be asked through the API server's proxy"
    facts = Facts(answers, complaints, _unreached(kube, snapshot, found, answers))
    return replace(snapshot, facts={**snapshot.facts, NAME: facts}, unread=unread)


MOST_ELSEWHERE = 20
"""So many agents of other clusters are called by each registry."""


def _unreached(
    kube: Kube, snapshot: Snapshot, found: Sequence[Registry], answers: Mapping[Key, Answer]
) -> dict[Key, dict[str, str]]:
    """The healthy agents of other clusters that a registry does not reach, where it may call them."""
    asked = [
        (one, agent.endpoint)
        for one in found
        if (answer := answers.get(key_of(one))) is not None and (ranges := ranges_of(snapshot, one))
        for agent in agents_elsewhere(snapshot, one, answer)[:MOST_ELSEWHERE]
        if agent.status == HEALTHY and is_called_in(agent.host, ranges)
    ]
    reasons = map_concurrently(lambda pair: registry_observe.why_unreached(kube, *pair), asked)
    result: dict[Key, dict[str, str]] = {}
    for (one, endpoint), why in zip(asked, reasons):
        if why:
            result.setdefault(key_of(one), {})[endpoint] = why
    return result


def _statuses(pod: Object) -> Sequence[Object]:
    found: Sequence[Object] = (pod.get("status") or {}).get("containerStatuses") or ()
    return found


def _restarts(pod: Object) -> bool:
    return any(int(one.get("restartCount", 0)) and not one.get("ready") for one in _statuses(pod))


def _runs(pod: Object) -> bool:
    return any("running" in (one.get("state") or {}) for one in _statuses(pod))


def _log(kube: Kube, pod: Object) -> str:
    metadata = pod["metadata"]
    container = next((str(one["name"]) for one in _statuses(pod) if int(one.get("restartCount", 0))), "")
    return "\n".join(
        last_log_lines(kube, str(metadata["namespace"]), str(metadata["name"]), container, None, LOG_LINES)
    )


def _ask(kube: Kube, snapshot: Snapshot, registry: Registry) -> Answer | None:
    """What it says; where its Service leads to no ready pod, what one says that runs. None where that is forbidden."""
    try:
        answer = registry_observe.ask_registry(kube, registry)
        if answer.silence is None or answer.silence.code != "RegistryNotReady":
            return answer
        for pod in pods_of(snapshot, registry):
            if _runs(pod):
                inside = registry_observe.ask_registry(kube, replace(registry, pod=str(pod["metadata"]["name"])))
                if inside.silence is None or inside.silence.code == "RegistryDatabaseDown":
                    return Answer(silence=inside.silence) if inside.silence else answer
        return answer
    except ServiceError as refused:
        if refused.status not in (401, FORBIDDEN):
            raise
        return None
