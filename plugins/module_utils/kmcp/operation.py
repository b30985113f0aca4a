# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMCP in a cluster: its definitions first, then the controller, both at one version, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Refused
from ansible_collections.mcpops.platform.plugins.module_utils.helm import operation as helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm import recovery
from ansible_collections.mcpops.platform.plugins.module_utils.helm.operation import Outcome
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import number_problems
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import ownership
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.charts import (
    API_VERSION,
    DEFINITION,
    KIND,
    KmcpSpec,
    kmcp_spec,
    name_problems,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def converge(task: Task) -> Result:
    """The operation of kmcp_install."""
    if task.params["state"] == "absent":
        return _absent(task)
    spec = kmcp_spec(task.params)
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        outcomes = [helm.pending_outcome(task, each, pending.reason) for each in (spec.definitions, spec.controller)]
        return _result(spec, *outcomes)
    return _result(spec, *_present(task, kube, spec))


def _present(task: Task, kube: Kube, spec: KmcpSpec) -> tuple[Outcome, Outcome]:
    """The controller exits when the definition it watches is missing, so the definition is waited for first."""
    found = recovery.read(kube, spec.namespace, spec.definitions.name)
    if found.newest is None:
        refusal = ownership.conflict(_definition(kube), spec.definitions)
        if refusal is not None:
            raise Refused("kmcp", [refusal])
    definitions = helm.ensure(task, kube, spec.definitions, found)
    return definitions, helm.ensure(task, kube, spec.controller)


def _absent(task: Task) -> Result:
    params = task.params
    problems = name_problems(params) + number_problems(params, "wait_timeout", "stale_after")
    if problems:
        raise InvalidInput("kmcp", problems)
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        plan = Plan("kmcp", notes=(f"There is no cluster yet: {pending.reason}.",))
        return Result.of(plan)
    namespace, name, crds = params["namespace"], params["release_name"], params["crds_release_name"]
    remains = recovery.read(kube, namespace, crds).newest is not None
    servers = _servers(kube)
    plans: list[Plan] = []
    if params["delete_crds"] and remains:
        if servers and not params["delete_servers"]:
            raise Refused("kmcp", [_servers_exist(servers)])
        plans.append(Plan("MCPServers", tuple(Change(server, "present", ABSENT) for server in servers)))
    outcome = helm.remove(task, kube, name, namespace, params)
    plans += outcome.plans
    if params["delete_crds"]:
        plans += helm.remove(task, kube, crds, namespace, params).plans
    elif remains and outcome.changed:
        told = f"{len(servers)} MCPServers stay and nobody reconciles them" if servers else "no MCPServer exists"
        plans[-1] = plans[-1].with_notes(f"The definitions (release {namespace}/{crds}) stay: {told}.")
    shown = [plan.summary() for plan in plans if plan.changed] or ["kmcp: absent as declared"]
    return Result(changed=any(plan.changed for plan in plans), msg="; ".join(shown), plans=tuple(plans))


def _result(spec: KmcpSpec, definitions: Outcome, controller: Outcome) -> Result:
    plans = definitions.plans + controller.plans
    shown = [plan.summary() for plan in plans if plan.changed] or [f"kmcp {spec.version}: as declared"]
    values = {
        "version": spec.version,
        "releases": {
            "crds": helm.describe(definitions.release),
            "controller": helm.describe(controller.release),
        },
        "controller_image": _controller_image(controller),
    }
    return Result(changed=any(plan.changed for plan in plans), msg="; ".join(shown), plans=plans, values=values)


def _controller_image(outcome: Outcome) -> str | None:
    """The image of the only Deployment of the controller's chart."""
    for item in outcome.live:
        if item["kind"] == "Deployment":
            containers: list[Mapping[str, Any]] = item["spec"]["template"]["spec"]["containers"]
            return str(containers[0]["image"])
    return None


def _definition(kube: Kube) -> Mapping[str, Any] | None:
    """Labels and annotations of the definition; its schema has 190 KB."""
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{DEFINITION}"
    response = kube.request(
        "GET", path, headers={"Accept": METADATA_ONLY}, accept_status=(404,), action=f"read {DEFINITION}"
    )
    found: Mapping[str, Any] | None = None if response.status == 404 else response.json()
    return found


def _servers(kube: Kube) -> list[str]:
    """`namespace/name` of every MCPServer; none when the kind is not served."""
    resource = kube.resource_type(API_VERSION, KIND)
    if resource is None:
        return []
    response = kube.request(
        "GET", resource.path(), headers={"Accept": METADATA_LIST}, accept_status=(404,), action="list MCPServers"
    )
    items = [] if response.status == 404 else response.json().get("items") or []
    return sorted(f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items)


def _servers_exist(servers: list[str]) -> Refusal:
    shown = ", ".join(servers[:5]) + (f" and {len(servers) - 5} more" if len(servers) > 5 else "")
    return Refusal(
        f"CustomResourceDefinition {DEFINITION}",
        f"{len(servers)} MCPServers: {shown}",
        ABSENT,
        "Removing the definition deletes every MCPServer with its workloads. Remove them first, or set "
        "delete_servers: true.",
    )
