# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""API groups that the API server passes on to another server (APIServices), and what it means when that is down. Pure.

While nothing answers behind an APIService, kube-apiserver itself says so: 503 and a line of text instead of a Status.
That is not an API server between two lives, and waiting as for one would not help.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.http import Response
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import is_built_in

CODE = "ApiServiceDown"
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"

# kube-aggregator's handler_proxy.go, and the reverse proxy it uses
_OWN_WORDS = (b"service unavailable", b"error trying to reach service")
_PATH = re.compile(r"/apis/(?P<group>[^/?]+)/(?P<version>[^/?]+)(?:[/?].*)?")
# a name of at most 253 characters that begins where a word does: else a long text takes its length squared and more
_GROUP_VERSION = re.compile(r"(?<![\w.-])([a-z0-9][a-z0-9.-]{0,252})/(v\w+)\b")


@dataclass(frozen=True)
class ApiService:
    """Who is to answer for a group and version, and what its condition Available says."""

    name: str
    service: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""

    @property
    def api_version(self) -> str:
        version, _dot, group = self.name.partition(".")
        return f"{group}/{version}"


def name_of(target: str) -> str | None:
    """The APIService that a path belongs to; None for groups that kube-apiserver always answers for itself."""
    match = _PATH.fullmatch(target)
    return f"{match['version']}.{match['group']}" if match and not is_built_in(match["group"]) else None


def suspicious(response: Response) -> bool:
    """Whether an answer may tell of a server behind the API server. What that server refuses itself does not."""
    if response.status in (502, 503, 504):
        return True
    return response.status == 500 and _status_message(response.body) is None


def behind(name: str, response: Response, looked_up: Response) -> ApiService | None:
    """Who was to give this answer, by what the API server knows of the APIService; None where it answers itself."""
    if looked_up.status in (401, 403):
        # it answers, so it is not down itself, and these are its words for another that is
        own_words = response.body.strip().lower().startswith(_OWN_WORDS)
        return ApiService(name) if own_words else None
    if looked_up.status != 200:
        return None
    item = looked_up.json()
    return read(item) if (item.get("spec") or {}).get("service") else None


def read(item: Mapping[str, Any]) -> ApiService:
    service = (item.get("spec") or {}).get("service") or {}
    conditions = (item.get("status") or {}).get("conditions") or []
    available: Mapping[str, Any] = next((one for one in conditions if one.get("type") == "Available"), {})
    return ApiService(
        str(item["metadata"]["name"]),
        f"{service.get('namespace')}/{service.get('name')}" if service else "",
        str(available.get("status") or ""),
        str(available.get("reason") or ""),
        str(available.get("message") or ""),
    )


def failure(action: str, behind: ApiService, response: Response) -> ServiceError:
    """The error that an answer from, or instead of, such a server stands for."""
    said = _status_message(response.body) or response.body[:200].decode(errors="replace").strip()
    if behind.status and behind.status != "True":
        why = f"APIService {behind.name} is not available: {behind.message or 'no reason given'} ({behind.reason})"
    elif behind.status:
        why = f"APIService {behind.name} is Available, and Service {behind.service} behind it says: {said}"
    else:
        why = f"what is behind APIService {behind.name} says: {said}"
    return ServiceError(
        action,
        f"the API {behind.api_version} does not answer; {why}",
        code=CODE,
        status=response.status,
        hint=advice(behind.name, behind.service),
        body=said,
    )


def advice(name: str, service: str = "") -> str:
    place = f"behind Service {service}" if service else "behind its Service"
    return (
        f"Look at the pods {place}; if what served this API is gone for good, delete it: kubectl delete apiservice "
        f"{name}."
    )


def is_down(failure: Exception) -> bool:
    """Whether something failed only because one aggregated API does not answer: others do."""
    return isinstance(failure, ServiceError) and failure.code == CODE


def deletion_advice(message: str) -> str | None:
    """What to do about a namespace that stays, from the message of its NamespaceDeletionDiscoveryFailure.

    The namespace controller asks every API for what it holds of the namespace, and does not guess for one that is down.
    """
    names = dict.fromkeys(
        f"{version}.{group}" for group, version in _GROUP_VERSION.findall(message) if "." in group.strip(".")
    )
    if not names:
        return None
    listed = " ".join(names)
    return (
        f"It goes once these APIs answer again or are removed (APIService {', '.join(names)}): look at the pods behind "
        f"their Services, or, if what served them is gone for good: kubectl delete apiservice {listed}."
    )


def _status_message(body: bytes) -> str | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    is_status = isinstance(answer, dict) and answer.get("kind") == "Status"
    return str(answer.get("message") or answer.get("reason") or "") if is_status else None
