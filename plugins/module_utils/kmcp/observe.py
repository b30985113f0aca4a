# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading MCP servers and their children with a LIST a kind, and waiting until they really run.

With the reasons why they do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import count
from typing import Any

from ..errors import NotReady, Reason, ServiceError
from ..kube.apply.requests import Read, Target, drop_field_manager, map_concurrently, read_live
from ..kube.client import Kube
from ..kube.discovery import ResourceType
from ..kube.fields import foreign_routes
from ..kube.manifests import Object, ObjectRef
from ..kube.readiness.cluster import SERVICE_NAME_LABEL
from ..kube.readiness.evidence import PODS, SLICES, explain_workload, last_log_lines, with_log
from ..task import Task
from ..waiting import POLLING, Deadline, now
from . import cluster_state, readiness, server_children, server_spec
from .readiness import NOT_RECONCILED, NOT_REPAIRED, ObservedServer, only_ownership
from .server_children import CHILDREN
from .server_fields import unreadable_servers
from .server_spec import API_VERSION, KIND, Declared, Key

SERVERS = ResourceType(API_VERSION, KIND, "mcpservers", True)
DEPLOYMENTS = CHILDREN["Deployment"]
# what KMCP selects a server's pods by; a server's own labels may change every other
_INSTANCE, _NAME = "app.kubernetes.io/instance", "app.kubernetes.io/name"
_NAMED_IN_A_QUERY = 50


def observe_servers(
    kube: Kube, task: Task, servers: Iterable[Declared], *, resource_served: bool = True, compared: bool = True
) -> dict[Key, ObservedServer]:
    """Every server as it stands; without the resource type only the objects that have the servers' names.

    What is not to be `compared` is not asked about by dry runs.
    """
    declared = list(servers)
    live = read_servers(kube, declared, resource_served=resource_served).complete
    return observed_from(kube, task, declared, live, compared=compared)


def read_servers(
    kube: Kube, servers: Iterable[Declared], beside: Iterable[Target] = (), *, resource_served: bool = True
) -> Read:
    """The servers, their children and what is read beside them."""
    kinds = [*CHILDREN.values(), *([SERVERS] if resource_served else [])]
    return read_live(kube, [target_by_name(resource, server.key) for server in servers for resource in kinds], beside)


def observed_from(
    kube: Kube, task: Task, servers: Iterable[Declared], live: Mapping[ObjectRef, Object], *, compared: bool = True
) -> dict[Key, ObservedServer]:
    """Every server as it was read; what is `compared` is asked of the API server where reading does not tell."""
    observed_servers = {}
    for server in servers:
        own = {kind: live.get(target_by_name(resource, server.key).ref) for kind, resource in CHILDREN.items()}
        children = {kind: child for kind, child in own.items() if child is not None}
        observed_servers[server.key] = ObservedServer(live.get(target_by_name(SERVERS, server.key).ref), children)
    if not compared:
        return observed_servers

    is_known = cache(partial(_is_known, kube))
    seen = map_concurrently(lambda observed: _compared(kube, task, observed, is_known), list(observed_servers.values()))
    return dict(zip(observed_servers, seen))


def _compared(kube: Kube, task: Task, observed: ObservedServer, is_known: Callable[[], bool]) -> ObservedServer:
    """With how its children differ. Only those of a generation that the controller has dealt with can have drifted."""
    if observed.server is None or not server_children.is_reconciled(observed.server):
        return observed
    try:
        return replace(
            observed, drift=server_children.children_drift(kube, task, observed.server, observed.children, is_known)
        )
    except ServiceError as failure:
        return replace(observed, failure=failure)


def _is_known(kube: Kube) -> bool:
    """Whether it is known what this cluster's KMCP makes of a server: another's work is no drift of ours to tell."""
    try:
        running = cluster_state.list_controllers(kube)
    except ServiceError:
        return False
    return running.sure and all(
        server_children.is_known(cluster_state.controller_version(one)) for one in running.found
    )


def with_pods(kube: Kube, observed_servers: Mapping[Key, ObservedServer]) -> dict[Key, ObservedServer]:
    """The same with what is asked last: whether the Services lead to ready pods, and since when those run."""
    # ages are told by the cluster's clock, and none is made older by the time that the reading takes
    now = kube.now
    ready: set[Key] = set()
    pods: dict[Key, list[Object]] = {}
    for namespace in sorted({namespace for namespace, _name in observed_servers}):
        names = [name for place, name in observed_servers if place == namespace]
        chosen = (
            f"{SERVICE_NAME_LABEL} in ({','.join(names)})" if len(names) <= _NAMED_IN_A_QUERY else SERVICE_NAME_LABEL
        )
        for item in kube.list_objects(SLICES, namespace, label_selector=chosen):
            if any((one.get("conditions") or {}).get("ready") is not False for one in item.get("endpoints") or []):
                ready.add((namespace, item["metadata"]["labels"][SERVICE_NAME_LABEL]))
        for name, pod in pods_of(kube, namespace, names):
            pods.setdefault((namespace, name), []).append(pod)
    return {
        key: replace(observed, has_endpoints=key in ready, pods=pods.get(key, ()), now=now)
        for key, observed in observed_servers.items()
    }


