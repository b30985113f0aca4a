# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights that the options of modules need: whatever a module takes, the preflight takes the rows made of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import declared_rights, role_assignment_plan
from ansible_collections.mcpops.platform.plugins.module_utils.arm.assignable_roles import Grant, Needed, Role, suitable
from ansible_collections.mcpops.platform.plugins.module_utils.arm.azure_rights import row_problems, scope_of, wanted
from ansible_collections.mcpops.platform.plugins.module_utils.option_problems import validated_options
from ansible_collections.mcpops.platform.plugins.modules import azure_preflight
from localcloud.azure import built_in_roles

GUID = "1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22"
SUB, GROUP = f"/subscriptions/{GUID}", "/resourceGroups/rg-dev"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acragents"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tools"
SCOPES = [
    "/",
    SUB,
    GROUP,
    REGISTRY,
    f"{CLUSTER}/namespaces/tools",
    "/providers/Microsoft.Management/managementGroups/contoso",
    f"{GROUP}/providers/Microsoft.Insights/components/two words",
    f"{REGISTRY}/providers/Microsoft.Insights/diagnosticSettings/d",
]
PRINCIPALS = [GUID, IDENTITY, CLUSTER]
ROLES = [
    "AcrPull",
    "Container Registry Repository Reader",
    GUID,
    f"/providers/Microsoft.Authorization/roleDefinitions/{GUID}",
]
AROUND = ["", "", " ", "\n", "\t "]


def rows_of(rows: Iterator[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """These with the defaults of the module's options."""
    reported, params, _hidden = validated_options(azure_preflight.ARGUMENT_SPEC, {"permissions": list(rows)}, {})
    assert not reported
    found: list[dict[str, Any]] = params["permissions"]
    return found


def written(chance: random.Random, text: str) -> str:
    """The same id as people and templates write it."""
    whole = f"{SUB}{text}" if text.startswith("/resource") and chance.random() < 0.5 else text
    cased = chance.choice([whole, whole, whole.upper(), whole.lower()])
    slashes = "/" * chance.randint(0, 2) if len(cased) > 1 and cased.startswith("/") else ""
    return f"{chance.choice(AROUND)}{cased}{slashes}{chance.choice(AROUND)}"


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_whatever_an_assignment_takes_its_rights_can_be_asked_for(first: int) -> None:
    for seed in range(first, first + 50):
        asked_for(seed)


def asked_for(seed: int) -> None:
    chance = random.Random(seed)
    options: dict[str, Any] = {
        "scope": written(chance, chance.choice(SCOPES)),
        "principal": written(chance, chance.choice(PRINCIPALS)),
        "role": f"{chance.choice(AROUND)}{chance.choice(ROLES)}{chance.choice(AROUND)}",
        "state": chance.choice(["present", "absent"]),
        "wait_timeout": 300,
    }
    assert role_assignment_plan.problems(options) == []
    if chance.random() < 0.2:
        # a template that is not known before a task has run
        options["principal"] = None
    rows = rows_of(declared_rights.of_role_assignment(options))
    assert rows and list(row_problems(rows)) == []
    place = role_assignment_plan.whole_id(options["scope"], GUID) or "/"
    assert place in {needed.scope for needed in wanted(rows, GUID)}


IMAGES = [["1.0.0"], ["1.0.0", "latest"], [], None]


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("tags", IMAGES, ids=str)
@pytest.mark.parametrize("source", [{"image": "x/y"}, {"registry_id": f" {SUB}{REGISTRY}/ "}, None], ids=str)
def test_the_rights_of_images_can_be_asked_for(state: str, tags: list[str] | None, source: Any) -> None:
    options = {"registry": "acragents", "resource_group": "rg-dev", "repository": "echo", "tags": tags}
    rows = rows_of(declared_rights.of_image({**options, "state": state, "source": source}))
    assert rows and list(row_problems(rows)) == []
    # which images go is known once the tags are
    assert any(row["removes"] for row in rows) is (state == "absent" and bool(tags))


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        (" / ", "/"),
        ("", SUB),
        ("  ", SUB),
        (f" {GROUP}/ ", f"{SUB}{GROUP}"),
        (f"\n{SUB}//", SUB),
    ],
)
def test_blanks_and_slashes_around_a_scope_are_no_part_of_it(text: str, scope: str) -> None:
    assert scope_of(text, GUID) == scope


