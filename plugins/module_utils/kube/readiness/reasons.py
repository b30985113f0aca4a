# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every reason code with severity, advice and grace, one table for waiting and for diagnosis.

And the accessors of status that all checks share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...errors import Reason

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
"""From worst to least: something does not work, something will or may not work, something worth knowing."""

NEVER = float("inf")


@dataclass(frozen=True)
class ReasonCode:
    """What a code stands for.

    `grace_seconds`: for how long it is normal, so that diagnosis says nothing yet. `is_final`: the API itself calls
    the state final, so a wait ends at first sight instead of giving it a few seconds to heal.
    """

    severity: str
    summary: str
    advice: str = ""
    grace_seconds: float = 0.0
    is_final: bool = False


REASON_CODES: dict[str, ReasonCode] = {
    # containers and pods
    "ImagePull": ReasonCode(
        ERROR,
        "an image cannot be pulled (ImagePullBackOff, ErrImagePull)",
        "Check the image's name and tag, and that the cluster may pull from its registry.",
    ),
    "CrashLoop": ReasonCode(
        ERROR,
        "a container crashes repeatedly (CrashLoopBackOff)",
        "Its last log lines say why it ends; compare its command, arguments and environment with what it needs.",
    ),
    "Crashed": ReasonCode(WARNING, "a container has ended with an error", "Its last log lines say why."),
    "Crashing": ReasonCode(
        WARNING, "a container runs again after a crash, for too short to count as ready", grace_seconds=NEVER
    ),
    "OutOfMemory": ReasonCode(
        ERROR, "a container was killed for its memory (OOMKilled)", "Raise its memory limit, or have it use less."
    ),
    "MissingObject": ReasonCode(
        ERROR,
        "a Secret, ConfigMap or other object that a pod refers to does not exist",
        "Create what it refers to, or correct the reference.",
    ),
    "MissingKey": ReasonCode(
        ERROR,
        "a Secret or ConfigMap lacks a key that a pod refers to",
        "Add the key to what it refers to, or correct the reference.",
    ),
    "ConfigError": ReasonCode(
        ERROR,
        "a container's configuration cannot work (CreateContainerConfigError)",
        "Correct the container's specification as the message says.",
    ),
    "CannotStart": ReasonCode(
        ERROR,
        "a container cannot be started",
        "Check its command, arguments and working directory: the program named there must be in the image.",
    ),
    "NotPassingProbes": ReasonCode(
        ERROR, "a container runs and does not pass its probes", "Look at the probe's path and port, and at the log."
    ),
    "Unschedulable": ReasonCode(
        ERROR,
        "a pod cannot be scheduled (FailedScheduling)",
        "Ask for less, add nodes, or change node selectors and tolerations; an autoscaler may still add a node.",
    ),
    "VolumeNotMounted": ReasonCode(
        ERROR,
        "a pod's volume cannot be mounted (FailedMount)",
        "Look at the claim or object behind the volume that is named.",
    ),
    "SandboxFailed": ReasonCode(
        ERROR,
        "a node cannot create a pod's sandbox (FailedCreatePodSandBox)",
        "Look at the node: its network plugin, its free addresses and its container runtime.",
    ),
    "PodFailed": ReasonCode(WARNING, "a pod has failed for good", "Read why it failed, then delete it."),
    "Starting": ReasonCode(
        WARNING, "a pod takes long to start", "kubectl describe pod shows what it waits for.", 120.0
    ),
    "StaleConfig": ReasonCode(
        WARNING,
        "a container runs with an outdated Secret or ConfigMap",
        "Restart its pods: a container reads its environment, and files mounted by subPath, only when it starts.",
    ),
    # workloads
    "PodsRefused": ReasonCode(
        ERROR, "admission refuses a workload's pods", "Change the pod template as the message says, or the policy."
    ),
    "QuotaExceeded": ReasonCode(
        ERROR, "a workload's pods exceed a quota", "Raise the ResourceQuota, or have the pods ask for less."
    ),
    "ProgressDeadlineExceeded": ReasonCode(
        ERROR, "a rollout exceeded its progress deadline", "kubectl describe shows the pods it waits for."
    ),
    "Paused": ReasonCode(
        WARNING, "a Deployment is paused", "Set spec.paused to false to let the rollout go on.", is_final=True
    ),
    "PodsNotReady": ReasonCode(WARNING, "replicas are missing", "kubectl describe shows the pods it waits for.", 60.0),
    "Progressing": ReasonCode(WARNING, "a rollout takes long", "kubectl rollout status shows how far it is.", 600.0),
    "NotObserved": ReasonCode(
        WARNING, "a controller has not seen the latest change", "Check that its controller is running.", 60.0
    ),
    "JobFailed": ReasonCode(
        ERROR, "a Job has failed", "Read the log of its pods; a Job that failed is not tried again.", is_final=True
    ),
    "Suspended": ReasonCode(INFO, "a Job is suspended", "Set spec.suspend to false to let it run.", is_final=True),
    "Running": ReasonCode(INFO, "a Job is running", grace_seconds=NEVER),
    "Deleting": ReasonCode(
        WARNING,
        "an object takes long to go",
        "Its finalizers are the work of controllers: check that those run, and do not strip them by hand.",
        120.0,
    ),
    "Missing": ReasonCode(ERROR, "an object does not exist"),
    # storage
    "Unbound": ReasonCode(
        ERROR, "a claim has no volume", "Check the claim's class, size and access modes against what there is.", 30.0
    ),
    "VolumeLost": ReasonCode(
        ERROR, "a claim has lost its volume", "Restore the volume, or delete the claim and its data.", is_final=True
    ),
    # network
    "NoEndpoints": ReasonCode(
        ERROR, "a Service has no ready endpoints", "Compare the Service's selector and ports with the pods' labels."
    ),
    "NoAddress": ReasonCode(
        WARNING,
        "a load balancer or an Ingress has no address",
        "Check that the controller which gives addresses runs, and its events.",
        120.0,
    ),
    "DnsDown": ReasonCode(
        ERROR,
        "the cluster's DNS does not answer",
        "Look at the pods of its Deployment in kube-system: no name resolves in this cluster until they run.",
    ),
    # autoscaling and disruption
    "NoMetrics": ReasonCode(
        WARNING,
        "an autoscaler has no metrics",
        "Check that the metrics server (or adapter) runs and that every container has the requests it scales by.",
        90.0,
    ),
    "CannotScale": ReasonCode(WARNING, "an autoscaler cannot scale", "Check the name and kind it is to scale."),
    "TooFewHealthy": ReasonCode(
        WARNING, "a disruption budget has fewer healthy pods than it demands", "Look at the pods it selects.", 60.0
    ),
    "BlocksDrain": ReasonCode(
        INFO,
        "a disruption budget lets no pod go, so no node of it can be drained or upgraded",
        "Have more replicas than the budget demands, or lower it.",
    ),
    # the API itself
    "NamesNotAccepted": ReasonCode(
        ERROR, "a CustomResourceDefinition's names clash", "Remove the other definition.", is_final=True
    ),
    "NotEstablished": ReasonCode(ERROR, "a CustomResourceDefinition is not served", grace_seconds=30.0),
    "ApiServiceDown": ReasonCode(
        ERROR,
        "an aggregated API does not answer",
        "Look at the pods behind its Service, or delete the APIService if nothing serves it any more; until then the "
        "deletion of namespaces is held up.",
    ),
    "WebhookDown": ReasonCode(
        ERROR,
        "an admission webhook does not answer",
        "Look at the pods behind its Service; what it must admit is refused until it answers.",
    ),
    "NoCondition": ReasonCode(
        WARNING, "a resource does not show the condition yet", "Check that its controller runs.", 60.0
    ),
    # nodes
    "NodeNotReady": ReasonCode(
        ERROR, "a node is not ready", "Look at the machine: kubelet, container runtime, network; or replace it."
    ),
    "NodePressure": ReasonCode(
        WARNING, "a node is short of memory, disk or processes", "Free it, add nodes, or lower what its pods use."
    ),
    "NodeCordoned": ReasonCode(
        INFO, "a node takes no new pods", "kubectl uncordon lets it take pods again, once its maintenance is over."
    ),
}

