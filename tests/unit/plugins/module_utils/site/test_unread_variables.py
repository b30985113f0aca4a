# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.site import inventory
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import (
    Finding,
    as_problems,
    identifiers_in,
    unknown_variables,
)

KNOWN = identifiers_in(
    ["mcpops_location: x", "{{ mcpops_mcp_servers | default([]) }}", "kmcp_values:", "kmcp_version: 0.3.0"]
)
PREFIXES = ("mcpops_", "kmcp_")

# variables of a host → what nothing reads, and what was meant
GIVEN: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "known": ({"mcpops_location": "x", "kmcp_values": {}}, []),
    "common variable misspelt": ({"mcpops_loction": "x"}, [("mcpops_loction", "mcpops_location")]),
    "role variable misspelt": ({"kmcp_verison": "1"}, [("kmcp_verison", "kmcp_version")]),
    "another name": ({"mcpops_favourite_colour": "x"}, [("mcpops_favourite_colour", "")]),
    "no name of ours": ({"kmpc_values": 1, "http_port": 2}, []),
    "a helper of the site": ({"mcpops_registry": "r", "kmcp_values": {"image": "{{ mcpops_registry }}/x"}}, []),
    "a helper deep inside": ({"kmcp_size": 1, "other": [{"a": ["{{ [kmcp_size] }}"]}]}, []),
    "a helper in a key": ({"mcpops_label": "l", "other": {"{{ mcpops_label }}": 1}}, []),
    "a helper of itself": ({"mcpops_loop": "{{ mcpops_loop }}"}, [("mcpops_loop", "")]),
    "part of a longer name": ({"mcpops_reg": 1, "x": "{{ mcpops_reg_old }}"}, [("mcpops_reg", "")]),
}


@pytest.mark.parametrize(("given", "expected"), GIVEN.values(), ids=GIVEN)
def test_what_nothing_reads_is_named(given: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert list(unknown_variables(given, KNOWN, PREFIXES)) == expected


DEFAULTS = {
    "mcp_servers_servers": "{{ mcpops_mcp_servers | default([]) }}",
    "aks_cluster_location": "{{ mcpops_location }}",
    "aks_cluster_name": "{{ inventory_hostname }}",
    "aks_cluster_kubeconfig": "{{ mcpops_kubeconfig }}/{{ mcpops_location }}",
    "kmcp_values": {},
}
SPELLED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "the common variable": ({"mcpops_mcp_servers": []}, {"mcp_servers_servers": "mcpops_mcp_servers"}),
    "the role's own": ({"mcpops_mcp_servers": [], "mcp_servers_servers": []}, {}),
    "neither": ({}, {}),
    "more than handed on": ({"mcpops_kubeconfig": "x"}, {}),
}


@pytest.mark.parametrize(("given", "expected"), SPELLED.values(), ids=SPELLED)
def test_a_variable_is_called_what_the_user_called_it(given: dict[str, Any], expected: dict[str, str]) -> None:
    assert inventory.spellings(DEFAULTS, given) == expected


def test_path_and_message_speak_of_the_users_variable() -> None:
    found = [
        Finding("one", "mcp_servers_servers[0].port", "mcp_servers_servers is odd, mcp_servers_servers2 is not"),
        Finding("two", "mcp_servers_servers[0].port", "is odd"),
    ]
    assert [str(problem) for problem in as_problems(found, {"one": {"mcp_servers_servers": "mcpops_mcp_servers"}})] == [
        "one: mcpops_mcp_servers[0].port: mcpops_mcp_servers is odd, mcp_servers_servers2 is not",
        "two: mcp_servers_servers[0].port: is odd",
    ]
