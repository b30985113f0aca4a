# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to change at any ARM resource, decided without asking anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import bodies, ownership
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_spec import ResourceSpec, is_group
from ansible_collections.mcpops.platform.plugins.module_utils.arm.waiting import failed, provisioning_state
from ansible_collections.mcpops.platform.plugins.module_utils.compare import Rules, merge
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal


def plan_resource(current: dict[str, Any] | None, spec: ResourceSpec) -> Plan:
    rules = Rules(bodies.envelope_rules(spec.purge_tags), bodies.ARM_DEFAULT)
    if current is None:
        if spec.manners.location_required and not spec.declared.get("location"):
            raise InvalidInput(spec.subject, [Problem("location", "is needed to create it")])
        declared = dict(spec.declared)
        if spec.owner is not None:
            declared["tags"] = {**declared.get("tags", {}), **spec.owner.tags()}
        merged = merge({}, declared, rules)
        created = merged.changes or (Change("", ABSENT, {}),)
        return Plan(spec.subject, created, body=bodies.without(merged.value, ()), is_new=True)
    declared = dict(spec.declared)
    if "tags" in declared:
        declared["tags"] = bodies.spelled_like(current.get("tags"), declared["tags"])
        if spec.purge_tags:
            # purging removes what others put there, not the mark that says whose resource it is
            marks = {key: value for key, value in (current.get("tags") or {}).items() if key.lower() in _MARKS}
            declared["tags"] = {**marks, **declared["tags"]}
    merged = merge(current, declared, rules)
    changes = list(merged.changes)
    refused = [
        Refusal(
            change.path, change.before, change.after, "Declare what stands, or delete the resource and create it anew"
        )
        for change in changes
        if change.path in spec.manners.immutable and change.before is not ABSENT
    ]
    if failed(current) and not changes:
        changes.append(Change("properties.provisioningState", provisioning_state(current), "Succeeded"))
    notes = []
    stranger = ownership.foreign(current, spec.owner) if spec.owner is not None else None
    if stranger is not None:
        notes.append(f"{spec.subject} carries the tags of inventory host {stranger}: two hosts declare one resource")
    return Plan(spec.subject, tuple(changes), tuple(refused), _body(merged.value, declared, spec), tuple(notes))


_MARKS = (ownership.COLLECTION_TAG, ownership.HOST_TAG, ownership.ENVIRONMENT_TAG)


def _body(merged: dict[str, Any], declared: dict[str, Any], spec: ResourceSpec) -> dict[str, Any]:
    if spec.manners.update_method == "put_merged":
        return bodies.without(merged, spec.manners.read_only)
    # a map of tags is replaced as a whole by PUT and by most PATCHes
    whole = {**declared, "tags": merged.get("tags", {})} if "tags" in declared else declared
    if spec.manners.update_method == "patch":
        return {key: value for key, value in whole.items() if key != "location"}
    located = {"location": merged["location"]} if merged.get("location") else {}
    return bodies.without({**located, **whole}, ())


def plan_removal(current: dict[str, Any] | None, inside: Iterable[Mapping[str, Any]], spec: ResourceSpec) -> Plan:
    """Deleting the resource; for a group, `inside` is everything that would go with it."""
    if current is None:
        return Plan(spec.subject)
    refused = ownership.refuse_deletion(current, spec.owner, spec.force_delete, always=is_group(spec.type))
    contents = list(inside)
    for resource in contents:
        refused += ownership.refuse_deletion_along(resource, spec.owner, spec.force_delete)
    shown = {key: current[key] for key in ("id", "location", "tags") if current.get(key)}
    if contents:
        shown["resources"] = sorted(str(resource.get("id") or resource.get("name")) for resource in contents)
    return Plan(spec.subject, (Change("", shown, ABSENT),), tuple(refused))
