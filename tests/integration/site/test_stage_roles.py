# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole site with a role for each stage (docs/azure-permissions.md): enough, and one action short it is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.azure_roles import identity
from support.playbook import CHECKOUT, Run, run_playbook
from support.portal import Portal

from .conftest import Site
from .drift_runs import INVENTORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOST, PLATFORM, GROUP = "roles-1", "roles-platform", "rg-roles-site"
PROVISION, SIZES, CLUSTERS = "MCP platform provision", "MCP platform sizes", "MCP platform clusters"
OPERATE, TEARDOWN = "MCP platform operate", "MCP platform teardown"


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Path]:
    """A platform with one of each, and a cluster that uses them; torn down at the end by who may do everything."""
    place = tmp_path / "inventory"
    place.mkdir()
    (place / "group_vars").symlink_to(INVENTORY / "group_vars")
    own = {"mcpops_resource_group": GROUP}
    platform = {
        "azure_platform_registries": [{"name": "acrroles"}],
        "azure_platform_identities": [{"name": "id-roles"}],
        "azure_platform_federated_credentials": [
            {"identity": "id-roles", "name": "main", "issuer": "https://ci.example.com/", "subject": "repo:main"}
        ],
        "azure_platform_role_assignments": [{"identity": "id-roles", "registry": "acrroles", "role": "AcrPush"}],
        "azure_platform_log_workspaces": [{"name": "log-roles"}],
    }
    cluster = {
        "mcpops_platform": PLATFORM,
        "mcpops_kubeconfig": str(tmp_path / "kube" / HOST),
        "aks_cluster_registries": [{"name": "acrroles"}],
        "aks_cluster_federated_credentials": [{"identity": "id-roles", "namespace": "mcp", "service_account": "echo"}],
        "mcpops_mcp_servers": [{"name": "echo", "image": "{{ mcpops_registry }}/echo-mcp:1.0.0", "port": 3000}],
        "mcpops_mcp_calls": [],
    }
    groups = {
        "platforms": {"hosts": {PLATFORM: {**own, **platform}}},
        "clusters": {"hosts": {HOST: {**own, **cluster}}},
    }
    (place / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
    yield place
    confirmed = f"teardown_confirm={HOST},{PLATFORM}"
    run_playbook("-i", place, CHECKOUT / "playbooks" / "teardown.yml", "-e", confirmed)


def test_each_stage_with_its_role(inventory: Path, cloud: Any, tmp_path: Path) -> None:
    portal, azure = Portal(cloud.environment, cloud.secret), Site(cloud.settings.state, "")

    def who(*names: str, without: str = "") -> Path:
        """Somebody with these roles, as a file of variables."""
        login = identity(portal, cloud.settings.state / "azure", GROUP, *names, without=without, auth=cloud.auth())
        file = tmp_path / f"{login['client_id']}.json"
        file.write_text(json.dumps({"mcpops_azure_auth": login}), encoding="utf-8")
        return file

    def run(login: Path, *arguments: str, playbook: str = "site.yml") -> Run:
        place = CHECKOUT / playbook if playbook == "site.yml" else CHECKOUT / "playbooks" / playbook
        return run_playbook("-i", inventory, place, "-e", f"@{login}", *arguments)

    def refused(action: str, names: tuple[str, ...], *arguments: str, before_all: bool = True, **ref: str) -> None:
        login = who(*names, without=action)
        before = azure.azure_writes()
        done = run(login, *arguments, **ref)
        assert done.returncode != 0, f"{action} is not needed"
        assert action in done.output, done.output
        assert not before_all or azure.azure_writes() == before, "nothing was begun"

    platform, cluster = ("--tags", "platform"), ("--tags", "preflight,cluster")
    refused("Microsoft.ContainerRegistry/registries/write", (PROVISION,), *platform, before_all=False)
    run(who(PROVISION), *platform).ok()

    refused("Microsoft.ContainerService/managedClusters/write", (SIZES, CLUSTERS), *cluster)
    run(who(SIZES, CLUSTERS), *cluster).ok()

    nobody = who()
    asked = len(azure.azure_requests())
    run(nobody, "--tags", "setup,kmcp,mcp,extras").ok()
    run(nobody, playbook="verify.yml").ok()
    assert len(azure.azure_requests()) == asked, "later stages ask the cluster alone"

    credential = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
    refused(credential, (SIZES, OPERATE), "--check")
    assert run(who(SIZES, OPERATE), "--check").ok().changed == []

    confirmed = ("-e", f"teardown_confirm={HOST},{PLATFORM}")
    delete = "Microsoft.Authorization/roleAssignments/delete"
    refused(delete, (TEARDOWN,), *confirmed, playbook="teardown.yml")
    run(who(TEARDOWN), *confirmed, playbook="teardown.yml").ok()
    assert portal.request("GET", f"resourceGroups/{GROUP}", version="2025-04-01").status_code == 404
