# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest
from support.site_validation import validate

from ansible_collections.mcpops.platform.plugins.module_utils.site import inventory, module_arguments
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import Finding, Host, as_problems, roles_of

GROUPS = {"platforms": ["dev"], "clusters": ["one", "two"]}
SITE: dict[str, Any] = {
    "mcpops_environment": "dev",
    "mcpops_location": "eastus2",
    "mcpops_platform": "dev",
    "mcpops_subscription_id": "s",
    "mcpops_resource_group": "rg-dev",
    "mcpops_kubeconfig": "~/.kube/{{ inventory_hostname }}",
    "mcpops_mcp_servers": [{"name": "echo", "image": "echo:1"}],
    "mcpops_mcp_calls": [{"server": "echo", "tool": "echo"}],
}
CLUSTER: dict[str, Any] = {
    "mcpops_platform": "dev",
    "mcpops_subscription_id": "s",
    "aks_cluster_resource_group": "rg-dev",
    "site_verify_servers": [{"name": "echo", "image": "echo:1"}],
    "site_verify_calls": [{"server": "echo", "tool": "echo"}],
}


def cluster(name: str, deferred: dict[str, str] | None = None, **variables: Any) -> Host:
    own = {"aks_cluster_name": name, "aks_cluster_kubeconfig": f"~/.kube/{name}"}
    known = {key: value for key, value in {**CLUSTER, **own, **variables}.items() if key not in (deferred or {})}
    return Host(name, ("all", "clusters"), known, deferred or {}, ("aks_cluster", "site_verify"))


def findings(*hosts: Host) -> list[tuple[str, str, str]]:
    return [(item.host, item.path, item.message) for item in inventory.all_findings(hosts, GROUPS)]


def test_rules_find_nothing_in_a_sound_site() -> None:
    assert findings(cluster("one"), cluster("two")) == []


