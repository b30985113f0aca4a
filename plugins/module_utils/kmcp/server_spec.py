# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of `mcp_server` to the MCPServer resource, secure unless said otherwise. No input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_stdio
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import (
    text_of_scalar,
    texts_of_mapping,
)

API_VERSION = "kagent.dev/v1alpha1"
KIND = "MCPServer"
CRD = "mcpservers.kagent.dev"
DEFAULT_PORT = 3000
DEFAULT_PATH = "/mcp"
# a new value makes the controller write all children anew; it watches generation and labels only
RECONCILE_LABEL = "mcpops.io/reconcile"

# what Pod Security "restricted" demands
POD_SECURITY: Mapping[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY: Mapping[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

# option → field of spec.deployment, for what is passed on as it is
_PASSED: Mapping[str, str] = {
    "image": "image",
    "image_pull_policy": "imagePullPolicy",
    "command": "cmd",
    "args": "args",
    "labels": "labels",
    "annotations": "annotations",
    "replicas": "replicas",
    "resources": "resources",
    "service_account": "serviceAccount",
    "service_account_name": "serviceAccountName",
    "node_selector": "nodeSelector",
    "tolerations": "tolerations",
    "affinity": "affinity",
    "volumes": "volumes",
    "volume_mounts": "volumeMounts",
    "sidecars": "sidecars",
    "init_container": "initContainer",
}
_REFERENCES: Mapping[str, str] = {
    "secret_refs": "secretRefs",
    "config_map_refs": "configMapRefs",
    "image_pull_secrets": "imagePullSecrets",
}
# fields of spec.deployment that map names to text
_TEXTS = ("env", "labels", "annotations", "nodeSelector")
_OF_ACCOUNTS = ("labels", "annotations")
FIELDS = ("name", "namespace", "transport", "port", "path", "env", "timeout", "server_labels", "server_annotations")
STDIO = ("adapter_image",)
OPTIONS = (
    *FIELDS,
    *STDIO,
    *_PASSED,
    *_REFERENCES,
    "security_context",
    "pod_security_context",
    "spec",
    "roll_on_config_change",
)


@dataclass(frozen=True)
class Declared:
    """One declared server: where its options stood in the task, the options, and the resource they make."""

    where: str
    options: Mapping[str, Any]
    resource: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.options.get("name") or "")

    @property
    def namespace(self) -> str:
        return str(self.options.get("namespace") or "")

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)

    @property
    def deployment(self) -> Mapping[str, Any]:
        """`spec.deployment` of the resource."""
        found: Mapping[str, Any] = self.resource["spec"]["deployment"]
        return found

    @property
    def label(self) -> str:
        return f"MCPServer {self.namespace}/{self.name}"


def declared_from(params: Mapping[str, Any]) -> list[Declared]:
    """The servers of a task: the entries of `servers`, or the one that the top-level options describe."""
    if params.get("servers") is None:
        options = {key: params[key] for key in OPTIONS if params.get(key) is not None}
        return [Declared("", options, resource(options))]
    found = []
    for index, entry in enumerate(params["servers"]):
        options = {key: value for key, value in entry.items() if value is not None}
        for inherited in ("namespace", "roll_on_config_change"):
            options.setdefault(inherited, params.get(inherited))
        own = options.get("init_container")
        if params.get("adapter_image") is not None and not (isinstance(own, Mapping) and own.get("image")):
            options.setdefault("adapter_image", params["adapter_image"])
        found.append(Declared(f"servers[{index}]", options, resource(options)))
    return found


def resource(options: Mapping[str, Any]) -> dict[str, Any]:
    """The MCPServer; `spec` of the options is merged over everything else, null removes."""
    transport = options.get("transport") or "http"
    port = options.get("port") or DEFAULT_PORT
    deployment: dict[str, Any] = {
        "port": port,
        "podSecurityContext": POD_SECURITY,
        "securityContext": CONTAINER_SECURITY,
    }
    deployment = overlaid(
        deployment,
        {
            field: options[option]
            for option, field in (
                *_PASSED.items(),
                ("security_context", "securityContext"),
                ("pod_security_context", "podSecurityContext"),
            )
            if options.get(option) is not None
        },
    )
    if options.get("env") is not None:
        # a variable without a value is an empty one
        deployment["env"] = {key: "" if value is None else value for key, value in options["env"].items()}
    for option, field in _REFERENCES.items():
        if options.get(option) is not None:
            deployment[field] = [item if isinstance(item, Mapping) else {"name": item} for item in options[option]]
    spec: dict[str, Any] = {"transportType": transport, "deployment": deployment}
    if transport == "http":
        spec["httpTransport"] = {"targetPort": port, "path": options.get("path") or DEFAULT_PATH}
    else:
        spec["stdioTransport"] = {}
    if options.get("timeout"):
        spec["timeout"] = options["timeout"]
    metadata: dict[str, Any] = {"name": options.get("name"), "namespace": options.get("namespace")}
    for option, field in (("server_labels", "labels"), ("server_annotations", "annotations")):
        if options.get(option):
            metadata[field] = texts_of_mapping(overlaid({}, options[option]))
    if transport == "stdio" and options.get("adapter_image"):
        deployment["initContainer"] = overlaid(
            {"image": options["adapter_image"]}, deployment.get("initContainer") or {}
        )
    raw = options.get("spec") or {}
    needed = {"deployment": server_stdio.defaults(overlaid(spec, raw))}
    merged = overlaid(overlaid(needed, spec), raw)
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": _with_texts(merged)}


def _with_texts(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` with text where the definition of MCPServer wants text and YAML made something else of it."""
    deployment = spec.get("deployment")
    if not isinstance(deployment, Mapping):
        return spec
    found = dict(deployment)
    for field in _TEXTS:
        if isinstance(found.get(field), Mapping):
            found[field] = texts_of_mapping(found[field])
    account = found.get("serviceAccount")
    if isinstance(account, Mapping):
        own = {key: account[key] for key in _OF_ACCOUNTS if isinstance(account.get(key), Mapping)}
        found["serviceAccount"] = {**account, **{key: texts_of_mapping(values) for key, values in own.items()}}
    if isinstance(found.get("args"), list):
        found["args"] = [text_of_scalar(argument) for argument in found["args"]]
    return {**spec, "deployment": found}


def overlaid(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` merged over `base`: mappings merge, lists and scalars replace, null removes."""
    merged = dict(base)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = overlaid(merged[key], value)
        else:
            merged[key] = overlaid({}, value) if isinstance(value, Mapping) else value
    return merged


def with_reconcile_label(declared: Mapping[str, Any], live: Mapping[str, Any] | None, bump: bool) -> dict[str, Any]:
    """The resource with the reconcile label that stands, or with the next one if its children need repair."""
    standing = ((live or {}).get("metadata") or {}).get("labels", {}).get(RECONCILE_LABEL)
    value = standing
    if bump:
        value = str(int(standing) + 1) if isinstance(standing, str) and standing.isdigit() else "1"
    if value is None:
        return dict(declared)
    metadata = declared["metadata"]
    labels = {**metadata.get("labels", {}), RECONCILE_LABEL: value}
    return {**declared, "metadata": {**metadata, "labels": labels}}
