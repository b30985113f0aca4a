# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an MCP server really runs. No input or output.

The resource's own condition Ready is no help: it comes late, stays True when pods crash or children are deleted,
and right after a change it still speaks of the old pods. So the children themselves are judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_template import MADE_BY_KMCP
from ansible_collections.mcpops.platform.plugins.module_utils.kube import readiness
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.settling import settling
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change

Object = Mapping[str, Any]

NOT_RECONCILED = "NotReconciled"
NOT_REPAIRED = "NotRepaired"
# errors of the controller that do not go away by retries
_LASTING = re.compile(r"is invalid|forbidden|immutable|requires a target port|must be specified|unsupported", re.I)


@dataclass(frozen=True)
class Sight:
    """One server as it was observed: the resource, its children by kind, and whether its Service has ready pods."""

    server: Object | None = None
    children: Mapping[str, Object] = field(default_factory=dict)
    has_endpoints: bool | None = None
    pods: Sequence[Object] = ()
    now: datetime | None = None
    """The API server's time before the pods were read."""
    drift: Sequence[Change] = ()
    """How the children differ from what the controller has written."""
    failure: ServiceError | None = None
    """Why the controller could not restore them."""

    @property
    def wants_pods(self) -> bool:
        deployment = self.children.get("Deployment")
        return deployment is None or int(deployment["spec"].get("replicas", 1)) > 0


def judge(label: str, sight: Sight) -> list[Reason]:
    """The first stage that is not reached; empty when the server runs."""
    if sight.server is None:
        return [Reason(label, "Missing", "the resource does not exist")]
    if not server_children.is_reconciled(sight.server):
        return [
            Reason(
                label,
                NOT_RECONCILED,
                "the KMCP controller has not reconciled the latest change yet",
                "Is the controller running? kmcp_install installs it.",
            )
        ]
    refused = _condition_reasons(label, sight.server)
    if refused:
        return refused
    if sight.failure is not None:
        return [Reason(label, "NotRepairable", sight.failure.reason, sight.failure.hint, terminal=True)]
    if sight.drift:
        return [
            Reason(
                label,
                NOT_REPAIRED,
                f"KMCP has not repaired its objects yet: {', '.join(change.path for change in sight.drift)}",
                "Is the controller running? kmcp_install installs it.",
            )
        ]
    waiting = readiness.reasons(sight.children["Deployment"])
    if waiting:
        return waiting
    if sight.wants_pods and sight.has_endpoints is False:
        return [Reason(label, "NoEndpoints", "its pods are ready and its Service has none of them as an endpoint yet")]
    # KMCP gives its pods no probes
    return settling(sight.pods, sight.now)


def only_ownership(differing: Iterable[Change]) -> bool:
    """What is left are leaves that others own, none that is missing or known to have another value."""
    return all(change.before is not ABSENT and change.after in (ABSENT, MADE_BY_KMCP) for change in differing)


def _condition_reasons(label: str, server: Object) -> list[Reason]:
    conditions = {item["type"]: item for item in (server.get("status") or {}).get("conditions") or []}
    accepted, programmed = conditions.get("Accepted"), conditions.get("Programmed")
    if accepted is not None and accepted.get("status") == "False":
        told = str(accepted.get("message") or accepted.get("reason"))
        return [Reason(label, str(accepted.get("reason")), f"KMCP does not accept it: {told}", terminal=True)]
    if programmed is not None and programmed.get("status") == "False":
        told = str(programmed.get("message") or programmed.get("reason"))
        lasting = bool(_LASTING.search(told))
        return [Reason(label, str(programmed.get("reason")), f"KMCP cannot make its objects: {told}", "", lasting)]
    return []
