# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any ARM resource: present as declared, or absent."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import ownership, waiting
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, Body, Reading
from ansible_collections.mcpops.platform.plugins.module_utils.arm.converging import carry_out
from ansible_collections.mcpops.platform.plugins.module_utils.arm.names import api_version_of
from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import resolve
from ansible_collections.mcpops.platform.plugins.module_utils.arm.remembered import would_be_gone, would_delete
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_plan import plan_removal, plan_resource
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_spec import (
    ResourceSpec,
    is_group,
    locate,
    resource_spec,
    secrets_of,
    subject_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.masking import protect
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task


def converge(task: Task) -> Result:
    spec = resource_spec(task.params, resolve(task.params).subscription_id)
    protect(task, secrets_of(spec.type, spec.declared))
    arm = Arm.connect(task, task.params["wait_timeout"])
    patient = task.params["wait"] and not task.check_mode

    def read() -> Reading:
        reading = arm.read(spec.id, f"Reading {spec.subject}", spec.api_version)
        return waiting.settle(arm, reading, spec.id, spec.api_version, spec.subject) if patient else reading

    if spec.state == "absent":
        outcome = carry_out(
            arm,
            spec.subject,
            read,
            lambda reading: _removal(task, arm, spec, reading),
            lambda *_: _delete(arm, spec, patient),
        )
        if outcome.plan.changed:
            would_delete(task, spec.id)
    else:
        outcome = carry_out(
            arm,
            spec.subject,
            read,
            lambda reading: _plan(task, spec, reading),
            lambda plan, reading: _put(arm, spec, plan, reading, patient),
        )
    for body in (outcome.before, outcome.after):
        protect(task, secrets_of(spec.type, body or {}))
    planned = task.check_mode and outcome.plan.changed and spec.state == "present"
    values = {"id": spec.id, "resource": outcome.plan.body if planned else outcome.after}
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


def _plan(task: Task, spec: ResourceSpec, reading: Reading) -> Plan:
    for text in ownership.warnings(spec.subject, reading.body, spec.owner):
        task.warn(text)
    return plan_resource(reading.body, spec)


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


def _put(arm: Arm, spec: ResourceSpec, plan: Plan, reading: Reading, wait: bool) -> Body:
    creating = reading.body is None
    action = f"{'Creating' if creating else 'Updating'} {spec.subject}"
    method = "PATCH" if not creating and spec.manners.update_method == "patch" else "PUT"
    etag = str((reading.body or {}).get(spec.manners.etag) or "") if spec.manners.etag else ""
    response = arm.write(method, spec.id, action, spec.api_version, plan.body, etag=etag)
    if not wait:
        return response.json() or {}
    waiting.follow(arm, response, spec.subject, action)
    return waiting.finished(arm, spec.id, spec.api_version, spec.subject, action)


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
        return Result(changed=False, values={"resources": [] if body is None else [body]})
    arm = Arm.connect(task)
    found = list(_listed(arm, params, subscription))
    protect(task, [value for body in found for value in secrets_of(str(body.get("type")), body)])
    return Result(changed=False, values={"resources": found})


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
