# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the KMCP controller and the MCP servers it keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    controllers,
    server_answers,
    server_children,
    server_diagnosis,
    server_stdio,
    unreadable,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import API_VERSION, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.domain import NAME
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.facts import Facts, facts_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_findings import (
    Evidence,
    Finding,
    of_reason,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    condition,
    subject,
    told,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import reason
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

_REFUSALS = {
    "Accepted": ("NotAccepted", "KMCP does not accept it"),
    "Programmed": ("NotProgrammed", "KMCP cannot make its objects"),
}


def _brings_adapter(found: Finding) -> bool:
    owners = found.item["metadata"].get("ownerReferences") or []
    return found.part == server_stdio.ADAPTER_CONTAINER and any(one.get("kind") == "MCPServer" for one in owners)


def about_adapter(found: Finding) -> Finding:
    """A finding about pods; of the container that brings a stdio server's adapter what it means there."""
    if not _brings_adapter(found):
        return found
    lead = f"container {found.part}: "
    message, advice = server_stdio.adapter_words(found.code, found.summary.removeprefix(lead))
    return replace(found, summary=lead + message, advice=advice or found.advice)


def findings(snapshot: Snapshot) -> list[Finding]:
    """The controller first: while it is down, servers that wait for it are its evidence and no faults of their own."""
    if not snapshot.knows("MCPServer"):
        return []
    servers = snapshot.of("MCPServer")
    behind = [one for one in servers if not server_children.is_reconciled(one)]
    down = list(_controller(snapshot, servers, behind))
    running = controllers.told_apart(snapshot.all("Deployment"), facts_of(snapshot).keepers).found
    own = list(server_diagnosis.of_servers(snapshot, servers, running))
    culprits = tuple(one.identifier for one in own if one.code == unreadable.UNREADABLE)
    held_up = [one for one in behind if not unreadable.unreadable_fields(one)]
    return [
        *down,
        *([] if down else _behind(snapshot, held_up, culprits)),
        *_refused(servers),
        *own,
        *server_diagnosis.of_definition(snapshot),
        *server_answers.findings(snapshot, servers),
    ]


def observe(task: Task, kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what lists do not have: fields that the definition lacks, who may be the controller, answers.

    The API server is asked who the controller is where names do not tell. Servers are asked with `probe` only.
    """
    facts = Facts()
    if snapshot.of("MCPServer"):
        facts = replace(facts, lacking=server_diagnosis.lacking_fields(kube.structure(API_VERSION, KIND)))
        if _sees_controllers(snapshot):
            facts = replace(facts, keepers=controllers.reviews(kube, snapshot.all("Deployment")))
    unread = dict(snapshot.unread)
    if task.params.get("probe"):
        answers = server_answers.ask(task, snapshot, task.params.get("probe_servers") or [])
        facts = replace(facts, answers=answers)
        silent = server_answers.unread(answers)
        unread |= {"answers of MCP servers": silent} if silent else {}
    return replace(snapshot, facts={**snapshot.facts, NAME: facts}, unread=unread)


def _sees_controllers(snapshot: Snapshot) -> bool:
    """Without the Deployments of all namespaces, a controller that is not seen may be elsewhere."""
    return snapshot.complete("Deployment") and (snapshot.namespaces is None or snapshot.knows("Node"))


def _controller(snapshot: Snapshot, servers: list[Object], behind: list[Object]) -> Iterator[Finding]:
    if not _sees_controllers(snapshot):
        return
    running = controllers.told_apart(snapshot.all("Deployment"), facts_of(snapshot).keepers)
    waiting = tuple(Evidence("status", f"{subject(one)} waits for it") for one in behind)
    if not running.found and servers and running.sure:
        nobody = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kmcp-controller-manager"}}
        yield of_reason(
            nobody,
            reason(
                subject(nobody), "ControllerDown", f"{len(servers)} MCP servers, and no KMCP controller in this cluster"
            ),
            evidence=waiting,
        )
    if running.available:
        return
    for one in running.found:
        wanted = (one.get("spec") or {}).get("replicas", 1)
        why = "it is scaled to none" if wanted == 0 else f"none of its {wanted} replicas is available"
        yield of_reason(
            one, reason(subject(one), "ControllerDown", f"the KMCP controller does not run: {why}"), evidence=waiting
        )


def _behind(snapshot: Snapshot, servers: list[Object], culprits: tuple[str, ...]) -> Iterator[Finding]:
    for one in servers:
        if snapshot.lasting("ControllerBehind", one):
            seen = (one.get("status") or {}).get("observedGeneration", "none")
            stands = f"KMCP has seen generation {seen}, and {one['metadata'].get('generation')} is the latest"
            hint = "Deal with what it follows from." if culprits else None
            found = reason(subject(one), "ControllerBehind", stands, hint=hint)
            yield of_reason(one, found, caused_by=culprits)


def _refused(servers: list[Object]) -> Iterator[Finding]:
    for one in servers:
        for name, (code, words) in _REFUSALS.items():
            found = condition(one, name)
            if found is not None and found.get("status") == "False" and server_children.is_reconciled(one):
                yield of_reason(one, reason(subject(one), code, f"{words}: {told(found)}"))
                break
