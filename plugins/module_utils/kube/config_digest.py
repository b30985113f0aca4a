# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Secrets and ConfigMaps pods use, and the annotation that records with which content they started."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import fields

SECRET, CONFIG_MAP = "Secret", "ConfigMap"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")

PodSpec = Mapping[str, Any]


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The mapping that stands here; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list, without anything else that it holds; none of what is not a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


@dataclass(frozen=True)
class Reference:
    """One Secret or ConfigMap that a pod uses.

    `keys`: those that it uses, None for all. `optional`: the pod starts without it.
    """

    kind: str
    name: str
    keys: frozenset[str] | None = None
    optional: bool = False

    @property
    def label(self) -> str:
        """How the record in an annotation names it; names are DNS subdomains, so that this is unambiguous."""
        return f"{self.kind.lower()}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def pod_references(spec: PodSpec) -> tuple[Reference, ...]:
    """Everything that the pods of this specification use, each object once, in a stable order."""
    found: list[Reference] = []
    for group in _CONTAINERS:
        for container in as_mappings(spec.get(group)):
            found += environment_references(container)
    for volume in as_mappings(spec.get("volumes")):
        found += volume_references(volume)
    return merged_references(found)


def startup_references(container: Mapping[str, Any], spec: PodSpec) -> tuple[Reference, ...]:
    """What a container keeps as it was when it started: its environment, and files that are mounted by subPath.

    kubelet renews every other file of a volume while the container runs.
    """
    volumes = {volume.get("name"): volume for volume in as_mappings(spec.get("volumes"))}
    found = list(environment_references(container))
    for mount in as_mappings(container.get("volumeMounts")):
        path = mount.get("subPath")
        if path or mount.get("subPathExpr"):
            volume = volumes.get(mount.get("name"), {})
            found += [_at(one, volume, path) for one in volume_references(volume)]
    return merged_references(found)


def environment_references(container: Mapping[str, Any]) -> Iterator[Reference]:
    """What the environment variables of a container are filled from."""
    for variable in as_mappings(container.get("env")):
        source = as_mapping(variable.get("valueFrom"))
        yield from _one(SECRET, source.get("secretKeyRef"))
        yield from _one(CONFIG_MAP, source.get("configMapKeyRef"))
    for source in as_mappings(container.get("envFrom")):
        yield from _one(SECRET, source.get("secretRef"))
        yield from _one(CONFIG_MAP, source.get("configMapRef"))


def volume_references(volume: Mapping[str, Any]) -> Iterator[Reference]:
    """What a volume shows as files."""
    for source in _sources(volume):
        secret = as_mapping(source.get("secret"))
        # the two spellings of the API: a volume has secretName, a projected source has name
        yield from _one(SECRET, {**secret, "name": secret.get("secretName") or secret.get("name")})
        yield from _one(CONFIG_MAP, source.get("configMap"))


