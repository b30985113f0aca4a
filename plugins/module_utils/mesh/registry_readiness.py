# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a mesh registry says of its agents, in one form, and what of it is not as expected. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ..errors import Reason
from ..masking import one_line
from ..text import listed
from .version_ranges import is_within

HEALTHY = "healthy"
AVAILABLE = "available"
FRESH_SECONDS = 20
"""After so long without a sign of life the registry takes an agent for dead (DEFAULT_TIMEOUT_THRESHOLD)."""
_FRAMEWORK = "__mesh_"
"""Capabilities of the runtime itself."""
_SHOWN = 5


@dataclass(frozen=True)
class Capability:
    name: str
    version: str = ""
    function: str = ""
    tags: tuple[str, ...] = ()
    available: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Dependency:
    """What a function of an agent needs, and whom the registry has found for it."""

    capability: str
    function: str = ""
    status: str = ""
    provider: str = ""
    endpoint: str = ""


@dataclass(frozen=True)
class Agent:
    """One row of the registry: a running pod, or what is left of one for an hour."""

    name: str
    id: str = ""
    type: str = ""
    runtime: str = ""
    status: str = ""
    version: str = ""
    endpoint: str = ""
    last_seen: str = ""
    age: float | None = None
    """Seconds since its last sign of life, by the registry's own clock."""
    capabilities: tuple[Capability, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    superseded: bool = False
    """It is not healthy, and another of its name is: a pod that was replaced."""

    @property
    def host(self) -> str:
        """Of an agent that speaks HTTP."""
        return (urlsplit(self.endpoint).hostname or "") if self.endpoint.startswith(("http://", "https://")) else ""


@dataclass(frozen=True)
class Expected:
    """What is expected of the agents of one name. `dependencies` are (capability, range, optional)."""

    name: str
    replicas: int = 1
    host: str = ""
    capabilities: tuple[tuple[str, str], ...] = ()
    dependencies: tuple[tuple[str, str, bool], ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What is not as expected, and what may be: a dependency that the agent can do without."""

    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)


def agents_from(answer: Any) -> tuple[Agent, ...] | None:
    """The agents of an answer to GET /agents, by name and id; None where it is no such answer."""
    if (
        not isinstance(answer, Mapping)
        or "agents" not in answer
        or not isinstance(answer["agents"], (list, type(None)))
    ):
        return None
    now = _moment(answer.get("timestamp"))
    rows = [_agent(row, now) for row in _mappings(answer["agents"])]
    alive = {row.name for row in rows if row.status == HEALTHY}
    found = [
        Agent(**{**vars(row), "superseded": row.status != HEALTHY and row.name in alive})
        for row in sorted(rows, key=lambda row: (row.name, row.id))
    ]
    return tuple(found)


def judge_agents(
    agents: Sequence[Agent],
    expected: Sequence[Expected],
    capabilities: Sequence[tuple[str, str]] = (),
    fresh: float | None = FRESH_SECONDS,
) -> Verdict:
    """Everything that is not as expected."""
    reasons: list[Reason] = []
    notes: list[str] = []
    for one in expected:
        alive = [agent for agent in agents if agent.name == one.name and agent.status == HEALTHY]
        heard = [agent for agent in alive if fresh is None or agent.age is None or agent.age <= fresh]
        found = list(_of_replicas(one, agents, alive, heard, fresh))
        if not found and one.replicas:
            found += _of_hosts(one, heard)
            found += [
                reason
                for name, wanted in one.capabilities
                for reason in _of_capability(_label(one.name), name, wanted, heard)
            ]
            for capability, wanted, optional in one.dependencies:
                unmet = list(_of_dependency(one, capability, wanted, heard, agents))
                if optional:
                    notes += [f"{reason.finding} It is optional." for reason in unmet]
                else:
                    found += unmet
        reasons += found
    everybody = [agent for agent in agents if agent.status == HEALTHY]
    for name, wanted in capabilities:
        reasons += _of_capability("mesh", name, wanted, everybody)
    return Verdict(tuple(reasons), tuple(notes))


def agent_row(agent: Agent) -> dict[str, Any]:
    """What a result says of an agent."""
    return {
        "name": agent.name,
        "id": agent.id,
        "type": agent.type,
        "runtime": agent.runtime,
        "version": agent.version,
        "status": agent.status,
        "superseded": agent.superseded,
        "endpoint": agent.endpoint,
        "last_seen": agent.last_seen,
        "age_seconds": None if agent.age is None else round(agent.age, 1),
        "capabilities": [
            {
                "name": one.name,
                "version": one.version,
                "function": one.function,
                "tags": list(one.tags),
                "available": one.available,
                "unavailable_reason": one.reason,
            }
            for one in agent.capabilities
        ],
        "dependencies": [vars(one) for one in agent.dependencies],
    }


def same_host(announced: str, service: str) -> bool:
    """Whether a host is this Service's name NAME.NAMESPACE, with or without what DNS lets one add."""
    name = service.removesuffix(".").split(".svc")[0]
    beyond = announced.removesuffix(".").removeprefix(name) if announced.startswith(name) else None
    return beyond == "" or beyond == ".svc" or (beyond or "").startswith(".svc.")


def _label(name: str) -> str:
    return f"agent {name}"


def _of_replicas(
    one: Expected, agents: Sequence[Agent], alive: Sequence[Agent], heard: Sequence[Agent], fresh: float | None
) -> Iterator[Reason]:
    label = _label(one.name)
    if not one.replicas:
        if alive:
            yield Reason(
                label,
                "AgentStillRegistered",
                f"{listed([agent.id for agent in alive], _SHOWN)} is still registered as healthy",
                "An agent that ends by itself leaves at once, one that was killed after some 30 s.",
            )
        return
    rows = [agent for agent in agents if agent.name == one.name]
    if not rows:
        yield Reason(
            label,
            "AgentNotRegistered",
            "no agent of this name is registered",
            "An agent registers within 5 s of its start: see whether its pod runs, what its log says, and whether it "
            "reaches the registry (MCP_MESH_REGISTRY_URL, network policies).",
        )
    elif len(alive) < one.replicas:
        others = [f"{agent.id} is {agent.status or 'of no status'}" for agent in rows if agent.status != HEALTHY]
        beside = f"; {listed(others, _SHOWN)}" if others else ""
        yield Reason(
            label,
            "AgentUnhealthy",
            f"{len(alive)} of {one.replicas} replicas are healthy{beside}",
            "Each pod is one row of the registry: see why the others do not run, or do not reach the registry.",
        )
    elif len(heard) < one.replicas:
        silent = [f"{agent.id} {agent.age:.0f} s ago" for agent in alive if agent not in heard]
        yield Reason(
            label,
            "AgentSilent",
            f"{len(heard)} of {one.replicas} replicas gave a sign of life within {fresh:.0f} s; last heard of "
            f"{listed(silent, _SHOWN)}",
            "The registry has not noticed yet that they are gone, or they have lost it.",
        )


def _of_hosts(one: Expected, heard: Sequence[Agent]) -> Iterator[Reason]:
    if not one.host:
        return
    for agent in heard:
        if not same_host(agent.host, one.host):
            yield Reason(
                _label(one.name),
                "WrongEndpoint",
                f"{agent.id} announces {agent.endpoint or 'no address'}, and its Service is {one.host}",
                "Other agents call what is announced: set MCP_MESH_HTTP_HOST to the Service's name.",
            )


def _of_capability(label: str, name: str, wanted: str, heard: Sequence[Agent]) -> Iterator[Reason]:
    offered = [(agent, one) for agent in heard for one in agent.capabilities if one.name == name]
    if not offered:
        others = sorted({one.name for agent in heard for one in agent.capabilities})
        beside = f"; what is offered: {listed(others, _SHOWN)}" if others else ""
        yield Reason(
            label,
            "CapabilityMissing",
            f"no healthy agent offers the capability {name}{beside}",
            "Does the agent's code declare it (@mesh.tool(capability=...))?",
        )
        return
    fitting = [(agent, one) for agent, one in offered if is_within(one.version, wanted)]
    if not fitting:
        versions = sorted({one.version or "no version" for _agent, one in offered})
        yield Reason(
            label,
            "CapabilityVersion",
            f"the capability {name} is offered in {listed(versions, _SHOWN)}, which is not within {wanted}",
            "Deploy an agent that offers it in that range, or widen the range.",
        )
    elif not any(one.available for _agent, one in fitting):
        why = listed(sorted({one.reason or "no reason given" for _agent, one in fitting}), _SHOWN)
        yield Reason(
            label,
            "CapabilityUnavailable",
            f"the capability {name} is not available: {why}",
            "A function whose required dependency is not resolved is not offered: start what it needs.",
        )


def _of_dependency(
    one: Expected, capability: str, wanted: str, heard: Sequence[Agent], agents: Sequence[Agent]
) -> Iterator[Reason]:
    label = _label(one.name)
    found = [(agent, need) for agent in heard for need in agent.dependencies if need.capability == capability]
    if not found:
        yield Reason(
            label,
            "DependencyUndeclared",
            f"the agent does not tell the registry that it depends on {capability}",
            "Does the agent's code declare it (@mesh.tool(dependencies=[...]))?",
        )
        return
    unmet = [(agent, need) for agent, need in found if need.status != AVAILABLE]
    if unmet:
        functions = listed(sorted({need.function or agent.id for agent, need in unmet}), _SHOWN)
        status = listed(sorted({need.status or "of no status" for _agent, need in unmet}), _SHOWN)
        yield Reason(
            label,
            "DependencyUnresolved",
            f"{capability}, which {functions} depends on, is {status}: {_offers(capability, agents)}",
            "The registry looks for a provider when the agent that needs it gives a sign of life, every few seconds.",
        )
        return
    by_id = {agent.id: agent for agent in agents}
    for provider in sorted({need.provider for _agent, need in found}):
        versions = [offer.version for offer in _offered_by(by_id.get(provider), capability)]
        if versions and not any(is_within(version, wanted) for version in versions):
            yield Reason(
                label,
                "DependencyVersion",
                f"{capability} is resolved to {provider} in {listed(versions, _SHOWN)}, which is not within {wanted}",
                "The range that the code declares is what the registry goes by: correct it there as well.",
            )


def _offers(capability: str, agents: Sequence[Agent]) -> str:
    offers = [
        f"{agent.id} ({one.version or 'no version'})"
        for agent in agents
        if agent.status == HEALTHY
        for one in _offered_by(agent, capability)
    ]
    if not offers:
        return "no healthy agent offers it"
    return f"{listed(offers, _SHOWN)} offers it, and is not what is asked for (version, tags, availability)"


def _offered_by(agent: Agent | None, capability: str) -> list[Capability]:
    return [] if agent is None else [one for one in agent.capabilities if one.name == capability]


def _agent(row: Mapping[str, Any], now: datetime | None) -> Agent:
    seen = _moment(row.get("last_seen"))
    return Agent(
        name=_text(row.get("name")),
        id=_text(row.get("id")),
        type=_text(row.get("agent_type")),
        runtime=_text(row.get("runtime")),
        status=_text(row.get("status")),
        version=_text(row.get("version")),
        endpoint=_text(row.get("endpoint")),
        last_seen=_text(row.get("last_seen")),
        age=None if now is None or seen is None else max(0.0, (now - seen).total_seconds()),
        capabilities=tuple(
            Capability(
                name=_text(one.get("name")),
                version=_text(one.get("version")),
                function=_text(one.get("function_name")),
                tags=tuple(_text(tag) for tag in _listed(one.get("tags"))),
                # older registries do not say
                available=one.get("available") is not False,
                reason=_text(one.get("unavailable_reason")),
            )
            for one in _mappings(row.get("capabilities"))
            if not _text(one.get("name")).startswith(_FRAMEWORK)
        ),
        dependencies=tuple(
            Dependency(
                capability=_text(one.get("capability")),
                function=_text(one.get("function_name")),
                status=_text(one.get("status")),
                provider=_text(one.get("provider_agent_id")),
                endpoint=_text(one.get("endpoint")),
            )
            for one in _mappings(row.get("dependency_resolutions"))
        ),
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """An empty list is null in the registry's answers."""
    return [one for one in _listed(value) if isinstance(one, Mapping)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Whoever reaches the registry may register anything."""
    return one_line(value) if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    """A time of the registry's: UTC with nanoseconds, which Python has no place for."""
    text = _text(value).removesuffix("Z")
    whole, _dot, fraction = text.partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00" if fraction.isdigit() or not fraction else "")
    except ValueError:
        return None
