# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubelogin is told for each login, and which edits of a kubeconfig are convert-kubeconfig's own.

The expected arguments were read in kubelogin's sources (converter/convert.go of 0.2.19); that the program writes and
takes them is shown with the program itself (tests/integration/aks_kubeconfig/test_kubelogin.py).
"""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks_kubeconfig import (
    Kubeconfig,
    kubeconfig_changes,
    parse_kubeconfig,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.kubelogin import (
    LOGINS,
    SERVER_APP,
    Entra,
    Own,
    entra_of,
    is_converted,
    login_problems,
    secrets_of,
    with_login,
)

TENANT = "0f05f212-c61b-440a-9b80-9c0fde868da5"
CLIENT_APP = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
APPLICATION = "72d45ac9-e23e-4f72-8725-7284bd81abf0"
SERVICE = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "args": [
            *("get-token", "--environment", "AzurePublicCloud", "--server-id", SERVER_APP),
            *("--client-id", CLIENT_APP, "--tenant-id", TENANT, "--login", "devicecode"),
        ],
        "command": "kubelogin",
        "env": None,
        "installHint": "\nkubelogin is missing\n",
        "provideClusterInfo": False,
    }
}
LEGACY = {
    "auth-provider": {
        "name": "azure",
        "config": {
            "apiserver-id": SERVER_APP,
            "client-id": CLIENT_APP,
            "config-mode": "1",
            "environment": "AzurePublicCloud",
            "tenant-id": TENANT,
        },
    }
}
SECRET = Own("secret", client_id=APPLICATION, tenant=TENANT)
CERTIFICATE = Own("certificate", client_id=APPLICATION, tenant=TENANT, certificate_path="/keys/app.pem")
FEDERATED = Own("workload_identity", client_id=APPLICATION, tenant=TENANT, token_file="/var/run/token")
CASES: dict[str, tuple[str, Own, list[str]]] = {
    "azurecli": ("azurecli", Own("cli"), []),
    "azurecli with a secret of the task's": ("azurecli", SECRET, []),
    "devicecode": (
        "devicecode",
        SECRET,
        ["--client-id", CLIENT_APP, "--tenant-id", TENANT, "--environment", "AzurePublicCloud"],
    ),
    "spn with a secret": (
        "spn",
        SECRET,
        ["--client-id", APPLICATION, "--tenant-id", TENANT, "--environment", "AzurePublicCloud"],
    ),
    "spn with a certificate": (
        "spn",
        CERTIFICATE,
        [
            *("--client-id", APPLICATION, "--tenant-id", TENANT, "--environment", "AzurePublicCloud"),
            *("--client-certificate", "/keys/app.pem"),
        ],
    ),
    "spn in a cloud of a name unknown to kubelogin": (
        "spn",
        Own("secret", client_id=APPLICATION, tenant=TENANT, authority="https://login.example.org"),
        [
            *("--client-id", APPLICATION, "--tenant-id", TENANT, "--environment", "AzurePublicCloud"),
            *("--authority-host", "https://login.example.org/", "--disable-instance-discovery"),
        ],
    ),
    "msi of the system": ("msi", Own("msi"), []),
    "msi of a user-assigned identity": ("msi", Own("msi", client_id=APPLICATION), ["--client-id", APPLICATION]),
    "msi, where the task is somebody else": ("msi", SECRET, []),
    "workloadidentity": (
        "workloadidentity",
        FEDERATED,
        ["--client-id", APPLICATION, "--tenant-id", TENANT, "--federated-token-file", "/var/run/token"],
    ),
    "workloadidentity, where the task is somebody else": ("workloadidentity", SECRET, []),
}


@pytest.mark.parametrize("service", [SERVICE, LEGACY], ids=["exec", "auth provider"])
@pytest.mark.parametrize("case", CASES)
def test_what_kubelogin_is_told(case: str, service: dict[str, Any]) -> None:
    login, own, words = CASES[case]
    entra = entra_of(service)
    assert entra is not None
    plugin = with_login(entra, login, own)["exec"]
    assert plugin["args"] == ["get-token", "--login", login, "--server-id", SERVER_APP, *words]
    assert (plugin["command"], plugin["apiVersion"]) == ("kubelogin", "client.authentication.k8s.io/v1beta1")
    assert "kubelogin is" in plugin["installHint"]


@pytest.mark.parametrize(
    "user",
    [
        {"client-certificate-data": "Yw==", "client-key-data": "aw=="},
        {"token": "t"},
        {"exec": {"command": "aws", "args": ["eks", "get-token"]}},
        {"auth-provider": {"name": "oidc", "config": {}}},
        {},
    ],
    ids=["certificate", "token", "another plugin", "another provider", "nothing"],
)
def test_other_credentials_have_no_entra_login(user: dict[str, Any]) -> None:
    assert entra_of(user) is None
    assert not is_converted(user, _entra(), None)


def test_spn_needs_an_application() -> None:
    for own in (Own("cli"), Own("msi", client_id=APPLICATION), Own("secret")):
        assert "spn logs in as the application of the task" in login_problems("spn", own)[0].message
    assert all(login_problems(login, Own("cli")) == [] for login in (*LOGINS, "") if login != "spn")
    assert login_problems("spn", SECRET) == login_problems("spn", CERTIFICATE) == []


# --- what convert-kubeconfig writes is no drift


def converted(*words: str, env: Any = None, **more: Any) -> dict[str, Any]:
    """The user as convert-kubeconfig leaves it."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "args": ["get-token", *words],
        "command": "kubelogin",
        "env": env,
        "installHint": "\nkubelogin is missing\n",
        "provideClusterInfo": False,
        **more,
    }
    return {"exec": plugin}


