# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with a role for each stage, and whole with all of them: enough, and one action short it is named.

The roles are those of docs/azure-permissions.md. Where some are given in the resource group, that is there before, as
docs/azure.md says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.azure_roles import identity
from support.playbook import CHECKOUT, Run, run_playbook
from support.portal import Portal

from localcloud.registry.attached import AttachedRegistries

from .conftest import Site
from .drift_runs import INVENTORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOST, PLATFORM, GROUP = "roles-1", "roles-platform", "rg-roles-site"
PROVISION, SIZES, CLUSTERS = "MCP platform provision", "MCP platform sizes", "MCP platform clusters"
IMAGES, OPERATE, TEARDOWN = "MCP platform images", "MCP platform operate", "MCP platform teardown"
WHOLE = (PROVISION, SIZES, CLUSTERS, IMAGES)
REGISTRY = {"name": "acrroles", "suffix": "0001"}
CONFIRMED = ("-e", f"teardown_confirm={HOST},{PLATFORM}")


@pytest.fixture(scope="module")
def inventory(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A platform with one of each, and a cluster that uses them; torn down at the end by who may do everything."""
    place = tmp_path_factory.mktemp("inventory")
    (place / "group_vars").symlink_to(INVENTORY / "group_vars")
    own = {"mcpops_resource_group": GROUP}
    login_server = AttachedRegistries(cloud.settings).reserve("".join(REGISTRY.values()))
    declared = yaml.safe_load((INVENTORY / "group_vars/all/main.yml").read_text(encoding="utf-8"))
    images = [{**image, "registry": REGISTRY["name"]} for image in declared["azure_platform_images"]]
    platform = {
        "azure_platform_registries": [REGISTRY],
        "azure_platform_images": images,
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
        "aks_cluster_registries": [REGISTRY],
        "aks_cluster_federated_credentials": [{"identity": "id-roles", "namespace": "mcp", "service_account": "echo"}],
        "mcpops_mcp_servers": [{"name": "echo", "image": f"{login_server}/echo-mcp:1.0.0", "port": 3000}],
        "mcpops_mcp_calls": [{"server": "echo", "tool": "echo", "arguments": {"text": "hello"}, "expect": "hello"}],
    }
    groups = {
        "platforms": {"hosts": {PLATFORM: {**own, **platform}}},
        "clusters": {"hosts": {HOST: {**own, **cluster}}},
    }
    (place / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
    yield place
    run_playbook("-i", place, CHECKOUT / "playbooks" / "teardown.yml", *CONFIRMED)


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

    def hand_over_the_group(self) -> None:
        """Somebody with more rights makes it, with the tags by which it is the site's."""
        tags = {"mcpops-collection": "mcpops.platform", "mcpops-host": PLATFORM, "mcpops-environment": "local"}
        self.portal.put(f"resourceGroups/{GROUP}", {"location": "eastus2", "tags": tags}, "2025-04-01")

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

    def refused(self, action: str, names: tuple[str, ...], *arguments: str, **ref: str) -> set[str]:
        """Without this action it is named, with where it is needed; what was written until then, by its last name."""
        login = self.with_roles(*names, without=action)
        before = len(self.azure.azure_writes())
        done = self.run(login, *arguments, **ref)
        assert done.returncode != 0, f"{action} is not needed"
        for word in (action, GROUP):
            assert word in done.output, done.output
        taken = (write["path"] for write in self.azure.azure_writes()[before:] if write["status"] < 400)
        return {path.partition("?")[0].rpartition("/")[2] for path in taken}

    def group_exists(self) -> bool:
        return self.portal.request("GET", f"resourceGroups/{GROUP}", version="2025-04-01").status_code != 404


@pytest.fixture
def somebody(cloud: Any, inventory: Path, tmp_path: Path) -> Somebody:
    return Somebody(cloud, inventory, tmp_path)


# one after the other, as the stages of a site


def test_provision(somebody: Somebody) -> None:
    platform, roles = ("--tags", "platform"), (PROVISION, IMAGES)
    written = somebody.refused("Microsoft.Resources/subscriptions/resourceGroups/write", (PROVISION,), *platform)
    assert GROUP not in written and not somebody.group_exists()
    somebody.hand_over_the_group()
    written = somebody.refused("Microsoft.ContainerRegistry/registries/write", roles, *platform)
    assert "".join(REGISTRY.values()) not in written
    written = somebody.refused("Microsoft.ContainerRegistry/registries/scheduleRun/action", roles, *platform)
    assert "scheduleRun" not in written
    somebody.run(somebody.with_roles(*roles), *platform).ok()


def test_clusters(somebody: Somebody) -> None:
    cluster = ("--tags", "preflight,cluster")
    needed = "Microsoft.ContainerService/managedClusters/write"
    assert somebody.refused(needed, (SIZES, CLUSTERS), *cluster) == set()
    somebody.run(somebody.with_roles(SIZES, CLUSTERS), *cluster).ok()


def test_later_stages_ask_the_cluster_alone(somebody: Somebody) -> None:
    nobody, asked = somebody.with_roles(), len(somebody.azure.azure_requests())
    somebody.run(nobody, "--tags", "setup,kmcp,mcp,mesh,extras").ok()
    somebody.run(nobody, playbook="verify.yml").ok()
    asked_by = [one["path"] for one in somebody.azure.azure_requests()[asked:]]
    assert [path for path in asked_by if GROUP in path] == []
    # who looks at the registry as well puts the digest of the image behind its tag, and who does not leaves it there
    pinned = somebody.run(somebody.with_roles(PROVISION, IMAGES), "--tags", "platform,mcp").ok()
    assert [task.rpartition(" : ")[2] for task in pinned.changed] == ["Converge the MCP servers"]
    assert somebody.run(nobody, "--tags", "mcp").ok().changed == []


def test_a_comparison(somebody: Somebody) -> None:
    credential = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
    assert somebody.refused(credential, (SIZES, OPERATE), "--check") == set()
    # the registry would tell nobody which action it misses
    pull = "Microsoft.ContainerRegistry/registries/pull/read"
    assert somebody.refused(pull, (SIZES, OPERATE), "--check") == set()
    assert somebody.run(somebody.with_roles(SIZES, OPERATE), "--check").ok().changed == []


def test_teardown(somebody: Somebody) -> None:
    taken = "Microsoft.Authorization/roleAssignments/delete"
    assert somebody.refused(taken, (TEARDOWN,), *CONFIRMED, playbook="teardown.yml") == set()
    somebody.run(somebody.with_roles(TEARDOWN), *CONFIRMED, playbook="teardown.yml").ok()
    assert not somebody.group_exists()


# and all of it at once, from nothing


def test_the_whole_site_one_action_short(somebody: Somebody) -> None:
    """What making a cluster takes is told before anything is made, and the rest by the task that needs it."""
    somebody.hand_over_the_group()
    assert somebody.refused("Microsoft.ContainerService/managedClusters/write", WHOLE) == set()
    written = somebody.refused("Microsoft.ManagedIdentity/userAssignedIdentities/write", WHOLE)
    assert not {"id-roles", HOST} & written


def test_the_whole_site(somebody: Somebody) -> None:
    login = somebody.with_roles(*WHOLE)
    assert somebody.run(login).ok().changed
    written = len(somebody.azure.azure_writes())
    assert somebody.run(login).ok().changed == []
    assert len(somebody.azure.azure_writes()) == written