def pods_of(kube: Kube, namespace: str, names: Collection[str]) -> Iterator[tuple[str, Object]]:
    """The pods of servers, each with the name of its server."""
    chosen = f"{_INSTANCE} in ({','.join(sorted(names))})" if len(names) <= _NAMED_IN_A_QUERY else _INSTANCE
    for pod in kube.list_objects(PODS, namespace, label_selector=chosen):
        labels = pod["metadata"]["labels"]
        name = labels.get(_INSTANCE)
        if name in names and labels.get(_NAME) == name:
            yield name, pod


def unready_reasons(
    kube: Kube, labels: Mapping[Key, str], observed_servers: Mapping[Key, ObservedServer]
) -> dict[Key, list[Reason]]:
    """The reasons of every server that does not run yet; the endpoints are asked for only where all else is well."""
    found = {key: readiness.server_reasons(labels[key], observed) for key, observed in observed_servers.items()}
    well = {
        key: observed_servers[key] for key, reasons in found.items() if not reasons and observed_servers[key].wants_pods
    }
    for key, observed in with_pods(kube, well).items():
        found[key] = readiness.server_reasons(labels[key], observed)
    return {key: reasons for key, reasons in found.items() if reasons}


def unreadable_reasons(kube: Kube, namespaces: Iterable[str]) -> list[Reason]:
    """The MCPServers that keep the controller from reconciling any; without the right to list all, of `namespaces`."""
    try:
        return unreadable_servers(kube.list_objects(SERVERS))
    except ServiceError:
        pass
    found: list[Object] = []
    for namespace in sorted(namespaces):
        try:
            found += kube.list_objects(SERVERS, namespace)
        except ServiceError:
            continue
    return unreadable_servers(found)


