# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mcp_server. The MCPServer resources and what the KMCP controller makes of them.

Pruning and removal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Failure, NotReady, Problem, Refused, Rule, ServiceError, check, refuse
from ..kube import pinned_images
from ..kube.apply.bundle import apply_bundle, plan_without_cluster
from ..kube.apply.options import BundleOptions, BundleOutcome, ObjectOutcome
from ..kube.apply.requests import read_live
from ..kube.client import Kube
from ..kube.fields import FIELD_MANAGER, owns_label
from ..kube.kubeconfig import CONNECTION
from ..kube.manifests import Object, ObjectRef
from ..kube.policy_peers import wrong_edges
from ..kube.readiness.evidence import PODS
from ..masking import declared_values, protect
from ..names import wrong_label_value
from ..plan import Plan, Refusal
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import counted, listed
from ..waiting import Deadline, wait_timeout_problems
from . import observe, readiness, server_children, server_policies, server_rotation, server_validate
from .observe import SERVERS
from .readiness import Converged, ObservedServer, server_row
from .server_spec import (
    API_VERSION,
    BUNDLE_LABEL,
    CRD,
    KIND,
    Declared,
    Key,
    declared_from,
    key_of,
    with_current_labels,
)

_SHOWN = 5
_FORBIDDEN = 403


def bundle_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the options about the bundle."""
    bundle, percent = params.get("bundle"), params.get("prune_max_percent")
    if bundle is not None:
        wrong = "is empty: leave it out, or give the set of servers a name" if not bundle else wrong_label_value(bundle)
        if wrong:
            yield Problem("bundle", wrong)
    if params.get("prune") and params.get("state") == "absent":
        yield Problem("prune", "belongs to state: present; state: absent removes the servers that are named")
    if percent is not None and not 0 <= percent <= 100:
        yield Problem("prune_max_percent", f"{percent} is not a percentage (0 to 100)")


def undeclared_servers(kube: Kube, params: Mapping[str, Any], declared: Sequence[Declared]) -> list[Declared]:
    """The servers that are to go; Refused when they are more than the options allow, or all."""
    bundle = str(params["bundle"])
    keys = {server.key for server in declared}
    namespaces = {server.namespace for server in declared} | {str(params.get("namespace") or "")}
    members = {key_of(item) for item in _members(kube, bundle, namespaces - {""}) if is_member(item, bundle)}
    going = sorted(members - keys)
    refused = too_many(bundle, going, members, params["prune_max_percent"], nothing_declared=not declared)
    if refused is not None:
        raise Refused("mcp_server", [refused])
    return declared_from({"servers": [{"namespace": namespace, "name": name} for namespace, name in going]})


def is_member(live: Mapping[str, Any], bundle: str) -> bool:
    """Whether this collection has put the label of the bundle there, and nobody has asked for the server's end."""
    metadata = live.get("metadata") or {}
    named = (metadata.get("labels") or {}).get(BUNDLE_LABEL) == bundle
    return named and owns_label(live, FIELD_MANAGER, BUNDLE_LABEL) and not metadata.get("deletionTimestamp")


def too_many(
    bundle: str, going: Sequence[Key], members: Collection[Key], percent: int, *, nothing_declared: bool
) -> Refusal | None:
    """Why so many are not removed: a list that came out empty or short is likelier than an intended removal."""
    if not going or (not nothing_declared and len(going) * 100 <= percent * len(members)):
        return None
    names = listed(["/".join(key) for key in going], _SHOWN)
    if nothing_declared:
        remedy = f"The list of servers is empty, and pruning would remove {names}: name them with state: absent instead"
    else:
        remedy = (
            f"Pruning {names} is more than {percent} percent of it. Check that the list of servers is complete; raise "
            "prune_max_percent if it is"
        )
    sentence = f"would shrink from {counted(len(members), 'MCP server')} to {len(members) - len(going)}"
    return Refusal.because(f"bundle {bundle}", sentence, f"{remedy}.")


def other_bundle(server: Declared, live: Mapping[str, Any] | None) -> Refusal | None:
    """A server that is part of another bundle, which would prune it, or lose it."""
    wanted = (server.resource["metadata"].get("labels") or {}).get(BUNDLE_LABEL)
    theirs = (((live or {}).get("metadata") or {}).get("labels") or {}).get(BUNDLE_LABEL)
    if wanted is None or theirs in (None, wanted):
        return None
    remedy = (
        "Declare it in one bundle only. To move it, take it out of the other declaration and remove its label: "
        f"kubectl label mcpservers.kagent.dev -n {server.namespace} {server.name} {BUNDLE_LABEL}-"
    )
    return Refusal("bundle", theirs, wanted, remedy)


