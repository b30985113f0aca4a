# SPDX-License-Identifier: GPL-3.0-or-later
"""From declared callers to the NetworkPolicy of a server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_policies, server_validate
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from

SOUND = {"name": "echo", "namespace": "mcp", "image": "echo:1"}
API_SERVER = {
    "from": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"app": "konnectivity-agent"}},
        }
    ],
    "ports": [{"port": 8080, "protocol": "TCP"}],
}


def policy(*callers: dict[str, Any], **options: Any) -> dict[str, Any] | None:
    [server] = declared_from({**SOUND, "port": 8080, "callers": list(callers), **options})
    return server_policies.network_policy(server)


# caller → the peer of the policy
PEERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "namespace": (
        {"namespace": "agents"},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "agents"}}},
    ),
    "pods of a namespace": (
        {"namespace": "agents", "pod_labels": {"app": "triage", "tier": 1}},
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "agents"}},
            "podSelector": {"matchLabels": {"app": "triage", "tier": "1"}},
        },
    ),
    "pods of the server's own namespace": (
        {"pod_labels": {"app": "triage"}},
        {"podSelector": {"matchLabels": {"app": "triage"}}},
    ),
    "all pods of the own namespace": ({"pod_labels": {}}, {"podSelector": {}}),
    "namespaces by label": (
        {"namespace_labels": {"team": "sre"}},
        {"namespaceSelector": {"matchLabels": {"team": "sre"}}},
    ),
    "every namespace": ({"namespace_labels": {}}, {"namespaceSelector": {}}),
    "addresses": ({"cidr": "10.1.0.0/16"}, {"ipBlock": {"cidr": "10.1.0.0/16"}}),
    "addresses but for some": (
        {"cidr": "fd00::/8", "except": ["fd00:1::/32"]},
        {"ipBlock": {"cidr": "fd00::/8", "except": ["fd00:1::/32"]}},
    ),
}


@pytest.mark.parametrize(("caller", "peer"), PEERS.values(), ids=PEERS)
def test_a_caller_becomes_a_peer(caller: dict[str, Any], peer: dict[str, Any]) -> None:
    made = policy(caller)
    assert made is not None
    assert made["spec"]["ingress"] == [
        {"from": [peer], "ports": [{"port": 8080, "protocol": "TCP"}]},
        API_SERVER,
    ]


def test_the_policy_is_about_what_the_service_leads_to_and_says_whose_it_is() -> None:
    made = policy()
    assert made is not None
    assert made["metadata"] == {
        "name": "echo-callers",
        "namespace": "mcp",
        "labels": {"mcpops.io/callers-of": "echo"},
    }
    assert made["spec"]["policyTypes"] == ["Ingress"]
    assert made["spec"]["podSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "echo",
        "app.kubernetes.io/instance": "echo",
    }
    assert server_policies.is_our_policy(made, "echo")
    assert not server_policies.is_our_policy(made, "other")
    assert not server_policies.is_our_policy({"metadata": {}}, "echo")


def test_no_callers_at_all_and_nobody() -> None:
    [open_to_all] = declared_from(SOUND)
    assert server_policies.network_policy(open_to_all) is None
    nobody = policy(allow_api_server=False)
    assert nobody is not None
    assert "ingress" not in nobody["spec"]
    assert nobody["spec"]["policyTypes"] == ["Ingress"]


def test_another_port_than_the_servers_own() -> None:
    made = policy({"namespace": "monitoring", "ports": [15020, 9090]}, allow_api_server=False)
    assert made is not None
    assert [port["port"] for port in made["spec"]["ingress"][0]["ports"]] == [15020, 9090]


def test_servers_take_the_callers_of_the_task_unless_they_name_their_own() -> None:
    callers = [{"namespace": "agents"}]
    first, second = declared_from({"servers": [SOUND, {**SOUND, "callers": []}], "callers": callers})
    made, own = server_policies.network_policy(first), server_policies.network_policy(second)
    assert made is not None
    assert own is not None
    assert (len(made["spec"]["ingress"]), own["spec"]["ingress"]) == (2, made["spec"]["ingress"][1:])


# caller → (path, words)
UNSOUND: dict[str, tuple[dict[str, Any], str, str]] = {
    "nobody": ({}, "", "selects no peer"),
    "ports alone": ({"ports": [1]}, "", "selects no peer"),
    "addresses and pods": ({"cidr": "10.0.0.0/8", "pod_labels": {}}, ".cidr", "excludes pod_labels"),
    "address without a length": ({"cidr": "10.0.0.1"}, ".cidr", "a single one ends with /32"),
    "address that is none": ({"cidr": "10.0.0.300/32"}, ".cidr", "is not a range of addresses"),
    "length that is none": ({"cidr": "10.0.0.0/33"}, ".cidr", "is not a range of addresses"),
    "exception of nothing": ({"pod_labels": {}, "except": ["10.0.0.0/8"]}, ".except", "cidr, which is missing"),
    "exception outside": (
        {"cidr": "10.1.0.0/16", "except": ["10.2.0.0/24"]},
        ".except[0]",
        "10.2.0.0/24 is not inside of 10.1.0.0/16",
    ),
    "exception of everything": ({"cidr": "10.1.0.0/16", "except": ["10.1.0.0/16"]}, ".except[0]", "is not inside of"),
    "exception of another family": ({"cidr": "10.1.0.0/16", "except": ["fd00::/8"]}, ".except[0]", "is not inside of"),
    "exception that is none": ({"cidr": "10.1.0.0/16", "except": ["x"]}, ".except[0]", "is not a range"),
    "namespace that is none": ({"namespace": "My Agents"}, ".namespace", "not a valid namespace name"),
    "label that is none": ({"pod_labels": {"app": "a b"}}, ".pod_labels.app", "is not a valid label value"),
    "label that is a list": ({"pod_labels": {"app": ["a"]}}, ".pod_labels.app", "is not text"),
    "label's name": ({"namespace_labels": {"a/b/c": "x"}}, ".namespace_labels.a/b/c", "before the slash"),
    "port that is none": ({"namespace": "a", "ports": [80, 65536]}, ".ports[1]", "65536 is not a port"),
}


@pytest.mark.parametrize(("caller", "path", "words"), UNSOUND.values(), ids=UNSOUND)
def test_what_is_no_caller_is_refused(caller: dict[str, Any], path: str, words: str) -> None:
    declared = declared_from({"servers": [{**SOUND, "callers": [{"namespace": "agents"}, caller]}]})
    [problem] = server_validate.server_problems(declared)
    assert problem.path == f"servers[0].callers[1]{path}"
    assert words in problem.message
