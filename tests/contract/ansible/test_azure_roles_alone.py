# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and tasks that ask Azure, in a playbook that says nothing of who logs in: it is who the host says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.local_azure import SECRET, Azure, free_port, served
from support.playbook import CHECKOUT, LOCAL_HOST, run_tasks

from ansible_collections.mcpops.platform.plugins.modules import azure_resource
from localcloud.authority import Authority
from localcloud.azure.config import AzureConfig

GROUP = "rg-alone"
CREATED = {"type": "Microsoft.Resources/resourceGroups", "name": GROUP, "location": "eastus2"}
VARIABLES = {
    "mcpops_resource_group": GROUP,
    "mcpops_location": "eastus2",
    "mcpops_environment": "dev",
    "azure_platform_providers": ["Microsoft.Network"],
}


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    authority = Authority.create("test CA")
    authority.pair.write(tmp_path / "ca.crt", tmp_path / "ca.key")
    authority.issue("azure", names=["localhost", "127.0.0.1"], server=True).write(
        tmp_path / "azure.crt", tmp_path / "azure.key"
    )
    config = AzureConfig(
        state=tmp_path / "azure",
        tenant_id="6f1c2b0e-7a55-4f0e-9a43-2f6f3f0d1b11",
        subscription_id="1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22",
        client_id="0b9a3c44-5f6e-4d2c-8a77-6e5d4c3b2a33",
        client_secret=SECRET,
        port=free_port(),
        certificate=tmp_path / "azure.crt",
        key=tmp_path / "azure.key",
        operation_seconds=0.05,
        poll_milliseconds=20,
        registration_seconds=0.05,
    )
    with served(config):
        yield Azure(config, tmp_path / "run")


def environment(tmp_path: Path) -> dict[str, str]:
    """Of somebody who is logged in elsewhere."""
    return {
        "HOME": str(tmp_path),
        "AZURE_CONFIG_DIR": str(tmp_path),
        "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.crt"),
        "AZURE_CLIENT_ID": "00000000-0000-0000-0000-000000000001",
        "AZURE_SECRET": "of-somebody-else",
        "AZURE_TENANT": "00000000-0000-0000-0000-000000000002",
        "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000003",
    }


def run(azure: Azure, tmp_path: Path, tasks: list[dict[str, Any]], auth: Any, **play: Any) -> Any:
    host = {**LOCAL_HOST, **VARIABLES, "mcpops_azure_auth": auth}
    return run_tasks(tasks, hosts={"h1": host}, play=play, env=environment(tmp_path))


def test_a_role_alone_logs_in_as_its_host_says(azure: Azure, tmp_path: Path) -> None:
    # a template, as inventories have it
    auth = {**azure.auth(), "secret": "{{ 'a-secret-of-the-tests' }}"}
    done = run(azure, tmp_path, [{"include_role": {"name": "mcpops.platform.azure_platform"}}], auth).ok()
    assert SECRET not in done.output
    written = [entry["path"].rpartition("/")[2] for entry in azure.log.writes()]
    assert GROUP in written


def test_a_task_and_its_play_know_better(azure: Azure, tmp_path: Path) -> None:
    wrong = {**azure.auth(), "subscription_id": "00000000-0000-0000-0000-000000000004"}
    right = {"subscription_id": azure.config.subscription_id}
    task = {"mcpops.platform.azure_resource": {**CREATED, **right}}
    run(azure, tmp_path, [task], wrong).ok()
    defaults = {"group/mcpops.platform.azure": right}
    run(azure, tmp_path, [{"mcpops.platform.azure_resource": CREATED}], wrong, module_defaults=defaults).ok()
    failed = run(azure, tmp_path, [{"mcpops.platform.azure_resource": CREATED}], wrong)
    assert "SubscriptionNotFound" in failed.last["msg"]


@pytest.mark.parametrize(
    ("auth", "reported"),
    [
        ("foo", "mcpops_azure_auth: is not a mapping of options of the Azure modules"),
        ({"subscripton_id": "x"}, "did you mean subscription_id"),
    ],
    ids=["no mapping", "misspelt"],
)
def test_a_login_that_is_none_is_refused(azure: Azure, tmp_path: Path, auth: Any, reported: str) -> None:
    failed = run(azure, tmp_path, [{"mcpops.platform.azure_resource": CREATED}], auth)
    assert failed.returncode != 0
    assert reported in failed.last["msg"]
    assert azure.requests() == []


def test_nothing_said_is_nothing_taken(azure: Azure, tmp_path: Path) -> None:
    own = {"mcpops.platform.azure_resource": {**CREATED, **azure.auth()}}
    for auth in (None, {}):
        run(azure, tmp_path, [own], auth).ok()


# elsewhere in the world nothing is asked
ALONE: dict[str, Any] = {"site_preflight_endpoints": [], "mcpops_kubeconfig": "k"}
KEEP = "Keep what this host declares for those that look at all hosts together"
LOOK = "See whether what is declared can be made in Azure"
POOL = {"name": "system", "mode": "System", "count": 3, "vm_size_candidates": ["Standard_D8s_v5"]}


