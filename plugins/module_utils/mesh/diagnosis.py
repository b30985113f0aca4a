# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the registries and agents of a mesh: what pods and Services do not show by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import Reason
from ..kube.diagnosis.pods import pod_findings
from ..kube.diagnosis.snapshot import CALL, LOG, STATUS, Evidence, Finding, Snapshot, of_reason
from ..kube.manifests import release_of
from ..kube.readiness.reasons import Object, condition_of, make_reason, subject_of
from .agent_spec import COMPONENT_LABEL
from .domain import AGENT_KIND, NAME, judge_agent
from .exposure import AGENT_RANGES, exposed_name
from .members import (
    SeenAgent,
    agents_in,
    goes_with_its_release,
    has_database,
    named,
    place_of,
    ports_of,
    registries_in,
    selects,
    variables_of,
)
from .registry_observe import Answer, Registry
from .registry_readiness import AVAILABLE, HEALTHY, Agent, Expected, judge_agents
from .registry_spec import OWNER_LABEL

WORKLOADS = ("Deployment", "StatefulSet")
LOG_LINES = 20
# of an agent, what is said of it once for all its pods
_OF_AGENTS = frozenset({"AgentNotRegistered", "AgentUnhealthy", "AgentSilent", "WrongEndpoint"})

Key = tuple[str, str]


@dataclass(frozen=True)
class Facts:
    """The part of a snapshot's `facts` that is the mesh's, by namespace and name of a registry's Service."""

    answers: Mapping[Key, Answer] = field(default_factory=dict)
    """What registries said; without `probe`, none was asked."""
    complaints: Mapping[Key, str] = field(default_factory=dict)
    """What the logs of registries that end at their start say of their database."""
    unreached: Mapping[Key, Mapping[str, str]] = field(default_factory=dict)
    """Of agents in other clusters by their endpoints: why a registry does not reach them."""


def facts_of(snapshot: Snapshot) -> Facts:
    return snapshot.facts.get(NAME) or Facts()


def mesh_findings(snapshot: Snapshot) -> list[Finding]:
    """A registry first: while it is down, its agents are not said to be missing there."""
    found = [of_reason(item, reason) for item in snapshot.of(AGENT_KIND) for reason in judge_agent(item)]
    if not snapshot.knows("Service"):
        return found
    for registry in registries(snapshot):
        found += [*_of_registry(snapshot, registry), *_traps(snapshot, registry), *_of_others(snapshot, registry)]
    for agent in _agents(snapshot):
        found += _of_settings(snapshot, agent)
        place = agent.registry
        answer = facts_of(snapshot).answers.get((place.namespace, place.service)) if place else None
        if answer is not None and answer.silence is None:
            found += _of_registration(snapshot, agent, answer.agents)
    return found


def key_of(registry: Registry) -> Key:
    return registry.namespace, registry.service


def registries(snapshot: Snapshot) -> list[Registry]:
    """Those of the namespaces that are asked about."""
    return registries_in(snapshot.of("Service"), _agents(snapshot))


def _agents(snapshot: Snapshot) -> list[SeenAgent]:
    return agents_in([one for kind in WORKLOADS for one in snapshot.of(kind)])


def pods_of(snapshot: Snapshot, registry: Registry) -> list[Object]:
    """The pods behind a registry's Service, whether ready or not."""
    service = named(snapshot.all("Service"), *key_of(registry))
    if service is None:
        return []
    beside = (one for one in snapshot.all("Pod") if one["metadata"].get("namespace") == registry.namespace)
    return [one for one in beside if selects(service, one["metadata"].get("labels") or {})]


def _of_registry(snapshot: Snapshot, registry: Registry) -> Iterator[Finding]:
    item = named(snapshot.of("Service"), *key_of(registry))
    if item is None:
        return
    complaint = facts_of(snapshot).complaints.get(key_of(registry), "")
    answer = facts_of(snapshot).answers.get(key_of(registry))
    silence = answer.silence if answer else None
    if complaint and (silence is None or silence.code != "RegistryDatabaseDown"):
        found = make_reason(subject_of(item), "RegistryDatabaseDown", f"it ends at its start: {complaint}")
        yield _about_database(snapshot, registry, item, found, Evidence(LOG, complaint))
    elif silence is not None and silence.code == "RegistryDatabaseDown":
        found = replace(silence, subject=subject_of(item))
        yield _about_database(snapshot, registry, item, found, Evidence(CALL, silence.message))
    elif silence is not None and (silence.code != "RegistryNotReady" or snapshot.lasting(silence.code, item)):
        own = {str(pod["metadata"]["name"]) for pod in pods_of(snapshot, registry)}
        causes = [one.identifier for one in pod_findings(snapshot) if own & set(one.pods)]
        evidence = (Evidence(CALL, silence.message),)
        found = replace(silence, subject=subject_of(item))
        yield of_reason(item, found, evidence=evidence, caused_by=tuple(causes))


