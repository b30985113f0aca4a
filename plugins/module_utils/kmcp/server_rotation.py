# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MCP servers follow the Secrets, ConfigMaps and images that they use and keep a requested restart.

The Deployment to come is tried in a dry run.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ServiceError
from ..kube import config_digest, pinned_images
from ..kube.apply import rotation
from ..kube.apply.replacement import dropped_leaves
from ..kube.apply.requests import Target, map_concurrently
from ..kube.apply.rotation import held_in, ref_of
from ..kube.client import Kube
from ..kube.config_digest import SECRET, Record, Reference, as_mapping, as_mappings
from ..kube.config_digest import read_record as recorded_in
from ..kube.fields import FIELD_MANAGER, field_step, foreign_fields, undeclared_own
from ..kube.manifests import Object, ObjectRef
from ..kube.schema import UNKNOWN
from ..plan import Refusal
from ..task import Task
from .observe import SERVERS, target_by_name
from .readiness import ObservedServer
from .server_children import CHILDREN, MADE_BY_KMCP, RESTARTED_AT, expected_child
from .server_spec import CONTAINER_SECURITY, POD_SECURITY, Declared, Key, server_resource

# the options of a server that say which variables it gets
_READ: Mapping[str, type] = {"name": str, "namespace": str, "env": Mapping, "secret_refs": list, "spec": Mapping}


_IMAGE = tuple(map(field_step, ("spec", "deployment", "image")))


def by_digest(task: Task, servers: Sequence[Declared], live: Mapping[ObjectRef, Object]) -> list[Declared]:
    """The servers with their images by digest, where the task asks for digests."""
    return [_pinned(task, server, live.get(target_by_name(SERVERS, server.key).ref)) for server in servers]


def _pinned(task: Task, server: Declared, live: Object | None) -> Declared:
    image = str(server.deployment.get("image") or "")
    name = pinned_images.pinned(image, task.params, live, _IMAGE, task.check_mode)
    if name == image:
        return server
    resource = copy.deepcopy(dict(server.resource))
    resource["spec"]["deployment"]["image"] = name
    return replace(server, resource=resource)


def secret_targets(servers: Sequence[Declared]) -> list[Target]:
    """The Secrets whose keys decide, to be read with the servers."""
    return [held for server in servers for held in held_in(server.namespace, _secrets(server))]


def variable_clashes(server: Declared, live: Mapping[ObjectRef, Object]) -> list[Refusal]:
    """Variables that both set; a Secret that is not there, or may not be read, has none."""
    env = as_mapping(server.deployment.get("env"))
    return [
        Refusal.because(
            f"env.{name}",
            f"Secret {server.namespace}/{secret.name} sets this variable too, and env would override it",
            "Remove it from env, or from the Secret.",
        )
        for secret in _secrets(server)
        for name in sorted(as_mapping((live.get(ref_of(server.namespace, secret)) or {}).get("data")))
        if name in env
    ]


def declared(objects: Iterable[Any]) -> dict[ObjectRef, Object]:
    """The Secrets among objects that somebody declares, as they will be: with the keys of both fields in one."""
    found: dict[ObjectRef, Object] = {}
    for one in objects:
        metadata = as_mapping(one.get("metadata")) if isinstance(one, Mapping) and one.get("kind") == "Secret" else {}
        if metadata.get("name") and metadata.get("namespace"):
            ref = ObjectRef("v1", "Secret", str(metadata["name"]), str(metadata["namespace"]))
            found[ref] = {"data": {**as_mapping(one.get("data")), **as_mapping(one.get("stringData"))}}
    return found


def hidden(servers: Iterable[Any], namespace: Any, objects: Iterable[Any], variable: str) -> Iterator[tuple[str, str]]:
    """The same of servers and Secrets as a host's variables declare them, where these have the types that they need."""
    secrets = declared(objects)
    for index, one in enumerate(servers if secrets else ()):
        given = one if isinstance(one, Mapping) else {}
        options = {key: given[key] for key in _READ if given.get(key) is not None}
        options.setdefault("namespace", namespace)
        if not all(isinstance(value, _READ[key]) for key, value in options.items()):
            continue
        server = Declared(f"{variable}[{index}]", options, server_resource(options))
        for clash in variable_clashes(server, secrets):
            yield f"{server.where}.{clash.path}", f"{clash.sentence}. {clash.remedy}"


