# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object is ready, and if not, why: pure verdicts on what the API server shows.

An empty list means ready. A terminal reason will not go away by waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason

Object = Mapping[str, Any]

_PERMANENT_FAILED_CREATE = (
    "violates PodSecurity",
    "is invalid",
    "is forbidden: unable to validate",
    "admission webhook",
)


def reasons(item: Object) -> list[Reason]:
    """What keeps this object from being ready; kinds that are ready by existing have none."""
    if (item.get("metadata") or {}).get("deletionTimestamp"):
        return [_reason(item, "Deleting", "is being deleted")]
    group = str(item.get("apiVersion", "")).rpartition("/")[0]
    judge = _JUDGES.get((group, str(item.get("kind"))))
    return judge(item) if judge else []


def has_verdict(item: Object) -> bool:
    """Whether waiting for this kind means anything."""
    return (str(item.get("apiVersion", "")).rpartition("/")[0], str(item.get("kind"))) in _JUDGES


def condition_reasons(item: Object, wanted: str, status: str = "True") -> list[Reason]:
    """A condition that the caller names: for custom resources, whose conditions mean what their authors say."""
    if _outdated(item):
        return [_reason(item, "NotObserved", "its controller has not seen the latest change yet")]
    condition = _condition(item, wanted)
    if condition is None:
        return [_reason(item, "NoCondition", f"has no condition {wanted} yet")]
    if condition.get("status") == status:
        return []
    told = condition.get("message") or condition.get("reason") or f"is {condition.get('status')}"
    return [_reason(item, str(condition.get("reason") or wanted), f"condition {wanted}: {told}")]


def subject(item: Object) -> str:
    metadata = item.get("metadata") or {}
    name = metadata.get("name", "?")
    return (
        f"{item.get('kind')} {metadata['namespace']}/{name}"
        if metadata.get("namespace")
        else f"{item.get('kind')} {name}"
    )


