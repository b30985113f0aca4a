# SPDX-License-Identifier: GPL-3.0-or-later
"""aks_kubeconfig for clusters with Entra: the ways of logging in, the token that a run renews, and what is refused."""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.local_azure import SECRET, Azure

from ansible_collections.mcpops.platform.plugins.module_utils.arm import cluster_token
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import login_records
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, aks_kubeconfig, azure_resource

GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2"}
NAMED = {"name": "c1", "resource_group": "rg"}
ADMINS = "b1f3a0f6-58a0-4a53-8c52-0fd0d6a8e2c7"
CLUSTER = {
    **NAMED,
    "location": "eastus2",
    "node_pools": [{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}],
    "properties": {"aadProfile": {"managed": True, "adminGroupObjectIDs": [ADMINS]}, "disableLocalAccounts": True},
}


@pytest.fixture
def entra(azure: Azure) -> Azure:
    azure.run(azure_resource, GROUP)
    assert azure.run(aks_cluster, CLUSTER)["changed"]
    return azure


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def user_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["users"][0]["user"]
    return found


def forget_tokens(directory: Path) -> None:
    """As if the token that this run has were about to expire."""
    for file in (directory / "mcpops").iterdir():
        if file.name.startswith("login-"):
            file.write_text(json.dumps({**json.loads(file.read_text()), "due": time.time() - 1}))
        else:
            file.unlink()


def test_a_token_from_nothing_to_nothing(entra: Azure, tmp_path: Path) -> None:
    path, token_file = tmp_path / "kube" / "c1", tmp_path / "kube" / "c1.token"
    declared = {**NAMED, "path": str(path), "login": "token"}
    assert entra.run(aks_kubeconfig, declared, check=True)["changed"]
    assert not path.parent.exists()
    task = entra.task(aks_kubeconfig, declared)
    written = aks_kubeconfig.OPERATION(task).to_dict(True)
    token = token_file.read_text()
    assert claims(token)["aud"] == "6dae42f8-4368-4678-94ff-3960e28e3630"
    assert user_of(path) == {"tokenFile": str(token_file)}
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, token_file)] == [0o600, 0o600]
    assert token in task.secrets
    assert token not in json.dumps(written)
    assert not entra.run(aks_kubeconfig, declared)["changed"]

    token_file.chmod(0o640)
    assert "token mode" in entra.run(aks_kubeconfig, declared)["diff"][0]["before"]
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600

    absent = {**declared, "state": "absent"}
    shown = entra.run(aks_kubeconfig, absent, check=True)
    assert token_file.exists()
    assert entra.run(aks_kubeconfig, absent)["diff"] == shown["diff"]
    assert list(path.parent.iterdir()) == []
    assert login_records(entra.run_directory) == []


def test_a_run_renews_its_token(entra: Azure, tmp_path: Path) -> None:
    path, token_file = tmp_path / "c1", tmp_path / "c1.token"
    declared = {**NAMED, "path": str(path), "login": "token"}
    entra.run(aks_kubeconfig, declared)
    first, kubeconfig = token_file.read_text(), path.read_text()
    task = entra.task(aks_kubeconfig, declared)
    cluster_token.start_renewal(task, entra.run_directory)
    assert token_file.read_text() == first
    forget_tokens(entra.run_directory)
    cluster_token.start_renewal(task, entra.run_directory)
    second = token_file.read_text()
    assert claims(second)["uti"] != claims(first)["uti"]
    assert claims(second)["oid"] == claims(first)["oid"]
    assert second in task.secrets
    # also while a task is at work
    forget_tokens(entra.run_directory)
    deadline = time.monotonic() + 60
    while token_file.read_text() == second and time.monotonic() < deadline:
        time.sleep(0.05)
    assert claims(token_file.read_text())["uti"] != claims(second)["uti"]
    assert path.read_text() == kubeconfig
    assert not entra.run(aks_kubeconfig, declared)["changed"]


