# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a mesh registry for its agents, through the API server's proxy to its Service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Reason
from ..http_terms import Response
from ..kube import errors
from ..kube.client import Kube
from ..masking import one_line
from ..secrets import redact
from .registry_readiness import Agent, agents_from

DEFAULT_SERVICE = "mcp-mesh-registry"
DEFAULT_PORT = 8000
TIMEOUT = 10.0


@dataclass(frozen=True)
class Registry:
    """The Service of a registry."""

    namespace: str
    service: str = DEFAULT_SERVICE
    port: int = DEFAULT_PORT

    @property
    def label(self) -> str:
        return f"mesh registry {self.namespace}/{self.service}"

    @property
    def agents_path(self) -> str:
        """Of all its addresses the only one that tells whether it works.

        /health is a constant, and a HEAD of /heartbeat/ID counts as a sign of life of the agent.
        """
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.service}:{self.port}/proxy/agents"


@dataclass(frozen=True)
class Answer:
    """What the registry said; without agents, why it said nothing."""

    agents: tuple[Agent, ...] = ()
    silence: Reason | None = None


def ask_registry(kube: Kube, registry: Registry) -> Answer:
    """The registry's agents now. ServiceError where the API server itself refuses."""
    response = kube.request(
        "GET", registry.agents_path, timeout=TIMEOUT, check=False, retry=False, action=f"ask the {registry.label}"
    )
    if response.status == 200:
        agents = agents_from(response.json_or_none())
        return Answer(silence=_not_a_registry(registry, response)) if agents is None else Answer(agents)
    status = _status_of_api_server(response)
    if status is not None and response.status in (401, 403):
        raise errors.from_response(f"ask the {registry.label}", response.status, response.body, kube.access.origin)
    return Answer(silence=_silence(registry, response, status))


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
