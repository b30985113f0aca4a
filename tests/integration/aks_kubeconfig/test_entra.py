# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster with Entra and without local accounts, used unattended: its API server really verifies the tokens."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.azure.requestlog import RequestLog

TaskRunner = Callable[..., dict[str, Any]]
TasksRunner = Callable[..., Any]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def kubectl(cloud: Any, kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [cloud.environment["kubectl"], "--kubeconfig", str(kubeconfig), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_a_token_of_the_tasks_own_credential(
    run_task: TaskRunner, cloud: Any, entra_cluster: Any, tmp_path: Path
) -> None:
    path = tmp_path / "kube" / "config"
    token_file = tmp_path / "kube" / "config.token"
    declared = {**entra_cluster.named, "path": str(path), "login": "token"}
    assert run_task("aks_kubeconfig", declared, check=True)["changed"]
    assert not path.parent.exists()
    written = run_task("aks_kubeconfig", declared)
    assert written["changed"]
    assert (mode(path), mode(token_file)) == (0o600, 0o600)
    token = token_file.read_text()
    assert token not in json.dumps(written)
    assert token not in path.read_text()
    nodes = kubectl(cloud, path, "get", "nodes", "-o", "name")
    assert nodes.stdout.startswith("node/"), nodes.stderr

    # nothing to do; a token that was renewed is nothing either
    assert not run_task("aks_kubeconfig", declared)["changed"]
    assert not run_task("aks_kubeconfig", declared, check=True)["changed"]

    text = path.read_text()
    path.write_text(text.replace(written["server"], "https://192.0.2.1:443"))
    token_file.write_text("somebody else's")
    shown = run_task("aks_kubeconfig", declared, check=True)
    assert "192.0.2.1" in shown["diff"][0]["before"]
    assert "somebody else" not in json.dumps(shown)
    assert token_file.read_text() == "somebody else's"
    assert run_task("aks_kubeconfig", declared)["diff"] == shown["diff"]
    assert path.read_text() == text
    assert kubectl(cloud, path, "get", "nodes").returncode == 0

    assert run_task("aks_kubeconfig", {**declared, "state": "absent"})["changed"]
    assert list(path.parent.iterdir()) == []


@pytest.mark.slow
def test_a_run_uses_it_and_so_does_a_check_of_it(
    run_all: TasksRunner, cloud: Any, entra_cluster: Any, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    object_ = config_map("entra-run", greeting="hello")
    tasks = [
        {"mcpops.platform.aks_kubeconfig": {**entra_cluster.named, "path": str(path), "login": "token"}},
        {"mcpops.platform.k8s_objects": {"kubeconfig": str(path), "definitions": [object_]}},
    ]
    checked = run_all(tasks, check=True).ok()
    assert checked.last["changed"]
    assert not path.exists()
    assert run_all(tasks).ok().last["changed"]
    assert not run_all(tasks, check=True).ok().last["changed"]

    # what lies there has expired: the next run, in check mode, too, does not depend on it
    path.with_name("config.token").write_text("expired")
    assert not run_all(tasks, check=True).ok().last["changed"]
    assert path.with_name("config.token").read_text() == "expired"
    assert not run_all(tasks).ok().last["changed"]


# as if an hour had passed: what lies beside the kubeconfig has expired, and what the run has is about to
AN_HOUR_LATER = """
import json, pathlib, sys
records = list(pathlib.Path(sys.argv[1]).glob("*/mcpops/login-*"))
assert records, "the run keeps nothing to renew its token with"
pathlib.Path(sys.argv[2]).write_text("expired")
for file in pathlib.Path(sys.argv[1]).glob("*/mcpops/*"):
    if file.name.startswith("login-"):
        file.write_text(json.dumps({**json.loads(file.read_text()), "due": 0}))
    elif file.suffix == "" and "eyJ" in file.read_text():
        file.unlink()
"""


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
@pytest.mark.slow
def test_later_tasks_of_a_long_run_renew_the_token(
    run_all: TasksRunner,
    cloud: Any,
    entra_cluster: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check: bool,
) -> None:
    """In another worker than the one that asked for it, with a credential that stands in no file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path, temporary = tmp_path / "config", tmp_path / ".ansible" / "tmp"
    script = tmp_path / "later.py"
    script.write_text(AN_HOUR_LATER)
    asked = {"kubeconfig": str(path), "definitions": [config_map("entra-long", greeting="hello")]}
    later = [sys.executable, str(script), str(temporary), str(path.with_name("config.token"))]
    tasks = [
        {"mcpops.platform.aks_kubeconfig": {**entra_cluster.named, "path": str(path), "login": "token"}},
        {"ansible.builtin.command": {"argv": later}, "check_mode": False},
        {"mcpops.platform.k8s_objects": asked},
    ]
    done = run_all(tasks, check=check).ok()
    assert cloud.secret not in done.output
    if not check:
        assert path.with_name("config.token").read_text().startswith("eyJ")


@pytest.mark.slow
def test_who_is_in_no_group_of_the_cluster_is_forbidden(
    run_task: TaskRunner, run_all: TasksRunner, entra_cluster: Any, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    run_task("aks_kubeconfig", {**entra_cluster.named, "path": str(path), "login": "token"})
    others = {"managed": True, "adminGroupObjectIDs": ["7b1f6d1e-52b0-4f0d-9a38-0f5a5b1f2c11"]}
    declared = entra_cluster.declared
    run_task("aks_cluster", {**declared, "properties": {**declared["properties"], "aadProfile": others}})
    asked = {"kubeconfig": str(path), "definitions": [config_map("entra-forbidden", a="b")]}
    try:
        refused = run_task("k8s_objects", asked, fails=True)
    finally:
        run_task("aks_cluster", declared)
    assert "Forbidden" in json.dumps(refused["error"]) or "forbidden" in refused["msg"]
    assert run_task("k8s_objects", asked)["changed"]


@pytest.mark.slow
def test_the_administrators_credential_is_refused_with_what_to_do(
    run_task: TaskRunner, entra_cluster: Any, tmp_path: Path
) -> None:
    named = {**entra_cluster.named, "path": str(tmp_path / "config"), "credential": "admin"}
    failed = run_task("aks_kubeconfig", named, fails=True)
    assert "local accounts" in failed["msg"]
    assert "Use the credential user, with a login through Entra (login)." in failed["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_login_where_there_is_no_entra(run_task: TaskRunner, cluster: Any, tmp_path: Path) -> None:
    named = {"name": cluster.name, "resource_group": cluster.resource_group, "path": str(tmp_path / "config")}
    for login in ("token", "azurecli"):
        failed = run_task("aks_kubeconfig", {**named, "login": login}, fails=True)
        assert "has no Entra authentication" in failed["msg"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("login", [None, "azurecli", "spn", "msi", "workloadidentity", "devicecode"])
@pytest.mark.slow
def test_a_converted_kubeconfig_stays_and_an_edited_one_does_not(
    run_task: TaskRunner, cloud: Any, entra_cluster: Any, tmp_path: Path, login: str | None
) -> None:
    path = tmp_path / "config"
    declared = {**entra_cluster.named, "path": str(path), **({"login": login} if login else {})}
    assert run_task("aks_kubeconfig", declared)["changed"]
    first = path.read_text()
    assert ("--login\n      - " + (login or "devicecode") in first) or f"--login {login}" in first
    assert cloud.secret not in first
    assert not run_task("aks_kubeconfig", declared)["changed"]

    # as `kubelogin convert-kubeconfig --cache-dir` adds it
    path.write_text(first.replace("- get-token\n", "- get-token\n      - --cache-dir\n      - /tmp/cache\n"))
    assert "--cache-dir" in path.read_text()
    assert not run_task("aks_kubeconfig", declared)["changed"]
    # a new certificate of the cluster is written, and the person's option stays
    edited = path.read_text()
    path.write_text(edited.replace("server: https://", "server: https://old."))
    assert run_task("aks_kubeconfig", declared)["changed"]
    assert "--cache-dir" in path.read_text()
    assert "https://old." not in path.read_text()

    path.write_text(edited.replace("command: kubelogin", "command: /tmp/kubelogin"))
    shown = run_task("aks_kubeconfig", declared, check=True)
    assert "/tmp/kubelogin" in shown["diff"][0]["before"]
    assert run_task("aks_kubeconfig", declared)["diff"] == shown["diff"]
    assert not run_task("aks_kubeconfig", declared)["changed"]


@pytest.mark.slow
def test_the_service_is_asked_once_and_entra_once(
    run_task: TaskRunner, cloud: Any, entra_cluster: Any, tmp_path: Path
) -> None:
    log = RequestLog(cloud.settings.state / "azure")
    before = len(log.requests())
    run_task("aks_kubeconfig", {**entra_cluster.named, "path": str(tmp_path / "config"), "login": "token"})
    paths = [entry["path"].rpartition("/")[2] for entry in log.requests()[before:]]
    assert paths.count("token") == 2
    assert paths.count("listClusterUserCredential") == 1
