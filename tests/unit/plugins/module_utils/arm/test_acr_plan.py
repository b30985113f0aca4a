# SPDX-License-Identifier: GPL-3.0-or-later
"""What acr_image refuses, what it compares, and what it asks a registry to copy."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import acr_plan
from ansible_collections.mcpops.platform.plugins.module_utils.arm.acr_plan import ImageName, ImageSpec, parse_image
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

A, B = (f"sha256:{letter * 64}" for letter in "ab")
REGISTRY_ID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/{}"
GOOD: dict[str, Any] = {
    "registry": "mcpacr",
    "resource_group": "rg-agents",
    "repository": "tools/echo-mcp",
    "tags": ["1.0", "latest"],
    "state": "present",
    "source": {"image": "ghcr.io/team/echo:1.0", "registry_id": None, "username": None, "password": None},
    "follow_source": True,
    "wait_timeout": 60,
}


def source(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "source": {**GOOD["source"], **changes}}


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("ghcr.io/team/echo:1.0", ImageName("ghcr.io", "team/echo", "1.0")),
        ("localhost/echo:1", ImageName("localhost", "echo", "1")),
        ("10.0.0.1:5000/echo@" + A, ImageName("10.0.0.1:5000", "echo", "", A)),
        ("ghcr.io/echo:1@" + A, ImageName("ghcr.io", "echo", "1", A)),
        ("docker.io/nginx:1.27", ImageName("docker.io", "library/nginx", "1.27")),
        ("docker.io/team/nginx:1.27", ImageName("docker.io", "team/nginx", "1.27")),
        # without dot and colon a first part belongs to the path
        ("team/echo:1", ImageName("", "team/echo", "1")),
        ("echo", ImageName("", "echo")),
        ("ghcr.io/Team/echo:1", None),
        ("ghcr.io/team/echo:", None),
        ("ghcr.io/team/echo@sha256:12", None),
        ("https://ghcr.io/team/echo:1", None),
        ("ghcr.io/", None),
        ("my_registry.example.io/team/echo:1", None),
        ("-ghcr.io/echo:1", None),
        ("_:5000/echo", None),
        ("", None),
    ],
)
def test_parts_of_an_image(text: str, image: ImageName | None) -> None:
    assert parse_image(text) == image


def test_docker_hub_answers_elsewhere() -> None:
    assert ImageName("docker.io", "library/nginx", "1").api_host == "registry-1.docker.io"
    assert ImageName("ghcr.io", "nginx", "1").api_host == "ghcr.io"


@pytest.mark.parametrize(
    ("params", "paths"),
    [
        (GOOD, []),
        ({**GOOD, "state": "absent", "source": None}, []),
        (source(registry_id=REGISTRY_ID.format("other"), image="echo:1"), []),
        (source(username="u", password="p"), []),
        (source(image="ghcr.io/team/echo@" + A), []),
        ({**GOOD, "repository": "a" * 255}, []),
        ({**GOOD, "tags": ["_" + "a" * 127]}, []),
        ({**GOOD, "registry": "no-dashes"}, ["registry"]),
        ({**GOOD, "resource_group": "ends."}, ["resource_group"]),
        ({**GOOD, "repository": "Tools/echo"}, ["repository"]),
        ({**GOOD, "repository": "mcpacr.azurecr.io:443/echo"}, ["repository"]),
        ({**GOOD, "repository": "a" * 256}, ["repository"]),
        ({**GOOD, "tags": ["ok", "-no"]}, ["tags[1]"]),
        ({**GOOD, "tags": ["a" * 129]}, ["tags[0]"]),
        ({**GOOD, "tags": []}, ["tags"]),
        ({**GOOD, "source": None}, ["source"]),
        ({**GOOD, "wait_timeout": 0}, ["wait_timeout"]),
        (source(image="ghcr.io/team/echo"), ["source.image"]),
        (source(image="team/echo:1"), ["source.image"]),
        (source(image="ghcr.io/Team/echo:1"), ["source.image"]),
        (source(registry_id=REGISTRY_ID.format("other")), ["source.image"]),
        (source(registry_id="/subscriptions/s/resourceGroups/rg", image="echo:1"), ["source.registry_id"]),
        (source(registry_id="other", image="echo:1"), ["source.registry_id"]),
        (source(username="u"), ["source.password"]),
        (source(password="p"), ["source.username"]),
        (source(registry_id=REGISTRY_ID.format("x"), image="e:1", username="u", password="p"), ["source.username"]),
        # all at once
        ({**source(image="x y"), "tags": ["?"], "registry": "a"}, ["registry", "tags[0]", "source.image"]),
    ],
)
def test_problems(params: dict[str, Any], paths: list[str]) -> None:
    assert [problem.path for problem in acr_plan.problems(params)] == paths


def spec(**changes: Any) -> ImageSpec:
    fields = {
        "registry": "mcpacr",
        "registry_id": REGISTRY_ID.format("mcpacr"),
        "repository": "echo",
        "tags": ("1.0", "latest"),
        "source": ImageName("ghcr.io", "team/echo", "1.0"),
    }
    return ImageSpec(**{**fields, **changes})


def test_each_tag_is_compared_by_digest() -> None:
    plan = acr_plan.plan_present(spec(), {"1.0": B, "latest": A}, A)
    assert [(change.path, change.before, change.after) for change in plan.changes] == [('tags."1.0"', B, A)]
    assert not plan.is_new
    assert not acr_plan.plan_present(spec(), {"1.0": A, "latest": A}, A).changes


def test_nothing_there_is_new() -> None:
    plan = acr_plan.plan_present(spec(), {"1.0": None, "latest": None}, None)
    assert plan.is_new
    assert {(change.before, change.after) for change in plan.changes} == {(ABSENT, "ghcr.io/team/echo:1.0")}


@pytest.mark.parametrize(
    ("declared", "tags", "digest"),
    [
        (spec(), {"1.0": A}, None),  # what the source says
        (spec(source=ImageName("ghcr.io", "echo", "1", B)), {"1.0": A}, B),
        (spec(follow_source=False), {"1.0": None, "latest": B}, B),
        (spec(follow_source=False), {"1.0": A, "latest": B}, A),
        (spec(follow_source=False), {}, None),
    ],
)
def test_what_is_wanted_without_asking(declared: ImageSpec, tags: dict[str, str | None], digest: str | None) -> None:
    assert acr_plan.wanted_digest(declared, tags) == digest


def test_absent_names_only_what_is_there() -> None:
    plan = acr_plan.plan_absent(spec(), {"1.0": A, "latest": None})
    assert [(change.path, change.after) for change in plan.changes] == [('tags."1.0"', ABSENT)]


@pytest.mark.parametrize(
    ("declared", "digest", "here", "copied"),
    [
        (spec(), A, True, {"resourceId": REGISTRY_ID.format("mcpacr"), "sourceImage": f"echo@{A}"}),
        # never a tag that may have moved since it was looked at
        (spec(), A, False, {"registryUri": "ghcr.io", "sourceImage": f"team/echo@{A}"}),
        (spec(), None, False, {"registryUri": "ghcr.io", "sourceImage": "team/echo:1.0"}),
        (
            spec(source_registry_id=REGISTRY_ID.format("other"), source=ImageName("", "e", "1")),
            B,
            False,
            {"resourceId": REGISTRY_ID.format("other"), "sourceImage": f"e@{B}"},
        ),
        (
            spec(username="u", password="p"),
            None,
            False,
            {
                "registryUri": "ghcr.io",
                "sourceImage": "team/echo:1.0",
                "credentials": {"username": "u", "password": "p"},
            },
        ),
    ],
)
def test_what_is_copied(declared: ImageSpec, digest: str | None, here: bool, copied: dict[str, Any]) -> None:
    assert acr_plan.import_source(declared, digest, here) == copied


def test_only_what_is_there_is_forced() -> None:
    body = acr_plan.import_body(spec(), {}, ["latest"], force=True)
    assert (body["targetTags"], body["mode"]) == (["echo:latest"], "Force")
    assert acr_plan.import_body(spec(), {}, ["latest"], force=False)["mode"] == "NoForce"
