# SPDX-License-Identifier: GPL-3.0-or-later
"""How many agents: as many as real metrics make an autoscaler want, none away while a node is drained, and fifty."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import mesh
from support.kube_http import Api

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BUSY = "busy"
# An agent that computes for as long as its file says so, beside answering.
CODE = """
import os, threading, time

import mesh
from fastmcp import FastMCP

app = FastMCP("busy")


def compute() -> None:
    while True:
        if os.path.exists("/tmp/busy"):
            deadline = time.monotonic() + 0.2
            while time.monotonic() < deadline:
                pass
        else:
            time.sleep(0.2)


threading.Thread(target=compute, daemon=True).start()


@app.tool()
@mesh.tool(capability="work", version="1.0.0")
def work() -> str:
    return "done"


@mesh.agent(name="busy", version="1.0.0", http_port=8080, enable_http=True, auto_run=True)
class Busy:
    pass
"""


def agent(cloud: Any, name: str, **options: Any) -> dict[str, Any]:
    image = mesh.image(cloud, "mcpmesh/python-runtime:3.8.0")
    return {"name": name, "image": image, "script": f"{name}.py", **options}


def pods(cluster: Any, namespace: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.get("-n", namespace, "pods", "-l", f"app.kubernetes.io/name={name}")["items"]
    return [one for one in found if "deletionTimestamp" not in one["metadata"]]


def ready(pod: dict[str, Any]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


def test_an_autoscaler_scales_and_no_run_takes_it_back(
    cloud: Any, cluster: Any, registry: str, metered: None, direct: Any, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "busy.py").write_text(CODE, encoding="utf-8")
    busy = agent(
        cloud,
        BUSY,
        capabilities=[{"name": "work"}],
        resources={"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "200m", "memory": "512Mi"}},
        autoscaling={"min_replicas": 1, "max_replicas": 3, "cpu_percent": 60},
    )
    task = {"namespace": registry, "code": str(code), "agents": [busy], "wait_timeout": 240}
    assert direct(task)["changed"]
    assert not direct(task)["changed"]
    (first,) = pods(cluster, registry, BUSY)
    cluster.kubectl("-n", registry, "exec", first["metadata"]["name"], "--", "python", "-c", "open('/tmp/busy', 'w')")
    mesh.until(lambda: len(pods(cluster, registry, BUSY)) > 1, 240)
    # the autoscaler's number is nobody's drift, neither seen nor taken back
    for check in (True, False):
        assert not direct(task, check=check)["changed"]
    assert len(pods(cluster, registry, BUSY)) > 1
    # another change of the agent leaves the number alone
    busy["env"] = {"GREETING": "Salve"}
    direct(task)
    assert int(cluster.get("-n", registry, "deployment", BUSY)["spec"]["replicas"]) > 1


@contextmanager
def watched(look: Callable[[], Any]) -> Iterator[list[Any]]:
    """What `look` finds meanwhile, over and over."""
    found: list[Any] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            found.append(look())
            over.wait(0.2)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield found
    finally:
        over.set()
        watching.join()


def test_a_drain_takes_no_capability_away(cloud: Any, cluster: Any, registry: str, direct: Any, tmp_path: Path) -> None:
    """The cluster has one node, so each pod is evicted as a drain does it: the budget decides, and is asked again."""
    api = Api(cluster.kubeconfig, tmp_path)
    dates = agent(cloud, "dates", capabilities=[{"name": "date_service"}], replicas=2)
    direct({"namespace": registry, "code": str(mesh.EXAMPLES), "agents": [dates], "wait_timeout": 240})
    path = f"/api/v1/namespaces/{registry}/services/http:{mesh.REGISTRY_SERVICE}:8000/proxy/agents"

    def offered() -> int:
        rows = api.read(path)["agents"] or []
        capabilities = [one for row in rows for one in row["capabilities"] or []]
        return sum(one["name"] == "date_service" and one["available"] for one in capabilities)

    before = {pod["metadata"]["name"] for pod in pods(cluster, registry, "dates")}
    with watched(offered) as looks:
        for name in sorted(before):
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            body = json.dumps(eviction)
            place = f"/api/v1/namespaces/{registry}/pods/{name}/eviction"
            mesh.until(partial(evicted, cluster, place, body), 120)
            if name == min(before):
                # one of two is gone: the budget keeps the other
                assert not evicted(cluster, f"/api/v1/namespaces/{registry}/pods/{max(before)}/eviction", body)
        mesh.until(
            lambda: (
                [ready(pod) for pod in pods(cluster, registry, "dates")] == [True, True]
                and not before & {pod["metadata"]["name"] for pod in pods(cluster, registry, "dates")}
            ),
            120,
        )
    assert min(looks) >= 1
    assert len(looks) > 20


def evicted(cluster: Any, place: str, body: str) -> bool:
    answer = cluster.kubectl("create", "--raw", place, "-f", "-", stdin=body, check=False)
    return '"Success"' in answer


SLIM = """
import mesh
from fastmcp import FastMCP

app = FastMCP("{name}")


@app.tool()
@mesh.tool(capability="{capability}", version="1.0.0")
def tell() -> str:
    return "{name}"


@mesh.agent(name="{name}", version="1.0.0", http_port=8080, enable_http=True, auto_run=True)
class One:
    pass
"""


@pytest.mark.parametrize("number", [1, 10, 50])
def test_so_many_agents_on_one_node(
    cloud: Any, cluster: Any, registry: str, direct: Any, run_task: Any, tmp_path: Path, number: int
) -> None:
    """Up, left alone, and all of them known to the registry. What it took is printed: `pytest -rP` shows it."""
    code = tmp_path / "code"
    code.mkdir()
    names = [f"one-{index:02}" for index in range(number)]
    for name in names:
        text = SLIM.format(name=name, capability=name.replace("-", "_"))
        (code / f"{name}.py").write_text(text, encoding="utf-8")
    small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    agents = [agent(cloud, name, capabilities=[{"name": name.replace("-", "_")}], resources=small) for name in names]
    task = {"namespace": registry, "code": str(code), "agents": agents, "wait_timeout": 900}
    took = {}
    for what, options in (("up", {}), ("no-op", {}), ("check", {"check": True})):
        start = time.monotonic()
        result = direct(task, **options)
        took[what] = round(time.monotonic() - start, 1)
        assert result["changed"] == (what == "up")
    seen = run_task("mesh_registry_info", {"namespace": registry})
    assert {row["name"] for row in seen["agents"] if row["status"] == "healthy"} >= set(names)
    print(f"{number} agents: {took}")
