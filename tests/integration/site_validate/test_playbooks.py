# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify.yml, diagnose.yml and teardown.yml say of an inventory before they do anything: no cloud, no cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, LOCAL_HOST, Run, run_playbook

pytestmark = pytest.mark.integration

VERIFY, DIAGNOSE, TEARDOWN = "playbooks/verify.yml", "playbooks/diagnose.yml", "playbooks/teardown.yml"
SOUND: dict[str, Any] = {
    **LOCAL_HOST,
    "mcpops_environment": "test",
    "mcpops_resource_group": "rg",
    "mcpops_kubeconfig": "/nowhere/{{ inventory_hostname }}",
    "mcpops_mcp_servers": [{"name": "echo", "image": "echo:1"}],
}
# who asks Azure finds nobody there
NOWHERE = {"AZURE_SUBSCRIPTION_ID": "", "AZURE_CLIENT_ID": "", "HOME": "/nonexistent"}


def run(place: Path, playbook: str, *arguments: str, shared: dict[str, Any] | None = None, **variables: Any) -> Run:
    """Two clusters and a platform, with variables that all have and those of the platform alone."""
    hosts = {
        "platforms": {"hosts": {"shared": shared or {}}},
        "clusters": {"hosts": {"one": {}, "two": {}}, "vars": {"mcpops_platform": "shared"}},
        "others": {"hosts": {"jump": {}}},
    }
    inventory = place / "hosts.json"
    given = {key: value for key, value in {**SOUND, **variables}.items() if value is not ...}
    inventory.write_text(json.dumps({"all": {"vars": given, "children": hosts}}), encoding="utf-8")
    return run_playbook("-i", inventory, CHECKOUT / playbook, *arguments, env=NOWHERE)


def assert_valid(found: Run) -> None:
    (entry,) = [one for one in found.results if one["task"] == "Validate the inventory"]
    assert entry["result"]["msg"].endswith("variables of 1 host are valid"), found.output


# playbook, variables, arguments → every problem
TOLD: dict[str, tuple[str, dict[str, Any], tuple[str, ...], dict[str, str]]] = {
    "verify": (
        VERIFY,
        {
            "mcpops_azure_auth": "foo",
            "mcpops_mcp_calls": [{"server": "nobody"}],
            "mcpops_kubeconfig": "",
            "site_lock_timout": 5,
        },
        (),
        {
            "one, two: mcpops_azure_auth": "is a str, not a mapping of options",
            "one, two: mcpops_mcp_calls[0].server": "'nobody' is not an MCP server of this host (echo)",
            "one, two: site_lock_timout": "did you mean site_lock_timeout?",
            "one, two: mcpops_kubeconfig": "no other kubeconfig stands in for it",
        },
    ),
    "diagnose": (
        DIAGNOSE,
        {"mcpops_kubeconfig": "", "site_diagnostics_log_lines": "many"},
        ("-e", "diagnose_fail_on=sometimes"),
        {
            "one, two: mcpops_kubeconfig": "no other kubeconfig stands in for it",
            "one, two: site_diagnostics_log_lines": "we were unable to convert to int",
            "one, two: diagnose_fail_on": "must be one of: error, warning, never, got: sometimes",
        },
    ),
    "teardown": (
        TEARDOWN,
        {
            "mcpops_azure_auth": "foo",
            "mcpops_environment": ...,
            "mcpops_resource_group": "{{ lookup('file', 'missing') }}",
            "site_teardown_wait_timeout": -5,
        },
        ("-e", "teardown_confirm=one"),
        {
            "one: mcpops_azure_auth": "is a str, not a mapping of options",
            "one: mcpops_environment": "is not set, and roles need it",
            "one: mcpops_resource_group": "cannot be evaluated",
            "one: site_teardown_wait_timeout": "must be more than 0 seconds, is -5",
        },
    ),
}


@pytest.mark.parametrize(("playbook", "variables", "arguments", "reported"), TOLD.values(), ids=TOLD)
def test_an_inventory_that_cannot_be_right_is_told_before_anything_is_asked(
    tmp_path: Path, playbook: str, variables: dict[str, Any], arguments: tuple[str, ...], reported: dict[str, str]
) -> None:
    failed = run(tmp_path, playbook, *arguments, **variables)
    assert failed.returncode != 0
    found = {problem["path"]: problem["message"] for problem in failed.last["error"]["problems"]}
    assert found.keys() == reported.keys()
    assert all(words in found[path] for path, words in reported.items()), found


# confirmed and limit → words
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown": (("-e", "teardown_confirm=one,nobody"), "not in the groups clusters and platforms: nobody."),
    "of no group of the site": (("-e", "teardown_confirm=jump"), "not in the groups clusters and platforms: jump"),
    "another is in the limit": (
        ("-e", "teardown_confirm=one", "--limit", "two"),
        "left out of this run by --limit: one.",
    ),
    "the site is not in the limit": (
        ("-e", "teardown_confirm=one", "--limit", "jump"),
        "left out of this run by --limit: one.",
    ),
    "tags of the other plays": (("--tags", "teardown"), "Name the hosts to tear down"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_a_teardown_that_would_do_nothing_says_why(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    refused = run(tmp_path, TEARDOWN, *arguments)
    assert refused.returncode != 0
    assert len(refused.results) == 1
    assert refused.last["msg"].startswith("Nothing was removed")
    assert words in refused.last["msg"]


def test_a_host_needs_the_variables_of_its_own_removal_only(tmp_path: Path) -> None:
    """Names that one kind of host has of its own, and nobody the common ones."""
    common = {"mcpops_resource_group": ..., "mcpops_environment": ...}
    own = {"aks_cluster_resource_group": "rg", "aks_cluster_environment": "test"}
    cluster = run(tmp_path, TEARDOWN, "--check", "-e", "teardown_confirm=one", **common, **own)
    assert_valid(cluster)
    own = {"azure_platform_resource_groups": [{"name": "rg"}], "azure_platform_environment": "test"}
    shared = run(tmp_path, TEARDOWN, "--check", "-e", "teardown_confirm=shared", shared=own, **common)
    assert_valid(shared)


def test_what_the_other_kind_of_host_declares_is_nothing_to_a_removal(tmp_path: Path) -> None:
    """A site declares registries of clusters and roles of the platform for all its hosts at once."""
    everywhere = {
        "aks_cluster_registries": [{"name": "acrshared", "resource_group": "rg", "suffix": ""}],
        "aks_cluster_federated_credentials": [{"identity": "id", "namespace": "mcp", "service_account": "echo"}],
        "azure_platform_role_assignments": [{"identity": "id", "role": "Reader", "resource_group": "others"}],
    }
    for host in ("one", "shared"):
        assert_valid(run(tmp_path, TEARDOWN, "--check", "-e", f"teardown_confirm={host}", **everywhere))
