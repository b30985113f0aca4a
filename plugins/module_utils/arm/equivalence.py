# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AKS treats as equal although it reads differently, by the type and the place of a field in Microsoft's models.

Known sets ignore case, lists are sets, ranges and sizes have several spellings, defaults are not answered, and some
values of a declaration are to be read as they stand already (versions, keys of add-ons, the taint of Spot).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..compare import Equal, Rule, Rules, case_insensitive, exact, location
from ..plan import ABSENT
from .compare import ARM_DEFAULT, READ_ONLY, arm_value, model_fields, with_current_spelling
from .fields import MODELS

RECORDED = "recorded traffic of azure-cli and Azure Service Operator (2020 to 2026)"
SDK = "azure-mgmt-containerservice 41.8"
KUBERNETES = "Kubernetes reads both alike"

_POOLS = ("ManagedClusterAgentPoolProfile", "AgentPoolManagedClusterAgentPoolProfileProperties")
_NETWORK = "ContainerServiceNetworkProfile"


# --- values


def text(current: Any, declared: Any) -> bool:
    """As any text of ARM; true and false may be written as Python writes them."""
    if arm_value(current, declared):
        return True
    both = {str(current).lower(), str(declared).lower()}
    return both in ({"true"}, {"false"})


def address_range(current: Any, declared: Any) -> bool:
    """`10.1.2.3` is `10.1.2.3/32`, and bits below the prefix do not count."""
    have, want = _network(current), _network(declared)
    return arm_value(current, declared) if have is None or want is None else have == want


def _network(value: Any) -> Any:
    try:
        return ipaddress.ip_network(str(value).strip(), strict=False)
    except ValueError:
        return None


def number_range(current: Any, declared: Any) -> bool:
    """`32768 60999`, whatever is between the numbers."""
    return re.findall(r"\d+", str(current)) == re.findall(r"\d+", str(declared))


def taint(current: Any, declared: Any) -> bool:
    """`key:NoSchedule` is `key=:NoSchedule`."""
    return _taint(current) == _taint(declared)


def _taint(value: Any) -> tuple[str, str, str]:
    named, _colon, effect = str(value).rpartition(":")
    key, _sign, content = named.partition("=")
    return key, content, effect


@dataclass(frozen=True)
class Form:
    """How the values of a field compare, and who says so."""

    equal: Equal
    source: str


def _forms(form: Form, *places: str) -> dict[str, Form]:
    return dict.fromkeys(places, form)


def _of_pools(form: Form, *names: str) -> dict[str, Form]:
    return {f"{model}.{name}": form for model in _POOLS for name in names}


_IDS_IN_ANY_CASE = Form(case_insensitive, "ids of Entra are GUIDs: hexadecimal digits")
FORMS: dict[str, Form] = {
    **_forms(
        Form(address_range, f"ranges are answered as networks, /32 for an address; {SDK}: 'specified in CIDR format'"),
        "ManagedClusterAPIServerAccessProfile.authorizedIPRanges",
        *(f"{_NETWORK}.{name}" for name in ("podCidr", "podCidrs", "serviceCidr", "serviceCidrs", "dnsServiceIP")),
    ),
    **_forms(
        Form(case_insensitive, f"`System` is answered as `system`: {RECORDED}"),
        "ManagedClusterAPIServerAccessProfile.privateDNSZone",
    ),
    **_of_pools(Form(case_insensitive, f"answered in lower case: {RECORDED}"), "vmSize"),
    **_forms(
        Form(case_insensitive, f"sizes are answered in lower case: {RECORDED}"),
        *(f"{model}.size" for model in ("AutoScaleProfile", "ManualScaleProfile", "VirtualMachineNodes")),
    ),
    **_of_pools(Form(taint, KUBERNETES), "nodeTaints"),
    **_forms(Form(number_range, "the kernel reads any white space"), "SysctlConfig.netIpv4IpLocalPortRange"),
    **_forms(
        Form(case_insensitive, f"a known set without a type of its own in {SDK}: 'Allowed values are'"),
        "KubeletConfig.cpuManagerPolicy",
        "KubeletConfig.topologyManagerPolicy",
        "LinuxOSConfig.transparentHugePageDefrag",
        "LinuxOSConfig.transparentHugePageEnabled",
    ),
    **_forms(
        _IDS_IN_ANY_CASE,
        *(
            f"ManagedClusterAADProfile.{name}"
            for name in ("adminGroupObjectIDs", "clientAppID", "serverAppID", "tenantID")
        ),
        "ManagedClusterServicePrincipalProfile.clientId",
        *(f"UserAssignedIdentity.{name}" for name in ("clientId", "objectId", "resourceId")),
    ),
    "ManagedCluster.kind": Form(case_insensitive, "an envelope's key of Resource Manager"),
    "ManagedCluster.location": Form(location, "Resource Manager takes the display name as well"),
    "DelegatedResource.location": Form(location, "Resource Manager takes the display name as well"),
}

