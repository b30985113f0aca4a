# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is made for, beside the node pools that its pods may come to."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.filter.declared_images import declared_images
from ansible_collections.mcpops.platform.plugins.module_utils.arm import image_platforms
from ansible_collections.mcpops.platform.plugins.module_utils.arm.acr_registry import Registry
from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.spec import cluster_spec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.image_platforms import (
    DeclaredImage,
    NodePool,
    may_come,
    misfit,
    node_pools,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku import Sku
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response

IMAGE = "registry.example.com/echo:1"
AMD, ARM = ("linux", "amd64"), ("linux", "arm64")
SKUS = {
    "standard_d2s_v5": Sku("Standard_D2s_v5", "f", capabilities={"CpuArchitectureType": "x64"}),
    "standard_d2ps_v5": Sku("Standard_D2ps_v5", "f", capabilities={"CpuArchitectureType": "Arm64"}),
}


def image(selector: Mapping[str, str] | None = None, *tolerations: dict[str, Any]) -> DeclaredImage:
    return DeclaredImage.of(
        {"image": IMAGE, "where": "MCP server echo", "node_selector": selector, "tolerations": tolerations}
    )


def pool(name: str, architecture: str = "amd64", *taints: str, **labels: str) -> NodePool:
    own = {"agentpool": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture}
    return NodePool(name, "Standard_X", {**own, **labels}, taints, architecture)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"agentpool": "a"}, True),
        ({"agentpool": "b"}, False),
        ({"kubernetes.io/arch": "amd64"}, True),
        ({"kubernetes.io/arch": "arm64"}, False),
        ({"team": "x"}, True),
        ({"team": "y"}, False),
        ({"nobody-has-it": "1"}, False),
        # what others give is not known here
        ({"topology.kubernetes.io/zone": "eastus2-1"}, True),
    ],
)
def test_labels_decide_where_a_pod_may_come(selector: dict[str, str], expected: bool) -> None:
    assert may_come(image(selector), pool("a", team="x")) is expected


def test_a_size_is_the_same_in_any_spelling() -> None:
    size = "node.kubernetes.io/instance-type"
    small = pool("a", **{size: "standard_d2s_v5"})
    assert may_come(image({size: "Standard_D2s_v5"}), small)
    assert not may_come(image({size: "Standard_D4s_v5"}), small)


