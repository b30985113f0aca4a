# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What explains that objects are not ready.

Pods, logs, events, endpoints and storage classes, each read once per poll.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ...errors import Reason, ServiceError
from ...secrets import redact, variable_values
from .. import fields
from ..apply.requests import LIST_FROM
from ..client import Kube
from ..discovery import ResourceType
from ..manifests import Object
from ..syntax import selector_matches, selector_text
from . import cluster
from .cluster import latest_warning, pod_start_blockers
from .containers import of_workload, pod_reasons, settling_reasons
from .reasons import time_of, without_log

PODS = ResourceType("v1", "Pod", "pods", True)
EVENTS = ResourceType("v1", "Event", "events", True)
LOG_LINES = 8
LOG_LINE_LENGTH = 300

_HAS_ENDED = frozenset({"CrashLoop", "Crashed", "Crashing", "OutOfMemory"})
_CONTAINER = re.compile(r"Pod [^/]+/(\S+)(?: container (\S+))?")


def explain_workload(
    kube: Kube,
    namespace: str,
    selector: str | Mapping[str, Any],
    *,
    logs: bool = True,
    template_hash: str | None = None,
) -> list[Reason]:
    """Why the pods that `selector` (labels, or a label selector's text) finds are not ready; empty when all are.

    `logs` false leaves out what costs further requests: the last log lines and events.
    `template_hash` looks at the pods of one revision of a Deployment only.
    """
    chosen = selector if isinstance(selector, str) else selector_text(selector)
    if template_hash:
        chosen = f"{chosen},pod-template-hash={template_hash}"
    pods = kube.list_objects(PODS, namespace, label_selector=chosen)
    found = explain_pods(pods)
    return with_evidence(kube, namespace, found, pods) if logs else found


def explain_pods(pods: Sequence[Object]) -> list[Reason]:
    """Why these pods are not ready; ten replicas with one fault are one reason, pods on their way out none."""
    found: dict[tuple[str, str], Reason] = {}
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        for reason in pod_reasons(pod):
            found.setdefault((reason.code, str(reason).replace(str(pod["metadata"].get("name")), "")), reason)
    return list(found.values())


def with_evidence(kube: Kube, namespace: str, reasons: Sequence[Reason], pods: Sequence[Object]) -> list[Reason]:
    """The same reasons with what only further requests tell: last log lines, and what events say."""
    return [_with_evidence(kube, namespace, reason, pods) for reason in reasons]


def last_log_lines(
    kube: Kube,
    namespace: str,
    pod: str,
    container: str,
    values: Mapping[str, str] | None = None,
    count: int = LOG_LINES,
) -> list[str]:
    """The end of a container's log, redacted; of its previous life when nothing is known of this one."""
    for previous in ("false", "true"):
        query = {"container": container, "tailLines": count, "previous": previous, "limitBytes": 20000}
        try:
            response = kube.request(
                "GET", PODS.path(namespace, pod, "log"), query=query, action=f"read the log of {pod}"
            )
        except ServiceError:
            continue
        text = response.body.decode(errors="replace")
        # what the kubelet answers, with status 200, when the container's log is already removed
        lost = text.startswith("unable to retrieve container logs")
        lines = [] if lost else [line[:LOG_LINE_LENGTH] for line in redact(text, values).splitlines() if line.strip()]
        if lines:
            return lines[-count:]
    return []


def warnings_in(kube: Kube, namespace: str | None, kind: str | None = None, name: str | None = None) -> list[Object]:
    """The Warning events of a namespace, or of one object in it."""
    chosen = f"involvedObject.kind={kind},involvedObject.name={name},type=Warning" if name else "type=Warning"
    return kube.list_objects(EVENTS, namespace, field_selector=chosen)


def with_log(reason: Reason, lines: Sequence[str]) -> Reason:
    """A reason with the last lines of a log, or without the advice to read them where there are none."""
    if not lines:
        return replace(reason, hint=without_log(reason.code, reason.hint))
    reported = f"{reason.message}. Its last log lines:\n" + "\n".join(f"    {line}" for line in lines)
    return replace(reason, message=reported)


def _with_evidence(kube: Kube, namespace: str, reason: Reason, pods: Sequence[Object]) -> Reason:
    match = _CONTAINER.fullmatch(reason.subject)
    if match is None:
        return reason
    name, container = match.groups()
    own = [pod for pod in pods if pod["metadata"].get("name") == name]
    if reason.code in _HAS_ENDED and container:
        return with_log(reason, last_log_lines(kube, namespace, name, container, variable_values(own)))
    if reason.code not in ("NotPassingProbes", "Starting") or not own:
        return reason
    try:
        events = warnings_in(kube, namespace, "Pod", name)
    except ServiceError:
        return reason
    blockers = pod_start_blockers(own[0], events) if reason.code == "Starting" else []
    if blockers:
        return blockers[0]
    stated = redact(latest_warning({**own[0], "kind": "Pod"}, events), variable_values(own))
    return replace(reason, message=f"{reason.message}: {stated}") if stated else reason


SLICES = ResourceType("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", True)
CLASSES = ResourceType("storage.k8s.io/v1", "StorageClass", "storageclasses", False)
SCALED = (
    ResourceType("apps/v1", "Deployment", "deployments", True),
    ResourceType("apps/v1", "StatefulSet", "statefulsets", True),
)

WITH_PODS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"})
_WITHOUT_A_CONDITION = frozenset({"StatefulSet", "DaemonSet", "Job"})
"""Kinds that tell only by events that their pods are refused."""
STUCK_SECONDS = 3.0
"""How old a pod must be before events are asked why it does not start."""


