# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address each Service of type LoadBalancer has: what AKS' cloud provider decides, without asking anybody.

Annotations, and the words of refusals: https://github.com/kubernetes-sigs/cloud-provider-azure, pkg/consts/consts.go
and pkg/provider/azure_loadbalancer.go. Standard library only: it runs as root, beside the cluster's own parts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PREFIX = "service.beta.kubernetes.io/azure-"
INTERNAL, IPV4 = f"{PREFIX}load-balancer-internal", f"{PREFIX}load-balancer-ipv4"
PUBLIC_IP, GROUP = f"{PREFIX}pip-name", f"{PREFIX}load-balancer-resource-group"
CLEANUP = "service.kubernetes.io/load-balancer-cleanup"
"""The finalizer that keeps a Service until its address is free again."""

Port = tuple[str, int]


@dataclass(frozen=True)
class Pools:
    """Where addresses come from. `fixed`: GROUP/NAME of a public IP address, in small letters → its address."""

    public: str
    internal: str
    fixed: Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    namespace: str
    name: str
    uid: str
    address: str = ""  # none: there is no load balancer, or none can be had
    refusal: str = ""
    changed: bool = False  # whether the Service says something else

    @property
    def balanced(self) -> bool:
        return bool(self.address or self.refusal)


class _Refused(Exception):
    """The cloud provider has no address that the Service wants."""


def decide(services: Sequence[Mapping[str, Any]], pools: Pools) -> list[Decision]:
    """One decision for each Service that has, wants or had an address. Who has one that it may keep, keeps it."""
    concerned = [service for service in services if _is_concerned(service)]
    taken: dict[str, dict[Port, str]] = {}
    # addresses that somebody keeps, before those that are given out now
    ordered = sorted(concerned, key=lambda one: (not present(one), one["metadata"].get("creationTimestamp", "")))
    return [_decide(service, pools, taken) for service in ordered]


def present(service: Mapping[str, Any]) -> str:
    """The address that a Service says it has."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return str(ingress[0].get("ip", ""))


def wants(service: Mapping[str, Any]) -> bool:
    """Whether it asks this cloud's load balancer: a class of its own is another controller's."""
    spec, metadata = service["spec"], service["metadata"]
    wanted = spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")
    return wanted and not metadata.get("deletionTimestamp")


def _is_concerned(service: Mapping[str, Any]) -> bool:
    if service["spec"].get("loadBalancerClass"):
        return False
    return wants(service) or CLEANUP in service["metadata"].get("finalizers", [])


def _decide(service: Mapping[str, Any], pools: Pools, taken: dict[str, dict[Port, str]]) -> Decision:
    metadata = service["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    identity = (metadata["namespace"], metadata["name"], metadata["uid"])
    if not wants(service):
        return Decision(*identity, changed=True)
    ports = [(str(port.get("protocol", "TCP")), int(port["port"])) for port in service["spec"]["ports"]]
    try:
        address = _address(service, name, pools, taken)
        if clash := [port for port in ports if port in taken.get(address, {})]:
            owner = taken[address][clash[0]]
            raise _Refused(f"port {clash[0][1]} of {address} is in use by the service {owner}")
    except _Refused as exc:
        return Decision(*identity, refusal=str(exc), changed=bool(present(service)))
    taken.setdefault(address, {}).update(dict.fromkeys(ports, name))
    return Decision(*identity, address=address, changed=present(service) != address)


def _address(service: Mapping[str, Any], name: str, pools: Pools, taken: Mapping[str, Any]) -> str:
    annotations = service["metadata"].get("annotations", {})
    group = annotations.get(GROUP, "").lower()
    asked = annotations.get(IPV4) or service["spec"].get("loadBalancerIP", "")
    if annotations.get(INTERNAL, "").lower() == "true":
        if asked and not _within(asked, pools.internal):
            raise _Refused(f"private IP address {asked} is not contained in subnet {pools.internal}")
        return str(asked) or _any(service, pools.internal, taken)
    if public_ip := annotations.get(PUBLIC_IP):
        found = pools.fixed.get(f"{group}/{public_ip.lower()}")
        if found is None:
            raise _Refused(
                f"findMatchedPIP: cannot find public IP with name {public_ip} for service {name} in resource group "
                f"{group or 'of the nodes'}"
            )
        return found
    if asked:
        if asked not in {address for key, address in pools.fixed.items() if key.startswith(f"{group}/")}:
            raise _Refused(
                f"user supplied IP Address {asked} was not found in resource group {group or 'of the nodes'}"
            )
        return str(asked)
    return _any(service, pools.public, taken)


def _within(address: str, network: str) -> bool:
    try:
        return ipaddress.IPv4Address(address) in ipaddress.IPv4Network(network)
    except ValueError:
        return False


def _any(service: Mapping[str, Any], network: str, taken: Mapping[str, Any]) -> str:
    """Its own one, or the lowest that nobody has."""
    own = present(service)
    if own and _within(own, network) and own not in taken:
        return own
    free = (str(one) for one in ipaddress.IPv4Network(network).hosts() if str(one) not in taken)
    found = next(free, None)
    if found is None:
        raise _Refused(f"every address of {network} is in use")
    return found
