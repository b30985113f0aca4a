# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of managedClusters: what each defaults to and which may not change (api 2026, Kubernetes 1.34 and on)."""

from __future__ import annotations

import hashlib
import ipaddress
import uuid
from typing import Any

from . import oidc_issuers, versions
from .entra import NAMESPACE
from .fields import ABSENT, Context, Field, get
from .wire import AksError, Body

NETWORK = "properties.networkProfile"


def _digest(context: Context, what: str) -> str:
    """Random-looking and stable: the same cluster gets the same names again."""
    text = f"{context.subscription}/{context.group}/{context.name}/{what}".lower()
    return hashlib.sha256(text.encode()).hexdigest()


def _uuid(context: Context, what: str) -> str:
    return str(uuid.uuid5(NAMESPACE, _digest(context, what)))


def _tier(body: Body, _: Context) -> str:
    return "Standard" if get(body, "sku.name") == "Automatic" else "Free"  # recorded traffic


def _version_alias(_: Body, context: Context) -> str:
    return versions.minor(context.version)


def _node_resource_group(_: Body, context: Context) -> str:
    return f"MC_{context.group}_{context.name}_{context.location}"[:80]


def _host(body: Body, context: Context) -> str:
    prefix = get(body, "properties.dnsPrefix")
    if prefix is ABSENT:
        prefix = get(body, "properties.fqdnSubdomain")
    return f"{prefix}-{_digest(context, 'fqdn')[:8]}"


def _fqdn(body: Body, context: Context) -> str:
    return f"{_host(body, context)}.hcp.{context.location}.azmk8s.io"


def _portal_fqdn(body: Body, context: Context) -> str:
    return f"{_host(body, context)}.portal.hcp.{context.location}.azmk8s.io"


def _resource_uid(_: Body, context: Context) -> str:
    return _digest(context, "uid")[:24]


def _oidc_enabled(_: Body, context: Context) -> bool:
    return versions.key(context.version) >= (1, 34)  # on by default since this minor


def _issuer(body: Body, context: Context) -> Any:
    if get(body, "properties.oidcIssuerProfile.enabled") is not True:
        return ABSENT
    return oidc_issuers.url(context.cloud.config, context.location, _uuid(context, "issuer"))


def _plugin_mode(body: Body, _: Context) -> Any:
    """Overlay is the default of the default plug-in only; who asks for `azure` gets what `azure` alone means."""
    return "overlay" if get(body, f"{NETWORK}.networkPlugin") is ABSENT else ABSENT


def _dataplane(body: Body, _: Context) -> Any:
    if get(body, f"{NETWORK}.networkPlugin") != "azure":
        return ABSENT
    return "cilium" if get(body, f"{NETWORK}.networkPolicy") == "cilium" else "azure"


def _pod_cidr(body: Body, _: Context) -> Any:
    flat = get(body, f"{NETWORK}.networkPlugin") == "azure" and get(body, f"{NETWORK}.networkPluginMode") is ABSENT
    return ABSENT if flat or get(body, f"{NETWORK}.networkPlugin") == "none" else "10.244.0.0/16"


def _as_list(path: str) -> Any:
    def listed(body: Body, _: Context) -> Any:
        value = get(body, path)
        return ABSENT if value is ABSENT else [value]

    return listed


def _load_balancer(body: Body, context: Context) -> Any:
    if get(body, f"{NETWORK}.outboundType") != "loadBalancer":
        return ABSENT
    return {"managedOutboundIPs": {"count": 1}, "backendPoolType": "nodeIPConfiguration"}


def _client_id(body: Body, _: Context) -> Any:
    return ABSENT if get(body, "identity.type") in (ABSENT, "None") else {"clientId": "msi"}


def _principal(body: Body, context: Context) -> Any:
    return _uuid(context, "identity") if get(body, "identity.type") == "SystemAssigned" else ABSENT


def _identity_tenant(body: Body, context: Context) -> Any:
    return context.cloud.config.tenant_id if get(body, "identity.type") == "SystemAssigned" else ABSENT


def _autoscaler(body: Body, _: Context) -> Any:
    pools = get(body, "properties.agentPoolProfiles")
    if not isinstance(pools, list) or not any(pool.get("enableAutoScaling") for pool in pools):
        return ABSENT
    return dict(AUTOSCALER_DEFAULTS)


def _routing_identity(body: Body, context: Context) -> Any:
    """Application routing has one as well (recorded traffic, 2026-04)."""
    if get(body, "properties.ingressProfile.webAppRouting.enabled") is not True:
        return ABSENT
    return _made_identity(context, f"webapprouting-{context.name}", str(get(body, "properties.nodeResourceGroup")))


def _networks(ranges: Any) -> Any:
    """Authorised ranges are networks: an address is a /32, bits below the prefix are cut, nothing is there twice
    (known from users' reports; the recordings have no such cluster)."""
    found = []
    for item in ranges:
        try:
            found.append(str(ipaddress.ip_network(item, strict=False)))
        except ValueError:
            raise AksError(
                400,
                "InvalidParameter",
                f"The value of parameter authorizedIPRanges is invalid. Error details: {item} is not a valid CIDR.",
                target="apiServerAccessProfile.authorizedIPRanges",
            ) from None
    return list(dict.fromkeys(found))


