# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How resource types are updated: the types whose manners are known here; any other needs `update_method`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.bodies import role_definition
from ansible_collections.mcpops.platform.plugins.module_utils.compare import Rule, case_insensitive

UPDATE_METHODS = ("patch", "put_declared", "put_merged")


@dataclass(frozen=True)
class Manners:
    """`etag`: the body's key, sent back as If-Match; of other types what they answer as etag is.

    `children`: what has resources (and eTags) of its own inside the body, and is left out of an update. `tags`: whether
    such resources have tags, and so a mark of whose they are. `model`: the model of `aks_fields` that its body has.
    """

    update_method: str
    etag: str = ""
    immutable: tuple[str, ...] = ("location",)
    location_required: bool = True
    children: tuple[str, ...] = ()
    tags: bool = True
    rules: Mapping[str, Rule] = field(default_factory=dict)
    model: str = ""


_ROLE = "properties.roleDefinitionId"
TYPES: dict[str, Manners] = {
    names.RESOURCE_GROUPS.lower(): Manners("put_merged", immutable=("location", "managedBy")),
    names.MANAGED_CLUSTERS.lower(): Manners(
        "put_merged", "eTag", children=("properties.agentPoolProfiles",), model="ManagedCluster"
    ),
    names.AGENT_POOLS.lower(): Manners(
        "put_merged", "eTag", immutable=(), location_required=False, tags=False, model="AgentPool"
    ),
    # a PUT of the same name may change description and condition only (RoleAssignmentUpdateNotPermitted)
    names.ROLE_ASSIGNMENTS.lower(): Manners(
        "put_merged",
        immutable=(_ROLE, "properties.principalId", "properties.principalType", "properties.scope"),
        location_required=False,
        tags=False,
        rules={
            _ROLE: Rule(role_definition),
            "properties.scope": Rule(case_insensitive),
            "properties.principalId": Rule(case_insensitive),
            "properties.principalType": Rule(case_insensitive),
        },
    ),
    names.ROLE_DEFINITIONS.lower(): Manners("put_merged", immutable=(), location_required=False, tags=False),
}


def manners_of(resource_type: str, update_method: str | None) -> Manners | None:
    """None: nobody said how a resource of this type is updated."""
    known = TYPES.get(resource_type.lower())
    if update_method:
        return replace(known or Manners(update_method, location_required=False), update_method=update_method)
    return known
