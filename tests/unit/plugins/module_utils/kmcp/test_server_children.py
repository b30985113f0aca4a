# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift of what KMCP made, on objects as the real controller 0.3.0 and kubectl left them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.readiness import only_ownership
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

from .recorded import Api, changes, drift, seen

CONTAINER = "Deployment.spec.template.spec.containers[mcp-server]"


def test_what_the_controller_made_has_not_drifted() -> None:
    assert server_children.is_reconciled(seen("pristine")["MCPServer"])
    assert drift(seen("pristine")) == {}


def test_a_deployment_that_was_scaled_away() -> None:
    assert drift(seen("scaled")) == {"Deployment.spec.replicas": (0, 1, "changed by another program")}


def test_edits_are_shown_leaf_by_leaf_with_their_author() -> None:
    assert drift(seen("edited")) == {
        f"{CONTAINER}.env[LOG_LEVEL].value": ("debug", "info", "set by kubectl-set"),
        f"{CONTAINER}.env[EXTRA]": ({"name": "EXTRA", "value": "1"}, ABSENT, "set by kubectl-set"),
        # what is removed has no owner any more
        f"{CONTAINER}.args": (ABSENT, ["server.py"], "changed by another program"),
        "Deployment.spec.revisionHistoryLimit": (5, ABSENT, "set by kubectl-patch"),
        "Service.spec.sessionAffinity": ("ClientIP", ABSENT, "set by kubectl-patch"),
        "Service.spec.sessionAffinityConfig": ({"clientIP": {"timeoutSeconds": 10800}}, ABSENT, "set by kubectl-patch"),
        "ConfigMap.data.extra": ("1", ABSENT, "set by kubectl-patch"),
    }


@pytest.mark.parametrize("kind", server_children.CHILDREN)
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


def test_a_value_edited_to_and_fro_is_what_the_server_would_put_there_by_itself() -> None:
    objects = seen("same_value")
    assert drift(objects) == {}
    objects["Deployment"]["spec"]["revisionHistoryLimit"] = 3
    assert drift(objects) == {"Deployment.spec.revisionHistoryLimit": (3, ABSENT, "set by kubectl-patch")}


IMAGE = "Deployment.spec.template.spec.initContainers[copy-binary].image"


def test_what_only_the_controller_knows_is_left_for_it_to_say_who_owns_it() -> None:
    """Of a leaf that others own nothing tells whether they have changed it: that is asked of the controller."""
    objects = seen("complete_stdio")
    objects["Deployment"]["metadata"]["managedFields"].append(
        {
            "manager": "kubectl-set",
            "operation": "Update",
            "fieldsV1": {
                "f:spec": {
                    "f:template": {"f:spec": {"f:initContainers": {'k:{"name":"copy-binary"}': {"f:image": {}}}}}
                }
            },
        }
    )
    [entry] = [one for one in objects["Deployment"]["metadata"]["managedFields"] if one["manager"] == "manager"]
    del entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:initContainers"]['k:{"name":"copy-binary"}']["f:image"]
    [change] = changes(objects)
    assert (change.path, change.after, change.changed_by) == (IMAGE, "(made by KMCP)", "kubectl-set")
    assert only_ownership([change])
    assert not only_ownership(changes(seen("edited")))


def test_labels_that_others_add_are_their_business() -> None:
    objects = seen("pristine")
    child = objects["Deployment"]
    child["metadata"]["labels"] = {"team": "x"}
    child["metadata"]["managedFields"].append(
        {"manager": "kubectl-label", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}}
    )
    assert drift(objects) == {}


def scaled_by(manager: str, replicas: int) -> dict[str, Any]:
    objects = seen("pristine")
    deployment = objects["Deployment"]
    deployment["spec"]["replicas"] = replicas
    deployment["metadata"]["managedFields"].append(
        {
            "manager": manager,
            "operation": "Update",
            "subresource": "scale",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
    )
    for entry in deployment["metadata"]["managedFields"]:
        if entry["manager"] == "manager":
            entry["fieldsV1"]["f:spec"].pop("f:replicas", None)
    return objects


@pytest.mark.parametrize("manager", ["kube-controller-manager", "keda-operator"])
def test_an_autoscaler_is_nobodys_drift_and_told_to_be_worked_against(manager: str) -> None:
    objects = scaled_by(manager, 4)
    api = Api(objects)
    assert drift(objects, api) == {}
    assert api.asked == []
    note = server_children.scaled_by_others(objects["MCPServer"], objects)
    assert note.startswith("Deployment mcp/echo is scaled to 4 by an autoscaler, and KMCP sets it back to 1 ")


def test_who_scales_by_hand_is_named() -> None:
    assert drift(scaled_by("kubectl", 4)) == {"Deployment.spec.replicas": (4, 1, "set by kubectl")}
    assert server_children.scaled_by_others(seen("pristine")["MCPServer"], seen("pristine")) == ""


def test_a_service_that_was_made_again_headless_cannot_be_restored_by_the_controller() -> None:
    objects = seen("pristine")
    objects["Service"]["spec"]["clusterIP"] = "None"
    with pytest.raises(ServiceError, match="field is immutable") as failed:
        drift(objects)
    assert failed.value.hint == "Delete the object: KMCP makes it again."


@pytest.mark.parametrize("refusal", [403, 500])
def test_without_an_answer_to_dry_runs_reading_tells(refusal: int) -> None:
    objects = seen("edited")
    api = Api(objects, refusal=ServiceError("apply", "no", status=refusal))
    assert drift(objects, api) == drift(objects)
    assert drift(seen("complete_http"), Api(seen("complete_http"), refusal=api.refusal)) == {}


def test_credentials_that_a_helper_of_registries_gives_to_accounts_are_left_alone() -> None:
    objects = seen("pristine")
    objects["ServiceAccount"]["imagePullSecrets"] = [{"name": "acr"}]
    objects["ServiceAccount"]["metadata"]["managedFields"].append(
        {
            "manager": "imagepullsecret-patcher",
            "operation": "Update",
            "fieldsV1": {"f:imagePullSecrets": {".": {}, 'k:{"name":"acr"}': {}}},
        }
    )
    assert drift(objects) == {}


def test_objects_of_somebody_else_are_collisions() -> None:
    objects = seen("pristine")
    assert server_children.child_collisions(list(server_children.CHILDREN), "echo", objects) == []
    stranger = copy.deepcopy(objects)
    del stranger["Service"]["metadata"]["ownerReferences"]
    [refusal] = server_children.child_collisions(list(server_children.CHILDREN), "echo", stranger)
    assert refusal.path == "Service/echo"
    assert "another name" in refusal.remedy
    assert refusal.sentence == "exists and belongs to no MCPServer"


def test_an_object_of_another_projects_server_of_the_same_name_is_a_collision() -> None:
    objects = seen("pristine")
    theirs = [{"apiVersion": "toolhive.stacklok.dev/v1alpha1", "kind": "MCPServer", "name": "echo", "uid": "1"}]
    objects["ConfigMap"]["metadata"]["ownerReferences"] = theirs
    [refusal] = server_children.child_collisions(list(server_children.CHILDREN), "echo", objects)
    assert refusal.path == "ConfigMap/echo"
    assert refusal.sentence == "exists and belongs to MCPServer echo (toolhive.stacklok.dev/v1alpha1)"


def test_variables_of_a_deployment_are_found_whoever_set_them() -> None:
    [variables] = server_children.container_environments(None, seen("edited"))
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
    found = server_children.container_environments(objects["MCPServer"], objects)
    assert [variables["LOG_LEVEL"] for variables in found] == ["debug", "trace"]
