# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight and the creation make the same of one inventory: the same candidates, asked for the same things."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2.nativetypes import NativeEnvironment
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.spec import (
    CLUSTER_ARGUMENTS,
    SizeRequest,
    cluster_spec,
    current_pools,
    declared_pools,
    new_pools,
    size_request_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_preflight import size_requests_of
from ansible_collections.mcpops.platform.plugins.module_utils.arm.names import OWNED_OPTIONS
from ansible_collections.mcpops.platform.plugins.module_utils.option_problems import validated_options
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster

Body = dict[str, Any] | None
SITE = {"mcpops_location": "eastus2", "mcpops_resource_group": "rg", "inventory_hostname": "h1"}


@cache
def of_role(role: str, path: str) -> Any:
    return yaml.safe_load((CHECKOUT / "roles" / role / path).read_text("utf-8"))


def rendered(value: Any, variables: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: rendered(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item, variables) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    return environment().from_string(value.strip()).render(variables)


def environment() -> NativeEnvironment:
    """Jinja with what it has of Ansible here."""
    made = NativeEnvironment()
    made.tests["match"] = lambda text, pattern: re.match(pattern, text) is not None
    made.filters["items2dict"] = lambda rows, key_name, value_name: {row[key_name]: row[value_name] for row in rows}
    return made


def variables_of(role: str, inventory: dict[str, Any], *wanted: str) -> dict[str, Any]:
    """The role alone in its play: no default of another role is in sight."""
    variables = {**SITE, **inventory}
    for name, value in of_role(role, "defaults/main.yml").items():
        if name in wanted and name not in variables:
            variables[name] = rendered(value, variables)
    return variables


def validated(module: Any, options: dict[str, Any]) -> dict[str, Any]:
    result = ArgumentSpecValidator(module.ARGUMENT_SPEC, **getattr(module, "RULES", {})).validate(options)
    assert not result.error_messages
    parameters: dict[str, Any] = result.validated_parameters
    return parameters


def preflight(inventory: dict[str, Any], cluster: Body = None) -> list[SizeRequest]:
    """What the role asks of sizes for the pools that do not stand, by the cluster that it hands to azure_preflight."""
    own = of_role("site_preflight", "defaults/main.yml")
    declared = own["site_preflight_declared"]["cluster"]
    names = [name for name in own if f"{{{{ {name}" in str(declared)]
    further = ("site_preflight_has_cluster", "site_preflight_cluster_backend")
    variables = variables_of("site_preflight", inventory, *further, *names)
    # what aks_cluster would refuse is compared as well
    params = validated_options({**OWNED_OPTIONS, **CLUSTER_ARGUMENTS}, rendered(declared, variables), {})[1]
    return list(size_requests_of(cluster_spec(params, "s"), cluster).values())


def creation(inventory: dict[str, Any], cluster: Body = None) -> list[SizeRequest]:
    """What aks_cluster asks for, whose system pools are those of the body that it sends."""
    task = of_role("aks_cluster", "tasks/arm.yml")[0]["mcpops.platform.aks_cluster"]
    wanted = {name: task[name] for name in ("name", "resource_group", "location", "node_pools", "vm_size_selection")}
    names = [name for name in of_role("aks_cluster", "defaults/main.yml") if f"{{{{ {name} }}}}" in str(wanted)]
    variables = variables_of("aks_cluster", inventory, "aks_cluster_backend", *names)
    spec = cluster_spec(validated(aks_cluster, rendered(wanted, variables)), "s")
    asked = [size_request_of(cluster, spec.pools, pool, spec.declared["location"], spec.sizes) for pool in spec.pools]
    sent = [str(pool["mode"]).lower() == "system" for pool in declared_pools(current_pools(cluster), spec)]
    assert [one.wanted.system_pool for one in asked] == sent
    fresh = new_pools(current_pools(cluster), spec)
    return [one for one, pool in zip(asked, spec.pools, strict=True) if pool in fresh]


INVENTORIES: dict[str, dict[str, Any]] = {
    "nothing said": {},
    "candidates": {"site_preflight_candidates": ["Standard_D2ps_v5", "Standard_D2s_v5"]},
    "arm64": {"site_preflight_architecture": "arm64"},
    "no burstable sizes": {"site_preflight_allow_burstable": False},
    "surge": {"site_preflight_surge_nodes": 3},
    "own candidates": {"aks_cluster_node_pools": [{"name": "a", "vm_size_candidates": ["Standard_B2ms"]}]},
    "a size": {"aks_cluster_node_pools": [{"name": "a", "vm_size": "Standard_B2ms"}, {"name": "b"}]},
    "autoscaler": {
        "aks_cluster_node_pools": [{"name": "a", "enable_auto_scaling": True, "min_count": 1, "max_count": 5}]
    },
    "zones and disk": {"aks_cluster_node_pools": [{"name": "a", "zones": [1, 2], "os_disk_type": "Ephemeral"}]},
    "zones as a raw property": {"aks_cluster_node_pools": [{"name": "a", "properties": {"availabilityZones": 1}}]},
    "no modes": {"aks_cluster_node_pools": [{"name": "a"}, {"name": "b"}]},
    "a mode elsewhere": {"aks_cluster_node_pools": [{"name": "a"}, {"name": "b", "mode": "System"}]},
    "mode as a raw property": {
        "aks_cluster_node_pools": [{"name": "a"}, {"name": "b", "properties": {"mode": "System"}}]
    },
    "size as a raw property": {
        "aks_cluster_node_pools": [{"name": "a", "properties": {"vmSize": "Standard_B2ms"}}, {"name": "b"}]
    },
    "counts as raw properties": {
        "aks_cluster_node_pools": [
            {"name": "a", "properties": {"count": 4}},
            {"name": "b", "properties": {"enableAutoScaling": True, "minCount": 1, "maxCount": 6}},
        ]
    },
    "zones and disk as raw properties": {
        "aks_cluster_node_pools": [
            {"name": "a", "properties": {"availabilityZones": ["1"], "osDiskType": "Ephemeral"}},
        ]
    },
    "modes": {"aks_cluster_node_pools": [{"name": "a", "mode": "System"}, {"name": "b", "mode": "User", "count": 0}]},
}


STANDING = {"location": "westeurope", "properties": {"agentPoolProfiles": [{"name": "old", "mode": "System"}]}}
CLUSTERS: dict[str, Body] = {"a new cluster": None, "a cluster that stands": STANDING}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS.keys())
@pytest.mark.parametrize("inventory", INVENTORIES.values(), ids=INVENTORIES.keys())
def test_what_the_preflight_checks_is_what_is_created(inventory: dict[str, Any], cluster: Body) -> None:
    asked = creation(inventory, cluster)
    assert asked == preflight(inventory, cluster)
    assert asked


# what is asked of a size for each pool of an inventory, at a new cluster and at one that stands
SYSTEM_POOLS = {
    "nothing said": ([True], [True]),
    "no modes": ([True, False], [False, False]),
    "a mode elsewhere": ([False, True], [False, True]),
    "mode as a raw property": ([False, True], [False, True]),
}


@pytest.mark.parametrize(("name", "expected"), SYSTEM_POOLS.items(), ids=SYSTEM_POOLS.keys())
def test_one_rule_says_which_pool_is_a_system_pool(name: str, expected: tuple[list[bool], list[bool]]) -> None:
    found = tuple([one.wanted.system_pool for one in preflight(INVENTORIES[name], body)] for body in CLUSTERS.values())
    assert found == expected


# inventory → candidates (None: those of the role) and nodes of each pool
SIZES: dict[str, list[tuple[tuple[str, ...] | None, int]]] = {
    "nothing said": [(None, 2)],
    "own candidates": [(("Standard_B2ms",), 1)],
    "a size": [(("Standard_B2ms",), 1), (None, 1)],
    "size as a raw property": [(("Standard_B2ms",), 1), (None, 1)],
    "autoscaler": [(None, 5)],
    "counts as raw properties": [(None, 4), (None, 6)],
}


@pytest.mark.parametrize(("name", "expected"), SIZES.items(), ids=SIZES.keys())
def test_which_sizes_and_for_how_many_nodes(name: str, expected: list[tuple[tuple[str, ...] | None, int]]) -> None:
    usual = tuple(of_role("site_preflight", "defaults/main.yml")["site_preflight_candidates"])
    found = preflight(INVENTORIES[name])
    assert [(one.candidates, one.wanted.node_count) for one in found] == [
        (candidates or usual, nodes) for candidates, nodes in expected
    ]


def test_whoever_names_a_size_has_chosen_its_kind_and_a_cluster_does_not_move() -> None:
    stated = {"site_preflight_architecture": "arm64", "site_preflight_allow_burstable": False}
    named, chosen = preflight({**INVENTORIES["size as a raw property"], **stated}, STANDING)
    assert (named.wanted.architecture, named.wanted.allow_burstable) == ("", True)
    assert (chosen.wanted.architecture, chosen.wanted.allow_burstable) == ("arm64", False)
    assert {one.wanted.location for one in (named, chosen)} == {"westeurope"}


ENDPOINTS = ("site_preflight_cluster_backend", "site_preflight_has_cluster", "site_preflight_charts")


@pytest.mark.parametrize(
    ("inventory", "asked"),
    [
        ({}, ["oci://ghcr.io/kagent-dev/kmcp/helm"]),
        ({"kmcp_chart_repository": "oci://mirror/kmcp"}, ["oci://mirror/kmcp"]),
        (
            {
                "cluster_setup_releases": [
                    {"chart_ref": "oci://one/chart"},
                    {"chart_ref": "x/y", "repo_url": "https://two"},
                ],
                "extras_releases": [{"chart_ref": "ingress-nginx", "repo_url": "https://three"}],
                "kmcp_image_repository": "four/kmcp",
                "mcpops_mcp_servers": [{"name": "s", "image": "five/s:1"}, {"name": "without"}],
            },
            [
                *("oci://ghcr.io/kagent-dev/kmcp/helm", "https://two", "https://three", "oci://one/chart"),
                *("four/kmcp", "five/s:1"),
            ],
        ),
        (
            {
                "group_names": ["platforms"],
                "mcpops_mcp_servers": [{"name": "s", "image": "five/s:1"}],
                "azure_platform_images": [{"source": {"image": "six/a:1"}}, {"build": {"context": "."}}],
            },
            ["six/a:1"],
        ),
    ],
    ids=["nothing", "another chart", "everything", "a platform"],
)
def test_all_that_charts_and_images_come_from_is_asked(inventory: dict[str, Any], asked: list[str]) -> None:
    variables = variables_of("site_preflight", inventory, *ENDPOINTS)
    charts = [
        row["chart_ref"] for name in ("cluster_setup_releases", "extras_releases") for row in inventory.get(name, ())
    ]
    assert variables["site_preflight_charts"] == charts
    value = of_role("site_preflight", "defaults/main.yml")["site_preflight_endpoints"]
    assert rendered(value, variables) == asked


IMAGES = {"login_server": "acr.example.com", "repository": "echo", "tags": {"1": f"sha256:{'0' * 64}"}}
PLATFORM: dict[str, Any] = {"mcpops_platform": "p"}


@pytest.mark.parametrize(
    ("inventory", "keeps"),
    [
        ({"hostvars": {}}, True),
        ({"hostvars": {"p": {"azure_platform_images": [1]}}, **PLATFORM}, True),
        ({"hostvars": {"p": {"azure_platform_images": []}}, **PLATFORM}, False),
        ({"hostvars": {"p": {}}, **PLATFORM}, False),
        ({"hostvars": {"p": {"azure_platform_images_result": {"results": []}}}, **PLATFORM}, False),
        ({"hostvars": {"p": {"azure_platform_images_result": {"results": [IMAGES]}}}, **PLATFORM}, False),
    ],
    ids=[
        "no platform",
        "a run without the platform",
        "the platform declares none",
        "nor did it ever",
        "no images any more",
        "images",
    ],
)
@pytest.mark.parametrize("role", ["mcp_servers", "mcp_mesh_agents"])
def test_digests_stay_where_nobody_has_looked_at_the_registries(
    role: str, inventory: dict[str, Any], keeps: bool
) -> None:
    name = f"{role}_keep_image_digests"
    assert variables_of(role, inventory, name)[name] is keeps
