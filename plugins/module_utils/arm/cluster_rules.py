# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How AKS reads what it is sent: spellings that are equal, and what it takes no change of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm.bodies import ARM_DEFAULT, arm_value, envelope_rules
from ansible_collections.mcpops.platform.plugins.module_utils.arm.typed_values import paths_of
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
    "properties.apiServerAccessProfile.authorizedIPRanges": _SET,
    POOLS: Rule(key="name", keep_others=True),
    f"{POOLS}.*.vmSize": _ANY_CASE,
    f"{POOLS}.*.nodeTaints": _SET,
    f"{POOLS}.*.availabilityZones": _SET,
    f"{POOLS}.*.nodeLabels": Rule(empty_is_absent=True),
    f"{POOLS}.*.nodeLabels.**": Rule(),
    f"{POOLS}.*.tags.*": Rule(),
    # a value of a known set: the service reads it in any case
    **dict.fromkeys(paths_of("ManagedCluster", "e"), _ANY_CASE),
}


@dataclass(frozen=True)
class _Fixed:
    """A place AKS takes no change of; `unless` lists (before, after) that it does take."""

    pattern: str
    remedy: str
    unless: tuple[tuple[str, str], ...] = ()


_KEEP = "Set it back to the current value, or create a second cluster and migrate"
_RENEW = "Set it back to the current value, or add a pool of another name and remove this one"
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
        "Declare the current type; only a system-assigned identity can become a user-assigned one",
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


@cache
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
