# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an identity may do at a scope of Azure, what of the declared rights it lacks, and what is said of that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Problem, Reason
from ..text import listed
from . import errors, names
from .assignable_roles import PAGE, Grant, Needed, Role, assignable, places_of
from .client import Arm
from .role_assignment_plan import given_problems

_PERMISSIONS = names.api_version_of("Microsoft.Authorization/permissions")
_ROLES_SHOWN = 3
_OK = 200
_FORBIDDEN = 403
_NOT_FOUND = 404
ROOT = "/"
"""The scope of a tenant, above its management groups."""
_SCOPE = re.compile(r"(?:/[^/]*[^/\s][^/]*/[^/]*[^/\s][^/]*)+/*")
_CONDITIONS = ("unless_present", "unless_assigned", "unless_images")

Row = Mapping[str, Any]


def wanted(rows: Sequence[Row], subscription_id: str) -> list[Needed]:
    """What is to be allowed, once for a scope and what is made there, in the order of the option."""
    found: dict[tuple[Any, ...], Needed] = {}
    for row in rows:
        scope = scope_of(row["scope"], subscription_id)
        made = scope_of(row["unless_present"], subscription_id) if row["unless_present"] else ""
        given, images = row.get("unless_assigned") or {}, row.get("unless_images") or {}
        assigned = (str(given["principal"]), str(given["role"])) if given else ("", "")
        held = (
            (scope_of(images["registry"], subscription_id), tuple(map(str, images["images"]))) if images else ("", ())
        )
        removes = bool(row.get("removes"))
        key = (scope.lower(), made.lower(), assigned, held, removes)
        before = found.get(key, Needed(scope, (), (), made, assigned, held, removes))
        found[key] = replace(
            before,
            actions=tuple(dict.fromkeys([*before.actions, *(row["actions"] or ())])),
            data_actions=tuple(dict.fromkeys([*before.data_actions, *(row["data_actions"] or ())])),
        )
    return list(found.values())


def scope_of(text: str, subscription_id: str) -> str:
    """The whole id: a scope may begin below the subscription, and is the subscription where it is empty.

    The root of the tenant stays the slash that it is.
    """
    if text.strip() == ROOT:
        return ROOT
    scope = text.strip().rstrip("/")
    if re.match(r"/(subscriptions|providers)/", scope, re.IGNORECASE):
        return scope
    return f"/subscriptions/{subscription_id}{scope}"


class Held:
    """What this identity may do at a scope, asked once."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._known: dict[str, list[Grant] | None] = {}
        self._roles: dict[str, list[Role]] = {}
        self._absent: set[str] = set()
        self._there: dict[str, bool] = {}
        self.subscription = f"/subscriptions/{arm.subscription_id}"

    def lacking(self, needed: Needed) -> Needed | None:
        """What of it this identity may not do; None where that may not be read.

        The widest scope is asked first: it is the same for most of what is needed, and what it gives reaches below.
        """
        less, is_known = needed, False
        for scope in [*above(needed.scope), needed.scope]:
            grants = self.at(scope)
            if grants is not None:
                less, is_known = less.missing(grants), True
                if not less:
                    break
        return less if is_known else None

    def is_there(self, resource_id: str) -> bool:
        """Whether the resource exists, asked once."""
        key = resource_id.lower()
        if key not in self._there:
            self._there[key] = is_there(self._arm, resource_id)
        return self._there[key]

    def assigned_at(self, scope: str) -> str:
        """Where a role can be assigned that is to reach this scope: of a resource that is not there yet, its group."""
        while scope.lower() in self._absent and "/providers/" in scope:
            scope = parent_of(scope)
        return scope

    def at(self, scope: str) -> list[Grant] | None:
        """None where that may not be read. What is not there yet will have what its parent has."""
        key = scope.lower()
        if key not in self._known:
            self._known[key] = self._ask(scope)
        return self._known[key]

    def _ask(self, scope: str) -> list[Grant] | None:
        action = f"Reading what this identity may do at {scope}"
        path = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/permissions"
        response = self._arm.call("GET", self._arm.url(path, _PERMISSIONS), action)
        if errors.is_absent(response) and (parent := parent_of(scope)):
            self._absent.add(scope.lower())
            return self.at(parent)
        # of the root this is documented nowhere
        if response.status == _FORBIDDEN or (scope == ROOT and response.status == _NOT_FOUND):
            return None
        grants: list[Grant] = []
        # an identity with many roles has many pages
        while response.status == _OK:
            document = response.json_or_none() or {}
            grants += [Grant.of(row) for row in document.get("value") or ()]
            if not (link := document.get("nextLink")):
                return grants
            response = self._arm.call("GET", str(link), action)
        raise self._arm.failure(action, response)

    def roles_at(self, scope: str) -> list[Role]:
        """The roles that can be assigned there, asked once for a subscription."""
        place = places_of(scope)[0]
        if place not in self._roles:
            self._roles[place] = assignable(self._arm, scope)
        return self._roles[place]


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


def is_within(resource_id: str, scope: str) -> bool:
    """Whether a resource is the scope, or below it."""
    return f"{resource_id.lower()}/".startswith(f"{scope.lower().rstrip('/')}/") and bool(resource_id)


def above(scope: str) -> list[str]:
    """The scopes above, the widest first."""
    found: list[str] = []
    while scope := parent_of(scope):
        found.insert(0, scope)
    return found


def together(lacking: Sequence[tuple[str, Needed]]) -> list[tuple[str, Needed]]:
    """What hosts lack, once for a host, a scope and a service: one role may have all of that."""
    found: dict[tuple[str, str, str], Needed] = {}
    for host, one in lacking:
        for action, is_data in [*((name, False) for name in one.actions), *((name, True) for name in one.data_actions)]:
            key = (host, one.scope.lower(), action.partition("/")[0].lower())
            known = found.get(key, Needed(one.scope))
            had = known.data_actions if is_data else known.actions
            if action not in had:
                more = (*had, action)
                found[key] = replace(known, data_actions=more) if is_data else replace(known, actions=more)
    return [(host, needed) for (host, _scope, _service), needed in found.items()]


def assignee_of(claims: Mapping[str, Any]) -> str:
    """Who asks, as options of `az role assignment create`: by what its token says, else by what tells.

    `oid` is the object id of a user or a service principal, and `idtyp` is `app` where no user is behind the token
    (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference). An id with its type is not
    looked up in the directory, which whoever assigns need not be allowed to read.
    """
    if not (oid := str(claims.get("oid") or "")):
        return '--assignee "$(az ad signed-in-user show --query id --output tsv)"'
    kind = "ServicePrincipal" if str(claims.get("idtyp")).lower() == "app" or not _of_user(claims) else "User"
    return f"--assignee-object-id {oid} --assignee-principal-type {kind}"


def _of_user(claims: Mapping[str, Any]) -> bool:
    """`scp` has what an application may do in a user's name; `idtyp` is an optional claim."""
    return bool(claims.get("scp"))


