# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role aks_cluster gives a cluster's identities: registries to pull from, managed identities to stand for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.playbook import Run
from support.portal import Portal

from ..conftest import SHARED_CLUSTER, SHARED_GROUP, Cluster

ROLE = [{"ansible.builtin.include_role": {"name": "mcpops.platform.aks_cluster"}}]
GROUPS = "Microsoft.Resources/resourceGroups"
GRANTS = "providers/Microsoft.Authorization/roleAssignments"


@pytest.fixture
def group(cloud: Any) -> Iterator[str]:
    name = f"rg-it-{uuid.uuid4().hex[:8]}"
    yield name
    Portal(cloud.environment, cloud.secret).request("DELETE", f"resourceGroups/{name}", version="2025-04-01")


def test_a_registry_and_an_identity_come_and_go(
    cloud: Any, cluster: Cluster, run_task: Callable[..., dict[str, Any]], run_all: Callable[..., Run], group: str
) -> None:
    portal = Portal(cloud.environment, cloud.secret)
    owner = {"host": "test"}
    run_task("azure_resource", {"type": GROUPS, "name": group, "location": "eastus2", "owner": owner})
    run_task("azure_provider", {"namespaces": ["Microsoft.ContainerRegistry"]})
    name = f"acr{uuid.uuid4().hex[:8]}"
    registry = {"resource_group": group, "location": "eastus2", "owner": owner}
    run_task(
        "azure_resource",
        {**registry, "type": "Microsoft.ContainerRegistry/registries", "name": f"{name}end", "sku": {"name": "Basic"}},
    )
    run_task(
        "azure_resource", {**registry, "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "name": "id-tools"}
    )
    declared: dict[str, Any] = {
        "mcpops_environment": "it",
        "mcpops_location": "eastus2",
        "mcpops_resource_group": group,
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "aks_cluster_name": SHARED_CLUSTER,
        "aks_cluster_resource_group": SHARED_GROUP,
        "aks_cluster_credential": "admin",
        "aks_cluster_node_pools": [{"name": "system", "mode": "System", "count": 1}],
        "aks_cluster_name_suffix": "end",
        "aks_cluster_registries": [{"name": name}],
        "aks_cluster_federated_credentials": [
            {"identity": "id-tools", "namespace": "tools", "service_account": "server"}
        ],
    }
    run_all(ROLE, host={**declared, "aks_cluster_registries": [], "aks_cluster_federated_credentials": []}).ok()
    checked = run_all(ROLE, host=declared, check=True).ok()
    made = run_all(ROLE, host=declared).ok()
    assert made.changed == checked.changed and len(set(made.changed)) == 2
    assert run_all(ROLE, host=declared).ok().changed == []

    scope = f"resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}end"
    body = portal.get(f"resourceGroups/{SHARED_GROUP}/providers/Microsoft.ContainerService/managedClusters/integration")
    kubelet = body["properties"]["identityProfile"]["kubeletidentity"]["objectId"]
    granted = portal.get(f"{scope}/{GRANTS}", "2022-04-01")["value"]
    assert kubelet in [one["properties"]["principalId"] for one in granted]
    own = f"resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tools"
    (credential,) = portal.get(f"{own}/federatedIdentityCredentials", "2024-11-30")["value"]
    assert credential["name"] == "test-tools-server"
    assert credential["properties"]["issuer"] == body["properties"]["oidcIssuerProfile"]["issuerURL"]
    assert credential["properties"]["subject"] == "system:serviceaccount:tools:server"

    gone = {
        **declared,
        "aks_cluster_registries": [{"name": name, "state": "absent"}],
        "aks_cluster_federated_credentials": [
            {"identity": "id-tools", "namespace": "tools", "service_account": "server", "state": "absent"}
        ],
    }
    assert len(set(run_all(ROLE, host=gone).ok().changed)) == 2
    assert run_all(ROLE, host=gone).ok().changed == []
    granted = portal.get(f"{scope}/{GRANTS}", "2022-04-01")["value"]
    assert kubelet not in [one["properties"]["principalId"] for one in granted]
