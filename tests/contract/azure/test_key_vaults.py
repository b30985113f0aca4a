# SPDX-License-Identifier: GPL-3.0-or-later
"""Vaults and their secrets, by Microsoft's own clients: who may do what, and how refusals read."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient

from localcloud.azure.principals import Principal

from .conftest import DATA_HOSTS, SUB, SUBSCRIPTION, TENANT, Azure, until

VERSION = "2026-05-15"
VAULTS = "/resourceGroups/rg/providers/Microsoft.KeyVault/vaults"
OFFICER, USER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "4633458b-17de-408a-b874-0445c86b69e6"
READER, OWNER = "21090545-7ca7-4776-b22c-e363652d74d2", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


def body(**properties: Any) -> dict[str, Any]:
    given = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    return {"location": "eastus", "properties": {**given, **properties}}


@pytest.fixture
def ready(azure: Azure) -> Azure:
    azure.group()
    registered = azure.request("POST", f"{SUB}/providers/Microsoft.KeyVault/register", version="2021-04-01")
    assert registered.is_success
    return azure


def vault(azure: Azure, name: str = "kv-one", **properties: Any) -> str:
    made = azure.request("PUT", f"{VAULTS}/{name}", body(**properties), version=VERSION)
    assert made.status_code == 201, made.text
    return str(made.json()["properties"]["vaultUri"])


def secrets(azure: Azure, url: str, principal: Principal, **options: Any) -> SecretClient:
    # the vault's host is none below the resource of the challenge, as it is in Azure
    return SecretClient(
        url, azure.as_(principal), verify_challenge_resource=False, connection_verify=str(azure.ca), **options
    )


def code_of(refused: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str, str]:
    error = refused.value.error
    assert error is not None
    inner: Any = error.innererror or {}
    return refused.value.status_code, str(error.code), str(inner.get("code", ""))


# --- Resource Manager


def test_a_vault_lives_is_deleted_recovered_and_purged(ready: Azure) -> None:
    manager: Any = KeyVaultManagementClient(ready.credential(), SUBSCRIPTION, **ready.options())
    question = {"name": "KV-ONE", "type": "Microsoft.KeyVault/vaults"}
    assert manager.vaults.check_name_availability(question).name_available
    made = manager.vaults.begin_create_or_update("rg", "kv-one", body()).result()
    assert made.properties.vault_uri in [f"https://{host}/" for host in ready.config.data_hosts]
    assert (made.properties.enable_soft_delete, made.properties.soft_delete_retention_in_days) == (True, 90)
    assert [one.name for one in manager.vaults.list_by_resource_group("rg")] == ["kv-one"]
    answer = manager.vaults.check_name_availability(question)
    assert (answer.name_available, answer.reason) == (False, "AlreadyExists")

    manager.vaults.delete("rg", "kv-one")
    with pytest.raises(ResourceNotFoundError):
        manager.vaults.get("rg", "kv-one")
    assert [one.name for one in manager.vaults.list_deleted()] == ["kv-one"]
    assert manager.vaults.get_deleted("kv-one", "eastus").properties.vault_id == made.id
    with pytest.raises(HttpResponseError) as taken:
        manager.vaults.begin_create_or_update("rg", "kv-one", body())
    assert code_of(taken)[:2] == (409, "ConflictError")

    back = manager.vaults.begin_create_or_update("rg", "kv-one", body(createMode="recover")).result()
    assert back.properties.vault_uri == made.properties.vault_uri
    manager.vaults.delete("rg", "kv-one")
    manager.vaults.begin_purge_deleted("kv-one", "eastus").result()
    assert list(manager.vaults.list_deleted()) == []
    vault(ready)


def test_secrets_come_back_with_their_vault(ready: Azure) -> None:
    url = vault(ready)
    officer = ready.principal("officer", (OFFICER, "/resourceGroups/rg"))
    secrets(ready, url, officer).set_secret("one", "of one vault")
    ready.request("DELETE", f"{VAULTS}/kv-one", version=VERSION)
    with pytest.raises(HttpResponseError):
        secrets(ready, url, officer).get_secret("one")
    assert ready.request("PUT", f"{VAULTS}/kv-one", body(createMode="recover"), version=VERSION).is_success
    assert secrets(ready, url, officer).get_secret("one").value == "of one vault"


def test_a_group_leaves_its_vaults_deleted_and_recoverable(ready: Azure) -> None:
    vault(ready)
    gone = ready.request("DELETE", "/resourceGroups/rg", version="2025-04-01")
    assert gone.status_code == 202
    deleted = f"{SUB}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/kv-one"
    until(lambda: ready.request("GET", deleted, version=VERSION).is_success or None)


REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "two hyphens": ("kv--one", {}, 400, "VaultNameNotValid"),
    "a digit first": ("1vault", {}, 400, "VaultNameNotValid"),
    "a hyphen last": ("vault-", {}, 400, "VaultNameNotValid"),
    "too long": ("v" * 25, {}, 400, "VaultNameNotValid"),
    "no tenant": ("kv-one", {"tenantId": None}, 400, "BadRequest"),
    "another family": ("kv-one", {"sku": {"family": "B", "name": "standard"}}, 400, "BadRequest"),
    "no soft delete": ("kv-one", {"enableSoftDelete": False}, 400, "BadRequest"),
    "six days": ("kv-one", {"softDeleteRetentionInDays": 6}, 400, "BadRequest"),
    "91 days": ("kv-one", {"softDeleteRetentionInDays": 91}, 400, "BadRequest"),
    "purge protection off": ("kv-one", {"enablePurgeProtection": False}, 400, "BadRequest"),
    "nothing to recover": ("kv-one", {"createMode": "recover"}, 404, "DeletedVaultNotFound"),
}


@pytest.mark.parametrize(("name", "properties", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_a_vault_is_refused(ready: Azure, name: str, properties: dict[str, Any], status: int, code: str) -> None:
    answer = ready.request("PUT", f"{VAULTS}/{name}", body(**properties), version=VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_protected_vault_is_not_purged(ready: Azure) -> None:
    vault(ready, enablePurgeProtection=True)
    ready.request("DELETE", f"{VAULTS}/kv-one", version=VERSION)
    place = f"{SUB}/providers/Microsoft.KeyVault/locations/eastus/deletedVaults/kv-one/purge"
    refused = ready.request("POST", place, version=VERSION)
    assert (refused.status_code, refused.json()["error"]["code"]) == (405, "MethodNotAllowed")


def test_there_are_as_many_hosts_as_the_settings_say(ready: Azure) -> None:
    urls = {vault(ready, f"kv-{number}") for number in range(DATA_HOSTS)}
    assert len(urls) == DATA_HOSTS
    full = ready.request("PUT", f"{VAULTS}/kv-more", body(), version=VERSION)
    assert (full.status_code, full.json()["error"]["code"]) == (409, "SubscriptionQuotaExceeded")


# --- secrets


def test_a_secret_lives_and_dies(ready: Azure) -> None:
    url = vault(ready)
    client = secrets(ready, url, ready.principal("officer", (OFFICER, f"{VAULTS}/kv-one")))
    first = client.set_secret("Password", "one", tags={"a": "b"}, content_type="text/plain")
    second = client.set_secret("password", "two")
    assert (first.properties.version != second.properties.version, second.name) == (True, "Password")
    assert client.get_secret("password").value == "two"
    assert client.get_secret("password", first.properties.version).value == "one"
    assert {one.version for one in client.list_properties_of_secret_versions("password")} == {
        first.properties.version,
        second.properties.version,
    }
    assert [(one.name, one.recovery_level) for one in client.list_properties_of_secrets()] == [
        ("Password", "Recoverable+Purgeable")
    ]
    assert client.update_secret_properties("password", second.properties.version, enabled=False).enabled is False
    with pytest.raises(HttpResponseError) as disabled:
        client.get_secret("password")
    assert code_of(disabled) == (403, "Forbidden", "SecretDisabled")

    client.begin_delete_secret("password").wait()
    with pytest.raises(ResourceNotFoundError) as gone:
        client.get_secret("password")
    assert code_of(gone)[:2] == (404, "SecretNotFound")
    with pytest.raises(HttpResponseError) as kept:
        client.set_secret("password", "three")
    assert code_of(kept) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert [one.name for one in client.list_deleted_secrets()] == ["Password"]
    client.begin_recover_deleted_secret("password").wait()
    assert client.get_secret("password", first.properties.version).value == "one"
    client.begin_delete_secret("password").wait()
    client.purge_deleted_secret("password")
    assert list(client.list_deleted_secrets()) == []


def test_many_secrets_are_listed_in_pages(ready: Azure) -> None:
    client = secrets(ready, vault(ready), ready.principal("officer", (OFFICER, f"{VAULTS}/kv-one")))
    names = sorted(f"number-{number}" for number in range(27))
    for name in names:
        client.set_secret(name, name)
    assert [one.name for one in client.list_properties_of_secrets()] == names


# role → what it may: read the value, list, write
MAY = {USER: (True, True, False), READER: (False, True, False), OWNER: (False, False, False)}


@pytest.mark.parametrize(("role", "may"), MAY.items(), ids=["user", "reader", "owner"])
def test_what_a_role_may(ready: Azure, role: str, may: tuple[bool, bool, bool]) -> None:
    url = vault(ready)
    secrets(ready, url, ready.principal("officer", (OFFICER, "/resourceGroups/rg"))).set_secret("one", "value")
    client = secrets(ready, url, ready.principal("few", (role, f"{VAULTS}/kv-one")))
    asked: tuple[Callable[[], Any], ...] = (
        lambda: client.get_secret("one"),
        lambda: list(client.list_properties_of_secrets()),
        lambda: client.set_secret("two", "value"),
    )
    for ask, allowed in zip(asked, may, strict=True):
        if allowed:
            ask()
            continue
        with pytest.raises(HttpResponseError) as refused:
            ask()
        assert code_of(refused) == (403, "Forbidden", "ForbiddenByRbac")


def test_the_refusal_names_caller_action_and_secret(ready: Azure) -> None:
    few = ready.principal("few")
    with pytest.raises(HttpResponseError) as refused:
        secrets(ready, vault(ready), few).get_secret("one")
    text = str(refused.value.message)
    assert f"oid={few.object_id};" in text
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'" in text
    assert "/resourcegroups/rg/providers/microsoft.keyvault/vaults/kv-one/secrets/one'" in text
    assert "Vault: kv-one;location=eastus" in text


def test_a_role_on_one_secret_is_for_that_secret(ready: Azure) -> None:
    url = vault(ready)
    officer = secrets(ready, url, ready.principal("officer", (OFFICER, "/resourceGroups/rg")))
    for name in ("mine", "other"):
        officer.set_secret(name, name)
    client = secrets(ready, url, ready.principal("few", (USER, f"{VAULTS}/kv-one/secrets/mine")))
    assert client.get_secret("mine").value == "mine"
    with pytest.raises(HttpResponseError):
        client.get_secret("other")


def test_access_policies_are_asked_where_rbac_is_off(ready: Azure) -> None:
    few, more = ready.principal("few", (OFFICER, "/resourceGroups/rg")), ready.principal("more")
    policy = {"tenantId": TENANT, "objectId": more.object_id, "permissions": {"secrets": ["Get", "set"]}}
    url = vault(ready, enableRbacAuthorization=False, accessPolicies=[policy])
    client = secrets(ready, url, more)
    client.set_secret("one", "value")
    assert client.get_secret("one").value == "value"
    for refused_one in (
        lambda: list(client.list_properties_of_secrets()),
        lambda: secrets(ready, url, few).get_secret("one"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            refused_one()
        assert code_of(refused) == (403, "Forbidden", "AccessDenied")


# --- tokens


def ask(azure: Azure, url: str, token: str = "", **headers: str) -> httpx.Response:
    given = {"Authorization": f"Bearer {token}"} if token else {}
    return azure.http.get(f"{url}secrets/one", params={"api-version": "7.6"}, headers={**given, **headers})


def test_without_a_token_the_challenge_says_where_to_get_one(ready: Azure) -> None:
    answer = ask(ready, vault(ready))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "Unauthorized")
    assert answer.json()["error"]["message"].startswith("AKV10000")
    challenge = f'Bearer authorization="{ready.config.endpoint}/{TENANT}", resource="https://vault.azure.net"'
    assert answer.headers["www-authenticate"] == challenge


def test_a_token_for_something_else_is_none(ready: Azure) -> None:
    url = vault(ready)
    answer = ask(ready, url, ready.token)
    assert (answer.status_code, "AKV10022" in answer.text) == (401, True)
    forged = ask(ready, url, "x.y.z")
    assert (forged.status_code, "www-authenticate" in forged.headers) == (401, True)


def test_a_wrong_secret_is_the_token_services_answer(ready: Azure) -> None:
    url = vault(ready)
    stranger = Principal(str(uuid.uuid4()), str(uuid.uuid4()), secret="x")
    with pytest.raises(ClientAuthenticationError, match="AADSTS700016"):
        secrets(ready, url, stranger).get_secret("one")


def test_a_vault_is_reached_by_name_too(ready: Azure) -> None:
    """As a client does that resolves names below localhost: at the port of the local Azure."""
    url = vault(ready)
    officer = ready.principal("officer", (OFFICER, "/resourceGroups/rg"))
    secrets(ready, url, officer).set_secret("one", "value")
    token = ready.as_(officer).get_token("https://vault.azure.net/.default").token
    for name, status in (("kv-one", 200), ("kv-two", 404)):
        host = f"{name}.vault.localhost:{ready.config.port}"
        assert ask(ready, f"{ready.config.endpoint}/", token, Host=host).status_code == status
    suffixes = ready.http.get("/metadata/endpoints", params={"api-version": "2022-09-01"}).json()["suffixes"]
    assert suffixes["keyVaultDns"] == f"vault.localhost:{ready.config.port}"


def test_a_value_is_in_no_log(ready: Azure) -> None:
    client = secrets(ready, vault(ready), ready.principal("officer", (OFFICER, "/resourceGroups/rg")))
    client.set_secret("one", "nobody-reads-this")
    assert [entry["path"] for entry in ready.log.writes() if "/secrets/" in entry["path"]] == []
    assert "nobody-reads-this" not in ready.log.requests_file.read_text()
