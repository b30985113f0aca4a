# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Features of Azure that a subscription has to be registered for: which declared option needs which, and their states.

Each row is from the page that it names (read 2026-08-21). What has become generally available since needs none, so
a preview that is not registered is told and fails nothing; only where the page speaks of no preview it does.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Problem
from . import errors, names
from .client import Arm

_VERSION = names.api_version_of("Microsoft.Features/features")
_AKS = "Microsoft.ContainerService"
_LEARN = "https://learn.microsoft.com/azure/aks"
_NAME = re.compile(r"[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+/[A-Za-z0-9._-]+")

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """A feature (`namespace/name`), the option that needs it and the page that says so."""

    feature: str
    place: str
    source: str
    certain: bool = False


def needs(declared: Body, pools: Sequence[Body]) -> list[Need]:
    """The features that the declaration of a cluster and of its pools needs."""
    properties = declared.get("properties") or {}
    found = [
        Need(f"{_AKS}/{feature}", place, f"{_LEARN}/{page}")
        for feature, place, page, applies in _OF_CLUSTERS
        if applies(properties)
    ]
    found += [
        Need(feature, f"node_pools[{pool.get('name')}].{place}", f"{_LEARN}/{page}", certain)
        for pool in pools
        for feature, place, page, certain, applies in _OF_POOLS
        if applies(pool)
    ]
    windows = any(str(pool.get("osType")).lower() == "windows" for pool in pools)
    if windows and _at(properties, "networkProfile", "networkPolicy") == "azure":
        found.append(Need(f"{_AKS}/WindowsNetworkPolicyPreview", "network.policy", f"{_LEARN}/use-network-policies"))
    return found


def state_of(arm: Arm, feature: str) -> str:
    """Registered, Registering, Pending, NotRegistered, Unregistered; empty where that may not be read."""
    namespace, _slash, name = feature.partition("/")
    path = f"/subscriptions/{arm.subscription_id}/providers/Microsoft.Features/providers/{namespace}/features/{name}"
    action = f"Reading the registration of the feature {feature}"
    response = arm.call("GET", arm.url(path, _VERSION), action)
    if response.status == 403:
        return ""
    if errors.is_absent(response):
        # a feature that has gone: generally available, or withdrawn
        return "NotFound"
    if response.status != 200:
        raise arm.failure(action, response)
    return str(((response.json_or_none() or {}).get("properties") or {}).get("state") or "")


def register_command(feature: str) -> str:
    namespace, _slash, name = feature.partition("/")
    return f"az feature register --namespace {namespace} --name {name}"


def feature_problems(option: str, features: Sequence[str]) -> Iterator[Problem]:
    """What cannot be the name of a feature."""
    for name in dict.fromkeys(features):
        if not _NAME.fullmatch(name):
            yield Problem(option, f"{name!r} is not a valid feature, for example Microsoft.Compute/EncryptionAtHost")


def _at(body: Any, *path: str) -> str:
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return str(body if body is not None else "").lower()


def _service_tags(properties: Body) -> bool:
    ranges = (properties.get("apiServerAccessProfile") or {}).get("authorizedIPRanges") or ()
    return any(not _is_range(str(item)) for item in ranges)


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


_OF_CLUSTERS: tuple[tuple[str, str, str, Callable[[Body], bool]], ...] = (
    (
        "UserDefinedSchedulerConfigurationPreview",
        "properties.schedulerProfile",
        "configure-aks-scheduler",
        lambda body: bool(body.get("schedulerProfile")),
    ),
    (
        "EnablePodIdentityPreview",
        "properties.podIdentityProfile",
        "use-azure-ad-pod-identity",
        lambda body: _at(body, "podIdentityProfile", "enabled") == "true",
    ),
    (
        "AdvancedNetworkingmTLSPreview",
        "properties.networkProfile.advancedNetworking",
        "container-network-security-cilium-mutual-tls-how-to",
        lambda body: (
            _at(body, "networkProfile", "advancedNetworking", "security", "transitEncryption", "type") == "mtls"
        ),
    ),
    (
        "KMSPMKPreview",
        "properties.kubernetesResourceObjectEncryptionProfile",
        "kms-data-encryption",
        lambda body: bool(body.get("kubernetesResourceObjectEncryptionProfile")),
    ),
    (
        "EnableServiceTagAuthorizedIPPreview",
        "properties.apiServerAccessProfile.authorizedIPRanges",
        "api-server-service-tags",
        _service_tags,
    ),
    (
        "ManagedNATGatewayV2Preview",
        "properties.networkProfile.outboundType",
        "nat-gateway",
        lambda body: _at(body, "networkProfile", "outboundType") == "managednatgatewayv2",
    ),
)
_OF_POOLS: tuple[tuple[str, str, str, bool, Callable[[Body], bool]], ...] = (
    (
        "Microsoft.Compute/EncryptionAtHost",
        "properties.enableEncryptionAtHost",
        "enable-host-encryption",
        True,
        lambda pool: _at(pool, "enableEncryptionAtHost") == "true",
    ),
    (
        f"{_AKS}/DisableSSHPreview",
        "properties.securityProfile.sshAccess",
        "manage-ssh-node-access",
        False,
        lambda pool: _at(pool, "securityProfile", "sshAccess") == "disabled",
    ),
    (
        f"{_AKS}/EntraIdSSHPreview",
        "properties.securityProfile.sshAccess",
        "manage-ssh-node-access",
        False,
        lambda pool: _at(pool, "securityProfile", "sshAccess") == "entraid",
    ),
    (
        f"{_AKS}/ManagedGPUExperiencePreview",
        "properties.gpuProfile",
        "aks-managed-gpu-nodes",
        False,
        lambda pool: _at(pool, "gpuProfile", "nvidia", "managementMode") == "managed",
    ),
    (
        f"{_AKS}/AzureLinuxOSGuardPreview",
        "os_sku",
        "create-node-pools",
        False,
        lambda pool: _at(pool, "osSKU") == "azurelinuxosguard",
    ),
    (
        f"{_AKS}/KataCcIsolationPreview",
        "properties.workloadRuntime",
        "deploy-confidential-containers-default-policy",
        False,
        lambda pool: _at(pool, "workloadRuntime") == "kataccisolation",
    ),
)
