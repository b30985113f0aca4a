# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to change at any ARM resource, decided without asking anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import bodies, ownership, write_only
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_spec import ResourceSpec, is_group
from ansible_collections.mcpops.platform.plugins.module_utils.arm.service_fields import not_sent
from ansible_collections.mcpops.platform.plugins.module_utils.arm.typed_values import paths_of, typed_like
from ansible_collections.mcpops.platform.plugins.module_utils.arm.waiting import failed, provisioning_state
from ansible_collections.mcpops.platform.plugins.module_utils.compare import Rule, Rules, case_insensitive, merge
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal


def plan_resource(current: dict[str, Any] | None, spec: ResourceSpec) -> Plan:
    rules = Rules({**envelope(spec), **spec.manners.rules}, bodies.ARM_DEFAULT)
    if current is None:
        if spec.manners.location_required and not spec.declared.get("location"):
            raise InvalidInput(spec.subject, [Problem("location", "is needed to create it")])
        declared = dict(spec.declared)
        if spec.owner is not None and spec.manners.tags:
            declared["tags"] = {**declared.get("tags", {}), **spec.owner.tags()}
        merged = merge({}, declared, rules)
        created = write_only.hidden(merged.changes) or (Change("", ABSENT, {}),)
        return Plan(spec.subject, created, body=bodies.without(merged.value, ()), is_new=True)
    declared = typed_like(current, spec.declared)
    if "tags" in declared:
        declared["tags"] = bodies.spelled_like(current.get("tags"), declared["tags"])
        if spec.purge_tags:
            # purging removes what others put there, not the mark that says whose resource it is
            marks = {key: value for key, value in (current.get("tags") or {}).items() if key.lower() in _MARKS}
            declared["tags"] = {**marks, **declared["tags"]}
    compared, unanswered = write_only.comparable(declared, current)
    changes = list(write_only.hidden(merge(current, compared, rules).changes))
    refused = [
        Refusal(
            change.path,
            change.before,
            change.after,
            "Set it back to the current value, or delete and recreate the resource",
        )
        for change in changes
        if change.path in spec.manners.immutable and change.before is not ABSENT
    ]
    refused += [
        Refusal(change.path, change.before, change.after, _CHILD)
        for change in changes
        if change.path.startswith(spec.manners.children or ("\0",))
    ]
    if failed(current) and not changes:
        changes.append(Change("properties.provisioningState", provisioning_state(current), "Succeeded"))
    notes = write_only.note(unanswered)
    stranger = ownership.foreign(current, spec.owner) if spec.owner is not None else None
    if stranger is not None:
        notes.append(f"{spec.subject} carries the tags of inventory host {stranger}: two hosts declare one resource")
    # with what cannot be compared: a service may need it with every PUT
    wanted = merge(current, declared, rules).value
    return Plan(spec.subject, tuple(changes), tuple(refused), _body(wanted, declared, spec, changes), tuple(notes))


def envelope(spec: ResourceSpec) -> dict[str, Rule]:
    """How the keys are compared that every type has, and for AKS the values of known sets."""
    known = paths_of(spec.manners.model, "e") if spec.manners.model else ()
    any_case = Rule(case_insensitive, empty_is_absent=True)
    return {**bodies.envelope_rules(spec.purge_tags), **dict.fromkeys(known, any_case)}


_MARKS = (ownership.COLLECTION_TAG, ownership.HOST_TAG, ownership.ENVIRONMENT_TAG)
_CHILD = (
    "It is a resource with operations of its own, which this request would undo: declare it as one, or with the module "
    "that manages it (mcpops.platform.aks_cluster)"
)


def _body(
    merged: dict[str, Any], declared: dict[str, Any], spec: ResourceSpec, changes: list[Change]
) -> dict[str, Any]:
    if spec.manners.update_method == "put_merged":
        changed = [change.path for change in changes]
        paths = not_sent(spec.type, spec.api_version, changed)
        return bodies.without(merged, (*paths, *spec.manners.children))
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
    # what has no tags cannot carry an owner's: whoever names it exactly may delete it
    refused = (
        ownership.refuse_deletion(current, spec.owner, spec.force_delete, always=is_group(spec.type))
        if spec.manners.tags
        else []
    )
    contents = list(inside)
    for resource in contents:
        refused += ownership.refuse_deletion_along(resource, spec.owner, spec.force_delete)
    shown = {key: current[key] for key in ("id", "location", "tags") if current.get(key)}
    if contents:
        shown["resources"] = sorted(str(resource.get("id") or resource.get("name")) for resource in contents)
    return Plan(spec.subject, (Change("", shown, ABSENT),), tuple(refused))