@pytest.mark.parametrize("text", ["rg-dev", "//", "/resourceGroups", "/resourceGroups/ ", "/ /rg", "/a/b/c"])
def test_what_is_no_scope_is_still_refused(text: str) -> None:
    rows = rows_of(iter([{"scope": text, "actions": ["A.B/c/read"]}]))
    assert [problem.path for problem in row_problems(rows)] == ["permissions[0].scope"]


# --- registries whose permissions are by repository

REPOSITORY = "Microsoft.ContainerRegistry/registries/repositories"
READ = [f"{REPOSITORY}/content/read", f"{REPOSITORY}/metadata/read"]
WRITE = [f"{REPOSITORY}/content/write", f"{REPOSITORY}/metadata/write"]
REMOVE = [f"{REPOSITORY}/content/delete", f"{REPOSITORY}/metadata/delete"]
OF_REGISTRIES = ("pull/read", "artifacts/delete")


def of_site(mode: str | None, image: dict[str, Any], registry: str = "acragents") -> list[Mapping[str, Any]]:
    """What a registry and an image in it take."""
    properties = {"adminUserEnabled": False, **({"roleAssignmentMode": mode} if mode else {})}
    made = {"type": "Microsoft.ContainerRegistry/registries", "name": registry, "resource_group": "rg-dev"}
    put = {"registry": "AcrAgents", "resource_group": "RG-dev", "repository": "echo", "tags": ["1"], **image}
    return declared_rights.settled(
        [*declared_rights.of_resource({**made, "properties": properties}), *declared_rights.of_image(put)]
    )


@pytest.mark.parametrize(
    ("image", "data"),
    [
        ({"source": {"image": "x/y:1"}}, READ),
        ({"build": {"context": "."}}, [*READ, *WRITE]),
        ({"state": "absent"}, [*READ, *REMOVE]),
    ],
    ids=["import", "build", "absent"],
)
@pytest.mark.parametrize("mode", ["AbacRepositoryPermissions", "abacrepositorypermissions"])
def test_a_registry_by_repository_is_asked_for_the_rights_of_repositories(
    image: dict[str, Any], data: list[str], mode: str
) -> None:
    rows = of_site(mode, image)
    assert [one for row in rows for one in row.get("data_actions") or ()] == data
    actions = [action for row in rows for action in row["actions"]]
    assert not [one for one in actions if one.endswith(OF_REGISTRIES)]
    # what starts a copy or a build is an action of the registry all the same
    started = {"source": "importImage/action", "build": "scheduleRun/action"}
    assert all(any(one.endswith(verb) for one in actions) for key, verb in started.items() if key in image)
    assert list(row_problems(rows_of(iter(rows)))) == []


@pytest.mark.parametrize("mode", [None, "LegacyRegistryPermissions"])
@pytest.mark.parametrize("image", [{"source": {"image": "x/y:1"}}, {"state": "absent"}], ids=["import", "absent"])
def test_of_any_other_the_rights_of_the_registry_are_asked_for(mode: str | None, image: dict[str, Any]) -> None:
    rows = of_site(mode, image)
    assert not any(row.get("data_actions") for row in rows)
    assert f"{REPOSITORY.rpartition('/')[0]}/pull/read" in [action for row in rows for action in row["actions"]]


def test_another_registry_of_the_site_says_nothing_of_this_one() -> None:
    rows = of_site("AbacRepositoryPermissions", {"source": {"image": "x/y:1"}}, registry="other")
    assert not any(row.get("data_actions") for row in rows)


def test_the_role_that_is_advised_is_one_of_repositories() -> None:
    roles = [Role(one.name, (Grant(one.actions, one.not_actions, one.data_actions, ()),)) for one in built_in_roles.ALL]
    advised = {}
    for image in ({"source": {"image": "x/y:1"}}, {"build": {"context": "."}}):
        rows = of_site("AbacRepositoryPermissions", image)
        needed = Needed("/", (), tuple(one for row in rows for one in row.get("data_actions") or ()))
        advised[next(iter(image))] = suitable(needed, roles)[:1]
    assert advised == {
        "source": ["Container Registry Repository Reader"],
        "build": ["Container Registry Repository Writer"],
    }
