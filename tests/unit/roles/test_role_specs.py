# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-doc shows of a role is what the role does: defaults, what they follow, and suboptions."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from gate.checkout import CHECKOUT
from gate.rules.roles import role_names
from support import role_specs

ROLES = role_names(CHECKOUT)


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_suboptions_are_those_of_the_role_and_its_modules(role: str) -> None:
    written = (CHECKOUT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    # python -m support.role_specs writes it
    assert written == role_specs.rewritten(role)


@pytest.mark.parametrize("role", ROLES)
def test_a_default_that_follows_another_variable_says_which(role: str) -> None:
    for name, option in role_specs.options(role).items():
        told = str(option["description"])
        if name in role_specs.defaults(role):
            silent = [other for other in role_specs.read_by(role, name) if f"C({other})" not in told]
            assert not silent, f"{name} does not say that it follows {silent}"


@pytest.mark.parametrize("role", ROLES)
def test_what_has_no_default_says_where_it_comes_from_or_what_happens_then(role: str) -> None:
    known = role_specs.true_defaults(role)
    for name, option in role_specs.options(role).items():
        told = str(option["description"]).lower()
        words = ("defaults to", "default", "if not set", "without it", "when not set")
        assert known.get(name) is not None or option.get("required") or any(word in told for word in words), name


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_what_the_specification_takes(role: str) -> None:
    spec, known = role_specs.options(role), role_specs.true_defaults(role)
    given = {name: value for name, value in known.items() if name in spec and value is not None}
    assert ArgumentSpecValidator({name: spec[name] for name in given}).validate(given).error_messages == []


def test_every_structure_that_a_module_knows_has_suboptions() -> None:
    """Of the others the keys are the user's own, or a filter makes something else of them."""
    free = {
        f"{role}: {name}"
        for role in ROLES
        for name, option in role_specs.options(role).items()
        if "dict" in (option["type"], option.get("elements")) and not option.get("options")
    }
    assert free == {
        "agent_workload: agent_workload_image_digests",
        "aks_cluster: aks_cluster_chosen_vm_sizes",
        "aks_cluster: aks_cluster_properties",
        "aks_cluster: aks_cluster_tags",
        "azure_platform: azure_platform_postgres_passwords",
        "azure_platform: azure_platform_tags",
        "cluster_setup: cluster_setup_namespace_labels",
        "cluster_setup: cluster_setup_objects",
        "extras: extras_objects",
        "gateway: gateway_controller_values",
        "gateway: gateway_objects",
        "gateway: gateway_tags",
        "kmcp: kmcp_values",
        "mcp_mesh: mcp_mesh_env",
        "mcp_mesh: mcp_mesh_limits",
        "mcp_mesh: mcp_mesh_namespace_labels",
        "mcp_mesh: mcp_mesh_node_selector",
        "mcp_mesh: mcp_mesh_quota",
        "mcp_mesh: mcp_mesh_resources",
        "mcp_mesh: mcp_mesh_tolerations",
        "mcp_mesh_agents: mcp_mesh_agents_calls",
        "mcp_mesh_agents: mcp_mesh_agents_image_digests",
        "mcp_servers: mcp_servers_image_digests",
        "site_diagnostics: site_diagnostics_servers",
        "site_preflight: site_preflight_declared",
        "site_preflight: site_preflight_definitions",
        "site_preflight: site_preflight_images",
        "site_preflight: site_preflight_properties",
        "site_preflight: site_preflight_tags",
        "site_preflight: site_preflight_workloads",
        "site_teardown: site_teardown_resource_groups",
        "site_verify: site_verify_servers",
    }