def test_what_renews_it_opens_nothing_for_others(entra: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entra.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "c1"), "login": "token"})
    (record,) = login_records(entra.run_directory)
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert SECRET not in record.read_text()
    assert base64.b64encode(SECRET.encode()).decode().rstrip("=") not in record.read_text()
    token = (tmp_path / "c1.token").read_text()
    forget_tokens(entra.run_directory)
    monkeypatch.setattr(cluster_token, "_SEAL", base64.urlsafe_b64encode(os.urandom(32)))
    cluster_token.start_renewal(entra.task(aks_kubeconfig, {**NAMED, "path": "/x"}), entra.run_directory)
    assert (tmp_path / "c1.token").read_text() == token


def test_a_token_of_another_identity_is_replaced(entra: Azure, tmp_path: Path) -> None:
    path, token_file = tmp_path / "c1", tmp_path / "c1.token"
    declared = {**NAMED, "path": str(path), "login": "token"}
    entra.run(aks_kubeconfig, declared)
    own = token_file.read_text()
    head, payload, signature = own.split(".")
    other = {**claims(own), "oid": "00000000-0000-0000-0000-000000000001"}
    payload = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
    for foreign in (f"{head}.{payload}.{signature}", "no token at all", ""):
        token_file.write_text(foreign)
        changed = entra.run(aks_kubeconfig, declared)
        assert [change["path"] for change in changed["diff"][0]["changes"]] == ["token"]
        assert payload not in json.dumps(changed)
        assert claims(token_file.read_text())["oid"] == claims(own)["oid"]


def test_from_one_login_to_another(entra: Azure, tmp_path: Path) -> None:
    path, token_file = tmp_path / "c1", tmp_path / "c1.token"
    declared = {**NAMED, "path": str(path)}
    for login in ("token", "spn", "token", "azurecli", None):
        options = {**declared, **({"login": login} if login else {})}
        changed = entra.run(aks_kubeconfig, options)
        # an undeclared login leaves what convert-kubeconfig may have written
        assert changed["changed"] == (login is not None)
        assert token_file.exists() == (login == "token")
        assert not entra.run(aks_kubeconfig, options)["changed"]
    shown = entra.run(aks_kubeconfig, {**declared, "login": "msi"}, check=True)["diff"][0]
    assert "azurecli" in shown["before"]
    assert "msi" in shown["after"]


def test_in_check_mode_later_tasks_have_a_token_of_their_own(entra: Azure, tmp_path: Path) -> None:
    path = tmp_path / "c1"
    declared = {**NAMED, "path": str(path), "login": "token"}
    entra.run(aks_kubeconfig, declared)
    (tmp_path / "c1.token").write_text("expired")
    path.with_name("c1.token").chmod(0o600)
    entra.run(aks_kubeconfig, declared, check=True)
    (copy,) = (entra.run_directory / "mcpops").glob("kubeconfig-*")
    place = Path(user_of(copy)["tokenFile"])
    assert place.is_relative_to(entra.run_directory)
    assert claims(place.read_text())["aud"] == "6dae42f8-4368-4678-94ff-3960e28e3630"
    assert (tmp_path / "c1.token").read_text() == "expired"


@pytest.mark.parametrize("login", ["token", "azurecli", "spn", "msi", "workloadidentity", "devicecode"])
def test_the_administrators_credential_has_no_login(login: str) -> None:
    given = {**NAMED, "path": "/x", "credential": "admin", "login": login}
    assert [str(problem) for problem in aks_kubeconfig.PROBLEMS(given)] == [
        "login: is for the credential user: the administrator's is a certificate; leave one of the two out"
    ]
    assert aks_kubeconfig.PROBLEMS({**given, "credential": "user"}) == []


def test_a_login_that_nobody_knows(entra: Azure) -> None:
    with pytest.raises(AssertionError, match="value of login must be one of"):
        entra.task(aks_kubeconfig, {**NAMED, "path": "/x", "login": "interactive"})


