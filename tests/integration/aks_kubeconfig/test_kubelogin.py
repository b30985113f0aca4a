# SPDX-License-Identifier: GPL-3.0-or-later
"""kubelogin itself, built from its Go module: it writes what we write, leaves what we accept, and logs in with it."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils.arm.kubelogin import Own, entra_of, with_login
from localcloud.azure.credentials import auth_provider, plugin
from localcloud.extra_programs import KUBELOGIN, ensure_program

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TaskRunner = Callable[..., dict[str, Any]]
TENANT = "0f05f212-c61b-440a-9b80-9c0fde868da5"
APPLICATION = "72d45ac9-e23e-4f72-8725-7284bd81abf0"
# login, what our task knows of itself, and the options of convert-kubeconfig that say the same
CONVERSIONS: dict[str, tuple[str, Own, list[str]]] = {
    "azurecli": ("azurecli", Own("cli"), []),
    "spn": (
        "spn",
        Own("secret", client_id=APPLICATION, tenant=TENANT),
        ["--client-id", APPLICATION, "--tenant-id", TENANT],
    ),
    "spn with a certificate": (
        "spn",
        Own("certificate", client_id=APPLICATION, tenant=TENANT, certificate_path="/c.pem"),
        ["--client-id", APPLICATION, "--tenant-id", TENANT, "--client-certificate", "/c.pem"],
    ),
    "msi": ("msi", Own("msi"), []),
    "msi of a user-assigned identity": ("msi", Own("msi", client_id=APPLICATION), ["--client-id", APPLICATION]),
    "workloadidentity": ("workloadidentity", Own("cli"), []),
    "workloadidentity of the task": (
        "workloadidentity",
        Own("workload_identity", client_id=APPLICATION, tenant=TENANT, token_file="/t"),
        ["--client-id", APPLICATION, "--tenant-id", TENANT, "--federated-token-file", "/t"],
    ),
    "devicecode": ("devicecode", Own("cli"), []),
}


@pytest.fixture(scope="session")
def kubelogin(cloud: Any) -> Path:
    return ensure_program(KUBELOGIN, cloud.settings, print)


def convert(kubelogin: Path, file: Path, login: str, *options: str) -> None:
    argv = [str(kubelogin), "convert-kubeconfig", "--kubeconfig", str(file), "--login", login, *options]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "AAD_"))}
    subprocess.run(argv, env=clean, check=True, capture_output=True)


def user_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())["users"][0]["user"]
    return found


@pytest.mark.parametrize("service", [plugin(TENANT), auth_provider(TENANT)], ids=["exec", "auth provider"])
@pytest.mark.parametrize("case", CONVERSIONS)
def test_it_writes_what_we_write(kubelogin: Path, tmp_path: Path, case: str, service: dict[str, Any]) -> None:
    login, own, options = CONVERSIONS[case]
    file = tmp_path / "config"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1"}}],
        "users": [{"name": "u", "user": copy.deepcopy(service)}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    file.write_text(yaml.safe_dump(config))
    convert(kubelogin, file, login, *options)
    entra = entra_of(service)
    assert entra is not None
    assert with_login(entra, login, own) == user_of(file)


@pytest.mark.parametrize("login", [None, "azurecli", "spn", "msi", "workloadidentity", "devicecode"])
def test_what_a_person_converts_stays(
    run_task: TaskRunner, entra_cluster: Any, kubelogin: Path, tmp_path: Path, login: str | None
) -> None:
    path = tmp_path / "config"
    declared = {**entra_cluster.named, "path": str(path), **({"login": login} if login else {})}
    run_task("aks_kubeconfig", declared)
    # in a cloud that kubelogin has no name for, these two are told where it is, which convert-kubeconfig takes away
    if login not in ("spn", "devicecode"):
        convert(kubelogin, path, login or "azurecli", "--cache-dir", str(tmp_path / "cache"))
    before = path.read_text()
    assert not run_task("aks_kubeconfig", declared)["changed"]
    assert path.read_text() == before
    convert(kubelogin, path, "msi" if login == "azurecli" else "azurecli")
    assert run_task("aks_kubeconfig", declared)["changed"] == (login is not None)


def test_an_application_logs_in_by_it(
    run_task: TaskRunner, entra_cluster: Any, kubelogin: Path, cloud: Any, tmp_path: Path
) -> None:
    """spn: the secret is in the environment only, also of kubectl, and nowhere in the file."""
    path = tmp_path / "config"
    declared = {**entra_cluster.named, "path": str(path), "login": "spn"}
    assert run_task("aks_kubeconfig", declared)["changed"]
    assert cloud.secret not in path.read_text()
    environment = {
        **cloud.process_environment(),
        "PATH": f"{kubelogin.parent}:{os.environ['PATH']}",
        "AZURE_CLIENT_SECRET": cloud.secret,
        "HOME": str(tmp_path),
    }
    argv = [cloud.environment["kubectl"], "--kubeconfig", str(path), "get", "nodes", "-o", "name"]
    nodes = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert nodes.stdout.startswith("node/"), nodes.stderr
    metadata = {"name": "by-kubelogin", "namespace": "default"}
    object_ = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}
    asked = {"kubeconfig": str(path), "definitions": [object_]}
    assert run_task("k8s_objects", asked, env=environment)["changed"]
    assert not run_task("k8s_objects", asked, env=environment)["changed"]
    assert not run_task("aks_kubeconfig", declared)["changed"]

    # it keeps tokens of its own below the home directory, and asks nobody while one is good
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    wrong = {**environment, "HOME": str(elsewhere), "AZURE_CLIENT_SECRET": "canary-of-a-wrong-secret"}
    failed = run_task("k8s_objects", asked, env=wrong, fails=True)
    assert "kubelogin" in failed["msg"]
    assert "AADSTS7000215: Invalid client secret provided." in failed["msg"]
    assert "canary-of-a-wrong-secret" not in str(failed)