def _entra() -> Any:
    entra = entra_of(SERVICE)
    assert entra is not None
    return entra


SERVER = ("--server-id", SERVER_APP)
OF_CONVERT = {
    "azurecli": converted("--login", "azurecli", *SERVER),
    "azurecli of another directory": converted(
        "--login", "azurecli", *SERVER, env=[{"name": "AZURE_CONFIG_DIR", "value": "/home/me/.azure-work"}]
    ),
    "spn with the secret in the file": converted(
        *("--login", "spn", *SERVER, "--client-id", APPLICATION, "--tenant-id", TENANT),
        *("--environment", "AzurePublicCloud", "--client-secret", "canary"),
    ),
    "msi": converted("--login", "msi", *SERVER, "--client-id", APPLICATION),
    "msi by resource": converted("--login", "msi", *SERVER, "--identity-resource-id", "/subscriptions/x"),
    "workloadidentity": converted("--login", "workloadidentity", *SERVER, "--federated-token-file", "/t"),
    "interactive": converted(
        "--login",
        "interactive",
        *SERVER,
        "--client-id",
        CLIENT_APP,
        "--tenant-id",
        TENANT,
        "--redirect-url",
        "http://x",
    ),
    "a cache of its own": converted("--login", "azurecli", *SERVER, "--cache-dir", "/tmp/cache"),
    "its old name": converted("--login", "azurecli", *SERVER, "--token-cache-dir", "/tmp/cache"),
    "short options": converted("-l", "azurecli", *SERVER),
    "options with =": converted("--login=azurecli", f"--server-id={SERVER_APP}"),
    "proof of possession": converted("--login", "interactive", *SERVER, "--pop-enabled", "--pop-claims", "u=x"),
    "what the service gave": SERVICE,
}


@pytest.mark.parametrize("case", OF_CONVERT)
def test_without_a_declared_login_every_conversion_stands(case: str) -> None:
    assert is_converted(OF_CONVERT[case], _entra(), None)


EDITED = {
    "another program": converted("--login", "azurecli", *SERVER, command="/tmp/kubelogin"),
    "another application": converted("--login", "azurecli", "--server-id", CLIENT_APP),
    "an option that convert never writes": converted("--login", "azurecli", *SERVER, "--timeout", "10s"),
    "another command of kubelogin": {"exec": {**converted()["exec"], "args": ["convert-kubeconfig", *SERVER]}},
    "no arguments": {"exec": {**converted()["exec"], "args": None}},
    "an option without its value": converted("--login", "azurecli", "--server-id"),
    "a variable": converted("--login", "azurecli", *SERVER, env=[{"name": "HTTPS_PROXY", "value": "http://x"}]),
    "a token beside it": {**converted("--login", "azurecli", *SERVER), "token": "t"},
    "not a plugin's version": converted("--login", "azurecli", *SERVER, apiVersion="v1"),
}


@pytest.mark.parametrize("case", EDITED)
def test_any_other_edit_is_drift(case: str) -> None:
    assert not is_converted(EDITED[case], _entra(), None)


