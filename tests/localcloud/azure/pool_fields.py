# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of an agent pool, inline in its cluster or as a resource of its own."""

from __future__ import annotations

from typing import Any

from .catalog import SIZES
from .fields import ABSENT, Context, Field, get, read
from .wire import AksError, Body

SPOT_MARK = "kubernetes.azure.com/scalesetpriority"
# Without a size AKS chooses one by quota and capacity, and answers in lower case.
CHOICE = ("Standard_E2s_v3", "Standard_D2s_v5", "Standard_D2as_v5", "Standard_D2s_v3", "Standard_D2ds_v5")
IMAGE, NEWER_IMAGE = "202604.13.0", "202604.27.0"
# SDK (azure-mgmt-containerservice 41.8, models.AgentPool.node_image_version): "Setting this value triggers an agentPool
# rollback. Only values from recentlyUsedVersions are allowed." Before this version the field was read-only.
IMAGE_WRITABLE = "2026-04-01"


LINUX = ("Ubuntu", "Ubuntu2204", "Ubuntu2404", "AzureLinux", "AzureLinux3", "CBLMariner", "AzureContainerLinux")


def _size(_: Body, context: Context) -> str:
    for name in CHOICE:
        offer = context.cloud.catalog.offer(context.location, name)
        if offer is not None and not offer.barred:
            return name.lower()
    return CHOICE[0].lower()


def _disk_type(body: Body, _: Context) -> str:
    size = SIZES.get(str(body.get("vmSize", "")).lower())
    return "Ephemeral" if size is not None and size.ephemeral_fits(int(body.get("osDiskSizeGB", 128))) else "Managed"


def _max_pods(_: Body, context: Context) -> int:
    network = (context.cluster or {}).get("properties", {}).get("networkProfile", {})
    if network.get("networkPluginMode") == "overlay":
        return 250
    return 30 if network.get("networkPlugin") == "azure" else 110


def _version(_: Body, context: Context) -> Any:
    return get(context.cluster or {}, "properties.kubernetesVersion")


def _count(body: Body, _: Context) -> int:
    return int(body["minCount"]) if body.get("enableAutoScaling") and body.get("minCount") else 1


def _image(body: Body, _: Context) -> str:
    size = SIZES.get(str(body.get("vmSize", "")).lower())
    arm = "arm64" if size is not None and size.series.arm else ""
    name = "AKSAzureLinux-V3gen2" if body.get("osSKU") == "AzureLinux" else "AKSUbuntu-2204gen2containerd"
    return f"{name.replace('gen2', 'gen2' + arm)}-{IMAGE}"


def _spot(value: Any) -> Any:
    return lambda body, _: value if body.get("scaleSetPriority") == "Spot" else ABSENT


POOL: tuple[Field, ...] = (
    Field("eTag", read_only=True),
    Field("mode", "User", keep=True),
    Field("type", "VirtualMachineScaleSets", immutable=True),
    Field("vmSize", _size, immutable=True),
    Field("osType", "Linux", immutable=True),
    # learn.microsoft.com/azure/aks/upgrade-os-version: between all images of Linux
    Field("osSKU", "Ubuntu", immutable=True, may_become=tuple((one, other) for one in LINUX for other in LINUX)),
    Field("osDiskType", _disk_type, immutable=True),
    Field("osDiskSizeGB", 128, immutable=True),
    Field("kubeletDiskType", "OS", immutable=True),
    Field("maxPods", _max_pods, immutable=True),
    Field("availabilityZones", immutable=True, unordered=True),
    Field("vnetSubnetID", immutable=True),
    Field("podSubnetID", immutable=True),
    Field("enableNodePublicIP", False, immutable=True),
    # answered only where they were sent (recorded traffic, 2026)
    Field("enableEncryptionAtHost", immutable=True, may_become=((ABSENT, False),)),
    Field("enableUltraSSD", immutable=True, may_become=((ABSENT, False),)),
    Field("enableFIPS", False, keep=True),  # may be turned on for a standing pool
    Field("kubeletConfig", immutable=True),
    Field("linuxOSConfig", immutable=True),
    Field("creationData", immutable=True),
    Field("proximityPlacementGroupID", immutable=True),
    Field("capacityReservationGroupID", immutable=True),
    Field("gpuProfile", immutable=True),
    Field("scaleSetPriority", immutable=True, may_become=((ABSENT, "Regular"),)),
    Field("scaleSetEvictionPolicy", _spot("Delete"), immutable=True),
    Field("spotMaxPrice", _spot(-1), immutable=True),
    Field("count", _count, keep=True),
    Field("scaleDownMode", "Delete", keep=True),
    Field("orchestratorVersion", _version, keep=True),
    Field("currentOrchestratorVersion", read_only=True),
    Field("nodeImageVersion", _image, keep=True),
    Field("upgradeSettings.maxSurge", "10%", keep=True),
    Field("upgradeSettings.maxUnavailable", "0", keep=True),
    Field("securityProfile.enableVTPM", False, keep=True),
    Field("securityProfile.enableSecureBoot", False, keep=True),
    Field("securityProfile.sshAccess", "LocalUser", keep=True),  # api 2026-05 and later
    Field("powerState", {"code": "Running"}, keep=True),
    Field("provisioningState", read_only=True),
    Field("status", read_only=True),
)


