# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the KMCP controller and the MCP servers it keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children, server_stdio
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

CONTROLLER = {"app.kubernetes.io/name": "kmcp", "control-plane": "controller-manager"}
_REFUSALS = {
    "Accepted": ("NotAccepted", "KMCP does not accept it"),
    "Programmed": ("NotProgrammed", "KMCP cannot make its objects"),
}


def about_adapters(found: list[Finding]) -> list[Finding]:
    """Findings of pods, those of the container that brings a stdio server's adapter told as what they are."""
    return [_about_adapter(one) if _brings_adapter(one) else one for one in found]


def _brings_adapter(found: Finding) -> bool:
    owners = found.item["metadata"].get("ownerReferences") or []
    return found.part == server_stdio.ADAPTER_CONTAINER and any(one.get("kind") == "MCPServer" for one in owners)


def _about_adapter(found: Finding) -> Finding:
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
    return [*down, *([] if down else _behind(snapshot, behind)), *_refused(servers)]


def _controller(snapshot: Snapshot, servers: list[Object], behind: list[Object]) -> Iterator[Finding]:
    # without the Deployments of all namespaces, one that is not seen may be elsewhere
    if not snapshot.complete("Deployment") or (snapshot.namespaces is not None and not snapshot.knows("Node")):
        return
    controllers = [
        one
        for one in snapshot.all("Deployment")
        if CONTROLLER.items() <= ((one["metadata"].get("labels") or {}).items())
    ]
    waiting = tuple(Evidence("status", f"{subject(one)} waits for it") for one in behind)
    if not controllers and servers:
        nobody = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kmcp-controller-manager"}}
        yield of_reason(
            nobody,
            reason(
                subject(nobody), "ControllerDown", f"{len(servers)} MCP servers, and no KMCP controller in this cluster"
            ),
            evidence=waiting,
        )
    if any(int((one.get("status") or {}).get("availableReplicas", 0)) for one in controllers):
        return
    for one in controllers:
        wanted = (one.get("spec") or {}).get("replicas", 1)
        why = "it is scaled to none" if wanted == 0 else f"none of its {wanted} replicas is available"
        yield of_reason(
            one, reason(subject(one), "ControllerDown", f"the KMCP controller does not run: {why}"), evidence=waiting
        )


def _behind(snapshot: Snapshot, servers: list[Object]) -> Iterator[Finding]:
    for one in servers:
        if snapshot.lasting("ControllerBehind", one):
            seen = (one.get("status") or {}).get("observedGeneration", "none")
            stands = f"KMCP has seen generation {seen}, and {one['metadata'].get('generation')} is the latest"
            yield of_reason(one, reason(subject(one), "ControllerBehind", stands))


def _refused(servers: list[Object]) -> Iterator[Finding]:
    for one in servers:
        for name, (code, words) in _REFUSALS.items():
            found = condition(one, name)
            if found is not None and found.get("status") == "False" and server_children.is_reconciled(one):
                yield of_reason(one, reason(subject(one), code, f"{words}: {told(found)}"))
                break
