# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that the KMCP controller makes of an MCPServer: whose they are, and whether they still are as made.

The controller does not watch them: what is deleted or edited stays so until the MCPServer's spec or labels change.
They are compared by the engine that compares every other object (`kube/converge`), acting as the controller, with what
the controller must have written (server_template); they are restored by the controller, which alone knows all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import API_VERSION, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_template import MADE_BY_KMCP, declaration
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.converge import Company, Converger
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.judgement import Verdict
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import foreign_routes
from ansible_collections.mcpops.platform.plugins.module_utils.kube.targets import declared_for
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import ANYBODY, Writer
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

Object = Mapping[str, Any]

_GROUP = API_VERSION.partition("/")[0]
# all carry the server's name
CHILDREN: Mapping[str, ResourceType] = {
    "Deployment": ResourceType("apps/v1", "Deployment", "deployments", True),
    "Service": ResourceType("v1", "Service", "services", True),
    "ConfigMap": ResourceType("v1", "ConfigMap", "configmaps", True),
    "ServiceAccount": ResourceType("v1", "ServiceAccount", "serviceaccounts", True),
}
# what the controller's requests are signed with: the name of its binary in the image, and when built by `go install`
CONTROLLER_MANAGERS = ("manager", "cmd")
ANOTHER_PROGRAM = "changed by another program"
REPLICAS = "Deployment.spec.replicas"
OPTIONS = BundleOptions(
    subject="objects of KMCP",
    force_conflicts=True,
    exclusive=True,
    manager=CONTROLLER_MANAGERS[0],
    our_managers=frozenset(CONTROLLER_MANAGERS),
    adopt=False,
    writers=(
        Writer(
            ANYBODY,
            "ServiceAccount",
            "imagePullSecrets",
            "helpers of registries give every service account their credentials",
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
        ),
    ),
    remedy="Delete the object: KMCP makes it again.",
)
"""How the engine treats what KMCP makes."""


def expected_kinds(server: Object) -> tuple[str, ...]:
    """Which children there must be: a server that uses an existing service account gets none of its own."""
    own_account = not server["spec"].get("deployment", {}).get("serviceAccountName")
    return tuple(kind for kind in CHILDREN if kind != "ServiceAccount" or own_account)


def belongs_to(child: Object, name: str) -> bool:
    """Whether KMCP made the object for the MCPServer of this name; other projects have a kind MCPServer, too."""
    return any(
        owner.get("kind") == KIND
        and str(owner.get("apiVersion")).partition("/")[0] == _GROUP
        and owner.get("name") == name
        for owner in child["metadata"].get("ownerReferences") or []
    )


def collisions(kinds: Sequence[str], name: str, children: Mapping[str, Object]) -> list[Refusal]:
    """Objects of the server's name that belong to somebody: the controller would overwrite them without asking."""
    return [
        Refusal.because(
            f"{kind}/{name}",
            f"exists and belongs to {_owner(children[kind]) or 'no MCPServer'}",
            "KMCP would overwrite it, and deleting the server would delete it: give the server another name, "
            "or delete the object if it is not needed.",
        )
        for kind in kinds
        if kind in children and not belongs_to(children[kind], name)
    ]


def _owner(child: Object) -> str:
    """Who the object says it belongs to."""
    owners = child["metadata"].get("ownerReferences") or []
    return ", ".join(f"{owner.get('kind')} {owner.get('name')} ({owner.get('apiVersion')})" for owner in owners)


def is_reconciled(server: Object) -> bool:
    """The controller has seen this generation; before that its children lag behind for good reason."""
    return bool((server.get("status") or {}).get("observedGeneration") == server["metadata"].get("generation"))


def drift(
    kube: Kube, task: Task, server: Object, children: Mapping[str, Object], is_known: Callable[[], bool]
) -> tuple[Change, ...]:
    """What is missing, differs from what the controller has written, or was put in by others, with who did it.

    As the controller wrote them, children cost no request. `is_known` is asked only where one differs: whether this
    cluster's controller writes what server_template says. A failure is raised where no controller could restore it.
    """
    converger = Converger(kube, task, OPTIONS, Company(), dry=True)
    found: list[Change] = []
    for kind in expected_kinds(server):
        child = dict(children.get(kind) or {})
        if not child:
            found.append(Change(kind, ABSENT, MADE_BY_KMCP, note="is missing"))
            continue
        target = _target(kube, kind, server, child)
        if converger.judge(target, child) is not Verdict.STANDS:
            target = target if is_known() else _target(kube, kind, server, child, known=False)
            found += [
                replace(
                    change,
                    path=f"{kind}.{change.path}",
                    note=change.note or ("" if change.changed_by else ANOTHER_PROGRAM),
                )
                for change in _compared(converger, target, child)
            ]
        found += _variables(kind, target.declared, child, found)
    return tuple(found)


def _target(kube: Kube, kind: str, server: Object, child: dict[str, Any], *, known: bool = True) -> Target:
    resource = CHILDREN[kind]
    structure = kube.structure(resource.api_version, kind)
    foreign = foreign_routes(child, CONTROLLER_MANAGERS)
    declared = declaration(kind, server, child, foreign, known=known)
    return target_of(resource, declared_for(resource, declared, structure), structure)


def _compared(converger: Converger, target: Target, child: dict[str, Any]) -> Sequence[Change]:
    outcome = converger.converge(target, child)
    failure: Failure | None = outcome.failure
    if failure is None:
        return outcome.plan.changes
    if isinstance(failure, ServiceError) and failure.hint == OPTIONS.remedy:
        raise failure
    # this identity may not ask for a dry run, or none is answered
    return converger.estimate(target, child)


def _variables(kind: str, declared: Object, child: Object, found: Sequence[Change]) -> list[Change]:
    """Variables that the server does not have, set under the controller's own name: no owner tells of them."""
    if kind != "Deployment":
        return []
    main = declared["spec"]["template"]["spec"]["containers"][0]
    names = {item["name"] for item in main.get("env") or []}
    path = f"Deployment.spec.template.spec.containers[{main['name']}].env"
    return [
        Change(f"{path}[{item['name']}]", item, ABSENT, note=ANOTHER_PROGRAM)
        for container in child["spec"]["template"]["spec"].get("containers") or []
        for item in container.get("env") or []
        if container["name"] == main["name"]
        and item["name"] not in names
        and not any(one.path.startswith(f"{path}[{item['name']}]") for one in found)
    ]


def scaled_by_others(server: Object, children: Mapping[str, Object]) -> str:
    """A note on an autoscaler, which the controller works against; empty where there is none."""
    wanted = server["spec"].get("deployment", {}).get("replicas", 1)
    deployment = children.get("Deployment")
    standing = deployment["spec"].get("replicas") if deployment is not None else wanted
    if standing == wanted:
        return ""
    return (
        f"Deployment {server['metadata']['namespace']}/{server['metadata']['name']} is scaled to {standing} by an "
        f"autoscaler, and KMCP sets it back to {wanted} whenever it looks at the server: let replicas be what the "
        "autoscaler may go down to."
    )


def environments(server: Object | None, children: Mapping[str, Object]) -> list[dict[str, Any]]:
    """The variables of each of the Deployment's containers as they stand, whoever set them, and of each sidecar."""
    deployment = children.get("Deployment")
    containers = list(deployment["spec"]["template"]["spec"].get("containers") or []) if deployment else []
    containers += server["spec"].get("deployment", {}).get("sidecars") or [] if server else []
    return [
        {item["name"]: item.get("value", item.get("valueFrom", "")) for item in container.get("env") or []}
        for container in containers
    ]
