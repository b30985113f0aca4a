# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What diagnosis reads (one LIST a kind) and what it yields: findings with evidence and advice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from ...errors import Reason, ServiceError
from ...secrets import redact
from .. import fields
from ..apply.requests import map_concurrently, unless_down
from ..client import Kube
from ..config_digest import Content
from ..discovery import METADATA_OF_LIST, ResourceType
from ..readiness import cluster
from ..readiness.reasons import REASON_CODES, SEVERITIES, Object, ReasonCode, reason_code, time_of

STATUS, EVENT, LOG, CALL = "status", "event", "log", "call"


@dataclass(frozen=True)
class Evidence:
    """Something that shows the fault, and where it was read: status, event or log, or a call that was made."""

    source: str
    text: str


@dataclass(frozen=True)
class LogOf:
    """The container whose last lines belong to a finding, and the values that are not to be shown."""

    namespace: str
    pod: str
    container: str
    hidden: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One fault. `part` tells faults of one object apart (a container); `pods` are those that show it."""

    code: str
    item: Object
    summary: str
    part: str = ""
    severity: str = ""
    advice: str = ""
    evidence: tuple[Evidence, ...] = ()
    pods: tuple[str, ...] = ()
    caused_by: tuple[str, ...] = ()
    log_of: LogOf | None = None

    @property
    def identifier(self) -> str:
        """The same from run to run for as long as the fault is there; pods come and go and are no part of it."""
        metadata = self.item.get("metadata") or {}
        parts = (self.code, metadata.get("namespace"), self.item.get("kind"), metadata.get("name"), self.part)
        return "/".join(str(part) for part in parts if part)

    def to_dict(self) -> dict[str, Any]:
        metadata = self.item.get("metadata") or {}
        return {
            "id": self.identifier,
            "code": self.code,
            "severity": self.severity,
            "object": {
                "api_version": self.item.get("apiVersion"),
                "kind": self.item.get("kind"),
                "name": metadata.get("name"),
                **({"namespace": metadata["namespace"]} if metadata.get("namespace") else {}),
            },
            "summary": redact(self.summary),
            "advice": self.advice,
            "evidence": [{"source": one.source, "text": redact(one.text)} for one in self.evidence],
            "pods": list(self.pods),
            "caused_by": list(self.caused_by),
        }


def of_reason(item: Object, reason: Reason, **more: Any) -> Finding:
    """The finding that a verdict on `item` stands for."""
    return Finding(reason.code, item, reason.message, advice=reason.hint, **more)


def with_events(found: Finding, messages: Sequence[str], most: int = 3) -> Finding:
    """The same with the last distinct messages of events that say more than the summary does."""
    stated = found.summary.partition(": ")[2] if found.part else found.summary
    fresh = [one for one in dict.fromkeys(reversed(messages)) if one not in found.summary and stated not in one][:most]
    return replace(found, evidence=(*found.evidence, *(Evidence(EVENT, text) for text in reversed(fresh))))


def in_order(findings: Iterable[Finding], codes: Mapping[str, ReasonCode] | None = None) -> list[Finding]:
    """The worst first, then by name; each fault once, with what its code says of it where it says nothing itself."""
    unique = {found.identifier: _complete(found, codes) for found in findings}
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    return sorted(unique.values(), key=lambda one: (rank[one.severity], one.identifier))


def _complete(found: Finding, codes: Mapping[str, ReasonCode] | None) -> Finding:
    of_code = reason_code(found.code, codes)
    return replace(found, severity=found.severity or of_code.severity, advice=found.advice or of_code.advice)


# of the namespaces that are asked about
_OF_NAMESPACES: tuple[tuple[str, str], ...] = (
    ("v1", "Pod"),
    ("v1", "Event"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("v1", "PersistentVolumeClaim"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
)
# who wrote them and when is all that is looked at
_METADATA = frozenset({"Secret", "ConfigMap"})
# of all namespaces when the cluster itself is looked at as well: behind DNS, webhooks and controllers are these
_BEHIND_THE_CLUSTER: tuple[tuple[str, str], ...] = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
)
_OF_THE_CLUSTER: tuple[tuple[str, str], ...] = (
    ("v1", "Node"),
    ("v1", "Namespace"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
)
FORBIDDEN, NOT_FOUND = 403, 404


@dataclass(frozen=True)
class Snapshot:
    """The objects of a cluster at one moment, by kind."""

    objects: Mapping[str, Sequence[Object]]
    now: datetime
    namespaces: frozenset[str] | None = None
    """Those that are asked about; None means all."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Kinds that could not be read, or not everywhere, and why: what they would show is not known."""
    contents: Mapping[tuple[str, str, str], Content] = field(default_factory=dict)
    """Fingerprints of the Secrets and ConfigMaps that had to be read, by kind, namespace and name."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What domains have asked in addition, by the name of the domain."""
    codes: Mapping[str, ReasonCode] = field(default_factory=lambda: REASON_CODES)
    """What the codes of reasons stand for, those of domains too."""

    def all(self, kind: str) -> Sequence[Object]:
        """Every object of a kind that was read, also of namespaces that are not asked about."""
        return self.objects.get(kind, ())

    def of(self, kind: str) -> list[Object]:
        """The objects of a kind in the namespaces that are asked about."""
        return [one for one in self.all(kind) if self._asked(one["metadata"].get("namespace"))]

    def knows(self, kind: str) -> bool:
        """Whether this kind was read at all."""
        return kind in self.objects

    def complete(self, kind: str) -> bool:
        """Whether this kind was read in all namespaces."""
        return self.knows(kind) and kind not in self.unread

    def messages(self, item: Object) -> list[str]:
        """What the Warning events of an object say, the last one last."""
        return [cluster.event_message(one) for one in cluster.events_about(item, self._events_of(item))]

    def events(self, item: Object) -> list[Object]:
        """The Warning events of an object, oldest first."""
        return cluster.events_about(item, self._events_of(item))

    def age(self, item: Object, since: str | None = None) -> timedelta:
        """How long ago `since` was, or, without it, the object's last change by anybody but its controllers' status."""
        metadata = item.get("metadata") or {}
        written = [entry.time for entry in fields.entries(item) if entry.time and entry.subresource != "status"]
        times = [since] if since else [*written, metadata.get("deletionTimestamp"), metadata.get("creationTimestamp")]
        known = [time_of(str(text)) for text in times if text]
        return self.now - max(known) if known else timedelta.max

    def lasting(self, code: str, item: Object, since: str | None = None) -> bool:
        """Whether an object shows this for longer than is normal."""
        return self.age(item, since).total_seconds() >= reason_code(code, self.codes).grace_seconds

    def _events_of(self, item: Object) -> list[Object]:
        return self._events_by_object.get((str(item.get("kind")), str((item.get("metadata") or {}).get("name"))), [])

    @cached_property
    def _events_by_object(self) -> dict[tuple[str, str], list[Object]]:
        index: dict[tuple[str, str], list[Object]] = {}
        for event in self.all("Event"):
            involved = event.get("involvedObject") or {}
            index.setdefault((str(involved.get("kind")), str(involved.get("name"))), []).append(event)
        return index

    def _asked(self, namespace: str | None) -> bool:
        return self.namespaces is None or namespace is None or namespace in self.namespaces