def _traps(snapshot: Snapshot, registry: Registry) -> Iterator[Finding]:
    """What the official charts leave behind them."""
    for item in snapshot.all("Namespace"):
        if item["metadata"]["name"] == registry.namespace and goes_with_its_release(item):
            owner = f"belongs to the Helm release {release_of(item)}, and a mesh registry is in it"
            yield of_reason(item, make_reason(subject_of(item), "NamespaceOfRelease", owner))
    service = named(snapshot.all("Service"), *key_of(registry))
    for item in [one for kind in WORKLOADS for one in snapshot.of(kind)]:
        template = (item.get("spec") or {}).get("template") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        if item["metadata"].get("namespace") != registry.namespace or service is None or not selects(service, labels):
            continue
        if not has_database(item):
            lost = "has no variable DATABASE_URL: it keeps its agents in a file of the container"
            yield of_reason(item, make_reason(subject_of(item), "RegistryWithoutDatabase", lost))
        if "MCP_MESH_ADMIN_PORT" not in variables_of(item):
            shared = "serves /admin on the port of /agents (MCP_MESH_ADMIN_PORT is not set)"
            yield of_reason(item, make_reason(subject_of(item), "AdminExposed", shared))


def agents_elsewhere(snapshot: Snapshot, registry: Registry, answer: Answer) -> list[Agent]:
    """The registered agents that run in other clusters, as far as what they announce tells."""
    own = {
        one.variables["MCP_MESH_HTTP_HOST"]
        for one in agents_in([one for kind in WORKLOADS for one in snapshot.all(kind)])
        if one.variables.get("MCP_MESH_HTTP_HOST")
    }
    return [
        one
        for one in answer.agents
        if one.host and one.host not in own and place_of(one.endpoint, registry.namespace) is None
    ]


def ranges_of(snapshot: Snapshot, registry: Registry) -> str:
    """Where the registry may call agents of other clusters."""
    item = named(snapshot.all("Service"), registry.namespace, exposed_name(registry.service))
    return str(((item or {}).get("metadata") or {}).get("annotations", {}).get(AGENT_RANGES) or "")


def _of_others(snapshot: Snapshot, registry: Registry) -> Iterator[Finding]:
    """Each direction between this cluster and those of its agents elsewhere."""
    item = named(snapshot.of("Service"), *key_of(registry))
    answer = facts_of(snapshot).answers.get(key_of(registry))
    if item is None or answer is None or answer.silence is not None:
        return
    unreached = facts_of(snapshot).unreached.get(key_of(registry)) or {}
    for one in agents_elsewhere(snapshot, registry, answer):
        if one.status != HEALTHY and not one.superseded:
            since = "" if one.age is None else f" for {one.age:.0f} s"
            said = f"agent {one.name} of another cluster ({one.endpoint}) has given no sign of life{since}"
            evidence = Evidence(CALL, "asked the registry for /agents")
            found = make_reason(subject_of(item), "RemoteAgentSilent", said)
            yield of_reason(item, found, evidence=(evidence,), part=one.name)
        elif why := unreached.get(one.endpoint):
            said = f"agent {one.name} of another cluster is registered and not reached at {one.endpoint}: {why}"
            found = make_reason(subject_of(item), "RemoteAgentUnreachable", said)
            yield of_reason(item, found, evidence=(Evidence(CALL, f"the registry called it: {why}"),), part=one.name)


