# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and ids of ARM resources, and the api-version each type is spoken to with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem

RESOURCE_GROUPS = "Microsoft.Resources/resourceGroups"
MANAGED_CLUSTERS = "Microsoft.ContainerService/managedClusters"
AGENT_POOLS = f"{MANAGED_CLUSTERS}/agentPools"
ROLE_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
ROLE_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"

# type (lower case): api-version. Each is the stable one that the SDK package of that service speaks (facts: wheels).
API_VERSIONS = {
    "microsoft.resources/resourcegroups": "2025-04-01",
    "microsoft.resources/resources": "2025-04-01",
    "microsoft.resources/providers": "2025-04-01",
    "microsoft.containerservice/managedclusters": "2026-08-01",
    "microsoft.containerservice/managedclusters/agentpools": "2026-08-01",
    "microsoft.containerservice/locations/kubernetesversions": "2026-08-01",
    "microsoft.containerservice/fleets": "2026-06-01",
    "microsoft.compute/skus": "2021-07-01",
    "microsoft.compute/locations/usages": "2026-04-01",
    "microsoft.containerregistry/registries": "2025-11-01",
    "microsoft.managedidentity/userassignedidentities": "2024-11-30",
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials": "2024-11-30",
    "microsoft.kubernetesconfiguration/extensions": "2025-03-01",
    "microsoft.authorization/roleassignments": "2022-04-01",
    "microsoft.authorization/roledefinitions": "2022-04-01",
}


@dataclass(frozen=True)
class NameRule:
    pattern: str
    sentence: str


_GROUP = NameRule(r"[\w().-]{0,89}[\w()-]", "1 to 90 letters, digits, _ - . ( ), not ending with a period")
_RULES = {
    "microsoft.resources/resourcegroups": _GROUP,
    "microsoft.containerservice/managedclusters": NameRule(
        r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?",
        "1 to 63 letters, digits, _ and -, starting and ending with a letter or digit",
    ),
    "microsoft.containerregistry/registries": NameRule(r"[a-zA-Z0-9]{5,50}", "5 to 50 letters and digits"),
    "microsoft.managedidentity/userassignedidentities": NameRule(
        r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}", "3 to 128 letters, digits, _ and -, starting with a letter or digit"
    ),
    "microsoft.containerservice/fleets": NameRule(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and -, not at the ends"
    ),
}
_ANY_NAME = NameRule(r"[^<>%&\\?/#]{1,260}", "1 to 260 characters, none of < > % & \\ ? / #")


def name_problem(path: str, resource_type: str, name: str) -> Problem | None:
    """What is wrong with `name` for this type, before a service has to say it."""
    rule = _RULES.get(resource_type.lower(), _ANY_NAME)
    if re.fullmatch(rule.pattern, name):
        return None
    return Problem(path, f"{name!r} is not a valid name for {resource_type}: it takes {rule.sentence}")


def group_id(subscription_id: str, name: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{name}"


def cluster_id(subscription_id: str, resource_group: str, name: str) -> str:
    return f"{group_id(subscription_id, resource_group)}/providers/{MANAGED_CLUSTERS}/{name}"


def resource_id(subscription_id: str, resource_group: str, resource_type: str, name: str) -> str:
    """The id of `name` (`parent/child` for a nested type) in a group."""
    if resource_type.lower() == RESOURCE_GROUPS.lower():
        return group_id(subscription_id, name)
    namespace, *types = resource_type.split("/")
    path = "/".join(f"{kind}/{part}" for kind, part in zip(types, name.split("/")))
    return f"{group_id(subscription_id, resource_group)}/providers/{namespace}/{path}"


@dataclass(frozen=True)
class ResourceId:
    """An id taken apart; `group` is empty for what belongs to a subscription or another scope."""

    text: str
    subscription: str
    group: str
    type: str
    name: str


def parse_id(text: str) -> ResourceId | None:
    """The parts of an ARM id, None where it is none."""
    parts = text.strip("/").split("/")
    if not text.startswith("/") or len(parts) % 2 or not all(parts):
        return None
    pairs = [(parts[index].lower(), parts[index + 1]) for index in range(0, len(parts), 2)]
    subscription = next((value for key, value in pairs if key == "subscriptions"), "")
    group = next((value for key, value in pairs if key == "resourcegroups"), "")
    providers = [index for index, (key, _value) in enumerate(pairs) if key == "providers"]
    if not providers:
        if len(pairs) == 2 and group and subscription:
            return ResourceId(text, subscription, group, RESOURCE_GROUPS, group)
        return None
    last = providers[-1]
    below = parts[2 * last + 2 :]
    if not below:
        return None
    resource_type = "/".join([pairs[last][1], *below[0::2]])
    return ResourceId(text, subscription, group, resource_type, "/".join(below[1::2]))


def api_version_of(resource_type: str) -> str:
    """The pinned api-version, empty for a type that is not in the table."""
    return API_VERSIONS.get(resource_type.lower(), "")