def reason_of(lacking: Needed, roles: Sequence[str], are_known: bool = True, assignee: str = "") -> Reason:
    """`roles` are those that have all of it, of those that are known, if any are."""
    if roles:
        shown = listed(roles[:_ROLES_SHOWN], _ROLES_SHOWN)
        advice = f"A role that has them is needed there, the narrowest first: {shown}."
    elif are_known:
        # no built-in role may have all of them together
        advice = f"No role has all of them: assign several, or one of your own ({PAGE})."
    else:
        advice = f"It may not read which roles have them either: {PAGE} says it."
    who = assignee or assignee_of({})
    if roles:
        # as it stands, for whoever may assign roles there
        words = ("az role assignment create", who, f'--role "{roles[0]}"', f"--scope {lacking.scope}")
        advice += f" `{' '.join(words)}`"
    else:
        advice += f" `az role assignment create` takes `{who} --scope {lacking.scope}` for it."
    return Reason(lacking.scope, "AuthorizationFailed", f"this identity may not {lacking}", advice)


def _image_problems(path: str, images: Mapping[str, Any]) -> Iterator[Problem]:
    if not images["images"]:
        yield Problem(f"{path}.images", "name at least one, as repository:tag")
    parsed = names.parse_id(scope_of(str(images["registry"]), "s"))
    if parsed is None or parsed.type.lower() != names.REGISTRIES.lower():
        yield Problem(f"{path}.registry", f"{images['registry']!r} is no id of a container registry")


def row_problems(rows: Sequence[Row], where: str = "permissions") -> Iterator[Problem]:
    """What is wrong with the rows of what is to be allowed."""
    for number, row in enumerate(rows):
        path, scope = f"{where}[{number}]", str(row["scope"] or "").strip()
        if scope not in ("", ROOT) and not _SCOPE.fullmatch(scope):
            message = f"{scope!r} is no id of a scope, for example /resourceGroups/rg-dev or empty for the subscription"
            yield Problem(f"{path}.scope", message)
        if given := row.get("unless_assigned"):
            for problem in given_problems(given):
                yield Problem(f"{path}.unless_assigned.{problem.path}", problem.message)
        if images := row.get("unless_images"):
            yield from _image_problems(f"{path}.unless_images", images)
        if row.get("removes") and not any(row.get(key) for key in _CONDITIONS):
            yield Problem(f"{path}.removes", f"needs one of {', '.join(_CONDITIONS)}: what is removed")
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