def read_snapshot(
    kube: Kube, namespaces: Collection[str], cluster_scope: bool, more: Sequence[tuple[str, str]] = ()
) -> Snapshot:
    """The cluster as it is now. `namespaces` empty means all; `cluster_scope` adds what they all share.

    `more` are kinds that domains look at: of all namespaces when the cluster itself is looked at.
    """
    wanted = sorted(set(namespaces))
    behind = "" if cluster_scope or not wanted else "namespace"
    plan = [(row, wanted) for row in _OF_NAMESPACES]
    behind_it = [row for row in dict.fromkeys((*_BEHIND_THE_CLUSTER, *more)) if row not in _OF_NAMESPACES]
    plan += [(row, wanted if behind else []) for row in behind_it]
    plan += [(row, []) for row in (_OF_THE_CLUSTER if cluster_scope else (("storage.k8s.io/v1", "StorageClass"),))]
    found: dict[str, Sequence[Object]] = {}
    unread: dict[str, str] = {}

    def one(entry: tuple[tuple[str, str], list[str]]) -> tuple[str, Sequence[Object] | None, str]:
        (api_version, kind), places = entry
        resource = kube.resource_type(api_version, kind, refresh=False)
        if resource is None:
            return kind, None, ""
        found = unless_down(lambda: _listed(kube, resource, places, wanted))
        if isinstance(found, ServiceError):
            return kind, None, "is served by an API that does not answer"
        return kind, *found

    # what an earlier task of the run knew is no evidence; discovered once, before the threads ask
    kube.forget_kinds()
    kube.kinds()
    for kind, listed, why in map_concurrently(one, plan):
        if listed is not None:
            found[kind] = listed
        if why:
            unread[kind] = why
    return Snapshot(found, kube.now or datetime.now(timezone.utc), frozenset(wanted) or None, unread)


def _listed(
    kube: Kube, resource: ResourceType, places: Sequence[str], wanted: Sequence[str]
) -> tuple[Sequence[Object] | None, str]:
    """The objects, or None where none may be read, and what is missing of them."""

    def items(namespace: str | None) -> Sequence[Object]:
        selector = "type=Warning" if resource.kind == "Event" else None
        accept = METADATA_OF_LIST if resource.kind in _METADATA else None
        return kube.list_objects(resource, namespace, field_selector=selector, accept=accept, quiet=True)

    try:
        if not places:
            return items(None), ""
    except ServiceError as refused:
        if refused.status == NOT_FOUND:
            return None, ""
        if refused.status != FORBIDDEN:
            raise
        if not wanted or not resource.namespaced:
            return None, "may not be listed"
    listed: list[Object] = []
    missing: list[str] = [] if places else ["other namespaces"]
    for namespace in places or wanted:
        try:
            listed += items(namespace)
        except ServiceError as refused:
            if refused.status != FORBIDDEN:
                raise
            missing.append(namespace)
    return listed, f"may not be listed in {', '.join(missing)}" if missing else ""
