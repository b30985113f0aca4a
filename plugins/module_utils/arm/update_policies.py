# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the resources of each type are updated, and how their fields are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..compare import Rule as Comparator
from ..compare import as_set, at_least, case_insensitive
from . import names
from .compare import role_definition

UPDATE_METHODS = ("patch", "put_declared", "put_merged")


@dataclass(frozen=True)
class UpdatePolicy:
    """`etag`: the body's key, sent back as If-Match; of other types what they answer as etag is.

    `children`: what has resources (and eTags) of its own inside the body, and is left out of an update. `tags`: whether
    such resources have tags, and so a mark of whose they are. `model`: the model in `fields` that its body has.
    """

    update_method: str
    etag: str = ""
    immutable: tuple[str, ...] = ("location",)
    location_required: bool = True
    children: tuple[str, ...] = ()
    tags: bool = True
    rules: Mapping[str, Comparator] = field(default_factory=dict)
    model: str = ""


_ROLE = "properties.roleDefinitionId"
_DATABASE_RULES = dict.fromkeys(("properties.charset", "properties.collation"), Comparator(case_insensitive))
UPDATE_POLICIES: dict[str, UpdatePolicy] = {
    names.RESOURCE_GROUPS.lower(): UpdatePolicy("put_merged", immutable=("location", "managedBy")),
    names.MANAGED_CLUSTERS.lower(): UpdatePolicy(
        "put_merged", "eTag", children=("properties.agentPoolProfiles",), model="ManagedCluster"
    ),
    names.AGENT_POOLS.lower(): UpdatePolicy(
        "put_merged", "eTag", immutable=(), location_required=False, tags=False, model="AgentPool"
    ),
    # a PUT of the same name may change description and condition only (RoleAssignmentUpdateNotPermitted)
    names.ROLE_ASSIGNMENTS.lower(): UpdatePolicy(
        "put_merged",
        immutable=(_ROLE, "properties.principalId", "properties.principalType", "properties.scope"),
        location_required=False,
        tags=False,
        rules={
            _ROLE: Comparator(role_definition),
            "properties.scope": Comparator(case_insensitive),
            "properties.principalId": Comparator(case_insensitive),
            "properties.principalType": Comparator(case_insensitive),
        },
    ),
    names.ROLE_DEFINITIONS.lower(): UpdatePolicy("put_merged", immutable=(), location_required=False, tags=False),
    names.IDENTITIES.lower(): UpdatePolicy("put_merged"),
    names.FEDERATED_CREDENTIALS.lower(): UpdatePolicy(
        "put_declared",
        immutable=(),
        location_required=False,
        tags=False,
        # compared to the letter, as the token service does
        rules={"properties.issuer": Comparator(), "properties.subject": Comparator()},
    ),
    names.REGISTRIES.lower(): UpdatePolicy(
        "patch",
        immutable=("location", "properties.zoneRedundancy"),
        rules={
            place: Comparator(case_insensitive)
            for place in (
                "properties.publicNetworkAccess",
                "properties.roleAssignmentMode",
                "properties.zoneRedundancy",
            )
        },
    ),
    # its PATCH takes less than its PUT (ServerForPatch): what it has not stays as it was made
    names.FLEXIBLE_SERVERS.lower(): UpdatePolicy(
        "patch",
        immutable=("location", "properties.administratorLogin"),
        rules={
            "sku.tier": Comparator(case_insensitive),
            "properties.storage.autoGrow": Comparator(case_insensitive),
            # what has grown, by itself or by hand, never shrinks
            "properties.storage.storageSizeGB": Comparator(at_least),
            "properties.network.publicNetworkAccess": Comparator(case_insensitive),
        },
    ),
    names.SERVER_DATABASES.lower(): UpdatePolicy(
        "put_declared", immutable=tuple(_DATABASE_RULES), location_required=False, tags=False, rules=_DATABASE_RULES
    ),
    names.SERVER_FIREWALL_RULES.lower(): UpdatePolicy(
        "put_declared", immutable=(), location_required=False, tags=False
    ),
    # a parameter is always there, with the value of the server's making
    names.SERVER_CONFIGURATIONS.lower(): UpdatePolicy(
        "patch",
        immutable=(),
        location_required=False,
        tags=False,
        rules={"properties.value": Comparator(case_insensitive)},
    ),
    # its PATCH takes tags alone
    names.PUBLIC_ADDRESSES.lower(): UpdatePolicy(
        "put_merged",
        immutable=("location", "zones", "sku.name", "properties.publicIPAddressVersion"),
        rules={
            "zones": Comparator(as_set),
            **dict.fromkeys(
                ("sku.name", "properties.publicIPAllocationMethod", "properties.publicIPAddressVersion"),
                Comparator(case_insensitive),
            ),
        },
    ),
    **dict.fromkeys((names.DNS_ZONES.lower(), names.PRIVATE_DNS_ZONES.lower()), UpdatePolicy("put_merged")),
    # of a record set a PUT replaces all: what is not declared, such as its metadata, is sent as it stands
    **dict.fromkeys(
        (f"{names.DNS_ZONES}/A".lower(), f"{names.PRIVATE_DNS_ZONES}/A".lower()),
        UpdatePolicy("put_merged", immutable=(), location_required=False, tags=False),
    ),
    names.WORKSPACES.lower(): UpdatePolicy("patch", rules={"properties.sku.name": Comparator(case_insensitive)}),
}


def update_policy_of(resource_type: str, update_method: str | None) -> UpdatePolicy | None:
    """None: nobody said how a resource of this type is updated."""
    known = UPDATE_POLICIES.get(resource_type.lower())
    if update_method:
        return replace(known or UpdatePolicy(update_method, location_required=False), update_method=update_method)
    return known
