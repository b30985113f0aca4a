# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage accounts and their blobs, by Microsoft's own clients with Entra tokens."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobServiceClient, ContentSettings

from localcloud.azure.principals import Principal

from .conftest import SUBSCRIPTION, Azure, until

VERSION = "2026-09-01"
ACCOUNTS = "/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts"
CONTRIBUTOR, READER = "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
ARM_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


def body(**more: Any) -> dict[str, Any]:
    return {"location": "eastus", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}, **more}


def account(azure: Azure, name: str = "blobsone", **more: Any) -> str:
    azure.group()
    made = azure.request("PUT", f"{ACCOUNTS}/{name}", body(**more), version=VERSION)
    assert made.status_code == 200, made.text
    return str(made.json()["properties"]["primaryEndpoints"]["blob"])


def blobs(azure: Azure, url: str, principal: Principal) -> BlobServiceClient:
    return BlobServiceClient(url, azure.as_(principal), connection_verify=str(azure.ca), retry_total=0)


def writer(azure: Azure, scope: str = "/resourceGroups/rg") -> Principal:
    return azure.principal("writer", (CONTRIBUTOR, scope))


def files(azure: Azure) -> set[str]:
    """Where blobs' bytes are kept."""
    folder = azure.config.state / "blobs"
    return {file.name for file in folder.iterdir()} if folder.exists() else set()


# --- Resource Manager


def test_an_account_lives_and_dies(azure: Azure) -> None:
    azure.group()
    manager: Any = StorageManagementClient(azure.credential(), SUBSCRIPTION, **azure.options())
    question = {"name": "blobsone", "type": "Microsoft.Storage/storageAccounts"}
    assert manager.storage_accounts.check_name_availability(question).name_available
    made = manager.storage_accounts.begin_create("rg", "blobsone", body()).result()
    assert (made.sku.name, made.sku.tier, made.kind) == ("Standard_LRS", "Standard", "StorageV2")
    assert made.properties.primary_endpoints.blob in [f"https://{host}/" for host in azure.config.data_hosts]
    assert (made.properties.allow_blob_public_access, made.properties.minimum_tls_version) == (False, "TLS1_2")
    taken = manager.storage_accounts.check_name_availability(question)
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    keys = manager.storage_accounts.list_keys("rg", "blobsone").keys_property
    assert [(key.key_name, key.permissions) for key in keys] == [("key1", "FULL"), ("key2", "FULL")]
    changed = manager.storage_accounts.update("rg", "blobsone", {"properties": {"allowSharedKeyAccess": False}})
    assert changed.properties.allow_shared_key_access is False
    assert [one.name for one in manager.storage_accounts.list()] == ["blobsone"]
    manager.storage_accounts.delete("rg", "blobsone")
    assert list(manager.storage_accounts.list_by_resource_group("rg")) == []


REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "capitals": ("Blobs", {}, 400, "AccountNameInvalid"),
    "too short": ("bl", {}, 400, "AccountNameInvalid"),
    "a hyphen": ("blobs-one", {}, 400, "AccountNameInvalid"),
    "another SKU": ("blobsone", {"sku": {"name": "Standard_XRS"}}, 400, "InvalidRequestPropertyValue"),
    "another kind": ("blobsone", {"kind": "Queue"}, 400, "InvalidRequestPropertyValue"),
    "no kind": ("blobsone", {"kind": None}, 400, "InvalidRequestPropertyValue"),
    "nowhere": ("blobsone", {"location": ""}, 400, "LocationRequired"),
    "the name of another group's": ("blobstwo", {}, 409, "StorageAccountAlreadyTaken"),
}