ORDERED = frozenset(f"{_NETWORK}.{name}" for name in ("ipFamilies", "podCidrs", "serviceCidrs"))
"""Lists whose first item is the primary one; of all others the order means nothing."""

KEYS_IN_ANY_CASE = {
    "ManagedClusterProperties.addonProfiles": f"omsagent is answered where omsAgent was sent: {RECORDED}",
    "ManagedClusterAddonProfile.config": "logAnalyticsWorkspaceResourceID is read in any case by azure-cli and portal",
    "ManagedClusterProperties.identityProfile": f"answered as kubeletidentity: {RECORDED}",
    "ManagedClusterIdentity.userAssignedIdentities": "ids of resources ignore case",
}

_LITERAL_MAPS = ("tags", "nodeLabels", "podLabels")
"""Free text of the user's: the case counts, and an empty value is one."""

# what a GET may leave out because it is the default: value, and the words of the SDK or another source
_POOL_DEFAULTS: dict[str, tuple[Any, str]] = {
    "scaleSetPriority": ("Regular", f"a regular pool is answered without it: {RECORDED}"),
    "scaleSetEvictionPolicy": ("Delete", "SDK: The default is Delete."),
    "spotMaxPrice": (-1, "SDK: -1 which indicates default price to be up-to on-demand."),
    "osType": ("Linux", "SDK: The default is Linux."),
    "scaleDownMode": ("Delete", "SDK: If not specified, it defaults to Delete."),
    "podIPAllocationMode": ("DynamicIndividual", "SDK: The default is 'DynamicIndividual'."),
}
DEFAULTS: dict[str, tuple[Any, str]] = {
    **{f"{model}.{name}": row for model in _POOLS for name, row in _POOL_DEFAULTS.items()},
    "AgentPoolUpgradeSettings.maxSurge": ("10%", "SDK: If not specified, the default is 10%."),
    "AgentPoolUpgradeSettings.maxUnavailable": ("0", "SDK: If not specified, the default is 0."),
    "AgentPoolUpgradeSettings.drainTimeoutInMinutes": (30, "SDK: the default is 30 minutes."),
    "AgentPoolUpgradeSettings.nodeSoakDurationInMinutes": (0, "SDK: the default is 0 minutes."),
    "KubeletConfig.cpuCfsQuota": (True, "SDK: The default is true."),
    "KubeletConfig.cpuCfsQuotaPeriod": ("100ms", "SDK: The default is '100ms.'"),
    "KubeletConfig.cpuManagerPolicy": ("none", "SDK: The default is 'none'."),
    "KubeletConfig.imageGcHighThreshold": (85, "SDK: The default is 85%."),
    "KubeletConfig.imageGcLowThreshold": (80, "SDK: The default is 80%."),
    "KubeletConfig.topologyManagerPolicy": ("none", "SDK: The default is 'none'."),
    "LinuxOSConfig.transparentHugePageDefrag": ("madvise", "SDK: The default is 'madvise'."),
    "LinuxOSConfig.transparentHugePageEnabled": ("always", "SDK: The default is 'always'."),
    "ManagedClusterAPIServerAccessProfile.privateDNSZone": ("System", "SDK: The default is System."),
    "ManagedClusterAutoUpgradeProfile.nodeOSUpgradeChannel": ("NodeImage", "SDK: The default is NodeImage."),
    "ManagedClusterAutoUpgradeProfile.upgradeChannel": ("none", "SDK: The default is 'none'."),
    "ManagedClusterLoadBalancerProfile.allocatedOutboundPorts": (0, "SDK: The default value is 0 which"),
    "ManagedClusterLoadBalancerProfile.idleTimeoutInMinutes": (30, "SDK: The default value is 30 minutes."),
    "ManagedClusterNATGatewayProfile.idleTimeoutInMinutes": (4, "SDK: The default value is 4 minutes."),
    "ManagedClusterProperties.supportPlan": ("KubernetesOfficial", "SDK: the default is 'KubernetesOfficial'."),
    "ManagedClusterSKU.tier": ("Free", "SDK: If not specified, the default is 'Free'."),
    f"{_NETWORK}.loadBalancerSku": ("standard", "SDK: The default is 'standard'."),
}


# --- rules by the models


class ModelRules(Rules):
    """The rows of a table first, then what the type and the place of a field in `model` say."""

    def __init__(self, table: Mapping[str, Rule], model: str) -> None:
        super().__init__(table, ARM_DEFAULT)
        self._model = model
        self._found: dict[tuple[str, ...], Rule] = {}

    def at(self, route: tuple[str, ...]) -> Rule:
        if route not in self._found:
            row = self.row(route)
            self._found[route] = rule_at(self._model, route) if row is None else row
        return self._found[route]


def rule_at(model: str, route: tuple[str, ...]) -> Rule:
    """How the value at `route` below `model` compares; `*` or any name stands for an item of a list or a map."""
    kind, field = model, ""
    for key in route:
        kind, field = _step(kind, field, key)
    return _rule(kind, field)


