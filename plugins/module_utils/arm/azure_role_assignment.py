# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of azure_role_assignment: who has which role where, whatever the assignment is called.

An unchanged assignment costs one request (the principal's assignments at the scope), beside one for a principal that is
named by a resource's id, and one a run for a role that is named by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Refused, ServiceError, refuse
from ..plan import ABSENT, Change, Plan, Refusal
from ..run_cache import RunCache
from ..task import Result, Task
from . import names, reconcile
from .assignable_roles import places_of
from .client import Arm, Body, PlanAgain, Reading
from .errors import concerns_registration, exists_already, is_elsewhere
from .options import resolve_identity
from .resource_plan import ResourceSpec, plan_removal
from .role_assignment_plan import (
    IGNORED_BY_REPOSITORIES,
    by_repository,
    granted_above,
    is_guid,
    plan_grant,
    problems,
    role_guid,
    same_grant,
    scope_of,
    spec_of,
    subject_of,
    whole_id,
)

# answers to a list that leave the question to the write: no right to list there, or a scope that is not there yet
_FORBIDDEN = 403
_UNDECIDED = (_FORBIDDEN, 404)
# longer than any run
_KNOWN_FOR_SECONDS = 86400.0


def grants_of(arm: Arm, place: str, principal_id: str, api_version: str) -> list[Body] | None:
    """What this principal is assigned at, above and below the scope; None where only a write can tell."""
    path = f"{place}/providers/{names.ROLE_ASSIGNMENTS}"
    query = {"$filter": f"principalId eq '{principal_id}'"}
    try:
        return list(arm.listed(path, f"Listing the role assignments of {place or '/'}", api_version, query))
    except ServiceError as failure:
        if _is_undecided(arm, failure):
            return None
        raise


def _is_undecided(arm: Arm, failure: ServiceError) -> bool:
    """Whether only the write can tell, or in check mode what the run would have made by then."""
    if failure.status in _UNDECIDED:
        return not is_elsewhere(failure)
    return arm.check_mode and concerns_registration(failure)


def find_equal_grant(arm: Arm, assignment_id: str, declared: Mapping[str, Any], api_version: str) -> Body | None:
    """The same grant under another name: Azure takes no second one (409 RoleAssignmentExists)."""
    if not declared.get("principalId") or not declared.get("roleDefinitionId"):
        return None
    place = scope_of(assignment_id)
    listed = grants_of(arm, place, str(declared["principalId"]), api_version) or ()
    return next((body for body in listed if same_grant(body, declared, place)), None)


def converge(task: Task) -> Result:
    params = task.params
    refuse(subject_of(params), problems(params))
    subscription = resolve_identity(params).subscription_id
    arm = Arm.connect(task, params["wait_timeout"])
    principal = _principal(arm, params, subscription)
    if not principal.object_id:
        return _without_principal(task, principal)
    guid = role_guid(params["role"]) or _guid_of_name(arm, task, params, subscription)
    target = _Target(arm, spec_of(params, subscription, principal.object_id, guid))
    is_absent = params["state"] == "absent"
    outcome = reconcile.converge_resource(
        arm,
        target.spec.subject,
        target.read,
        target.plan_removal if is_absent else target.plan,
        target.delete if is_absent else target.put,
    )
    if outcome.plan.changed and not is_absent and not task.check_mode:
        left = target.plan(Reading(outcome.after)).changes
        note = reconcile.not_kept_note(
            target.spec.subject, outcome.plan.changes, left, target.spec.declared, outcome.after or {}
        )
        reconcile.warn_once(task, [note] if note else [], set())
    shown = outcome.plan.body if task.check_mode and outcome.plan.changed and not is_absent else outcome.after
    values = {
        "id": target.spec.id,
        "principal_id": principal.object_id,
        "role_definition_id": target.spec.declared["properties"]["roleDefinitionId"],
        "assignment": shown,
    }
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


def is_given(arm: Arm, task: Task, scope: str, principal: str, role: str) -> bool:
    """Whether the principal has the role at this very scope; what may not be read does not count."""
    subscription = resolve_identity(task.params).subscription_id
    params = {"scope": scope, "principal": principal, "role": role, "state": "present"}
    try:
        found = _principal(arm, params, subscription)
        guid = role_guid(role) or (_guid_of_name(arm, task, params, subscription) if found.object_id else "")
    except ServiceError:
        return False
    if not found.object_id:
        return False
    spec = spec_of(params, subscription, found.object_id, guid)
    return find_equal_grant(arm, spec.id, spec.declared["properties"], spec.api_version) is not None


class _Target:
    """The assignment that is read and written: the declared one, or one that grants the same under another name."""

    def __init__(self, arm: Arm, spec: ResourceSpec) -> None:
        self._arm = arm
        self._is_removal = spec.state == "absent"
        self.spec = spec
        self._notes: list[str] = []
        self._grant_exists = False

    def read(self) -> Reading:
        declared, place = self.spec.declared["properties"], scope_of(self.spec.id)
        listed = grants_of(self._arm, place, declared["principalId"], self.spec.api_version)
        found = next((body for body in listed or () if same_grant(body, declared, place)), None)
        if found is not None:
            self.spec = replace(self.spec, id=str(found["id"]), name=str(found.get("name")))
        elif self._grant_exists:
            # it is there, and this identity may not see it
            found = {"id": self.spec.id, **self.spec.declared}
            self._notes = ["the same principal has this role there already, under a name that cannot be read"]
        elif listed is None:
            found = self._by_name()
            if found is None and self._is_removal:
                # one of another name would stay, and nobody would be told
                self._require_listed(place)
        if found is None and not self._is_removal:
            self._require_heeded(place)
        if found is None and (above := granted_above(listed or (), declared, place)):
            self._notes = [f"the same principal has this role at {above} already, which reaches this scope"]
        return Reading(found)

    def _require_heeded(self, place: str) -> None:
        """A registry with permissions by repository gives nothing to whom has one of the older roles."""
        guid = self.spec.declared["properties"]["roleDefinitionId"].rpartition("/")[2]
        parsed = names.parse_id(place)
        if guid not in IGNORED_BY_REPOSITORIES or parsed is None or parsed.type.lower() != names.REGISTRIES.lower():
            return
        action = f"Reading registry {parsed.name}"
        try:
            body = self._arm.read(place, action, names.api_version_of(names.REGISTRIES)).body or {}
        except ServiceError as failure:
            if failure.status == _FORBIDDEN:
                # who may give roles there need not be one who may see what it is
                return
            raise
        if by_repository(body.get("properties") or {}):
            old, new = IGNORED_BY_REPOSITORIES[guid]
            sentence = f"would give nothing: registry {parsed.name} has permissions by repository and ignores {old}"
            raise Refused(self.spec.subject, [Refusal.because("role", sentence, f"Set role to {new}")])

    def _by_name(self) -> Body | None:
        """Where assignments may not be listed, one of our own name may still be read; who may not do that either would
        make it anew in each run, and is told so."""
        try:
            return self._arm.read(self.spec.id, f"Reading {self.spec.subject}", self.spec.api_version).body
        except ServiceError as failure:
            if failure.status != _FORBIDDEN and _is_undecided(self._arm, failure):
                return None
            raise

    def _require_listed(self, place: str) -> None:
        action = f"Listing the role assignments of {place or '/'}"
        path = f"{place}/providers/{names.ROLE_ASSIGNMENTS}"
        response = self._arm.call("GET", self._arm.url(path, self.spec.api_version), action)
        if response.status == _FORBIDDEN:
            raise self._arm.failure(action, response)

    def plan(self, reading: Reading) -> Plan:
        return plan_grant(reading.body, self.spec).with_notes(*self._notes)

    def plan_removal(self, reading: Reading) -> Plan:
        return plan_removal(reading.body, (), self.spec)

    def put(self, plan: Plan, reading: Reading) -> Body:
        spec = self.spec
        action = f"{'Creating' if reading.body is None else 'Updating'} {spec.subject}"
        response = self._arm.write("PUT", spec.id, action, spec.api_version, plan.body)
        if exists_already(response):
            self._grant_exists = True
            raise PlanAgain
        return response.json_or_none() or {}

    def delete(self, _plan: Plan, _reading: Reading) -> None:
        reconcile.delete_resource(self._arm, self.spec, may_wait=False)


# --- who


@dataclass(frozen=True)
class _Principal:
    """An object of the directory, or why there is none."""

    object_id: str = ""
    missing: str = ""


def _principal(arm: Arm, params: Mapping[str, Any], subscription: str) -> _Principal:
    text = whole_id(params["principal"], subscription)
    if is_guid(text):
        return _Principal(text.lower())
    parsed = names.parse_id(text)
    kind, name = (parsed.type, parsed.name) if parsed is not None else ("", text)
    is_cluster = kind.lower() == names.MANAGED_CLUSTERS.lower()
    subject = f"AKS cluster {name}" if is_cluster else f"managed identity {name}"
    body = arm.read(text, f"Reading {subject}", names.api_version_of(kind)).body
    if body is None:
        return _Principal(missing=f"{subject} does not exist")
    properties = body.get("properties") or {}
    if not is_cluster:
        return _Principal(str(properties["principalId"]).lower())
    wanted = params.get("cluster_identity") or "kubelet"
    found = _of_cluster(body, properties, wanted)
    if found:
        return _Principal(found.lower())
    what = "identity of its kubelets" if wanted == "kubelet" else "identity of its control plane"
    return _Principal(
        missing=f"{subject} has no {what}: one with a service principal has none; else it is not made yet"
    )


def _of_cluster(body: Body, properties: Mapping[str, Any], wanted: str) -> str:
    if wanted == "kubelet":
        kubelet = (properties.get("identityProfile") or {}).get("kubeletidentity") or {}
        return str(kubelet.get("objectId") or "")
    identity = body.get("identity") or {}
    assigned = next(iter((identity.get("userAssignedIdentities") or {}).values()), None) or {}
    return str(identity.get("principalId") or assigned.get("principalId") or "")


def _without_principal(task: Task, principal: _Principal) -> Result:
    """Nobody can have the role; where it should be given, only a check may go on: the run makes the principal first."""
    subject = subject_of(task.params)
    values = {"id": None, "principal_id": None, "role_definition_id": None, "assignment": None}
    if task.params["state"] == "absent":
        note = f"{principal.missing}: an assignment that it left behind is found by its object id only"
        return Result.of(Plan(subject, notes=(note,)), values, f"{subject}: as declared")
    if task.check_mode:
        change = Change("", ABSENT, {"role": task.params["role"], "scope": task.params["scope"]})
        plan = Plan(subject, (change,), notes=(f"{subject} depends on what is not there yet: {principal.missing}",))
        return Result.of(replace(plan, is_new=True), values, f"{subject}: would be created")
    hint = "Create it first, or correct principal."
    raise ServiceError(f"Giving {subject}", principal.missing, code="PrincipalNotFound", hint=hint)


# --- which role


def _guid_of_name(arm: Arm, task: Task, params: Mapping[str, Any], subscription: str) -> str:
    """Asked once a run: the names of roles are the same in a whole directory."""
    name, scope = str(params["role"]).strip(), whole_id(params["scope"], subscription)

    def ask() -> tuple[str, float]:
        action = f"Finding the role {name}"
        found = _definitions(arm, name, scope, action)
        # a service that does not know the filter answers all of them
        same = [body for body in found if str((body.get("properties") or {}).get("roleName")).lower() == name.lower()]
        if not same:
            listed = f"az role definition list --scope {scope or '/'} --query [].roleName"
            hint = f"Check its name (`{listed}`) and its AssignableScopes, or give its GUID."
            reason = f"no role of this name can be assigned at {scope or '/'}"
            raise ServiceError(action, reason, code="RoleDefinitionDoesNotExist", hint=hint)
        return str(same[0]["name"]).lower(), _KNOWN_FOR_SECONDS

    cloud = str(task.params.get("cloud_environment") or "")
    return str(RunCache(task.run_directory).get_or_make(("role", cloud, subscription, name.lower()), ask))


def _definitions(arm: Arm, name: str, scope: str, action: str) -> list[Body]:
    """Of the scope: a role that is made for a group is not among those of its subscription."""
    quoted = name.replace("'", "''")
    query = {"$filter": f"roleName eq '{quoted}'"}
    version = names.api_version_of(names.ROLE_DEFINITIONS)
    *lower, last = places_of(scope)
    for place in lower:
        try:
            return list(arm.listed(f"{place}/providers/{names.ROLE_DEFINITIONS}", action, version, query))
        except ServiceError as failure:
            if failure.status not in _UNDECIDED or is_elsewhere(failure):
                raise
    return list(arm.listed(f"{last}/providers/{names.ROLE_DEFINITIONS}", action, version, query))
