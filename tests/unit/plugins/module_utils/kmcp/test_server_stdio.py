# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of standard input and output: what is added so that they start, and what is said of their adapter."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import diagnosis, server_spec, server_validate
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Finding

NAMED = {"name": "tools", "namespace": "mcp"}
CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def deployment(**options: Any) -> dict[str, Any]:
    [server] = declared_from({"servers": [{**NAMED, "transport": "stdio", **options}]})
    return dict(server.deployment)


def test_the_adapters_image_runs_as_root_so_its_container_gets_another_user() -> None:
    made = deployment(image="registry.example.com/tools:2", command="./tools")
    assert made["initContainer"] == {"securityContext": {**CONTEXT, "runAsUser": 65532}}
    # the server's own image says who runs it
    assert "runAsUser" not in made["podSecurityContext"] and "env" not in made


@pytest.mark.parametrize("command", ["npx", "uvx"])
def test_the_images_of_npx_and_uvx_get_a_user_and_a_home(command: str) -> None:
    made = deployment(command=command, args=["x"], env={"TOKEN_FILE": "/t"})
    assert (made["podSecurityContext"]["runAsUser"], made["podSecurityContext"]["runAsGroup"]) == (1000, 1000)
    assert made["env"] == {"HOME": "/tmp", "TOKEN_FILE": "/t"}
    assert "initContainer" not in made


@pytest.mark.parametrize(
    "options",
    [
        {"pod_security_context": {"runAsUser": 4711}},
        {"security_context": {"runAsUser": 4711}},
        {"spec": {"deployment": {"podSecurityContext": {"runAsUser": 4711}}}},
        {"init_container": {"securityContext": {"runAsUser": 4711}}},
    ],
    ids=str,
)
def test_a_declared_user_is_left_alone(options: dict[str, Any]) -> None:
    text = repr(deployment(image="registry.example.com/tools:2", command="./tools", **options))
    assert "4711" in text and "65532" not in text and "1000" not in text


def test_a_declared_home_is_left_alone() -> None:
    assert deployment(command="npx", args=["x"], env={"HOME": "/data"})["env"] == {"HOME": "/data"}


def test_an_http_server_has_no_adapter() -> None:
    assert "initContainer" not in deployment(transport="http", image="registry.example.com/tools:2")


@pytest.mark.parametrize(
    ("task", "entry", "image"),
    [
        ({}, {"adapter_image": "r.example/a:1"}, "r.example/a:1"),
        ({"adapter_image": "r.example/a:1"}, {}, "r.example/a:1"),
        ({"adapter_image": "r.example/a:1"}, {"adapter_image": "r.example/b:1"}, "r.example/b:1"),
        ({"adapter_image": "r.example/a:1"}, {"init_container": {"image": "r.example/c:1"}}, "r.example/c:1"),
        ({}, {}, None),
    ],
    ids=["server", "task", "both", "init container", "neither"],
)
def test_another_adapter_image(task: dict[str, Any], entry: dict[str, Any], image: str | None) -> None:
    declared = {**NAMED, "transport": "stdio", "image": "r.example/tools:1", "command": "x", **entry}
    [server] = declared_from({"servers": [declared], **task})
    assert server.deployment["initContainer"].get("image") == image
    assert server_validate.server_problems([server]) == []


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        ({"adapter_image": ""}, "adapter_image", "is empty"),
        ({"adapter_image": "R.example/A:1 0"}, "adapter_image", "not a valid image reference"),
        ({"init_container": {"image": "a b"}}, "init_container.image", "not a valid image reference"),
        (
            {"adapter_image": "r.example/a:1", "init_container": {"image": "r.example/b:1"}},
            "init_container.image",
            "one",
        ),
    ],
    ids=["empty", "no reference", "no reference in the container", "two images"],
)
def test_an_adapter_image_that_is_refused(options: dict[str, Any], path: str, words: str) -> None:
    declared = {**NAMED, "transport": "stdio", "image": "r.example/tools:1", "command": "x", **options}
    [problem] = server_validate.server_problems(declared_from({"servers": [declared]}))
    assert problem.path == f"servers[0].{path}" and words in problem.message


SCRATCH = {
    "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "keys", "secret": {"secretName": "keys"}}],
    "volume_mounts": [{"name": "scratch", "mountPath": "/scratch/"}, {"name": "keys", "mountPath": "/scratch/keys"}],
}


