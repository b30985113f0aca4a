# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of agent_workload: the objects of agents, once all that their pods use is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Problem, Refused, Rule, check, refuse
from ..kube import pinned_images
from ..kube.apply.bundle import apply_bundle, plan_without_cluster
from ..kube.apply.options import BundleOptions, BundleOutcome
from ..kube.apply.owned_objects import TYPES, delete_owned, is_owned, refuse_others
from ..kube.apply.requests import Target, read_live, target_of
from ..kube.apply.rotation import ContentMemory, content_digests, held_in, ref_of, references_of
from ..kube.client import Kube
from ..kube.config_digest import Reference
from ..kube.fields import field_step, item_step
from ..kube.kubeconfig import CONNECTION
from ..kube.manifests import Object, ObjectRef
from ..kube.policy_peers import range_problems
from ..kube.workload_parts import keep_replicas
from ..kube.workload_rules import SET_RULES
from ..masking import declared_values, protect
from ..names import namespace_problems
from ..plan import Refusal
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import listed
from ..waiting import wait_timeout_problems
from .workload_spec import (
    AGENT,
    MONITOR,
    MONITORING_GROUPS,
    OWNER_LABEL,
    SET_LABEL,
    DeclaredWorkload,
    Place,
    monitor_type,
    target_of_child,
    type_of,
    undeclared_children,
    workload_objects,
)
from .workload_validate import absence_problems, agents_problems, workload_warnings

SUBJECT = "agent_workload"
API_SERVER_CIDRS = "api_server_cidrs"
_SHOWN = 5
_IMAGE = (*map(field_step, ("spec", "template", "spec", "containers")), item_step({"name": AGENT}), field_step("image"))

Key = tuple[str, str]
"""Namespace and name of an agent."""


