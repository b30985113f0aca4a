# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any ARM resource: present as declared, or absent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import ownership, waiting, write_only
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import (
    Arm,
    Body,
    PlanAgain,
    Reading,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.converging import carry_out
from ansible_collections.mcpops.platform.plugins.module_utils.arm.kept import not_kept
from ansible_collections.mcpops.platform.plugins.module_utils.arm.names import api_version_of
from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import resolve
from ansible_collections.mcpops.platform.plugins.module_utils.arm.remembered import would_be_gone, would_delete
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_plan import plan_removal, plan_resource
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_spec import (
    DECLARABLE,
    ResourceSpec,
    is_group,
    locate,
    resource_spec,
    secrets_of,
    subject_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.role_assignments import find_twin, is_assignment
from ansible_collections.mcpops.platform.plugins.module_utils.arm.service_errors import exists_already
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.masking import protect
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task


def converge(task: Task) -> Result:
    # before anything can fail, with the options in its result
    for value in write_only.secret_values([task.params.get(option) for option in DECLARABLE]):
        task.secret(value)
    spec = resource_spec(task.params, resolve(task.params).subscription_id)
    protect(task, secrets_of(spec.type, spec.declared))
    arm = Arm.connect(task, task.params["wait_timeout"])
    return _absent(task, arm, spec) if spec.state == "absent" else _present(task, arm, spec)


def _read(arm: Arm, spec: ResourceSpec, patient: bool) -> Reading:
    reading = arm.read(spec.id, f"Reading {spec.subject}", spec.api_version)
    return waiting.settle(arm, reading, spec.id, spec.api_version, spec.subject) if patient else reading


def _absent(task: Task, arm: Arm, spec: ResourceSpec) -> Result:
    patient = task.params["wait"] and not task.check_mode
    outcome = carry_out(
        arm,
        spec.subject,
        lambda: _read(arm, spec, patient),
        lambda reading: _removal(task, arm, spec, reading),
        lambda *_: _delete(arm, spec, patient),
    )
    if outcome.plan.changed:
        would_delete(task, spec.id)
    protect(task, secrets_of(spec.type, outcome.before or {}))
    values = {"id": spec.id, "resource": write_only.hide(outcome.after)}
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


def _present(task: Task, arm: Arm, spec: ResourceSpec) -> Result:
    patient = task.params["wait"] and not task.check_mode
    said: set[str] = set()
    target = _Target(arm, spec)

    def plan_of(reading: Reading) -> Plan:
        texts = ownership.warnings(spec.subject, reading.body, spec.owner) if spec.manners.tags else []
        for text in texts:
            if text not in said:
                said.add(text)
                task.warn(text)
        return plan_resource(reading.body, target.spec).with_notes(*target.notes)

    outcome = carry_out(
        arm,
        spec.subject,
        lambda: target.read(patient),
        plan_of,
        lambda plan, reading: target.put(plan, reading, patient),
    )
    spec = target.spec
    for body in (outcome.before, outcome.after):
        protect(task, secrets_of(spec.type, body or {}))
    if outcome.plan.changed and patient and outcome.after is not None:
        left = plan_resource(outcome.after, spec).changes
        told = not_kept(spec.subject, outcome.plan.changes, left, spec.declared, outcome.after)
        if told:
            task.warn(told)
    shown = outcome.plan.body if task.check_mode and outcome.plan.changed else outcome.after
    values = {"id": spec.id, "resource": write_only.hide(shown)}
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


class _Target:
    """The resource that is read and written: the declared one, or the role assignment that grants the same already."""

    def __init__(self, arm: Arm, spec: ResourceSpec) -> None:
        self._arm = arm
        self.spec = spec
        self.notes: list[str] = []
        self._refused_as_twin = False

    def read(self, patient: bool) -> Reading:
        reading = _read(self._arm, self.spec, patient)
        if reading.body is not None or not is_assignment(self.spec.type):
            return reading
        declared = self.spec.declared.get("properties") or {}
        twin = find_twin(self._arm, self.spec.id, declared, self.spec.api_version)
        if twin is None and self._refused_as_twin:
            # it is there, and this identity may not see it
            twin = {"id": self.spec.id, **self.spec.declared}
            self.notes = ["the same principal has this role there already, under a name that cannot be read"]
        elif twin is not None:
            self.notes = [f"the same principal has this role there already, under the name {twin.get('name')}"]
            self.spec = replace(self.spec, id=str(twin["id"]))
        return reading if twin is None else Reading(twin)

    def put(self, plan: Plan, reading: Reading, wait: bool) -> Body:
        arm, spec = self._arm, self.spec
        creating = reading.body is None
        action = f"{'Creating' if creating else 'Updating'} {spec.subject}"
        method = "PATCH" if not creating and spec.manners.update_method == "patch" else "PUT"
        response = arm.write(method, spec.id, action, spec.api_version, plan.body, etag=_etag(reading.body, spec))
        if exists_already(response):
            self._refused_as_twin = True
            raise PlanAgain
        if not wait:
            return response.json_or_none() or {}
        waiting.follow(arm, response, spec.subject, action)
        return waiting.finished(arm, spec.id, spec.api_version, spec.subject, action)


def _etag(body: Body | None, spec: ResourceSpec) -> str:
    """What the resource is called now: a service that answers an etag takes it as If-Match (Resource Manager's rules
    for providers), and so what was merged into one state never replaces another."""
    keys = (spec.manners.etag,) if spec.manners.etag else ("etag", "eTag")
    found = next((body[key] for key in keys if body and body.get(key)), "")
    return str(found) if isinstance(found, str) else ""


def _removal(task: Task, arm: Arm, spec: ResourceSpec, reading: Reading) -> Plan:
    inside: Any = ()
    if reading.body is not None and is_group(spec.type):
        version = api_version_of("Microsoft.Resources/resources")
        held = arm.listed(f"{spec.id}/resources", f"Listing what {spec.subject} holds", version)
        inside = (body for body in held if not would_be_gone(task, str(body.get("id"))))
    return plan_removal(reading.body, inside, spec)


def _delete(arm: Arm, spec: ResourceSpec, wait: bool) -> None:
    action = f"Deleting {spec.subject}"
    response = arm.write("DELETE", spec.id, action, spec.api_version)
    if wait:
        waiting.follow(arm, response, spec.subject, action)


def info(task: Task) -> Result:
    """One resource by name or id, or all of a type, in a group or in the subscription."""
    params = task.params
    subscription = resolve(params).subscription_id
    if params.get("id") or params.get("name"):
        resource_id, resource_type, name, problems = locate(params, subscription)
        version = params.get("api_version") or api_version_of(resource_type)
        if resource_type and not version:
            problems.append(Problem("api_version", f"is needed: this collection pins none for {resource_type}"))
        if problems:
            raise InvalidInput(subject_of(resource_type or "resource", name), problems)
        arm = Arm.connect(task)
        body = arm.read(resource_id, f"Reading {subject_of(resource_type, name)}", version).body
        protect(task, secrets_of(resource_type, body or {}))
        return Result(changed=False, values={"resources": [] if body is None else [write_only.hide(body)]})
    arm = Arm.connect(task)
    found = list(_listed(arm, params, subscription))
    protect(task, [value for body in found for value in secrets_of(str(body.get("type")), body)])
    return Result(changed=False, values={"resources": [write_only.hide(body) for body in found]})


def _listed(arm: Arm, params: dict[str, Any], subscription: str) -> list[Body]:
    group, resource_type = params.get("resource_group"), params.get("type")
    scope = f"/subscriptions/{subscription}"
    if resource_type and is_group(resource_type):
        version = api_version_of(resource_type)
        return list(arm.listed(f"{scope}/resourceGroups", "Listing resource groups", version))
    path = f"{scope}/resourceGroups/{group}/resources" if group else f"{scope}/resources"
    query = {"$filter": f"resourceType eq '{resource_type}'"} if resource_type else {}
    found = arm.listed(path, "Listing resources", api_version_of("Microsoft.Resources/resources"), query)
    # a service that does not know the filter answers everything
    return [body for body in found if not resource_type or str(body.get("type")).lower() == resource_type.lower()]
