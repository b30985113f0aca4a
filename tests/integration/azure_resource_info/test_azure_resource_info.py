# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading resources through real playbooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TaskRunner = Callable[..., dict[str, Any]]


def test_one_all_and_none(run_task: TaskRunner, cluster: Any) -> None:
    group = {"type": "Microsoft.Resources/resourceGroups", "name": cluster.resource_group}
    found = run_task("azure_resource_info", group)
    assert not found["changed"]
    assert [item["name"] for item in found["resources"]] == [cluster.resource_group]
    assert run_task("azure_resource_info", {**group, "name": "rg-nowhere"}, check=True)["resources"] == []
    held = run_task("azure_resource_info", {"resource_group": cluster.resource_group})["resources"]
    assert cluster.name in [item["name"] for item in held]
