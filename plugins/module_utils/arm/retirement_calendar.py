# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure has announced to retire, in one table: the date, what, the consequence, the remedy and who says so.

Every date is from the page that the row names. A row says nothing of what stands; `retirements` compares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

_AKS = "https://github.com/Azure/AKS"
_LEARN = "https://learn.microsoft.com/azure/aks"
_UPDATES = "https://azure.microsoft.com/updates"

# kinds of what can be retired, and what their values are
KUBERNETES = "Kubernetes"
"""A minor version, with ` LTS` behind it under the plan of long-term support."""
NODE_OS = "node OS"
NETWORK_PLUGIN = "network plugin"
NETWORK_POLICY = "network policy"
"""The policy and, behind it, the OS of the nodes."""
LOAD_BALANCER = "load balancer"
POOL_TYPE = "type of node pool"
ADDON = "add-on"
LOGIN = "login"
POOL_PROPERTY = "property of a node pool"
POOL_TAG = "tag of a node pool"
CHART = "chart"


@dataclass(frozen=True)
class Retirement:
    """From `on`, `consequence` holds for everything of this kind and value. `bars`: it can no longer be made either."""

    on: date
    kind: str
    value: str
    consequence: str
    remedy: str
    source: str
    bars: bool = False


def _versions() -> tuple[Retirement, ...]:
    """https://learn.microsoft.com/azure/aks/supported-kubernetes-versions, read 2026-08-21; a month is its last day."""
    source = f"{_LEARN}/supported-kubernetes-versions"
    # minor: (end of life, end of life with long-term support)
    ends = {
        "1.29": (date(2025, 3, 31), date(2026, 4, 30)),
        "1.30": (date(2025, 8, 22), date(2026, 7, 31)),
        "1.31": (date(2025, 11, 1), date(2026, 11, 30)),
        "1.32": (date(2026, 3, 31), date(2027, 3, 31)),
        "1.33": (date(2026, 7, 31), date(2027, 7, 31)),
        "1.34": (date(2026, 11, 30), date(2027, 11, 30)),
        "1.35": (date(2027, 3, 31), date(2028, 3, 31)),
        "1.36": (date(2027, 6, 30), date(2028, 6, 30)),
        "1.37": (date(2027, 10, 31), date(2028, 10, 31)),
    }
    gone = "no patches and no support of Kubernetes itself; AKS may upgrade the cluster by itself"
    return tuple(
        Retirement(
            on,
            KUBERNETES,
            f"{minor}{plan}",
            gone,
            f"Declare a newer kubernetes_version{instead}, one minor a time",
            source,
        )
        for minor, both in ends.items()
        for on, plan, instead in zip(both, ("", " LTS"), (" (or long-term support)", ""))
    )


_NO_NEW = "no support, no security updates and no new node pools"
_NO_IMAGES = "node images are removed: node pools cannot be scaled or repaired"
_NEWER_UBUNTU = "Take os_sku Ubuntu with Kubernetes 1.35 or later, or Ubuntu2404"
_NEWER_WINDOWS = "Make a pool with os_sku Windows2025, and move the workloads"
_OTHER_LINUX = "Make a pool with os_sku AzureLinux or Ubuntu, and move the workloads"
_AL2 = f"{_AKS}/issues/4988"
_FLATCAR = "https://aka.ms/aks/flatcar-preview-retirement-github"
_OS_GUARD = f"{_AKS}/releases/tag/2026-09-04"
_ANNUAL = "https://aka.ms/aks/windows-annual-channel-retirement"
_UBUNTU_2204 = f"{_UPDATES}/?id=557928"
_GATEWAY = f"{_LEARN}/app-routing-nginx-to-gateway-api-migration"

