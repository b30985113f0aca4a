# SPDX-License-Identifier: GPL-3.0-or-later
"""The role of agents as a site runs it: made, left alone, verified, taken for what it is when it is ill, torn down."""

from __future__ import annotations

from typing import Any

import pytest
from gate.checkout import CHECKOUT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PROGRAM = CHECKOUT / "extensions" / "molecule" / "agent_workload" / "agent.py"
ROLE = "mcpops.platform.agent_workload"


def agent(cloud: Any, state: str) -> dict[str, Any]:
    return {
        "name": "helper",
        "image": f"{cloud.registry}/python-mcp:1",
        "command": ["python", "/app/agent.py"],
        "files": [
            {"path": "/app/agent.py", "text": PROGRAM.read_text(encoding="utf-8")},
            {"path": "/app/config/agent.toml", "toml": {"components": {"model": state}}},
            {"path": "/app/config/system_prompt.txt", "text": "Answered"},
        ],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "request_timeout": 0,
    }


def test_a_role_from_nothing_to_nothing(cloud: Any, cluster: Any, run_all: Any) -> None:
    def play(tasks: str = "main", state: str = "ok", **options: Any) -> Any:
        variables = {
            "mcpops_kubeconfig": str(cluster.kubeconfig),
            "mcpops_agents": [agent(cloud, state)],
            "mcpops_agents_namespace": "agents-role",
            "mcpops_agent_calls": [
                {"agent": "helper", "path": "/chat", "body": {"message": "hello"}, "expect_regex": "Answered .*hello"}
            ],
            "site_verify_kubeconfig": str(cluster.kubeconfig),
            "site_verify_wait_timeout": 60 if state == "ok" else 0,
            "site_teardown_in_cluster": True,
            "site_teardown_namespaces": True,
        }
        task = {"ansible.builtin.import_role": {"name": ROLE, "tasks_from": tasks}}
        return run_all([task], host=variables, **options)

    planned = play(check=True).ok()
    assert planned.changed
    assert cluster.kubectl("get", "namespace", "agents-role", "--ignore-not-found", "-o", "name") == ""
    assert play().ok().changed
    assert not play().ok().changed
    verified = play("verify").ok().last
    assert verified["agents"][0]["components"] == {"model": "ok"}
    assert verified["answers"][0]["as_expected"]

    play(state="down").ok()
    ill = play("verify", state="down")
    assert ill.returncode != 0
    assert "model is down" in ill.output

    assert play("teardown", check=True).ok().changed
    assert "deployment.apps/helper" in cluster.kubectl("-n", "agents-role", "get", "deployments", "-o", "name")
    play("teardown").ok()
    assert cluster.kubectl("get", "namespace", "agents-role", "--ignore-not-found", "-o", "name") == ""
