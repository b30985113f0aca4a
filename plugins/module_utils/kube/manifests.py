# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests: objects as a user declares them, read, validated, normalised, ordered, and the secrets among them."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Problem
from ..masking import Protecting, declared_values, protect
from ..names import LABEL, SUBDOMAIN, namespace_problems, wrong_name
from ..text import not_text, shown_type
from .sdk import yaml
from .syntax import json_problems, text_problems
from .yaml_loader import read_declaration, read_documents

Object = dict[str, Any]

_PATH_SEGMENT_KINDS = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
_LABEL_KINDS = frozenset({"Namespace", "Service"})
POD_SECURITY_LEVELS = ("privileged", "baseline", "restricted")

_TEXT_METADATA = ("labels", "annotations")
# set by the server, or of another life of the object: what kubectl get -o yaml prints and nobody means to declare
_SERVER_METADATA = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


@dataclass(frozen=True)
class ObjectRef:
    """What tells one object of a cluster from all others."""

    api_version: str
    kind: str
    name: str
    namespace: str | None = None

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class ObjectSelector:
    """The part of a row that says for which objects it is; None chooses any."""

    kind: str | None = None
    name: str | None = None
    namespace: str | None = None

    def fits(self, ref: ObjectRef) -> bool:
        """Whether kind, name and namespace, as far as given, are this object's."""
        own = (("kind", ref.kind), ("name", ref.name), ("namespace", ref.namespace))
        return all(getattr(self, part) in (None, value) for part, value in own)

    @property
    def chosen(self) -> str:
        """What it asks for; empty where that is nothing."""
        parts = (("kind", self.kind), ("name", self.name), ("namespace", self.namespace))
        return ", ".join(f"{part} {value}" for part, value in parts if value is not None)


def rows_without_object(option: str, rows: Sequence[ObjectSelector], declared: Sequence[ObjectRef]) -> list[Problem]:
    """Rows that choose objects and fit none: a misspelt name would leave its object without them silently."""
    return [
        Problem(f"{option}[{number}]", f"no declared object has {row.chosen}")
        for number, row in enumerate(rows)
        if row.chosen and not any(row.fits(ref) for ref in declared)
    ]


def object_ref(item: Mapping[str, Any]) -> ObjectRef:
    metadata = item.get("metadata") or {}
    return ObjectRef(str(item["apiVersion"]), str(item["kind"]), str(metadata["name"]), metadata.get("namespace"))


