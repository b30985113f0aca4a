# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole site with a role for each stage (docs/azure-permissions.md): enough, and one action short it is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
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


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A platform with one of each, and a cluster that uses them; torn down at the end by who may do everything."""
    place = tmp_path_factory.mktemp("inventory")
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
        "mcpops_kubeconfig": str(tmp_path_factory.mktemp("kube") / HOST),
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


@dataclass(frozen=True)
class Somebody:
    """Makes people with roles, and runs playbooks as one of them."""

    cloud: Any
    inventory: Path
    place: Path

    @property
    def azure(self) -> Site:
        return Site(self.cloud.settings.state, "")

    @property
    def portal(self) -> Portal:
        return Portal(self.cloud.environment, self.cloud.secret)

    def with_roles(self, *names: str, without: str = "") -> Path:
        """Their login, as a file of variables."""
        state = self.cloud.settings.state / "azure"
        login = identity(self.portal, state, GROUP, *names, without=without, auth=self.cloud.auth())
        file = self.place / f"{login['client_id']}.json"
        file.write_text(json.dumps({"mcpops_azure_auth": login}), encoding="utf-8")
        return file

    def run(self, login: Path, *arguments: str, playbook: str = "site.yml") -> Run:
        place = CHECKOUT / playbook if playbook == "site.yml" else CHECKOUT / "playbooks" / playbook
        return run_playbook("-i", self.inventory, place, "-e", f"@{login}", *arguments)

    def refused(self, action: str, names: tuple[str, ...], *arguments: str, **ref: str) -> bool:
        """Without this action it is named; whether nothing was begun."""
        login = self.with_roles(*names, without=action)
        before = self.azure.azure_writes()
        done = self.run(login, *arguments, **ref)
        assert done.returncode != 0, f"{action} is not needed"
        assert action in done.output, done.output
        return self.azure.azure_writes() == before


@pytest.fixture
def somebody(cloud: Any, inventory: Path, tmp_path: Path) -> Somebody:
    return Somebody(cloud, inventory, tmp_path)


# one after the other, as the stages of a site


def test_provision(somebody: Somebody) -> None:
    platform = ("--tags", "platform")
    somebody.refused("Microsoft.ContainerRegistry/registries/write", (PROVISION,), *platform)
    somebody.run(somebody.with_roles(PROVISION), *platform).ok()


def test_clusters(somebody: Somebody) -> None:
    cluster = ("--tags", "preflight,cluster")
    assert somebody.refused("Microsoft.ContainerService/managedClusters/write", (SIZES, CLUSTERS), *cluster)
    somebody.run(somebody.with_roles(SIZES, CLUSTERS), *cluster).ok()


def test_later_stages_ask_the_cluster_alone(somebody: Somebody) -> None:
    nobody, asked = somebody.with_roles(), len(somebody.azure.azure_requests())
    somebody.run(nobody, "--tags", "setup,kmcp,mcp,mesh,extras").ok()
    somebody.run(nobody, playbook="verify.yml").ok()
    asked_by = [one["path"] for one in somebody.azure.azure_requests()[asked:]]
    assert [path for path in asked_by if GROUP in path] == []


def test_a_comparison(somebody: Somebody) -> None:
    credential = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
    assert somebody.refused(credential, (SIZES, OPERATE), "--check")
    assert somebody.run(somebody.with_roles(SIZES, OPERATE), "--check").ok().changed == []


def test_teardown(somebody: Somebody) -> None:
    confirmed = ("-e", f"teardown_confirm={HOST},{PLATFORM}")
    taken = "Microsoft.Authorization/roleAssignments/delete"
    assert somebody.refused(taken, (TEARDOWN,), *confirmed, playbook="teardown.yml")
    somebody.run(somebody.with_roles(TEARDOWN), *confirmed, playbook="teardown.yml").ok()
    assert somebody.portal.request("GET", f"resourceGroups/{GROUP}", version="2025-04-01").status_code == 404
