# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one look at waiting objects needs beside them: pods, endpoints, events, storage classes, each read once.

What this identity may not list is not judged: an object is then as ready as it says itself.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import fields
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import PODS, explain_pods, warnings_in
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import LIST_FROM
from ansible_collections.mcpops.platform.plugins.module_utils.kube.selectors import selector_text, selects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts import events, network, platform
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import time_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.settling import of_workload, settling

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


class Surroundings:
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
                return platform.claim_with_class(item, {one["metadata"]["name"]: one for one in classes})
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
        return None if listed is None else [pod for pod in listed if selects(selector, pod["metadata"].get("labels"))]

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
            return [] if item["kind"] == "Job" else settling(of_workload(item, pods), self._before)
        living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        if not living and item["kind"] in _WITHOUT_A_CONDITION:
            return self._refused(item) or list(found)
        # the pods know of faults that waiting will not heal long before the workload's deadline
        return [*found, *(reason for reason in [*explain_pods(living), *self._hindered(living)] if reason.terminal)]

    def _pod(self, item: Object, found: Sequence[Reason]) -> list[Reason]:
        if found:
            return self._hindered([item]) or list(found)
        finished = (item.get("status") or {}).get("phase") == "Succeeded"
        return [] if finished else settling([item], self._before)

    def _refused(self, item: Object) -> list[Reason]:
        """What keeps pods from being made; terminal only when it was tried after the object's last change."""
        namespace = str(item["metadata"].get("namespace"))
        own = events.about(item, self.warnings(namespace))
        found = events.creation_refused(item, own)
        changes = [entry.time for entry in fields.entries(item) if entry.time]
        changed = max((time_of(text) for text in changes), default=None)
        tried = events.last_seen(own[-1]) if own else None
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
                found += events.start_hindered(pod, self.warnings(str(metadata.get("namespace"))))
        return found

    def _service(self, item: Object, namespace: str) -> list[Reason]:
        listed = self._list(SLICES, namespace)
        if listed is None or not network.leads_somewhere(item):
            return []
        name = item["metadata"]["name"]
        own = [one for one in listed if (one["metadata"].get("labels") or {}).get(network.SERVICE_OF) == name]
        if network.ready_endpoints(own):
            return []
        workloads = [one for resource in SCALED for one in self._list(resource, namespace) or []]
        return network.endpoints(item, own, self._list(PODS, namespace) or [], workloads)

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
