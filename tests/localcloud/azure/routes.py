# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local Azure answers: one row a verb and path. Everything else about a request is done by `app`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from . import (
    agent_pools,
    aks_operations,
    authorization,
    compute,
    container_registries,
    credentials,
    dns_zones,
    entra,
    features,
    flexible_servers,
    groups,
    identities,
    key_vaults,
    locations,
    log_workspaces,
    managed_clusters,
    oidc_issuers,
    permissions,
    providers,
    public_addresses,
    registry_import,
    registry_runs,
    server_contents,
    sign_in,
    storage_accounts,
    subscriptions,
    token_endpoint,
    versions,
)
from .wire import Call, Reply

RESOURCES, COMPUTE, AKS = "Microsoft.Resources", "Microsoft.Compute", "Microsoft.ContainerService"
AUTHORIZATION, MANAGED_IDENTITY = "Microsoft.Authorization", "Microsoft.ManagedIdentity"
ACR = "Microsoft.ContainerRegistry"


@dataclass(frozen=True)
class Route:
    """`action` is what RBAC calls it; a `list…` POST is a read in disguise; `blocking` ones may ask the backend."""

    method: str
    path: str
    handler: Callable[[Call], Reply]
    namespace: str = ""  # the provider that has to be registered; none for what is not Resource Manager
    action: str = ""
    blocking: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        # `{scope}` is any id, with the slashes in it
        path = self.path.replace("{scope}", "(?P<scope>(?:/[^/]+)*)")
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?", re.IGNORECASE)

    @property
    def reads(self) -> bool:
        return self.method in ("GET", "HEAD") or self.path.rsplit("/", 1)[-1].startswith(("list", "check"))


SUB = "/subscriptions/{sub}"
GROUP = f"{SUB}/resourceGroups/{{group}}"
CLUSTER = f"{GROUP}/providers/{AKS}/managedClusters/{{name}}"
POOL = f"{CLUSTER}/agentPools/{{pool}}"
PLACE = f"{SUB}/providers/{AKS}/locations/{{location}}"
REGISTRY = f"{GROUP}/providers/{ACR}/registries/{{name}}"
GROUP_ACTION = f"{RESOURCES}/subscriptions/resourceGroups"

IDENTITY = f"{GROUP}/providers/{MANAGED_IDENTITY}/userAssignedIdentities/{{name}}"
FEDERATED = f"{IDENTITY}/federatedIdentityCredentials"
OF_IDENTITY = f"{MANAGED_IDENTITY}/userAssignedIdentities"
OF_FEDERATED = f"{OF_IDENTITY}/federatedIdentityCredentials"
IDENTITIES = tuple(f"{place}/providers/{OF_IDENTITY}" for place in (SUB, GROUP))

LOGS = "Microsoft.OperationalInsights"
WORKSPACE = f"{GROUP}/providers/{LOGS}/workspaces/{{name}}"

FEATURES = "Microsoft.Features"
FEATURE = f"{SUB}/providers/{FEATURES}/providers/{{namespace}}/features/{{feature}}"
VAULTS = "Microsoft.KeyVault"
VAULT = f"{GROUP}/providers/{VAULTS}/vaults/{{name}}"
DELETED_VAULT = f"{SUB}/providers/{VAULTS}/locations/{{location}}/deletedVaults/{{name}}"
OF_DELETED = f"{VAULTS}/locations/deletedVaults"

STORAGE = "Microsoft.Storage"
ACCOUNT = f"{GROUP}/providers/{STORAGE}/storageAccounts/{{name}}"
OF_ACCOUNT = f"{STORAGE}/storageAccounts"

POSTGRES = flexible_servers.NAMESPACE
SERVER = f"{GROUP}/providers/{POSTGRES}/flexibleServers/{{name}}"
OF_SERVER = flexible_servers.TYPE

NETWORK = "Microsoft.Network"
ADDRESS = f"{GROUP}/providers/{NETWORK}/publicIPAddresses/{{name}}"
OF_ADDRESS = public_addresses.TYPE

ROLES = f"{{scope}}/providers/{AUTHORIZATION}/roleDefinitions"
GRANTS = f"{{scope}}/providers/{AUTHORIZATION}/roleAssignments"