def test_a_declared_login_has_to_be_the_one() -> None:
    wanted = with_login(_entra(), "spn", SECRET)
    assert is_converted(wanted, _entra(), wanted)
    with_secret = OF_CONVERT["spn with the secret in the file"]
    assert is_converted(with_secret, _entra(), wanted)
    for other in ("azurecli", "msi", "what the service gave", "interactive"):
        assert not is_converted(OF_CONVERT[other], _entra(), wanted), other
    somebody = copy.deepcopy(with_secret)
    somebody["exec"]["args"][somebody["exec"]["args"].index(APPLICATION)] = CLIENT_APP
    assert not is_converted(somebody, _entra(), wanted)


PLUGIN_LOGINS = [login for login in LOGINS if login != "token"]
OWNS = (SECRET, CERTIFICATE, FEDERATED, Own("cli"), Own("msi"), Own("msi", client_id=APPLICATION))


def test_what_is_written_stands_and_nothing_else() -> None:
    """What we write for a login is a conversion of what the service gave, is as declared, and is no other login."""
    for login, own, other in itertools.product(PLUGIN_LOGINS, OWNS, PLUGIN_LOGINS):
        wanted = with_login(_entra(), login, own)
        assert is_converted(wanted, _entra(), None)
        assert is_converted(wanted, _entra(), wanted)
        again = entra_of(wanted)
        assert again is not None
        assert (again.login, again.server_id) == (login, SERVER_APP)
        assert is_converted(wanted, _entra(), with_login(_entra(), other, own)) == (login == other)


def test_secrets_that_a_person_put_into_the_file() -> None:
    assert secrets_of(OF_CONVERT["spn with the secret in the file"]) == ["canary"]
    assert secrets_of(converted("--client-secret=canary", "--client-certificate-password", "p")) == ["p", "canary"]
    variables = [{"name": "AZURE_CLIENT_SECRET", "value": "canary"}, {"name": "AZURE_CONFIG_DIR", "value": "/x"}]
    assert secrets_of(converted(env=variables)) == ["canary"]
    assert secrets_of(SERVICE) == secrets_of({"token": "t"}) == []


@pytest.mark.parametrize("name", ["clusterUser_rg_c1", "clusterUser_rg.exec.x_c1", "u.tokenFile", "(a).user.exec.b"])
def test_how_somebody_logs_in_is_shown_and_what_proves_it_is_not(name: str) -> None:
    before = {"token": "canary", "client-key-data": "canary", "exec": {"args": ["--login", "msi"]}}
    after = {"token": "other", "exec": {"args": ["--login", "spn"]}, "tokenFile": "/home/me/agents.token"}
    sides = [Kubeconfig("", {"users": [{"name": name, "user": user}]}) for user in (before, after)]
    shown = {change.path.rpartition("].user.")[2]: change.secret for change in kubeconfig_changes(*sides)}
    assert shown == {"token": True, "client-key-data": True, "exec.args[1]": False, "tokenFile": False}


@pytest.mark.parametrize(
    "text",
    {
        "a cluster that is a text": "clusters: [{name: a, cluster: x}]\nusers: [{name: a, user: y}]",
        "entries that are texts": "clusters: [x]\nusers: [y]\ncontexts: z",
        "lists in place of mappings": "clusters: [{name: a, cluster: [1]}]\nusers: [{name: a, user: [1]}]",
        "an exec that is none": "users: [{name: a, user: {exec: {command: kubelogin, args: {a: 1}, env: 7}}}]",
        "an auth provider that is none": "users: [{name: a, user: {auth-provider: {name: azure, config: x}}}]",
        "a date that is none": "clusters: 2020-13-45",
        "brackets without an end": "[" * 100_000,
        "a list": "- a",
        "nothing": "",
    }.items(),
    ids=lambda item: item[0],
)
def test_a_file_of_somebody_else_is_read_whatever_it_holds(text: tuple[str, str]) -> None:
    """It may be overwritten or not, but nothing of it ends in a traceback."""
    found = parse_kubeconfig(text[1])
    assert (found.server, found.proxy_url, found.credentials()) == ("", "", [])
    assert found.beside(("agents",)) in ("", "something other than a kubeconfig")
    assert entra_of(found.user) is None or found.user
    assert not is_converted(found.user, Entra({}), None)
