# SPDX-License-Identifier: GPL-3.0-or-later
"""Every replica of a server: which there are, whether all answer alike, and whether they share sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from support import mcp_played as played
from support.mcp_played import Asked, Played, as_json, result, text

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import cluster_access
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import observe as replicas
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.cluster_access import Replica
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.observe import ProbeSettings, Reach, observe
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

TARGET = {"name": "echo", "namespace": "mcp"}


def dual(session: str) -> played.Answer:
    return lambda asked: played.speaks_modern(asked) if asked.modern else played.speaks_legacy(asked, session=session)


def keeping(session: str) -> played.Answer:
    """A server of the legacy era whose replica knows its own sessions only."""

    def server(asked: Asked) -> Reply:
        return text(404, "Not Found") if asked.modern else played.speaks_legacy(asked, session=session)

    return server


def with_tools(*tools: Mapping[str, Any]) -> played.Answer:
    def server(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            return as_json(result(asked, tools=list(tools)))
        return played.speaks_modern(asked) if asked.modern else text(404, "Not Found")

    return server


def asked_of(pods: Mapping[str, played.Answer], apart: bool = False, **options: Any) -> dict[str, Any]:
    """The row of a server with these pods; its Service leads to the first."""
    (target,) = targets_from({**TARGET, **options})
    reach = Reach(
        server=lambda _timeout: Played(next(iter(pods.values()))),
        pods=lambda: [Replica(pod, 3000) for pod in pods],
        pod=lambda replica, _timeout: Played(pods[replica.pod]),
        keeps_clients_apart=lambda: apart,
    )
    row: dict[str, Any] = {}
    observe(target, reach, ProbeSettings(5.0), "", row)
    return row


def test_all_answer_alike() -> None:
    tool = {"name": "a", "inputSchema": {"type": "object", "title": "A"}}
    turned = {"inputSchema": {"title": "A", "type": "object"}, "name": "a"}
    other = {"name": "b"}
    row = asked_of({"p1": with_tools(tool, other), "p2": with_tools(other, turned), "p3": with_tools(tool, other)})
    assert (row["replicas"]["ready"], row["replicas"]["answered"]) == (3, 3)
    assert [pod["pod"] for pod in row["replicas"]["pods"]] == ["p1", "p2", "p3"]
    assert "remarks" not in row


def test_one_replica_needs_no_further_question() -> None:
    row = asked_of({"only": keeping("s")})
    assert row["replicas"] == {"ready": 1, "answered": 1}


def test_a_silent_replica_is_found_behind_one_that_answers() -> None:
    with pytest.raises(Unanswered) as caught:
        asked_of({"p1": dual(""), "p2": played.silent, "p3": dual("")})
    assert caught.value.code == "ReplicaUnanswered" and not caught.value.terminal
    assert "1 of its 3 replicas" in caught.value.reason and "p2: it accepted" in caught.value.reason


def test_replicas_with_other_tools_are_found() -> None:
    old, new = {"name": "a", "description": "old"}, {"name": "a", "description": "new"}
    with pytest.raises(Unanswered) as caught:
        asked_of({"p1": with_tools(old, {"name": "gone"}), "p2": with_tools(new, {"name": "more"})})
    assert caught.value.code == "ReplicasDiffer" and not caught.value.terminal
    assert "p2: gone is missing, more is only there, a differs" in caught.value.reason


def test_sessions_that_replicas_do_not_share_are_proven_by_a_call() -> None:
    with pytest.raises(Unanswered) as caught:
        asked_of({"p1": keeping("one"), "p2": keeping("two")})
    assert caught.value.code == "SessionLost" and not caught.value.terminal
    assert "its 2 replicas do not share them: p2 does not know the session that p1 began" in caught.value.reason
    assert "one replica" in caught.value.hint and "stateless" in caught.value.hint


# what stands behind the Service → (what of its sessions, words of a remark)
SESSIONS: dict[str, tuple[dict[str, played.Answer], bool, str, str]] = {
    "none": ({"p1": keeping(""), "p2": keeping("")}, False, "none", ""),
    "shared": ({"p1": keeping("same"), "p2": keeping("same")}, False, "shared", ""),
    "clients kept apart": ({"p1": keeping("a"), "p2": keeping("b")}, True, "not shared", "same pod"),
    "modern beside it": ({"p1": dual("a"), "p2": dual("b")}, False, "not shared", "modern era need no session"),
}


@pytest.mark.parametrize(("pods", "apart", "sessions", "words"), SESSIONS.values(), ids=SESSIONS)
def test_sessions_that_do_no_harm(pods: dict[str, played.Answer], apart: bool, sessions: str, words: str) -> None:
    row = asked_of(pods, apart)
    assert row["replicas"]["sessions"] == sessions
    assert words in " ".join(row.get("remarks", []))
    assert bool(row.get("remarks")) == bool(words)


def test_who_counts_on_the_legacy_era_is_not_content_with_the_modern_one() -> None:
    with pytest.raises(Unanswered) as caught:
        asked_of({"p1": dual("a"), "p2": dual("b")}, era="legacy")
    assert caught.value.code == "SessionLost"


def test_who_counts_on_the_modern_era_has_no_sessions() -> None:
    assert "sessions" not in asked_of({"p1": dual("a"), "p2": dual("b")}, era="modern")["replicas"]


def test_who_may_not_ask_pods_is_told_and_does_not_fail() -> None:
    def forbidden(_asked: Asked) -> Reply:
        stated = 'pods "p1" is forbidden: User "u" cannot create resource "pods/proxy" in API group ""'
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": stated, "code": 403}
        return replace(as_json(status, 403), through_api_server=True)

    (target,) = targets_from(TARGET)
    reach = Reach(
        server=lambda _timeout: Played(dual("")),
        pods=lambda: [Replica("p1", 1), Replica("p2", 1)],
        pod=lambda _replica, _timeout: Played(forbidden),
    )
    row: dict[str, Any] = {}
    observe(target, reach, ProbeSettings(5.0), "", row)
    assert "replicas" not in row and "2 replicas were not asked one by one" in row["remarks"][0]


def test_who_may_not_read_endpoints_is_told_and_does_not_fail() -> None:
    def refused() -> list[Replica]:
        raise ServiceError("read the endpoints", "forbidden", status=403)

    (target,) = targets_from(TARGET)
    row: dict[str, Any] = {}
    reach = Reach(
        server=lambda _timeout: Played(dual("")), pods=refused, pod=lambda _replica, _timeout: Played(dual(""))
    )
    observe(target, reach, ProbeSettings(5.0), "", row)
    assert "were not counted" in row["remarks"][0]


def test_nobody_asks_replicas_where_it_is_not_wanted() -> None:
    row = asked_of({"p1": keeping("one"), "p2": keeping("two")}, each_replica=False)
    assert "replicas" not in row


def endpoint(pod: str, ready: Any = True, kind: str = "Pod") -> dict[str, Any]:
    conditions = {} if ready is None else {"ready": ready}
    return {"addresses": ["10.0.0.1"], "targetRef": {"kind": kind, "name": pod}, "conditions": conditions}


def endpoint_slice(*endpoints: dict[str, Any], ports: Any = ({"name": "http", "port": 3000},)) -> dict[str, Any]:
    return {"endpoints": list(endpoints), "ports": None if ports is None else list(ports)}


TWO_PORTS = ({"name": "metrics", "port": 9090}, {"name": "http", "port": 8080})
# slices, name of the port → the pods that take requests
READY: dict[str, tuple[list[dict[str, Any]], str | None, list[Replica]]] = {
    "none": ([], None, []),
    "ready, unready, unsaid": (
        [endpoint_slice(endpoint("b"), endpoint("a", None), endpoint("c", False))],
        None,
        [Replica("a", 3000), Replica("b", 3000)],
    ),
    "two address families": (
        [endpoint_slice(endpoint("a")), endpoint_slice(endpoint("a"))],
        None,
        [Replica("a", 3000)],
    ),
    "by the name of the port": ([endpoint_slice(endpoint("a"), ports=TWO_PORTS)], "http", [Replica("a", 8080)]),
    "without that port": ([endpoint_slice(endpoint("a"), ports=TWO_PORTS)], "admin", []),
    "without ports": ([endpoint_slice(endpoint("a"), ports=None)], None, []),
    "not a pod": ([endpoint_slice(endpoint("a", kind="Node"), {"addresses": ["1.2.3.4"]})], None, []),
    "names that lead elsewhere": (
        [
            endpoint_slice(
                *(endpoint(name) for name in ("../secrets/a", "a/b", "a?b=", "a#b", "A", "", "a" * 254, "ok.1"))
            )
        ],
        None,
        [Replica("ok.1", 3000)],
    ),
    "nothing at all": ([{"endpoints": None, "ports": [{"port": 1}]}], None, []),
}


@pytest.mark.parametrize(("slices", "name", "pods"), READY.values(), ids=READY)
def test_ready_pods_are_read_from_endpoint_slices(
    slices: list[dict[str, Any]], name: str | None, pods: list[Replica]
) -> None:
    assert cluster_access.replicas_from_slices(slices, name) == pods


def test_a_port_of_a_service_has_a_name_among_its_endpoints() -> None:
    service = {"spec": {"ports": [{"name": "metrics", "port": 9}, {"name": "http", "port": 80}, {"port": 7}]}}
    assert [cluster_access.port_name(service, port) for port in (80, 7, 1)] == ["http", "", ""]
    assert Replica("p", 8080).path("mcp", "/api") == "/api/v1/namespaces/mcp/pods/p:8080/proxy/api"
    assert replicas.replica_differences([], []) == []
