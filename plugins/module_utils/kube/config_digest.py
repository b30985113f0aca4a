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
that restarts nothing, and the next change of it does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import SECRET, Reference

ANNOTATION = "mcpops.io/config-digest"
ABSENT = "absent"
"""The digest of something optional that is not there: pods run without it."""
NEW = "(new)"
"""In check mode: the digest of a Secret that the real run makes, whose uid is not known before."""

_LENGTH = 16
_TOKEN_TYPE = "kubernetes.io/service-account-token"

Digests = Mapping[str, "str | None"]


@dataclass(frozen=True)
class Content:
    """What a Secret or ConfigMap holds, as a fingerprint for each key; no value can be told from it.

    `filled` is false for what a controller fills a moment after it was made. `new`: made by this run, in check mode.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
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
    filled = item.get("type") != _TOKEN_TYPE or "token" in values
    return Content({str(name): _keyed(key, str(name), value) for name, value in values.items()}, filled, new)


def digest(reference: Reference, found: Content | None) -> str | None:
    """What pods that start now get of a reference; None while they cannot start, because it is not there."""
    if found is None or not found.filled:
        return ABSENT if reference.optional else None
    if found.new and reference.kind == SECRET:
        return NEW
    used = sorted(found.keys if reference.keys is None else reference.keys)
    text = "".join(f"{name}\0{found.keys.get(name, ABSENT)}\n" for name in used)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


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


def decide(references: Iterable[Reference], now: Digests, before: Digests, standing: Standing | None) -> Record:
    """The record of a workload that uses `references`, whose digests are `now` and were `before` this run.

    `standing` is None for a workload that is not there. A digest of None (it cannot be told, or pods could not start)
    leaves the record as it stands.
    """
    used = list(references)
    if standing is None:
        return Record({one.label: known for one in used if (known := now[one.label]) is not None})
    template: dict[str, str] = {}
    beside: dict[str, str] = {}
    rolled = []
    for one in used:
        label, known = one.label, now[one.label]
        recorded = standing.template.get(label) or standing.beside.get(label)
        started_with = recorded or before.get(label) or known
        if known is not None and known != started_with:
            rolled.append(one)
        elif label in standing.template:
            template[label] = standing.template[label]
        elif started_with is not None:
            beside[label] = started_with
    if not rolled:
        return Record(template, beside)
    # the pods are replaced: from now on all of it is what they were started with
    whole = {**template, **beside, **{one.label: str(now[one.label]) for one in rolled}}
    return Record(whole, {}, tuple(rolled))


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