def test_the_hosts_of_a_run_are_looked_at_together(azure: Azure, tmp_path: Path) -> None:
    """Each would fit alone into the 40 vCPUs. The first that lacks something tells what all lack, and a host whose pool
    fits goes on."""
    azure.faults.add("quota", name="cores", limit=40)
    azure.run(azure_resource, CREATED)
    declared = {
        "a": {"aks_cluster_node_pools": [{**POOL, "count": 1}]},
        "b": {"aks_cluster_node_pools": [{**POOL, "count": 2}]},
        "c": {"aks_cluster_node_pools": [POOL], "site_preflight_features": ["A.B/new"]},
        "d": {"aks_cluster_node_pools": [POOL], "extras_releases": [{"name": "i", "chart_ref": "x/ingress-nginx"}]},
    }
    hosts = {
        name: {**LOCAL_HOST, **VARIABLES, **ALONE, "mcpops_azure_auth": azure.auth(), **variables}
        for name, variables in declared.items()
    }
    before = len(azure.requests())
    role = {"include_role": {"name": "mcpops.platform.site_preflight"}}
    done = run_tasks([role], hosts=hosts, env=environment(tmp_path))
    look = f"mcpops.platform.site_preflight : {LOOK}"
    results = {name: done.of(name, look) for name in hosts}
    assert [name for name, result in results.items() if "error" in result] == ["c", "d"]
    for words in ("c: AKS cluster c, node pool system", "d: AKS cluster d, node pool system", "A.B/new"):
        assert words in results["c"]["msg"]
    assert "beside 24 of other new pools" in results["d"]["msg"] and "A.B/new" not in results["d"]["msg"]
    assert "[WARNING]: AKS cluster d: charts: chart ingress-nginx is retired: since 2026-03-31" in done.output
    asked = [path.partition("?")[0].rpartition("/")[2] for _method, path in azure.requests()[before:]]
    assert asked.count("usages") == 1 and [asked.count(name) for name in declared] == [1, 1, 1, 1]


def test_a_host_that_cannot_say_what_it_declares_has_failed_its_preflight(azure: Azure, tmp_path: Path) -> None:
    """Then no platform is begun where no cluster is left, although nothing was looked at."""
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.group_by": {"key": "clusters"}},
        {
            "block": [{"include_role": {"name": "mcpops.platform.site_preflight", "rolespec_validate": False}}],
            "rescue": [
                {
                    "name": "Told",
                    "ansible.builtin.debug": {"msg": "{{ query('mcpops.platform.site_rollout', 'refused') | first }}"},
                }
            ],
        },
    ]
    undeclared = {"mcpops_resource_group": "{{ group_of_nobody }}"}
    host = {**LOCAL_HOST, **VARIABLES, **ALONE, **undeclared, "mcpops_azure_auth": azure.auth()}
    done = run_tasks(tasks, hosts={"c": host}, env=environment(tmp_path)).ok()
    assert "is undefined" in done.of("c", f"mcpops.platform.site_preflight : {KEEP}")["msg"]
    assert done.of("c", "Told")["msg"] == "always"


OF_CLUSTERS = sorted(
    name.removeprefix("aks_cluster_")
    for name in yaml.safe_load((CHECKOUT / "roles/aks_cluster/meta/argument_specs.yml").read_text("utf-8"))[
        "argument_specs"
    ]["main"]["options"]
)


def test_a_platform_needs_no_variable_of_a_cluster(azure: Azure, tmp_path: Path) -> None:
    """Neither a region nor a group of clusters, nor what common variables take from those of clusters."""
    platform = {
        "azure_platform_location": "eastus2",
        "azure_platform_resource_groups": [{"name": GROUP, "location": "eastus2"}],
        "azure_platform_environment": "dev",
        "azure_platform_providers": ["Microsoft.Network"],
    }
    of_clusters = "{{ what_only_clusters_say }}"
    common = {
        "extras_releases": [{"name": "x", "chart_ref": of_clusters}],
        # group_vars of all, with variables that hosts of clusters have
        **{f"aks_cluster_{name}": of_clusters for name in OF_CLUSTERS},
    }
    host = {**LOCAL_HOST, **platform, **common, "mcpops_azure_auth": azure.auth()}
    tasks = [
        {"ansible.builtin.group_by": {"key": "platforms"}},
        {"include_role": {"name": "mcpops.platform.site_preflight", "rolespec_validate": False}},
    ]
    done = run_tasks(tasks, hosts={"p": host}, env=environment(tmp_path)).ok()
    for task in (KEEP, LOOK):
        assert not done.of("p", f"mcpops.platform.site_preflight : {task}").get("failed")
    kept = done.of("p", f"mcpops.platform.site_preflight : {LOOK}")
    assert "what p declares can be made" in kept["msg"] and kept["node_pools"] == []