def _members(kube: Kube, bundle: str, namespaces: Iterable[str]) -> list[Object]:
    """What carries the label; without the right to list all namespaces, in those of the declared servers."""
    selector = f"{BUNDLE_LABEL}={bundle}"
    try:
        return kube.list_objects(SERVERS, label_selector=selector)
    except ServiceError as refused:
        if refused.status != _FORBIDDEN:
            raise
    return [
        item
        for namespace in sorted(namespaces)
        for item in kube.list_objects(SERVERS, namespace, label_selector=selector)
    ]


def remove_servers(kube: Kube, task: Task, servers: Sequence[Declared], served: bool) -> Result:
    # servers that stay need not have it
    from ..kube.apply.delete import DeleteOptions, delete_objects

    observed_servers = observe.observe_servers(kube, task, servers, resource_served=served, compared=False)
    deadline = Deadline(float(task.params["wait_timeout"]))
    outcome = delete_objects(
        kube,
        task,
        [dict(server.resource) for server in servers],
        DeleteOptions(subject="MCP servers", wait=bool(task.params["wait"]), wait_timeout=deadline.seconds),
    )
    outcome.raise_failures("delete MCP servers")
    # without the right to read them, none
    policies = [server_policies.policy_target(server.key) for server in servers]
    removed = server_policies.remove_policies(kube, task, servers, read_live(kube, [], policies).complete)
    BundleOutcome(tuple(removed)).raise_failures("delete network policies of MCP servers")
    if task.params["wait"] and not task.check_mode:
        _wait_for_children(kube, task, observed_servers, deadline)
    gone = {one.ref for one in removed if one.plan.changed}
    rows = [
        {
            "name": server.name,
            "namespace": server.namespace,
            "changed": plan.changed or server_policies.policy_target(server.key).ref in gone,
        }
        for server, plan in zip(servers, outcome.plans)
    ]
    every = BundleOutcome((*outcome.outcomes, *removed), outcome.notes)
    return Result(
        changed=every.changed,
        msg=outcome.summary("MCP servers", deleted=True) if every.changed else "no such MCP server is there",
        plans=every.plans,
        values={"servers": rows},
    )


def _wait_for_children(
    kube: Kube, task: Task, observed_servers: Mapping[Key, ObservedServer], deadline: Deadline
) -> None:
    """Deployment, Service and the rest, then the pods; also those that an interrupted run has left on their way."""
    to_remove = [
        (
            resource.path(namespace, name),
            ObjectRef(resource.api_version, kind, name, namespace),
            child["metadata"]["uid"],
        )
        for (namespace, name), observed in observed_servers.items()
        for kind, child in observed.children.items()
        if server_children.belongs_to(child, name)
        for resource in (server_children.CHILDREN[kind],)
    ]
    if not to_remove:
        return
    from ..kube.apply.delete import wait_until_gone

    wait_until_gone(kube, task, to_remove, max(1.0, deadline.left))
    pods = [
        (
            PODS.path(namespace, pod["metadata"]["name"]),
            ObjectRef("v1", "Pod", pod["metadata"]["name"], namespace),
            pod["metadata"]["uid"],
        )
        for namespace in sorted({namespace for namespace, _name in observed_servers})
        for _name, pod in observe.pods_of(
            kube, namespace, {name for place, name in observed_servers if place == namespace}
        )
    ]
    wait_until_gone(kube, task, pods, max(1.0, deadline.left))