def merged_references(found: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each object once, with all keys that are used of it; optional only if nobody needs it."""
    by_label: dict[str, Reference] = {}
    for one in found:
        other = by_label.get(one.label)
        if other is not None:
            keys = None if one.keys is None or other.keys is None else one.keys | other.keys
            one = Reference(one.kind, one.name, keys, one.optional and other.optional)
        by_label[one.label] = one
    return tuple(by_label[label] for label in sorted(by_label))


def _sources(volume: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [volume, *as_mappings(as_mapping(volume.get("projected")).get("sources"))]


def _one(kind: str, declared: Any) -> Iterator[Reference]:
    source = as_mapping(declared)
    name = source.get("name")
    if name:
        keys = [source["key"]] if source.get("key") else [item.get("key") for item in as_mappings(source.get("items"))]
        yield Reference(kind, str(name), frozenset(map(str, keys)) or None, bool(source.get("optional")))


def _at(reference: Reference, volume: Mapping[str, Any], path: str | None) -> Reference:
    """The reference with the one key that stands at this path of the volume, as far as the path tells."""
    items = [
        item
        for source in _sources(volume)
        for field in ("secret", "configMap")
        for item in as_mappings(as_mapping(source.get(field)).get("items"))
    ]
    keys = {str(item["key"]) for item in items if item.get("path") == path and item.get("key")}
    if not items and path and "/" not in path:
        # without items every key is a file of its own name
        keys = {path}
    return Reference(reference.kind, reference.name, frozenset(keys) or reference.keys, reference.optional)


DIGEST_ANNOTATION = "mcpops.io/config-digest"
ABSENT_DIGEST = "absent"
"""The digest of something optional that is not there: pods run without it."""
AWAITED_DIGEST = "awaited"
"""The digest of something required that was not there: pods wait for it."""
NEW_DIGEST = "(new)"
"""In check mode: the digest of a Secret that the real run makes, whose uid is not known before."""

_LENGTH = 16
_TOKEN_TYPE = "kubernetes.io/service-account-token"


@dataclass(frozen=True)
class Content:
    """What a Secret or ConfigMap holds, as a fingerprint for each key; no value can be told from it.

    `rewritten`: the keys that were written after the object was made. `filled` is false for what a controller fills a
    moment after it was made. `new`: made by this run, in check mode.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    rewritten: frozenset[str] = frozenset()
    filled: bool = True
    new: bool = False


def object_content(item: Mapping[str, Any], *, new: bool = False) -> Content:
    """The fingerprints of an object's values."""
    secret = item.get("kind") == SECRET
    key = str((item.get("metadata") or {}).get("uid") or "").encode() if secret else b""
    plain = {} if secret else {name: str(value).encode() for name, value in (item.get("data") or {}).items()}
    coded = (item.get("data") if secret else item.get("binaryData")) or {}
    values = {**plain, **{name: _decoded(value) for name, value in coded.items()}}
    # a Secret of this type is filled by a controller of Kubernetes, and pods wait for it
    token = item.get("type") == _TOKEN_TYPE
    return Content(
        {str(name): _keyed(key, str(name), value) for name, value in values.items()},
        frozenset() if token or new else _rewritten(item),
        not token or "token" in values,
        new,
    )


def reference_digest(reference: Reference, found: Content | None) -> str | None:
    """What pods that start now get of a reference; None while they cannot start, because it is not there."""
    if found is None or not found.filled:
        return ABSENT_DIGEST if reference.optional else None
    if found.new and reference.kind == SECRET:
        return NEW_DIGEST
    used = sorted(found.keys if reference.keys is None else reference.keys)
    text = "".join(f"{name}\0{found.keys.get(name, ABSENT_DIGEST)}\n" for name in used)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def is_rewritten(reference: Reference, found: Content | None) -> bool:
    """Whether a value that is used was written again after the object was made."""
    if found is None:
        return False
    return bool(found.rewritten if reference.keys is None else found.rewritten & reference.keys)


def written_keys(tree: fields.Tree) -> frozenset[str]:
    """The keys that an entry of managedFields is about."""
    return frozenset(name for part in ("data", "binaryData") for name in fields.field_names(fields.part_of(tree, part)))


def read_record(annotations: Mapping[str, Any] | None) -> dict[str, str]:
    """The record in an object's annotations."""
    text = str((annotations or {}).get(DIGEST_ANNOTATION) or "")
    return {label: known for label, _sign, known in (part.partition("=") for part in text.split(",")) if known}


def record_text(record: Mapping[str, str]) -> str:
    """The record as an annotation has it."""
    return ",".join(f"{label}={record[label]}" for label in sorted(record))


@dataclass(frozen=True)
class Record:
    """What a workload has, or is to have, in its template and beside it.

    `rolled` are the references whose change replaces the pods.
    """

    template: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    rolled: tuple[Reference, ...] = ()

    def in_template(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """A pod template (or what else has `annotations`) with this record."""
        return _with(item, self.template)

    def on_workload(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The metadata of the workload itself with what is recorded beside the template."""
        return _with(metadata, self.beside)


@dataclass(frozen=True)
class ReferenceState:
    """One reference as it stands: its digest now and before this run, and whether it was written since it was made.

    A digest of None: pods that start now wait for it.
    """

    now: str | None
    before: str | None = None
    rewritten: bool = False


def decide_record(
    references: Iterable[Reference], seen: Mapping[str, ReferenceState], existing: Record | None
) -> Record:
    """The record of a workload that uses `references`; what is not `seen` could not be read, and stays as recorded.

    `existing` is None for a workload that is not there.
    """
    used = [(one, seen.get(one.label)) for one in references]
    if existing is None:
        return Record({one.label: found.now or AWAITED_DIGEST for one, found in used if found is not None})
    template: dict[str, str] = {}
    beside: dict[str, str] = {}
    rolled = []
    for one, found in used:
        recorded = existing.template.get(one.label, existing.beside.get(one.label))
        started_with = recorded
        if recorded is None and found is not None:
            started_with = found.before or found.now or AWAITED_DIGEST
        if found is not None and _has_changed(found, started_with):
            rolled.append(one)
        elif one.label in existing.template:
            template[one.label] = existing.template[one.label]
        elif started_with is not None:
            beside[one.label] = started_with
    if not rolled:
        return Record(template, beside)
    # the pods are replaced: from now on all of it is what they were started with
    fresh = {one.label: found.now for one, found in used if found is not None and found.now is not None}
    return Record({**template, **beside, **fresh}, {}, tuple(rolled))


def _has_changed(found: ReferenceState, started_with: str | None) -> bool:
    if found.now is None:
        # new pods could not start: those that run are better than none
        return False
    return found.rewritten if started_with == AWAITED_DIGEST else found.now != started_with


def _with(metadata: Mapping[str, Any], record: Mapping[str, str]) -> dict[str, Any]:
    annotations = metadata.get("annotations") or {}
    if not record and DIGEST_ANNOTATION not in annotations:
        return dict(metadata)
    # a value that came with a copied manifest is of another time
    kept = {key: value for key, value in annotations.items() if key != DIGEST_ANNOTATION}
    return {**metadata, "annotations": {**kept, DIGEST_ANNOTATION: record_text(record)} if record else kept}


def _keyed(key: bytes, name: str, value: bytes) -> str:
    return hmac.new(key, name.encode() + b"\0" + value, hashlib.sha256).hexdigest()[: 2 * _LENGTH]


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode("".join(str(value).split()), validate=True)
    except ValueError:
        return str(value).encode()


def _rewritten(item: Mapping[str, Any]) -> frozenset[str]:
    made = str((item.get("metadata") or {}).get("creationTimestamp") or "")
    later = [entry for entry in fields.entries(item) if made and entry.time > made]
    return frozenset(key for entry in later for key in written_keys(entry.fields))
