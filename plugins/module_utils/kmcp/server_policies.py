# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may call an MCP server: NetworkPolicies from declared callers.

And the removal of those that are no longer declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..kube.apply.options import ObjectOutcome
from ..kube.apply.requests import Target
from ..kube.client import Kube
from ..kube.discovery import ResourceType
from ..kube.manifests import Object, ObjectRef
from ..kube.policy_peers import API_SERVER, peer_of, wrong_edges
from ..plan import Refusal
from ..task import Task
from .readiness import Converged
from .server_spec import Declared, Key

Found = Iterator[tuple[str, str]]

POLICIES = ResourceType("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", True)
POLICY_LABEL = "mcpops.io/callers-of"
"""On the policy, with the name of its server: what tells our policies from others of that name."""
SUFFIX = "-callers"


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
            "from": [peer_of(caller)],
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
        yield from wrong_edges("callers", server.options.get("callers"))


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