_UNKNOWN = ReasonCode(WARNING, "something is not ready")


def reason_code(code: str, codes: Mapping[str, ReasonCode] | None = None) -> ReasonCode:
    """What a code stands for; codes of custom resources are their authors' and only called a warning."""
    return (REASON_CODES if codes is None else codes).get(code, _UNKNOWN)


# advice of codes that send the reader to log lines, where there are none
_WITHOUT_LOG = {
    "CrashLoop": "It left no log lines: compare its command, arguments and environment with what it needs.",
    "Crashed": "It left no log lines: look at its exit code, command, arguments and environment.",
}


def without_log(code: str, advice: str) -> str:
    """`advice`, unless it is the code's own and sends the reader to a log that holds nothing."""
    return _WITHOUT_LOG.get(code, advice) if advice == reason_code(code).advice else advice


# codes that are steps on the way: advice would only be noise while a wait goes on
_STEPS = frozenset({"Starting", "PodsNotReady", "Progressing", "NotObserved", "Deleting", "NoCondition"})


def make_reason(subject: str, code: str, message: str, *, hint: str | None = None, terminal: bool = False) -> Reason:
    """A Reason with its code's advice, unless `hint` knows better. `terminal`: it will not go away by waiting."""
    if hint is None:
        hint = "" if code in _STEPS else reason_code(code).advice
    return Reason(subject, code, message, hint, terminal)


