# SPDX-License-Identifier: GPL-3.0-or-later
"""Real agents on a real registry: made, left alone, changed, repaired, updated without a gap, removed."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from support import mesh
from support.kube_http import Api

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEY = "opaque-Zt81-92734650"


def declared(cloud: Any, namespace: str, runtime: str = "3.8.0", **options: Any) -> dict[str, Any]:
    image = mesh.image(cloud, f"mcpmesh/python-runtime:{runtime}")
    agents = [
        {
            "name": "dates",
            "image": image,
            "script": "dates.py",
            "capabilities": [{"name": "date_service", "version": "^1.0"}],
        },
        {
            "name": "greeter",
            "image": image,
            "script": "greeter.py",
            "env": {"GREETING": "Welcome"},
            "dependencies": [
                {"capability": "date_service", "version": ">=1.0.0"},
                {"capability": "weather_service", "optional": True},
            ],
        },
    ]
    return {"namespace": namespace, "code": str(mesh.EXAMPLES), "agents": agents, "wait_timeout": 180, **options}


def changes(result: dict[str, Any]) -> dict[str, list[str]]:
    return {one["after_header"]: [change["path"] for change in one["changes"]] for one in result["diff"]}


def test_agents_from_nothing_to_a_call_and_back(
    cloud: Any, cluster: Any, registry: str, direct: Any, run_task: Any
) -> None:
    task = declared(cloud, registry)
    planned = direct(task, check=True)
    assert planned["changed"]
    assert cluster.get("-n", registry, "serviceaccounts")["items"][0]["metadata"]["name"] == "default"

    made = direct(task)
    assert [row["registered"] for row in made["agents"]] == [True, True]
    assert any("weather_service" in note for note in made["notes"])
    probe = {
        "namespace": registry,
        "name": "greeter",
        "port": 8080,
        "tool": "greet",
        "arguments": {"name": "Ada"},
        "expect_regex": r"Welcome Ada, it is \d{4}-\d{2}-\d{2}",
        "wait_timeout": 30,
    }
    assert run_task("mcp_probe", probe)["servers"][0]["reachable"]

    for check in (False, True):
        again = direct(task, check=check)
        assert not again["changed"], changes(again)

    # by hand: another number of pods, another host, a Service that leads nowhere
    cluster.kubectl("-n", registry, "scale", "deployment/dates", "--replicas=0")
    patch = json.dumps({"spec": {"selector": {"app.kubernetes.io/name": "nobody"}}})
    cluster.kubectl("-n", registry, "patch", "service", "dates", "-p", patch)
    cluster.kubectl("-n", registry, "delete", "networkpolicy", "greeter")
    shown = direct(task, check=True)
    assert set(changes(shown)) == {
        f"Deployment {registry}/dates",
        f"Service {registry}/dates",
        f"NetworkPolicy {registry}/greeter",
    }
    assert direct(task)["changed"]
    assert not direct(task)["changed"]

    # what is no longer declared goes, and another value is another pod
    task["agents"][1].update(network_policy=False, env={"GREETING": "Salve"}, replicas=2)
    changed = direct(task)
    assert f"NetworkPolicy {registry}/greeter" in changes(changed)
    assert f"PodDisruptionBudget {registry}/greeter" in changes(changed)
    probe["expect_regex"] = "Salve Ada"
    run_task("mcp_probe", probe)
    del task["agents"][1]["replicas"]
    assert f"PodDisruptionBudget {registry}/greeter" in changes(direct(task))

    gone = direct({**task, "state": "absent"})
    assert gone["changed"]
    left = cluster.get("-n", registry, "deployments,services,serviceaccounts,configmaps,networkpolicies")["items"]
    assert {item["metadata"]["name"] for item in left} == {mesh.REGISTRY_SERVICE, "default", "kube-root-ca.crt"}
    assert not direct({**task, "state": "absent"})["changed"]


def test_an_upgrade_leaves_no_moment_without_a_capability(
    cloud: Any, cluster: Any, registry: str, direct: Any, tmp_path: Path
) -> None:
    api = Api(cluster.kubeconfig, tmp_path)
    task = declared(cloud, registry, "3.7.1")
    task["agents"] = task["agents"][:1]
    direct(task)
    path = f"/api/v1/namespaces/{registry}/services/http:{mesh.REGISTRY_SERVICE}:8000/proxy/agents"
    gaps: list[Any] = []
    looks: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            answer = api.read(path)
            offered = [
                one["version"]
                for row in answer["agents"] or []
                for one in row["capabilities"] or []
                if one["name"] == "date_service" and one["available"]
            ]
            looks.append(len(offered))
            if not offered:
                gaps.append(answer)
            over.wait(0.2)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        task["agents"][0]["image"] = mesh.image(cloud, "mcpmesh/python-runtime:3.8.0")
        task["agents"][0]["env"] = {"DATE_SERVICE_VERSION": "1.1.0"}
        task["agents"][0]["capabilities"] = [{"name": "date_service", "version": "~1.1"}]
        assert direct(task)["changed"]
    finally:
        over.set()
        watching.join()
    assert gaps == []
    # while both were there, both offered it
    assert max(looks) == 2
    assert len(looks) > 20


def test_what_keeps_an_agent_from_its_declaration(cloud: Any, cluster: Any, registry: str, direct: Any) -> None:
    task = declared(cloud, registry)
    task["agents"] = task["agents"][:1]
    # it runs: what is waited for afterwards is what does not come
    assert direct(task)["changed"]
    newer = [{**task["agents"][0], "capabilities": [{"name": "date_service", "version": ">=2.0.0"}]}]
    failed = direct({**task, "agents": newer, "wait_timeout": 10}, fails=True)
    assert [reason["code"] for reason in failed["error"]["reasons"]] == ["CapabilityVersion"]
    # somebody else's object of that name
    labels = {"metadata": {"name": "taken", "namespace": registry}}
    mesh.apply(cluster, [{"apiVersion": "v1", "kind": "ServiceAccount", **labels}])
    refused = direct({**task, "agents": [{**task["agents"][0], "name": "taken"}]}, fails=True)
    assert refused["error"]["kind"] == "refused"
    assert "was not created by mesh_agent" in refused["msg"]


def test_a_volume_stays_and_a_secret_is_followed(cloud: Any, cluster: Any, registry: str, direct: Any) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": registry}}
    mesh.apply(cluster, [{**secret, "stringData": {"api-key": KEY}}])
    task = declared(cloud, registry)
    agent = {
        **task["agents"][0],
        "persistence": {"size": "64Mi"},
        "secret_env": {"API_KEY": {"name": "keys", "key": "api-key"}},
    }
    task["agents"] = [agent]
    made = direct(task)
    assert KEY not in json.dumps(made)
    assert any("away meanwhile" in text for text in made["warnings"])
    assert not direct(task)["changed"]
    mesh.apply(cluster, [{**secret, "stringData": {"api-key": f"{KEY}-2"}}])
    assert f"Deployment {registry}/dates" in changes(direct(task))
    direct({**task, "state": "absent"})
    [claim] = cluster.get("-n", registry, "pvc")["items"]
    assert claim["metadata"]["name"] == "dates"
    direct({**task, "state": "absent", "delete_data": True})
    mesh.until(lambda: cluster.get("-n", registry, "pvc")["items"] == [])


def test_a_set_is_pruned(cloud: Any, cluster: Any, registry: str, direct: Any) -> None:
    task = declared(cloud, registry, set_name="tools", prune=True)
    direct(task)
    dates = {**task, "agents": task["agents"][:1]}
    assert direct({**task, "agents": []}, fails=True)["error"]["kind"] == "refused"
    assert f"Deployment {registry}/greeter" in changes(direct(dates, check=True))
    direct(dates)
    names = {item["metadata"]["name"] for item in cluster.get("-n", registry, "deployments")["items"]}
    assert names == {mesh.REGISTRY_SERVICE, "dates"}
