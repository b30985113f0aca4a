# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks: options, both spellings of the environment, profiles, the CLI's login, and what is said without any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import (
    VARIABLES,
    Cloud,
    azure_argument_spec,
    find_cloud,
    resolve_identity,
)
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache

ANSIBLE = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_CLIENT_ID": "c", "AZURE_SECRET": "x", "AZURE_TENANT": "t"}
SDK = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "x", "AZURE_TENANT_ID": "t"}
FEDERATED = {**{k: v for k, v in SDK.items() if k != "AZURE_CLIENT_SECRET"}, "AZURE_FEDERATED_TOKEN_FILE": "/token"}
CERTIFICATE = {
    **{k: v for k, v in SDK.items() if k != "AZURE_CLIENT_SECRET"},
    "AZURE_CLIENT_CERTIFICATE_PATH": "/c.pem",
}
MANAGED = {"AZURE_SUBSCRIPTION_ID": "s", "IDENTITY_ENDPOINT": "http://169.254.1.1/token"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / ".azure"
    directory.mkdir()
    (directory / "credentials").write_text(
        "[default]\nsubscription_id=ds\nclient_id=dc\nsecret=dx\ntenant=dt\n"
        "[other]\nsubscription_id=os\nclient_id=oc\nsecret=100%x\ntenant=ot\n"
    )
    profile = {"subscriptions": [{"id": "no"}, {"id": "cli", "isDefault": True}]}
    (directory / "azureProfile.json").write_text(json.dumps(profile), encoding="utf-8-sig")
    return tmp_path


RESOLVED: dict[str, tuple[dict[str, Any], dict[str, str], tuple[str, str, str]]] = {
    "Ansible's variables": ({}, ANSIBLE, ("secret", "s", "c")),
    "the SDK's variables": ({}, SDK, ("secret", "s", "c")),
    "an option over a variable": ({"subscription_id": "o", "client_id": "oc"}, SDK, ("secret", "o", "oc")),
    "a federated token": ({}, FEDERATED, ("workload_identity", "s", "c")),
    "a certificate": ({}, CERTIFICATE, ("certificate", "s", "c")),
    "a managed identity that announces itself": ({}, MANAGED, ("msi", "s", "")),
    "a managed identity asked for": ({"auth_source": "msi", "subscription_id": "s"}, {}, ("msi", "s", "")),
    "the default profile": ({}, {}, ("secret", "ds", "dc")),
    "a named profile": ({"profile": "other"}, {}, ("secret", "os", "oc")),
    "a profile by variable": ({"auth_source": "credential_file"}, {"AZURE_PROFILE": "other"}, ("secret", "os", "oc")),
    "the CLI": ({"auth_source": "cli"}, {}, ("cli", "cli", "")),
    "the source by variable": ({}, {"ANSIBLE_AZURE_AUTH_SOURCE": "cli"}, ("cli", "cli", "")),
    "the CLI for another subscription": ({"auth_source": "cli"}, {"AZURE_SUBSCRIPTION_ID": "s"}, ("cli", "s", "")),
}


@pytest.mark.parametrize(("params", "env", "found"), RESOLVED.values(), ids=RESOLVED.keys())
def test_resolves(home: Path, params: dict[str, Any], env: dict[str, str], found: tuple[str, str, str]) -> None:
    identity = resolve_identity(params, {"HOME": str(home), **env})
    assert (identity.kind, identity.subscription_id, identity.client_id) == found


def test_the_cli_is_last_in_auto(home: Path) -> None:
    (home / ".azure" / "credentials").unlink()
    assert resolve_identity({}, {"HOME": str(home)}).kind == "cli"


MISSING: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    "nothing": ({}, {}, ["client_id", "secret", "tenant", "auth_source", "subscription_id"]),
    "all but the tenant": ({"client_id": "c", "secret": "x", "subscription_id": "s"}, {}, ["tenant"]),
    "no subscription": ({"client_id": "c", "secret": "x", "tenant": "t"}, {}, ["subscription_id"]),
    "no token file": (
        {"auth_source": "workload_identity", "client_id": "c", "tenant": "t", "subscription_id": "s"},
        {},
        ["federated_token_file"],
    ),
    "no such profile": ({"profile": "nope"}, {}, ["profile"]),
    "no such source": ({}, {"ANSIBLE_AZURE_AUTH_SOURCE": "nope"}, ["ANSIBLE_AZURE_AUTH_SOURCE"]),
}


