# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an identity may do at a scope of Azure: patterns of actions, what is lacking, and the roles that would do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Problem, Reason, ServiceError
from ..text import listed
from . import errors, names
from .client import Arm

_PERMISSIONS = names.api_version_of("Microsoft.Authorization/permissions")
_DEFINITIONS = names.api_version_of(names.ROLE_DEFINITIONS)
_ROLES_SHOWN = 3
_FORBIDDEN = 403

Row = Mapping[str, Any]


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


@dataclass(frozen=True)
class Needed:
    """What has to be allowed at a scope (the id of a subscription, group or resource).

    It makes the resource `unless_present`: where that is there already, nothing of it is needed.
    """

    scope: str
    actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()
    unless_present: str = ""

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


def wanted(rows: Sequence[Row], subscription_id: str) -> list[Needed]:
    """What is to be allowed, once for a scope and what is made there, in the order of the option."""
    found: dict[tuple[str, str], Needed] = {}
    for row in rows:
        scope = scope_of(row["scope"], subscription_id)
        made = scope_of(row["unless_present"], subscription_id) if row["unless_present"] else ""
        key = (scope.lower(), made.lower())
        before = found.get(key, Needed(scope, unless_present=made))
        found[key] = replace(
            before,
            actions=tuple(dict.fromkeys([*before.actions, *(row["actions"] or ())])),
            data_actions=tuple(dict.fromkeys([*before.data_actions, *(row["data_actions"] or ())])),
        )
    return list(found.values())


def scope_of(text: str, subscription_id: str) -> str:
    """The whole id: a scope may begin below the subscription, and is the subscription where it is empty."""
    scope = text.rstrip("/")
    if re.match(r"/(subscriptions|providers)/", scope, re.IGNORECASE):
        return scope
    return f"/subscriptions/{subscription_id}{scope}"


def suitable(needed: Needed, roles: Iterable[Role]) -> list[str]:
    """The names of roles that give all of it, those that give the least beside it first."""
    fitting = [role for role in roles if role.covers(needed)]
    return [role.name for role in sorted(fitting, key=lambda role: (_breadth(role), role.name))]


def _breadth(role: Role) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(grant.breadth for grant in role.grants))))


def _matches(patterns: Iterable[str], action: str) -> bool:
    # a `*` stands for any text, slashes too, and case does not matter
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE) for pattern in patterns
    )


class Held:
    """What this identity may do at a scope, asked once."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._known: dict[str, list[Grant] | None] = {}
        self._roles: dict[str, list[Role]] = {}
        self.subscription = f"/subscriptions/{arm.subscription_id}"

    def at(self, scope: str) -> list[Grant] | None:
        """None where that may not be read. What is not there yet will have what its parent has."""
        key = scope.lower()
        if key not in self._known:
            self._known[key] = self._ask(scope)
        return self._known[key]

    def _ask(self, scope: str) -> list[Grant] | None:
        action = f"Reading what this identity may do at {scope}"
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        response = self._arm.call("GET", self._arm.url(path, _PERMISSIONS), action)
        if errors.is_absent(response) and (parent := parent_of(scope)):
            return self.at(parent)
        if response.status == _FORBIDDEN:
            return None
        if response.status != 200:
            raise errors.to_failure(action, response)
        grants: list[Grant] = []
        document = response.json_or_none()
        grants += [Grant.of(row) for row in document.get("value") or ()]
        if link := document.get("nextLink"):
            further = self._arm.call("GET", str(link), action)
            grants += [Grant.of(row) for row in (further.json_or_none() or {}).get("value") or ()]
        return grants

    def roles_at(self, scope: str) -> list[Role]:
        """The roles that can be assigned there, as Azure knows them; none where they may not be read."""
        known = re.match(r"/subscriptions/[^/]+", scope, re.IGNORECASE)
        place = known[0] if known else scope
        if place not in self._roles:
            self._roles[place] = list(self._described(place))
        return self._roles[place]

    def _described(self, place: str) -> Iterator[Role]:
        try:
            path, action = f"{place}/providers/{names.ROLE_DEFINITIONS}", "Reading which roles there are"
            bodies = list(self._arm.listed(path, action, _DEFINITIONS))
        except ServiceError:
            # the advice is poorer without; what is missing is known
            return
        for one in (body.get("properties") or {} for body in bodies):
            if one.get("permissions"):
                yield Role(str(one.get("roleName")), tuple(Grant.of(row) for row in one["permissions"]))


def is_there(arm: Arm, resource_id: str) -> bool:
    """Whether the resource exists; one that may not be read does not count."""
    if not resource_id:
        return False
    action = f"Looking for {resource_id}"
    parsed = names.parse_id(resource_id)
    version = names.api_version_of(parsed.type) if parsed is not None else ""
    return arm.call("GET", arm.url(resource_id, version), action).status == 200


def parent_of(scope: str) -> str:
    """The scope above: of a child its parent, of a resource its group, of a group its subscription; else empty."""
    above, providers, below = scope.rpartition("/providers/")
    if providers:
        parts = below.split("/")
        return above if len(parts) <= 3 else f"{above}/providers/{'/'.join(parts[:-2])}"
    found = re.match(r"(/subscriptions/[^/]+)/resourceGroups/[^/]+$", scope, re.IGNORECASE)
    return found[1] if found else ""


def reason_of(lacking: Needed, roles: Sequence[str]) -> Reason:
    what = f"{listed(roles[:_ROLES_SHOWN], _ROLES_SHOWN)}" if roles else ""
    # no built-in role may have all of them together
    advice = (
        f"A role that has them is needed there, the narrowest first: {what}."
        if what
        else "No role has all of them: assign several, or one of your own (docs/azure-permissions.md)."
    )
    role = roles[0] if roles else "<role>"
    command = f'az role assignment create --assignee <this identity> --role "{role}" --scope {lacking.scope}'
    return Reason(
        lacking.scope,
        "AuthorizationFailed",
        f"this identity may not {lacking}",
        f"{advice} `{command}`",
    )


def row_problems(rows: Sequence[Row], where: str = "permissions") -> Iterator[Problem]:
    """What is wrong with the rows of what is to be allowed."""
    for number, row in enumerate(rows):
        path, scope = f"{where}[{number}]", str(row["scope"] or "")
        if scope and not re.fullmatch(r"(?:/[^/\s]+/[^/\s]+)+/?", scope):
            message = f"{scope!r} is no id of a scope, for example /resourceGroups/rg-dev or empty for the subscription"
            yield Problem(f"{path}.scope", message)
        made = str(row["unless_present"] or "")
        parsed = names.parse_id(scope_of(made, "s")) if made.startswith("/") else None
        if made and (parsed is None or not names.api_version_of(parsed.type)):
            message = f"{made!r} is no id of a group, or of a resource of a type that this collection knows"
            yield Problem(f"{path}.unless_present", message)
        if not row["actions"] and not row["data_actions"]:
            yield Problem(path, "name actions or data_actions")
        for key in ("actions", "data_actions"):
            for action in row[key] or ():
                if not re.fullmatch(r"[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+(?:/[A-Za-z0-9]+)+", str(action)):
                    message = f"{action!r} is no action, for example Microsoft.ContainerService/managedClusters/write"
                    yield Problem(f"{path}.{key}", message)
