# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest behind the tag of a server's image: where it comes from, and when the one that stands stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.filter.image_digests import image_digests
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_images
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.observe import SERVERS, target_by_name
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared, declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import FIELD_MANAGER

IMAGE = "acr.example.com/echo:1.0.0"
UNKNOWN = "unknown"
OLD, NEW = f"sha256:{'0' * 64}", f"sha256:{'a' * 64}"


def declared(image: str | None = IMAGE) -> Declared:
    [server] = declared_from(
        {"name": "echo", "namespace": "mcp", **({"image": image} if image else {"command": "npx"})}
    )
    return server


def standing(image: str, manager: str = FIELD_MANAGER) -> dict[str, Any]:
    fields = {"f:spec": {"f:deployment": {"f:image": {}}}}
    entry = {"manager": manager, "operation": "Apply", "apiVersion": "kagent.dev/v1alpha1", "fieldsV1": fields}
    return {"metadata": {"managedFields": [entry]}, "spec": {"deployment": {"image": image}}}


def image_of(server: Declared, digests: Mapping[str, Any] | str | None, live: dict[str, Any] | None) -> Any:
    found = {} if live is None else {target_by_name(SERVERS, server.key).ref: live}
    keep = digests == UNKNOWN
    params = {"image_digests": None if keep else digests, "keep_image_digests": keep}
    [pinned] = server_images.with_digests([server], params, found)
    return pinned.deployment.get("image")


@pytest.mark.parametrize(
    ("image", "digests", "live", "runs"),
    [
        pytest.param(IMAGE, {IMAGE: NEW}, None, f"{IMAGE}@{NEW}", id="new"),
        pytest.param(IMAGE, {IMAGE: NEW}, standing(f"{IMAGE}@{OLD}"), f"{IMAGE}@{NEW}", id="the tag has moved"),
        pytest.param(IMAGE, {IMAGE: NEW}, standing(IMAGE), f"{IMAGE}@{NEW}", id="one without a digest"),
        pytest.param(IMAGE, UNKNOWN, standing(f"{IMAGE}@{OLD}"), f"{IMAGE}@{OLD}", id="nobody looked at the registry"),
        pytest.param(IMAGE, {IMAGE: None}, standing(f"{IMAGE}@{OLD}"), f"{IMAGE}@{OLD}", id="not known in check mode"),
        pytest.param(IMAGE, {IMAGE: None}, standing(IMAGE), IMAGE, id="not known, and none stands"),
        pytest.param(IMAGE, {}, standing(f"{IMAGE}@{OLD}"), IMAGE, id="no image is in the registry any more"),
        pytest.param(IMAGE, {f"x{IMAGE}": NEW}, standing(f"{IMAGE}@{OLD}"), IMAGE, id="it left the registry"),
        pytest.param(IMAGE, UNKNOWN, standing(f"{IMAGE}@{OLD}", "kubectl-edit"), IMAGE, id="somebody else's digest"),
        pytest.param(IMAGE, UNKNOWN, standing(f"{IMAGE}.1@{OLD}"), IMAGE, id="the digest of another tag"),
        pytest.param(IMAGE, UNKNOWN, standing(IMAGE), IMAGE, id="nothing is known"),
        pytest.param(IMAGE, None, standing(f"{IMAGE}@{OLD}"), IMAGE, id="nobody wants it"),
        pytest.param(f"x{IMAGE}", {IMAGE: NEW}, None, f"x{IMAGE}", id="of another registry"),
        pytest.param(f"{IMAGE}@{OLD}", {IMAGE: NEW}, None, f"{IMAGE}@{OLD}", id="declared by digest"),
        pytest.param(None, {IMAGE: NEW}, None, None, id="the image of KMCP"),
    ],
)
def test_which_image_a_server_gets(
    image: str | None, digests: Mapping[str, Any] | str | None, live: dict[str, Any] | None, runs: str | None
) -> None:
    server = declared(image)
    assert image_of(server, digests, live) == runs
    assert server.deployment.get("image") == image, "what was declared is not changed"


@pytest.mark.parametrize(
    ("image", "digest", "words"),
    [
        ("echo", NEW, "not an image with a tag"),
        ("acr.example.com:5000/echo", NEW, "not an image with a tag"),
        (f"{IMAGE}@{OLD}", NEW, "not an image with a tag"),
        (IMAGE, "1.0.0", "not a digest"),
        (IMAGE, NEW.upper(), "not a digest"),
        (IMAGE, NEW, ""),
        (IMAGE, None, ""),
        ("10.0.0.1:5000/a/b:1", OLD, ""),
    ],
)
def test_what_is_refused(image: str, digest: Any, words: str) -> None:
    found = [str(one.message) for one in server_images.digest_problems({"image_digests": {image: digest}})]
    assert bool(found) == bool(words) and all(words in one for one in found)


ONE = {"login_server": "acr.example.com", "repository": "echo", "tags": {"1.0.0": NEW, "latest": NEW, "old": None}}
FOUND = {IMAGE: NEW, IMAGE[:-5] + "latest": NEW, IMAGE[:-5] + "old": None}


@pytest.mark.parametrize(
    ("registered", "found"),
    [
        ({}, {}),
        ({"results": []}, {}),
        (
            {"results": [ONE, {"skipped": True}, {**ONE, "login_server": None}]},
            FOUND,
        ),
        (ONE, FOUND),
    ],
)
def test_what_a_registry_answered(registered: dict[str, Any], found: dict[str, Any]) -> None:
    assert image_digests(registered) == found
