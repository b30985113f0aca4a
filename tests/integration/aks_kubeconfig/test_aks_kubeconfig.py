# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubeconfig of a real cluster through real playbooks: it opens the cluster, and stays private."""

from __future__ import annotations

import os
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


def test_a_place_that_belongs_to_another_user(run_task: TaskRunner, cluster: Any, tmp_path: Path) -> None:
    """To root everything is writable: root runs it as somebody else, anybody else names a place of root's."""
    is_root = os.geteuid() == 0
    user = 65534 if is_root else None
    theirs, own = (tmp_path, tmp_path / "own") if is_root else (Path("/"), tmp_path)
    if user is not None:
        own.mkdir(mode=0o700)
        os.chown(own, user, user)
    named = {"name": cluster.name, "resource_group": cluster.resource_group}
    for check in (True, False):
        failed = run_task("aks_kubeconfig", {**named, "path": str(theirs / "c1")}, user=user, check=check, fails=True)
        assert f"user {user or os.geteuid()} may not write in {theirs}" in failed["msg"]
        assert "name a path in a directory of its own" in failed["msg"]
    assert run_task("aks_kubeconfig", {**named, "path": str(own / "c1")}, user=user)["changed"]
    assert ((own / "c1").stat().st_uid, mode(own / "c1")) == (user or os.geteuid(), 0o600)
