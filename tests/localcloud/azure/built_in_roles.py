# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in role definitions: GUID, name and what each may do.

Source: the generated reference "Azure built-in roles" (https://learn.microsoft.com/azure/role-based-access-control/
built-in-roles, categories Privileged, General, Containers, Identity, Networking, Security, Storage, Monitor). Actions
on providers that this cloud does not play (alert rules, support tickets, deployments) are left out. Of Contributor's
exceptions those of Authorization and Blueprint are here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuiltIn:
    """What a role may do: `data_actions` on what a resource holds, the others on resources."""

    guid: str
    name: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


_AKS = "Microsoft.ContainerService/managedClusters"
_ACR = "Microsoft.ContainerRegistry/registries"
_REPOSITORY = f"{_ACR}/repositories"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_VAULT = "Microsoft.KeyVault/vaults"
_BLOB = "Microsoft.Storage/storageAccounts/blobServices"
_READ_ROLES = "Microsoft.Authorization/*/read"
_READ_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/read"
# what the roles for the Kubernetes API carry on resources
_KUBERNETES = (
    _READ_ROLES,
    "Microsoft.Resources/subscriptions/operationresults/read",
    "Microsoft.Resources/subscriptions/read",
    _READ_GROUPS,
    f"{_AKS}/listClusterUserCredential/action",
)
_READ_ONLY_KINDS = (
    "apps/controllerrevisions",
    "events",
    "events.k8s.io/events",
    "limitranges",
    "metrics.k8s.io/pods",
    "metrics.k8s.io/nodes",
    "namespaces",
    "resourcequotas",
)
_WORKLOAD_KINDS = (
    "apps/daemonsets",
    "apps/deployments",
    "apps/replicasets",
    "apps/statefulsets",
    "autoscaling/horizontalpodautoscalers",
    "batch/cronjobs",
    "batch/jobs",
    "configmaps",
    "discovery.k8s.io/endpointslices",
    "endpoints",
    "extensions/daemonsets",
    "extensions/deployments",
    "extensions/ingresses",
    "extensions/networkpolicies",
    "extensions/replicasets",
    "networking.k8s.io/ingresses",
    "networking.k8s.io/networkpolicies",
    "persistentvolumeclaims",
    "pods",
    "policy/poddisruptionbudgets",
    "replicationcontrollers",
    "serviceaccounts",
    "services",
)

