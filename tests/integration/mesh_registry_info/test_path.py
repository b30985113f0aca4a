# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry in the cluster, and agents that only say that they are there: what is waited for, and why in vain."""

from __future__ import annotations

from typing import Any

import pytest
from support import mesh

pytestmark = pytest.mark.integration

DATES = [{"function_name": "today", "capability": "date_service", "version": "1.2.0", "tags": ["utc"]}]
NEEDS = [{"capability": "date_service", "version": ">=1.0.0"}, {"capability": "weather_service"}]
GREETER = [{"function_name": "greet", "capability": "greeting", "version": "2.0.0", "dependencies": NEEDS}]
RESOLVED = {"name": "greeter", "dependencies": [{"capability": "date_service", "version": "^1.0"}]}


def codes(result: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in result["error"]["reasons"]]


def test_agents_that_find_each_other(cluster: Any, registry: str, direct: Any) -> None:
    asked: dict[str, Any] = {"namespace": registry, "wait_timeout": 30, "fresh_within": 3600}
    assert direct(asked)["agents"] == []
    failed = direct({**asked, "agents": [RESOLVED], "wait_timeout": 0}, fails=True)
    assert codes(failed) == ["AgentNotRegistered"]

    mesh.heartbeat(cluster, registry, "greeter-00000001", "greeter", GREETER)
    failed = direct({**asked, "agents": [RESOLVED], "wait_timeout": 0}, fails=True)
    assert codes(failed) == ["DependencyUnresolved"]
    assert "no healthy agent offers it" in failed["msg"]

    mesh.heartbeat(cluster, registry, "dates-00000001", "dates", DATES)
    # the registry looks for a provider when the agent that needs one gives a sign of life
    mesh.heartbeat(cluster, registry, "greeter-00000001", "greeter", GREETER)
    host = {"name": "dates", "host": f"dates.{registry}", "capabilities": [{"name": "date_service", "version": "~1.2"}]}
    found = direct({**asked, "agents": [RESOLVED, host]})
    assert not found["changed"]
    assert {row["name"]: row["status"] for row in found["agents"]} == {"dates": "healthy", "greeter": "healthy"}
    optional = {"capability": "weather_service", "optional": True}
    assert (
        "It is optional." in direct({**asked, "agents": [{"name": "greeter", "dependencies": [optional]}]})["notes"][0]
    )

    # the registry itself does not say so: whoever asks does
    wrong = {"name": "dates", "replicas": 2, "host": f"other.{registry}"}
    assert codes(direct({**asked, "agents": [wrong], "wait_timeout": 0}, fails=True)) == ["AgentUnhealthy"]
    wrong = {"name": "dates", "host": f"other.{registry}", "capabilities": [{"name": "date_service", "version": ">=2"}]}
    failed = direct({**asked, "agents": [wrong], "wait_timeout": 0}, fails=True)
    assert codes(failed) == ["WrongEndpoint", "CapabilityVersion"]

    for agent_id in ("dates-00000001", "greeter-00000001"):
        mesh.unregister(cluster, registry, agent_id)
    gone = [{"name": name, "replicas": 0} for name in ("dates", "greeter")]
    direct({**asked, "agents": gone})
    mesh.heartbeat(cluster, registry, "dates-00000002", "dates", DATES)
    rows = direct({**asked, "agents": [{"name": "dates"}]})["agents"]
    superseded = {row["id"]: row["superseded"] for row in rows}
    assert superseded == {"dates-00000001": True, "dates-00000002": False, "greeter-00000001": False}


def test_a_registry_that_is_not_there(cluster: Any, namespace: str, direct: Any) -> None:
    asked: dict[str, Any] = {"namespace": namespace, "wait_timeout": 1}
    assert codes(direct(asked, fails=True)) == ["NoMeshRegistry"]
    assert "A run that repairs it may come first." in direct(asked, check=True)["notes"][0]
    spec: dict[str, Any] = {"selector": {"app": "nobody"}, "ports": [{"port": 8000}]}
    metadata = {"name": mesh.REGISTRY_SERVICE, "namespace": namespace}
    mesh.apply(cluster, [{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}])
    assert codes(direct(asked, fails=True)) == ["RegistryNotReady"]