@dataclass(frozen=True)
class Declared:
    """The agents of a task."""

    agents: tuple[DeclaredWorkload, ...]
    place: Place

    @property
    def namespaces(self) -> list[str]:
        return list(dict.fromkeys([self.place.namespace, *(agent.namespace for agent in self.agents)]))

    def objects(self) -> list[Object]:
        return [item for agent in self.agents for item in workload_objects(agent)]


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, whatever stands."""
    return check(_RULES, params)


def converge(task: Task) -> Result:
    params = task.params
    refuse(SUBJECT, problems(params))
    declared = declared_from(params)
    if params["state"] == "absent":
        return _absent(task, declared)
    protect(task, declared_values(declared.objects()))
    for warning in (warning for agent in declared.agents for warning in workload_warnings(agent)):
        task.warn(warning)
    if not declared.agents and not params["prune"]:
        return Result(False, "no agents are declared", values={"agents": [], "objects": []})
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        items = _by_digest(task, declared, {}).objects()
        return _result(declared, plan_without_cluster(items, pending.reason))
    return _present(kube, task, declared)


def declared_from(params: Mapping[str, Any]) -> Declared:
    place = Place(params["namespace"], params.get("set_name") or "", tuple(params.get(API_SERVER_CIDRS) or ()))
    rows = enumerate(params.get("agents") or [])
    return Declared(tuple(DeclaredWorkload(one, place, f"agents[{index}]") for index, one in rows), place)


def _by_digest(task: Task, declared: Declared, live: Mapping[ObjectRef, Object]) -> Declared:
    """With the images that agents name by digest."""
    agents = []
    for agent in declared.agents:
        image = str(agent.options["image"])
        standing = live.get(target_of_child("Deployment", agent).ref)
        name = pinned_images.pinned(image, task.params, standing, _IMAGE, task.check_mode)
        agents.append(replace(agent, options={**agent.options, "image": name}) if name != image else agent)
    return replace(declared, agents=tuple(agents))


def _present(kube: Kube, task: Task, declared: Declared) -> Result:
    params = task.params
    leaving = _undeclared_agents(kube, declared, params) if params["prune"] else []
    own = [target_of(type_of(item), item) for item in declared.objects()]
    others = [*_undeclared(declared), *(target for agent in leaving for target in _all_of(agent))]
    served, unserved = _by_service(kube, own)
    live = read_live(kube, [*served, *_by_service(kube, others)[0]]).complete
    declared = _by_digest(task, declared, live)
    owners = {target.ref: _owner(target) for target in served}
    refuse_others(SUBJECT, OWNER_LABEL, owners, live)
    _refuse_unserved(task, unserved)
    items = declared.objects()
    _refuse_missing(kube, task, items)
    scaled = {(one.namespace, one.name): one.options for one in declared.agents if one.options.get("autoscaling")}
    items = [_scaled(item, live, scaled) for item in items]
    pending = {target.ref for target in unserved}
    now = [item for item in items if target_of(type_of(item), item).ref not in pending]
    outcome = _apply(kube, task, now)
    if unserved:
        later = plan_without_cluster([one.declared for one in unserved], "a definition that is not served yet")
        outcome = BundleOutcome((*outcome.outcomes, *later.outcomes), (*outcome.notes, *later.notes))
    gone = delete_owned(kube, task, SUBJECT, [one for one in others if _is_ours(one, live)], live)
    outcome = BundleOutcome((*outcome.outcomes, *gone), outcome.notes)
    outcome.raise_failures("remove what is no longer declared")
    return _result(declared, outcome)


def _apply(kube: Kube, task: Task, items: Sequence[Object]) -> BundleOutcome:
    timeout = float(task.params["wait_timeout"])

    def settle(applied: BundleOutcome) -> Sequence[Object]:
        from ..kube.readiness.wait import wait_ready

        deployments = [item for item in applied.objects if item["kind"] == "Deployment"]
        return wait_ready(kube, task, deployments, max(1.0, timeout))

    options = BundleOptions(subject=SUBJECT, namespace=task.params["namespace"], exclusive=True, wait_timeout=timeout)
    waits = task.params["wait"] and not task.check_mode
    outcome = apply_bundle(kube, task, list(items), options, settle if waits else None)
    outcome.raise_failures("apply agents")
    return outcome


def _scaled(item: Object, live: Mapping[ObjectRef, Object], scaled: Mapping[Key, Mapping[str, Any]]) -> Object:
    """Of an agent that is scaled by its load, nobody but the autoscaler changes how many pods there are."""
    options = scaled.get((item["metadata"]["namespace"], item["metadata"]["name"]))
    if item["kind"] != "Deployment" or options is None:
        return item
    return keep_replicas(item, live.get(target_of(type_of(item), item).ref), options)


def _owner(target: Target) -> str:
    return str(target.declared["metadata"]["labels"][OWNER_LABEL])


def _undeclared(declared: Declared) -> list[Target]:
    """What the declared agents do not consist of now, and may have before."""
    found = []
    for agent in declared.agents:
        items = workload_objects(agent)
        found += [target_of_child(kind, agent, suffix) for kind, suffix in undeclared_children(agent, items)]
        monitors = {item["apiVersion"] for item in items if item["kind"] == MONITOR}
        found += [one for one in _monitors_of(agent) if one.ref.api_version not in monitors]
    return found


def _monitors_of(agent: DeclaredWorkload) -> list[Target]:
    return [target_of_child(MONITOR, agent, group=group) for group in MONITORING_GROUPS]


def _all_of(agent: DeclaredWorkload) -> list[Target]:
    children = [target_of_child(kind, agent, suffix) for kind, suffix in undeclared_children(agent, ())]
    return [*_monitors_of(agent), *children]


def _is_ours(target: Target, live: Mapping[ObjectRef, Object]) -> bool:
    return is_owned(live.get(target.ref), OWNER_LABEL, _owner(target))


def _by_service(kube: Kube, targets: Sequence[Target]) -> tuple[list[Target], list[Target]]:
    """Those of kinds that the cluster serves, and the others."""
    known = {
        group: kube.resource_type(monitor_type(group).api_version, MONITOR) is not None
        for group in sorted({one.ref.group for one in targets if one.ref.kind == MONITOR})
    }
    served = [one for one in targets if known.get(one.ref.group, True)]
    return served, [one for one in targets if not known.get(one.ref.group, True)]


def _refuse_unserved(task: Task, unserved: Sequence[Target]) -> None:
    """Of a real run; in check mode an earlier task of it may be what brings them."""
    if unserved and not task.check_mode:
        found = [
            Refusal.because(
                str(target.ref),
                f"is of a kind that this cluster does not serve ({target.resource.plural}.{target.ref.group})",
                "Install what brings it (the Prometheus operator, or Azure's managed Prometheus), name the other "
                "group, or leave monitoring.group out.",
            )
            for target in unserved
        ]
        raise Refused(SUBJECT, found)


def _refuse_missing(kube: Kube, task: Task, items: Sequence[Object]) -> None:
    """What pods would wait for in vain: Secrets and ConfigMaps that do not exist, and keys that they do not have."""
    own = {(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]) for item in items}
    wanted: list[tuple[str, Reference, Object]] = []
    for item in (one for one in items if one["kind"] == "Deployment"):
        place = item["metadata"]["namespace"]
        used = (one for one in references_of(item) if not one.optional and (one.kind, place, one.name) not in own)
        wanted += [(place, one, item) for one in used]
    targets = [target for place, one, _item in wanted for target in held_in(place, [one])]
    read = read_live(kube, [], targets)
    before = content_digests([one.ref for one in targets], read.found, read.refused)
    # what an earlier task of a check mode run would have made
    now = {**before, **ContentMemory(kube, task).recall(before)}
    refusals = []
    for place, one, item in wanted:
        ref = ref_of(place, one)
        if ref not in now:
            continue
        content = now[ref]
        lacking = sorted(one.keys - set(content.keys)) if content is not None and one.keys is not None else []
        if content is not None and not lacking:
            continue
        why = f"has no {listed(lacking, _SHOWN)}" if lacking else "does not exist"
        sentence = f"{why}, and the pods of agent {item['metadata']['name']} use it"
        remedy = "Create it first, or name another one: pods would not start (CreateContainerConfigError)."
        refusals.append(Refusal.because(str(ref), sentence, remedy))
    if refusals:
        raise Refused(SUBJECT, refusals)


def _absent(task: Task, declared: Declared) -> Result:
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return Result(False, f"nothing to remove: {pending.reason}", values={"agents": [], "objects": []})
    targets, _unserved = _by_service(kube, [target for agent in declared.agents for target in _all_of(agent)])
    live = read_live(kube, targets).complete
    gone = delete_owned(kube, task, SUBJECT, [one for one in targets if _is_ours(one, live)], live)
    outcome = BundleOutcome(tuple(gone))
    outcome.raise_failures("remove agents")
    return _result(declared, outcome, absent=True)


def _undeclared_agents(kube: Kube, declared: Declared, params: Mapping[str, Any]) -> list[DeclaredWorkload]:
    """The agents of the set that the list no longer has; Refused where they are too many of them."""
    selector = f"{SET_LABEL}={declared.place.set_name}"
    members: set[Key] = set()
    for namespace in declared.namespaces:
        for item in kube.list_objects(TYPES["Deployment"], namespace, label_selector=selector):
            name = str(item["metadata"]["name"])
            if is_owned(item, OWNER_LABEL, name):
                members.add((namespace, name))
    going = sorted(members - {(agent.namespace, agent.name) for agent in declared.agents})
    percent = params["prune_max_percent"]
    if going and (not declared.agents or len(going) * 100 > percent * len(members)):
        sentence = f"would shrink from {len(members)} agents to {len(members) - len(going)}"
        remedy = (
            f"Pruning {listed([name for _place, name in going], _SHOWN)} is more than is allowed. Check that the list "
            "of agents is complete; raise prune_max_percent if it is, or name them with state: absent."
        )
        raise Refused(SUBJECT, [Refusal.because(f"set {declared.place.set_name}", sentence, remedy)])
    return [DeclaredWorkload({"name": name, "namespace": namespace}, declared.place) for namespace, name in going]


def _result(declared: Declared, outcome: BundleOutcome, *, absent: bool = False) -> Result:
    changed = [(one.ref.namespace, one.ref.name) for one in outcome.outcomes if one.plan.changed]
    rows = [
        {
            "name": agent.name,
            "namespace": agent.namespace,
            "changed": any(_belongs(agent, *one) for one in changed),
            **({} if absent else {"url": agent.url, "port": agent.port}),
        }
        for agent in declared.agents
    ]
    return Result(
        outcome.changed,
        outcome.summary(deleted=absent),
        plans=outcome.plans,
        values={"agents": rows, "objects": outcome.rows()},
    )


def _belongs(agent: DeclaredWorkload, namespace: str | None, name: str) -> bool:
    own = {f"{agent.name}{suffix}" for _kind, suffix in undeclared_children(agent, ())}
    return namespace == agent.namespace and name in own


def _agents(params: Mapping[str, Any]) -> Iterator[Problem]:
    agents = declared_from(params).agents
    return absence_problems(agents) if params["state"] == "absent" else agents_problems(agents)


def _place(params: Mapping[str, Any]) -> Iterator[Problem]:
    yield from namespace_problems("namespace", params["namespace"])
    if params["state"] != "absent":
        yield from range_problems(API_SERVER_CIDRS, params.get(API_SERVER_CIDRS) or ())


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _place,
    *SET_RULES,
    pinned_images.digest_problems,
    _agents,
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)
