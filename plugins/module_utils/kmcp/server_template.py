# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the KMCP controller makes of an MCPServer, as declarations of its children. No input or output.

A field that was removed has no owner that could tell of it, so it is looked for by what the controller must have
written. Its translation is the same in KMCP 0.2.6 to 0.3.0; of other versions only the leaves are declared that are
copied from the MCPServer as they are (0.2.3 and later). What settings of the controller decide (the adapter's image,
the Service's appProtocol) is left out as long as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_stdio import (
    ADAPTER_CONTAINER,
    COMMANDS_WITH_IMAGE,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import Route, field_step, item_step, value_at

Object = Mapping[str, Any]
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


def declaration(
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
