# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge itself, and what of the SDKs' operations is claimed."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from localcloud.azure import oracle
from localcloud.azure.data_routes import BLOB_ROUTES, GRAPH_ROUTES, VAULT_ROUTES
from localcloud.azure.oracle import MODELS, judge, key, sdk_operations
from localcloud.azure.routes import ARM_ROUTES, OPEN_ROUTES, Route, match
from localcloud.azure.sdk_schema import CONTAINER_SERVICE, model_schema

from .conftest import SUB, Azure, cluster_path

CLAIMED = {
    "managed_clusters_get",
    "managed_clusters_create_or_update",
    "managed_clusters_update_tags",
    "managed_clusters_delete",
    "managed_clusters_list",
    "managed_clusters_list_by_resource_group",
    "managed_clusters_list_cluster_user_credentials",
    "managed_clusters_list_cluster_admin_credentials",
    "managed_clusters_list_kubernetes_versions",
    "managed_clusters_start",
    "managed_clusters_stop",
    "agent_pools_get",
    "agent_pools_list",
    "agent_pools_create_or_update",
    "agent_pools_delete",
    "agent_pools_get_upgrade_profile",
    "agent_pools_upgrade_node_image_version",
    "registries_check_name_availability",
    "registries_create",
    "registries_delete",
    "registries_get",
    "registries_import_image",
    "registries_list",
    "registries_list_by_resource_group",
    "registries_list_credentials",
    "registries_update",
    "configurations_get",
    "configurations_put",
    "configurations_update",
    "databases_create",
    "databases_delete",
    "databases_get",
    "databases_list_by_server",
    "firewall_rules_create_or_update",
    "firewall_rules_delete",
    "firewall_rules_get",
    "firewall_rules_list_by_server",
    "name_availability_check_globally",
    "servers_create_or_update",
    "servers_delete",
    "servers_get",
    "servers_list_by_resource_group",
    "servers_list_by_subscription",
    "servers_update",
    "resource_skus_list",
    "storage_accounts_check_name_availability",
    "storage_accounts_create",
    "storage_accounts_delete",
    "storage_accounts_get_properties",
    "storage_accounts_list",
    "storage_accounts_list_by_resource_group",
    "storage_accounts_list_keys",
    "storage_accounts_update",
    "vaults_check_name_availability",
    "vaults_create_or_update",
    "vaults_delete",
    "vaults_get",
    "vaults_get_deleted",
    "vaults_list",
    "vaults_list_by_resource_group",
    "vaults_list_by_subscription",
    "vaults_list_deleted",
    "vaults_purge_deleted",
    "vaults_update",
    "usage_list",
    "public_ip_addresses_create_or_update",
    "public_ip_addresses_delete",
    "public_ip_addresses_get",
    "public_ip_addresses_list",
    "public_ip_addresses_list_all",
    "public_ip_addresses_update_tags",
    "private_zones_create_or_update",
    "private_zones_delete",
    "private_zones_get",
    "private_zones_list",
    "private_zones_list_by_resource_group",
    "record_sets_create_or_update",
    "record_sets_delete",
    "record_sets_get",
    "record_sets_list_by_type",
    "zones_create_or_update",
    "zones_delete",
    "zones_get",
    "zones_list",
    "zones_list_by_resource_group",
}
# Polling is not a call of the SDKs: they follow the links they are given.
NOT_IN_AN_SDK = {"operation_status", "operation_result"}
# The SDKs of these are not among our requirements.
WITHOUT_SDK = (
    "Microsoft.Resources",
    "Microsoft.Authorization",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.Features",
)
# Neither is that of a registry's tasks (azure-mgmt-containerregistrytasks).
TASKS = ("/listBuildSourceUploadUrl", "/scheduleRun", "/runs")
# Answers nobody's model judges: the SDKs for them are not among our requirements. The number may only fall.
MOST_WITHOUT_MODEL = 33


