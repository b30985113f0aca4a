# SPDX-License-Identifier: GPL-3.0-or-later
"""How many pods an agent has whose number an autoscaler chooses, when it is made and when it is changed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.workload_parts import keep_replicas
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_spec import DeclaredAgent, Mesh, agent_objects

AGENT = DeclaredAgent(
    {"name": "dates", "image": "i:1", "autoscaling": {"min_replicas": 2, "max_replicas": 5, "cpu_percent": 50}}
)
[DEPLOYMENT] = [one for one in agent_objects(AGENT, Mesh("mesh", "", "mesh", 8000)) if one["kind"] == "Deployment"]
OURS = {"manager": "mcpops", "operation": "Apply", "apiVersion": "apps/v1"}
AUTOSCALER = {
    "manager": "kube-controller-manager",
    "operation": "Update",
    "apiVersion": "apps/v1",
    "subresource": "scale",
}


def live(replicas: int, *owners: dict[str, str]) -> dict[str, Any]:
    number = {"f:spec": {"f:replicas": {}}}
    # what else we own says nothing of it
    entries = [{**OURS, "fieldsV1": {"f:spec": {"f:minReadySeconds": {}}}}] if OURS not in owners else []
    entries += [{**one, "fieldsV1": number} for one in owners]
    return {"metadata": {"managedFields": entries}, "spec": {"replicas": replicas, "minReadySeconds": 10}}


@pytest.mark.parametrize(
    ("stands", "replicas"),
    [
        (None, 2),
        # declared before: left out, it would be one
        (live(3, OURS), 3),
        (live(2, OURS), 2),
        (live(1, OURS), 2),
        (live(9, OURS), 5),
        # an autoscaler never looks at what has none
        (live(0, OURS), 2),
        # somebody else has decided
        (live(4, AUTOSCALER), None),
        (live(0, {**AUTOSCALER, "manager": "kubectl"}), None),
        (live(1), None),
    ],
)
def test_nobody_but_the_autoscaler_changes_how_many_there_are(stands: Any, replicas: int | None) -> None:
    assert keep_replicas(DEPLOYMENT, stands, AGENT.options)["spec"].get("replicas") == replicas
    assert "replicas" not in DEPLOYMENT["spec"]
