# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which role whom at which scope: what options declare, when two assignments are the same, and what has to change."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..compare import Rule as Comparator
from ..errors import Check, Problem, Rule, check
from ..plan import Plan
from ..waiting import wait_timeout_problems
from . import names
from .compare import role_definition
from .resource_plan import ResourceSpec, plan_resource
from .update_policies import update_policy_of

PRINCIPAL_TYPES = ("Device", "ForeignGroup", "Group", "ServicePrincipal", "User")
CLUSTER_IDENTITIES = ("kubelet", "control_plane")
CONDITION_VERSION = "2.0"
"""The only one that the service takes (azure-mgmt-authorization 4.0, RoleAssignmentCreateParameters)."""
IGNORED_BY_REPOSITORIES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": ("AcrPull", "Container Registry Repository Reader"),
    "8311e382-0749-4cb8-b61a-304f252e45ec": ("AcrPush", "Container Registry Repository Writer"),
    "c2f4ef07-c644-48eb-af81-4b1b4947fb11": ("AcrDelete", "Container Registry Repository Contributor"),
}
"""GUID: (name, what to give instead) of the roles that a registry with `AbacRepositoryPermissions` does not heed
(https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions)."""


def by_repository(registry: Mapping[str, Any]) -> bool:
    """Whether the permissions of a registry (its properties) are by repository."""
    return str(registry.get("roleAssignmentMode")).lower() == "abacrepositorypermissions"


_OURS = uuid.UUID("3b1c3a0e-8f0e-4f8e-9d55-2a7f4c6f5e21")
_PRINCIPALS = (names.IDENTITIES.lower(), names.MANAGED_CLUSTERS.lower())
_IN_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)(/resourceGroups/[^/]+)?", re.IGNORECASE)
# of the tenant: /providers/Microsoft.Capacity has the reservations of all subscriptions, for example
# (https://learn.microsoft.com/azure/cost-management-billing/reservations/view-reservations)
_IN_TENANT = re.compile(r"/providers/[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+(?:/[^/]+/[^/]+)*", re.IGNORECASE)
# whatever scope is before it, as resourceId() of templates has it: the service goes by the GUID
_ROLE_ID = re.compile(r"(?:/.+)?/providers/Microsoft\.Authorization/roleDefinitions/([^/]+)", re.IGNORECASE)

_LONGEST = {"description": 2048, "condition": 8192}
"""Bytes (https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits)."""
_BRACKETS = {"(": ")", "{": "}", "[": "]"}
_QUOTED = re.compile(r"'(?:[^'\\]|''|\\.)*'")
# those that no quotes are around
_BLANKS = re.compile(r"\s+(?=(?:[^']*'[^']*')*[^']*$)")


def is_guid(text: str) -> bool:
    """Whether it is one as Azure writes them, with its dashes."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def scope_of(assignment_id: str) -> str:
    """What is before the assignment in its id; empty for the tenant's root."""
    place = assignment_id.lower().rfind(f"/providers/{names.ROLE_ASSIGNMENTS}/".lower())
    return assignment_id[:place] if place >= 0 else assignment_id


def same_grant(body: Mapping[str, Any], declared: Mapping[str, Any], scope: str) -> bool:
    """Whether `body`, an assignment as it is answered, grants what `declared` (properties) would at `scope`."""
    return _same_scope(_scope_in(body), scope) and _same_role(body, declared)


def granted_above(bodies: Iterable[Mapping[str, Any]], declared: Mapping[str, Any], scope: str) -> str:
    """The nearest scope above at which the same principal has the same role, without a condition; empty if none."""
    found = [
        own
        for body in bodies
        for own in [_scope_in(body)]
        if not _same_scope(own, scope)
        and f"{scope.lower().rstrip('/')}/".startswith(f"{own.lower().rstrip('/')}/")
        and _same_role(body, declared)
        and not (body.get("properties") or {}).get("condition")
    ]
    return max(found, key=len, default="") or ("/" if found else "")


def _scope_in(body: Mapping[str, Any]) -> str:
    properties = body.get("properties") or {}
    return str(properties.get("scope") or scope_of(str(body.get("id"))))


def _same_scope(one: str, other: str) -> bool:
    return one.lower().rstrip("/") == other.lower().rstrip("/")


