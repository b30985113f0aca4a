# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import kmcp as kmcp_support
from support import workloads

from ansible_collections.mcpops.platform.plugins.modules import k8s_diagnosis_info

Diagnose = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def kmcp(cloud: Any, cluster: Any) -> None:
    """The shared cluster has the KMCP controller."""
    kmcp_support.install(cloud, cluster)


@pytest.fixture(scope="session")
def diagnose(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Diagnose:
    """`diagnose(namespaces=[...])` → the module's result, run in process."""
    base = tmp_path_factory.mktemp("diagnosis")

    def run(kubeconfig: Path | None = None, **args: Any) -> dict[str, Any]:
        # kinds are looked up anew each time: tests add and remove some
        directory = base / uuid.uuid4().hex
        return workloads.run(k8s_diagnosis_info, kubeconfig or cluster.kubeconfig, directory, **args)

    return run


@pytest.fixture(scope="module")
def make_namespace(cluster: Any) -> Iterator[Callable[..., str]]:
    """`make_namespace("quota", label=value)` → the name of a namespace that goes after the module."""
    made: list[str] = []

    def make(purpose: str, labels: dict[str, str] | None = None) -> str:
        name = f"it-{purpose}-{uuid.uuid4().hex[:6]}"
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
        made.append(name)
        return name

    yield make
    for name in made:
        cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


def apply(cluster: Any, namespace: str, objects: list[dict[str, Any]]) -> None:
    cluster.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )


def found(result: dict[str, Any], identifier: str) -> dict[str, Any] | None:
    """The finding of that id."""
    assert not result.get("failed"), result
    return next((one for one in result["findings"] if one["id"] == identifier), None)


def shown(finding: dict[str, Any]) -> str:
    """Everything a finding says."""
    return json.dumps(finding, ensure_ascii=False).replace('\\"', '"')
