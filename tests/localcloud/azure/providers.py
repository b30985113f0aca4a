# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource providers: what they offer, and their registration in a subscription."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .locations import REGIONS
from .wire import ArmError, Body, Call, Reply, page

if TYPE_CHECKING:
    from .cloud import Cloud

# namespace → (resource types, api-versions newest first). Clients mix versions within one run, so any version
# from the oldest to NEWEST is accepted; the list is what a refusal names.
NEWEST = "2026-12-31"
NAMESPACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Microsoft.Resources": (
        ("subscriptions", "resourceGroups", "resources", "tenants", "providers", "operationResults"),
        ("2026-06-01", "2025-04-01", "2024-11-01", "2022-12-01", "2021-04-01", "2016-02-01", "2015-01-01"),
    ),
    "Microsoft.Authorization": (
        ("roleAssignments", "roleDefinitions"),
        ("2026-01-01", "2022-05-01-preview", "2022-04-01", "2018-07-01", "2015-07-01"),
    ),
    "Microsoft.Compute": (
        ("skus", "locations/usages", "virtualMachines", "virtualMachineScaleSets"),
        ("2026-04-01", "2024-11-01", "2021-07-01", "2019-04-01", "2017-09-01", "2016-03-30"),
    ),
    "Microsoft.ContainerService": (
        (
            "managedClusters",
            "managedClusters/agentPools",
            "locations/operations",
            "locations/operationresults",
            "locations/kubernetesVersions",
        ),
        (
            "2026-08-01",
            "2026-06-01",
            "2026-02-01",
            "2025-10-01",
            "2025-03-01",
            "2024-08-01",
            "2020-01-01",
            "2016-03-30",
        ),
    ),
    "Microsoft.ContainerRegistry": (
        ("registries", "registries/importImage", "checkNameAvailability"),
        ("2025-11-01", "2019-05-01"),
    ),
    "Microsoft.ManagedIdentity": (
        ("userAssignedIdentities", "userAssignedIdentities/federatedIdentityCredentials"),
        ("2024-11-30", "2018-11-30"),
    ),
    "Microsoft.Features": (("features", "providers", "subscriptionFeatureRegistrations"), ("2021-07-01", "2015-12-01")),
    "Microsoft.Network": (
        ("virtualNetworks", "publicIPAddresses", "dnsZones", "dnsZones/A", "privateDnsZones", "privateDnsZones/A"),
        ("2026-03-01", "2024-06-01", "2018-05-01", "2018-01-01"),
    ),
    "Microsoft.Storage": (
        ("storageAccounts", "storageAccounts/blobServices", "checkNameAvailability"),
        ("2026-09-01", "2025-01-01", "2018-02-01"),
    ),
    "Microsoft.DBforPostgreSQL": (
        (
            "flexibleServers",
            "flexibleServers/databases",
            "flexibleServers/firewallRules",
            "flexibleServers/configurations",
            "checkNameAvailability",
        ),
        ("2026-01-01", "2025-08-01", "2024-08-01", "2022-12-01"),
    ),
    "Microsoft.KeyVault": (
        ("vaults", "vaults/secrets", "deletedVaults", "locations/deletedVaults", "checkNameAvailability"),
        ("2026-05-15", "2026-02-01", "2024-11-01", "2018-02-14"),
    ),
    "Microsoft.KubernetesConfiguration": (
        ("extensions", "fluxConfigurations"),
        ("2025-03-01", "2021-03-01"),
    ),
    "Microsoft.OperationalInsights": (("workspaces",), ("2025-07-01", "2020-08-01")),
    "Microsoft.Monitor": (("accounts",), ("2025-10-03", "2023-04-03")),
    "Microsoft.App": (("agents", "managedEnvironments"), ("2025-07-01", "2022-03-01")),
}
# https://learn.microsoft.com/azure/azure-resource-manager/management/azure-services-resource-providers
REGISTRATION_FREE = ("Microsoft.Features", "Microsoft.Resources")
CANONICAL = {namespace.lower(): namespace for namespace in NAMESPACES}


def state(cloud: Cloud, subscription: str, namespace: str) -> str:
    """NotRegistered, Registering or Registered; registering takes a while, as it does in Azure."""
    if any(fault.options["namespace"].lower() == namespace.lower() for fault in cloud.faults.active("unregistered")):
        return "NotRegistered"
    rows = cloud.store.rows(
        "SELECT since FROM registrations WHERE subscription = ? AND namespace = ?",
        subscription.lower(),
        namespace.lower(),
    )
    if not rows:
        initially = {name.lower() for name in cloud.config.registered_providers}
        return "Registered" if namespace.lower() in initially else "NotRegistered"
    since = rows[0][0]
    if since is None:
        return "NotRegistered"
    return "Registered" if time.time() - since >= cloud.config.registration_seconds else "Registering"


def require_registered(cloud: Cloud, subscription: str, namespace: str) -> None:
    if state(cloud, subscription, namespace) == "NotRegistered":
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{namespace}'. "
            "See https://aka.ms/rps-not-found for how to register subscriptions.",
        )


def get_provider(call: Call) -> Reply:
    return Reply(200, _answer(call, _namespace(call)))


def list_providers(call: Call) -> Reply:
    return page(call, [_answer(call, namespace) for namespace in NAMESPACES], call.cloud.config.page_size)


def register(call: Call) -> Reply:
    namespace = _namespace(call)
    if state(call.cloud, call["sub"], namespace) == "NotRegistered":
        for fault in call.cloud.faults.active("unregistered"):
            if fault.options["namespace"].lower() == namespace.lower():
                call.cloud.faults.remove(fault.id)
        _set(call, namespace, time.time())
    return Reply(200, _answer(call, namespace))


def unregister(call: Call) -> Reply:
    namespace = _namespace(call)
    _set(call, namespace, None)
    return Reply(200, _answer(call, namespace))


def _set(call: Call, namespace: str, since: float | None) -> None:
    call.cloud.store.change(
        "INSERT INTO registrations VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET since = excluded.since",
        call["sub"].lower(),
        namespace.lower(),
        since,
    )


def _namespace(call: Call) -> str:
    namespace = CANONICAL.get(call["namespace"].lower())
    if namespace is None:
        raise ArmError(
            404,
            "InvalidResourceNamespace",
            f"The resource namespace '{call['namespace']}' is invalid.",
        )
    return namespace


def _answer(call: Call, namespace: str) -> Body:
    types, versions = NAMESPACES[namespace]
    displays = [region.display for region in REGIONS]
    registered = state(call.cloud, call["sub"], namespace)
    return {
        "id": f"/subscriptions/{call['sub']}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": registered,
        "registrationPolicy": "RegistrationFree" if namespace in REGISTRATION_FREE else "RegistrationRequired",
        "resourceTypes": [
            {
                "resourceType": kind,
                "locations": displays,
                "apiVersions": list(versions),
                "defaultApiVersion": versions[0],
                "capabilities": "SupportsTags, SupportsLocation",
            }
            for kind in types
        ],
    }
