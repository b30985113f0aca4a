# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every reason why something in a cluster does not work: one table for waiting and for diagnosis.

A verdict says which code applies and what it saw; what that code means is said here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
"""From worst to least: something does not work, something will or may not work, something worth knowing."""

NEVER = float("inf")


@dataclass(frozen=True)
class Meaning:
    """What a code stands for.

    `patience`: seconds for which it is normal, so that diagnosis says nothing yet. `at_once`: the API itself calls
    the state final, so a wait ends at first sight instead of giving it a few seconds to heal.
    """

    severity: str
    summary: str
    advice: str = ""
    patience: float = 0.0
    at_once: bool = False


MEANINGS: dict[str, Meaning] = {
    # containers and pods
    "ImagePull": Meaning(
        ERROR,
        "an image cannot be pulled (ImagePullBackOff, ErrImagePull)",
        "Check the image's name and tag, and that the cluster may pull from its registry.",
    ),
    "CrashLoop": Meaning(
        ERROR,
        "a container crashes repeatedly (CrashLoopBackOff)",
        "Its last log lines say why it ends; compare its command, arguments and environment with what it needs.",
    ),
    "Crashed": Meaning(WARNING, "a container has ended with an error", "Its last log lines say why."),
    "Crashing": Meaning(
        WARNING, "a container runs again after a crash, for too short to count as ready", patience=NEVER
    ),
    "OutOfMemory": Meaning(
        ERROR, "a container was killed for its memory (OOMKilled)", "Raise its memory limit, or have it use less."
    ),
    "MissingObject": Meaning(
        ERROR,
        "a Secret, ConfigMap or other object that a pod refers to does not exist",
        "Create what it refers to, or correct the reference.",
    ),
    "MissingKey": Meaning(
        ERROR,
        "a Secret or ConfigMap lacks a key that a pod refers to",
        "Add the key to what it refers to, or correct the reference.",
    ),
    "ConfigError": Meaning(
        ERROR,
        "a container's configuration cannot work (CreateContainerConfigError)",
        "Correct the container's specification as the message says.",
    ),
    "CannotStart": Meaning(
        ERROR,
        "a container cannot be started",
        "Check its command, arguments and working directory: the program named there must be in the image.",
    ),
    "NotPassingProbes": Meaning(
        ERROR, "a container runs and does not pass its probes", "Look at the probe's path and port, and at the log."
    ),
    "Unschedulable": Meaning(
        ERROR,
        "a pod cannot be scheduled (FailedScheduling)",
        "Ask for less, add nodes, or change node selectors and tolerations; an autoscaler may still add a node.",
    ),
    "VolumeNotMounted": Meaning(
        ERROR,
        "a pod's volume cannot be mounted (FailedMount)",
        "Look at the claim or object behind the volume that is named.",
    ),
    "SandboxFailed": Meaning(
        ERROR,
        "a node cannot create a pod's sandbox (FailedCreatePodSandBox)",
        "Look at the node: its network plugin, its free addresses and its container runtime.",
    ),
    "PodFailed": Meaning(WARNING, "a pod has failed for good", "Read why it failed, then delete it."),
    "Starting": Meaning(WARNING, "a pod takes long to start", "kubectl describe pod shows what it waits for.", 120.0),
    "StaleConfig": Meaning(
        WARNING,
        "a container runs with an outdated Secret or ConfigMap",
        "Restart its pods: a container reads its environment, and files mounted by subPath, only when it starts.",
    ),
    # workloads
    "PodsRefused": Meaning(
        ERROR, "admission refuses a workload's pods", "Change the pod template as the message says, or the policy."
    ),
    "QuotaExceeded": Meaning(
        ERROR, "a workload's pods exceed a quota", "Raise the ResourceQuota, or have the pods ask for less."
    ),
    "ProgressDeadlineExceeded": Meaning(
        ERROR, "a rollout exceeded its progress deadline", "kubectl describe shows the pods it waits for."
    ),
    "Paused": Meaning(
        WARNING, "a Deployment is paused", "Set spec.paused to false to let the rollout go on.", at_once=True
    ),
    "PodsNotReady": Meaning(WARNING, "replicas are missing", "kubectl describe shows the pods it waits for.", 60.0),
    "Progressing": Meaning(WARNING, "a rollout takes long", "kubectl rollout status shows how far it is.", 600.0),
    "NotObserved": Meaning(
        WARNING, "a controller has not seen the latest change", "Check that its controller is running.", 60.0
    ),
    "JobFailed": Meaning(
        ERROR, "a Job has failed", "Read the log of its pods; a Job that failed is not tried again.", at_once=True
    ),
    "Suspended": Meaning(INFO, "a Job is suspended", "Set spec.suspend to false to let it run.", at_once=True),
    "Running": Meaning(INFO, "a Job is running", patience=NEVER),
    "Deleting": Meaning(
        WARNING,
        "an object takes long to go",
        "Its finalizers are the work of controllers: check that those run, and do not strip them by hand.",
        120.0,
    ),
    "Missing": Meaning(ERROR, "an object does not exist"),
    # storage
    "Unbound": Meaning(
        ERROR, "a claim has no volume", "Check the claim's class, size and access modes against what there is.", 30.0
    ),
    "VolumeLost": Meaning(
        ERROR, "a claim has lost its volume", "Restore the volume, or delete the claim and its data.", at_once=True
    ),
    # network
    "NoEndpoints": Meaning(
        ERROR, "a Service has no ready endpoints", "Compare the Service's selector and ports with the pods' labels."
    ),
    "NoAddress": Meaning(
        WARNING,
        "a load balancer or an Ingress has no address",
        "Check that the controller which gives addresses runs, and its events.",
        120.0,
    ),
    "DnsDown": Meaning(
        ERROR,
        "the cluster's DNS does not answer",
        "Look at the pods of its Deployment in kube-system: no name resolves in this cluster until they run.",
    ),
    # autoscaling and disruption
    "NoMetrics": Meaning(
        WARNING,
        "an autoscaler has no metrics",
        "Check that the metrics server (or adapter) runs and that every container has the requests it scales by.",
        90.0,
    ),
    "CannotScale": Meaning(WARNING, "an autoscaler cannot scale", "Check the name and kind it is to scale."),
    "TooFewHealthy": Meaning(
        WARNING, "a disruption budget has fewer healthy pods than it demands", "Look at the pods it selects.", 60.0
    ),
    "BlocksDrain": Meaning(
        INFO,
        "a disruption budget lets no pod go, so no node of it can be drained or upgraded",
        "Have more replicas than the budget demands, or lower it.",
    ),
    # the API itself
    "NamesNotAccepted": Meaning(
        ERROR, "a CustomResourceDefinition's names clash", "Remove the other definition.", at_once=True
    ),
    "NotEstablished": Meaning(ERROR, "a CustomResourceDefinition is not served", patience=30.0),
    "ApiServiceDown": Meaning(
        ERROR,
        "an aggregated API does not answer",
        "Look at the pods behind its Service, or delete the APIService if nothing serves it any more; until then the "
        "deletion of namespaces is held up.",
    ),
    "WebhookDown": Meaning(
        ERROR,
        "an admission webhook does not answer",
        "Look at the pods behind its Service; what it must admit is refused until it answers.",
    ),
    "NoCondition": Meaning(
        WARNING, "a resource does not show the condition yet", "Check that its controller runs.", 60.0
    ),
    # nodes
    "NodeNotReady": Meaning(
        ERROR, "a node is not ready", "Look at the machine: kubelet, container runtime, network; or replace it."
    ),
    "NodePressure": Meaning(
        WARNING, "a node is short of memory, disk or processes", "Free it, add nodes, or lower what its pods use."
    ),
    "NodeCordoned": Meaning(
        INFO, "a node takes no new pods", "kubectl uncordon lets it take pods again, once its maintenance is over."
    ),
}

