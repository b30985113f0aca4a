# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of Deployments, StatefulSets, DaemonSets, ReplicaSets and Jobs."""

from __future__ import annotations

import re

from ...errors import Reason
from .reasons import (
    Object,
    condition_of,
    condition_text,
    is_condition_true,
    is_status_outdated,
    reason_about,
)

_NOT_STARTED = "the rollout has not started yet"

# why a controller could not create a pod: (pattern, code, whether waiting is useless, advice or None)
_REFUSALS: tuple[tuple[str, str, bool, str | None], ...] = (
    (
        r"failed quota: .* must specify",
        "QuotaExceeded",
        True,
        "The namespace's ResourceQuota demands requests and limits: set them on every container.",
    ),
    (r"exceeded quota", "QuotaExceeded", False, None),
    (r"failed calling webhook", "WebhookDown", False, None),
    (
        r"violates PodSecurity",
        "PodsRefused",
        True,
        "Change the pod's securityContext, or the namespace's pod-security.kubernetes.io/enforce label.",
    ),
    (r"serviceaccount .*not found|error looking up service account", "MissingObject", False, None),
    (r"(maximum|minimum) \S+ usage per", "PodsRefused", True, "Keep to what the namespace's LimitRange allows."),
    (r"is invalid|is forbidden: unable to validate|admission webhook|denied the request", "PodsRefused", True, None),
)


def refusal_reasons(item: Object, message: str) -> list[Reason]:
    """The controller may not make pods: what admission said is what the user must hear."""
    for pattern, code, terminal, hint in _REFUSALS:
        if re.search(pattern, message):
            return reason_about(item, code, f"its pods are refused: {message}", hint=hint, terminal=terminal)
    return reason_about(item, "PodsRefused", f"its pods are refused: {message}")


def judge_deployment(item: Object) -> list[Reason]:
    """Ready when every replica is of the latest version, ready, and none of an older one is left."""
    status = item.get("status") or {}
    if is_status_outdated(item):
        return reason_about(item, "NotObserved", _NOT_STARTED)
    failure = condition_of(item, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return refusal_reasons(item, str(failure.get("message", "")))
    missing = _rollout(item)
    if not missing:
        return []
    behind = _updated(item) < _wanted(item) or int(status.get("replicas", 0)) > _updated(item)
    if (item.get("spec") or {}).get("paused"):
        # its pods may still become ready; of another version they do not become
        return reason_about(item, "Paused", f"is paused, and {missing}", terminal=behind)
    progressing = condition_of(item, "Progressing")
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        return reason_about(
            item, "ProgressDeadlineExceeded", f"exceeded its progress deadline: {missing}", terminal=True
        )
    return reason_about(item, "Progressing" if behind else "PodsNotReady", missing)


def _wanted(item: Object) -> int:
    return int((item.get("spec") or {}).get("replicas", 1))


def _updated(item: Object) -> int:
    return int((item.get("status") or {}).get("updatedReplicas", 0))


def _rollout(item: Object) -> str:
    """What a Deployment's rollout lacks, or nothing."""
    status = item.get("status") or {}
    wanted, updated = _wanted(item), _updated(item)
    if updated < wanted:
        return f"{updated} of {wanted} replicas are of the latest version"
    older = int(status.get("replicas", 0)) - updated
    if older > 0:
        return f"{older} replicas of an older version have not ended"
    return _availability(item, int(status.get("readyReplicas", 0)), int(status.get("availableReplicas", 0)), wanted)


def _availability(item: Object, ready: int, available: int, wanted: int) -> str:
    if ready < wanted:
        return f"{ready} of {wanted} replicas are ready"
    if available < wanted:
        seconds = (item.get("spec") or {}).get("minReadySeconds", 0)
        return f"{available} of {wanted} replicas have been ready for minReadySeconds ({seconds} s)"
    return ""


def judge_stateful_set(item: Object) -> list[Reason]:
    """Ready when its replicas are, and as many are of the latest version as its strategy replaces by itself."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if is_status_outdated(item) or "observedGeneration" not in status:
        return reason_about(item, "NotObserved", _NOT_STARTED)
    wanted = int(spec.get("replicas", 1))
    strategy = spec.get("updateStrategy") or {}
    # with OnDelete pods are replaced when somebody deletes them: nothing that waiting could bring about
    if strategy.get("type", "RollingUpdate") == "RollingUpdate":
        partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        due = max(0, wanted - partition)
        updated = int(status.get("updatedReplicas", 0))
        if updated < due:
            return reason_about(item, "Progressing", f"{updated} of {due} replicas are of the latest version")
    extra = int(status.get("replicas", wanted)) - wanted
    if extra > 0:
        return reason_about(item, "Progressing", f"{extra} replicas more than wanted have not ended")
    ready = int(status.get("readyReplicas", 0))
    missing = _availability(item, ready, int(status.get("availableReplicas", ready)), wanted)
    return reason_about(item, "PodsNotReady", missing) if missing else []


def judge_daemon_set(item: Object) -> list[Reason]:
    """Ready when its pod is, on every node that is to have one, and of the latest version unless OnDelete."""
    status = item.get("status") or {}
    if is_status_outdated(item) or "desiredNumberScheduled" not in status or "observedGeneration" not in status:
        return reason_about(item, "NotObserved", _NOT_STARTED)
    wanted = int(status["desiredNumberScheduled"])
    rolling = ((item.get("spec") or {}).get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    updated = int(status.get("updatedNumberScheduled", 0))
    if rolling and updated < wanted:
        return reason_about(item, "Progressing", f"{updated} of {wanted} nodes run the latest version")
    ready = int(status.get("numberReady", 0))
    if ready < wanted:
        return reason_about(item, "PodsNotReady", f"its pod is ready on {ready} of {wanted} nodes")
    available = int(status.get("numberAvailable", ready))
    if available < wanted:
        seconds = (item.get("spec") or {}).get("minReadySeconds", 0)
        missing = f"its pod has been ready for minReadySeconds ({seconds} s) on {available} of {wanted} nodes"
        return reason_about(item, "PodsNotReady", missing)
    return []


def judge_replica_set(item: Object) -> list[Reason]:
    """Ready when as many replicas are as it wants."""
    status = item.get("status") or {}
    if is_status_outdated(item):
        return reason_about(item, "NotObserved", "its controller has not seen the latest change yet")
    failure = condition_of(item, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return refusal_reasons(item, str(failure.get("message", "")))
    ready = int(status.get("readyReplicas", 0))
    missing = _availability(item, ready, int(status.get("availableReplicas", ready)), _wanted(item))
    return reason_about(item, "PodsNotReady", missing) if missing else []


def judge_job(item: Object) -> list[Reason]:
    """Ready when it is complete; failed is final, also while its last pods still end."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    for name in ("Failed", "FailureTarget"):
        failed = condition_of(item, name)
        if failed is not None and failed.get("status") == "True":
            return reason_about(item, "JobFailed", f"has failed: {condition_text(failed)}", terminal=True)
    if is_condition_true(item, "Complete"):
        return []
    if spec.get("suspend"):
        return reason_about(item, "Suspended", "is suspended: it does not run", terminal=True)
    done, failures = int(status.get("succeeded", 0)), int(status.get("failed", 0))
    tries = f", {failures} failed (of {spec.get('backoffLimit', 6)} that may)" if failures else ""
    active = f"{done} of {spec.get('completions') or 1} completions, {status.get('active', 0)} active{tries}"
    return reason_about(item, "Running", active)