CALENDAR: tuple[Retirement, ...] = (
    *_versions(),
    Retirement(
        date(2025, 6, 17),
        NODE_OS,
        "Ubuntu 18.04",
        _NO_IMAGES,
        _NEWER_UBUNTU,
        "https://docs.azure.cn/ko-kr/aks/upgrade-os-version",
        bars=True,
    ),
    Retirement(date(2027, 3, 17), NODE_OS, "Ubuntu 20.04", _NO_IMAGES, _NEWER_UBUNTU, f"{_AKS}/issues/4874", bars=True),
    Retirement(date(2027, 6, 30), NODE_OS, "Ubuntu 22.04", _NO_NEW, _NEWER_UBUNTU, _UBUNTU_2204, bars=True),
    Retirement(date(2028, 4, 30), NODE_OS, "Ubuntu 22.04", _NO_IMAGES, _NEWER_UBUNTU, _UBUNTU_2204, bars=True),
    Retirement(
        date(2025, 11, 30),
        NODE_OS,
        "Azure Linux 2.0",
        "no support and no security updates",
        "Upgrade to Kubernetes 1.32 or later, or take os_sku AzureLinux3",
        _AL2,
    ),
    Retirement(
        date(2026, 3, 31),
        NODE_OS,
        "Azure Linux 2.0",
        _NO_IMAGES,
        "Upgrade to Kubernetes 1.32 or later, or take os_sku AzureLinux3",
        _AL2,
        bars=True,
    ),
    Retirement(date(2026, 6, 8), NODE_OS, "Flatcar", _NO_NEW, _OTHER_LINUX, _FLATCAR, bars=True),
    Retirement(date(2026, 9, 8), NODE_OS, "Flatcar", _NO_IMAGES, _OTHER_LINUX, _FLATCAR, bars=True),
    Retirement(date(2026, 12, 10), NODE_OS, "Azure Linux with OS Guard", _NO_NEW, _OTHER_LINUX, _OS_GUARD, bars=True),
    Retirement(date(2027, 3, 10), NODE_OS, "Azure Linux with OS Guard", _NO_IMAGES, _OTHER_LINUX, _OS_GUARD, bars=True),
    Retirement(date(2026, 3, 1), NODE_OS, "Windows Server 2019", "no support", _NEWER_WINDOWS, f"{_AKS}/issues/4091"),
    Retirement(
        date(2027, 4, 1), NODE_OS, "Windows Server 2019", _NO_IMAGES, _NEWER_WINDOWS, f"{_AKS}/issues/4091", bars=True
    ),
    Retirement(date(2028, 6, 30), NODE_OS, "Windows Server 2022", "no support", _NEWER_WINDOWS, f"{_AKS}/issues/4168"),
    Retirement(
        date(2029, 6, 30), NODE_OS, "Windows Server 2022", _NO_IMAGES, _NEWER_WINDOWS, f"{_AKS}/issues/4168", bars=True
    ),
    Retirement(
        date(2026, 5, 15), NODE_OS, "Windows Server Annual Channel", _NO_NEW, _NEWER_WINDOWS, _ANNUAL, bars=True
    ),
    Retirement(
        date(2027, 5, 15), NODE_OS, "Windows Server Annual Channel", _NO_IMAGES, _NEWER_WINDOWS, _ANNUAL, bars=True
    ),
    Retirement(
        date(2028, 3, 31),
        NETWORK_PLUGIN,
        "kubenet",
        "no support of clusters with it",
        "Set plugin: azure and plugin_mode: overlay in aks_cluster_network",
        f"{_AKS}/issues/4859",
    ),
    Retirement(
        date(2026, 9, 30),
        NETWORK_POLICY,
        "azure on Windows",
        "no support and no security updates of the policy manager",
        "Use network security groups, or policy: calico",
        f"{_UPDATES}?id=500273",
    ),
    Retirement(
        date(2028, 9, 30),
        NETWORK_POLICY,
        "azure on Linux",
        "no support of the policy manager",
        "Set policy: cilium (networkDataplane cilium) in aks_cluster_network",
        f"{_UPDATES}?id=500268",
    ),
    Retirement(
        date(2025, 9, 30),
        LOAD_BALANCER,
        "Basic",
        "no support of clusters with it",
        "Upgrade it: https://learn.microsoft.com/azure/load-balancer/load-balancer-basic-upgrade-guidance",
        f"{_AKS}/issues/5020",
        bars=True,
    ),
    Retirement(
        date(2025, 9, 30),
        POOL_TYPE,
        "AvailabilitySet",
        "no support of clusters with it; from 2026-09-30 AKS migrates them by itself",
        "az aks update --migrate-vmas-to-vms",
        f"{_AKS}/issues/5021",
        bars=True,
    ),
    Retirement(
        date(2026, 11, 30),
        ADDON,
        "application routing with NGINX",
        "no more security patches",
        "Move to the Gateway API implementation of application routing",
        _GATEWAY,
    ),
    Retirement(
        date(2027, 9, 30),
        ADDON,
        "Open Service Mesh",
        "no support",
        "Move to the Istio add-on (serviceMeshProfile)",
        "https://github.com/MicrosoftDocs/azure-aks-docs/blob/main/articles/aks/includes/open-service-mesh-retirement.md",
    ),
    Retirement(
        date(2025, 3, 3),
        ADDON,
        "HTTP application routing",
        "it works with no version of Kubernetes that is supported",
        "Move to the Gateway API implementation of application routing",
        f"{_LEARN}/http-application-routing",
        bars=True,
    ),
    Retirement(
        date(2025, 9, 30),
        ADDON,
        "pod-managed identity",
        "no patches and no support",
        "Move to workload identity (aks_cluster_workload_identity, aks_cluster_federated_credentials)",
        f"{_LEARN}/use-azure-ad-pod-identity",
    ),
    Retirement(
        date(2023, 12, 1),
        LOGIN,
        "Azure AD integration (legacy)",
        "AKS migrates such clusters by itself, and none can be made",
        "Set managed: true in aadProfile, and no application of your own",
        f"{_AKS}/releases/tag/2023-10-01",
        bars=True,
    ),
    Retirement(
        date(2026, 9, 14),
        POOL_PROPERTY,
        "enableCustomCATrust",
        "it has no effect any more, and scaling may fail",
        "Remove it, and set securityProfile.customCATrustCertificates of the cluster",
        f"{_AKS}/issues/5826",
    ),
    Retirement(
        date(2027, 4, 1),
        POOL_TAG,
        "aks-disable-kubelet-serving-certificate-rotation",
        "it has no effect any more: the certificates of kubelets are rotated",
        "Let workloads trust the new certificates, and remove the tag",
        f"{_AKS}/issues/5539",
    ),
    Retirement(
        date(2026, 3, 31),
        CHART,
        "ingress-nginx",
        "no releases and no security fixes of the project",
        "Move to an implementation of the Gateway API",
        "https://www.kubernetes.dev/blog/2025/11/12/ingress-nginx-retirement/",
    ),
)

