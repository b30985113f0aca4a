# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster serves: kinds by aggregated discovery, API groups that other servers answer.

And OpenAPI documents kept between runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import parse_qs, quote, urlsplit

from ..errors import ServiceError
from ..http_terms import Response
from ..run_cache import MODE, write_private
from .manifests import is_built_in

AGGREGATED = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
ROOTS = ("/api", "/apis")
# forms of an answer, for the header Accept: what an object is called and marked with, without the rest
METADATA_OF_OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_OF_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
GOOD_FOR_SECONDS = 600.0

KindTable = dict[str, list[Any]]
"""`apiVersion/kind` -> [plural, namespaced, verbs]: JSON, because it goes into the run cache."""


class Discovered(TypedDict):
    """What is kept of a cluster's discovery between tasks."""

    kinds: KindTable
    stale: list[str]
    """`group/version` of APIs that did not answer: their kinds are those of an earlier time, or none."""


@dataclass(frozen=True)
class ResourceType:
    """A kind as the API server serves it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The API group; the core group is ''."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of one object or, without `name`, of the collection (in all namespaces without `namespace`)."""
        parts = [group_path(self.api_version)]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


def group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def from_aggregated(answer: Mapping[str, Any]) -> KindTable:
    """Rows of one APIGroupDiscoveryList."""
    table: KindTable = {}
    for group in answer.get("items") or []:
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or []:
            api_version = f"{name}/{version['version']}" if name else str(version["version"])
            for resource in version.get("resources") or []:
                kind = (resource.get("responseKind") or {}).get("kind")
                if kind:
                    row = [resource["resource"], resource.get("scope") == "Namespaced", resource.get("verbs") or []]
                    table.setdefault(f"{api_version}/{kind}", row)
    return table


def stale_in(answer: Mapping[str, Any]) -> list[str]:
    """`group/version` of those that one APIGroupDiscoveryList calls stale."""
    return [
        f"{(group.get('metadata') or {}).get('name') or ''}/{version['version']}"
        for group in answer.get("items") or []
        for version in group.get("versions") or []
        if version.get("freshness") == "Stale"
    ]


def from_resource_list(answer: Mapping[str, Any]) -> KindTable:
    """Rows of one APIResourceList: a single group and version, asked for because a kind was missing."""
    return {
        f"{answer['groupVersion']}/{row['kind']}": [row["name"], bool(row["namespaced"]), row.get("verbs") or []]
        for row in answer.get("resources") or []
        if "/" not in row["name"]
    }


def find_type(table: Mapping[str, list[Any]], api_version: str, kind: str) -> ResourceType | None:
    row = table.get(f"{api_version}/{kind}")
    return ResourceType(api_version, kind, str(row[0]), bool(row[1]), tuple(row[2])) if row else None


def not_served(table: Mapping[str, list[Any]], api_version: str, kind: str) -> str:
    """Why this kind cannot be used in this cluster, and what to do about it."""
    reported = f"this cluster has no kind {kind} in {api_version}"
    similar = ", ".join(similar_kinds(table, kind))
    if similar:
        return f"{reported}; it has {similar}: write it so, if that is meant"
    if is_built_in(api_version.rpartition("/")[0]):
        return f"{reported}, and none of that name elsewhere: check the spelling; kubectl api-resources lists all kinds"
    return f"{reported}: install its CustomResourceDefinition first, or check the spelling"


def is_mistaken(table: Mapping[str, list[Any]], api_version: str, kind: str) -> bool:
    """Whether a kind that is not served is written wrongly, rather than not installed.

    So it is in a group of Kubernetes itself, in one that no definition can have, and where the same group serves the
    kind in another version. A namesake in another group tells nothing: Services are not Knative's alone.
    """
    group = api_version.rpartition("/")[0]
    served = {similar.partition(" ")[0].rpartition("/")[0] for similar in similar_kinds(table, kind)}
    return is_built_in(group) or "." not in group or group in served


def not_installed(api_version: str, kind: str) -> str:
    """Why there is no object of this kind, where that is an answer."""
    return (
        f"{api_version} {kind} is not installed in this cluster, so there is none: check the spelling if there is one"
    )


def similar_kinds(table: Mapping[str, list[Any]], kind: str) -> Iterator[str]:
    """`apiVersion` of every kind of that name, for a helpful message."""
    for key in sorted(table):
        api_version, _slash, known = key.rpartition("/")
        if known.lower() == kind.lower():
            yield f"{api_version} {known}"


AGGREGATED_API_DOWN = "ApiServiceDown"
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


def api_service_name(target: str) -> str | None:
    """The APIService that a path belongs to; None for groups that kube-apiserver always answers for itself."""
    match = _PATH.fullmatch(target)
    return f"{match['version']}.{match['group']}" if match and not is_built_in(match["group"]) else None


def may_be_aggregated(response: Response) -> bool:
    """Whether an answer may tell of a server behind the API server. What that server refuses itself does not."""
    if response.status in (502, 503, 504):
        return True
    return response.status == 500 and _status_message(response.body) is None


