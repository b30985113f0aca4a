# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers of NetworkPolicies that every domain lets in or out: the API server of AKS, DNS, ranges of addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import Problem

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""A label that every namespace has (kubernetes.io, "Well-Known Labels, Annotations and Taints")."""
# AKS' LocalDNS answers on the node itself
_NODE_DNS = "169.254.0.0/16"
_SYSTEM = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}}}
API_SERVER = {**_SYSTEM, "podSelector": {"matchLabels": {"app": "konnectivity-agent"}}}
"""Through these pods the API server of AKS reaches pods, which is how its Service proxy works."""


def api_server_peers(cidrs: Iterable[str]) -> list[dict[str, Any]]:
    """Where the API server's requests come from: its pods of AKS, and addresses of its own that are declared."""
    return [API_SERVER, *({"ipBlock": {"cidr": cidr}} for cidr in dict.fromkeys(cidrs))]


def way_to_names() -> dict[str, Any]:
    """Out to DNS, in the cluster and on the node."""
    return {
        "to": [_SYSTEM, {"ipBlock": {"cidr": _NODE_DNS}}],
        "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
    }


def range_problems(option: str, cidrs: Iterable[str]) -> Iterator[Problem]:
    """What is no range of addresses in a list of them."""
    for index, text in enumerate(cidrs):
        if not _is_range(text):
            example = "a range of addresses such as 10.0.0.0/28; a single one ends with /32 or /128"
            yield Problem(f"{option}[{index}]", f"{text!r} is not {example}")


def _is_range(text: str) -> bool:
    try:
        return "/" in text and text == text.strip() and bool(ipaddress.ip_network(text))
    except ValueError:
        return False
