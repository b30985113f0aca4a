# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role assignments: one grant is one principal, role and scope, whatever GUID names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.bodies import role_definition
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, Body
from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError

# answers to a list that leave the question to the write: no right to list there, or a scope that is not there yet
_UNDECIDED = (403, 404)


def is_assignment(resource_type: str) -> bool:
    return resource_type.lower() == names.ROLE_ASSIGNMENTS.lower()


def scope_of(assignment_id: str) -> str:
    """What is before the assignment in its id; empty for the tenant's root."""
    place = assignment_id.lower().rfind(f"/providers/{names.ROLE_ASSIGNMENTS}/".lower())
    return assignment_id[:place] if place >= 0 else assignment_id


def same_grant(body: Mapping[str, Any], declared: Mapping[str, Any], scope: str) -> bool:
    """Whether `body`, an assignment as it is answered, grants what `declared` (properties) would at `scope`."""
    properties = body.get("properties") or {}
    return (
        str(properties.get("scope") or scope_of(str(body.get("id")))).lower().rstrip("/") == scope.lower().rstrip("/")
        and str(properties.get("principalId")).lower() == str(declared.get("principalId")).lower()
        and role_definition(properties.get("roleDefinitionId"), declared.get("roleDefinitionId"))
    )


def find_twin(arm: Arm, assignment_id: str, declared: Mapping[str, Any], api_version: str) -> Body | None:
    """The same grant under another name: Azure takes no second one (409 RoleAssignmentExists)."""
    if not declared.get("principalId") or not declared.get("roleDefinitionId"):
        return None
    scope = scope_of(assignment_id)
    path = f"{scope}/providers/{names.ROLE_ASSIGNMENTS}"
    # what is above and below the scope is listed as well
    query = {"$filter": f"principalId eq '{declared['principalId']}'"}
    try:
        listed = list(arm.listed(path, f"Listing the role assignments of {scope or '/'}", api_version, query))
    except ServiceError as failure:
        if failure.status in _UNDECIDED or arm.check_mode:
            return None
        raise
    return next((body for body in listed if same_grant(body, declared, scope)), None)
