# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading clusters through real playbooks; no credential is among what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

TaskRunner = Callable[..., dict[str, Any]]


def test_one_all_and_none(run_task: TaskRunner, cluster: Any) -> None:
    named = {"name": cluster.name, "resource_group": cluster.resource_group}
    found = run_task("aks_cluster_info", named)
    assert found["clusters"][0]["kubernetes_version"].startswith("1.")
    assert found["clusters"][0]["power_state"] == "Running"
    assert "client-key-data" not in json.dumps(found)
    assert run_task("aks_cluster_info", {**named, "name": "nowhere"})["clusters"] == []
    assert cluster.name in [item["name"] for item in run_task("aks_cluster_info", {})["clusters"]]
