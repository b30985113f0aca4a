# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's own record of a release, read from the cluster.

History, interrupted operations, and the objects of the manifest.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from math import inf
from typing import Any

from ..errors import Failure, ServiceError
from ..kube.apply.options import ObjectOutcome, not_reached
from ..kube.apply.requests import Target, declared_for, target_of, unless_down
from ..kube.client import Kube
from ..kube.discovery import KeptDocuments, ResourceType, cache_directory
from ..kube.manifests import Object, flatten_lists, normalise, object_ref
from ..kube.schema import known_only
from ..kube.sdk import yaml
from ..kube.yaml_loader import read_documents
from ..task import Task
from ..waiting import Backoff, Deadline, poll
from .chart import yaml_documents as of_chart

DEPLOYED = "deployed"
FAILED = "failed"
UNINSTALLED = "uninstalled"
"""What `helm uninstall --keep-history` leaves: a record, and no object of it."""
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
UNFINISHED = (*PENDING, "uninstalling")
"""What a helm process leaves behind when it is killed half way."""

VALUES_LABEL = "mcpops.io/values"
"""Of a record: whether the values in it were given as secret ones."""
VALUES_SECRET, VALUES_SHOWN = "secret", "shown"

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Release:
    """One revision of a release."""

    name: str
    namespace: str
    revision: int
    status: str
    description: str
    chart_name: str
    chart_version: str
    app_version: str
    values: Mapping[str, Any]
    """What the user set; the chart's own defaults are not part of it."""
    manifest: str
    started: datetime | None
    """When helm last touched this revision."""
    secret_name: str
    definitions: str = ""
    """The chart's own crds/ directory, as one YAML text; those of its subcharts are in no record."""
    chart: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The chart as the record holds it: metadata, templates, files, default values."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the Secret that holds the record."""

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def values_secret(self) -> bool:
        """Whether these values were given as secret ones, whatever is declared now."""
        return self.labels.get(VALUES_LABEL) == VALUES_SECRET


@dataclass(frozen=True)
class History:
    """What matters of a release's revisions: the newest, and the last one that was deployed in full."""

    newest: Release | None = None
    deployed: Release | None = None


def history_from(secrets: Iterable[Mapping[str, Any]]) -> History:
    """Sorts out a list of record Secrets; only the two that matter are decoded."""
    ordered = sorted(secrets, key=_revision, reverse=True)
    if not ordered:
        return History()
    newest = decode_record(ordered[0])
    if newest.status == DEPLOYED:
        return History(newest, newest)
    deployed = next((secret for secret in ordered[1:] if _label(secret, "status") == DEPLOYED), None)
    return History(newest, decode_record(deployed) if deployed else None)


def decode_record(secret: Mapping[str, Any]) -> Release:
    """One record; a Secret that does not hold one is an error that names it."""
    name = str(secret.get("metadata", {}).get("name", ""))
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        text = gzip.decompress(packed) if packed.startswith(_GZIP_MAGIC) else packed
        content = json.loads(text)
        return _release(content, name, secret["metadata"].get("labels") or {})
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error, AttributeError) as failure:
        namespace = secret.get("metadata", {}).get("namespace", "")
        raise ServiceError(
            f"Reading the Helm record {namespace}/{name}",
            f"it holds no release ({type(failure).__name__})",
            hint="Something else wrote to this Secret. Delete it if the release's other revisions are in order.",
        ) from failure


def _release(content: Mapping[str, Any], secret_name: str, labels: Mapping[str, str]) -> Release:
    info = content.get("info") or {}
    chart = content["chart"]["metadata"]
    return Release(
        name=str(content["name"]),
        namespace=str(content.get("namespace", "")),
        revision=int(content["version"]),
        status=str(info.get("status", "unknown")),
        description=str(info.get("description", "")),
        chart_name=str(chart["name"]),
        chart_version=str(chart["version"]).removeprefix("v"),
        app_version=str(chart.get("appVersion") or ""),
        values=content.get("config") or {},
        manifest=str(content.get("manifest") or ""),
        started=_moment(str(info.get("last_deployed") or "")),
        secret_name=secret_name,
        definitions="\n---\n".join(_definitions(content["chart"].get("files") or [])),
        chart=content["chart"],
        labels=labels,
    )