def _zone_mode(zone: Any) -> Any:
    """`System` is answered as `system` (recorded traffic of azure-cli, 2020)."""
    return zone.lower() if zone.lower() in ("system", "none") else zone


# how add-ons are answered, whatever case they were sent in (recorded traffic: omsAgent and omsagent are one)
ADDONS = ("omsagent", "azurepolicy", "azureKeyvaultSecretsProvider", "httpApplicationRouting", "aciConnectorLinux")


def _addons(profiles: Any) -> Any:
    spelled = {name.lower(): name for name in ADDONS}
    return {spelled.get(name.lower(), name): profile for name, profile in profiles.items()}


def _to_overlay(body: Body, current: Body) -> bool:
    """A cluster that moves to overlay gets another pod range in the same PUT: accepted with 200 (recorded traffic,
    2023; learn.microsoft.com/azure/aks/upgrade-aks-ipam-and-dataplane)."""
    mode = f"{NETWORK}.networkPluginMode"
    return get(body, mode) == "overlay" and get(current, mode) is ABSENT


def _in_network(body: Body, _: Body) -> bool:
    """learn.microsoft.com/azure/aks/api-server-vnet-integration: private mode is switched on and off there."""
    return get(body, "properties.apiServerAccessProfile.enableVnetIntegration") is True


AUTOSCALER_DEFAULTS = {
    "balance-similar-node-groups": "false",
    "daemonset-eviction-for-empty-nodes": False,
    "daemonset-eviction-for-occupied-nodes": True,
    "expander": "random",
    "ignore-daemonsets-utilization": False,
    "max-empty-bulk-delete": "10",
    "max-graceful-termination-sec": "600",
    "max-node-provision-time": "15m",
    "max-total-unready-percentage": "45",
    "new-pod-scale-up-delay": "0s",
    "ok-total-unready-count": "3",
    "scale-down-delay-after-add": "10m",
    "scale-down-delay-after-delete": "10s",
    "scale-down-delay-after-failure": "3m",
    "scale-down-unneeded-time": "10m",
    "scale-down-unready-time": "20m",
    "scale-down-utilization-threshold": "0.5",
    "scan-interval": "10s",
    "skip-nodes-with-local-storage": "false",
    "skip-nodes-with-system-pods": "true",
}

