# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight of a site: what the roles of platforms and clusters take in Azure, asked before anything is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.azure_roles import ROLES, identity
from support.playbook import CHECKOUT, Run, run_playbook
from support.portal import Portal

from localcloud.azure.requestlog import RequestLog

pytestmark = pytest.mark.integration

HOST, PLATFORM, GROUP = "preflight-1", "preflight-platform", "rg-site-preflight"
LOOK = "mcpops.platform.site_preflight : See whether what is declared can be made in Azure"
NETWORK = "/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
PROVISION, SIZES, CLUSTERS = "MCP platform provision", "MCP platform sizes", "MCP platform clusters"
IMAGES = "MCP platform images"


@pytest.fixture
def inventory(cloud: Any, tmp_path: Path) -> Path:
    """A platform with one of each, and a cluster that uses them."""
    (tmp_path / "group_vars").symlink_to(CHECKOUT / "inventories" / "local" / "group_vars")
    own = {"mcpops_resource_group": GROUP}
    platform = {
        "azure_platform_registries": [{"name": "acrpre", "suffix": "x"}],
        "azure_platform_images": [
            {
                "registry": "acrpre",
                "repository": "echo",
                "tags": ["1"],
                "source": {"image": f"{cloud.registry}/echo-mcp:1"},
            }
        ],
        "azure_platform_identities": [{"name": "id-pre"}],
        "azure_platform_federated_credentials": [
            {"identity": "id-pre", "name": "main", "issuer": "https://ci.example.com/", "subject": "repo:main"}
        ],
        "azure_platform_role_assignments": [{"identity": "id-pre", "registry": "acrpre", "role": "AcrPush"}],
        "azure_platform_log_workspaces": [{"name": "log-pre"}],
    }
    pool = {"name": "system", "mode": "System", "count": 1, "properties": {"vnetSubnetID": NETWORK}}
    cluster = {
        "mcpops_platform": PLATFORM,
        "mcpops_kubeconfig": str(tmp_path / "kubeconfig"),
        "aks_cluster_node_pools": [pool],
        "aks_cluster_registries": [{"name": "acrpre", "suffix": "x"}],
        "aks_cluster_federated_credentials": [{"identity": "id-pre", "namespace": "mcp", "service_account": "echo"}],
        "mcpops_mcp_servers": [],
        "mcpops_mcp_calls": [],
    }
    groups = {
        "platforms": {"hosts": {PLATFORM: {**own, **platform}}},
        "clusters": {"hosts": {HOST: {**own, **cluster}}},
    }
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
    return tmp_path


@pytest.fixture
def writes(cloud: Any) -> Iterator[None]:
    """Nothing is made by these runs."""
    log = RequestLog(cloud.settings.state / "azure")
    before = [one["path"] for one in log.writes()]
    yield
    assert [path for path in (one["path"] for one in log.writes()) if GROUP in path] == [
        path for path in before if GROUP in path
    ]


def run(cloud: Any, inventory: Path, login: dict[str, Any], *arguments: str, playbook: str = "preflight.yml") -> Run:
    file = inventory / "login.json"
    file.write_text(json.dumps({"mcpops_azure_auth": login}), encoding="utf-8")
    place = CHECKOUT / "playbooks" / playbook
    return run_playbook("-i", inventory / "hosts.yml", place, "-e", f"@{file}", *arguments)


def nobody(cloud: Any, **granted: str) -> dict[str, Any]:
    portal = Portal(cloud.environment, cloud.secret)
    return identity(portal, cloud.settings.state / "azure", GROUP, *granted.values(), auth=cloud.auth())


@pytest.mark.usefixtures("writes")
@pytest.mark.parametrize("playbook", ["preflight.yml", "site.yml"])
def test_all_that_the_roles_of_all_hosts_take_is_told_at_once(cloud: Any, inventory: Path, playbook: str) -> None:
    done = run(cloud, inventory, nobody(cloud, sizes=SIZES), playbook=playbook)
    assert done.returncode != 0
    # of the first host by its name
    first = done.of(HOST, LOOK)["msg"]
    wanted = {action for role in (PROVISION, CLUSTERS, IMAGES) for action in ROLES[role]["Actions"]}
    wanted = {one for one in wanted if one not in ROLES[SIZES]["Actions"] and not one.endswith("/delete")}
    # registered already, in the local cloud
    wanted = {one for one in wanted if not one.endswith("/register/action")}
    # an image is copied here, not built
    wanted -= {one for one in wanted if any(word in one for word in ("listBuildSource", "scheduleRun", "/runs/"))}
    wanted.add("Microsoft.Network/virtualNetworks/subnets/join/action")
    assert wanted
    missing = sorted(one for one in wanted if one not in first)
    assert missing == [], f"{missing} in {first}"
    assert "az role assignment create" in first and "/resourceGroups/rg-net" in first


@pytest.mark.usefixtures("writes")
def test_who_may_everything_passes(cloud: Any, inventory: Path) -> None:
    done = run(cloud, inventory, cloud.auth()).ok()
    for host in (PLATFORM, HOST):
        assert done.of(host, LOOK)["missing"] == []
