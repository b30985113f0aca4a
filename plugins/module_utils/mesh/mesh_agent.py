# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mesh_agent: the objects of agents, and waiting until the registry says that they work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import Check, NotReady, Problem, Refused, Rule, check, refuse
from ..kube import pinned_images
from ..kube.apply.bundle import apply_bundle, plan_without_cluster
from ..kube.apply.options import BundleOptions, BundleOutcome
from ..kube.apply.owned_objects import CLAIM, TYPES, delete_owned, is_owned, refuse_others, target_named
from ..kube.apply.requests import Target, read_live, target_of
from ..kube.client import Kube
from ..kube.fields import field_step, item_step
from ..kube.kubeconfig import CONNECTION
from ..kube.manifests import Object, ObjectRef
from ..kube.policy_peers import range_problems
from ..kube.workload_parts import keep_replicas
from ..kube.workload_rules import SET_RULES
from ..masking import declared_values, protect
from ..names import SERVICE, namespace_problems, wrong_name
from ..plan import Plan, Refusal
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import listed
from ..waiting import Deadline, poll, wait_timeout_problems
from . import agent_code, registry_observe
from .agent_spec import (
    AGENT,
    API_SERVER_CIDRS,
    OWNER_LABEL,
    SET_LABEL,
    DeclaredAgent,
    Mesh,
    agent_objects,
    children,
    cidr_problems,
    undeclared_children,
)
from .agent_validate import absence_problems, agent_warnings, agents_problems
from .exposure import registry_range
from .registry_observe import Answer, Registry
from .registry_readiness import Expected, Verdict, judge_agents

SUBJECT = "mesh_agent"
_SHOWN = 5
_IMAGE = (*map(field_step, ("spec", "template", "spec", "containers")), item_step({"name": AGENT}), field_step("image"))


@dataclass(frozen=True)
class Declared:
    """The agents of a task, and where they live."""

    mesh: Mesh
    registry: Registry
    agents: tuple[DeclaredAgent, ...]

    @property
    def asks_registry(self) -> bool:
        """Whether the registry is one that this cluster's API server reaches."""
        return self.mesh.registry_url == _url(self.registry)


