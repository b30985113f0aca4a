# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for many servers: one that waiting cannot heal ends the wait for itself, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from support.clock import FakeClock

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import observe
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.readiness import NOT_RECONCILED, ObservedServer
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

Key = tuple[str, str]
GOOD, BAD = ("mcp", "good"), ("mcp", "bad")
STARTING = Reason("Deployment mcp/good", "Progressing", "0 of 1 replicas are ready")
REFUSED = Reason("MCPServer mcp/bad", "InvalidConfig", "KMCP does not accept it", terminal=True)
IDLE = Reason("MCPServer mcp/good", NOT_RECONCILED, "the KMCP controller has not reconciled the latest change yet")
POISON = Reason("MCPServer other/theirs", "UnreadableServer", "the KMCP controller cannot read it", terminal=True)


@dataclass
class Cluster:
    """Servers that stand as a function of the seconds says; time passes only while somebody sleeps."""

    why_not: Any
    clock: FakeClock = field(default_factory=FakeClock)
    culprits: list[Reason] = field(default_factory=list)
    looked_at: list[float] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)

    def observe_servers(self, _kube: Any, _task: Any, servers: Iterable[Any]) -> dict[Key, ObservedServer]:
        return {server.key: ObservedServer() for server in servers}

    def unready_reasons(
        self, _kube: Any, _labels: Any, observed_servers: Mapping[Key, ObservedServer]
    ) -> dict[Key, list[Reason]]:
        found = {key: self.why_not(key, self.clock.elapsed) for key in observed_servers}
        return {key: [reason] for key, reason in found.items() if reason is not None}

    def unreadable_reasons(self, _kube: Any, namespaces: set[str]) -> list[Reason]:
        assert namespaces == {"mcp"}
        self.looked_at.append(round(self.clock.elapsed, 1))
        return self.culprits

    def progress(self, message: str) -> None:
        self.reported.append(message)


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(cluster: Cluster, names: Iterable[str] = ("good", "bad"), timeout: float = 60.0) -> observe.Waited:
        for name in ("observe_servers", "unready_reasons", "unreadable_reasons"):
            monkeypatch.setattr(observe, name, getattr(cluster, name))
        monkeypatch.setattr(observe, "controller_trouble", lambda _kube: "")
        cluster.clock.install(monkeypatch)
        servers = declared_from({"servers": [{"namespace": "mcp", "name": name, "image": "a:1"} for name in names]})
        return observe.wait_until_running(cast(Kube, None), cast(Task, cluster), servers, None, timeout)

    return run


def test_what_cannot_heal_does_not_end_the_wait_for_the_others(wait: Any) -> None:
    def why_not(key: Key, seconds: float) -> Reason | None:
        if key == BAD:
            return REFUSED
        return STARTING if seconds < 20 else None

    waited = wait(Cluster(why_not))
    assert dict(waited.reasons) == {BAD: [REFUSED]}
    assert 20 <= waited.seconds < 25
    assert set(waited.existing) == {GOOD, BAD}


def test_when_nobody_is_left_to_wait_for_the_end_comes_early(wait: Any) -> None:
    waited = wait(Cluster(lambda _key, _seconds: REFUSED))
    assert set(waited.reasons) == {GOOD, BAD}
    assert waited.seconds < 8


def test_what_healed_in_the_meantime_has_not_failed(wait: Any) -> None:
    def why_not(key: Key, seconds: float) -> Reason | None:
        if key == BAD:
            return REFUSED if seconds < 10 else None
        return STARTING if seconds < 15 else None

    assert dict(wait(Cluster(why_not)).reasons) == {}


def test_the_time_is_over_for_all(wait: Any) -> None:
    waited = wait(Cluster(lambda _key, _seconds: STARTING), timeout=12.0)
    assert set(waited.reasons) == {GOOD, BAD}
    assert 12 <= waited.seconds < 14


def test_a_controller_that_does_nothing_is_asked_why_and_the_one_bad_server_ends_the_wait(wait: Any) -> None:
    cluster = Cluster(lambda _key, _seconds: IDLE, culprits=[POISON])
    waited = wait(cluster, ["good"])
    assert waited.reasons[GOOD] == [IDLE, POISON]
    assert waited.seconds < observe.SETTLED_SECONDS + observe.TERMINAL_SECONDS + 4
    failure = observe.not_ready(cast(Kube, None), declared_from({"namespace": "mcp", "name": "good"}), waited)
    assert "will not become ready by waiting" in failure.message()
    assert "MCPServer other/theirs: the KMCP controller cannot read it" in failure.message()


def test_all_servers_of_the_cluster_are_not_listed_at_every_look(wait: Any) -> None:
    cluster = Cluster(lambda _key, _seconds: IDLE)
    wait(cluster, ["good"], timeout=40.0)
    assert 3 <= len(cluster.looked_at) <= 4
    assert cluster.looked_at[0] >= observe.SETTLED_SECONDS


def test_one_bad_server_is_named_once_for_all_that_wait_for_it(wait: Any) -> None:
    waited = wait(Cluster(lambda _key, _seconds: IDLE, culprits=[POISON]))
    servers = declared_from({"servers": [{"namespace": "mcp", "name": name} for name in ("good", "bad")]})
    failure = observe.not_ready(cast(Kube, None), servers, waited)
    assert failure.message().count("other/theirs") == 1
    assert [reason.code for reason in failure.reasons].count("UnreadableServer") == 1