@pytest.mark.parametrize(("params", "env", "paths"), MISSING.values(), ids=MISSING.keys())
def test_says_what_to_set(tmp_path: Path, params: dict[str, Any], env: dict[str, str], paths: list[str]) -> None:
    with pytest.raises(InvalidInput) as failure:
        resolve_identity(params, {"HOME": str(tmp_path), **env})
    assert [problem.path for problem in failure.value.problems] == paths
    for problem in failure.value.problems:
        for variable in VARIABLES.get(problem.path, ())[:2]:
            assert variable in problem.message or problem.path in ("auth_source", "profile")


def test_a_secret_is_in_no_representation() -> None:
    assert "hush" not in repr(resolve_identity({"secret": "hush"}, ANSIBLE))


def test_another_secret_is_another_identity() -> None:
    one, two = (resolve_identity({"secret": secret}, ANSIBLE).fingerprint() for secret in ("a", "b"))
    assert one != two


@pytest.mark.parametrize(
    ("params", "env", "verify"),
    [
        pytest.param({}, {}, True, id="well-known authorities"),
        pytest.param({}, {"REQUESTS_CA_BUNDLE": "/a"}, "/a", id="requests' variable"),
        pytest.param({}, {"SSL_CERT_FILE": "/b"}, "/b", id="OpenSSL's variable"),
        pytest.param({"cert_validation_mode": "ignore"}, {"REQUESTS_CA_BUNDLE": "/a"}, False, id="ignored"),
    ],
)
def test_certificates(params: dict[str, Any], env: dict[str, str], verify: bool | str) -> None:
    assert resolve_identity(params, {**ANSIBLE, **env}).verify == verify


def test_no_option_reads_the_environment_by_itself() -> None:
    """A fallback would be evaluated before the task's own environment is known."""
    assert not any("fallback" in option for option in azure_argument_spec().values())
    assert all("default" not in option for option in azure_argument_spec().values())


DOCUMENT = {
    "resourceManager": "https://arm.example.org/",
    "authentication": {"loginEndpoint": "https://login.example.org/", "audiences": ["https://arm.example.org/", "x"]},
}


def cloud(name: str, authority: str = "", document: Any = DOCUMENT) -> Cloud:
    return find_cloud(name, authority, RunCache(None), lambda url: document)


@pytest.mark.parametrize("name", ["AzureCloud", "azurecloud", "AZURE_PUBLIC_CLOUD"])
def test_the_public_cloud(name: str) -> None:
    found = cloud(name)
    assert found.resource_manager == "https://management.azure.com"
    assert found.scope == "https://management.azure.com/.default"
    assert found.well_known


def test_a_cloud_by_its_url(tmp_path: Path) -> None:
    asked: list[str] = []

    def get_json(url: str) -> Any:
        asked.append(url)
        return DOCUMENT

    cache = RunCache(tmp_path)
    for _task in range(3):
        found = find_cloud("https://arm.example.org", "", cache, get_json)
    assert asked == ["https://arm.example.org/metadata/endpoints?api-version=2022-09-01"]
    assert found == Cloud("https://arm.example.org", "https://login.example.org", "https://arm.example.org/", False)


def test_another_authority() -> None:
    assert cloud("AzureCloud", "login.example.org").authority == "https://login.example.org"


@pytest.mark.parametrize("name", ["AzureGermany", "http://arm.example.org", "arm.example.org"])
def test_no_cloud(name: str) -> None:
    with pytest.raises(InvalidInput, match="cloud_environment"):
        cloud(name)


@pytest.mark.parametrize("document", [None, [], {}, {"authentication": {}}])
def test_no_metadata(document: Any) -> None:
    with pytest.raises(ServiceError, match="loginEndpoint"):
        cloud("https://nowhere.example.org", document=document)