class RelatedObjects:
    """One look: ask it about as many objects as there are, then make a new one for the next look."""

    def __init__(self, kube: Kube, waiting: Iterable[tuple[str, str | None]], before: datetime | None = None) -> None:
        """`waiting`: kind and namespace of every object that will be asked about.

        `before`: the API server's time before they were read. What is judged is at least as young as that, however
        long the reading took.
        """
        self._kube = kube
        self._before = before or kube.now
        self._workloads = Counter(namespace for kind, namespace in waiting if kind in WITH_PODS)
        self._read: dict[Any, list[Object] | None] = {}
        self._locks: dict[Any, threading.Lock] = {}

    def judge(self, item: Object, found: Sequence[Reason]) -> list[Reason]:
        """The reasons of an object whose own are `found`, with what its surroundings say."""
        kind, namespace = str(item["kind"]), item["metadata"].get("namespace")
        if kind in WITH_PODS:
            return self._workload(item, found)
        if kind == "Pod":
            return self._pod(item, found)
        if kind == "Service" and not found:
            return self._service(item, str(namespace))
        if kind == "PersistentVolumeClaim" and found:
            classes = self._list(CLASSES, None)
            if classes is not None and not item["metadata"].get("deletionTimestamp"):
                return cluster.judge_claim_with_class(item, {one["metadata"]["name"]: one for one in classes})
        return list(found)

    def pods_of(self, item: Object) -> list[Object] | None:
        """The pods that a workload's (or Service's) selector chooses; None where they may not be listed."""
        selector: Mapping[str, Any] | None = (item.get("spec") or {}).get("selector")
        namespace = str(item["metadata"].get("namespace"))
        if not selector:
            return []
        if self._workloads[namespace] < LIST_FROM and item["kind"] != "Service":
            return self._list(PODS, namespace, selector_text(selector))
        listed = self._list(PODS, namespace)
        return (
            None
            if listed is None
            else [pod for pod in listed if selector_matches(selector, pod["metadata"].get("labels"))]
        )

    def warnings(self, namespace: str) -> list[Object]:
        """The Warning events of a namespace; none where they may not be listed."""
        return self._once(("events", namespace), lambda: warnings_in(self._kube, namespace)) or []

    def _workload(self, item: Object, found: Sequence[Reason]) -> list[Reason]:
        if any(reason.terminal for reason in found):
            return list(found)
        pods = self.pods_of(item)
        if pods is None:
            return list(found)
        if not found:
            return [] if item["kind"] == "Job" else settling_reasons(of_workload(item, pods), self._before)
        living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        if not living and item["kind"] in _WITHOUT_A_CONDITION:
            return self._refused(item) or list(found)
        # the pods know of faults that waiting will not heal long before the workload's deadline
        return [*found, *(reason for reason in [*explain_pods(living), *self._hindered(living)] if reason.terminal)]

    def _pod(self, item: Object, found: Sequence[Reason]) -> list[Reason]:
        if found:
            return self._hindered([item]) or list(found)
        finished = (item.get("status") or {}).get("phase") == "Succeeded"
        return [] if finished else settling_reasons([item], self._before)

    def _refused(self, item: Object) -> list[Reason]:
        """What keeps pods from being made; terminal only when it was tried after the object's last change."""
        namespace = str(item["metadata"].get("namespace"))
        own = cluster.events_about(item, self.warnings(namespace))
        found = cluster.creation_refused(item, own)
        changes = [entry.time for entry in fields.entries(item) if entry.time]
        changed = max((time_of(text) for text in changes), default=None)
        tried = cluster.event_time(own[-1]) if own else None
        if tried is not None and changed is not None and tried < changed:
            return [replace(reason, terminal=False) for reason in found]
        return found

    def _hindered(self, pods: Sequence[Object]) -> list[Reason]:
        now = self._kube.now
        found: list[Reason] = []
        for pod in pods:
            status, metadata = pod.get("status") or {}, pod["metadata"]
            started = any("running" in (one.get("state") or {}) for one in status.get("containerStatuses") or [])
            if now is None or started or status.get("phase") != "Pending" or not metadata.get("creationTimestamp"):
                continue
            if now - time_of(metadata["creationTimestamp"]) >= timedelta(seconds=STUCK_SECONDS):
                found += cluster.pod_start_blockers(pod, self.warnings(str(metadata.get("namespace"))))
        return found

    def _service(self, item: Object, namespace: str) -> list[Reason]:
        listed = self._list(SLICES, namespace)
        if listed is None or not cluster.expects_endpoints(item):
            return []
        name = item["metadata"]["name"]
        own = [one for one in listed if (one["metadata"].get("labels") or {}).get(cluster.SERVICE_NAME_LABEL) == name]
        if cluster.ready_endpoints(own):
            return []
        workloads = [one for resource in SCALED for one in self._list(resource, namespace) or []]
        return cluster.judge_endpoints(item, own, self._list(PODS, namespace) or [], workloads)

    def _list(self, resource: ResourceType, namespace: str | None, selector: str | None = None) -> list[Object] | None:
        key = (resource.plural, namespace, selector)
        return self._once(
            key, lambda: self._kube.list_objects(resource, namespace, label_selector=selector, quiet=True)
        )

    def _once(self, key: Any, read: Callable[[], list[Object]]) -> list[Object] | None:
        # objects are judged side by side, and many of them ask for the same list
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._read:
                try:
                    self._read[key] = read()
                except ServiceError as refused:
                    if refused.status != 403:
                        raise
                    self._read[key] = None
            return self._read[key]
