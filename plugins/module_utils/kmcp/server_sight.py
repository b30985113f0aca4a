# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading MCP servers and their children: a LIST a kind for many, nothing per server that is as it was made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    controllers,
    server_children,
    server_readiness,
    server_template,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import API_VERSION, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_children import CHILDREN
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import Sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.unreadable import unreadable_servers
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import PODS
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import Read, at_once, read_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.surroundings import SLICES
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.network import SERVICE_OF
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

Key = tuple[str, str]

SERVERS = ResourceType(API_VERSION, KIND, "mcpservers", True)
DEPLOYMENTS = CHILDREN["Deployment"]
# what KMCP selects a server's pods by; a server's own labels may change every other
_INSTANCE, _NAME = "app.kubernetes.io/instance", "app.kubernetes.io/name"
_NAMED_IN_A_QUERY = 50


def look_at(
    kube: Kube, task: Task, servers: Iterable[Declared], *, resource_served: bool = True, compared: bool = True
) -> dict[Key, Sight]:
    """Every server as it stands; without the resource type only the objects that have the servers' names.

    What is not to be `compared` is not asked about by dry runs.
    """
    declared = list(servers)
    live = read(kube, declared, resource_served=resource_served).complete
    return seen(kube, task, declared, live, compared=compared)


def read(
    kube: Kube, servers: Iterable[Declared], beside: Iterable[Target] = (), *, resource_served: bool = True
) -> Read:
    """The servers, their children and what is read beside them."""
    kinds = [*CHILDREN.values(), *([SERVERS] if resource_served else [])]
    return read_live(kube, [target_by_name(resource, server.key) for server in servers for resource in kinds], beside)


def seen(
    kube: Kube, task: Task, servers: Iterable[Declared], live: Mapping[Identity, Object], *, compared: bool = True
) -> dict[Key, Sight]:
    """Every server as it was read; what is `compared` is asked of the API server where reading does not tell."""
    sights = {}
    for server in servers:
        own = {kind: live.get(target_by_name(resource, server.key).who) for kind, resource in CHILDREN.items()}
        children = {kind: child for kind, child in own.items() if child is not None}
        sights[server.key] = Sight(live.get(target_by_name(SERVERS, server.key).who), children)
    if not compared:
        return sights

    @cache
    def is_known() -> bool:
        return _is_known(kube)

    return dict(zip(sights, at_once(lambda sight: _compared(kube, task, sight, is_known), list(sights.values()))))


def _compared(kube: Kube, task: Task, sight: Sight, is_known: Callable[[], bool]) -> Sight:
    """With how its children differ. Only those of a generation that the controller has dealt with can have drifted."""
    if sight.server is None or not server_children.is_reconciled(sight.server):
        return sight
    try:
        return replace(sight, drift=server_children.drift(kube, task, sight.server, sight.children, is_known))
    except ServiceError as failure:
        return replace(sight, failure=failure)


def _is_known(kube: Kube) -> bool:
    """Whether it is known what this cluster's KMCP makes of a server: another's work is no drift of ours to tell."""
    try:
        running = controllers.listed(kube)
    except ServiceError:
        return False
    return running.sure and all(server_template.is_known(controllers.version_of(one)) for one in running.found)


def with_pods(kube: Kube, sights: Mapping[Key, Sight]) -> dict[Key, Sight]:
    """The same with what is asked last: whether the Services lead to ready pods, and since when those run."""
    # ages are told by the cluster's clock, and none is made older by the time that the reading takes
    now = kube.now
    ready: set[Key] = set()
    pods: dict[Key, list[Object]] = {}
    for namespace in sorted({namespace for namespace, _name in sights}):
        names = [name for place, name in sights if place == namespace]
        chosen = f"{SERVICE_OF} in ({','.join(names)})" if len(names) <= _NAMED_IN_A_QUERY else SERVICE_OF
        for item in kube.list_objects(SLICES, namespace, label_selector=chosen):
            if any((one.get("conditions") or {}).get("ready") is not False for one in item.get("endpoints") or []):
                ready.add((namespace, item["metadata"]["labels"][SERVICE_OF]))
        for name, pod in pods_of(kube, namespace, names):
            pods.setdefault((namespace, name), []).append(pod)
    return {
        key: replace(sight, has_endpoints=key in ready, pods=pods.get(key, ()), now=now)
        for key, sight in sights.items()
    }


def pods_of(kube: Kube, namespace: str, names: Collection[str]) -> Iterator[tuple[str, Object]]:
    """The pods of servers, each with the name of its server."""
    chosen = f"{_INSTANCE} in ({','.join(sorted(names))})" if len(names) <= _NAMED_IN_A_QUERY else _INSTANCE
    for pod in kube.list_objects(PODS, namespace, label_selector=chosen):
        labels = pod["metadata"]["labels"]
        name = labels.get(_INSTANCE)
        if name in names and labels.get(_NAME) == name:
            yield name, pod


def judged(kube: Kube, labels: Mapping[Key, str], sights: Mapping[Key, Sight]) -> dict[Key, list[Reason]]:
    """The reasons of every server that does not run yet; the endpoints are asked for only where all else is well."""
    found = {key: server_readiness.judge(labels[key], sight) for key, sight in sights.items()}
    well = {key: sights[key] for key, reasons in found.items() if not reasons and sights[key].wants_pods}
    for key, sight in with_pods(kube, well).items():
        found[key] = server_readiness.judge(labels[key], sight)
    return {key: reasons for key, reasons in found.items() if reasons}


def unreadable(kube: Kube, namespaces: Iterable[str]) -> list[Reason]:
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
        running = controllers.listed(kube)
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
    who = Identity(resource.api_version, resource.kind, name, namespace)
    return Target(who, resource, {"apiVersion": resource.api_version, "kind": resource.kind})
