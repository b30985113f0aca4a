# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of mcp_server to the MCPServer resource, secure by default.

Servers of standard input and output included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Reason
from ..kube.config_digest import as_mapping, as_mappings
from ..names import DEFAULT_PATH, DEFAULT_PORT
from ..text import text_of_scalar, texts_of_mapping

API_VERSION = "kagent.dev/v1alpha1"
KIND = "MCPServer"
CRD = "mcpservers.kagent.dev"

Key = tuple[str, str]
"""Namespace and name of a server."""


def key_of(item: Mapping[str, Any]) -> Key:
    return (str(item["metadata"].get("namespace")), str(item["metadata"]["name"]))


# what KMCP takes, with the tag VERSION-musl: pkg/controller/transportadapter/transportadapter_translator.go of 0.3.0
ADAPTER_IMAGE = "ghcr.io/agentgateway/agentgateway"
ADAPTER_CONTAINER = "copy-binary"
# commands for which the controller knows an image
COMMANDS_WITH_IMAGE: Mapping[str, str] = {"npx": "node:24-alpine3.21", "uvx": "ghcr.io/astral-sh/uv:debian"}
# any that is not root's: the adapter is one file that everybody may read
_ADAPTER_USER = 65532
# node's own user in its image; that of uv has none, and needs none
_RUNNER_USER = 1000
# the one directory of both images in which every user may write
_HOME = "/tmp"
# where the commands write, by variable; the first that is set counts. From "npm config" (cache) and "uv help" (UV_…)
_WRITES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "npx": (("npm_config_cache", "NPM_CONFIG_CACHE", "HOME"),),
    "uvx": (("UV_CACHE_DIR", "XDG_CACHE_HOME", "HOME"), ("UV_TOOL_DIR", "XDG_DATA_HOME", "HOME")),
}
# volumes that nobody can write to
_READ_ONLY = ("configMap", "secret", "projected", "downwardAPI")
_HELP = (
    f"mirror {ADAPTER_IMAGE} and name the copy in adapter_image (or init_container.image), or choose another version "
    "with the controller's adapter_version"
)


def stdio_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `spec.deployment` without which a server would not start, where nothing is said of them."""
    deployment = spec.get("deployment")
    if not isinstance(deployment, Mapping):
        return {}
    in_default_image = not deployment.get("image") and _command(deployment) in COMMANDS_WITH_IMAGE
    found: dict[str, Any] = {"env": {"HOME": _HOME}} if in_default_image else {}
    if _says_user(deployment):
        return found
    if in_default_image:
        found["podSecurityContext"] = {"runAsUser": _RUNNER_USER, "runAsGroup": _RUNNER_USER}
    elif spec.get("transportType") == "stdio":
        # the server's own image says who runs it; the adapter's says root
        own = as_mapping(deployment.get("securityContext"))
        found["initContainer"] = {"securityContext": {**own, "runAsUser": _ADAPTER_USER}}
    return found


def stdio_problems(deployment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """npx and uvx fetch packages when they start: they need a place to write to."""
    command, context = _command(deployment), deployment.get("securityContext")
    if command not in _WRITES or not isinstance(context, Mapping) or not context.get("readOnlyRootFilesystem"):
        return
    variables = as_mapping(deployment.get("env"))
    reported = set()
    for names in _WRITES[command]:
        name = next((one for one in names if variables.get(one)), names[-1])
        place = str(variables.get(name) or "")
        if name not in reported and not _is_writable(deployment, place):
            reported.add(name)
            where = f"{place} (env {name})" if place else f"its home, which env {name} does not name"
            yield (
                "security_context.readOnlyRootFilesystem",
                f"{command} writes below {where}, and no volume is mounted there that can be written to: mount an "
                f"emptyDir and set env {names[0]} or HOME to it",
            )


def adapter_problems(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    named = as_mapping(options.get("init_container")).get("image")
    given = options.get("adapter_image")
    if given == "":
        yield "adapter_image", "is empty; leave it out for the one that KMCP takes"
    elif given and named and given != named:
        yield "init_container.image", f"is {named}, and adapter_image is {given}: name one image"


def about_adapter(reason: Reason) -> Reason:
    """A reason of the init container, told as what it is: nothing about the server's own image or program."""
    if not reason.subject.endswith(f" container {ADAPTER_CONTAINER}"):
        return reason
    message, hint = adapter_message(reason.code, reason.message)
    return replace(reason, message=message, hint=hint or reason.hint)


