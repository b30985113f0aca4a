# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of what pods were started with: an annotation that changes when a Secret or ConfigMap they use does. Pure.

The pod template carries `secret/NAME=DIGEST,configmap/NAME=DIGEST`, so a changed digest is a new template and rolls the
pods. A digest is of the values of the keys that are used, never of metadata: labels, annotations and owners of fields
may change without a restart. The values of a Secret are keyed with its uid, which only those can read who may read the
Secret: who sees the Deployment alone cannot find a weak password by trying. A Secret that is deleted and made again has
another uid and counts as changed.

What is first met at pods that run already is recorded beside the template, in the annotations of the workload itself:
that restarts nothing, and the next change of it does. Something required that is not there yet, because a controller or
somebody else makes it, is recorded as awaited: pods start with it as it was made, so it counts as changed once its
values have been written again, which its managedFields tell.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube import fields
from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import SECRET, Reference

ANNOTATION = "mcpops.io/config-digest"
ABSENT = "absent"
"""The digest of something optional that is not there: pods run without it."""
AWAITED = "awaited"
"""The digest of something required that was not there: pods wait for it."""
NEW = "(new)"
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


def content(item: Mapping[str, Any], *, new: bool = False) -> Content:
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


def digest(reference: Reference, found: Content | None) -> str | None:
    """What pods that start now get of a reference; None while they cannot start, because it is not there."""
    if found is None or not found.filled:
        return ABSENT if reference.optional else None
    if found.new and reference.kind == SECRET:
        return NEW
    used = sorted(found.keys if reference.keys is None else reference.keys)
    text = "".join(f"{name}\0{found.keys.get(name, ABSENT)}\n" for name in used)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def is_rewritten(reference: Reference, found: Content | None) -> bool:
    """Whether a value that is used was written again after the object was made."""
    if found is None:
        return False
    return bool(found.rewritten if reference.keys is None else found.rewritten & reference.keys)


def written_keys(tree: fields.Tree) -> frozenset[str]:
    """The keys that an entry of managedFields is about."""
    return frozenset(name for part in ("data", "binaryData") for name in fields.field_names(fields.part_of(tree, part)))


def read(annotations: Mapping[str, Any] | None) -> dict[str, str]:
    """The record in an object's annotations."""
    text = str((annotations or {}).get(ANNOTATION) or "")
    return {label: known for label, _sign, known in (part.partition("=") for part in text.split(",")) if known}


def text(record: Mapping[str, str]) -> str:
    """The record as an annotation has it."""
    return ",".join(f"{label}={record[label]}" for label in sorted(record))


@dataclass(frozen=True)
class Record:
    """What is to stand in the template, and beside it; `rolled` are the references whose change replaces the pods."""

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
class Standing:
    """A workload as it was found: the records in its template and beside it."""

    template: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)

    def kept(self) -> Record:
        """The same record: a digest that goes would roll the pods as one that changes does."""
        return Record(self.template, self.beside)


@dataclass(frozen=True)
class Seen:
    """One reference as it stands: its digest now and before this run, and whether it was written since it was made.

    A digest of None: pods that start now wait for it.
    """

    now: str | None
    before: str | None = None
    rewritten: bool = False


def decide(references: Iterable[Reference], seen: Mapping[str, Seen], standing: Standing | None) -> Record:
    """The record of a workload that uses `references`; what is not `seen` could not be read, and stays as recorded.

    `standing` is None for a workload that is not there.
    """
    used = [(one, seen.get(one.label)) for one in references]
    if standing is None:
        return Record({one.label: found.now or AWAITED for one, found in used if found is not None})
    template: dict[str, str] = {}
    beside: dict[str, str] = {}
    rolled = []
    for one, found in used:
        recorded = standing.template.get(one.label, standing.beside.get(one.label))
        started_with = recorded
        if recorded is None and found is not None:
            started_with = found.before or found.now or AWAITED
        if found is not None and _has_changed(found, started_with):
            rolled.append(one)
        elif one.label in standing.template:
            template[one.label] = standing.template[one.label]
        elif started_with is not None:
            beside[one.label] = started_with
    if not rolled:
        return Record(template, beside)
    # the pods are replaced: from now on all of it is what they were started with
    fresh = {one.label: found.now for one, found in used if found is not None and found.now is not None}
    return Record({**template, **beside, **fresh}, {}, tuple(rolled))


def _has_changed(found: Seen, started_with: str | None) -> bool:
    if found.now is None:
        # new pods could not start: those that run are better than none
        return False
    return found.rewritten if started_with == AWAITED else found.now != started_with


def _with(metadata: Mapping[str, Any], record: Mapping[str, str]) -> dict[str, Any]:
    annotations = metadata.get("annotations") or {}
    if not record and ANNOTATION not in annotations:
        return dict(metadata)
    # a value that came with a copied manifest is of another time
    kept = {key: value for key, value in annotations.items() if key != ANNOTATION}
    return {**metadata, "annotations": {**kept, ANNOTATION: text(record)} if record else kept}


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
