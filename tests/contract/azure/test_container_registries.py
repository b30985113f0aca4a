# SPDX-License-Identifier: GPL-3.0-or-later
"""Container registries as Microsoft's SDK sees them, what is refused and why, and how an import goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.containerregistry import ContainerRegistryManagementClient

from localcloud.registries import ImageSource, NoImages, RegistryFailure

from .conftest import SUBSCRIPTION, Azure

VERSION = "2025-11-01"
STANDARD = {"location": "eastus", "sku": {"name": "Standard"}}


class RememberedImages(NoImages):
    """Stands for the registries behind: keeps what it was told to copy, and fails when told to."""

    def __init__(self) -> None:
        self.tags: dict[tuple[str, str], str] = {}
        self.sources: list[ImageSource] = []
        self.fails = ""

    def has_tag(self, name: str, repository: str, tag: str) -> bool:
        return (repository, tag) in self.tags

    def copy(self, source: ImageSource, name: str, tags: Sequence[tuple[str, str]], untagged: Sequence[str]) -> str:
        if self.fails:
            raise RegistryFailure(self.fails)
        self.sources.append(source)
        self.tags.update(dict.fromkeys(tags, source.reference))
        return source.reference


@pytest.fixture
def images(azure: Azure) -> Iterator[RememberedImages]:
    before, found = azure.cloud.registries, RememberedImages()
    azure.cloud.registries = found
    yield found
    azure.cloud.registries = before


@pytest.fixture
def sdk(azure: Azure) -> ContainerRegistryManagementClient:
    azure.group()
    path = "/providers/Microsoft.ContainerRegistry/register"
    assert azure.request("POST", path, version="2025-04-01").is_success
    return ContainerRegistryManagementClient(azure.credential(), SUBSCRIPTION, **azure.options())


def make(sdk: ContainerRegistryManagementClient, name: str = "mcpacr", **changes: Any) -> Any:
    return sdk.registries.begin_create("rg", name, {**STANDARD, **changes}).result()


def test_a_registry_lives_and_dies(sdk: ContainerRegistryManagementClient) -> None:
    check = {"name": "mcpacr", "type": "Microsoft.ContainerRegistry/registries"}
    assert sdk.registries.check_name_availability(check).name_available
    with pytest.raises(ResourceNotFoundError):
        sdk.registries.get("rg", "mcpacr")
    made = make(sdk)
    assert made.properties.provisioning_state == "Succeeded"
    assert made.properties.login_server == "mcpacr.azurecr.io"
    assert made.sku.tier == "Standard"
    taken = sdk.registries.check_name_availability({**check, "name": "MCPacr"})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    assert sdk.registries.check_name_availability({**check, "name": "a"}).reason == "Invalid"
    assert [item.name for item in sdk.registries.list()] == ["mcpacr"]
    assert [item.name for item in sdk.registries.list_by_resource_group("RG")] == ["mcpacr"]

    with pytest.raises(HttpResponseError) as refused:
        sdk.registries.list_credentials("rg", "mcpacr")
    assert refused.value.error is not None and refused.value.error.code == "UnAuthorizedForCredentialOperations"
    changed = {"tags": {"a": "b"}, "properties": {"adminUserEnabled": True}}
    updated = sdk.registries.begin_update("rg", "mcpacr", changed).result()
    assert (updated.tags, updated.properties.admin_user_enabled) == ({"a": "b"}, True)
    assert updated.properties.creation_date == made.properties.creation_date
    credentials = sdk.registries.list_credentials("rg", "mcpacr")
    assert credentials.username == "mcpacr"
    assert len({password.value for password in credentials.passwords or ()}) == 2

    sdk.registries.begin_delete("rg", "mcpacr").result()
    assert list(sdk.registries.list()) == []


def test_a_name_is_the_whole_worlds(azure: Azure, sdk: ContainerRegistryManagementClient) -> None:
    make(sdk)
    azure.group("other")
    with pytest.raises(HttpResponseError) as refused:
        sdk.registries.begin_create("other", "MCPACR", STANDARD)
    assert (refused.value.status_code, refused.value.error and refused.value.error.code) == (409, "AlreadyInUse")


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "name": ("no-dashes", {}, "InvalidResourceName"),
    "short name": ("four", {}, "InvalidResourceName"),
    "no SKU": ("mcpacr", {"sku": None}, "InvalidSku"),
    "classic": ("mcpacr", {"sku": {"name": "Classic"}}, "InvalidSku"),
    "no location": ("mcpacr", {"location": None}, "LocationRequired"),
    "value": ("mcpacr", {"properties": {"zoneRedundancy": "Maybe"}}, "InvalidRequestContent"),
    "private": ("mcpacr", {"properties": {"publicNetworkAccess": "Disabled"}}, "FeatureNotSupportedInSku"),
    "zones": ("mcpacr", {"properties": {"zoneRedundancy": "Enabled"}}, "FeatureNotSupportedInSku"),
    "rules": ("mcpacr", {"properties": {"networkRuleSet": {"defaultAction": "Deny"}}}, "FeatureNotSupportedInSku"),
    "retention": (
        "mcpacr",
        {"properties": {"policies": {"retentionPolicy": {"days": 3, "status": "enabled"}}}},
        "FeatureNotSupportedInSku",
    ),
    "anonymous pull of Basic": (
        "mcpacr",
        {"sku": {"name": "Basic"}, "properties": {"anonymousPullEnabled": True}},
        "FeatureNotSupportedInSku",
    ),
}


@pytest.mark.parametrize(("name", "changes", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(azure: Azure, sdk: ContainerRegistryManagementClient, name: str, changes: Any, code: str) -> None:
    path = f"/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/{name}"
    answer = azure.request("PUT", path, {**STANDARD, **changes}, version=VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_what_a_larger_sku_has(sdk: ContainerRegistryManagementClient) -> None:
    premium = make(sdk, sku={"name": "premium"}, properties={"zoneRedundancy": "enabled"})
    assert (premium.sku.name, premium.properties.zone_redundancy) == ("Premium", "Enabled")
    assert premium.properties.network_rule_set.default_action == "Allow"
    assert make(sdk, "another", properties={"anonymousPullEnabled": True}).properties.anonymous_pull_enabled


def test_a_location_stays(azure: Azure, sdk: ContainerRegistryManagementClient) -> None:
    make(sdk)
    with pytest.raises(ResourceExistsError) as refused:
        sdk.registries.begin_create("rg", "mcpacr", {**STANDARD, "location": "westus2"})
    assert refused.value.error is not None and refused.value.error.code == "InvalidResourceLocation"


def image(**changes: Any) -> dict[str, Any]:
    source = {"registryUri": "ghcr.io", "sourceImage": "team/echo:1"}
    return {"source": source, "targetTags": ["echo:1"], "mode": "NoForce", **changes}


def test_an_import_is_waited_for(sdk: ContainerRegistryManagementClient, images: RememberedImages) -> None:
    make(sdk)
    sdk.registries.begin_import_image("rg", "mcpacr", image()).result()
    assert images.tags == {("echo", "1"): "1"}
    with pytest.raises(HttpResponseError) as refused:
        sdk.registries.begin_import_image("rg", "mcpacr", image()).result()
    assert refused.value.error is not None and refused.value.error.code == "Conflict"
    assert "already exists in target registry" in str(refused.value)
    sdk.registries.begin_import_image("rg", "mcpacr", image(mode="Force")).result()
    assert len(images.sources) == 2


def test_a_failed_import_says_why_and_keeps_no_password(
    azure: Azure, sdk: ContainerRegistryManagementClient, images: RememberedImages
) -> None:
    make(sdk)
    images.fails = "Error copying blobs"
    source = {**image()["source"], "credentials": {"username": "me", "password": "import-canary"}}
    with pytest.raises(HttpResponseError) as refused:
        sdk.registries.begin_import_image("rg", "mcpacr", image(source=source)).result()
    assert refused.value.error is not None and refused.value.error.code == "InvalidParameters"
    assert "Error copying blobs" in str(refused.value)
    assert "import-canary" not in str(azure.cloud.store.rows("SELECT body, private FROM resources"))


def test_a_target_without_a_tag_gets_the_sources(
    sdk: ContainerRegistryManagementClient, images: RememberedImages
) -> None:
    make(sdk)
    sdk.registries.begin_import_image("rg", "mcpacr", image(targetTags=["copy"])).result()
    assert images.tags == {("copy", "1"): "1"}


WRONG_IMPORTS: dict[str, dict[str, Any]] = {
    "no source": image(source=None),
    "no image": image(source={"registryUri": "ghcr.io"}),
    "two registries": image(source={**image()["source"], "resourceId": "/subscriptions/x"}),
    "no registry": image(source={"sourceImage": "echo:1"}),
    "no reference": image(source={"registryUri": "ghcr.io", "sourceImage": "Echo:1"}),
    "no target": image(targetTags=[]),
    "mode": image(mode="Perhaps"),
    "unknown registry": image(source={"resourceId": "/subscriptions/x", "sourceImage": "echo:1"}),
}


@pytest.mark.parametrize("body", WRONG_IMPORTS.values(), ids=WRONG_IMPORTS)
def test_a_wrong_import_is_refused(
    azure: Azure, sdk: ContainerRegistryManagementClient, images: RememberedImages, body: dict[str, Any]
) -> None:
    make(sdk)
    path = "/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/mcpacr/importImage"
    answer = azure.request("POST", path, body, version=VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidParameters")


def test_registries_go_with_their_group(
    azure: Azure, sdk: ContainerRegistryManagementClient, images: RememberedImages
) -> None:
    make(sdk)
    assert azure.request("DELETE", "/resourceGroups/rg", version="2025-04-01").is_success
    from .conftest import until

    until(lambda: None if list(sdk.registries.list()) else True)
