# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role allows, and which of the roles that Azure has give what somebody lacks.

Azure is asked for its roles: no list of them here would be as new as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import ServiceError
from ..text import listed
from . import names

if TYPE_CHECKING:
    from .client import Arm

PAGE = "docs/azure-permissions.md"
"""What says which built-in roles have what, for who may not ask."""
_SHOWN = 3
_READ = f"{names.ROLE_DEFINITIONS}/read"


@dataclass(frozen=True)
class Grant:
    """What one role assignment gives: patterns with `*`; what is excluded counts for this assignment alone."""

    actions: Sequence[str] = ()
    not_actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()
    not_data_actions: Sequence[str] = ()

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Grant:
        keys = ("actions", "notActions", "dataActions", "notDataActions")
        return cls(*(tuple(body.get(key) or ()) for key in keys))

    def allows(self, action: str, is_data: bool = False) -> bool:
        given, taken = (self.data_actions, self.not_data_actions) if is_data else (self.actions, self.not_actions)
        return _matches(given, action) and not _matches(taken, action)

    @property
    def breadth(self) -> tuple[int, int, int, int]:
        """How much more than needed it may give: anything at all, kinds of things, patterns; less what it lacks."""
        patterns = [*self.actions, *self.data_actions]
        stars = sum(pattern.count("*") for pattern in patterns)
        return sum(pattern == "*" for pattern in patterns), stars, len(patterns), -len(self.not_actions)


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """A `*` stands for any text, slashes too, and case does not matter.

    Between two slashes it may stand for nothing: who has `userAssignedIdentities/*/assign/action` (Managed Identity
    Operator) may give a cluster its identities (https://learn.microsoft.com/azure/aks/use-managed-identity), and the
    action that is refused to others is called `userAssignedIdentities/assign/action`.
    """
    parts = [".*".join(map(re.escape, part.split("*"))) for part in text.split("/*/")]
    return re.compile("/(?:.*/)?".join(parts), re.IGNORECASE)


@dataclass(frozen=True)
class Needed:
    """What has to be allowed at a scope (the id of a subscription, group or resource).

    It makes the resource `unless_present`, the role `unless_assigned` or the images `unless_images`: where that is
    there already, nothing of it is needed. What `removes` these is needed only where they are there.
    """

    scope: str
    actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()
    unless_present: str = ""
    unless_assigned: tuple[str, str] = ("", "")
    """A principal and a role."""
    unless_images: tuple[str, tuple[str, ...]] = ("", ())
    """A registry, and what is in it, with tags."""
    removes: bool = False

    def missing(self, grants: Iterable[Grant]) -> Needed:
        held = tuple(grants)
        lacking = tuple(one for one in self.actions if not any(grant.allows(one) for grant in held))
        data = tuple(one for one in self.data_actions if not any(grant.allows(one, is_data=True) for grant in held))
        return replace(self, actions=lacking, data_actions=data)

    def __bool__(self) -> bool:
        return bool(self.actions or self.data_actions)

    def __str__(self) -> str:
        return ", ".join([*self.actions, *(f"{one} (data action)" for one in self.data_actions)])


@dataclass(frozen=True)
class Role:
    """A role that could be assigned."""

    name: str
    grants: tuple[Grant, ...]

    def covers(self, needed: Needed) -> bool:
        return not needed.missing(self.grants)


def suitable(needed: Needed, roles: Iterable[Role]) -> list[str]:
    """The names of roles that give all of it, those that give the least beside it first."""
    fitting = [role for role in roles if role.covers(needed)]
    return [role.name for role in sorted(fitting, key=lambda role: (_breadth(role), role.name))]


def _breadth(role: Role) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(grant.breadth for grant in role.grants))))


def assignable(arm: Arm, scope: str) -> list[Role]:
    """The roles that can be assigned at the scope, as Azure knows them; none where they may not be read."""
    version = names.api_version_of(names.ROLE_DEFINITIONS)
    for place in places_of(scope):
        # the root of the tenant is a slash
        path = f"{place.rstrip('/')}/providers/{names.ROLE_DEFINITIONS}"
        try:
            bodies = list(arm.listed(path, "Reading which roles there are", version))
        except ServiceError:
            # the advice is poorer without; what is missing is known
            continue
        described = (body.get("properties") or {} for body in bodies)
        return [
            Role(str(one.get("roleName")), tuple(Grant.of(row) for row in one.get("permissions") or ()))
            for one in described
            if one.get("permissions")
        ]
    return []


def places_of(scope: str) -> list[str]:
    """Where to ask which roles can be assigned at the scope.

    Azure answers those of the scope that is asked and of what lies above it
    (https://learn.microsoft.com/rest/api/authorization/role-definitions/list), and the lowest scope that a role can be
    made for is a resource group: for a resource its group is asked, and the subscription where that is not there yet.
    """
    found = re.match(r"(/subscriptions/[^/]+)(/resourceGroups/[^/]+)?", scope, re.IGNORECASE)
    if found is None:
        return [scope]
    return [found[0], found[1]] if found[2] else [found[1]]


def advice(arm: Arm, needed: Needed) -> str:
    """What to give somebody who was refused: the permission, and the narrowest roles that have it."""
    asked = f"Give this identity the permission {needed} at {needed.scope}"
    # who may not read roles was refused that, and is again
    roles = [] if _READ.lower() in str(needed).lower() else suitable(needed, assignable(arm, needed.scope))
    if not roles:
        return f"{asked}; {PAGE} says which roles have what."
    return f"{asked}, by a role that has it, the narrowest first: {listed(roles[:_SHOWN], _SHOWN)}."
