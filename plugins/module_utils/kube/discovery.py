# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kinds a cluster serves: aggregated discovery, two requests a cluster and run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import quote

from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import is_built_in

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


def find(table: Mapping[str, list[Any]], api_version: str, kind: str) -> ResourceType | None:
    row = table.get(f"{api_version}/{kind}")
    return ResourceType(api_version, kind, str(row[0]), bool(row[1]), tuple(row[2])) if row else None


def not_served(table: Mapping[str, list[Any]], api_version: str, kind: str) -> str:
    """Why this kind cannot be used in this cluster, and what to do about it."""
    told = f"this cluster has no kind {kind} in {api_version}"
    similar = ", ".join(similar_kinds(table, kind))
    if similar:
        return f"{told}; it has {similar}: write it so, if that is meant"
    if is_built_in(api_version.rpartition("/")[0]):
        return f"{told}, and none of that name elsewhere: check the spelling; kubectl api-resources lists all kinds"
    return f"{told}: install its CustomResourceDefinition first, or check the spelling"


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
