# SPDX-License-Identifier: GPL-3.0-or-later
"""APIs that another server answers for, while that is down; the answers are those of kube-apiserver 1.35."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.clock import FakeClock

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.helm_release import restore_release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube import client, discovery
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.bundle import apply_bundle
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.delete import DeleteOptions, delete_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import cluster, wait

from .conftest import Answer, FakeTask, Server, status_object

API, NAME = "custom.metrics.example.net/v1beta2", "v1beta2.custom.metrics.example.net"
ROOT = f"/apis/{API}"
APISERVICE = f"{discovery.API_SERVICES}/{NAME}"
DOWN = Answer(503, b"service unavailable\n")
UNREACHED = Answer(503, b"error trying to reach service: dial tcp 10.0.0.7:443: connect: connection refused")


def api_service(status: str = "False", service: bool = True) -> Answer:
    spec: dict[str, Any] = {"service": {"namespace": "monitoring", "name": "adapter"}} if service else {}
    available = {
        "type": "Available",
        "status": status,
        "reason": "MissingEndpoints" if status == "False" else "Passed",
        "message": 'endpointslices for service/adapter in "monitoring" have no addresses with port name ""',
    }
    return Answer(body={"metadata": {"name": NAME}, "spec": spec, "status": {"conditions": [available]}})


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "AGGREGATED_SECONDS", 0.05)


DISCOVERED = {
    "never seen": [],
    "seen before": [
        {"resource": "scores", "responseKind": {"kind": "Score"}, "scope": "Namespaced", "verbs": ["list", "delete"]}
    ],
}


@pytest.fixture(params=DISCOVERED)
def kube(server: Server, connect: Callable[..., Kube], task: FakeTask, request: pytest.FixtureRequest) -> Kube:
    """A cluster that serves ConfigMaps, and has an API that is down: its kinds are known from before, or not at all."""
    config_maps = {"resource": "configmaps", "responseKind": {"kind": "ConfigMap"}, "scope": "Namespaced", "verbs": []}
    core = [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [config_maps]}]}]
    group, version = API.split("/")
    stale = {"version": version, "freshness": "Stale", "resources": DISCOVERED[request.param]}
    server.on("/api", Answer(body={"kind": "APIGroupDiscoveryList", "items": core}))
    server.on(
        "/apis",
        Answer(body={"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": group}, "versions": [stale]}]}),
    )
    server.on(ROOT, DOWN)
    for number in range(6):
        server.on(f"{ROOT}/namespaces/a/scores/s{number}", DOWN)
    server.on(f"{ROOT}/namespaces/a/scores?limit=1000", DOWN)
    server.on(APISERVICE, api_service())
    return connect(task)


def score(name: str) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "Score", "metadata": {"name": name, "namespace": "a"}, "spec": {"of": 1}}


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}, "data": {"a": "1"}}


# by name, and by a list
@pytest.mark.parametrize("scores", [1, 5])
def test_the_rest_of_a_bundle_is_applied(server: Server, kube: Kube, task: FakeTask, scores: int) -> None:
    applied = "/api/v1/namespaces/a/configmaps/fine?fieldManager=mcpops&fieldValidation=Strict"
    server.on(applied, Answer(201, config_map("fine")))
    objects = [*(score(f"s{number}") for number in range(scores)), config_map("fine")]
    outcome = apply_bundle(kube, task, objects, BundleOptions())
    assert [(one.ref.name, one.failure is None) for one in outcome.outcomes] == [
        *((f"s{number}", False) for number in range(scores)),
        ("fine", True),
    ]
    failure = outcome.failures[0].failure
    assert failure is not None
    reported = failure.message()
    assert reported.startswith(
        "apply Score a/s0: the API custom.metrics.example.net/v1beta2 does not answer; APIService"
    )
    assert "MissingEndpoints" in reported
    assert f"kubectl delete apiservice {NAME}" in reported
    assert not [request for request in server.requests if request.method == "PATCH" and API in request.target]


@pytest.mark.parametrize("scores", [1, 5])
def test_the_rest_of_a_release_is_compared_and_restored(
    server: Server, kube: Kube, task: FakeTask, scores: int
) -> None:
    objects = [*(score(f"s{number}") for number in range(scores)), config_map("fine")]
    text = "\n---\n".join(json.dumps(item) for item in objects)
    release = Release("game", "a", 1, "deployed", "", "game", "1", "1", {}, text, None, "sh.helm.release.v1.game.v1")
    query = "fieldManager=helm&fieldValidation=Strict&force=true"
    for dry in ("", "&dryRun=All"):
        server.on(f"/api/v1/namespaces/a/configmaps/fine?{query}{dry}", Answer(201, config_map("fine")))
    spec = ReleaseSpec("game", "a", Chart("oci://registry/game", "game", "1"))
    compared = drift.inspect_objects(kube, task, release)
    for found in (compared, restore_release(task, kube, release, spec, compared)):
        changed = [one.ref.name for one in found.as_bundle.outcomes if one.plan.changed]
        assert changed == ["fine"]
        assert [one.ref.name for one in found.as_bundle.failures] == [f"s{number}" for number in range(scores)]
        reported = str(found.as_bundle.failures[0].failure)
        assert reported.startswith(
            "compare Score a/s0: the API custom.metrics.example.net/v1beta2 does not answer; APIS"
        )
    assert not [request for request in server.requests if request.method == "PATCH" and API in request.target]
    assert task.written == ["apply ConfigMap a/fine"]


def test_the_rest_is_deleted(server: Server, kube: Kube, task: FakeTask) -> None:
    live = {**config_map("fine"), "metadata": {**config_map("fine")["metadata"], "uid": "u"}}
    server.on("/api/v1/namespaces/a/configmaps/fine", Answer(body=live))
    outcome = delete_objects(kube, task, [score("s0"), config_map("fine")], DeleteOptions(wait=False))
    assert [(one.failure is None, one.plan.changed) for one in outcome.outcomes] == [(False, False), (True, True)]


# what the API and the lookup of its APIService answer → what is told, and how often the API is asked at most
ANSWERS: dict[str, tuple[Answer, Answer, str]] = {
    "not available": (DOWN, api_service(), f"APIService {NAME} is not available: endpointslices for"),
    "available, and cut off": (
        UNREACHED,
        api_service("True"),
        f"APIService {NAME} is Available, and Service monitoring/adapter behind it says: error trying to reach",
    ),
    "available, and overloaded": (
        Answer(503, status_object(503, "ServiceUnavailable", "storage is down")),
        api_service("True"),
        "behind it says: storage is down",
    ),
    "nobody may look": (
        DOWN,
        Answer(403, status_object(403, "Forbidden", "no")),
        f"what is behind APIService {NAME} says: service unavailable",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_is_down_is_told_by_its_name(
    server: Server, connect: Callable[..., Kube], task: FakeTask, case: str
) -> None:
    answer, looked_up, words = ANSWERS[case]
    server.on(f"{ROOT}/scores", answer)
    server.on(APISERVICE, looked_up)
    kube = connect(task)
    with pytest.raises(ServiceError) as failure:
        kube.get(f"{ROOT}/scores")
    assert (failure.value.code, discovery.is_aggregated_api_down(failure.value)) == ("ApiServiceDown", True)
    assert words in failure.value.message()
    asked = len([request for request in server.requests if request.target.endswith("/scores")])
    # patience is for the first one
    with pytest.raises(ServiceError):
        kube.get(f"{ROOT}/scores")
    assert len([request for request in server.requests if request.target.endswith("/scores")]) == asked + 1


OF_ITS_OWN: dict[str, tuple[str, Answer, Answer]] = {
    "a kind of a definition": (f"{ROOT}/scores", Answer(503, b"<html>"), api_service("True", service=False)),
    "a group of Kubernetes": ("/apis/apps/v1/deployments", Answer(503, b"starting"), Answer(404, {})),
    "no API server either": (f"{ROOT}/scores", DOWN, Answer(503, b"<html>")),
    "a proxy that refuses": (f"{ROOT}/scores", Answer(502, b"<html>"), Answer(403, b"<html>")),
}


@pytest.mark.parametrize("case", OF_ITS_OWN)
def test_an_api_server_between_two_lives_is_waited_for(
    server: Server, connect: Callable[..., Kube], task: FakeTask, case: str
) -> None:
    path, answer, looked_up = OF_ITS_OWN[case]
    server.on(path, *[answer] * 5, Answer(body={"kind": "Back"}))
    server.on(APISERVICE, looked_up)
    assert connect(task).get(path) == {"kind": "Back"}


def test_a_server_that_is_rolled_out_is_waited_for(
    server: Server, connect: Callable[..., Kube], task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "AGGREGATED_SECONDS", 5.0)
    server.on(f"{ROOT}/scores", DOWN, DOWN, Answer(body={"kind": "Back"}))
    server.on(APISERVICE, api_service())
    assert connect(task).get(f"{ROOT}/scores") == {"kind": "Back"}


def test_a_wait_goes_on_while_an_api_is_away(
    server: Server, connect: Callable[..., Kube], task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeClock().install(monkeypatch)
    rows = [{"resource": "scores", "responseKind": {"kind": "Score"}, "scope": "Namespaced", "verbs": []}]
    group, version = API.split("/")
    groups = [{"metadata": {"name": group}, "versions": [{"version": version, "resources": rows}]}]
    server.on("/api", Answer(body={"kind": "APIGroupDiscoveryList", "items": []}))
    server.on("/apis", Answer(body={"kind": "APIGroupDiscoveryList", "items": groups}))
    server.on(APISERVICE, api_service())
    server.on(f"{ROOT}/namespaces/a/scores/s0", *[DOWN] * 4, Answer(body=score("s0")))
    assert wait.wait_ready(connect(task), task, [score("s0")], 20.0) == [score("s0")]


# as the namespace controller of Kubernetes 1.35 wrote it
STUCK = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "deletionTimestamp": "2026-11-29T22:04:50Z"},
    "status": {
        "phase": "Terminating",
        "conditions": [
            {
                "type": "NamespaceDeletionDiscoveryFailure",
                "status": "True",
                "reason": "DiscoveryFailed",
                "message": "Discovery failed for some groups, 2 failing: unable to retrieve the complete list of "
                "server APIs: quiet.example.com/v1: stale GroupVersion discovery: quiet.example.com/v1, "
                "wardle.example.com/v1alpha1: stale GroupVersion discovery: wardle.example.com/v1alpha1",
            },
            {"type": "NamespaceContentRemaining", "status": "False", "message": "All content successfully removed"},
        ],
    },
}


def test_a_namespace_that_waits_for_an_api_says_for_which() -> None:
    (reason,) = cluster.judge_namespace(STUCK)
    assert reason.code == "Deleting"
    assert "(APIService v1.quiet.example.com, v1alpha1.wardle.example.com)" in reason.hint
    assert "kubectl delete apiservice v1.quiet.example.com v1alpha1.wardle.example.com" in reason.hint
    healthy = {**STUCK, "status": {"phase": "Terminating", "conditions": STUCK["status"]["conditions"][1:]}}  # type: ignore[index]
    assert "apiservice" not in cluster.judge_namespace(healthy)[0].hint
