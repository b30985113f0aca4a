# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The identity of ARM resources: names, ids, the api-version of each type.

And the tags that say who owns a resource.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Check, Problem, Rule
from ..plan import Refusal

RESOURCE_GROUPS = "Microsoft.Resources/resourceGroups"
MANAGED_CLUSTERS = "Microsoft.ContainerService/managedClusters"
AGENT_POOLS = f"{MANAGED_CLUSTERS}/agentPools"
ROLE_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
ROLE_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
FEDERATED_CREDENTIALS = f"{IDENTITIES}/federatedIdentityCredentials"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
WORKSPACES = "Microsoft.OperationalInsights/workspaces"
FLEXIBLE_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
SERVER_DATABASES = f"{FLEXIBLE_SERVERS}/databases"
SERVER_FIREWALL_RULES = f"{FLEXIBLE_SERVERS}/firewallRules"
SERVER_CONFIGURATIONS = f"{FLEXIBLE_SERVERS}/configurations"
PUBLIC_ADDRESSES = "Microsoft.Network/publicIPAddresses"
DNS_ZONES, PRIVATE_DNS_ZONES = "Microsoft.Network/dnsZones", "Microsoft.Network/privateDnsZones"

# how a Service tells Azure's cloud provider which load balancer it wants
# (https://learn.microsoft.com/azure/aks/load-balancer-standard, .../internal-lb)
_AZURE = "service.beta.kubernetes.io/azure-"
INTERNAL = f"{_AZURE}load-balancer-internal"
INTERNAL_ADDRESS = f"{_AZURE}load-balancer-ipv4"
PIP_NAME = f"{_AZURE}pip-name"
PIP_GROUP = f"{_AZURE}load-balancer-resource-group"
DNS_LABEL = f"{_AZURE}dns-label-name"
RANGES = f"{_AZURE}allowed-ip-ranges"

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
    # no stable one has the runs
    "microsoft.containerregistry/registries/runs": "2019-06-01-preview",
    "microsoft.managedidentity/userassignedidentities": "2024-11-30",
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials": "2024-11-30",
    "microsoft.kubernetesconfiguration/extensions": "2025-03-01",
    "microsoft.authorization/permissions": "2022-04-01",
    "microsoft.features/features": "2021-07-01",
    "microsoft.operationalinsights/workspaces": "2025-07-01",
    "microsoft.dbforpostgresql/flexibleservers": "2026-10-01",
    "microsoft.dbforpostgresql/flexibleservers/databases": "2026-10-01",
    "microsoft.dbforpostgresql/flexibleservers/firewallrules": "2026-10-01",
    "microsoft.dbforpostgresql/flexibleservers/configurations": "2026-10-01",
    "microsoft.network/publicipaddresses": "2026-03-01",
    "microsoft.network/dnszones": "2018-05-01",
    "microsoft.network/dnszones/a": "2018-05-01",
    "microsoft.network/privatednszones": "2024-06-01",
    "microsoft.network/privatednszones/a": "2024-06-01",
    "microsoft.authorization/roleassignments": "2022-04-01",
    "microsoft.authorization/roledefinitions": "2022-04-01",
}


# type (lower case): the pattern of its names, and what that says
_RULES: dict[str, tuple[str, str]] = {
    "microsoft.resources/resourcegroups": (
        r"[\w().-]{0,89}[\w()-]",
        "1 to 90 letters, digits, _ - . ( ), not ending with a period",
    ),
    "microsoft.containerservice/managedclusters": (
        r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?",
        "1 to 63 letters, digits, _ and -, starting and ending with a letter or digit",
    ),
    "microsoft.containerregistry/registries": (r"[a-zA-Z0-9]{5,50}", "5 to 50 letters and digits"),
    "microsoft.managedidentity/userassignedidentities": (
        r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}",
        "3 to 128 letters, digits, _ and -, starting with a letter or digit",
    ),
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials": (
        r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,119}",
        "3 to 120 letters, digits, _ and -, starting with a letter or digit",
    ),
    "microsoft.operationalinsights/workspaces": (
        r"[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]",
        "4 to 63 letters, digits and -, not at the ends",
    ),
    "microsoft.dbforpostgresql/flexibleservers": (
        r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        "3 to 63 lower-case letters, digits and -, not at the ends",
    ),
    "microsoft.dbforpostgresql/flexibleservers/databases": (
        r"[a-zA-Z_][a-zA-Z0-9_-]{0,62}",
        "1 to 63 letters, digits, _ and -, starting with a letter or _",
    ),
    "microsoft.dbforpostgresql/flexibleservers/firewallrules": (
        r"[a-zA-Z0-9_-]{1,128}",
        "1 to 128 letters, digits, _ and -",
    ),
    "microsoft.network/publicipaddresses": (
        r"[a-zA-Z0-9]([\w.-]{0,78}\w)?",
        "1 to 80 letters, digits, _ . and -, starting with a letter or digit, not ending with . or -",
    ),
    "microsoft.containerservice/fleets": (
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "1 to 63 lower-case letters, digits and -, not at the ends",
    ),
}
_ANY_NAME = (r"[^<>%&\\?/#]{1,260}", "1 to 260 characters, none of < > % & \\ ? / #")


