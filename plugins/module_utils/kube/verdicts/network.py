# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on what connects: Service, EndpointSlice, Ingress. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.selectors import selects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import Object, condition, verdict

SERVICE_OF = "kubernetes.io/service-name"
"""The label that says which Service an EndpointSlice is of."""


def address(item: Object) -> list[Reason]:
    """A load balancer, of a Service or an Ingress, is ready when it has an address."""
    if ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return []
    if item.get("kind") == "Ingress":
        spec = item.get("spec") or {}
        named = spec.get("ingressClassName")
        by = f"no controller of class {named}" if named else "no controller (it names no class)"
        return verdict(item, "NoAddress", f"{by} has given it an address yet")
    return verdict(item, "NoAddress", "its load balancer has no address yet")


def service(item: Object) -> list[Reason]:
    """What a Service alone tells: only a load balancer shows something."""
    return address(item) if (item.get("spec") or {}).get("type") == "LoadBalancer" else []


def leads_somewhere(item: Object) -> bool:
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


def endpoint_slice(item: Object) -> list[Reason]:
    """Ready when one of its endpoints is."""
    return [] if ready_endpoints([item]) else verdict(item, "NoEndpoints", "has no ready endpoint")


def endpoints(
    item: Object, slices: Iterable[Object], pods: Sequence[Object], workloads: Iterable[Object]
) -> list[Reason]:
    """Whether a Service leads to a ready pod, and what is in its way if not.

    `slices` are the Service's own; `pods` and `workloads` those of its namespace. A Service whose workload is
    scaled to none leads nowhere because somebody wants it so.
    """
    if not leads_somewhere(item) or ready_endpoints(slices):
        return []
    selector = item["spec"]["selector"]
    if any(_wants_none(one) and selects(selector, _template_labels(one)) for one in workloads):
        return []
    chosen = [pod for pod in pods if selects(selector, (pod.get("metadata") or {}).get("labels"))]
    labels = ", ".join(f"{key}={value}" for key, value in selector.items())
    if not chosen:
        return verdict(item, "NoEndpoints", f"no pod has its selector's labels {labels}")
    ready = [pod for pod in chosen if (condition(pod, "Ready") or {}).get("status") == "True"]
    if ready:
        ports = [str(name) for name in _named_ports(item) if not any(_has_port(pod, name) for pod in ready)]
        if ports:
            return verdict(item, "NoEndpoints", f"its pods name no port {', '.join(ports)}")
        return verdict(item, "NoEndpoints", f"selects none of its {len(ready)} ready pods yet")
    told = f"none of its {len(chosen)} pods is ready" if len(chosen) > 1 else "its only pod is not ready"
    return verdict(item, "NoEndpoints", told, hint="Look at why.")


def _named_ports(item: Object) -> list[str]:
    ports = item["spec"].get("ports") or []
    return [port["targetPort"] for port in ports if isinstance(port.get("targetPort"), str)]


def _has_port(pod: Object, name: str) -> bool:
    containers: list[dict[str, Any]] = (pod.get("spec") or {}).get("containers") or []
    return any(port.get("name") == name for container in containers for port in container.get("ports") or [])


def _is_portless(one: Object) -> bool:
    labels = (one.get("metadata") or {}).get("labels") or {}
    return "service.kubernetes.io/headless" in labels or SERVICE_OF not in labels


def _wants_none(workload: Object) -> bool:
    return (workload.get("spec") or {}).get("replicas") == 0


def _template_labels(workload: Object) -> dict[str, str]:
    template = (workload.get("spec") or {}).get("template") or {}
    labels: dict[str, str] = (template.get("metadata") or {}).get("labels") or {}
    return labels