ALL = (
    BuiltIn("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", ("*",)),
    BuiltIn(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        ("*",),
        (
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
        ),
    ),
    BuiltIn("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ("*/read",)),
    BuiltIn(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        ("*/read", "Microsoft.Authorization/*"),
    ),
    BuiltIn(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        ("Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "*/read"),
    ),
    # --- containers
    BuiltIn("7f951dda-4ed3-4680-a7ca-43fe172d538d", "AcrPull", (f"{_ACR}/pull/read",)),
    BuiltIn("8311e382-0749-4cb8-b61a-304f252e45ec", "AcrPush", (f"{_ACR}/pull/read", f"{_ACR}/push/write")),
    BuiltIn("c2f4ef07-c644-48eb-af81-4b1b4947fb11", "AcrDelete", (f"{_ACR}/artifacts/delete",)),
    BuiltIn(
        "b93aa761-3e63-49ed-ac28-beffa264f7ac",
        "Container Registry Repository Reader",
        data_actions=(f"{_REPOSITORY}/metadata/read", f"{_REPOSITORY}/content/read"),
    ),
    BuiltIn(
        "2a1e307c-b015-4ebd-883e-5b7698a07328",
        "Container Registry Repository Writer",
        data_actions=tuple(
            f"{_REPOSITORY}/{part}/{verb}" for verb in ("read", "write") for part in ("metadata", "content")
        ),
    ),
    BuiltIn(
        "2efddaa5-3f1f-4df3-97df-af3f13818f4c",
        "Container Registry Repository Contributor",
        data_actions=tuple(
            f"{_REPOSITORY}/{part}/{verb}" for verb in ("read", "write", "delete") for part in ("metadata", "content")
        ),
    ),
    BuiltIn(
        "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7",
        "Container Registry Repository Catalog Lister",
        data_actions=(f"{_ACR}/catalog/read",),
    ),
    BuiltIn(
        "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
        "Azure Kubernetes Service Cluster Admin Role",
        (
            f"{_AKS}/listClusterAdminCredential/action",
            f"{_AKS}/accessProfiles/listCredential/action",
            f"{_AKS}/read",
            f"{_AKS}/runcommand/action",
        ),
    ),
    BuiltIn(
        "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
        "Azure Kubernetes Service Cluster User Role",
        (f"{_AKS}/listClusterUserCredential/action", f"{_AKS}/read"),
    ),
    BuiltIn(
        "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8",
        "Azure Kubernetes Service Contributor Role",
        (
            "Microsoft.ContainerService/locations/*",
            f"{_AKS}/*",
            "Microsoft.ContainerService/managedclustersnapshots/*",
            "Microsoft.ContainerService/snapshots/*",
            _READ_ROLES,
            _READ_GROUPS,
        ),
    ),
    BuiltIn(
        "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
        "Azure Kubernetes Service RBAC Cluster Admin",
        _KUBERNETES,
        data_actions=(f"{_AKS}/*",),
    ),
    BuiltIn(
        "3498e952-d568-435e-9b2c-8d77e338d7f7",
        "Azure Kubernetes Service RBAC Admin",
        _KUBERNETES,
        data_actions=(f"{_AKS}/*",),
        not_data_actions=tuple(
            f"{_AKS}/{kind}/{verb}" for kind in ("resourcequotas", "namespaces") for verb in ("write", "delete")
        ),
    ),
    BuiltIn(
        "a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb",
        "Azure Kubernetes Service RBAC Writer",
        _KUBERNETES,
        data_actions=(
            *(f"{_AKS}/{kind}/read" for kind in _READ_ONLY_KINDS),
            *(f"{_AKS}/{kind}/*" for kind in _WORKLOAD_KINDS),
            f"{_AKS}/secrets/*",
        ),
    ),
    BuiltIn(
        "7f6c6a51-bcf8-42ba-9220-52d62157d7db",
        "Azure Kubernetes Service RBAC Reader",
        _KUBERNETES,
        data_actions=tuple(f"{_AKS}/{kind}/read" for kind in (*_READ_ONLY_KINDS, *_WORKLOAD_KINDS)),
    ),
    # --- identity and network
    BuiltIn(
        "f1a07417-d97a-45cb-824c-7a7467783830",
        "Managed Identity Operator",
        (f"{_IDENTITY}/*/read", f"{_IDENTITY}/*/assign/action", _READ_ROLES, _READ_GROUPS),
    ),
    BuiltIn(
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        "Managed Identity Contributor",
        (
            f"{_IDENTITY}/read",
            f"{_IDENTITY}/write",
            f"{_IDENTITY}/delete",
            *(f"{_IDENTITY}/federatedIdentityCredentials/{verb}" for verb in ("read", "write", "delete")),
            _READ_ROLES,
            _READ_GROUPS,
        ),
    ),
    BuiltIn(
        "4d97b98b-1d4f-4787-a291-c67834d212e7",
        "Network Contributor",
        (_READ_ROLES, "Microsoft.Network/*", _READ_GROUPS),
    ),
    # --- vaults, storage, logs
    BuiltIn(
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "Key Vault Administrator",
        (_READ_ROLES, f"{_VAULT}/*/read"),
        (),
        (f"{_VAULT}/*",),
    ),
    BuiltIn(
        "f25e0fa2-a7c8-4377-a976-54943a77a395",
        "Key Vault Contributor",
        (_READ_ROLES, "Microsoft.KeyVault/*", _READ_GROUPS),
        ("Microsoft.KeyVault/locations/deletedVaults/purge/action",),
    ),
    BuiltIn(
        "21090545-7ca7-4776-b22c-e363652d74d2",
        "Key Vault Reader",
        (_READ_ROLES, f"{_VAULT}/*/read", "Microsoft.KeyVault/deletedVaults/read"),
        data_actions=(f"{_VAULT}/*/read", f"{_VAULT}/secrets/readMetadata/action"),
    ),
    BuiltIn(
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "Key Vault Secrets Officer",
        (_READ_ROLES, f"{_VAULT}/*/read"),
        data_actions=(f"{_VAULT}/secrets/*",),
    ),
    BuiltIn(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        data_actions=(f"{_VAULT}/secrets/getSecret/action", f"{_VAULT}/secrets/readMetadata/action"),
    ),
    BuiltIn(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        (
            *(f"{_BLOB}/containers/{verb}" for verb in ("delete", "read", "write")),
            f"{_BLOB}/generateUserDelegationKey/action",
        ),
        data_actions=(
            *(f"{_BLOB}/containers/blobs/{verb}" for verb in ("delete", "read", "write")),
            f"{_BLOB}/containers/blobs/move/action",
            f"{_BLOB}/containers/blobs/add/action",
        ),
    ),
    BuiltIn(
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "Storage Blob Data Owner",
        (f"{_BLOB}/containers/*", f"{_BLOB}/generateUserDelegationKey/action"),
        data_actions=(f"{_BLOB}/containers/blobs/*",),
    ),
    BuiltIn(
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        "Storage Account Contributor",
        (_READ_ROLES, "Microsoft.Storage/storageAccounts/*", _READ_GROUPS),
    ),
    BuiltIn(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "Storage Blob Data Reader",
        (f"{_BLOB}/containers/read", f"{_BLOB}/generateUserDelegationKey/action"),
        data_actions=(f"{_BLOB}/containers/blobs/read",),
    ),
    BuiltIn(
        "92aaf0da-9dab-42b6-94a3-d43ce8d16293",
        "Log Analytics Contributor",
        ("*/read", "Microsoft.OperationalInsights/*", "Microsoft.OperationsManagement/*"),
    ),
    BuiltIn(
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "Monitoring Metrics Publisher",
        data_actions=("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
    ),
)
BY_GUID = {role.guid: role for role in ALL}
