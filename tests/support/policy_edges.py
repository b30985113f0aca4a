# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom NetworkPolicies let reach whom, without a cluster (kubernetes.io, "Network Policies")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import selector_matches

NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Place:
    """A pod."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    caller: str
    target: str
    port: int


def open_edges(policies: Sequence[Mapping[str, Any]], pods: Mapping[str, Place], edges: Sequence[Edge]) -> set[Edge]:
    """Those that the policies let through."""
    return {one for one in edges if reaches(policies, pods[one.caller], pods[one.target], one.port)}


def reaches(policies: Sequence[Mapping[str, Any]], caller: Place, target: Place, port: int) -> bool:
    """Out of the one and into the other: where no policy is about a direction, it is open."""
    return _lets(policies, "Egress", caller, target, port) and _lets(policies, "Ingress", target, caller, port)


def _lets(policies: Sequence[Mapping[str, Any]], direction: str, pod: Place, peer: Place, port: int) -> bool:
    about = [one for one in policies if direction in one["spec"]["policyTypes"] and _selects(one, pod)]
    rules = [rule for one in about for rule in _rules(one, direction)]
    return not about or any(_allows(rule, direction, peer, port) for rule in rules)


def _selects(policy: Mapping[str, Any], pod: Place) -> bool:
    inside = policy["metadata"]["namespace"] == pod.namespace
    return inside and selector_matches(policy["spec"].get("podSelector") or {}, pod.labels)


def _rules(policy: Mapping[str, Any], direction: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for rule in policy["spec"].get(direction.lower()) or ():
        yield policy["metadata"]["namespace"], rule


def _allows(found: tuple[str, Mapping[str, Any]], direction: str, peer: Place, port: int) -> bool:
    namespace, rule = found
    peers, ports = rule.get("from" if direction == "Ingress" else "to"), rule.get("ports")
    here = not peers or any(_is_peer(one, namespace, peer) for one in peers)
    return here and (not ports or any(one.get("port", port) == port for one in ports))


def _is_peer(stated: Mapping[str, Any], namespace: str, peer: Place) -> bool:
    """Addresses are those of something outside of the cluster."""
    if "ipBlock" in stated:
        return False
    if "namespaceSelector" in stated:
        if not selector_matches(stated["namespaceSelector"] or {}, {NAMESPACE_NAME: peer.namespace}):
            return False
    elif peer.namespace != namespace:
        return False
    return selector_matches(stated.get("podSelector") or {}, peer.labels)
