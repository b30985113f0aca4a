# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about single MCP servers that their own status hides: what it says and what stands, side by side. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children, unreadable
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import CRD
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.facts import facts_of
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import (
    known_fields,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_findings import (
    STATUS,
    Evidence,
    Finding,
    LogOf,
    of_reason,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_services import slices_by_service
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import Structure
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import Object, condition, subject
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import WARNING, reason
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.url_path import DEFAULT_PORT
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join
from ansible_collections.mcpops.platform.plugins.module_utils.text import listed

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# children whose absence a server does not survive, of those that diagnosis reads
_NEEDED = ("Deployment", "Service")
# options and variables that name the port a program serves MCP at (--port 8080, --http-port=8080, PORT, and those of
# FastMCP and uvicorn); other ports (--metrics-port, DB_PORT) are of something else
_PORT_OPTION = re.compile(r"--(?:(?:http|server|listen|mcp)-)?port(?:=(\d{1,5}))?")
_PORT_VARIABLE = re.compile(r"(?:(?:HTTP|SERVER|LISTEN|MCP|FASTMCP|UVICORN)_)?PORT")
SHOWN_FIELDS = 8


def lacking_fields(structure: Structure) -> list[str]:
    """Fields of an MCPServer that options of mcp_server are about and that a definition does not have."""
    if not structure.field("spec").is_known:
        return []
    return [path for path in known_fields() if not _has(structure, path.split("."))]


def of_definition(snapshot: Snapshot) -> Iterator[Finding]:
    lacking = facts_of(snapshot).lacking
    if not lacking:
        return
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD},
    }
    told = f"lacks {listed(lacking, SHOWN_FIELDS)}: whoever declares them finds nothing of it, and no error"
    yield of_reason(definition, reason(subject(definition), "OldDefinition", told))


def of_servers(snapshot: Snapshot, servers: Sequence[Object], controllers: Sequence[Object]) -> Iterator[Finding]:
    """Servers that nothing holds up: what is wrong with each beyond what its status admits."""
    yield from of_unreadable(snapshot, controllers)
    for one in servers:
        yield from _pruned(one, facts_of(snapshot).lacking)
        if server_children.is_reconciled(one):
            yield from _sticky(snapshot, one)


def of_unreadable(snapshot: Snapshot, controllers: Sequence[Object]) -> Iterator[Finding]:
    """The one server that stops the controller for all of them, wherever it is."""
    for one in snapshot.all("MCPServer"):
        for found in unreadable.unreadable_servers([one]):
            behind = [item for item in snapshot.all("MCPServer") if item is not one and _waits(item)]
            evidence = tuple(Evidence(STATUS, f"{subject(item)} waits for it") for item in behind[:SHOWN_FIELDS])
            yield of_reason(one, found, evidence=evidence, log_of=_log_of(snapshot, controllers))


def port_of(server: Object) -> int:
    """Where KMCP's Service leads."""
    return int(_deployment(server).get("port") or DEFAULT_PORT)


def ports_said(server: Object) -> list[str]:
    """What the server's own settings say of its port, where that is another number than the Service's."""
    spec, deployment, port = server.get("spec") or {}, _deployment(server), port_of(server)
    said = []
    target = (spec.get("httpTransport") or {}).get("targetPort")
    if spec.get("transportType") == "http" and target not in (None, 0, port):
        said.append(f"httpTransport.targetPort is {target}, and KMCP's Service leads to deployment.port, {port}")
    arguments = [str(one) for one in deployment.get("args") or []]
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        named = _PORT_OPTION.fullmatch(argument)
        number = (named[1] or following) if named else ""
        if number.isdigit() and int(number) != port:
            said.append(f"its arguments set {argument if named and named[1] else f'{argument} {following}'}")
    for name, value in sorted((deployment.get("env") or {}).items()):
        if _PORT_VARIABLE.fullmatch(name) and str(value).isdigit() and int(value) != port:
            said.append(f"its environment sets {name}={value}")
    return said if spec.get("transportType") == "http" else []


def ports(server: Object) -> Iterator[Finding]:
    """Ports that do not agree, of a server that nobody asked: it may listen on the right one all the same."""
    said = ports_said(server)
    if said:
        told = f"declares more than one port: {'; '.join(said)}"
        found = reason(subject(server), "PortMismatch", told)
        yield of_reason(server, found, severity=WARNING, evidence=tuple(Evidence(STATUS, one) for one in said))


