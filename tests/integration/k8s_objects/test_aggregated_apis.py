# SPDX-License-Identifier: GPL-3.0-or-later
"""An API whose server is down (an APIService without endpoints): told in seconds, and no reason to leave the rest."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.direct import call
from support.workloads import until

from ansible_collections.mcpops.platform.plugins.module_utils.kube import client
from ansible_collections.mcpops.platform.plugins.modules import k8s_diagnosis_info, k8s_objects_info

Apply = Callable[..., dict[str, Any]]
PATIENCE = 120.0
FEW = 30
"""Asked for a minute, as an API server that is starting, each of the objects would be asked more often by itself."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client waited each time before it asked once more."""
    seen: list[float] = []
    pause = client.Kube._pause

    def counted(self: client.Kube, seconds: float, deadline: float, action: str) -> bool:
        seen.append(seconds)
        return pause(self, seconds, deadline, action)

    monkeypatch.setattr(client.Kube, "_pause", counted)
    return seen


@pytest.fixture(params=["no Service", "a Service without endpoints"])
def api(cluster: Any, namespace: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """`group/version` of an APIService of its own that nothing serves."""
    group = f"g{uuid.uuid4().hex[:8]}.example.org"
    spec = {
        "group": group,
        "version": "v1beta2",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"name": "fortunes", "namespace": namespace},
    }
    name = f"v1beta2.{group}"
    item = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": spec,
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(item))
    if request.param != "no Service":
        cluster.kubectl("create", "service", "clusterip", "fortunes", "--tcp=443:8443", "-n", namespace)
    try:
        until(
            lambda: cluster.get("apiservice", name).get("status") or {},
            lambda status: any(one["status"] == "False" for one in status.get("conditions") or []),
            PATIENCE,
            0.2,
        )
        yield f"{group}/v1beta2"
    finally:
        cluster.kubectl("delete", "apiservice", name)


def fortune(api: str, name: str) -> dict[str, Any]:
    return {"apiVersion": api, "kind": "Fortune", "metadata": {"name": name}}


def beside(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_everything_else_is_dealt_with(
    apply: Apply, cluster: Any, namespace: str, api: str, check: bool, pauses: list[float]
) -> None:
    # several of the group, and one beside them that is fine
    objects = [fortune(api, "a"), beside("fine"), fortune(api, "b"), fortune(api, "c")]
    result = apply(definitions=objects, check=check, fails=True)
    assert len(pauses) < FEW
    group, version = api.split("/")
    failed = [row["name"] for row in result["objects"] if "error" in row]
    assert failed == ["a", "b", "c"]
    assert f"APIService {version}.{group} is not available" in result["msg"]
    assert f"kubectl delete apiservice {version}.{group}" in result["msg"]
    assert result["changed"]
    assert result.get("done") == (None if check else [f"apply ConfigMap {namespace}/fine"])
    there = cluster.kubectl("get", "configmap", "fine", "-n", namespace, "--ignore-not-found", "-o", "name")
    assert bool(there) is not check


def test_who_does_not_use_it_does_not_notice(apply: Apply, namespace: str, api: str, pauses: list[float]) -> None:
    bundle = {"bundle": namespace, "prune": True}
    apply(definitions=[beside("kept"), beside("going")], **bundle)
    result = apply(definitions=[beside("kept")], **bundle)
    assert len(pauses) < FEW
    assert [row["name"] for row in result["objects"] if row.get("pruned")] == ["going"]
    # whether the bundle has something of that API, nobody knows
    assert any(api in note and "not looked at for pruning" in note for note in result["notes"])
    assert result["warnings"] == []


def test_deletion_reading_and_diagnosis_say_so(
    apply: Apply, cluster: Any, namespace: str, api: str, tmp_path: Path
) -> None:
    apply(definitions=[beside("fine")])
    deleted = apply(definitions=[fortune(api, "a"), beside("fine")], state="absent", fails=True)
    assert (deleted["error"]["code"], deleted["changed"]) == ("ApiServiceDown", True)
    assert [row["changed"] for row in deleted["objects"]] == [False, True]

    asked = {"kubeconfig": str(cluster.kubeconfig), "namespace": namespace, "api_version": api, "kind": "Fortune"}
    (tmp_path / "run").mkdir(mode=0o700)
    read = call(k8s_objects_info, tmp_path / "run", asked, fails=True)
    assert read["error"]["code"] == "ApiServiceDown"

    group, version = api.split("/")
    found = call(k8s_diagnosis_info, tmp_path / "run", {"kubeconfig": str(cluster.kubeconfig)})["findings"]
    (one,) = [each for each in found if each["id"] == f"ApiServiceDown/APIService/{version}.{group}"]
    assert f"Service {namespace}/fortunes" in one["advice"]
