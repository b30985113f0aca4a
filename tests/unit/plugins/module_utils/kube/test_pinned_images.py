# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest behind the tag of an image: where it comes from, and when the one that stands stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.filter.image_digests import image_digests
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.observe import SERVERS, target_by_name
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube import pinned_images
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.owned_objects import target_named
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import FIELD_MANAGER
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import mesh_agent
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_spec import AGENT

IMAGE = "acr.example.com/echo:1.0.0"
NOBODY = "nobody looked"
OLD, NEW = f"sha256:{'0' * 64}", f"sha256:{'a' * 64}"
LATER = f"{IMAGE}@{pinned_images.LATER}"


def standing(image: str, manager: str = FIELD_MANAGER) -> dict[str, Any]:
    return {"image": image, "manager": manager}


def managed(manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"managedFields": [{"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}]}


def of_server(task: FakeTask, image: str | None, live: dict[str, Any] | None) -> Any:
    [server] = declared_from(
        {"name": "echo", "namespace": "mcp", **({"image": image} if image else {"command": "npx"})}
    )
    found = {}
    if live:
        fields = {"f:spec": {"f:deployment": {"f:image": {}}}}
        body = {"metadata": managed(live["manager"], fields), "spec": {"deployment": {"image": live["image"]}}}
        found = {target_by_name(SERVERS, server.key).ref: body}
    [pinned] = server_rotation.by_digest(task, [server], found)
    assert server.deployment.get("image") == image, "what was declared is not changed"
    return pinned.deployment.get("image")


def of_agent(task: FakeTask, image: str | None, live: dict[str, Any] | None) -> Any:
    agent = {"name": "echo", **({"image": image} if image else {})}
    params = {"namespace": "mesh", "registry_service": "r", "registry_port": 8000, "agents": [agent]}
    declared, found = mesh_agent.declared_from(params), {}
    if live:
        key = f'k:{{"name":"{AGENT}"}}'
        fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {key: {"f:image": {}}}}}}}
        containers = [{"name": "other", "image": "x:1"}, {"name": AGENT, "image": live["image"]}]
        body = {
            "metadata": managed(live["manager"], fields),
            "spec": {"template": {"spec": {"containers": containers}}},
        }
        found = {target_named("Deployment", "echo", "mesh").ref: body}
    by_digest = mesh_agent._by_digest(task, declared, found)
    assert declared.agents[0].options.get("image") == image, "what was declared is not changed"
    [deployment] = [item for item in mesh_agent._objects(by_digest)["echo"] if item["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return container["image"] if image else by_digest.agents[0].options.get("image")


@pytest.mark.parametrize(
    ("image", "digests", "live", "runs"),
    [
        pytest.param(IMAGE, {IMAGE: NEW}, None, f"{IMAGE}@{NEW}", id="new"),
        pytest.param(IMAGE, {IMAGE: NEW}, standing(f"{IMAGE}@{OLD}"), f"{IMAGE}@{NEW}", id="the tag has moved"),
        pytest.param(IMAGE, {IMAGE: NEW}, standing(IMAGE), f"{IMAGE}@{NEW}", id="one without a digest"),
        pytest.param(IMAGE, NOBODY, standing(f"{IMAGE}@{OLD}"), f"{IMAGE}@{OLD}", id="nobody looked at the registry"),
        pytest.param(IMAGE, {IMAGE: None}, standing(f"{IMAGE}@{OLD}"), f"{IMAGE}@{OLD}", id="not known in check mode"),
        pytest.param(IMAGE, {IMAGE: None}, standing(IMAGE), IMAGE, id="not known, and none stands"),
        pytest.param(IMAGE, {}, standing(f"{IMAGE}@{OLD}"), IMAGE, id="no image is in the registry any more"),
        pytest.param(IMAGE, {f"x{IMAGE}": NEW}, standing(f"{IMAGE}@{OLD}"), IMAGE, id="it left the registry"),
        pytest.param(IMAGE, NOBODY, standing(f"{IMAGE}@{OLD}", "kubectl-edit"), IMAGE, id="somebody else's digest"),
        pytest.param(IMAGE, NOBODY, standing(f"{IMAGE}.1@{OLD}"), IMAGE, id="the digest of another tag"),
        pytest.param(IMAGE, NOBODY, standing(IMAGE), IMAGE, id="nothing is known"),
        pytest.param(IMAGE, None, standing(f"{IMAGE}@{OLD}"), IMAGE, id="nobody wants it"),
        pytest.param(f"x{IMAGE}", {IMAGE: NEW}, None, f"x{IMAGE}", id="of another registry"),
        pytest.param(f"{IMAGE}@{OLD}", {IMAGE: NEW}, None, f"{IMAGE}@{OLD}", id="declared by digest"),
        pytest.param(None, {IMAGE: NEW}, None, None, id="none is declared"),
    ],
)
@pytest.mark.parametrize("image_of", [of_server, of_agent])
def test_which_image_a_pod_gets(
    image_of: Callable[..., Any],
    image: str | None,
    digests: Mapping[str, Any] | str | None,
    live: dict[str, Any] | None,
    runs: str | None,
) -> None:
    keep = digests == NOBODY
    params = {"image_digests": None if keep else digests, "keep_image_digests": keep}
    assert image_of(FakeTask(params), image, live) == runs


@pytest.mark.parametrize("image_of", [of_server, of_agent])
def test_an_image_that_is_still_to_be_built_is_another_one(image_of: Callable[..., Any]) -> None:
    """Check mode says that pods would be replaced; a run that was told so knows the digest, or leaves what stands."""
    params = {"image_digests": {IMAGE: "unknown"}, "keep_image_digests": False}
    for live in (standing(f"{IMAGE}@{OLD}"), standing(IMAGE), None):
        assert image_of(FakeTask(params, check_mode=True), IMAGE, live) == LATER
    assert image_of(FakeTask(params), IMAGE, standing(f"{IMAGE}@{OLD}")) == f"{IMAGE}@{OLD}"
    assert image_of(FakeTask(params), IMAGE, None) == IMAGE


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
        (IMAGE, "unknown", ""),
        ("10.0.0.1:5000/a/b:1", OLD, ""),
    ],
)
def test_what_is_refused(image: str, digest: Any, words: str) -> None:
    found = [str(one.message) for one in pinned_images.digest_problems({"image_digests": {image: digest}})]
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
        ({**ONE, "tags": {"1.0.0": None}, "is_new": True}, {IMAGE: "unknown"}),
        ({**ONE, "tags": {"1.0.0": None}, "is_new": False}, {IMAGE: None}),
    ],
)
def test_what_a_registry_answered(registered: dict[str, Any], found: dict[str, Any]) -> None:
    assert image_digests(registered) == found
