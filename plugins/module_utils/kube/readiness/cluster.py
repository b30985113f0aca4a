# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of Services, Ingresses, claims, autoscalers, budgets, CRDs, APIServices, namespaces and nodes.

And what Warning events say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ...errors import Reason
from ...text import counted
from .. import discovery
from ..syntax import selector_matches
from .containers import reference_code
from .reasons import Object, condition_of, condition_text, is_condition_true, is_status_outdated, reason_about, time_of
from .workloads import refusal_reasons

_MOUNTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_CREATIONS = frozenset({"FailedCreate", "FailedDaemonPod"})


def event_time(event: Object) -> datetime | None:
    """When an event happened last; the API has three places for that."""
    text = (
        event.get("lastTimestamp")
        or ((event.get("series") or {}).get("lastObservedTime"))
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
    )
    return time_of(str(text)) if text else None


def event_message(event: Object) -> str:
    """What an event says, on one line."""
    return " ".join(str(event.get("message") or event.get("reason") or "").split())


def events_about(item: Object, events: Iterable[Object]) -> list[Object]:
    """The events of this very object (not of one that had its name before), oldest first."""
    metadata = item.get("metadata") or {}
    own = []
    for event in events:
        involved = event.get("involvedObject") or {}
        named = (item.get("kind"), metadata.get("name"), metadata.get("namespace"))
        if (involved.get("kind"), involved.get("name"), involved.get("namespace")) != named:
            continue
        if not involved.get("uid") or involved.get("uid") == metadata.get("uid", involved.get("uid")):
            own.append(event)
    return sorted(own, key=lambda event: str(event_time(event) or ""))


def creation_refused(item: Object, events: Iterable[Object]) -> list[Reason]:
    """Why a controller without a condition for it (StatefulSet, DaemonSet, Job) cannot make its pods."""
    tried = [event for event in events_about(item, events) if event.get("reason") in _CREATIONS]
    return refusal_reasons(item, event_message(tried[-1])) if tried else []


def pod_start_blockers(item: Object, events: Iterable[Object]) -> list[Reason]:
    """What keeps a pod from starting before any container of it exists: volumes and its sandbox."""
    where = {**item, "kind": "Pod"}
    for event in reversed(events_about(where, events)):
        stated = event_message(event)
        if event.get("reason") in _MOUNTS:
            known = reference_code(stated)
            if known:
                return reason_about(where, known, stated, terminal=True)
            return reason_about(where, "VolumeNotMounted", stated)
        if event.get("reason") == "FailedCreatePodSandBox":
            return reason_about(where, "SandboxFailed", stated)
    return []


def latest_warning(item: Object, events: Iterable[Object]) -> str:
    """The last warning about an object; empty when there is none."""
    own = events_about(item, events)
    return event_message(own[-1]) if own else ""


SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""The label that says which Service an EndpointSlice is of."""


def judge_load_balancer(item: Object) -> list[Reason]:
    """A load balancer, of a Service or an Ingress, is ready when it has an address."""
    if ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return []
    if item.get("kind") == "Ingress":
        spec = item.get("spec") or {}
        named = spec.get("ingressClassName")
        by = f"no controller of class {named}" if named else "no controller (it names no class)"
        return reason_about(item, "NoAddress", f"{by} has given it an address yet")
    return reason_about(item, "NoAddress", "its load balancer has no address yet")


def judge_service(item: Object) -> list[Reason]:
    """What a Service alone tells: only a load balancer shows something."""
    return judge_load_balancer(item) if (item.get("spec") or {}).get("type") == "LoadBalancer" else []


def expects_endpoints(item: Object) -> bool:
    """Whether this Service is to find pods by itself; one without a selector is somebody else's to fill."""
    spec = item.get("spec") or {}
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def ready_endpoints(slices: Iterable[Object]) -> int:
    """How many endpoints of these slices take requests."""
    return sum(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for one in slices
        for endpoint in one.get("endpoints") or []
        # a slice without ports leads nowhere, unless the Service is headless and has none
        if one.get("ports") or _is_portless(one)
    )


def judge_endpoint_slice(item: Object) -> list[Reason]:
    """Ready when one of its endpoints is."""
    return [] if ready_endpoints([item]) else reason_about(item, "NoEndpoints", "has no ready endpoint")