def _definitions(files: Iterable[Mapping[str, Any]]) -> list[str]:
    found = [file for file in files if re.fullmatch(r"crds/.+\.(ya?ml|json)", str(file.get("name", "")))]
    return [base64.b64decode(file.get("data") or "").decode() for file in found]


def _moment(text: str) -> datetime | None:
    """Go writes nanoseconds, which Python 3.10 does not read."""
    whole, _dot, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    try:
        return datetime.fromisoformat((whole + zone).replace("Z", "+00:00"))
    except ValueError:
        return None


def _revision(secret: Mapping[str, Any]) -> int:
    label = _label(secret, "version")
    return int(label) if label.isdigit() else -1


def _label(secret: Mapping[str, Any], name: str) -> str:
    return str((secret.get("metadata", {}).get("labels") or {}).get(name, ""))


POLLING = Backoff(first=1.0, longest=1.0)


def read_history(kube: Kube, namespace: str, name: str) -> History:
    """The release's records; an empty history where there is no release or no namespace."""
    # superseded revisions are left out: they can be ten and large
    listed = kube.request(
        "GET",
        f"/api/v1/namespaces/{namespace}/secrets",
        query={"labelSelector": f"owner=helm,name={name},status!=superseded"},
        action=f"Reading the records of release {namespace}/{name}",
    ).json()
    return history_from(listed.get("items") or [])


def newest_after_failure(kube: Kube, namespace: str, name: str, otherwise: Release | None) -> Release | None:
    """The newest revision; what is asked after a failure must not hide it: where it cannot be read, `otherwise`."""
    try:
        return read_history(kube, namespace, name).newest
    except Failure:
        return otherwise


def await_unfinished(task: Task, read_again: Callable[[], History], found: History, stale_after: int) -> History:
    """Wait until the newest record is finished, or old enough to have been left behind."""

    def unfinished(history: History) -> str | None:
        newest = history.newest
        if newest is None or not newest.unfinished or record_age(newest) >= stale_after:
            return None
        return f"release {newest.namespace}/{newest.name} is {newest.status}: waiting for it"

    # the age of the record ends the wait
    return poll(read_again, unfinished, Deadline(inf), task.progress, POLLING, seen=found)


def record_age(release: Release) -> float:
    """Seconds since helm began this revision; a record without a time, or from the future, counts as old."""
    if release.started is None:
        return inf
    seconds = (datetime.now(timezone.utc) - release.started).total_seconds()
    return seconds if seconds >= 0 else inf


def recovery_note(found: History) -> str | None:
    """What recovering this history means, in one sentence; None when there is nothing to recover."""
    newest, deployed = found.newest, found.deployed
    if newest is None or not newest.unfinished:
        return None
    left = f"Revision {newest.revision} of release {newest.namespace}/{newest.name} was left {newest.status} by a helm"
    if deployed is not None:
        return f"{left} that did not finish: the release goes back to revision {deployed.revision} first."
    return f"{left} that did not finish: its record is deleted first, its objects are taken up again."


def drop_record(kube: Kube, release: Release) -> None:
    kube.request(
        "DELETE",
        f"/api/v1/namespaces/{release.namespace}/secrets/{release.secret_name}",
        accept_status=(404,),
        action=f"Deleting the unfinished record of release {release.namespace}/{release.name}",
    )


KEEP = "helm.sh/resource-policy"
OWNER = "meta.helm.sh/release"
COMPARE = "compare"
CRD_KIND = "CustomResourceDefinition"


