# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that modules make of a declaration: known again and removed by a label, and never those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import Refused
from ...plan import Refusal
from ...task import Task
from ..client import Kube
from ..discovery import ResourceType
from ..manifests import Object, ObjectRef, object_ref, release_of
from .options import ObjectOutcome
from .requests import Target

CLAIM = "PersistentVolumeClaim"
"""What was written stays unless somebody asks for its removal."""
TYPES: Mapping[str, ResourceType] = {
    kind: ResourceType(version, kind, plural, True)
    for kind, version, plural in (
        ("ServiceAccount", "v1", "serviceaccounts"),
        ("Secret", "v1", "secrets"),
        ("ConfigMap", "v1", "configmaps"),
        (CLAIM, "v1", "persistentvolumeclaims"),
        ("Service", "v1", "services"),
        ("Deployment", "apps/v1", "deployments"),
        ("StatefulSet", "apps/v1", "statefulsets"),
        ("Job", "batch/v1", "jobs"),
        ("CronJob", "batch/v1", "cronjobs"),
        ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        ("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
        ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    )
}


def named_object(kind: str, name: str, namespace: str) -> Object:
    """What names an object, whether it is declared or not."""
    return {"apiVersion": TYPES[kind].api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def target_named(kind: str, name: str, namespace: str) -> Target:
    declared = named_object(kind, name, namespace)
    return Target(object_ref(declared), TYPES[kind], declared)


def is_owned(item: Object | None, label: str, owner: str) -> bool:
    """Whether the object carries the label of what it belongs to."""
    metadata = (item or {}).get("metadata") or {}
    return (metadata.get("labels") or {}).get(label) == owner


def refuse_others(subject: str, label: str, owners: Mapping[ObjectRef, str], live: Mapping[ObjectRef, Object]) -> None:
    """Objects that somebody else has made are not overwritten. `owners` are what these would belong to."""
    found = [
        _somebody_elses(subject, label, owner, ref, live[ref])
        for ref, owner in owners.items()
        if ref in live and not is_owned(live[ref], label, owner)
    ]
    if found:
        raise Refused(subject, found)


def _somebody_elses(subject: str, label: str, owner: str, ref: ObjectRef, item: Object) -> Refusal:
    release = release_of(item)
    if release:
        return Refusal.because(
            str(ref),
            f"belongs to the Helm release {release}: its selectors cannot change, so it is not adopted",
            "Choose another name, and move the agents before the release is removed; or keep the release, and declare "
            "it with helm_release.",
        )
    return Refusal.because(
        str(ref),
        f"exists without the label {label}: {owner}, so it was not created by {subject}",
        "Delete it if it is not needed, or choose another name.",
    )


def delete_owned(
    kube: Kube, task: Task, subject: str, targets: Sequence[Target], live: Mapping[ObjectRef, Object]
) -> list[ObjectOutcome]:
    """Remove what is there of these; in check mode, find out whether that would be allowed."""
    if not targets:
        return []
    # what applies need not have it
    from .delete import DeleteOptions, delete_existing

    options = DeleteOptions(
        subject=subject,
        wait=bool(task.params["wait"]),
        wait_timeout=float(task.params["wait_timeout"]),
        propagation="Foreground",
    )
    return delete_existing(kube, task, targets, live, options, dry=task.check_mode)