def judge_endpoints(
    item: Object, slices: Iterable[Object], pods: Sequence[Object], workloads: Iterable[Object]
) -> list[Reason]:
    """Whether a Service leads to a ready pod, and what is in its way if not.

    `slices` are the Service's own; `pods` and `workloads` those of its namespace. A Service whose workload is
    scaled to none leads nowhere because somebody wants it so.
    """
    if not expects_endpoints(item) or ready_endpoints(slices):
        return []
    selector = item["spec"]["selector"]
    resting = [one for one in workloads if (one.get("spec") or {}).get("replicas") == 0]
    if any(selector_matches(selector, _template_labels(one)) for one in resting):
        return []
    chosen = [pod for pod in pods if selector_matches(selector, (pod.get("metadata") or {}).get("labels"))]
    labels = ", ".join(f"{key}={value}" for key, value in selector.items())
    if not chosen:
        return reason_about(item, "NoEndpoints", f"no pod has its selector's labels {labels}")
    ready = [pod for pod in chosen if (condition_of(pod, "Ready") or {}).get("status") == "True"]
    if ready:
        ports = [str(name) for name in _named_ports(item) if not any(_has_port(pod, name) for pod in ready)]
        if ports:
            return reason_about(item, "NoEndpoints", f"its pods name no port {', '.join(ports)}")
        return reason_about(item, "NoEndpoints", f"selects none of its {len(ready)} ready pods yet")
    reported = f"none of its {len(chosen)} pods is ready" if len(chosen) > 1 else "its only pod is not ready"
    return reason_about(item, "NoEndpoints", reported, hint="Look at why.")


def _named_ports(item: Object) -> list[str]:
    ports = item["spec"].get("ports") or []
    return [port["targetPort"] for port in ports if isinstance(port.get("targetPort"), str)]


def _has_port(pod: Object, name: str) -> bool:
    containers: list[dict[str, Any]] = (pod.get("spec") or {}).get("containers") or []
    return any(port.get("name") == name for container in containers for port in container.get("ports") or [])


def _is_portless(one: Object) -> bool:
    labels = (one.get("metadata") or {}).get("labels") or {}
    return "service.kubernetes.io/headless" in labels or SERVICE_NAME_LABEL not in labels


def _template_labels(workload: Object) -> dict[str, str]:
    template = (workload.get("spec") or {}).get("template") or {}
    labels: dict[str, str] = (template.get("metadata") or {}).get("labels") or {}
    return labels