def converge(task: Task) -> Result:
    params = task.params
    servers = declared_from(params)
    protect(task, declared_values([server.resource for server in servers]))
    absent = params.get("state") == "absent"
    refuse("mcp_server", problems(params))
    if not servers and not params["prune"]:
        return Result(changed=False, msg="no MCP servers are declared", values={"servers": []})
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return _without_cluster(server_rotation.by_digest(task, servers, {}), pending.reason, absent)
    served = kube.resource_type(API_VERSION, KIND) is not None
    if absent:
        return remove_servers(kube, task, servers, served)
    for warning in (warning for server in servers for warning in server_validate.server_warnings(server)):
        task.warn(warning)
    return _present(kube, task, servers, served)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of mcp_server, whatever stands."""
    return check(_RULES, params)


def _server_problems(params: Mapping[str, Any]) -> list[Problem]:
    servers = declared_from(params)
    if params.get("state") == "absent":
        return server_validate.absence_problems(servers)
    # of the label that every server has of its bundle, the option bundle says what is wrong
    label = f"server_labels.{BUNDLE_LABEL}"
    of_bundle = {server.where for server in servers if BUNDLE_LABEL not in (server.options.get("server_labels") or {})}
    wrong = server_validate.server_problems(servers)
    return [one for one in wrong if not one.path.endswith(label) or one.path.partition(".")[0] not in of_bundle]


def _callers(params: Mapping[str, Any]) -> Iterator[Problem]:
    """Those of all servers; the callers of one server are judged with it."""
    if params.get("servers") is not None:
        for path, message in wrong_edges("callers", params.get("callers")):
            yield Problem(path, message)


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _server_problems,
    bundle_problems,
    pinned_images.digest_problems,
    _callers,
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)


def _present(kube: Kube, task: Task, servers: Sequence[Declared], served: bool) -> Result:
    if not served and not task.check_mode:
        raise ServiceError(
            "apply MCP servers",
            f"the cluster does not know the resource {CRD}",
            code="NoMCPServer",
            hint="Install KMCP first, with kmcp_install.",
        )
    deadline = Deadline(float(task.params["wait_timeout"]))
    leaving = undeclared_servers(kube, task.params, servers) if task.params["prune"] and served else []
    beside = [
        *server_rotation.config_targets(servers),
        *server_rotation.secret_targets(servers),
        *(server_policies.policy_target(server.key) for server in servers),
    ]
    read = observe.read_servers(kube, servers, beside, resource_served=served)
    live = read.complete
    servers = server_rotation.by_digest(task, servers, live)
    done = Converged(servers, observed_servers=observe.observed_from(kube, task, servers, live))
    _hide_secrets(task, done.observed_servers)
    refused = {server.key: _refusals(server, done.observed_servers[server.key], live) for server in servers}
    if servers and all(refused.values()):
        raise _refused_all(servers, refused)
    done.failures.update(
        {server.key: Refused(server.label, refused[server.key]) for server in servers if refused[server.key]}
    )
    followed = {target.ref for target in server_rotation.config_targets(servers)}
    _apply(kube, task, done, live, read.refused & followed)
    server_policies.remove_undeclared_policies(kube, task, done, live)
    if task.params["wait"] and not task.check_mode:
        _wait(kube, task, done, max(1.0, deadline.left))
    if leaving and not done.failures:
        _prune(kube, task, done, leaving)
    elif leaving:
        done.notes.append(f"Not pruned, because others failed: {', '.join(server.label for server in leaving)}.")
    return readiness.servers_result(done)


def _refused_all(servers: Sequence[Declared], refused: Mapping[Key, Sequence[Refusal]]) -> Refused:
    if len(servers) == 1:
        return Refused(servers[0].label, refused[servers[0].key])
    named = [
        replace(refusal, path=f"{server.label}: {refusal.path}")
        for server in servers
        for refusal in refused[server.key]
    ]
    return Refused("mcp_server", named)


def _refusals(server: Declared, observed: ObservedServer, live: Mapping[ObjectRef, Object]) -> list[Refusal]:
    """What must not be overwritten, and what would not work together with what is in the cluster."""
    kinds = server_children.expected_kinds(server.resource)
    bundle = other_bundle(server, observed.server)
    return [
        *server_children.child_collisions(kinds, server.name, observed.children),
        *server_policies.policy_collisions(server, live),
        *server_rotation.variable_clashes(server, live),
        *([bundle] if bundle is not None else []),
    ]


def _apply(
    kube: Kube,
    task: Task,
    done: Converged,
    live: Mapping[ObjectRef, Object],
    unreadable: frozenset[ObjectRef],
) -> None:
    """Write what differs; the policy of who may call comes before the server that it is about."""
    for server in done.sound:
        broken = done.observed_servers[server.key].failure
        if broken is not None:
            done.failures[server.key] = broken
    servers = done.sound
    drift = {server.key: done.observed_servers[server.key].drift for server in servers}
    servers = [
        replace(
            server,
            resource=with_current_labels(
                server.resource, done.observed_servers[server.key].server, bool(drift[server.key])
            ),
        )
        for server in servers
    ]
    servers, records = server_rotation.with_records(kube, task, servers, live, unreadable)
    servers = [
        server_rotation.with_restart(server, done.observed_servers[server.key], repaired=bool(drift[server.key]))
        for server in servers
    ]
    done.failures.update(server_rotation.refused_deployments(kube, servers, done.observed_servers))
    servers = [server for server in servers if server.key not in done.failures]
    options = BundleOptions(subject="MCP servers", exclusive=True, wait_timeout=float(task.params["wait_timeout"]))
    _apply_policies(kube, task, done, servers, options)
    # whom only some may call must not run for everybody
    servers = [server for server in servers if server.key not in done.failures]
    resources = [dict(server.resource) for server in servers]
    outcome = apply_bundle(kube, task, resources, options) if resources else BundleOutcome(())
    for server, one in zip(servers, outcome.outcomes):
        _failed(done, server.key, one)
        if one.failure is None:
            plan = replace(one.plan, subject=server.label, changes=(*one.plan.changes, *drift[server.key]))
            notes = server_rotation.rotation_notes(server, records[server.key], dry=task.check_mode)
            done.plans[server.key] = plan.with_notes(*notes, *_scaled(done.observed_servers[server.key]))
    done.notes += outcome.notes


def _apply_policies(
    kube: Kube, task: Task, done: Converged, servers: Sequence[Declared], options: BundleOptions
) -> None:
    policies = {server.key: made for server in servers if (made := server_policies.network_policy(server)) is not None}
    outcome = apply_bundle(kube, task, list(policies.values()), options) if policies else BundleOutcome(())
    for key, one in zip(policies, outcome.outcomes):
        _failed(done, key, one)
        if one.failure is None:
            done.policies[key] = one.plan
    done.notes += outcome.notes


def _failed(done: Converged, key: Key, outcome: ObjectOutcome) -> None:
    if outcome.failure is not None:
        # what was made anew halfway is changed although it failed
        done.changed = done.changed or bool(outcome.failure.values.get("changed"))
        done.failures.setdefault(key, outcome.failure)


def _wait(kube: Kube, task: Task, done: Converged, left: float) -> None:
    servers = done.sound
    changed = any(plan.changed for plan in done.every_plan)
    waited = observe.wait_until_running(
        kube,
        task,
        servers,
        None if changed else {server.key: done.observed_servers[server.key] for server in servers},
        left,
    )
    done.observed_servers = {**done.observed_servers, **waited.existing}
    waiting = [server for server in servers if server.key in waited.reasons]
    if waiting:
        done.waiting = observe.not_ready(kube, waiting, waited)
        for server in waiting:
            done.failures[server.key] = NotReady(server.label, waited.reasons[server.key], waited=waited.seconds)


def _prune(kube: Kube, task: Task, done: Converged, leaving: Sequence[Declared]) -> None:
    try:
        gone = remove_servers(kube, task, leaving, True)
    except Failure as failure:
        # of the others, everything is said all the same
        done.failures[leaving[0].key] = failure
        return
    done.pruning += gone.plans
    done.pruned = [{**row, "pruned": True} for row in gone.values["servers"]]


def _scaled(observed: ObservedServer) -> list[str]:
    if observed.server is None or any(change.path == server_children.REPLICAS for change in observed.drift):
        return []
    note = server_children.scaled_by_others(observed.server, observed.children)
    return [note] if note else []


def _without_cluster(servers: Sequence[Declared], reason: str, absent: bool) -> Result:
    done = Converged(servers)
    if absent or not servers:
        plan = Plan("MCP servers", notes=(f"Nothing to remove: {reason}.",))
        rows = [server_row(server, done) for server in servers]
        return Result(
            changed=False, msg="MCP servers: the cluster is not there", plans=(plan,), values={"servers": rows}
        )
    policies = {server.key: made for server in servers if (made := server_policies.network_policy(server)) is not None}
    outcome = plan_without_cluster([*policies.values(), *(dict(server.resource) for server in servers)], reason)
    done.policies.update(zip(policies, outcome.plans))
    done.plans.update(zip((server.key for server in servers), outcome.plans[len(policies) :]))
    return readiness.servers_result(done)


def _hide_secrets(task: Task, observed_servers: Mapping[Key, ObservedServer]) -> None:
    """Values that stand in the cluster, too: a diff shows what was there before."""
    found: list[Any] = []
    for observed in observed_servers.values():
        found += [observed.server] if observed.server is not None else []
        # of a list of variables, by name: what is set twice is shown twice
        found += server_children.container_environments(observed.server, observed.children)
    protect(task, declared_values(found))
