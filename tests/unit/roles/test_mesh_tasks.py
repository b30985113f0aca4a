# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role mcp_mesh removes, in a cluster that may have several meshes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from support.playbook import CHECKOUT

TASKS = yaml.safe_load((CHECKOUT / "roles/mcp_mesh/tasks/main.yml").read_text())
OBJECTS = [task["mcpops.platform.k8s_objects"] for task in TASKS if "mcpops.platform.k8s_objects" in task]
QUOTA = {"pods": "5"}
LIMITS = [{"type": "Container"}]


def test_a_mesh_removes_nothing_of_another_one() -> None:
    assert OBJECTS
    assert not [options for options in OBJECTS if {"bundle", "prune"} & set(options)]


@pytest.mark.parametrize(
    ("quota", "limits", "removed"),
    [
        (QUOTA, LIMITS, set()),
        ({}, LIMITS, {"ResourceQuota"}),
        (QUOTA, [], {"LimitRange"}),
        ({}, [], {"ResourceQuota", "LimitRange"}),
    ],
)
def test_what_is_declared_no_more_is_removed_by_name(quota: Any, limits: Any, removed: set[str]) -> None:
    [task] = [one for one in TASKS if one.get("mcpops.platform.k8s_objects", {}).get("state") == "absent"]
    variables = {"mcp_mesh_quota": quota, "mcp_mesh_limits": limits, "mcp_mesh_namespace": "mesh-2"}
    templar = Templar(loader=DataLoader(), variables=variables)
    found = templar.template(trust_as_template(task["mcpops.platform.k8s_objects"]["definitions"]))
    assert {one["kind"] for one in found} == removed
    assert {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found} <= {("mesh-2", "mcp-mesh")}
    # nothing is asked of the cluster where nothing goes
    assert templar.template(trust_as_template("{{ " + task["when"] + " }}")) is bool(removed)
