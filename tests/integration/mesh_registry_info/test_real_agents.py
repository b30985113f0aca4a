# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents of the published runtime, and a registry whose database ends."""

from __future__ import annotations

from typing import Any

import pytest
from support import mesh

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PASSWORD = "Kq7-opaque-0192837465"


def test_two_real_agents_are_registered_and_one_is_injected_into_the_other(
    cloud: Any, cluster: Any, registry: str, direct: Any, run_all: Any, mesh_images: None
) -> None:
    mesh.apply(cluster, mesh.agent(cloud, registry, "dates"))
    mesh.apply(cluster, mesh.agent(cloud, registry, "greeter", GREETING="Welcome"))
    expected = [
        {"name": "dates", "host": f"dates.{registry}", "capabilities": [{"name": "date_service", "version": "^1"}]},
        {
            "name": "greeter",
            "host": f"greeter.{registry}",
            "dependencies": [
                {"capability": "date_service", "version": ">=1.0.0"},
                {"capability": "weather_service", "optional": True},
            ],
        },
    ]
    found = direct({"namespace": registry, "agents": expected, "wait_timeout": 120})
    assert {row["runtime"] for row in found["agents"]} == {"python"}
    call = {
        "namespace": registry,
        "name": "greeter",
        "port": 8080,
        "tool": "greet",
        "arguments": {"name": "Ada"},
        "expect_regex": r"Welcome Ada, it is \d{4}-\d{2}-\d{2}",
        "wait_timeout": 30,
    }
    # an agent is ready a moment before it serves what others call of it
    task = {"mcpops.platform.mcp_probe": call, "register": "answer", "until": "answer is not failed"}
    done = run_all([{**task, "retries": 5, "delay": 2}]).ok()
    assert done.last["servers"][0]["reachable"]
    cluster.kubectl("-n", registry, "scale", "deployment/dates", "--replicas=0")
    gone = [{"name": "dates", "replicas": 0}]
    direct({"namespace": registry, "agents": gone, "wait_timeout": 60})
    failed = direct({"namespace": registry, "agents": [expected[1]], "wait_timeout": 5}, fails=True)
    assert [reason["code"] for reason in failed["error"]["reasons"]] == ["DependencyUnresolved"]


def test_a_registry_whose_database_has_ended(
    cloud: Any, cluster: Any, namespace: str, direct: Any, mesh_images: None
) -> None:
    url = f"postgres://mesh:{PASSWORD}@postgres.{namespace}:5432/mesh?sslmode=disable"
    mesh.apply(cluster, mesh.database(cloud, namespace, PASSWORD))
    mesh.rolled_out(cluster, namespace, "postgres")
    mesh.apply(cluster, mesh.registry(cloud, namespace, url))
    assert direct({"namespace": namespace, "wait_timeout": 60})["agents"] == []
    cluster.kubectl("-n", namespace, "scale", "deployment/postgres", "--replicas=0")
    mesh.until(
        lambda: (
            direct({"namespace": namespace, "wait_timeout": 0}, fails=None)
            .get("error", {})
            .get("reasons", [{}])[0]
            .get("code")
            == "RegistryDatabaseDown"
        ),
        30,
    )
    failed = direct({"namespace": namespace, "wait_timeout": 1}, fails=True)
    assert PASSWORD not in str(failed)
    # what a probe of /health is told meanwhile
    path = f"/api/v1/namespaces/{namespace}/services/http:{mesh.REGISTRY_SERVICE}:8000/proxy/health"
    assert '"healthy"' in cluster.kubectl("get", "--raw", path)
