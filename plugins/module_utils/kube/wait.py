# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until objects are ready: by deadline, early on what will not heal, with the reasons in the error."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import explain_workload
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import (
    condition_reasons,
    has_verdict,
    reasons,
    subject,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import read_objects
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

FIRST_POLL_SECONDS = 0.2
LAST_POLL_SECONDS = 1.5
TERMINAL_SECONDS = 4.0
"""How long a terminal reason must stand: a Secret or an image may be a moment behind its pod."""

_WITH_PODS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"})
_WITHOUT_PODS = frozenset({"PodsRefused", "QuotaExceeded", "Missing"})
_AT_ONCE = frozenset({"JobFailed", "VolumeLost", "NamesNotAccepted", "PodFailed", "Suspended"})


def wait_ready(
    kube: Kube, task: Task, items: Sequence[Object], timeout: float, condition: tuple[str, str] | None = None
) -> list[Object]:
    """Wait until every object is ready and return them as they stand; NotReady with reasons otherwise.

    `items` need apiVersion, kind, name and namespace. Kinds without a verdict are ready by existing, unless
    `condition` (type, status) names what to wait for.
    """
    targets = _targets(kube, items)
    started = time.monotonic()
    pause = FIRST_POLL_SECONDS
    terminal_since: float | None = None
    live: dict[Identity, Object] = {}
    waiting = targets
    while True:
        live.update(_fresh(kube, waiting))
        found = {target.who: _verdict(kube, target, live.get(target.who), condition) for target in waiting}
        waiting = [target for target in waiting if found[target.who]]
        if not waiting:
            return [live[target.who] for target in targets if target.who in live]
        now = time.monotonic()
        open_reasons = [reason for target in waiting for reason in found[target.who]]
        ending = any(reason.terminal for reason in open_reasons)
        terminal_since = (terminal_since or now) if ending else None
        settled = any(reason.code in _AT_ONCE and reason.terminal for reason in open_reasons)
        over = now - started >= timeout
        if over or settled or (terminal_since is not None and now - terminal_since >= TERMINAL_SECONDS):
            raise NotReady(
                _named(waiting),
                explain(kube, [live.get(target.who, target.declared) for target in waiting], open_reasons),
                waited=now - started,
            )
        task.progress(f"waiting for {len(waiting)} of {len(targets)}: {open_reasons[0]}")
        time.sleep(min(pause, max(0.05, timeout - (now - started))))
        pause = min(LAST_POLL_SECONDS, pause * 1.3)


def explain(kube: Kube, items: Sequence[Object], known: Sequence[Reason]) -> list[Reason]:
    """The same reasons, those about workloads with what their pods tell."""
    told: list[Reason] = []
    for item in items:
        own = [reason for reason in known if reason.subject == subject(item)]
        # pods that admission refuses do not exist: there is nobody to ask
        ask = item.get("kind") in _WITH_PODS and not any(reason.code in _WITHOUT_PODS for reason in own)
        told += (_pods_of(kube, item, logs=True) if ask else []) or own
    return told or list(known)


def _verdict(kube: Kube, target: Target, live: Object | None, condition: tuple[str, str] | None) -> list[Reason]:
    if live is None:
        return [Reason(str(target.who), "Missing", "does not exist")]
    if not has_verdict(live):
        return condition_reasons(live, *condition) if condition else reasons(live)
    found = reasons(live)
    if not found:
        return []
    if target.who.kind in _WITH_PODS and not any(reason.terminal for reason in found):
        # the pods know of faults that waiting will not heal long before the workload's deadline
        return [*found, *(reason for reason in _pods_of(kube, live, logs=False) if reason.terminal)]
    if target.who.kind == "PersistentVolumeClaim" and _waits_for_consumer(kube, live):
        return []
    return found


def _pods_of(kube: Kube, item: Object, *, logs: bool) -> list[Reason]:
    selector: Mapping[str, Any] | None = (item.get("spec") or {}).get("selector")
    if not selector:
        return []
    namespace = str(item["metadata"].get("namespace"))
    return explain_workload(kube, namespace, selector, logs=logs)


def _waits_for_consumer(kube: Kube, claim: Object) -> bool:
    """A claim whose class binds at the first pod is as ready as it can be before there is one."""
    name = (claim.get("spec") or {}).get("storageClassName")
    chosen = (claim["metadata"].get("annotations") or {}).get("volume.kubernetes.io/selected-node")
    if not name or chosen:
        return False
    storage_class = kube.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}") or {}
    return storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def _fresh(kube: Kube, waiting: Sequence[Target]) -> dict[Identity, Object]:
    return read_objects(kube, waiting)


def _targets(kube: Kube, items: Sequence[Object]) -> list[Target]:
    found = []
    for item in items:
        resource = kube.resource_type(str(item["apiVersion"]), str(item["kind"]))
        if resource is not None:
            found.append(target_of(resource, item))
    return found


def _named(waiting: Sequence[Target]) -> str:
    names = ", ".join(str(target.who) for target in waiting[:3])
    return names + (f" and {len(waiting) - 3} more" if len(waiting) > 3 else "")