@pytest.mark.parametrize(("name", "more", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_an_account_is_refused(azure: Azure, name: str, more: dict[str, Any], status: int, code: str) -> None:
    azure.group()
    azure.group("other")
    other = ACCOUNTS.replace("/rg/", "/other/")
    assert azure.request("PUT", f"{other}/blobstwo", body(), version=VERSION).is_success
    answer = azure.request("PUT", f"{ACCOUNTS}/{name}", body(**more), version=VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_kind_is_not_changed_back(azure: Azure) -> None:
    account(azure)
    answer = azure.request("PUT", f"{ACCOUNTS}/blobsone", body(kind="BlobStorage"), version=VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "AccountKindCannotBeUpdated")


# --- blobs


def test_a_blob_lives_and_dies(azure: Azure) -> None:
    before = files(azure)
    client = blobs(azure, account(azure), writer(azure))
    container = client.create_container("reports", metadata={"team": "tools"})
    assert container.get_container_properties().metadata == {"team": "tools"}
    with pytest.raises(ResourceExistsError, match="ContainerAlreadyExists"):
        client.create_container("reports")
    content = os.urandom(70_000)
    settings = ContentSettings(content_type="text/plain")
    blob = container.upload_blob("Daily/one & two.txt", content, metadata={"a": "b"}, content_settings=settings)
    assert blob.download_blob().readall() == content
    assert blob.download_blob(offset=10, length=20).readall() == content[10:30]
    found = blob.get_blob_properties()
    assert (found.size, found.metadata, found.content_settings.content_type) == (70_000, {"a": "b"}, "text/plain")
    with pytest.raises(ResourceExistsError, match="BlobAlreadyExists"):
        container.upload_blob("Daily/one & two.txt", b"")
    container.upload_blob("daily/one & two.txt", b"")
    assert container.download_blob("daily/one & two.txt").readall() == b""
    assert [one.name for one in container.list_blobs()] == ["Daily/one & two.txt", "daily/one & two.txt"]
    assert [one.name for one in container.list_blobs(name_starts_with="dai")] == ["daily/one & two.txt"]
    assert [one.name for one in container.walk_blobs()] == ["Daily/", "daily/"]
    assert [one.name for one in client.list_containers()] == ["reports"]
    blob.delete_blob()
    with pytest.raises(ResourceNotFoundError, match="BlobNotFound"):
        blob.download_blob()
    assert not blob.exists()
    container.delete_container()
    with pytest.raises(ResourceNotFoundError, match="ContainerNotFound"):
        list(container.list_blobs())
    assert files(azure) == before


def test_what_changed_meanwhile_is_not_overwritten(azure: Azure) -> None:
    container = blobs(azure, account(azure), writer(azure)).create_container("one")
    old = container.upload_blob("state", b"1").get_blob_properties().etag
    container.upload_blob("state", b"2", overwrite=True)
    with pytest.raises(HttpResponseError, match="ConditionNotMet"):
        container.upload_blob("state", b"3", overwrite=True, etag=old, match_condition=MatchConditions.IfNotModified)
    assert container.download_blob("state").readall() == b"2"


def test_many_blobs_are_listed_in_pages(azure: Azure) -> None:
    container = blobs(azure, account(azure), writer(azure)).create_container("many")
    names = [f"{number:02}" for number in range(7)]
    for name in names:
        container.upload_blob(name, name.encode())
    pages = [[one.name for one in page] for page in container.list_blobs(results_per_page=3).by_page()]
    assert pages == [names[:3], names[3:6], names[6:]]


@pytest.mark.parametrize("name", ["Upper", "a", "two--hyphens", "-first", "last-"])
def test_a_containers_name_is_refused(azure: Azure, name: str) -> None:
    client = blobs(azure, account(azure), writer(azure))
    with pytest.raises(HttpResponseError, match="InvalidResourceName"):
        client.create_container(name)


# --- who may


def test_what_a_role_may(azure: Azure) -> None:
    url = account(azure)
    container = blobs(azure, url, writer(azure)).create_container("one")
    container.upload_blob("a", b"value")
    reader = blobs(azure, url, azure.principal("reader", (READER, f"{ACCOUNTS}/blobsone")))
    assert reader.get_container_client("one").download_blob("a").readall() == b"value"
    # who manages accounts and containers has no data action
    manager = blobs(azure, url, azure.principal("manager", (ARM_CONTRIBUTOR, "/resourceGroups/rg")))
    manager.create_container("two")
    nobody = blobs(azure, url, azure.principal("nobody"))
    denied: tuple[Callable[[], Any], ...] = (
        lambda: reader.get_container_client("one").upload_blob("b", b"x"),
        lambda: reader.get_container_client("one").delete_blob("a"),
        lambda: reader.create_container("three"),
        lambda: manager.get_container_client("one").download_blob("a"),
        lambda: list(manager.get_container_client("one").list_blobs()),
        lambda: nobody.get_container_client("one").download_blob("a"),
        lambda: list(nobody.list_containers()),
    )
    for ask in denied:
        with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch") as refused:
            ask()
        assert refused.value.status_code == 403


def test_a_role_on_one_container_is_for_that_container(azure: Azure) -> None:
    url = account(azure)
    own = f"{ACCOUNTS}/blobsone/blobServices/default/containers/mine"
    client = blobs(azure, url, azure.principal("few", (CONTRIBUTOR, own)))
    client.create_container("mine").upload_blob("a", b"value")
    with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
        client.create_container("other")


def test_tokens_and_versions(azure: Azure) -> None:
    url = account(azure)
    storage = azure.as_(writer(azure)).get_token("https://storage.azure.com/.default").token
    version = {"x-ms-version": "2026-04-06"}
    bearer = {"Authorization": f"Bearer {storage}"}
    asked: tuple[tuple[dict[str, str], int, str], ...] = (
        ({**version, **bearer}, 200, ""),
        (version, 401, "NoAuthenticationInformation"),
        (bearer, 401, "InvalidAuthenticationInfo"),
        ({**bearer, "x-ms-version": "2015-02-21"}, 401, "InvalidAuthenticationInfo"),
        ({**version, "Authorization": f"Bearer {azure.token}"}, 401, "InvalidAuthenticationInfo"),
        ({**version, "Authorization": "Bearer x.y.z"}, 401, "InvalidAuthenticationInfo"),
        ({**version, "Authorization": "SharedKey blobsone:x"}, 403, "KeyBasedAuthenticationNotPermitted"),
    )
    for headers, status, code in asked:
        answer = azure.http.get(url, params={"comp": "list"}, headers=headers)
        assert (answer.status_code, answer.headers.get("x-ms-error-code", "")) == (status, code), headers
        if status == 401:
            assert "resource_id=https://storage.azure.com" in answer.headers["www-authenticate"]
    named = {**version, **bearer, "Host": f"blobsone.blob.localhost:{azure.config.port}"}
    assert azure.http.get("/", params={"comp": "list"}, headers=named).status_code == 200


def test_a_group_takes_its_blobs_along(azure: Azure) -> None:
    before = files(azure)
    blobs(azure, account(azure), writer(azure)).create_container("one").upload_blob("a", b"value")
    assert azure.request("DELETE", "/resourceGroups/rg", version="2025-04-01").status_code == 202
    gone = azure.request
    until(lambda: gone("HEAD", "/resourceGroups/rg", version="2025-04-01").status_code == 404 or None)
    assert files(azure) == before
    assert azure.cloud.store.find(kind="Microsoft.Storage/storageAccounts/blobServices/containers/blobs") == []