def read_manifests(source: str, text: str) -> tuple[list[Any], list[Problem]]:
    """The documents of a YAML (or JSON) text that a user wrote; `source` names it in problems."""
    try:
        documents, duplicates = read_declaration(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f"{source} line {mark.line + 1}" if mark else source
        return [], [Problem(place, f"is not YAML: {getattr(exc, 'problem', None) or exc}")]
    return documents, [Problem(source, str(duplicate)) for duplicate in duplicates]


def flatten_lists(documents: Iterable[Any]) -> list[Any]:
    """`kind: List`, lists of one kind such as `RoleBindingList`, and lists of documents opened.

    The items of a list of one kind may leave out what they are, as for kubectl and helm.
    """
    flat: list[Any] = []
    for document in documents:
        if isinstance(document, list):
            flat += flatten_lists(document)
        elif isinstance(document, Mapping) and _is_list(document):
            known = {key: document.get(key) for key in ("apiVersion", "kind")}
            known["kind"] = str(known["kind"])[: -len("List")]
            items = document["items"] or []
            # `kind: List` says nothing of its items
            if known["kind"]:
                items = [{**known, **item} if isinstance(item, Mapping) else item for item in items]
            flat += flatten_lists(items)
        else:
            flat.append(document)
    return flat


def _is_list(document: Mapping[str, Any]) -> bool:
    named = isinstance(document.get("metadata"), Mapping) and document["metadata"].get("name")
    items = document.get("items", "")
    return str(document.get("kind", "")).endswith("List") and not named and (items is None or isinstance(items, list))


def manifest_problems(items: Sequence[Any], places: Sequence[str] | None = None) -> list[Problem]:
    """Everything wrong with these objects that can be told without asking a server; `places` say where each stood."""
    found: list[Problem] = []
    seen: dict[ObjectRef, str] = {}
    for number, item in enumerate(items):
        place = places[number] if places is not None else f"definitions[{number}]"
        if not isinstance(item, Mapping):
            found.append(Problem(place, f"is {shown_type(item)}, not an object with apiVersion, kind and metadata"))
            continue
        here = [*_shape_problems(item, place), *json_problems(item, place)]
        found += here
        if here:
            continue
        ref = object_ref(item)
        if ref in seen:
            found.append(Problem(place, f"{ref} is declared twice (also {seen[ref]})"))
        seen.setdefault(ref, place)
    return found


def _shape_problems(item: Mapping[str, Any], place: str) -> Iterable[Problem]:
    for key in ("apiVersion", "kind"):
        if item.get(key) in (None, ""):
            yield Problem(place, f"{key} is missing")
        elif not isinstance(item[key], str):
            yield Problem(f"{place}.{key}", not_text(item[key]))
    metadata = item.get("metadata")
    if not isinstance(metadata, Mapping):
        yield Problem(place, "metadata with a name is missing")
        return
    if metadata.get("generateName"):
        yield Problem(f"{place}.metadata.generateName", "makes a new object each run; give it a fixed name")
        return
    name, kind = metadata.get("name"), str(item.get("kind", ""))
    if name in (None, ""):
        yield Problem(f"{place}.metadata.name", "is missing")
    elif not isinstance(name, str):
        yield Problem(f"{place}.metadata.name", not_text(name))
    else:
        wrong = _wrong_name(kind, name)
        if wrong:
            yield Problem(f"{place}.metadata.name", wrong)
    if metadata.get("namespace") is not None:
        yield from namespace_problems(f"{place}.metadata.namespace", metadata["namespace"])
    if holds_secrets(item):
        yield from _secret_problems(item, place)
    yield from text_problems(item, place, built_in=is_built_in(str(item.get("apiVersion", "")).rpartition("/")[0]))
    if kind == "Namespace" and item.get("apiVersion") == "v1":
        labels = metadata.get("labels")
        # what is not text has been reported as that
        texts = {k: v for k, v in labels.items() if isinstance(v, str)} if isinstance(labels, Mapping) else {}
        yield from pod_security_problems(texts, f"{place}.metadata.labels")


def pod_security_problems(labels: Any, place: str) -> Iterable[Problem]:
    """Pod Security levels among labels of a namespace that the API server refuses."""
    for mode in ("enforce", "audit", "warn"):
        label = f"pod-security.kubernetes.io/{mode}"
        level = labels.get(label) if isinstance(labels, Mapping) else None
        if level is not None and level not in POD_SECURITY_LEVELS:
            yield Problem(
                f"{place}.{label}", f"{level!r} is not a valid level: use one of {', '.join(POD_SECURITY_LEVELS)}"
            )


def _secret_problems(item: Mapping[str, Any], place: str) -> Iterable[Problem]:
    """What the server would refuse, or store in another form than meant; the values are not shown."""
    for key in ("data", "stringData"):
        values = item.get(key)
        if values is not None and not isinstance(values, Mapping):
            yield Problem(f"{place}.{key}", "is not a mapping of names to values")
            continue
        for name, value in (values or {}).items():
            if not isinstance(value, str):
                # true would become "True", 0123 another number, and null an empty password; the value is not shown
                yield Problem(f"{place}.{key}.{name}", not_text(value, hidden=True))
            elif key == "data" and not _is_base64(value):
                yield Problem(f"{place}.data.{name}", "is not base64; plain text goes into stringData")


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode("".join(value.split("\n")), validate=True)
    except ValueError:
        return False
    return True


def _wrong_name(kind: str, name: str) -> str:
    if kind in _PATH_SEGMENT_KINDS:
        return f"{name!r} may not contain / or %" if re.search(r"[/%]", name) or name in (".", "..") else ""
    return wrong_name(name, f"{kind} name", LABEL if kind in _LABEL_KINDS else SUBDOMAIN)


# annotations that Kubernetes' controllers keep for themselves and may write between two of our requests
# (pkg/controller, pkg/apis and component-helpers of Kubernetes 1.34; a name with / at its end stands for all below)
CONTROLLER_ANNOTATIONS = (
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "batch.kubernetes.io/cronjob-scheduled-timestamp",
    "batch.kubernetes.io/job-completion-index",
    "control-plane.alpha.kubernetes.io/leader",
    "csi.volume.kubernetes.io/nodeid",
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "deprecated.deployment.rollback.to",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "endpoints.kubernetes.io/over-capacity",
    "kubernetes.io/service-account.uid",
    "node.alpha.kubernetes.io/ttl",
    "pv.kubernetes.io/",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
    "volumes.kubernetes.io/controller-managed-attach-detach",
)


# what controllers count, and kubectl get prints: declared, it would be set back and counted on for ever
_COUNTED = frozenset({"deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"})


def normalise(item: Mapping[str, Any]) -> Object:
    """The declaration without what only a server sets, and what it stores in another form in that form.

    A Secret's stringData becomes data. Null is empty text in maps of text (what the API server makes of it is tried
    in tests/integration/k8s_objects/test_formats.py).
    """
    metadata = {
        key: _texts(value) if key in _TEXT_METADATA else value
        for key, value in (item.get("metadata") or {}).items()
        if key not in _SERVER_METADATA
    }
    noted = metadata.get("annotations")
    if isinstance(noted, Mapping):
        metadata["annotations"] = {key: value for key, value in noted.items() if key not in _COUNTED}
    # an empty mapping declares nothing, and owning it would be a change of its own
    metadata = {key: value for key, value in metadata.items() if key not in _TEXT_METADATA or value != {}}
    clean: Object = {**item, "metadata": metadata}
    clean.pop("status", None)
    if item["apiVersion"] == "v1" and item["kind"] in ("Secret", "ConfigMap"):
        clean.update({key: _texts(item[key]) for key in ("data", "binaryData") if item.get(key) is not None})
    if holds_secrets(item) and "stringData" in item:
        written = _texts(clean.pop("stringData"))
        if isinstance(written, Mapping):
            clean["data"] = {**(clean.get("data") or {}), **{key: _encoded(value) for key, value in written.items()}}
    return clean


def _texts(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    return {key: "" if value is None else value for key, value in values.items()}


def _encoded(value: Any) -> Any:
    # what is not text is the API server's to refuse
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


def holds_secrets(item: Mapping[str, Any]) -> bool:
    """Its data is shown to nobody."""
    return item.get("kind") == "Secret" and item.get("apiVersion") == "v1"


# the groups of kube-apiserver; others under k8s.io (Gateway API, snapshots) come as CustomResourceDefinitions
_BUILT_IN = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "batch",
        "policy",
        *(
            f"{group}.k8s.io"
            for group in (
                "admissionregistration",
                "apiextensions",
                "apiregistration",
                "authentication",
                "authorization",
                "certificates",
                "coordination",
                "discovery",
                "events",
                "flowcontrol.apiserver",
                "internal.apiserver",
                "networking",
                "node",
                "rbac.authorization",
                "resource",
                "scheduling",
                "storage",
                "storagemigration",
            )
        ),
    }
)
_WORKLOADS = frozenset(
    {"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"}
)
_ADMISSION = frozenset(
    {
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "APIService",
    }
)

