# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: role assignments and definitions as Azure RBAC evaluates them.

Rules (https://learn.microsoft.com/azure/role-based-access-control/overview and …/role-definitions): permissions add up
over all assignments of a principal; an assignment reaches what lies below its scope; in a role, NotActions are taken
from its Actions (and NotDataActions from its DataActions) and deny nothing that another role grants; `*` stands for any
part of an action, between two slashes for nothing as well; case does not matter. Actions are on resources, data actions
on what a resource holds, and no role has the one because of the other. Conditions are kept, and not evaluated.

A role that was assigned "can take up to 10 minutes" to take effect
(https://learn.microsoft.com/azure/role-based-access-control/troubleshooting): here it is at once, unless the fault
`role-late` is on. Then the assignment is answered and listed, and gives nothing before its time, in Resource Manager,
registries and vaults alike.

Nothing between two slashes: the Managed Identity Operator's `userAssignedIdentities/*/assign/action` lets it give
identities to clusters (https://learn.microsoft.com/azure/aks/use-managed-identity), and public issues of
aad-pod-identity quote the refused action as `userAssignedIdentities/assign/action`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from .built_in_roles import BY_GUID
from .store import Store

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEFINITION = "Microsoft.Authorization/roleDefinitions"
EFFECTIVE = "effective"
"""Of an assignment, beside what the service answers: when its role takes effect."""
# what everybody may ask who has any role below a subscription, and is filtered rather than refused
FILTERED = ("microsoft.resources/tenants/read", "microsoft.resources/subscriptions/read")


def allowed(store: Store, principal_id: str, action: str, scope: str, data: bool = False) -> bool:
    """Whether a role of this principal, at the scope or above it, has this action (`data`: this data action)."""
    return any(
        permits(permissions, action, data) for own, permissions in _grants(store, principal_id) if covers(own, scope)
    )


def permissions_at(store: Store, principal_id: str, scope: str) -> list[dict[str, Any]]:
    """What the roles of this principal at the scope and above it give."""
    return [block for own, permissions in _grants(store, principal_id) if covers(own, scope) for block in permissions]


def sees_subscription(store: Store, principal_id: str, subscription: str) -> bool:
    """Who has a role anywhere in a subscription may read it and finds it in lists."""
    place = f"/subscriptions/{subscription}"
    return any(covers(own, place) or covers(place, own) for own, _permissions in _grants(store, principal_id))


def permits(permissions: Iterable[Mapping[str, Any]], action: str, data: bool = False) -> bool:
    """Whether the permissions of one role have an action."""
    names, excepted = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(
        _any_matches(block.get(names) or (), action) and not _any_matches(block.get(excepted) or (), action)
        for block in permissions
    )


def covers(own: str, scope: str) -> bool:
    """Whether a scope is, or lies below, the scope `own`."""
    return f"{scope.rstrip('/')}/".lower().startswith(f"{own.rstrip('/')}/".lower())


def built_in_permissions(guid: str) -> list[dict[str, list[str]]] | None:
    role = BY_GUID.get(guid.lower())
    if role is None:
        return None
    return [
        {
            "actions": list(role.actions),
            "notActions": list(role.not_actions),
            "dataActions": list(role.data_actions),
            "notDataActions": list(role.not_data_actions),
        }
    ]


def _grants(store: Store, principal_id: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Scope and permissions of every role that a principal has."""
    for item in store.find(kind=ASSIGNMENT):
        properties = item.body["properties"]
        if float(item.private.get(EFFECTIVE) or 0) > time.time():
            continue
        if str(properties["principalId"]).lower() == principal_id.lower():
            guid = str(properties["roleDefinitionId"]).rstrip("/").rpartition("/")[2]
            yield str(properties["scope"]), _permissions(store, guid)


def _permissions(store: Store, guid: str) -> list[dict[str, Any]]:
    built_in = built_in_permissions(guid)
    if built_in is not None:
        return built_in
    for item in store.find(kind=DEFINITION):
        if item.name.lower() == guid.lower():
            return list(item.body["properties"].get("permissions") or [])
    return []


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    parts = [".*".join(map(re.escape, part.split("*"))) for part in text.split("/*/")]
    return re.compile("/(?:.*/)?".join(parts), re.IGNORECASE)
