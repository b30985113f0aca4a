# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift of what KMCP made, on objects as the real controller 0.3.0 and kubectl left them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import only_ownership
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

OBJECTS = Path(__file__).parent / "children"
CONTAINER = "Deployment.spec.template.spec.containers[mcp-server]"


def seen(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OBJECTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def drift(objects: dict[str, Any]) -> dict[str, tuple[Any, Any, str]]:
    changes = server_children.drift(objects["MCPServer"], objects)
    return {change.path: (change.before, change.after, change.note or change.changed_by) for change in changes}


def test_what_the_controller_made_has_not_drifted() -> None:
    assert server_children.is_reconciled(seen("pristine")["MCPServer"])
    assert drift(seen("pristine")) == {}


def test_a_deployment_that_was_scaled_away() -> None:
    assert drift(seen("scaled")) == {"Deployment.spec.replicas": (0, 1, "changed by another program")}


def test_edits_are_shown_leaf_by_leaf_with_their_author() -> None:
    assert drift(seen("edited")) == {
        f"{CONTAINER}.env[LOG_LEVEL]": ("debug", "info", "changed by kubectl-set"),
        f"{CONTAINER}.env[EXTRA]": ("1", ABSENT, "changed by kubectl-set"),
        # what is removed has no owner any more
        f"{CONTAINER}.args": (ABSENT, ["server.py"], "changed by another program"),
        "Deployment.spec.revisionHistoryLimit": (5, ABSENT, "kubectl-patch"),
        "Service.spec.sessionAffinity": ("ClientIP", ABSENT, "kubectl-patch"),
        "Service.spec.sessionAffinityConfig.clientIP.timeoutSeconds": (10800, ABSENT, "kubectl-patch"),
        "ConfigMap.data.extra": ("1", ABSENT, "kubectl-patch"),
    }


@pytest.mark.parametrize("kind", server_children.KINDS)
def test_a_missing_child(kind: str) -> None:
    objects = seen("pristine")
    del objects[kind]
    assert drift(objects) == {kind: (ABSENT, server_children.MADE_BY_KMCP, "is missing")}


def test_a_server_with_an_account_of_others_makes_none() -> None:
    objects = seen("pristine")
    objects["MCPServer"]["spec"]["deployment"]["serviceAccountName"] = "shared"
    objects["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"] = "shared"
    del objects["ServiceAccount"]
    assert drift(objects) == {}


def test_a_value_edited_to_and_fro_is_only_a_matter_of_ownership() -> None:
    objects = seen("same_value")
    changes = server_children.drift(objects["MCPServer"], objects)
    assert [change.path for change in changes] == ["Deployment.spec.revisionHistoryLimit"]
    assert only_ownership(changes)
    assert not only_ownership(server_children.drift(seen("edited")["MCPServer"], seen("edited")))

    objects["Deployment"]["metadata"]["managedFields"] = server_children.released(objects["Deployment"])
    assert drift(objects) == {}


def test_releasing_keeps_what_the_controller_and_the_status_own() -> None:
    before = seen("edited")["Deployment"]
    after = server_children.released(before)
    kept = [(entry["manager"], entry.get("subresource")) for entry in after]
    assert ("manager", None) in kept
    assert all(manager != "kubectl-set" for manager, _ in kept)
    assert next(entry for entry in after if entry["manager"] == "manager") in before["metadata"]["managedFields"]


def test_labels_that_others_add_are_their_business() -> None:
    objects = seen("pristine")
    child = objects["Deployment"]
    child["metadata"]["labels"] = {"team": "x"}
    child["metadata"]["managedFields"].append(
        {"manager": "kubectl-label", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}}
    )
    assert drift(objects) == {}


def test_objects_of_somebody_else_are_collisions() -> None:
    objects = seen("pristine")
    assert server_children.collisions(list(server_children.KINDS), "echo", objects) == []
    stranger = copy.deepcopy(objects)
    del stranger["Service"]["metadata"]["ownerReferences"]
    [refusal] = server_children.collisions(list(server_children.KINDS), "echo", stranger)
    assert refusal.path == "Service/echo"
    assert "another name" in refusal.remedy
    assert refusal.before == "an object that belongs to no MCPServer"


def test_an_object_of_another_projects_server_of_the_same_name_is_a_collision() -> None:
    objects = seen("pristine")
    theirs = [{"apiVersion": "toolhive.stacklok.dev/v1alpha1", "kind": "MCPServer", "name": "echo", "uid": "1"}]
    objects["ConfigMap"]["metadata"]["ownerReferences"] = theirs
    [refusal] = server_children.collisions(list(server_children.KINDS), "echo", objects)
    assert refusal.path == "ConfigMap/echo"
    assert refusal.before == "an object that belongs to MCPServer echo (toolhive.stacklok.dev/v1alpha1)"


def test_variables_of_a_deployment_are_found_whoever_set_them() -> None:
    [variables] = server_children.environments(None, seen("edited"))
    assert variables == {
        "ANIMAL": "cat",
        "EMPTY": "",
        "EXTRA": "1",
        "LOG_LEVEL": "debug",
    }


def test_variables_of_a_sidecar_are_found_where_it_was_taken_out() -> None:
    """They are shown as what is missing, and two containers may give one name different values."""
    objects = seen("edited")
    sidecar = {"name": "proxy", "env": [{"name": "LOG_LEVEL", "value": "trace"}]}
    objects["MCPServer"]["spec"]["deployment"]["sidecars"] = [sidecar]
    found = server_children.environments(objects["MCPServer"], objects)
    assert [variables["LOG_LEVEL"] for variables in found] == ["debug", "trace"]
