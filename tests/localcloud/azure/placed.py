# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources by their type and place: a subscription, a group in it, a name. What every provider's routes ask first.

Codes and texts of what is missing, or elsewhere: Resource Manager's own answers (recorded traffic of azure-cli).
"""

from __future__ import annotations

from dataclasses import dataclass

from . import groups, locations
from .store import Resource
from .wire import GATEWAY, ArmError, Body, Call, Reply, page
from .world_names import WorldNames

GROUPS = "resourceGroups"  # some providers answer ids with another spelling


def place(call: Call, kind: str, spelling: str = GROUPS) -> str:
    """The id that a resource of this type has, or would have, at the path of the request."""
    return f"/subscriptions/{call['sub']}/{spelling}/{call['group']}/providers/{kind}/{call['name']}"


def existing(call: Call, kind: str) -> Resource | None:
    return call.cloud.store.get(place(call, kind))


@dataclass(frozen=True)
class Asked:
    """What a PUT asks for: the body as given, and what stands of that name."""

    given: Body
    name: str
    location: str
    standing: Resource | None

    @property
    def properties(self) -> Body:
        return self.given.get("properties") or {}


def asked(call: Call, kind: str, names: WorldNames) -> Asked:
    """A PUT of a type whose names are one for all of Azure, as every such type begins to look at it."""
    groups.require_usable(call.cloud, call["sub"], call["group"])
    given, name = call.object_body(), call["name"]
    names.require_valid(name)
    standing, wanted = existing(call, kind), location(given)
    require_here(standing, wanted, name)
    return Asked(given, name, wanted, standing)


def find(call: Call, kind: str) -> Resource:
    """The resource that the path names; its group has to be there too."""
    groups.find(call.cloud, call["sub"], call["group"])
    found = existing(call, kind)
    if found is None:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The Resource '{kind}/{call['name']}' under resource group '{call['group']}' was not found. For more "
            "details please go to https://aka.ms/ARMResourceNotFoundFix",
            GATEWAY,
        )
    return found


def listed(call: Call, kind: str) -> Reply:
    """All of the type in the subscription, or in the group of the path."""
    group = call.params.get("group", "")
    if group:
        groups.find(call.cloud, call["sub"], group)
    found = call.cloud.store.find(kind=kind, subscription=call["sub"], group=group)
    return page(call, [item.body for item in found], call.cloud.config.page_size)


def location(given: Body) -> str:
    """The region that a body asks for."""
    found = locations.known(str(given.get("location") or ""))
    if found is None:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    return found


def require_here(standing: Resource | None, wanted: str, name: str) -> None:
    """A resource stays in its region."""
    if standing is not None and standing.body["location"] != wanted:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{name}' already exists in location '{standing.body['location']}' in resource group "
            f"'{standing.group}'. A resource with the same name cannot be created in location '{wanted}'. Please "
            "select a new resource name.",
        )