@pytest.mark.parametrize(
    ("taint", "toleration", "expected"),
    [
        ("gpu=true:NoSchedule", None, False),
        ("gpu=true:NoExecute", None, False),
        ("gpu=true:PreferNoSchedule", None, True),
        ("gpu=true:NoSchedule", {"key": "gpu", "value": "true", "effect": "NoSchedule"}, True),
        ("gpu=true:NoSchedule", {"key": "gpu", "operator": "Exists"}, True),
        ("gpu=true:NoSchedule", {"operator": "Exists"}, True),
        ("gpu=true:NoSchedule", {"key": "gpu", "value": "false"}, False),
        ("gpu=true:NoSchedule", {"key": "other", "operator": "Exists"}, False),
        ("gpu=true:NoSchedule", {"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints_keep_pods_away(taint: str, toleration: dict[str, Any] | None, expected: bool) -> None:
    assert may_come(image({}, *([toleration] if toleration else [])), pool("a", "amd64", taint)) is expected


@pytest.mark.parametrize("platforms", [[AMD], [ARM], [AMD, ARM], [], [("windows", "amd64")]], ids=str)
@pytest.mark.parametrize("pools", [["amd64"], ["arm64"], ["amd64", "arm64"]], ids=str)
def test_an_image_runs_where_it_was_made_for(platforms: list[tuple[str, str]], pools: list[str]) -> None:
    there = [pool(f"p{index}", architecture) for index, architecture in enumerate(pools)]
    lacking = [one for one in pools if ("linux", one) not in platforms]
    found = misfit(image(), platforms, there)
    assert (found is not None) == bool(lacking)
    if found is None:
        return
    assert found.everywhere is (lacking == pools)
    assert all(f"linux/{one}" in found.hint for one in lacking)
    left = [one for one in pools if one not in lacking]
    assert (f"kubernetes.io/arch: {left[0]}" in found.hint) if left else ("add a node pool" in found.hint)
    # and what the hint says is the cure
    if left:
        assert misfit(image({"kubernetes.io/arch": left[0]}), platforms, there) is None


def test_a_pool_of_unknown_architecture_and_one_of_windows_say_nothing() -> None:
    unknown = NodePool("a", "Standard_New", {}, ())
    windows = NodePool("w", "Standard_X", {}, (), "amd64", "windows")
    assert misfit(image(), [ARM], [unknown, windows]) is None


def spec(*pools: dict[str, Any], purge: bool = False) -> Any:
    params = {"name": "c", "resource_group": "rg", "node_pools": list(pools), "purge_node_pools": purge}
    return cluster_spec({**params, "properties": None}, "s")


def test_the_pools_of_a_cluster_that_stands_and_of_what_is_to_come() -> None:
    standing = [
        {"name": "system", "vmSize": "Standard_D2s_v5", "nodeLabels": {"team": "x"}, "osType": "Linux"},
        {"name": "old", "vmSize": "Standard_D2ps_v5", "nodeTaints": ["a=b:NoSchedule"]},
    ]
    body = {"properties": {"agentPoolProfiles": standing}}
    declared = spec(
        {"name": "system", "vm_size_candidates": ["Standard_D2ps_v5"]},
        {"name": "new"},
        {"name": "spot", "vm_size": "standard_d2s_v5", "properties": {"scaleSetPriority": "Spot"}},
    )
    found = {one.name: one for one in node_pools(declared, body, {"new": "Standard_D2ps_v5"}, SKUS)}
    assert {name: one.architecture for name, one in found.items()} == {
        # a pool that stands keeps its size
        "system": "amd64",
        "old": "arm64",
        "new": "arm64",
        "spot": "amd64",
    }
    assert found["system"].labels["team"] == "x" and found["old"].taints == ("a=b:NoSchedule",)
    assert not may_come(image(), found["spot"])
    assert may_come(image({}, {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Exists"}), found["spot"])
    purged = spec({"name": "system"}, purge=True)
    assert [one.name for one in node_pools(purged, body, {}, SKUS)] == ["system"]


@pytest.mark.parametrize("seed", range(40))
def test_who_asks_for_an_architecture_gets_no_other(seed: int) -> None:
    """Whatever pools there are: an image that is made for what its selector names is never a misfit."""
    chance = random.Random(seed)
    pools = [
        pool(f"p{index}", chance.choice(["amd64", "arm64"]), *chance.choice([(), ("a=b:NoSchedule",)]))
        for index in range(chance.randint(1, 5))
    ]
    for architecture, others in itertools.product(["amd64", "arm64"], [[], [AMD], [ARM]]):
        made_for = [("linux", architecture), *others]
        assert misfit(image({"kubernetes.io/arch": architecture}), made_for, pools) is None


# --- what a registry says


INDEX = {
    "manifests": [
        {"platform": {"os": "linux", "architecture": "amd64"}},
        {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        {"platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": "sha256:x"},
        "no mapping",
    ]
}
SINGLE = {"config": {"digest": "sha256:abc"}}


class Answers:
    """A registry that answers by path."""

    def __init__(self, answers: Mapping[str, tuple[int, Any, dict[str, str]]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def call(self, _method: str, url: str, _action: str, _body: Any, headers: Mapping[str, str]) -> Response:
        self.asked.append((url, headers))
        status, body, given = self.answers[url.partition("://")[2].partition("/")[2]]
        return Response(status, given, json.dumps(body).encode())


def platforms(answers: Mapping[str, tuple[int, Any, dict[str, str]]]) -> Any:
    registry = Registry(Answers(answers), "registry.example.com", lambda _text: None)  # type: ignore[arg-type]
    return registry.platforms_of("echo", "1")


MANIFEST, BLOB = "v2/echo/manifests/1", "v2/echo/blobs/sha256:abc"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({MANIFEST: (200, INDEX, {})}, [AMD, ARM]),
        ({MANIFEST: (200, {"manifests": []}, {})}, []),
        ({MANIFEST: (200, SINGLE, {}), BLOB: (200, {"os": "linux", "architecture": "arm64"}, {})}, [ARM]),
        (
            {
                MANIFEST: (200, SINGLE, {}),
                BLOB: (307, None, {"location": "https://blobs.example.com/x?sig=1"}),
                "x?sig=1": (200, {"os": "linux", "architecture": "amd64"}, {}),
            },
            [AMD],
        ),
        # a chart or another artifact
        ({MANIFEST: (200, SINGLE, {}), BLOB: (200, {"name": "chart"}, {})}, []),
        ({MANIFEST: (404, {}, {})}, None),
    ],
    ids=["index", "empty index", "single", "single elsewhere", "artifact", "absent"],
)
def test_platforms_of_an_image(answers: Mapping[str, tuple[int, Any, dict[str, str]]], expected: Any) -> None:
    assert platforms(answers) == expected


def test_a_name_without_a_host_is_one_of_docker_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    class Hub:
        def __init__(self, host: str) -> None:
            self.host = host

        def platforms_of(self, repository: str, _reference: str) -> list[tuple[str, str]]:
            asked.append((self.host, repository))
            return [AMD]

    monkeypatch.setattr(image_platforms._Asked, "_at", lambda _self, host: Hub(host))
    registries = image_platforms._Asked(None, None, ())  # type: ignore[arg-type]
    for one in ("nginx:1", "team/echo:1", "registry.example.com/echo:1"):
        assert registries.platforms(one) == ([AMD], "")
    assert asked == [
        ("registry-1.docker.io", "library/nginx"),
        ("registry-1.docker.io", "team/echo"),
        ("registry.example.com", "echo"),
    ]


# --- what is declared, and what is installed


def test_images_of_servers_and_agents() -> None:
    servers = [{"name": "a", "image": "x:1", "node_selector": {"k": "v"}, "env": {"SECRET": "s"}}, {"name": "b"}]
    (row,) = declared_images(servers, "agent")
    assert row == {"image": "x:1", "where": "agent a", "node_selector": {"k": "v"}, "tolerations": []}
    assert declared_images(None) == []