# Order matters: a default may look at the fields above it.
CLUSTER: tuple[Field, ...] = (
    Field("id", read_only=True),
    Field("name", read_only=True),
    Field("type", read_only=True),
    Field("systemData", read_only=True),
    Field("eTag", read_only=True),
    Field("location", immutable=True),
    Field("kind", "Base", keep=True),
    Field("sku.name", "Base", immutable=True),
    Field("sku.tier", _tier, keep=True),
    Field("identity", keep=True),
    Field("identity.principalId", _principal, read_only=True),
    Field("identity.tenantId", _identity_tenant, read_only=True),
    Field("properties.provisioningState", read_only=True),
    Field("properties.powerState", {"code": "Running"}, read_only=True),
    Field("properties.maxAgentPools", 100, read_only=True),
    Field("properties.kubernetesVersion", _version_alias, keep=True),
    Field("properties.currentKubernetesVersion", read_only=True),
    Field("properties.dnsPrefix", immutable=True),
    Field("properties.fqdnSubdomain", immutable=True),
    Field("properties.fqdn", _fqdn, read_only=True),
    Field("properties.azurePortalFQDN", _portal_fqdn, read_only=True),
    Field("properties.privateFQDN", read_only=True),
    Field("properties.nodeResourceGroup", _node_resource_group, immutable=True),
    Field("properties.resourceUID", _resource_uid, read_only=True),
    Field("properties.enableRBAC", True, immutable=True),
    Field("properties.supportPlan", "KubernetesOfficial", keep=True),
    Field("properties.disableLocalAccounts", keep=True),  # answered only where it was sent (recorded traffic, 2026)
    Field("properties.diskEncryptionSetID", immutable=True),
    Field("properties.linuxProfile", keep=True),
    Field("properties.linuxProfile.adminUsername", immutable=True),
    Field("properties.windowsProfile", keep=True),
    Field("properties.windowsProfile.adminUsername", immutable=True),
    Field("properties.windowsProfile.adminPassword", secret=True),
    Field("properties.servicePrincipalProfile", _client_id, keep=True),
    Field("properties.servicePrincipalProfile.clientId", immutable=True),
    Field("properties.servicePrincipalProfile.secret", secret=True),
    Field("properties.aadProfile", keep=True),
    Field("properties.aadProfile.serverAppSecret", secret=True),
    Field("properties.apiServerAccessProfile", keep=True),
    Field("properties.apiServerAccessProfile.authorizedIPRanges", normal=_networks),
    Field("properties.apiServerAccessProfile.privateDNSZone", normal=_zone_mode),
    Field(
        "properties.apiServerAccessProfile.enablePrivateCluster",
        immutable=True,
        may_become=((ABSENT, False),),
        unless=_in_network,
    ),
    Field("properties.addonProfiles", normal=_addons),
    Field(f"{NETWORK}.networkPluginMode", _plugin_mode, immutable=True, may_become=((ABSENT, "overlay"),)),
    Field(f"{NETWORK}.networkPlugin", "azure", immutable=True, may_become=(("kubenet", "azure"),)),
    Field(f"{NETWORK}.networkPolicy", "none", keep=True),
    Field(f"{NETWORK}.networkDataplane", _dataplane, keep=True),
    Field(f"{NETWORK}.podCidr", _pod_cidr, immutable=True, unless=_to_overlay),
    Field(f"{NETWORK}.serviceCidr", "10.0.0.0/16", immutable=True),
    Field(f"{NETWORK}.dnsServiceIP", "10.0.0.10", immutable=True),
    # learn.microsoft.com/azure/aks/upgrade-basic-load-balancer-on-aks
    Field(f"{NETWORK}.loadBalancerSku", "standard", immutable=True, may_become=(("basic", "standard"),)),
    Field(f"{NETWORK}.outboundType", "loadBalancer", keep=True),
    Field(f"{NETWORK}.podCidrs", _as_list(f"{NETWORK}.podCidr"), immutable=True, unless=_to_overlay),
    Field(f"{NETWORK}.serviceCidrs", _as_list(f"{NETWORK}.serviceCidr"), immutable=True),
    Field(f"{NETWORK}.ipFamilies", ["IPv4"], immutable=True),
    Field(f"{NETWORK}.loadBalancerProfile", _load_balancer, keep=True),
    Field(f"{NETWORK}.loadBalancerProfile.effectiveOutboundIPs", read_only=True),
    Field("properties.autoUpgradeProfile.nodeOSUpgradeChannel", "NodeImage", keep=True),
    Field("properties.securityProfile", {}, keep=True),
    Field("properties.oidcIssuerProfile.enabled", _oidc_enabled, keep=True),
    Field("properties.oidcIssuerProfile.issuerURL", _issuer, read_only=True),
    Field("properties.workloadAutoScalerProfile", {}),
    Field("properties.storageProfile.diskCSIDriver.enabled", True),
    Field("properties.storageProfile.fileCSIDriver.enabled", True),
    Field("properties.storageProfile.snapshotController.enabled", True),
    Field("properties.metricsProfile.costAnalysis.enabled", False),
    Field("properties.nodeProvisioningProfile.mode", "Manual", keep=True),
    Field("properties.nodeProvisioningProfile.defaultNodePools", "Auto", keep=True),
    Field("properties.bootstrapProfile.artifactSource", "Direct", keep=True),
    Field("properties.serviceMeshProfile.mode", "Disabled", keep=True),
    # answered by api 2026-05 and later
    Field("properties.hostedSystemProfile.enabled", False, keep=True),
    Field("properties.autoScalerProfile", _autoscaler),
    Field("properties.identityProfile", read_only=True),
    Field("properties.ingressProfile.webAppRouting.identity", _routing_identity, read_only=True),
)


def with_addon_identities(body: Body, context: Context, node_group: str) -> Body:
    """An add-on that is on has an identity, which the service makes and answers beside `config`; that is null where
    nothing was configured (recorded traffic, 2026)."""
    profiles = body["properties"].get("addonProfiles")
    for name, profile in (profiles or {}).items():
        profile.pop("identity", None)
        if profile.get("enabled"):
            profile.setdefault("config", None)
            profile["identity"] = _made_identity(context, f"{name.lower()}-{context.name}", node_group)
    return body


def _made_identity(context: Context, name: str, node_group: str) -> Body:
    return {
        "resourceId": f"/subscriptions/{context.subscription}/resourcegroups/{node_group}/providers/"
        f"Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
        "clientId": _uuid(context, f"client {name}"),
        "objectId": _uuid(context, f"object {name}"),
    }


def kubelet_identity(context: Context, node_group: str) -> Body:
    """The user-assigned identity AKS makes for the nodes; the key's and the id's spelling are AKS' own."""
    name = f"{context.name}-agentpool"
    return {
        "kubeletidentity": {
            "resourceId": f"/subscriptions/{context.subscription}/resourcegroups/{node_group}/providers/"
            f"Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
            "clientId": _uuid(context, "kubelet client"),
            "objectId": _uuid(context, "kubelet object"),
        }
    }


def outbound_address(context: Context, node_group: str) -> list[Body]:
    return [
        {
            "id": f"/subscriptions/{context.subscription}/resourceGroups/{node_group}/providers/"
            f"Microsoft.Network/publicIPAddresses/{_uuid(context, 'outbound')}"
        }
    ]


def assigned_identities(context: Context, identities: Body) -> Body:
    """A PUT names user-assigned identities with {}; the answer has their ids."""
    return {
        name: {"clientId": _uuid(context, f"client {name}"), "principalId": _uuid(context, f"object {name}")}
        for name in identities
    }