def finish(pool: Body) -> Body:
    """AKS labels and taints the nodes of a Spot pool."""
    if pool.get("scaleSetPriority") != "Spot":
        return pool
    pool.setdefault("nodeLabels", {})[SPOT_MARK] = "spot"
    taint = f"{SPOT_MARK}=spot:NoSchedule"
    taints = pool.setdefault("nodeTaints", [])
    if taint not in taints:
        taints.append(taint)
    return pool


def merge(sent: Body, current: Body | None, context: Context) -> Body:
    """The pool after a PUT, whichever way it came."""
    sent = dict(sent)
    for priority in ("Spot", "Regular"):  # known values are read in any case
        if str(sent.get("scaleSetPriority")).lower() == priority.lower():
            sent["scaleSetPriority"] = priority
    spot = "Spot" in (sent.get("scaleSetPriority"), (current or {}).get("scaleSetPriority"))
    if not spot:  # clients send the eviction policy of Spot with every pool
        for name in ("scaleSetPriority", "scaleSetEvictionPolicy", "spotMaxPrice"):
            sent.pop(name, None)
    if current is not None and sent.get("enableAutoScaling") and current.get("enableAutoScaling"):
        sent.pop("count", None)  # the autoscaler owns it
    _check_image(sent, current, context)
    pool = finish(read(sent, current, POOL, context, "agentPoolProfile."))
    return {"name": sent.get("name", ""), **pool}


def _check_image(sent: Body, current: Body | None, context: Context) -> None:
    """A node image that is sent: ignored where it is read-only, else what runs, or one that the pool has had before."""
    asked = sent.get("nodeImageVersion")
    if context.api_version[:10] < IMAGE_WRITABLE or not asked:
        sent.pop("nodeImageVersion", None)
        return
    name = str(sent.get("name", ""))
    if current is not None and asked in (current.get("nodeImageVersion"), *context.images.get(name, ())):
        return
    raise AksError(
        400,
        "InvalidParameter",
        f"The value of parameter agentPoolProfile.nodeImageVersion is invalid. Error details: '{asked}' is none of the "
        f"recently used versions of agent pool {name}.",
        target="agentPoolProfile.nodeImageVersion",
    )


def newer_image(pool: Body) -> str:
    """The image that an upgrade of the node image brings."""
    return str(pool["nodeImageVersion"]).replace(IMAGE, NEWER_IMAGE)


def state_while(before: Body | None, after: Body) -> str:
    """A pool's state while it becomes `after`: the names are those of the service (provisioningState of recordings)."""
    if before is None:
        return "Creating"
    if before.get("orchestratorVersion") != after.get("orchestratorVersion"):
        return "Upgrading"
    return "Scaling" if before.get("count") != after.get("count") else "Updating"
