# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about Services, Ingresses, claims and autoscalers, and about nodes, DNS, webhooks, APIs and namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..readiness import cluster
from ..readiness.judge import readiness_reasons
from ..readiness.reasons import ERROR, WARNING, Object, make_reason, subject_of
from ..syntax import selector_matches
from .snapshot import Evidence, Finding, Snapshot, of_reason, with_events

DNS_NAMESPACE, DNS_LABEL = "kube-system", "kube-dns"
STARTING_SECONDS = 15.0
"""How old a Service must be before it is to lead somewhere."""


def service_findings(snapshot: Snapshot, of_pods: Sequence[Finding]) -> list[Finding]:
    """What is wrong with these kinds; `of_pods` are the findings about pods and workloads, which may be the cause."""
    return [*_services(snapshot, of_pods), *_ingresses(snapshot), *_claims(snapshot), *_scaling(snapshot)]


def slices_by_service(snapshot: Snapshot) -> dict[tuple[str, str], list[Object]]:
    """EndpointSlices by namespace and name of their Service."""
    found: dict[tuple[str, str], list[Object]] = {}
    for one in snapshot.all("EndpointSlice"):
        labels = one["metadata"].get("labels") or {}
        key = (str(one["metadata"].get("namespace")), str(labels.get(cluster.SERVICE_NAME_LABEL)))
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
        if _is_dns(item):
            # the cluster's DNS has a finding of its own
            continue
        near = pods.get(namespace, [])
        own = slices.get((namespace, name), [])
        found = cluster.judge_endpoints(item, own, near, workloads.get(namespace, []))
        if found and snapshot.age(item).total_seconds() >= STARTING_SECONDS:
            chosen = {
                str(pod["metadata"]["name"])
                for pod in near
                if selector_matches(item["spec"]["selector"], pod["metadata"].get("labels"))
            }
            causes = _causes(of_pods, namespace, chosen)
            reported = replace(found[0], hint="Deal with what it follows from.") if causes else found[0]
            yield of_reason(item, reported, caused_by=causes)
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
            reported = f"leads to Service {', '.join(missing)}, which does not exist"
            yield of_reason(item, make_reason(subject_of(item), "MissingObject", reported))


def _backends(ingress: Object) -> set[str]:
    spec = ingress.get("spec") or {}
    paths = [path for rule in spec.get("rules") or [] for path in ((rule.get("http") or {}).get("paths") or [])]
    backends: list[dict[str, Any]] = [path.get("backend") or {} for path in paths] + [spec.get("defaultBackend") or {}]
    return {str(one["service"]["name"]) for one in backends if one.get("service")}


def _claims(snapshot: Snapshot) -> Iterator[Finding]:
    classes = {str(one["metadata"]["name"]): one for one in snapshot.all("StorageClass")}
    for item in snapshot.of("PersistentVolumeClaim"):
        if snapshot.knows("StorageClass") and not item["metadata"].get("deletionTimestamp"):
            found = cluster.judge_claim_with_class(item, classes)
        else:
            found = readiness_reasons(item)
        for one in found:
            if snapshot.lasting(one.code, item, item["metadata"].get("creationTimestamp")):
                yield with_events(of_reason(item, one), snapshot.messages(item))


def _scaling(snapshot: Snapshot) -> Iterator[Finding]:
    for item in [*snapshot.of("HorizontalPodAutoscaler"), *snapshot.of("PodDisruptionBudget")]:
        yield from _normal_for_a_while(snapshot, item)
    for item in snapshot.of("PodDisruptionBudget"):
        for one in cluster.blocks_drain(item):
            yield of_reason(item, one)


def _normal_for_a_while(snapshot: Snapshot, item: Object) -> Iterator[Finding]:
    """What the object says itself, once it lasts longer than is normal."""
    for one in readiness_reasons(item):
        if snapshot.lasting(one.code, item):
            yield with_events(of_reason(item, one), snapshot.messages(item))


def _by_namespace(items: Sequence[Object]) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for item in items:
        found.setdefault(str(item["metadata"].get("namespace")), []).append(item)
    return found


WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def cluster_findings(snapshot: Snapshot) -> list[Finding]:
    """What is wrong with the cluster itself."""
    return [*_nodes(snapshot), *_dns(snapshot), *_webhooks(snapshot), *_apis(snapshot), *_namespaces(snapshot)]


def _nodes(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.all("Node"):
        for one in readiness_reasons(item):
            # several kinds of pressure are several findings
            part = one.message.partition(":")[0] if one.code == "NodePressure" else ""
            yield with_events(of_reason(item, one, part=part), snapshot.messages(item))
        if (item.get("spec") or {}).get("unschedulable"):
            yield of_reason(item, make_reason(subject_of(item), "NodeCordoned", "is cordoned: it takes no new pods"))


def _dns(snapshot: Snapshot) -> Iterator[Finding]:
    # a cluster whose other namespaces were not read is not said to have no DNS
    if not (snapshot.complete("Service") and snapshot.complete("EndpointSlice") and snapshot.knows("Node")):
        return
    named = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": DNS_NAMESPACE, "name": DNS_LABEL}}
    found = [one for one in snapshot.all("Service") if _is_dns(one)]
    if not found:
        reported = f"namespace {DNS_NAMESPACE} has no Service labelled k8s-app={DNS_LABEL}"
        yield of_reason(named, make_reason(subject_of(named), "DnsDown", reported))
    for item in found:
        key = (DNS_NAMESPACE, str(item["metadata"]["name"]))
        if cluster.ready_endpoints(slices_by_service(snapshot).get(key, [])):
            continue
        shown = [one for one in snapshot.all("Deployment") if _is_dns(one)]
        counts = [(one["metadata"]["name"], (one.get("spec") or {}).get("replicas", 1)) for one in shown]
        evidence = tuple(
            Evidence("status", f"Deployment {DNS_NAMESPACE}/{name} is to have {replicas} replicas")
            for name, replicas in counts
        )
        one = make_reason(subject_of(item), "DnsDown", "no DNS server is ready: no name resolves in this cluster")
        yield of_reason(item, one, evidence=evidence)


def _is_dns(item: Object) -> bool:
    metadata = item["metadata"]
    return metadata.get("namespace") == DNS_NAMESPACE and (metadata.get("labels") or {}).get("k8s-app") == DNS_LABEL


def _webhooks(snapshot: Snapshot) -> Iterator[Finding]:
    """Webhooks whose Service is not there or leads nowhere; one that is a URL is not judged."""
    if not (snapshot.complete("Service") and snapshot.complete("EndpointSlice")):
        return
    services = {
        (str(one["metadata"].get("namespace")), str(one["metadata"]["name"])) for one in snapshot.all("Service")
    }
    slices = slices_by_service(snapshot)
    for item in [one for kind in WEBHOOKS for one in snapshot.all(kind)]:
        for webhook in item.get("webhooks") or []:
            behind = (webhook.get("clientConfig") or {}).get("service")
            if not behind:
                continue
            key = (str(behind["namespace"]), str(behind["name"]))
            if cluster.ready_endpoints(slices.get(key, [])):
                continue
            place = f"Service {key[0]}/{key[1]}"
            why = f"{place} has no ready endpoint" if key in services else f"{place} does not exist"
            refuses = webhook.get("failurePolicy", "Fail") == "Fail"
            effect = f"what it is asked about is {'refused' if refuses else 'let through unchecked'}"
            one = make_reason(
                subject_of(item), "WebhookDown", f"webhook {webhook['name']} does not answer: {why}; {effect}"
            )
            yield of_reason(item, one, part=str(webhook["name"]), severity=ERROR if refuses else WARNING)


def _apis(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.all("APIService"):
        for one in readiness_reasons(item):
            if snapshot.lasting(one.code, item):
                yield of_reason(item, one)


def _namespaces(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.all("Namespace"):
        in_scope = snapshot.namespaces is None or item["metadata"]["name"] in snapshot.namespaces
        for one in readiness_reasons(item):
            if in_scope and snapshot.lasting(one.code, item):
                yield of_reason(item, one)
