# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on what has no pods of its own: claims, autoscalers, budgets, definitions, APIs, namespaces, nodes. Pure."""

from __future__ import annotations

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube import aggregation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    condition,
    holds,
    outdated,
    told,
    verdict,
)
from ansible_collections.mcpops.platform.plugins.module_utils.text import counted

_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def claim(item: Object) -> list[Reason]:
    """What a claim alone tells: bound, lost, or neither yet."""
    phase = (item.get("status") or {}).get("phase", "Pending")
    if phase == "Bound":
        return []
    if phase == "Lost":
        return verdict(item, "VolumeLost", "has lost its volume", terminal=True)
    class_name = (item.get("spec") or {}).get("storageClassName") or "the default class"
    return verdict(item, "Unbound", f"is {phase}: no volume of {class_name} is bound yet")


def claim_with_class(item: Object, classes: dict[str, Object]) -> list[Reason]:
    """The same with the cluster's storage classes by name.

    A claim whose class binds at the first pod is as ready as it can be before there is one.
    """
    found = claim(item)
    if not found or found[0].code != "Unbound":
        return found
    spec = item.get("spec") or {}
    name = spec.get("storageClassName")
    if name is None:
        default = any(
            ((one["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS)) == "true" for one in classes.values()
        )
        return found if default else verdict(item, "Unbound", "names no class, and the cluster has no default one")
    if not name:
        return found
    if name not in classes:
        there = ", ".join(sorted(classes)) or "none"
        return verdict(item, "Unbound", f"there is no storage class {name} (there is {there})")
    waits = classes[name].get("volumeBindingMode") == "WaitForFirstConsumer"
    chosen = (item["metadata"].get("annotations") or {}).get(_SELECTED_NODE)
    return [] if waits and not chosen else found


def autoscaler(item: Object) -> list[Reason]:
    """Ready when it can read what it scales by; one whose target is scaled to none rests."""
    able, active = condition(item, "AbleToScale"), condition(item, "ScalingActive")
    if able is None and active is None:
        return verdict(item, "NotObserved", "its controller has not looked at it yet")
    if able is not None and able.get("status") == "False":
        return verdict(item, "CannotScale", told(able))
    if active is not None and active.get("status") == "False" and active.get("reason") != "ScalingDisabled":
        return verdict(item, "NoMetrics", told(active))
    return []


def budget(item: Object) -> list[Reason]:
    """Ready when its controller has counted, and as many pods are healthy as it demands."""
    status = item.get("status") or {}
    if outdated(item) or "observedGeneration" not in status:
        return verdict(item, "NotObserved", "its controller has not looked at it yet")
    allowed = condition(item, "DisruptionAllowed")
    if allowed is not None and allowed.get("reason") == "SyncFailed":
        return verdict(item, "NotObserved", f"its controller cannot count its pods: {told(allowed)}")
    wanted, healthy = int(status.get("desiredHealthy", 0)), int(status.get("currentHealthy", 0))
    # without any pod there is nothing to protect
    if int(status.get("expectedPods", 0)) and healthy < wanted:
        return verdict(item, "TooFewHealthy", f"{counted(healthy, 'healthy pod')}, and it demands {wanted}")
    return []


def blocks_drain(item: Object) -> list[Reason]:
    """A budget that is kept, and allows no pod to go."""
    status = item.get("status") or {}
    if budget(item) or not int(status.get("expectedPods", 0)) or int(status.get("disruptionsAllowed", 0)):
        return []
    healthy = status.get("currentHealthy", 0)
    return verdict(item, "BlocksDrain", f"demands all of its {healthy} healthy pods: none may be evicted")


def definition(item: Object) -> list[Reason]:
    """Ready when the API server has established it; clashing names stay so."""
    names = condition(item, "NamesAccepted")
    if names is not None and names.get("status") == "False":
        return verdict(item, "NamesNotAccepted", f"its names clash: {told(names)}", terminal=True)
    if holds(item, "Established"):
        return []
    return verdict(item, "NotEstablished", "is not established yet")


def api_service(item: Object) -> list[Reason]:
    """Ready when what is behind it answers."""
    available = condition(item, "Available")
    if available is None:
        return verdict(item, "NotObserved", "no controller has observed it yet")
    if available.get("status") == "True":
        return []
    name = str(item["metadata"]["name"])
    service = (item.get("spec") or {}).get("service") or {}
    place = f"{service.get('namespace')}/{service.get('name')}" if service else ""
    why = f"{told(available)} ({available['reason']})" if available.get("reason") else told(available)
    hint = f"{aggregation.advice(name, place)} Until it answers or is gone, the deletion of namespaces is held up."
    return verdict(item, aggregation.CODE, f"is not available: {why}", hint=hint)


def namespace(item: Object) -> list[Reason]:
    """Ready while it is not on its way out."""
    phase = (item.get("status") or {}).get("phase", "Active")
    return [] if phase == "Active" else deleting(item)


def deleting(item: Object) -> list[Reason]:
    """An object on its way out, and what holds it."""
    held = ", ".join((item.get("metadata") or {}).get("finalizers") or [])
    remaining = [
        told(one)
        for one in (item.get("status") or {}).get("conditions") or []
        if item.get("kind") == "Namespace" and one.get("status") == "True"
    ]
    why = "; ".join(remaining) or (f"held by {held}" if held else "")
    return verdict(item, "Deleting", "is being deleted" + (f": {why}" if why else ""), hint=namespace_hint(item))


def namespace_hint(item: Object) -> str | None:
    """What lets a namespace go that waits for an API which does not answer; None for all others."""
    failing = condition(item, "NamespaceDeletionDiscoveryFailure") if item.get("kind") == "Namespace" else None
    if failing is None or failing.get("status") != "True":
        return None
    return aggregation.deletion_advice(str(failing.get("message") or ""))


def node(item: Object) -> list[Reason]:
    """Ready when its kubelet says so and nothing runs short."""
    ready = condition(item, "Ready")
    if ready is None or ready.get("status") != "True":
        since = f" since {ready['lastTransitionTime']}" if ready and ready.get("lastTransitionTime") else ""
        return verdict(item, "NodeNotReady", f"is not ready{since}: {told(ready) if ready else 'nothing is known'}")
    found: list[Reason] = []
    for name in ("MemoryPressure", "DiskPressure", "PIDPressure"):
        if holds(item, name):
            found += verdict(item, "NodePressure", f"{name}: {told(condition(item, name) or {})}")
    if holds(item, "NetworkUnavailable"):
        found += verdict(item, "NodeNotReady", f"has no network: {told(condition(item, 'NetworkUnavailable') or {})}")
    return found
