# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mesh_registry_info: what a mesh registry knows, and waiting until it is as expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import NotReady, Problem, Reason, Rule, check, refuse
from ..kube.client import Kube
from ..kube.kubeconfig import CONNECTION
from ..names import LABEL, wrong_name
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import counted
from ..waiting import Deadline, poll, wait_timeout_problems
from . import registry_observe
from .agent_validate import capability_problems, registry_problems
from .registry_observe import Answer, Registry
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