def is_task(route: Route) -> bool:
    return any(part in route.path for part in TASKS)


def test_claimed_operations_are_routes() -> None:
    served = {operation.name for route in ARM_ROUTES if (operation := sdk_operations().get(key(route)))}
    assert served == CLAIMED


def test_every_other_provider_route_is_known() -> None:
    others = [
        route.handler.__name__
        for route in ARM_ROUTES
        if route.namespace not in WITHOUT_SDK and key(route) not in sdk_operations() and not is_task(route)
    ]
    assert set(others) == NOT_IN_AN_SDK


def test_routes_without_a_model_are_capped() -> None:
    bare = [
        route
        for route in ARM_ROUTES
        if route.method in ("GET", "PUT", "PATCH")
        and key(route) not in MODELS
        and route.handler.__name__ not in NOT_IN_AN_SDK
        and not is_task(route)
    ]
    assert len(bare) <= MOST_WITHOUT_MODEL
    assert set(MODELS) <= {key(route) for route in ARM_ROUTES}


def route_of(method: str) -> Route:
    found = match(ARM_ROUTES, method, f"{SUB}{cluster_path()}")
    assert found is not None
    return found[0]


MUTATIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    "misspelt member": (("properties", "kubernetesVersoin"), "1.35"),
    "wrong type": (("properties", "maxAgentPools"), "100"),
    "unknown member of a pool": (("properties", "agentPoolProfiles", "0", "cuont"), 1),
    "no location": (("location",), None),
}


@pytest.mark.parametrize(("path", "value"), MUTATIONS.values(), ids=MUTATIONS)
def test_the_judge_sees(azure: Azure, path: tuple[str, ...], value: Any) -> None:
    azure.group()
    body = azure.cluster()
    assert judge(route_of("GET"), 200, json.dumps(body).encode()) == []
    spoilt = copy.deepcopy(body)
    target: Any = spoilt
    for part in path[:-1]:
        target = target[int(part)] if part.isdigit() else target[part]
    target[path[-1]] = value
    assert judge(route_of("GET"), 200, json.dumps(spoilt).encode()) != []


def test_the_judge_sees_statuses() -> None:
    assert judge(route_of("PUT"), 202, b"") != []
    assert judge(route_of("DELETE"), 202, b"") == []


def test_answers_were_judged(azure: Azure) -> None:
    azure.server.oracle.judged.clear()
    azure.group()
    azure.cluster()
    assert azure.server.oracle.judged[key(route_of("PUT"))] == 1


def test_what_is_read_only_comes_from_the_sdk() -> None:
    definitions = model_schema(CONTAINER_SERVICE, "ManagedCluster")["$defs"]
    properties = definitions["ManagedClusterProperties"]["properties"]
    assert [name for name in ("fqdn", "maxAgentPools", "resourceUID") if not properties[name].get("readOnly")] == []
    assert "x-known-values" in json.dumps(definitions["ContainerServiceNetworkProfile"])


def _below(path: str) -> str:
    """What is below a type with many paths, which the README names once."""
    return path.split("managedClusters")[-1].split("Microsoft.ManagedIdentity/")[-1].removeprefix("…/")


def test_the_readme_names_every_route() -> None:
    readme = (Path(oracle.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in readme.splitlines() if re.match(r"\| [A-Z, ]+ \| [/…{]", line)]
    documented = set()
    for methods, paths in rows:
        first = paths.strip().split(", ")[0]
        for path in paths.strip().split(", "):
            whole = first.rsplit("/", 1)[0] + path[1:] if path.startswith("…") and path != first else path
            documented |= {(method.strip(), _below(whole)) for method in methods.split(",")}
    served = {
        (route.method, _below(route.path))
        for route in (*OPEN_ROUTES, *ARM_ROUTES, *GRAPH_ROUTES, *VAULT_ROUTES, *BLOB_ROUTES)
    }
    assert documented == served
