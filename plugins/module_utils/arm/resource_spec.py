# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task declares about any ARM resource, checked as far as it can be without asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import aks_fields, names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.bodies import tag_values
from ansible_collections.mcpops.platform.plugins.module_utils.arm.ownership import Owner
from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_types import Manners, manners_of
from ansible_collections.mcpops.platform.plugins.module_utils.arm.typed_values import typed
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.masking import declared_values
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import wait_timeout_problems

DECLARABLE = ("location", "sku", "kind", "identity", "properties")


@dataclass(frozen=True)
class ResourceSpec:
    """One resource; `declared` is its ARM body as far as the task says."""

    id: str
    type: str
    name: str
    api_version: str
    state: str
    manners: Manners
    declared: dict[str, Any] = field(default_factory=dict)
    purge_tags: bool = False
    owner: Owner | None = None
    force_delete: bool = False

    @property
    def subject(self) -> str:
        return subject_of(self.type, self.name)


def subject_of(resource_type: str, name: str) -> str:
    return f"resource group {name}" if is_group(resource_type) else f"{resource_type} {name}"


def secrets_of(resource_type: str, body: Mapping[str, Any]) -> list[str]:
    """The secrets among the properties of a resource, and what a resource that is itself a secret holds.

    ARM marks what it treats as secret in its specifications only, not in what it answers: names and forms tell.
    """
    properties = body.get("properties") or {}
    kind = resource_type.rpartition("/")[2].lower()
    return declared_values([{"secrets": properties} if kind == "secrets" else properties])


def is_group(resource_type: str) -> bool:
    return resource_type.lower() == names.RESOURCE_GROUPS.lower()


def locate(params: Mapping[str, Any], subscription_id: str) -> tuple[str, str, str, list[Problem]]:
    """The (id, type, name) that the options name, and what is wrong with them."""
    problems: list[Problem] = []
    if params.get("id"):
        parsed = names.parse_id(params["id"])
        if parsed is None:
            sentence = "is not a valid id such as /subscriptions/.../resourceGroups/.../providers/Microsoft.X/type/name"
            return "", "", "", [Problem("id", f"{params['id']!r} {sentence}")]
        return params["id"], parsed.type, parsed.name, problems
    resource_type, name = params.get("type") or "", params.get("name") or ""
    group = params.get("resource_group") or ""
    depth = resource_type.count("/")
    if depth < 1 or "." not in resource_type.split("/")[0]:
        problems.append(
            Problem("type", f"{resource_type!r} is not a valid resource type, for example Microsoft.X/type")
        )
    elif is_group(resource_type):
        if group and group.lower() != name.lower():
            problems.append(Problem("resource_group", "a resource group lies in no other: give its name in name"))
    else:
        if not group:
            problems.append(Problem("resource_group", f"is needed for a resource of type {resource_type}"))
        if len(name.split("/")) != depth:
            parts = "/".join(part for part in resource_type.split("/")[1:])
            problems.append(Problem("name", f"{name!r} does not name one part for each of {parts}"))
    checks = [("name", resource_type, name)] if depth < 2 else []
    if group and not is_group(resource_type):
        checks.append(("resource_group", names.RESOURCE_GROUPS, group))
    if not problems:
        problems += [found for check in checks if (found := names.name_problem(*check)) is not None]
    if problems:
        return "", resource_type, name, problems
    return names.resource_id(subscription_id, group, resource_type, name), resource_type, name, problems


def resource_spec(params: Mapping[str, Any], subscription_id: str) -> ResourceSpec:
    resource_id, resource_type, name, problems = locate(params, subscription_id)
    api_version = params.get("api_version") or names.api_version_of(resource_type)
    if resource_type and not api_version:
        problems.append(Problem("api_version", f"is needed: this collection pins none for {resource_type}"))
    state = params["state"]
    manners = manners_of(resource_type, params.get("update_method"))
    if manners is None and state == "present" and resource_type:
        sentence = (
            f"is needed for {resource_type}: patch (PATCH what is declared), put_merged (PUT the present body with it) "
            "or put_declared (PUT only it)"
        )
        problems.append(Problem("update_method", sentence))
    tags, tag_problems = tag_values(params.get("tags"))
    problems += tag_problems
    if manners is not None and not manners.tags and params.get("tags"):
        problems.append(Problem("tags", f"a resource of type {resource_type} has no tags of its own: leave them out"))
    problems += wait_timeout_problems(params.get("wait_timeout"))
    declared = {key: params[key] for key in DECLARABLE if params.get(key) is not None}
    if manners is not None and manners.model and api_version == aks_fields.API_VERSION:
        declared, wrong = typed(declared, manners.model)
        problems += wrong
    if problems:
        raise InvalidInput(subject_of(resource_type or "resource", name or str(params.get("id") or "")), problems)
    if params.get("tags") is not None and (manners is None or manners.tags):
        declared["tags"] = tags
    return ResourceSpec(
        id=resource_id,
        type=resource_type,
        name=name,
        api_version=api_version,
        state=state,
        manners=manners or Manners("patch", location_required=False),
        declared=declared,
        purge_tags=bool(params.get("purge_tags")),
        owner=Owner.from_params(params),
        force_delete=bool(params.get("force_delete")),
    )
