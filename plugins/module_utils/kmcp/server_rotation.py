# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MCP servers follow the Secrets and ConfigMaps that they use, and keep a restart that somebody has asked for.

KMCP copies `spec.deployment.annotations` into the pod template (0.2.3 and later) and hashes nothing but its own
ConfigMap. It writes the whole template each time it looks at a server, and so takes out what `kubectl rollout restart`
has put in, which restarts the pods once more. When this module makes it look, the restart goes into the MCPServer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import Sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_template import RESTARTED_AT
from ansible_collections.mcpops.platform.plugins.module_utils.kube import references, rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import Record, Standing
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import read as recorded_in
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.one_piece import unkept
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    FIELD_MANAGER,
    foreign_fields,
    undeclared_own,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import Reference, mapping, mappings
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

OPTION = "roll_on_config_change"


def follows(server: Declared) -> bool:
    """Whether this server's pods are replaced when what they use has changed."""
    return server.options.get(OPTION) is not False


def used_by(resource: Mapping[str, Any]) -> tuple[Reference, ...]:
    """What the pods that KMCP makes of a server use, beside KMCP's own ConfigMap."""
    deployment = mapping(resource["spec"].get("deployment"))
    maps = [{"configMap": {"name": ref.get("name")}} for ref in mappings(deployment.get("configMapRefs"))]
    secrets = [{"secretRef": ref} for ref in mappings(deployment.get("secretRefs"))]
    return references.of_pod(
        {
            "containers": [{"envFrom": secrets}, *mappings(deployment.get("sidecars"))],
            "volumes": [*maps, *mappings(deployment.get("volumes"))],
        }
    )


def beside(servers: Sequence[Declared]) -> list[Target]:
    """The Secrets and ConfigMaps that servers use, to be read with the servers."""
    found = {
        held.who: held
        for server in servers
        if follows(server)
        for held in rotation.held_in(server.namespace, used_by(server.resource))
    }
    return list(found.values())


def recorded(
    kube: Kube,
    task: Task,
    servers: Sequence[Declared],
    live: Mapping[Identity, Object],
    unreadable: Collection[Identity],
) -> tuple[list[Declared], dict[tuple[str, str], Record]]:
    """The servers with the record of what they use, and the records."""
    if unreadable:
        task.warn(rotation.unreadable_warning(unreadable, OPTION))
    before = rotation.contents([held.who for held in beside(servers)], live, unreadable)
    around = rotation.Surroundings({**before, **rotation.Memory(kube, task).recall(before)}, before)
    records = {}
    marked = []
    for server in servers:
        standing = _standing(live.get(_identity(server)))
        if follows(server):
            record = rotation.record_for(server.namespace, used_by(server.resource), around, standing)
        else:
            record = standing.kept() if standing is not None else Record()
        records[server.key] = record
        marked.append(replace(server, resource=_with_record(server.resource, record)))
    return marked, records


def notes(server: Declared, record: Record, *, dry: bool) -> tuple[str, ...]:
    """Why the pods of a server are replaced."""
    return (rotation.told(server.label, record, dry=dry),) if record.rolled else ()


def with_restart(server: Declared, sight: Sight, *, repaired: bool) -> Declared:
    """The server with the restart that was asked for last, if this run makes KMCP write its Deployment.

    Without another change nothing is written: a restart alone is no difference.
    """
    annotations = server.deployment.get("annotations") or {}
    if sight.server is None or RESTARTED_AT in annotations:
        return server
    in_spec = _annotations(sight.server["spec"].get("deployment")).get(RESTARTED_AT)
    kept = server if in_spec is None else _with_annotation(server, in_spec)
    template = ((sight.children.get("Deployment") or {}).get("spec") or {}).get("template") or {}
    asked = _annotations(template.get("metadata")).get(RESTARTED_AT)
    if asked is None or asked == in_spec or not (repaired or is_written(sight.server, kept)):
        return kept
    return _with_annotation(server, asked)


def is_written(live: Mapping[str, Any], server: Declared) -> bool:
    """Whether applying the server changes it; what the API server has only completed is no change."""
    declared = dict(server.resource)
    standing = live["metadata"].get("labels") or {}
    labels = declared["metadata"].get("labels") or {}
    return bool(
        unkept(declared, live, UNKNOWN)
        or any(standing.get(name) != value for name, value in labels.items())
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


def _standing(live: Mapping[str, Any] | None) -> Standing | None:
    if live is None or live["metadata"].get("deletionTimestamp"):
        return None
    return Standing(
        recorded_in(_annotations(live["spec"].get("deployment"))), recorded_in(live["metadata"].get("annotations"))
    )


def _annotations(holder: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (holder or {}).get("annotations") or {}


def _identity(server: Declared) -> Identity:
    return Identity(server.resource["apiVersion"], server.resource["kind"], server.name, server.namespace)