NAMESPACES, DEFINITIONS, BASE, WORKLOADS, CUSTOM = range(5)


def apply_phase(ref: ObjectRef) -> int:
    """When an object of a bundle has its turn; whole phases follow each other, inside one all go at once."""
    if ref.kind == "Namespace" and ref.group == "":
        return NAMESPACES
    if ref.kind == "CustomResourceDefinition":
        return DEFINITIONS
    # admission refuses objects from the moment it is there, also those that make it answer
    if ref.kind in _ADMISSION or not is_built_in(ref.group):
        return CUSTOM
    return WORKLOADS if ref.kind in _WORKLOADS else BASE


def is_built_in(group: str) -> bool:
    """A group of Kubernetes itself: its kinds never come from a CustomResourceDefinition."""
    return group in _BUILT_IN


_SAYS_KIND = re.compile(r"\bkind[\"']?\s*:")


def argument_secrets(arguments: Any) -> list[str]:
    """Of objects wherever they stand among the options, also of those in a text of YAML, and of values by name."""
    return declared_values(list(_documents(arguments)))


def protect_live_secrets(task: Protecting, live: Iterable[Object | None], known: Iterable[ObjectRef]) -> None:
    """From here on no value of these Secrets as they stand is shown: a webhook may print the old object it refuses.

    `known` are the objects that the task is about, whose names are to stay readable.
    """
    secrets = [item for item in live if item is not None and holds_secrets(item)]
    if secrets:
        names = [{"kind": ref.kind, "metadata": {"name": ref.name, "namespace": ref.namespace}} for ref in known]
        protect(task, declared_values([*secrets, *names]))


def _documents(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        # a text of objects, in YAML or JSON; most options are neither
        if _SAYS_KIND.search(value):
            with contextlib.suppress(yaml.YAMLError):
                yield from read_documents(value)
    elif isinstance(value, Mapping):
        yield value
        for below in value.values():
            is_object = isinstance(below, Mapping) and "apiVersion" in below and "kind" in below
            yield from [below] if is_object else _documents(below)
    elif isinstance(value, Sequence):
        yield from (one for item in value for one in _documents(item))


def release_of(item: Mapping[str, Any]) -> str:
    """The Helm release that an object belongs to; empty where it belongs to none."""
    return str((item["metadata"].get("annotations") or {}).get("meta.helm.sh/release-name") or "")
