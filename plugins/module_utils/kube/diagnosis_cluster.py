# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about what all namespaces share: nodes, DNS, webhooks, aggregated APIs, namespaces that do not go. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_findings import (
    Evidence,
    Finding,
    of_reason,
    with_events,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_services import (
    DNS_LABEL,
    DNS_NAMESPACE,
    slices_by_service,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts import network
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import Object, subject
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import ERROR, WARNING, reason

WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def findings(snapshot: Snapshot) -> list[Finding]:
    """What is wrong with the cluster itself."""
    return [*_nodes(snapshot), *_dns(snapshot), *_webhooks(snapshot), *_apis(snapshot), *_namespaces(snapshot)]


def _nodes(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.all("Node"):
        for one in reasons(item):
            # several kinds of pressure are several findings
            part = one.message.partition(":")[0] if one.code == "NodePressure" else ""
            yield with_events(of_reason(item, one, part=part), snapshot.messages(item))
        if (item.get("spec") or {}).get("unschedulable"):
            yield of_reason(item, reason(subject(item), "NodeCordoned", "is cordoned: it takes no new pods"))


def _dns(snapshot: Snapshot) -> Iterator[Finding]:
    # a cluster whose other namespaces were not read is not said to have no DNS
    if not (snapshot.complete("Service") and snapshot.complete("EndpointSlice") and snapshot.knows("Node")):
        return
    named = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": DNS_NAMESPACE, "name": DNS_LABEL}}
    found = [
        one
        for one in snapshot.all("Service")
        if one["metadata"].get("namespace") == DNS_NAMESPACE
        and (one["metadata"].get("labels") or {}).get("k8s-app") == DNS_LABEL
    ]
    if not found:
        told = f"namespace {DNS_NAMESPACE} has no Service labelled k8s-app={DNS_LABEL}"
        yield of_reason(named, reason(subject(named), "DnsDown", told))
    for item in found:
        key = (DNS_NAMESPACE, str(item["metadata"]["name"]))
        if network.ready_endpoints(slices_by_service(snapshot).get(key, [])):
            continue
        shown = [one for one in snapshot.all("Deployment") if _is_dns(one)]
        counts = [(one["metadata"]["name"], (one.get("spec") or {}).get("replicas", 1)) for one in shown]
        evidence = tuple(
            Evidence("status", f"Deployment {DNS_NAMESPACE}/{name} is to have {replicas} replicas")
            for name, replicas in counts
        )
        one = reason(subject(item), "DnsDown", "no DNS server is ready: no name resolves in this cluster")
        yield of_reason(item, one, evidence=evidence)


def _is_dns(deployment: Object) -> bool:
    metadata = deployment["metadata"]
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
            if network.ready_endpoints(slices.get(key, [])):
                continue
            place = f"Service {key[0]}/{key[1]}"
            why = f"{place} has no ready endpoint" if key in services else f"{place} does not exist"
            refuses = webhook.get("failurePolicy", "Fail") == "Fail"
            effect = f"what it is asked about is {'refused' if refuses else 'let through unchecked'}"
            one = reason(subject(item), "WebhookDown", f"webhook {webhook['name']} does not answer: {why}; {effect}")
            yield of_reason(item, one, part=str(webhook["name"]), severity=ERROR if refuses else WARNING)


def _apis(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.all("APIService"):
        for one in reasons(item):
            if snapshot.lasting(one.code, item):
                yield of_reason(item, one)


def _namespaces(snapshot: Snapshot) -> Iterator[Finding]:
    for item in snapshot.all("Namespace"):
        in_scope = snapshot.namespaces is None or item["metadata"]["name"] in snapshot.namespaces
        for one in reasons(item):
            if in_scope and snapshot.lasting(one.code, item):
                yield of_reason(item, one)
