# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of the fields of ARM types.

What the AKS models contain, and what a GET returns that must not be sent back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

API_VERSION = "2026-08-01"
"""The version that the models speak."""

MODELS: dict[str, str] = {
    "AdvancedNetworking": (
        "enabled:b observability:AdvancedNetworkingObservability performance:AdvancedNetworkingPerformance "
        "security:AdvancedNetworkingSecurity"
    ),
    "AdvancedNetworkingObservability": "enabled:b",
    "AdvancedNetworkingPerformance": "accelerationMode:e",
    "AdvancedNetworkingSecurity": (
        "advancedNetworkPolicies:e enabled:b transitEncryption:AdvancedNetworkingSecurityTransitEncryption"
    ),
    "AdvancedNetworkingSecurityTransitEncryption": "type:e",
    "AgentPool": "id:- name:- properties:AgentPoolManagedClusterAgentPoolProfileProperties systemData:- type:-",
    "AgentPoolArtifactStreamingProfile": "enabled:b",
    "AgentPoolGatewayProfile": "publicIPPrefixSize:i",
    "AgentPoolManagedClusterAgentPoolProfileProperties": (
        "artifactStreamingProfile:AgentPoolArtifactStreamingProfile availabilityZones:[s capacityReservationGroupID:s "
        "count:i creationData:CreationData currentOrchestratorVersion:- eTag:- enableAutoScaling:b "
        "enableEncryptionAtHost:b enableFIPS:b enableNodePublicIP:b enableUltraSSD:b "
        "gatewayProfile:AgentPoolGatewayProfile gpuInstanceProfile:e gpuProfile:GPUProfile hostGroupID:s "
        "kubeletConfig:KubeletConfig kubeletDiskType:e linuxOSConfig:LinuxOSConfig localDNSProfile:LocalDNSProfile "
        "maxCount:i maxPods:i messageOfTheDay:s minCount:i mode:e networkProfile:AgentPoolNetworkProfile "
        "nodeImageVersion:s nodeLabels:{s nodePublicIPPrefixID:s nodeTaints:[s orchestratorVersion:s osDiskSizeGB:i "
        "osDiskType:e osSKU:e osType:e podIPAllocationMode:e podSubnetID:s powerState:PowerState provisioningState:- "
        "proximityPlacementGroupID:s scaleDownMode:e scaleSetEvictionPolicy:e scaleSetPriority:e "
        "securityProfile:AgentPoolSecurityProfile spotMaxPrice:n status:AgentPoolStatus tags:{s type:e "
        "upgradeSettings:AgentPoolUpgradeSettings virtualMachineNodesStatus:[VirtualMachineNodes "
        "virtualMachinesProfile:VirtualMachinesProfile vmSize:s vnetSubnetID:s windowsProfile:AgentPoolWindowsProfile "
        "workloadRuntime:e"
    ),
    "AgentPoolNetworkProfile": (
        "allowedHostPorts:[PortRange applicationSecurityGroups:[s dranet:DRANETProfile nodePublicIPTags:[IPTag"
    ),
    "AgentPoolSecurityProfile": "enableSecureBoot:b enableVTPM:b sshAccess:e",
    "AgentPoolStatus": "provisioningError:-",
    "AgentPoolUpgradeSettings": (
        "drainTimeoutInMinutes:i maxSurge:s maxUnavailable:s nodeSoakDurationInMinutes:i undrainableNodeBehavior:e"
    ),
    "AgentPoolWindowsProfile": "disableOutboundNat:b",
    "AutoScaleProfile": "maxCount:i minCount:i size:s",
    "AzureKeyVaultKms": "enabled:b keyId:s keyVaultNetworkAccess:e keyVaultResourceId:s",
    "ClusterUpgradeSettings": "overrideSettings:UpgradeOverrideSettings",
    "ContainerServiceLinuxProfile": "adminUsername:s ssh:ContainerServiceSshConfiguration",
    "ContainerServiceNetworkProfile": (
        "advancedNetworking:AdvancedNetworking dnsServiceIP:s ipFamilies:[e "
        "loadBalancerProfile:ManagedClusterLoadBalancerProfile loadBalancerSku:e "
        "natGatewayProfile:ManagedClusterNATGatewayProfile networkDataplane:e networkMode:e networkPlugin:e "
        "networkPluginMode:e networkPolicy:e outboundType:e podCidr:s podCidrs:[s serviceCidr:s serviceCidrs:[s "
        "staticEgressGatewayProfile:ManagedClusterStaticEgressGatewayProfile"
    ),
    "ContainerServiceSshConfiguration": "publicKeys:[ContainerServiceSshPublicKey",
    "ContainerServiceSshPublicKey": "keyData:s",
    "CreationData": "sourceResourceId:s",
    "DRANETProfile": "mode:e",
    "DelegatedResource": "location:s referralResource:s resourceId:s tenantId:s",
    "ExtendedLocation": "name:s type:e",
    "GPUProfile": "driver:e nvidia:NvidiaGPUProfile",
    "IPTag": "ipTagType:s tag:s",
    "IstioCertificateAuthority": "plugin:IstioPluginCertificateAuthority",
    "IstioComponents": (
        "egressGateways:[IstioEgressGateway ingressGateways:[IstioIngressGateway proxyRedirectionMechanism:e"
    ),
    "IstioEgressGateway": "enabled:b gatewayConfigurationName:s name:s namespace:s",
    "IstioIngressGateway": "enabled:b mode:e",
    "IstioPluginCertificateAuthority": (
        "certChainObjectName:s certObjectName:s keyObjectName:s keyVaultId:s rootCertObjectName:s"
    ),
    "IstioServiceMesh": "certificateAuthority:IstioCertificateAuthority components:IstioComponents revisions:[s",
    "KubeletConfig": (
        "allowedUnsafeSysctls:[s containerLogMaxFiles:i containerLogMaxSizeMB:i cpuCfsQuota:b cpuCfsQuotaPeriod:s "
        "cpuManagerPolicy:s failSwapOn:b imageGcHighThreshold:i imageGcLowThreshold:i podMaxPids:i "
        "topologyManagerPolicy:s"
    ),
    "KubernetesResourceObjectEncryptionProfile": "infrastructureEncryption:e",
    "LinuxOSConfig": "swapFileSizeMB:i sysctls:SysctlConfig transparentHugePageDefrag:s transparentHugePageEnabled:s",
    "LocalDNSOverride": (
        "cacheDurationInSeconds:i forwardDestination:e forwardPolicy:e maxConcurrent:i protocol:e queryLogging:e "
        "serveStale:e serveStaleDurationInSeconds:i"
    ),
    "LocalDNSProfile": "kubeDNSOverrides:{LocalDNSOverride mode:e state:- vnetDNSOverrides:{LocalDNSOverride",
    "ManagedCluster": (
        "eTag:- extendedLocation:ExtendedLocation id:- identity:ManagedClusterIdentity kind:s location:s name:- "
        "properties:ManagedClusterProperties sku:ManagedClusterSKU systemData:- tags:{s type:-"
    ),
    "ManagedClusterAADProfile": (
        "adminGroupObjectIDs:[s clientAppID:s enableAzureRBAC:b managed:b serverAppID:s serverAppSecret:s tenantID:s"
    ),
    "ManagedClusterAIToolchainOperatorProfile": "enabled:b",
    "ManagedClusterAPIServerAccessProfile": (
        "authorizedIPRanges:[s disableRunCommand:b enablePrivateCluster:b enablePrivateClusterPublicFQDN:b "
        "enableVnetIntegration:b privateDNSZone:s subnetId:s"
    ),
    "ManagedClusterAddonProfile": "config:{s enabled:b identity:-",
    "ManagedClusterAgentPoolProfile": (
        "artifactStreamingProfile:AgentPoolArtifactStreamingProfile availabilityZones:[s capacityReservationGroupID:s "
        "count:i creationData:CreationData currentOrchestratorVersion:- eTag:- enableAutoScaling:b "
        "enableEncryptionAtHost:b enableFIPS:b enableNodePublicIP:b enableUltraSSD:b "
        "gatewayProfile:AgentPoolGatewayProfile gpuInstanceProfile:e gpuProfile:GPUProfile hostGroupID:s "
        "kubeletConfig:KubeletConfig kubeletDiskType:e linuxOSConfig:LinuxOSConfig localDNSProfile:LocalDNSProfile "
        "maxCount:i maxPods:i messageOfTheDay:s minCount:i mode:e name:s networkProfile:AgentPoolNetworkProfile "
        "nodeImageVersion:s nodeLabels:{s nodePublicIPPrefixID:s nodeTaints:[s orchestratorVersion:s osDiskSizeGB:i "
        "osDiskType:e osSKU:e osType:e podIPAllocationMode:e podSubnetID:s powerState:PowerState provisioningState:- "
        "proximityPlacementGroupID:s scaleDownMode:e scaleSetEvictionPolicy:e scaleSetPriority:e "
        "securityProfile:AgentPoolSecurityProfile spotMaxPrice:n status:AgentPoolStatus tags:{s type:e "
        "upgradeSettings:AgentPoolUpgradeSettings virtualMachineNodesStatus:[VirtualMachineNodes "
        "virtualMachinesProfile:VirtualMachinesProfile vmSize:s vnetSubnetID:s windowsProfile:AgentPoolWindowsProfile "
        "workloadRuntime:e"
    ),
    "ManagedClusterAppRoutingIstio": "mode:e",
    "ManagedClusterAutoUpgradeProfile": "nodeOSUpgradeChannel:e upgradeChannel:e",
    "ManagedClusterAzureMonitorProfile": (
        "appMonitoring:ManagedClusterAzureMonitorProfileAppMonitoring "
        "containerInsights:ManagedClusterAzureMonitorProfileContainerInsights "
        "metrics:ManagedClusterAzureMonitorProfileMetrics"
    ),
    "ManagedClusterAzureMonitorProfileAppMonitoring": (
        "autoInstrumentation:ManagedClusterAzureMonitorProfileAppMonitoringAutoInstrumentation "
        "openTelemetryLogsAndTraces:ManagedClusterAzureMonitorProfileAppMonitoringOpenTelemetryLogsAndTraces "
        "openTelemetryMetrics:ManagedClusterAzureMonitorProfileAppMonitoringOpenTelemetryMetrics"
    ),
    "ManagedClusterAzureMonitorProfileAppMonitoringAutoInstrumentation": "enabled:b",
    "ManagedClusterAzureMonitorProfileAppMonitoringOpenTelemetryLogsAndTraces": "enabled:b grpcPort:i httpPort:i",
    "ManagedClusterAzureMonitorProfileAppMonitoringOpenTelemetryMetrics": "enabled:b grpcPort:i httpPort:i",
    "ManagedClusterAzureMonitorProfileContainerInsights": (
        "containerNetworkLogs:e disablePrometheusMetricsScraping:b enabled:b logAnalyticsWorkspaceResourceId:s "
        "syslogPort:i"
    ),
    "ManagedClusterAzureMonitorProfileKubeStateMetrics": "metricAnnotationsAllowList:s metricLabelsAllowlist:s",
    "ManagedClusterAzureMonitorProfileMetrics": (
        "controlPlane:ManagedClusterAzureMonitorProfileMetricsControlPlane enabled:b "
        "kubeStateMetrics:ManagedClusterAzureMonitorProfileKubeStateMetrics"
    ),
    "ManagedClusterAzureMonitorProfileMetricsControlPlane": "enabled:b",
    "ManagedClusterBootstrapProfile": "artifactSource:e containerRegistryId:s",
    "ManagedClusterCostAnalysis": "enabled:b",
    "ManagedClusterHTTPProxyConfig": "enabled:b httpProxy:s httpsProxy:s noProxy:[s trustedCa:s",
    "ManagedClusterHostedSystemProfile": "enabled:b nodeSubnetID:s systemNodeSubnetID:s",
    "ManagedClusterIdentity": (
        "delegatedResources:{DelegatedResource principalId:- tenantId:- type:e "
        "userAssignedIdentities:{ManagedServiceIdentityUserAssignedIdentitiesValue"
    ),
    "ManagedClusterIngressProfile": (
        "gatewayAPI:ManagedClusterIngressProfileGatewayConfiguration "
        "webAppRouting:ManagedClusterIngressProfileWebAppRouting"
    ),
    "ManagedClusterIngressProfileGatewayConfiguration": "installation:e",
    "ManagedClusterIngressProfileNginx": "defaultIngressControllerType:e",
    "ManagedClusterIngressProfileWebAppRouting": (
        "dnsZoneResourceIds:[s enabled:b "
        "gatewayAPIImplementations:ManagedClusterWebAppRoutingGatewayAPIImplementations identity:- "
        "nginx:ManagedClusterIngressProfileNginx"
    ),
    "ManagedClusterLoadBalancerProfile": (
        "allocatedOutboundPorts:i backendPoolType:e effectiveOutboundIPs:- enableMultipleStandardLoadBalancers:b "
        "idleTimeoutInMinutes:i managedOutboundIPs:ManagedClusterLoadBalancerProfileManagedOutboundIPs "
        "outboundIPPrefixes:ManagedClusterLoadBalancerProfileOutboundIPPrefixes "
        "outboundIPs:ManagedClusterLoadBalancerProfileOutboundIPs"
    ),
    "ManagedClusterLoadBalancerProfileManagedOutboundIPs": "count:i countIPv6:i",
    "ManagedClusterLoadBalancerProfileOutboundIPPrefixes": "publicIPPrefixes:[ResourceReference",
    "ManagedClusterLoadBalancerProfileOutboundIPs": "publicIPs:[ResourceReference",
    "ManagedClusterManagedOutboundIPProfile": "count:i countIPv6:i",
    "ManagedClusterMetricsProfile": "costAnalysis:ManagedClusterCostAnalysis",
    "ManagedClusterNATGatewayProfile": (
        "effectiveOutboundIPs:- idleTimeoutInMinutes:i managedOutboundIPProfile:ManagedClusterManagedOutboundIPProfile "
        "outboundIPPrefixes:ManagedClusterNATGatewayProfileOutboundIpPrefixes "
        "outboundIPs:ManagedClusterNATGatewayProfileOutboundIPs sku:e"
    ),
    "ManagedClusterNATGatewayProfileOutboundIPs": "publicIPs:[s",
    "ManagedClusterNATGatewayProfileOutboundIpPrefixes": "publicIPPrefixes:[s",
    "ManagedClusterNodeProvisioningProfile": "defaultNodePools:e mode:e",
    "ManagedClusterNodeResourceGroupProfile": "restrictionLevel:e",
    "ManagedClusterOIDCIssuerProfile": "enabled:b issuerURL:-",
    "ManagedClusterPodIdentity": (
        "bindingSelector:s identity:UserAssignedIdentity name:s namespace:s provisioningInfo:- provisioningState:-"
    ),
    "ManagedClusterPodIdentityException": "name:s namespace:s podLabels:{s",
    "ManagedClusterPodIdentityProfile": (
        "allowNetworkPluginKubenet:b enabled:b userAssignedIdentities:[ManagedClusterPodIdentity "
        "userAssignedIdentityExceptions:[ManagedClusterPodIdentityException"
    ),
    "ManagedClusterProperties": (
        "aadProfile:ManagedClusterAADProfile addonProfiles:{ManagedClusterAddonProfile "
        "agentPoolProfiles:[ManagedClusterAgentPoolProfile "
        "aiToolchainOperatorProfile:ManagedClusterAIToolchainOperatorProfile "
        "apiServerAccessProfile:ManagedClusterAPIServerAccessProfile "
        "autoScalerProfile:ManagedClusterPropertiesAutoScalerProfile "
        "autoUpgradeProfile:ManagedClusterAutoUpgradeProfile azureMonitorProfile:ManagedClusterAzureMonitorProfile "
        "azurePortalFQDN:- bootstrapProfile:ManagedClusterBootstrapProfile currentKubernetesVersion:- "
        "disableLocalAccounts:b diskEncryptionSetID:s dnsPrefix:s enableFIPS:b enableRBAC:b fqdn:- fqdnSubdomain:s "
        "hostedSystemProfile:ManagedClusterHostedSystemProfile httpProxyConfig:ManagedClusterHTTPProxyConfig "
        "identityProfile:{UserAssignedIdentity ingressProfile:ManagedClusterIngressProfile kubernetesVersion:s "
        "linuxProfile:ContainerServiceLinuxProfile maxAgentPools:- metricsProfile:ManagedClusterMetricsProfile "
        "networkProfile:ContainerServiceNetworkProfile nodeProvisioningProfile:ManagedClusterNodeProvisioningProfile "
        "nodeResourceGroup:s nodeResourceGroupProfile:ManagedClusterNodeResourceGroupProfile "
        "oidcIssuerProfile:ManagedClusterOIDCIssuerProfile podIdentityProfile:ManagedClusterPodIdentityProfile "
        "powerState:- privateFQDN:- privateLinkResources:[PrivateLinkResource provisioningState:- "
        "publicNetworkAccess:e resourceUID:- schedulerProfile:SchedulerProfile "
        "securityProfile:ManagedClusterSecurityProfile serviceMeshProfile:ServiceMeshProfile "
        "servicePrincipalProfile:ManagedClusterServicePrincipalProfile status:ManagedClusterStatus "
        "storageProfile:ManagedClusterStorageProfile supportPlan:e upgradeSettings:ClusterUpgradeSettings "
        "windowsProfile:ManagedClusterWindowsProfile workloadAutoScalerProfile:ManagedClusterWorkloadAutoScalerProfile"
    ),
    "ManagedClusterPropertiesAutoScalerProfile": (
        "balance-similar-node-groups:s daemonset-eviction-for-empty-nodes:b daemonset-eviction-for-occupied-nodes:b "
        "expander:e ignore-daemonsets-utilization:b max-empty-bulk-delete:s max-graceful-termination-sec:s "
        "max-node-provision-time:s max-total-unready-percentage:s new-pod-scale-up-delay:s ok-total-unready-count:s "
        "scale-down-delay-after-add:s scale-down-delay-after-delete:s scale-down-delay-after-failure:s "
        "scale-down-unneeded-time:s scale-down-unready-time:s scale-down-utilization-threshold:s scan-interval:s "
        "skip-nodes-with-local-storage:s skip-nodes-with-system-pods:s"
    ),
    "ManagedClusterSKU": "name:e tier:e",
    "ManagedClusterSecurityProfile": (
        "azureKeyVaultKms:AzureKeyVaultKms customCATrustCertificates:[s defender:ManagedClusterSecurityProfileDefender "
        "imageCleaner:ManagedClusterSecurityProfileImageCleaner "
        "kubernetesResourceObjectEncryptionProfile:KubernetesResourceObjectEncryptionProfile "
        "workloadIdentity:ManagedClusterSecurityProfileWorkloadIdentity"
    ),
    "ManagedClusterSecurityProfileDefender": (
        "logAnalyticsWorkspaceResourceId:s securityGating:ManagedClusterSecurityProfileDefenderSecurityGating "
        "securityMonitoring:ManagedClusterSecurityProfileDefenderSecurityMonitoring"
    ),
    "ManagedClusterSecurityProfileDefenderSecurityGating": (
        "allowSecretAccess:b enabled:b identities:[ManagedClusterSecurityProfileDefenderSecurityGatingIdentity"
    ),
    "ManagedClusterSecurityProfileDefenderSecurityGatingIdentity": (
        "azureContainerRegistry:s identity:UserAssignedIdentity"
    ),
    "ManagedClusterSecurityProfileDefenderSecurityMonitoring": "enabled:b",
    "ManagedClusterSecurityProfileImageCleaner": "enabled:b intervalHours:i",
    "ManagedClusterSecurityProfileWorkloadIdentity": "enabled:b",
    "ManagedClusterServicePrincipalProfile": "clientId:s secret:s",
    "ManagedClusterStaticEgressGatewayProfile": "enabled:b",
    "ManagedClusterStatus": "provisioningError:-",
    "ManagedClusterStorageProfile": (
        "blobCSIDriver:ManagedClusterStorageProfileBlobCSIDriver "
        "diskCSIDriver:ManagedClusterStorageProfileDiskCSIDriver "
        "fileCSIDriver:ManagedClusterStorageProfileFileCSIDriver "
        "snapshotController:ManagedClusterStorageProfileSnapshotController"
    ),
    "ManagedClusterStorageProfileBlobCSIDriver": "enabled:b",
    "ManagedClusterStorageProfileDiskCSIDriver": "enabled:b",
    "ManagedClusterStorageProfileFileCSIDriver": "enabled:b",
    "ManagedClusterStorageProfileSnapshotController": "enabled:b",
    "ManagedClusterWebAppRoutingGatewayAPIImplementations": "appRoutingIstio:ManagedClusterAppRoutingIstio",
    "ManagedClusterWindowsProfile": (
        "adminPassword:s adminUsername:s enableCSIProxy:b gmsaProfile:WindowsGmsaProfile licenseType:e"
    ),
    "ManagedClusterWorkloadAutoScalerProfile": (
        "keda:ManagedClusterWorkloadAutoScalerProfileKeda "
        "verticalPodAutoscaler:ManagedClusterWorkloadAutoScalerProfileVerticalPodAutoscaler"
    ),
    "ManagedClusterWorkloadAutoScalerProfileKeda": "enabled:b",
    "ManagedClusterWorkloadAutoScalerProfileVerticalPodAutoscaler": "enabled:b",
    "ManagedServiceIdentityUserAssignedIdentitiesValue": "clientId:- principalId:-",
    "ManualScaleProfile": "count:i size:s",
    "NvidiaGPUProfile": "managementMode:e",
    "PortRange": "portEnd:i portStart:i protocol:e",
    "PowerState": "code:e",
    "PrivateLinkResource": "groupId:s id:s name:s privateLinkServiceID:- requiredMembers:[s type:s",
    "ResourceReference": "id:s",
    "ScaleProfile": "autoscale:[AutoScaleProfile manual:[ManualScaleProfile",
    "SchedulerInstanceProfile": "schedulerConfigMode:e",
    "SchedulerProfile": "upstream:SchedulerInstanceProfile",
    "ServiceMeshProfile": "istio:IstioServiceMesh mode:e",
    "SysctlConfig": (
        "fsAioMaxNr:i fsFileMax:i fsInotifyMaxUserWatches:i fsNrOpen:i kernelThreadsMax:i netCoreNetdevMaxBacklog:i "
        "netCoreOptmemMax:i netCoreRmemDefault:i netCoreRmemMax:i netCoreSomaxconn:i netCoreWmemDefault:i "
        "netCoreWmemMax:i netIpv4IpLocalPortRange:s netIpv4NeighDefaultGcThresh1:i netIpv4NeighDefaultGcThresh2:i "
        "netIpv4NeighDefaultGcThresh3:i netIpv4TcpFinTimeout:i netIpv4TcpKeepaliveProbes:i netIpv4TcpKeepaliveTime:i "
        "netIpv4TcpMaxSynBacklog:i netIpv4TcpMaxTwBuckets:i netIpv4TcpTwReuse:b netIpv4TcpkeepaliveIntvl:i "
        "netNetfilterNfConntrackBuckets:i netNetfilterNfConntrackMax:i vmMaxMapCount:i vmSwappiness:i "
        "vmVfsCachePressure:i"
    ),
    "UpgradeOverrideSettings": "forceUpgrade:b until:s",
    "UserAssignedIdentity": "clientId:s objectId:s resourceId:s",
    "VirtualMachineNodes": "count:i size:s",
    "VirtualMachinesProfile": "scale:ScaleProfile",
    "WindowsGmsaProfile": "dnsServer:s enabled:b rootDomainName:s",
}


