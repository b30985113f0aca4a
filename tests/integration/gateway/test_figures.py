# SPDX-License-Identifier: GPL-3.0-or-later
"""What a way in costs: the latency that a call gains, and the second run of a hundred routes. `pytest -s` shows the
figures of docs/performance.md."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from support import gateway_calls as calls
from support import mesh
from support.gateway_calls import settled

from ..charts.releases import Audit
from .test_gateway import GATEWAY, ROUTES

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CALLS, WARM = 400, 40
MOST_ADDED_MS = 25.0
"""Of the median, on a machine that has other work; docs/performance.md has what was measured."""
MANY = 100
# 22 were counted: the kinds, a LIST of each kind beside the default deny, and none for a single object.
MOST_REQUESTS = 25


@pytest.fixture
def direct_address(cluster: Any) -> str:
    """The server itself, at a load balancer of its own and without TLS."""
    spec = {"type": "LoadBalancer", "selector": calls.LABELS, "ports": [{"port": 3000}]}
    metadata = {"name": "guarded-direct", "namespace": calls.SERVERS}
    mesh.apply(cluster, [{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}])

    def address() -> str:
        found = cluster.get("service", "guarded-direct", "-n", calls.SERVERS)["status"]["loadBalancer"]
        return str((found.get("ingress") or [{"ip": ""}])[0]["ip"])

    settled(lambda: address() != "", True, 30)
    return address()


def timed(pool: urllib3.HTTPConnectionPool, headers: dict[str, str]) -> list[float]:
    """Milliseconds of calls one after the other by one connection."""
    body = json.dumps(calls.call("echo", modern=True)).encode()
    found = []
    for _ in range(CALLS + WARM):
        start = time.perf_counter()
        answer = pool.request("POST", "/mcp", body=body, headers=headers, retries=False)
        found.append((time.perf_counter() - start) * 1000)
        assert answer.status == 200, answer.data
    return sorted(found[WARM:])


def quantiles(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), times[int(len(times) * 0.99)]


def test_what_a_call_gains(
    installed: Any, cluster: Any, run_task: Callable[..., Any], direct_address: str, tmp_path: Path
) -> None:
    # without the policy that lets nobody else to the server
    open_inside = {**ROUTES["routes"][0], "pod_labels": None}
    made = run_task("gateway", GATEWAY)
    run_task("gateway_route", {**ROUTES, "routes": [open_inside]})
    client = calls.Client(made["gateway"]["addresses"][0], calls.authority(cluster, tmp_path))
    token = installed.token("user")
    settled(lambda: client.modern(token, "echo").status, 200)
    headers = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": calls.MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "echo",
    }
    named = {"server_hostname": calls.HOST, "assert_hostname": calls.HOST, "ca_certs": str(client.ca_file)}
    through = urllib3.HTTPSConnectionPool(client.address, 443, **named)
    plain = urllib3.HTTPConnectionPool(direct_address, 3000)
    guarded = {**headers, "Host": calls.HOST, "Authorization": f"Bearer {token}"}
    # turn about, so that both see the same machine
    rounds = [(timed(plain, headers), timed(through, guarded)) for _ in range(3)]
    direct = quantiles(sorted(one for some, _ in rounds for one in some))
    gained = quantiles(sorted(one for _, some in rounds for one in some))
    print(f"\ndirect: p50 {direct[0]:.1f} ms, p99 {direct[1]:.1f} ms; by the gateway: p50 {gained[0]:.1f} ms, ", end="")
    print(f"p99 {gained[1]:.1f} ms; added: {gained[0] - direct[0]:.1f} ms and {gained[1] - direct[1]:.1f} ms")
    assert gained[0] - direct[0] < MOST_ADDED_MS


def test_a_second_run_of_a_hundred_routes(
    installed: Any, cloud: Any, cluster: Any, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    run_task("gateway", GATEWAY)
    routes = [
        {"name": f"r{number:03}", "host": f"r{number:03}.mcp.test", "service": "guarded"} for number in range(MANY)
    ]
    declared = {**ROUTES, "routes": routes, "wait_timeout": 300}
    start = time.perf_counter()
    made = run_task("gateway_route", declared)
    first = time.perf_counter() - start
    assert made["changed"] and len(made["routes"]) == MANY
    audit = Audit(cloud.settings.state, cluster.kubeconfig)
    position, start = audit.position(), time.perf_counter()
    assert not run_task("gateway_route", declared)["changed"]
    asked = audit.since(position, time.perf_counter() - start)
    print(
        f"\n{MANY} routes, {len(made['objects'])} objects: first run {first:.1f} s, second run {asked.seconds:.1f} s ",
        end="",
    )
    print(f"with {asked.total} requests, none of them a dry run")
    assert asked.writes == asked.dry_runs == ()
    assert asked.total <= MOST_REQUESTS
    assert run_task("gateway_route", {**ROUTES, "state": "absent", "prune": False, "routes": None})["changed"]