_UNKNOWN = Meaning(WARNING, "something is not ready")


def meaning(code: str, codes: Mapping[str, Meaning] = MEANINGS) -> Meaning:
    """What a code stands for; codes of custom resources are their authors' and only called a warning."""
    return codes.get(code, _UNKNOWN)


# advice of codes that send the reader to log lines, where there are none
_WITHOUT_LOG = {
    "CrashLoop": "It left no log lines: compare its command, arguments and environment with what it needs.",
    "Crashed": "It left no log lines: look at its exit code, command, arguments and environment.",
}


def without_log(code: str, advice: str) -> str:
    """`advice`, unless it is the code's own and sends the reader to a log that holds nothing."""
    return _WITHOUT_LOG.get(code, advice) if advice == meaning(code).advice else advice


# codes that are steps on the way: advice would only be noise while a wait goes on
_STEPS = frozenset({"Starting", "PodsNotReady", "Progressing", "NotObserved", "Deleting", "NoCondition"})


def reason(subject: str, code: str, message: str, *, hint: str | None = None, terminal: bool = False) -> Reason:
    """A Reason with its code's advice, unless `hint` knows better. `terminal`: it will not go away by waiting."""
    if hint is None:
        hint = "" if code in _STEPS else meaning(code).advice
    return Reason(subject, code, message, hint, terminal)
