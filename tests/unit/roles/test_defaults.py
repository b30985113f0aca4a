# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight and the creation make the same of one inventory: the same candidates, asked for the same things."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2.nativetypes import NativeEnvironment
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_create import candidates_of, requirements_of
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_pools import mode_of_new
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_spec import cluster_spec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku_preflight import requirements
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku_select import Requirements
from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, aks_sku_preflight

Asked = tuple[list[str], Requirements]
SITE = {"mcpops_location": "eastus2", "mcpops_resource_group": "rg", "inventory_hostname": "h1"}


def of_role(role: str, path: str) -> Any:
    return yaml.safe_load((CHECKOUT / "roles" / role / path).read_text("utf-8"))


def rendered(value: Any, variables: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: rendered(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item, variables) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    return NativeEnvironment().from_string(value).render(variables)


def variables_of(role: str, inventory: dict[str, Any], *wanted: str) -> dict[str, Any]:
    """The role alone in its play: no default of another role is in sight."""
    variables = {**SITE, **inventory}
    for name, value in of_role(role, "defaults/main.yml").items():
        if name in wanted and name not in variables:
            variables[name] = rendered(value, variables)
    return variables


def validated(module: Any, options: dict[str, Any]) -> dict[str, Any]:
    result = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate(options)
    assert not result.error_messages
    parameters: dict[str, Any] = result.validated_parameters
    return parameters


def preflight(inventory: dict[str, Any]) -> list[Asked]:
    (task,) = of_role("site_preflight", "tasks/main.yml")
    variables = variables_of("site_preflight", inventory, *of_role("site_preflight", "defaults/main.yml"))
    asked = []
    for pool in rendered(task["loop"], variables):
        options = rendered(task["mcpops.platform.aks_sku_preflight"], {**variables, "item": pool})
        params = validated(aks_sku_preflight, options)
        if "vm_size" not in pool:
            asked.append((params["candidates"], requirements(params)))
    return asked


def creation(inventory: dict[str, Any]) -> list[Asked]:
    task = of_role("aks_cluster", "tasks/main.yml")[0]["mcpops.platform.aks_cluster"]
    wanted = {name: task[name] for name in ("name", "resource_group", "location", "node_pools", "vm_size_selection")}
    names = [name for name in of_role("aks_cluster", "defaults/main.yml") if f"{{{{ {name} }}}}" in str(wanted)]
    variables = variables_of("aks_cluster", inventory, *names)
    spec = cluster_spec(validated(aks_cluster, rendered(wanted, variables)), "s")
    return [
        (
            list(candidates_of(pool, spec)),
            requirements_of(pool, mode_of_new([], spec, pool), spec.declared["location"], spec.sizes),
        )
        for pool in spec.pools
        if candidates_of(pool, spec)
    ]


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
    "no modes": {"aks_cluster_node_pools": [{"name": "a"}, {"name": "b"}]},
    "a mode elsewhere": {"aks_cluster_node_pools": [{"name": "a"}, {"name": "b", "mode": "System"}]},
    "modes": {"aks_cluster_node_pools": [{"name": "a", "mode": "System"}, {"name": "b", "mode": "User", "count": 0}]},
}


@pytest.mark.parametrize("inventory", INVENTORIES.values(), ids=INVENTORIES.keys())
def test_what_the_preflight_checks_is_what_is_created(inventory: dict[str, Any]) -> None:
    asked = creation(inventory)
    assert asked == preflight(inventory)
    assert asked


SYSTEM_POOLS = {"nothing said": [True], "no modes": [True, False], "a mode elsewhere": [False, True]}


@pytest.mark.parametrize("name", SYSTEM_POOLS)
def test_one_rule_says_which_pool_is_a_system_pool(name: str) -> None:
    found = [wanted.system_pool for candidates, wanted in preflight(INVENTORIES[name])]
    assert found == SYSTEM_POOLS[name]