def name_problems(path: str, resource_type: str, name: str) -> list[Problem]:
    """What is wrong with `name` for this type, before a service has to say it."""
    pattern, sentence = _RULES.get(resource_type.lower(), _ANY_NAME)
    if re.fullmatch(pattern, name):
        return []
    return [Problem(path, f"{name!r} is not a valid name for {resource_type}: it takes {sentence}")]


def nested_name_problems(path: str, resource_type: str, name: str) -> list[Problem]:
    """The same of `parent/child`, each part by the rule of its own type."""
    namespace, *kinds = resource_type.split("/")
    types = ["/".join([namespace, *kinds[: depth + 1]]) for depth in range(len(kinds))]
    return [problem for kind, part in zip(types, name.split("/")) for problem in name_problems(path, kind, part)]


def id_problems(path: str, resource_id: ResourceId) -> list[Problem]:
    """What is wrong with the names in an id."""
    group = name_problems(path, RESOURCE_GROUPS, resource_id.group) if resource_id.group else []
    return group + (nested_name_problems(path, resource_id.type, resource_id.name) if not group else [])


def name_rule(option: str, resource_type: str) -> Rule[Mapping[str, Any]]:
    """The same of an option that may be left out or empty."""
    return lambda params: name_problems(option, resource_type, params[option]) if params.get(option) else []


def group_path(name: str) -> str:
    """The id of a group without its subscription."""
    return f"/resourceGroups/{name}"


def cluster_path(resource_group: str, name: str) -> str:
    """The id of a cluster without its subscription."""
    return f"{group_path(resource_group)}/providers/{MANAGED_CLUSTERS}/{name}"


def group_id(subscription_id: str, name: str) -> str:
    return f"/subscriptions/{subscription_id}{group_path(name)}"


def cluster_id(subscription_id: str, resource_group: str, name: str) -> str:
    return f"/subscriptions/{subscription_id}{cluster_path(resource_group, name)}"


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


COLLECTION_TAG = "mcpops-collection"
HOST_TAG = "mcpops-host"
ENVIRONMENT_TAG = "mcpops-environment"
MARKS = (COLLECTION_TAG, HOST_TAG, ENVIRONMENT_TAG)
COLLECTION = "mcpops.platform"
MARK = {COLLECTION_TAG: COLLECTION}
"""On resource groups that are created without an owner: who created one may delete it the same way."""
_UNTAGGED = "it has no tag that says that this collection created it"

# of every module that creates resources; the fragment azure.OWNED documents them
OWNED_OPTIONS: dict[str, Any] = {
    "tags": {"type": "dict"},
    "purge_tags": {"type": "bool", "default": False},
    "owner": {
        "type": "dict",
        "options": {"host": {"type": "str", "required": True}, "environment": {"type": "str"}},
    },
    "force_delete": {"type": "bool", "default": False},
}


NO_OWNER = Check(
    "owner.host",
    lambda params: params.get("owner") and not str(params["owner"].get("host") or "").strip(),
    "is empty: name the host that manages it, or leave owner out",
)

NO_LOCATION = Check(
    "location",
    lambda params: (
        params.get("state") != "absent" and params.get("location") is not None and not str(params["location"]).strip()
    ),
    "is empty: name an Azure region, such as eastus2, or leave location out",
)


@dataclass(frozen=True)
class Owner:
    """The inventory host (and its environment) that manages a resource."""

    host: str
    environment: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Owner | None:
        declared = params.get("owner")
        return cls(declared["host"], declared.get("environment") or "") if declared else None

    def tags(self) -> dict[str, str]:
        tags = {COLLECTION_TAG: COLLECTION, HOST_TAG: self.host}
        return {**tags, ENVIRONMENT_TAG: self.environment} if self.environment else tags

    def __str__(self) -> str:
        return f"{self.host} ({self.environment})" if self.environment else self.host


