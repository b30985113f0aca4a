# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the KMCP controller and its MCP servers.

Also those that only a call can make, and faults of single servers that their own status hides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..kube.client import Kube
from ..kube.diagnosis.cluster import slices_by_service
from ..kube.diagnosis.snapshot import CALL, STATUS, Evidence, Finding, LogOf, Snapshot, of_reason
from ..kube.readiness.reasons import WARNING, Object, condition_of, condition_text, make_reason, subject_of
from ..kube.schema import Structure
from ..mcp import http_client, mcp_probe
from ..mcp.verdicts import Code
from ..names import DEFAULT_PATH, path_problem
from ..plan import join
from ..task import SilentTask, Task
from ..text import listed
from . import cluster_state, readiness, server_children, server_fields, server_spec
from .domain import NAME
from .server_spec import API_VERSION, CRD, KIND, Key, key_of, known_fields

TIMEOUT_SECONDS = 10
# what an entry of `servers` may say of how to ask: calls and expectations are verification's
_HOW = ("port", "path", "headers", "via", "era")
# verdict of the probe → code of the finding
_CODES: Mapping[Code, str] = {
    "SessionLost": "SessionLost",
    "Misdirected": "HostRefused",
    "EraMismatch": "EraMismatch",
    "ProtocolVersion": "EraMismatch",
    "ConnectionRefused": "PortMismatch",
}
# what a program that has not started yet looks like, too
_OF_A_START = ("NotAnswering", "PortMismatch")
# verdicts that say nothing of the server, or that findings about pods and Services are about
_SILENT: frozenset[Code] = frozenset(
    (
        *("Unauthorized", "Forbidden", "ProxyForbidden", "ApiUnauthorized", "NoEndpoints", "NoService"),
        *("NoSuchPort", "ClusterPending", "NeedsInput", "Busy"),
    )
)
_NOT_ALLOWED: tuple[Code, ...] = ("ProxyForbidden", "ApiUnauthorized")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# children whose absence a server does not survive, of those that diagnosis reads
_NEEDED = ("Deployment", "Service")
SHOWN_FIELDS = 8


@dataclass(frozen=True)
class Facts:
    """The part of a snapshot's `facts` that is KMCP's."""

    keepers: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """Whether a service account may write the status of MCPServers, where names do not tell the controller."""
    lacking: Sequence[str] = ()
    """Fields that the definition of MCPServer should have and lacks."""
    answers: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """What MCP servers answered, by namespace and name, as mcp_probe reports it; empty when none was asked."""


def facts_of(snapshot: Snapshot) -> Facts:
    return snapshot.facts.get(NAME) or Facts()


