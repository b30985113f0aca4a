# SPDX-License-Identifier: GPL-3.0-or-later
"""What the AKS provider refuses before it starts anything: one small function a rule, in the order they are asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import compute, versions
from .catalog import SIZES
from .fields import ABSENT, Context, get
from .wire import AksError, Body

CLUSTER_NAME = re.compile(r"[A-Za-z0-9](?:[-_A-Za-z0-9]{0,61}[A-Za-z0-9])?")
DNS_PREFIX = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,52}[A-Za-z0-9])?")
LINUX_POOL = re.compile(r"[a-z][a-z0-9]{0,11}")
WINDOWS_POOL = re.compile(r"[a-z][a-z0-9]{0,5}")
NAMING = "Please see https://aka.ms/aks-naming-rules for more details."
QUOTA_ADVICE = (
    "If you want to increase the quota, please follow this instruction: "
    "https://learn.microsoft.com/en-us/azure/quotas/view-quotas. Surge nodes would also consume vcpu quota, please "
    "consider use smaller maxSurge or use maxUnavailable to proceed upgrade without surge nodes, details: "
    "aka.ms/aks/maxUnavailable."
)
MOST_NODES, MOST_POOLS = 1000, 100


@dataclass(frozen=True)
class Proposal:
    """A cluster as it would stand, and as it stands."""

    context: Context
    body: Body
    current: Body | None
    through_cluster: bool = True  # asked of the cluster, not of one of its pools

    @property
    def pools(self) -> list[Body]:
        pools: list[Body] = self.body["properties"]["agentPoolProfiles"]
        return pools

    @property
    def current_pools(self) -> dict[str, Body]:
        if self.current is None:
            return {}
        return {pool["name"]: pool for pool in self.current["properties"]["agentPoolProfiles"]}


def invalid(target: str, why: str = "") -> AksError:
    detail = f" Error details: {why}" if why else ""
    return AksError(
        400, "InvalidParameter", f"The value of parameter {target} is invalid.{detail} {NAMING}", target=target
    )


def missing(target: str) -> AksError:
    return AksError(400, "InvalidParameter", f"Required parameter {target} is missing (null).", target=target)


def check_name(name: str) -> None:
    if not CLUSTER_NAME.fullmatch(name):
        raise invalid(
            "resourceName",
            "1 to 63 letters, digits, '-' and '_'; the first and the last are a letter or a digit.",
        )


# --- the cluster


def _dns_prefix(proposal: Proposal) -> None:
    prefix = get(proposal.body, "properties.dnsPrefix")
    if prefix is ABSENT and get(proposal.body, "properties.fqdnSubdomain") is ABSENT:
        raise missing("dnsPrefix")
    if prefix is not ABSENT and not DNS_PREFIX.fullmatch(str(prefix)):
        raise invalid("dnsPrefix")


def _identity(proposal: Proposal) -> None:
    if "identity" not in proposal.body and get(proposal.body, "properties.servicePrincipalProfile") is ABSENT:
        raise missing("servicePrincipalProfile")


def _workload_identity(proposal: Proposal) -> None:
    wanted = get(proposal.body, "properties.securityProfile.workloadIdentity.enabled") is True
    if wanted and get(proposal.body, "properties.oidcIssuerProfile.enabled") is not True:
        raise AksError(
            400,
            "BadRequest",
            "Workload identity requires the OIDC issuer: set oidcIssuerProfile.enabled to true.",
            target="securityProfile.workloadIdentity",
        )


def _local_accounts(proposal: Proposal) -> None:
    """ "This must only be set to true on Managed Clusters that are AAD enabled" (the SDK's model)."""
    entra = get(proposal.body, "properties.aadProfile.managed") is True
    if get(proposal.body, "properties.disableLocalAccounts") is True and not entra:
        raise AksError(
            400,
            "BadRequest",
            "Local accounts can only be disabled on clusters with Microsoft Entra authentication: set aadProfile.",
            target="disableLocalAccounts",
        )


def _support_plan(proposal: Proposal) -> None:
    """Recorded traffic, 2026: the tier Premium without the plan of long-term support is K8sVersionNotSupported, and so
    is the plan in another tier (SDK, ManagedClusterSKUTier: 'Premium enables selection of LongTermSupport')."""
    tier, plan = proposal.body["sku"]["tier"], get(proposal.body, "properties.supportPlan")
    if (str(tier).lower() == "premium") != (str(plan).lower() == versions.LONG_TERM.lower()):
        raise AksError(
            400,
            "K8sVersionNotSupported",
            f"Managed cluster {proposal.context.name} has tier {tier} and support plan {plan}. If you intend to "
            "onboard to LTS, please ensure the cluster is in Premium tier and LTS support plan. For more information, "
            "please refer to https://aka.ms/aks/lts",
        )


def _issuer_stays(proposal: Proposal) -> None:
    before = get(proposal.current or {}, "properties.oidcIssuerProfile.enabled")
    if before is True and get(proposal.body, "properties.oidcIssuerProfile.enabled") is not True:
        raise AksError(400, "OIDCIssuerFeatureCannotBeDisabled", "OIDC issuer feature cannot be disabled.")


def _version_moves(proposal: Proposal) -> None:
    before = get(proposal.current or {}, "properties.currentKubernetesVersion")
    if before is ABSENT:
        return
    old, new = versions.key(str(before)), versions.key(proposal.context.version)
    if new < old:
        raise AksError(
            400,
            "OperationNotAllowed",
            f"Downgrading cluster from version {before} to {proposal.context.version} is not allowed.",
        )
    if new[1] > old[1] + 1:
        raise AksError(
            400,
            "OperationNotAllowed",
            f"Upgrading Kubernetes version {before} to {proposal.context.version} is not allowed. Available upgrades: "
            f"the next minor version. See https://aka.ms/aks-supported-versions",
        )


def _pools_complete(proposal: Proposal) -> None:
    named = {pool["name"] for pool in proposal.pools}
    if left_out := sorted(set(proposal.current_pools) - named):
        raise AksError(
            400,
            "BadRequest",
            f"Agent pool '{left_out[0]}' is not in the request. A managed cluster has to be updated with all of its "
            "agent pools; delete a pool through the agentPools API.",
            target="agentPoolProfiles",
        )
    if proposal.through_cluster and proposal.current is not None and named - set(proposal.current_pools):
        # https://github.com/pulumi/pulumi-azure-native/issues/579, https://github.com/microsoft/tyger/issues/121
        raise AksError(
            400,
            "BadRequest",
            "A new agent pool was introduced. Adding agent pools to an existing cluster is not allowed through managed "
            "cluster operations. For agent pool specific change, please use per agent pool operations: "
            "https://aka.ms/agent-pool-rest-api",
            target="agentPoolProfiles",
        )
    if len(named) != len(proposal.pools):
        raise invalid("agentPoolProfiles", "Agent pool names have to be unique.")
    if len(named) > MOST_POOLS:
        raise invalid("agentPoolProfiles", f"A cluster has at most {MOST_POOLS} agent pools.")


def _system_pool(proposal: Proposal) -> None:
    if not any(pool["mode"] == "System" for pool in proposal.pools):
        raise AksError(
            400,
            "InvalidParameter",
            "There has to be at least one agent pool of mode System. Must define at least one system pool.",
            target="agentPoolProfiles",
        )


def _quota(proposal: Proposal) -> None:
    """Only what is asked for in addition can fail: a cluster that stands may always be changed otherwise."""
    cloud, location = proposal.context.cloud, proposal.context.location
    wanted = compute.pool_usage(proposal.pools)
    held = compute.pool_usage(list(proposal.current_pools.values()))
    used = compute.usage(cloud, proposal.context.subscription, location)
    # The regional quota is what the service names first, then the families'.
    for name in sorted(wanted, key=lambda quota: (quota != compute.CORES, quota)):
        more, left = wanted[name] - held[name], compute.limit(cloud, location, name) - used[name]
        if more <= 0 or more <= left:
            continue
        if name in (compute.CORES, compute.SPOT):
            kind = "regional" if name == compute.CORES else "regional low priority"
            text = f"Insufficient {kind} vcpu quota left for location {location}. left {kind} vcpu quota {left}, "
            text += f"requested quota {more}."
        else:
            text = (
                f"Insufficient vcpu quota requested {more}, remaining {left} for family {name} for region {location}."
            )
        raise AksError(400, "ErrCode_InsufficientVCPUQuota", f"{text} {QUOTA_ADVICE}")


# --- each pool


def _pool_name(proposal: Proposal, pool: Body) -> None:
    windows = pool.get("osType") == "Windows"
    if not (WINDOWS_POOL if windows else LINUX_POOL).fullmatch(str(pool["name"])):
        raise invalid("agentPoolProfile.name")


def _pool_count(proposal: Proposal, pool: Body) -> None:
    count, lowest = int(pool["count"]), 1 if pool["mode"] == "System" else 0
    scaled = bool(pool.get("enableAutoScaling"))
    if not lowest <= count <= MOST_NODES:
        raise invalid("agentPoolProfile.count", f"Pool {pool['name']}: count {count}, allowed {lowest}-{MOST_NODES}.")
    if not scaled:
        if pool.get("minCount") is not None or pool.get("maxCount") is not None:
            raise invalid(
                "agentPoolProfile.minCount", f"Pool {pool['name']}: minCount and maxCount need enableAutoScaling."
            )
        return
    least, most = pool.get("minCount"), pool.get("maxCount")
    if least is None or most is None:
        raise missing("agentPoolProfile.minCount" if least is None else "agentPoolProfile.maxCount")
    if not lowest <= least <= most <= MOST_NODES:
        raise invalid("agentPoolProfile.minCount", f"Pool {pool['name']}: minCount {least}, maxCount {most}.")
    if not least <= count <= most:
        raise invalid("agentPoolProfile.count", f"Pool {pool['name']}: count {count} is outside {least}-{most}.")


def _pool_system(proposal: Proposal, pool: Body) -> None:
    if pool["mode"] != "System":
        return
    if pool["osType"] != "Linux" or pool.get("scaleSetPriority") == "Spot":
        raise invalid("agentPoolProfile.mode", f"Pool {pool['name']}: a system pool is Linux and not Spot.")
    if int(pool["maxPods"]) < 30:
        raise invalid("agentPoolProfile.maxPods", f"Pool {pool['name']}: a system pool takes at least 30 pods a node.")


def _pool_size(proposal: Proposal, pool: Body) -> None:
    """Asked when a pool is made or grows: what stands may stay on a size that is no longer given out."""
    context, name = proposal.context, str(pool["vmSize"])
    before = proposal.current_pools.get(pool["name"])
    if before is not None and int(before["count"]) >= int(pool["count"]):
        return
    offer = context.cloud.catalog.offer(context.location, name)
    if offer is None or offer.barred:
        allowed = sorted(o.size.name.lower() for o in context.cloud.catalog.offers(context.location) if not o.barred)
        raise AksError(
            400,
            "BadRequest",
            f"The VM size of {name} is not allowed in your subscription in location '{context.location}'. "
            f"The available VM sizes are '{','.join(allowed)}'",
            target="agentPoolProfile.vmSize",
        )
    if pool["mode"] == "System" and (offer.size.available < 2 or offer.size.memory < 4):
        raise AksError(
            400,
            "SystemPoolSkuTooLow",
            f"System node pool must use VM sku with more than 2 cores and 4GB memory. Nodepool name: {pool['name']}.",
        )
    if offer.size.available < 2 or offer.size.memory < 2:
        raise AksError(400, "VMSizeNotSupported", f"Virtual Machine size: '{name}' is not supported in AKS.")


def _pool_disk(proposal: Proposal, pool: Body) -> None:
    """An ephemeral OS disk lies on the cache or the temporary disk of the size (documented; the code from memory)."""
    size = SIZES.get(str(pool["vmSize"]).lower())
    if pool["name"] in proposal.current_pools or pool.get("osDiskType") != "Ephemeral" or size is None:
        return
    if not size.ephemeral_fits(int(pool["osDiskSizeGB"])):
        raise AksError(
            400,
            "InvalidParameter",
            f"The virtual machine size {pool['vmSize']} has a cache size of {size.cache_bytes} bytes and temp disk "
            f"size of {size.temporary_mib * 1024**2} bytes, but the OS disk requires "
            f"{int(pool['osDiskSizeGB']) * 1024**3} bytes. Use a VM size with larger cache or temp disk or disable "
            "ephemeral OS.",
            target="agentPoolProfile.osDiskType",
        )


def _pool_spot(proposal: Proposal, pool: Body) -> None:
    """LowPriorityCapable of the SKU says who may be Spot (documented; the code is from memory)."""
    size = SIZES.get(str(pool["vmSize"]).lower())
    new = pool["name"] not in proposal.current_pools
    if new and pool.get("scaleSetPriority") == "Spot" and size and size.capabilities["LowPriorityCapable"] != "True":
        raise AksError(
            400,
            "BadRequest",
            f"The VM size {pool['vmSize']} does not support Spot priority.",
            target="agentPoolProfile.scaleSetPriority",
        )


def _pool_zones(proposal: Proposal, pool: Body) -> None:
    zones = pool.get("availabilityZones") or []
    offer = proposal.context.cloud.catalog.offer(proposal.context.location, str(pool["vmSize"]))
    if pool["name"] in proposal.current_pools or not zones or offer is None:
        return
    if wrong := sorted(set(zones) - set(offer.usable_zones)):
        raise AksError(
            400,
            "AvailabilityZoneNotSupported",
            f"The zone(s) '{','.join(wrong)}' for resource '{pool['name']}' is not supported. The supported zones for "
            f"location '{proposal.context.location}' are '{','.join(offer.usable_zones)}'",
            target="agentPoolProfile.availabilityZone",
        )


def _pool_version(proposal: Proposal, pool: Body) -> None:
    asked = str(pool["orchestratorVersion"])
    if versions.key(versions.minor(asked)) > versions.key(versions.minor(proposal.context.version)):
        raise AksError(
            400,
            "NodePoolMcVersionIncompatible",
            f"Node pool version {asked} and control plane version {proposal.context.version} are incompatible. Minor "
            f"version of node pool version {versions.minor(asked)} is bigger than control plane version.",
        )
    before = proposal.current_pools.get(pool["name"])
    if before is None or before.get("orchestratorVersion") != asked:
        versions.resolve(asked, proposal.context.cloud.backend.versions(), proposal.context.name)


CLUSTER_RULES: tuple[Callable[[Proposal], None], ...] = (
    _dns_prefix,
    _identity,
    _pools_complete,
    _system_pool,
    _workload_identity,
    _local_accounts,
    _support_plan,
    _issuer_stays,
    _version_moves,
)
POOL_RULES: tuple[Callable[[Proposal, Body], None], ...] = (
    _pool_name,
    _pool_version,
    _pool_size,
    _pool_zones,
    _pool_disk,
    _pool_spot,
    _pool_system,
    _pool_count,
)


def check(proposal: Proposal) -> None:
    for rule in CLUSTER_RULES:
        rule(proposal)
    for pool in proposal.pools:
        for pool_rule in POOL_RULES:
            pool_rule(proposal, pool)
    _quota(proposal)
