# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may call an MCP server: NetworkPolicies from declared callers.

And the removal of those that are no longer declared.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..kube.apply.options import ObjectOutcome
from ..kube.apply.requests import Target
from ..kube.client import Kube
from ..kube.discovery import ResourceType
from ..kube.manifests import Object, ObjectRef
from ..kube.policy_peers import API_SERVER, NAMESPACE_NAME
from ..names import wrong_label_name, wrong_label_value, wrong_name
from ..plan import Refusal
from ..task import Task
from ..text import texts_of_mapping
from .readiness import Converged
from .server_spec import Declared, Key

Found = Iterator[tuple[str, str]]

POLICIES = ResourceType("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", True)
POLICY_LABEL = "mcpops.io/callers-of"
"""On the policy, with the name of its server: what tells our policies from others of that name."""
SUFFIX = "-callers"
_SELECTING = ("namespace", "namespace_labels", "pod_labels")


def policy_target(key: Key) -> Target:
    """Where the policy of a server is, whether it is declared or not."""
    namespace, name = key
    ref = ObjectRef(POLICIES.api_version, POLICIES.kind, f"{name}{SUFFIX}", namespace)
    metadata = {"name": ref.name, "namespace": namespace}
    return Target(ref, POLICIES, {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata})


def network_policy(server: Declared) -> dict[str, Any] | None:
    """The NetworkPolicy of a server; None where no callers are declared, and everybody may call."""
    callers = server.options.get("callers")
    if callers is None:
        return None
    port = server.deployment.get("port")
    rules = [
        {
            "from": [_peer(caller)],
            "ports": [{"port": number, "protocol": "TCP"} for number in caller.get("ports") or [port]],
        }
        for caller in callers
    ]
    if server.options.get("allow_api_server") is not False:
        rules.append({"from": [API_SERVER], "ports": [{"port": port, "protocol": "TCP"}]})
    declared = dict(policy_target(server.key).declared)
    pods = {"app.kubernetes.io/name": server.name, "app.kubernetes.io/instance": server.name}
    return {
        **declared,
        "metadata": {**declared["metadata"], "labels": {POLICY_LABEL: server.name}},
        # the API server keeps no empty list
        "spec": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Ingress"],
            **({"ingress": rules} if rules else {}),
        },
    }


def is_our_policy(live: Mapping[str, Any], server: str) -> bool:
    return ((live.get("metadata") or {}).get("labels") or {}).get(POLICY_LABEL) == server


def server_caller_problems(server: Declared) -> Found:
    """What is wrong with the server's own callers; those of the task are judged once."""
    if "callers" not in server.inherited:
        yield from callers_problems("callers", server.options.get("callers"))


def callers_problems(path: str, callers: Sequence[Mapping[str, Any]] | None) -> Found:
    for index, caller in enumerate(callers or []):
        for below, message in _problems(caller):
            yield f"{path}[{index}]{below}", message


def _peer(caller: Mapping[str, Any]) -> dict[str, Any]:
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


def _problems(caller: Mapping[str, Any]) -> Found:
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


def _addresses(cidr: str | None, excepted: list[str]) -> Found:
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


def policy_collisions(server: Declared, live: Mapping[ObjectRef, Object]) -> list[Refusal]:
    """A policy of somebody else that has the name of ours."""
    ref = policy_target(server.key).ref
    found = live.get(ref)
    if server.options.get("callers") is None or found is None or is_our_policy(found, server.name):
        return []
    return [
        Refusal.because(
            f"NetworkPolicy/{ref.name}",
            f"exists without the label {POLICY_LABEL}, so it was not created by mcp_server",
            "Delete it if it is not needed, or give the server another name.",
        )
    ]


def remove_undeclared_policies(kube: Kube, task: Task, done: Converged, live: Mapping[ObjectRef, Object]) -> None:
    """Those of servers that name no callers any more: everybody may call them then."""
    servers = {policy_target(server.key).ref: server for server in done.sound if server.options.get("callers") is None}
    for outcome in remove_policies(kube, task, list(servers.values()), live):
        server = servers[outcome.ref]
        if outcome.failure is not None:
            done.failures[server.key] = outcome.failure
        else:
            done.policies[server.key] = outcome.plan


def remove_policies(
    kube: Kube, task: Task, servers: Sequence[Declared], live: Mapping[ObjectRef, Object]
) -> list[ObjectOutcome]:
    """Delete the policies of these servers that we have made."""
    targets = [
        target
        for server in servers
        for target in [policy_target(server.key)]
        if target.ref in live and is_our_policy(live[target.ref], server.name)
    ]
    if not targets:
        return []
    from ..kube.apply.delete import DeleteOptions, delete_existing

    return delete_existing(
        kube, task, targets, live, DeleteOptions(subject="network policies", wait=False), dry=task.check_mode
    )