def _secrets(server: Declared) -> list[Reference]:
    if not server.deployment.get("env"):
        return []
    return [
        Reference(SECRET, str(one["name"]))
        for one in as_mappings(server.deployment.get("secretRefs"))
        if one.get("name")
    ]


OPTION = "roll_on_config_change"


def follows_config(server: Declared) -> bool:
    """Whether this server's pods are replaced when what they use has changed."""
    return server.options.get(OPTION) is not False


def used_references(resource: Mapping[str, Any]) -> tuple[Reference, ...]:
    """What the pods that KMCP makes of a server use, beside KMCP's own ConfigMap."""
    deployment = as_mapping(resource["spec"].get("deployment"))
    maps = [{"configMap": {"name": ref.get("name")}} for ref in as_mappings(deployment.get("configMapRefs"))]
    secrets = [{"secretRef": ref} for ref in as_mappings(deployment.get("secretRefs"))]
    return config_digest.pod_references(
        {
            "containers": [{"envFrom": secrets}, *as_mappings(deployment.get("sidecars"))],
            "volumes": [*maps, *as_mappings(deployment.get("volumes"))],
        }
    )


def config_targets(servers: Sequence[Declared]) -> list[Target]:
    """The Secrets and ConfigMaps that servers use, to be read with the servers."""
    found = {
        held.ref: held
        for server in servers
        if follows_config(server)
        for held in rotation.held_in(server.namespace, used_references(server.resource))
    }
    return list(found.values())


def with_records(
    kube: Kube,
    task: Task,
    servers: Sequence[Declared],
    live: Mapping[ObjectRef, Object],
    unreadable: Collection[ObjectRef],
) -> tuple[list[Declared], dict[tuple[str, str], Record]]:
    """The servers with the record of what they use, and the records."""
    if unreadable:
        task.warn(rotation.unreadable_warning(unreadable, OPTION))
    before = rotation.content_digests([held.ref for held in config_targets(servers)], live, unreadable)
    related = rotation.UsedObjects({**before, **rotation.ContentMemory(kube, task).recall(before)}, before)
    records = {}
    marked = []
    for server in servers:
        existing = _current_record(live.get(_identity(server)))
        if follows_config(server):
            record = rotation.record_for(server.namespace, used_references(server.resource), related, existing)
        else:
            record = existing or Record()
        records[server.key] = record
        marked.append(replace(server, resource=_with_record(server.resource, record)))
    return marked, records


def rotation_notes(server: Declared, record: Record, *, dry: bool) -> tuple[str, ...]:
    """Why the pods of a server are replaced."""
    return (rotation.rotation_note(server.label, record, dry=dry),) if record.rolled else ()


def with_restart(server: Declared, observed: ObservedServer, *, repaired: bool) -> Declared:
    """The server with the restart that was asked for last, if this run makes KMCP write its Deployment.

    Without another change nothing is written: a restart alone is no difference.
    """
    annotations = server.deployment.get("annotations") or {}
    if observed.server is None or RESTARTED_AT in annotations:
        return server
    in_spec = _annotations(observed.server["spec"].get("deployment")).get(RESTARTED_AT)
    kept = server if in_spec is None else _with_annotation(server, in_spec)
    template = ((observed.children.get("Deployment") or {}).get("spec") or {}).get("template") or {}
    asked = _annotations(template.get("metadata")).get(RESTARTED_AT)
    if asked is None or asked == in_spec or not (repaired or is_written(observed.server, kept)):
        return kept
    return _with_annotation(server, asked)


