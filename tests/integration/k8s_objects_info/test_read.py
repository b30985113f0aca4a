# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_objects_info against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

TaskRunner = Callable[..., dict[str, Any]]


def test_reading_by_name_selector_and_kind(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "one", "-n", namespace, "--from-literal=a=1")
    cluster.kubectl("create", "configmap", "two", "-n", namespace, "--from-literal=a=2")
    cluster.kubectl("label", "configmap", "two", "-n", namespace, "tier=front")
    named = run_task("k8s_objects_info", {"kind": "ConfigMap", "namespace": namespace, "name": "one"})
    assert [item["data"] for item in named["objects"]] == [{"a": "1"}]
    assert "managedFields" not in named["objects"][0]["metadata"]
    chosen = {"kind": "ConfigMap", "namespace": namespace, "label_selectors": ["tier in (front, back)"]}
    for check in (False, True):
        result = run_task("k8s_objects_info", chosen, check=check)
        assert [item["metadata"]["name"] for item in result["objects"]] == ["two"]
        assert not result["changed"]
    absent = run_task("k8s_objects_info", {"kind": "ConfigMap", "namespace": namespace, "name": "three"})
    assert absent["objects"] == []
    custom = run_task("k8s_objects_info", {"kind": "Thing", "api_version": "no.example.com/v1"})
    assert custom["objects"] == []
    assert "no.example.com/v1 Thing is not installed in this cluster" in custom["notes"][0]


def test_secret_values_are_not_returned(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"password": "canary-41c"},
    }
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
    result = run_task("k8s_objects_info", {"kind": "Secret", "namespace": namespace})
    shown = json.dumps(result)
    assert "canary-41c" not in shown
    assert "Y2FuYXJ5LTQxYw" not in shown
    assert result["objects"][0]["data"] == {"password": ""}


def test_wrong_questions_are_refused(run_task: TaskRunner, cluster: Any) -> None:
    elsewhere = run_task("k8s_objects_info", {"kind": "Deployment"}, fails=True)
    assert "kind: this cluster has no kind Deployment in v1; it has apps/v1 Deployment: write it so" in elsewhere["msg"]
    invented = run_task("k8s_objects_info", {"kind": "Deployment", "api_version": "app/v1"}, fails=True)
    assert "kind: this cluster has no kind Deployment in app/v1; it has apps/v1 Deployment" in invented["msg"]
    misspelt = run_task("k8s_objects_info", {"kind": "ConfigMaps"}, fails=True)
    assert (
        "kind: this cluster has no kind ConfigMaps in v1, and none of that name elsewhere: check the" in misspelt["msg"]
    )
    nowhere = run_task("k8s_objects_info", {"kind": "ConfigMap", "name": "a"}, fails=True)
    assert "namespace: is needed" in nowhere["msg"]
