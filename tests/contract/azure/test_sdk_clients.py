# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign clients: Microsoft's SDKs, unmodified, from nothing to a deleted cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient

from .conftest import SUBSCRIPTION, Azure, cluster_body


def test_a_cluster_lives_and_dies(azure: Azure) -> None:
    azure.group()
    aks = azure.aks()
    with pytest.raises(ResourceNotFoundError):
        aks.managed_clusters.get("rg", "c1")
    created = aks.managed_clusters.begin_create_or_update("rg", "c1", cluster_body()).result()
    assert created.properties.provisioning_state == "Succeeded"
    assert created.properties.current_kubernetes_version == "1.34.4"
    assert [cluster.name for cluster in aks.managed_clusters.list()] == ["c1"]
    assert [cluster.name for cluster in aks.managed_clusters.list_by_resource_group("RG")] == ["c1"]

    created.tags = {"a": "b"}
    updated = aks.managed_clusters.begin_create_or_update(
        "rg", "c1", created, etag=created.e_tag, match_condition=MatchConditions.IfNotModified
    ).result()
    assert updated.tags == {"a": "b"}
    assert updated.e_tag != created.e_tag
    with pytest.raises(HttpResponseError) as refused:
        aks.managed_clusters.begin_create_or_update(
            "rg", "c1", created, etag=created.e_tag, match_condition=MatchConditions.IfNotModified
        )
    assert refused.value.status_code == 412

    kubeconfigs = aks.managed_clusters.list_cluster_user_credentials("rg", "c1").kubeconfigs
    assert yaml.safe_load(bytes(kubeconfigs[0].value))["users"][0]["name"] == "clusterUser_rg_c1"
    admin: Any = aks.managed_clusters.list_cluster_admin_credentials("rg", "c1").kubeconfigs[0]
    assert yaml.safe_load(bytes(admin.value))["current-context"] == "c1-admin"

    aks.managed_clusters.begin_stop("rg", "c1").result()
    assert aks.managed_clusters.get("rg", "c1").properties.power_state.code == "Stopped"
    aks.managed_clusters.begin_start("rg", "c1").result()
    assert aks.managed_clusters.get("rg", "c1").properties.power_state.code == "Running"
    aks.managed_clusters.begin_update_tags("rg", "c1", {"tags": {"c": "d"}}).result()
    assert aks.managed_clusters.get("rg", "c1").tags == {"c": "d"}

    aks.managed_clusters.begin_delete("rg", "c1").result()
    assert list(aks.managed_clusters.list()) == []
    assert azure.backend.clusters == {}


def test_pools_come_and_go(azure: Azure) -> None:
    azure.group()
    aks = azure.aks()
    aks.managed_clusters.begin_create_or_update("rg", "c1", cluster_body()).result()
    body: Any = {"properties": {"count": 2, "vmSize": "Standard_D2s_v5", "mode": "User"}}
    pool = aks.agent_pools.begin_create_or_update("rg", "c1", "work", body).result()
    assert (pool.properties.count, pool.properties.provisioning_state) == (2, "Succeeded")
    assert [pool.name for pool in aks.agent_pools.list("rg", "c1")] == ["system", "work"]
    cluster = aks.managed_clusters.get("rg", "c1")
    assert [pool.name for pool in cluster.properties.agent_pool_profiles] == ["system", "work"]
    aks.agent_pools.begin_delete("rg", "c1", "work").result()
    assert [pool.name for pool in aks.agent_pools.list("rg", "c1")] == ["system"]
    with pytest.raises(HttpResponseError):
        aks.agent_pools.begin_delete("rg", "c1", "system")


def test_sizes_and_quotas(azure: Azure) -> None:
    compute = ComputeManagementClient(azure.credential(), SUBSCRIPTION, **azure.options())
    machines = list(compute.resource_skus.list(filter="location eq 'eastus'"))
    assert len(machines) > 700
    usages = {usage.name.value: usage for usage in compute.usage.list("eastus")}
    assert usages["cores"].limit == 100


def test_versions_of_kubernetes(azure: Azure) -> None:
    values = azure.aks().managed_clusters.list_kubernetes_versions("eastus").values_property
    assert [value.version for value in values] == ["1.35", "1.34", "1.33", "1.32"]
    assert [value.version for value in values if value.is_default] == ["1.34"]


def test_a_wrong_secret_is_named(azure: Azure) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        azure.credential("wrong").get_token(f"{azure.config.endpoint}/.default")


def test_a_failed_operation_says_why(azure: Azure) -> None:
    azure.group()
    azure.faults.add("operation-failed", code="SkuNotAvailable", message="no room")
    with pytest.raises(HttpResponseError) as failed:
        azure.aks().managed_clusters.begin_create_or_update("rg", "c1", cluster_body()).result()
    assert failed.value.error is not None
    assert (failed.value.error.code, failed.value.error.message) == ("SkuNotAvailable", "no room")
    assert azure.aks().managed_clusters.get("rg", "c1").properties.provisioning_state == "Failed"
