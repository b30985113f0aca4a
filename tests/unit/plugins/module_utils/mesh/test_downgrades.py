# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of a registry: which an image names, and that an older one is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_plan import (
    downgrade_refusals,
    image_version,
)


def deployment(image: str) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "registry", "image": image}]}}
    return {"kind": "Deployment", "metadata": {"name": "r", "namespace": "mesh"}, "spec": {"template": template}}


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("mcpmesh/registry:3.7.1", (3, 7, 1)),
        ("mcpmesh/registry:3.6", (3, 6, 0)),
        ("mesh.azurecr.io:443/mcpmesh/registry:v3.7.1@sha256:00", (3, 7, 1)),
        ("mesh.azurecr.io:443/mcpmesh/registry", None),
        ("mcpmesh/registry:latest", None),
        ("mcpmesh/registry@sha256:3", None),
        ("", None),
    ],
)
def test_the_version_of_an_image(image: str, release: tuple[int, int, int] | None) -> None:
    found = image_version(image)
    assert (None if found is None else found.release) == release


@pytest.mark.parametrize("seed", range(60))
def test_an_older_registry_is_refused_unless_asked_for(seed: int) -> None:
    old, new = ([random.Random(f"{seed}-{side}-{part}").randint(0, 12) for part in range(3)] for side in "ab")
    before, after = (deployment("mcpmesh/registry:" + ".".join(map(str, one))) for one in (old, new))
    refused = list(downgrade_refusals(before, after, False))
    assert bool(refused) == (new < old)
    assert list(downgrade_refusals(before, after, True)) == []
    assert all("backup" in one.remedy for one in refused)


@pytest.mark.parametrize("images", [("r:latest", "r:3.0.0"), ("r:3.7.1", "r:stable"), ("r:3.7.1", "other@sha256:0")])
def test_tags_that_tell_nothing_refuse_nothing(images: tuple[str, str]) -> None:
    assert list(downgrade_refusals(deployment(images[0]), deployment(images[1]), False)) == []


def test_a_first_one_is_no_downgrade() -> None:
    assert list(downgrade_refusals(None, deployment("r:3.0.0"), False)) == []
    [candidate] = downgrade_refusals(deployment("r:3.7.1"), deployment("r:3.7.1-rc.1"), False)
    assert candidate.after == "r:3.7.1-rc.1"