ISSUER = "/oidc/{location}/{tenant}/{issuer}"

OPEN_ROUTES: tuple[Route, ...] = (
    Route("GET", "/metadata/endpoints", entra.metadata),
    Route("GET", "/common/discovery/instance", entra.instance_discovery),
    Route("GET", "/{tenant}/discovery/instance", entra.instance_discovery),
    Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", entra.openid_configuration),
    Route("GET", "/{tenant}/.well-known/openid-configuration", entra.openid_configuration_v1),
    Route("GET", "/{tenant}/discovery/v2.0/keys", entra.keys),
    Route("GET", "/{tenant}/discovery/keys", entra.keys),
    Route("GET", "/{tenant}/oauth2/v2.0/authorize", sign_in.authorize),
    Route("POST", "/{tenant}/oauth2/v2.0/token", token_endpoint.token),
    Route("GET", f"{ISSUER}/.well-known/openid-configuration", oidc_issuers.discovery),
    Route("GET", f"{ISSUER}/openid/v1/jwks", oidc_issuers.keys),
)


def _of_zones(zones: dns_zones.Zones) -> tuple[Route, ...]:
    zone = f"{GROUP}/providers/{zones.kind}/{{name}}"
    records, of_records = f"{zone}/{{record_type}}", f"{zones.kind}/{{record_type}}"
    return (
        *(
            Route("GET", f"{at}/providers/{zones.kind}", zones.list, NETWORK, f"{zones.kind}/read")
            for at in (SUB, GROUP)
        ),
        Route("GET", zone, zones.get, NETWORK, f"{zones.kind}/read"),
        Route("PUT", zone, zones.put, NETWORK, f"{zones.kind}/write"),
        Route("DELETE", zone, zones.delete, NETWORK, f"{zones.kind}/delete"),
        Route("GET", records, zones.list_records, NETWORK, f"{of_records}/read"),
        Route("GET", f"{records}/{{record}}", zones.get_record, NETWORK, f"{of_records}/read"),
        Route("PUT", f"{records}/{{record}}", zones.put_record, NETWORK, f"{of_records}/write"),
        Route("DELETE", f"{records}/{{record}}", zones.delete_record, NETWORK, f"{of_records}/delete"),
    )


