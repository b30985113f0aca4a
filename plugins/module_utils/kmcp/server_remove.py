# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes MCP servers, and waits until nothing of them runs any more.

The resource has no finalizer: it goes at once, and its children are collected afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    server_callers,
    server_children,
    server_policies,
    server_sight,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import Sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_sight import Key
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import (
    DeleteOptions,
    delete_objects,
    wait_until_gone,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import PODS
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Deadline


def remove(kube: Kube, task: Task, servers: Sequence[Declared], served: bool) -> Result:
    sights = server_sight.look_at(kube, task, servers, resource_served=served, compared=False)
    deadline = Deadline(float(task.params["wait_timeout"]))
    outcome = delete_objects(
        kube,
        task,
        [dict(server.resource) for server in servers],
        DeleteOptions(subject="MCP servers", wait=bool(task.params["wait"]), wait_timeout=deadline.seconds),
    )
    outcome.raise_failures("delete MCP servers")
    policies = server_policies.remove(kube, task, servers, server_policies.read(kube, servers))
    BundleOutcome(tuple(policies)).raise_failures("delete network policies of MCP servers")
    if task.params["wait"] and not task.check_mode:
        _wait_for_children(kube, task, sights, deadline)
    gone = {one.who for one in policies if one.plan.changed}
    rows = [
        {
            "name": server.name,
            "namespace": server.namespace,
            "changed": plan.changed or server_callers.target(server.key).who in gone,
        }
        for server, plan in zip(servers, outcome.plans)
    ]
    every = BundleOutcome((*outcome.outcomes, *policies), outcome.notes)
    return Result(
        changed=every.changed,
        msg=outcome.summary("MCP servers", deleted=True) if every.changed else "no such MCP server is there",
        plans=every.plans,
        values={"servers": rows},
    )


def _wait_for_children(kube: Kube, task: Task, sights: Mapping[Key, Sight], deadline: Deadline) -> None:
    """Deployment, Service and the rest, then the pods; also those that an interrupted run has left on their way."""
    doomed = [
        (
            resource.path(namespace, name),
            Identity(resource.api_version, kind, name, namespace),
            child["metadata"]["uid"],
        )
        for (namespace, name), sight in sights.items()
        for kind, child in sight.children.items()
        if server_children.belongs_to(child, name)
        for resource in (server_children.CHILDREN[kind],)
    ]
    if not doomed:
        return
    wait_until_gone(kube, task, doomed, max(1.0, deadline.left))
    pods = [
        (
            PODS.path(namespace, pod["metadata"]["name"]),
            Identity("v1", "Pod", pod["metadata"]["name"], namespace),
            pod["metadata"]["uid"],
        )
        for namespace in sorted({namespace for namespace, _name in sights})
        for _name, pod in server_sight.pods_of(kube, namespace, {name for place, name in sights if place == namespace})
    ]
    wait_until_gone(kube, task, pods, max(1.0, deadline.left))
