# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubeconfig of a real cluster through real playbooks: it opens the cluster, and stays private."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TaskRunner = Callable[..., dict[str, Any]]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("credential", ["user", "admin"])
def test_from_nothing_to_nothing(run_task: TaskRunner, cluster: Any, tmp_path: Path, credential: str) -> None:
    path = tmp_path / "kube" / "config"
    named = {"name": cluster.name, "resource_group": cluster.resource_group}
    declared = {**named, "path": str(path), "credential": credential}
    assert run_task("aks_kubeconfig", declared, check=True)["changed"]
    assert not path.parent.exists()
    written = run_task("aks_kubeconfig", declared)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    kubectl = [cluster.kubectl_binary, "--kubeconfig", str(path), "get", "nodes", "-o", "name"]
    assert subprocess.run(kubectl, capture_output=True, text=True, check=True).stdout.startswith("node/")
    assert not run_task("aks_kubeconfig", declared)["changed"]

    text = path.read_text()
    path.write_text(text.replace(written["server"], "https://192.0.2.1:443"))
    path.chmod(0o644)
    shown = run_task("aks_kubeconfig", declared, check=True)
    assert "192.0.2.1" in shown["diff"][0]["before"]
    assert "client-key-data: ***" not in shown["diff"][0]["before"]
    assert run_task("aks_kubeconfig", declared)["diff"] == shown["diff"]
    assert (path.read_text(), mode(path)) == (text, 0o600)

    assert run_task("aks_kubeconfig", {**declared, "state": "absent"})["changed"]
    assert not path.exists()
    assert not run_task("aks_kubeconfig", {**declared, "state": "absent"})["changed"]