def adapter_message(code: str, message: str) -> tuple[str, str]:
    """(message, advice) for a fault of the init container that brings the adapter."""
    if code == "ImagePull":
        reported = message.replace("image ", "the image of KMCP's adapter for stdio servers, ", 1)
        return reported, f"This is not the server's own image: {_HELP}."
    if code == "ConfigError" and "run as root" in message:
        return (
            f"the adapter for stdio servers: {message}",
            "The adapter's image runs as root: set init_container.security_context.runAsUser to any other number.",
        )
    if code in ("CannotStart", "CrashLoop", "Crashed"):
        return (
            f"the adapter for stdio servers does not copy itself: {message}",
            f"Only images with the tag VERSION-musl of {ADAPTER_IMAGE} can (from 1.0.0 on vVERSION-musl); {_HELP}.",
        )
    return f"the adapter for stdio servers: {message}", ""


def _says_user(deployment: Mapping[str, Any]) -> bool:
    """Whether somebody has chosen a user, for the pod, the container or the init container."""
    holders = (deployment, as_mapping(deployment.get("initContainer")))
    contexts = (deployment.get("podSecurityContext"), *(one.get("securityContext") for one in holders))
    return any(as_mapping(one).get("runAsUser") is not None for one in contexts)


def _command(deployment: Mapping[str, Any]) -> str:
    """The program; anything else than a text is told by a rule."""
    command = deployment.get("cmd")
    return command if isinstance(command, str) else ""


def _is_writable(deployment: Mapping[str, Any], place: str) -> bool:
    """Whether the deepest mount above a directory is a volume that can be written to."""
    if not place.startswith("/"):
        return False
    volumes = {
        str(one.get("name")): not any(kind in one for kind in _READ_ONLY)
        for one in as_mappings(deployment.get("volumes"))
    }
    above = [
        one
        for one in as_mappings(deployment.get("volumeMounts"))
        if f"{place}/".startswith(str(one.get("mountPath", "")).rstrip("/") + "/")
    ]
    if not above:
        return False
    deepest = max(above, key=lambda one: len(str(one.get("mountPath"))))
    return not deepest.get("readOnly") and volumes.get(str(deepest.get("name")), False)


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
    def key(self) -> Key:
        return (self.namespace, self.name)

    @property
    def deployment(self) -> Mapping[str, Any]:
        """`spec.deployment` of the resource; empty where that is no mapping, which validation names."""
        return as_mapping(self.resource["spec"].get("deployment"))

    @property
    def label(self) -> str:
        return f"MCPServer {self.namespace}/{self.name}"


def declared_from(params: Mapping[str, Any]) -> list[Declared]:
    """The servers of a task: the entries of `servers`, or the one that the top-level options describe."""
    bundle = params.get("bundle")
    if params.get("servers") is None:
        options = {key: params[key] for key in OPTIONS if params.get(key) is not None}
        return [Declared("", options, server_resource(options, bundle))]
    found = []
    for index, entry in enumerate(params["servers"]):
        options = {key: value for key, value in entry.items() if value is not None}
        inherited = {option: params.get(option) for option in INHERITED if option not in options}
        if params.get("adapter_image") is not None and not as_mapping(options.get("init_container")).get("image"):
            options.setdefault("adapter_image", params["adapter_image"])
        options.update(inherited)
        found.append(Declared(f"servers[{index}]", options, server_resource(options, bundle), frozenset(inherited)))
    return found


def server_resource(options: Mapping[str, Any], bundle: str | None = None) -> dict[str, Any]:
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
    needed = {"deployment": stdio_defaults(overlaid(spec, raw))}
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
    account = as_mapping(found.get("serviceAccount"))
    if account:
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


def with_current_labels(declared: Mapping[str, Any], live: Mapping[str, Any] | None, bump: bool) -> dict[str, Any]:
    """The resource with the labels of ours that stand and no option decides.

    The one that makes the controller look is raised when its children need repair. A task that names no bundle leaves
    a server in the one it is in.
    """
    existing = ((live or {}).get("metadata") or {}).get("labels") or {}
    counter = existing.get(RECONCILE_LABEL)
    if bump:
        counter = str(int(counter) + 1) if isinstance(counter, str) and counter.isdigit() else "1"
    kept = {BUNDLE_LABEL: existing.get(BUNDLE_LABEL), RECONCILE_LABEL: counter}
    metadata = declared["metadata"]
    labels = {**{name: value for name, value in kept.items() if value is not None}, **metadata.get("labels", {})}
    if counter is not None:
        labels[RECONCILE_LABEL] = counter
    return {**declared, "metadata": {**metadata, "labels": labels}} if labels else dict(declared)