def is_written(live: Mapping[str, Any], server: Declared) -> bool:
    """Whether applying the server changes it; what the API server has only completed is no change."""
    declared = dict(server.resource)
    existing = live["metadata"].get("labels") or {}
    labels = declared["metadata"].get("labels") or {}
    return bool(
        dropped_leaves(declared, live, UNKNOWN)
        or any(existing.get(name) != value for name, value in labels.items())
        or undeclared_own(live, declared, FIELD_MANAGER)
        or foreign_fields(live, {FIELD_MANAGER, "helm"})
    )


def _with_annotation(server: Declared, value: str) -> Declared:
    annotations = {**(server.deployment.get("annotations") or {}), RESTARTED_AT: value}
    return replace(
        server, resource=_with_deployment(server.resource, {**server.deployment, "annotations": annotations})
    )


def _with_record(resource: Mapping[str, Any], record: Record) -> dict[str, Any]:
    whole = _with_deployment(resource, record.in_template(resource["spec"]["deployment"]))
    return {**whole, "metadata": record.on_workload(resource["metadata"])}


def _with_deployment(resource: Mapping[str, Any], deployment: Mapping[str, Any]) -> dict[str, Any]:
    return {**resource, "spec": {**resource["spec"], "deployment": deployment}}


def _current_record(live: Mapping[str, Any] | None) -> Record | None:
    if live is None or live["metadata"].get("deletionTimestamp"):
        return None
    return Record(
        recorded_in(_annotations(live["spec"].get("deployment"))), recorded_in(live["metadata"].get("annotations"))
    )


def _annotations(holder: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (holder or {}).get("annotations") or {}


def _identity(server: Declared) -> ObjectRef:
    return ObjectRef(server.resource["apiVersion"], server.resource["kind"], server.name, server.namespace)


# fields in which anything of a pod can stand; all others are judged before the first request
_PARTS_OF_PODS = ("volumes", "volumeMounts", "sidecars", "tolerations", "affinity", "initContainer", "resources")
_INVALID = 422
DEPLOYMENTS = CHILDREN["Deployment"]
_LONGEST_PREFIX = 50


def refused_deployments(
    kube: Kube, servers: Sequence[Declared], observed_servers: Mapping[Key, ObservedServer]
) -> dict[Key, ServiceError]:
    """Why Kubernetes would refuse the Deployments of those servers that are about to be written."""
    asked = [
        server
        for server in servers
        for live in [observed_servers[server.key].server]
        if _has_parts(server) and (live is None or is_written(live, server))
    ]
    answers = map_concurrently(lambda server: _answer(kube, server), asked)
    return {server.key: answer for server, answer in zip(asked, answers) if answer is not None}


def trial_deployment(server: Mapping[str, Any]) -> dict[str, Any]:
    """The whole Deployment of a server, under a name that the API server makes up."""
    name, namespace = server["metadata"]["name"], server["metadata"]["namespace"]
    stub = {"apiVersion": DEPLOYMENTS.api_version, "metadata": {"name": name, "namespace": namespace}}
    body = expected_child("Deployment", server, stub)
    body["spec"]["template"]["spec"]["containers"][0].setdefault("image", MADE_BY_KMCP)
    return {**body, "metadata": {"generateName": f"{name[:_LONGEST_PREFIX]}-", "namespace": namespace}}


def _has_parts(server: Declared) -> bool:
    declared = server.deployment
    return (
        any(declared.get(field) for field in _PARTS_OF_PODS)
        or declared.get("securityContext") != CONTAINER_SECURITY
        or declared.get("podSecurityContext") != POD_SECURITY
    )


def _answer(kube: Kube, server: Declared) -> ServiceError | None:
    try:
        kube.request(
            "POST",
            DEPLOYMENTS.path(server.namespace),
            query={"dryRun": "All", "fieldManager": "mcpops"},
            body=trial_deployment(server.resource),
            quiet=True,
            action=f"{server.label}: Kubernetes would refuse the Deployment that KMCP makes of it",
        )
    except ServiceError as failure:
        return failure if failure.status == _INVALID else None
    return None