def _deployment(item: Object) -> list[Reason]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if _outdated(item):
        return [_reason(item, "NotObserved", "the rollout has not started yet")]
    failure = _condition(item, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return [_failed_create(item, str(failure.get("message", "")))]
    wanted = int(spec.get("replicas", 1))
    updated, ready = int(status.get("updatedReplicas", 0)), int(status.get("readyReplicas", 0))
    available, total = int(status.get("availableReplicas", 0)), int(status.get("replicas", 0))
    if updated < wanted:
        return [_reason(item, "Progressing", f"{updated} of {wanted} replicas are of the latest version")]
    if total > updated:
        return [_reason(item, "Progressing", f"{total - updated} replicas of an older version have not ended")]
    if min(ready, available) < wanted:
        stalled = _condition(item, "Progressing")
        late = stalled is not None and stalled.get("reason") == "ProgressDeadlineExceeded"
        code = "ProgressDeadlineExceeded" if late else "PodsNotReady"
        return [_reason(item, code, f"{min(ready, available)} of {wanted} replicas are ready", terminal=late)]
    return []


def _stateful_set(item: Object) -> list[Reason]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if _outdated(item):
        return [_reason(item, "NotObserved", "the rollout has not started yet")]
    wanted = int(spec.get("replicas", 1))
    strategy = spec.get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition", 0))
    if strategy.get("type", "RollingUpdate") == "RollingUpdate":
        updated = int(status.get("updatedReplicas", 0))
        if updated < max(0, wanted - partition):
            return [
                _reason(item, "Progressing", f"{updated} of {wanted - partition} replicas are of the latest version")
            ]
    ready = int(status.get("readyReplicas", 0))
    if ready < wanted:
        return [_reason(item, "PodsNotReady", f"{ready} of {wanted} replicas are ready")]
    return []


def _daemon_set(item: Object) -> list[Reason]:
    status = item.get("status") or {}
    if _outdated(item) or "desiredNumberScheduled" not in status:
        return [_reason(item, "NotObserved", "the rollout has not started yet")]
    wanted = int(status["desiredNumberScheduled"])
    rolling = ((item.get("spec") or {}).get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    updated = int(status.get("updatedNumberScheduled", 0))
    if rolling and updated < wanted:
        return [_reason(item, "Progressing", f"{updated} of {wanted} nodes run the latest version")]
    ready = int(status.get("numberReady", 0))
    if ready < wanted:
        return [_reason(item, "PodsNotReady", f"its pod is ready on {ready} of {wanted} nodes")]
    return []


def _replica_set(item: Object) -> list[Reason]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    failure = _condition(item, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return [_failed_create(item, str(failure.get("message", "")))]
    wanted, ready = int(spec.get("replicas", 1)), int(status.get("readyReplicas", 0))
    return [] if ready >= wanted else [_reason(item, "PodsNotReady", f"{ready} of {wanted} replicas are ready")]


def _job(item: Object) -> list[Reason]:
    status = item.get("status") or {}
    for name in ("Failed", "FailureTarget"):
        failed = _condition(item, name)
        if failed is not None and failed.get("status") == "True":
            told = failed.get("message") or failed.get("reason") or "no reason given"
            return [_reason(item, "JobFailed", f"has failed: {told}", terminal=True)]
    complete = _condition(item, "Complete")
    if complete is not None and complete.get("status") == "True":
        return []
    if (item.get("spec") or {}).get("suspend"):
        return [_reason(item, "Suspended", "is suspended", terminal=True)]
    wanted = (item.get("spec") or {}).get("completions", 1)
    return [
        _reason(
            item, "Running", f"{status.get('succeeded', 0)} of {wanted} completions, {status.get('active', 0)} active"
        )
    ]


def _pod(item: Object) -> list[Reason]:
    status = item.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase == "Succeeded":
        return []
    if phase == "Failed":
        told = status.get("message") or status.get("reason") or "a container ended with an error"
        return [_reason(item, "PodFailed", f"has failed: {told}", terminal=True)]
    ready = _condition(item, "Ready")
    if ready is not None and ready.get("status") == "True":
        return []
    told = (ready or {}).get("message") or f"is {phase}"
    return [_reason(item, "PodNotReady", str(told))]


def _claim(item: Object) -> list[Reason]:
    phase = (item.get("status") or {}).get("phase", "Pending")
    if phase == "Bound":
        return []
    if phase == "Lost":
        return [_reason(item, "VolumeLost", "has lost its volume", terminal=True)]
    class_name = (item.get("spec") or {}).get("storageClassName") or "the default class"
    return [_reason(item, "Unbound", f"is {phase}: no volume of {class_name} is bound yet")]


def _service(item: Object) -> list[Reason]:
    if (item.get("spec") or {}).get("type") != "LoadBalancer":
        return []
    ingress = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return [] if ingress else [_reason(item, "NoAddress", "its load balancer has no address yet")]


def _endpoint_slice(item: Object) -> list[Reason]:
    ready = [e for e in item.get("endpoints") or [] if (e.get("conditions") or {}).get("ready") is not False]
    return [] if ready else [_reason(item, "NoEndpoints", "has no ready endpoint")]


def _definition(item: Object) -> list[Reason]:
    names = _condition(item, "NamesAccepted")
    if names is not None and names.get("status") == "False":
        told = names.get("message") or names.get("reason")
        return [_reason(item, "NamesNotAccepted", f"its names clash: {told}", terminal=True)]
    established = _condition(item, "Established")
    if established is not None and established.get("status") == "True":
        return []
    return [_reason(item, "NotEstablished", "is not established yet")]


def _api_service(item: Object) -> list[Reason]:
    return condition_reasons(item, "Available")


def _namespace(item: Object) -> list[Reason]:
    phase = (item.get("status") or {}).get("phase", "Active")
    return [] if phase == "Active" else [_reason(item, "Terminating", f"is {phase}")]


_JUDGES: dict[tuple[str, str], Callable[[Object], list[Reason]]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    ("", "Namespace"): _namespace,
}


def _failed_create(item: Object, message: str) -> Reason:
    """The controller may not make pods: what admission said is what the user must hear."""
    if "exceeded quota" in message:
        return _reason(item, "QuotaExceeded", f"its pods are refused: {message}", hint="Raise the ResourceQuota.")
    permanent = any(sign in message for sign in _PERMANENT_FAILED_CREATE)
    hint = ""
    if "violates PodSecurity" in message:
        hint = "Change the pod's securityContext, or the namespace's pod-security.kubernetes.io/enforce label."
    return _reason(item, "PodsRefused", f"its pods are refused: {message}", hint=hint, terminal=permanent)


def _condition(item: Object, wanted: str) -> Mapping[str, Any] | None:
    for condition in (item.get("status") or {}).get("conditions") or []:
        if condition.get("type") == wanted:
            found: Mapping[str, Any] = condition
            return found
    return None


def _outdated(item: Object) -> bool:
    generation = (item.get("metadata") or {}).get("generation")
    observed = (item.get("status") or {}).get("observedGeneration")
    return generation is not None and observed is not None and int(observed) < int(generation)


def _reason(item: Object, code: str, message: str, *, hint: str = "", terminal: bool = False) -> Reason:
    return Reason(subject(item), code, message, hint, terminal)