MODEL = "read-only in Microsoft's model (azure-mgmt-containerservice 41, api 2026-08-01)"
RECORDED = "left out by `az aks update` (recorded traffic, api 2026-02-01)"
ENVELOPE = "the envelope that Resource Manager itself writes"
ROLLBACK = (
    "writable since api 2026-04-01: 'Setting this value triggers an agentPool rollback. Only values from "
    "recentlyUsedVersions are allowed' (azure-mgmt-containerservice 41.8); left out by `az aks update` (recorded)"
)
AUTHORIZATION = "read-only in Microsoft's models (azure-mgmt-authorization 4.0, api 2022-04-01)"

NODE_IMAGE_WRITABLE = "2026-04-01"


@dataclass(frozen=True)
class Row:
    """One place that is the service's. `since` and `before` bound the api-versions that the row holds for.

    `declarable`: writable, but never sent back unless the task declares it and it differs.
    """

    path: str
    source: str
    since: str = ""
    before: str = ""
    declarable: bool = False

    def holds(self, api_version: str) -> bool:
        day = api_version[:10]
        return (not self.since or day >= self.since) and (not self.before or day < self.before)


def _rows(source: str, *paths: str) -> tuple[Row, ...]:
    return tuple(Row(path, source) for path in paths)


_AUTHORSHIP = tuple(f"properties.{what}{how}" for what in ("created", "updated") for how in ("On", "By"))
_ENVELOPE = _rows(ENVELOPE, "id", "name", "type", "systemData", "etag", "eTag", "properties.provisioningState")


