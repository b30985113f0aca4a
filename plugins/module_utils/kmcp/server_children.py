# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that the KMCP controller makes of an MCPServer.

Which they are, what they contain, and whether they still are as made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Failure, ServiceError
from ..kube.apply.comparison import ApplyNeeded
from ..kube.apply.object import BundleState, Converger
from ..kube.apply.options import BundleOptions
from ..kube.apply.requests import Target, declared_for, target_of
from ..kube.client import Kube
from ..kube.discovery import ResourceType
from ..kube.fields import Route, field_step, foreign_routes, item_step, value_at
from ..kube.readiness.reasons import Object
from ..kube.writers import ANYBODY, Writer
from ..plan import ABSENT, Change, Refusal
from ..task import Task
from .server_spec import ADAPTER_CONTAINER, API_VERSION, COMMANDS_WITH_IMAGE, KIND

Own = Callable[[Route], "str | None"]
"""A value of the controller's own: a stand-in where the child lacks it, nothing where it stands."""

MADE_BY_KMCP = "(made by KMCP)"
# the first and the last version whose translation this is
_KNOWN = ((0, 2, 6), (0, 3, 0))
_CONFIG_HASH = "kmcp.kagent.dev/mcpserver-config-hash"
# put into a pod template by whoever restarts its pods, kubectl and dashboards alike: a deed, not a state to be kept
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_ADAPTER = "/adapterbin/agentgateway"
_CONFIG_FILE = "local.yaml"
_MAIN = "mcp-server"

_TEMPLATE = (field_step("spec"), field_step("template"))
_POD = (*_TEMPLATE, field_step("spec"))
_MAIN_IMAGE = (*_POD, field_step("containers"), item_step({"name": _MAIN}), field_step("image"))
_ADAPTER_IMAGE = (*_POD, field_step("initContainers"), item_step({"name": ADAPTER_CONTAINER}), field_step("image"))
_HASH = (*_TEMPLATE, field_step("metadata"), field_step("annotations"), field_step(_CONFIG_HASH))
_CONFIG = (field_step("data"), field_step(_CONFIG_FILE))


