# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a size through real playbooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TaskRunner = Callable[..., dict[str, Any]]
WANTED = {"location": "eastus2", "candidates": ["Standard_Nope", "Standard_D2s_v5"], "node_count": 1}


def test_the_first_that_fits(run_task: TaskRunner) -> None:
    found = run_task("aks_sku_preflight", WANTED, check=True)
    assert not found["changed"]
    assert found["vm_size"] == "Standard_D2s_v5"
    assert [item["viable"] for item in found["candidates"]] == [False, True]


def test_nothing_fits(run_task: TaskRunner) -> None:
    failed = run_task("aks_sku_preflight", {**WANTED, "node_count": 900, "system_pool": True}, fails=True)
    assert "Standard_Nope" in failed["msg"]
    assert "short" in failed["msg"]
    assert "quota" in failed["msg"].splitlines()[-1]


def test_a_pool_that_exists_keeps_its_size(run_task: TaskRunner, cluster: Any) -> None:
    live = {"cluster_name": cluster.name, "resource_group": cluster.resource_group, "node_pool": "system"}
    found = run_task("aks_sku_preflight", {**WANTED, "candidates": ["Standard_D8s_v5"], **live})
    assert found["vm_size"] == "Standard_D2s_v5"
    assert found["source"] == "existing_pool"