def _about_database(snapshot: Snapshot, registry: Registry, service: Object, found: Reason, shown: Evidence) -> Finding:
    """With what is known of a database that was made with the registry."""
    owner = (service["metadata"].get("labels") or {}).get(OWNER_LABEL)
    beside = [
        one
        for one in snapshot.all("StatefulSet")
        if owner
        and one["metadata"].get("namespace") == registry.namespace
        and (one["metadata"].get("labels") or {}).get(OWNER_LABEL) == owner
        and (one["metadata"].get("labels") or {}).get(COMPONENT_LABEL) == "database"
    ]
    evidence = [shown]
    causes: list[str] = []
    for one in beside:
        wanted = int((one.get("spec") or {}).get("replicas", 1))
        ready = int((one.get("status") or {}).get("readyReplicas", 0) or 0)
        state = "is scaled to none" if not wanted else f"has {ready} of {wanted} replicas ready"
        evidence.append(Evidence(STATUS, f"its database {subject_of(one)} {state}"))
        key = (registry.namespace, str(one["metadata"]["name"]))
        causes += [
            fault.identifier
            for fault in pod_findings(snapshot)
            if (fault.item["metadata"].get("namespace"), fault.item["metadata"]["name"]) == key
        ]
    return of_reason(service, found, evidence=tuple(evidence), caused_by=tuple(causes))


def _of_settings(snapshot: Snapshot, agent: SeenAgent) -> Iterator[Finding]:
    """What the variables of an agent say that cannot work, of Services that are known."""
    services = snapshot.all("Service")
    known = {str(one["metadata"].get("namespace")) for one in services}
    place = agent.registry
    if place is not None and (place.namespace in known or snapshot.complete("Service")):
        service = named(services, place.namespace, place.service)
        wrong = ""
        if service is None:
            wrong = f"there is no Service {place.namespace}/{place.service}"
        elif place.port not in ports_of(service):
            serves = ", ".join(map(str, ports_of(service)))
            wrong = f"Service {place.namespace}/{place.service} has no port {place.port}, but {serves}"
        if wrong:
            yield _finding(
                agent, "RegistryNotFound", f"its registry ({agent.variables['MCP_MESH_REGISTRY_URL']}): {wrong}"
            )
    announced = agent.announced
    if announced is None or not (announced.namespace in known or snapshot.complete("Service")):
        return
    service = named(services, announced.namespace, announced.service)
    shown = f"{agent.variables['MCP_MESH_HTTP_HOST']}{'' if announced.port is None else f':{announced.port}'}"
    if service is None:
        wrong = f"there is no Service {announced.namespace}/{announced.service}"
        near = [str(one["metadata"]["name"]) for one in services if _leads_to(one, agent)]
        wrong += f"; its own is {', '.join(near)}" if near else ""
    elif not _leads_to(service, agent):
        wrong = "that Service does not select its pods"
    elif announced.port is not None and announced.port not in ports_of(service):
        wrong = f"that Service has no port {announced.port}, but {', '.join(map(str, ports_of(service)))}"
    else:
        return
    yield _finding(agent, "WrongEndpoint", f"announces {shown}, and {wrong}")


def _leads_to(service: Object, agent: SeenAgent) -> bool:
    return service["metadata"].get("namespace") == agent.namespace and selects(service, agent.labels)


def _of_registration(snapshot: Snapshot, agent: SeenAgent, agents: Sequence[Agent]) -> Iterator[Finding]:
    """What the registry says of an agent whose pods run: of one that does not, other findings say why."""
    workload = agent.workload
    running = int((workload.get("status") or {}).get("availableReplicas", 0) or 0)
    if not running:
        return
    since = str((condition_of(workload, "Available") or {}).get("lastTransitionTime") or "") or None
    verdict = judge_agents(agents, [Expected(agent.name, running)])
    for reason in verdict.reasons:
        if reason.code in _OF_AGENTS and snapshot.lasting(reason.code, workload, since):
            yield _finding(agent, reason.code, reason.message, Evidence(CALL, "asked the registry for /agents"))
    own = [one for one in agents if one.name == agent.name and one.status == HEALTHY]
    for capability in sorted({one.capability for row in own for one in row.dependencies if one.status != AVAILABLE}):
        if snapshot.lasting("DependencyUnresolved", workload, since):
            unmet = f"depends on {capability}, and the registry has found nobody for it"
            yield _finding(agent, "DependencyUnresolved", unmet, part=capability)
    for one in {one.name: one for row in own for one in row.capabilities if not one.available}.values():
        if snapshot.lasting("CapabilityUnavailable", workload, since):
            why = one.reason or "no reason given"
            unmet = f"the capability {one.name} is not available: {why}"
            yield _finding(agent, "CapabilityUnavailable", unmet, part=one.name)


def _finding(agent: SeenAgent, code: str, message: str, *evidence: Evidence, part: str = "") -> Finding:
    found = make_reason(subject_of(agent.workload), code, message)
    return of_reason(agent.workload, found, evidence=evidence, part=part)
