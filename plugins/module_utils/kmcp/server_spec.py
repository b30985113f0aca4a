# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of `mcp_server` to the MCPServer resource, secure unless said otherwise. No input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_stdio
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import API_VERSION, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.url_path import DEFAULT_PATH, DEFAULT_PORT
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import (
    text_of_scalar,
    texts_of_mapping,
)

# a new value makes the controller write all children anew; it watches generation and labels only
RECONCILE_LABEL = "mcpops.io/reconcile"

# what Pod Security "restricted" demands
POD_SECURITY: Mapping[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY: Mapping[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

# a set of servers that are declared together; what it lists no more can be pruned
BUNDLE_LABEL = "mcpops.io/mcp-bundle"

# the webhook of Azure's workload identity looks at the pods' label and at the service account's annotations
# (azure.github.io/azure-workload-identity, "Labels and annotations")
IDENTITY_LABEL = "azure.workload.identity/use"
IDENTITY_CLIENT = "azure.workload.identity/client-id"
IDENTITY_TENANT = "azure.workload.identity/tenant-id"

# options whose value is the value of a field of spec.deployment; the field's name follows from the option's
_PASSED = (
    *("image", "image_pull_policy", "command", "args", "labels", "annotations", "replicas", "resources"),
    *("service_account", "service_account_name", "node_selector", "tolerations", "affinity", "volumes"),
    *("volume_mounts", "sidecars", "init_container"),
)
_REFERENCES = ("secret_refs", "config_map_refs", "image_pull_secrets")
_SECURITY = ("security_context", "pod_security_context")
# fields of spec.deployment that map names to text
_TEXTS = ("env", "labels", "annotations", "nodeSelector")
_OF_ACCOUNTS = ("labels", "annotations")
FIELDS = (
    "name",
    "namespace",
    "transport",
    "port",
    "path",
    "tls",
    "env",
    "timeout",
    "server_labels",
    "server_annotations",
)
# what another option says in more words
STDIO = ("adapter_image",)
# what is about a server and is no field of it
BESIDE = ("workload_identity", "stateless", "callers", "allow_api_server", "roll_on_config_change")
OPTIONS = (*FIELDS, *STDIO, *_PASSED, *_REFERENCES, *_SECURITY, "spec", *BESIDE)
# options of the task that are the default of each of its servers
INHERITED = ("namespace", "roll_on_config_change", "callers", "allow_api_server")


def field_of(option: str) -> str:
    """The name that the CustomResourceDefinition has for an option: `node_selector` is `nodeSelector`."""
    first, *rest = option.split("_")
    return "cmd" if option == "command" else first + "".join(word.capitalize() for word in rest)


def known_fields() -> tuple[str, ...]:
    """The fields of an MCPServer that options of mcp_server are about, by their place."""
    below = (field_of(option) for option in (*_PASSED, *_REFERENCES, *_SECURITY))
    return ("spec.timeout", "spec.httpTransport.tls", *(f"spec.deployment.{field}" for field in below))


@dataclass(frozen=True)
class Declared:
    """One declared server: where its options stood in the task, the options, and the resource they make."""

    where: str
    options: Mapping[str, Any]
    resource: Mapping[str, Any]
    inherited: frozenset[str] = frozenset()
    """Options that are the task's, and not the server's own."""

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
        """`spec.deployment` of the resource; empty where that is no mapping, which validation names."""
        found = self.resource["spec"].get("deployment")
        return found if isinstance(found, Mapping) else {}

    @property
    def label(self) -> str:
        return f"MCPServer {self.namespace}/{self.name}"


def declared_from(params: Mapping[str, Any]) -> list[Declared]:
    """The servers of a task: the entries of `servers`, or the one that the top-level options describe."""
    bundle = params.get("bundle")
    if params.get("servers") is None:
        options = {key: params[key] for key in OPTIONS if params.get(key) is not None}
        return [Declared("", options, resource(options, bundle))]
    found = []
    for index, entry in enumerate(params["servers"]):
        options = {key: value for key, value in entry.items() if value is not None}
        inherited = {option: params.get(option) for option in INHERITED if option not in options}
        own = options.get("init_container")
        if params.get("adapter_image") is not None and not (isinstance(own, Mapping) and own.get("image")):
            options.setdefault("adapter_image", params["adapter_image"])
        options.update(inherited)
        found.append(Declared(f"servers[{index}]", options, resource(options, bundle), frozenset(inherited)))
    return found


def resource(options: Mapping[str, Any], bundle: str | None = None) -> dict[str, Any]:
    """The MCPServer; `spec` of the options is merged over everything else, null removes."""
    transport = options.get("transport") or "http"
    port = DEFAULT_PORT if options.get("port") is None else options["port"]
    deployment: dict[str, Any] = {
        "port": port,
        "podSecurityContext": POD_SECURITY,
        "securityContext": CONTAINER_SECURITY,
    }
    declared = {option: options[option] for option in (*_PASSED, *_SECURITY) if options.get(option) is not None}
    deployment = overlaid(deployment, {field_of(option): value for option, value in declared.items()})
    if options.get("env") is not None:
        # a variable without a value is an empty one
        deployment["env"] = {key: "" if value is None else value for key, value in options["env"].items()}
    for option in _REFERENCES:
        if options.get(option) is not None:
            names = [item if isinstance(item, Mapping) else {"name": item} for item in options[option]]
            deployment[field_of(option)] = names
    spec: dict[str, Any] = {"transportType": transport, "deployment": _with_identity(deployment, options)}
    if transport == "http":
        spec["httpTransport"] = {"targetPort": port, "path": options.get("path", DEFAULT_PATH)}
        if options.get("tls") is not None:
            tls = {field_of(option): value for option, value in options["tls"].items() if value is not None}
            spec["httpTransport"]["tls"] = tls
    else:
        spec["stdioTransport"] = {}
    if options.get("timeout") is not None:
        spec["timeout"] = options["timeout"]
    metadata: dict[str, Any] = {"name": options.get("name"), "namespace": options.get("namespace")}
    for option, field in (("server_labels", "labels"), ("server_annotations", "annotations")):
        if options.get(option):
            metadata[field] = texts_of_mapping(overlaid({}, options[option]))
    if bundle:
        metadata["labels"] = {**metadata.get("labels", {}), BUNDLE_LABEL: bundle}
    if transport == "stdio" and options.get("adapter_image"):
        adapter = overlaid({"image": options["adapter_image"]}, spec["deployment"].get("initContainer") or {})
        spec["deployment"] = {**spec["deployment"], "initContainer": adapter}
    raw = options.get("spec") or {}
    needed = {"deployment": server_stdio.defaults(overlaid(spec, raw))}
    merged = overlaid(overlaid(needed, spec), raw)
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": _with_texts(merged)}


def _with_identity(deployment: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """With what Azure's workload identity needs: the pods' label, and the annotations of the account KMCP makes."""
    identity = options.get("workload_identity")
    if identity is None:
        return deployment
    found = overlaid({"labels": {IDENTITY_LABEL: "true"}}, deployment)
    named = ((IDENTITY_CLIENT, identity.get("client_id")), (IDENTITY_TENANT, identity.get("tenant_id")))
    annotations = {name: value for name, value in named if value}
    if annotations and not options.get("service_account_name"):
        found["serviceAccount"] = overlaid({"annotations": annotations}, found.get("serviceAccount") or {})
    return found


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


def with_standing_labels(declared: Mapping[str, Any], live: Mapping[str, Any] | None, bump: bool) -> dict[str, Any]:
    """The resource with the labels of ours that stand and no option decides.

    The one that makes the controller look is raised when its children need repair. A task that names no bundle leaves
    a server in the one it is in.
    """
    standing = ((live or {}).get("metadata") or {}).get("labels") or {}
    counter = standing.get(RECONCILE_LABEL)
    if bump:
        counter = str(int(counter) + 1) if isinstance(counter, str) and counter.isdigit() else "1"
    kept = {BUNDLE_LABEL: standing.get(BUNDLE_LABEL), RECONCILE_LABEL: counter}
    metadata = declared["metadata"]
    labels = {**{name: value for name, value in kept.items() if value is not None}, **metadata.get("labels", {})}
    if counter is not None:
        labels[RECONCILE_LABEL] = counter
    return {**declared, "metadata": {**metadata, "labels": labels}} if labels else dict(declared)
