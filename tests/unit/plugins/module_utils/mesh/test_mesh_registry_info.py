# SPDX-License-Identifier: GPL-3.0-or-later
"""mesh_registry_info against a played API server: what it asks, how long, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from support.clock import FakeClock
from support.local_azure import FakeTask
from unit.plugins.module_utils.mesh.recorded import answer

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    Failure,
    InvalidInput,
    NotReady,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import mesh_registry_info as operation
from ansible_collections.mcpops.platform.plugins.modules import mesh_registry_info as module

PATH = "/api/v1/namespaces/mesh/services/http:mcp-mesh-registry:8000/proxy/agents"
DSN = "postgres://mcpmesh:s3cr3t-passw0rd@postgres:5432/mcpmesh"
Reply = tuple[int, Any]


def status(code: int, message: str, reason: str = "") -> Reply:
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}


class Cluster:
    """Gives these answers one after the other, and the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str]] = []
        self.access = SimpleNamespace(origin="kubeconfig")

    def request(self, method: str, path: str, **options: Any) -> Response:
        assert options["check"] is False and options["retry"] is False
        self.asked.append((method, path))
        code, body = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return Response(code, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock().install(monkeypatch)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Run:
    def asked(cluster: Cluster, check: bool = False, **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(Kube, "connect", lambda _task: cluster)
        defaults = {name: spec.get("default") for name, spec in module.ARGUMENT_SPEC.items()}
        task = FakeTask({**defaults, "namespace": "mesh", **options}, check_mode=check)
        result = operation.info(task).to_dict(diff_mode=False)  # type: ignore[arg-type]
        return {**result, "reported": task.reported}

    return asked


def failure(run: Run, cluster: Cluster, **options: Any) -> NotReady:
    with pytest.raises(NotReady) as caught:
        run(cluster, **options)
    return caught.value


def test_it_asks_for_the_agents_and_nothing_else(run: Run) -> None:
    cluster = Cluster((200, answer("registered")))
    result = run(cluster)
    assert cluster.asked == [("GET", PATH)]
    assert result["changed"] is False
    assert [row["name"] for row in result["agents"]] == ["dates", "greeter", "greeter"]
    assert result["msg"] == "3 healthy agents"


def test_an_empty_registry_is_an_answer(run: Run) -> None:
    assert run(Cluster((200, answer("empty"))))["agents"] == []


def test_it_waits_until_all_is_as_expected(run: Run, clock: FakeClock) -> None:
    cluster = Cluster(
        status(503, 'no endpoints available for service "mcp-mesh-registry"', "ServiceUnavailable"),
        (500, {"error": "dial tcp: connection refused"}),
        (200, answer("empty")),
        (200, answer("registered")),
    )
    result = run(cluster, agents=[{"name": "greeter", "replicas": 2, "host": "greeter.mesh"}])
    assert len(cluster.asked) == 4
    assert len(result["agents"]) == 3
    assert any("no agent of this name is registered" in text for text in result["reported"])


SILENCES: dict[str, tuple[Reply, str, str]] = {
    "no Service": (status(404, 'services "mcp-mesh-registry" not found', "NotFound"), "NoMeshRegistry", "not found"),
    "no pods": (status(503, 'no endpoints available for service "x"'), "RegistryNotReady", "no endpoints"),
    "refused": (
        (502, b"error trying to reach service: dial tcp 10.1.0.7:8000: connect: connection refused"),
        "RegistryNotReady",
        "connection refused",
    ),
    "timeout of the API server": (
        status(504, "error trying to reach service: i/o timeout"),
        "RegistryNotReady",
        "i/o timeout",
    ),
    "no database": (
        (500, {"error": "failed to list agents: connection refused"}),
        "RegistryDatabaseDown",
        "connection refused",
    ),
    "another server": ((200, b"<html>nginx</html>"), "NotARegistry", "nginx"),
    "another API": ((200, {"items": []}), "NotARegistry", "items"),
    "not found by the server": ((404, b"404 page not found"), "NotARegistry", "404 page not found"),
    "nothing": ((200, b""), "NotARegistry", "an empty answer"),
}


@pytest.mark.parametrize("case", SILENCES)
def test_a_registry_that_does_not_answer_has_a_reason(run: Run, clock: FakeClock, case: str) -> None:
    reply, code, words = SILENCES[case]
    failed = failure(run, Cluster(reply), wait_timeout=30)
    assert [reason.code for reason in failed.reasons] == [code]
    assert words in failed.message()
    assert "after 30 s" in failed.message()
    assert failed.values["agents"] == []


def test_an_error_that_repeats_the_databases_address_shows_no_password(run: Run) -> None:
    failed = failure(run, Cluster((500, {"error": f"cannot connect to {DSN}"})), wait_timeout=0)
    assert "s3cr3t" not in json.dumps(failed.to_result())
    assert "postgres:5432" in failed.message()


@pytest.mark.parametrize("code", [401, 403])
def test_what_the_api_server_itself_refuses_is_not_waited_for(run: Run, code: int) -> None:
    cluster = Cluster(status(code, 'cannot get resource "services/proxy"', "Forbidden"))
    with pytest.raises(ServiceError):
        run(cluster)
    assert len(cluster.asked) == 1


def test_check_mode_asks_once_and_fails_for_nothing(run: Run) -> None:
    cluster = Cluster(status(404, "not found"))
    result = run(cluster, check=True, agents=[{"name": "dates"}])
    assert len(cluster.asked) == 1
    assert result["agents"] == []
    assert "A run that repairs it may come first." in result["notes"][0]


def test_the_failure_keeps_what_the_registry_said(run: Run) -> None:
    failed = failure(run, Cluster((200, answer("some-gone"))), agents=[{"name": "greeter"}], wait_timeout=5)
    assert failed.reasons[0].code == "AgentUnhealthy"
    assert [row["name"] for row in failed.values["agents"]] == ["dates", "greeter", "greeter"]


def test_an_optional_dependency_is_a_note_of_the_result(run: Run) -> None:
    wanted = [
        {
            "name": "greeter",
            "dependencies": [
                {"capability": "date_service", "version": "^1.0"},
                {"capability": "weather_service", "optional": True},
            ],
        }
    ]
    result = run(Cluster((200, answer("registered"))), agents=wanted)
    assert ["weather_service" in note for note in result["notes"]] == [True]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "namespace": ({"namespace": "My_Mesh"}, "namespace", "is not a valid namespace name"),
    "service": ({"service": "9registry"}, "service", "is not a valid Service name"),
    "port": ({"port": 0}, "port", "is not a port"),
    "a large port": ({"port": 65536}, "port", "is not a port"),
    "fresh_within": ({"fresh_within": 0}, "fresh_within", "more than 0 seconds"),
    "wait_timeout": ({"wait_timeout": -1}, "wait_timeout", "0 or more"),
    "kubeconfig": ({"kubeconfig": ""}, "kubeconfig", "is empty"),
    "agent name": ({"agents": [{"name": "Greeter"}]}, "agents[0].name", "is not a valid agent name"),
    "agent twice": ({"agents": [{"name": "a"}, {"name": "a"}]}, "agents[1].name", "is listed twice"),
    "replicas": ({"agents": [{"name": "a", "replicas": -1}]}, "agents[0].replicas", "is not a number of pods"),
    "host without namespace": ({"agents": [{"name": "a", "host": "a"}]}, "agents[0].host", "NAME.NAMESPACE"),
    "host with a port": ({"agents": [{"name": "a", "host": "a.mesh:8080"}]}, "agents[0].host", "NAME.NAMESPACE"),
    "host of nobody": (
        {"agents": [{"name": "a", "replicas": 0, "host": "a.b"}]},
        "agents[0].host",
        "cannot be expected",
    ),
    "capability without a name": (
        {"agents": [{"name": "a", "capabilities": [{"name": " "}]}]},
        "agents[0].capabilities[0].name",
        "is not the name of a capability",
    ),
    "capability of the runtime": (
        {"capabilities": [{"name": "__mesh_x"}]},
        "capabilities[0].name",
        "belongs to the runtime",
    ),
    "capability version": (
        {"capabilities": [{"name": "a", "version": "latest"}]},
        "capabilities[0].version",
        "is not a valid range",
    ),
    "capability twice": ({"capabilities": [{"name": "a"}, {"name": "a"}]}, "capabilities[1].name", "is listed twice"),
    "dependency": (
        {"agents": [{"name": "a", "dependencies": [{"capability": ""}]}]},
        "agents[0].dependencies[0].capability",
        "is not the name of a capability",
    ),
    "dependency version": (
        {"agents": [{"name": "a", "dependencies": [{"capability": "b", "version": ">="}]}]},
        "agents[0].dependencies[0].version",
        "is not a valid range",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_asked(run: Run, case: str) -> None:
    options, path, words = REFUSED[case]
    with pytest.raises(Failure) as caught:
        run(Cluster(), **options)
    assert isinstance(caught.value, InvalidInput)
    [problem] = caught.value.problems
    assert problem.path == path
    assert words in problem.message