def _of_pool(prefix: str) -> tuple[Row, ...]:
    """A pool's own fields, inline in its cluster or as a resource of its own."""
    image = f"{prefix}.nodeImageVersion"
    return (
        *_rows(
            MODEL,
            f"{prefix}.eTag",
            f"{prefix}.provisioningState",
            f"{prefix}.currentOrchestratorVersion",
            f"{prefix}.status",
            f"{prefix}.localDNSProfile.state",
        ),
        Row(image, RECORDED, before=NODE_IMAGE_WRITABLE),
        Row(image, ROLLBACK, since=NODE_IMAGE_WRITABLE, declarable=True),
    )


ROWS: dict[str, tuple[Row, ...]] = {
    "microsoft.containerservice/managedclusters": (
        *_ENVELOPE,
        *_rows(
            MODEL,
            "identity.principalId",
            "identity.tenantId",
            "identity.userAssignedIdentities.*.principalId",
            "identity.userAssignedIdentities.*.clientId",
            "properties.powerState",
            "properties.maxAgentPools",
            "properties.currentKubernetesVersion",
            "properties.fqdn",
            "properties.privateFQDN",
            "properties.azurePortalFQDN",
            "properties.resourceUID",
            "properties.status",
            "properties.oidcIssuerProfile.issuerURL",
            "properties.addonProfiles.*.identity",
            "properties.ingressProfile.webAppRouting.identity",
            "properties.podIdentityProfile.userAssignedIdentities.*.provisioningState",
            "properties.podIdentityProfile.userAssignedIdentities.*.provisioningInfo",
            "properties.privateLinkResources.*.privateLinkServiceID",
            "properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs",
            "properties.networkProfile.natGatewayProfile.effectiveOutboundIPs",
        ),
        *_of_pool("properties.agentPoolProfiles.*"),
    ),
    "microsoft.containerservice/managedclusters/agentpools": (*_ENVELOPE, *_of_pool("properties")),
    "microsoft.resources/resourcegroups": (*_ENVELOPE, Row("properties", ENVELOPE)),
    "microsoft.authorization/roleassignments": (
        *_ENVELOPE,
        *_rows(AUTHORIZATION, "properties.scope", *_AUTHORSHIP),
    ),
    "microsoft.authorization/roledefinitions": (*_ENVELOPE, *_rows(AUTHORIZATION, *_AUTHORSHIP)),
}


def rows_of(resource_type: str, api_version: str) -> Iterable[Row]:
    """The rows of a type; of one that is not in the table the envelope alone is known."""
    return (row for row in ROWS.get(resource_type.lower(), _ENVELOPE) if row.holds(api_version))


def not_sent(resource_type: str, api_version: str, changed: Iterable[str] = ()) -> tuple[str, ...]:
    """The paths to leave out of a body; what may be declared and is `changed` by the task is sent."""
    wanted = set(changed)
    return tuple(row.path for row in rows_of(resource_type, api_version) if not (row.declarable and row.path in wanted))