_PREVIEW = re.compile(r"(\d{4}-\d\d-\d\d)-preview", re.IGNORECASE)
_QUARTER = timedelta(days=92)


def preview_version(resource_type: str, api_version: str, today: date) -> str:
    """What is to be said of a declared api-version of AKS that is a preview; empty where it is none, or is young.

    Preview versions end about a year after the day in their name, and are to be replaced every six to nine months
    (https://learn.microsoft.com/azure/aks/concepts-preview-api-life-cycle). Other services have no such rule.
    """
    found = _PREVIEW.fullmatch(api_version)
    if found is None or not resource_type.lower().startswith("microsoft.containerservice/"):
        return ""
    try:
        released = date.fromisoformat(found[1])
    except ValueError:
        return ""
    leap = (released.month, released.day) == (2, 29)
    end = date(released.year + 1, 3, 1) if leap else released.replace(year=released.year + 1)
    if today < end - _QUARTER:
        return ""
    words = "works" if today < end else "worked"
    then = "then" if today < end else "now"
    return (
        f"api_version {api_version} of {resource_type} {words} until about {end}, as previews of AKS do for a year; "
        f"the service refuses it {then} (InvalidApiVersionParameter). Leave api_version out, or take a newer one "
        f"({_LEARN}/concepts-preview-api-life-cycle)"
    )
