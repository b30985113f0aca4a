# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ways lead to the servers past the gateway: Services, pods, nodes, Ingresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..kube.manifests import Object
from ..kube.readiness.cluster import SERVICE_NAME_LABEL
from ..kube.syntax import selector_matches
from .trial_cluster import (
    CLUSTER_IP,
    HOST_PORT,
    INGRESS,
    NOBODY,
    POD_IP,
    Backend,
    Seen,
    Way,
    balanced_addresses,
    label_of,
    led,
    paths,
    service_addresses,
    targets,
)


def backends(seen: Seen, gateway: str, open_routes: set[str]) -> list[Backend]:
    """Every pod's port behind routes of the gateway, with all routes' Services that lead there."""
    pods = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in seen.pods}
    found: dict[tuple[str, int], Backend] = {}
    for route in led(seen, gateway):
        for service, port in targets(route):
            for address, at, pod in _endpoints(seen, service, port):
                namespace = service.partition("/")[0]
                before = found.get((address, at))
                services = (*(before.services if before else ()), service)
                found[address, at] = Backend(
                    address=address,
                    port=at,
                    pod=pod,
                    namespace=namespace,
                    path=before.path if before else paths(route)[0],
                    services=tuple(dict.fromkeys(services)),
                    is_open=bool(before and before.is_open) or label_of(route) in open_routes,
                    policies=_choosing(seen, pods.get((namespace, pod))),
                )
    return list(found.values())


def _endpoints(seen: Seen, service: str, port: int) -> Iterator[tuple[str, int, str]]:
    """(address, port, pod) behind a port of a Service."""
    declared = next((one for one in seen.services if label_of(one) == service), None)
    names = {
        str(row.get("name") or "")
        for row in (declared or {"spec": {}})["spec"].get("ports") or ()
        if row["port"] == port
    }
    for item in _slices_of(seen, service):
        for row in item.get("ports") or ():
            if row.get("port") and str(row.get("name") or "") in names:
                for endpoint in item.get("endpoints") or ():
                    pod = str((endpoint.get("targetRef") or {}).get("name") or "")
                    yield from ((str(one), int(row["port"]), pod) for one in endpoint.get("addresses") or ())


def _slices_of(seen: Seen, service: str) -> Iterator[Object]:
    for item in seen.slices:
        owner = (item["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL)
        if owner and f"{item['metadata']['namespace']}/{owner}" == service:
            yield item


def _choosing(seen: Seen, pod: Object | None) -> tuple[str, ...]:
    """The NetworkPolicies that say who may reach a pod."""
    if pod is None:
        return ()
    metadata = pod["metadata"]
    return tuple(
        label_of(one)
        for one in seen.policies
        if one["metadata"]["namespace"] == metadata["namespace"]
        and "Ingress" in (one["spec"].get("policyTypes") or ["Ingress"])
        and selector_matches(one["spec"].get("podSelector") or {}, metadata.get("labels") or {})
    )


def service_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    """Every Service that leads to one of these pods, and not only those that routes name."""
    at = {(one.address, one.port): one for one in backends}
    for service in seen.services:
        for kind, shown, address, port, row in service_addresses(seen, service):
            behind = [
                at[address_port]
                for endpoint_address, endpoint_port, _pod in _endpoints(seen, label_of(service), int(row["port"]))
                if (address_port := (endpoint_address, endpoint_port)) in at
            ]
            if behind:
                metadata = service["metadata"]
                yield Way(
                    kind=kind,
                    name=shown,
                    address=address,
                    port=port,
                    host=f"{metadata['name']}.{metadata['namespace']}:{row['port']}",
                    path=behind[0].path,
                    services=tuple(dict.fromkeys((*_names(behind), label_of(service)))),
                    is_open=all(one.is_open for one in behind),
                    policies=behind[0].policies,
                    is_inside=kind == CLUSTER_IP,
                )


def _names(backends: Iterable[Backend]) -> list[str]:
    return list(dict.fromkeys(name for one in backends for name in one.services))


def pod_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    pods = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in seen.pods}
    for one in backends:
        made = Way(
            kind=POD_IP,
            name=f"Pod {one.namespace}/{one.pod} at {one.address}:{one.port}",
            address=one.address,
            port=one.port,
            host=f"{one.address}:{one.port}",
            path=one.path,
            services=one.services,
            is_open=one.is_open,
            policies=one.policies,
            is_inside=True,
        )
        yield made
        pod = pods.get((one.namespace, one.pod))
        for container in (pod or {"spec": {}})["spec"].get("containers") or ():
            for port in container.get("ports") or ():
                if port.get("hostPort") and port["containerPort"] == one.port and pod is not None:
                    address, at = str((pod.get("status") or {}).get("hostIP")), int(port["hostPort"])
                    name = f"host port of Pod {one.namespace}/{one.pod} at {address}:{at}"
                    yield replace(
                        made,
                        kind=HOST_PORT,
                        name=name,
                        address=address,
                        port=at,
                        host=f"{address}:{at}",
                        is_inside=False,
                    )


def ingress_ways(seen: Seen, backends: Sequence[Backend]) -> Iterator[Way]:
    known = {name: one for one in backends for name in one.services}
    for item in seen.ingresses:
        for rule in item["spec"].get("rules") or ():
            for path in (rule.get("http") or {}).get("paths") or ():
                service = ((path.get("backend") or {}).get("service") or {}).get("name")
                behind = known.get(f"{item['metadata']['namespace']}/{service}")
                if behind is None:
                    continue
                for address in balanced_addresses(item):
                    host = str(rule.get("host") or address).replace("*", NOBODY)
                    for tls, port in ((False, 80), *([(True, 443)] if item["spec"].get("tls") else [])):
                        yield Way(
                            kind=INGRESS,
                            name=f"Ingress {label_of(item)} at {address}:{port}, host {host}",
                            address=address,
                            port=port,
                            host=host,
                            path=behind.path,
                            tls=tls,
                            services=behind.services,
                            is_open=behind.is_open,
                        )