Object = Mapping[str, Any]


def subject_of(item: Object) -> str:
    """`Kind namespace/name`, or `Kind name` where there is no namespace."""
    metadata = item.get("metadata") or {}
    name = metadata.get("name", "?")
    place = f"{metadata['namespace']}/{name}" if metadata.get("namespace") else name
    return f"{item.get('kind')} {place}"


def group_of(item: Object) -> str:
    """The API group of an object; the core group is ''."""
    return str(item.get("apiVersion", "")).rpartition("/")[0]


def condition_of(item: Object, wanted: str) -> Object | None:
    """The condition of that type, or None."""
    for one in (item.get("status") or {}).get("conditions") or []:
        if one.get("type") == wanted:
            found: Object = one
            return found
    return None


def is_condition_true(item: Object, wanted: str) -> bool:
    """Whether the condition is there and True."""
    return (condition_of(item, wanted) or {}).get("status") == "True"


def condition_text(one: Object) -> str:
    """What a condition says, in the words it has."""
    return str(one.get("message") or one.get("reason") or f"is {one.get('status')}").strip()


def is_status_outdated(item: Object) -> bool:
    """Whether the status is of an older generation than the specification."""
    generation = (item.get("metadata") or {}).get("generation")
    observed = (item.get("status") or {}).get("observedGeneration")
    return generation is not None and observed is not None and int(observed) < int(generation)


def time_of(text: str) -> datetime:
    """A time as API servers write it, with or without fractions of a second; ValueError for any other text."""
    whole = text.partition(".")[0].rstrip("Z")
    if len(whole) != len("2026-01-01T00:00:00") or whole[10] != "T":
        raise ValueError(f"{text!r} is no time of an API server")
    # strptime would be imported and made ready by every worker
    return datetime.fromisoformat(f"{whole}+00:00")


def controller_of(item: Object) -> Object | None:
    """The reference to the controller that made this object, or None."""
    for one in (item.get("metadata") or {}).get("ownerReferences") or []:
        if one.get("controller"):
            found: Object = one
            return found
    return None


def reason_about(
    item: Object, code: str, message: str, *, hint: str | None = None, terminal: bool = False
) -> list[Reason]:
    """One reason about this object."""
    return [make_reason(subject_of(item), code, message, hint=hint, terminal=terminal)]