def revision_hash(kube: Kube, deployment: Mapping[str, Any]) -> str | None:
    """What tells the pods of a Deployment's present revision from those of an older one that is being replaced."""
    metadata = deployment["metadata"]
    revision = (metadata.get("annotations") or {}).get("deployment.kubernetes.io/revision")
    replica_sets = ResourceType("apps/v1", "ReplicaSet", "replicasets", True)
    chosen = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    for item in kube.list_objects(replica_sets, metadata["namespace"], label_selector=chosen):
        theirs = (item["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
        if theirs == revision:
            return str(item["metadata"]["labels"].get("pod-template-hash"))
    return None


def controller_trouble(kube: Kube) -> str:
    """What is wrong with the KMCP controller, as far as this identity may see; empty when nothing seems to be."""
    try:
        running = cluster_state.list_controllers(kube)
    except ServiceError:
        return ""
    if not running.found:
        return "there is no KMCP controller in this cluster" if running.sure else ""
    if running.available:
        return ""
    metadata = running.found[0]["metadata"]
    return f"the KMCP controller {metadata['namespace']}/{metadata['name']} has no available pod"


def target_by_name(resource: ResourceType, key: Key) -> Target:
    """What has the server's name in this kind, to be read."""
    namespace, name = key
    ref = ObjectRef(resource.api_version, resource.kind, name, namespace)
    return Target(ref, resource, {"apiVersion": resource.api_version, "kind": resource.kind})


# how long a fault must stand that waiting does not heal: a Secret may be made a moment after its pod
TERMINAL_SECONDS = 4.0
# the controller answers a new label within a second; what others still own then has the value it wants
SETTLED_SECONDS = 5.0
# while the controller does nothing, how often all MCPServers are looked through for one that it cannot read
LOOK_SECONDS = 10.0
# the controller has not done its part
_IDLE = frozenset({NOT_RECONCILED, NOT_REPAIRED})
# pods that admission refuses do not exist: there is nobody to ask
_WITHOUT_PODS = frozenset({"PodsRefused", "QuotaExceeded", "WebhookDown"})


@dataclass(frozen=True)
class Waited:
    """The servers as they stand, why some of them do not run, and how long that was waited for."""

    existing: Mapping[Key, ObservedServer] = field(default_factory=dict)
    reasons: Mapping[Key, Sequence[Reason]] = field(default_factory=dict)
    seconds: float = 0.0


def wait_until_running(
    kube: Kube, task: Task, servers: Sequence[Declared], seen: Mapping[Key, ObservedServer] | None, timeout: float
) -> Waited:
    """Wait until all servers run, or until those that do not will not by waiting.

    One that waiting cannot heal does not end the wait for the others. `seen` spares the first look when nothing was
    changed.
    """
    labels = {server.key: server.label for server in servers}
    waiting = {server.key: server for server in servers}
    existing: dict[Key, ObservedServer] = {}
    terminal_since: dict[Key, float] = {}
    culprits: list[Reason] = []
    next_look = SETTLED_SECONDS
    deadline = Deadline(timeout)
    attempts = count()
    while waiting:
        observed_servers = (
            {key: seen[key] for key in waiting} if seen is not None else observe_servers(kube, task, waiting.values())
        )
        seen = None
        existing.update(observed_servers)
        found = unready_reasons(kube, labels, observed_servers)
        waiting = {key: server for key, server in waiting.items() if key in found}
        if not waiting:
            break
        waited = deadline.elapsed
        idle = {key for key, reasons in found.items() if reasons[0].code in _IDLE}
        if waited >= SETTLED_SECONDS:
            _release(kube, observed_servers, found)
        if idle and waited >= next_look:
            culprits = unreadable_reasons(kube, {namespace for namespace, _name in idle})
            next_look = waited + LOOK_SECONDS
        found = {key: [*reasons, *(culprits if key in idle else ())] for key, reasons in found.items()}
        found = {key: _with_pod_reasons(kube, observed_servers[key], reasons) for key, reasons in found.items()}
        at = now()
        terminal_since = {
            key: terminal_since.get(key, at)
            for key, reasons in found.items()
            if any(reason.terminal for reason in reasons)
        }
        lasting = {key for key, since in terminal_since.items() if at - since >= TERMINAL_SECONDS}
        if lasting == set(found) or deadline.passed:
            return Waited(existing, _explained(kube, waiting.values(), observed_servers, found), deadline.elapsed)
        first = next(iter(found.values()))[0]
        task.progress(f"waiting for {len(waiting)} of {len(servers)} MCP servers: {first.finding}")
        deadline.sleep(POLLING.after(next(attempts)))
    return Waited(existing, {}, deadline.elapsed)


def _with_pod_reasons(kube: Kube, observed: ObservedServer, reasons: list[Reason]) -> list[Reason]:
    """With those faults of the pods that will not heal: they are known long before the Deployment gives up."""
    deployment = observed.children.get("Deployment")
    if deployment is None or reasons[0].code not in ("Progressing", "PodsNotReady", "ProgressDeadlineExceeded"):
        return reasons
    return [*reasons, *(reason for reason in _pods(kube, deployment, logs=False) if reason.terminal)]


def _pods(kube: Kube, deployment: Mapping[str, Any], *, logs: bool) -> list[Reason]:
    """What the pods of the present revision say; those of an older one are on their way out."""
    found = explain_workload(
        kube,
        str(deployment["metadata"]["namespace"]),
        deployment["spec"]["selector"],
        logs=logs,
        template_hash=revision_hash(kube, deployment),
    )
    return [server_spec.about_adapter(reason) for reason in found]


def _explained(
    kube: Kube,
    waiting: Iterable[Declared],
    observed_servers: Mapping[Key, ObservedServer],
    found: Mapping[Key, list[Reason]],
) -> dict[Key, list[Reason]]:
    """Why each of the servers does not run, with what its pods say."""
    explained: dict[Key, list[Reason]] = {}
    for server in waiting:
        reasons = list(found[server.key])
        deployment = observed_servers[server.key].children.get("Deployment")
        if (
            deployment is not None
            and reasons[0].subject.startswith("Deployment ")
            and reasons[0].code not in _WITHOUT_PODS
        ):
            reasons = _pods(kube, deployment, logs=True) or reasons
        explained[server.key] = [_with_log(kube, server.namespace, reason) for reason in reasons]
    return explained


def not_ready(kube: Kube, servers: Sequence[Declared], waited: Waited) -> NotReady:
    """What did not come of these servers, each reason once."""
    found = [reason for server in servers for reason in waited.reasons[server.key]]
    reported = list(dict.fromkeys(found))
    if any(reason.code in _IDLE for reason in reported):
        trouble = controller_trouble(kube)
        reported += [Reason("KMCP", "ControllerDown", trouble, "Run kmcp_install.")] if trouble else []
    labels = [server.label for server in servers]
    subject = labels[0] if len(labels) == 1 else f"{len(labels)} MCP servers ({', '.join(labels)})"
    return NotReady(subject, reported, waited=waited.seconds)


def _with_log(kube: Kube, namespace: str, reason: Reason) -> Reason:
    """What a program that keeps crashing has said last; it may run at the moment."""
    pod = re.fullmatch(r"Pod [^/]+/(\S+) container (\S+)", reason.subject)
    if pod is None or reason.code != "Crashing":
        return reason
    return with_log(reason, last_log_lines(kube, namespace, pod.group(1), pod.group(2)))


def _release(kube: Kube, observed_servers: Mapping[Key, ObservedServer], found: Mapping[Key, list[Reason]]) -> None:
    """Take leaves from managers who own them with the very value that KMCP gives them.

    The controller writes whole objects, which changes who owns a leaf only together with its value. A leaf that
    somebody has edited to and fro would look like drift for ever.
    """
    stuck = {key: observed_servers[key] for key, reasons in found.items() if reasons[0].code == NOT_REPAIRED}
    if not stuck or controller_trouble(kube):
        return
    for (namespace, name), observed in stuck.items():
        if not only_ownership(observed.drift):
            continue
        for kind, child in observed.children.items():
            others = set(foreign_routes(child, server_children.CONTROLLER_MANAGERS).values())
            drop_field_manager(
                kube,
                target_by_name(server_children.CHILDREN[kind], (namespace, name)),
                dict(child),
                others,
            )