MAP_A_B = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "A_B", "namespace": "mcp"}}
NAMELESS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
# variables of host two → (path, words)
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no platform": ({"mcpops_platform": None}, "mcpops_platform", "name a host of group platforms (dev)"),
    "unknown platform": ({"mcpops_platform": "prod"}, "mcpops_platform", "'prod' is not a host of group platforms"),
    "same cluster": ({"aks_cluster_name": "ONE"}, "aks_cluster_name", "the cluster of host one"),
    "same kubeconfig": ({"aks_cluster_kubeconfig": "~/.kube/../.kube/one"}, "aks_cluster_kubeconfig", "of host one"),
    "answer of no call": (
        {"site_verify_calls": [{"server": "echo", "expect": 5}]},
        "site_verify_calls[0].expect",
        "needs a tool to call",
    ),
    "header that does not arrive": (
        {"site_verify_calls": [{"server": "echo", "via": "proxy", "headers": {"Authorization": "Bearer x"}}]},
        "site_verify_calls[0].headers.Authorization",
        "does not pass the API server's proxy",
    ),
    "error that no call can end with": (
        {"site_verify_calls": [{"server": "echo", "tool": "echo", "expect_error": "boom"}]},
        "site_verify_calls[0].expect_error",
        "true for any error",
    ),
    "path that is none": (
        {"site_verify_calls": [{"server": "echo", "tool": "echo", "expect_json": [{"path": "$"}]}]},
        "site_verify_calls[0].expect_json[0].path",
        "names no field",
    ),
    "tool without a name": (
        {"site_verify_calls": [{"server": "echo", "expect_tools": [""]}]},
        "site_verify_calls[0].expect_tools[0]",
        "not the name of a tool",
    ),
    "call of nobody": (
        {"site_verify_calls": [{"server": "ecco"}]},
        "site_verify_calls[0].server",
        "'ecco' is not an MCP server of this host (echo)",
    ),
    "workload identity": ({"aks_cluster_oidc_issuer": False}, "aks_cluster_workload_identity", "OIDC"),
    "misspelt raw property": (
        {"aks_cluster_properties": {"addonProfile": {"azurepolicy": {"enabled": True}}}},
        "aks_cluster_properties.addonProfile",
        "did you mean addonProfiles?",
    ),
    "cluster name": ({"aks_cluster_name": "-bad-"}, "aks_cluster_name", "1 to 63"),
    "pool name": (
        {"aks_cluster_node_pools": [{"name": "UPPER", "mode": "System", "count": 1}]},
        "aks_cluster_node_pools[UPPER].name",
        "lower-case",
    ),
    "unknown option": (
        {"mcp_servers_servers": [{"name": "a", "image": "a:1", "imge": "x"}]},
        "mcp_servers_servers[0]",
        "unknown option 'imge': did you mean image?",
    ),
    "callers of all servers": (
        {"mcp_servers_callers": [{"namespace": "agents"}, {"cidr": "10.0.0.1"}]},
        "mcp_servers_callers[1].cidr",
        "is not a range of addresses",
    ),
    "option of a caller": ({"mcp_servers_callers": [{"namspace": "agents"}]}, "mcp_servers_callers[0]", "namspace"),
    "bundle of servers": (
        {"mcp_servers_bundle": "my tools", "mcp_servers_prune_max_percent": 50},
        "mcp_servers_bundle",
        "label",
    ),
    "percentage of servers": (
        {"mcp_servers_prune_max_percent": 500},
        "mcp_servers_prune_max_percent",
        "500 is not a percentage",
    ),
    "port of a server": (
        {"mcp_servers_servers": [{"name": "a", "image": "a:1", "port": 70000}]},
        "mcp_servers_servers[0].port",
        "70000",
    ),
    "variable that a declared Secret sets as well": (
        {
            "cluster_setup_objects": [
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "keys", "namespace": "mcp"},
                    "data": {"OTHER": "eA=="},
                },
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "keys", "namespace": "web"},
                    "stringData": {"LEVEL": "x"},
                },
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "more", "namespace": "mcp"},
                    "stringData": {"LEVEL": "x"},
                },
            ],
            "mcp_servers_servers": [
                {"name": "a", "image": "a:1", "env": {"LEVEL": "1"}, "secret_refs": ["keys"]},
                {"name": "b", "image": "a:1", "env": {"LEVEL": "1"}, "secret_refs": ["keys", "more"]},
            ],
        },
        "mcp_servers_servers[1].env.LEVEL",
        "Secret mcp/more",
    ),
    "name of an object": (
        {"cluster_setup_objects": [MAP_A_B]},
        "cluster_setup_objects[0].metadata.name",
        "'A_B' is not a valid ConfigMap name",
    ),
    "object in a list": (
        {"cluster_setup_objects": [{"kind": "List", "apiVersion": "v1", "items": [NAMELESS]}]},
        "cluster_setup_objects[0].metadata.name",
        "is missing",
    ),
    "namespace twice": (
        {"cluster_setup_namespaces": [{"name": "a"}, {"name": "a"}]},
        "cluster_setup_namespaces[1]",
        "is declared twice",
    ),
    "version of KMCP": ({"kmcp_version": "latest"}, "kmcp_version", '"latest" is not one exact version'),
    "release of KMCP": (
        {"kmcp_release_name": "KMCP"},
        "kmcp_release_name",
        "'KMCP' is not a valid release name: 1 to 53",
    ),
    "one release for both charts of KMCP": (
        {"kmcp_crds_release_name": "tools", "kmcp_release_name": "tools"},
        "kmcp_crds_release_name",
        "must differ from kmcp_release_name",
    ),
    "a chart of KMCP with its tag": (
        {"kmcp_controller_chart": "mcp-controller:0.3.0"},
        "kmcp_controller_chart",
        "its version comes from version",
    ),
    "a chart of KMCP in upper case": (
        {"kmcp_chart_repository": "oci://registry.example.com/charts", "kmcp_crds_chart": "crds/Kmcp"},
        "kmcp_crds_chart",
        "has upper-case letters",
    ),
    "Pod Security of a namespace": (
        {"cluster_setup_namespaces": [{"name": "a", "labels": {"pod-security.kubernetes.io/warn": "strict"}}]},
        "cluster_setup_namespaces[0].labels.pod-security.kubernetes.io/warn",
        "'strict' is not a valid level: use one of privileged, baseline, restricted",
    ),
    "Pod Security of all namespaces": (
        {
            "cluster_setup_namespaces": [{"name": "a"}, {"name": "b"}],
            "cluster_setup_namespace_labels": {"pod-security.kubernetes.io/enforce": "strict"},
        },
        "cluster_setup_namespace_labels.pod-security.kubernetes.io/enforce",
        "'strict' is not a valid level",
    ),
    "namespace of KMCP": (
        # as the role's default has it: told of the variable, not of the list that follows it
        {"mcpops_kmcp_namespace": "A_B"},
        "mcpops_kmcp_namespace",
        "'A_B' is not a valid Namespace name",
    ),
    "negative wait": ({"cluster_setup_wait_timeout": -5}, "cluster_setup_wait_timeout", "0 or more seconds, is -5"),
    "no wait for Azure": ({"aks_cluster_wait_timeout": 0}, "aks_cluster_wait_timeout", "more than 0 seconds, is 0"),
    "no kubeconfig": ({"aks_cluster_kubeconfig": ""}, "aks_cluster_kubeconfig", "is empty, and no other kubeconfig"),
    "null for a kubeconfig": ({"mcpops_kubeconfig": None}, "mcpops_kubeconfig", "is empty, and no other kubeconfig"),
    "null for a role's own kubeconfig": ({"kmcp_kubeconfig": None}, "kmcp_kubeconfig", "is empty, and no other"),
    "no kubeconfig for what verifies": ({"site_verify_kubeconfig": ""}, "site_verify_kubeconfig", "is empty, and no"),
    "no time for the lease": ({"site_lock_timeout": "abc"}, "site_lock_timeout", "unable to convert to int"),
    "negative time for the lease": ({"site_lock_timeout": "-5"}, "site_lock_timeout", "0 or more seconds, is -5"),
    "namespace of the lease": (
        {"site_lock_namespace": "A b"},
        "site_lock_namespace",
        "'A b' is not a valid namespace name",
    ),
}


