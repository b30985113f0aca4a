# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the network policies of registries and agents have in common: the API server, and DNS. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Problem

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""A label that every namespace has (kubernetes.io, "Well-Known Labels, Annotations and Taints")."""
API_SERVER_CIDRS = "api_server_cidrs"
# AKS' LocalDNS answers on the node itself
_NODE_DNS = "169.254.0.0/16"
_SYSTEM = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}}}
# through these pods the API server of AKS reaches pods, which is how its Service proxy works
_API_SERVER = {**_SYSTEM, "podSelector": {"matchLabels": {"app": "konnectivity-agent"}}}


def api_server_peers(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the API server's requests come from: its pods of AKS, and addresses of its own that are declared."""
    own = dict.fromkeys(options.get(API_SERVER_CIDRS) or ())
    return [_API_SERVER, *({"ipBlock": {"cidr": cidr}} for cidr in own)]


def way_to_names() -> dict[str, Any]:
    """Out to DNS, in the cluster and on the node."""
    return {
        "to": [_SYSTEM, {"ipBlock": {"cidr": _NODE_DNS}}],
        "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
    }


def cidr_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is no range of addresses in `api_server_cidrs`; for a removal they do not matter."""
    if params["state"] == "absent":
        return
    for index, text in enumerate(params.get(API_SERVER_CIDRS) or []):
        if not _is_range(text):
            example = "a range of addresses such as 10.0.0.0/28; a single one ends with /32 or /128"
            yield Problem(f"{API_SERVER_CIDRS}[{index}]", f"{text!r} is not {example}")


def _is_range(text: str) -> bool:
    try:
        return "/" in text and text == text.strip() and bool(ipaddress.ip_network(text))
    except ValueError:
        return False
