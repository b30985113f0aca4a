# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a mesh registry for its agents, through the API server's proxy, and what its log says of its database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import Reason, ServiceError
from ..http_terms import Response
from ..kube import errors
from ..kube.client import Kube
from ..masking import one_line
from ..secrets import redact
from .registry_readiness import Agent, agents_from

DEFAULT_SERVICE = "mcp-mesh-registry"
DEFAULT_PORT = 8000
TIMEOUT = 10.0
_LATE = "did not answer in time"
# of the registry's PostgreSQL client and of PostgreSQL itself
_AWAITED = re.compile(
    r"connection refused|no such host|i/o timeout|no route to host|connection reset by peer|server misbehaving|EOF"
    r"|the database system is (?:starting up|shutting down|not yet accepting connections|in recovery mode)"
)
_REFUSED = re.compile(
    r"password authentication failed|(?:database|role) \S+ does not exist|no pg_hba\.conf entry|SSL is not enabled"
    r"|permission denied for|too many (?:connections|clients)"
)
_FAILED = re.compile(r"(?:failed to (?:initialize|ping|connect to) (?:the )?database|database)[^\n]*")
_ENDS = frozenset({"CrashLoop", "Crashed", "Crashing"})


@dataclass(frozen=True)
class Registry:
    """The Service of a registry, or one of the pods behind it."""

    namespace: str
    service: str = DEFAULT_SERVICE
    port: int = DEFAULT_PORT
    pod: str = ""

    @property
    def label(self) -> str:
        return f"mesh registry {self.namespace}/{self.service}"

    @property
    def agents_path(self) -> str:
        """Of all its addresses the only one that tells whether it works.

        /health is a constant, and a HEAD of /heartbeat/ID counts as a sign of life of the agent.
        """
        behind = f"pods/http:{self.pod}" if self.pod else f"services/http:{self.service}"
        return f"/api/v1/namespaces/{self.namespace}/{behind}:{self.port}/proxy/agents"

    def way_to(self, endpoint: str) -> str:
        """Where the registry itself asks an agent for something that it has not: its proxy leads to endpoints that are
        registered, and to paths below /mcp/ alone."""
        behind = f"services/http:{self.service}:{self.port}/proxy"
        return f"/api/v1/namespaces/{self.namespace}/{behind}/proxy/{urlsplit(endpoint).netloc}/mcp/nothing"


@dataclass(frozen=True)
class Answer:
    """What the registry said; without agents, why it said nothing."""

    agents: tuple[Agent, ...] = ()
    silence: Reason | None = None


def ask_registry(kube: Kube, registry: Registry) -> Answer:
    """The registry's agents now. ServiceError where the API server itself refuses."""
    try:
        response = kube.request(
            "GET", registry.agents_path, timeout=TIMEOUT, check=False, retry=False, action=f"ask the {registry.label}"
        )
    except ServiceError as failed:
        # the API server waits for the registry as long as that takes; whether it is there itself, others ask
        if _LATE not in failed.reason:
            raise
        why = f"it did not answer within {TIMEOUT:.0f} s"
        return Answer(silence=Reason(registry.label, "RegistryNotReady", why, "See what its pods and its log say."))
    if response.status == 200:
        agents = agents_from(response.json_or_none())
        return Answer(silence=_not_a_registry(registry, response)) if agents is None else Answer(agents)
    status = _status_of_api_server(response)
    if status is not None and response.status in (401, 403):
        raise errors.from_response(f"ask the {registry.label}", response.status, response.body, kube.access.origin)
    return Answer(silence=_silence(registry, response, status))


def why_unreached(kube: Kube, registry: Registry, endpoint: str) -> str:
    """Why the registry does not reach an agent that is registered; empty where it does, or will not say."""
    action = f"ask the {registry.label} for {endpoint}"
    try:
        response = kube.request(
            "GET", registry.way_to(endpoint), timeout=TIMEOUT, check=False, retry=False, action=action
        )
    except ServiceError as failed:
        return f"it did not answer within {TIMEOUT:.0f} s" if _LATE in failed.reason else ""
    if response.status in (502, 503, 504) and _status_of_api_server(response) is None:
        return _stated(response) or f"HTTP {response.status}"
    return ""


def _silence(registry: Registry, response: Response, status: Mapping[str, Any] | None) -> Reason:
    stated = one_line(redact(str((status or {}).get("message") or response.body.decode(errors="replace"))))
    if status is not None and response.status == 404:
        return Reason(
            registry.label,
            "NoMeshRegistry",
            f"the cluster has no such Service: {stated}",
            "The role mcp_mesh makes it; service and namespace name another one.",
        )
    if status is not None or stated.lower().startswith("error trying to reach service"):
        return Reason(
            registry.label,
            "RegistryNotReady",
            f"no ready pod of it answers: {stated}",
            "See why its pods are not ready: kubectl describe pods shows it.",
        )
    if response.status >= 500:
        return Reason(
            registry.label,
            "RegistryDatabaseDown",
            f"it runs and cannot read its agents (HTTP {response.status}): {_stated(response)}",
            "See whether its database runs, and whether it is reached with DATABASE_URL. /health says healthy all the "
            "same.",
        )
    return _not_a_registry(registry, response)


def _not_a_registry(registry: Registry, response: Response) -> Reason:
    return Reason(
        registry.label,
        "NotARegistry",
        f"what answers is not a mesh registry (HTTP {response.status}): {_stated(response) or 'an empty answer'}",
        "Check service and port: the registry serves 8000.",
    )


def _stated(response: Response) -> str:
    """What a registry gives as the reason; it may repeat the address of its database."""
    answer = response.json_or_none()
    error = answer.get("error") if isinstance(answer, Mapping) else None
    return one_line(redact(error if isinstance(error, str) else response.body.decode(errors="replace")))


def _status_of_api_server(response: Response) -> Mapping[str, Any] | None:
    """The API server's own answer, not one that it passed on."""
    answer = response.json_or_none()
    return answer if isinstance(answer, Mapping) and answer.get("kind") == "Status" else None


def database_complaint(log: str) -> str:
    """What a registry's log says is wrong with its database; empty where it says nothing of it."""
    for line in reversed(log.splitlines()):
        stated = _FAILED.search(line)
        if stated and (_AWAITED.search(line) or _REFUSED.search(line)):
            return stated[0].strip()
    return ""


def is_awaited(complaint: str) -> bool:
    """Whether this goes away when the database has started: wrong passwords and names do not."""
    return bool(_AWAITED.search(complaint)) and not _REFUSED.search(complaint)


def awaits_database(reasons: Sequence[Reason]) -> bool:
    """Whether all that keeps a registry from being ready is a database that cannot be reached yet."""
    ended = [reason for reason in reasons if reason.code in _ENDS]
    others = [reason for reason in reasons if reason.terminal and reason.code not in _ENDS]
    return bool(ended) and not others and all(is_awaited(database_complaint(reason.message)) for reason in ended)