# what stands behind a fault hides no other: variables → the places of all
SEVERAL: dict[str, tuple[dict[str, Any], list[str]]] = {
    "one faulty server and another": (
        {
            "mcp_servers_servers": [
                {"name": "a", "image": "a:1", "replicas": "many"},
                {"name": "B", "image": "b:1"},
            ]
        },
        ["mcp_servers_servers[0].replicas", "mcp_servers_servers[1].name"],
    ),
    "an unknown option and another fault": (
        {"mcp_servers_servers": [{"name": "a", "image": "a:1", "imge": "x", "port": 70000}]},
        ["mcp_servers_servers[0]", "mcp_servers_servers[0].port"],
    ),
    "pools of two roles": (
        {"aks_cluster_node_pools": [{"name": "a", "mode": "System"}, {"name": "b", "mode": "Both"}]},
        ["aks_cluster_node_pools[1].mode"],
    ),
    "purging without a System pool": (
        {"aks_cluster_purge_node_pools": True, "aks_cluster_node_pools": [{"name": "a", "mode": "User"}]},
        ["aks_cluster_node_pools"],
    ),
    "surge nodes of the cluster": ({"aks_cluster_surge_nodes": -5}, ["aks_cluster_surge_nodes"]),
    "surge nodes of the preflight": ({"site_preflight_surge_nodes": -5}, ["site_preflight_surge_nodes"]),
    "what is known later": ({"aks_cluster_oidc_issuer": "{{ ansible_facts.issuer }}"}, []),
    "name that is known later": ({"aks_cluster_name": "{{ ansible_facts.name }}", "aks_cluster_surge_nodes": 2}, []),
    "types": (
        {"kmcp_wait_timeout": "long", "kmcp_values": "a", "cluster_setup_prune": "perhaps"},
        [
            "cluster_setup_prune",
            "kmcp_values",
            "kmcp_wait_timeout",
        ],
    ),
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Host → what site_validate says of it, on a site with a cluster for each fault."""
    cases = {**{name: row[0] for name, row in FAULTS.items()}, **{name: row[0] for name, row in SEVERAL.items()}}
    clusters = {_host(name): variables for name, variables in cases.items()}
    groups = {"platforms": {"dev": {}}, "clusters": {"one": {}, **clusters}}
    reported = validate(tmp_path_factory.mktemp("site"), groups, **SITE).reported
    assert reported.keys() <= {"one", "dev", *clusters}
    return reported


def _host(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def test_a_sound_site_has_no_findings(reported: dict[str, dict[str, str]]) -> None:
    assert not {"one", "dev"} & reported.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_host_and_variable(reported: dict[str, dict[str, str]], name: str) -> None:
    _variables, path, words = FAULTS[name]
    [finding] = [Finding(_host(name), *row) for row in reported[_host(name)].items()]
    assert finding.path == path
    assert words in finding.message


@pytest.mark.parametrize("name", SEVERAL)
def test_every_fault_is_told_once(reported: dict[str, dict[str, str]], name: str) -> None:
    assert sorted(reported.get(_host(name), {})) == SEVERAL[name][1]


@pytest.mark.parametrize("variable", ["mcpops_platform", "aks_cluster_name"])
def test_what_is_known_later_is_not_judged_now(variable: str) -> None:
    assert findings(cluster("one", deferred={variable: "'fact' is undefined"})) == []


def test_the_same_name_in_another_group_or_subscription_is_another_cluster() -> None:
    assert findings(cluster("one"), cluster("two", aks_cluster_name="one", aks_cluster_resource_group="rg-2")) == []
    assert findings(cluster("one"), cluster("two", aks_cluster_name="one", mcpops_subscription_id="other")) == []


@pytest.mark.parametrize(("auth", "faults"), [("a", 1), ("b", 0)])
def test_the_subscription_of_the_credential_comes_first(auth: str, faults: int) -> None:
    one = cluster("one", mcpops_azure_auth={"subscription_id": "a"})
    two = cluster("two", aks_cluster_name="one", mcpops_azure_auth={"subscription_id": auth})
    assert len(findings(one, two)) == faults


def test_what_hosts_have_in_common_is_one_problem() -> None:
    found = [Finding(f"c{number}", "x", "is wrong") for number in range(22)] + [Finding("c1", "x", "is odd")]
    together, alone = map(str, as_problems(found))
    assert together == f"{', '.join(f'c{number}' for number in range(20))} and 2 more: x: is wrong"
    assert alone == "c1: x: is odd"


def test_roles_follow_groups() -> None:
    listed = {"platforms": ["p"], "clusters": ["a", "b"], "all": ["a"]}
    assert roles_of(["all", "clusters"], listed) == ["a", "b"]


SPEC = {
    "r_name": {"type": "str", "required": True},
    "r_level": {"type": "str", "choices": ["low", "high"]},
    "r_items": {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True}}},
}
ARGUMENTS: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    "sound": ({"r_name": "x", "r_level": "low"}, {}, []),
    "missing": ({}, {}, ["missing required arguments: r_name"]),
    "missing, but known later": ({}, {"r_name": "a fact"}, []),
    "choice": ({"r_name": "x", "r_level": "mid"}, {}, ["must be one of: low, high"]),
    "nested": ({"r_name": "x", "r_items": [{}]}, {}, ["missing required arguments: name"]),
    "no mapping": (
        {"r_name": "x", "r_items": ["echo", None, {"name": "a"}, {}]},
        {},
        ["is text, not a mapping", "is empty (null), not a mapping", "missing required arguments: name"],
    ),
    "two at once": ({"r_level": "mid"}, {}, ["missing required arguments", "must be one of"]),
    "other variables": ({"r_name": "x", "unrelated": 1}, {}, []),
}


@pytest.mark.parametrize(("variables", "deferred", "words"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_variables_are_judged_as_the_role_would(
    variables: dict[str, Any], deferred: dict[str, str], words: list[str]
) -> None:
    host = Host("one", (), variables, deferred, ("r",))
    found = list(module_arguments.argument_findings(host, "r", SPEC))
    assert len(found) == len(words)
    assert all(word in item.message for word, item in zip(words, found))


def test_a_fault_that_two_roles_see_is_told_once_by_the_name_that_was_written() -> None:
    defaults = {"one_tags": "{{ mcpops_tags | default({}) }}", "two_tags": "{{mcpops_tags}}"}
    spelled = inventory.spellings(defaults, {"mcpops_tags": "x"})
    host = Host("a", (), {"one_tags": "x", "two_tags": "x"}, {}, ("one", "two"), spelled)
    found = [
        finding
        for role in host.roles
        for finding in module_arguments.argument_findings(host, role, {f"{role}_tags": {"type": "dict"}})
    ]
    [problem] = as_problems(found, {"a": spelled})
    assert problem.path == "a: mcpops_tags"
    assert "argument 'mcpops_tags' is of type str" in problem.message


def test_what_is_removed_needs_no_platform() -> None:
    host = Host("one", ("all", "clusters"), {"mcpops_platform": "gone"}, {}, ("site_teardown",))
    assert inventory.all_findings([host], GROUPS) == []


def test_an_entry_point_is_found_or_missed() -> None:
    assert module_arguments.main_entry_point({"argument_specs": {"main": {"options": SPEC}}}) == SPEC
    for nothing in (None, {}, {"argument_specs": {"other": {}}}, {"argument_specs": {"main": {}}}):
        assert module_arguments.main_entry_point(nothing) is None