def file_options(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of a task whose relative paths are searched for on the controller."""
    return ("code",)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, as far as it shows without reading what they name."""
    return check(_RULES, params)


def converge(task: Task) -> Result:
    params = task.params
    refuse(SUBJECT, problems(params))
    declared = declared_from(params)
    if params["state"] == "absent":
        return _absent(task, declared)
    declared = _with_code(declared, params.get("code"))
    every = [item for items in _objects(declared).values() for item in items]
    protect(task, declared_values(every))
    for warning in (warning for agent in declared.agents for warning in agent_warnings(agent)):
        task.warn(warning)
    if not declared.agents and not params["prune"]:
        return Result(False, "no agents are declared", values={"agents": []})
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        every = [item for items in _objects(_by_digest(task, declared, {})).values() for item in items]
        return _result(declared, plan_without_cluster(every, pending.reason), None)
    return _present(kube, task, declared)


def declared_from(params: Mapping[str, Any]) -> Declared:
    namespace = params["namespace"]
    place = params.get("registry_namespace") or namespace
    registry = Registry(place, params["registry_service"], params["registry_port"])
    mesh = Mesh(
        namespace=namespace,
        registry_url=params.get("registry_url") or _url(registry),
        registry_namespace=place,
        registry_port=params["registry_port"],
        set_name=params.get("set_name") or "",
        api_server_cidrs=tuple(params.get(API_SERVER_CIDRS) or ()),
        remote_cidrs=tuple(
            dict.fromkeys([*registry_range(params.get("registry_url") or ""), *(params.get("remote_cidrs") or ())])
        ),
    )
    agents = tuple(
        DeclaredAgent(options=one, where=f"agents[{index}]") for index, one in enumerate(params.get("agents") or [])
    )
    return Declared(mesh, registry, agents)


def _url(registry: Registry) -> str:
    return f"http://{registry.service}.{registry.namespace}:{registry.port}"


def _with_code(declared: Declared, directory: str | None) -> Declared:
    """With the content of the files that the agents name; all that is wrong with them at once."""
    found: list[DeclaredAgent] = []
    wrong: list[Problem] = []
    for agent in declared.agents:
        script, folder = agent.options.get("script"), agent.options.get("directory")
        if not script and not folder:
            found.append(agent)
            continue
        place = Path(directory or ".") / str(script or folder)
        entrypoint = agent.options.get("entrypoint") or agent_code.DEFAULT_ENTRYPOINT
        code, reported = agent_code.read_script(place) if script else agent_code.read_directory(place, entrypoint)
        wrong += [Problem(f"{agent.where}.{'script' if script else 'directory'}", message) for message in reported]
        found.append(DeclaredAgent(agent.options, code, agent.where))
    refuse(SUBJECT, wrong)
    return Declared(declared.mesh, declared.registry, tuple(found))


def _objects(declared: Declared) -> dict[str, list[Object]]:
    return {agent.name: agent_objects(agent, declared.mesh) for agent in declared.agents}


def _by_digest(task: Task, declared: Declared, live: Mapping[ObjectRef, Object]) -> Declared:
    """With the images that agents name by digest."""
    agents = []
    for agent in declared.agents:
        image = str(agent.options.get("image") or "")
        standing = live.get(target_named("Deployment", agent.name, declared.mesh.namespace).ref)
        name = pinned_images.pinned(image, task.params, standing, _IMAGE, task.check_mode)
        agents.append(replace(agent, options={**agent.options, "image": name}) if name != image else agent)
    return replace(declared, agents=tuple(agents))


def _present(kube: Kube, task: Task, declared: Declared) -> Result:
    params, namespace = task.params, declared.mesh.namespace
    objects = _objects(declared)
    deadline = Deadline(float(params["wait_timeout"]))
    leaving = _undeclared_agents(kube, declared, params) if params["prune"] else []
    lacking = {name: undeclared_children(name, items) for name, items in objects.items()}
    lacking.update({name: undeclared_children(name, []) for name in leaving})
    undeclared = _targets(lacking, namespace)
    own = [target_of(TYPES[item["kind"]], item) for items in objects.values() for item in items]
    live = read_live(kube, [*own, *(target for target, _owner in undeclared)]).complete
    declared = _by_digest(task, declared, live)
    every = [item for items in _objects(declared).values() for item in items]
    owners = [item["metadata"]["labels"][OWNER_LABEL] for items in objects.values() for item in items]
    refuse_others(SUBJECT, OWNER_LABEL, {target.ref: owner for target, owner in zip(own, owners, strict=True)}, live)
    scaled = {agent.name: agent for agent in declared.agents if agent.options.get("autoscaling")}
    every = [
        keep_replicas(item, live.get(target.ref), scaled[target.ref.name].options)
        if target.ref.kind == "Deployment" and target.ref.name in scaled
        else item
        for item, target in zip(every, own, strict=True)
    ]
    options = BundleOptions(
        subject=SUBJECT, namespace=namespace, exclusive=True, wait_timeout=float(params["wait_timeout"])
    )
    waits = params["wait"] and not task.check_mode

    def settle(applied: BundleOutcome) -> Sequence[Object]:
        from ..kube.readiness.wait import wait_ready

        waited_for = [item for item in applied.objects if item["kind"] in ("Deployment", CLAIM)]
        # a claim of a class that waits for its first consumer is bound with the pod
        return wait_ready(kube, task, waited_for, max(1.0, deadline.left))

    outcome = apply_bundle(kube, task, every, options, settle if waits else None)
    outcome.raise_failures("apply agents of the mesh")
    gone = delete_owned(kube, task, SUBJECT, _owned(undeclared, live), live)
    outcome = BundleOutcome((*outcome.outcomes, *gone), outcome.notes)
    outcome.raise_failures("remove what is no longer declared")
    verdict: Verdict | None = None
    if waits and declared.asks_registry and declared.agents:
        expected = [agent.expected(namespace) for agent in declared.agents if agent.replicas]
        expected += [Expected(name, replicas=0) for name in leaving]
        verdict = _wait_for_registry(kube, task, declared.registry, expected, deadline, outcome)
    return _result(declared, outcome, verdict)


def _wait_for_registry(
    kube: Kube,
    task: Task,
    registry: Registry,
    expected: Sequence[Expected],
    deadline: Deadline,
    outcome: BundleOutcome,
) -> Verdict:
    """NotReady where the time is over and the registry does not say what was declared."""

    def look() -> Verdict:
        answer: Answer = registry_observe.ask_registry(kube, registry)
        return judge_agents(answer.agents, expected) if answer.silence is None else Verdict((answer.silence,))

    verdict = poll(
        look,
        lambda seen: f"waiting for the {registry.label}: {seen.reasons[0].finding}" if seen.reasons else None,
        deadline,
        task.progress,
    )
    if verdict.reasons:
        values = {"changed": outcome.changed, "objects": outcome.rows()}
        raise NotReady("agents of the mesh", verdict.reasons, waited=deadline.elapsed, values=values, apart=True)
    return verdict


def _absent(task: Task, declared: Declared) -> Result:
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return Result(False, f"nothing to remove: {pending.reason}", values={"agents": []})
    params, namespace = task.params, declared.mesh.namespace
    found = {agent.name: children(agent.name) for agent in declared.agents}
    kept = () if params["delete_data"] else (CLAIM,)
    targets = _targets({name: [one for one in made if one[0] not in kept] for name, made in found.items()}, namespace)
    live = read_live(kube, [target for target, _owner in targets]).complete
    gone = delete_owned(kube, task, SUBJECT, _owned(targets, live), live)
    outcome = BundleOutcome(tuple(gone))
    outcome.raise_failures("remove agents of the mesh")
    return _result(declared, outcome, None, absent=True)


def _targets(named: Mapping[str, Sequence[tuple[str, str]]], namespace: str) -> list[tuple[Target, str]]:
    """Where they are, with the agents that they belong to."""
    return [(target_named(*one, namespace), name) for name, made in named.items() for one in made]


def _owned(targets: Sequence[tuple[Target, str]], live: Mapping[ObjectRef, Object]) -> list[Target]:
    return [target for target, owner in targets if is_owned(live.get(target.ref), OWNER_LABEL, owner)]


def _undeclared_agents(kube: Kube, declared: Declared, params: Mapping[str, Any]) -> list[str]:
    """The agents of the set that the list no longer has; Refused where they are too many of them."""
    selector = f"{SET_LABEL}={declared.mesh.set_name}"
    found = kube.list_objects(TYPES["Deployment"], declared.mesh.namespace, label_selector=selector)
    members = {str(item["metadata"]["name"]) for item in found if is_owned(item, OWNER_LABEL, item["metadata"]["name"])}
    going = sorted(members - {agent.name for agent in declared.agents})
    percent = params["prune_max_percent"]
    if going and (not declared.agents or len(going) * 100 > percent * len(members)):
        sentence = f"would shrink from {len(members)} agents to {len(members) - len(going)}"
        remedy = (
            f"Pruning {listed(going, _SHOWN)} is more than is allowed. Check that the list of agents is complete; "
            "raise prune_max_percent if it is, or name them with state: absent."
        )
        raise Refused(SUBJECT, [Refusal.because(f"set {declared.mesh.set_name}", sentence, remedy)])
    return going


def _result(declared: Declared, outcome: BundleOutcome, verdict: Verdict | None, *, absent: bool = False) -> Result:
    changed = {one.ref.name for one in outcome.outcomes if one.plan.changed}
    rows = [
        {
            "name": agent.name,
            "namespace": declared.mesh.namespace,
            "changed": agent.name in changed,
            **({} if absent else {"host": agent.host(declared.mesh.namespace), "port": agent.port}),
            **({} if verdict is None else {"registered": True}),
        }
        for agent in declared.agents
    ]
    plans = outcome.plans
    if verdict is not None and verdict.notes:
        plans = (*plans, Plan("agents of the mesh", notes=verdict.notes))
    return Result(
        outcome.changed,
        outcome.summary(deleted=absent),
        plans=plans,
        values={"agents": rows, "objects": outcome.rows()},
    )


def _agents(params: Mapping[str, Any]) -> Iterator[Problem]:
    agents = declared_from(params).agents
    return absence_problems(agents) if params["state"] == "absent" else agents_problems(agents)


def _place(params: Mapping[str, Any]) -> Iterator[Problem]:
    yield from namespace_problems("namespace", params["namespace"])
    if params.get("registry_namespace") is not None:
        yield from namespace_problems("registry_namespace", params["registry_namespace"])
    if wrong := wrong_name(params["registry_service"], "Service name", SERVICE):
        yield Problem("registry_service", wrong)
    yield from range_problems("remote_cidrs", params.get("remote_cidrs") or ())
    url = params.get("registry_url")
    if url is not None and not url.startswith(("http://", "https://")):
        yield Problem("registry_url", f"{url!r} is not the address of a registry: it begins with http:// or https://")


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _place,
    *SET_RULES,
    cidr_problems,
    pinned_images.digest_problems,
    _agents,
    Check(
        "registry_port",
        lambda params: not 1 <= params["registry_port"] <= 65535,
        "{registry_port} is not a port (1 to 65535)",
    ),
    Check(
        "delete_data",
        lambda params: params["delete_data"] and params["state"] != "absent",
        "belongs to state: absent",
    ),
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)
