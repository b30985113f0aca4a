# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of azure_preflight: what keeps this identity from making what is declared, before any of it is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import Check, NotReady, Problem, Reason, Rule, check, refuse
from ..plan import Plan
from ..task import Result, Task
from ..text import listed
from . import azure_provider, errors, names
from .client import Arm
from .roles import PAGE, Grant, Needed, assignable, suitable

_SUBJECT = "Azure preflight"
_PERMISSIONS = names.api_version_of("Microsoft.Authorization/permissions")
_ROLES_SHOWN = 3
_OK = 200
_FORBIDDEN = 403

Params = Mapping[str, Any]


@dataclass
class Found:
    """What was learnt so far."""

    reasons: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[Needed] = field(default_factory=list)
    providers: dict[str, str] = field(default_factory=dict)


def converge(task: Task) -> Result:
    """All that is missing, in one message; nothing is changed."""
    params = task.params
    refuse(_SUBJECT, problems(params))
    arm = Arm.connect(task)
    held = _Held(arm)
    found = Found()
    for needed in wanted(params, arm.subscription_id):
        grants = held.at(needed.scope)
        if grants is None:
            found.notes.append(f"{needed.scope}: this identity may not read what it may do there; it was not checked.")
        elif lacking := needed.missing(grants):
            # asked only now: of what stands, most identities may do all
            if _is_there(arm, lacking.unless_present):
                found.notes.append(f"{lacking.scope}: this identity may not {lacking}; it can repair nothing of it.")
            else:
                found.missing.append(lacking)
    for namespace in dict.fromkeys(params["providers"] or ()):
        grants = held.at(held.subscription)
        # whoever may register it will
        if grants is not None and not any(grant.allows(_register(namespace)) for grant in grants):
            found.providers[namespace] = azure_provider.state_of(arm, namespace)
            found.reasons += _of_provider(namespace, found.providers[namespace])
    for lacking in found.missing:
        roles = suitable(lacking, assignable(arm, lacking.scope))
        found.reasons.append(_reason(lacking, roles))
    values: dict[str, Any] = {
        "subscription_id": arm.subscription_id,
        "missing": [
            {"scope": one.scope, "actions": list(one.actions), "data_actions": list(one.data_actions)}
            for one in found.missing
        ],
    }
    if found.providers:
        values["providers"] = found.providers
    if found.reasons:
        notes = {"notes": found.notes} if found.notes else {}
        raise NotReady(_SUBJECT, found.reasons, values={**values, **notes}, apart=True)
    subject = f"subscription {arm.subscription_id}"
    stated = f"{subject}: this identity may do what is declared"
    return Result(False, stated, (Plan(subject, notes=tuple(found.notes)),), values)


def problems(params: Params) -> list[Problem]:
    """What is wrong with the options of azure_preflight."""
    return check(_RULES, params)


def wanted(params: Params, subscription_id: str) -> list[Needed]:
    """What is to be allowed, once for a scope and what is made there, in the order of the option."""
    found: dict[tuple[str, str], Needed] = {}
    for row in params["permissions"] or ():
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


class _Held:
    """What this identity may do at a scope, asked once."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._known: dict[str, list[Grant] | None] = {}
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
        grants: list[Grant] = []
        # an identity with many roles has many pages
        while response.status == _OK:
            document = response.json_or_none() or {}
            grants += [Grant.of(row) for row in document.get("value") or ()]
            if not (link := document.get("nextLink")):
                return grants
            response = self._arm.call("GET", str(link), action)
        raise self._arm.failure(action, response)


def _is_there(arm: Arm, resource_id: str) -> bool:
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


def _reason(lacking: Needed, roles: Sequence[str]) -> Reason:
    what = f"{listed(roles[:_ROLES_SHOWN], _ROLES_SHOWN)}" if roles else ""
    # no built-in role may have all of them together
    advice = (
        f"A role that has them is needed there, the narrowest first: {what}."
        if what
        else f"No role has all of them: assign several, or one of your own ({PAGE})."
    )
    role = roles[0] if roles else "<role>"
    command = f'az role assignment create --assignee <this identity> --role "{role}" --scope {lacking.scope}'
    return Reason(
        lacking.scope,
        "AuthorizationFailed",
        f"this identity may not {lacking}",
        f"{advice} `{command}`",
    )


def _register(namespace: str) -> str:
    return f"{namespace}/register/action"


def _of_provider(namespace: str, state: str) -> Iterator[Reason]:
    if state not in ("Registered", "Registering"):
        yield Reason(
            namespace,
            "MissingSubscriptionRegistration",
            f"the resource provider is {state}, and this identity may not register it ({_register(namespace)})",
            f"Somebody who may has to: `az provider register --namespace {namespace}`",
        )


def _scopes(params: Params) -> Iterator[Problem]:
    for number, row in enumerate(params["permissions"] or ()):
        path, scope = f"permissions[{number}]", str(row["scope"] or "")
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


_RULES: tuple[Rule[Params], ...] = (
    _scopes,
    lambda params: azure_provider.namespace_problems("providers", params["providers"] or ()),
    Check(
        "permissions", lambda params: not params["permissions"] and not params["providers"], "name these, or providers"
    ),
)