def parse_manifest(release: Release) -> list[Object]:
    """Every object helm applied for this revision, in the manifest's order."""
    # what lacks any of these helm has not applied either
    return [item for item in flatten_lists(_documents(release)) if isinstance(item, dict) and _is_named(item)]


def _documents(release: Release) -> list[Any]:
    """A manifest of nothing but definitions is read once: they are as long as all else, public, and hold no values."""
    kept = KeptDocuments(cache_directory(), "definitions")
    known = kept.read(release.manifest)
    if isinstance(known, list):
        return known
    try:
        documents = read_documents(release.manifest)
    except yaml.YAMLError as failure:
        raise ServiceError(
            f"Reading the manifest of release {release.namespace}/{release.name}",
            f"revision {release.revision} is not YAML",
            hint="Reinstall it: state absent, then present.",
        ) from failure
    if documents and all(isinstance(one, dict) and one.get("kind") == CRD_KIND for one in documents):
        kept.write(release.manifest, documents)
    return documents


def _is_named(item: Mapping[str, Any]) -> bool:
    metadata = item.get("metadata")
    return bool(item.get("apiVersion") and item.get("kind") and isinstance(metadata, Mapping) and metadata.get("name"))


@dataclass(frozen=True)
class PlacedObjects:
    """Where each object lives, those of kinds that the cluster does not serve, and those whose API does not answer."""

    targets: list[Target]
    unserved: list[Object]
    unreached: list[ObjectOutcome]


def place_objects(objects: list[Object], kube: Kube, release: Release) -> PlacedObjects:
    targets: list[Target] = []
    unserved: list[Object] = []
    unreached: list[ObjectOutcome] = []
    for item in objects:
        resource = unless_down(partial(kube.resource_type, str(item["apiVersion"]), str(item["kind"])))
        if isinstance(resource, ServiceError):
            unreached.append(not_reached(object_ref(item), resource, COMPARE))
        elif resource is None:
            unserved.append(item)
        else:
            targets.append(_target(kube, resource, with_helm_marks(item, release, resource.namespaced)))
    # helm applies an object that a chart has twice one after the other: the last one stands
    return PlacedObjects(list({target.ref: target for target in targets}.values()), unserved, unreached)


def _target(kube: Kube, resource: ResourceType, declared: Object) -> Target:
    """Without nulls and unknown fields: helm sends both, and the API server drops them."""
    structure = kube.structure(resource.api_version, resource.kind)
    return target_of(resource, known_only(declared_for(resource, declared, structure), structure), structure)


def with_helm_marks(item: Object, release: Release, namespaced: bool) -> Object:
    """What helm makes of an object of a manifest: its namespace, if its kind has one, and the marks of its owner.

    Without these marks a later helm refuses an object that was created again ("invalid ownership metadata").
    """
    metadata = dict(item.get("metadata") or {})
    if namespaced:
        metadata.setdefault("namespace", release.namespace)
    else:
        metadata.pop("namespace", None)
    owner = {f"{OWNER}-name": release.name, f"{OWNER}-namespace": release.namespace}
    metadata["labels"] = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **owner}
    return normalise({**item, "metadata": metadata})


def chart_crds(text: str, kube: Kube, chart: str) -> list[Target]:
    """The objects of the crds/ directory of this chart. Helm leaves them without its marks: no release owns them."""
    resource = kube.resource_type("apiextensions.k8s.io/v1", CRD_KIND)
    found = flatten_lists(of_chart(f"Reading the definitions of chart {chart}", text))
    definitions = [one for one in found if isinstance(one, dict) and one.get("kind") == CRD_KIND]
    return [_target(kube, resource, normalise(item)) for item in definitions] if resource is not None else []


def is_kept_on_uninstall(item: Mapping[str, Any]) -> bool:
    """The chart asks that an uninstall leaves this object."""
    return ((item.get("metadata") or {}).get("annotations") or {}).get(KEEP) == "keep"