_SELECTED_NODE = "volume.kubernetes.io/selected-node"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def is_default_class(item: Object) -> bool:
    """Whether claims without a class get this one."""
    return bool((item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true")


def judge_claim(item: Object) -> list[Reason]:
    """What a claim alone tells: bound, lost, or neither yet."""
    phase = (item.get("status") or {}).get("phase", "Pending")
    if phase == "Bound":
        return []
    if phase == "Lost":
        return reason_about(item, "VolumeLost", "has lost its volume", terminal=True)
    class_name = (item.get("spec") or {}).get("storageClassName") or "the default class"
    return reason_about(item, "Unbound", f"is {phase}: no volume of {class_name} is bound yet")


def judge_claim_with_class(item: Object, classes: dict[str, Object]) -> list[Reason]:
    """The same with the cluster's storage classes by name.

    A claim whose class binds at the first pod is as ready as it can be before there is one.
    """
    found = judge_claim(item)
    if not found or found[0].code != "Unbound":
        return found
    spec = item.get("spec") or {}
    name = spec.get("storageClassName")
    if name is None:
        default = any(map(is_default_class, classes.values()))
        return found if default else reason_about(item, "Unbound", "names no class, and the cluster has no default one")
    if not name:
        return found
    if name not in classes:
        there = ", ".join(sorted(classes)) or "none"
        return reason_about(item, "Unbound", f"there is no storage class {name} (there is {there})")
    waits = classes[name].get("volumeBindingMode") == "WaitForFirstConsumer"
    chosen = (item["metadata"].get("annotations") or {}).get(_SELECTED_NODE)
    return [] if waits and not chosen else found


def judge_autoscaler(item: Object) -> list[Reason]:
    """Ready when it can read what it scales by; one whose target is scaled to none rests."""
    able, active = condition_of(item, "AbleToScale"), condition_of(item, "ScalingActive")
    if able is None and active is None:
        return reason_about(item, "NotObserved", "its controller has not looked at it yet")
    if able is not None and able.get("status") == "False":
        return reason_about(item, "CannotScale", condition_text(able))
    if active is not None and active.get("status") == "False" and active.get("reason") != "ScalingDisabled":
        return reason_about(item, "NoMetrics", condition_text(active))
    return []


def judge_budget(item: Object) -> list[Reason]:
    """Ready when its controller has counted, and as many pods are healthy as it demands."""
    status = item.get("status") or {}
    if is_status_outdated(item) or "observedGeneration" not in status:
        return reason_about(item, "NotObserved", "its controller has not looked at it yet")
    allowed = condition_of(item, "DisruptionAllowed")
    if allowed is not None and allowed.get("reason") == "SyncFailed":
        return reason_about(item, "NotObserved", f"its controller cannot count its pods: {condition_text(allowed)}")
    wanted, healthy = int(status.get("desiredHealthy", 0)), int(status.get("currentHealthy", 0))
    # without any pod there is nothing to protect
    if int(status.get("expectedPods", 0)) and healthy < wanted:
        return reason_about(item, "TooFewHealthy", f"{counted(healthy, 'healthy pod')}, and it demands {wanted}")
    return []


def blocks_drain(item: Object) -> list[Reason]:
    """A budget that is kept, and allows no pod to go."""
    status = item.get("status") or {}
    if judge_budget(item) or not int(status.get("expectedPods", 0)) or int(status.get("disruptionsAllowed", 0)):
        return []
    healthy = status.get("currentHealthy", 0)
    return reason_about(item, "BlocksDrain", f"demands all of its {healthy} healthy pods: none may be evicted")


def judge_crd(item: Object) -> list[Reason]:
    """Ready when the API server has established it; clashing names stay so."""
    names = condition_of(item, "NamesAccepted")
    if names is not None and names.get("status") == "False":
        return reason_about(item, "NamesNotAccepted", f"its names clash: {condition_text(names)}", terminal=True)
    if is_condition_true(item, "Established"):
        return []
    return reason_about(item, "NotEstablished", "is not established yet")


def judge_api_service(item: Object) -> list[Reason]:
    """Ready when what is behind it answers."""
    available = condition_of(item, "Available")
    if available is None:
        return reason_about(item, "NotObserved", "no controller has observed it yet")
    behind = discovery.api_service_from(item)
    if behind.status == "True":
        return []
    why = f"{condition_text(available)} ({behind.reason})" if behind.reason else condition_text(available)
    advice = discovery.aggregated_advice(behind.name, behind.service)
    hint = f"{advice} Until it answers or is gone, the deletion of namespaces is held up."
    return reason_about(item, discovery.AGGREGATED_API_DOWN, f"is not available: {why}", hint=hint)


def judge_namespace(item: Object) -> list[Reason]:
    """Ready while it is not on its way out."""
    phase = (item.get("status") or {}).get("phase", "Active")
    return [] if phase == "Active" else judge_deleting(item)


def judge_deleting(item: Object) -> list[Reason]:
    """An object on its way out, and what holds it."""
    held = ", ".join((item.get("metadata") or {}).get("finalizers") or [])
    remaining = [
        condition_text(one)
        for one in (item.get("status") or {}).get("conditions") or []
        if item.get("kind") == "Namespace" and one.get("status") == "True"
    ]
    why = "; ".join(remaining) or (f"held by {held}" if held else "")
    return reason_about(item, "Deleting", "is being deleted" + (f": {why}" if why else ""), hint=namespace_hint(item))


def namespace_hint(item: Object) -> str | None:
    """What lets a namespace go that waits for an API which does not answer; None for all others."""
    failing = condition_of(item, "NamespaceDeletionDiscoveryFailure") if item.get("kind") == "Namespace" else None
    if failing is None or failing.get("status") != "True":
        return None
    return discovery.deletion_advice(str(failing.get("message") or ""))


def judge_node(item: Object) -> list[Reason]:
    """Ready when its kubelet says so and nothing runs short."""
    ready = condition_of(item, "Ready")
    if ready is None or ready.get("status") != "True":
        since = f" since {ready['lastTransitionTime']}" if ready and ready.get("lastTransitionTime") else ""
        return reason_about(
            item, "NodeNotReady", f"is not ready{since}: {condition_text(ready) if ready else 'nothing is known'}"
        )
    found: list[Reason] = []
    for name in ("MemoryPressure", "DiskPressure", "PIDPressure"):
        if is_condition_true(item, name):
            found += reason_about(item, "NodePressure", f"{name}: {condition_text(condition_of(item, name) or {})}")
    if is_condition_true(item, "NetworkUnavailable"):
        found += reason_about(
            item, "NodeNotReady", f"has no network: {condition_text(condition_of(item, 'NetworkUnavailable') or {})}"
        )
    return found