def ask_servers(task: Task, snapshot: Snapshot, hints: Sequence[Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
    """What each server that can be asked answers, as a row of mcp_probe."""
    entries = [_entry(one, hints) for one in snapshot.of("MCPServer") if _can_be_asked(snapshot, one)]
    if not entries:
        return {}
    params = {**task.params, "servers": entries, "timeout": TIMEOUT_SECONDS, "wait_timeout": 0}
    # as in check mode it asks once and calls no tool
    result = mcp_probe.converge(SilentTask(task, params, check_mode=True, tells_progress=True))
    return {(str(row["namespace"]), str(row["name"])): row for row in result.values["servers"]}


def answer_findings(snapshot: Snapshot, servers: Sequence[Object]) -> Iterator[Finding]:
    """What the answers show; of servers that were not asked, what their declaration alone shows."""
    for one in servers:
        key = key_of(one)
        row = facts_of(snapshot).answers.get(key)
        if row is None:
            yield from port_findings(one)
        elif not row.get("reachable"):
            yield from _of_error(snapshot, one, row.get("error") or {})


def unread_note(answers: Mapping[Key, Mapping[str, Any]]) -> str:
    """Why servers were not asked, for want of rights."""
    refused = [row for row in answers.values() if (row.get("error") or {}).get("code") in _NOT_ALLOWED]
    return "may not be asked through the API server's proxy" if refused else ""


def _of_error(snapshot: Snapshot, server: Object, error: Mapping[str, Any]) -> Iterator[Finding]:
    verdict: Code = error["code"]
    stated = str(error.get("message"))
    if verdict in _SILENT:
        return
    code = _CODES.get(verdict, "NotAnswering")
    if code in _OF_A_START and not _has_started(snapshot, server):
        yield from port_findings(server)
        return
    port = readiness.port_of(server)
    evidence = [Evidence(CALL, f"asked at port {port} of its Service ({verdict}): {stated}")]
    if code == "PortMismatch":
        declared = readiness.declared_ports(server)
        evidence += [Evidence(STATUS, one) for one in declared]
        stated = f"does not listen on port {port}, where KMCP's Service leads{f': {declared[0]}' if declared else ''}"
    yield of_reason(
        server,
        make_reason(subject_of(server), code, stated, hint=str(error.get("hint") or "") or None),
        evidence=tuple(evidence),
    )


def _can_be_asked(snapshot: Snapshot, server: Object) -> bool:
    """Its pods run: of one that does not, other findings say why."""
    if server["metadata"].get("deletionTimestamp") or not server_children.is_reconciled(server):
        return False
    deployment = child_of(snapshot, "Deployment", *key_of(server))
    return deployment is not None and cluster_state.is_available(deployment)


def _has_started(snapshot: Snapshot, server: Object) -> bool:
    """Whether its pods have been there for longer than a program takes to listen: KMCP gives them no probes."""
    deployment = child_of(snapshot, "Deployment", *key_of(server))
    if deployment is None:
        return snapshot.lasting("NotAnswering", server)
    since = (condition_of(deployment, "Available") or {}).get("lastTransitionTime")
    return snapshot.lasting("NotAnswering", deployment, since) and snapshot.lasting("NotAnswering", server)


def _entry(server: Object, hints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where to ask a server, and what somebody says of how; the first entry of its name that has no address counts."""
    namespace, name = key_of(server)
    path = str(((server.get("spec") or {}).get("httpTransport") or {}).get("path") or DEFAULT_PATH)
    entry: dict[str, Any] = {"name": name, "namespace": namespace, "port": readiness.port_of(server)}
    # the API server stores any text, and nobody but clients reads it: one server must not end the diagnosis of all
    entry["path"] = DEFAULT_PATH if path_problem(path) or http_client.is_ambiguous_path(path) else path
    for hint in hints:
        if hint.get("name") == name and hint.get("namespace") in (None, namespace) and not hint.get("url"):
            entry |= {key: hint[key] for key in _HOW if hint.get(key) is not None}
            break
    return entry


def _brings_adapter(found: Finding) -> bool:
    owners = found.item["metadata"].get("ownerReferences") or []
    return found.part == server_spec.ADAPTER_CONTAINER and any(one.get("kind") == "MCPServer" for one in owners)


def about_adapter(found: Finding) -> Finding:
    """A finding about pods; of the container that brings a stdio server's adapter what it means there."""
    if not _brings_adapter(found):
        return found
    lead = f"container {found.part}: "
    message, advice = server_spec.adapter_message(found.code, found.summary.removeprefix(lead))
    return replace(found, summary=lead + message, advice=advice or found.advice)


def kmcp_findings(snapshot: Snapshot) -> list[Finding]:
    """The controller first: while it is down, servers that wait for it are its evidence and no faults of their own."""
    if not snapshot.knows("MCPServer"):
        return []
    servers = snapshot.of("MCPServer")
    behind = [one for one in servers if not server_children.is_reconciled(one)]
    down = list(_controller(snapshot, servers, behind))
    running = cluster_state.identify_controllers(snapshot.all("Deployment"), facts_of(snapshot).keepers).found
    own = list(server_findings(snapshot, servers, running))
    culprits = tuple(one.identifier for one in own if one.code == server_fields.UNREADABLE)
    held_up = [one for one in behind if not server_fields.unreadable_fields(one)]
    return [
        *down,
        *([] if down else _behind(snapshot, held_up, culprits)),
        *_refused(servers),
        *own,
        *crd_findings(snapshot),
        *answer_findings(snapshot, servers),
    ]


def observe(task: Task, kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what lists do not have: fields that the definition lacks, who may be the controller, answers.

    The API server is asked who the controller is where names do not tell. Servers are asked with `probe` only.
    """
    facts = Facts()
    if snapshot.of("MCPServer"):
        facts = replace(facts, lacking=missing_fields(kube.structure(API_VERSION, KIND)))
        if _sees_controllers(snapshot):
            facts = replace(facts, keepers=cluster_state.access_reviews(kube, snapshot.all("Deployment")))
    unread = dict(snapshot.unread)
    if task.params.get("probe"):
        answers = ask_servers(task, snapshot, task.params.get("probe_servers") or [])
        facts = replace(facts, answers=answers)
        silent = unread_note(answers)
        unread |= {"answers of MCP servers": silent} if silent else {}
    return replace(snapshot, facts={**snapshot.facts, NAME: facts}, unread=unread)


def _sees_controllers(snapshot: Snapshot) -> bool:
    """Without the Deployments of all namespaces, a controller that is not seen may be elsewhere."""
    return snapshot.complete("Deployment") and (snapshot.namespaces is None or snapshot.knows("Node"))


def _controller(snapshot: Snapshot, servers: list[Object], behind: list[Object]) -> Iterator[Finding]:
    if not _sees_controllers(snapshot):
        return
    running = cluster_state.identify_controllers(snapshot.all("Deployment"), facts_of(snapshot).keepers)
    waiting = tuple(Evidence("status", f"{subject_of(one)} waits for it") for one in behind)
    if not running.found and servers and running.sure:
        nobody = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kmcp-controller-manager"}}
        yield of_reason(
            nobody,
            make_reason(
                subject_of(nobody),
                "ControllerDown",
                f"{len(servers)} MCP servers, and no KMCP controller in this cluster",
            ),
            evidence=waiting,
        )
    if running.available:
        return
    for one in running.found:
        wanted = (one.get("spec") or {}).get("replicas", 1)
        why = "it is scaled to none" if wanted == 0 else f"none of its {wanted} replicas is available"
        yield of_reason(
            one,
            make_reason(subject_of(one), "ControllerDown", f"the KMCP controller does not run: {why}"),
            evidence=waiting,
        )


def _behind(snapshot: Snapshot, servers: list[Object], culprits: tuple[str, ...]) -> Iterator[Finding]:
    for one in servers:
        if snapshot.lasting("ControllerBehind", one):
            seen = (one.get("status") or {}).get("observedGeneration", "none")
            stands = f"KMCP has seen generation {seen}, and {one['metadata'].get('generation')} is the latest"
            hint = "Deal with what it follows from." if culprits else None
            found = make_reason(subject_of(one), "ControllerBehind", stands, hint=hint)
            yield of_reason(one, found, caused_by=culprits)


def _refused(servers: list[Object]) -> Iterator[Finding]:
    for one in servers:
        refused = readiness.refusal_of(one) if server_children.is_reconciled(one) else None
        if refused is not None:
            code, words = readiness.REFUSALS[refused[0]]
            yield of_reason(one, make_reason(subject_of(one), code, f"{words}: {condition_text(refused[1])}"))


def missing_fields(structure: Structure) -> list[str]:
    """Fields of an MCPServer that options of mcp_server are about and that a definition does not have."""
    if not structure.field("spec").is_known:
        return []
    return [path for path in known_fields() if not _has(structure, path.split("."))]


def crd_findings(snapshot: Snapshot) -> Iterator[Finding]:
    lacking = facts_of(snapshot).lacking
    if not lacking:
        return
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD},
    }
    reported = f"lacks {listed(lacking, SHOWN_FIELDS)}: whoever declares them finds nothing of it, and no error"
    yield of_reason(definition, make_reason(subject_of(definition), "OldDefinition", reported))


def server_findings(snapshot: Snapshot, servers: Sequence[Object], controllers: Sequence[Object]) -> Iterator[Finding]:
    """Servers that nothing holds up: what is wrong with each beyond what its status admits."""
    yield from unreadable_findings(snapshot, controllers)
    for one in servers:
        yield from _pruned(one, facts_of(snapshot).lacking)
        if server_children.is_reconciled(one):
            yield from _sticky(snapshot, one)


def unreadable_findings(snapshot: Snapshot, controllers: Sequence[Object]) -> Iterator[Finding]:
    """The one server that stops the controller for all of them, wherever it is."""
    for one in snapshot.all("MCPServer"):
        for found in server_fields.unreadable_servers([one]):
            behind = [
                item
                for item in snapshot.all("MCPServer")
                if item is not one and not server_children.is_reconciled(item)
            ]
            evidence = tuple(Evidence(STATUS, f"{subject_of(item)} waits for it") for item in behind[:SHOWN_FIELDS])
            yield of_reason(one, found, evidence=evidence, log_of=_log_of(snapshot, controllers))


def port_findings(server: Object) -> Iterator[Finding]:
    """Ports that do not agree, of a server that nobody asked: it may listen on the right one all the same."""
    stated = readiness.declared_ports(server)
    if stated:
        reported = f"declares more than one port: {'; '.join(stated)}"
        found = make_reason(subject_of(server), "PortMismatch", reported)
        yield of_reason(server, found, severity=WARNING, evidence=tuple(Evidence(STATUS, one) for one in stated))


def _sticky(snapshot: Snapshot, server: Object) -> Iterator[Finding]:
    ready = condition_of(server, "Ready")
    if ready is None or ready.get("status") != "True":
        return
    namespace, name = str(server["metadata"].get("namespace")), str(server["metadata"]["name"])
    children = {kind: child_of(snapshot, kind, namespace, name) for kind in _NEEDED if snapshot.knows(kind)}
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
        reported = f"reports Ready, and {wrong}: KMCP does not look at it again"
        yield of_reason(server, make_reason(subject_of(server), "StickyReady", reported), evidence=tuple(evidence))


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
    stands = condition_of(deployment, "Available") or {}
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
        reported = f"was applied with {listed(gone, SHOWN_FIELDS)}, and lacks: {why}"
        yield of_reason(server, make_reason(subject_of(server), "FieldsPruned", reported))


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


def child_of(snapshot: Snapshot, kind: str, namespace: str, name: str) -> Object | None:
    """What KMCP made of the server of this name."""
    return next((one for one in snapshot.all(kind) if key_of(one) == (namespace, name)), None)


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
