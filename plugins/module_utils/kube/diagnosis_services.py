# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about what connects, stores and scales: Services, Ingresses, claims, autoscalers, budgets. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_findings import (
    Finding,
    of_reason,
    with_events,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.selectors import selects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts import network, platform
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import Object, subject
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import reason

DNS_NAMESPACE, DNS_LABEL = "kube-system", "kube-dns"
STARTING_SECONDS = 15.0
"""How old a Service must be before it is to lead somewhere."""


def findings(snapshot: Snapshot, of_pods: Sequence[Finding]) -> list[Finding]:
    """What is wrong with these kinds; `of_pods` are the findings about pods and workloads, which may be the cause."""
    return [*_services(snapshot, of_pods), *_ingresses(snapshot), *_claims(snapshot), *_scaling(snapshot)]


def slices_by_service(snapshot: Snapshot) -> dict[tuple[str, str], list[Object]]:
    """EndpointSlices by namespace and name of their Service."""
    found: dict[tuple[str, str], list[Object]] = {}
    for one in snapshot.all("EndpointSlice"):
        labels = one["metadata"].get("labels") or {}
        key = (str(one["metadata"].get("namespace")), str(labels.get(network.SERVICE_OF)))
        found.setdefault(key, []).append(one)
    return found


def _services(snapshot: Snapshot, of_pods: Sequence[Finding]) -> Iterator[Finding]:
    if not (snapshot.knows("EndpointSlice") and snapshot.knows("Pod")):
        return
    slices = slices_by_service(snapshot)
    pods = _by_namespace(snapshot.of("Pod"))
    workloads = _by_namespace([*snapshot.of("Deployment"), *snapshot.of("StatefulSet")])
    for item in snapshot.of("Service"):
        metadata = item["metadata"]
        namespace, name = str(metadata.get("namespace")), str(metadata["name"])
        if (namespace, (metadata.get("labels") or {}).get("k8s-app")) == (DNS_NAMESPACE, DNS_LABEL):
            # the cluster's DNS has a finding of its own
            continue
        near = pods.get(namespace, [])
        own = slices.get((namespace, name), [])
        found = network.endpoints(item, own, near, workloads.get(namespace, []))
        if found and snapshot.age(item).total_seconds() >= STARTING_SECONDS:
            chosen = {
                str(pod["metadata"]["name"])
                for pod in near
                if selects(item["spec"]["selector"], pod["metadata"].get("labels"))
            }
            causes = _causes(of_pods, namespace, chosen)
            told = replace(found[0], hint="Deal with what it follows from.") if causes else found[0]
            yield of_reason(item, told, caused_by=causes)
        yield from _normal_for_a_while(snapshot, item)


def _causes(of_pods: Sequence[Finding], namespace: str, pods: set[str]) -> tuple[str, ...]:
    """The findings that these pods show."""
    return tuple(
        found.identifier
        for found in of_pods
        if found.item["metadata"].get("namespace") == namespace
        and (pods & set(found.pods) or (found.item["kind"] == "Pod" and found.item["metadata"]["name"] in pods))
    )


def _ingresses(snapshot: Snapshot) -> Iterator[Finding]:
    services = {(str(one["metadata"].get("namespace")), str(one["metadata"]["name"])) for one in snapshot.of("Service")}
    for item in snapshot.of("Ingress"):
        yield from _normal_for_a_while(snapshot, item)
        namespace = str(item["metadata"].get("namespace"))
        missing = sorted(name for name in _backends(item) if (namespace, name) not in services)
        if missing and snapshot.knows("Service"):
            told = f"leads to Service {', '.join(missing)}, which does not exist"
            yield of_reason(item, reason(subject(item), "MissingObject", told))


def _backends(ingress: Object) -> set[str]:
    spec = ingress.get("spec") or {}
    paths = [path for rule in spec.get("rules") or [] for path in ((rule.get("http") or {}).get("paths") or [])]
    backends: list[dict[str, Any]] = [path.get("backend") or {} for path in paths] + [spec.get("defaultBackend") or {}]
    return {str(one["service"]["name"]) for one in backends if one.get("service")}


def _claims(snapshot: Snapshot) -> Iterator[Finding]:
    classes = {str(one["metadata"]["name"]): one for one in snapshot.all("StorageClass")}
    for item in snapshot.of("PersistentVolumeClaim"):
        if snapshot.knows("StorageClass") and not item["metadata"].get("deletionTimestamp"):
            found = platform.claim_with_class(item, classes)
        else:
            found = reasons(item)
        for one in found:
            if snapshot.lasting(one.code, item, item["metadata"].get("creationTimestamp")):
                yield with_events(of_reason(item, one), snapshot.messages(item))


def _scaling(snapshot: Snapshot) -> Iterator[Finding]:
    for item in [*snapshot.of("HorizontalPodAutoscaler"), *snapshot.of("PodDisruptionBudget")]:
        yield from _normal_for_a_while(snapshot, item)
    for item in snapshot.of("PodDisruptionBudget"):
        for one in platform.blocks_drain(item):
            yield of_reason(item, one)


def _normal_for_a_while(snapshot: Snapshot, item: Object) -> Iterator[Finding]:
    """What the object says itself, once it lasts longer than is normal."""
    for one in reasons(item):
        if snapshot.lasting(one.code, item):
            yield with_events(of_reason(item, one), snapshot.messages(item))


def _by_namespace(items: Sequence[Object]) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for item in items:
        found.setdefault(str(item["metadata"].get("namespace")), []).append(item)
    return found