@pytest.mark.parametrize(
    ("command", "env", "reported"),
    [
        ("npx", {}, "npx writes below /tmp (env HOME)"),
        ("uvx", {"HOME": "/scratch/keys"}, "uvx writes below /scratch/keys (env HOME)"),
        ("uvx", {"UV_CACHE_DIR": "/scratch/uv"}, "uvx writes below /tmp (env HOME)"),
        ("uvx", {"HOME": "/scratch", "UV_CACHE_DIR": "/cache"}, "uvx writes below /cache (env UV_CACHE_DIR)"),
        ("npx", {"npm_config_cache": "/scratch2"}, "npx writes below /scratch2 (env npm_config_cache)"),
        ("npx", {"HOME": "/scratch"}, None),
        ("npx", {"npm_config_cache": "/scratch/.npm"}, None),
        ("uvx", {"UV_CACHE_DIR": "/scratch/uv", "UV_TOOL_DIR": "/scratch/tools"}, None),
    ],
    ids=[
        *("npx", "mounted Secret", "uvx's tools", "uvx's cache", "beside the volume"),
        *("home", "cache of npx", "cache and tools of uvx"),
    ],
)
def test_npx_and_uvx_need_room_in_a_read_only_file_system(
    command: str, env: dict[str, str], reported: str | None
) -> None:
    options = {"command": command, "args": ["x"], "env": env, "security_context": {"readOnlyRootFilesystem": True}}
    [server] = declared_from({"servers": [{**NAMED, "transport": "stdio", **options, **SCRATCH}]})
    found = [str(problem) for problem in server_validate.server_problems([server])]
    if reported is None:
        assert found == []
    else:
        assert len(found) == 1 and reported in found[0] and "emptyDir" in found[0]


@pytest.mark.parametrize(
    ("port", "variable"), [(15000, "ADMIN_ADDR"), (15020, "STATS_ADDR"), (15021, "READINESS_ADDR")]
)
def test_the_adapters_own_ports(port: int, variable: str) -> None:
    options = {**NAMED, "transport": "stdio", "image": "r.example/tools:1", "command": "x", "port": port}
    [problem] = server_validate.server_problems(declared_from({"servers": [options]}))
    assert "the adapter's own" in problem.message and f"env {variable}" in problem.message
    assert (
        server_validate.server_problems(declared_from({"servers": [{**options, "env": {variable: "127.0.0.1:1"}}]}))
        == []
    )
    assert server_validate.server_problems(declared_from({"servers": [{**options, "transport": "http"}]})) == []


PULL = "image ghcr.io/agentgateway/agentgateway:0.9.0-musl cannot be pulled: not found"


def test_an_adapter_that_cannot_be_pulled_is_not_blamed_on_the_server() -> None:
    reason = Reason("Pod mcp/tools-1 container copy-binary", "ImagePull", PULL, "Check the image's name.", True)
    reported = server_spec.about_adapter(reason)
    assert reported.message == (
        "the image of KMCP's adapter for stdio servers, ghcr.io/agentgateway/agentgateway:0.9.0-musl cannot be pulled: "
        "not found"
    )
    assert (
        "not the server's own image" in reported.hint
        and "adapter_image" in reported.hint
        and "adapter_version" in reported.hint
    )
    assert (reported.code, reported.terminal) == ("ImagePull", True)


def test_the_servers_own_image_is_told_as_before() -> None:
    reason = Reason("Pod mcp/tools-1 container mcp-server", "ImagePull", PULL, "Check the image's name.", True)
    assert server_spec.about_adapter(reason) is reason


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("ConfigError", "container has runAsNonRoot and image will run as root", "init_container.security_context"),
        ("CannotStart", "exec: no such file", "VERSION-musl"),
        ("CrashLoop", "is in CrashLoopBackOff (3 restarts)", "VERSION-musl"),
    ],
)
def test_an_adapter_that_does_not_start(code: str, message: str, advice: str) -> None:
    reported = server_spec.about_adapter(Reason("Pod mcp/a container copy-binary", code, message, "Generic."))
    assert reported.message.startswith("the adapter for stdio servers") and message in reported.message
    assert advice in reported.hint


@pytest.mark.parametrize(("owner", "is_ours"), [("MCPServer", True), ("Other", False)])
def test_diagnosis_tells_it_too_of_kmcps_own_pods_only(owner: str, is_ours: bool) -> None:
    metadata = {"name": "tools", "namespace": "mcp", "ownerReferences": [{"kind": owner, "name": "tools"}]}
    item = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    found = Finding("ImagePull", item, f"container copy-binary: {PULL}", part="copy-binary", advice="Check it.")
    reported = diagnosis.about_adapter(found)
    assert ("KMCP's adapter" in reported.summary) == is_ours
    assert ("adapter_image" in reported.advice) == is_ours
    assert reported.identifier == found.identifier