def _sticky(snapshot: Snapshot, server: Object) -> Iterator[Finding]:
    ready = condition(server, "Ready")
    if ready is None or ready.get("status") != "True":
        return
    namespace, name = str(server["metadata"].get("namespace")), str(server["metadata"]["name"])
    children = {kind: child(snapshot, kind, namespace, name) for kind in _NEEDED if snapshot.knows(kind)}
    missing = [kind for kind, item in children.items() if item is None]
    since = str(ready.get("lastTransitionTime") or "")
    evidence = [
        Evidence(STATUS, f"Ready=True since {since or 'an unknown time'}: {ready.get('message') or ''}".strip(": "))
    ]
    if missing:
        wrong = f"its {' and its '.join(missing)} {'do' if len(missing) > 1 else 'does'} not exist"
    else:
        wrong, more = _not_running(snapshot, children.get("Deployment"), namespace, name)
        evidence += more
    if wrong:
        told = f"reports Ready, and {wrong}: KMCP does not look at it again"
        yield of_reason(server, reason(subject(server), "StickyReady", told), evidence=tuple(evidence))


def _not_running(
    snapshot: Snapshot, deployment: Object | None, namespace: str, name: str
) -> tuple[str, list[Evidence]]:
    """What is wrong with a Deployment for longer than is normal, and what shows it."""
    if deployment is None:
        return "", []
    wanted = int((deployment.get("spec") or {}).get("replicas", 1))
    status = deployment.get("status") or {}
    available = int(status.get("availableReplicas", 0) or 0)
    if wanted == 0:
        return "its Deployment is scaled to none", []
    stands = condition(deployment, "Available") or {}
    if available < wanted and snapshot.lasting("StickyReady", deployment, stands.get("lastTransitionTime")):
        more = [Evidence(STATUS, str(stands["message"]))] if stands.get("message") else []
        return f"{available} of {wanted} replicas of its Deployment are available", more
    slices = slices_by_service(snapshot).get((namespace, name), [])
    leads = any(
        (end.get("conditions") or {}).get("ready") is not False for one in slices for end in one.get("endpoints") or []
    )
    if available and snapshot.complete("EndpointSlice") and not leads and snapshot.lasting("StickyReady", deployment):
        return "its Service selects none of its pods", []
    return "", []


def _pruned(server: Object, lacking: Sequence[str]) -> Iterator[Finding]:
    """What kubectl noted as applied and the API server did not store."""
    text = (server["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        applied = json.loads(text) if text else {}
    except ValueError:
        return
    spec = applied.get("spec") if isinstance(applied, Mapping) else None
    if not isinstance(spec, Mapping):
        return
    gone = list(_missing(spec, server.get("spec") or {}, "spec"))
    if gone:
        old = [path for path in gone if any(path == one or path.startswith(f"{one}.") for one in lacking)]
        why = "the definition does not have them" if old else "it has no such fields, or they were removed since"
        told = f"was applied with {listed(gone, SHOWN_FIELDS)}, and lacks: {why}"
        yield of_reason(server, reason(subject(server), "FieldsPruned", told))


def _missing(applied: Mapping[str, Any], stored: Any, path: str) -> Iterator[str]:
    """The topmost fields that were applied and do not stand; empty values are not stored and say nothing."""
    for key, value in applied.items():
        here = join(path, str(key))
        if value in (None, "", {}, []) or isinstance(value, bool):
            continue
        if not isinstance(stored, Mapping) or key not in stored:
            yield here
        elif isinstance(value, Mapping):
            yield from _missing(value, stored[key], here)


def _has(structure: Structure, route: Sequence[str]) -> bool:
    for step in route:
        if not structure.has(step):
            return False
        structure = structure.field(step)
    return True


def child(snapshot: Snapshot, kind: str, namespace: str, name: str) -> Object | None:
    """What KMCP made of the server of this name."""
    for one in snapshot.all(kind):
        if one["metadata"].get("name") == name and one["metadata"].get("namespace") == namespace:
            return one
    return None


def _log_of(snapshot: Snapshot, controllers: Sequence[Object]) -> LogOf | None:
    """The log that says what the controller cannot read."""
    for deployment in controllers:
        place, name = deployment["metadata"].get("namespace"), deployment["metadata"]["name"]
        for pod in snapshot.all("Pod"):
            metadata = pod["metadata"]
            if metadata.get("namespace") == place and str(metadata["name"]).startswith(f"{name}-"):
                containers = (pod.get("spec") or {}).get("containers") or [{}]
                return LogOf(str(place), str(metadata["name"]), str(containers[0].get("name") or ""))
    return None


def _waits(server: Object) -> bool:
    return not server_children.is_reconciled(server)


def _deployment(server: Object) -> Mapping[str, Any]:
    return (server.get("spec") or {}).get("deployment") or {}