@dataclass(frozen=True, kw_only=True)
class DeclaredResource:
    """One resource that a task declares; `declared` is its ARM body as far as the task says."""

    id: str
    name: str
    api_version: str
    declared: dict[str, Any] = field(default_factory=dict)
    purge_tags: bool = False
    owner: Owner | None = None
    force_delete: bool = False

    @property
    def subject(self) -> str:
        """What messages call it."""
        return self.name


def owned_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a DeclaredResource that OWNED_OPTIONS stand for."""
    flags = {option: bool(params.get(option)) for option in ("purge_tags", "force_delete")}
    return {**flags, "owner": Owner.from_params(params)}


def owner_of(body: Mapping[str, Any]) -> Owner | None:
    """Who the tags name; ARM keeps the case of a tag's name and ignores it."""
    tags = {str(name).lower(): str(value) for name, value in (body.get("tags") or {}).items()}
    if not tags.get(HOST_TAG):
        return None
    return Owner(tags[HOST_TAG], tags.get(ENVIRONMENT_TAG, ""))


def with_owner(body: Mapping[str, Any], owner: Owner | None) -> dict[str, Any]:
    """A resource to be created, with the tags of its owner."""
    return with_tags(body, owner.tags()) if owner is not None else dict(body)


def with_tags(body: Mapping[str, Any], marks: Mapping[str, str]) -> dict[str, Any]:
    return {**body, "tags": {**body.get("tags", {}), **marks}}


def is_marked(body: Mapping[str, Any]) -> bool:
    """Whether this collection created it, for whomever."""
    tags = {str(name).lower(): str(value) for name, value in (body.get("tags") or {}).items()}
    return tags.get(COLLECTION_TAG) == COLLECTION


def other_owner_notes(subject: str, body: Mapping[str, Any], owner: Owner | None, kind: str) -> list[str]:
    """What is said where the tags of a declared resource name another owner."""
    found = owner_of(body) if owner is not None else None
    if found is None or found == owner:
        return []
    return [f"{subject} carries the tags of inventory host {found}: two hosts declare one {kind}"]


def ownership_warnings(subject: str, body: Mapping[str, Any] | None, owner: Owner | None) -> list[str]:
    """What is wrong with the tags of a resource that `owner` declares: they name another owner, or none."""
    if body is None or owner is None:
        return []
    found = owner_of(body)
    if found is None:
        return [
            f"{subject} carries no ownership tags: it was created otherwise, or they were removed. Teardown will leave "
            f"it alone; to own it, tag it {', '.join(f'{name}={value}' for name, value in owner.tags().items())}."
        ]
    if found != owner:
        return [
            f"{subject} carries the tags of inventory host {found}, and {owner} declares it, too: "
            "they will undo each other's changes. Let one host declare it, or correct its tags."
        ]
    return []


def refuse_deletion(body: Mapping[str, Any], owner: Owner | None, force_delete: bool, always: bool) -> list[Refusal]:
    """Why this resource must not be deleted. `always`: without `owner`, too, one that is not ours needs force."""
    found = owner_of(body)
    name = str(body.get("name") or body.get("id") or "")
    if found is not None and found != owner:
        asked = f"for {owner}" if owner is not None else "without an owner"
        sentence = f"will not be deleted {asked}: it belongs to inventory host {found}"
        return [Refusal.because(name, sentence, "Delete it from that host, or set owner to it")]
    if found is None and owner is not None and is_marked(body) and not force_delete:
        sentence = f"will not be deleted for {owner}: it was created without an owner"
        return [Refusal.because(name, sentence, "Delete it without owner, or set force_delete to true")]
    if found is None and not force_delete and (owner is not None or (always and not is_marked(body))):
        remedy = "Set force_delete to true to delete it all the same (site_teardown_force_delete in the playbook)"
        return [Refusal.because(name, f"will not be deleted: {_UNTAGGED}", remedy)]
    return []


def refuse_deletion_along(body: Mapping[str, Any], owner: Owner | None, force_delete: bool) -> list[Refusal]:
    """Why a resource group must not be deleted along: another host owns it, or it has no tag of ours."""
    name = str(body.get("id") or body.get("name"))
    found = owner_of(body)
    if found is not None and found != owner:
        sentence = f"would be deleted with the group, and belongs to inventory host {found}"
        return [Refusal.because(name, sentence, "Tear that host down first")]
    if found is None and not force_delete:
        remedy = "Delete or move it first, or set force_delete to true (site_teardown_force_delete in the playbook)"
        return [Refusal.because(name, f"would be deleted with the group: {_UNTAGGED}", remedy)]
    return []