def _same_role(body: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    properties = body.get("properties") or {}
    same_principal = str(properties.get("principalId")).lower() == str(declared.get("principalId")).lower()
    return same_principal and role_definition(properties.get("roleDefinitionId"), declared.get("roleDefinitionId"))


# --- options


def whole_id(text: str, subscription_id: str) -> str:
    """An id without a slash at its end; one that begins with a resource group is of the task's subscription."""
    bare = text.strip().rstrip("/")
    return f"/subscriptions/{subscription_id}{bare}" if bare.lower().startswith("/resourcegroups/") else bare


def role_guid(text: str) -> str:
    """The GUID in a role's id, or the GUID that it is; empty for a name."""
    found = _ROLE_ID.fullmatch(text.strip().rstrip("/"))
    guid = found[1] if found else text.strip()
    return guid.lower() if is_guid(guid) else ""


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of azure_role_assignment."""
    return check(_RULES, params)


def given_problems(given: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a principal and a role, wherever they are named together."""
    yield from _principal_problems(given)
    yield from _role_problems(given)


def _scope_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    text = str(params["scope"]).strip()
    if f"/{names.ROLE_ASSIGNMENTS}".lower() in text.lower():
        yield Problem(
            "scope", f"{text!r} is the id of an assignment: give what is before /providers/Microsoft.Authorization"
        )
    elif not _is_scope(text):
        sentence = (
            "is not a valid scope: give the id of a subscription (/subscriptions/...), resource group, resource, AKS "
            "namespace (.../managedClusters/<name>/namespaces/<namespace>) or management group"
        )
        yield Problem("scope", f"{text!r} {sentence}")
    elif (parsed := names.parse_id(whole_id(text, str(uuid.UUID(int=0))))) is not None:
        yield from names.id_problems("scope", parsed)


def _is_scope(text: str) -> bool:
    bare = whole_id(text, str(uuid.UUID(int=0)))
    if text == "/" or _IN_TENANT.fullmatch(bare):
        return True
    found = _IN_SUBSCRIPTION.match(bare)
    if found is None or not is_guid(found[1]):
        return False
    return found.end() == len(bare) or names.parse_id(bare) is not None


def _principal_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    text = str(params["principal"]).strip()
    parsed = names.parse_id(whole_id(text, str(uuid.UUID(int=0))))
    if is_guid(text):
        return
    if parsed is not None and parsed.type.lower() in _PRINCIPALS:
        yield from names.id_problems("principal", parsed)
        return
    sentence = (
        "is not a valid principal: give an object id (a GUID; of an application that of its service principal, not its "
        "client id), or the id of a user-assigned identity or of an AKS cluster"
    )
    yield Problem("principal", f"{text!r} {sentence}")


def _role_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    text = str(params["role"]).strip()
    if not text:
        yield Problem("role", "is empty: give a name (AcrPull), a GUID or an id")
    elif "/" in text and not role_guid(text):
        sentence = "is not a valid id of a role: it ends with /providers/Microsoft.Authorization/roleDefinitions/<GUID>"
        yield Problem("role", f"{text!r} {sentence}")


def _type_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    given, principal = params.get("principal_type"), str(params["principal"])
    if given and given != "ServicePrincipal" and "/" in principal:
        yield Problem("principal_type", f"is {given}, and a managed identity is a ServicePrincipal: leave it out")


def _identity_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    given, parsed = params.get("cluster_identity"), names.parse_id(str(params["principal"]).strip().rstrip("/"))
    if given and (parsed is None or parsed.type.lower() != names.MANAGED_CLUSTERS.lower()):
        yield Problem("cluster_identity", "is for a principal that is the id of an AKS cluster: leave it out")


def _length_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    for option, most in _LONGEST.items():
        size = len(str(params.get(option) or "").encode(errors="surrogatepass"))
        if size > most:
            yield Problem(option, f"has {size} bytes, and Azure takes {most}")


def _condition_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """Whether its brackets fit together; the rest is the service's language."""
    bare = _QUOTED.sub("", str(params.get("condition") or ""))
    opened: list[str] = []
    for sign in bare:
        if sign in _BRACKETS:
            opened.append(_BRACKETS[sign])
        elif sign in _BRACKETS.values() and (not opened or opened.pop() != sign):
            yield Problem("condition", f"a {sign} closes nothing: brackets are paired, and texts are in single quotes")
            return
    if opened or "'" in bare:
        what = "a quote" if "'" in bare else f"a bracket before {opened[-1]}"
        yield Problem("condition", f"{what} is not closed: brackets are paired, and texts are in single quotes")


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    _scope_problems,
    _length_problems,
    _condition_problems,
    _principal_problems,
    _role_problems,
    _type_problems,
    _identity_problems,
    Check(
        "name",
        lambda params: params.get("name") and not is_guid(str(params["name"])),
        "{name!r} is not a GUID, which the name of an assignment is; leave it out to have one made",
    ),
    Check(
        "condition_version",
        lambda params: params.get("condition_version") and not params.get("condition"),
        "is for a condition: leave it out, or declare condition",
    ),
    lambda params: wait_timeout_problems(params.get("wait_timeout")),
)


