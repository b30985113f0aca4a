# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object is ready, and if not, why: the table of verdicts by kind. Pure.

An empty list means ready. A terminal reason will not go away by waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts import network, platform, pods, workloads
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    condition,
    group,
    outdated,
    subject,
    told,
    verdict,
)

__all__ = ["JUDGES", "Judge", "Object", "condition_reasons", "has_verdict", "reasons", "subject"]

Judge = Callable[[Object], list[Reason]]
"""What keeps an object of a kind from being ready, as far as it tells itself."""

JUDGES: Mapping[tuple[str, str], Judge] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("batch", "Job"): workloads.job,
    ("", "Pod"): pods.pod,
    ("", "PersistentVolumeClaim"): platform.claim,
    ("", "Service"): network.service,
    ("discovery.k8s.io", "EndpointSlice"): network.endpoint_slice,
    ("networking.k8s.io", "Ingress"): network.address,
    ("autoscaling", "HorizontalPodAutoscaler"): platform.autoscaler,
    ("policy", "PodDisruptionBudget"): platform.budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): platform.definition,
    ("apiregistration.k8s.io", "APIService"): platform.api_service,
    ("", "Namespace"): platform.namespace,
    ("", "Node"): platform.node,
}


def reasons(item: Object, judges: Mapping[tuple[str, str], Judge] = JUDGES) -> list[Reason]:
    """What keeps this object from being ready, as far as it tells itself; most kinds are ready by existing."""
    if (item.get("metadata") or {}).get("deletionTimestamp"):
        return platform.deleting(item)
    judge = judges.get((group(item), str(item.get("kind"))))
    return judge(item) if judge else []


def has_verdict(item: Object, judges: Mapping[tuple[str, str], Judge] = JUDGES) -> bool:
    """Whether waiting for this kind means anything."""
    return (group(item), str(item.get("kind"))) in judges


def condition_reasons(item: Object, wanted: str, status: str = "True") -> list[Reason]:
    """A condition that the caller names: for custom resources, whose conditions mean what their authors say."""
    found = condition(item, wanted)
    generation = (item.get("metadata") or {}).get("generation", 0)
    of_old = found is not None and int(found.get("observedGeneration", generation)) < int(generation)
    if outdated(item) or of_old:
        return verdict(item, "NotObserved", "its controller has not seen the latest change yet")
    if found is None:
        return verdict(item, "NoCondition", f"has no condition {wanted} yet")
    if found.get("status") == status:
        return []
    return verdict(item, str(found.get("reason") or wanted), f"condition {wanted}: {told(found)}")
