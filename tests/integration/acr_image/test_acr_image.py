# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a container registry: checked, imported, left alone, moved by somebody, shown, repaired, gone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.container_registry import RegistryUser

from localcloud.registry.private import PASSWORD, USER, private_registry

from .conftest import Registries

pytestmark = pytest.mark.integration

TaskRunner = Callable[..., dict[str, Any]]
GROUP = "rg-it-images"
NAME, OTHER = "itimages", "itimagesother"
REPOSITORY = "tools/echo"
ROLES = "providers/Microsoft.Authorization/roleDefinitions"


@pytest.fixture(scope="module")
def registries(registries_in: Registries) -> Iterator[dict[str, dict[str, Any]]]:
    with registries_in(GROUP, NAME, OTHER) as found:
        yield found


@pytest.fixture(scope="module")
def somebody(
    registries: dict[str, dict[str, Any]], user_of: Callable[[dict[str, Any]], RegistryUser]
) -> Callable[[str], RegistryUser]:
    return lambda name: user_of(registries[name])


def declared(image: str, tags: list[str], **options: Any) -> dict[str, Any]:
    source = {"image": image, **options.pop("source", {})}
    return {
        "registry": NAME,
        "resource_group": GROUP,
        "repository": options.pop("repository", REPOSITORY),
        "tags": tags,
        "source": source,
        **options,
    }


def test_image_from_nothing_to_nothing(
    run_task: TaskRunner, cloud: Any, somebody: Callable[[str], RegistryUser]
) -> None:
    """The whole life of two tags of one image, seen by a client that is not the module's."""
    user, echo = somebody(NAME), declared(f"{cloud.registry}/echo-mcp:1.0.0", ["1.0", "latest"])
    checked = run_task("acr_image", echo, check=True)
    assert checked["changed"]
    assert user.digest(REPOSITORY, "1.0") is None
    made = run_task("acr_image", echo)
    assert made["diff"] == checked["diff"]
    assert (made["digest"], made["image"]) == (checked["digest"], checked["image"])
    digest = made["digest"]
    assert made["image"] == f"{user.host}/{REPOSITORY}@{digest}"
    assert made["tags"] == {"1.0": digest, "latest": digest}
    assert user.digest(REPOSITORY, "1.0") == user.digest(REPOSITORY, "latest") == digest
    again = run_task("acr_image", echo)
    assert not again["changed"]
    assert again["image"] == made["image"]

    other = run_task("acr_image", declared(f"{cloud.registry}/calendar-mcp:1.0.0", ["calendar"]))
    assert user.digest(REPOSITORY, "1.0") == digest, "other tags are left alone"
    user.move(REPOSITORY, "latest", "calendar")
    shown = run_task("acr_image", echo, check=True)
    assert shown["diff"][0]["before"] == f'tags.latest: "{other["digest"]}"\n'
    assert shown["diff"][0]["after"] == f'tags.latest: "{digest}"\n'
    assert user.digest(REPOSITORY, "latest") == other["digest"]
    assert run_task("acr_image", echo)["diff"] == shown["diff"]
    assert user.digest(REPOSITORY, "latest") == digest
    assert user.digest(REPOSITORY, "calendar") == other["digest"]

    absent = {**echo, "tags": ["1.0"], "state": "absent"}
    assert run_task("acr_image", absent, check=True)["changed"]
    assert run_task("acr_image", absent)["image"] is None
    assert user.digest(REPOSITORY, "1.0") is None
    assert user.digest(REPOSITORY, digest) == digest, "another tag names it still"
    assert not run_task("acr_image", absent)["changed"]
    run_task("acr_image", {**echo, "state": "absent"})
    assert user.digest(REPOSITORY, digest) is None, "it went with the last of its tags"


def test_source_that_is_a_registry_of_azure(
    run_task: TaskRunner, cloud: Any, registries: dict[str, dict[str, Any]], somebody: Callable[[str], RegistryUser]
) -> None:
    """Its tag is followed; with `follow_source: false` what is there stays, and other tags get the same."""
    first = declared(f"{cloud.registry}/echo-mcp:1.0.0", ["stable"], registry=OTHER, repository="echo")
    digest = run_task("acr_image", first)["digest"]
    source = {"registry_id": registries[OTHER]["id"]}
    copied = declared("echo:stable", ["stable"], repository="copied", source=source)
    assert run_task("acr_image", copied)["digest"] == digest

    moved = run_task("acr_image", {**first, "source": {"image": f"{cloud.registry}/calendar-mcp:1.0.0"}})["digest"]
    kept = {**copied, "tags": ["stable", "kept"], "follow_source": False}
    assert run_task("acr_image", kept)["tags"] == {"stable": digest, "kept": digest}
    assert not run_task("acr_image", kept)["changed"]
    assert run_task("acr_image", copied)["digest"] == moved
    assert somebody(NAME).digest("copied", "kept") == digest


def test_digest_that_lies_there_needs_no_source(run_task: TaskRunner, cloud: Any) -> None:
    """A pinned image is neither asked of its source nor fetched again where it is in the repository already."""
    made = run_task("acr_image", declared(f"{cloud.registry}/echo-mcp:1.0.0", ["one"], repository="pinned"))
    gone = declared(f"gone.example.com/echo@{made['digest']}", ["one", "two"], repository="pinned")
    assert run_task("acr_image", gone)["tags"] == {"one": made["digest"], "two": made["digest"]}