# --- the assignment


def assignment_name(place: str, principal_id: str, guid: str) -> str:
    """The same for the same grant in every run, and so a repeated request makes nothing twice."""
    return str(uuid.uuid5(_OURS, f"{place}\n{principal_id}\n{guid}".lower()))


def spec_of(params: Mapping[str, Any], subscription_id: str, principal_id: str, guid: str) -> ResourceSpec:
    """The assignment that options without problems stand for."""
    place = whole_id(params["scope"], subscription_id)
    name = str(params.get("name") or assignment_name(place, principal_id, guid)).lower()
    kind = params.get("principal_type") or ("ServicePrincipal" if "/" in str(params["principal"]) else None)
    prefix = _IN_SUBSCRIPTION.match(place)
    of = f"/subscriptions/{prefix[1]}" if prefix else ""
    properties: dict[str, Any] = {
        "roleDefinitionId": f"{of}/providers/{names.ROLE_DEFINITIONS}/{guid}",
        "principalId": principal_id,
    }
    if kind:
        properties["principalType"] = kind
    if params.get("description") is not None:
        properties["description"] = params["description"]
    if params.get("condition") is not None:
        # an empty one takes away the one that is there
        condition = params["condition"].strip() or None
        version = (params.get("condition_version") or CONDITION_VERSION) if condition else None
        properties.update(condition=condition, conditionVersion=version)
    policy = update_policy_of(names.ROLE_ASSIGNMENTS, None)
    if policy is None:
        raise AssertionError(f"{names.ROLE_ASSIGNMENTS} has a policy of its own")
    return ResourceSpec(
        id=f"{place}/providers/{names.ROLE_ASSIGNMENTS}/{name}",
        type=names.ROLE_ASSIGNMENTS,
        name=name,
        api_version=names.api_version_of(names.ROLE_ASSIGNMENTS),
        state=params["state"],
        update_policy=replace(policy, rules={**policy.rules, "properties.condition": Comparator(_same_condition)}),
        declared={"properties": properties},
        called=subject_of(params),
    )


def subject_of(params: Mapping[str, Any]) -> str:
    """What messages call it: the role, whose, and where."""
    role, principal, place = (str(params[option]).strip().rstrip("/") for option in ("role", "principal", "scope"))
    last = role.rpartition("/")[2]
    return f"role {last} of {principal.rpartition('/')[2]} at {_short(place)}"


def _short(place: str) -> str:
    if "/namespaces/" in place:
        cluster, _slash, namespace = place.partition("/namespaces/")
        return f"namespace {namespace} of {cluster.rpartition('/')[2]}"
    return place.rpartition("/")[2] or "/"


def _same_condition(current: Any, declared: Any) -> bool:
    """Compared without the blanks between its parts: portals and people break its lines differently."""
    return _BLANKS.sub("", str(current or "")) == _BLANKS.sub("", str(declared or ""))


def plan_grant(current: dict[str, Any] | None, spec: ResourceSpec) -> Plan:
    """What has to change, and what is worth knowing of an assignment that is narrower than it looks."""
    plan = plan_resource(current, spec)
    condition = (current or {}).get("properties", {}).get("condition")
    if condition and "condition" not in spec.declared["properties"]:
        note = "has a condition that is not declared: it stays. Declare condition, or '' to take it away"
        return plan.with_notes(f"{spec.subject} {note}")
    return plan