ARM_ROUTES: tuple[Route, ...] = (
    Route("GET", "/tenants", subscriptions.list_tenants, RESOURCES, f"{RESOURCES}/tenants/read"),
    Route("GET", "/subscriptions", subscriptions.list_subscriptions, RESOURCES, f"{RESOURCES}/subscriptions/read"),
    Route("GET", SUB, subscriptions.get_subscription, RESOURCES, f"{RESOURCES}/subscriptions/read"),
    Route("GET", f"{SUB}/locations", locations.list_locations, RESOURCES, f"{RESOURCES}/subscriptions/locations/read"),
    Route("GET", f"{SUB}/providers", providers.list_providers, RESOURCES, f"{RESOURCES}/subscriptions/providers/read"),
    Route(
        "GET",
        f"{SUB}/providers/{{namespace}}",
        providers.get_provider,
        RESOURCES,
        f"{RESOURCES}/subscriptions/providers/read",
    ),
    Route(
        "POST", f"{SUB}/providers/{{namespace}}/register", providers.register, RESOURCES, "{namespace}/register/action"
    ),
    Route(
        "POST",
        f"{SUB}/providers/{{namespace}}/unregister",
        providers.unregister,
        RESOURCES,
        "{namespace}/unregister/action",
    ),
    Route("GET", FEATURE, features.get, FEATURES, f"{FEATURES}/providers/features/read"),
    Route("POST", f"{FEATURE}/register", features.register, FEATURES, f"{FEATURES}/providers/features/register/action"),
    Route("GET", f"{SUB}/resources", groups.list_resources, RESOURCES, f"{RESOURCES}/subscriptions/resources/read"),
    Route("GET", f"{SUB}/operationresults/{{operation}}", groups.operation_result, RESOURCES, f"{GROUP_ACTION}/read"),
    Route("GET", f"{SUB}/resourceGroups", groups.list_groups, RESOURCES, f"{GROUP_ACTION}/read"),
    Route("HEAD", GROUP, groups.head, RESOURCES, f"{GROUP_ACTION}/read"),
    Route("GET", GROUP, groups.get, RESOURCES, f"{GROUP_ACTION}/read"),
    Route("PUT", GROUP, groups.put, RESOURCES, f"{GROUP_ACTION}/write"),
    Route("PATCH", GROUP, groups.patch, RESOURCES, f"{GROUP_ACTION}/write"),
    Route("DELETE", GROUP, groups.delete, RESOURCES, f"{GROUP_ACTION}/delete"),
    Route("GET", f"{GROUP}/resources", groups.list_resources, RESOURCES, f"{GROUP_ACTION}/resources/read"),
    Route("GET", f"{SUB}/providers/{COMPUTE}/skus", compute.list_skus, COMPUTE, f"{COMPUTE}/skus/read"),
    Route(
        "GET",
        f"{SUB}/providers/{COMPUTE}/locations/{{location}}/usages",
        compute.list_usages,
        COMPUTE,
        f"{COMPUTE}/locations/usages/read",
    ),
    Route(
        "GET",
        f"{PLACE}/kubernetesVersions",
        versions.list_versions,
        AKS,
        f"{AKS}/locations/kubernetesVersions/read",
        blocking=True,
    ),
    Route(
        "GET",
        f"{PLACE}/operations/{{operation}}",
        aks_operations.operation_status,
        AKS,
        f"{AKS}/locations/operations/read",
    ),
    Route(
        "GET",
        f"{PLACE}/operationresults/{{operation}}",
        aks_operations.operation_result,
        AKS,
        f"{AKS}/locations/operationresults/read",
    ),
    Route(
        "GET",
        f"{SUB}/providers/{AKS}/managedClusters",
        managed_clusters.list_clusters,
        AKS,
        f"{AKS}/managedClusters/read",
    ),
    Route(
        "GET",
        f"{GROUP}/providers/{AKS}/managedClusters",
        managed_clusters.list_clusters,
        AKS,
        f"{AKS}/managedClusters/read",
    ),
    Route("GET", CLUSTER, managed_clusters.get, AKS, f"{AKS}/managedClusters/read"),
    Route("PUT", CLUSTER, managed_clusters.put, AKS, f"{AKS}/managedClusters/write", blocking=True),
    Route("PATCH", CLUSTER, managed_clusters.patch, AKS, f"{AKS}/managedClusters/write"),
    Route("DELETE", CLUSTER, managed_clusters.delete, AKS, f"{AKS}/managedClusters/delete"),
    Route("POST", f"{CLUSTER}/start", managed_clusters.start, AKS, f"{AKS}/managedClusters/start/action"),
    Route("POST", f"{CLUSTER}/stop", managed_clusters.stop, AKS, f"{AKS}/managedClusters/stop/action"),
    Route(
        "POST",
        f"{CLUSTER}/listClusterUserCredential",
        credentials.user,
        AKS,
        f"{AKS}/managedClusters/listClusterUserCredential/action",
        blocking=True,
    ),
    Route(
        "POST",
        f"{CLUSTER}/listClusterAdminCredential",
        credentials.admin,
        AKS,
        f"{AKS}/managedClusters/listClusterAdminCredential/action",
        blocking=True,
    ),
    Route("GET", f"{CLUSTER}/agentPools", agent_pools.list_pools, AKS, f"{AKS}/managedClusters/agentPools/read"),
    Route("GET", POOL, agent_pools.get, AKS, f"{AKS}/managedClusters/agentPools/read"),
    Route("PUT", POOL, agent_pools.put, AKS, f"{AKS}/managedClusters/agentPools/write", blocking=True),
    Route("DELETE", POOL, agent_pools.delete, AKS, f"{AKS}/managedClusters/agentPools/delete"),
    Route(
        "GET",
        f"{POOL}/upgradeProfiles/default",
        agent_pools.upgrade_profile,
        AKS,
        f"{AKS}/managedClusters/agentPools/upgradeProfiles/read",
    ),
    Route(
        "POST",
        f"{POOL}/upgradeNodeImageVersion",
        agent_pools.upgrade_image,
        AKS,
        f"{AKS}/managedClusters/agentPools/upgradeNodeImageVersion/action",
    ),
    Route(
        "POST",
        f"{SUB}/providers/{ACR}/checkNameAvailability",
        container_registries.NAMES.check,
        ACR,
        f"{ACR}/checkNameAvailability/read",
    ),
    *(
        Route(
            "GET",
            f"{place}/providers/{ACR}/registries",
            container_registries.list_registries,
            ACR,
            f"{ACR}/registries/read",
        )
        for place in (SUB, GROUP)
    ),
    Route("GET", REGISTRY, container_registries.get, ACR, f"{ACR}/registries/read"),
    Route("PUT", REGISTRY, container_registries.put, ACR, f"{ACR}/registries/write"),
    Route("PATCH", REGISTRY, container_registries.patch, ACR, f"{ACR}/registries/write"),
    Route("DELETE", REGISTRY, container_registries.delete, ACR, f"{ACR}/registries/delete", blocking=True),
    Route(
        "POST",
        f"{REGISTRY}/listCredentials",
        container_registries.list_credentials,
        ACR,
        f"{ACR}/registries/listCredentials/action",
    ),
    Route(
        "GET",
        f"{REGISTRY}/operationStatuses/{{operation}}",
        container_registries.operation_status,
        ACR,
        f"{ACR}/registries/operationStatuses/read",
    ),
    Route(
        "POST",
        f"{REGISTRY}/listBuildSourceUploadUrl",
        registry_runs.upload_url,
        ACR,
        f"{ACR}/registries/listBuildSourceUploadUrl/action",
    ),
    Route("POST", f"{REGISTRY}/scheduleRun", registry_runs.schedule, ACR, f"{ACR}/registries/scheduleRun/action"),
    Route("GET", f"{REGISTRY}/runs", registry_runs.list_runs, ACR, f"{ACR}/registries/runs/read"),
    Route("GET", f"{REGISTRY}/runs/{{run}}", registry_runs.get, ACR, f"{ACR}/registries/runs/read"),
    Route(
        "POST",
        f"{REGISTRY}/runs/{{run}}/listLogSasUrl",
        registry_runs.log_url,
        ACR,
        f"{ACR}/registries/runs/listLogSasUrl/action",
    ),
    Route("POST", f"{REGISTRY}/importImage", registry_import.start, ACR, f"{ACR}/registries/importImage/action"),
    Route(
        "GET",
        f"{SUB}/providers/{ACR}/locations/{{location}}/operationResults/{{operation}}",
        registry_import.operation_result,
        ACR,
        f"{ACR}/locations/operationResults/read",
    ),
    *(Route("GET", path, identities.list_identities, MANAGED_IDENTITY, f"{OF_IDENTITY}/read") for path in IDENTITIES),
    Route("GET", IDENTITY, identities.get, MANAGED_IDENTITY, f"{OF_IDENTITY}/read"),
    Route("PUT", IDENTITY, identities.put, MANAGED_IDENTITY, f"{OF_IDENTITY}/write"),
    Route("PATCH", IDENTITY, identities.patch, MANAGED_IDENTITY, f"{OF_IDENTITY}/write"),
    Route("DELETE", IDENTITY, identities.delete, MANAGED_IDENTITY, f"{OF_IDENTITY}/delete"),
    Route("GET", FEDERATED, identities.list_credentials, MANAGED_IDENTITY, f"{OF_FEDERATED}/read"),
    Route("GET", f"{FEDERATED}/{{credential}}", identities.get_credential, MANAGED_IDENTITY, f"{OF_FEDERATED}/read"),
    Route("PUT", f"{FEDERATED}/{{credential}}", identities.put_credential, MANAGED_IDENTITY, f"{OF_FEDERATED}/write"),
    Route(
        "DELETE",
        f"{FEDERATED}/{{credential}}",
        identities.delete_credential,
        MANAGED_IDENTITY,
        f"{OF_FEDERATED}/delete",
    ),
    Route(
        "GET",
        f"{{scope}}/providers/{AUTHORIZATION}/permissions",
        permissions.list_permissions,
        AUTHORIZATION,
        f"{AUTHORIZATION}/permissions/read",
    ),
    *(
        Route(
            "GET",
            f"{place}/providers/{LOGS}/workspaces",
            log_workspaces.list_workspaces,
            LOGS,
            f"{LOGS}/workspaces/read",
        )
        for place in (SUB, GROUP)
    ),
    Route("GET", WORKSPACE, log_workspaces.get, LOGS, f"{LOGS}/workspaces/read"),
    Route("PUT", WORKSPACE, log_workspaces.put, LOGS, f"{LOGS}/workspaces/write"),
    Route("PATCH", WORKSPACE, log_workspaces.patch, LOGS, f"{LOGS}/workspaces/write"),
    Route("DELETE", WORKSPACE, log_workspaces.delete, LOGS, f"{LOGS}/workspaces/delete"),
    Route(
        "POST",
        f"{SUB}/providers/{VAULTS}/checkNameAvailability",
        key_vaults.NAMES.check,
        VAULTS,
        f"{VAULTS}/checkNameAvailability/read",
    ),
    *(
        Route("GET", f"{place}/providers/{VAULTS}/vaults", key_vaults.list_vaults, VAULTS, f"{VAULTS}/vaults/read")
        for place in (SUB, GROUP)
    ),
    Route("GET", VAULT, key_vaults.get, VAULTS, f"{VAULTS}/vaults/read"),
    Route("PUT", VAULT, key_vaults.put, VAULTS, f"{VAULTS}/vaults/write"),
    Route("PATCH", VAULT, key_vaults.patch, VAULTS, f"{VAULTS}/vaults/write"),
    Route("DELETE", VAULT, key_vaults.delete, VAULTS, f"{VAULTS}/vaults/delete"),
    Route(
        "GET",
        f"{SUB}/providers/{VAULTS}/deletedVaults",
        key_vaults.list_deleted,
        VAULTS,
        f"{VAULTS}/deletedVaults/read",
    ),
    Route("GET", DELETED_VAULT, key_vaults.get_deleted, VAULTS, f"{OF_DELETED}/read"),
    Route("POST", f"{DELETED_VAULT}/purge", key_vaults.purge, VAULTS, f"{OF_DELETED}/purge/action"),
    Route(
        "POST",
        f"{SUB}/providers/{STORAGE}/checkNameAvailability",
        storage_accounts.NAMES.check,
        STORAGE,
        f"{STORAGE}/checknameavailability/read",
    ),
    *(
        Route("GET", f"{place}/providers/{OF_ACCOUNT}", storage_accounts.list_accounts, STORAGE, f"{OF_ACCOUNT}/read")
        for place in (SUB, GROUP)
    ),
    Route(
        "POST",
        f"{SUB}/providers/{POSTGRES}/checkNameAvailability",
        flexible_servers.NAMES.check,
        POSTGRES,
        f"{POSTGRES}/checkNameAvailability/action",
    ),
    *(
        Route(
            "GET",
            f"{place}/providers/{POSTGRES}/flexibleServers",
            flexible_servers.list_servers,
            POSTGRES,
            f"{OF_SERVER}/read",
        )
        for place in (SUB, GROUP)
    ),
    Route("GET", SERVER, flexible_servers.get, POSTGRES, f"{OF_SERVER}/read"),
    Route("PUT", SERVER, flexible_servers.put, POSTGRES, f"{OF_SERVER}/write"),
    Route("PATCH", SERVER, flexible_servers.patch, POSTGRES, f"{OF_SERVER}/write"),
    Route("DELETE", SERVER, flexible_servers.delete, POSTGRES, f"{OF_SERVER}/delete", blocking=True),
    *(
        Route(
            verb,
            f"{SERVER}/{kind}/{{child}}",
            handler,
            POSTGRES,
            f"{OF_SERVER}/{kind}/{action}",
            blocking=True,
        )
        for kind, verb, action, handler in (
            ("databases", "GET", "read", server_contents.get_database),
            ("databases", "PUT", "write", server_contents.put_database),
            ("databases", "DELETE", "delete", server_contents.delete_database),
            ("firewallRules", "GET", "read", server_contents.get_rule),
            ("firewallRules", "PUT", "write", server_contents.put_rule),
            ("firewallRules", "DELETE", "delete", server_contents.delete_rule),
            ("configurations", "GET", "read", server_contents.get_configuration),
            ("configurations", "PUT", "write", server_contents.put_configuration),
            ("configurations", "PATCH", "write", server_contents.put_configuration),
        )
    ),
    *(
        Route(
            "GET",
            f"{SERVER}/{kind.rpartition('/')[2]}",
            server_contents.list_children(kind),
            POSTGRES,
            f"{kind}/read",
        )
        for kind in (flexible_servers.DATABASE, flexible_servers.RULE)
    ),
    *(
        Route(
            "GET",
            f"{SUB}/providers/{POSTGRES}/locations/{{location}}/{kind}/{{operation}}",
            handler,
            POSTGRES,
            f"{POSTGRES}/locations/{kind}/read",
        )
        for kind, handler in (
            ("azureAsyncOperation", flexible_servers.operation_status),
            ("operationResults", flexible_servers.operation_result),
        )
    ),
    Route("GET", ACCOUNT, storage_accounts.get, STORAGE, f"{OF_ACCOUNT}/read"),
    Route("PUT", ACCOUNT, storage_accounts.put, STORAGE, f"{OF_ACCOUNT}/write"),
    Route("PATCH", ACCOUNT, storage_accounts.patch, STORAGE, f"{OF_ACCOUNT}/write"),
    Route("DELETE", ACCOUNT, storage_accounts.delete, STORAGE, f"{OF_ACCOUNT}/delete"),
    Route("POST", f"{ACCOUNT}/listKeys", storage_accounts.list_keys, STORAGE, f"{OF_ACCOUNT}/listkeys/action"),
    *(
        Route("GET", f"{place}/providers/{OF_ADDRESS}", public_addresses.list_addresses, NETWORK, f"{OF_ADDRESS}/read")
        for place in (SUB, GROUP)
    ),
    Route("GET", ADDRESS, public_addresses.get, NETWORK, f"{OF_ADDRESS}/read"),
    Route("PUT", ADDRESS, public_addresses.put, NETWORK, f"{OF_ADDRESS}/write", blocking=True),
    Route("PATCH", ADDRESS, public_addresses.patch, NETWORK, f"{OF_ADDRESS}/write"),
    Route("DELETE", ADDRESS, public_addresses.delete, NETWORK, f"{OF_ADDRESS}/delete", blocking=True),
    *(route for zones in (dns_zones.PUBLIC, dns_zones.PRIVATE) for route in _of_zones(zones)),
    Route("GET", ROLES, authorization.list_definitions, AUTHORIZATION, f"{AUTHORIZATION}/roleDefinitions/read"),
    Route(
        "GET",
        f"{ROLES}/{{definition}}",
        authorization.get_definition,
        AUTHORIZATION,
        f"{AUTHORIZATION}/roleDefinitions/read",
    ),
    Route(
        "PUT",
        f"{ROLES}/{{definition}}",
        authorization.put_definition,
        AUTHORIZATION,
        f"{AUTHORIZATION}/roleDefinitions/write",
    ),
    Route(
        "DELETE",
        f"{ROLES}/{{definition}}",
        authorization.delete_definition,
        AUTHORIZATION,
        f"{AUTHORIZATION}/roleDefinitions/delete",
    ),
    Route("GET", GRANTS, authorization.list_assignments, AUTHORIZATION, f"{AUTHORIZATION}/roleAssignments/read"),
    Route("GET", f"{GRANTS}/{{assignment}}", authorization.get, AUTHORIZATION, f"{AUTHORIZATION}/roleAssignments/read"),
    Route(
        "PUT", f"{GRANTS}/{{assignment}}", authorization.put, AUTHORIZATION, f"{AUTHORIZATION}/roleAssignments/write"
    ),
    Route(
        "DELETE",
        f"{GRANTS}/{{assignment}}",
        authorization.delete,
        AUTHORIZATION,
        f"{AUTHORIZATION}/roleAssignments/delete",
    ),
)


def match(routes: tuple[Route, ...], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    for route in routes:
        if route.method == method and (found := route.pattern.fullmatch(path)):
            return route, found.groupdict()
    return None


def allowed_methods(path: str) -> list[str]:
    """What a path answers to: several rows may share it."""
    return sorted(route.method for route in ARM_ROUTES if route.pattern.fullmatch(path))
