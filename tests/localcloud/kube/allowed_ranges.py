# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect to a load balancer, by the annotation of its Service: rules of the nodes' network on AKS.

`spec.loadBalancerSourceRanges` is kube-proxy's. Annotation: https://github.com/kubernetes-sigs/cloud-provider-azure,
pkg/consts/consts.go (ServiceAnnotationAllowedIPRanges). What pods of the cluster send to it passes by, as there.
Standard library only: it runs as root, beside the cluster's own parts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from localcloud.kube.addresses import PREFIX, Decision

RANGES = f"{PREFIX}allowed-ip-ranges"
TABLE = "inet allowed_ranges"


def rules(services: Iterable[Mapping[str, Any]], decisions: Sequence[Decision]) -> str:
    """The packet filter for all Services with the annotation, before kube-proxy translates their addresses (-100)."""
    addresses = {one.uid: one.address for one in decisions if one.address}
    lines = [
        f'iifname {{ "eth0", "to-*" }} ip daddr {addresses[service["metadata"]["uid"]]} '
        f"{port.get('protocol', 'TCP').lower()} dport {port['port']}{_others(ranges)} drop"
        for service in services
        if service["metadata"]["uid"] in addresses
        for ranges in [_ranges(service)]
        if ranges is not None
        for port in service["spec"]["ports"]
    ]
    chain = ["chain arriving { type filter hook prerouting priority -140;", *lines, "}"]
    return "\n".join([f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{", *chain, "}", ""])


def _ranges(service: Mapping[str, Any]) -> list[str] | None:
    """None: everybody. What is not a range lets nobody in."""
    text = (service["metadata"].get("annotations") or {}).get(RANGES, "")
    if not text.strip():
        return None
    found = []
    for one in text.split(","):
        try:
            found.append(str(ipaddress.IPv4Network(one.strip())))
        except ValueError:
            continue
    return sorted({*found})


def _others(ranges: Sequence[str]) -> str:
    # overlapping ones are no set of nft's
    apart = ipaddress.collapse_addresses(ipaddress.IPv4Network(one) for one in ranges)
    shown = ", ".join(str(one) for one in apart)
    return f" ip saddr != {{ {shown} }}" if shown else ""