def _step(kind: str, field: str, key: str) -> tuple[str, str]:
    """The type at `key` of a value of type `kind`, and the field that it is or is a part of."""
    if kind in MODELS:
        return model_fields(kind).get(key, "x"), f"{kind}.{key}"
    return (kind[1:] if kind.startswith(("[", "{")) else "x"), field


def _below(kind: str, field: str, key: str) -> Rule:
    return _rule(*_step(kind, field, key))


@cache
def _rule(kind: str, field: str) -> Rule:
    if kind in ("x", READ_ONLY):
        return ARM_DEFAULT
    if field.endswith(tuple(f".{name}" for name in _LITERAL_MAPS)):
        return Rule(empty_is_absent=True) if kind.startswith("{") else Rule()
    default = DEFAULTS.get(field, (None, ""))[0]
    return Rule(_equal(kind, field), empty_is_absent=True, false_is_absent=True, default=default)


def _equal(kind: str, field: str) -> Equal:
    if kind.startswith("["):
        return _list(kind[1:], field)
    if kind in MODELS or kind.startswith("{"):
        return _mapping(kind, field)
    if field in FORMS:
        return FORMS[field].equal
    return {"e": case_insensitive, "s": text}.get(kind, exact)


def _list(kind: str, field: str) -> Equal:
    same = _equal(kind, field)

    def equal(current: Any, declared: Any) -> bool:
        if not isinstance(current, list) or not isinstance(declared, list):
            return exact(current, declared)
        if field in ORDERED:
            return len(current) == len(declared) and all(map(same, current, declared))
        if kind in MODELS and len(current) != len(declared):
            return False
        return all(any(same(have, want) for have in current) for want in declared) and all(
            any(same(have, want) for want in declared) for have in current
        )

    return equal


def _mapping(kind: str, field: str) -> Equal:
    """A key that the service added is no difference, nor is one that it left out because it is empty or the default."""

    def equal(current: Any, declared: Any) -> bool:
        if not isinstance(current, Mapping) or not isinstance(declared, Mapping):
            return exact(current, declared)
        return all(_below(kind, field, key).as_declared(current.get(key, ABSENT), declared[key]) for key in declared)

    return equal


# --- the declaration, as it stands already


SPOT = "kubernetes.azure.com/scalesetpriority"
_VERSIONS = (("kubernetesVersion", "currentKubernetesVersion"), ("orchestratorVersion", "currentOrchestratorVersion"))


def as_spelled(current: Any, declared: Mapping[str, Any], model: str) -> dict[str, Any]:
    """`declared` in the words of `current`, where the service takes both for the same.

    Keys in another case, the version that an alias stands for, and the taint that AKS gives to a Spot pool.
    """
    existing = current if isinstance(current, Mapping) else {}
    known = model_fields(model)
    result: dict[str, Any] = {}
    for key, value in declared.items():
        result[key] = _spelled(existing.get(key), value, known.get(key, "x"), f"{model}.{key}")
    for asked, runs in _VERSIONS:
        if asked in result and same_version(str(result[asked]), existing, asked, runs):
            result[asked] = existing[asked]
    if isinstance(result.get("nodeTaints"), list):
        result["nodeTaints"] = [*result["nodeTaints"], *_taints_of_aks(existing, result["nodeTaints"])]
    return result


def _spelled(current: Any, declared: Any, kind: str, field: str) -> Any:
    if isinstance(declared, Mapping):
        if field in KEYS_IN_ANY_CASE:
            declared = with_current_spelling(current, declared)
        if kind in MODELS:
            return as_spelled(current, declared, kind)
        if kind[1:] in MODELS and kind.startswith("{"):
            below = current if isinstance(current, Mapping) else {}
            return {
                name: as_spelled(below.get(name), item, kind[1:]) if isinstance(item, Mapping) else item
                for name, item in declared.items()
            }
    elif isinstance(declared, list) and kind[1:] in _POOLS:
        pools = {str(pool.get("name")).lower(): pool for pool in current or ()}
        return [as_spelled(pools.get(str(item.get("name")).lower()), item, kind[1:]) for item in declared]
    return declared


def same_version(declared: str, existing: Mapping[str, Any], asked: str, runs: str) -> bool:
    """Whether `declared` is what runs: SDK: 'If orchestratorVersion is <major.minor>, this field will contain the full
    <major.minor.patch> version being used', and 'Updating the cluster with the same <major.minor> ... will not trigger
    an upgrade'."""
    alias, running = str(existing.get(asked) or ""), str(existing.get(runs) or "")
    return bool(alias) and (declared in (alias, running) or f"{running or alias}.".startswith(f"{declared}."))


def _taints_of_aks(existing: Mapping[str, Any], declared: list[Any]) -> list[Any]:
    """The taint of Spot, which the service sets whatever was sent (recorded traffic, 2025-07)."""
    if str(existing.get("scaleSetPriority")).lower() != "spot":
        return []
    return [
        found
        for found in existing.get("nodeTaints") or ()
        if _taint(found)[0] == SPOT and not any(taint(found, item) for item in declared)
    ]