def aggregated_service_of(name: str, response: Response, looked_up: Response) -> ApiService | None:
    """Who was to give this answer, by what the API server knows of the APIService; None where it answers itself."""
    if looked_up.status in (401, 403):
        # it answers, so it is not down itself, and these are its words for another that is
        own_words = response.body.strip().lower().startswith(_OWN_WORDS)
        return ApiService(name) if own_words else None
    if looked_up.status != 200:
        return None
    item = looked_up.json()
    return api_service_from(item) if (item.get("spec") or {}).get("service") else None


def api_service_from(item: Mapping[str, Any]) -> ApiService:
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


def aggregated_failure(action: str, behind: ApiService, response: Response) -> ServiceError:
    """The error that an answer from, or instead of, such a server stands for."""
    stated = _status_message(response.body) or response.body[:200].decode(errors="replace").strip()
    if behind.status and behind.status != "True":
        why = f"APIService {behind.name} is not available: {behind.message or 'no reason given'} ({behind.reason})"
    elif behind.status:
        why = f"APIService {behind.name} is Available, and Service {behind.service} behind it says: {stated}"
    else:
        why = f"what is behind APIService {behind.name} says: {stated}"
    return ServiceError(
        action,
        f"the API {behind.api_version} does not answer; {why}",
        code=AGGREGATED_API_DOWN,
        status=response.status,
        hint=aggregated_advice(behind.name, behind.service),
        body=stated,
    )


def aggregated_advice(name: str, service: str = "") -> str:
    place = f"behind Service {service}" if service else "behind its Service"
    return (
        f"Look at the pods {place}; if what served this API is gone for good, delete it: kubectl delete apiservice "
        f"{name}."
    )


def is_aggregated_api_down(failure: Exception) -> bool:
    """Whether something failed only because one aggregated API does not answer: others do."""
    return isinstance(failure, ServiceError) and failure.code == AGGREGATED_API_DOWN


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


OPENAPI_INDEX = "/openapi/v3"
CONFIRMED_DAYS = 30
_LONGEST_RECORD = 4_000_000
_DAY_SECONDS = 86_400


def cache_directory() -> Path | None:
    """`mcpops.platform` in the user's cache directory; None where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "mcpops.platform"
    except RuntimeError:
        return None


def document_addresses(index: Mapping[str, Any]) -> dict[str, str]:
    """The address of each document by the path of its group version, without the slash before it."""
    return {path: str(row.get("serverRelativeURL")) for path, row in (index.get("paths") or {}).items()}


class KeptDocuments:
    """JSON by a name that stands for its content, in a folder of the user's cache."""

    FORM = "1"
    """Part of every name: another form of what is kept must not be read as this one."""

    def __init__(self, directory: Path | None, folder: str) -> None:
        self._directory = directory / folder if directory is not None else None

    def read(self, name: str) -> Any | None:
        file = self._file(name)
        if file is None:
            return None
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, document: Any) -> None:
        file = self._file(name)
        if file is None:
            return
        # nor is half of a surrogate pair, which JSON may hold, a reason to fail
        with contextlib.suppress(OSError, UnicodeEncodeError):
            write_private(file, json.dumps(document, ensure_ascii=False, separators=(",", ":")))

    def _file(self, name: str) -> Path | None:
        if self._directory is None:
            return None
        digest = hashlib.sha256(f"{self.FORM} {name}".encode(errors="surrogatepass")).hexdigest()
        return self._directory / f"{digest}.json"


class OpenApiDocuments(KeptDocuments):
    """Trimmed documents by the address that names their content."""

    def __init__(self, directory: Path | None) -> None:
        super().__init__(directory, "openapi")

    def _file(self, name: str) -> Path | None:
        # without a hash the address says nothing of the content
        return super()._file(name) if parse_qs(urlsplit(name).query).get("hash") else None


class ConfirmedObjects:
    """Digests of pairs of a declaration and an object of which a dry run has said that they are the same.

    A declaration that the API server completes (a list that is one piece, with defaults inside) differs from the object
    for ever, as far as reading tells. Once a dry run has shown that applying it changes nothing, it need not be asked
    again as long as both are what they were.
    """

    def __init__(self, directory: Path | None, server: str) -> None:
        name = hashlib.sha256(server.encode()).hexdigest()[:32]
        self._file = directory / "confirmed" / name if directory is not None else None

    def __contains__(self, digest: str) -> bool:
        return digest in self._known

    def add(self, digest: str) -> None:
        if digest in self._known:
            return
        self._known.add(digest)
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._file.exists() and self._file.stat().st_size > _LONGEST_RECORD:
                self._file.unlink()
            # one short write in append mode: several workers may do so at once
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, MODE)
            try:
                os.write(descriptor, f"{digest} {int(time.time())}\n".encode())
            finally:
                os.close(descriptor)

    @cached_property
    def _known(self) -> set[str]:
        if self._file is None:
            return set()
        since = time.time() - CONFIRMED_DAYS * _DAY_SECONDS
        try:
            rows = [line.split() for line in self._file.read_text(encoding="ascii").splitlines()]
        except (OSError, ValueError):
            return set()
        return {row[0] for row in rows if len(row) == 2 and row[1].isdigit() and int(row[1]) > since}