def is_known(version: Any) -> bool:
    """Whether a KMCP of this version translates as is written here."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)$", str(version))
    return found is not None and _KNOWN[0] <= tuple(int(part) for part in found.groups()) <= _KNOWN[1]


def expected_child(
    kind: str, server: Object, child: Object, foreign: Mapping[Route, str] | None = None, *, known: bool = True
) -> dict[str, Any]:
    """The child as the controller must have written it.

    What is known to be there and not with which value is left out, unless the child lacks it or it is `foreign`.
    Of a controller that is not `known` only what it copies is declared.
    """

    def own(route: Route) -> str | None:
        stands = value_at(child, route) and not any(route[: len(one)] == one for one in foreign or ())
        return None if stands else MADE_BY_KMCP

    body = _without_nothing(_CHILDREN[kind](server, own) if known else _copied(kind, server))
    named = {key: child["metadata"][key] for key in ("name", "namespace")}
    return {
        **body,
        "apiVersion": child["apiVersion"],
        "kind": kind,
        "metadata": {**body.get("metadata", {}), **named},
    }


def _without_nothing(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nothing(below) for key, below in value.items() if below is not None}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value


def _copied(kind: str, server: Object) -> dict[str, Any]:
    """The leaves that the controller copies as they are."""
    if kind == "Service":
        return _service(server)
    if kind != "Deployment":
        return {}
    containers = [{"name": _MAIN, **_copied_to_container(server)}]
    return {"spec": {"replicas": _replicas(server), "template": {"spec": {"containers": containers}}}}


def _copied_to_container(server: Object) -> dict[str, Any]:
    spec = server["spec"]
    declared = spec.get("deployment", {})
    env = declared.get("env") or {}
    secrets = [ref["name"] for ref in declared.get("secretRefs") or [] if ref.get("name")]
    found: dict[str, Any] = {
        "env": [{"name": name, "value": env[name]} if env[name] else {"name": name} for name in sorted(env)] or None,
        "envFrom": [{"secretRef": {"name": name}} for name in secrets] or None,
        "image": declared.get("image"),
    }
    if spec.get("transportType") == "http":
        found["command"] = [declared["cmd"]] if declared.get("cmd") else None
        found["args"] = declared.get("args") or None
    return found


def _replicas(server: Object) -> Any:
    return server["spec"].get("deployment", {}).get("replicas", 1)


def _selected(server: Object) -> dict[str, str]:
    name = server["metadata"]["name"]
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}


def _service(server: Object) -> dict[str, Any]:
    port = server["spec"].get("deployment", {}).get("port", 3000)
    ports = [{"name": "http", "port": port, "protocol": "TCP", "targetPort": port}]
    return {"spec": {"selector": _selected(server), "ports": ports}}


def _deployment(server: Object, own: Own) -> dict[str, Any]:
    spec, name = server["spec"], server["metadata"]["name"]
    declared = spec.get("deployment", {})
    stdio = spec.get("transportType") == "stdio"
    maps = [ref["name"] for ref in declared.get("configMapRefs") or [] if ref.get("name")]
    copied = _copied_to_container(server)
    if not declared.get("image") and declared.get("cmd") in COMMANDS_WITH_IMAGE:
        copied["image"] = own(_MAIN_IMAGE)
    main = {
        "name": _MAIN,
        **copied,
        "imagePullPolicy": declared.get("imagePullPolicy") or "IfNotPresent",
        "resources": declared.get("resources") or None,
        "securityContext": declared.get("securityContext") or None,
        "volumeMounts": [
            {"name": "config", "mountPath": "/config"},
            *([{"name": "binary", "mountPath": "/adapterbin"}] if stdio else []),
            *({"name": f"cm-{ref}", "mountPath": f"/configmaps/{ref}", "readOnly": True} for ref in maps),
            *(declared.get("volumeMounts") or []),
        ],
        **({"command": [_ADAPTER], "args": ["-f", f"/config/{_CONFIG_FILE}"]} if stdio else {}),
    }
    pod = {
        "serviceAccountName": declared.get("serviceAccountName") or name,
        "securityContext": declared.get("podSecurityContext") or None,
        "imagePullSecrets": [ref for ref in declared.get("imagePullSecrets") or [] if ref.get("name")] or None,
        "tolerations": declared.get("tolerations") or None,
        "affinity": declared.get("affinity") or None,
        "nodeSelector": declared.get("nodeSelector") or None,
        "initContainers": [_copying(declared, own)] if stdio else None,
        "containers": [main, *(declared.get("sidecars") or [])],
        "volumes": [
            {"name": "config", "configMap": {"name": name}},
            *([{"name": "binary", "emptyDir": {}}] if stdio else []),
            *({"name": f"cm-{ref}", "configMap": {"name": ref}} for ref in maps),
            *(declared.get("volumes") or []),
        ],
    }
    annotations = {key: value for key, value in (declared.get("annotations") or {}).items() if key != RESTARTED_AT}
    labels = {**_selected(server), "app.kubernetes.io/managed-by": "kmcp", **(declared.get("labels") or {})}
    metadata = {"labels": labels, "annotations": {**annotations, _CONFIG_HASH: own(_HASH)}}
    return {
        "spec": {
            "replicas": _replicas(server),
            "selector": {"matchLabels": _selected(server)},
            "template": {"metadata": metadata, "spec": pod},
        }
    }


def _copying(declared: Object, own: Own) -> dict[str, Any]:
    """The container that brings the adapter to a server of standard input and output."""
    options = declared.get("initContainer") or {}
    security = options.get("securityContext")
    return {
        "name": ADAPTER_CONTAINER,
        "image": options.get("image") or own(_ADAPTER_IMAGE),
        "imagePullPolicy": options.get("imagePullPolicy") or "IfNotPresent",
        "args": ["--copy-self", _ADAPTER],
        "volumeMounts": [{"name": "binary", "mountPath": "/adapterbin"}],
        "resources": options.get("resources") or None,
        "securityContext": (declared.get("securityContext") if security is None else security) or None,
    }


def _service_account(server: Object, _own: Own) -> dict[str, Any]:
    options = server["spec"].get("deployment", {}).get("serviceAccount") or {}
    return {"metadata": {"labels": options.get("labels") or None, "annotations": options.get("annotations") or None}}


_CHILDREN: Mapping[str, Callable[[Object, Own], dict[str, Any]]] = {
    "Deployment": _deployment,
    "Service": lambda server, _own: _service(server),
    "ConfigMap": lambda _server, own: {"data": {_CONFIG_FILE: own(_CONFIG)}},
    "ServiceAccount": _service_account,
}


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


def child_collisions(kinds: Sequence[str], name: str, children: Mapping[str, Object]) -> list[Refusal]:
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


def children_drift(
    kube: Kube, task: Task, server: Object, children: Mapping[str, Object], is_known: Callable[[], bool]
) -> tuple[Change, ...]:
    """What is missing, differs from what the controller has written, or was put in by others, with who did it.

    As the controller wrote them, children cost no request. `is_known` is asked only where one differs: whether this
    cluster's controller translates as is written here. A failure is raised where no controller could restore it.
    """
    converger = Converger(kube, task, OPTIONS, BundleState(), dry=True)
    found: list[Change] = []
    for kind in expected_kinds(server):
        child = dict(children.get(kind) or {})
        if not child:
            found.append(Change(kind, ABSENT, MADE_BY_KMCP, note="is missing"))
            continue
        target = _target(kube, kind, server, child)
        if converger.judge(target, child) is not ApplyNeeded.STANDS:
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
    declared = expected_child(kind, server, child, foreign, known=known)
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
    wanted = _replicas(server)
    deployment = children.get("Deployment")
    current = deployment["spec"].get("replicas") if deployment is not None else wanted
    if current == wanted:
        return ""
    return (
        f"Deployment {server['metadata']['namespace']}/{server['metadata']['name']} is scaled to {current} by an "
        f"autoscaler, and KMCP sets it back to {wanted} whenever it looks at the server: let replicas be what the "
        "autoscaler may go down to."
    )


def container_environments(server: Object | None, children: Mapping[str, Object]) -> list[dict[str, Any]]:
    """The variables of each of the Deployment's containers as they stand, whoever set them, and of each sidecar."""
    deployment = children.get("Deployment")
    containers = list(deployment["spec"]["template"]["spec"].get("containers") or []) if deployment else []
    containers += server["spec"].get("deployment", {}).get("sidecars") or [] if server else []
    return [
        {item["name"]: item.get("value", item.get("valueFrom", "")) for item in container.get("env") or []}
        for container in containers
    ]
