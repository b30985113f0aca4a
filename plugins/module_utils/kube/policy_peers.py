# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers of NetworkPolicies: declared ones, and those that every domain lets in or out (the API server of AKS, DNS)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import Problem
from ..names import wrong_label_name, wrong_label_value, wrong_name
from ..text import texts_of_mapping

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""A label that every namespace has (kubernetes.io, "Well-Known Labels, Annotations and Taints")."""
# AKS' LocalDNS answers on the node itself
_NODE_DNS = "169.254.0.0/16"
EDGE: dict[str, Any] = {
    "namespace": {"type": "str"},
    "namespace_labels": {"type": "dict"},
    "pod_labels": {"type": "dict"},
    "cidr": {"type": "str"},
    "except": {"type": "list", "elements": "str"},
    "ports": {"type": "list", "elements": "int"},
}
"""The suboptions of an entry of an edge list: who calls, or is called, at which ports."""
_SELECTING = ("namespace", "namespace_labels", "pod_labels")
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


def peer_of(caller: Mapping[str, Any]) -> dict[str, Any]:
    """The peer of one entry of an edge list: addresses, or pods by their labels and namespace."""
    if caller.get("cidr"):
        excepted = list(caller.get("except") or [])
        return {"ipBlock": {"cidr": caller["cidr"], **({"except": excepted} if excepted else {})}}
    found: dict[str, Any] = {}
    labels = dict(texts_of_mapping(caller.get("namespace_labels") or {}))
    if caller.get("namespace"):
        labels[NAMESPACE_NAME] = caller["namespace"]
    if labels or caller.get("namespace_labels") is not None:
        found["namespaceSelector"] = {"matchLabels": labels} if labels else {}
    if caller.get("pod_labels") is not None:
        pods = texts_of_mapping(caller["pod_labels"])
        found["podSelector"] = {"matchLabels": pods} if pods else {}
    return found


def wrong_edges(path: str, edges: Sequence[Mapping[str, Any]] | None) -> Iterator[tuple[str, str]]:
    """(path, message) of what is wrong with a list of those who may call, or may be called."""
    for index, edge in enumerate(edges or []):
        for below, message in _edge(edge):
            yield f"{path}[{index}]{below}", message


def edge_problems(path: str, edges: Sequence[Mapping[str, Any]] | None) -> Iterator[Problem]:
    return (Problem(*found) for found in wrong_edges(path, edges))


def _edge(caller: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    selecting = [option for option in _SELECTING if caller.get(option) is not None]
    cidr = caller.get("cidr")
    if not selecting and not cidr:
        yield "", f"selects no peer: give {', '.join(_SELECTING)} or cidr"
    if cidr and selecting:
        yield ".cidr", f"excludes {', '.join(selecting)}: one entry is about addresses, or about pods"
    if caller.get("except") and not cidr:
        yield ".except", "takes addresses out of cidr, which is missing"
    namespace = caller.get("namespace")
    if namespace is not None and (wrong := wrong_name(namespace, "namespace name")):
        yield ".namespace", wrong
    for option in ("namespace_labels", "pod_labels"):
        for name, value in texts_of_mapping(caller.get(option) or {}).items():
            wrong = wrong_label_name(name) or (
                wrong_label_value(value) if isinstance(value, str) else "is not text: give the value of a label"
            )
            if wrong:
                yield f".{option}.{name}", wrong
    for index, port in enumerate(caller.get("ports") or []):
        if not 1 <= port <= 65535:
            yield f".ports[{index}]", f"{port} is not a port (1 to 65535)"
    yield from _addresses(cidr, caller.get("except") or [])


def _addresses(cidr: str | None, excepted: list[str]) -> Iterator[tuple[str, str]]:
    whole = _network(cidr) if cidr else None
    if cidr and whole is None:
        yield ".cidr", f"{cidr!r} is not a range of addresses such as 10.0.0.0/16; a single one ends with /32 or /128"
    for index, text in enumerate(excepted):
        part = _network(text)
        if part is None:
            yield f".except[{index}]", f"{text!r} is not a range of addresses such as 10.0.1.0/24"
        elif whole is not None and not _is_inside(part, whole):
            yield f".except[{index}]", f"{text} is not inside of {cidr}"


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text) if "/" in text else None
    except ValueError:
        return None


def _is_inside(part: Any, whole: Any) -> bool:
    return bool(part.version == whole.version and part != whole and part.subnet_of(whole))
