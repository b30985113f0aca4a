# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How AKS reads what it is sent: spellings that are equal, what it takes no change of, what it only answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm.bodies import ARM_DEFAULT, arm_value, envelope_rules
from ansible_collections.mcpops.platform.plugins.module_utils.compare import Rule, Rules, as_set, case_insensitive
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Refusal

POOLS = "properties.agentPoolProfiles"
_ANY_CASE = Rule(case_insensitive, empty_is_absent=True)
_SET = Rule(as_set, empty_is_absent=True)

# the first row that matches a path wins
_TABLE = {
    "identity.userAssignedIdentities": Rule(purge=True, empty_is_absent=True),
    # keys with slashes need the double star; an empty object stands for an identity, and "" for a label's value
    "identity.userAssignedIdentities.**": Rule(arm_value),
    "properties.networkProfile.networkPlugin": _ANY_CASE,
    "properties.networkProfile.networkPluginMode": _ANY_CASE,
    "properties.networkProfile.networkPolicy": _ANY_CASE,
    "properties.networkProfile.networkDataplane": _ANY_CASE,
    "properties.networkProfile.outboundType": _ANY_CASE,
    "properties.networkProfile.loadBalancerSku": _ANY_CASE,
    "properties.apiServerAccessProfile.authorizedIPRanges": _SET,
    "properties.autoUpgradeProfile.*": _ANY_CASE,
    "properties.supportPlan": _ANY_CASE,
    POOLS: Rule(key="name", keep_others=True),
    f"{POOLS}.*.mode": _ANY_CASE,
    f"{POOLS}.*.vmSize": _ANY_CASE,
    f"{POOLS}.*.osDiskType": _ANY_CASE,
    f"{POOLS}.*.osSKU": _ANY_CASE,
    f"{POOLS}.*.osType": _ANY_CASE,
    f"{POOLS}.*.type": _ANY_CASE,
    f"{POOLS}.*.scaleDownMode": _ANY_CASE,
    f"{POOLS}.*.nodeTaints": _SET,
    f"{POOLS}.*.availabilityZones": _SET,
    f"{POOLS}.*.nodeLabels": Rule(empty_is_absent=True),
    f"{POOLS}.*.nodeLabels.**": Rule(),
    f"{POOLS}.*.tags.*": Rule(),
}

# what a GET answers and a PUT does not take: the read-only fields of the SDK's models (a test compares)
READ_ONLY = (
    "id",
    "name",
    "type",
    "systemData",
    "eTag",
    "identity.principalId",
    "identity.tenantId",
    "identity.userAssignedIdentities.*.principalId",
    "identity.userAssignedIdentities.*.clientId",
    "properties.provisioningState",
    "properties.powerState",
    "properties.maxAgentPools",
    "properties.currentKubernetesVersion",
    "properties.fqdn",
    "properties.privateFQDN",
    "properties.azurePortalFQDN",
    "properties.resourceUID",
    "properties.oidcIssuerProfile.issuerURL",
    "properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs",
    "properties.networkProfile.natGatewayProfile.effectiveOutboundIPs",
    f"{POOLS}.*.eTag",
    f"{POOLS}.*.currentOrchestratorVersion",
    f"{POOLS}.*.provisioningState",
)


@dataclass(frozen=True)
class _Fixed:
    """A place AKS takes no change of; `unless` lists (before, after) that it does take."""

    pattern: str
    remedy: str
    unless: tuple[tuple[str, str], ...] = ()


_KEEP = "Declare what stands, or create a new cluster beside it and move over"
_RENEW = "Declare what stands, or add a pool of another name with it and remove this one"
_POOL = r"properties\.agentPoolProfiles\[[^]]+\]\."
_FIXED = (
    _Fixed(r"location", _KEEP),
    _Fixed(r"properties\.(dnsPrefix|fqdnSubdomain|nodeResourceGroup|enableRBAC|diskEncryptionSetID)", _KEEP),
    _Fixed(r"properties\.networkProfile\.networkPlugin", _KEEP, (("kubenet", "azure"),)),
    _Fixed(r"properties\.networkProfile\.(serviceCidrs?|dnsServiceIP|podCidrs?|loadBalancerSku)(\[.*)?", _KEEP),
    _Fixed(r"properties\.linuxProfile\.adminUsername", _KEEP),
    _Fixed(r"properties\.apiServerAccessProfile\.enablePrivateCluster", _KEEP),
    _Fixed(
        r"properties\.oidcIssuerProfile\.enabled",
        "The OIDC issuer cannot be turned off: declare true, or leave it out",
        (("false", "true"), ("(absent)", "true")),
    ),
    _Fixed(
        r"identity\.type",
        "Declare the present type; only a system-assigned identity can become a user-assigned one",
        (("systemassigned", "userassigned"), ("none", "systemassigned"), ("(absent)", "systemassigned")),
    ),
    _Fixed(
        _POOL + r"(vmSize|osDiskSizeGB|osDiskType|kubeletDiskType|maxPods|availabilityZones|vnetSubnetID|podSubnetID"
        r"|enableNodePublicIP|enableEncryptionAtHost|enableUltraSSD|enableFIPS|osType|scaleSetPriority|spotMaxPrice"
        r"|proximityPlacementGroupID|capacityReservationGroupID|hostGroupID|gpuInstanceProfile)",
        _RENEW,
    ),
    _Fixed(_POOL + r"(kubeletConfig|linuxOSConfig|creationData|gpuProfile)(\..*)?", _RENEW),
    _Fixed(_POOL + r"osSKU", _RENEW, (("ubuntu", "azurelinux"), ("azurelinux", "ubuntu"))),
)


def cluster_rules(purge_tags: bool) -> Rules:
    return Rules({**envelope_rules(purge_tags), **_TABLE}, ARM_DEFAULT)


def refusals(changes: list[Change]) -> list[Refusal]:
    """The changes that AKS would answer with PropertyChangeNotAllowed, found without asking it."""
    found = []
    for change in changes:
        for row in _FIXED:
            if re.fullmatch(row.pattern, change.path) and _word(change) not in row.unless:
                found.append(Refusal(change.path, change.before, change.after, row.remedy))
    return found


def _word(change: Change) -> tuple[str, str]:
    return _spoken(change.before), _spoken(change.after)


def _spoken(value: Any) -> str:
    return "(absent)" if value is ABSENT else str(value).lower()