def test_spn_without_an_application_asks_nobody(entra: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = len(entra.requests())
    task = entra.task(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "c1"), "login": "spn"})
    task.params |= {"auth_source": "msi", "secret": None}
    with pytest.raises(InvalidInput, match="spn logs in as the application of the task"):
        aks_kubeconfig.OPERATION(task)
    assert len(entra.requests()) == asked


def test_a_login_where_there_is_no_entra(azure: Azure, tmp_path: Path) -> None:
    azure.run(azure_resource, GROUP)
    azure.run(aks_cluster, {key: value for key, value in CLUSTER.items() if key != "properties"})
    for login in ("token", "azurecli"):
        failed = azure.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "c1"), "login": login})
        assert failed["error"]["kind"] == "refused"
        assert "has no Entra authentication" in failed["msg"]
        assert "aadProfile" in failed["msg"]
    assert not (tmp_path / "c1").exists()


def test_local_accounts_off_is_told_with_what_to_do(entra: Azure, tmp_path: Path) -> None:
    failed = entra.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "c1"), "credential": "admin"})
    assert "Use the credential user, with a login through Entra (login)." in failed["msg"]


def test_secrets_in_a_converted_file_are_never_shown(entra: Azure, tmp_path: Path) -> None:
    path = tmp_path / "c1"
    entra.run(aks_kubeconfig, {**NAMED, "path": str(path), "login": "spn"})
    words = "- get-token\n      - --client-secret\n      - canary-of-a-person\n"
    path.write_text(path.read_text().replace("- get-token\n", words).replace("command: kubelogin", "command: ./other"))
    assert "canary" in path.read_text()
    task = entra.task(aks_kubeconfig, {**NAMED, "path": str(path), "login": "spn"}, check=True)
    aks_kubeconfig.OPERATION(task)
    assert "canary-of-a-person" in task.secrets


# --- the proxy of a private cluster


def proxy_of(path: Path) -> Any:
    return yaml.safe_load(path.read_text())["clusters"][0]["cluster"].get("proxy-url")


def test_a_proxy_is_kept_and_an_undeclared_one_left(entra: Azure, tmp_path: Path) -> None:
    path = tmp_path / "c1"
    declared = {**NAMED, "path": str(path), "login": "azurecli"}
    entra.run(aks_kubeconfig, declared)
    assert proxy_of(path) is None
    by_hand = yaml.safe_load(path.read_text())
    by_hand["clusters"][0]["cluster"]["proxy-url"] = "socks5://127.0.0.1:1080"
    path.write_text(yaml.safe_dump(by_hand))
    assert not entra.run(aks_kubeconfig, declared)["changed"]
    for url in ("http://me:canary-of-a-proxy@proxy.example.org:3128", "https://proxy.example.org"):
        task = entra.task(aks_kubeconfig, {**declared, "proxy_url": url})
        assert aks_kubeconfig.OPERATION(task).to_dict(True)["changed"]
        assert proxy_of(path) == url
        assert not entra.run(aks_kubeconfig, {**declared, "proxy_url": url})["changed"]
    shown = entra.run(aks_kubeconfig, {**declared, "proxy_url": ""})
    assert "proxy.example.org" in shown["diff"][0]["before"]
    assert proxy_of(path) is None


def test_the_login_of_a_proxy_is_not_shown(entra: Azure, tmp_path: Path) -> None:
    declared = {
        **NAMED,
        "path": str(tmp_path / "c1"),
        "proxy_url": "http://me:canary-of-a-proxy@proxy.example.org:3128",
    }
    task = entra.task(aks_kubeconfig, declared)
    aks_kubeconfig.OPERATION(task)
    assert "canary-of-a-proxy" in task.secrets


@pytest.mark.parametrize("url", ["proxy.example.org:3128", "ftp://proxy.example.org", "http://", "socks4://a:1", "/x"])
def test_what_is_not_a_proxy_is_refused(url: str) -> None:
    (problem,) = aks_kubeconfig.PROBLEMS({**NAMED, "path": "/x", "credential": "user", "proxy_url": url})
    assert str(problem).startswith("proxy_url: is not the URL of a proxy")