def test_private_source_and_its_password(
    run_task: TaskRunner, cloud: Any, tmp_path: Path, registries: dict[str, dict[str, Any]]
) -> None:
    """The password reaches the registry and no result, whether it is right or not."""
    with private_registry(cloud.settings, tmp_path) as address:
        RegistryUser(address, cloud.environment["ca_file"], login=(USER, PASSWORD)).push_empty("empty", "1")
        login = {"username": USER, "password": PASSWORD}
        made = run_task("acr_image", declared(f"{address}/empty:1", ["1"], repository="private", source=login))
        assert made["changed"]
        wrong = declared(
            f"{address}/empty:1", ["2"], repository="private", source={**login, "password": "Wr0ng-Canary"}
        )
        failed = run_task("acr_image", wrong, fails=True)
        nobody = run_task("acr_image", declared(f"{address}/empty:1", ["2"], repository="private"), fails=True)
    assert PASSWORD not in str(made)
    assert "Wr0ng-Canary" not in str(failed)
    assert "Check source.username and source.password" in failed["msg"]
    assert "Set source.username and source.password" in nobody["msg"]


def test_what_is_not_there(run_task: TaskRunner, cloud: Any, registries: dict[str, dict[str, Any]]) -> None:
    """A missing image, registry or tag is told with what to do; a missing registry is pending in check mode."""
    missing = run_task("acr_image", declared(f"{cloud.registry}/echo-mcp:0.0", ["1"]), fails=True)
    assert missing["error"]["code"] == "NoImage"
    unseen = declared(f"{cloud.registry}/echo-mcp:0.0", ["never"], follow_source=False)
    failed = run_task("acr_image", unseen, fails=True)
    assert failed["error"]["code"] == "InvalidParameters"
    assert "Unable to find manifest" in failed["msg"]
    assert "check source.image" in failed["msg"]
    nowhere = {**declared(f"{cloud.registry}/echo-mcp:1.0.0", ["1"]), "registry": "itnowhere"}
    assert "Create it first" in run_task("acr_image", nowhere, fails=True)["msg"]
    pending = run_task("acr_image", nowhere, check=True)
    assert pending["changed"]
    assert pending["image"] is None
    assert "container registry itnowhere" in pending["notes"][0]
    assert not run_task("acr_image", {**nowhere, "state": "absent"})["changed"]


def test_identity_without_roles_is_told_which(
    run_task: TaskRunner, cloud: Any, registries: dict[str, dict[str, Any]]
) -> None:
    """Finding the registry, reading its images, importing and removing take roles: each message says which."""
    from localcloud.azure.principals import Principals

    principal = Principals.at(cloud.settings.state / "azure").add("image-reader")
    auth = {**cloud.auth(), "client_id": principal.client_id, "secret": principal.secret}
    image = declared(f"{cloud.registry}/echo-mcp:1.0.0", ["roles"], repository="roles")
    group, scope = registries[NAME]["id"].split("/providers/")[0], registries[NAME]["id"]
    finds = "00000000-0000-0000-0000-0000000000a0"
    role = {
        "roleName": "Finds registries",
        "assignableScopes": [group],
        "permissions": [{"actions": ["Microsoft.ContainerRegistry/registries/read"]}],
    }
    run_task("azure_resource", {"id": f"{group}/{ROLES}/{finds}", "properties": role})

    def give(role: str, number: int) -> None:
        properties = {
            "roleDefinitionId": f"{group}/{ROLES}/{role}",
            "principalId": principal.object_id,
            "principalType": "ServicePrincipal",
        }
        name = uuid.UUID(int=number)
        place = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        run_task("azure_resource", {"id": place, "properties": properties})

    give(finds, 0xA1)
    refused = run_task("acr_image", image, auth=auth, fails=True)
    assert refused["error"]["code"] == "UNAUTHORIZED"
    assert "Give this identity the role AcrPull at the registry" in refused["msg"]
    give("7f951dda-4ed3-4680-a7ca-43fe172d538d", 0xA2)  # AcrPull
    assert run_task("acr_image", image, auth=auth, check=True)["changed"]
    refused = run_task("acr_image", image, auth=auth, fails=True)
    assert refused["error"]["code"] == "AuthorizationFailed"
    assert "importImage/action" in refused["msg"]
    run_task("acr_image", image)
    gone = run_task("acr_image", {**image, "state": "absent"}, auth=auth, fails=True)
    assert "Give this identity the role AcrDelete" in gone["msg"]


@pytest.mark.parametrize("connection", ["process", "module"])
def test_all_problems_are_told_together(run_task: TaskRunner, connection: str) -> None:
    options = {} if connection == "process" else {"host": {"ansible_become": True, "ansible_become_method": "su"}}
    wrong = {**declared("echo", ["-"]), "repository": "Echo"}
    failed = run_task("acr_image", wrong, fails=True, **options)
    paths = [problem["path"] for problem in failed["error"]["problems"]]
    assert paths == ["repository", "tags[0]", "source.image", "source.image"]
